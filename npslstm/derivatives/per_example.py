"""How large each example's own gradient is, without a loop over examples.

Goodfellow (2015), "Efficient per-example gradient computations": backward keeps examples apart
until the gradient of the weights adds them up. For a layer read once, a norm is then a product of
two norms. A recurrent weight is read at every step, so each example's own sum over steps is made
here, ``dW[n] = Σ_t da[t, n]ᵀ [x 1 h_prev][t, n]``, as one batched product.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arguments import Array
from ..cells import Kind
from ..kernel.schedule import LayerCache, Plan
from ..kernel.weights import State, Weights
from ..losses import cross_entropy
from .adjoints import block_adjoints
from .forward_mode import each_block

__all__ = ["per_example_grad_norms"]

SLICE = 2**18  # numbers in the weight gradients of the examples that are held at once


def per_example_grad_norms(model: Any, x: Array, y: Any, *, lengths: Any = None) -> Array:
    """Return the norm of the gradient of each example's own loss: to clip by, to find odd ones.

    What ``model.loss_and_grads`` gives for an example by itself, with the cross-entropy, as one
    number: √Σ g² over all parameters (Goodfellow 2015).

    Parameters
    ----------
    model : LSTMModel
        With cells of any kind.
    x, y, lengths
        As in :meth:`LSTMModel.loss_and_grads`, in the model's own layout: with a batch axis.

    Returns
    -------
    ndarray, shape (N,)
        Of the model's dtype.

    Raises
    ------
    ValueError, TypeError
        If a shape or dtype does not fit.

    Examples
    --------
    >>> from npslstm import LSTMModel
    >>> model = LSTMModel(3, 4, 10, rng=0)
    >>> x, y = np.ones((7, 5, 3), np.float32), [3, 1, 4, 1, 5]
    >>> norms = per_example_grad_norms(model, x, y)
    >>> norms.shape, bool(norms[1] == norms[3])
    ((5,), True)
    """
    if not hasattr(model, "read_backward"):
        raise TypeError(f"model: expected an LSTMModel, given {type(model).__name__}")
    if np.ndim(x) != 3:
        raise ValueError(f"x: expected a batch of sequences, 3 axes, given shape {np.shape(x)}")
    layers, head = model.lstm, model.head
    logits, _, cache = model.forward(x, lengths=lengths)
    model.check_layout(y, x)
    layout, rows_axis = cache.lstm.layout, 0
    _, dlogits = cross_entropy(logits, y, **model.loss_options(cache, lengths))
    if layout.rows == 0:
        return np.zeros(0, dlogits.dtype)
    if model.readout == "all":
        # The loss is a mean over the steps of all examples; an example's own is over its own.
        ends = np.sum(layout.valid_steps(), axis=layout.axes.index("T"))  # (N,)
        scale = ends.sum() / np.maximum(1, ends)
        rows_axis = layout.axes.index("N")
        dlogits = dlogits * np.expand_dims(scale, (1 - rows_axis, 2)).astype(dlogits.dtype)
    else:
        dlogits = dlogits * dlogits.dtype.type(layout.rows)

    # The head: (examples, steps, ...), with one step where it reads the last state.
    own_d, own_x = (
        np.moveaxis(a, rows_axis, 0).reshape(layout.rows, -1, a.shape[-1])
        for a in (dlogits, cache.head.x)
    )
    squares = np.square(own_d.swapaxes(1, 2) @ own_x).sum(axis=(1, 2))
    if head.bias:
        squares += np.square(own_d.sum(axis=1)).sum(axis=1)

    dout, dstate = model.read_backward(cache.lstm, dlogits @ head.params["weight"], None)
    dends = layers.states_inside("dstate", dstate, layout)
    dout = None if dout is None else layout.inside(dout)
    inner = np.zeros(layout.rows, squares.dtype)  # rows sorted by length, as in the kernel
    for layer in reversed(range(layers.num_layers)):
        dxs = []
        for direction in range(layers.directions):
            k, size = layer * layers.directions + direction, layers.output_size
            part = None if dout is None else dout[:, :, direction * size : (direction + 1) * size]
            if direction and part is not None:
                part = layout.flip(part)
            params = layers.cell_params(layer, direction)
            lstm = cache.lstm
            dx, own = _layer(layers.kind, params, lstm.layers[k], part, dends[k], lstm.plan)
            dxs.append(layout.flip(dx) if direction else dx)
            inner += own
        dout = sum(dxs[1:], dxs[0])
    order = slice(None) if layout.order is None else layout.order
    squares[order] += inner
    return np.sqrt(squares)


def _layer(
    kind: Kind,
    params: Mapping[str, Array],
    cache: LayerCache,
    dout: Array | None,
    dstate: State,
    plan: Plan,
) -> tuple[Array, Array]:
    """Run a layer backward; return dx (T, N, D) and Σ g² of each row's own gradients (N,)."""
    weights = Weights.for_backward(kind, params)
    steps, rows, features = cache.x.shape
    dtype, hidden, inputs = cache.x.dtype, weights.hidden, len(kind.inputs)
    da = np.zeros((rows, steps, inputs * hidden), dtype)
    read = np.zeros((rows, steps, features + 1 + weights.output), dtype)  # x, 1, h_prev
    extra = [np.zeros((rows, hidden), dtype) for _ in kind.extra]
    dstate = dstate.map(np.copy)
    for (t0, t1, n0, n1), saved in reversed(list(each_block(kind, params, cache, plan))):
        here = None if dout is None else dout[t0:t1, n0:n1]
        now = dstate.rows(n0, n1)
        adjoints = block_adjoints(weights, saved.local, here, now)
        now.put(adjoints.start)
        das = adjoints.d[:, kind.da]
        da[n0:n1, t0:t1] = das.reshape(t1 - t0, -1, n1 - n0).transpose(2, 0, 1)
        block = read[n0:n1, t0:t1]
        block[:, :, :features], block[:, :, features] = saved.x.swapaxes(0, 1), 1
        block[:, :, features + 1 :] = saved.h_prev.swapaxes(0, 1)
        if saved.c is not None:
            terms = kind.extra_gradients(tuple(das.swapaxes(0, 1)), saved.c[:-1], saved.c[1:])
            for total, term in zip(extra, terms, strict=True):
                total[n0:n1] += term.sum(axis=0).T
    dx = (da @ weights.weight_ih).swapaxes(0, 1)  # (T, N, D), (19)
    squares = sum((np.square(own).sum(axis=1) for own in extra), np.zeros(rows, dtype))
    counts = _counts(kind, weights.bias is not None, features, weights.output).astype(dtype)
    width = max(1, SLICE // (da.shape[2] * read.shape[2]))
    for n in range(0, rows, width):
        part = slice(n, n + width)
        own = da[part].swapaxes(1, 2) @ read[part]  # dW of each row, (rows, B·H, D + 1 + P)
        own = own.reshape(-1, inputs, hidden, read.shape[2])
        squares[part] += (np.einsum("nbhk,nbhk->nbk", own, own) * counts).sum(axis=(1, 2))
    return dx, squares


def _counts(kind: Kind, bias: bool, features: int, output: int) -> Array:
    """Say how many parameters each entry of [W_ih b W_hh] is part of, (B, D + 1 + P).

    One, but for the two biases that (1) adds, and the blocks that the GRU fills with zeros: a unit
    gradient in each place shows where it goes.
    """
    inputs, counts = len(kind.inputs), []
    for place in range(3):
        units = [np.eye(inputs) * (place == k) for k in range(3)]
        named = kind.named_gradients(*units)
        counts.append(sum(g.sum(axis=0) for n, g in named.items() if bias or n[:4] != "bias"))
    return np.repeat(np.stack(counts, axis=1), [features, 1, output], axis=1)
