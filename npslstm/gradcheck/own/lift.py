"""Let buffers hold complex numbers while somebody's code runs, so that the complex step applies.

Much code allocates real arrays, ``np.zeros((T, N, H))``, and puts its results there, which drops
the imaginary part that the complex step reads. ``lifted`` shows the code another ``np`` for a
while, whose arrays are complex128 where they would be real (or float64, where no complex numbers
come, so that float32 buffers round nothing away). NumPy itself is left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ...arguments import Array

__all__ = ["lifted", "lifting"]

MAKERS = ("zeros", "empty", "ones", "full", "zeros_like", "empty_like", "ones_like", "full_like")
TAKERS = ("array", "asarray", "ascontiguousarray")  # which may be told to make an array real
DTYPES = ("float16", "float32", "float64", "single", "double")


@contextmanager
def lifted(dtype: type, *code: Any) -> Iterator[None]:
    """Let code make arrays of ``dtype``, complex128 or float64, inside the ``with`` block.

    ``code`` are functions and objects: what is defined in their files, and in files of one's own
    that these import, sees the other NumPy. ``x.astype(float)`` stays real.
    """
    lifted_np = _LiftedNumPy(dtype)
    swapped = {id(np): lifted_np} | {
        id(getattr(np, name)): getattr(lifted_np, name) for name in (*MAKERS, *TAKERS)
    }
    changed: list[tuple[dict[str, Any], str, Any]] = []
    for space in _namespaces(code):
        for name, value in list(space.items()):
            if id(value) in swapped:
                changed.append((space, name, value))
                space[name] = swapped[id(value)]
    try:
        yield
    finally:
        for space, name, value in changed:
            space[name] = value


@contextmanager
def lifting(lift: bool, arrays: Iterable[Any], *code: Any) -> Iterator[Callable[[Array], Array]]:
    """Lift to what the arrays need that go in, if ``lift``; what it gives lifts one array."""
    if not lift:
        yield lambda array: array
        return
    dtype = np.complex128 if any(map(np.iscomplexobj, arrays)) else np.float64
    with lifted(dtype, *code):
        yield lambda array: array.astype(dtype) if array.dtype.kind == "f" else array


class _LiftedNumPy(ModuleType):
    """NumPy, but for what makes real arrays."""

    def __init__(self, dtype: type) -> None:
        super().__init__("numpy")
        for names, wrap in ((MAKERS, _maker), (TAKERS, _taker)):
            for name in names:
                setattr(self, name, wrap(getattr(np, name), dtype))
        for name in DTYPES:
            setattr(self, name, dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _maker(make: Callable[..., Any], dtype: type) -> Callable[..., Any]:
    def made(*args: Any, **options: Any) -> Any:
        array = make(*args, **options)
        with np.errstate(all="ignore"):  # an empty one may hold anything
            return array.astype(dtype) if array.dtype.kind == "f" else array

    return made


def _taker(take: Callable[..., Any], dtype: type) -> Callable[..., Any]:
    def taken(a: Any, wanted: Any = None, *args: Any, **options: Any) -> Any:
        wanted = options.pop("dtype", wanted)
        if wanted is not None and np.dtype(wanted).kind == "f":
            wanted = dtype
        return take(a, wanted, *args, **options)

    return taken


def _namespaces(code: Iterable[Any]) -> list[dict[str, Any]]:
    """List the global names of the files where code is defined, and of those that they import."""
    found: dict[int, dict[str, Any]] = {}
    waiting = list(code)
    while waiting:
        space = _globals_of(waiting.pop())
        if space is not None and id(space) not in found and _is_own(space):
            found[id(space)] = space
            waiting += list(space.values())
    return list(found.values())


def _globals_of(thing: Any) -> dict[str, Any] | None:
    """Return the global names that a function, a class, an object or a module sees."""
    if isinstance(thing, ModuleType):
        return vars(thing)
    if isinstance(thing, MethodType):
        thing = thing.__func__
    thing = getattr(thing, "__wrapped__", thing)
    if isinstance(thing, FunctionType):
        return thing.__globals__
    kind = thing if isinstance(thing, type) else type(thing)
    for value in vars(kind).values():
        if isinstance(value := getattr(value, "__func__", value), FunctionType):
            return value.__globals__
    return None


def _is_own(space: dict[str, Any]) -> bool:
    """Say whether a file is somebody's own: no installed package, no part of Python or of this."""
    top = str(space.get("__name__")).partition(".")[0]
    file = str(space.get("__file__", ""))
    installed = "site-packages" in file or "dist-packages" in file
    return (
        not installed and top not in sys.stdlib_module_names and top != __name__.partition(".")[0]
    )
