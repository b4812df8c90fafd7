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

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np

from . import gates
from .buffers import borrow
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
    gate_rows *= PRESCALE[:, None, None]
    return gate_rows.reshape(stacked.shape)


def cut(left: Array, n: int) -> tuple[Callable[..., Array], Array]:
    """Return a product and the view of ``left (m, k)`` it takes, to multiply by ``(k, n)``.

    OpenBLAS multiplies without first packing its operands when m·k·n <= 10⁶, which is 10 to 20 %
    faster where, as here, an operand is used once; so left is viewed as ``(m/r, r, k)`` with r rows
    small enough, and not much smaller than 16. The choice depends on shapes alone, and the result
    differs from the plain product by rounding at most.
    """
    m, k = left.shape
    for blocks in range(2, m // 16 + 1):
        if m % blocks == 0 and m // blocks * k * n <= 1_000_000 < m * k * n:
            return np.matmul, left.reshape(blocks, m // blocks, k)
    return np.dot, left


def pieces(steps: int, floats: int) -> Iterator[slice]:
    """Cut a block into runs of steps whose arrays, ``floats`` a step, stay in cache together."""
    length = max(1, PIECE_FLOATS // max(1, floats))
    return (slice(t, min(t + length, steps)) for t in range(0, steps, length))


def chunk_forward(
    stacked: Array, x: Array, h: Array, c: Array, out: Array | None, save: bool = True
) -> tuple[Array, Array, Saved | None]:
    """Run ``steps`` steps from the state (h, c); write h of every step to ``out``, if given.

    Returns the state after the last step, and what :func:`chunk_backward` needs if ``save``.
    """
    steps, n, features = x.shape
    hidden = len(h)
    dtype = np.result_type(stacked, x, h, c)
    # column[t] = x_t, 1, h_{t-1}: step t writes its h into column t + 1. In the same way
    # act[t] = o, i, f, g, c_{t-1}: step t writes its c into act t + 1.
    column, act, terms, tanh_c = borrow(
        dtype,
        (steps + 1, features + 1 + hidden, n),
        (steps + 1, GATES + 1, hidden, n),
        (steps, 2, hidden, n),
        (steps, hidden, n),
    )
    h_all, c_all = column[:, features + 1 :], act[:, GATES]
    column[:-1, :features] = x.transpose(0, 2, 1)
    column[:-1, features] = 1
    h_all[0], c_all[0] = h, c
    multiply, stacked = cut(stacked, n)
    product = act[:, :GATES].reshape(steps + 1, *stacked.shape[:-1], n)

    step = gates.gates_forward_inplace
    for col, a, act_t, terms_t, c_t, tanh_c_t, h_t in zip(
        column, product, act, terms, c_all[1:], tanh_c, h_all[1:]
    ):
        multiply(stacked, col, out=a)  # (1)
        step(act_t, terms_t, c_t, tanh_c_t, h_t)  # (2)-(8)

    saved = None
    if save:
        h_prev, local = borrow(dtype, (steps, n, hidden), (steps, LOCALS, hidden, n))
        h_prev[...] = h_all[:-1].transpose(0, 2, 1)
        for now in pieces(steps, hidden * n):
            o, i, f, g, _ = act[now].swapaxes(0, 1)
            written, kept = terms[now].swapaxes(0, 1)
            gates.local_derivatives(
                i,
                f,
                g,
                o,
                kept,
                written,
                tanh_c[now],
                h_all[1:][now],
                out=local[now].swapaxes(0, 1),
            )
        saved = Saved(x, h_prev, local)
        if out is not None:
            out[:-1], out[-1] = h_prev[1:], h_all[-1].T
    elif out is not None:
        out[...] = h_all[1:].transpose(0, 2, 1)
    return h_all[-1].copy(), c_all[-1].copy(), saved


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
    d, rows, da_columns = borrow(  # d[t] = dc_prev, da_i, da_f, da_g, da_o, dc
        dtype,
        (steps, LOCALS, hidden, n),
        (steps, n, features + 1 + hidden),
        (GATES * hidden, steps, n),
    )
    da = d[:, 1:5].reshape(steps, GATES * hidden, n)
    dh = dh.astype(dtype)
    multiply, weight_hh_t = cut(weight_hh_t, n)
    dh_product = dh.reshape(*weight_hh_t.shape[:-1], n)
    douts = repeat(None) if dout is None else np.ascontiguousarray(dout.transpose(0, 2, 1))[::-1]

    step = gates.gates_backward
    for dout_t, local_t, d_t, da_t in zip(douts, local[::-1], d[::-1], da[::-1]):
        if dout_t is not None:
            dh += dout_t
        _, dc = step(local_t, dh, dc, d_t)  # (15)-(18)
        multiply(weight_hh_t, da_t, out=dh_product)  # (19)  dh_prev = da W_hh

    np.matmul(da.transpose(0, 2, 1), weight_ih, out=dx)  # (19)  dx = da W_ih
    rows[:, :, :features] = x
    rows[:, :, features] = 1
    rows[:, :, features + 1 :] = h_prev
    da_columns[...] = da.swapaxes(0, 1)
    multiply, da_cut = cut(da_columns.reshape(-1, steps * n), rows.shape[2])
    dstacked = multiply(da_cut, rows.reshape(steps * n, -1))  # (19)  dW_ih, db, dW_hh += …
    return dh, dc.copy(), dstacked.reshape(GATES * hidden, -1)
