"""Forward mode over whole sequences: how outputs move when inputs, states or parameters do.

The blocks are those of the forward pass (``kernel/schedule.py``), and so is the cache: a step's
tangent is a product by its local derivatives, (20)-(22) of ``tangents.py``, for every kind of cell.

Shapes: x ``(T, N, D)``, in a block x ``(steps, n, D)``, states ``(H, n)``, features first, h
``(P, n)``. B is the number of pre-activations: 4 in the LSTM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array, check_array
from ..cells import Kind
from ..kernel.schedule import Block, LayerCache, Plan, layer_forward
from ..kernel.sequence import Saved
from ..kernel.weights import State, Weights

__all__ = [
    "Seen",
    "Tangents",
    "block_jvp",
    "each_block",
    "layer_jvp",
    "params_dot_like",
    "stack_jvp",
]


class Tangents(NamedTuple):
    """The tangents of a block, with the step before its first one."""

    a: Array  # (steps, B, H, n)
    c: Array | None  # (steps + 1, H, n)
    h: Array  # (steps + 1, P, n)

    @property
    def end(self) -> State:
        """Of the state after the block."""
        return State(self.h[-1], None if self.c is None else self.c[-1])


class Seen(NamedTuple):
    """What one layer and direction saw in forward mode."""

    x_dot: Array | None  # (T, N, D), of its input
    tangents: list[Tangents]  # of its blocks


def block_jvp(
    weights: Weights, moved: Weights, saved: Saved, x_dot: Array | None, state_dot: State
) -> Tangents:
    """Run a block of forward mode.

    Parameters
    ----------
    weights, moved : Weights
        Of the parameters, and of their tangents.
    saved : Saved
        Of the block's forward pass.
    x_dot : ndarray, shape (steps, n, D), or None for zeros
    state_dot : State
        Tangent of the state before the block.
    """
    kind, local = weights.kind, saved.local
    steps, _, hidden, n = local.shape
    moving = [array for array in (x_dot, *state_dot) if array is not None]
    dtype = np.result_type(local, weights.dtype, moved.dtype, *moving)
    a = moved.weight_ih @ saved.x.transpose(0, 2, 1)
    a = a + moved.weight_hh @ saved.h_prev.transpose(0, 2, 1)
    if moved.bias is not None:
        a = a + moved.bias[:, None]
    if x_dot is not None:
        a = a + weights.weight_ih @ x_dot.transpose(0, 2, 1)
    a = a.astype(dtype, copy=False)
    by_input = a.reshape(steps, len(kind.inputs), hidden, n)
    if saved.c is not None:
        _add_extra(kind, moved, saved.c, by_input)
    m_moved = None
    if moved.project is not None and saved.unprojected is not None:
        m_moved = moved.project @ saved.unprojected.transpose(0, 2, 1)

    h = np.empty((steps + 1, weights.output, n), dtype)
    h[0] = state_dot.h
    c = None if state_dot.c is None else np.empty((steps + 1, hidden, n), dtype)
    if c is not None:
        c[0] = state_dot.c
    of_c = kind.by_dc - 1  # so many pre-activations are read by c, the others by h
    for t in range(steps):
        a[t] += weights.weight_hh @ h[t]  # (20)
        if c is None:
            m = (local[t, : len(kind.inputs)] * by_input[t]).sum(axis=0)
            if kind.local[-1] == "dh_dh_prev":
                m += local[t, -1] * h[t]
        else:
            moves_c = (local[t, 1 : of_c + 1] * by_input[t, :of_c]).sum(axis=0)
            c[t + 1] = local[t, 0] * c[t] + moves_c  # (21)
            m = (local[t, of_c + 1 : -1] * by_input[t, of_c:]).sum(axis=0)
            m += local[t, -1] * c[t + 1]  # (22)
        h[t + 1] = m if m_moved is None else weights.project @ m + m_moved[t]
    return Tangents(by_input, c, h)


def _add_extra(kind: Kind, moved: Weights, c: Array, a_dot: Array) -> None:
    """Add what moving the kind's own parameters adds to the pre-activations.

    Backward sums a parameter's gradient from the da: read the other way, with 1 in the place of one
    da and 0 in that of the others, these terms are what its tangent is multiplied by.
    """
    shape = c[1:].shape
    for j in range(len(kind.inputs)):
        units = [np.full(shape, j == k, c.dtype) for k in range(len(kind.inputs))]
        for param_dot, term in zip(
            moved.extra, kind.extra_gradients(units, c[:-1], c[1:]), strict=True
        ):
            a_dot[:, j] += param_dot * term


def each_block(
    kind: Kind, params: Mapping[str, Array], cache: LayerCache, plan: Plan
) -> Iterator[tuple[Block, Saved]]:
    """Give a layer's blocks in the order of time; run a segment again where the cache lacks it."""
    for index, segment in enumerate(plan):
        blocks = cache.blocks[index]
        if cache.starts:
            (t0, _, n0, n1), t1 = segment[0], segment[-1].t1
            here = [Block(b.t0 - t0, b.t1 - t0, b.n0 - n0, b.n1 - n0) for b in segment]
            x, start = cache.x[t0:t1, n0:n1], cache.starts[index]
            again = layer_forward(kind, params, x, start, [here], "blocks")[2]
            blocks = again.blocks[0]
        yield from zip(segment, blocks, strict=True)


