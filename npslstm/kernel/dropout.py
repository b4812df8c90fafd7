"""Dropout between layers: masks drawn once for a whole call, and kept so that backward uses them.

    y = x ⊙ mask,   mask = 0 with probability p, else 1/(1 - p)

The scale keeps the mean of y that of x (Srivastava et al. 2014, in its inverted form).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Array, check_array

__all__ = ["check_masks", "draw_masks"]


def draw_masks(
    rng: Any, p: float, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Array, ...]:
    """Draw ``count`` masks, or none where there is no generator or nothing to drop."""
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(
            "rng: expected a numpy.random.Generator (an int would repeat its dropout mask at "
            f"every call), given {type(rng).__name__}"
        )
    if rng is None or not p:
        return ()
    scale = dtype.type(0).real.dtype.type(1 / (1 - p))
    return tuple((rng.random(shape, np.float32) >= p) * scale for _ in range(count))


def check_masks(
    masks: Any, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Array, ...]:
    """Return copies of ``count`` masks, or of none, that a caller gave."""
    several = isinstance(masks, tuple | list | np.ndarray)
    if not several or len(masks) not in (0, count):
        given = len(masks) if several else type(masks).__name__
        raise ValueError(f"dropout_masks: expected {count} arrays, given {given}")
    for k, mask in enumerate(masks):
        check_array(f"dropout_masks[{k}]", mask, shape, dtype)
    return tuple(mask.copy() for mask in masks)
