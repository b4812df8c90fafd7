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

from typing import NamedTuple

import numpy as np

from . import gates
from .gates import GATES, PRESCALE, Array

__all__ = ["Saved", "Weights", "chunk_backward", "chunk_forward", "stack_weights"]


class Weights(NamedTuple):
    """One layer's parameters in the kernel's layout, made anew by every call."""

    stacked: Array  # (4H, K), [W_ih  b_ih + b_hh  W_hh], the sigmoid gates' rows halved
    w_ih: Array  # (4H, D)
    w_hh_t: Array  # (H, 4H), contiguous


class Saved(NamedTuple):
    """What backward needs of a block: 7 numbers for each step, row and unit, and the input."""

    x: Array  # (steps, n, D)
    h_prev: Array  # (steps, H, n)
    local: Array  # (6, steps, H, n), equations (9)-(14)


def stack_weights(
    weight_ih: Array, weight_hh: Array, bias_ih: Array | None = None, bias_hh: Array | None = None
) -> Weights:
    """Lay out one layer's parameters for the kernel; without bias its column is zero."""
    if bias_ih is None or bias_hh is None:
        bias = np.zeros(len(weight_hh), weight_hh.dtype)
    else:
        bias = bias_ih + bias_hh
    stacked = np.concatenate([weight_ih, bias[:, None], weight_hh], axis=1)
    stacked.reshape(GATES, -1)[...] *= PRESCALE[:, None]
    return Weights(stacked, weight_ih, np.ascontiguousarray(weight_hh.T))


def cut(weight: Array, n: int) -> Array:
    """View ``weight (m, k)`` as ``(m/r, r, k)`` so that each of the products with (k, n) is small.

    OpenBLAS multiplies without first packing its operands when r·k·n <= 10⁶, which for the few
    columns of one step is 10 to 20 % faster. The choice depends on shapes alone, and the result
    differs from the whole product by rounding at most.
    """
    m, k = weight.shape
    for blocks in range(1, m // 16 + 1):
        if m % blocks == 0 and m // blocks * k * n <= 1_000_000:
            return weight.reshape(blocks, m // blocks, k)
    return weight.reshape(1, m, k)


def chunk_forward(
    weights: Weights, x: Array, h: Array, c: Array, out: Array | None, save: bool = True
) -> tuple[Array, Array, Saved | None]:
    """Run ``steps`` steps from the state (h, c); write h of every step to ``out``.

    Returns the state after the last step, and what :func:`chunk_backward` needs if ``save``.
    """
    steps, n, features = x.shape
    hidden = h.shape[0]
    dtype = np.result_type(weights.stacked, x, h, c)
    stacked = cut(weights.stacked, n)
    # column[t] = [x_t; 1; h_{t-1}]: step t writes its h into column t + 1; row 0 holds the start.
    column = np.empty((steps + 1, features + 1 + hidden, n), dtype)
    column[:-1, :features] = x.transpose(0, 2, 1)
    column[:-1, features] = 1
    h_all = column[:, features + 1 :]
    h_all[0] = h
    cells = np.empty((steps + 1, hidden, n), dtype)
    cells[0] = c
    act = np.empty((steps, GATES, hidden, n), dtype)
    tanh_c = np.empty((steps, hidden, n), dtype)
    product = act.reshape(steps, *stacked.shape[:2], n)

    for t in range(steps):
        np.matmul(stacked, column[t], out=product[t])  # (1)
        gates.gates_forward_inplace(act[t], cells[t], cells[t + 1], tanh_c[t], h_all[t + 1])

    if out is not None:
        out[...] = h_all[1:].transpose(0, 2, 1)
    saved = None
    if save:
        i, f, g, o = act.swapaxes(0, 1)
        local = gates.local_derivatives(i, f, g, o, cells[:-1], tanh_c)
        saved = Saved(x, h_all[:-1].copy(), local)
    return h_all[-1], cells[-1], saved


def chunk_backward(
    weights: Weights, saved: Saved, dout: Array | None, dh: Array, dc: Array, dx: Array
) -> tuple[Array, Array, Array]:
    """Run the block backward; write the input's gradient to ``dx``.

    Parameters
    ----------
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
    hidden = dh.shape[0]
    dtype = np.result_type(weights.w_ih, local, dh, dc)
    w_hh_t = cut(weights.w_hh_t, n)
    d = np.empty((steps, 1 + GATES, hidden, n), dtype)  # dc_prev, da_i, da_f, da_g, da_o
    da = d[:, 1:].reshape(steps, GATES * hidden, n)
    dh = dh.astype(dtype)
    dh_product = dh.reshape(*w_hh_t.shape[:2], n)
    if dout is not None:
        dout = np.ascontiguousarray(dout.transpose(0, 2, 1))

    for t in reversed(range(steps)):
        if dout is not None:
            dh += dout[t]
        _, dc = gates.gates_backward(local[:, t], dh, dc, out=d[t])  # (15)-(18)
        np.matmul(w_hh_t, da[t], out=dh_product)  # (19)  dh_prev = da W_hh

    dx[...] = np.matmul(da.transpose(0, 2, 1), weights.w_ih)  # (19)  dx = da W_ih
    columns = np.empty((features + 1 + hidden, steps, n), dtype)
    columns[:features] = x.transpose(2, 0, 1)
    columns[features] = 1
    columns[features + 1 :] = h_prev.swapaxes(0, 1)
    da_columns = da.swapaxes(0, 1).reshape(GATES * hidden, steps * n)
    dstacked = da_columns @ columns.reshape(-1, steps * n).T  # (19)  dW_ih, db, dW_hh += …
    return dh, dc, dstacked
