"""Every gate and state, and their gradients, at every step: for pictures and for study.

The fast path keeps only what backward needs. Here the sequence runs once more, plainly, one step
after the other by ``step_forward`` and ``step_backward`` of ``cell.py``, and whatever the equations
name is kept under its name. A test holds the result equal to the fast path's outputs and gradients.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .arguments import Array, check_array
from .cell import step_backward, step_forward
from .cells import Kind
from .kernel.layout import Layout
from .kernel.weights import State
from .layers import Recurrent, SequenceCache
from .model import LSTMModel
from .parameters import ending

__all__ = ["LayerTrace", "trace"]


class LayerTrace(NamedTuple):
    """One layer in one direction, step by step: arrays ``(T, N, H)`` in the layout of x.

    Index t is the sequence's own time in both directions: what stands at t was computed when x at
    t was read. So the reverse direction's first step is a row's last index, and its c_prev at t is
    its c at t + 1. Past a row's length everything is 0. Kinds of cell whose equations have other
    names are traced under those, ``Kind.names``, in the place of i, f, g, o, c, h.
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


@functools.cache
def _trace_of(kind: Kind) -> Any:
    """Return the class for a kind's trace; tanh_c is left out, as it follows from c."""
    names = tuple(name for name in kind.names if name != "tanh_c")
    gradients = LayerTrace._fields[6:]
    if names == LayerTrace._fields[:6]:
        return LayerTrace
    return namedtuple("LayerTrace", (*names, *gradients), defaults=(None,) * len(gradients))


def trace(
    model: Recurrent | LSTMModel,
    x: Array,
    state: Any = None,
    *,
    lengths: Any = None,
    dropout_masks: tuple[Array, ...] | None = None,
    dout: Array | None = None,
    dstate: Any = None,
) -> dict[str, LayerTrace]:
    """Run the sequences and return all that happens inside.

    Parameters
    ----------
    model : LSTM, GRU, RNN or LSTMModel
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
    >>> from npslstm import LSTM
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
        layer: Recurrent = model.lstm
        cache = model_cache.lstm
        if dout is not None:
            dread, _ = model.head.backward(model_cache.head, dout)
            dout, dstate = model.read_backward(cache, dread, dstate)
    else:
        layer = model
        _, _, cache = layer.forward(x, state, **options)

    runs = [
        [_Run(layer, k, direction, cache.layout) for direction in range(layer.directions)]
        for k in range(layer.num_layers)
    ]
    _forward(layer, cache, runs, x, state)
    if backward:
        _backward(layer, cache, runs, dout, dstate)
    return {
        ending(k, direction)[1:]: run.trace()
        for k, pair in enumerate(runs)
        for direction, run in enumerate(pair)
    }


class _Run:
    """One layer in one direction, run plainly, and all that it saw on the way.

    Here sequences are (T, N, ...) and states (N, H), with rows sorted by length as ``layout.py``
    does: the rows that still have a step t are the first ``running[t]``.
    """

    def __init__(self, layer: Recurrent, k: int, direction: int, layout: Layout) -> None:
        self.kind: Kind = layer.kind
        self.params, self.layout = layer.cell_params(k, direction), layout
        self.turned: Callable[[Array], Array] = layout.flip if direction else np.asarray
        ends = np.full(layout.rows, layout.steps) if layout.ends is None else layout.ends
        self.running = [int((ends > t).sum()) for t in range(layout.steps)]
        self.steps: list[Any] = []  # of each step what it read, computed, and its slopes
        self.sizes = {"h": layer.output_size, "dh": layer.output_size}
        self.hidden = layer.hidden_size
        self.seen: dict[str, Array] = {}  # (T, N, ...) by name

    def forward(self, x: Array, start: State) -> Array:
        """Return h at every step."""
        x, (h, c) = self.turned(x), _by_rows(start, np.result_type(x, *self.params.values()))
        self.begin(self.kind.names, h.dtype)
        for t, n in enumerate(self.running):
            before = x[t, :n], h[:n].copy(), None if c is None else c[:n].copy()
            step, local = step_forward(self.kind, self.params, *before)
            self.steps.append((before, step, local))
            h[:n] = step["h"]
            if c is not None:
                c[:n] = step["c"]
            self.keep(t, {name: step[name] for name in self.kind.names})
        return self.turned(self.seen["h"])

    def backward(self, dout: Array, end: State) -> Array:
        """Return dx at every step."""
        dtype = np.result_type(dout, *self.params.values(), *self.seen.values())
        dout, (dh, dc) = self.turned(dout), _by_rows(end, dtype)
        self.begin(["dh", *["dc"] * self.kind.has_c], dtype)
        self.begin([f"da_{name}" for name in self.kind.inputs], dtype)
        dx = np.zeros((*dout.shape[:2], self.params["weight_ih"].shape[1]), dtype)
        for t in reversed(range(len(self.running))):
            n = self.running[t]
            dh[:n] += dout[t, :n]
            reached = dh[:n].copy(), None if dc is None else dc[:n]
            before, step, local = self.steps[t]
            gradients, _ = step_backward(self.kind, self.params, before, step, local, *reached)
            dh[:n], dx[t, :n] = gradients["dh_prev"], gradients["dx"]
            named = {"dh": reached[0]}
            if dc is not None:
                named["dc"], dc[:n] = gradients["dc"], gradients["dc_prev"]
            named |= {f"da_{name}": gradients[f"da_{name}"] for name in self.kind.inputs}
            self.keep(t, named)
        return self.turned(dx)

    def begin(self, names: Iterable[str], dtype: Any) -> None:
        """Make room for what the steps will name; past a row's end 0 stays."""
        steps_and_rows = len(self.running), self.layout.rows
        for name in names:
            shape = (*steps_and_rows, self.sizes.get(name, self.hidden))
            self.seen[name] = np.zeros(shape, dtype)

    def keep(self, t: int, named: dict[str, Array]) -> None:
        """Note what a step named."""
        for name, array in named.items():
            self.seen[name][t, : len(array)] = array

    def trace(self) -> LayerTrace:
        """Return what was seen, in the caller's layout."""
        seen = {name: self.layout.outside(self.turned(a)) for name, a in self.seen.items()}
        if "dh" in seen:
            seen["da"] = np.stack([seen.pop(f"da_{name}") for name in self.kind.inputs])
        fields = _trace_of(self.kind)._fields
        return _trace_of(self.kind)(**{name: seen[name] for name in fields if name in seen})


