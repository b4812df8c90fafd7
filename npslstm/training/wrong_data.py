"""What wrong examples are told: which array, what was expected, what came, what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..arguments import (
    Array,
    as_array,
    check_array,
    check_labels,
    check_lengths,
    check_loss,
    check_plain,
    check_size,
    check_target,
    is_one_hot,
)
from ..losses import cross_entropy, mean_squared_error

__all__ = ["batch_check", "check_arrays", "check_finite", "check_sequences", "check_targets"]

ROWS = 1000  # looked at together, so that a large file mapped into memory stays there


def check_arrays(x: Any, y: Any, lengths: Any) -> tuple[Array, Array, Array | None]:
    """Return x, y and lengths once they are arrays of as many examples, at least one."""
    if not isinstance(x, np.ndarray) or x.dtype == object:
        given = "one of objects" if isinstance(x, np.ndarray) else type(x).__name__
        remedy = "; sequences of different lengths: x, lengths = pad_sequences(x)"
        raise TypeError(f"x: expected a NumPy array of numbers, given {given}{remedy}")
    y = y if isinstance(y, np.ndarray) else as_array("y", y)
    for name, array in ("x", x), ("y", y):
        if isinstance(array, np.ma.MaskedArray):
            raise TypeError(f"{name}: expected a plain array, given a masked one; use {name}.data")
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError(f"x, y: expected an axis of examples, given {x.shape} and {y.shape}")
    if len(x) != len(y):
        remedy = ""
        if x.ndim > 1 and x.shape[1] == len(y):
            remedy = "; examples come first whatever the model's layout: use x.swapaxes(0, 1)"
        raise ValueError(
            f"y: expected one target for each of {len(x)} examples, given {len(y)}{remedy}"
        )
    check_size("number of examples", len(x))
    if lengths is not None:
        if x.ndim < 2:
            raise ValueError(f"x: with lengths expected shape (N, T, ...), given {x.shape}")
        lengths = check_lengths(lengths, len(x), x.shape[1])
    return x, y, lengths


def check_targets(model: Any, x: Array, y: Array, valid: Array | None, loss: Any) -> None:
    """Hold all of y to what a loss of ours and a model of ours expect; others check for themselves.

    A wrong label among the last examples is found before training begins.
    """
    check_loss(loss)
    while isinstance(loss, functools.partial):
        loss = loss.func
    lstm, head = getattr(model, "lstm", None), getattr(model, "head", None)
    if loss not in (cross_entropy, mean_squared_error) or lstm is None or head is None:
        return
    every_step = model.readout == "all"
    leading, classes = y.shape[: 1 + every_step], head.out_features
    if y.ndim < 1 + every_step:
        raise ValueError(
            f'y: readout="all" expects a target at every step, (N, T) or (N, T, K), given {y.shape}'
            '; for one a sequence make the model with readout="last"'
        )
    if loss is mean_squared_error:
        check_target("targets y", y, (*leading, classes), lstm.dtype)
        return
    of_steps = not every_step and y.dtype.kind in "iu" and y.shape == x.shape[:2]
    if of_steps and not is_one_hot(y, leading, classes):
        raise ValueError(
            f"labels y: expected shape {leading}, given {y.shape}; for labels at every step make "
            'the model with readout="all"'
        )
    if valid is not None and y.shape != valid.shape:
        valid = None
    check_labels("labels y", y, leading, classes, valid)


def batch_check(model: Any, every_step: bool) -> Callable[[Array, Array], None]:
    """Return what holds each batch, examples first, to the input that a model of ours expects."""
    lstm = getattr(model, "lstm", None)
    size, dtype = getattr(lstm, "input_size", None), getattr(lstm, "dtype", None)

    def check(x: Array, y: Array) -> None:
        if size is not None and dtype is not None:
            hint = "; use x[..., None]" if size == 1 and np.ndim(x) == 2 else ""
            check_array("x", x, ("N", "T", size), dtype, hint)
        if every_step and y.shape[:2] != x.shape[:2]:
            raise ValueError(
                f"y: expected a target for each of {x.shape[1]} steps, given {y.shape[1]}"
            )

    return check


def check_finite(name: str, array: Array, valid: Array | None) -> None:
    """Demand finite numbers in the steps that are valid."""
    if array.dtype.kind not in "fc":
        return
    for begin in range(0, len(array), ROWS):
        part = slice(begin, begin + ROWS)
        wrong = ~np.isfinite(array[part])
        if valid is not None:
            wrong &= valid[part].reshape(*valid[part].shape, *[1] * (wrong.ndim - 2))
        if wrong.any():
            first = np.argwhere(wrong)[0]
            first[0] += begin
            place = ", ".join(map(str, first))
            remedy = "; if it is padding, give lengths" if name == "x" and valid is None else ""
            raise ValueError(
                f"{name}: expected finite numbers, given {array[tuple(first)]} at "
                f"{name}[{place}]{remedy}"
            )


def check_sequences(sequences: Any) -> list[Array]:
    """Return sequences as arrays that differ in their lengths alone."""
    if isinstance(sequences, np.ndarray) and sequences.dtype != object:
        raise TypeError(
            f"sequences: expected a list of arrays, given one array {sequences.shape}: nothing "
            "has to be padded"
        )
    if not (isinstance(sequences, Iterable) or hasattr(sequences, "__getitem__")):
        raise TypeError(f"sequences: expected a list of arrays, given {type(sequences).__name__}")
    sequences = list(sequences)
    for k, sequence in enumerate(sequences):
        if isinstance(sequence, np.ndarray):
            check_plain(f"sequences[{k}]", sequence)
    arrays = [as_array(f"sequences[{k}]", sequence) for k, sequence in enumerate(sequences)]
    if not arrays:
        raise ValueError("sequences: expected at least one, given none")
    for k, array in enumerate(arrays):
        if array.dtype.kind not in "biufc":
            raise TypeError(f"sequences[{k}]: expected numbers, given {array.dtype}")
        if array.ndim == 0 or array.shape[1:] != arrays[0].shape[1:]:
            shape = ", ".join(["any length", *map(str, arrays[0].shape[1:])])
            raise ValueError(f"sequences[{k}]: expected shape ({shape}), given {array.shape}")
    return arrays
