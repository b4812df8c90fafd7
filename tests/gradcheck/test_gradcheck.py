"""The gradient check checked: it passes what is right, fails what is wrong, and says which."""

from __future__ import annotations

import contextlib
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import STATE, pair
from strategies import every_kind

from npslstm import LSTM, Linear, LSTMCell, LSTMModel, mean_squared_error
from npslstm.gradcheck import GradientReport, check_gradients
from npslstm.mistakes import mistake
from npslstm.rnn import RNN

FLOAT = {"dtype": np.float64, "rng": 0}
SHORT = {"verbose": False}


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def names(report):
    return [row.name for row in report.rows]


# What it takes.


@pytest.mark.parametrize("mode", ["elementwise", "directional"])
@pytest.mark.parametrize(
    ("layer", "x", "arrays"),
    [
        (LSTMCell(3, 2, **FLOAT), random(4, 3), ["x", "h_0", "c_0"]),
        (LSTMCell(3, 2, bias=False, **FLOAT), random(3), ["x", "h_0", "c_0"]),
        (LSTM(3, 2, 2, bidirectional=True, **FLOAT), random(4, 2, 3), ["x", "h_0", "c_0"]),
        (LSTM(3, 2, batch_first=True, **FLOAT), random(2, 4, 3), ["x", "h_0", "c_0"]),
        (LSTM(3, 2, **FLOAT), random(4, 3), ["x", "h_0", "c_0"]),
        (LSTMModel(3, 2, 4, **FLOAT), random(4, 2, 3), ["x", "h_0", "c_0"]),
        (RNN(3, 2, **FLOAT), random(4, 2, 3), ["x", "h_0"]),
        (Linear(3, 2, **FLOAT), random(4, 3), ["x"]),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "params") else "",
)
def test_every_kind_of_layer(layer, x, arrays, mode):
    report = check_gradients(layer, x, mode=mode, **SHORT)
    assert report.passed, str(report)
    assert names(report) == [*layer.params, *arrays]
    assert report.worst < 1e-14
    for row in report.rows:
        assert (row.index is None) == (mode == "directional")
        assert row.complex_step == pytest.approx(row.analytic, rel=1e-12)
        assert row.central == pytest.approx(row.analytic, rel=1e-6, abs=1e-9)
        if row.order is not None:
            assert row.order == pytest.approx(2, abs=0.2)


@every_kind
@given(data=st.data())
def test_every_combination_of_options(cases, data):
    problem = data.draw(cases(dtype="float64", scale=1.0)).problem()
    state = pair(problem.inputs, STATE)
    given = {"mode": "directional", **SHORT, **problem.options}
    report = check_gradients(problem.net, problem.inputs["x"], state, **given)
    assert report.passed, str(report)


@pytest.mark.parametrize("readout", ["last", "all"])
def test_a_model_with_a_loss(readout):
    model = LSTMModel(3, 2, 4, readout=readout, **FLOAT)
    x, y = random(3, 2, 3), np.array([[0, 3], [1, 2], [2, 0]])[: None if readout == "all" else 1]
    y = y if readout == "all" else y[0]
    target = random(*y.shape, 4, seed=1)
    assert check_gradients(model, x, y=y, lengths=[1, 3], **SHORT)
    assert check_gradients(model, x, y=target, loss=mean_squared_error, **SHORT)

    def own(logits, y, mask=None):
        return (logits**3 * y).sum(), 3 * logits**2 * y

    assert check_gradients(model, x, y=target, loss=own, lengths=[1, 3], **SHORT)

    def wrong(logits, y, mask=None):
        return (logits**3 * y).sum(), 2 * logits**2 * y

    assert not check_gradients(model, x, y=target, loss=wrong, **SHORT)


def test_the_state_is_drawn_unless_it_is_given():
    """From zeros, the gradient of W_hh at the first step would not be seen."""
    lstm, x = LSTM(3, 2, **FLOAT), random(1, 2, 3)
    zeros = np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    drawn = check_gradients(lstm, x, **SHORT)
    fixed = check_gradients(lstm, x, zeros, **SHORT)
    analytic = {r.name: r.analytic for r in drawn.rows}, {r.name: r.analytic for r in fixed.rows}
    assert analytic[0]["weight_hh_l0"] != 0
    assert analytic[1]["weight_hh_l0"] == 0


