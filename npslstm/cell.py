"""One step with its parameters: the textbook, and the specification of everything faster.

Shapes: x ``(N, D)``, h and c ``(N, H)``, pre-activations a ``(N, 4H)``; N may be missing.

    (1)  a       = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh
         (2)-(18): gates.py
    (19) dh_prev = da W_hh,  dx = da W_ih,  dW_hh = daᵀ h_prev,  dW_ih = daᵀ x,  db = Σ_rows da

With a projection (8) gives m, and h = W_hr m: then dm stands for dh in (15) and (16)::

    (19) dm = dh W_hr,  dW_hr = dhᵀ m

:func:`step_forward` and :func:`step_backward` take a step of any kind of cell and give all that its
equations name; :class:`LSTMCell` is a step with parameters of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_cache, check_pair, check_size, generator
from .cells import Kind, variant_named
from .cells.initial import initial_params
from .parameters import Layer, Parameters

__all__ = ["CellCache", "LSTMCell", "LSTMState", "pre_activations", "step_backward", "step_forward"]


class LSTMState(NamedTuple):
    """The two states of an LSTM: hidden h and cell c, of the same shape."""

    h: Array
    c: Array


def pre_activations(
    kind: Kind, params: Mapping[str, Array], x: Array, h_prev: Array
) -> list[Array]:
    """Return the pre-activations of a step, (1): ``(N, H)`` for each input of the kind."""
    weight_ih, bias, weight_hh = kind.matrices(params)
    a = x @ weight_ih.T + h_prev @ weight_hh.T  # (1)
    if bias is not None:
        a = a + bias
    return np.split(a, len(kind.inputs), axis=-1)


def step_forward(
    kind: Kind, params: Mapping[str, Array], x: Array, h_prev: Array, c_prev: Array | None
) -> tuple[dict[str, Array], tuple[Array, ...]]:
    """Take one step, (1)-(8); return all that it computes, by name, and its slopes, (9)-(14)."""
    inputs = pre_activations(kind, params, x, h_prev)  # (1)
    before = h_prev if c_prev is None else c_prev
    extra = [params[name] for name in kind.extra]
    step = kind.forward(*inputs, before, *extra)  # (2)-(8)
    named = dict(zip(kind.names, step, strict=True))
    if "weight_hr" in params:
        named["m"] = named["h"]
        named["h"] = named["m"] @ params["weight_hr"].T  # a projection, h = W_hr m
    return named, tuple(kind.derivatives(step, before, *extra))  # (9)-(14)


def step_backward(
    kind: Kind,
    params: Mapping[str, Array],
    inputs: tuple[Array, Array, Array | None],
    step: Mapping[str, Array],
    local: Sequence[Array],
    dh: Array,
    dc_in: Array | None,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Invert :func:`step_forward`, which took ``inputs`` = x, h_prev, c_prev and gave the rest.

    Returns every gradient of the step by name, dx, dh_prev and dc_prev among them, and those of
    the parameters.
    """
    weight_ih, _, weight_hh = kind.matrices(params)
    x, h_prev, c_prev = inputs
    dm = dh @ params["weight_hr"] if "weight_hr" in params else dh
    gradients = kind.backward(local, dm, dc_in)  # (15)-(18)
    das = [gradients[f"da_{name}"] for name in kind.inputs]
    da = np.concatenate(das, axis=-1)  # (N, 4H)
    gradients["dx"] = da @ weight_ih  # (19)
    gradients["dh_prev"] = da @ weight_hh + gradients.get("dh_prev", 0)  # (19)

    rows = np.atleast_2d(da)
    dweight_ih, dweight_hh = rows.T @ np.atleast_2d(x), rows.T @ np.atleast_2d(h_prev)  # (19)
    grads = kind.named_gradients(dweight_ih, rows.sum(axis=0), dweight_hh)  # (19)
    if kind.extra and c_prev is not None:
        for name, term in zip(
            kind.extra, kind.extra_gradients(das, c_prev, step["c"]), strict=True
        ):
            grads[name] = np.atleast_2d(term).sum(axis=0)
    if "weight_hr" in params:
        grads["weight_hr"] = np.atleast_2d(dh).T @ np.atleast_2d(step["m"])
    return gradients, {name: grads[name] for name in params}


class Made(NamedTuple):
    """What a cache and the cell that is to invert it have in common."""

    variant: str
    input_size: int
    hidden_size: int
    bias: bool
    dtype: np.dtype[Any]


class CellCache(NamedTuple):
    """What one step's backward needs; nothing in it is ever written to again."""

    made_by: Made
    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    c_prev: Array  # (N, H)
    c: Array  # (N, H)
    local: tuple[Array, ...]  # (N, H) each; of the standard cell (9)-(14)

    def __repr__(self) -> str:
        made = ", ".join(f"{name}={value}" for name, value in self.made_by._asdict().items())
        return f"<cache of {made}>"


class LSTMCell(Layer):
    """A single LSTM step, as ``torch.nn.LSTMCell``.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, both at least 1.
    bias : bool
        Whether to have ``bias_ih`` and ``bias_hh``.
    variant : str
        The kind of cell: "standard", or another of ``npslstm.cells.VARIANTS``.
    forget_bias : float
        Added to the forget gate's slice of ``bias_ih`` (1.0 is the usual choice: Gers et al. 2000,
        Jozefowicz et al. 2015).
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√H, 1/√H); None draws different ones each time.

    Attributes
    ----------
    params : Parameters
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
        variant: str = "standard",
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.bias = bool(bias)
        self.variant, self.kind = variant, variant_named(variant)
        params = initial_params(
            *(self.kind, self.input_size, self.hidden_size, self.bias, forget_bias),
            *(dtype, generator(rng)),
        )
        self.params = Parameters(params)

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
        batch = np.shape(x)[:-1] if np.ndim(x) == 1 else ("N",)
        check_array("x", x, (*batch, self.input_size), self.dtype)
        shape = (*x.shape[:-1], self.hidden_size)
        h_prev, c_prev = check_pair("state", state, [shape, shape], self.dtype)
        step, local = step_forward(self.kind, self.params, x, h_prev, c_prev)
        h, c = step["h"], step["c"]
        cache = CellCache(self._made_of(), x.copy(), h_prev.copy(), c_prev.copy(), c.copy(), local)
        return LSTMState(h, c), cache

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
        check_cache(cache, CellCache, self._made_of())
        _, x, h_prev, c_prev, c, local = cache
        dh, dc = check_pair("dstate", dstate, [h_prev.shape, h_prev.shape], self.dtype)
        step, grads = step_backward(
            self.kind, self.params, (x, h_prev, c_prev), {"c": c}, local, dh, dc
        )
        return step["dx"], LSTMState(step["dh_prev"], step["dc_prev"]), grads

    def _made_of(self) -> Made:
        """Say what a cache must have in common with the cell that is to invert it."""
        return Made(self.variant, self.input_size, self.hidden_size, self.bias, self.dtype)
