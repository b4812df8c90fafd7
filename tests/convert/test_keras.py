"""``to_keras`` and ``from_keras``: the same numbers in Keras's layout, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from operators import keras_lstm
from published import KERAS, keras_case

from npslstm import LSTM, LSTMModel
from npslstm.cells import VARIANTS
from npslstm.convert import from_keras, to_keras

TOLERANCE = 2e-6  # float32, here and there


def options(*names):
    """Give a test every combination of these options."""

    def decorate(test):
        for name in names:
            test = pytest.mark.parametrize(name, [False, True], ids=[f"no-{name}", name])(test)
        return test

    return decorate


@options("bias", "bidirectional")
def test_keras_equations_give_our_outputs(bias, bidirectional):
    lstm = LSTM(3, 4, 2, bias, True, bidirectional=bidirectional, dtype="float64", rng=0)
    x = np.random.default_rng(1).normal(size=(5, 7, 3))
    out, states = x, []
    for weights in to_keras(lstm):
        size = len(weights) // lstm.directions
        forward = keras_lstm(out, weights[:size])
        states.append(forward[1:])
        if bidirectional:
            backward = keras_lstm(out[:, ::-1], weights[size:])
            states.append(backward[1:])
            out = np.concatenate([forward[0], backward[0][:, ::-1]], axis=2)
        else:
            out = forward[0]
    ours, state = lstm(x)
    np.testing.assert_allclose(ours, out, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.stack(state), np.stack(states, axis=1), rtol=0, atol=1e-14)


@options("bias", "bidirectional")
def test_there_and_back(bias, bidirectional):
    lstm = LSTM(3, 4, 2, bias, bidirectional=bidirectional, rng=0)
    layers = to_keras(lstm)
    again = from_keras(layers)
    for before, after in zip(layers, to_keras(again), strict=True):
        for array, copy in zip(before, after, strict=True):
            assert array.dtype == copy.dtype == np.float32
            assert array.flags.c_contiguous
            np.testing.assert_array_equal(array, copy)
    assert repr(again) == repr(lstm)
    if bias:
        for name, param in again.params.items():
            assert param.any() == (not name.startswith("bias_hh"))  # one bias, on bias_ih


def test_all_are_copies():
    lstm = LSTM(3, 4, rng=0)
    [layer] = to_keras(lstm)
    again = from_keras([layer])
    arrays = [*lstm.params.values(), *layer, *again.params.values()]
    for k, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:k])


@pytest.mark.parametrize("name", KERAS)
def test_numbers_that_keras_publishes(name):
    x, weights, state, lengths, expected = keras_case(name)
    lstm = from_keras([weights])
    lstm.batch_first = True
    _, (h, c) = lstm(x, state, lengths=lengths)
    for key, numbers in expected.items():
        np.testing.assert_allclose({"h": h, "c": c}[key], numbers, rtol=1e-5, atol=1e-5)  # Keras's


def test_what_keras_has_not_is_refused():
    with pytest.raises(ValueError, match=r"lstm: expected proj_size 0, since Keras's LSTM does"):
        to_keras(LSTM(3, 4, proj_size=2))
    with pytest.raises(TypeError, match=r"lstm: expected an LSTM, given LSTMModel; give its model"):
        to_keras(LSTMModel(3, 4, 2))


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "standard"])
def test_variants_that_keras_has_not_are_refused(variant):
    said = f"lstm: expected variant 'standard', which is what Keras's LSTM has, given '{variant}'"
    with pytest.raises(ValueError, match=said):
        to_keras(LSTM(3, 4, variant=variant))


def zeros(*shapes, dtype=np.float32):
    return [np.zeros(shape, dtype) for shape in shapes]


FINE = zeros((3, 16), (4, 16), (16,))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "layers: expected what layer.get_weights() gives for each layer, given an empty list"),
        (FINE[0], "layers: expected a list with what layer.get_weights() gives for each layer"),
        (
            FINE,
            "layers[0]: expected what layer.get_weights() gives, a list of arrays, given ndarray",
        ),
        ([FINE[:1]], "layers[0]: expected 2 arrays, 3 with a bias, or twice as many"),
        ([[[1.0], [2.0]]], "layers[0], recurrent_kernel: expected a NumPy array, given list"),
        (
            [zeros((3, 16), (4, 16), dtype=np.float16)],
            "layers[0], recurrent_kernel: expected dtype float32 or float64, given float16",
        ),
        (
            [zeros((3, 12), (4, 12), (2, 12))],
            "layers[0], recurrent_kernel: expected shape (H, 4H), given (4, 12): these are the "
            "weights of a GRU",
        ),
        (
            [FINE, zeros((4, 4), (4, 4), (4,))],
            "layers[1], recurrent_kernel: expected shape (H, 4H), given (4, 4): these are the "
            "weights of a simple RNN",
        ),
        ([zeros((3, 16), (4, 15))], "layers[0], recurrent_kernel: expected shape (H, 4H), given"),
        ([zeros((3, 16), (0, 0))], "layers[0], recurrent_kernel: expected shape (H, 4H), given"),
        ([zeros((3, 16), (16,))], "layers[0], recurrent_kernel: expected shape (H, 4H), given"),
        ([zeros((16, 3), (4, 16))], "layers[0], kernel: expected shape (D, 16), given (16, 3)"),
        (
            [zeros((3, 16), (4, 16), (2, 16))],
            "layers[0], bias: expected shape (16,), given (2, 16)",
        ),
        (
            [[FINE[0].astype(float), *FINE[1:]]],
            "layers[0], kernel: expected dtype float32, given float64",
        ),
        (
            [[*FINE, *zeros((3, 16), (5, 20), (20,))]],
            "layers[0], backward, kernel: expected shape (D, 20), given (3, 16)",
        ),
        (
            [[*FINE, *zeros((5, 16), (4, 16), (16,))]],
            "layers[0], backward: expected a kernel of shape (3, 16), as forward has, given",
        ),
        (
            [[*FINE, *zeros((3, 20), (5, 20), (20,))]],
            "layers[0], backward: expected a kernel of shape (3, 16), as forward has, given",
        ),
        (
            [FINE, FINE],
            "layers[1]: expected to read 4 features, which is what layers[0] gives, given weights "
            "for 3",
        ),
        (
            [FINE, zeros((4, 20), (5, 20), (20,))],
            "layers[1]: expected hidden_size 4, as layers[0] has, given 5; one LSTM has one",
        ),
        ([FINE, zeros((4, 16), (4, 16))], "layers[1]: expected bias True, as layers[0] has, given"),
        (
            [FINE, zeros((4, 16), (4, 16), (16,)) * 2],
            "layers[1]: expected number of directions 1, as layers[0] has, given 2",
        ),
        (
            [FINE, zeros((4, 16), (4, 16), (16,), dtype=np.float64)],
            "layers[1]: expected dtype float32, as layers[0] has, given float64",
        ),
    ],
)
def test_wrong_layers_are_told_by_name(layers, said):
    with pytest.raises((ValueError, TypeError)) as refused:
        from_keras(layers)
    assert str(refused.value).startswith(said)


# Keras itself.


def keras_layer(keras, features, weights, **options):
    """Make a layer with these weights that returns all it has."""
    layer = keras.layers.LSTM(
        len(weights[1]),
        return_sequences=True,
        return_state=True,
        use_bias=len(weights) in (3, 6),
        **options,
    )
    if len(weights) > 3:
        layer = keras.layers.Bidirectional(layer)
    layer.build((None, None, features))
    layer.set_weights(weights)
    return layer


def call(layer, x, mask=None, state=None):
    """Run a layer on arrays; return arrays: outputs, and h, c for each direction."""
    out = layer(x, mask=mask, initial_state=state)
    return [np.asarray(tensor.detach()) for tensor in out]


@pytest.mark.frameworks
@options("bias", "bidirectional", "masked")
def test_keras_gives_the_same(keras, bias, bidirectional, masked):
    rng = np.random.default_rng(0)
    lstm = LSTM(5, 16, 2, bias, True, bidirectional=bidirectional, rng=1)
    x = rng.normal(size=(6, 11, 5)).astype(np.float32)
    state = rng.normal(size=(2, 2 * lstm.directions, 6, 16)).astype(np.float32)
    lengths = np.array([11, 3, 7, 1, 0, 5]) if masked else np.full(6, 11)
    valid = np.arange(11) < lengths[:, None]
    out, states = x, []
    for k, weights in enumerate(to_keras(lstm)):
        layer = keras_layer(keras, out.shape[-1], weights)
        first = lstm.directions * k
        begin = [state[s, first + d] for d in range(lstm.directions) for s in (0, 1)]
        out, *ends = call(layer, out, valid if masked else None, begin)
        states += ends
    ours, (h, c) = lstm(x, tuple(state), lengths=lengths)
    np.testing.assert_allclose(out[valid], ours[valid], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(np.stack(states[0::2]), h, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(np.stack(states[1::2]), c, rtol=0, atol=TOLERANCE)


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in get_weights
@options("bias", "bidirectional")
def test_a_layer_of_keras_comes_over(keras, bias, bidirectional):
    layer = keras.layers.LSTM(8, return_sequences=True, use_bias=bias)
    if bidirectional:
        layer = keras.layers.Bidirectional(layer)
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)
    out = np.asarray(layer(x).detach())
    lstm = from_keras([layer.get_weights()])
    lstm.batch_first = True
    np.testing.assert_allclose(lstm(x)[0], out, rtol=0, atol=TOLERANCE)
    if bias:  # unit_forget_bias, which is its default
        np.testing.assert_array_equal(lstm.params["bias_ih_l0"], np.repeat([0, 1, 0, 0], 8))


@pytest.mark.frameworks
def test_what_is_easily_missed_in_keras(keras):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 6, 4)).astype(np.float32)
    mask = np.arange(6) < np.array([[6], [2], [4]])
    lstm = LSTM(4, 8, batch_first=True, rng=1)
    ours, _ = lstm(x, lengths=mask.sum(1))
    [weights] = to_keras(lstm)

    lone, last, _ = call(keras_layer(keras, 4, weights), x, mask)
    repeated = np.where(mask[..., None], ours, last[:, None])
    np.testing.assert_allclose(lone, repeated, rtol=0, atol=TOLERANCE)  # the last h, again
    filled, *_ = call(keras_layer(keras, 4, weights, zero_output_for_mask=True), x, mask)
    np.testing.assert_allclose(filled, ours, rtol=0, atol=TOLERANCE)  # 0, as here
    assert not filled[~mask].any()
    both, *_ = call(keras_layer(keras, 4, weights * 2), x, mask)
    assert not both[~mask].any()

    backward, *_ = call(keras_layer(keras, 4, weights, go_backwards=True), x)
    reading, _ = lstm(np.ascontiguousarray(x[:, ::-1]))
    np.testing.assert_allclose(backward, reading, rtol=0, atol=TOLERANCE)  # the last step first


@pytest.mark.frameworks
@pytest.mark.parametrize("name", KERAS)
def test_keras_gives_what_it_publishes(keras, name):
    x, weights, state, lengths, expected = keras_case(name)
    layer = keras_layer(keras, x.shape[2], weights)
    mask = None if lengths is None else np.arange(x.shape[1]) < np.array(lengths)[:, None]
    _, *states = call(layer, x, mask, None if state is None else [part[0] for part in state])
    found = {"h": np.stack(states[0::2]), "c": np.stack(states[1::2])}
    for key, numbers in expected.items():
        np.testing.assert_allclose(found[key], numbers, rtol=1e-5, atol=1e-5)
