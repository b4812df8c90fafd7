"""The trace is the fast path seen from inside: every output and every gradient follows from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npslstm import LSTM, LSTMModel
from npslstm.trace import LayerTrace, trace

CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def draw(seed, steps, rows, lengths, **options):
    """A float64 LSTM and random everything, in the caller's layout."""
    rng = np.random.default_rng(seed)
    lstm = LSTM(3, 4, dtype=np.float64, rng=rng, **options)
    lead = (rows, steps) if lstm.batch_first else (steps, rows)
    states = (lstm.num_layers * lstm.directions, rows, 4)
    return lstm, {
        "x": rng.normal(size=(*lead, 3)),
        "state": (rng.normal(size=states), rng.normal(size=states)),
        "lengths": rng.integers(0, steps + 1, rows) if lengths else None,
        "dout": rng.normal(size=(*lead, 4 * lstm.directions)),
        "dstate": (rng.normal(size=states), rng.normal(size=states)),
    }


def rows_of(steps, batch_first):
    """Each row's (T, H) arrays of a trace by itself: the tests below index plain sequences."""
    rows = steps.h.shape[0 if batch_first else 1]
    for n in range(rows):
        at = (n,) if batch_first else (slice(None), n)
        yield LayerTrace(*(a[at] for a in steps[:8]), steps.da[(slice(None), *at)])


def derive(lstm, traced, call, masks):
    """Outputs, states and gradients of a whole run, from nothing but the trace and the inputs.

    What is computed here is (19) and the stacking; each row goes by itself, in its own length.
    """
    swap = (lambda a: a.swapaxes(0, 1)) if lstm.batch_first else (lambda a: a)
    x, lengths = swap(call["x"]), call["lengths"]
    steps, rows = x.shape[:2]
    lengths = [steps] * rows if lengths is None else lengths
    grads = {name: np.zeros_like(p) for name, p in lstm.params.items()}
    h_n, c_n, dh_0, dc_0 = (s.copy() for s in (*call["state"], *call["dstate"]))
    for layer in range(lstm.num_layers):
        if layer and masks:
            x = x * swap(masks[layer - 1])
        dx, outs = np.zeros_like(x), []
        for direction in range(lstm.directions):
            k = layer * lstm.directions + direction
            end = f"_l{layer}" + "_reverse" * direction
            layer_trace = traced[end[1:]]
            weight_ih, weight_hh = lstm.params["weight_ih" + end], lstm.params["weight_hh" + end]
            outs.append(swap(layer_trace.h))
            for n, row in enumerate(rows_of(layer_trace, lstm.batch_first)):
                order = range(lengths[n])[:: -1 if direction else 1]
                h_prev = call["state"][0][k, n]
                for t in order:
                    da = row.da[:, t].reshape(-1)
                    dx[t, n] += da @ weight_ih
                    grads["weight_ih" + end] += np.outer(da, x[t, n])
                    grads["weight_hh" + end] += np.outer(da, h_prev)
                    for name in ("bias_ih", "bias_hh"):
                        if lstm.bias:
                            grads[name + end] += da
                    h_prev = row.h[t]
                if len(order):
                    h_n[k, n], c_n[k, n] = row.h[order[-1]], row.c[order[-1]]
                    first = order[0]
                    dh_0[k, n] = row.da[:, first].reshape(-1) @ weight_hh
                    dc_0[k, n] = row.dc[first] * row.f[first]
        if layer == 0:
            dx_0 = dx
        x = np.concatenate(outs, axis=2)
    return {
        "out": swap(x),
        "h_n": h_n,
        "c_n": c_n,
        "dx": swap(dx_0),
        "dh_0": dh_0,
        "dc_0": dc_0,
    } | (grads)


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(0, 6),
    rows=st.integers(1, 4),
    lengths=st.booleans(),
    num_layers=st.integers(1, 3),
    bias=st.booleans(),
    batch_first=st.booleans(),
    bidirectional=st.booleans(),
    dropout=st.booleans(),
)
def test_outputs_and_gradients_of_the_fast_path_follow_from_the_trace(
    seed, steps, rows, lengths, dropout, **options
):
    dropout = 0.5 if dropout and options["num_layers"] > 1 else 0.0
    lstm, call = draw(seed, steps, rows, lengths, dropout=dropout, **options)
    upstream = call["dout"], call["dstate"]
    out, (h_n, c_n), cache = lstm.forward(
        call["x"], call["state"], lengths=call["lengths"], rng=np.random.default_rng(seed)
    )
    dx, (dh_0, dc_0), grads = lstm.backward(cache, *upstream)
    fast = {"out": out, "h_n": h_n, "c_n": c_n, "dx": dx, "dh_0": dh_0, "dc_0": dc_0} | grads

    traced = trace(lstm, **call, dropout_masks=cache.dropout_masks)
    plain = derive(lstm, traced, call, cache.dropout_masks)
    assert plain.keys() == fast.keys()
    for name, array in fast.items():
        np.testing.assert_allclose(plain[name], array, **CLOSE, err_msg=f"{name}: seed {seed}")


