"""Memory that is used again, because fresh pages cost more than what is written on them.

An LSTM's training step writes megabytes and drops them. The allocator returns them to the system
and takes new pages for the next step, which the system must map and clear: measured, a quarter
of the step's time.

``borrow``, ``empty`` and ``copy`` are for what leaves the function that asks for it: a block comes
back when the last array on it is gone, whoever held it, and is lent again only then; so nothing
that somebody still holds can change under them. ``workspace`` is for what does not: scratch with
all its views, made once a shape.

Blocks begin at a multiple of 64 bytes, a cache line and the widest vector: on others, matrix
products take 1 to 5 % longer.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ..arguments import Array

__all__ = ["borrow", "copy", "empty", "workspace"]

Work = TypeVar("Work")

ALIGNMENT = 64  # bytes
SMALL = 64 * 1024  # bytes; of such arrays the allocator keeps the memory itself, and is faster

_lock = threading.Lock()
_free: dict[int, list[memoryview]] = {}  # by size in bytes, the least recently lent size first
_held: dict[int, tuple[weakref.ref[Array], memoryview]] = {}  # what is lent
_returned: deque[memoryview] = deque()  # what has come back and waits to be put with the free
_bytes = {"lent": 0, "peak": 0, "free": 0}


def borrow(dtype: DTypeLike, *shapes: tuple[int, ...]) -> list[Array]:
    """Return uninitialised arrays that share one block; it comes back when the last one dies."""
    dtype = np.dtype(dtype)
    counts = [math.prod(shape) for shape in shapes]
    # A view's base is the array below it, but never a memoryview: every view of ``flat`` keeps
    # ``flat`` alive, and its end is the end of them all.
    block = _lend(sum(counts) * dtype.itemsize)
    flat = np.frombuffer(block, dtype)
    reference = weakref.ref(flat, _give_back)
    _held[id(reference)] = reference, block
    arrays, start = [], 0
    for shape, count in zip(shapes, counts, strict=True):
        arrays.append(flat[start : start + count].reshape(shape))
        start += count
    return arrays


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return an uninitialised array, as ``np.empty`` does; a large one is borrowed."""
    if math.prod(shape) * np.dtype(dtype).itemsize < SMALL:
        return np.empty(shape, dtype)
    return borrow(dtype, shape)[0]


def copy(array: Array) -> Array:
    """Return a contiguous copy; a large one is borrowed."""
    new = empty(array.shape, array.dtype)
    new[...] = array
    return new


def _give_back(reference: weakref.ref[Array]) -> None:
    """Note a block's end: a finalizer may run anywhere, so it does two atomic things only."""
    _returned.append(_held.pop(id(reference))[1])


def _lend(size: int) -> memoryview:
    """Take a free block of this size, or make one."""
    with _lock:
        while _returned:
            block = _returned.popleft()
            _free.setdefault(block.nbytes, []).append(block)
            _bytes["lent"] -= block.nbytes
            _bytes["free"] += block.nbytes
        blocks = _free.pop(size, [])
        if blocks:
            block = blocks.pop()
            _bytes["free"] -= size
        else:
            memory = np.empty(size + ALIGNMENT, np.uint8)
            start = -memory.__array_interface__["data"][0] % ALIGNMENT
            block = memory[start : start + size].data
        _free[size] = blocks  # now the most recently lent
        _bytes["lent"] += size
        _bytes["peak"] = max(_bytes["peak"], _bytes["lent"])
        # What was once in use at the same time is worth keeping, and no more than that.
        while _bytes["free"] > _bytes["peak"]:
            oldest = next(iter(_free))
            if _free[oldest]:
                _bytes["free"] -= _free[oldest].pop().nbytes
            else:
                del _free[oldest]
        return block


@contextmanager
def workspace(make: Callable[..., Work], *shape: Any) -> Iterator[Work]:
    """Lend a ``make(*shape)`` that nobody else has, for the ``with`` block and no longer."""
    shelf = _shelf(make, *shape)
    try:
        work = shelf.pop()
    except IndexError:
        work = make(*shape)
    yield work
    shelf.append(work)


@lru_cache(maxsize=16)
def _shelf(make: Callable[..., Work], *shape: Any) -> list[Work]:
    """Return the list of free workspaces of a shape; shapes long unused are forgotten."""
    return []
