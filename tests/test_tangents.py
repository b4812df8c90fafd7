"""Beyond the gradient: forward mode, Hessian-vector products, the gradient norm of each example."""

from __future__ import annotations

import functools
from unittest import mock

import numpy as np
import pytest
from cases import LSTMCase, ModelCase
from compare import assert_close, assert_small, norm, norms
from directions import STEP, inner, jvp, random_like
from hypothesis import example, given
from hypothesis import strategies as st
from problems import named
from strategies import lstm_cases, model_cases

from npslstm import (
    LSTM,
    LSTMModel,
    cross_entropy,
    mean_squared_error,
    per_example_grad_norms,
    tangents,
)
from npslstm import gates as g
from npslstm.derivatives import per_example
from npslstm.kernel import schedule
from npslstm.losses import cross_entropy_second


def forward_mode(problem, directions):
    """The tangent of every output by ``jvp``, where these inputs move."""
    net = problem.net.with_params(problem.params)
    with mock.patch.multiple(schedule, **problem.blocks):
        _, cache = problem.forward()
    state = [directions.get(name) for name in ("h_0", "c_0")[: len(problem.states)]]
    params = {n: v for n, v in directions.items() if n in problem.params}
    state_dot = tuple(state) if len(state) == 2 else state[0]
    out_dot, ends_dot = net.jvp(cache, directions.get("x"), state_dot, params)
    return named(ends_dot, ("h_n", "c_n")) | {"out": out_dot}


# Segments of several blocks, and more than one mask, whatever is drawn.
MANY = {"T": 6, "N": 3, "D": 2, "H": 3, "layers": 3, "lengths": True, "block_columns": 3}


@given(lstm_cases())
@example(LSTMCase(**MANY, checkpoint_every=4, dropout=True))
def test_forward_mode_equals_the_complex_step_and_is_the_transpose_of_backward(case):
    problem = case.problem()
    directions = random_like(problem.inputs, seed=1)
    for moving in [directions, *({name: v} for name, v in directions.items())]:
        got, expected = forward_mode(problem, moving), jvp(problem, moving)
        assert_close("jvp = complex step", got, expected, 1e-13, norms(moving))
    gradients, u = problem.gradients(), problem.upstream
    got = forward_mode(problem, directions)
    error = abs(inner(u, got) - inner(gradients, directions))
    sizes = sum(norm(u[n]) * norm(got[n]) for n in got)
    assert_small("⟨u, J v⟩ = ⟨Jᵀ u, v⟩", "both", error, sizes, 1e-12)


def model_problem(case, loss, seed=2):
    """A model, x, and a y that fits the loss; lengths, if the case has them."""
    problem = case.problem()
    model = problem.net.with_params(problem.params)
    rng, out = np.random.default_rng(seed), problem.upstream["out"]
    if loss == "squares":
        y, function = rng.standard_normal(out.shape), mean_squared_error
    else:
        y, function = rng.integers(0, out.shape[-1], out.shape[:-1]), cross_entropy
    if loss == "options":
        options = {"weights": rng.random(out.shape[-1]), "label_smoothing": 0.3}
        function = functools.partial(cross_entropy, **options)
    lengths = {n: v for n, v in problem.options.items() if n == "lengths"}
    return model, problem.inputs["x"], y, {"loss": function, **lengths}


@given(
    model_cases(kind="standard", dropout=False),
    st.sampled_from(["entropy", "squares", "options"]),
)
@example(ModelCase(**MANY, K=2, bidirectional=True), "entropy")
def test_hessian_vector_products_equal_the_complex_step_of_the_gradient(case, loss):
    model, x, y, options = model_problem(case, loss)
    v, u = random_like(model.params, seed=1), random_like(model.params, seed=3)
    with mock.patch.multiple(schedule, **case.problem().blocks):
        got, other = model.hvp(x, y, v, **options), model.hvp(x, y, u, **options)
        moved = model.with_params({n: p + 1j * STEP * v[n] for n, p in model.params.items()})
        _, grads = moved.loss_and_grads(x, y, **options)
    expected = {n: grad.imag / STEP for n, grad in grads.items()}
    floor = norms(got) + norms({n: g.real for n, g in grads.items()})
    assert_close("hvp = complex step", got, expected, 1e-12, floor)
    error = abs(inner(u, got) - inner(other, v))
    assert_small("hvp is symmetric", "uᵀHv", error, norms(u) * norms(got), 1e-12)