def test_the_equations_hold_between_what_is_named():
    """(6)-(8) and (15)-(18) with each step's neighbours, which the test above does not look at."""
    lstm, call = draw(0, steps=5, rows=2, lengths=False, bidirectional=True)
    for direction, name in enumerate(("l0", "l0_reverse")):
        s = trace(lstm, **call)[name]
        later = -1 if direction else 1  # where the next step of this direction lies
        c_0, dc_n = call["state"][1][direction], call["dstate"][1][direction]
        order = range(5)[::later]
        for t in order:
            c_prev = c_0 if t == order[0] else s.c[t - later]
            np.testing.assert_allclose(s.c[t], s.f[t] * c_prev + s.i[t] * s.g[t], **CLOSE)
            np.testing.assert_allclose(s.h[t], s.o[t] * np.tanh(s.c[t]), **CLOSE)
            dc_in = dc_n if t == order[-1] else s.dc[t + later] * s.f[t + later]
            through_h = s.dh[t] * s.o[t] * (1 - np.tanh(s.c[t]) ** 2)
            np.testing.assert_allclose(s.dc[t], dc_in + through_h, **CLOSE)
            da_i, da_f, da_g, da_o = s.da[:, t]
            np.testing.assert_allclose(da_i, s.dc[t] * s.g[t] * s.i[t] * (1 - s.i[t]), **CLOSE)
            np.testing.assert_allclose(da_f, s.dc[t] * c_prev * s.f[t] * (1 - s.f[t]), **CLOSE)
            np.testing.assert_allclose(da_g, s.dc[t] * s.i[t] * (1 - s.g[t] ** 2), **CLOSE)
            tanh_c = np.tanh(s.c[t])
            np.testing.assert_allclose(da_o, s.dh[t] * tanh_c * s.o[t] * (1 - s.o[t]), **CLOSE)


def test_dh_and_dc_are_derivatives_of_the_loss():
    """dh and dc at t are the gradients of the state that the sequence goes on from after t."""
    lstm, call = draw(1, steps=5, rows=3, lengths=False)
    steps = trace(lstm, **call)["l0"]
    for t in range(4):
        middle = steps.h[t][None], steps.c[t][None]
        _, _, cache = lstm.forward(call["x"][t + 1 :], middle)
        _, (dh, dc), _ = lstm.backward(cache, call["dout"][t + 1 :], call["dstate"])
        np.testing.assert_allclose(steps.dh[t], dh[0] + call["dout"][t], **CLOSE)
        through_h = steps.dh[t] * steps.o[t] * (1 - np.tanh(steps.c[t]) ** 2)
        np.testing.assert_allclose(steps.dc[t], dc[0] + through_h, **CLOSE)


