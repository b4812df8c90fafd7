"""Directional derivatives by the complex step, for the tests of single functions."""

import numpy as np

STEP = 1e-30


def directional(function, array, direction):
    """∂ function(array + t·direction)/∂t at t = 0, with no cancellation."""
    return np.imag(function(array + 1j * STEP * direction)) / STEP


def assert_gradient(function, array, gradient, rng, tolerance=1e-13):
    """Hold ``gradient`` to a few random directions, each over the whole array."""
    for _ in range(3):
        direction = rng.normal(size=array.shape)
        # Relative to the size of the terms of Σ gradient · direction, which may cancel.
        scale = np.abs(gradient * direction).sum() or 1.0
        found, expected = (gradient * direction).sum(), directional(function, array, direction)
        assert abs(found - expected) <= tolerance * scale, (found, expected)
