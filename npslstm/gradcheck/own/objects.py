"""Take an object that keeps its parameters, its caches and its gradients in attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...arguments import Array
from .lift import lifting
from .pairs import named_gradients
from .paths import Paths, change_arrays, copied, get, gradient_at, places_of

__all__ = ["ObjectPair", "guessed", "of_object"]

CONTAINERS = ("params", "parameters", "weights")
CACHES = ("cache", "caches", "ctx", "memory")  # what people call what forward hands to backward


class ObjectPair(tuple):
    """A pair (forward, backward) that knows the parameters of the object behind it."""

    params: dict[str, Array]

    def __repr__(self) -> str:
        return f"<of_object: forward and backward of {', '.join(self.params)}>"


def of_object(
    make: Callable[[], Any],
    params: Paths = "params",
    grads: Paths | None = None,
    *,
    names: Sequence[str | None] | None = None,
    skip: Sequence[str] | set[str] = (),
    lift: bool = False,
    forward: str = "forward",
    backward: str = "backward",
) -> ObjectPair:
    """Make a pair of functions, for ``check_gradients``, of an object that keeps its own state.

    Every run takes a fresh object, so nothing that one run leaves behind reaches the next.

    Parameters
    ----------
    make : callable
        Returns a new object: ``lambda: LSTM(3, 4)``. What it draws at random is drawn once.
    params : sequence of str, or str
        Where its parameters are: attributes, ``("Wx", "Wh", "b")``; entries, ``("cell.W",
        "weights[0]", "p[Wx]")``; or one attribute that holds a list or a dictionary of them.
    grads : str or sequence of str, optional
        Where their gradients are, after backward: a pattern, ``"d{}"``, ``"{}_grad"``,
        ``"grads[{}]"``; one attribute that holds a list or a dictionary; or a sequence in the
        order of ``params``. By default the usual ones are tried, and what backward returns.
    names : sequence of str, optional
        Of a backward that returns a tuple: whose gradient each is, ``("x", "h0", "c0")``.
    skip : set of str
        Arrays of which it gives no gradient; "x", where backward returns no dx.
    lift : bool
        Let its real or float32 buffers hold complex numbers while the complex step runs.
    forward, backward : str
        What the two methods are called. ``forward(x)`` returns an array or a tuple of them, and
        ``backward`` takes as many gradients, or fewer: then the other outputs are not read. If it
        takes a ``cache``, too, that is the last of what forward returns. Initial states that
        forward takes by name are given to ``check_gradients`` as ``params``.

    Raises
    ------
    ValueError
        If a parameter is not there.

    Examples
    --------
    >>> class Scale:
    ...     def __init__(self):
    ...         self.w = np.array([2.0, 3.0])
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.w
    ...
    ...     def backward(self, dy):
    ...         self.dw = (dy * self.x).sum(axis=0)
    ...         return dy * self.w
    >>> from npslstm.gradcheck import check_gradients
    >>> pair = of_object(Scale, params=("w",), grads="d{}")
    >>> check_gradients(pair, np.ones((3, 2)), verbose=False).passed
    True
    """
    first = make()
    places = places_of(first, params)
    values = {name: np.array(get(first, place)) for name, place in places.items()}
    cache_at, takes = _takes(getattr(first, backward))

    def run(x: Array, **arrays: Array) -> tuple[Any, ...]:
        with lifting(lift, (x, *arrays.values()), make, first) as as_lifted:
            made = make()
            wanted = ["x", *places, *(name for name in arrays if name not in places)]
            new = {
                id(get(made, place)): arrays.pop(name, values[name])
                for name, place in places.items()
            }
            change_arrays(made, lambda array: new.get(id(array), as_lifted(array)))
            returned = getattr(made, forward)(x, **arrays)
        outputs = list(returned) if isinstance(returned, tuple) else [returned]
        cache = None if cache_at is None else outputs.pop()
        return *outputs[:takes], (made, cache, wanted, x)

    def run_backward(cache: Any, *doutputs: Any) -> tuple[Any, dict[str, Any]]:
        made, own_cache, wanted, x = copied(cache)
        given = list(doutputs)
        if cache_at is not None:
            given.insert(cache_at, own_cache)
        with lifting(lift, (x,), make, first):
            returned = getattr(made, backward)(*given)
        found = {} if returned is None else named_gradients(returned, names, wanted)
        for name, place in places.items():
            if name not in found:
                found[name] = gradient_at(made, list(places), name, place, grads)
        found = {name: gradient for name, gradient in found.items() if gradient is not None}
        if missing := [name for name in wanted if name not in found and name not in skip]:
            raise ValueError(
                f"grads: expected the gradient of {', '.join(missing)} after {backward}, found "
                f"none in a {type(made).__name__}; grads= says where they are, names= what "
                f"{backward} returns, skip= which it does not give"
            )
        kept = {name: gradient for name, gradient in found.items() if name not in skip}
        return kept.pop("x", None), kept

    pair = ObjectPair((run, run_backward))
    pair.params = values
    return pair


def guessed(layer: Any, x: Array, lift: bool = False) -> ObjectPair:
    """Make a pair of an object after a common pattern, which needs no more to be said.

    Its parameters are in ``params``, ``parameters`` or ``weights``; or they are those of its
    arrays beside which a backward leaves a gradient under one of the usual names.

    Raises
    ------
    TypeError
        If it has no parameters that can be found so.
    """
    for name in CONTAINERS:
        if isinstance(getattr(layer, name, None), Mapping | list | tuple):
            return of_object(lambda: copied(layer), name, lift=lift)
    arrays = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }
    made = copied(layer)
    outputs = made.forward(x)
    made.backward(*map(np.ones_like, outputs if isinstance(outputs, tuple) else (outputs,)))
    found = [n for n in arrays if gradient_at(made, list(arrays), n, (n,), None) is not None]
    if not found:
        raise TypeError(
            f"layer: expected parameters with gradients beside them, given {type(layer).__name__} "
            "in which none are found; of_object(make, params=(…), grads=…) says where they are"
        )
    return of_object(lambda: copied(layer), tuple(found), lift=lift)


def _takes(backward: Callable[..., Any]) -> tuple[int | None, int | None]:
    """Return where backward takes a cache, or None, and how many gradients of outputs it takes."""
    parameters = list(inspect.signature(backward).parameters.values())
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None, None
    names = [parameter.name for parameter in parameters]
    at = next((k for k, name in enumerate(names) if name in CACHES), None)
    return at, len(names) - (at is not None)