def test_a_generator_for_dropout_is_held_fixed():
    lstm = LSTM(3, 4, 2, dropout=0.5, **FLOAT)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert check_gradients(lstm, random(3, 2, 3), rng=rng, **SHORT)
    assert rng.bit_generator.state == before


def test_the_same_seed_makes_the_same_report():
    lstm, x = LSTM(3, 2, **FLOAT), random(3, 2, 3)
    first, second, third = (check_gradients(lstm, x, seed=seed, **SHORT) for seed in (4, 4, 5))
    assert first == second != third


def test_large_arrays_are_checked_along_one_direction():
    report = check_gradients(LSTM(3, 24, **FLOAT), random(2, 1, 3), **SHORT)
    assert report.passed
    assert all(row.index is None for row in report.rows)


@pytest.mark.parametrize("shape", [(0, 2, 3), (3, 0, 3)])
def test_nothing_to_differentiate(shape):
    assert check_gradients(LSTM(3, 2, **FLOAT), np.zeros(shape), **SHORT)


# float32


def test_float32_is_checked_in_float64_and_said_to_be():
    lstm = LSTM(3, 2, 2, dropout=0.5, rng=0)
    x = random(3, 2, 3).astype(np.float32)
    masks = (np.full((3, 2, 2), 2, np.float32),)
    report = check_gradients(lstm, x, dropout_masks=masks, **SHORT)
    assert report.passed
    assert report.worst < 1e-14
    assert any(note.startswith("float32 was checked in float64") for note in report.notes)
    assert lstm.dtype == x.dtype == masks[0].dtype == np.float32

    again = check_gradients(LSTM(3, 2, **FLOAT), random(3, 2, 3), **SHORT)
    assert again.notes == []


# What it finds.


def test_one_wrong_entry_of_one_gradient():
    class Wrong(Linear):
        def backward(self, cache, dy):
            dx, grads = super().backward(cache, dy)
            grads["weight"][1, 2] *= 1 + 1e-9
            return dx, grads

    report = check_gradients(Wrong(4, 3, **FLOAT), random(5, 4), **SHORT)
    assert not report
    (row,) = report.failed
    assert (row.name, row.index) == ("weight", (1, 2))
    assert row.analytic == pytest.approx(row.complex_step * (1 + 1e-9), rel=1e-14)
    assert 1e-11 < row.error < 1e-9
    assert not check_gradients(Wrong(4, 3, **FLOAT), random(5, 4), mode="directional", **SHORT)


def test_a_gradient_that_is_not_a_number():
    def backward(x, dy):
        return dy * x * np.nan, {}

    report = check_gradients((lambda x: (x**2, x), backward), random(3), **SHORT)
    assert not report.passed


def test_the_taylor_remainder_of_a_wrong_gradient_is_of_first_order():
    def backward(x, dy):
        return 1.9 * x * dy, {}

    report = check_gradients((lambda x: (x**2, x), backward), random(3), **SHORT)
    assert report.rows[0].order == pytest.approx(1, abs=0.05)


def test_arguments_that_are_written_to():
    def forward(x):
        return x**2, x

    def writes_to_dy(x, dy):
        dy *= 2 * x
        return dy, {}

    def writes_to_x(x, dy):
        x *= 2
        return x * dy, {}

    for backward in (writes_to_dy, writes_to_x):
        report = check_gradients((forward, backward), random(3), **SHORT)
        assert "forward or backward writes to its arguments" in report.faults
        assert not report.passed


def test_a_cache_that_is_used_up():
    def backward(cache, dy):
        return 2 * cache.pop() * dy if cache else 0 * dy, {}

    report = check_gradients((lambda x: (x**2, [x]), backward), random(3), **SHORT)
    assert report.faults == ["backward, called twice, gives two gradients of x"]
    assert report.failed == []


def test_a_forward_that_draws_random_numbers():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="forward: expected the same outputs for the same input"):
        check_gradients((lambda x: (x * rng.random(), x), lambda x, dy: (dy, {})), random(3))


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        (lambda x, dy: (dy, {}), r"expected a gradient of W, given \['x'\]"),
        (lambda x, dy: (dy, {"W": dy}), r"gradient of W to have shape \(\), given \(3,\)"),
    ],
)
def test_gradients_that_are_missing_or_misshapen(backward, said):
    with pytest.raises(ValueError, match=said):
        check_gradients((lambda x, W: (W * x, x), backward), random(3), params={"W": np.array(2.0)})


