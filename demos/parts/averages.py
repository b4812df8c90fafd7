"""The average of what spans orders of magnitude: ``gradient_flow.py`` and ``beyond.py``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["geometric_mean"]


def geometric_mean(values: np.ndarray | Sequence[np.ndarray], axis: int = 0) -> np.ndarray:
    """Average the orders of magnitude: an arithmetic mean would show the largest value alone.

    What underflowed counts as the smallest float.
    """
    return np.exp(np.log(np.maximum(values, np.finfo(float).tiny)).mean(axis))