def layer_jvp(
    kind: Kind,
    params: Mapping[str, Array],
    params_dot: Mapping[str, Array],
    cache: LayerCache,
    x_dot: Array | None,
    state_dot: State,
    plan: Plan,
    seen: list[Tangents] | None = None,
) -> tuple[Array, State]:
    """Run a layer's forward mode; return out_dot, 0 past a row's end, and the last state's.

    The tangents of each block are added to ``seen``, if given.
    """
    weights, moved = Weights(kind, params), Weights(kind, params_dot)
    moving = [array for array in (x_dot, *state_dot, *params_dot.values()) if array is not None]
    dtype = np.result_type(weights.dtype, cache.x, *moving)
    state_dot = state_dot.map(lambda s: s.astype(dtype))
    out_dot = np.zeros((*cache.x.shape[:2], weights.output), dtype)
    for (t0, t1, n0, n1), saved in each_block(kind, params, cache, plan):
        now = state_dot.rows(n0, n1)
        part = None if x_dot is None else x_dot[t0:t1, n0:n1]
        tangents = block_jvp(weights, moved, saved, part, now)
        now.put(tangents.end)
        out_dot[t0:t1, n0:n1] = tangents.h[1:].transpose(0, 2, 1)
        if seen is not None:
            seen.append(tangents)
    return out_dot, state_dot


def stack_jvp(
    layers: Any,
    cache: Any,
    x_dot: Array | None,
    starts_dot: list[State],
    params_dot: Any,
    seen: list[Seen] | None = None,
) -> tuple[Array, list[State]]:
    """Run forward mode through all layers and directions of a ``Recurrent``.

    Returns out_dot in the caller's layout and the tangent of every last state. What each layer and
    direction saw is added to ``seen``, if given.
    """
    layout, directions = cache.layout, layers.directions
    if x_dot is not None:
        check_array("x_dot", x_dot, layout.shape(layers.input_size), layers.dtype)
        x_dot = layout.inside(x_dot)
    moved = layers.with_params(params_dot_like(layers, params_dot))
    ends_dot = []
    for layer in range(layers.num_layers):
        if layer and cache.dropout_masks:
            x_dot = x_dot * layout.inside(cache.dropout_masks[layer - 1])
        outs_dot = []
        for direction in range(directions):
            k = layer * directions + direction
            read = x_dot if x_dot is None or not direction else layout.flip(x_dot)
            tangents: list[Tangents] | None = None if seen is None else []
            out_dot, end_dot = layer_jvp(
                layers.kind,
                layers.cell_params(layer, direction),
                moved.cell_params(layer, direction),
                cache.layers[k],
                read,
                starts_dot[k],
                cache.plan,
                tangents,
            )
            outs_dot.append(layout.flip(out_dot) if direction else out_dot)
            ends_dot.append(end_dot)
            if seen is not None and tangents is not None:
                seen.append(Seen(read, tangents))
        x_dot = np.concatenate(outs_dot, axis=2) if directions == 2 else outs_dot[0]
    return layout.outside(x_dot), ends_dot


def params_dot_like(layer: Any, params_dot: Any) -> dict[str, Array]:
    """Check the tangents of a layer's parameters; zeros stand in for those that are not given."""
    given = {} if params_dot is None else params_dot
    if not isinstance(given, Mapping):
        raise TypeError(f"params_dot: expected names and arrays, given {type(given).__name__}")
    unknown = given.keys() - layer.params.keys()
    if unknown:
        raise ValueError(
            f"params_dot: expected names of {', '.join(layer.params)}, given {sorted(unknown)}"
        )
    for name, array in given.items():
        param = layer.params[name]
        check_array(f"params_dot[{name!r}]", array, param.shape, param.dtype)
    return {n: given[n] if n in given else np.zeros_like(p) for n, p in layer.params.items()}