# Where the complex step does not apply.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def real_buffer(x):
    states = np.zeros(len(x))
    states[:] = x**2  # the imaginary part goes here
    return states, x


def scalar_functions(x):
    return np.array([math.exp(v) for v in x]), np.exp(x) / 2


def absolute(x):
    return np.abs(x), np.sign(x) / 2


def of_the_real_part(x):
    return x.real**2 + x, x + 0.5


def refuses(x):
    total = np.zeros(3)
    total += x**2
    return total, x


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (
            real_buffer,
            r"drops the imaginary part in .*gradcheck.py, line \d+: states\[:\] = x",
        ),
        (scalar_functions, r"drops the imaginary part in .*: return np.array\(\[math.exp"),
        (absolute, "it disagrees with central differences"),
        (of_the_real_part, "it disagrees with central differences"),
        (refuses, r"numbers are refused \(Cannot cast ufunc 'add'.* in .*: total \+= x\*\*2"),
    ],
)
@pytest.mark.parametrize("mode", ["elementwise", "directional"])
def test_central_differences_stand_in_and_it_says_why(forward, said, mode):
    def check(factor):
        pair = forward, lambda half, dy: (factor * half * dy, {})
        return check_gradients(pair, random(3), mode=mode, **SHORT)

    with pytest.warns(UserWarning, match="x: the complex step does not apply") as caught:
        right = check(2)
    assert caught[0].filename == __file__
    assert right.passed
    (row,) = right.rows
    assert row.complex_step is None
    assert re.search(said, right.notes[0])
    with pytest.warns(UserWarning, match=re.escape(right.notes[0])):
        wrong = check(2.001)
    assert not wrong.passed


def test_what_is_analytic_on_each_side_is_not_refused():
    """NumPy orders complex numbers by their real part, so a rectifier takes the complex step."""
    report = check_gradients(
        (lambda x: (np.maximum(x, 0), x), lambda x, dy: (dy * (x > 0), {})), random(9), **SHORT
    )
    assert report.passed
    assert report.notes == []


# Saturated gates


@pytest.mark.parametrize("mode", ["directional", "elementwise", "intermediates"])
@pytest.mark.parametrize("scale", [10, 100])
def test_saturated_gates_are_held_to_what_rounding_does(scale, mode):
    """At 100 most gates are 0 or 1 to the last bit, and a mistake may change nothing else."""
    excused = caught = 0
    for seed in range(6):
        lstm, x = LSTM(2, 2, **FLOAT), random(3, 2, 2, seed=seed)
        signs = np.random.default_rng(seed)
        lstm.load_params(
            {n: scale * signs.choice([-1.0, 1], p.shape) for n, p in lstm.params.items()}
        )
        report = check_gradients(lstm, x, mode=mode, **SHORT)
        assert report.passed, str(report)
        assert (report.worst > 1e-12) == any("no more than rounding" in n for n in report.notes)
        excused += bool(report.notes)
        with mistake("no_dtanh_c"):
            caught += not check_gradients(lstm, x, mode=mode, **SHORT)
    assert excused > 0
    assert caught == 6 if scale == 10 else caught >= 4


# Line by line


@pytest.mark.parametrize("at", [(0, 0), (0, 3, 1), (1, 2, 1), (2, 3), None])
def test_every_line_of_the_derivation(at):
    lstm = LSTM(3, 2, 3, dropout=0.5, bidirectional=True, batch_first=True, **FLOAT)
    given = {"lengths": [2, 4, 3, 0], "rng": np.random.default_rng(0), "at": at}
    report = check_gradients(lstm, random(4, 4, 3), mode="intermediates", **given, **SHORT)
    assert report.passed, str(report)
    assert report.worst < 1e-13
    numbers = [row.equation for row in report.rows]
    lines = [
        "9",
        "10",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "17",
        "17",
        "18",
        "19",
        "19",
        "19",
        "19",
        "19",
        "19",
    ]
    assert numbers == ["arrives", "arrives", *(f"({n})" for n in lines)]


@pytest.mark.parametrize(
    ("layer", "x", "rows"),
    [
        (LSTMCell(3, 2, **FLOAT), random(4, 3), 20),
        (LSTMCell(3, 2, bias=False, **FLOAT), random(3), 18),
        (LSTM(3, 2, rng=0), random(4, 3), 20),
        (LSTMModel(3, 2, 4, **FLOAT), random(4, 2, 3), 20),
    ],
    ids=["cell", "one row", "one sequence", "model"],
)
def test_every_line_of_other_layers(layer, x, rows):
    report = check_gradients(layer, x, mode="intermediates", **SHORT)
    assert report.passed, str(report)
    assert len(report.rows) == rows


