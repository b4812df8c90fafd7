"""What a block works in: its memory, and the views that its steps need, taken once for a shape.

Taking the views anew at every step would cost a sixth of a forward pass of one row and 32 units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cells.base import Kind
from .memory import Scratch
from .products import split_rows, whole_vectors

__all__ = ["BackwardScratch", "ForwardScratch"]


class ForwardScratch(Scratch):
    """Memory of a block's forward pass, and its views, step by step."""

    def __init__(
        self, kind: Kind, steps: int, n: int, features: int, hidden: int, output: int, dtype: Any
    ) -> None:
        super().__init__()
        # column[t] = x_t, 1, h_{t-1}: step t writes its h into column t + 1.
        self.column = self.empty((steps + 1, features + 1 + output, n), dtype)
        self.column[:, features] = 1
        self.h = self.column[:, features + 1 :]
        self.run = kind.run(steps, hidden, n, lambda shape: self.empty(shape, dtype))
        self.m = self.h[1:] if output == hidden else self.empty((steps, hidden, n), dtype)
        self.split = split_rows(len(kind.inputs) * hidden, features + 1 + output, n)
        self.split_project = split_rows(output, hidden, n)
        places = self.run.places
        products = self.run.products.reshape(places, *self.split, n)
        projected = self.h.reshape(steps + 1, *self.split_project, n)
        moves = [
            (
                self.column[t],
                products[t % places],
                self.run.arguments(t, self.h[t], self.m[t]),
            )
            for t in range(steps)
        ]
        self.projections = list(zip(self.m, projected[1:], strict=True))
        self.pieces = [
            (slice(t, t + places), moves[t : t + places]) for t in range(0, steps, places)
        ]


class BackwardScratch(Scratch):
    """Memory of a block's backward pass, and its views step by step, the last step first."""

    def __init__(
        self, kind: Kind, steps: int, n: int, features: int, hidden: int, output: int, dtype: Any
    ) -> None:
        super().__init__()
        many, by_dc = len(kind.inputs) * hidden, kind.by_dc
        self.d = self.empty(
            (steps, len(kind.local), hidden, n), dtype
        )  # LSTM: dc_prev, da_i, …, dc
        self.da = self.d[:, kind.da].reshape(steps, many, n)
        self.dout = self.empty((steps, output, n), dtype)
        # For a projection: dh of each step, as it was.
        self.dhs = self.empty((steps if output != hidden else 0, output, n), dtype)
        self.dh = self.empty((output, n), dtype)
        self.dm = self.dh if output == hidden else self.empty((hidden, n), dtype)
        self.split = split_rows(output, many, n)
        self.product = self.dh.reshape(*self.split, n)
        self.split_project = split_rows(hidden, output, n)
        self.product_project = self.dm.reshape(*self.split_project, n)
        self.moves = [
            (
                self.dout[t],
                (self.d[t, by_dc:], self.d[t, -1], self.d[t, :by_dc], self.d[t, 0]),
                self.da[t],
                self.d[t, -1] if output == hidden else self.dhs[t],
            )
            for t in reversed(range(steps))
        ]
        # For dx: the same, of all steps in one call.
        self.dx = self.empty((steps, features, n), dtype)
        self.split_dx = split_rows(features, many, n)
        self.products_dx = self.dx.reshape(steps, *self.split_dx, n)
        self.da_dx = np.expand_dims(self.da, tuple(range(1, len(self.split_dx))))
        # For the weight gradient: da of all steps side by side, and rows x_t, 1, h_{t-1}, which
        # zeros fill up to whole vectors.
        self.da_columns = self.empty((many, steps, n), dtype)
        width = whole_vectors(features + 1 + output)
        self.rows = self.empty((steps * n, width), dtype)
        self.rows[:, features] = 1
        self.rows[:, features + 1 + output :] = 0
        self.split_dw = split_rows(many, *self.rows.shape)
        self.product_dw = self.empty((*self.split_dw, width), dtype)
