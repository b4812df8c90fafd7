"""Learning rate schedules, simplest first.

A schedule is a function from the number of steps already taken to the learning rate of the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..arguments import check_size

__all__ = ["Schedule", "constant", "cosine", "one_cycle"]

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Keep the learning rate as it is."""
    return lambda step: lr


def cosine(max_lr: float, total_steps: int, *, min_lr: float = 0.0) -> Schedule:
    """Fall from ``max_lr`` at step 0 to ``min_lr`` at ``total_steps`` along half a cosine wave.

    As PyTorch's ``CosineAnnealingLR``; Loshchilov & Hutter (2017), equation (5), without restarts.

    Examples
    --------
    >>> lr = cosine(1.0, 10)
    >>> [round(lr(step), 3) for step in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """
    check_size("total_steps", total_steps)

    def schedule(step: int) -> float:
        _check_step(step, total_steps)
        return _half_wave(max_lr, min_lr, step / total_steps)

    return schedule


def one_cycle(
    max_lr: float,
    total_steps: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Rise to ``max_lr``, then fall far below the start, each along half a cosine wave.

    From ``max_lr / div_factor`` up, over the first ``pct_start`` of the steps, and down to
    ``max_lr / div_factor / final_div_factor`` at step ``total_steps - 1``. As PyTorch's
    ``OneCycleLR`` (without its cycling of momentum); Smith & Topin (2019).

    Examples
    --------
    >>> lr = one_cycle(1.0, 101, pct_start=0.25)
    >>> [round(lr(step), 6) for step in (0, 100)]
    [0.04, 4e-06]
    """
    check_size("total_steps", total_steps)
    if not 0 <= pct_start < 1:
        raise ValueError(f"pct_start: expected a fraction in [0, 1), given {pct_start}")
    first, last = max_lr / div_factor, max_lr / div_factor / final_div_factor
    top = pct_start * total_steps - 1  # the step, maybe between two, that runs at max_lr

    def schedule(step: int) -> float:
        _check_step(step, total_steps - 1)
        if step < top:
            return _half_wave(first, max_lr, step / top)
        return _half_wave(max_lr, last, (step - top) / (total_steps - 1 - top))

    return schedule


def _half_wave(start: float, end: float, fraction: float) -> float:
    """Go from ``start`` at 0 to ``end`` at 1, level at both."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


def _check_step(step: int, last: int) -> None:
    if not 0 <= step <= last:
        raise ValueError(f"step: expected 0 to {last}, given {step}")
