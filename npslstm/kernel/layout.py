"""Between the caller's layout and the kernel's: axes, the order of rows, and time reversed.

The caller's sequences are ``(T, N, F)``, ``(N, T, F)`` with batch_first, or ``(T, F)`` for one
row, and rows of different lengths come in any order. Inside, a sequence is ``(T, N, F)`` and a
state ``(num_layers·directions, N, H)``, with rows sorted by length, longest first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arguments import Array, check_lengths

__all__ = ["Layout", "leading_axes"]


def leading_axes(ndim: int, batch_first: bool) -> tuple[str, ...]:
    """Name the axes of a sequence before its features."""
    if ndim == 2:
        return ("T",)
    return ("N", "T") if batch_first else ("T", "N")


class Layout(NamedTuple):
    """How one call's sequences lie."""

    axes: tuple[str, ...]
    steps: int
    rows: int
    ends: Array | None = None  # (N,), each sorted row's length; None: all T
    order: Array | None = None  # sorted row k is the caller's row order[k]

    @classmethod
    def of(cls, x: Array, batch_first: bool, lengths: object) -> Layout:
        """Read the layout off an input and the lengths given with it."""
        axes = leading_axes(x.ndim, batch_first)
        sizes = dict(zip(axes, x.shape, strict=False))
        steps, rows = sizes["T"], sizes.get("N", 1)
        if lengths is None:
            return cls(axes, steps, rows)
        lengths = check_lengths(lengths, rows, steps)
        order = np.argsort(-lengths, kind="stable")
        return cls(axes, steps, rows, lengths[order], order)

    @property
    def unbatched(self) -> bool:
        """Whether the caller's arrays have no batch axis."""
        return "N" not in self.axes

    def shape(self, features: int) -> tuple[int, ...]:
        """Shape of a sequence, outside."""
        sizes = {"T": self.steps, "N": self.rows}
        return (*(sizes[axis] for axis in self.axes), features)

    def state_shape(self, layers: int, hidden: int) -> tuple[int, ...]:
        """Shape of a state, outside."""
        return (layers, hidden) if self.unbatched else (layers, self.rows, hidden)

    def inside(self, sequence: Array) -> Array:
        """Bring a sequence of the caller's into the kernel's layout; a view where possible."""
        if self.unbatched:
            sequence = sequence[:, None]
        elif self.axes == ("N", "T"):
            sequence = sequence.swapaxes(0, 1)
        return sequence if self.order is None else sequence[:, self.order]

    def outside(self, sequence: Array) -> Array:
        """Invert :meth:`inside`."""
        if self.order is not None:
            sequence = sequence[:, np.argsort(self.order)]
        if self.unbatched:
            return sequence[:, 0]
        return sequence.swapaxes(0, 1) if self.axes == ("N", "T") else sequence

    def state_inside(self, state: Array) -> Array:
        """Bring a state of the caller's into the kernel's order of rows."""
        if self.unbatched:
            state = state[:, None]
        return state if self.order is None else state[:, self.order]

    def state_outside(self, state: Array) -> Array:
        """Invert :meth:`state_inside`."""
        if self.order is not None:
            state = state[:, np.argsort(self.order)]
        return state[:, 0] if self.unbatched else state

    def valid_steps(self) -> Array:
        """Say which steps lie within their row's length: boolean, a sequence without features."""
        ends = np.full(self.rows, self.steps) if self.ends is None else self.ends
        return self.outside(np.arange(self.steps)[:, None] < ends)

    def flip(self, sequence: Array) -> Array:
        """Reverse each row of a sequence, inside, within its own length; its own inverse."""
        if self.ends is None:
            return sequence[::-1]
        t = np.arange(self.steps)[:, None]
        source = np.where(t < self.ends, self.ends - 1 - t, t)  # (T, N)
        return sequence[source, np.arange(self.rows)]
