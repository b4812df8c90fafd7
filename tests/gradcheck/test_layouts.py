"""The layout of an LSTM is found in every usual form, and said to be almost one where it is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import load

from npslstm import LSTM
from npslstm.gradcheck.own.blocks import CHANGES, Blocks, run
from npslstm.gradcheck.own.search import find_layout

ORDERS = ["".join(order) for order in itertools.permutations("ifgo")]
COLUMNS = ["xh", "hx", "xh1", "hx1", "1xh", None]  # of one matrix; or two matrices
AXES = ["TND", "NTD", "DNT", "TD"]


def laid_out(ours, order, columns, transposed, biases, apart):
    """Lay our parameters (or their gradients) out in another way."""
    slots = ["ifgo".index(gate) for gate in order]

    def blocks(name):
        return ours[name].reshape(4, -1, *ours[name].shape[1:])[slots]

    w_ih, w_hh, b = blocks("weight_ih_l0"), blocks("weight_hh_l0"), blocks("bias_ih_l0")
    if columns:
        parts = {"x": w_ih, "h": w_hh, "1": b[..., None]}
        found = {"W": np.concatenate([parts[part] for part in columns], axis=-1)}
    else:
        found = {"Wx": w_ih, "Wh": w_hh}
    if "1" not in (columns or ""):
        found |= {
            f"b{k}": blocks(name) for k, name in enumerate(("bias_ih_l0", "bias_hh_l0")[:biases])
        }
    if apart:  # an array a gate
        found = {n + gate: w for n, a in found.items() for gate, w in zip(order, a, strict=True)}
    else:
        found = {name: a.reshape(-1, *a.shape[2:]) for name, a in found.items()}
    return {name: array.T if transposed else array for name, array in found.items()}


@st.composite
def strangers(draw):
    steps, rows, inputs, hidden = (draw(st.integers(low, 4)) for low in (2, 1, 1, 1))
    axes = draw(st.sampled_from(AXES))
    rows = 1 if "N" not in axes else rows
    form = {
        "order": draw(st.sampled_from(ORDERS)),
        "columns": draw(st.sampled_from(COLUMNS)),
        "transposed": draw(st.booleans()),
        "biases": draw(st.integers(0, 2)),
        "apart": draw(st.booleans()),
    }
    biases = 1 if "1" in (form["columns"] or "") else form["biases"]
    return (steps, rows, inputs, hidden), axes, form, biases, draw(st.integers(0, 2**32 - 1))


@given(strangers(), st.booleans(), st.sets(st.integers(0, 2), min_size=1))
def test_every_usual_form_is_found(stranger, states, shown):
    (steps, rows, inputs, hidden), axes, form, biases, seed = stranger
    rng = np.random.default_rng(seed)
    lstm = LSTM(inputs, hidden, dtype=np.float64, rng=0)
    for name, param in lstm.params.items():
        unused = {0: ("bias_ih_l0", "bias_hh_l0"), 1: ("bias_hh_l0",), 2: ()}[biases]
        param[...] = 0 if name in unused else rng.standard_normal(param.shape)
    x = rng.standard_normal((steps, rows, inputs))
    h_0, c_0 = rng.standard_normal((2, 1, rows, hidden)) * states
    out, (h_n, c_n), cache = lstm.forward(x, (h_0, c_0))
    dout, dh, dc = (rng.standard_normal(o.shape) for o in (out, h_n, c_n))
    kept = [np.isin(k, list(shown)) for k in range(3)]
    dx, (dh_0, dc_0), grads = lstm.backward(cache, dout * kept[0], (dh * kept[1], dc * kept[2]))

    def theirs(x):  # from (T, N, D or H)
        return x.transpose(["TND".index(axis) for axis in axes]) if "N" in axes else x[:, 0]

    def state(s):
        return s[0].T if axes == "DNT" else s[0]

    arrays = {"x": theirs(x), **laid_out(lstm.params, **form)}
    right = {"x": theirs(dx), **laid_out(grads, **form)}
    if states:
        arrays |= {"h0": state(h_0), "c0": state(c_0)}
        right |= {"h0": state(dh_0), "c0": state(dc_0)}
    outputs = [[theirs(out), state(h_n), state(c_n)][k] for k in sorted(shown)]
    upstream = [[theirs(dout), state(dh), state(dc)][k] for k in sorted(shown)]

    layout = find_layout(arrays, outputs)
    assert layout is not None
    assert layout.text.endswith(": its forward is right")
    found = layout.gradients(arrays, upstream)
    assert found.keys() == right.keys()
    for name, gradient in right.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.text)
def test_almost_an_lstm_is_said_to_be(change):
    rng = np.random.default_rng(0)
    shapes = {"w_x": (12, 2), "w_h": (12, 3), "b": (12,), "x": (5, 2, 2), "h0": (2, 3)}
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    w_x, w_h, b, x, h0 = arrays.values()
    w_x, w_h, b = w_x.reshape(4, 3, 2), w_h.reshape(4, 3, 3), b.reshape(4, 3)
    blocks = change.blocks(Blocks(w_x, w_h, b, 0 * b, x, h0, 0 * h0))
    outputs, _ = run(blocks, change)
    layout = find_layout(arrays, [outputs["out"]])
    assert layout.text == (
        "almost an LSTM with gates i, f, g, o, w_x (4H, D), w_h (4H, H), one bias, time first, "
        f"from h0; but {change.text}"
    )


def test_what_is_not_read_and_gates_that_are_swapped_are_said():
    course = load("course")
    x, params, _ = course.example()
    a, c, _ = course.forward(x, **params)
    swapped = params | {
        "Wi": params["Wf"],
        "Wf": params["Wi"],
        "bi": params["bf"],
        "bf": params["bi"],
    }
    assert find_layout({"x": x, **swapped}, [a, c]).text.endswith(
        "but Wi makes the forget gate; Wf makes the input gate"
    )
    unread = params | {"c0": np.ones((3, 2))}
    assert find_layout({"x": x, **unread}, [a, c]).text.endswith("but c0 is not read")


def test_a_readout_is_found():
    ours = load("ours")
    x, params = ours.example()
    h, *_ = ours.forward(x, **params)
    rng = np.random.default_rng(1)
    head = {"Why": rng.standard_normal((3, 4)), "by": rng.standard_normal(4)}
    logits = h @ head["Why"] + head["by"]
    odds = np.exp(logits)
    for y in (logits, odds / odds.sum(axis=-1, keepdims=True), logits[-1]):
        layout = find_layout({"x": x, **params, **head}, [y])
        assert layout.text.endswith("read out by Why and by: its forward is right")
        assert {"Why", "by"} < layout.gradients({"x": x, **params, **head}, [y]).keys()


def test_outputs_may_be_a_list_of_steps():
    ours = load("ours")
    x, params = ours.example()
    h, h_n, c_n, _ = ours.forward(x, **params)
    layout = find_layout({"x": x, **params}, [*h, h_n, c_n])
    assert layout.text.endswith("its forward is right")
    doutputs = list(np.random.default_rng(0).standard_normal((6, 2, 3)))
    whole = find_layout({"x": x, **params}, [h, h_n, c_n])
    right = whole.gradients({"x": x, **params}, [np.array(doutputs[:4]), *doutputs[4:]])
    for name, gradient in layout.gradients({"x": x, **params}, doutputs).items():
        np.testing.assert_allclose(gradient, right[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(5, 3, 4), (3, 4), (5, 3), (2,)])
def test_a_forward_that_fits_none_is_no_error(shape):
    x, params = load("ours").example()
    y = np.random.default_rng(0).standard_normal(shape)
    assert find_layout({"x": x, **params}, [y]) is None
    assert find_layout({"x": x}, [y]) is None
    assert find_layout({"x": np.zeros((2, 3, 4, 5)), **params}, [y, y]) is None
