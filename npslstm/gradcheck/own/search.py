"""Find the layout of somebody's LSTM: compare its outputs with those of ours.

Every way to read its arrays is run for one step, in all 24 orders of the gates at once; what agrees
is run over all steps. Numbers drawn at random do not agree by chance, so what fits is the layout.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...arguments import Array
from ...gates import gates_forward
from . import blocks as ours
from .arrangement import AXES, Arrays, Reading, features_first, readings
from .blocks import CHANGES, SAME, Blocks, Change
from .layout import LSTMLayout, States, read, time_first
from .outputs import TOLERANCE, match, readouts

__all__ = ["find_layout", "refit"]

ORDERS = np.array(list(itertools.permutations(range(4))))  # (24, 4): where i, f, g, o are stored
USUAL = ("TND", "NTD", "DNT", "TD", "ND", "D")
AFFORDABLE = 20_000  # entries of parameters with which every change is tried, too


class Candidate(NamedTuple):
    """One way to read the arrays, but for the order of the gates."""

    axes: str
    reading: Reading
    states: States
    free: tuple[str, ...]  # arrays that are not read


def find_layout(arrays: Arrays, outputs: Sequence[Array]) -> LSTMLayout | None:
    """Return the layout of the LSTM that made ``outputs`` of ``arrays``, or None if it is none.

    Parameters
    ----------
    arrays : dict of ndarray
        The input, under the name x, and the parameters and initial states.
    outputs : sequence of ndarray
        All that forward returns but the cache: y, or y, h_n and c_n, or others among them.
    """
    arrays = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    outputs = [np.asarray(output, np.float64) for output in outputs]
    if not all(array.size for array in (*arrays.values(), *outputs)):
        return None  # nothing to compare
    candidates = list(_candidates(arrays, outputs))
    with np.errstate(all="ignore"):
        for change in (SAME, *CHANGES):
            for candidate in candidates if change is SAME else _likely(candidates, change, arrays):
                for order in _orders(candidate, change, arrays, outputs):
                    if found := _layout(candidate, change, order, arrays, outputs):
                        return found
    return None


def refit(layout: LSTMLayout, arrays: Arrays, outputs: Sequence[Array]) -> LSTMLayout | None:
    """Return a layout for arrays of other lengths, over fewer steps say."""
    read = {"x", *layout.reading.names, *layout.states}
    free = tuple(name for name in arrays if name not in read)
    candidate = Candidate(layout.axes, layout.reading, layout.states, free)
    return _layout(candidate, layout.change, layout.order, arrays, outputs)


def _candidates(arrays: Arrays, outputs: Sequence[Array]) -> Iterator[Candidate]:
    """List the ways to read the arrays by which an output could have the shape that it has."""
    x = arrays["x"]
    params = {name: array for name, array in arrays.items() if name != "x"}
    lengths = {length for array in params.values() for length in array.shape}
    lengths |= {length // 4 for length in lengths if length % 4 == 0}
    shapes = [_short(output.shape) for output in outputs]
    for axes in AXES.get(x.ndim, ()):
        steps, rows, inputs = time_first(x, axes).shape
        for hidden in sorted(lengths - {0}):
            shown = any(_short(s) in shapes for s in ((steps, rows, hidden), (rows, hidden)))
            for reading in readings(params, inputs, hidden):
                free = [name for name in params if name not in reading.names]
                wide = {readout.width(params) for readout in readouts(params, free, hidden)}
                if shown or any(
                    _short(s) in shapes for k in wide for s in ((steps, rows, k), (rows, k))
                ):
                    for states in _states(params, free, (rows, hidden), axes):
                        rest = tuple(name for name in free if name not in states)
                        yield Candidate(axes, reading, states, rest)


def _short(shape: Sequence[int]) -> list[int]:
    """Forget the order of the axes, and those of length 1."""
    return sorted(length for length in shape if length != 1)


def _likely(candidates: list[Candidate], change: Change, arrays: Arrays) -> list[Candidate]:
    """Leave those that use most of the arrays; none where it would take too long."""
    if sum(array.size for name, array in arrays.items() if name != "x") > AFFORDABLE:
        return []

    def weights(candidate: Candidate) -> tuple[str, ...]:
        reading = candidate.reading
        return candidate.axes, reading.inputs.text, reading.recurrent.text

    fewest: dict[tuple[str, ...], int] = {}
    for candidate in candidates:
        key = weights(candidate)
        fewest[key] = min(fewest.get(key, len(arrays)), len(candidate.free))
    return [
        candidate
        for candidate in candidates
        if len(candidate.free) == fewest[weights(candidate)]
        and candidate.axes in USUAL
        and not (change.apart and candidate.reading.joined)
    ]


def _states(params: Arrays, free: list[str], shape: tuple[int, int], axes: str) -> list[States]:
    """List what may be h_0 and c_0, by their shapes; the likeliest by their names, first."""
    names: list[str | None] = [None]
    for name in free:
        short = [length for length in params[name].shape if length != 1]
        if short == [n for n in (shape[::-1] if features_first(axes) else shape) if n != 1]:
            names.append(name)
    pairs = [(h, c) for h in names for c in names if h is None or h != c]

    def unlikely(pair: States) -> int:
        h, c = (name or "" for name in pair)
        return 4 * pair.count(None) + 2 * (_is_cell(h) and bool(h)) + (not _is_cell(c) and bool(c))

    return sorted(pairs, key=unlikely)


def _is_cell(name: str) -> bool:
    """Say whether a state is called c and not h or a: c0, prev_c, c_init, cell."""
    return "c" in name.lower() and "h" not in name.lower()


def _orders(
    candidate: Candidate, change: Change, arrays: Arrays, outputs: Sequence[Array]
) -> Iterator[tuple[int, ...]]:
    """List the orders of the gates in which one number of the first step is right.

    Or of the last, where outputs show no other. The rest is compared where that one fits.
    """
    as_stored = change is SAME  # no block changes; so one product for all orders is enough
    orders = np.arange(4) if as_stored else ORDERS
    whole = read(candidate.axes, candidate.reading, candidate.states, orders, arrays)
    x, shape = whole.x, whole.h_0.shape
    many = change.blocks(whole._replace(x=x[:, :1], h_0=whole.h_0[:1], c_0=whole.c_0[:1]))
    known = list(readouts(arrays, candidate.free, shape[1]))
    shapes = [(len(x), shape[0], width) for width in (shape[1], *(r.width(arrays) for r in known))]
    shown = list(_first_steps(outputs, len(x), [_short(shape) for shape in shapes]))
    h, c = _run_all(many, change, 1 if shown else len(x), as_stored)
    made = [h, c]
    for readout in known:
        read_out = readout.forward(arrays, h)
        made += [read_out["logits"], read_out["probabilities"]]
    # The number at the corner is the same whether rows or units come first.
    shown = shown or list(outputs)
    theirs = np.array([output.flat[0] for output in shown])
    allowed = TOLERANCE * np.array([np.abs(output).max() for output in shown])
    ours = np.array([array[:, 0, 0] for array in made])
    fits = np.abs(ours[..., None] - theirs) <= allowed  # (made, 24, shown)
    for order in ORDERS[fits.any(axis=(0, 2))]:
        yield tuple(int(slot) for slot in order)


def _run_all(blocks: Blocks, change: Change, steps: int, as_stored: bool) -> tuple[Array, Array]:
    """Return h and c (24, rows, H) after some steps, in every order of the gates at once.

    ``as_stored``: the blocks are there once, as they are stored, and not in all orders (24, 4, …).
    """
    h = np.broadcast_to(blocks.h_0, (len(ORDERS), *blocks.h_0.shape))
    c = blocks.c_0
    for x in blocks.x[:steps]:
        a = x @ blocks.weight_ih.swapaxes(-1, -2)  # (1), (24, 4, N, H)
        a = a + h[..., None, :, :] @ blocks.weight_hh.swapaxes(-1, -2)
        a = a + (blocks.bias_ih + blocks.bias_hh)[..., None, :]
        if as_stored:
            a = np.take_along_axis(a, ORDERS[:, :, None, None], axis=1)
        a_i, a_f, a_g, a_o = np.moveaxis(a, 1, 0)
        step = gates_forward(a_i, a_f, a_g, a_o, c)
        shown, h, c = step.h, step.h, step.c
        if change.step is not None:
            shown, h, c = change.step(h, c)
    return shown, c


def _first_steps(
    outputs: Sequence[Array], steps: int, shapes: Sequence[list[int]]
) -> Iterator[Array]:
    """List what may be an output of the first step alone."""
    for output in outputs:
        if _short(output.shape) not in shapes:
            continue
        for axis, length in enumerate(output.shape):
            if length == steps:
                yield output.take(0, axis)
        if steps == 1:
            yield output


def _layout(
    candidate: Candidate,
    change: Change,
    order: tuple[int, ...],
    arrays: Arrays,
    outputs: Sequence[Array],
) -> LSTMLayout | None:
    """Return the layout, if one of the outputs is right at every step."""
    axes, reading, states, free = candidate
    layout = LSTMLayout(axes, reading, order, states, change, None, {}, (), ())
    made, _ = ours.run(layout.read(arrays), change)
    if change.step is None and len(outputs) > 1:
        made["c"] = ours.cell_states(layout.read(arrays))
        made |= {f"step {t}": h for t, h in enumerate(made["out"])}
    for readout in (None, *readouts(arrays, free, made["out"].shape[-1])):
        known = made | (readout.forward(arrays, made["out"]) if readout else {})
        fits = [match(output, known) for output in outputs]
        matches = {number: found for number, found in enumerate(fits) if found}
        if any(not found.name.startswith("step ") for found in matches.values()):
            if all(found.name in made for found in matches.values()):
                readout = None
            others = tuple(k for k in range(len(outputs)) if k not in matches)
            layout = replace(layout, readout=readout, matches=matches, others=others)
            return replace(layout, unread=() if others else _unread(layout, free, arrays))
    return None


def _unread(layout: LSTMLayout, free: Sequence[str], arrays: Arrays) -> tuple[str, ...]:
    """List the biases and the states that are there and make no difference."""
    rows, hidden = layout.read(arrays).h_0.shape
    shapes = ([4 * hidden], _short((rows, hidden)))
    taken = (layout.readout.weight, layout.readout.bias) if layout.readout else ()
    return tuple(
        name
        for name in free
        if _short(arrays[name].shape) in shapes and np.any(arrays[name]) and name not in taken
    )
