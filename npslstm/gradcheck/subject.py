"""What a gradient check runs: any layer, or any pair of functions, as named arrays in float64.

The one convention: forward returns outputs and, last, a cache; backward takes that cache and one
gradient for each output and returns dx, the gradient of the initial state if there is one, and a
dictionary of the parameters' gradients. ``LSTMCell``, ``LSTM``, ``LSTMModel``, ``RNN`` and
``Linear`` keep to it, and so can yours.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from .own.pairs import TUPLE, by_name
from .trees import leaves, like

__all__ = [
    "Arrays",
    "Run",
    "Subject",
    "check_params",
    "frozen",
    "gradients_of",
    "of_functions",
    "of_layer",
    "run_on_copies",
    "with_loss",
]

Arrays = dict[str, Array]
Backward = Callable[[list[Any]], Arrays]


class Run(NamedTuple):
    """One forward: its outputs, its backward by name, its cache."""

    outputs: list[Any]
    backward: Backward
    cache: Any


class Subject(NamedTuple):
    """Something to check: its name, its arrays, and how to run it on such arrays."""

    title: str
    arrays: Arrays  # float64: the parameters, x, the initial states
    run: Callable[[Arrays], Run]
    backward: Callable[..., Any]  # as it was given: its signature says where it takes None
    in_float64: bool  # float64 is promised throughout, as ``astype`` does
    skip: frozenset[str] = frozenset()  # arrays whose gradients may be missing
    lifted: bool = True  # whether buffers hold complex numbers, or there is nothing to lift


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

    def run(arrays: Arrays) -> Run:
        twin = layer.astype(np.result_type(*arrays.values()))
        for name, param in twin.params.items():
            param[...] = arrays[name]
        start = [like(state, (arrays[name] for name in starts))] if stateful else []
        *outputs, cache = twin.forward(arrays["x"], *start, **frozen(options))

        def backward(doutputs: list[Any]) -> Arrays:
            dx, *dstart, grads = twin.backward(cache, *doutputs)
            return {**grads, "x": dx, **dict(zip(starts, leaves(dstart), strict=True))}

        return Run(outputs, backward, cache)

    arrays = {**double.params, "x": x, **starts}
    return Subject(type(layer).__name__, arrays, run, layer.backward, in_float64=True)


def of_functions(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    x: Array,
    params: Arrays,
    options: dict[str, Any],
    skip: frozenset[str] = frozenset(),
    lifted: bool = False,
) -> Subject:
    """Take ``forward(x, **params, **options)`` and ``backward(cache, *doutputs)``."""

    def run(arrays: Arrays) -> Run:
        given = {name: arrays[name] for name in params}
        *outputs, cache = _answer(forward(arrays["x"], **given, **frozen(options)))

        def gradients(doutputs: list[Any]) -> Arrays:
            dx, grads = _gradients(backward(cache, *doutputs))
            grads = {**grads, **by_name(grads, ["x", *params])}  # dW is the gradient of W
            return grads if dx is None else {**grads, "x": dx}

        return Run(outputs, gradients, cache)

    name = getattr(forward, "__name__", type(forward).__name__)
    return Subject(name, {**params, "x": x}, run, backward, False, skip, lifted)


def with_loss(subject: Subject, loss: Callable[[Any], tuple[Any, Any]]) -> Subject:
    """Put a loss on the first output, whose place it takes."""

    def run(arrays: Arrays) -> Run:
        outputs, backward, cache = subject.run(arrays)
        value, gradient = loss(outputs[0])

        def with_loss_backward(doutputs: list[Any]) -> Arrays:
            return backward([doutputs[0] * gradient, *doutputs[1:]])

        return Run([value, *outputs[1:]], with_loss_backward, cache)

    return subject._replace(run=run)


def run_on_copies(subject: Subject, arrays: Arrays) -> Run:
    """Run on copies, so that who writes to an argument spoils this one run alone."""
    return subject.run({name: array.copy() for name, array in arrays.items()})


def gradients_of(subject: Subject, doutputs: Any, arrays: Arrays | None = None) -> Arrays:
    """Run forward and backward, and see that every gradient is there; of x, it may be missing."""
    run = run_on_copies(subject, subject.arrays if arrays is None else arrays)
    gradients = run.backward(copy.deepcopy(doutputs))
    if gradients.get("x") is None:
        gradients.pop("x", None)
    for name, array in subject.arrays.items():
        if name in {"x", *subject.skip} and name not in gradients:
            continue
        if gradients.get(name) is None:
            given = "None" if name in gradients else sorted(gradients)
            raise ValueError(f"backward: expected a gradient of {name}, given {given}")
        if np.shape(gradients[name]) != array.shape:
            raise ValueError(
                f"backward: expected the gradient of {name} to have shape {array.shape}, "
                f"given {np.shape(gradients[name])}"
            )
        kind = np.asarray(gradients[name]).dtype
        if kind.kind not in "fciub":
            raise TypeError(f"backward: expected the gradient of {name} in numbers, given {kind}")
    return {name: np.array(gradients[name]) for name in subject.arrays if name in gradients}


def frozen(options: dict[str, Any]) -> dict[str, Any]:
    """Copy generators, so that every call draws the same dropout masks."""
    return {
        name: copy.deepcopy(option) if isinstance(option, np.random.Generator) else option
        for name, option in options.items()
    }


def check_params(params: Any) -> None:
    """Demand arrays of float32 or float64 by name."""
    if not isinstance(params, Mapping):
        raise TypeError(
            "params: expected a dictionary of arrays by the names of forward's arguments, "
            f"given {type(params).__name__}"
        )
    if "x" in params:
        raise ValueError("params: expected any names but x, which is the input's")
    for name, param in params.items():
        if not isinstance(name, str):
            raise TypeError(f"params: expected names as keys, given {name!r}")
        if not isinstance(param, np.ndarray):
            raise TypeError(
                f"params[{name!r}]: expected a NumPy array, given {type(param).__name__}; "
                "np.array(…, float) makes one"
            )
        if param.dtype not in (np.float32, np.float64):
            raise TypeError(
                f"params[{name!r}]: expected float32 or float64, given {param.dtype}; "
                "astype(float) makes it so"
            )


def _answer(returned: Any) -> tuple[Any, ...]:
    """Demand of forward outputs and a cache."""
    convention = "expected one or more outputs and then a cache, as in `return y, cache`"
    if not isinstance(returned, tuple | list):
        raise TypeError(f"forward: {convention}, given {type(returned).__name__} alone")
    if len(returned) < 2:
        raise ValueError(f"forward: {convention}, given {len(returned)} value(s)")
    for k, output in enumerate(returned[:-1]):
        for leaf in leaves(output):
            if not isinstance(leaf, np.ndarray | np.number | float | complex):
                raise TypeError(
                    f"forward: {convention}; expected output {k} to be an array, "
                    f"given {type(leaf).__name__}"
                )
    return tuple(returned)


def _gradients(returned: Any) -> tuple[Any, Arrays]:
    """Demand of backward dx and a dictionary; dx may be None, or missing."""
    if isinstance(returned, dict):
        return None, returned
    convention = (
        "expected dx and a dictionary of the gradients of params, as in "
        '`return dx, {"W": dW}`; dx may be None'
    )
    if not isinstance(returned, tuple | list):
        raise TypeError(f"backward: {convention}; given {type(returned).__name__} alone")
    if len(returned) == 1 and isinstance(returned[0], dict):
        return None, returned[0]
    if len(returned) != 2:
        raise ValueError(
            f"backward: {convention}; given {type(returned).__name__} of {len(returned)} value(s); "
            f"{TUPLE}"
        )
    if not isinstance(returned[1], dict):
        second = type(returned[1]).__name__
        raise TypeError(f"backward: {convention}; the second is {second}; {TUPLE}")
    return returned[0], returned[1]
