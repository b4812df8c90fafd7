"""The tangent of backward over whole sequences, for the standard LSTM: half of a Hessian product.

Forward mode (``forward_mode.py``) goes before. Here follow the tangents of the local derivatives,
(23)-(30) of ``tangents.py``, and then backward twice: for the gradients, and for their tangents,
which is the same recursion with the last terms of (31)-(35) added. Only the recursions go step by
step; all else is done once for a block of steps.

Shapes: as in ``forward_mode.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..gates import LocalDerivatives, sigmoid
from ..kernel.schedule import LayerCache, Plan
from ..kernel.sequence import Saved
from ..kernel.weights import Gradients, Weights
from ..parameters import ending
from ..tangents import forcing, local_derivatives_jvp
from .adjoints import Forcing, block_adjoints
from .forward_mode import Seen, Tangents, each_block

__all__ = ["Pair", "layer_second", "stack_second"]


class Pair(NamedTuple):
    """An array and its tangent; either may be None for zeros."""

    value: Any
    dot: Any


def _local_dot(weights: Weights, saved: Saved, tangents: Tangents, c: Array) -> Array:
    """Return the tangents of a block's local derivatives; ``c (H, n)`` goes on to its end.

    The cache holds the local derivatives alone, so the gates are made once more, of all steps in
    one product.
    """
    assert tangents.c is not None
    steps, blocks, hidden, n = tangents.a.shape
    a = weights.weight_ih @ saved.x.transpose(0, 2, 1)
    a = a + weights.weight_hh @ saved.h_prev.transpose(0, 2, 1)  # (1)
    if weights.bias is not None:
        a += weights.bias[:, None]
    a_i, a_f, a_g, a_o = a.reshape(steps, blocks, hidden, n).swapaxes(0, 1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)  # (2)-(5)
    written, cs = i * g, np.empty((steps + 1, hidden, n), a.dtype)
    cs[0] = c
    for t in range(steps):
        cs[t + 1] = f[t] * cs[t] + written[t]  # (6)
    c[...] = cs[-1]
    gates = i, f, g, o, np.tanh(cs[1:]), cs[:-1]  # (7)
    a_dots = tuple(tangents.a.swapaxes(0, 1))
    moving = local_derivatives_jvp(gates, a_dots, tangents.c[:-1], tangents.c[1:])  # (23)-(30)
    return np.stack(moving, axis=1)


def layer_second(
    params: Mapping[str, Array],
    params_dot: Mapping[str, Array],
    kind: Any,
    cache: LayerCache,
    seen: Seen,
    dout: Pair,
    dstate: Pair,
    plan: Plan,
    wanted: bool,
) -> tuple[Pair, dict[str, Array]]:
    """Run a layer backward with tangents; the sequences began at zeros.

    Returns dx and its tangent, if they are wanted, and the tangents of the parameters' gradients.
    """
    weights, moved = (Weights.for_backward(kind, p) for p in (params, params_dot))
    blocks = list(each_block(kind, params, cache, plan))
    dtype = np.result_type(weights.dtype, moved.dtype, cache.x)
    c = np.zeros((weights.hidden, cache.x.shape[1]), dtype)
    local_dots = [
        _local_dot(weights, saved, tangents, c[:, n0:n1])
        for ((_, _, n0, n1), saved), tangents in zip(blocks, seen.tangents, strict=True)
    ]
    weight_ih_t, moved_ih_t = weights.weight_ih_t, moved.weight_ih_t
    moved_hh_t = moved.weight_hh_t
    dx = np.zeros((2, *cache.x.shape), dtype) if wanted else None
    dstate = Pair(*(part.map(lambda s: s.astype(dtype)) for part in dstate))
    gradients = Gradients.zeros(weights, dtype)
    for (block, saved), tangents in zip(reversed(blocks), reversed(seen.tangents), strict=True):
        t0, t1, n0, n1 = block
        dout_here, dout_dot_here = (None if d is None else d[t0:t1, n0:n1] for d in dout)
        now, now_dot = (part.rows(n0, n1) for part in dstate)
        first = block_adjoints(weights, saved.local, dout_here, now)
        da = first.d[:, kind.da].reshape(t1 - t0, -1, n1 - n0)
        local_dot = LocalDerivatives(*local_dots.pop().swapaxes(0, 1))
        terms = np.stack(forcing(local_dot, first.dh, first.d[:, -1]), axis=1)
        second = block_adjoints(
            weights, saved.local, dout_dot_here, now_dot, Forcing(terms, moved_hh_t @ da)
        )
        da_dot = second.d[:, kind.da].reshape(da.shape)
        now.put(first.start)
        now_dot.put(second.start)
        if dx is not None:
            dx[0, t0:t1, n0:n1] = (weight_ih_t @ da).transpose(0, 2, 1)  # (19)
            product = weight_ih_t @ da_dot + moved_ih_t @ da  # (35)
            dx[1, t0:t1, n0:n1] = product.transpose(0, 2, 1)
        x_dot = None if seen.x_dot is None else seen.x_dot[t0:t1, n0:n1]
        _add_gradients(gradients, saved, tangents, x_dot, da, da_dot)
    return Pair(None, None) if dx is None else Pair(*dx), gradients.named(weights)


def _add_gradients(
    gradients: Gradients,
    saved: Saved,
    tangents: Tangents,
    x_dot: Array | None,
    da: Array,
    da_dot: Array,
) -> None:
    """Add [da_dot da]ᵀ [x 1 h_prev; x_dot 0 h_prev_dot], (36)-(37), in one product."""
    steps, n, features = saved.x.shape
    rows = np.zeros((2, steps, n, gradients.weights.shape[1]), da_dot.dtype)
    rows[0, :, :, :features], rows[0, :, :, features] = saved.x, 1
    rows[0, :, :, features + 1 :] = saved.h_prev
    if x_dot is not None:
        rows[1, :, :, :features] = x_dot
    rows[1, :, :, features + 1 :] = tangents.h[:-1].transpose(0, 2, 1)
    columns = np.stack([da_dot, da]).transpose(2, 0, 1, 3).reshape(da.shape[1], -1)
    gradients.weights[...] += columns @ rows.reshape(columns.shape[1], -1)


def stack_second(
    layers: Any, moved: Any, cache: Any, seen: list[Seen], dout: Pair, dends: Pair
) -> dict[str, Array]:
    """Run all layers and directions backward with tangents; return those of the gradients.

    ``dout`` and the pairs of ``dends``, one for each layer and direction, lie as the kernel likes.
    """
    layout, directions = cache.layout, layers.directions
    grads: dict[str, Array] = {}
    for layer in reversed(range(layers.num_layers)):
        dxs = []
        for direction in reversed(range(directions)):
            k, size = layer * directions + direction, layers.output_size
            part = Pair(None, None)
            if dout.value is not None:
                part = Pair(*(d[:, :, direction * size : (direction + 1) * size] for d in dout))
                part = Pair(*map(layout.flip, part)) if direction else part
            dx, cell_grads = layer_second(
                layers.cell_params(layer, direction),
                moved.cell_params(layer, direction),
                layers.kind,
                cache.layers[k],
                seen[k],
                part,
                Pair(*(d[k] for d in dends)),
                cache.plan,
                wanted=layer > 0,
            )
            grads |= {name + ending(layer, direction): g for name, g in cell_grads.items()}
            if layer:
                dxs.append(Pair(*map(layout.flip, dx)) if direction else dx)
        if layer:
            dout = Pair(*(sum(parts[1:], parts[0]) for parts in zip(*dxs, strict=True)))
    return {name: grads[name] for name in layers.params}
