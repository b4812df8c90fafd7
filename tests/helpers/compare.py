"""How arrays are compared: norm-wise, each by itself, and the worst error of the run is kept.

A norm-wise error is ‖got - expected‖ / ‖expected‖ over one whole array. Where a sum cancels, it
keeps the rounding errors of its terms; so where the terms have size ``floor``, an array is granted
a few roundings of that, 4 ε·floor, beside its bound. Without it one draw in some ten thousand
would fail for no fault of the code.
"""

from __future__ import annotations

import numpy as np

EPS = float(np.finfo(np.float64).eps)

worst: dict[str, float] = {}  # of each property; conftest.py prints it at the end


def norm(array):
    return float(np.linalg.norm(np.ravel(array)))


def norms(arrays):
    """The norm of all arrays of a dictionary together."""
    return norm([norm(a) for a in arrays.values()])


def note_worst(what, error):
    worst[what] = max(worst.get(what, 0.0), float(error))


def assert_small(what, name, error, size, bound, floor=0.0, eps=EPS):
    """Hold the error of something of this size to ``bound``, relative to the size."""
    relative = error / size if size else 0.0
    assert error <= bound * size + 4 * eps * floor, (
        f"{what}: {name} is off by {error:.2e}, its size is {size:.2e}: {relative:.2e} relative"
    )
    if size > 1e-3 * floor:  # below, roundings of what cancelled decide
        note_worst(what, relative)


def assert_close(what, got, expected, bound, floor=0.0, eps=EPS):
    """Hold every array of one dictionary to that of another, norm-wise."""
    assert got.keys() == expected.keys()
    for name, array in got.items():
        assert array.shape == np.shape(expected[name]), name
        error = norm(array - np.asarray(expected[name]))
        assert_small(what, name, error, norm(expected[name]), bound, floor, eps)


def assert_same_solution(what, problem, got, expected, bound=1e-13):
    """Hold (outputs, gradients) of a problem to each other; an output's entries have size 1."""
    assert_close(f"{what}: outputs", got[0], expected[0], bound, 1.0)
    assert_close(f"{what}: gradients", got[1], expected[1], bound, norms(problem.upstream))


def assert_same_bits(got, expected):
    assert got.keys() == expected.keys()
    for name, array in got.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name, strict=True)
