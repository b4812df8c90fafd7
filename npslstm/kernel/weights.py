"""One layer's state, parameters and gradients as the kernel likes them.

Shapes: D features, H units, P numbers in h (H, or those of the projection), B pre-activations a
unit: 4 in the LSTM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..cells.base import Kind
from .memory import empty
from .products import transposed

__all__ = ["Gradients", "State", "Weights"]


class State(NamedTuple):
    """What a step hands to the next; c is None in kinds without a cell state."""

    h: Array  # (P, n)
    c: Array | None  # (H, n)

    def map(self, function: Callable[[Array], Array]) -> State:
        """Apply a function to each."""
        return State(function(self.h), None if self.c is None else function(self.c))

    def rows(self, n0: int, n1: int) -> State:
        """View some rows."""
        return State(self.h[:, n0:n1], None if self.c is None else self.c[:, n0:n1])

    def copy(self) -> State:
        """Copy both."""
        return self.map(lambda array: array.copy())

    def put(self, other: State) -> None:
        """Write another state into this one's memory."""
        self.h[...] = other.h
        if self.c is not None and other.c is not None:
            self.c[...] = other.c


class Weights:
    """One layer's parameters as the kernel likes them.

    Attributes
    ----------
    stacked : ndarray, shape (B·H, D + 1 + P)
        Of :meth:`for_forward`: [W_ih  b  W_hh], its blocks ordered and scaled as the kind likes.
    weight_ih_t, weight_hh_t : ndarray, shapes (D, B·H), (P, B·H)
        Of :meth:`for_backward`: transposed and contiguous, neither ordered nor scaled.
    project : ndarray, shape (P, H), or None
        The projection; of :meth:`for_backward` it is transposed, too.
    """

    stacked: Array
    weight_ih_t: Array
    weight_hh_t: Array

    def __init__(self, kind: Kind, params: Mapping[str, Array]) -> None:
        self.kind = kind
        self.weight_ih, self.bias, self.weight_hh = kind.matrices(params)
        self.extra = [params[name][:, None] for name in kind.extra]
        self.project = params.get("weight_hr")
        self.features, self.output = self.weight_ih.shape[1], self.weight_hh.shape[1]
        self.hidden = len(self.weight_hh) // len(kind.inputs)
        self.dtype = np.result_type(*params.values())

    @classmethod
    def for_forward(cls, kind: Kind, params: Mapping[str, Array]) -> Weights:
        """Lay the parameters out for :func:`block_forward`."""
        self = cls(kind, params)
        features, hidden, blocks = self.features, self.hidden, len(kind.inputs)
        stacked = empty((blocks, hidden, features + 1 + self.output), self.dtype)
        bias = 0 if self.bias is None else self.bias.reshape(blocks, hidden)
        stacked[kind.positions, :, :features] = self.weight_ih.reshape(blocks, hidden, -1)
        stacked[kind.positions, :, features] = bias
        stacked[kind.positions, :, features + 1 :] = self.weight_hh.reshape(blocks, hidden, -1)
        if kind.scale is not None:
            stacked *= kind.scale.astype(self.dtype)
        self.stacked = stacked.reshape(blocks * hidden, -1)
        return self

    @classmethod
    def for_backward(cls, kind: Kind, params: Mapping[str, Array]) -> Weights:
        """Lay the parameters out for :func:`block_backward`."""
        self = cls(kind, params)
        self.weight_ih_t, self.weight_hh_t = transposed(self.weight_ih), transposed(self.weight_hh)
        if self.project is not None:
            self.project = transposed(self.project)
        return self


class Gradients(NamedTuple):
    """Sums over blocks: the gradients of one layer's parameters, as the kernel sees them."""

    weights: Array  # (B·H, D + 1 + P), of [W_ih  b  W_hh]
    extra: list[Array]  # (H,) each
    project: Array | None  # (P, H)

    @classmethod
    def zeros(cls, weights: Weights, dtype: Any) -> Gradients:
        """Begin with nothing."""
        blocks, columns = len(weights.weight_hh), weights.features + 1 + weights.output
        stacked = empty((blocks, columns), dtype)
        stacked[...] = 0
        extra = [np.zeros(weights.hidden, dtype) for _ in weights.extra]
        shape = weights.output, weights.hidden
        project = None if weights.project is None else np.zeros(shape, dtype)
        return cls(stacked, extra, project)

    def named(self, weights: Weights) -> dict[str, Array]:
        """Return them under the names of the parameters, each contiguous."""
        features = weights.features
        parts = (
            self.weights[:, :features],
            self.weights[:, features],
            self.weights[:, features + 1 :],
        )
        named = weights.kind.named_gradients(*(np.ascontiguousarray(part) for part in parts))
        named |= dict(zip(weights.kind.extra, self.extra, strict=True))
        return named if self.project is None else named | {"weight_hr": self.project}
