"""What wrong input is told: the argument, what was expected, what came."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "Array",
    "as_array",
    "check_array",
    "check_cache",
    "check_cache_type",
    "check_dtype",
    "check_function",
    "check_labels",
    "check_lengths",
    "check_like",
    "check_loss",
    "check_number",
    "check_pair",
    "check_plain",
    "check_size",
    "check_target",
    "check_x",
    "generator",
    "is_one_hot",
]

Array = NDArray[Any]


def check_size(name: str, value: Any, least: int = 1) -> int:
    """Return ``value`` as an int of at least 1, or ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected an integer, given {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, given {value}")
    return int(value)


def check_number(
    name: str,
    value: Any,
    expected: str = "at least 0 and finite",
    low: float = 0.0,
    high: float = math.inf,
) -> None:
    """Demand a number from ``low`` to below ``high``."""
    number = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(number, bool) or not isinstance(number, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, given {type(value).__name__}")
    if not low <= float(number) < high:  # float32 would round a bound
        raise ValueError(f"{name}: expected {expected}, given {value}")


def check_function(name: str, given: Any, expected: str = "a function") -> None:
    """Demand what can be called: a function's name, or what it returns, is not that."""
    if not callable(given):
        raise TypeError(f"{name}: expected {expected}, given {type(given).__name__}")


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of parameters to be made: float32 or float64."""
    with contextlib.suppress(TypeError):  # bfloat16, say, which NumPy does not have
        dtype = np.dtype(dtype)
    if not isinstance(dtype, np.dtype) or dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype: expected float32 or float64, given {dtype}")
    return dtype


def as_array(name: str, given: Any) -> Array:
    """Return an array, or what NumPy makes of a list."""
    try:
        return np.asarray(given)
    except ValueError as error:  # lists of different lengths
        raise ValueError(f"{name}: expected lists of one length; {error}") from None


def check_plain(name: str, array: Any) -> None:
    """Demand a NumPy array, and none whose mask or matrix rules would be lost without a word."""
    if type(array) is np.ndarray:
        return
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array, given {type(array).__name__}")
    if isinstance(array, np.ma.MaskedArray | np.matrix):
        masked = isinstance(array, np.ma.MaskedArray)
        remedy = "fill it, and say with lengths what counts" if masked else "use np.asarray"
        given = type(array).__name__
        raise TypeError(f"{name}: expected a plain array, given a {given}; {remedy}")


def check_array(
    name: str,
    array: Any,
    shape: tuple[int | str, ...],
    dtype: np.dtype[Any],
    hint: str = "",
) -> None:
    """Demand an array of this shape (a string stands for any size) and a matching dtype.

    Doubles and complex doubles match, for the complex-step check; other mixtures would silently
    lose precision.
    """
    check_plain(name, array)
    if array.dtype != dtype and {array.dtype, dtype} != {np.dtype(float), np.dtype(complex)}:
        remedy = f"; use {name.split()[-1]}.astype(np.{dtype})"
        if {array.dtype, dtype} == {np.dtype(np.float32), np.dtype(np.float64)}:
            remedy += f", or make the model with dtype=np.{array.dtype}"
        raise TypeError(f"{name}: expected dtype {dtype}, given {array.dtype}{remedy}")
    fits = array.shape == shape or (
        len(shape) == array.ndim
        and all([isinstance(w, str) or w == got for w, got in zip(shape, array.shape, strict=True)])
    )
    if not fits:
        expected = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name}: expected shape ({expected}), given {array.shape}{hint}")


def check_pair(
    name: str,
    pair: Any,
    shapes: Sequence[tuple[int, ...]],
    dtype: np.dtype[Any],
    letters: str = "hc",
) -> list[Array]:
    """Check a pair (h, c) of states or of their gradients; zeros stand in for None."""
    if pair is None:
        pair = [None] * len(letters)
    if not isinstance(pair, tuple | list) or len(pair) != len(letters):
        raise TypeError(f"{name}: expected a pair (h, c) or None, given {type(pair).__name__}")
    for letter, array, shape in zip(letters, pair, shapes, strict=True):
        if array is not None:
            part = name if len(letters) == 1 else f"{letter} of {name}"
            check_array(part, array, shape, dtype)
    return [
        np.zeros(shape, dtype) if array is None else array
        for array, shape in zip(pair, shapes, strict=True)
    ]


def check_cache_type(cache: Any, kind: type) -> None:
    """Demand a cache of this type."""
    if not isinstance(cache, kind):
        raise TypeError(
            f"cache: expected what forward returned last, a {kind.__name__}, "
            f"given {type(cache).__name__}"
        )


def check_cache(cache: Any, kind: type, made_by: Any) -> None:
    """Demand a cache of this type, made by a layer like the one that is to invert it."""
    check_cache_type(cache, kind)
    given_by = cache.made_by
    if given_by == made_by:
        return
    for name, expected, given in zip(made_by._fields, made_by, given_by, strict=True):
        if given != expected:
            raise ValueError(
                f"cache: expected that of a layer with {name}={expected}, given {name}={given}; "
                "a cache is for the backward of the layer whose forward made it"
            )


def check_lengths(lengths: Any, rows: int, steps: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return ``lengths`` as (N,) integers, each from 0 to T."""
    if isinstance(lengths, np.ndarray):
        check_plain("lengths", lengths)
    array = as_array("lengths", lengths)
    if array.shape != (rows,):
        raise ValueError(f"lengths: expected shape ({rows},), one a row, given {array.shape}")
    if rows and array.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected integers, given {array.dtype}")
    outside = array[(array < 0) | (array > steps)]
    if outside.size:
        raise ValueError(f"lengths: expected 0 to T = {steps}, given {outside[0]}")
    return array.astype(np.intp)


def check_x(x: Any, lengths: Any, batch_first: bool) -> None:
    """Say so where x is a list; or does not fit lengths, and would in the other layout."""
    if isinstance(x, list | tuple):
        raise TypeError(
            f"x: expected a NumPy array, given {type(x).__name__}; of sequences of different "
            "lengths pad_sequences makes one, for a model with batch_first=True"
        )
    if lengths is None or np.ndim(x) != 3:
        return
    rows, steps = x.shape[:2] if batch_first else x.shape[1::-1]
    given = as_array("lengths", lengths)
    turned = given.shape == (steps,) != (rows,) and given.dtype.kind in "iu"
    if turned and np.all(given <= rows):
        read = "(N, T, D)" if batch_first else "(T, N, D)"
        raise ValueError(
            f"lengths: expected shape ({rows},), one a row, given {given.shape}; x {x.shape} is "
            f"read as {read}: with batch_first={not batch_first} they would fit"
        )


def generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return ``rng``, or a generator seeded with it; NumPy's global state is never touched."""
    if rng is None or isinstance(rng, int | np.integer | np.random.Generator):
        return np.random.default_rng(rng)
    raise TypeError(
        f"rng: expected a numpy.random.Generator, an int or None, given {type(rng).__name__}"
    )


def check_like(what: str, arrays: Mapping[str, Array], like: Mapping[str, Array]) -> None:
    """Demand exactly the names of ``like``, each with the shape and dtype that it has there."""
    if not isinstance(arrays, Mapping):
        raise TypeError(f"{what}: expected names and arrays, given {type(arrays).__name__}")
    missing, unknown = like.keys() - arrays.keys(), arrays.keys() - like.keys()
    if missing or unknown:
        raise ValueError(f"{what}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name, expected in like.items():
        given = arrays[name]
        if isinstance(given, np.ndarray):
            check_plain(f"{what}[{name!r}]", given)
        if not isinstance(given, np.ndarray | np.generic):
            raise TypeError(
                f"{what}[{name!r}]: expected a NumPy array, given {type(given).__name__}"
            )
        if given.dtype != expected.dtype:
            raise TypeError(
                f"{what}[{name!r}]: expected dtype {expected.dtype}, given {given.dtype}"
            )
        if given.shape != expected.shape:
            raise ValueError(
                f"{what}[{name!r}]: expected shape {expected.shape}, given {given.shape}"
            )


def check_labels(
    name: str, labels: ArrayLike, shape: tuple[int, ...], classes: int, counted: Array | None = None
) -> Array:
    """Return labels as an array once they fit: integers in [0, K), one for each row.

    The last word of ``name`` is what a remedy calls the array. Where they are not ``counted``, they
    may be out of range.
    """
    variable = name.split()[-1]
    if isinstance(labels, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected a plain array, given a masked one, whose mask would be ignored; "
            f"use {variable}.data with mask=~{variable}.mask"
        )
    labels = as_array(name, labels)
    one_hot = ""
    if is_one_hot(labels, shape, classes):
        one_hot = f"; they look one-hot: use {variable}.argmax(axis=-1)"
    if not np.issubdtype(labels.dtype, np.integer):
        remedy = one_hot or _to_integers(labels, variable)
        raise TypeError(f"{name}: expected integers, given {labels.dtype}{remedy}")
    if labels.shape != shape:
        remedy = f"; use {variable}[..., 0]" if labels.shape == (*shape, 1) else one_hot
        raise ValueError(f"{name}: expected shape {shape}, given {labels.shape}{remedy}")
    y = labels if counted is None else labels[counted]
    outside = y[(y < 0) | (y >= classes)]
    if outside.size:
        remedy = ""
        if y.min() == 1 and y.max() == classes:
            remedy = f"; they count from 1: use {variable} - 1"
        raise ValueError(f"{name}: expected integers in [0, {classes}), given {outside[0]}{remedy}")
    return labels


def check_target(name: str, target: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Demand numbers of this shape and dtype; say so where only the last axis is missing."""
    missing = shape[-1] == 1 and np.shape(target) == shape[:-1]
    hint = f"; use {name.split()[-1]}[..., None]" if missing else ""
    check_array(name, target, shape, dtype, hint)


def check_loss(loss: Any) -> None:
    """Demand a function: the name of a loss is not one."""
    check_function("loss", loss, "a function such as mean_squared_error")


def is_one_hot(labels: Array, shape: tuple[int, ...], classes: int) -> bool:
    """Whether the last axis holds a 1 for the class, or probabilities, in place of its number."""
    fits = labels.shape == (*shape, classes) and labels.dtype.kind in "biuf"
    return fits and bool(np.allclose(labels.sum(axis=-1), 1))


def _to_integers(labels: Array, variable: str) -> str:
    """Say how labels of another dtype become integers."""
    if labels.dtype.kind not in "biuf":
        return f"; use np.unique({variable}, return_inverse=True)[1]"
    if np.array_equal(labels, np.trunc(labels)):
        return f"; use {variable}.astype(np.int64)"
    return "; for numbers as targets use loss=mean_squared_error"
