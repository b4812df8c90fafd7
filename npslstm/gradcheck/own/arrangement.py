"""The ways in which people lay out an LSTM's arrays, each of them read as ours.

The weights of four gates may be one array or four, over x and h together or apart, transposed or
not. ``readings`` lists every way that fits the shapes; ``layouts.py`` tries which one is right.

Shapes: T steps, N rows of the batch, D inputs, H units.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...arguments import Array

__all__ = [
    "AXES",
    "Arrays",
    "Reading",
    "Stack",
    "axes_text",
    "features_first",
    "gate_called",
    "readings",
]

Arrays = dict[str, Array]
Lay = Callable[[Array], Array]

AXES = {  # how x may lie, by its number of axes, the usual ways first
    1: ("D",),
    2: ("TD", "ND", "DN", "DT"),
    3: ("TND", "NTD", "DNT", "NDT", "DTN", "TDN"),
}
GATE_WORDS = {  # what people call the gates
    "i": ("i", "in", "input", "u", "update", "ig"),
    "f": ("f", "forget", "fg"),
    "g": ("g", "c", "a", "z", "cell", "cand", "candidate", "cc", "ct"),
    "o": ("o", "out", "output", "og"),
}
COLUMNS = ("xh", "hx", "xh1", "hx1", "1xh", "1hx", "x1h", "h1x")  # of one matrix over all


class Stack(NamedTuple):
    """Four blocks, one a gate, in the order in which they are stored."""

    names: tuple[str, ...]  # of the one array or the four that hold them
    text: str
    take: Callable[[Mapping[str, Array]], Array]  # → (4, H, columns), or (4, H) of a bias
    label: str  # what these blocks are, in words
    keys: tuple[str, ...] = ()  # what tells four names apart


class Reading(NamedTuple):
    """One way to find an LSTM's weights among arrays; the gates lie as they are stored."""

    text: str
    inputs: Stack  # of W_ih
    recurrent: Stack  # of W_hh
    biases: tuple[Stack, ...]  # at most two

    @property
    def names(self) -> set[str]:
        """The arrays that are taken."""
        return {
            name for stack in (self.inputs, self.recurrent, *self.biases) for name in stack.names
        }

    @property
    def joined(self) -> bool:
        """Whether W_ih and W_hh are parts of the same arrays."""
        return self.inputs.names == self.recurrent.names

    @property
    def keys(self) -> tuple[str, ...]:
        """What tells the gates apart in the names of their arrays, where they have names."""
        return self.inputs.keys


def features_first(axes: str) -> bool:
    """Whether features come before rows, so that each example is a column."""
    return "N" in axes and axes.index("D") < axes.index("N")


def axes_text(axes: str) -> str:
    """Say how x lies."""
    known = {"TND": "time first", "NTD": "batch first", "TD": "one sequence", "ND": "one step"}
    text = known.get(axes, f"x ({', '.join(axes)})")
    return f"{text}, columns are examples" if features_first(axes) else text


def gate_called(key: str) -> str | None:
    """Return the gate that a word stands for: "i" for "input"."""
    word = key.strip("_").lower()
    return next((gate for gate, words in GATE_WORDS.items() if word in words), None)


def readings(params: Arrays, inputs: int, hidden: int) -> Iterator[Reading]:
    """List every way to read ``params`` as the weights of an LSTM of D inputs and H units."""
    biases = _stacks(params, hidden, None, "")
    width = {"x": inputs, "h": hidden, "1": 1}
    letter = {"x": "D", "h": "H", "1": "1"}
    for order in COLUMNS:
        text = " + ".join(letter[part] for part in order)
        starts = {part: sum(width[p] for p in order[:k]) for k, part in enumerate(order)}
        for stack in _stacks(params, hidden, sum(width[part] for part in order), text):
            said = stack._replace(text=f"{stack.text} on [{' '.join(order)}]")
            cut = {p: _columns(said, p, starts[p], starts[p] + width[p]) for p in "xh"}
            own = (_column(stack, starts["1"]),) if "1" in order else ()
            for others in _some(biases, stack.names):
                if len(own + others) <= 2:
                    words = ", ".join([said.text, *_bias_text(others, bool(own))])
                    yield Reading(words, cut["x"], cut["h"], own + others)
    for w_x in _stacks(params, hidden, inputs, "D"):
        for w_h in _stacks(params, hidden, hidden, "H"):
            if not set(w_x.names) & set(w_h.names):
                for others in _some(biases, w_x.names + w_h.names):
                    words = ", ".join([w_x.text, w_h.text, *_bias_text(others, False)])
                    yield Reading(words, w_x, w_h, others)


