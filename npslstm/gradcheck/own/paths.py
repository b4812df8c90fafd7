"""Find a value inside an object by a path, as "cell.weights[0]", and change its arrays."""

from __future__ import annotations

import copy
import io
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, GeneratorType, ModuleType
from typing import Any

import numpy as np

from ...arguments import Array
from .pairs import PATTERNS, named_gradients

__all__ = ["Paths", "Place", "change_arrays", "copied", "get", "gradient_at", "places_of"]

# What cannot be copied, and holds no arrays; and of how many a copy is tried anew.
SHARED = ModuleType, GeneratorType, io.IOBase, type(threading.Lock()), type(threading.RLock())
MOST_SHARED = 2_000
Paths = str | Sequence[str]
Place = tuple[str | int, ...]  # a way through attributes and entries: ("cell", "W"), ("weights", 0)


def places_of(made: Any, params: Paths) -> dict[str, Place]:
    """Find out where each parameter is: its name, and the way to it."""
    places: dict[str, Place] = {}
    for path in [params] if isinstance(params, str) else params:
        value = get(made, _place(path), path)
        entries: list[tuple[str, Place]] = [(path, ())]
        if isinstance(value, Mapping):
            entries = [(str(key), (key,)) for key in value]
        elif isinstance(value, list | tuple):
            entries = [(f"{path}[{k}]", (k,)) for k in range(len(value))]
        places |= {name: (*_place(path), *entry) for name, entry in entries}
    return places


def _place(path: str) -> Place:
    """Read "cell.weights[0]" as ("cell", "weights", 0)."""
    parts = re.findall(r"[^.\[\]'\"]+", path)
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def get(made: Any, place: Place, path: str = "") -> Any:
    """Follow the way to a value."""
    for part in place:
        try:
            inside: Any = made
            kept = isinstance(made, Mapping | list | tuple)
            made = inside[part] if kept else getattr(made, str(part))
        except (AttributeError, KeyError, IndexError, TypeError):
            raise ValueError(
                f"params: expected {path or place} in a {type(made).__name__}, which has no {part}"
            ) from None
    return made


def gradient_at(made: Any, names: list[str], name: str, place: Place, grads: Paths | None) -> Any:
    """Return the gradient of one parameter, or None if it is not there."""
    *inside, last = place
    if grads is None:
        beside, apart = list(PATTERNS[1:]), [*(f"grads[{p}]" for p in PATTERNS), "grads"]
        # Params in a dictionary or a list have, as a rule, gradients in another.
        patterns = apart + beside if inside else beside + apart
    elif isinstance(grads, str):
        patterns = [grads]
    else:
        patterns = [grads[names.index(name)]]
    for pattern in patterns:
        for start in (tuple(inside), ()):
            way = (*start, *_place(pattern.format(last)))
            value = _try(made, way)
            if isinstance(value, Mapping):
                value = named_gradients(value, None, [str(last)]).get(str(last))
            elif isinstance(value, list | tuple):
                value = value[names.index(name)]
            if value is not None:
                return value
    return None


def _try(made: Any, place: Place) -> Any:
    try:
        return get(made, place)
    except ValueError:
        return None


def change_arrays(made: Any, change: Callable[[Array], Array]) -> None:
    """Put ``change(array)`` in the place of every array in an object, its lists and dictionaries.

    One array that is found in two places is one array afterwards, too.
    """
    known: dict[int, tuple[Any, Any]] = {}  # by identity; holds what it knows, so that it lives

    def changed(value: Any) -> Any:
        if id(value) not in known:
            if isinstance(value, np.ndarray):
                known[id(value)] = value, change(value)
            elif isinstance(value, tuple) and type(value) is tuple:
                known[id(value)] = value, tuple(map(changed, value))
            else:
                known[id(value)] = value, value
                _change_inside(value, changed)
        return known[id(value)][1]

    changed(made)


def copied(made: Any) -> Any:
    """Copy an object, but not what refuses to be copied: a module, a file, a lock is shared."""
    shared: dict[int, Any] = {}
    while True:
        try:
            return copy.deepcopy(made, dict(shared))
        except TypeError as error:
            refused = _refused(error)
            known = isinstance(refused, SHARED) and len(shared) < MOST_SHARED
            if not known or id(refused) in shared:
                raise
            shared[id(refused)] = refused


def _refused(error: TypeError) -> Any:
    """Return the innermost object that was being copied."""
    refused, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is copy.deepcopy.__code__:
            refused = trace.tb_frame.f_locals["x"]
        trace = trace.tb_next
    return refused


def _change_inside(made: Any, changed: Callable[[Any], Any]) -> None:
    if isinstance(made, dict):
        for key, value in list(made.items()):
            made[key] = changed(value)
    elif isinstance(made, list):
        made[:] = map(changed, made)
    elif hasattr(made, "__dict__") and not isinstance(made, type | ModuleType | FunctionType):
        _change_inside(vars(made), changed)