def test_a_large_layer_is_checked_line_by_line_along_directions():
    report = check_gradients(LSTM(3, 24, **FLOAT), random(3, 2, 3), mode="intermediates", **SHORT)
    assert report.passed, str(report)
    assert all(row.index is None for row in report.rows)


@pytest.mark.parametrize(
    ("variant", "sizes", "seed", "inputs"),
    [("standard", (3, 4), 56, 10), ("cifg", (4, 4), 76, 30)],
)
def test_terms_that_cancel_are_no_wrong_line(variant, sizes, seed, inputs):
    layer = LSTM(*sizes, variant=variant, dtype=np.float64, rng=seed)
    x = inputs * np.random.default_rng(seed).normal(size=(4, 2, sizes[0]))
    report = check_gradients(layer, x, mode="intermediates", **SHORT)
    assert report.passed, str(report)


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (0, 2), (1, 1)])
def test_the_wrong_line_is_named_at_any_step(at):
    """What arrives wrong from later steps is put right, so that it is no fault of this step's."""
    lstm, x = LSTM(3, 2, 2, **FLOAT), random(3, 2, 3)
    with mistake("carry_by_input_gate"):
        report = check_gradients(lstm, x, mode="intermediates", at=at, **SHORT)
    failed = [(row.equation, row.name) for row in report.failed if row.equation != "arrives"]
    assert failed == [("(14)", "∂c/∂c_prev"), ("(18)", "dc_prev")]
    assert report.notes == ["the first wrong line is (14)  ∂c/∂c_prev = f"]


def test_right_lines_that_are_joined_wrongly():
    with mistake("truncated"):
        report = check_gradients(
            LSTM(3, 2, **FLOAT), random(3, 2, 3), mode="intermediates", **SHORT
        )
    assert {row.equation for row in report.failed} == {"arrives"}
    assert report.notes[0].startswith("every line of this step is right; what arrives at it is not")


@pytest.mark.parametrize(
    ("at", "said"),
    [((2, 0), "layer < 2, given 2"), ((0, 3), "step < 3, given 3"), ((0, 0, 1), "direction < 1")],
)
def test_a_step_that_is_not_there(at, said):
    with pytest.raises(ValueError, match=f"at: expected 0 <= {said}"):
        check_gradients(LSTM(3, 2, 2, **FLOAT), random(3, 2, 3), mode="intermediates", at=at)


@pytest.mark.parametrize(("x", "lengths"), [(random(0, 2, 3), None), (random(3, 2, 3), [0, 0])])
def test_rows_without_a_step(x, lengths):
    with pytest.raises(ValueError, match="x: expected a row with a step to look at"):
        check_gradients(LSTM(3, 2, **FLOAT), x, mode="intermediates", lengths=lengths)


# What it says.


def test_the_table(capsys):
    report = check_gradients(LSTM(3, 2, **FLOAT), random(3, 2, 3))
    printed = capsys.readouterr().out
    assert printed == f"{report}\n"
    title, _, head, *table = printed.splitlines()
    assert title == "LSTM: every gradient, elementwise, seed 0"
    assert re.split(r"\s{2,}", head.strip()) == [
        "gradient",
        "worst at",
        "analytic",
        "complex step",
        "error",
    ]
    number = r" +[-+]\d\.\d{4}e[-+]\d\d"
    for row, line in zip(report.rows, table[:7], strict=True):
        pattern = rf"{row.name} +\([\d, ]+\){number}{number} +\d\.\de-\d\d  ok"
        assert re.fullmatch(pattern, line), line
    assert table[-1].startswith("passed: 7 rows, the largest error ")


@pytest.mark.parametrize("mode", ["elementwise", "directional", "intermediates"])
@pytest.mark.parametrize("name", [None, "no_dtanh_c"])
def test_a_report_fits_80_columns(mode, name):
    model = LSTMModel(3, 40, 4, 2, bidirectional=True, **FLOAT)
    if mode == "elementwise":
        model = LSTMModel(3, 3, 4, 2, bidirectional=True, **FLOAT)
    with mistake(name) if name else contextlib.nullcontext():
        report = check_gradients(model, random(3, 2, 3), mode=mode, **SHORT)
    assert report.passed == (name is None)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if re.search(r"[-+]$", line)]  # a sign without its number


