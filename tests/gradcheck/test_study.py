"""What a check of somebody's LSTM says beside its verdicts: what leads to the mistake."""

from __future__ import annotations

import numpy as np
import pytest
from strangers import load
from test_suspects import MISTAKES, checked

from npslstm import LSTM
from npslstm.gradcheck import check_gradients


def seen(name, *changes):
    report = checked(name, changes)
    assert not report.passed
    assert str(report).count("\nseen: ") == len(report.seen)
    return report.seen


def test_biases_of_another_gate():
    changes = [('grads["b" + gate] = d.sum(', 'grads["b" + gate] = dft.sum(')]
    assert "the gradients of bi, bc and bo equal that of bf" in seen("course", *changes)


def test_a_gradient_that_is_clipped_or_scaled():
    change = ('grads["bias"] += dz.sum(axis=0)', 'grads["bias"] += 0.1 * dz.sum(axis=0)')
    assert seen("keras", change) == [
        "bias's gradient is 0.10 of the right one, cosine 1: clipped or scaled",
        "kernel and recurrent_kernel: right in all blocks",
        "bias: wrong in all blocks",
        "wrong at T = 1 already: the mistake shows in a single step",
    ]


def test_what_is_carried_back_is_lost():
    sentences = seen("keras", *MISTAKES["keras"]["drop_dh"])
    assert (
        "dx is right at the last step and wrong before: what is carried back from step to step is "
        "lost or wrong"
    ) in sentences


@pytest.mark.parametrize(
    ("name", "change", "hidden"),
    [
        ("ours", ("dh = da @ weight_hh", "dh = 0.7 * da @ weight_hh if len(dx) < len(dout) else "
                  "da @ weight_hh"), ""),
        ("cs231n", ("prev_c * f * (1 - f)", "prev_c * f * (0.7 - f)"), "the forget gate"),
        ("keras", ("h_tm1.T @ dz", "0.7 * h_tm1.T @ dz"), "the forget gate or W_hh"),
    ],
)  # fmt: skip
def test_one_step_from_zero_states_is_no_alibi(name, change, hidden):
    """The gradients of W_hh, and of the forget gate, are 0 there whatever backward says."""
    sentence = "right at T = 1, wrong from T = 2 on: the mistake is in what goes from step to step"
    if hidden:
        sentence += f", or in {hidden}, which one step from zero states cannot show"
    assert sentence in seen(name, change)


def test_no_place_is_guessed_where_the_mistake_is_known():
    sentences = seen("keras", *MISTAKES["keras"]["no_dsigmoid_f"])
    assert "the gradients are those of our LSTM with no_dsigmoid_f" in sentences[0]
    assert not any(sentence.startswith("right at T = 1") for sentence in sentences)


def test_outputs_that_do_not_depend_on_a_state():
    changes = [("a_next, c_next, caches, a, c = a0,", "a_next, c_next, caches, a, c = 0 * a0,")]
    sentences = seen("course", *changes)
    assert "outputs do not depend on a0: its gradient is 0" in sentences


def test_one_gate():
    sentences = seen("karpathy", *MISTAKES["karpathy"]["forget_reads_c"])
    assert (
        "at T = 1, WLSTM on x, WLSTM on h and WLSTM on 1: the forget gate is wrong, the input "
        "gate, the candidate and the output gate are right"
    ) in sentences


def test_one_part_of_a_matrix():
    sentences = seen("karpathy", *MISTAKES["karpathy"]["dW_hh_with_h_t"])
    assert "WLSTM on x and WLSTM on 1: right in all blocks" in sentences
    assert "WLSTM on h: wrong in all blocks" in sentences


def test_a_readout_that_is_right():
    ours = load("ours", *MISTAKES["ours"]["drop_dc"])
    x, params = ours.example()

    def forward(x, Why, by, **params):
        h, _, _, cache = ours.forward(x, **params)
        return h @ Why + by, (h, cache, Why, params["h_0"])

    def backward(cache, dy):
        h, cache, Why, h_0 = cache
        dx, grads = ours.backward(cache, dy @ Why.T, 0 * h_0, 0 * h_0)
        return dx, {**grads, "Why": np.einsum("tnh,tnk->hk", h, dy), "by": dy.sum(axis=(0, 1))}

    rng = np.random.default_rng(1)
    params |= {"Why": rng.standard_normal((3, 4)), "by": rng.standard_normal(4)}
    report = check_gradients((forward, backward), x, params=params, verbose=False)
    assert "read out by Why and by" in report.layout
    assert report.suspects == ["drop_dc"]
    assert {row.name for row in report.failed} == {*params, "x"} - {"Why", "by"}
    assert "the readout (Why, by) is right, what lies below it is wrong" in report.seen


