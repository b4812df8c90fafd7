"""One layer over a block of steps: the step of ``cell.py``, scheduled for speed.

The calculus is that of ``gates.py``; here is only where the matrix products sit. Three choices make
it fast (each measured; see ``demos/benchmark.py``):

* Features before batch. Inside a block every per-step array is ``(features, n)``, so that each gate
  is one contiguous slab and the product is W @ column, the orientation BLAS likes best.
* One product a step. Input, bias and recurrence are one product, [W_ih b W_hh] @ [x; 1; h], over
  a column that the step before has already completed.
* Whatever is not sequential (layout changes, local derivatives, dx and the weight gradient)
  is done once for a block of steps, while the block is still in cache.

Shapes: x ``(steps, n, D)``, out ``(steps, n, H)``, states ``(H, n)`` (features first), stacked
weights ``(4H, K)`` with K = D + 1 + H.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import gates
from ..arguments import Array
from ..gates import FAST_ORDER, GATES, LOCALS, PRESCALE
from .scratch import borrow, empty, workspace

__all__ = ["Saved", "chunk_backward", "chunk_forward", "stack_weights"]

UNPACKED = 1_000_000  # m·k·n of the largest product (m, k) @ (k, n) that OpenBLAS does not pack
VECTOR = 16  # numbers; a product's columns come in so many
PIECE_FLOATS = 8 * 1024  # one array of a piece of a block: a dozen of them stay in cache


class Saved(NamedTuple):
    """What backward needs of a block: 7 numbers for each step, row and unit, and the input."""

    x: Array  # (steps, n, D)
    h_prev: Array  # (steps, n, H)
    local: Array  # (steps, 6, H, n), equations (9)-(14)


def stack_weights(
    weight_ih: Array, weight_hh: Array, bias_ih: Array | None = None, bias_hh: Array | None = None
) -> Array:
    """Lay out one layer's parameters for :func:`chunk_forward`: [W_ih  b_ih + b_hh  W_hh] (4H, K).

    Rows in FAST_ORDER and scaled by PRESCALE; without bias its column is zero.
    """
    if bias_ih is None or bias_hh is None:
        bias = np.zeros(len(weight_hh), weight_hh.dtype)
    else:
        bias = bias_ih + bias_hh
    features, hidden = weight_ih.shape[1], weight_hh.shape[1]
    dtype = np.result_type(weight_ih, weight_hh, bias)
    stacked = empty((GATES, hidden, features + 1 + hidden), dtype)
    for gate, place in zip(FAST_ORDER, stacked, strict=True):
        rows = slice(gate * hidden, (gate + 1) * hidden)
        place[:, :features], place[:, features] = weight_ih[rows], bias[rows]
        place[:, features + 1 :] = weight_hh[rows]
    stacked *= PRESCALE.astype(stacked.real.dtype)[:, None, None]  # no slow conversion
    return stacked.reshape(GATES * hidden, -1)


def cut(m: int, k: int, n: int) -> tuple[int, ...]:
    """Return the shape to give a matrix (m, k), or its product, before it meets one of (k, n).

    OpenBLAS multiplies small matrices without first packing them, which is 10 to 20 % faster
    where, as here, an operand is used once; so the left matrix is viewed as ``(m/r, r, k)``, with r
    rows small enough, but no fewer than 4, or 16 if the right matrix is wide: fewer cost more than
    the packing. The choice depends on shapes alone, and the result differs from the plain product
    by rounding at most.
    """
    least = 4 if n <= 128 else 16
    for blocks in range(2, m // least + 1):
        if m % blocks == 0 and m // blocks * k * n <= UNPACKED < m * k * n:
            return blocks, m // blocks
    return (m,)


def multiplier(rows: tuple[int, ...]) -> Callable[..., Array]:
    """Return the product for a left matrix whose rows were cut so; np.dot has less to decide."""
    return np.dot if len(rows) == 1 else np.matmul


def pieces(
    act: Array, terms: Array, tanh_c: Array, h: Array
) -> list[tuple[slice, dict[str, Array]]]:
    """Take what the local derivatives of a block are made of, a few steps at once.

    The arrays of one piece stay in cache together while (9)-(14) go over them several times.
    """
    steps, hidden, n = h.shape
    o, i, f, g, _ = act.swapaxes(0, 1)
    written, kept = terms.swapaxes(0, 1)
    length = max(1, PIECE_FLOATS // (hidden * n))
    parts = {"i": i, "f": f, "g": g, "o": o, "kept": kept, "written": written}
    parts |= {"tanh_c": tanh_c, "h": h}
    nows = [slice(t, t + length) for t in range(0, steps, length)]
    return [(now, {name: part[now] for name, part in parts.items()}) for now in nows]


class ForwardScratch:
    """Memory of a block's forward pass, and its views step by step."""

    def __init__(self, steps: int, n: int, features: int, hidden: int, dtype: Any) -> None:
        # column[t] = x_t, 1, h_{t-1}: step t writes its h into column t + 1. In the same way
        # act[t] = o, i, f, g, c_{t-1}: step t writes its c into act t + 1.
        self.column = empty((steps + 1, features + 1 + hidden, n), dtype)
        self.column[:, features] = 1
        self.h = self.column[:, features + 1 :]
        act = empty((steps + 1, GATES + 1, hidden, n), dtype)
        self.c = act[:, GATES]
        terms, tanh_c = empty((steps, 2, hidden, n), dtype), empty((steps, hidden, n), dtype)
        self.cut = cut(GATES * hidden, features + 1 + hidden, n)
        products = act[:-1, :GATES].reshape(steps, *self.cut, n)
        views = map(gates.inplace_views, act[:-1], terms, self.c[1:], tanh_c, self.h[1:])
        self.steps = list(zip(self.column[:-1], products, views, strict=True))
        self.pieces = pieces(act[:-1], terms, tanh_c, self.h[1:])


