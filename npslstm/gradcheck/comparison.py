"""One gradient against the differences: how far off it is, and whether that is too far.

Where every entry is taken, every entry is judged by itself, so that no small column hides beside a
large one. Along one random direction v, with entries of variance 1, an error e of the gradient
shows as |⟨e, v⟩|, which is ‖e‖ on average: so one number checks an array of any size.

Nothing of what may be asked is left to choose until a check passes. What misses the tolerance is
held to what rounding can do to it, which is measured (``rounding.py``, ``shaken.py``); and where
central differences stand in, to how far they may be off, which is measured, too
(``differences.py``). Where that is so much that no check could tell, the verdict is "undecided".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arguments import Array
from .differences import (
    EPS,
    Difference,
    Function,
    NotAnalytic,
    along,
    central_difference,
    complex_step,
    steadied,
    taylor_order,
    typical_size,
    unit,
)
from .found import UNDERFLOW, Found, norm
from .report import FAILED, NOTHING, OK, UNDECIDED, GradientRow
from .shaken import unit_of

__all__ = ["Comparison"]

ROUNDING_UNITS = 32  # each of (9)-(14) rounds up to four times, and eight such sums may line up
DIFFERENCE_UNITS = 10  # how much more than measured a central difference may be off
DIFFERENCE_TRUST = 1e-9  # relative; a closer agreement is not asked of central differences
CONFIRMING, STANDING_IN = 1e-8, 1e-10  # relative errors that need no smaller step
AMPLIFIED = 1e6  # rounding that is amplified this many times leaves a check undecided, …
VANISHING = EPS**1.5  # σ′ can be so small beside what it stands among that no move shows its loss
BLUR = 1e-3  # … or that leaves this part of a gradient in doubt, where differences stand in


@dataclass
class Comparison:
    """What all rows of one check have in common.

    Attributes
    ----------
    noise : float
        How far rounding puts the function off that is differentiated.
    rounding : function of a name
        What rounding may do to each entry of the gradient of that name.
    scale : float
        The size of the terms that the function sums; infinite where nobody asks for "undecided".
    coarse : function of a name and a unit in the last place
        As ``rounding``, for arithmetic of float32 where that was seen, or of the gradient's own
        unit if that is larger; with the unit. None where there is none but float64.
    """

    elementwise: bool
    tolerance: float
    rng: np.random.Generator
    noise: float
    rounding: Callable[[str], Array]
    scale: float = float("inf")
    coarse: Callable[[str, float], tuple[Array, float] | None] = lambda name, unit: None
    tiny: bool = False  # whether an array is so small that its products vanish in the step
    lifted: bool = True  # whether buffers hold complex numbers, or there is nothing to lift
    refusals: dict[str, list[str]] = field(default_factory=dict)  # why not complex, and for which
    differed: float = DIFFERENCE_TRUST  # largest error that they allowed in its place
    excused: list[str] = field(default_factory=list)  # rows that rounding explains
    singles: dict[str, float] = field(default_factory=dict)  # that float32 explains: error allowed
    complex: list[str] = field(default_factory=list)  # gradients with imaginary parts
    blurred: dict[str, float] = field(default_factory=dict)  # undecided: how much is amplified
    vanished: list[str] = field(default_factory=list)  # undecided: too small to be compared

    def row(
        self, name: str, function: Function, at: Array, gradient: Array, terms: Any = 0.0
    ) -> GradientRow:
        """Hold ``gradient`` to the derivative of ``function`` at ``at``.

        ``terms`` are what the entries of the gradient are sums or products of, where that is known:
        a few units in the last place of them are allowed, because what cancels leaves as much.
        """
        own = unit_of(gradient)
        is_real = not np.imag(gradient).any()
        gradient = np.real(gradient).astype(np.float64)
        direction = self.rng.standard_normal(at.shape)
        with np.errstate(all="ignore"):
            slope = float((gradient * direction).sum())
        central = self._central(function, at, direction, CONFIRMING)
        exact, differences = self._differences(name, function, at, direction, central)
        analytic = gradient.ravel() if self.elementwise else np.array([slope])
        found = Found(analytic, differences, gradient)

        tolerance = self.tolerance if exact else max(self.tolerance, DIFFERENCE_TRUST)
        missed = found.missed(tolerance)
        verdict, error = NOTHING if found.nothing else OK, found.error
        if missed.any():
            verdict, missed = self._explained(name, found, tolerance, terms, own, typical_size(at))
        if verdict in (OK, NOTHING) and self._vanishes(found, tolerance, typical_size(at)):
            verdict = UNDECIDED
            self.vanished.append(name)
        worst = int(found.off.argmax()) if found.off.size else None
        if verdict == FAILED:
            worst = found.worst(missed)
            if error <= tolerance:  # an entry is wrong that the norm hides
                error = found.relative(worst)
        if not is_real:
            verdict, error = FAILED, float("inf")
            self.complex.append(name)
        index = None
        if self.elementwise and worst is not None:
            index = tuple(int(k) for k in np.unravel_index(worst, at.shape))
            central = self._central(function, at, unit(at.shape, worst), CONFIRMING)
        numeric = 0.0 if worst is None else float(found.numeric[worst])
        order = None
        if verdict in (FAILED, UNDECIDED):
            order = taylor_order(function, at, direction, slope, self.noise)
        return GradientRow(
            name=name,
            verdict=verdict,
            analytic=0.0 if worst is None else float(found.analytic[worst]),
            complex_step=numeric if exact else None,
            central=central.value,
            error=error,
            index=index,
            order=order,
        )

    def entries(self, name: str, function: Function, at: Array) -> Array:
        """Return what the differences say of every entry."""
        direction = self.rng.standard_normal(at.shape)
        central = self._central(function, at, direction, CONFIRMING)
        each = replace(self, elementwise=True, refusals={})
        _, differences = each._differences(name, function, at, direction, central)
        return np.array([difference.value for difference in differences]).reshape(at.shape)

    def _central(
        self, function: Function, at: Array, direction: Array, enough: float
    ) -> Difference:
        value = along(function, at, direction)
        return central_difference(value, typical_size(at), self.noise, self.scale, enough)

    def _differences(
        self, name: str, function: Function, at: Array, direction: Array, central: Difference
    ) -> tuple[bool, list[Difference]]:
        """Return whether the complex step applies, and the derivatives to hold the gradient to."""
        directions = [direction]
        if self.elementwise:
            directions = [unit(at.shape, k) for k in range(at.size)]
        try:
            exact = complex_step(function, at, direction)
            if self._apart(exact, central) > 0:
                central = steadied(
                    central, along(function, at, direction), typical_size(at), self.noise
                )
                if self._apart(exact, central) > ROUNDING_UNITS * norm(self.rounding(name)):
                    raise NotAnalytic("it disagrees with central differences: abs or .real?")
            return True, [Difference(complex_step(function, at, v), 0.0) for v in directions]
        except NotAnalytic as reason:
            self.refusals.setdefault(str(reason), []).append(name)
            return False, [self._standing_in(function, at, v) for v in directions]

    def _standing_in(self, function: Function, at: Array, direction: Array) -> Difference:
        central = self._central(function, at, direction, STANDING_IN)
        return steadied(central, along(function, at, direction), typical_size(at), self.noise)

    def _apart(self, exact: float, central: Difference) -> float:
        """Return how far central differences contradict the complex step, beyond their error."""
        trusted = DIFFERENCE_UNITS * central.error + DIFFERENCE_TRUST * abs(exact)
        return abs(exact - central.value) - trusted

    def _explained(
        self, name: str, found: Found, tolerance: float, terms: Any, own: float, at: float
    ) -> tuple[str, Array]:
        """Judge what misses the tolerance: does rounding explain it? Return what it does not."""
        terms = np.broadcast_to(terms, found.gradient.shape)
        known = DIFFERENCE_UNITS * found.doubt
        known = known + 4 * EPS * (terms.ravel() if found.each else norm(terms))
        coarse = self.coarse(name, own)
        vanishing = VANISHING * self.scale / _part(at)
        vanishing = vanishing if np.isfinite(self.scale) else 0.0
        for rounding in [self.rounding(name), *([coarse[0]] if coarse else [])]:
            moved = np.ravel(rounding) if found.each else norm(rounding)
            allowed = known + ROUNDING_UNITS * moved + vanishing
            missed = found.missed(tolerance, allowed)
            if not missed.any():
                break
        else:
            return FAILED, missed
        seen = coarse[1] if coarse else EPS
        total = norm(allowed)
        share = total / found.size if found.size else 0.0
        stands_in = bool(found.doubt.any())
        blur = BLUR if coarse or stands_in else ROUNDING_UNITS * AMPLIFIED * EPS
        if share > blur and total * at > AMPLIFIED * seen * self.scale:
            self.blurred[name] = min(share / ROUNDING_UNITS, 1.0) / seen
            return UNDECIDED, missed
        if coarse:
            self.singles[name] = share
        if stands_in:
            self.differed = max(self.differed, share)
        elif found.error > self.tolerance and not coarse:
            self.excused.append(name)
        return OK, missed

    def _vanishes(self, found: Found, tolerance: float, at: float) -> bool:
        """Whether too small numbers were not compared, and are not small beside what is summed."""
        small = self.tiny or UNDERFLOW * _part(at) > VANISHING * self.scale
        return small and bool(found.unseen(tolerance).any())

    def notes(self) -> list[str]:
        """Say, and warn, what a reader should know of the rows."""
        notes = []
        for reason, names in self.refusals.items():
            notes.append(
                f"{', '.join(names)}: the complex step does not apply, and central differences "
                f"stand in, to {self.differed:.0e} in place of {self.tolerance}; {reason}"
            )
            if "drops the imaginary part" in reason and not self.lifted:
                notes[-1] += "; lift=True (--lift in the command) lets it hold complex numbers"
            warnings.warn(notes[-1], stacklevel=4)
        if self.singles:
            notes.append(
                f"{', '.join(self.singles)}: float32 was seen, which allows an error of "
                f"{max(self.singles.values()):.1e}; code that computes in the dtype of its "
                "arguments is checked exactly"
            )
        if self.excused:
            notes.append(
                f"{', '.join(self.excused)}: off by more than {self.tolerance} of itself, but by "
                "no more than rounding, as when gates are saturated or terms cancel"
            )
        if self.blurred:
            notes.append(
                f"{', '.join(self.blurred)}: rounding is amplified "
                f"{max(self.blurred.values()):.0e} times on the way to the gradient, so that no "
                "check could tell; fewer steps or smaller weights amplify it less"
            )
        if self.vanished:
            notes.append(
                f"{', '.join(self.vanished)}: numbers below {UNDERFLOW:.0e} are too small to be "
                "compared; scale the input or the outputs up"
            )
        if self.complex:
            notes.append(f"{', '.join(self.complex)}: the gradient has imaginary parts")
        return notes


def _part(at: float) -> float:
    """Return how far an array of this size can be moved, at most 1."""
    return float(np.clip(at, 1e-8, 1))
