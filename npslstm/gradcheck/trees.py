"""Arrays that hang on nested tuples, lists and dictionaries: states, outputs, options, caches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["in_double", "is_single", "leaves", "like"]


def leaves(tree: Any) -> list[Any]:
    """List what hangs on nested tuples, lists and dictionaries."""
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def like(tree: Any, new: Iterator[Any]) -> Any:
    """Hang other leaves, in the order of :func:`leaves`, on a copy of ``tree``."""
    if isinstance(tree, Mapping):
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
