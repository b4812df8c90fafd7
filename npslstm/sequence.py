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

from . import gates
from .buffers import borrow, workspace
from .gates import FAST_ORDER, GATES, LOCALS, PRESCALE, Array

__all__ = ["Saved", "chunk_backward", "chunk_forward", "stack_weights"]

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
    stacked = np.concatenate([weight_ih, bias[:, None], weight_hh], axis=1)
    gate_rows = stacked.reshape(GATES, weight_hh.shape[1], -1)[FAST_ORDER]
    gate_rows *= PRESCALE.astype(stacked.real.dtype)[:, None, None]  # no slow conversion
    return gate_rows.reshape(stacked.shape)


def cut(m: int, k: int, n: int) -> tuple[int, ...]:
    """Return the shape to give a matrix (m, k), or its product, before it meets one of (k, n).

    OpenBLAS multiplies without first packing its operands when m·k·n <= 10⁶, which is 10 to 20 %
    faster where, as here, an operand is used once; so the left matrix is viewed as
    ``(m/r, r, k)``, with r rows small enough and no fewer than 4. The choice depends on shapes
    alone, and the result differs from the plain product by rounding at most.
    """
    for blocks in range(2, m // 4 + 1):
        if m % blocks == 0 and m // blocks * k * n <= 1_000_000 < m * k * n:
            return blocks, m // blocks
    return (m,)


def multiplier(rows: tuple[int, ...]) -> Callable[..., Array]:
    """Return the product for a left matrix whose rows were cut so; np.dot has less to decide."""
    return np.dot if len(rows) == 1 else np.matmul


class ForwardScratch:
    """Memory of a block's forward pass, and its views step by step."""

    def __init__(self, steps: int, n: int, features: int, hidden: int, dtype: Any) -> None:
        # column[t] = x_t, 1, h_{t-1}: step t writes its h into column t + 1. In the same way
        # act[t] = o, i, f, g, c_{t-1}: step t writes its c into act t + 1.
        self.column = np.empty((steps + 1, features + 1 + hidden, n), dtype)
        self.column[:, features] = 1
        self.act = np.empty((steps + 1, GATES + 1, hidden, n), dtype)
        self.terms = np.empty((steps, 2, hidden, n), dtype)
        self.tanh_c = np.empty((steps, hidden, n), dtype)
        self.h = self.column[:, features + 1 :]
        self.c = self.act[:, GATES]
        self.cut = cut(GATES * hidden, features + 1 + hidden, n)
        product = self.act[:, :GATES].reshape(steps + 1, *self.cut, n)
        self.steps = list(
            zip(
                self.column[:-1],
                product[:-1],
                self.act[:-1],
                self.terms,
                self.c[1:],
                self.tanh_c,
                self.h[1:],
                strict=True,
            )
        )


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
        for column, product, act, terms, c_t, tanh_c, h_t in work.steps:
            multiply(weights, column, product)  # (1)
            step(act, terms, c_t, tanh_c, h_t)  # (2)-(8)

        saved = None
        if save:
            h_prev, local = borrow(dtype, (steps, n, hidden), (steps, LOCALS, hidden, n))
            h_prev[...] = work.h[:-1].transpose(0, 2, 1)
            if out is not None:
                out[:-1], out[-1] = h_prev[1:], work.h[-1].T
            save_local_derivatives(work, local)
            saved = Saved(x, h_prev, local)
        elif out is not None:
            out[...] = work.h[1:].transpose(0, 2, 1)
        return work.h[-1].copy(), work.c[-1].copy(), saved


def save_local_derivatives(work: ForwardScratch, local: Array) -> None:
    """Compute (9)-(14) of a block, a few steps at once, whose arrays stay in cache together."""
    steps, _, hidden, n = local.shape
    length = max(1, PIECE_FLOATS // (hidden * n))
    for t in range(0, steps, length):
        now = slice(t, min(t + length, steps))
        o, i, f, g, _ = work.act[now].swapaxes(0, 1)
        written, kept = work.terms[now].swapaxes(0, 1)
        h, tanh_c = work.h[1:][now], work.tanh_c[now]
        gates.local_derivatives(i, f, g, o, kept, written, tanh_c, h, out=local[now].swapaxes(0, 1))


class BackwardScratch:
    """Memory of a block's backward pass, and its views step by step, the last step first."""

    def __init__(self, steps: int, n: int, features: int, hidden: int, dtype: Any) -> None:
        self.d = np.empty((steps, LOCALS, hidden, n), dtype)  # dc_prev, da_i, …, da_o, dc
        self.da = self.d[:, 1:5].reshape(steps, GATES * hidden, n)
        self.dout = np.empty((steps, hidden, n), dtype)
        self.dh = np.empty((hidden, n), dtype)
        self.cut = cut(hidden, GATES * hidden, n)
        self.product = self.dh.reshape(*self.cut, n)
        self.steps = list(zip(self.dout[::-1], self.d[::-1], self.da[::-1], strict=True))
        # For the weight gradient: da of all steps side by side, and rows x_t, 1, h_{t-1}.
        self.da_columns = np.empty((GATES * hidden, steps, n), dtype)
        self.rows = np.empty((steps * n, features + 1 + hidden), dtype)
        self.rows[:, features] = 1
        self.cut_da = cut(GATES * hidden, *self.rows.shape)


def chunk_backward(
    weight_ih: Array,
    weight_hh_t: Array,
    saved: Saved,
    dout: Array | None,
    dh: Array,
    dc: Array,
    dx: Array,
) -> tuple[Array, Array, Array]:
    """Run the block backward; write the input's gradient to ``dx``.

    Parameters
    ----------
    weight_ih : ndarray, shape (4H, D)
    weight_hh_t : ndarray, shape (H, 4H)
        W_hhᵀ, contiguous.
    dout : ndarray, shape (steps, n, H), or None for zeros
        Gradient of every output of the block.
    dh, dc : ndarray, shape (H, n)
        Gradient of the state after the block.
    dx : ndarray, shape (steps, n, D)
        Written.

    Returns
    -------
    dh, dc : ndarray, shape (H, n)
        Gradient of the state before the block.
    dstacked : ndarray, shape (4H, K)
        Gradient of [W_ih  b  W_hh].
    """
    x, h_prev, local = saved
    steps, n, features = x.shape
    hidden = len(dh)
    dtype = np.result_type(weight_ih, local, dh, dc)
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

        np.matmul(work.da.transpose(0, 2, 1), weight_ih, out=dx)  # (19)  dx = da W_ih
        rows = work.rows.reshape(steps, n, -1)
        rows[:, :, :features], rows[:, :, features + 1 :] = x, h_prev
        work.da_columns[...] = work.da.swapaxes(0, 1)
        da_columns = work.da_columns.reshape(*work.cut_da, -1)
        dstacked = multiplier(work.cut_da)(da_columns, work.rows)  # (19)  dW_ih, db, dW_hh += …
        return dh.copy(), dc.copy(), dstacked.reshape(GATES * hidden, -1)
