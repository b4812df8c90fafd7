"""Name the mistake: compare wrong gradients with those of our LSTM with a known mistake in it.

The mistakes themselves are in ``npslstm/mistakes``, which stands above this room and is made with
its tools: it hands its table down, to ``KNOWN``, when the package is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

import numpy as np

from ...arguments import Array
from .arrangement import Arrays
from .layout import LSTMLayout

__all__ = ["KNOWN", "Evidence", "Known", "Suspects", "suspects"]

EQUAL = 1e-6  # relative: a derivative that is written in another way rounds otherwise
PAIRED = 12  # of the single mistakes that come nearest, all pairs are tried
AFFORDABLE = 20_000  # numbers in all arrays with which pairs are tried


class Known(NamedTuple):
    """A mistake: in words, and how to make it."""

    what: str
    make: Callable[[], AbstractContextManager[None]]


KNOWN: dict[str, Known] = {}


class Suspects(NamedTuple):
    """Mistakes by name, the likeliest first, and what makes them suspect."""

    names: list[str]
    text: str
    equal: bool = False  # whether they make our gradients those that were returned


class Evidence(NamedTuple):
    """Gradients of somebody's arrays that backward returned for these gradients of its outputs.

    The gradient of an output that is none of ours is 0. Not all arrays need have a gradient.
    """

    doutputs: Sequence[Array]
    wrong: Mapping[str, Array]


def suspects(layout: LSTMLayout, arrays: Arrays, evidence: Sequence[Evidence]) -> Suspects:
    """Find the mistakes that make our gradients those that were returned.

    One that makes all of them equal; else two at once that do; else those that make some of them
    equal, or bring them to less than half as far off.
    """
    if not layout.exact:
        return Suspects([], "")
    trials = [_Trial.of(layout, arrays, each) for each in evidence]
    if not any((trial.off > EQUAL).any() for trial in trials):
        return Suspects([], "")
    found = {name: apart for name in KNOWN if (apart := _apart(trials, name)) is not None}
    if equal := [name for name, apart in found.items() if _equal(apart)]:
        said = ", or ".join(f"{name} ({KNOWN[name].what})" for name in equal)
        return Suspects(equal, f"the gradients are those of our LSTM with {said}", True)

    nearest = sorted(found, key=lambda name: sum(map(np.sum, found[name])))[:PAIRED]
    if sum(array.size for array in arrays.values()) <= AFFORDABLE:
        for pair in itertools.combinations(nearest, 2):
            if all(_make_it_equal(trial, *pair) for trial in trials):
                said = " and ".join(f"{name} ({KNOWN[name].what})" for name in pair)
                text = f"the gradients are those of our LSTM with two mistakes: {said}"
                return Suspects(list(pair), text, True)

    rank = {
        name: min(near)
        for name, apart in found.items()
        if (near := [_nearness(t, a) for t, a in zip(trials, apart, strict=True) if t.near(a)])
    }
    names = sorted(rank, key=rank.__getitem__)[:3]
    said = ", ".join(f"{name} ({KNOWN[name].what})" for name in names[:1])
    return Suspects(names, f"the gradients are near those of our LSTM with {said}" if names else "")


class _Trial(NamedTuple):
    """One piece of evidence beside what is right."""

    layout: LSTMLayout
    arrays: Arrays
    evidence: Evidence
    names: list[str]
    right: Arrays
    off: Array  # how far off each gradient is

    @classmethod
    def of(cls, layout: LSTMLayout, arrays: Arrays, evidence: Evidence) -> _Trial:
        right = layout.gradients(arrays, evidence.doutputs)
        names = [name for name in right if name in evidence.wrong]
        return cls(layout, arrays, evidence, names, right, _distances(names, evidence.wrong, right))

    def near(self, apart: Array) -> bool:
        """Say whether gradients with a mistake come nearer to what was returned than right ones.

        That is where one becomes equal and none that was right becomes wrong, or where all together
        are less than half as far off.
        """
        equal, right = apart <= EQUAL, self.off <= EQUAL
        explains = (equal & ~right).any() and not (right & ~equal).any()
        return bool(explains or apart.sum() < self.off.sum() / 2)


def _make_it_equal(trial: _Trial, *mistakes: str) -> bool:
    """Say whether two mistakes together make what was returned."""
    try:
        apart = _apart([trial], *mistakes)
    except (TypeError, ValueError, AttributeError):  # the one leaves nothing for the other to spoil
        return False
    return apart is not None and _equal(apart)


def _apart(trials: Sequence[_Trial], *mistakes: str) -> list[Array] | None:
    """Return how far off each gradient is from ours with these mistakes, in every trial.

    None where they change nothing in any.
    """
    found, seen = [], False
    for trial in trials:
        with ExitStack() as stack:
            for name in mistakes:
                stack.enter_context(KNOWN[name].make())
            mistaken = trial.layout.gradients(trial.arrays, trial.evidence.doutputs)
        seen = seen or bool((_distances(trial.names, trial.right, mistaken) > EQUAL).any())
        found.append(_distances(trial.names, trial.evidence.wrong, mistaken))
    return found if seen else None


def _equal(apart: Sequence[Array]) -> bool:
    return all((distances <= EQUAL).all() for distances in apart)


def _nearness(trial: _Trial, apart: Array) -> tuple[int, float]:
    """Return what the likeliest has least of."""
    return int((apart > EQUAL).sum()), float(apart.sum() / trial.off.sum())


def _distances(names: Sequence[str], one: Mapping[str, Array], other: Mapping[str, Array]) -> Array:
    """Return, array by array, how far apart two gradients are: 0 equal, 1 another one."""
    found = []
    for name in names:
        size = max(np.linalg.norm(one[name]), np.linalg.norm(other[name]))
        apart = np.linalg.norm(one[name] - other[name])
        found.append(min(1.0, float(apart / size)) if size else 0.0)
    return np.array(found)
