"""One step, elementwise: each local derivative by itself, the chain rule on them, the fast form."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from compare import EPS, assert_close, norms
from hypothesis import given
from hypothesis import strategies as st

from npslstm.gates import (
    FAST_ORDER,
    PRESCALE,
    LocalDerivatives,
    gates_backward,
    gates_forward,
    gates_forward_inplace,
    inplace_views,
    local_derivatives,
    sigmoid,
)

STEP = 2.0**-100
shapes = st.sampled_from([(1,), (3,), (2, 3), (0, 4), (2, 1, 3)])
seeds = st.integers(0, 2**32 - 1)


def draw_step(shape, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, *shape)), rng.standard_normal(shape)


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
    local = LocalDerivatives(*gates_forward(a, c_prev)[2])._asdict()
    expected = {}
    for name, (output, by) in MEANING.items():
        moved, moved_c = a.astype(complex), c_prev.astype(complex)
        if by == "c_prev":
            moved_c += 1j * STEP
        else:
            moved[by] += 1j * STEP
        h, c, _ = gates_forward(moved, moved_c)
        expected[name] = {"h": h, "c": c}[output].imag / STEP
    # (9), ∂h/∂c with o held fixed: h depends on a_i through c alone, so it is a quotient of slopes
    moved = a.astype(complex)
    moved[0] += 1j * STEP
    h, c, _ = gates_forward(moved, c_prev)
    expected["dh_dc"] = h.imag / c.imag
    assert_close("local derivatives", local, expected, 1e-13, 1.0)


@given(shape=shapes, seed=seeds)
def test_backward_is_the_chain_rule(shape, seed):
    """(15)-(18) against the complex step of the whole step; elementwise, so all entries at once."""
    a, c_prev = draw_step(shape, seed)
    dh, dc = np.random.default_rng(seed + 1).standard_normal((2, *shape))
    da, dc_prev = gates_backward(gates_forward(a, c_prev)[2], dh, dc)
    got = {"da_i": da[0], "da_f": da[1], "da_g": da[2], "da_o": da[3], "dc_prev": dc_prev}
    expected = {}
    for k, name in enumerate(got):
        moved = np.concatenate([a, c_prev[None]]).astype(complex)
        moved[k] += 1j * STEP
        h, c, _ = gates_forward(moved[:4], moved[4])
        expected[name] = (dh * h.imag + dc * c.imag) / STEP
    assert_close("gates backward", got, expected, 1e-13, norms({"dh": dh, "dc": dc}))


@given(shape=shapes, seed=seeds)
def test_the_fast_form_equals_the_plain_one(shape, seed):
    """On every output and every gradient: the same operations, so to a rounding or two each."""
    a, c_prev = draw_step(shape, seed)
    h, c, local = gates_forward(a, c_prev)
    act = np.concatenate([a[FAST_ORDER] * PRESCALE.reshape(4, *[1] * len(shape)), c_prev[None]])
    terms = np.empty((2, *shape))
    fast_c, tanh_c, fast_h = np.empty((3, *shape))
    gates_forward_inplace(*inplace_views(act, terms, fast_c, tanh_c, fast_h))
    o, i, f, g, _ = act
    written, kept = terms
    fast_local = np.full_like(local, np.nan)
    returned = local_derivatives(i, f, g, o, kept, written, tanh_c, fast_h, out=fast_local)
    assert returned is fast_local
    plain, fast = (
        {"h": h, "c": c, "local": local},
        {"h": fast_h, "c": fast_c, "local": fast_local},
    )
    assert_close("fast gates", fast, plain, 4 * EPS)


@given(shape=shapes, seed=seeds)
def test_backward_into_memory_of_the_caller_gives_the_same_bits(shape, seed):
    a, c_prev = draw_step(shape, seed)
    local = gates_forward(a, c_prev)[2]
    dh, dc = np.random.default_rng(seed + 1).standard_normal((2, *shape))
    before = local.tobytes(), dh.tobytes(), dc.tobytes()
    out = np.full((6, *shape), np.nan)
    da, dc_prev = gates_backward(local, dh, dc, out)
    expected_da, expected_dc_prev = gates_backward(local, dh, dc)
    np.testing.assert_array_equal(da, expected_da, strict=True)
    np.testing.assert_array_equal(dc_prev, expected_dc_prev, strict=True)
    np.testing.assert_array_equal(out, [dc_prev, *da, out[5]])
    assert (local.tobytes(), dh.tobytes(), dc.tobytes()) == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_step_keeps_its_dtype(dtype):
    a, c_prev = (array.astype(dtype) for array in draw_step((3, 2), 0))
    h, c, local = gates_forward(a, c_prev)
    da, dc_prev = gates_backward(local, h, c)
    assert {array.dtype for array in (h, c, local, da, dc_prev)} == {np.dtype(dtype)}