def chunk_forward(
    stacked: Array, x: Array, h: Array, c: Array, out: Array | None, save: bool = True
) -> tuple[Array, Array, Saved | None]:
    """Run ``steps`` steps from the state (h, c); write h of every step to ``out``, if given.

    Returns the state after the last step, and what :func:`chunk_backward` needs if ``save``.
    """
    steps, n, features = x.shape
    hidden = len(h)
    dtype = np.result_type(stacked, x, h, c)
    with workspace(ForwardScratch, steps, n, features, hidden, dtype) as work:
        work.column[:-1, :features] = x.transpose(0, 2, 1)
        work.h[0], work.c[0] = h, c
        weights, multiply = stacked.reshape(*work.cut, -1), multiplier(work.cut)

        step = gates.gates_forward_inplace
        for column, product, views in work.steps:
            multiply(weights, column, product)  # (1)
            step(*views)  # (2)-(8)

        saved = None
        if save:
            h_prev, local = borrow(dtype, (steps, n, hidden), (steps, LOCALS, hidden, n))
            h_prev[...] = work.h[:-1].transpose(0, 2, 1)
            if out is not None:
                out[:-1], out[-1] = h_prev[1:], work.h[-1].T
            for now, parts in work.pieces:
                gates.local_derivatives(**parts, out=local[now].swapaxes(0, 1))  # (9)-(14)
            saved = Saved(x, h_prev, local)
        elif out is not None:
            out[...] = work.h[1:].transpose(0, 2, 1)
        return work.h[-1].copy(), work.c[-1].copy(), saved


