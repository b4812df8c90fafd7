"""Say why a value is wrong: the known mistakes first, then what can be seen from the numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arguments import Array
from ..mistakes import MISTAKES
from ..mistakes.expressions import EXPRESSIONS
from .known import FACTORS, KNOWN, TERMS, THROUGH

__all__ = ["causes", "close", "listed"]

MOST_STEPS = 1000  # of an order that may have no end; far more than there are
TOLERANCE = 1e-10  # of the norm: far above rounding, far below float32
# NumPy imports the code of a method, such as mean, when it is called first.
BUILTINS = {"__builtins__": {"len": len, "__import__": __import__}}

Names = dict[str, Any]


def close(value: Any, right: Any, tolerance: float = TOLERANCE) -> bool:
    """Say whether two values are equal but for rounding, and of one shape."""
    if isinstance(right, range):
        return listed(value) == list(right)
    value = _array(value)
    if value is None or value.shape != np.shape(right):
        return False
    size = float(np.linalg.norm(right))
    return bool(np.linalg.norm(value - right) <= tolerance * (size or 1.0))


def causes(name: str, value: Any, right: Any, names: Names) -> tuple[list[str], str]:
    """Return why ``value`` is not ``right``, in words, and the numbers where the words are vague.

    ``names`` holds everything else that has a name, with its right value. Where several known
    mistakes give this value, all of them are returned.
    """
    if isinstance(right, range):
        return [_of_order(listed(value), right)], ""
    array = _array(value)
    if array is None:
        kind = "None" if value is None else f"a {type(value).__name__}"
        if type(value) is np.ndarray:
            kind = f"an array of {value.dtype}"
        return [f"is {kind}, expected an array of numbers, of shape {right.shape}"], ""
    whole = np.broadcast_to(array, right.shape) if array.ndim == 0 else array
    known = list(_known(name, whole, names))
    if known:
        return known, ""
    for text in _seen(name, array, right, names):
        return [text], ""
    return _elsewhere(array, right)


def _seen(name: str, value: Array, right: Array, names: Names) -> Iterator[str]:
    """Yield what can be seen of a wrong value, the likeliest first."""
    with np.errstate(all="ignore"):
        if value.shape != right.shape:
            yield from _of_shape(value, right)
        if not np.isfinite(value).all():
            yield "holds values that are not finite (nan or inf): a division by 0, an overflow?"
        if close(value, right, 1e-5):
            yield "right to float32 only: something in it is not float64"
        if close(-value, right):
            yield "the sign is wrong"
        for other, it in names.items():
            if isinstance(it, np.ndarray) and other != name and close(value, it):
                yield f"this is the value of {other}"
        yield from _of_size(value, right)
        yield from _of_blocks(value, right)
        yield from _of_factors(value, right, names)
        yield from _of_terms(value, right, names)


def _known(name: str, value: Array, names: Names) -> Iterator[str]:
    for expression, text in _known_lines(name):
        if close(value, _worth(expression, names)):
            yield text
    if name in THROUGH:
        local, line = THROUGH[name]
        for expression, text in _known_lines(local):
            if close(value, _worth(line.replace("LOCAL", expression), names)):
                yield text


def _known_lines(name: str) -> Iterator[tuple[str, str]]:
    """Yield the wrong expressions for a name that are known, each with what is wrong in it."""
    for mistake, expressions in EXPRESSIONS.items():
        if name in expressions:
            made = MISTAKES[mistake]
            found = f"; found in {made.public}" if made.public else ""
            yield expressions[name], f"{made.what} [{mistake}{found}]"
    yield from KNOWN.get(name, {}).items()


def _of_shape(value: Array, right: Array) -> Iterator[str]:
    if value.ndim == 0:
        total = ": the sum over everything" if close(value, right.sum()) else ""
        yield f"is a single number{total}, expected an array of shape {right.shape}"
    shapes = f"has shape {value.shape}, expected {right.shape}"
    if value.ndim >= 2 and close(value.T, right):
        yield f"{shapes}: it is transposed"
    if value.ndim == right.ndim + 1:
        for axis in range(value.ndim):
            if close(value.sum(axis=axis), right):
                yield f"{shapes}: the sum over axis {axis} is missing"
    if value.size == right.size and close(value.reshape(right.shape), right):
        yield f"{shapes}: the numbers are right"
    yield shapes


def _of_size(value: Array, right: Array) -> Iterator[str]:
    scale = float((value * right).sum() / (right**2).sum())
    if scale and close(value / scale, right):
        parts = round(1 / scale, 6)
        if parts == int(parts) > 1:
            yield (
                f"this is 1/{int(parts)} of the right value: a mean in place of a sum? "
                "The loss decides what is averaged, not the layer"
            )
        yield f"this is {scale:.4g} times the right value"


def _of_blocks(value: Array, right: Array) -> Iterator[str]:
    """Compare the blocks of the gates, which lie along rows in weights and columns in da."""
    for axis in range(right.ndim):
        for blocks in (4, 3):
            if right.shape[axis] % blocks:
                continue
            mine, its = (np.split(each, blocks, axis=axis) for each in (value, right))
            if all(m.ndim == 2 and m.shape[0] == m.shape[1] for m in mine) and all(
                close(m.T, i) for m, i in zip(mine, its, strict=True)
            ):
                yield "the block of each gate is transposed"
            if all(any(close(m, i) for i in its) for m in mine):
                yield "the blocks are right, but for other gates: another order than it should be"
            wrong = [k for k in range(blocks) if not close(mine[k], its[k])]
            if len(wrong) == 1 and right.ndim > 1 and blocks == 4 and axis == 0:
                yield f"the rows of gate {'ifgo'[wrong[0]]} are wrong, all others are right"


def _of_factors(value: Array, right: Array, names: Names) -> Iterator[str]:
    factors = {text: _worth(text, names) for text in FACTORS}
    factors = {t: f for t, f in factors.items() if f is not None and _fits(f, right)}
    for text, factor in factors.items():
        if close(value * factor, right):
            yield f"a factor is missing: {text}"
    for text, factor in factors.items():
        if close(value, right * factor):
            yield f"a factor too many: {text}"
    for wrong, its in factors.items():
        for belongs, factor in factors.items():
            if wrong != belongs and close(value * factor, right * its):
                yield f"{wrong} stands where {belongs} belongs"


def _of_terms(value: Array, right: Array, names: Names) -> Iterator[str]:
    for text in TERMS:
        term = _worth(text, names)
        if term is not None and _fits(term, right):
            for verb, sum_ in (("is missing", value + term), ("too many", value - term)):
                if close(sum_, right):
                    yield f"a term {verb}: {text}"
            if close(value + 2 * term, right):
                yield f"a term has the wrong sign: {text}"


def _elsewhere(value: Array, right: Array) -> tuple[list[str], str]:
    """Say where and by how much a value is wrong, for no mistake that is known."""
    off = np.abs(value - right) > TOLERANCE * np.linalg.norm(right)
    at = tuple(int(k) for k in np.unravel_index(np.abs(value - right).argmax(), right.shape))
    numbers = f"at {list(at)} it is {value[at]:.4g}, expected {right[at]:.4g}"
    for axis in range(right.ndim):
        others = tuple(k for k in range(right.ndim) if k != axis)
        wrong = np.flatnonzero(off.any(axis=others))
        if len(wrong) < right.shape[axis]:
            numbers += f"; along axis {axis} only {', '.join(map(str, wrong))} wrong"
    return ["not the right value, and no mistake that is known here"], numbers


def _of_order(steps: list | None, right: range) -> str:
    if steps is None:
        return "expected steps that one can loop over, such as range(T)"
    if steps == list(right)[::-1]:
        return "the first step is taken first: backward begins at the end"
    missing = sorted(set(right) - set(steps))
    if missing:
        return f"step {', '.join(map(str, missing))} of 0 to {len(right) - 1} is never taken"
    return f"expected each of the steps 0 to {len(right) - 1} once, the last one first"


def _worth(expression: str, names: Names) -> Any:
    """Evaluate one of our expressions, or None where it speaks of other names."""
    try:
        return eval(expression, BUILTINS, names)
    except (NameError, TypeError, ValueError, IndexError, KeyError):
        return None


def _fits(array: Any, right: Array) -> bool:
    """Say whether the one can be added to the other, which keeps its shape."""
    try:
        return np.broadcast_shapes(np.shape(array), right.shape) == right.shape
    except ValueError:
        return False


def listed(value: Any) -> list | None:
    """Return the steps in an order as a list, or None."""
    try:
        return [int(k) for k in itertools.islice(value, MOST_STEPS)]
    except Exception:  # the steps may be of the student's own making
        return None


def _array(value: Any) -> Array | None:
    """Return a value as an array of numbers, or None: masked arrays compute otherwise."""
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        return None
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "fiuc" else None
