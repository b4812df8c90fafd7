"""Derivatives of a whole problem along directions, by the complex step."""

from __future__ import annotations

import numpy as np

STEP = 2.0**-100  # a power of two, so that nothing is rounded by scaling with it


def jvp(problem, directions):
    """J v: the derivative of every output when these inputs move along these directions."""
    moved = {n: problem.inputs[n] + 1j * STEP * v for n, v in directions.items()}
    return {n: out.imag / STEP for n, out in problem.change(moved).outputs().items()}


def inner(u, v):
    """⟨u, v⟩ over all arrays of two dictionaries."""
    return sum(np.vdot(u[n], v[n]) for n in v)


def random_like(arrays, seed):
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal(a.shape) for n, a in arrays.items()}
