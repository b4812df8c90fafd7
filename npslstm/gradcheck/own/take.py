"""Take what is to be checked as it comes: a layer, a pair of functions, or an object."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arguments import Array
from ..subject import Arrays, Subject, of_functions, of_layer
from ..trees import in_double
from .objects import ObjectPair, guessed
from .pairs import as_pair, check_order

__all__ = ["is_ours", "taken"]


def is_ours(layer: Any) -> bool:
    """Say whether a layer is of this package, whose layout and mistakes need not be found."""
    package = __name__.partition(".")[0]
    return not isinstance(layer, tuple) and type(layer).__module__.partition(".")[0] == package


def taken(
    layer: Any,
    x: Array,
    state: Any,
    params: Arrays | None,
    options: dict[str, Any],
    own: dict[str, Any],
    rng: np.random.Generator,
) -> Subject:
    """Return what to check; ``own`` are names, skip and lift, which go with functions."""
    if hasattr(layer, "forward") and hasattr(layer, "backward") and not hasattr(layer, "astype"):
        layer = guessed(layer, x, own["lift"])
    if isinstance(layer, ObjectPair):
        params = layer.params | (params or {})
    if isinstance(layer, tuple) and len(layer) == 2:
        if state is not None:
            raise TypeError("state: expected among params, for a pair of functions")
        forward, backward = layer
        if not (callable(forward) and callable(backward)):
            raise TypeError("layer: expected two functions (forward, backward) in the pair")
        check_order(backward)
        if any(own.values()):
            forward, backward = as_pair(forward, backward, **own)
        params = in_double({} if params is None else params)
        skip, lift = frozenset(own["skip"]), own["lift"]
        return of_functions(forward, backward, x, params, options, skip, lift)
    if any(own.values()):
        raise TypeError("names, skip, lift: expected none, unless layer is a pair of functions")
    if params is not None:
        raise TypeError("params: expected None unless layer is a pair of functions")
    return of_layer(layer, x, state, options, rng)
