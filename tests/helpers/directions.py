"""Derivatives along directions by the complex step, of whole problems and of single functions."""

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


def assert_gradient(function, array, gradient, rng, size=None):
    """Hold the gradient of one function of one array to 1e-13 in a few random directions.

    Relative to ``size``, that of the numbers whose sum or difference an element of the gradient is;
    they may cancel. By default the element's own.
    """
    for _ in range(3):
        direction = rng.normal(size=array.shape)
        scale = (np.abs(gradient if size is None else size) * np.abs(direction)).sum() or 1.0
        found = (gradient * direction).sum()
        expected = np.imag(function(array + 1j * STEP * direction)) / STEP
        assert abs(found - expected) <= 1e-13 * scale, (found, expected)
