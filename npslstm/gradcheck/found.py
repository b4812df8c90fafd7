"""What two ways to a derivative gave, side by side, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arguments import Array
from .differences import COMPLEX_STEP, Difference

__all__ = ["Found", "norm"]

UNDERFLOW = float(np.finfo(np.float64).tiny) / COMPLEX_STEP  # less than this vanishes in the step


@dataclass(frozen=True)
class Found:
    """A gradient and its differences: entry by entry, or one number along a direction.

    Attributes
    ----------
    analytic : ndarray, flat
        What the code under test says.
    differences : list of Difference
        What the differences say, and how far off they may be.
    gradient : ndarray
        The whole gradient, also where only a direction of it is looked at.
    """

    analytic: Array
    differences: list[Difference]
    gradient: Array

    @property
    def each(self) -> bool:
        """Whether every entry is taken."""
        return self.analytic.size == self.gradient.size

    @cached_property
    def numeric(self) -> Array:
        """What the differences say."""
        return np.array([difference.value for difference in self.differences])

    @cached_property
    def doubt(self) -> Array:
        """How far off the differences may be."""
        return np.array([difference.error for difference in self.differences])

    @cached_property
    def off(self) -> Array:
        """How far apart the two are, entry by entry."""
        with np.errstate(all="ignore"):
            return np.abs(self.analytic - self.numeric)

    @property
    def finite(self) -> bool:
        """Whether all that was compared are numbers."""
        return bool(np.isfinite(self.off).all() and np.isfinite(self.gradient).all())

    @property
    def size(self) -> float:
        """The norm of the larger side."""
        return max(norm(self.gradient), norm(self.numeric))

    @property
    def nothing(self) -> bool:
        """Whether both sides are 0 everywhere."""
        return self.finite and self.size <= UNDERFLOW

    @property
    def error(self) -> float:
        """The norm-wise relative error; infinite where something is no number."""
        if not self.finite:
            return float("inf")
        if self.nothing:
            return 0.0
        largest = max(float(np.max(np.abs(a))) for a in (self.gradient, self.numeric))
        sides = max(norm(self.gradient / largest), norm(self.numeric / largest))
        return norm(self.off / largest) / sides  # sizes near the largest number would overflow

    def missed(self, tolerance: float, allowed: Array | float = 0.0) -> Array:
        """Say which entries are off by more than both."""
        each = np.abs(self.numeric) if self.each else self.size
        limit = np.maximum(tolerance * each + UNDERFLOW, allowed)
        return ~(np.isfinite(self.off) & (self.off <= limit)) | (not self.finite)

    def unseen(self, tolerance: float) -> Array:
        """Say which entries are off by more than ``tolerance``, but too small for the step."""
        each = np.abs(self.numeric) if self.each else self.size
        return (self.off > tolerance * each) & (self.off <= UNDERFLOW)

    def worst(self, among: Array) -> int:
        """Return the entry that is off the most among some."""
        return int(np.where(among, self.off, -1.0).argmax())

    def relative(self, k: int) -> float:
        """Return the relative error of one entry."""
        return float(self.off[k] / max(abs(self.analytic[k]), abs(self.numeric[k])))


def norm(array: Array) -> float:
    """Return ‖array‖ where the squares may overflow or vanish."""
    largest = float(np.max(np.abs(array), initial=0))
    if not largest or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(np.ravel(array) / largest))
