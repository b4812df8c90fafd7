"""One truth for parameters: whatever is changed or replaced is seen by all, and checked first."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from npslstm import GRU, LSTM, SGD, Linear, LSTMCell, LSTMModel
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.training import Progress

X = np.ones((4, 2, 2), np.float32)


@pytest.mark.parametrize(
    "twin", [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_replaced_array_is_seen_by_model_layers_optimiser_and_file(tmp_path, twin):
    model = twin(LSTMModel(2, 3, 4, rng=0))
    new = np.zeros((12, 2), np.float32)
    model.params["lstm.weight_ih_l0"] = new
    assert model.lstm.params["weight_ih_l0"] is new
    weight = np.ones((12, 3), np.float32)
    model.lstm.params["weight_hh_l0"] = weight
    assert model.params["lstm.weight_hh_l0"] is weight
    _, grads = model.loss_and_grads(X, [0, 1])
    SGD(0.5).step(model.params, grads)
    assert np.array_equal(new, -0.5 * grads["lstm.weight_ih_l0"])
    model.save(tmp_path / "model.npz")
    assert np.array_equal(LSTMModel.load(tmp_path / "model.npz").params["lstm.weight_ih_l0"], new)


@pytest.mark.parametrize("part", ["lstm", "head"])
def test_a_view_sees_a_layer_whose_parameters_are_all_replaced(part):
    model = LSTMModel(2, 3, 4, rng=0)
    view, layer = model.params, getattr(model, part)
    layer.params = {name: np.zeros_like(param) for name, param in layer.params.items()}
    assert all(view[f"{part}.{name}"] is param for name, param in layer.params.items())
    for name, param in view.items():
        view[name] = np.ones_like(param)
    assert all(model.params[name].all() for name in view)


def test_parameters_that_were_kept_come_back():
    lstm = LSTM(2, 3, rng=0)
    kept, twin = lstm.params, copy.copy(lstm)
    twin.params = {name: np.zeros_like(param) for name, param in kept.items()}
    assert lstm.params is kept
    lstm.params = {name: param + 1 for name, param in kept.items()}
    lstm.params = kept
    assert all(lstm.params[name] is param and param.any() for name, param in kept.items())


def test_directions_can_be_swapped():
    """The mapping may hold the layer's own arrays."""
    lstm = LSTM(2, 3, bidirectional=True, rng=0)
    before = {name: param.copy() for name, param in lstm.params.items()}

    def other(name):
        return name.removesuffix("_reverse") if name.endswith("_reverse") else name + "_reverse"

    lstm.load_params({name: lstm.params[other(name)] for name in lstm.params})
    assert all(np.array_equal(lstm.params[other(name)], before[name]) for name in before)


def wrong_shape(params):
    return {**params, "bias_ih_l0": np.zeros(1, np.float32)}


def wrong_dtype(params):
    return {**params, "weight_hh_l0": params["weight_hh_l0"].astype(np.float64)}


def masked(params):
    return {**params, "bias_hh_l0": np.ma.array(params["bias_hh_l0"], mask=True)}


@pytest.mark.parametrize(
    "change", [wrong_shape, wrong_dtype, masked, lambda params: {}, lambda params: GRU(2, 3).params]
)
@pytest.mark.parametrize("way", ["assign", "load_params"])
def test_parameters_that_do_not_fit_change_nothing(change, way):
    lstm = LSTM(2, 3, rng=0)
    before = {name: param.copy() for name, param in lstm.params.items()}
    wrong = change(lstm.params)
    put = lstm.load_params if way == "load_params" else lambda p: setattr(lstm, "params", p)
    with pytest.raises((ValueError, TypeError), match="params"):
        put(wrong)
    assert all(np.array_equal(lstm.params[name], before[name]) for name in before)


