"""One gradient against the differences: how far off it is, and whether that is too far.

Errors are norm-wise, ‖analytic - numeric‖ / ‖numeric‖ over one array. Two remarks on what may be
asked of it in float64, of which nothing is ever left to choose until a check passes:

* Along one random direction v, with entries of variance 1, an error e of the gradient shows as
  |⟨e, v⟩|, which is ‖e‖ on average. So one number checks an array of any size.
* Where gates are saturated, a gradient cannot be more accurate than σ(1 - σ) and 1 - tanh² are, and
  that is measured (``rounding.py``) for a row that misses the tolerance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..arguments import Array
from .differences import (
    EPS,
    Function,
    NotAnalytic,
    central_difference,
    complex_step,
    entries,
    taylor_order,
    unit,
)
from .report import GradientRow

__all__ = ["Comparison"]

CENTRAL_TOLERANCE = 1e-5  # what central differences can be trusted with
ROUNDING_UNITS = 32  # each of (9)-(14) rounds up to four times, and eight such sums may line up


@dataclass
class Comparison:
    """What all rows of one check have in common."""

    elementwise: bool
    tolerance: float
    rng: np.random.Generator
    noise: float  # rounding error of the function that is differentiated
    rounding: Callable[[str], float]  # norm of what rounding may do to the gradient of this name
    refusals: dict[str, list[str]] = field(default_factory=dict)  # why not complex, and for which
    excused: list[str] = field(default_factory=list)  # rows that rounding explains

    def row(
        self, name: str, function: Function, at: Array, gradient: Array, terms: float
    ) -> GradientRow:
        """Hold ``gradient`` to the derivative of ``function`` at ``at``.

        ``terms`` is the norm of what the gradient is a sum or a product of: a few units in the last
        place of that are allowed in any case, because what cancels leaves as much.
        """
        direction = self.rng.standard_normal(at.shape)
        slope = float((gradient * direction).sum())
        central, step = central_difference(function, at, direction)
        central_noise = 10 * self.noise / step
        exact, along = self._choose(name, function, at, direction, central, central_noise)
        order = taylor_order(function, at, direction, slope, self.noise)

        index = None
        analytic, numeric = np.array([slope]), np.array([along])
        if self.elementwise:
            take = complex_step if exact else _central
            analytic, numeric = gradient.ravel(), entries(take, function, at)
        off = np.abs(analytic - numeric)
        worst = int(off.argmax()) if off.size else None
        if self.elementwise and worst is not None:
            index = tuple(int(k) for k in np.unravel_index(worst, at.shape))
            central = _central(function, at, unit(at.shape, worst))

        distance = float(np.linalg.norm(off))
        size = max(float(np.linalg.norm(gradient)), float(np.linalg.norm(numeric)))
        passed = distance <= self.tolerance * size
        if not exact:
            passed = distance <= CENTRAL_TOLERANCE * size + central_noise * off.size**0.5
        elif not passed:
            allowed = max(4 * EPS * terms, ROUNDING_UNITS * self.rounding(name))
            if passed := distance <= allowed:
                self.excused.append(name)
        at_worst = (0.0, 0.0) if worst is None else (float(analytic[worst]), float(numeric[worst]))
        return GradientRow(
            name=name,
            passed=passed,
            analytic=at_worst[0],
            complex_step=at_worst[1] if exact else None,
            central=central,
            error=distance / size if size else distance,
            index=index,
            order=order,
        )

    def notes(self) -> list[str]:
        """Say, and warn, what a reader should know of the rows."""
        notes = []
        for reason, names in self.refusals.items():
            notes.append(
                f"{', '.join(names)}: the complex step does not apply, and central differences "
                f"stand in, to {CENTRAL_TOLERANCE} in place of {self.tolerance}; {reason}"
            )
            warnings.warn(notes[-1], stacklevel=4)
        if self.excused:
            notes.append(
                f"{', '.join(self.excused)}: off by more than {self.tolerance} of itself, but by "
                "no more than rounding, as when gates are saturated or terms cancel"
            )
        return notes

    def _choose(
        self,
        name: str,
        function: Function,
        at: Array,
        direction: Array,
        central: float,
        noise: float,
    ) -> tuple[bool, float]:
        """Return whether the complex step applies, and the derivative along ``direction``."""
        try:
            along = complex_step(function, at, direction)
            apart = abs(along - central)
            if not apart <= 1e-4 * max(abs(along), abs(central)) + noise:
                # Central differences of half the step say how wrong they may be themselves: their
                # truncation error falls to a quarter.
                half = 2 * _central(function, at, direction / 2)
                if not apart <= 4 * abs(central - half) + noise:
                    raise NotAnalytic("it disagrees with central differences: abs or .real?")
        except NotAnalytic as reason:
            self.refusals.setdefault(str(reason), []).append(name)
            return False, central
        return True, along


def _central(function: Function, at: Array, direction: Array) -> float:
    return central_difference(function, at, direction)[0]
