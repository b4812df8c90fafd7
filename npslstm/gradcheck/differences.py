"""Derivatives without calculus, to hold the calculus to.

For analytic F, Im F(p + i·s·v)/s is the derivative of F along v at p; nothing is subtracted, so s
may be 10⁻³⁰ and the derivative is as accurate as F itself (Squire & Trapp 1998; Martins, Sturdza &
Alonso 2003). Central differences, (F(p + sv) - F(p - sv))/2s, need no more than a real F, and lose
half of the digits or more to that subtraction.

Here F is a scalar function of one array.
"""

from __future__ import annotations

import linecache
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import Array

__all__ = [
    "NotAnalytic",
    "central_difference",
    "complex_step",
    "entries",
    "taylor_order",
    "unit",
]

EPS = float(np.finfo(np.float64).eps)
COMPLEX_STEP = 2.0**-100  # about 10⁻³⁰, and a power of two, so that scaling by it rounds nothing
CENTRAL_STEP = EPS ** (1 / 3)  # balances rounding, ε/s, against truncation, s²

Function = Callable[[Array], Any]


class NotAnalytic(Exception):
    """The complex step does not apply; says why, and where to look."""


def complex_step(function: Function, at: Array, direction: Array) -> float:
    """Return the derivative of ``function`` along ``direction``, exact to rounding.

    Raises
    ------
    NotAnalytic
        If the imaginary part was dropped on the way (NumPy warns when a complex number is put into
        a real array), or if the function takes no complex numbers.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", np.exceptions.ComplexWarning)
        try:
            value = function(at + 1j * COMPLEX_STEP * direction)
        except TypeError as error:
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
    return float(np.imag(value)) / COMPLEX_STEP


def central_difference(function: Function, at: Array, direction: Array) -> tuple[float, float]:
    """Return the derivative along ``direction``, and the step that was taken."""
    step = CENTRAL_STEP * _size(at)
    difference = function(at + step * direction) - function(at - step * direction)
    return float(difference) / (2 * step), step


def taylor_order(
    function: Function, at: Array, direction: Array, slope: float, noise: float
) -> float | None:
    """Return the order at which F(p + sv) - F(p) - s·slope vanishes with s.

    2 if ``slope`` is the derivative along v, 1 if it is not; None where the remainder drowns in
    ``noise``, the rounding error of F: F is linear there, or flat.
    """
    step = 1e-3 * _size(at) / max(1.0, float(np.linalg.norm(direction)))
    start = function(at)
    far, near = (abs(function(at + s * direction) - start - s * slope) for s in (step, step / 2))
    return float(np.log2(far / near)) if near > 100 * noise else None


def entries(derivative: Callable[..., float], function: Function, at: Array) -> Array:
    """Return the derivative with respect to every entry, flat."""
    return np.array([derivative(function, at, unit(at.shape, k)) for k in range(at.size)])


def unit(shape: tuple[int, ...], k: int) -> Array:
    """Return the direction of the entry at flat index k."""
    direction = np.zeros(shape)
    direction.flat[k] = 1
    return direction


def _size(at: Array) -> float:
    """Return the typical size of an entry, and 1 where that is smaller."""
    return max(1.0, float(np.linalg.norm(at)) / max(1, at.size) ** 0.5)


def _place(filename: str, line: int) -> str:
    source = linecache.getline(filename, line).strip()
    return f"{filename}, line {line}" + (f": {source}" if source else "")
