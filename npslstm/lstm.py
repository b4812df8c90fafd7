"""The LSTM: layers and directions stacked over ``schedule.py``, and what surrounds them.

Here layer follows layer, directions are joined and outputs dropped between layers; ``layout.py``
knows how the caller's arrays lie, and the calculus is in ``gates.py``.

Shapes: x ``(T, N, D)`` (``(N, T, D)`` with batch_first, ``(T, D)`` for one sequence), out
``(T, N, directions·H)`` in the same layout, states ``(num_layers·directions, N, H)``.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_pair, check_size, generator, load_arrays
from .cell import LSTMState, init_params, named_gradients
from .kernel import scratch as buffers
from .kernel.dropout import check_masks, draw_masks
from .kernel.layout import Layout, leading_axes
from .kernel.schedule import Keep, Plan, Tape, layer_backward, layer_forward, plan_cuts

__all__ = ["LSTM", "LSTMCache"]


class LSTMCache(NamedTuple):
    """What backward needs of a forward; nothing in it is ever written to again."""

    layout: Layout
    plan: Plan
    tapes: list[Tape]  # of each layer and direction
    dropout_masks: tuple[Array, ...]  # between layers, with the shape of out


class LSTM:
    """A stacked, optionally bidirectional LSTM over whole sequences, as ``torch.nn.LSTM``.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, both at least 1.
    num_layers : int
        Layers; each reads the outputs of the one below.
    bias : bool
        Whether to have ``bias_ih`` and ``bias_hh``.
    batch_first : bool
        Whether x and out are (N, T, ...) rather than (T, N, ...). States never are.
    dropout : float
        Probability of zeroing an output between layers, in [0, 1); acts only where ``forward`` is
        given a generator.
    bidirectional : bool
        Whether each layer also reads the sequence from its end.
    forget_bias : float
        Added to the forget gate's slice of every ``bias_ih``.
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√H, 1/√H); None draws different ones each time.

    Attributes
    ----------
    params : dict of ndarray
        Under PyTorch's names: ``weight_ih_l0 (4H, D)``, ``weight_hh_l0 (4H, H)``, ``bias_ih_l0``,
        ``bias_hh_l0 (4H,)``, then ``_l0_reverse``, ``_l1``, … Change them in place as you like
        between a backward and the next forward; nothing is remembered.

    Raises
    ------
    ValueError, TypeError
        For options that do not fit together.

    Examples
    --------
    >>> lstm = LSTM(3, 4, num_layers=2, bidirectional=True, rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> out, (h_n, c_n), cache = lstm.forward(x, lengths=[7, 2, 5, 0, 7])
    >>> dx, (dh_0, dc_0), grads = lstm.backward(cache, np.ones_like(out))
    >>> out.shape, h_n.shape, dx.shape, grads["weight_hh_l1_reverse"].shape
    ((7, 5, 8), (4, 5, 4), (7, 5, 3), (16, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.num_layers = check_size("num_layers", num_layers)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected a probability in [0, 1), given {dropout}")
        if dropout and num_layers == 1:
            raise ValueError(
                f"dropout: acts between layers; expected 0 with num_layers=1, given {dropout}"
            )
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.params: dict[str, Array] = {}
        rng = generator(rng)
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else self.directions * self.hidden_size
            for direction in range(self.directions):
                cell = init_params(size, self.hidden_size, self.bias, forget_bias, dtype, rng)
                for name, param in cell.items():
                    self.params[name + _suffix(layer, direction)] = param

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters."""
        return self.params["weight_ih_l0"].dtype

    def __call__(
        self,
        x: Array,
        state: tuple[Array, Array] | None = None,
        *,
        lengths: Any = None,
    ) -> tuple[Array, LSTMState]:
        """Run the sequences for inference: as :meth:`forward`, keeping nothing for backward."""
        out, state_n, _ = self._forward("nothing", x, state, lengths)
        return out, state_n

    def forward(
        self,
        x: Array,
        state: tuple[Array, Array] | None = None,
        *,
        lengths: Any = None,
        rng: np.random.Generator | None = None,
        dropout_masks: tuple[Array, ...] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Array, LSTMState, LSTMCache]:
        """Run the sequences from ``state``.

        Parameters
        ----------
        x : ndarray, shape (T, N, D), (N, T, D) with batch_first, or (T, D)
        state : (h_0, c_0), each (num_layers·directions, N, H), without N for x (T, D); optional
            Zeros by default.
        lengths : integer array, shape (N,), optional
            Valid steps of each row, 0 to T, in any order; T by default. Past its length a row's
            input is not read, its output is 0, and its final state is that of its last step.
        rng : numpy.random.Generator, optional
            Draws the dropout masks; without it nothing is dropped.
        dropout_masks : tuple of num_layers - 1 arrays with the shape of out, optional
            Multiply the outputs of each layer but the last, in place of masks drawn anew:
            ``cache.dropout_masks`` of an earlier call repeats that call.
        checkpoint_every : int, optional
            Keep the states of every so many steps (rounded up to the kernel's blocks), and let
            backward recompute what lies between: the same bits, in less memory and more time.

        Returns
        -------
        out : ndarray, shape (T, N, directions·H) in the layout of x
            The top layer's h at every step, both directions side by side.
        (h_n, c_n) : LSTMState, each (num_layers·directions, N, H)
            The state after each row's last step (the reverse direction's last is step 0).
        cache : LSTMCache
            For :meth:`backward`.

        Raises
        ------
        ValueError, TypeError
            If a shape, dtype or option does not fit.
        """
        keep: Keep = "blocks"
        if checkpoint_every is not None:
            check_size("checkpoint_every", checkpoint_every)
            keep = "starts"
        return self._forward(keep, x, state, lengths, rng, dropout_masks, checkpoint_every)

    def _forward(
        self,
        keep: Keep,
        x: Array,
        state: tuple[Array, Array] | None,
        lengths: Any,
        rng: np.random.Generator | None = None,
        dropout_masks: tuple[Array, ...] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Array, LSTMState, LSTMCache]:
        axes = leading_axes(np.ndim(x), self.batch_first)
        hint = "" if len(axes) == 1 else f", with batch_first={self.batch_first}"
        check_array("x", x, (*axes, self.input_size), self.dtype, hint)
        layout = Layout.of(x, self.batch_first, lengths)
        state_shape = layout.state_shape(self._states, self.hidden_size)
        h_0, c_0 = map(layout.state_inside, check_pair("state", state, state_shape, self.dtype))
        shape = layout.shape(self._features)
        if dropout_masks is None:
            masks = draw_masks(rng, self.dropout, self.num_layers - 1, shape, self.dtype)
        elif rng is not None:
            raise ValueError("dropout_masks: expected None where rng is given, given both")
        else:
            masks = check_masks(dropout_masks, self.num_layers - 1, shape, self.dtype)
        ends = [layout.steps] * layout.rows if layout.ends is None else layout.ends.tolist()
        plan = plan_cuts(ends, self.hidden_size, checkpoint_every, self.dtype.itemsize)
        x = layout.inside(x)
        if layout.order is None and keep != "nothing":
            x = buffers.copy(x)  # the caller may change it before backward

        tapes, h_n, c_n = [], [], []
        for layer in range(self.num_layers):
            if layer and masks:
                x = x * layout.inside(masks[layer - 1])
            outs = []
            for direction in range(self.directions):
                k = layer * self.directions + direction
                out, (h, c), tape = layer_forward(
                    list(self._cell_params(layer, direction).values()),
                    layout.flip(x) if direction else x,
                    (h_0[k].T, c_0[k].T),
                    plan,
                    keep,
                )
                outs.append(layout.flip(out) if direction else out)
                h_n.append(h.T)
                c_n.append(c.T)
                tapes.append(tape)
            x = np.concatenate(outs, axis=2) if self.bidirectional else outs[0]
        state_n = LSTMState(*(layout.state_outside(np.stack(s)) for s in (h_n, c_n)))
        return layout.outside(x), state_n, LSTMCache(layout, plan, tapes, masks)

    def backward(
        self,
        cache: LSTMCache,
        dout: Array | None = None,
        dstate: tuple[Array | None, Array | None] | None = None,
    ) -> tuple[Array, LSTMState, dict[str, Array]]:
        """Backpropagate through time, through every layer and direction.

        Parameters
        ----------
        cache : LSTMCache
            Of the :meth:`forward` to invert; the parameters must be the same as then.
        dout : ndarray, shape of out, optional
            ∂loss/∂out; None for zeros.
        dstate : (dh_n, dc_n), each of the shape of h_n or None, optional
            ∂loss/∂h_n and ∂loss/∂c_n; None for zeros.

        Returns
        -------
        dx : ndarray, shape of x
            0 past each row's length.
        (dh_0, dc_0) : LSTMState, each (num_layers·directions, N, H)
            Gradient of the initial state.
        grads : dict of ndarray
            Gradient of every parameter, with the names and shapes of ``params``.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit.
        """
        layout, plan, tapes, masks = cache
        state_shape = layout.state_shape(self._states, self.hidden_size)
        pair = check_pair("dstate", dstate, state_shape, self.dtype)
        dh_n, dc_n = map(layout.state_inside, pair)
        if dout is not None:
            check_array("dout", dout, layout.shape(self._features), self.dtype)
            dout = layout.inside(dout)

        hidden = self.hidden_size
        grads: dict[str, Array] = {}
        dh_0: list[Array] = []
        dc_0: list[Array] = []
        for layer in reversed(range(self.num_layers)):
            dxs = []
            for direction in reversed(range(self.directions)):
                k = layer * self.directions + direction
                part = None
                if dout is not None:
                    part = dout[:, :, direction * hidden : (direction + 1) * hidden]
                    part = layout.flip(part) if direction else part
                dx, (dh, dc), dstacked = layer_backward(
                    list(self._cell_params(layer, direction).values()),
                    tapes[k],
                    part,
                    (dh_n[k].T, dc_n[k].T),
                    plan,
                )
                dxs.append(layout.flip(dx) if direction else dx)
                dh_0.insert(0, dh.T)
                dc_0.insert(0, dc.T)
                grads |= self._named_gradients(layer, direction, dstacked)
            dx = dxs[0] + dxs[1] if self.bidirectional else dxs[0]
            if layer and masks:
                dx = dx * layout.inside(masks[layer - 1])
            dout = dx
        dstate_0 = LSTMState(*(layout.state_outside(np.stack(s)) for s in (dh_0, dc_0)))
        return layout.outside(dx), dstate_0, {name: grads[name] for name in self.params}

    def load_params(self, mapping: dict[str, Array]) -> None:
        """Copy parameters in, once every name, shape and dtype has been found right.

        Raises
        ------
        ValueError, TypeError
            If one is not; then nothing has changed.
        """
        load_arrays(self.params, mapping)

    def astype(self, dtype: DTypeLike) -> LSTM:
        """Return a copy with parameters of this dtype (complex128 for the complex-step check)."""
        twin = copy.copy(self)
        twin.params = {name: param.astype(dtype) for name, param in self.params.items()}
        return twin

    @property
    def _features(self) -> int:
        return self.directions * self.hidden_size

    @property
    def _states(self) -> int:
        return self.num_layers * self.directions

    def _cell_params(self, layer: int, direction: int) -> dict[str, Array]:
        names = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * self.bias
        return {name: self.params[name + _suffix(layer, direction)] for name in names}

    def _named_gradients(self, layer: int, direction: int, dstacked: Array) -> dict[str, Array]:
        """Cut the gradient of [W_ih  b  W_hh] into its parts, each contiguous."""
        features = dstacked.shape[1] - 1 - self.hidden_size
        parts = dstacked[:, :features], dstacked[:, features + 1 :], dstacked[:, features]
        cell = self._cell_params(layer, direction)
        grads = named_gradients(cell, *map(buffers.copy, parts))
        return {name + _suffix(layer, direction): grad for name, grad in grads.items()}


def _suffix(layer: int, direction: int) -> str:
    """Return PyTorch's ending for a layer's and direction's names."""
    return f"_l{layer}" + ("_reverse" if direction else "")
