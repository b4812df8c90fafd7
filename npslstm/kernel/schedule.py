"""One layer over a whole sequence: which block of steps, for which rows, when.

Long sequences, large batches, rows of different lengths and recomputation in place of memory are
all the same thing here: a list of blocks (steps t0:t1, rows n0:n1) that ``sequence.py`` runs one
after the other, forward in time and then backward. Rows come sorted by length, longest first, so
that the rows still running are always the first ones; a row that has ended is in no further block,
so its padding is never read and its state, and later its gradient, waits unchanged.

Shapes: x ``(T, N, D)``, out ``(T, N, P)``, states ``(H, N)`` (features first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..arguments import Array
from ..cells.base import Kind
from .memory import Room, empty
from .sequence import Saved, block_backward, block_forward, kept
from .weights import Gradients, State, Weights

__all__ = ["Block", "Keep", "LayerCache", "Plan", "layer_backward", "layer_forward", "plan_blocks"]

# A block's arrays should stay in a second-level cache of 1 MiB, and a slice's step too: with blocks
# of 128 columns a training step in float32 takes 2 to 6 % longer, with blocks of 512 no less. Where
# the weights alone fill that cache, what counts is to add up their gradient less often: more
# columns gain 3 to 11 % at H = 512.
BLOCK_COLUMNS = 256  # steps × rows of one block,
COLUMNS_A_UNIT = 2  # or so many times H, if that is more
SLICE_BYTES = 64 * 1024  # of one array of a step, rows × H, in one slice of the batch,
SLICE_WIDTH = 256  # but at least so many of each unit: narrow products are slow (H = 1,024: 10 %)


class Block(NamedTuple):
    """The steps t0:t1 of the rows n0:n1."""

    t0: int
    t1: int
    n0: int
    n1: int


Plan = list[list[Block]]  # segments of blocks; with checkpoints a segment is recomputed as a whole
Keep = Literal["blocks", "starts", "nothing"]  # what a forward leaves for backward


class LayerCache(NamedTuple):
    """What one layer keeps: of each segment its blocks, or the state that it began with."""

    x: Array  # (T, N, D)
    blocks: list[list[Saved]]
    starts: list[State]


def plan_blocks(
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
        segment: list[Block] = []
        t0 = 0
        while ends and ends[0] > t0:
            while ends[-1] <= t0:  # rows that have ended take no further part
                ends.pop()
            # Up to where the shortest row that still runs ends, or the block is full.
            t1 = min(ends[-1], t0 + max(1, columns // len(ends)))
            if segment and checkpoint_every and t0 - segment[0].t0 >= checkpoint_every:
                plan.append(segment)
                segment = []
            segment.append(Block(t0, t1, n0, n0 + len(ends)))
            t0 = t1
        if segment:
            plan.append(segment)
    return plan


def layer_forward(
    kind: Kind, params: Mapping[str, Array], x: Array, state: State, plan: Plan, keep: Keep
) -> tuple[Array, State, LayerCache]:
    """Run a layer over ``x (T, N, D)``.

    ``keep`` says what :func:`layer_backward` will find: every block, or only the state at the start
    of each segment, from which it is run again.

    Returns out ``(T, N, P)``, 0 at steps that no block covers; the state after each row's last
    step; and the cache.
    """
    weights = Weights.for_forward(kind, params)
    dtype = np.result_type(weights.dtype, x, *(s for s in state if s is not None))
    state = _own(state, dtype)
    out = _blank((*x.shape[:2], weights.output), dtype, plan)
    cache = LayerCache(x, [], [])
    space = _space(weights, [b for segment in plan for b in segment], dtype, keep == "blocks")
    for segment in plan:
        if keep == "starts":
            cache.starts.append(state.rows(*_rows(segment)).copy())
        cache.blocks.append(_run(weights, x, state, segment, out, space))
    return out, state, cache


def layer_backward(
    kind: Kind,
    params: Mapping[str, Array],
    cache: LayerCache,
    dout: Array | None,
    dstate: State,
    plan: Plan,
) -> tuple[Array, State, dict[str, Array]]:
    """Run a layer backward, given the gradients of its outputs and of its last state.

    Returns dx ``(T, N, D)``, 0 at steps that no block covers; the gradient of the initial state;
    and those of the parameters, by name.
    """
    weights = Weights.for_backward(kind, params)
    given = [cache.x, *dstate, dout]
    dtype = np.result_type(weights.dtype, *(array for array in given if array is not None))
    dstate = _own(dstate, dtype)
    dx = _blank(cache.x.shape, dtype, plan)
    gradients = Gradients.zeros(weights, dtype)
    for index in reversed(range(len(plan))):
        segment, blocks = plan[index], cache.blocks[index]
        if cache.starts:
            state = dstate.map(np.empty_like)
            state.rows(*_rows(segment)).put(cache.starts[index])
            blocks = _run_again(kind, params, cache.x, state, segment)
            del state
        _run_backward(weights, segment, blocks, dout, dstate, dx, gradients)
        del blocks  # so that the next segment can have their memory
    return dx, dstate, gradients.named(weights)


def _run(
    weights: Weights,
    x: Array,
    state: State,
    segment: list[Block],
    out: Array | None,
    space: Room | None,
) -> list[Saved]:
    """Run a segment's blocks in order; the state is advanced in place."""
    blocks = []
    for t0, t1, n0, n1 in segment:
        now = state.rows(n0, n1)
        block_out = None if out is None else out[t0:t1, n0:n1]
        saved = block_forward(weights, x[t0:t1, n0:n1], now, block_out, space)
        if saved is not None:
            blocks.append(saved)
    return blocks


