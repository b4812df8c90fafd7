"""What a gradient check runs: any layer, or any pair of functions, as named arrays in float64.

The one convention: forward returns outputs and, last, a cache; backward takes that cache and one
gradient for each output and returns dx, the gradient of the initial state if there is one, and a
dictionary of the parameters' gradients. ``LSTMCell``, ``LSTM``, ``LSTMModel``, ``RNN`` and
``Linear`` keep to it, and so can yours.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array

__all__ = [
    "Arrays",
    "Subject",
    "faults_of",
    "frozen",
    "gradients_of",
    "in_double",
    "is_single",
    "leaves",
    "like",
    "of_functions",
    "of_layer",
    "run_on_copies",
    "with_loss",
]

Arrays = dict[str, Array]
Backward = Callable[[list[Any]], Arrays]


class Subject(NamedTuple):
    """Something to check: its name, its arrays, and how to run it on such arrays."""

    title: str
    arrays: Arrays  # float64: the parameters, x, the initial states
    run: Callable[[Arrays], tuple[list[Any], Backward]]  # outputs, and gradients by name


def of_layer(
    layer: Any, x: Array, state: Any, options: dict[str, Any], rng: np.random.Generator
) -> Subject:
    """Take a layer with ``params``, ``forward``, ``backward`` and ``astype``."""
    for name in ("params", "forward", "backward", "astype"):
        if not hasattr(layer, name):
            raise TypeError(
                "layer: expected an object with params, forward, backward and astype, or a pair of "
                f"functions (forward, backward), given {type(layer).__name__} without {name}"
            )
    stateful = "state" in inspect.signature(layer.forward).parameters
    if state is not None and not stateful:
        raise TypeError(f"state: expected None, as {type(layer).__name__} has no state")
    double = layer.astype(np.float64)
    if stateful and state is None:
        *_, state, _ = double.forward(x, **frozen(options))
        state = like(state, (rng.standard_normal(s.shape) for s in leaves(state)))
    starts = dict(zip(("h_0", "c_0"), leaves(state) if stateful else [], strict=False))

    def run(arrays: Arrays) -> tuple[list[Any], Backward]:
        twin = layer.astype(np.result_type(*arrays.values()))
        for name, param in twin.params.items():
            param[...] = arrays[name]
        start = [like(state, (arrays[name] for name in starts))] if stateful else []
        *outputs, cache = twin.forward(arrays["x"], *start, **frozen(options))

        def backward(doutputs: list[Any]) -> Arrays:
            dx, *dstart, grads = twin.backward(cache, *doutputs)
            return {**grads, "x": dx, **dict(zip(starts, leaves(dstart), strict=True))}

        return outputs, backward

    return Subject(type(layer).__name__, {**double.params, "x": x, **starts}, run)


def of_functions(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    x: Array,
    params: Arrays,
    options: dict[str, Any],
) -> Subject:
    """Take ``forward(x, **params, **options)`` and ``backward(cache, *doutputs)``."""
    if "x" in params:
        raise ValueError("params: expected any names but x, which is the input's")

    def run(arrays: Arrays) -> tuple[list[Any], Backward]:
        given = {name: arrays[name] for name in params}
        *outputs, cache = forward(arrays["x"], **given, **frozen(options))

        def gradients(doutputs: list[Any]) -> Arrays:
            dx, grads = backward(cache, *doutputs)
            return {**grads, "x": dx}

        return outputs, gradients

    name = getattr(forward, "__name__", type(forward).__name__)
    return Subject(name, {**params, "x": x}, run)


def with_loss(subject: Subject, loss: Callable[[Any], tuple[Any, Any]]) -> Subject:
    """Put a loss on the first output, whose place it takes."""

    def run(arrays: Arrays) -> tuple[list[Any], Backward]:
        outputs, backward = subject.run(arrays)
        value, gradient = loss(outputs[0])

        def with_loss_backward(doutputs: list[Any]) -> Arrays:
            return backward([doutputs[0] * gradient, *doutputs[1:]])

        return [value, *outputs[1:]], with_loss_backward

    return subject._replace(run=run)


def run_on_copies(subject: Subject, arrays: Arrays) -> tuple[Any, Any]:
    """Run on copies, so that who writes to an argument spoils this one run alone."""
    return subject.run({name: array.copy() for name, array in arrays.items()})


def gradients_of(subject: Subject, doutputs: Any) -> Arrays:
    """Run forward and backward, and see that every gradient is there."""
    _, backward = run_on_copies(subject, subject.arrays)
    gradients = backward(copy.deepcopy(doutputs))
    for name, array in subject.arrays.items():
        if name not in gradients:
            raise ValueError(f"backward: expected a gradient of {name}, given {sorted(gradients)}")
        if np.shape(gradients[name]) != array.shape:
            raise ValueError(
                f"backward: expected the gradient of {name} to have shape {array.shape}, "
                f"given {np.shape(gradients[name])}"
            )
    return {name: np.array(gradients[name]) for name in subject.arrays}


def faults_of(subject: Subject, outputs: Any, doutputs: Any, gradients: Arrays) -> list[str]:
    """Find what no number shows: answers that change, and arguments that are written to."""
    arrays, given = copy.deepcopy((subject.arrays, doutputs))
    again, backward = subject.run(arrays)
    if not _same(again, outputs):
        raise ValueError(
            "forward: expected the same outputs for the same input, given two answers; "
            "hold its random numbers fixed"
        )
    faults = []
    backward(given)
    if not _same((arrays, given), (subject.arrays, doutputs)):
        faults.append("forward or backward writes to its arguments")
    second = backward(copy.deepcopy(doutputs))
    changed = [name for name, first in gradients.items() if not _same(second[name], first)]
    if changed:
        faults.append(f"backward, called twice, gives two gradients of {', '.join(changed)}")
    return faults


def _same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, leaves(one), leaves(other), [True] * len(leaves(one))))


def frozen(options: dict[str, Any]) -> dict[str, Any]:
    """Copy generators, so that every call draws the same dropout masks."""
    return {
        name: copy.deepcopy(option) if isinstance(option, np.random.Generator) else option
        for name, option in options.items()
    }


def leaves(tree: Any) -> list[Any]:
    """List what hangs on nested tuples, lists and dictionaries."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def like(tree: Any, new: Iterator[Any]) -> Any:
    """Hang other leaves, in the order of :func:`leaves`, on a copy of ``tree``."""
    if isinstance(tree, dict):
        return {name: like(branch, new) for name, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return tuple(like(branch, new) for branch in tree)
    return next(new)


def is_single(leaf: Any) -> bool:
    """Say whether this is a float32 array."""
    return isinstance(leaf, np.ndarray) and leaf.dtype == np.float32


def in_double(tree: Any) -> Any:
    """Return ``tree`` with float64 arrays in the place of float32 ones."""
    return like(tree, (x.astype(np.float64) if is_single(x) else x for x in leaves(tree)))
