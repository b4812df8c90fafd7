"""One LSTM step with its parameters: the textbook, and the specification of everything faster.

Shapes: x ``(N, D)``, h and c ``(N, H)``, pre-activations a ``(N, 4H)``; N may be missing.

    (1)  a       = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh
         (2)-(18): gates.py
    (19) dh_prev = da W_hh,  dx = da W_ih,  dW_hh = daᵀ h_prev,  dW_ih = daᵀ x,  db = Σ_rows da
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from . import gates
from .arguments import (
    Array,
    check_array,
    check_dtype,
    check_pair,
    check_size,
    generator,
    load_arrays,
)
from .gates import GATES

__all__ = ["CellCache", "LSTMCell", "LSTMState", "init_params", "named_gradients"]


class LSTMState(NamedTuple):
    """The two states of an LSTM: hidden h and cell c, of the same shape."""

    h: Array
    c: Array


class CellCache(NamedTuple):
    """What one step's backward needs; nothing in it is ever written to again."""

    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    local: Array  # (6, N, H), equations (9)-(14)


class LSTMCell:
    """A single LSTM step, as ``torch.nn.LSTMCell``.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, both at least 1.
    bias : bool
        Whether to have ``bias_ih`` and ``bias_hh``.
    forget_bias : float
        Added to the forget gate's slice of ``bias_ih`` (1.0 is the usual choice: Gers et al. 2000,
        Jozefowicz et al. 2015).
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√H, 1/√H); None draws different ones each time.

    Attributes
    ----------
    params : dict of ndarray
        ``weight_ih (4H, D)``, ``weight_hh (4H, H)`` and, with bias, ``bias_ih (4H,)`` and
        ``bias_hh (4H,)``; rows in the order i, f, g, o.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, another dtype, or a forget bias without a bias.

    Examples
    --------
    >>> cell = LSTMCell(3, 2, rng=0)
    >>> x = np.ones((5, 3), np.float32)
    >>> (h, c), cache = cell.forward(x)
    >>> dx, (dh_prev, dc_prev), grads = cell.backward(cache, (np.ones_like(h), None))
    >>> h.shape, dx.shape, grads["weight_hh"].shape
    ((5, 2), (5, 3), (8, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.bias = bool(bias)
        self.params = init_params(
            self.input_size, self.hidden_size, self.bias, forget_bias, dtype, generator(rng)
        )

    def __call__(self, x: Array, state: tuple[Array, Array] | None = None) -> LSTMState:
        """Take one step, for inference: as :meth:`forward`, without a cache."""
        return self.forward(x, state)[0]

    def forward(
        self, x: Array, state: tuple[Array, Array] | None = None
    ) -> tuple[LSTMState, CellCache]:
        """Take one step from ``state`` with input ``x``.

        Parameters
        ----------
        x : ndarray, shape (N, D) or (D,)
        state : (h, c), each of shape (N, H) or (H,), optional
            Zeros by default.

        Returns
        -------
        (h, c) : LSTMState
            The new state.
        cache : CellCache
            For :meth:`backward`.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit.
        """
        weight_ih, weight_hh = self.params["weight_ih"], self.params["weight_hh"]
        batch = np.shape(x)[:-1] if np.ndim(x) == 1 else ("N",)
        check_array("x", x, (*batch, self.input_size), weight_ih.dtype)
        shape = (*x.shape[:-1], self.hidden_size)
        h_prev, c_prev = check_pair("state", state, shape, weight_ih.dtype)

        a = x @ weight_ih.T + h_prev @ weight_hh.T  # (1)
        if self.bias:
            a = a + (self.params["bias_ih"] + self.params["bias_hh"])
        a = np.moveaxis(a.reshape(*x.shape[:-1], GATES, self.hidden_size), -2, 0)  # (4, N, H)
        h, c, local = gates.gates_forward(a, c_prev)  # (2)-(14)
        return LSTMState(h, c), CellCache(x.copy(), h_prev.copy(), local)

    def backward(
        self, cache: CellCache, dstate: tuple[Array | None, Array | None]
    ) -> tuple[Array, LSTMState, dict[str, Array]]:
        """Invert one step.

        Parameters
        ----------
        cache : CellCache
            Of the :meth:`forward` to invert; the parameters must be the same as then.
        dstate : (dh, dc), each of the state's shape or None for zeros
            ∂loss/∂h and ∂loss/∂c of the new state.

        Returns
        -------
        dx : ndarray, shape of x
        (dh_prev, dc_prev) : LSTMState
            Gradient of the state before the step.
        grads : dict of ndarray
            Gradient of every parameter, with the names and shapes of ``params``.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit.
        """
        weight_ih, weight_hh = self.params["weight_ih"], self.params["weight_hh"]
        x, h_prev, local = cache
        dh, dc = check_pair("dstate", dstate, h_prev.shape, weight_ih.dtype)

        da, dc_prev = gates.gates_backward(local, dh, dc)  # (15)-(18)
        da = np.moveaxis(da, 0, -2).reshape(*x.shape[:-1], GATES * self.hidden_size)  # (N, 4H)
        dh_prev, dx = da @ weight_hh, da @ weight_ih  # (19)
        x, h_prev, da = np.atleast_2d(x, h_prev, da)
        grads = named_gradients(self.params, da.T @ x, da.T @ h_prev, da.sum(axis=0))
        return dx, LSTMState(dh_prev, dc_prev), grads

    def load_params(self, mapping: dict[str, Array]) -> None:
        """Copy parameters in, once every name, shape and dtype has been found right.

        Raises
        ------
        ValueError, TypeError
            If one is not; then nothing has changed.
        """
        load_arrays(self.params, mapping)

    def astype(self, dtype: DTypeLike) -> LSTMCell:
        """Return a copy with parameters of this dtype (complex128 for the complex-step check)."""
        twin = copy.copy(self)
        twin.params = {name: param.astype(dtype) for name, param in self.params.items()}
        return twin


def init_params(
    input_size: int,
    hidden_size: int,
    bias: bool,
    forget_bias: float,
    dtype: DTypeLike,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw one cell's parameters, as PyTorch does, and add ``forget_bias`` to the forget gate."""
    if forget_bias and not bias:
        raise ValueError(f"forget_bias: expected 0 with bias=False, given {forget_bias}")
    rows, bound = GATES * hidden_size, hidden_size**-0.5
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, input_size),
        "weight_hh": (rows, hidden_size),
    }
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    dtype = check_dtype(dtype)
    params = {n: rng.uniform(-bound, bound, shape).astype(dtype) for n, shape in shapes.items()}
    if bias:
        params["bias_ih"][hidden_size : 2 * hidden_size] += dtype.type(forget_bias)
    return params


def named_gradients(
    params: dict[str, Array], dweight_ih: Array, dweight_hh: Array, dbias: Array
) -> dict[str, Array]:
    """Name one cell's gradients as its parameters are named.

    (1) adds the two biases, so their gradients are equal; they are two arrays all the same, since
    a caller may scale one in place.
    """
    grads = {"weight_ih": dweight_ih, "weight_hh": dweight_hh}
    if "bias_ih" in params:
        grads |= {"bias_ih": dbias, "bias_hh": dbias.copy()}
    return grads
