"""The plain tanh RNN, so that what the LSTM's gates buy can be measured and not only said.

It is what is left of an LSTM without gates and without a cell state: one layer, one equation.
Its gradient goes back one step through ∂h/∂h_prev = diag(1 - h²) W_hh, and so T steps through a
product of T such matrices; the LSTM's cell goes back through its forget gate, ``gates.py`` (14).

Shapes: x ``(T, N, D)`` (``(N, T, D)`` with batch_first, ``(T, D)`` for one sequence), out
``(T, N, H)`` in the same layout, states ``(1, N, H)`` as in PyTorch.

Forward::

    (R1)  a  = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh
    (R2)  h  = tanh(a)

Backward, with dz short for ∂loss/∂z, from the last step to the first; h is read twice, as this
step's output and by the next step, whose da is da_next::

    (R3)  dh = dout + da_next W_hh          from (R1) of the next step
    (R4)  da = dh ⊙ (1 - h²)                from (R2), tanh′ = 1 - tanh²
    (R5)  dx = da W_ih,   dW_ih += daᵀ x,   dW_hh += daᵀ h_prev,   db += Σ da      from (R1)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_size, generator
from .kernel.layout import Layout, leading_axes
from .parameters import Layer, Parameters, draw

__all__ = ["RNN", "RNNCache"]


class RNNCache(NamedTuple):
    """What backward needs of a forward; nothing in it is ever written to again."""

    layout: Layout
    x: Array  # (T, N, D)
    h: Array  # (T+1, N, H): row 0 is the initial state, row t+1 the h of step t


class RNN(Layer):
    """A plain tanh RNN over whole sequences, as ``torch.nn.RNN`` with one layer.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, both at least 1.
    bias : bool
        Whether to have ``bias_ih_l0`` and ``bias_hh_l0``.
    batch_first : bool
        Whether x and out are (N, T, ...) rather than (T, N, ...). States never are.
    init : {"uniform", "orthogonal"}
        How ``weight_hh_l0`` begins: from U(-1/√H, 1/√H) as all the others, or as a random
        orthogonal matrix, which by itself neither shrinks nor stretches what passes through it
        (Saxe et al. 2014, Le et al. 2015).
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters; None draws different ones each time.

    Attributes
    ----------
    params : dict of ndarray
        ``weight_ih_l0 (H, D)``, ``weight_hh_l0 (H, H)`` and, with bias, ``bias_ih_l0 (H,)`` and
        ``bias_hh_l0 (H,)``.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, another init or another dtype.

    Examples
    --------
    >>> rnn = RNN(3, 4, init="orthogonal", rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> out, h_n, cache = rnn.forward(x)
    >>> dx, dh_0, grads = rnn.backward(cache, np.ones_like(out))
    >>> out.shape, h_n.shape, dx.shape, grads["weight_hh_l0"].shape
    ((7, 5, 4), (1, 5, 4), (7, 5, 3), (4, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        batch_first: bool = False,
        *,
        init: Literal["uniform", "orthogonal"] = "uniform",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        if init not in ("uniform", "orthogonal"):
            raise ValueError(f'init: expected "uniform" or "orthogonal", given {init!r}')
        rng = generator(rng)
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih_l0": (self.hidden_size, self.input_size),
            "weight_hh_l0": (self.hidden_size, self.hidden_size),
        }
        if self.bias:
            shapes |= {"bias_ih_l0": (self.hidden_size,), "bias_hh_l0": (self.hidden_size,)}
        self.params = Parameters(draw(shapes, self.hidden_size, dtype, rng))
        if init == "orthogonal":
            self.params["weight_hh_l0"][...] = _random_orthogonal(self.hidden_size, rng)

    def __call__(self, x: Array, state: Array | None = None) -> tuple[Array, Array]:
        """Run the sequences for inference: as :meth:`forward`, without a cache."""
        out, h_n, _ = self.forward(x, state)
        return out, h_n

    def forward(self, x: Array, state: Array | None = None) -> tuple[Array, Array, RNNCache]:
        """Run the sequences from ``state``.

        Parameters
        ----------
        x : ndarray, shape (T, N, D), (N, T, D) with batch_first, or (T, D)
        state : ndarray h_0, shape (1, N, H), without N for x (T, D); optional
            Zeros by default.

        Returns
        -------
        out : ndarray, shape (T, N, H) in the layout of x
            h at every step.
        h_n : ndarray, shape (1, N, H)
            The state after the last step.
        cache : RNNCache
            For :meth:`backward`.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit.
        """
        weight_ih, weight_hh = self.params["weight_ih_l0"], self.params["weight_hh_l0"]
        axes = leading_axes(np.ndim(x), self.batch_first)
        check_array("x", x, (*axes, self.input_size), weight_ih.dtype)
        layout = Layout.of(x, self.batch_first, None)
        x = layout.inside(x).copy()  # the caller may change it before backward

        # All of (R1) that does not wait for the step before is one product for all steps.
        a = x @ weight_ih.T
        if self.bias:
            a = a + (self.params["bias_ih_l0"] + self.params["bias_hh_l0"])
        h_0 = self._state_inside("state", state, layout)
        h = np.empty((1 + len(x), *h_0.shape), np.result_type(a, weight_hh, h_0))
        h[0] = h_0
        for t in range(len(x)):
            h[t + 1] = np.tanh(a[t] + h[t] @ weight_hh.T)  # (R1), (R2)
        out = layout.outside(h[1:].copy())
        return out, layout.state_outside(h[-1:].copy()), RNNCache(layout, x, h)

    def backward(
        self, cache: RNNCache, dout: Array | None = None, dh_n: Array | None = None
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Backpropagate through time.

        Parameters
        ----------
        cache : RNNCache
            Of the :meth:`forward` to invert; the parameters must be the same as then.
        dout : ndarray, shape of out, optional
            ∂loss/∂out; None for zeros.
        dh_n : ndarray, shape of h_n, optional
            ∂loss/∂h_n; None for zeros.

        Returns
        -------
        dx : ndarray, shape of x
        dh_0 : ndarray, shape (1, N, H)
            Gradient of the initial state.
        grads : dict of ndarray
            Gradient of every parameter, with the names and shapes of ``params``.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit.
        """
        weight_ih, weight_hh = self.params["weight_ih_l0"], self.params["weight_hh_l0"]
        layout, x, h = cache
        dh = self._state_inside("dh_n", dh_n, layout)
        out_shape = layout.shape(self.hidden_size)
        if dout is None:
            dout = np.zeros(out_shape, weight_hh.dtype)
        check_array("dout", dout, out_shape, weight_hh.dtype)
        dout = layout.inside(dout)

        slope = 1 - h[1:] * h[1:]
        da = np.empty(slope.shape, np.result_type(slope, weight_hh, dout, dh))
        for t in reversed(range(len(x))):
            dh = dh + dout[t]  # (R3)
            da[t] = dh * slope[t]  # (R4)
            dh = da[t] @ weight_hh  # (R3), for the step before

        # The rest of (R5) does not wait for anything: one product for all steps.
        dx = da @ weight_ih
        steps_and_rows = ((0, 1), (0, 1))
        grads = {
            "weight_ih_l0": np.tensordot(da, x, steps_and_rows),
            "weight_hh_l0": np.tensordot(da, h[:-1], steps_and_rows),
        }
        if self.bias:
            dbias = da.sum(axis=(0, 1))
            grads |= {"bias_ih_l0": dbias, "bias_hh_l0": dbias.copy()}
        return layout.outside(dx), layout.state_outside(np.array(dh)[None]), grads

    def _state_inside(self, name: str, state: Array | None, layout: Layout) -> Array:
        """Check a state or its gradient and return it as (N, H); zeros stand in for None."""
        shape, dtype = layout.state_shape(1, self.hidden_size), self.params["weight_hh_l0"].dtype
        if state is None:
            state = np.zeros(shape, dtype)
        check_array(name, state, shape, dtype)
        return layout.state_inside(state)[0]


def _random_orthogonal(size: int, rng: np.random.Generator) -> Array:
    """Draw an orthogonal matrix, all alike likely (Mezzadri 2007 on why the signs are needed)."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))