def _columns(stack: Stack, part: str, start: int, stop: int) -> Stack:
    """Take the columns of x or h out of a matrix over all."""
    return stack._replace(
        label=f"{stack.label} on {part}", take=lambda arrays: stack.take(arrays)[..., start:stop]
    )


def _column(stack: Stack, at: int) -> Stack:
    """Take the bias out of a matrix over all."""
    return stack._replace(
        label=f"{stack.label} on 1", take=lambda arrays: stack.take(arrays)[..., at]
    )


def _some(biases: list[Stack], taken: Sequence[str]) -> Iterator[tuple[Stack, ...]]:
    """Choose two biases, or one, or none: as many as there are, first."""
    free = [stack for stack in biases if not set(stack.names) & set(taken)]
    for count in (2, 1, 0):
        for chosen in itertools.combinations(free, count):
            if len({name for stack in chosen for name in stack.names}) == sum(
                len(stack.names) for stack in chosen
            ):
                yield chosen


def _bias_text(biases: tuple[Stack, ...], column: bool) -> list[str]:
    counts = ("no bias", "one bias", "two biases")
    return [] if column and not biases else [counts[len(biases)]]


def _stacks(params: Arrays, hidden: int, columns: int | None, text: str) -> list[Stack]:
    """List what has the shape of four blocks (H, columns), or (H,) where ``columns`` is None."""
    found = []
    whole, quarter = _forms(hidden, columns)
    for name, array in params.items():
        for shape, said, lay in whole:
            if array.shape == shape:
                found.append(
                    Stack((name,), name + said.replace("K", text), _taken(name, lay), name)
                )
    for shape, said, lay in quarter:
        same = [name for name, array in params.items() if array.shape == shape]
        for names, keys in _fours(same):
            words = ", ".join(names)
            text_of = words + said.replace("K", text)
            found.append(Stack(names, text_of, _stacked(names, lay), words, keys))
    return found


def _forms(hidden: int, columns: int | None) -> tuple[list[tuple], list[tuple]]:
    """Return the shapes of one array for all gates, and those of one array a gate.

    Each comes with what it is called, and with how it is laid to (4, H, columns) or (H, columns).
    """
    rows = 4 * hidden
    if columns is None:
        flat = [(rows,), (rows, 1), (1, rows), (4, hidden), (4, hidden, 1), (4, 1, hidden)]
        small = [(hidden,), (hidden, 1), (1, hidden)]
        return (
            [(shape, "", lambda b: b.reshape(4, hidden)) for shape in flat],
            [(shape, "", np.ravel) for shape in small],
        )
    whole: list[tuple] = [
        ((columns, rows), " (K, 4H)", lambda w: w.T.reshape(4, hidden, columns)),
        ((rows, columns), " (4H, K)", lambda w: w.reshape(4, hidden, columns)),
        ((4, columns, hidden), " (4, K, H)", lambda w: w.transpose(0, 2, 1)),
        ((4, hidden, columns), " (4, H, K)", lambda w: w),
    ]
    quarter: list[tuple] = [
        ((columns, hidden), " (K, H)", np.transpose),
        ((hidden, columns), " (H, K)", lambda w: w),
    ]
    return whole, quarter


def _taken(name: str, lay: Lay) -> Callable[[Mapping[str, Array]], Array]:
    return lambda arrays: lay(arrays[name])


def _stacked(names: Sequence[str], lay: Lay) -> Callable[[Mapping[str, Array]], Array]:
    return lambda arrays: np.stack([lay(arrays[name]) for name in names])


def _fours(names: list[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Find four names that one part of them tells apart: Wf, Wi, Wc, Wo and f, i, c, o."""
    families: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        for start, stop in itertools.combinations(range(len(name) + 1), 2):
            families.setdefault((name[:start], name[stop:]), {})[name[start:stop]] = name
    found = {}
    for family in families.values():
        known = {key: name for key, name in family.items() if gate_called(key)}
        if len({gate_called(key) for key in known}) == len(known) == 4:
            # The order of our gates: then the four blocks of every matrix lie alike.
            keys = tuple(sorted(known, key=lambda key: "ifgo".index(gate_called(key) or "")))
            found[tuple(known[key] for key in keys)] = keys
    if not found and names and len(names) % 4 == 0:  # a list has no names: by their order, then
        fours = [tuple(names[k : k + 4]) for k in range(0, len(names), 4)]
        found = {four: () for four in fours}
    return list(found.items())
