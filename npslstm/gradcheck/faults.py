"""What no number shows: answers that change from call to call, and arguments that are written to.

Also how backward takes None for an upstream gradient, where its signature says that it does.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from .subject import Arrays, Subject, run_on_copies
from .trees import leaves

__all__ = ["Behaviour", "behaviour_of", "faults_of_none"]

LIKE_ZEROS = 1e-9  # relative difference that is left between None and zeros, or two sums


class Behaviour(NamedTuple):
    """How forward and backward behave when they are called again."""

    faults: list[str]
    notes: list[str]
    repeats: bool  # whether a second run gives the gradients of the first
    keeps: bool  # whether the same run does, at a second backward


def behaviour_of(subject: Subject, outputs: Any, doutputs: Any, first: Arrays) -> Behaviour:
    """Run it once more, and backward twice; ``first`` is what the very first backward gave."""
    arrays, given = copy.deepcopy((subject.arrays, doutputs))
    run = subject.run(arrays)
    if not _same(run.outputs, outputs):
        raise ValueError(
            "forward: expected the same outputs for the same input, given two answers; "
            "hold its random numbers fixed"
        )
    again = _copied(run.backward(given), first)
    faults, notes = [], []
    if not _same((arrays, given), (subject.arrays, doutputs)):
        faults.append("forward or backward writes to its arguments")
    try:
        second = _copied(run.backward(copy.deepcopy(doutputs)), first)
    except Exception as error:
        notes.append(
            "backward takes its cache apart: a second call for one forward ends in "
            f"{type(error).__name__}: {error}"
        )
        second = again
    changed = [n for n in first if not (_same(again[n], first[n]) and _same(second[n], first[n]))]
    adding = [
        n
        for n in changed
        if _near(second[n] - again[n], first[n]) or _near(again[n] - first[n], first[n])
    ]
    if adding:
        notes.append(
            f"the gradients of {', '.join(adding)} add up from call to call: this check judges the "
            "first call; set them to zero before each backward"
        )
    if others := [name for name in changed if name not in adding]:
        faults.append(f"backward, called twice, gives two gradients of {', '.join(others)}")
    repeats = all(_near(again[n], first[n]) for n in first)
    return Behaviour(faults, notes, repeats, keeps=not (faults or notes))


def faults_of_none(subject: Subject, doutputs: Any, keeps: bool) -> list[str]:
    """Compare backward with None for an upstream gradient to backward with zeros, where it may be.

    None is tried where the parameter of ``backward`` has None for a default or in its annotation;
    for each array of a pair (dh, dc), where the annotation says so. ``keeps``: one forward will do.
    """
    faults = []
    once = run_on_copies(subject, subject.arrays)

    def gradients(dy: Any) -> Arrays:
        run = once if keeps else run_on_copies(subject, subject.arrays)
        found = run.backward(copy.deepcopy(dy))
        return {n: g if g is None else np.array(g) for n, g in found.items()}  # may be buffers

    for name, nothing, zeros in _absent(subject, doutputs):
        expected = gradients(zeros)
        try:
            got = gradients(nothing)
            other = [n for n in expected if not _near(got[n], expected[n])]
        except Exception as error:
            faults.append(f"backward with {name} ends in {type(error).__name__}: {error}")
            continue
        if other:
            faults.append(
                f"backward with {name} gives other gradients of {', '.join(other)} than with zeros"
            )
    return faults


def _absent(subject: Subject, doutputs: list[Any]) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """Give each way to leave an upstream gradient out, and the same with zeros."""
    try:
        parameters = list(inspect.signature(subject.backward).parameters.values())[1:]
    except (TypeError, ValueError):  # no signature to read
        return
    for k, (parameter, dy) in enumerate(zip(parameters, doutputs, strict=False)):
        annotation = parameter.annotation
        said = "" if annotation is parameter.empty else str(annotation)
        if parameter.default is not None and "None" not in said:
            continue
        zeros = _zeros(dy)
        yield f"{parameter.name}=None", _put(doutputs, k, None), _put(doutputs, k, zeros)
        if isinstance(dy, tuple) and re.search(r"\[.*None.*\]", said):
            for j in range(len(dy)):
                shown = ", ".join("None" if i == j else "…" for i in range(len(dy)))
                yield (
                    f"{parameter.name}=({shown})",
                    _put(doutputs, k, tuple(_put(dy, j, None))),
                    _put(doutputs, k, tuple(_put(dy, j, zeros[j]))),
                )


def _zeros(tree: Any) -> Any:
    return tuple(map(_zeros, tree)) if isinstance(tree, tuple) else np.zeros_like(tree)


def _put(sequence: Any, k: int, value: Any) -> list[Any]:
    return [value if i == k else given for i, given in enumerate(sequence)]


def _copied(gradients: Arrays, first: Arrays) -> Arrays:
    """Copy what may be an accumulator that goes on."""
    return {name: np.array(gradients[name]) for name in first}


def _near(one: Array, other: Array) -> bool:
    if one is None or other is None:
        return one is other
    size = float(np.max(np.abs(other), initial=0))
    return bool(np.max(np.abs(one - other), initial=0) <= LIKE_ZEROS * size)


def _same(one: Any, other: Any) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(leaves(one), leaves(other), strict=True)
    )
