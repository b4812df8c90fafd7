"""Take a pair of functions, whatever form its backward returns the gradients in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .lift import lifting

__all__ = ["PATTERNS", "TUPLE", "as_pair", "by_name", "check_order", "named_gradients"]

PATTERNS = ("{}", "d{}", "d_{}", "{}_grad", "grad_{}", "{}_diff", "D{}")  # what people call them
TUPLE = (
    "of a tuple of gradients, names=('x', 'W', …) says which is which; a file says it in the "
    "options of example(): return x, params, {'names': ('x', …)}"
)
CACHES = {"cache", "caches"}


def as_pair(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    names: Sequence[str | None] | None = None,
    skip: Collection[str] = (),
    lift: bool = False,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a pair of which backward returns dx and a dictionary, without those to skip."""

    @functools.wraps(forward)
    def run(x: Any, **given: Any) -> tuple[Any, ...]:
        with lifting(lift, (x, *given.values()), forward):
            *outputs, cache = forward(x, **given)
        return *outputs, (cache, ["x", *given])

    def run_backward(cache: Any, *doutputs: Any) -> tuple[Any, dict[str, Any]]:
        own, wanted = cache
        with lifting(lift, doutputs, backward):
            returned = backward(own, *doutputs)
        found = named_gradients(returned, names, wanted)
        kept = {n: dy for n, dy in found.items() if dy is not None and n not in skip}
        return kept.pop("x", None), kept

    return run, run_backward


def check_order(backward: Callable[..., Any]) -> None:
    """Refuse a backward that takes its cache after the gradients of the outputs."""
    try:
        own = list(inspect.signature(backward).parameters)
    except (TypeError, ValueError):  # of a function in C, say
        return
    if own and own[0] not in CACHES and CACHES & set(own[1:2]):
        raise TypeError(
            f"backward is called as backward(cache, dout); yours takes {', '.join(own)}. "
            "A function in between turns them: lambda cache, dout: backward(dout, cache)"
        )


def named_gradients(
    returned: Any, names: Sequence[str | None] | None, wanted: Sequence[str]
) -> dict[str, Any]:
    """Return the gradients of the arrays ``wanted``, as far as they are there.

    Parameters
    ----------
    returned : tuple, dict or ndarray
        What backward returned: with ``names``, a tuple of gradients in that order (None for one to
        be passed over); without, (dx, a dictionary), or a dictionary, or dx alone.
    names : sequence of str, optional
    wanted : sequence of str
        The names of the arrays, x among them.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if names is not None:
        parts = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(parts) != len(names):
            raise ValueError(
                f"names: expected a name for each of the {len(parts)} gradients that backward "
                f"returns (None for one to be passed over), given {len(names)}"
            )
        return {name: part for name, part in zip(names, parts, strict=True) if name is not None}
    if isinstance(returned, tuple | list) and len(returned) == 2:
        dx, grads = returned
        if isinstance(grads, Mapping):
            return {**by_name(grads, wanted), "x": dx}
    if isinstance(returned, Mapping):
        return by_name(returned, wanted)
    if isinstance(returned, np.ndarray):
        return {"x": returned}
    raise ValueError(
        "backward: expected dx and a dictionary of gradients, or a dictionary, or dx alone; given "
        f"a {type(returned).__name__}; {TUPLE}"
    )


def by_name(grads: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Take gradients out of a dictionary whose keys may be dW for W."""
    found = {}
    for name in wanted:
        for pattern in PATTERNS:
            if pattern.format(name) in grads:
                found[name] = grads[pattern.format(name)]
                break
    return found
