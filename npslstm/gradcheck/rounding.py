"""How far rounding alone may move a gradient: measured, not assumed.

σ′ = σ(1 - σ) and tanh′ = 1 - tanh² are differences of numbers of size 1, so the local derivatives
(9)-(14) are known to about ε, absolutely. Relative to a saturated gate's own derivative that may be
much: 1e-12 at a = 10, 4e-8 at 20, everything at 40. So the code under test runs again with its
local derivatives moved by such amounts, of random sign, and what that does to its answer is what
rounding can do to it: the conditioning comes with it, through every step and layer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import gates
from ..arguments import Array
from .differences import EPS
from .patching import patched

__all__ = ["rounding"]

MAGNIFIED = 2.0**-26  # moves the local derivatives by this, and scales the outcome down to ε
PROBES = 4  # signs may happen to cancel


def rounding(
    gradients: Callable[[], dict[str, Array]], rng: np.random.Generator
) -> Callable[[str], float]:
    """Return a function that says, for each name, the norm of what rounding does to its gradient.

    ``gradients()`` computes them all; it is called only when somebody asks.
    """

    @functools.cache
    def norms() -> dict[str, float]:
        exact = gradients()
        worst = dict.fromkeys(exact, 0.0)
        for _ in range(PROBES):
            with _moved_locals(rng):
                moved = gradients()
            for name, gradient in exact.items():
                distance = float(np.linalg.norm(moved[name] - gradient))
                worst[name] = max(worst[name], distance * EPS / MAGNIFIED)
        return worst

    return lambda name: norms()[name]


@contextmanager
def _moved_locals(rng: np.random.Generator) -> Iterator[None]:
    """Let every local derivative be off by MAGNIFIED."""
    exact = gates.gates_backward

    def moved(local: Array, *args: Any, **options: Any) -> tuple[Array, Array]:
        signs = rng.choice([-1.0, 1.0], local.shape)
        return exact(local + MAGNIFIED * signs, *args, **options)

    with patched(gates, "gates_backward", moved):
        yield