@given(model_cases(dropout=False, N=st.integers(1, 4)))
@example(ModelCase(**MANY, K=2, bidirectional=True))
def test_the_norm_of_each_example_equals_that_of_a_loop(case):
    model, x, y, options = model_problem(case, "entropy")
    del options["loss"]
    axis, y_axis = (0 if case.batch_first else 1), 0
    if case.readout == "all":
        y_axis = axis
    expected = []
    for n in range(case.N):
        own = {name: [array[n]] for name, array in options.items()}
        _, grads = model.loss_and_grads(x.take([n], axis), y.take([n], y_axis), **own)
        expected.append(norms(grads))
    slices = mock.patch.object(per_example, "SLICE", 50)
    with mock.patch.multiple(schedule, **case.problem().blocks), slices:
        got = per_example_grad_norms(model, x, y, **options)
    assert_close("norm of each example", {"": got}, {"": np.array(expected)}, 1e-12)


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def test_the_plain_lines_are_the_derivatives_of_those_of_gates():
    """(21)-(34) against the complex step of (2)-(18)."""
    a, c_prev, dh, dc_in = random(4, 3), random(3, 1)[:, 0], random(3, 2)[:, 0], random(3)
    a_dot, c_prev_dot, dh_dot, dc_in_dot = random(4, 3) + 1, *random(3, 3)

    def step(s):
        moved = g.gates_forward(*(a + s * a_dot), c_prev + s * c_prev_dot)
        local = g.local_derivatives(*moved[:4], moved.tanh_c, c_prev + s * c_prev_dot)
        return moved, local, g.gates_backward(local, dh + s * dh_dot, dc_in + s * dc_in_dot)

    at, local, back = step(0)
    moved = [[z.imag / STEP for z in part] for part in step(1j * STEP)]
    new = tangents.gates_jvp(local, *a_dot, c_prev_dot)
    np.testing.assert_allclose([new.c, new.h], [moved[0][4], moved[0][6]], rtol=1e-14)
    values = *at[:4], at.tanh_c, c_prev
    local_dot = tangents.local_derivatives_jvp(values, tuple(a_dot), c_prev_dot, new.c)
    np.testing.assert_allclose(local_dot, moved[1], rtol=1e-13)
    got = tangents.gates_backward_jvp(local, local_dot, dh, back.dc, dh_dot, dc_in_dot)
    np.testing.assert_allclose(got, moved[2], rtol=1e-13)


def test_a_float32_model_keeps_its_dtype():
    case = ModelCase(T=4, N=3, D=2, H=3, layers=2, K=3, bidirectional=True, dtype="float32")
    model, x, y, _ = model_problem(case, "entropy")
    v = {n: a.astype(np.float32) for n, a in random_like(model.params, 1).items()}
    double = model.astype(np.float64)
    expected = double.hvp(x.astype(float), y, {n: a.astype(float) for n, a in v.items()})
    got = model.hvp(x, y, v)
    assert all(array.dtype == np.float32 for array in got.values())
    assert_close("float32 hvp", got, expected, 1e-5, norms(expected), float(np.finfo("f4").eps))
    assert per_example_grad_norms(model, x, y).dtype == np.float32
    none = per_example_grad_norms(model, x[:, :0], y[..., :0])
    assert (none.shape, none.dtype) == ((0,), np.float32)
    cache = model.lstm.forward(x)[2]
    assert model.lstm.jvp(cache, x)[0].dtype == np.float32


def test_one_complex_direction_makes_forward_mode_complex():
    """As where a complex step goes through forward mode; by linearity it is two real ones."""
    for kind in ("standard", "peephole", "gru", "projected"):
        problem = LSTMCase(T=3, N=2, D=2, H=3, kind=kind).problem()
        directions = random_like(problem.inputs, seed=1)
        real = forward_mode(problem, directions)
        for name, v in directions.items():
            got = forward_mode(problem, directions | {name: (1 + 1j) * v})
            alone = forward_mode(problem, {name: v})
            expected = {n: real[n] + 1j * alone[n] for n in real}
            assert_close(f"complex {name}", got, expected, 1e-13, norms(real))


def test_far_apart_logits_have_a_finite_second_derivative():
    logits, moved = np.array([[2000.0, -2000.0, 1999.0]]), np.array([[1.0, 2.0, 3.0]])
    p = 1 / (1 + np.exp(-1))
    expected = p * (1 - p) * np.array([[-2.0, 0, 2.0]])
    np.testing.assert_allclose(cross_entropy_second(logits, moved, [1]), expected, rtol=1e-12)


def my_loss(logits, y):
    raise AssertionError


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x, y, v: m.hvp(x, y, v, loss=my_loss), "mean_squared_error.*given my_loss"),
        (lambda m, x, y, v: LSTMModel(2, 3, 4, cell="gru").hvp(x, y, v), "hvp.*given 'gru'"),
        (lambda m, x, y, v: m.hvp(x, y, {"weight": x}), "params_dot.*given.*weight"),
        (lambda m, x, y, v: m.hvp(x, y, x), "params_dot: expected names and arrays"),
        (lambda m, x, y, v: m.hvp(x, y, v | {"head.bias": x}), "params_dot.*head.bias.*shape"),
        (lambda m, x, y, v: m.lstm.jvp(m.lstm.forward(x)[2], x[:1]), "x_dot: expected shape"),
        (lambda m, x, y, v: LSTM(2, 4).jvp(m.lstm.forward(x)[2]), "cache: expected"),
        (lambda m, x, y, v: per_example_grad_norms(m.lstm, x, y), "model: expected an LSTMModel"),
        (lambda m, x, y, v: per_example_grad_norms(m, x[:, 0], y[0]), "x: expected a batch"),
    ],
)
def test_wrong_input_is_told_by_name(call, words):
    model = LSTMModel(2, 3, 4, rng=0)
    x, y, v = random(5, 2, 2).astype(np.float32), np.array([1, 2]), model.params.copy()
    with pytest.raises((ValueError, TypeError), match=words):
        call(model, x, y, v)
