"""How far rounding moves the gradients of any NumPy code: every result is rounded once more.

This is Monte Carlo arithmetic (Parker 1997). The code under test runs on arrays of a kind that
moves the result of each operation by about as much as rounding put it off, up or down at random.
What that does to the gradients is what rounding does to them: where gates are saturated, where
terms cancel, and where many steps amplify it. A wrong formula stays as wrong as it was.

Results of float32 are moved by a unit of float32, so that code that computes in float32 is held to
that. Numbers that leave NumPy, as in the math module, are not moved; neither is what a layer copies
into arrays of its own, but its inputs, states and parameters are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Array
from .differences import EPS

__all__ = ["Shake", "unit_of"]

SPLIT = 2.0**27 + 1  # cuts a float64 into two halves whose products are exact (Dekker 1971)


class Shake:
    """One way to round: ``shake(array)`` is moved, and so is what is computed from it.

    Parameters
    ----------
    rng : numpy.random.Generator
    unit : float
        The relative size of a rounding error.
    own : bool
        Whether results of a coarser type, float32 say, are moved by their own unit.
    magnified : float
        How many times a rounding error each move is, so that those show which a result of size 1
        swallows; what comes of it is to be scaled down.

    Attributes
    ----------
    coarsest : float
        The largest unit of all floating-point numbers that went into operations or came out.
    """

    def __init__(
        self, rng: np.random.Generator, unit: float, own: bool, magnified: float = 1.0
    ) -> None:
        self.rng, self.unit, self.own, self.magnified = rng, unit, own, magnified
        self.coarsest = 0.0
        self.kind = type("Shaken", (_Shaken,), {"shake": self})

    def __call__(self, array: Array) -> Array:
        """Return a moved copy."""
        copy = np.array(array)
        return self.moved(copy, self.unit * np.abs(copy)).view(self.kind)

    def result(self, result: Any, ufunc: Any, inputs: list[Any]) -> Any:
        """Move what an operation made: in place, if it is an array."""
        own = self.see(result)
        if not own:
            return result
        unit = max(self.unit, own) if self.own else self.unit
        if unit > EPS or own > EPS:
            return self.moved(result, unit * np.abs(result))
        with np.errstate(all="ignore"):
            return self.moved(result, _rounding_error(ufunc, inputs, result))

    def moved(self, result: Any, error: Any) -> Any:
        """Move by the error, up or down."""
        signs = self.rng.integers(0, 2, np.shape(result)) * 2 - 1
        with np.errstate(all="ignore"):
            moved = result + signs * (self.magnified * error)
        moved = np.where(np.isfinite(moved), moved, result)  # infinity stays
        if not isinstance(result, np.ndarray):
            return result.dtype.type(moved)
        result[...] = moved
        return result

    def see(self, value: Any) -> float:
        """Keep in mind how coarse these numbers are."""
        unit = unit_of(value)
        self.coarsest = max(self.coarsest, unit)
        return unit


class _Shaken(np.ndarray):
    """An array whose results are moved, and are arrays of this kind again."""

    shake: Shake

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        shake, out = self.shake, options.get("out")
        plain = [_plain(value) for value in inputs]
        for value in plain:
            shake.see(value)
        options = {name: _plain(value) for name, value in options.items()}
        called = ufunc if method == "__call__" else None
        before = [np.array(value) for value in plain] if out is not None else plain
        results = getattr(ufunc, method)(*plain, **options)
        if out is not None:
            for result in options["out"]:
                shake.result(result, called, before)
            return out if len(out) > 1 else out[0]
        several = results if isinstance(results, tuple) else (results,)
        several = tuple(
            r.view(shake.kind) if isinstance(r, np.ndarray) else r
            for r in (shake.result(result, called, plain) for result in several)
        )
        return several if isinstance(results, tuple) else several[0]


def _rounding_error(ufunc: Any, inputs: list[Any], result: Any) -> Any:
    """Return how far rounding put a result off: exact for sums and products, else one unit."""
    unit = EPS * np.abs(result)
    if ufunc is np.tanh:
        return np.minimum(unit, 1 / np.cosh(inputs[0]) ** 2)  # so far from 1 it cannot be
    if ufunc in (np.add, np.subtract):
        error = _of_sum(inputs[0], inputs[1] if ufunc is np.add else np.negative(inputs[1]), result)
    elif ufunc in (np.multiply, np.square):
        error = _of_product(inputs[0], inputs[-1], result)
    elif ufunc in (np.divide, np.reciprocal):
        above, below = inputs if ufunc is np.divide else (1.0, inputs[0])
        product = result * below
        error = ((above - product) + _of_product(result, below, product)) / below
    else:
        return unit
    return np.where(np.isfinite(error), np.abs(error), unit)


def _of_sum(a: Any, b: Any, total: Any) -> Any:
    """Return the rounding error of a + b, exactly (Knuth)."""
    b_seen = total - a
    return (a - (total - b_seen)) + (b - b_seen)


def _of_product(a: Any, b: Any, product: Any) -> Any:
    """Return the rounding error of a · b, exactly but for over- and underflow (Dekker)."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _halves(a: Any) -> tuple[Any, Any]:
    wide = SPLIT * np.asarray(a, np.float64)
    high = wide - (wide - a)
    return high, a - high


def unit_of(value: Any) -> float:
    """Return the distance of 1 and the next number of an array's type; 0 where all are exact."""
    dtype = getattr(value, "dtype", None)
    return float(np.finfo(dtype).eps) if dtype is not None and dtype.kind in "fc" else 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.view(np.ndarray) if isinstance(value, _Shaken) else value