def test_a_backward_that_fills_the_same_arrays_at_each_call():
    ours, buffers = load("ours", *MISTAKES["ours"]["drop_dh"]), {}

    def backward(cache, *doutputs):
        dx, grads = ours.backward(cache, *doutputs)
        for name, array in {**grads, "x": dx}.items():
            buffers.setdefault(name, np.empty_like(array))[...] = array
        return buffers["x"], {name: buffers[name] for name in grads}

    x, params = ours.example()
    report = check_gradients((ours.forward, backward), x, params=params, verbose=False)
    assert report.suspects == ["drop_dh"]


def test_right_from_zeros_alone():
    ours = load("ours")
    x, params = ours.example()

    def backward(cache, *doutputs):
        dx, grads = ours.backward(cache, *doutputs)
        return dx, grads | {"weight_hh": grads["weight_hh"] + cache[0][0][1].sum()}

    report = check_gradients((ours.forward, backward), x, params=params, verbose=False)
    assert "right where h_0 and c_0 are 0, wrong from other states" in report.seen


def test_two_mistakes_at_once():
    mistakes = ["no_dsigmoid_f", "drop_dc"]
    changes = [change for name in mistakes for change in MISTAKES["cs231n"][name]]
    assert sorted(checked("cs231n", changes).suspects) == sorted(mistakes)


def test_a_class_after_our_pattern_is_studied_too():
    class Mine(LSTM):
        def backward(self, cache, dout=None, dstate=None):
            return super().backward(cache, dout, (dstate[0], None))

    lstm, x = LSTM(3, 4, dtype=np.float64, rng=0), np.random.default_rng(0).normal(size=(4, 2, 3))
    assert check_gradients(lstm, x, verbose=False).layout is None
    report = check_gradients(Mine(3, 4, dtype=np.float64, rng=0), x, verbose=False)
    assert report.layout.startswith("an LSTM with gates i, f, g, o, weight_ih_l0 (4H, D), ")
    assert report.suspects[0] == "ignore_dc_T"


def test_faults_have_names_too():
    ours = load("ours")
    x, params = ours.example()

    def backward(cache, dout, dh, dc):
        dc += 1
        return ours.backward(cache, dout, dh, dc - 1)

    report = check_gradients((ours.forward, backward), x, params=params, verbose=False)
    assert report.suspects == ["writes_to_dc"]


@pytest.mark.parametrize("mode", ["elementwise", "directional"])
def test_an_lstm_that_is_none_is_checked_all_the_same(mode):
    """A plain RNN, with its dh dropped: no layout, and still the words that lead there."""

    def forward(x, W, U):
        h, hs = np.zeros((x.shape[1], len(U))), []
        for x_t in x:
            hs.append(h)
            h = np.tanh(x_t @ W + h @ U)
        hs.append(h)
        return np.array(hs[1:]), (x, W, U, hs)

    def backward(cache, dy):
        x, W, _, hs = cache
        da = dy * (1 - np.array(hs[1:]) ** 2)
        dW = np.einsum("tnd,tnh->dh", x, da)
        return da @ W.T, {"W": dW, "U": np.einsum("tng,tnh->gh", np.array(hs[:-1]), da)}

    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((3, 4)), "U": rng.standard_normal((4, 4))}
    x = rng.standard_normal((4, 2, 3))
    report = check_gradients((forward, backward), x, params=params, mode=mode, verbose=False)
    assert not report.passed
    assert report.layout is None
    assert report.suspects == []
    assert any(s.startswith("dx is right at the last step and wrong before") for s in report.seen)
    assert any(s.startswith("right at T = 1, wrong from T = 2 on") for s in report.seen)
