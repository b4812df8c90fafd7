"""Hessian-vector products of a model's loss: layers, head and loss, each with its tangent.

Pearlmutter (1994): "Fast exact multiplication by the Hessian". The tangent of every equation of
forward and backward, in their order. The head's::

    (L5)  y_dot  = x_dot Wᵀ + x W_dotᵀ + b_dot
    (L6)  dx_dot = dy_dot W + dy W_dot
    (L7)  dW_dot = Σ_rows dy_dotᵀ x + dyᵀ x_dot,   db_dot = Σ_rows dy_dot
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arguments import Array
from ..losses import second_derivative
from ..parameters import part_of
from .forward_mode import Seen, params_dot_like, stack_jvp
from .second import Pair, stack_second

__all__ = ["hvp"]


def hvp(
    model: Any,
    x: Array,
    y: Any,
    params_dot: Mapping[str, Array],
    loss: Callable[..., tuple[Any, Array]],
    lengths: Any,
) -> dict[str, Array]:
    """Do what ``LSTMModel.hvp`` says."""
    layers, head = model.lstm, model.head
    second_loss = second_derivative(loss)
    if layers.kind.name != "standard":
        raise ValueError(
            "hvp: expected a model of standard LSTM cells, whose second derivatives are known, "
            f"given {layers.kind.name!r}"
        )
    moved_all = params_dot_like(model, params_dot)
    moved = layers.with_params(part_of(moved_all, "lstm"))
    moved_head = part_of(moved_all, "head")

    logits, _, cache = model.forward(x, lengths=lengths)
    model.check_layout(y, x)
    options = model.loss_options(cache, lengths)
    _, dlogits = loss(logits, y, **options)
    starts = layers.states_inside("state", None, cache.lstm.layout)
    seen: list[Seen] = []
    out_dot, ends_dot = stack_jvp(layers, cache.lstm, None, starts, moved.params, seen)
    read_dot = model.read(out_dot, layers.states_outside(ends_dot, cache.lstm.layout))

    read, weight, weight_dot = cache.head.x, head.params["weight"], moved_head["weight"]
    logits_dot = read_dot @ weight.T + read @ weight_dot.T + moved_head.get("bias", 0)  # (L5)
    dlogits_dot = second_loss(logits, logits_dot, y, **options)
    dread = dlogits @ weight  # (L2)
    dread_dot = dlogits_dot @ weight + dlogits @ weight_dot  # (L6)
    axes = tuple(range(read.ndim - 1))
    grads = {
        "head.weight": np.tensordot(dlogits_dot, read, (axes, axes))
        + np.tensordot(dlogits, read_dot, (axes, axes)),
        "head.bias": dlogits_dot.sum(axis=axes),
    }  # (L7)
    reached = [model.read_backward(cache.lstm, d, None) for d in (dread, dread_dot)]
    layout = cache.lstm.layout
    douts = [None if dout is None else layout.inside(dout) for dout, _ in reached]
    dends = [layers.states_inside("dstate", dstate, layout) for _, dstate in reached]
    lstm_grads = stack_second(layers, moved, cache.lstm, seen, Pair(*douts), Pair(*dends))
    grads |= {f"lstm.{name}": grad for name, grad in lstm_grads.items()}
    return {name: grads[name] for name in model.params}
