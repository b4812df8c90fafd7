"""The gradient check can be believed: it fails what is wrong, and passes what is right."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from npslstm import LSTM, Linear, LSTMCell, LSTMModel
from npslstm.gradcheck import check_gradients
from npslstm.mistakes import mistake
from npslstm.rnn import RNN

FLOAT = {"dtype": np.float64, "rng": 0}
SHORT = {"verbose": False}
MODES = pytest.mark.parametrize("mode", ["elementwise", "directional"])


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def verdicts(report):
    return {row.name: row.verdict for row in report.rows}


def square(x):
    return x**2, x


# A stranger's LSTM: (N, T, D), gates i, f, o, g.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(x, Wx, Wh, b, h, c, buffer=None, single=False):
    out = np.zeros((*x.shape[:2], h.shape[1]), buffer or np.result_type(x, Wx, Wh, b, h, c))
    if single:
        Wx, Wh, b = (array.astype(np.float32) for array in (Wx, Wh, b))
        x, h, c = (array.astype(np.float32) for array in (x, h, c))
    steps = []
    for t in range(x.shape[1]):
        i, f, o, g = np.split(x[:, t] @ Wx + h @ Wh + b, 4, axis=1)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        h_prev, c_prev = h, c
        c = f * c + i * g
        h = out[:, t] = o * np.tanh(c)
        steps.append((x[:, t], h_prev, c_prev, i, f, o, g, np.tanh(c)))
    return out, (steps, Wx, Wh)


def backward(cache, dout, wrong=None):
    steps, Wx, Wh = cache
    dWx, dWh, db, dx = np.zeros(Wx.shape), np.zeros(Wh.shape), np.zeros(len(Wh) * 4), []
    dh, dc = 0.0, 0.0
    for (x, h_prev, c_prev, i, f, o, g, tanh_c), dy in zip(
        steps[::-1], np.swapaxes(dout, 0, 1)[::-1], strict=True
    ):
        dh = dh + dy
        dc = (0 if wrong == "drop_dc" else dc) + dh * o * (1 - tanh_c**2)
        df = dc * c_prev * (1 if wrong == "no_dsigmoid_f" else f * (1 - f))
        di, do, dg = dc * g * i * (1 - i), dh * tanh_c * o * (1 - o), dc * i * (1 - g**2)
        da = np.concatenate([di, df, do, dg], axis=1) * (1.001 if wrong == "scaled" else 1)
        dWx += x.T @ da
        dWh += h_prev.T @ da
        db += da.sum(0)
        dx.insert(0, da @ Wx.T)
        dh, dc = da @ Wh.T, dc * f
    return np.stack(dx, axis=1), {"Wx": dWx, "Wh": dWh, "b": db, "h": dh, "c": dc}


def a_stranger(scale=1.0, seed=0, wrong=None, units=3, x_scale=1.0, **options):
    """Arguments of check_gradients."""
    rng = np.random.default_rng(seed)
    shapes = {"Wx": (3, 4 * units), "Wh": (units, 4 * units), "b": (4 * units,)}
    params = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
    params |= {name: rng.standard_normal((2, units)) for name in "hc"}

    def wrongly(cache, dout):
        return backward(cache, dout, wrong)

    return {
        "layer": (forward, wrongly),
        "x": x_scale * rng.standard_normal((2, 4, 3)),
        "params": params,
        **options,
        **SHORT,
    }


def quietly(**given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return check_gradients(**given)


# What is wrong, and passed.


@MODES
@pytest.mark.parametrize("where", [1, slice(None)])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e200, -1e308])
def test_a_gradient_that_is_not_finite_or_huge(value, where, mode):
    def wrong(x, dy):
        dx = 2 * x * dy
        dx[where] = value
        return dx, {}

    report = check_gradients((square, wrong), random(5), mode=mode, **SHORT)
    assert report.verdict == "FAILED"
    assert report.worst > 1e-2  # not nan
    if not np.isfinite(value):
        assert report.worst == np.inf


def test_the_largest_error_is_not_hidden_by_a_nan():
    def wrong(cache, dy):
        x, W = cache
        return np.nan * dy, {"W": 3 * W * x * dy}

    pair = lambda x, W: (x * W**2, (x, W)), wrong
    report = check_gradients(pair, random(3), params={"W": random(3, seed=1)}, **SHORT)
    assert [row.verdict for row in report.rows] == ["FAILED", "FAILED"]
    assert report.worst == np.inf


def test_outputs_that_are_not_finite():
    pair = lambda x: (np.array([np.inf]) * x, x), lambda x, dy: (dy, {})
    report = quietly(layer=pair, x=random(3), **SHORT)
    assert report.faults == ["forward gives numbers that are not finite"]
    assert verdicts(report) == {"x": "FAILED"}


@MODES
def test_a_gradient_with_imaginary_parts(mode):
    pair = square, lambda x, dy: (2 * x * dy * (1 + 1e-9j), {})
    report = check_gradients(pair, random(3), mode=mode, **SHORT)
    assert verdicts(report) == {"x": "FAILED"}
    assert report.notes == ["x: the gradient has imaginary parts"]
    pair = square, lambda x, dy: (2 * x * dy * (1 + 0j), {})
    assert check_gradients(pair, random(3), mode=mode, **SHORT)


@MODES
@pytest.mark.parametrize("part", [5e-5, 1e-6, -1e-6])
def test_a_part_that_the_complex_step_does_not_see(part, mode):
    def objective(z):
        return np.sin(z) + part * np.abs(z), z

    def of_the_sine_alone(z, dy):
        return np.cos(z) * dy, {}

    def right(z, dy):
        return (np.cos(z) + part * np.sign(z)) * dy, {}

    z = random(7, seed=1)
    for derivative, passes in ((of_the_sine_alone, False), (right, True)):
        with pytest.warns(UserWarning, match="it disagrees with central differences: abs"):
            report = check_gradients((objective, derivative), z, mode=mode, **SHORT)
        assert report.passed == passes


@MODES
def test_a_small_array_beside_a_large_one(mode):
    class Wrong(Linear):
        def backward(self, cache, dy):
            dx, grads = super().backward(cache, dy)
            return dx, {**grads, "bias": 2 * grads["bias"]}

    x = 1e15 * random(4, 3)
    assert check_gradients(Linear(3, 2, **FLOAT), x, mode=mode, **SHORT)
    report = check_gradients(Wrong(3, 2, **FLOAT), x, mode=mode, **SHORT)
    assert [row.name for row in report.failed] == ["bias"]


@MODES
@pytest.mark.parametrize("size", [1.0, 1e5, 1e13])
def test_the_gradient_of_a_large_state(size, mode):
    class Wrong(LSTM):
        def backward(self, cache, dout=None, dstate=None):
            dx, (dh, dc), grads = super().backward(cache, dout, dstate)
            return dx, (dh, 1.01 * dc), grads

    x, state = random(4, 2, 3), (random(1, 2, 2, seed=1), size * random(1, 2, 2, seed=2))
    assert check_gradients(LSTM(3, 2, **FLOAT), x, state, mode=mode, **SHORT)
    report = check_gradients(Wrong(3, 2, **FLOAT), x, state, mode=mode, **SHORT)
    assert [row.name for row in report.failed] == ["c_0"]


def test_a_small_column_beside_large_ones():
    class Wrong(LSTM):
        def backward(self, cache, dout=None, dstate=None):
            dx, dstate, grads = super().backward(cache, dout, dstate)
            grads["weight_ih_l0"][:, 1] *= -5
            return dx, dstate, grads

    x = random(4, 2, 3) * [1, 1e-13, 1]
    assert check_gradients(LSTM(3, 2, **FLOAT), x, **SHORT)
    (row,) = check_gradients(Wrong(3, 2, **FLOAT), x, **SHORT).failed
    assert row.name == "weight_ih_l0"
    assert row.index[1] == 1
    assert row.error == pytest.approx(1.2)  # of that entry: (1 + 5)/5


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("dout=None", lambda dout, dstate: dout is None),
        ("dstate=None", lambda dout, dstate: dstate is None),
        ("dstate=(None, …)", lambda dout, dstate: dstate is not None and dstate[0] is None),
        ("dstate=(…, None)", lambda dout, dstate: dstate is not None and dstate[1] is None),
    ],
)
def test_backward_without_an_upstream_gradient(said, changed):
    class Wrong(LSTM):
        def backward(
            self, cache, dout: None = None, dstate: tuple[np.ndarray | None, ...] | None = None
        ):
            dx, dstart, grads = super().backward(cache, dout, dstate)
            return (2 * dx if changed(dout, dstate) else dx), dstart, grads

    report = check_gradients(Wrong(3, 2, **FLOAT), random(4, 2, 3), **SHORT)
    assert report.faults == [f"backward with {said} gives other gradients of x than with zeros"]
    assert report.failed == []
    assert report.verdict == "FAILED"


def test_backward_without_an_upstream_gradient_that_returns_its_own_buffers():
    buffer = np.zeros(3)

    def backward(x, dy=None):
        buffer[...] = 2 * x * (1 if dy is None else dy)
        return buffer, {}

    (fault,) = check_gradients((square, backward), random(3), **SHORT).faults
    assert fault == "backward with dy=None gives other gradients of x than with zeros"


def test_backward_that_promises_to_take_none_and_does_not():
    pair = square, lambda x, dy=None: (2 * x * dy, {})
    (fault,) = check_gradients(pair, random(3), **SHORT).faults
    assert fault.startswith("backward with dy=None ends in TypeError: unsupported operand")


@pytest.mark.parametrize("tolerance", [np.nan, -1, np.inf, 1.0])
def test_a_tolerance_that_is_none(tolerance):
    with pytest.raises(ValueError, match="tolerance: expected at least 0 and less than 1, given"):
        check_gradients(Linear(3, 2), random(4, 3), tolerance=tolerance)
    with pytest.raises(TypeError, match="tolerance: expected a number, given str"):
        check_gradients(Linear(3, 2), random(4, 3), tolerance="1e-9")


# What is right, and failed.


@MODES
@pytest.mark.parametrize("options", [{"single": True}, {"buffer": np.float32}])
def test_functions_that_compute_in_float32(options, mode):
    report = quietly(**a_stranger(mode=mode, **options))
    assert report.passed, str(report)
    (note,) = (note for note in report.notes if "float32 was seen" in note)
    allowed = float(note.partition("an error of ")[2].partition(";")[0])
    assert report.worst < allowed < 5e-3
    for wrong in ("drop_dc", "no_dsigmoid_f"):
        assert quietly(**a_stranger(mode=mode, wrong=wrong, **options)).verdict == "FAILED"


@MODES
def test_each_gradient_is_judged_by_its_own_dtype(mode):
    def check(factor):
        def of_two_types(cache, dout):
            dx, grads = backward(cache, dout)
            return dx, {**grads, "Wx": np.float32(grads["Wx"]), "b": factor * grads["b"]}

        return quietly(**a_stranger(mode=mode) | {"layer": (forward, of_two_types)})

    report = check(1)
    assert report.passed, str(report)
    assert report.notes[0].startswith("Wx: float32 was seen")
    assert [row.name for row in check(1 + 1e-8).failed] == ["b"]


def test_a_layer_in_float64_has_no_gradient_in_float32():
    class Wrong(Linear):
        def backward(self, cache, dy):
            dx, grads = super().backward(cache, dy)
            return dx, {**grads, "weight": np.float32(grads["weight"])}

    report = check_gradients(Wrong(3, 2, **FLOAT), random(4, 3), **SHORT)
    assert [row.name for row in report.failed] == ["weight"]


def chaotic(features=3, units=64):
    rng = np.random.default_rng(0)
    lstm = LSTM(features, units, **FLOAT)
    lstm.load_params({n: rng.standard_normal(p.shape) for n, p in lstm.params.items()})
    return lstm, rng.standard_normal((100, 1, features))


def test_rounding_that_is_truly_amplified_is_undecided():
    report = check_gradients(*chaotic(), **SHORT)
    assert report.verdict == "undecided"
    assert not report.passed
    assert not report
    assert report.failed == []
    assert report.undecided
    assert "FAILED" not in str(report)
    assert any("rounding is amplified" in note for note in report.notes)
    with mistake("no_dtanh_c"):
        assert check_gradients(*chaotic(), **SHORT).verdict == "FAILED"


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e6])
def test_weights_and_inputs_of_other_sizes(scale):
    lstm = LSTM(3, 2, **FLOAT)
    lstm.params["weight_ih_l0"][...] *= scale
    report = check_gradients(lstm, random(4, 2, 3) / scale, **SHORT)
    assert report.passed, str(report)
    assert report.notes == []
    assert quietly(**a_stranger(scale, x_scale=1 / scale, buffer=np.float64)).passed


@MODES
@pytest.mark.parametrize("scale", [5, 20, 100])
def test_saturated_gates_of_strangers(scale, mode):
    for seed in range(5):
        report = quietly(**a_stranger(scale, seed, mode=mode))
        assert report.passed, str(report)
    if scale < 100:
        assert quietly(**a_stranger(scale, wrong="no_dsigmoid_f", mode=mode)).verdict == "FAILED"


@MODES
def test_buffers_of_real_numbers(mode):
    report = quietly(**a_stranger(mode=mode, buffer=np.float64))
    assert report.passed, str(report)
    assert report.worst < 1e-9
    wrong = quietly(**a_stranger(mode=mode, buffer=np.float64, wrong="scaled"))
    assert wrong.verdict == "FAILED"


# What strangers' code does.


def test_a_cache_that_is_taken_apart():
    pair = lambda x: (x**2, [x]), lambda cache, dy: (2 * cache.pop() * dy, {})
    report = check_gradients(pair, random(3), **SHORT)
    assert report.passed
    assert report.notes == [
        "backward takes its cache apart: a second call for one forward ends in "
        "IndexError: pop from empty list"
    ]


@pytest.mark.parametrize("factor", [1, 2])
def test_gradients_that_add_up(factor):
    total = np.zeros(3)

    def adding(cache, dy):
        x, W = cache
        total[...] += factor * x * dy
        return W * dy, {"W": total}

    pair = lambda x, W: (W * x, (x, W)), adding
    report = check_gradients(pair, random(3), params={"W": random(3, seed=1)}, **SHORT)
    assert report.faults == []
    assert report.notes[0].startswith("the gradients of W add up from call to call")
    assert verdicts(report) == {"W": "ok" if factor == 1 else "FAILED", "x": "ok"}


def test_nothing_to_see_and_nothing_checked():
    def unused(x, a, W):
        return W * x, (x, a, W)

    def gradients(cache, dy):
        x, a, _ = cache
        return None, {"a": np.zeros_like(a), "W": x * dy}

    params = {"a": random(2), "W": random(3, seed=1)}
    whole = check_gradients((unused, gradients), random(3), params=params, **SHORT)
    assert verdicts(whole) == {"a": "nothing to see", "W": "ok", "x": "not checked"}
    assert whole.passed
    assert "nothing to see" in str(whole)
    for without in (lambda c, dy: gradients(c, dy)[1], lambda c, dy: (gradients(c, dy)[1],)):
        report = check_gradients((unused, without), random(3), params=params, **SHORT)
        assert verdicts(report) == verdicts(whole)
    with pytest.raises(ValueError, match="backward: expected a gradient to check, given none"):
        check_gradients((square, lambda x, dy: (None, {})), random(3), **SHORT)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"params": [random(3)]}, TypeError, "params: expected a dictionary of arrays by the"),
        (
            {"params": {"W": [[1.0]]}},
            TypeError,
            r"params\['W'\]: expected a NumPy array, given list",
        ),
        (
            {"params": {"W": np.ones(3, int)}},
            TypeError,
            r"params\['W'\]: expected float32 or float64",
        ),
        ({"params": {"x": random(3)}}, ValueError, "params: expected any names but x"),
        ({"x": np.ones(3, int)}, TypeError, r"x: expected a .*given int64; np.array\(x, float\)"),
        ({"layer": (square, None)}, TypeError, "layer: expected two functions"),
        (
            {"layer": [square, square], "params": None},
            TypeError,
            "layer: expected .* a pair of functions",
        ),
    ],
)
def test_arguments_that_do_not_fit(given, error, said):
    pair = (lambda x, W: (W * x, (x, W))), lambda c, dy: (c[1] * dy, {"W": c[0] * dy})
    with pytest.raises(error, match=said):
        check_gradients(**{"layer": pair, "x": random(3), "params": {"W": random(3)}, **given})


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (
            lambda x: x**2,
            TypeError,
            "forward: expected one or more outputs and then a cache.*alone",
        ),
        (lambda x: (x**2,), ValueError, r"forward: .* given 1 value\(s\)"),
        (lambda x: ("y", x), TypeError, "forward: .* expected output 0 to be an array, given str"),
    ],
)
def test_what_forward_returns(answer, error, said):
    with pytest.raises(error, match=said):
        check_gradients((answer, lambda x, dy: (dy, {})), random(3))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (lambda x, dy: [dy, dy, dy], ValueError, r"given list of 3 value\(s\)"),
        (lambda x, dy: (dy,), ValueError, r"given tuple of 1 value\(s\)"),
        (lambda x, dy: [dy, dy], TypeError, "the second is ndarray"),
        (lambda x, dy: dy, TypeError, "given ndarray alone"),
        (lambda x, dy: (dy, {"W": None}), ValueError, "a gradient of W, given None"),
        (lambda x, dy: (dy, {"W": np.array(["1"] * 3)}), TypeError, "gradient of W in numbers"),
    ],
)
def test_what_backward_returns(answer, error, said):
    pair = (lambda x, W: (W * x, x)), answer
    with pytest.raises(error, match=f"backward: expected .*{said}"):
        check_gradients(pair, random(3), params={"W": random(3)})


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (LSTMCell(3, 2, **FLOAT), random(4, 3)),
        (LSTM(3, 2, 2, bidirectional=True, **FLOAT), random(4, 2, 3)),
        (LSTMModel(3, 2, 4, **FLOAT), random(4, 2, 3)),
        (RNN(3, 2, **FLOAT), random(4, 2, 3)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "params") else "",
)
def test_our_own_take_none(layer, x, monkeypatch):
    """And it is tried: a call with each None reaches backward."""
    calls, original = [], type(layer).backward
    signature = original.__annotations__

    def recorded(self, cache, *doutputs):
        calls.append(doutputs)
        return original(self, cache, *doutputs)

    recorded.__wrapped__ = original
    monkeypatch.setattr(type(layer), "backward", recorded)
    assert check_gradients(layer, x, **SHORT)
    assert signature
    assert any(any(dy is None for dy in given) for given in calls)
