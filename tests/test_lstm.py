"""LSTM as its users meet it: names, edges, layouts, dropout, checkpointing."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from compare import assert_same_bits, assert_same_solution
from hypothesis import given
from hypothesis import strategies as st
from strategies import lstm_cases

from npslstm import LSTM, LSTMState


def test_parameters_have_pytorchs_names_and_shapes_in_pytorchs_order():
    lstm = LSTM(2, 3, num_layers=2, bidirectional=True)
    expected = {}
    for layer, size in enumerate([2, 6]):
        for ending in (f"_l{layer}", f"_l{layer}_reverse"):
            expected |= {"weight_ih" + ending: (12, size), "weight_hh" + ending: (12, 3)}
            expected |= {"bias_ih" + ending: (12,), "bias_hh" + ending: (12,)}
    assert [(n, p.shape) for n, p in lstm.params.items()] == list(expected.items())
    assert lstm.dtype == np.float32
    assert list(LSTM(2, 3, bias=False).params) == ["weight_ih_l0", "weight_hh_l0"]


def test_forget_bias_is_added_in_every_layer_and_direction():
    options = {"num_layers": 2, "bidirectional": True, "rng": 0}
    plain, biased = LSTM(2, 3, **options), LSTM(2, 3, forget_bias=2.0, **options)
    for name, param in plain.params.items():
        expected = param.copy()
        if name.startswith("bias_ih"):
            expected[3:6] += 2
        np.testing.assert_array_equal(biased.params[name], expected, name, strict=True)


@given(case=lstm_cases(T=0))
def test_no_steps_return_copies_of_the_initial_state(case):
    problem = case.problem()
    outputs, gradients = problem.solve()
    for first, last in problem.states:
        np.testing.assert_array_equal(outputs[last], problem.inputs[first], strict=True)
        assert not np.shares_memory(outputs[last], problem.inputs[first])
        np.testing.assert_array_equal(gradients[first], problem.upstream[last], strict=True)
        assert not np.shares_memory(gradients[first], problem.upstream[last])
    assert outputs["out"].shape == problem.upstream["out"].shape
    assert not any(gradients[n].any() for n in problem.params)


@given(case=lstm_cases(N=0))
def test_no_rows_have_zero_gradients(case):
    problem = case.problem()
    outputs, gradients = problem.solve()
    assert {n: a.shape for n, a in outputs.items()} == {
        n: a.shape for n, a in problem.upstream.items()
    }
    assert {n: a.shape for n, a in gradients.items()} == {
        n: a.shape for n, a in problem.inputs.items()
    }
    assert not any(gradients[n].any() for n in problem.params)


@given(case=lstm_cases(N=st.integers(0, 4), batch_first=True))
def test_batch_first_only_swaps_axes(case):
    """Of x and out, and of their gradients and masks; never of states."""
    problem = case.problem()
    net = copy.copy(problem.net)
    net.batch_first = False

    def swap(arrays):
        return {n: a.swapaxes(0, 1) if n in ("x", "out") else a for n, a in arrays.items()}

    options = dict(problem.options)
    if "dropout_masks" in options:
        options["dropout_masks"] = tuple(m.swapaxes(0, 1) for m in options["dropout_masks"])
    time_major = replace(
        problem,
        net=net,
        inputs=swap(problem.inputs),
        upstream=swap(problem.upstream),
        options=options,
    )
    expected = tuple(swap(arrays) for arrays in time_major.solve())
    assert_same_solution("batch first", problem, problem.solve(), expected)


@given(case=lstm_cases(N=None))
def test_a_sequence_without_a_batch_axis_is_a_batch_of_one(case):
    problem = case.problem()

    def batch(arrays):
        return {n: a[:, None] if a.ndim == 2 and n not in problem.params else a for n, a in arrays}

    batched = problem.change(
        batch(problem.inputs.items()),
        batch(problem.upstream.items()),
        **{n: tuple(m[:, None] for m in ms) for n, ms in problem.options.items() if "mask" in n},
    )
    net = copy.copy(problem.net)
    net.batch_first = False
    expected = tuple(
        {n: a[:, 0] if a.ndim == 3 else a for n, a in arrays.items()}
        for arrays in replace(batched, net=net).solve()
    )
    assert_same_solution("unbatched", problem, problem.solve(), expected)


def test_defaults_are_zero_states_and_whole_rows():
    lstm = LSTM(3, 4, 2, bidirectional=True, rng=0)
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
    zeros = np.zeros((4, 2, 4), np.float32)
    out, state = lstm(x)
    assert isinstance(state, LSTMState)
    for other_out, other in (
        lstm(x, (zeros, zeros)),
        lstm(x, (None, zeros)),
        lstm(x, lengths=[5, 5]),
        lstm.forward(x)[:2],
    ):
        np.testing.assert_array_equal(out, other_out, strict=True)
        assert_same_bits(state._asdict(), other._asdict())


@given(case=lstm_cases(dropout=True, layers=st.integers(2, 3)), p=st.floats(0.1, 0.9))
def test_drawn_masks_given_back_repeat_the_call(case, p):
    problem = case.problem()
    problem.net.dropout = p
    drawn = problem.change(dropout_masks=None, rng=np.random.default_rng(0))
    outputs, cache = drawn.forward()
    again = problem.change(dropout_masks=cache.dropout_masks)
    repeated, repeated_cache = again.forward()
    assert_same_bits(repeated, outputs)
    assert_same_bits(again.backward(repeated_cache), drawn.backward(cache))
    same_seed = problem.change(dropout_masks=None, rng=np.random.default_rng(0))
    assert_same_bits(same_seed.outputs(), outputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_zero_outputs_between_layers_and_keep_their_mean(dtype):
    lstm = LSTM(3, 50, 3, dropout=0.4, dtype=dtype, rng=0)
    x = np.random.default_rng(1).standard_normal((20, 10, 3)).astype(dtype)
    out, _, cache = lstm.forward(x, rng=np.random.default_rng(2))
    assert len(cache.dropout_masks) == 2  # none after the last layer
    for mask in cache.dropout_masks:
        assert mask.shape == (20, 10, 50)
        assert set(np.unique(mask)) == {0, dtype(1 / 0.6)}
        # 10,000 draws of deviation √(0.4/0.6): five deviations of their mean, for a fixed seed
        assert abs(mask.mean() - 1) < 5 * (0.4 / 0.6 / 10_000) ** 0.5
    assert not np.array_equal(*cache.dropout_masks)
    plain = LSTM(3, 50, 3, dtype=dtype, rng=0)
    for without in (lstm.forward(x)[0], lstm(x)[0], plain.forward(x)[0]):
        np.testing.assert_array_equal(without, plain(x)[0], strict=True)
    assert not np.array_equal(out, plain(x)[0])


@given(case=lstm_cases(dropout=False), every=st.integers(1, 9))
def test_checkpointing_changes_no_bit(case, every):
    problem = case.problem()
    plain, thrifty = (problem.change(checkpoint_every=k) for k in (None, every))
    for got, expected in zip(thrifty.solve(), plain.solve(), strict=True):
        assert_same_bits(got, expected)


def test_checkpointing_keeps_less():
    """One state for every 16 steps or more, where a step's block is 7 numbers a unit."""
    lstm, x = LSTM(1, 32, rng=0), np.ones((512, 16, 1), np.float32)

    def kept(cache):
        layer = cache.layers[0]
        blocks = [a for segment in layer.blocks for saved in segment for a in saved[1:3]]
        return sum(a.nbytes for a in [*blocks, *(s for start in layer.starts for s in start)])

    whole, thrifty = (kept(lstm.forward(x, checkpoint_every=k)[2]) for k in (None, 16))
    assert whole == 7 * 512 * 16 * 32 * 4
    assert thrifty <= 2 * 512 // 16 * 16 * 32 * 4
