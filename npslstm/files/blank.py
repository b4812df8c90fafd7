"""Arrays that have a shape and no memory: to compare with before anything is allocated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arguments import Array

__all__ = ["Blank", "blank"]


def blank(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return an array whose entries are all the same number in memory, a zero."""
    one = np.zeros(1, dtype)
    return np.lib.stride_tricks.as_strided(one, shape, [0] * len(shape))


class Blank(np.random.Generator):
    """A generator for models that are not to be filled: what it draws is :func:`blank`.

    ``LSTMModel(**config, rng=Blank()).params`` has the names, shapes and dtypes that the
    configuration implies, in a few bytes for each array.
    """

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Return what has the shape ``size``, and gets its dtype by ``astype``."""
        return _Shape(size)


class _Shape:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def astype(self, dtype: DTypeLike) -> Array:
        return blank(self.shape, dtype)
