"""One layer over a block of steps: the step of ``cell.py``, scheduled for speed.

The calculus is that of ``gates.py`` and ``cells/``; here is only where the matrix products sit.
Three choices make it fast (README.md in this folder has the measurements):

* Features before batch. Inside a block every array of a step is ``(features, n)``, so that each
  gate is one contiguous slab and the product is W @ column, the orientation BLAS likes best.
* One product a step. Input, bias and recurrence are one product, [W_ih b W_hh] @ [x; 1; h], over
  a column that the step before has already completed.
* Whatever is not sequential (layout changes, local derivatives, dx and the weight gradient) is done
  once for a block of steps, or for a few of them, while what it reads is still in cache.

Shapes: x ``(steps, n, D)``, out ``(steps, n, P)``, states ``(H, n)`` (features first), where P is
the size of h: H, or that of the projection. B is the number of pre-activations: 4 in the LSTM.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..cells import base
from .memory import Room, give_back, scratch
from .products import multiplier
from .scratch import BackwardScratch, ForwardScratch
from .weights import Gradients, State, Weights

__all__ = ["Saved", "block_backward", "block_forward", "kept"]


class Saved(NamedTuple):
    """What backward needs of a block: in the LSTM 7 numbers a step, row and unit, and the input."""

    x: Array  # (steps, n, D)
    h_prev: Array  # (steps, n, P)
    local: Array  # (steps, local derivatives, H, n)
    c: Array | None  # (steps + 1, H, n), for kinds with parameters of their own
    unprojected: Array | None  # (steps, n, H), with a projection


def kept(weights: Weights, steps: int, n: int) -> list[tuple[int, ...]]:
    """Return the shapes of what :func:`block_forward` saves of a block, beside its input."""
    hidden = weights.hidden
    shapes = [(steps, n, weights.output), (steps, len(weights.kind.local), hidden, n)]
    if weights.kind.extra:
        shapes.append((steps + 1, hidden, n))
    if weights.project is not None:
        shapes.append((steps, n, hidden))
    return shapes


def block_forward(
    weights: Weights, x: Array, state: State, out: Array | None, memory: Room | None
) -> Saved | None:
    """Run ``steps`` steps; write h of every step to ``out``, if given, and advance ``state``.

    Returns what :func:`block_backward` needs, in ``memory``; nothing without it.
    """
    kind, (steps, n, features) = weights.kind, x.shape
    dtype = state.h.dtype
    sizes = steps, n, features, weights.hidden, weights.output
    work = scratch(ForwardScratch, kind, *sizes, dtype)
    work.column[:-1, :features] = x.transpose(0, 2, 1)
    work.h[0] = state.h
    work.run.begin(state.c, weights.extra)
    stacked, multiply = weights.stacked.reshape(*work.split, -1), multiplier(work.split)
    project, step = weights.project, work.run.step
    if project is not None:
        project = project.reshape(*work.split_project, -1)
        multiply_projection = multiplier(work.split_project)
    if memory is not None:
        h_prev, local, *others = (memory.empty(shape) for shape in kept(weights, steps, n))

    # The loop over time: a few steps at once for the sake of their slopes, ``moves`` one by one.
    # Step t multiplies [x_t; 1; h_{t-1}], and writes its h_t into the column of step t + 1.
    for now, moves in work.pieces:
        if project is None:
            for column, product, arguments in moves:
                multiply(stacked, column, product)  # (1)
                step(*arguments)  # (2)-(8)
        else:
            for (column, product, arguments), (m, h) in zip(
                moves, work.projections[now], strict=True
            ):
                multiply(stacked, column, product)  # (1)
                step(*arguments)  # (2)-(8)
                multiply_projection(project, m, h)  # h = W_hr m
        if memory is not None:
            work.run.derivatives(work.m[now], local[now])  # (9)-(14)

    saved = None
    if memory is not None:
        h_prev[...] = work.h[:-1].transpose(0, 2, 1)
        if out is not None:
            out[:-1], out[-1] = h_prev[1:], work.h[-1].T
        c = others.pop(0) if kind.extra else None
        if c is not None:
            c[...] = work.run.c
        unprojected = others.pop(0) if project is not None else None
        if unprojected is not None:
            unprojected[...] = work.m.transpose(0, 2, 1)
        saved = Saved(x, h_prev, local, c, unprojected)
    elif out is not None:
        out[...] = work.h[1:].transpose(0, 2, 1)
    state.put(State(work.h[-1], work.run.end()))
    give_back(work)
    return saved


def block_backward(
    weights: Weights,
    saved: Saved,
    dout: Array | None,
    dstate: State,
    dx: Array,
    gradients: Gradients,
) -> None:
    """Run the block backward; write the input's gradient, and add to the parameters'.

    Parameters
    ----------
    weights : Weights
    saved : Saved
        Of the block's forward pass.
    dout : ndarray, shape (steps, n, P), or None for zeros
        Gradient of every output of the block.
    dstate : State
        Gradient of the state after the block; becomes that of the state before it.
    dx : ndarray, shape (steps, n, D)
        Written.
    gradients : Gradients
        The block's part is added.
    """
    kind, (x, h_prev, local, c, _) = weights.kind, saved
    steps, n, features = x.shape
    dtype = np.result_type(dstate.h, local)
    sizes = steps, n, features, weights.hidden, weights.output
    work = scratch(BackwardScratch, kind, *sizes, dtype)
    work.dh[...], dc = dstate
    if dout is not None:
        work.dout[...] = dout.transpose(0, 2, 1)
    weight_hh_t, multiply = weights.weight_hh_t.reshape(*work.split, -1), multiplier(work.split)
    project, dh, dm = weights.project, work.dh, work.dm
    if project is not None:
        project = project.reshape(*work.split_project, -1)
        multiply_projection = multiplier(work.split_project)
    step: Any = base.through_c if kind.has_c else base.through_h
    beside_product = kind.local[-1] == "dh_dh_prev"
    by_dc, by_dh = local[::-1, : kind.by_dc], local[::-1, kind.by_dc :]

    # The loop over time, the last step first; dh and dc go from step to step.
    for (dout_t, out, da, special), slopes_c, slopes_h in zip(
        work.moves, by_dc, by_dh, strict=True
    ):
        if dout is not None:
            np.add(dh, dout_t, dh)
        if project is not None:
            special[...] = dh
            multiply_projection(project, dh, work.product_project)  # (19)  dm = dh W_hr
        dc = step(slopes_c, slopes_h, dm, dc, out)  # (15)-(18)
        multiply(weight_hh_t, da, work.product)  # (19)  dh_prev = da W_hh, in place of dh
        if beside_product:
            np.add(dh, special, dh)  # what goes to h_prev beside the product

    weight_ih_t = weights.weight_ih_t.reshape(*work.split_dx, -1)
    np.matmul(weight_ih_t, work.da_dx, out=work.products_dx)
    dx[...] = work.dx.transpose(0, 2, 1)  # (19)  dx = da W_ih
    rows, columns = work.rows.reshape(steps, n, -1), features + 1 + weights.output
    rows[:, :, :features], rows[:, :, features + 1 : columns] = x, h_prev
    work.da_columns[...] = work.da.swapaxes(0, 1)
    # One product over all steps and rows of the block: the sum over time is in it.
    da_columns = work.da_columns.reshape(*work.split_dw, -1)
    multiplier(work.split_dw)(da_columns, work.rows, work.product_dw)
    product = work.product_dw.reshape(len(gradients.weights), -1)
    gradients.weights[...] += product[:, :columns]  # (19)  dW_ih, db, dW_hh += daᵀ [x 1 h_prev]
    if c is not None:
        das = tuple(work.d[:, kind.da].swapaxes(0, 1))
        terms = kind.extra_gradients(das, c[:-1], c[1:])
        for total, term in zip(gradients.extra, terms, strict=True):
            total += term.sum(axis=(0, 2))
    if gradients.project is not None:
        assert saved.unprojected is not None
        gradients.project[...] += np.tensordot(work.dhs, saved.unprojected, ((0, 2), (0, 1)))
    dstate.put(State(dh, dc))
    give_back(work)