def test_padding_is_not_read_and_is_zero_in_the_trace():
    lstm, call = draw(2, steps=6, rows=3, lengths=False, num_layers=2, bidirectional=True)
    call["lengths"] = [2, 5, 0]
    clean = trace(lstm, **call)
    for n, length in enumerate(call["lengths"]):
        call["x"][length:, n] = np.nan
        call["dout"][length:, n] = np.nan
    for key, steps in trace(lstm, **call).items():
        for name, array in steps._asdict().items():
            np.testing.assert_array_equal(array, clean[key]._asdict()[name])
            for n, length in enumerate(call["lengths"]):
                assert not array[..., length:, n, :].any(), f"{key}.{name}, row {n}"


def test_one_sequence_without_a_batch():
    lstm, call = draw(3, steps=4, rows=2, lengths=False, bidirectional=True)
    whole = trace(lstm, **call)
    one = trace(
        lstm,
        call["x"][:, 1],
        tuple(s[:, 1] for s in call["state"]),
        dout=call["dout"][:, 1],
        dstate=tuple(s[:, 1] for s in call["dstate"]),
    )
    assert one["l0"].h.shape == (4, 4)
    assert one["l0"].da.shape == (4, 4, 4)
    for key in whole:
        for alone, batched in zip(one[key], whole[key], strict=True):
            np.testing.assert_allclose(alone, batched[..., 1, :], **CLOSE)


@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("with_state", [False, True])
def test_model_takes_the_gradient_of_its_logits(readout, with_state):
    rng = np.random.default_rng(4)
    model = LSTMModel(
        3, 4, 2, num_layers=2, bidirectional=True, readout=readout, dtype=np.float64, rng=rng
    )
    x, lengths = rng.normal(size=(5, 3, 3)), [5, 2, 4]
    logits, state_n, cache = model.forward(x, lengths=lengths)
    dlogits = rng.normal(size=logits.shape)
    dstate = tuple(rng.normal(size=s.shape) for s in state_n) if with_state else None
    dx, _, grads = model.backward(cache, dlogits, dstate)
    traced = trace(model, x, lengths=lengths, dout=dlogits, dstate=dstate)
    assert list(traced) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    through_both = 0
    for key in ("l0", "l0_reverse"):
        da = np.moveaxis(traced[key].da, 0, 2).reshape(5, 3, 16)
        through_both += da @ model.lstm.params[f"weight_ih_{key}"]
    np.testing.assert_allclose(through_both, dx, **CLOSE)
    for key, steps in traced.items():
        dbias = steps.da.sum(axis=(1, 2)).reshape(-1)
        np.testing.assert_allclose(dbias, grads[f"lstm.bias_hh_{key}"], **CLOSE)


def test_without_upstream_gradients_there_are_none():
    lstm, call = draw(5, steps=3, rows=2, lengths=False)
    steps = trace(lstm, call["x"])["l0"]
    assert (steps.dh, steps.dc, steps.da) == (None, None, None)
    np.testing.assert_allclose(steps.h, lstm(call["x"])[0], **CLOSE)
    for only in ({"dout": call["dout"]}, {"dstate": (None, call["dstate"][1])}):
        assert trace(lstm, call["x"], **only)["l0"].dc.any()


def test_float32_stays_float32():
    lstm = LSTM(3, 4, bidirectional=True, rng=6)
    x, dout = np.ones((5, 2, 3), np.float32), np.ones((5, 2, 8), np.float32)
    for steps in trace(lstm, x, dout=dout).values():
        assert {array.dtype for array in steps} == {np.dtype(np.float32)}


def test_wrong_input_is_named():
    lstm, call = draw(7, steps=3, rows=2, lengths=False)
    with pytest.raises(ValueError, match=r"x: expected shape"):
        trace(lstm, call["x"][..., :2])
    with pytest.raises(ValueError, match=r"dout: expected shape \(3, 2, 4\), given \(3, 2, 3\)"):
        trace(lstm, call["x"], dout=call["x"])
    with pytest.raises(TypeError, match=r"dstate: expected a pair"):
        trace(lstm, call["x"], dstate=call["dout"])
