"""Derivatives without calculus, to hold the calculus to.

For analytic F, Im F(p + i·s·v)/s is the derivative of F along v at p; nothing is subtracted, so s
may be 10⁻³⁰ and the derivative is as accurate as F itself (Squire & Trapp 1998; Martins, Sturdza &
Alonso 2003). Central differences, (F(p + sv) - F(p - sv))/2s, need no more than a real F, but lose
digits to that subtraction: the smaller s, the more. So they are taken at several steps, each half
of the one before, and extrapolated to s = 0 (Ridders 1982). How far they can be trusted is
measured: by how much the extrapolations differ, and by how noisy F is (Moré & Wild 2011).

Here F is a scalar function of one array, and ``along(s)`` is F(p + s·v).
"""

from __future__ import annotations

import linecache
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array

__all__ = [
    "EPS",
    "Along",
    "Difference",
    "Function",
    "NotAnalytic",
    "along",
    "central_difference",
    "complex_step",
    "entries",
    "noise_of",
    "steadied",
    "taylor_order",
    "typical_size",
    "unit",
]

EPS = float(np.finfo(np.float64).eps)
COMPLEX_STEP = 2.0**-100  # about 10⁻³⁰, and a power of two, so that scaling by it rounds nothing
FIRST = 8  # the first step is 0.02 of p where F is known to 1e-16, 0.6 where it is to 1e-7
HALVINGS = 40  # of the step, at most
ORDERS = 4  # s², s⁴, s⁶ and s⁸ are extrapolated away; more would magnify the noise
ROUGH = 0.01  # a function with more noise than this part of itself has no differences to speak of
FAR_SMALLER = (20, 26)  # powers of 1/2
NOISE_SPACINGS = (2.0**-40, 2.0**-20)  # the second, for functions that round to float32

Function = Callable[[Array], Any]
Along = Callable[[float], float]


class NotAnalytic(Exception):
    """The complex step does not apply; says why, and where to look."""


class Difference(NamedTuple):
    """A derivative by central differences, and how far off it may be."""

    value: float
    error: float


def complex_step(function: Function, at: Array, direction: Array) -> float:
    """Return the derivative of ``function`` along ``direction``, exact to rounding.

    Raises
    ------
    NotAnalytic
        If the imaginary part was dropped on the way (NumPy warns when a complex number is put into
        a real array), if the function takes no complex numbers, or makes none that is finite.
    """
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always", np.exceptions.ComplexWarning)
        try:
            value = function(at + 1j * COMPLEX_STEP * direction)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = _place(frame.filename, frame.lineno or 0)
            raise NotAnalytic(f"complex numbers are refused ({error}) in {where}") from error
    places = dict.fromkeys(
        _place(warning.filename, warning.lineno)
        for warning in caught
        if issubclass(warning.category, np.exceptions.ComplexWarning)
    )
    if places:
        raise NotAnalytic("an array that is real drops the imaginary part in " + "; ".join(places))
    derivative = float(np.imag(value)) / COMPLEX_STEP
    if not np.isfinite(derivative):
        raise NotAnalytic("it is not finite: complex numbers overflow, in exp perhaps")
    return derivative


def along(function: Function, at: Array, direction: Array) -> Along:
    """Return F(p + s·v) as a function of s; nan where F cannot be evaluated."""

    def value(s: float) -> float:
        with np.errstate(all="ignore"):
            try:
                return float(function(at + s * direction))
            except (ArithmeticError, ValueError):  # as the math module's functions say overflow
                return float("nan")

    return value


def central_difference(
    value: Along, size: float, noise: float, scale: float, enough: float
) -> Difference:
    """Return dF/ds at 0, extrapolated from ever smaller steps.

    Parameters
    ----------
    value : Along
    size : float
        Of the numbers that s changes. The first step is a part of it: the noisier F, the larger.
    noise, scale : float
        How far rounding may put F off, from :func:`noise_of`, and the size of F.
    enough : float
        Relative error that needs no smaller step.
    """
    if noise > ROUGH * scale:  # chaos: no step is small enough
        return Difference((value(size) - value(-size)) / (2 * size), float("inf"))
    first = size * FIRST * max(EPS, noise / scale if scale else 0.0) ** (1 / 6)
    best = Difference(float("nan"), float("inf"))
    before: list[float] = []
    for halvings in range(HALVINGS):
        step = first * 0.5**halvings
        floor = 2 * noise / step
        if floor > best.error:
            break
        row = [(value(step) - value(-step)) / (2 * step)]
        for order, coarser in enumerate(before[:ORDERS], 1):
            row.append(row[-1] + (row[-1] - coarser) / (4**order - 1))
        for order in range(2, len(row)):
            neighbours = (row[order - 1], *before[order - 1 : order + 1])
            error = floor + max(abs(row[order] - other) for other in neighbours)
            if error < best.error:
                best = Difference(row[order], error)
        if best.error <= enough * abs(best.value):
            break
        before = row
    return best


def steadied(difference: Difference, value: Along, size: float, noise: float) -> Difference:
    """Believe a central difference no further than much smaller steps bear it out.

    Where F is rough at all steps down to rounding, the first few may agree by chance.
    """
    error = difference.error
    for step in (size * 2.0**-k for k in FAR_SMALLER):
        slope = (value(step) - value(-step)) / (2 * step)
        error = max(error, abs(slope - difference.value) - 20 * noise / step)
    return Difference(difference.value, error)


def noise_of(value: Along, size: float) -> float:
    """Return how far rounding puts F off: by the fourth differences of F where it is all but flat.

    Of a smooth function they vanish; noise they magnify by √70 on average.
    """
    worst = 0.0
    for spacing in NOISE_SPACINGS:
        values = np.array([value(k * spacing * size) for k in range(-4, 5)])
        fourth = np.diff(values, 4)
        worst = max(worst, float(np.mean(fourth**2) / 70) ** 0.5, EPS * float(abs(values[4])))
    return worst


def taylor_order(
    function: Function, at: Array, direction: Array, slope: float, noise: float
) -> float | None:
    """Return the order at which F(p + sv) - F(p) - s·slope vanishes with s.

    2 if ``slope`` is the derivative along v, 1 if it is not; None where the remainder drowns in
    ``noise``, the rounding error of F: F is linear there, or flat.
    """
    step = 1e-3 * typical_size(at) / max(1.0, float(np.linalg.norm(direction)))
    value = along(function, at, direction)
    start = value(0)
    far, near = (abs(value(s) - start - s * slope) for s in (step, step / 2))
    seen = near > 100 * noise and 0 < far < float("inf")
    return float(np.log2(far / near)) if seen else None


def entries(derivative: Callable[..., float], function: Function, at: Array) -> Array:
    """Return the derivative with respect to every entry, flat."""
    return np.array([derivative(function, at, unit(at.shape, k)) for k in range(at.size)])


def unit(shape: Sequence[int], k: int) -> Array:
    """Return the direction of the entry at flat index k."""
    direction = np.zeros(shape)
    direction.flat[k] = 1
    return direction


def typical_size(at: Array) -> float:
    """Return the root mean square of the entries that are finite; 1 where all are 0."""
    finite = at[np.isfinite(at)]
    largest = float(np.max(np.abs(finite), initial=0))
    return largest * float(np.mean((finite / largest) ** 2)) ** 0.5 if largest else 1.0


def _place(filename: str, line: int) -> str:
    source = linecache.getline(filename, line).strip()
    return f"{filename}, line {line}" + (f": {source}" if source else "")
