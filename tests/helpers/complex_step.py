"""Directional derivatives by the complex step, for the tests of single functions."""

import numpy as np

STEP = 1e-30


def directional(function, array, direction):
    """∂ function(array + t·direction)/∂t at t = 0, with no cancellation."""
    return np.imag(function(array + 1j * STEP * direction)) / STEP


def assert_gradient(function, array, gradient, rng, size=None):
    """Hold ``gradient`` to 1e-13 in a few random directions, each over the whole array.

    Relative to ``size``, that of the numbers whose sum or difference an element of the gradient is;
    they may cancel. By default the element's own.
    """
    for _ in range(3):
        direction = rng.normal(size=array.shape)
        scale = (np.abs(gradient if size is None else size) * np.abs(direction)).sum() or 1.0
        found, expected = (gradient * direction).sum(), directional(function, array, direction)
        assert abs(found - expected) <= 1e-13 * scale, (found, expected)
