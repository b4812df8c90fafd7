"""Large numbers, and numbers that are none: finite where they can be, contained, and never hidden.

Warnings are errors in this suite, so every call here is also a call without a warning.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import STATE
from strategies import every_kind

from npslstm import LSTM, LSTMModel, cross_entropy
from npslstm.optim import SGD, Adam, AdamW
from npslstm.training import NonFiniteError, training_steps

BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])
LARGE = 1e4


@every_kind
@BOTH
@given(data=st.data())
def test_forward_is_finite_for_weights_inputs_and_states_up_to_1e4(cases, dtype, data):
    """Every one of them ±1e4 or a random part of it, so pre-activations reach 4e8."""
    problem = data.draw(cases(dtype=dtype)).problem()
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32), "sizes"))

    def enlarged(array):
        part = rng.choice([1.0, 1.0, rng.random()], array.shape)
        return (np.copysign(LARGE, array) * part).astype(dtype)

    problem = problem.change({name: enlarged(array) for name, array in problem.inputs.items()})
    for outputs in (problem.outputs(), problem.infer()):
        for name, array in outputs.items():
            assert np.isfinite(array).all(), name
            assert array.dtype == dtype


# Gradients that really overflow


def explosive(dtype, steps, weight=LARGE, hidden=3):
    """A model and a batch of zeros, at which no gate saturates and h stays 0.

    There each step back multiplies dh by ∂h/∂c · ∂c/∂a_g · W_g = o i W_g = W_g / 4.
    """
    model = LSTMModel(2, hidden, 2, dtype=dtype, rng=0)
    for name, param in model.params.items():
        param[...] = weight if name == "lstm.weight_hh_l0" else 0
    model.params["head.weight"][0] = 1
    return model, np.zeros((steps, 1, 2), dtype), np.zeros(1, int)


@BOTH
def test_gradients_grow_as_the_power_of_the_weights_that_they_are(dtype):
    model, x, y = explosive(dtype, steps=4)
    _, grads = model.loss_and_grads(x, y)
    # dh_4 = -1/2, and da_g = o i dh = dh / 4 at the first step, three steps further back; what the
    # other steps add to the bias's gradient is 3 W / 4 times smaller.
    expected = -1 / 2 * (3 * LARGE / 4) ** 3 / 4
    got = grads["lstm.bias_ih_l0"][6:9]
    np.testing.assert_allclose(got, expected, rtol=1e-3)


@pytest.mark.parametrize(("dtype", "steps"), [("float32", 16), ("float64", 120)])
def test_an_overflow_is_said_by_numpy(dtype, steps):
    """What ``fit`` then does is in ``training/test_training.py``."""
    model, x, y = explosive(dtype, steps)
    logits, _, cache = model.forward(x)
    assert np.isfinite(logits).all()
    with pytest.warns(RuntimeWarning, match="overflow|invalid"):
        _, _, grads = model.backward(cache, cross_entropy(logits, y)[1])
    assert not np.isfinite(grads["lstm.bias_ih_l0"]).all()


@given(
    dtype=st.sampled_from(["float32", "float64"]),
    optimizer=st.sampled_from([SGD, Adam, AdamW]),
    exponents=st.tuples(*[st.integers(-44, 38)] * 4),
    max_norm=st.sampled_from([1e-30, 1.0, math.inf]),
    special=st.sampled_from([None, None, np.nan, np.inf, -np.inf]),
    seed=st.integers(0, 2**32),
)
def test_fit_is_finite_or_stops_with_its_own_error(
    dtype, optimizer, exponents, max_norm, special, seed
):
    rng = np.random.default_rng(seed)
    lr, *scales = (10.0**exponent for exponent in exponents)
    model = LSTMModel(2, 3, 2, batch_first=True, dtype=dtype, rng=rng)
    for name, param in model.params.items():
        param *= scales[name.startswith("head")]
    x = (scales[2] * rng.standard_normal((4, 5, 2))).astype(dtype)
    if special is not None:
        x[2, 3, 1] = special
    training = training_steps(
        model,
        x,
        np.array([0, 1, 1, 0]),
        optimizer=optimizer(lr),
        epochs=3,
        batch_size=2,
        max_norm=max_norm,
    )
    steps, stopped = 0, None
    try:
        for record in training:
            steps += 1
            assert math.isfinite(record.loss)
            assert math.isfinite(record.grad_norm)
            for name, param in model.params.items():
                assert np.isfinite(param).all(), name
    except NonFiniteError as error:
        stopped = error
    if stopped is None:
        assert steps == 6
        assert special is None
    else:
        assert stopped.step == steps + 1
        assert stopped.parameter is None or stopped.parameter in model.params


# Numbers that are none


@BOTH
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("lengths", [None, "random"])
def test_what_is_not_finite_stays_in_its_row(dtype, bad, lengths):
    """In real products, over several blocks of steps and slices of the batch."""
    steps, rows, row, hidden = 9, 70, 41, 260
    rng = np.random.default_rng(0)
    lstm = LSTM(7, hidden, bidirectional=True, dtype=dtype, rng=0)
    x = rng.standard_normal((steps, rows, 7)).astype(dtype)
    options = {}
    if lengths:
        options["lengths"] = rng.integers(0, steps + 1, rows)
        options["lengths"][row] = 7
    spoilt = x.copy()
    spoilt[4, row, 3] = bad
    upstream = rng.standard_normal((steps, rows, 2 * hidden)).astype(dtype)
    dstate = tuple(rng.standard_normal((2, 2, rows, hidden)).astype(dtype))

    def solve(x):
        with np.errstate(invalid="ignore"):  # ∞ - ∞, in that row
            out, state_n, cache = lstm.forward(x, **options)
            dx, dstate_0, _ = lstm.backward(cache, upstream, dstate)
        return dict(
            zip(("out", "dx", "h_n", "c_n", *STATE), (out, dx, *state_n, *dstate_0), strict=True)
        )

    clean, dirty = solve(x), solve(spoilt)
    others = np.arange(rows) != row
    for name, array in dirty.items():
        np.testing.assert_array_equal(array[:, others], clean[name][:, others], name)
        assert np.isfinite(array[:, others]).all()
    if np.isnan(bad):  # infinity saturates a gate, which is an answer
        assert np.isnan(dirty["out"][4:, row]).any()
        assert np.isnan(dirty["dx"][:, row]).any()
