"""One layer over a whole sequence: which block of steps, for which rows, when.

Long sequences, large batches, rows of different lengths and recomputation in place of memory are
all the same thing here: a list of rectangular cuts (steps t0:t1, rows n0:n1) that
``sequence.py`` runs one after the other, forward in time and then backward. Rows come sorted by
length, longest first, so that the rows still running are always the first ones; a row that has
ended is in no further cut, so its padding is never read and its state, and later its
gradient, waits unchanged.

Shapes: x ``(T, N, D)``, out ``(T, N, H)``, states ``(H, N)`` (features first).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..arguments import Array
from .scratch import copy, empty
from .sequence import Saved, chunk_backward, chunk_forward, stack_weights

__all__ = ["Cut", "Keep", "Plan", "Tape", "layer_backward", "layer_forward", "plan_cuts"]

# A block's arrays should stay in a second-level cache of 1 MiB, and a slice's step too: with blocks
# of 128 columns a training step in float32 takes 2 to 6 % longer, with blocks of 512 no less. Where
# the weights alone fill that cache, what counts is to add up their gradient less often: more
# columns gain 3 to 11 % at H = 512.
BLOCK_COLUMNS = 256  # steps × rows of one block,
COLUMNS_A_UNIT = 2  # or so many times H, if that is more
SLICE_BYTES = 64 * 1024  # of one array of a step, rows × H, in one slice of the batch,
SLICE_WIDTH = 256  # but at least so many of each unit: narrow products are slow (H = 1,024: 10 %)


class Cut(NamedTuple):
    """The steps t0:t1 of the rows n0:n1."""

    t0: int
    t1: int
    n0: int
    n1: int


Params = Sequence[Array]  # weight_ih (4H, D), weight_hh (4H, H) and, with bias, bias_ih, bias_hh
Plan = list[list[Cut]]  # segments of cuts; a segment is recomputed as a whole under checkpointing


Keep = Literal["blocks", "starts", "nothing"]  # what a forward leaves for backward


class Tape(NamedTuple):
    """What one layer keeps for backward: of each segment its blocks, or the state it began with."""

    x: Array  # (T, N, D)
    blocks: list[list[Saved]]
    starts: list[tuple[Array, Array]]


def plan_cuts(
    lengths: Sequence[int],
    hidden: int,
    checkpoint_every: int | None = None,
    itemsize: int = 4,
) -> Plan:
    """Cut rows of these lengths, in descending order, into blocks; a number has ``itemsize`` bytes.

    The blocks depend on the shapes alone, and ``checkpoint_every`` only groups them into segments
    of at least that many steps, so it cannot change a bit of any result.
    """
    rows = len(lengths)
    slices = min(-(-rows * hidden * itemsize // SLICE_BYTES), rows * itemsize // SLICE_WIDTH)
    width = max(1, -(-rows // max(1, slices)))
    columns = max(BLOCK_COLUMNS, COLUMNS_A_UNIT * hidden)
    plan: Plan = []
    for n0 in range(0, rows, width):
        ends = list(lengths[n0 : n0 + width])
        segment: list[Cut] = []
        t0 = 0
        while ends and ends[0] > t0:
            while ends[-1] <= t0:
                ends.pop()
            t1 = min(ends[-1], t0 + max(1, columns // len(ends)))
            if segment and checkpoint_every and t0 - segment[0].t0 >= checkpoint_every:
                plan.append(segment)
                segment = []
            segment.append(Cut(t0, t1, n0, n0 + len(ends)))
            t0 = t1
        if segment:
            plan.append(segment)
    return plan


def _run(
    stacked: Array,
    x: Array,
    h: Array,
    c: Array,
    segment: list[Cut],
    out: Array | None,
    save: bool,
) -> list[Saved]:
    """Run a segment's blocks in order; h and c are advanced in place."""
    tape = []
    for t0, t1, n0, n1 in segment:
        block_out = None if out is None else out[t0:t1, n0:n1]
        h[:, n0:n1], c[:, n0:n1], saved = chunk_forward(
            stacked, x[t0:t1, n0:n1], h[:, n0:n1], c[:, n0:n1], block_out, save
        )
        if saved is not None:
            tape.append(saved)
    return tape


