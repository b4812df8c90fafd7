"""Which rows, and which of their steps, each step of training reads."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array, check_size
from .examples import Examples

__all__ = ["SHUFFLE", "Plan", "steps_per_epoch"]

SHUFFLE = 1  # what a generator is for, so that no two purposes share one stream


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Count the batches of an epoch; the last one may be smaller."""
    return math.ceil(examples / batch_size)


class Plan(NamedTuple):
    """An epoch: batches of rows, each read at once or window after window."""

    examples: Examples
    batch_size: int
    window: int | None
    seed: int
    batches: int
    windows: int  # a batch; 1 where it is read at once

    @classmethod
    def of(cls, examples: Examples, batch_size: int, window: int | None, seed: int) -> Plan:
        """Check the sizes."""
        check_size("batch_size", batch_size)
        if examples.y.size == 0:
            raise ValueError(f"y: expected at least one answer, given shape {examples.y.shape}")
        batches, windows = steps_per_epoch(len(examples.x), batch_size), 1
        if window is not None:
            check_size("window", window)
            if not examples.every_step:
                raise ValueError('window: expected a model with readout="all"')
            if examples.lengths is not None:
                raise ValueError("window: expected no lengths beside it")
            if examples.x.shape[1] == 0:
                raise ValueError(f"x: expected at least one step, given shape {examples.x.shape}")
            windows = math.ceil(examples.x.shape[1] / window)
        return cls(examples, batch_size, window, seed, batches, windows)

    @property
    def steps_per_epoch(self) -> int:
        """How many steps of training an epoch takes."""
        return self.batches * self.windows

    def check_start(self, start: Any, epochs: int) -> None:
        """Refuse to go on behind the end, or in the middle of a batch without the state."""
        step, end = start.step, epochs * self.steps_per_epoch
        if step > end:
            raise ValueError(
                f"start: expected at most step {end}, the end of epoch {epochs}, given {step}; "
                "epochs counts those before start, too"
            )
        if step % self.windows and not start.state:
            raise ValueError(
                f"start: with window={self.window} expected the state of the window before, or a "
                f"step that is a multiple of {self.windows}; given step {step} without it"
            )

    def carried(self, step: int, state: Any) -> tuple[Array, ...]:
        """Return what the step after this one needs of the state that this one ended in."""
        if (step + 1) % self.windows == 0:
            return ()
        return tuple(state) if isinstance(state, tuple) else (state,)

    def order(self, epoch: int) -> Array:
        """Return the numbers of the examples in the order of this epoch."""
        return np.random.default_rng([self.seed, SHUFFLE, epoch]).permutation(len(self.examples.x))

    def part(self, order: Array, place: int) -> tuple[Array, slice | None]:
        """Return the rows that step ``place`` of an epoch reads, and their steps (None: all)."""
        batch, window = divmod(place, self.windows)
        rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        if self.window is None:
            return rows, None
        return rows, slice(window * self.window, (window + 1) * self.window)

    def seen(self, order: Array, weights: Array | None = None) -> list[float]:
        """Count what a mean since the epoch began is over, rows or their steps: before each step.

        With ``weights`` of classes, each counts as much as its label does. The last number is that
        of the whole epoch.
        """
        counts = [0.0]
        for place in range(self.steps_per_epoch):
            rows, steps = self.part(order, place)
            if weights is not None:
                count = float(weights.take(self._labels(rows, steps), mode="clip").sum())
            elif steps is not None:
                count = len(rows) * len(range(self.examples.x.shape[1])[steps])
            elif self.examples.lengths is not None and self.examples.every_step:
                count = int(self.examples.lengths[rows].sum())
            else:
                count = len(rows)
            counts.append(counts[-1] + count)
        return counts

    def _labels(self, rows: Array, steps: slice | None) -> Array:
        """Return the labels that count."""
        y = self.examples.y[rows]
        if steps is not None:
            return y[:, steps]
        if self.examples.lengths is None or not self.examples.every_step:
            return y
        return y[np.arange(y.shape[1]) < self.examples.lengths[rows, None]]

    @property
    def answers(self) -> int:
        """How many answers each of those has."""
        y, steps = self.examples.y, self.window is not None or self.examples.masked
        return y.size // math.prod(y.shape[: 1 + steps])
