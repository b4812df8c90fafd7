"""Memory that is used again, because fresh pages cost more than what is written on them.

A training step writes megabytes and drops them. The allocator may return them to the system and
take new pages for the next step, which the system must map and clear. So each thread keeps what its
last calls have used:

* scratch, which never leaves the kernel: one object for each shape of block;
* the arrays that a forward pass fills for backward. They do leave, in the cache. One is filled
  again only where its reference count shows that nobody else holds it or a view of it: the ``base``
  of every view is the array that owns the memory, and torch, DLPack and memoryviews hold a view.

Threads share nothing, so there is nothing to lock, and whatever interrupts a call finds other
memory than the call's. What neither of the last two calls has used is dropped, unless it is small.

Arrays begin at a multiple of 64 bytes, a cache line and the widest vector: on others, matrix
products take 1 to 5 % longer.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ..arguments import Array

__all__ = ["Room", "Scratch", "empty", "forget", "give_back", "kept_bytes", "new_call", "scratch"]

ALIGNMENT = 64  # bytes
UNALIGNED = 16 * 1024  # bytes: below, to align costs more than it wins
RECENT = 2  # calls: a training step is two, forward and backward
SMALL = 4 * 2**20  # bytes of each sort that a thread keeps for longer,
FEW = 16  # and so many objects


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return an uninitialised array; a large one begins at such an address."""
    dtype = np.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < UNALIGNED:
        return np.empty(shape, dtype)
    memory = uninitialised(_size(shape, dtype))
    return np.ndarray(shape, dtype, memory, _misaligned(memory))


class Room:
    """One array for all that a layer keeps for backward, cut off piece by piece.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of all pieces.
    dtype : dtype
        Of all pieces.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.memory = _thread.array(sum(_size(shape, self.dtype) for shape in shapes))
        self.start = _misaligned(self.memory)

    def empty(self, shape: tuple[int, ...]) -> Array:
        """Return the next piece, uninitialised."""
        start, size = self.start, math.prod(shape) * self.dtype.itemsize
        self.start += -(-size // ALIGNMENT) * ALIGNMENT
        return np.ndarray(shape, self.dtype, self.memory, start)


class Scratch:
    """What a block works in, and the views that it takes of it: made once for a shape."""

    def __init__(self) -> None:
        self.nbytes = 0
        self.key: Any = None
        self.last_call = 0

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return an uninitialised array of this scratch."""
        array = empty(shape, dtype)
        self.nbytes += array.nbytes
        return array


AnyScratch = TypeVar("AnyScratch", bound=Scratch)


def scratch(make: Callable[..., AnyScratch], *shape: Any) -> AnyScratch:
    """Return ``make(*shape)``, one that nobody else has until it is given back."""
    key = (make, *shape)
    work: Any = _thread.scratch.pop(key, None)
    if work is None:
        work = make(*shape)
        work.key = key
    return work


def give_back(work: Scratch) -> None:
    """Let the next block of this shape have it."""
    work.last_call = _thread.calls
    _thread.scratch[work.key] = work


def new_call() -> None:
    """Begin a forward or backward pass: drop what the last two have not used."""
    _thread.new_call()


def uninitialised(size: int) -> Array:
    """Return so many new bytes."""
    return np.empty(size, np.uint8)


def forget() -> None:
    """Drop all that this thread keeps."""
    _thread.scratch, _thread.arrays = {}, []


def kept_bytes() -> int:
    """Count what this thread keeps."""
    arrays = sum(kept.nbytes for kept in _thread.arrays)
    return arrays + sum(work.nbytes for work in _thread.scratch.values())


class _Kept:
    """An array that this thread has handed out, and the last call that asked for it."""

    def __init__(self, memory: Array, last_call: int) -> None:
        self.memory, self.nbytes, self.last_call = memory, memory.nbytes, last_call


def _if_free(kept: _Kept, holders: int) -> Array | None:
    """Return the memory if so many hold it. It is held here before anybody counts."""
    memory = kept.memory
    return memory if sys.getrefcount(memory) == holders else None


def _holders_of_free_memory() -> int:
    """Count, as ``_if_free`` does, the holders of memory that nobody else holds."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return -1  # counts of other threads may come late: never use memory again
    kept = _Kept(np.empty(1, np.uint8), 0)
    return next(count for count in range(10) if _if_free(kept, count) is not None)


FREE = _holders_of_free_memory()


class _Thread(threading.local):
    """What one thread keeps."""

    def __init__(self) -> None:
        self.calls = 0
        self.scratch: dict[Any, Scratch] = {}
        self.arrays: list[_Kept] = []

    def array(self, size: int) -> Array:
        """Return so many bytes: an array that is kept and free, or a new one."""
        for kept in self.arrays:
            if kept.nbytes == size:
                memory = _if_free(kept, FREE)
                if memory is not None:
                    kept.last_call = self.calls
                    return memory
        memory = uninitialised(size)
        self.arrays = [*self.arrays, _Kept(memory, self.calls)]
        return memory

    def new_call(self) -> None:
        """Count the call, and drop what is neither recent nor small, the oldest first."""
        self.calls += 1
        self.arrays = self._worth_keeping(self.arrays)
        scratch = list(self.scratch.values())
        kept = self._worth_keeping(scratch)
        if kept is not scratch:
            self.scratch = {work.key: work for work in kept}

    def _worth_keeping(self, items: list[Any]) -> list[Any]:
        nbytes = sum([item.nbytes for item in items])
        if nbytes <= SMALL and len(items) <= FEW:
            return items
        items = sorted(items, key=lambda item: item.last_call)
        while items and items[0].last_call < self.calls - RECENT:
            if nbytes <= SMALL and len(items) <= FEW:
                break
            nbytes -= items.pop(0).nbytes
        return items


def _size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes that an aligned array of this shape may need."""
    return math.prod(shape) * dtype.itemsize + ALIGNMENT


def _misaligned(memory: Array) -> int:
    """Bytes from the beginning to the first good address."""
    return -memory.__array_interface__["data"][0] % ALIGNMENT


_thread = _Thread()