def layer_forward(
    params: Params,
    x: Array,
    state: tuple[Array, Array],
    plan: Plan,
    keep: Keep,
) -> tuple[Array, tuple[Array, Array], Tape]:
    """Run a layer over ``x (T, N, D)`` from ``state``, two arrays ``(H, N)``.

    ``keep`` says what goes on the tape for :func:`layer_backward`: every block, or only the state
    at the start of each segment, from which it is run again.

    Returns out ``(T, N, H)``, 0 at steps that no cut covers; the state after each row's last step,
    ``(H, N)``; and the tape.
    """
    stacked = stack_weights(*params)
    dtype = np.result_type(stacked, x, *state)
    h, c = (np.array(s, dtype, order="C") for s in state)
    # Outputs alone may be collected without end, and memory that was lent is kept for more.
    new = np.empty if keep == "nothing" else empty
    out = _blank(new((*x.shape[:2], len(h)), dtype), plan)
    tape = Tape(x, [], [])
    for segment in plan:
        if keep == "starts":
            rows = _rows(segment)
            tape.starts.append((h[:, rows].copy(), c[:, rows].copy()))
        blocks = _run(stacked, x, h, c, segment, out, save=keep == "blocks")
        tape.blocks.append(blocks)
    return out, (h, c), tape


def layer_backward(
    params: Params,
    tape: Tape,
    dout: Array | None,
    dstate: tuple[Array, Array],
    plan: Plan,
) -> tuple[Array, tuple[Array, Array], Array]:
    """Run a layer backward, given the gradients of its outputs and of its last state.

    Returns dx ``(T, N, D)``, 0 at steps that no cut covers; the gradient of the initial state,
    ``(H, N)``; and that of the stacked weights, ``(4H, K)``.
    """
    weight_ih, weight_hh = params[:2]
    douts = [] if dout is None else [dout]
    dtype = np.result_type(weight_ih, weight_hh, tape.x, *dstate, *douts)
    dh, dc = (np.array(s, dtype, order="C") for s in dstate)
    weight_ih_t, weight_hh_t = copy(weight_ih.T), copy(weight_hh.T)
    dx = _blank(empty(tape.x.shape, dtype), plan)
    dstacked = empty((len(weight_hh), tape.x.shape[2] + 1 + len(dh)), dtype)
    dstacked[...] = 0
    for index in reversed(range(len(plan))):
        segment = plan[index]
        blocks = tape.blocks[index]
        if tape.starts:
            h, c = np.empty_like(dh), np.empty_like(dc)
            h[:, _rows(segment)], c[:, _rows(segment)] = tape.starts[index]
            blocks = _run(stack_weights(*params), tape.x, h, c, segment, None, save=True)
        for (t0, t1, n0, n1), saved in zip(reversed(segment), reversed(blocks), strict=True):
            block_dout = None if dout is None else dout[t0:t1, n0:n1]
            dh[:, n0:n1], dc[:, n0:n1] = chunk_backward(
                weight_ih_t,
                weight_hh_t,
                saved,
                block_dout,
                dh[:, n0:n1],
                dc[:, n0:n1],
                dx[t0:t1, n0:n1],
                dstacked,
            )
    return dx, (dh, dc), dstacked


def _blank(sequence: Array, plan: Plan) -> Array:
    """Make an array ready for what the cuts will write: zeros where they leave any out."""
    covered = sum((cut.t1 - cut.t0) * (cut.n1 - cut.n0) for segment in plan for cut in segment)
    if covered < sequence.shape[0] * sequence.shape[1]:
        sequence[...] = 0
    return sequence


def _rows(segment: list[Cut]) -> slice:
    """Return the rows that take part in a segment: those of its first cut; rows only ever end."""
    return slice(segment[0].n0, segment[0].n1)