def test_a_model_refuses_all_of_them_or_takes_all():
    model = LSTMModel(2, 3, 4, rng=0)
    before = {name: param.copy() for name, param in model.params.items()}
    changed = {name: param + 1 for name, param in model.params.items()}
    with pytest.raises(TypeError, match="plain array, given a MaskedArray"):
        model.params = {**changed, "head.bias": np.ma.array(changed["head.bias"])}
    assert all(np.array_equal(model.params[name], before[name]) for name in before)
    model.params = changed
    assert all(model.params[name] is changed[name] for name in changed)


def test_names_are_neither_added_nor_removed():
    params = LSTM(2, 3).params
    with pytest.raises(KeyError, match=r"expected one of weight_ih_l0, .*given 'weight'"):
        params["weight"] = np.zeros(3, np.float32)
    with pytest.raises(TypeError, match="can be replaced, but not removed"):
        del params["weight_ih_l0"]


@pytest.mark.parametrize("dtype", [np.float16, int, np.complex64])
def test_dtypes_in_which_nothing_is_calculated_are_refused(dtype):
    with pytest.raises(TypeError, match="expected float32 or float64"):
        LSTM(2, 3).astype(dtype)


@pytest.mark.parametrize("size", [None, "", 0.0, True, -1])
def test_a_projection_is_a_whole_number(size):
    with pytest.raises((TypeError, ValueError), match="proj_size"):
        LSTM(2, 3, proj_size=size)
    assert repr(LSTM(2, 30, proj_size=np.int8(4))) == "LSTM(2, 30, proj_size=4)"


@pytest.mark.parametrize("write", ["step", "load_params", "restore"])
def test_a_read_only_parameter_is_told_before_any_other_has_changed(tmp_path, write):
    model, optimizer = LSTMModel(2, 3, 4, rng=0), SGD(0.5, momentum=0.9)
    others = {name: param + 1 for name, param in model.params.items()}
    model.params["head.weight"].flags.writeable = False
    before = {name: param.copy() for name, param in model.params.items()}
    save_checkpoint(tmp_path / "run.npz", model.with_params(others), SGD(0.5, 0.9), Progress())
    calls = {
        "step": lambda: optimizer.step(model.params, others),
        "load_params": lambda: model.load_params(others),
        "restore": lambda: load_checkpoint(tmp_path / "run.npz").restore(model, optimizer),
    }
    with pytest.raises(ValueError, match=r"params\['head.weight'\]: expected an array to write to"):
        calls[write]()
    assert all(np.array_equal(model.params[name], before[name]) for name in before)
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("make", "option", "kept", "given"),
    [
        (lambda **o: LSTM(2, 3, **o), "bias", False, True),
        (lambda **o: GRU(2, 3, **o), "bias", True, False),
        (lambda **o: LSTMCell(2, 3, **o), "bias", False, True),
        (lambda **o: LSTMModel(2, 3, 4, **o), "readout", "last", "all"),
        (lambda **o: LSTMModel(2, 3, 4, **o), "readout", "all", "last"),
    ],
)
@pytest.mark.parametrize("x", [X, X[0]])
def test_caches_of_unlike_layers_are_refused(make, option, kept, given, x):
    layer, other = make(**{option: kept}), make(**{option: given})
    x = x[0] if x.ndim > 2 and isinstance(layer, LSTMCell) else x
    with pytest.raises(ValueError, match=f"cache: expected .* with {option}=.*{kept}.*, given"):
        layer.backward(other.forward(x)[-1], (None, None) if type(layer) is LSTMCell else None)


def test_caches_of_others_are_refused():
    lstm, head, cell = LSTM(2, 3), Linear(2, 3), LSTMCell(2, 3)
    model = LSTMModel(2, 3, 4)
    _, _, cache = lstm.forward(X)
    for layer, gradient in ((head, X), (cell, (None, None)), (model, None)):
        for wrong in (cache, None):
            with pytest.raises(TypeError, match="cache: expected what forward returned last"):
                layer.backward(wrong, gradient)
    _, double = Linear(2, 3, dtype=np.float64).forward(X.astype(np.float64))
    with pytest.raises(TypeError, match="x of the cache: expected dtype float32"):
        head.backward(double, np.ones((4, 2, 3), np.float32))