class BackwardScratch:
    """Memory of a block's backward pass, and its views step by step, the last step first."""

    def __init__(self, steps: int, n: int, features: int, hidden: int, dtype: Any) -> None:
        self.d = empty((steps, LOCALS, hidden, n), dtype)  # dc_prev, da_i, …, da_o, dc
        self.da = self.d[:, 1:5].reshape(steps, GATES * hidden, n)
        self.dout = empty((steps, hidden, n), dtype)
        self.dh = empty((hidden, n), dtype)
        self.cut = cut(hidden, GATES * hidden, n)
        self.product = self.dh.reshape(*self.cut, n)
        self.steps = list(zip(self.dout[::-1], self.d[::-1], self.da[::-1], strict=True))
        # For dx: the same, of all steps in one call.
        self.dx = empty((steps, features, n), dtype)
        self.cut_dx = cut(features, GATES * hidden, n)
        self.products_dx = self.dx.reshape(steps, *self.cut_dx, n)
        self.da_dx = np.expand_dims(self.da, tuple(range(1, len(self.cut_dx))))
        # For the weight gradient: da of all steps side by side, and rows x_t, 1, h_{t-1}, which
        # zeros fill up to whole vectors: 157 columns cost 10 % more than 160.
        self.da_columns = empty((GATES * hidden, steps, n), dtype)
        width = -(-(features + 1 + hidden) // VECTOR) * VECTOR
        self.rows = empty((steps * n, width), dtype)
        self.rows[:, features] = 1
        self.rows[:, features + 1 + hidden :] = 0
        self.cut_dw = cut(GATES * hidden, *self.rows.shape)
        self.product_dw = empty((*self.cut_dw, width), dtype)


def chunk_backward(
    weight_ih_t: Array,
    weight_hh_t: Array,
    saved: Saved,
    dout: Array | None,
    dh: Array,
    dc: Array,
    dx: Array,
    dstacked: Array,
) -> tuple[Array, Array]:
    """Run the block backward; write the input's gradient, and add to the weights'.

    Parameters
    ----------
    weight_ih_t : ndarray, shape (D, 4H)
    weight_hh_t : ndarray, shape (H, 4H)
        W_ihᵀ and W_hhᵀ, contiguous.
    dout : ndarray, shape (steps, n, H), or None for zeros
        Gradient of every output of the block.
    dh, dc : ndarray, shape (H, n)
        Gradient of the state after the block.
    dx : ndarray, shape (steps, n, D)
        Written.
    dstacked : ndarray, shape (4H, K)
        Gradient of [W_ih  b  W_hh]; the block's part is added.

    Returns
    -------
    dh, dc : ndarray, shape (H, n)
        Gradient of the state before the block.
    """
    x, h_prev, local = saved
    steps, n, features = x.shape
    hidden = len(dh)
    dtype = np.result_type(weight_ih_t, local, dh, dc)
    with workspace(BackwardScratch, steps, n, features, hidden, dtype) as work:
        work.dh[...] = dh
        if dout is not None:
            work.dout[...] = dout.transpose(0, 2, 1)
        weights, multiply = weight_hh_t.reshape(*work.cut, -1), multiplier(work.cut)

        step, dh = gates.gates_backward, work.dh
        for (dout_t, d, da), local_t in zip(work.steps, local[::-1], strict=True):
            if dout is not None:
                np.add(dh, dout_t, dh)
            _, dc = step(local_t, dh, dc, d)  # (15)-(18)
            multiply(weights, da, work.product)  # (19)  dh_prev = da W_hh, in place of dh

        np.matmul(weight_ih_t.reshape(*work.cut_dx, -1), work.da_dx, out=work.products_dx)
        dx[...] = work.dx.transpose(0, 2, 1)  # (19)  dx = da W_ih
        rows, columns = work.rows.reshape(steps, n, -1), features + 1 + hidden
        rows[:, :, :features], rows[:, :, features + 1 : columns] = x, h_prev
        work.da_columns[...] = work.da.swapaxes(0, 1)
        da_columns = work.da_columns.reshape(*work.cut_dw, -1)
        multiplier(work.cut_dw)(da_columns, work.rows, work.product_dw)
        product = work.product_dw.reshape(GATES * hidden, -1)
        dstacked += product[:, :columns]  # (19)  dW_ih, db, dW_hh += daᵀ [x 1 h_prev]
        return dh.copy(), dc.copy()
