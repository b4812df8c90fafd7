"""``to_onnx`` and ``from_onnx``: the same numbers in the layout of ONNX's operator, and back."""

from __future__ import annotations

import numpy as np
import pytest
from operators import onnx_lstm
from published import ONNX, onnx_case

from npslstm import LSTM, LSTMModel
from npslstm.cells import VARIANTS
from npslstm.convert import from_onnx, to_onnx

CONVERTED = "standard", "peephole", "cifg"
variants = pytest.mark.parametrize("variant", CONVERTED)
biases = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
directions = pytest.mark.parametrize("both", [True, False], ids=["both", "forward"])


@variants
@biases
@directions
def test_the_operators_equations_give_our_outputs(variant, bias, both):
    lstm = LSTM(3, 4, 2, bias, bidirectional=both, variant=variant, rng=0).astype(float)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(7, 5, 3))
    h_0, c_0 = rng.normal(size=(2, 2 * lstm.directions, 5, 4))
    out, hs, cs = x, [], []
    for k, layer in enumerate(to_onnx(lstm)):
        here = slice(k * lstm.directions, (k + 1) * lstm.directions)
        out, h, c = onnx_lstm(out, layer, h_0[here], c_0[here])
        out = out.swapaxes(1, 2).reshape(7, 5, -1)
        hs.append(h)
        cs.append(c)
    ours, (h_n, c_n) = lstm(x, (h_0, c_0))
    np.testing.assert_allclose(ours, out, rtol=0, atol=1e-14)
    np.testing.assert_allclose(h_n, np.concatenate(hs), rtol=0, atol=1e-14)
    np.testing.assert_allclose(c_n, np.concatenate(cs), rtol=0, atol=1e-14)


@variants
@biases
@directions
def test_there_and_back_not_a_bit_changes(variant, bias, both):
    lstm = LSTM(3, 4, 2, bias, bidirectional=both, variant=variant, rng=0)
    layers = to_onnx(lstm)
    again = from_onnx(layers)
    assert repr(again) == repr(lstm)
    for name, param in lstm.params.items():
        np.testing.assert_array_equal(again.params[name], param)
    arrays = [*lstm.params.values(), *again.params.values()]
    arrays += [array for layer in layers for key, array in layer.items() if key != "input_forget"]
    for k, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:k])


def test_the_block_of_a_coupled_forget_gate_is_not_read():
    [layer] = to_onnx(LSTM(3, 4, variant="cifg", rng=0))
    assert layer["input_forget"] == 1
    blocks = {key: np.split(layer[key], size, axis=1) for key, size in (("W", 4), ("B", 8))}
    assert [bool(block.any()) for block in blocks["W"]] == [True, True, False, True]
    assert [bool(block.any()) for block in blocks["B"]] == [True, True, False, True] * 2
    other = {**layer, "W": layer["W"].copy()}
    other["W"][:, 8:12] = 7.0
    for name, param in from_onnx([layer]).params.items():
        np.testing.assert_array_equal(from_onnx([other]).params[name], param)


@pytest.mark.parametrize("name", ONNX)
def test_numbers_that_onnx_publishes(name):
    x, layer, expected = onnx_case(name)
    _, (h, c) = from_onnx([layer])(x)
    for key, numbers in expected.items():
        np.testing.assert_allclose({"Y_h": h, "Y_c": c}[key], numbers, rtol=0, atol=3e-7)


def test_what_onnx_has_not_is_refused():
    with pytest.raises(ValueError, match=r"lstm: expected proj_size 0, since ONNX's LSTM does not"):
        to_onnx(LSTM(3, 4, proj_size=2))
    with pytest.raises(TypeError, match=r"lstm: expected an LSTM, given LSTMModel; give its model"):
        to_onnx(LSTMModel(3, 4, 2))


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in CONVERTED])
def test_variants_that_onnx_has_not_are_refused(variant):
    with pytest.raises(ValueError, match=f"is what ONNX's LSTM has, given '{variant}'"):
        to_onnx(LSTM(3, 4, variant=variant))


def layer(features=3, hidden=4, ways=1, blocks=4, dtype=np.float32, **more):
    rows = blocks * hidden
    fine = {"W": (ways, rows, features), "R": (ways, rows, hidden), "B": (ways, 2 * rows)}
    return {key: np.zeros(shape, dtype) for key, shape in fine.items()} | more