def test_a_long_name_has_a_line_of_its_own():
    name = "weights_of_the_gates_and_of_the_candidate_on_x_and_h_and_1"
    pair = (
        lambda x, **params: (params[name] * x, (params[name], x)),
        lambda c, dy: (c[0] * dy, {name: c[1] * dy}),
    )
    report = check_gradients(pair, random(3), params={name: random(3, seed=1)}, **SHORT)
    assert max(map(len, str(report).splitlines())) <= 80
    assert f"\n{name}\n" in str(report)


def test_a_report_is_its_verdict():
    right = check_gradients(Linear(3, 2, **FLOAT), random(4, 3), **SHORT)
    assert right
    assert re.fullmatch(r"<GradientReport: passed: 3 rows, the largest error \S+>", repr(right))
    failed = GradientReport("", right.rows, faults=["forward or backward writes to its arguments"])
    assert not failed
    assert repr(failed) == "<GradientReport: FAILED: see the faults>"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((object(), random(3)), TypeError, "layer: expected an object with params, forward,"),
        (
            (LSTM(3, 2), [1.0]),
            TypeError,
            "x: expected a NumPy array of float32 or float64, given list",
        ),
        ((LSTM(3, 2), np.ones((2, 3), int)), TypeError, "float32 or float64, given int"),
        ((Linear(3, 2), random(3), random(2)), TypeError, "state: expected None, as Linear has no"),
        ((LSTM(3, 2), random(4, 3), random(2)), TypeError, "state: expected a pair"),
    ],
)
def test_arguments_that_do_not_fit(arguments, error, said):
    with pytest.raises(error, match=re.escape(said)):
        check_gradients(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"mode": "all"}, ValueError, 'mode: expected "elementwise", "directional"'),
        ({"loss": "mse"}, TypeError, "loss: expected a function such as mean_squared_error"),
        ({"at": (0, 0)}, ValueError, 'at: expected None unless mode is "intermediates"'),
        ({"params": {}}, TypeError, "params: expected None unless layer is a pair"),
        ({"lengths": [9]}, ValueError, "lengths: expected"),
        ({"lengths": 4, "mode": "intermediates"}, ValueError, "lengths: expected shape (1,)"),
        ({"lengts": [9]}, TypeError, "lengts"),
        (
            {"seed": None},
            TypeError,
            "seed: expected an int or a numpy.random.Generator, given None",
        ),
    ],
)
def test_options_that_do_not_fit(options, error, said):
    with pytest.raises(error, match=re.escape(said)):
        check_gradients(LSTM(3, 2), random(4, 1, 3), **options)


def test_intermediates_need_an_lstm():
    with pytest.raises(TypeError, match="layer: expected an LSTM, LSTMModel or LSTMCell with mode"):
        check_gradients(Linear(3, 2), random(4, 3), mode="intermediates")


@pytest.mark.parametrize("mode", ["elementwise", "directional"])
@pytest.mark.parametrize(
    ("scale", "of_x", "of_w"), [(1e-280, 1, 1), (1e-300, 1, 1), (1, 1e-300, 1), (1, 1e-290, 1e-10)]
)
@pytest.mark.filterwarnings("ignore:.*the complex step does not apply")
def test_what_is_too_small_to_be_compared_has_not_passed(scale, of_x, of_w, mode):
    rng = np.random.default_rng(0)
    x, w = of_x * rng.standard_normal((4, 3)), of_w * rng.standard_normal((3, 2))

    def forward(x, w):
        return scale * (x @ w), (x, w)

    def backward(cache, dy):
        x, w = cache
        return scale * (dy @ w.T), {"w": -3 * scale * (x.T @ dy)}

    report = check_gradients((forward, backward), x, params={"w": w}, mode=mode, verbose=False)
    assert report.verdict == "undecided"
    assert [row.name for row in report.undecided] == ["w"]
    assert "too small to be compared" in " ".join(report.notes)


def test_nor_has_it_where_one_step_is_taken_apart():
    x = 1e-300 * np.random.default_rng(0).standard_normal((3, 2, 3))
    layer = LSTM(3, 4, dtype=np.float64, rng=0)
    report = check_gradients(layer, x, mode="intermediates", verbose=False)
    assert report.verdict == "undecided"
    assert [row.name for row in report.undecided] == ["dW_ih"]
