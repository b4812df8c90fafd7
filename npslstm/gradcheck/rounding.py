"""How far rounding alone may move a gradient: measured, not assumed.

σ′ = σ(1 - σ) and tanh′ = 1 - tanh² are differences of numbers of size 1, so they are known to about
ε, absolutely. Relative to a saturated gate's own derivative that may be much: 1e-12 at a = 10, 4e-8
at 20, everything at 40. So the code under test runs again with every tanh (and σ is one, too) moved
by such amounts, of random sign, and what that does to its answer is what rounding can do to it: the
conditioning comes with it, through every step and layer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from ..arguments import Array
from .differences import EPS
from .patching import patched

__all__ = ["MAGNIFIED", "PROBES", "rounding"]

MAGNIFIED = 2.0**-26  # moves each tanh by this, and scales the outcome down to ε
PROBES = 4  # signs may happen to cancel


def rounding(
    gradients: Callable[[], dict[str, Array]], rng: np.random.Generator
) -> Callable[[str], Array]:
    """Return a function that says, for each name, what rounding does to each entry of its gradient.

    ``gradients()`` computes them all; it is called only when somebody asks.
    """

    @functools.cache
    def moves() -> dict[str, Array]:
        exact = gradients()
        worst = {name: np.zeros(np.shape(gradient)) for name, gradient in exact.items()}
        for _ in range(PROBES):
            with _moved_tanh(rng):
                moved = gradients()
            for name, gradient in exact.items():
                distance = np.abs(moved[name] - gradient)
                worst[name] = np.maximum(worst[name], distance * EPS / MAGNIFIED)
        return worst

    return lambda name: moves()[name]


@contextmanager
def _moved_tanh(rng: np.random.Generator) -> Iterator[None]:
    """Let every tanh be off by MAGNIFIED, but by no more than it can be from ±1."""
    exact = np.tanh

    def moved(z: Array, *out: Array) -> Array:
        if np.iscomplexobj(z):
            return exact(z, *out)
        with np.errstate(all="ignore"):
            error = MAGNIFIED * np.minimum(1, 1 / np.cosh(z) ** 2 / EPS)
        tanh = exact(z, *out)
        return np.add(tanh, error * rng.choice([-1.0, 1.0], np.shape(z)), *out)

    with patched(np, "tanh", moved):
        yield
