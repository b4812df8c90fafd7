"""The affine map that turns hidden states into logits.

Shapes: x ``(..., F)``, y ``(..., K)``, weight W ``(K, F)``, bias b ``(K,)``. The leading axes of x
are any, none or empty; each position in them is one row.

Forward and backward, with dz short for ∂loss/∂z::

    (L1)  y  = x Wᵀ + b
    (L2)  dx = dy W
    (L3)  dW = Σ_rows dyᵀ x
    (L4)  db = Σ_rows dy
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .arguments import (
    Array,
    as_array,
    check_array,
    check_cache_type,
    check_pair,
    check_size,
    generator,
)
from .parameters import Layer, Parameters, draw

__all__ = ["Linear", "LinearCache", "Readout"]


class LinearCache(NamedTuple):
    """What backward needs; nothing in it is ever written to again."""

    x: Array  # (..., F)

    def __repr__(self) -> str:
        return f"<cache of x{self.x.shape}, dtype={self.x.dtype}>"


class Linear(Layer):
    """An affine map y = x Wᵀ + b, as ``torch.nn.Linear``.

    Parameters
    ----------
    in_features, out_features : int
        F and K, both at least 1.
    bias : bool
        Whether to add b.
    dtype : dtype
        Of the parameters: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√F, 1/√F); None draws different ones each time.

    Attributes
    ----------
    params : Parameters
        ``weight (K, F)`` and, with a bias, ``bias (K,)``.

    Examples
    --------
    >>> head = Linear(3, 2, rng=0)
    >>> y, cache = head.forward(np.ones((5, 3), np.float32))
    >>> dx, grads = head.backward(cache, np.ones_like(y))
    >>> y.shape, dx.shape, grads["bias"]
    ((5, 2), (5, 3), array([5., 5.], dtype=float32))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.in_features = check_size("in_features", in_features)
        self.out_features = check_size("out_features", out_features)
        self.bias = bool(bias)
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, self.in_features)}
        if bias:
            shapes |= {"bias": (self.out_features,)}
        self.params = Parameters(draw(shapes, self.in_features, dtype, generator(rng)))

    def __call__(self, x: Array) -> Array:
        """Map x (..., F) to y (..., K), for inference: no cache."""
        return self.forward(x)[0]

    def forward(self, x: Array) -> tuple[Array, LinearCache]:
        """Map x (..., F) to y (..., K).

        Raises
        ------
        ValueError
            If the last axis of x is not F long.
        TypeError
            If x and the parameters do not share a dtype (complex128 and float64 may mix).
        """
        weight = self.params["weight"]
        check_array("x", x, (*np.shape(x)[:-1], self.in_features), weight.dtype)
        y = _rows(x) @ weight.T  # (L1), all rows in one product
        if "bias" in self.params:
            y = y + self.params["bias"]
        return y.reshape(*x.shape[:-1], self.out_features), LinearCache(x.copy())

    def backward(self, cache: LinearCache, dy: Array) -> tuple[Array, dict[str, Array]]:
        """Return dx (..., F) and the gradients of the parameters, given dy (..., K).

        Raises
        ------
        ValueError, TypeError
            If dy has not the shape and dtype of y.
        """
        weight = self.params["weight"]
        check_cache_type(cache, LinearCache)
        shape = (*np.shape(cache.x)[:-1], self.in_features)
        check_array("x of the cache", cache.x, shape, weight.dtype)
        check_array("dy", dy, (*cache.x.shape[:-1], self.out_features), weight.dtype)
        dy_rows = _rows(dy)  # (rows, K)
        grads = {"weight": dy_rows.T @ _rows(cache.x)}  # (L3)
        if "bias" in self.params:
            grads["bias"] = dy_rows.sum(axis=0)  # (L4)
        return (dy_rows @ weight).reshape(cache.x.shape), grads  # (L2)


class Readout:
    """What a model's head reads of the layers below it, and the way back.

    Attributes
    ----------
    readout : {"last", "all"}
        The top layer's h_n, both directions side by side, or its output at every step.
    lstm : LSTM, GRU or RNN
    """

    readout: str
    lstm: Any

    @property
    def batch_first(self) -> bool:
        """The layers' own, and set there."""
        return self.lstm.batch_first

    @batch_first.setter
    def batch_first(self, first: bool) -> None:
        self.lstm.batch_first = first

    def read(self, out: Array, state_n: Any) -> Array:
        """Return what the head reads: (..., directions·H)."""
        if self.readout == "all":
            return out
        h_n = state_n[0] if self.lstm.kind.has_c else state_n
        return np.concatenate(list(h_n[-self.lstm.directions :]), axis=-1)

    def check_readout(self, cache: Any) -> None:
        """Demand the cache of a model with this readout: it says what its head read."""
        given = "all" if cache.head.x.ndim > len(cache.lstm.layout.axes) else "last"
        if given != self.readout:
            raise ValueError(
                f'cache: expected that of a model with readout="{self.readout}", given '
                f'readout="{given}"; a cache is for the backward of the model whose forward made it'
            )

    def check_layout(self, y: Any, x: Array) -> None:
        """Say so where y does not fit the batch x, and would if one lay in the other layout."""
        if x.ndim != 3:
            return
        if self.readout == "all":
            expected, other = x.shape[:2], x.shape[1::-1]
            remedy = "they lie in the other layout: use y.swapaxes(0, 1)"
        else:
            first = self.batch_first
            expected, other = (x.shape[not first],), (x.shape[first],)
            read = "(N, T, D)" if first else "(T, N, D)"
            remedy = f"x {x.shape} is read as {read}: with batch_first={not first} they would fit"
        y = as_array("y", y)
        labels = np.issubdtype(y.dtype, np.integer)  # and targets have an axis more
        given = y.shape if labels else y.shape[: len(expected)]
        if given != expected and given == other:
            name = "labels" if labels else "target"
            shape = expected if labels else (*expected, "K")
            raise ValueError(f"{name}: expected shape {shape}, given {y.shape}; {remedy}")

    def loss_options(self, cache: Any, lengths: Any) -> dict[str, Array]:
        """Return the mask for a loss: which steps lie within their row, where that is a matter."""
        if self.readout == "last" or lengths is None:
            return {}
        return {"mask": cache.lstm.layout.valid_steps()}

    def read_backward(self, cache: Any, dread: Array, dstate: Any) -> tuple[Array | None, Any]:
        """Hand the gradient of what the head read to the layers below it.

        Returns dout and dstate of the LSTM: with readout "last" the top layer's dh_n is the
        caller's and the head's together.
        """
        if self.readout == "all":
            return dread, dstate
        h_alone, directions = not self.lstm.kind.has_c, self.lstm.directions
        shape = cache.layout.state_shape(self.lstm.num_layers * directions, self.lstm.hidden_size)
        pair = [dstate] if h_alone else dstate
        dh_n, *dc_n = check_pair(
            "dstate", pair, [shape] * (2 - h_alone), dread.dtype, "hc"[: 2 - h_alone]
        )
        dh_n = dh_n.astype(np.result_type(dh_n, dread))
        dh_n[-directions:] += np.stack(np.split(dread, directions, axis=-1))
        return None, dh_n if h_alone else (dh_n, *dc_n)


def _rows(array: Array) -> Array:
    """View (or copy, where the layout needs it) as (rows, features)."""
    return array.reshape(-1, array.shape[-1])