def _by_rows(state: State, dtype: Any) -> tuple[Array, Array | None]:
    """Copy a state as (N, H)."""
    h, c = state
    dtype = np.result_type(dtype, *(s for s in state if s is not None))
    return h.T.astype(dtype), None if c is None else c.T.astype(dtype)


def _forward(
    layer: Recurrent, cache: SequenceCache, runs: list[list[_Run]], x: Array, state: Any
) -> None:
    """Run layer after layer, as ``layers.py`` does."""
    starts = iter(layer.states_inside("state", state, cache.layout))
    x = cache.layout.inside(x)
    for k, pair in enumerate(runs):
        if k and cache.dropout_masks:
            x = x * cache.layout.inside(cache.dropout_masks[k - 1])
        x = np.concatenate([run.forward(x, next(starts)) for run in pair], axis=2)


def _backward(
    layer: Recurrent,
    cache: SequenceCache,
    runs: list[list[_Run]],
    dout: Array | None,
    dstate: Any,
) -> None:
    """Run the layers backward, the top one first."""
    ends = layer.states_inside("dstate", dstate, cache.layout)
    out_shape = cache.layout.shape(layer.features)
    if dout is None:
        dout = np.zeros(out_shape, layer.dtype)
    check_array("dout", dout, out_shape, layer.dtype)
    upstream = cache.layout.inside(dout)
    for k, pair in reversed(list(enumerate(runs))):
        parts = np.split(upstream, layer.directions, axis=2)
        own = ends[k * layer.directions : (k + 1) * layer.directions]
        dxs = [run.backward(part, end) for run, part, end in zip(pair, parts, own, strict=True)]
        upstream = np.sum(dxs, axis=0)
        if k and cache.dropout_masks:
            upstream = upstream * cache.layout.inside(cache.dropout_masks[k - 1])