NO_BIAS = {key: array for key, array in layer(4).items() if key != "B"}
P = np.zeros((1, 12), np.float32)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "layers: expected a dictionary of ONNX's W, R, B for each layer, given an empty list"),
        (layer(), "layers: expected a list with a dictionary of ONNX's W, R, B for each layer"),
        ([[1, 2, 3]], "layers[0]: expected a dictionary, given list"),
        (
            [{"W": P}],
            "layers[0]: expected W and R, and B, P, input_forget where there are such; mi",
        ),
        (
            [layer(clip=0.5, activations=[])],
            "layers[0]: expected W and R, and B, P, input_forget where there are such; missing [], "
            "unknown ['activations', 'clip']",
        ),
        ([layer(input_forget=2)], "layers[0], input_forget: expected 0 or 1, given 2"),
        ([layer(input_forget=P)], "layers[0], input_forget: expected 0 or 1, given array"),
        ([layer(input_forget=1, P=P)], "layers[0]: expected P or input_forget = 1, given both"),
        ([layer(R=[[[1.0]]])], "layers[0], R: expected a NumPy array, given list"),
        ([layer(R=P)], "layers[0], R: expected shape (directions, 4H, H), given (1, 12)"),
        (
            [layer(blocks=3)],
            "layers[0], R: expected shape (directions, 4H, H), given (1, 12, 4): these are the "
            "weights of a GRU",
        ),
        ([layer(blocks=2)], "layers[0], R: expected shape (directions, 4H, H), given (1, 8, 4)"),
        ([layer(ways=3)], "layers[0], R: expected 1 or 2 directions, given (3, 16, 4)"),
        (
            [layer(dtype=np.float16)],
            "layers[0], R: expected dtype float32 or float64, given float16",
        ),
        ([layer(W=P)], "layers[0], W: expected shape (1, 16, D), given (1, 12)"),
        ([layer(B=P)], "layers[0], B: expected shape (1, 32), given (1, 12)"),
        ([layer(B=None)], "layers[0], B: expected a NumPy array, given NoneType"),
        ([layer(P=P[:, :8])], "layers[0], P: expected shape (1, 12), given (1, 8)"),
        ([layer(P=P.astype(float))], "layers[0], P: expected dtype float32, given float64"),
        ([layer(), layer()], "layers[1]: expected to read 4 features, which is what layers[0] gi"),
        ([layer(ways=2), layer(4, ways=2)], "layers[1]: expected to read 8 features, which is"),
        ([layer(), layer(4, 5)], "layers[1]: expected hidden_size 4, as layers[0] has, given 5"),
        ([layer(), NO_BIAS], "layers[1]: expected bias True, as layers[0] has, given False"),
        ([layer(), layer(4, ways=2)], "layers[1]: expected number of directions 1, as layers[0]"),
        ([layer(), layer(4, dtype=float)], "layers[1]: expected dtype float32, as layers[0] has"),
        (
            [layer(), layer(4, P=P)],
            "layers[1]: expected variant 'standard', as layers[0] is, given 'peephole'",
        ),
    ],
)
def test_wrong_layers_are_told_by_name(layers, said):
    with pytest.raises((ValueError, TypeError)) as refused:
        from_onnx(layers)
    assert str(refused.value).startswith(said)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ONNX)
def test_onnx_gives_what_it_publishes(onnx, name):
    """And our copy of its equations, :func:`operators.onnx_lstm`, gives it, too."""
    x, layer, expected = onnx_case(name)
    both = "bidirectional" if len(layer["W"]) == 2 else "forward"
    names = ["W", "R", "B" if "B" in layer else "", "", "", "", "P" if "P" in layer else ""]
    inputs = {"X": x, **layer}
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node(
        "LSTM", ["X", *names], ["", "Y_h", "Y_c"], hidden_size=layer["R"].shape[2], direction=both
    )
    values = [helper.make_tensor_value_info(key, floats, a.shape) for key, a in inputs.items()]
    ends = [helper.make_tensor_value_info(key, floats, None) for key in ("Y_h", "Y_c")]
    model = helper.make_model(helper.make_graph([node], "one", values, ends))
    results = onnx.reference.ReferenceEvaluator(model).run(["Y_h", "Y_c"], inputs)
    found = dict(zip(("Y_h", "Y_c"), results, strict=True))
    ours = dict(zip(("Y_h", "Y_c"), onnx_lstm(x, layer)[1:], strict=True))
    for key, numbers in expected.items():
        np.testing.assert_allclose(found[key], numbers, rtol=0, atol=3e-7)
        np.testing.assert_allclose(ours[key], numbers, rtol=0, atol=3e-7)
