"""Every gate and state, and their gradients, at every step: for pictures and for study.

The fast path keeps only what backward needs. Here the sequence runs once more, plainly: one step
after the other, (1) and (19) written out as in ``cell.py`` and the calculus from ``gates.py``, and
whatever the equations name is kept under its name. A test holds the result equal to the fast
path's outputs and gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import gates
from .arguments import Array, check_array, check_pair
from .gates import GATES
from .kernel.layout import Layout
from .lstm import LSTM, LSTMCache
from .model import LSTMModel, ModelCache

__all__ = ["LayerTrace", "trace"]


class LayerTrace(NamedTuple):
    """One layer in one direction, step by step: arrays ``(T, N, H)`` in the layout of x.

    Index t is the sequence's own time in both directions: what stands at t was computed when x at
    t was read. So the reverse direction's first step is a row's last index, and its c_prev at t is
    its c at t + 1. Past a row's length everything is 0.
    """

    i: Array  # (2)  input gate
    f: Array  # (3)  forget gate
    g: Array  # (4)  candidate memory
    o: Array  # (5)  output gate
    c: Array  # (6)  cell state
    h: Array  # (8)  hidden state
    dh: Array | None = None  # ∂loss/∂h: through this step's output and through the next step
    dc: Array | None = None  # (15)  ∂loss/∂c: through h and through the next step
    da: Array | None = None  # (16), (17)  (4, T, N, H): ∂loss/∂a_i, ∂a_f, ∂a_g, ∂a_o


def trace(
    model: LSTM | LSTMModel,
    x: Array,
    state: tuple[Array, Array] | None = None,
    *,
    lengths: Any = None,
    dropout_masks: tuple[Array, ...] | None = None,
    dout: Array | None = None,
    dstate: tuple[Array | None, Array | None] | None = None,
) -> dict[str, LayerTrace]:
    """Run the sequences and return all that happens inside.

    Parameters
    ----------
    model : LSTM or LSTMModel
    x, state, lengths, dropout_masks
        As in :meth:`LSTM.forward`.
    dout : ndarray, shape of what ``model.forward`` returns first, optional
        ∂loss/∂out of an LSTM, ∂loss/∂logits of an LSTMModel.
    dstate : (dh_n, dc_n), each of the shape of h_n or None, optional
        ∂loss/∂h_n and ∂loss/∂c_n. Without ``dout`` and ``dstate`` there is no backward pass, and
        dh, dc and da are None.

    Returns
    -------
    dict of LayerTrace
        Under the endings of PyTorch's parameter names: ``"l0"``, ``"l0_reverse"``, ``"l1"``, …

    Raises
    ------
    ValueError, TypeError
        If a shape, dtype or option does not fit.

    Examples
    --------
    >>> lstm = LSTM(3, 4, forget_bias=1.0, rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> steps = trace(lstm, x, dout=np.ones((7, 5, 4), np.float32))["l0"]
    >>> steps.f.shape, steps.dc.shape, steps.da.shape
    ((7, 5, 4), (7, 5, 4), (4, 7, 5, 4))
    """
    # The fast path goes first: it checks the arguments and knows how the caller's arrays lie.
    options: dict[str, Any] = {"lengths": lengths, "dropout_masks": dropout_masks}
    backward = dout is not None or dstate is not None
    if isinstance(model, LSTMModel):
        _, _, model_cache = model.forward(x, state, **options)
        if dout is not None:
            dout, dstate = _through_head(model, model_cache, dout, dstate)
        lstm, cache = model.lstm, model_cache.lstm
    else:
        lstm = model
        _, _, cache = lstm.forward(x, state, **options)

    runs = [
        [
            _Run(lstm._cell_params(layer, k), cache.layout, reverse=k == 1)
            for k in range(lstm.directions)
        ]
        for layer in range(lstm.num_layers)
    ]
    _forward(lstm, cache, runs, x, state)
    if backward:
        _backward(lstm, cache, runs, dout, dstate)
    return {
        f"l{layer}" + "_reverse" * k: run.trace()
        for layer, pair in enumerate(runs)
        for k, run in enumerate(pair)
    }


class _Run:
    """One layer in one direction, run plainly, and all that it saw on the way.

    Here sequences are (T, N, ...) and states (N, H), with rows sorted by length as ``layout.py``
    does: the rows that still have a step t are the first ``running[t]``.
    """

    def __init__(self, params: dict[str, Array], layout: Layout, reverse: bool) -> None:
        self.params, self.layout = params, layout
        self.turned: Callable[[Array], Array] = layout.flip if reverse else np.asarray
        ends = np.full(layout.rows, layout.steps) if layout.ends is None else layout.ends
        self.running = [int((ends > t).sum()) for t in range(layout.steps)]
        self.gradients: Array | None = None  # (6, T, N, H): dh, dc, da_i, da_f, da_g, da_o

    def forward(self, x: Array, h: Array, c: Array) -> Array:
        """Return h at every step, having started from (h, c)."""
        weight_ih, weight_hh, *biases = self.params.values()
        dtype = np.result_type(*self.params.values(), x, h, c)
        x, h, c = self.turned(x), h.astype(dtype), c.astype(dtype)
        shape = (6, len(x), *h.shape)
        self.activations = np.zeros(shape, dtype)  # i, f, g, o, c, h
        self.local = np.zeros(shape, dtype)  # equations (9)-(14)
        for t, n in enumerate(self.running):
            a = x[t, :n] @ weight_ih.T + h[:n] @ weight_hh.T + sum(biases)  # (1)
            a = np.moveaxis(a.reshape(n, GATES, h.shape[1]), 1, 0)  # (4, n, H)
            i, f, o = gates.sigmoid(a[[0, 1, 3]])  # (2), (3), (5)
            g = np.tanh(a[2])  # (4)
            h[:n], c[:n], self.local[:, t, :n] = gates.gates_forward(a, c[:n])  # (6)-(14)
            self.activations[:, t, :n] = i, f, g, o, c[:n], h[:n]
        return self.turned(self.activations[5])

    def backward(self, dout: Array, dh: Array, dc: Array) -> Array:
        """Return dx at every step."""
        weight_ih, weight_hh, *_ = self.params.values()
        dtype = np.result_type(self.local, dout, dh, dc)
        dout, dh, dc = self.turned(dout), dh.astype(dtype), dc.astype(dtype)
        self.gradients = np.zeros(self.local.shape, dtype)
        dx = np.zeros((*dout.shape[:2], weight_ih.shape[1]), dtype)
        for t in reversed(range(len(self.running))):
            n = self.running[t]
            dh[:n] += dout[t, :n]
            step = np.empty((6, n, dh.shape[1]), dtype)  # dc_prev, da_i, da_f, da_g, da_o, dc
            da, dc[:n] = gates.gates_backward(
                self.local[:, t, :n], dh[:n], dc[:n], step
            )  # (15)-(18)
            self.gradients[:, t, :n] = dh[:n], step[5], *da
            da = np.moveaxis(da, 0, 1).reshape(n, GATES * dh.shape[1])
            dh[:n], dx[t, :n] = da @ weight_hh, da @ weight_ih  # (19)
        return self.turned(dx)

    def trace(self) -> LayerTrace:
        """Return what was seen, in the caller's layout."""

        def outside(stack: Array) -> list[Array]:
            return [self.layout.outside(self.turned(array)) for array in stack]

        traced = LayerTrace(*outside(self.activations))
        if self.gradients is None:
            return traced
        dh, dc, *da = outside(self.gradients)
        return traced._replace(dh=dh, dc=dc, da=np.stack(da))


def _forward(lstm: LSTM, cache: LSTMCache, runs: list[list[_Run]], x: Array, state: Any) -> None:
    """Run layer after layer, as ``lstm.py`` does."""
    h_0, c_0 = _states_inside(lstm, cache.layout, "state", state)
    x = cache.layout.inside(x)
    for layer, pair in enumerate(runs):
        if layer and cache.dropout_masks:
            x = x * cache.layout.inside(cache.dropout_masks[layer - 1])
        starts = zip(pair, h_0[layer], c_0[layer], strict=True)
        x = np.concatenate([run.forward(x, h, c) for run, h, c in starts], axis=2)


def _backward(
    lstm: LSTM, cache: LSTMCache, runs: list[list[_Run]], dout: Array | None, dstate: Any
) -> None:
    """Run the layers backward, the top one first."""
    dh_n, dc_n = _states_inside(lstm, cache.layout, "dstate", dstate)
    out_shape = cache.layout.shape(lstm.directions * lstm.hidden_size)
    if dout is None:
        dout = np.zeros(out_shape, lstm.dtype)
    check_array("dout", dout, out_shape, lstm.dtype)
    upstream = cache.layout.inside(dout)
    for layer, pair in reversed(list(enumerate(runs))):
        parts = np.split(upstream, lstm.directions, axis=2)
        ends = zip(pair, parts, dh_n[layer], dc_n[layer], strict=True)
        upstream = np.sum([run.backward(part, dh, dc) for run, part, dh, dc in ends], axis=0)
        if layer and cache.dropout_masks:
            upstream = upstream * cache.layout.inside(cache.dropout_masks[layer - 1])


def _states_inside(lstm: LSTM, layout: Layout, name: str, pair: Any) -> tuple[Array, Array]:
    """Check states or their gradients; return each as (num_layers, directions, N, H)."""
    shape = layout.state_shape(lstm.num_layers * lstm.directions, lstm.hidden_size)
    h, c = map(layout.state_inside, check_pair(name, pair, shape, lstm.dtype))
    apart = (lstm.num_layers, lstm.directions, *h.shape[1:])
    return h.reshape(apart), c.reshape(apart)


def _through_head(model: LSTMModel, cache: ModelCache, dlogits: Array, dstate: Any) -> Any:
    """Return dout and dstate of the LSTM under a head whose logits have the gradient dlogits."""
    dread, _ = model.head.backward(cache.head, dlogits)
    if model.readout == "all":
        return dread, dstate
    return None, model._add_to_top(cache.lstm, dread, dstate)