def _run_again(
    kind: Kind, params: Mapping[str, Array], x: Array, state: State, segment: list[Block]
) -> list[Saved]:
    """Run a segment for its blocks alone; what is laid out for it is gone before backward runs."""
    weights = Weights.for_forward(kind, params)
    return _run(weights, x, state, segment, None, _space(weights, segment, state.h.dtype))


def _run_backward(
    weights: Weights,
    segment: list[Block],
    blocks: list[Saved],
    dout: Array | None,
    dstate: State,
    dx: Array,
    gradients: Gradients,
) -> None:
    """Run a segment's blocks backward; the gradient of the state goes back in place."""
    for (t0, t1, n0, n1), saved in zip(reversed(segment), reversed(blocks), strict=True):
        now = dstate.rows(n0, n1)
        block_dout = None if dout is None else dout[t0:t1, n0:n1]
        block_backward(weights, saved, block_dout, now, dx[t0:t1, n0:n1], gradients)


def _space(
    weights: Weights, blocks: list[Block], dtype: np.dtype, wanted: bool = True
) -> Room | None:
    """Make room for what these blocks keep, in one array."""
    if not wanted:
        return None
    shapes = [s for t0, t1, n0, n1 in blocks for s in kept(weights, t1 - t0, n1 - n0)]
    return Room(shapes, dtype)


def _own(state: State, dtype: np.dtype) -> State:
    """Copy a state, each array contiguous and of this dtype."""
    return state.map(lambda s: np.array(s, dtype, order="C"))


def _blank(shape: tuple[int, ...], dtype: np.dtype, plan: Plan) -> Array:
    """Make an array for what the blocks will write, with zeros if they leave any out."""
    sequence = empty(shape, dtype)
    covered = sum([(t1 - t0) * (n1 - n0) for segment in plan for t0, t1, n0, n1 in segment])
    if covered < shape[0] * shape[1]:
        sequence[...] = 0
    return sequence


def _rows(segment: list[Block]) -> tuple[int, int]:
    """Return the rows that take part in a segment: those of its first block; rows only ever end."""
    return segment[0].n0, segment[0].n1
