"""One step, elementwise: each local derivative by itself, the chain rule on them, the fast form."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from compare import EPS, assert_close, norms
from hypothesis import given
from hypothesis import strategies as st

from npslstm.cells import base
from npslstm.cells.standard import STANDARD, FastRun, fast_step
from npslstm.gates import (
    GateGradients,
    LocalDerivatives,
    gates_backward,
    gates_forward,
    local_derivatives,
    sigmoid,
)

STEP = 2.0**-100
shapes = st.sampled_from([(1,), (3,), (2, 3), (0, 4), (2, 1, 3)])
seeds = st.integers(0, 2**32 - 1)


def draw_step(shape, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, *shape)), rng.standard_normal(shape)


def slopes(a, c_prev):
    """The local derivatives of a step."""
    step = gates_forward(*a, c_prev)
    return local_derivatives(step.i, step.f, step.g, step.o, step.tanh_c, c_prev)


@pytest.mark.parametrize("z", [-800.0, -40.0, -1.0, -1e-20, 0.0, 0.3, 5.0, 36.0, 800.0, 1e308])
def test_sigmoid_is_right_to_a_rounding_of_its_scale(z):
    """σ is near 1 in size, and near 0 an absolute error of u is all that is promised."""
    expected = float(1 / (1 + mpmath.exp(-mpmath.mpf(z))))
    assert abs(sigmoid(np.array(z)) - expected) <= EPS
    assert abs(sigmoid(np.array(-z)) - (1 - expected)) <= EPS


def test_sigmoid_is_analytic_and_its_slope_keeps_relative_accuracy():
    z = np.linspace(-30, 30, 61)
    with mpmath.workdps(50):
        exact = [1 / (2 + mpmath.exp(mpmath.mpf(v)) + mpmath.exp(-mpmath.mpf(v))) for v in z]
    slope = sigmoid(z + 1j * STEP).imag / STEP
    np.testing.assert_allclose(slope, np.array(exact, float), rtol=1e-14)  # tanh(z/2) to 45 u


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_sigmoid_of_what_is_not_a_number(value):
    expected = {np.inf: 1.0, -np.inf: 0.0}.get(value, np.nan)
    np.testing.assert_equal(float(sigmoid(np.array(value))), expected)


# name: the output that it differentiates, and the input that it differentiates by
MEANING = {
    "dc_dc_prev": ("c", "c_prev"),
    "dc_dai": ("c", 0),
    "dc_daf": ("c", 1),
    "dc_dag": ("c", 2),
    "dh_dao": ("h", 3),
}


@given(shape=shapes, seed=seeds)
def test_each_local_derivative_is_the_slope_of_its_own_forward_line(shape, seed):
    """(10)-(14): move one input of the step by a complex step and look at one output."""
    a, c_prev = draw_step(shape, seed)
    expected = {}
    for name, (output, by) in MEANING.items():
        moved, moved_c = a.astype(complex), c_prev.astype(complex)
        if by == "c_prev":
            moved_c += 1j * STEP
        else:
            moved[by] += 1j * STEP
        expected[name] = getattr(gates_forward(*moved, moved_c), output).imag / STEP
    # (9), ∂h/∂c with o held fixed: h depends on a_i through c alone, so it is a quotient of slopes
    moved = a.astype(complex)
    moved[0] += 1j * STEP
    step = gates_forward(*moved, c_prev)
    expected["dh_dc"] = step.h.imag / step.c.imag
    assert_close("local derivatives", slopes(a, c_prev)._asdict(), expected, 1e-13, 1.0)


@given(shape=shapes, seed=seeds)
def test_backward_is_the_chain_rule(shape, seed):
    """(15)-(18) against the complex step of the whole step; elementwise, so all entries at once."""
    a, c_prev = draw_step(shape, seed)
    dh, dc = np.random.default_rng(seed + 1).standard_normal((2, *shape))
    got = gates_backward(slopes(a, c_prev), dh, dc)._asdict()
    del got["dc"]  # (15) is in all the others
    expected = {}
    for k, name in enumerate(("da_i", "da_f", "da_g", "da_o", "dc_prev")):
        moved = np.concatenate([a, c_prev[None]]).astype(complex)
        moved[k] += 1j * STEP
        step = gates_forward(*moved)
        expected[name] = (dh * step.h.imag + dc * step.c.imag) / STEP
    assert_close("gates backward", got, expected, 1e-13, norms({"dh": dh, "dc": dc}))


def fast_form(a, c_prev, dh, dc_in):
    """All outputs and gradients of steps of n rows, a (4, steps, H, n), by what the kernel runs."""
    steps, hidden, n = c_prev.shape
    local, h = np.full((steps, 6, hidden, n), np.nan), np.empty((steps, hidden, n))
    c, d = np.empty_like(h), np.full((steps, 6, hidden, n), np.nan)
    for t in range(steps):
        run = FastRun(STANDARD, 1, hidden, n, np.empty)
        run.begin(c_prev[t], ())
        scaled = np.empty_like(a[:, t])
        scaled[STANDARD.positions] = a[:, t]
        scaled *= STANDARD.scale
        run.products[0] = scaled.reshape(-1, n)
        fast_step(*run.arguments(0, None, h[t]))
        run.derivatives(h[t : t + 1], local[t : t + 1])
        c[t] = run.end()
        views = d[t, 4:], d[t, 5], d[t, :4], d[t, 0]
        base.through_c(local[t, :4], local[t, 4:], dh[t], dc_in[t], views)
    return {"h": h, "c": c}, local.swapaxes(0, 1), d.swapaxes(0, 1)


@given(shape=st.tuples(*[st.integers(1, 3)] * 3), seed=seeds)
def test_the_fast_form_equals_the_plain_one(shape, seed):
    """On every output and every gradient: the same factors in another order, a rounding each."""
    a, c_prev = draw_step(shape, seed)
    dh, dc_in = np.random.default_rng(seed + 1).standard_normal((2, *shape))
    step, local = gates_forward(*a, c_prev), slopes(a, c_prev)
    outputs, fast_local, d = fast_form(a, c_prev, dh, dc_in)
    assert_close("fast step", outputs, {"h": step.h, "c": step.c}, 4 * EPS)
    fast = LocalDerivatives(*fast_local)._asdict()
    # 1 - i rounds at the size of 1, so an entry is right to a rounding of 1 or of c_prev.
    assert_close("fast derivatives", fast, local._asdict(), 4 * EPS, 1.0 + np.abs(c_prev).max())
    expected = gates_backward(LocalDerivatives(*fast_local), dh, dc_in)
    assert_close("fast backward", GateGradients(*d)._asdict(), expected._asdict(), 4 * EPS)


def test_backward_reads_and_does_not_write():
    a, c_prev = draw_step((2, 3), 0)
    local, (dh, dc) = slopes(a, c_prev), np.ones((2, 2, 3))
    before = [array.tobytes() for array in (*local, dh, dc)]
    gates_backward(local, dh, dc)
    assert [array.tobytes() for array in (*local, dh, dc)] == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_step_keeps_its_dtype(dtype):
    a, c_prev = (array.astype(dtype) for array in draw_step((3, 2), 0))
    step, local = gates_forward(*a, c_prev), slopes(a, c_prev)
    every = (*step, *local, *gates_backward(local, step.h, step.c))
    assert {array.dtype for array in every} == {np.dtype(dtype)}
