"""LSTMModel as its users meet it: parameters, readouts, losses, files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from compare import assert_same_bits, assert_small, norm
from directions import STEP, random_like
from hypothesis import given
from hypothesis import strategies as st
from problems import STATE, pair
from strategies import model_cases

from npslstm import LSTMModel, cross_entropy, mean_squared_error
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.datasets import DataError
from npslstm.files.npz import CheckpointError, write_npz
from npslstm.optim import Adam
from npslstm.training import NonFiniteError, Progress


def test_parameters_are_the_very_arrays_of_the_parts():
    model = LSTMModel(3, 4, 5, 2, bidirectional=True)
    assert model.params["head.weight"].shape == (5, 8)
    assert model.params["head.bias"].shape == (5,)
    for name, param in model.params.items():
        part, own = name.split(".")
        assert getattr(model, part).params[own] is param
    assert len(model.params) == len(model.lstm.params) + len(model.head.params)
    assert "head.bias" not in LSTMModel(3, 4, 5, bias=False).params
    for twin in (model.astype(np.float32), model.astype(np.complex128)):
        for name, param in twin.params.items():
            part, own = name.split(".")
            assert getattr(twin, part).params[own] is param
            assert not np.shares_memory(param, model.params[name])


def test_loaded_parameters_reach_the_parts():
    model, other = LSTMModel(3, 4, 5, rng=0), LSTMModel(3, 4, 5, rng=1)
    x = np.random.default_rng(2).standard_normal((6, 2, 3)).astype(np.float32)
    expected = other(x)[0]
    model.load_params(other.params)
    np.testing.assert_array_equal(model(x)[0], expected, strict=True)


def targets_for(case, loss, shape, seed):
    rng = np.random.default_rng(seed)
    if loss is cross_entropy:
        return rng.integers(0, case.K, shape[:-1])
    return rng.standard_normal(shape)


@pytest.mark.parametrize("loss", [cross_entropy, mean_squared_error])
@given(case=model_cases(dropout=False))
def test_loss_and_grads_is_the_derivative_of_its_own_loss(loss, case):
    """The whole chain, loss included, by the complex step along a direction of each array."""
    problem = case.problem()
    y = targets_for(case, loss, problem.upstream["out"].shape, case.seed)
    state = pair(problem.inputs, STATE)
    options = {n: problem.options[n] for n in ("lengths",) if n in problem.options}

    def solve(params):
        net = problem.net.with_params(params)
        return net.loss_and_grads(problem.inputs["x"], y, state, loss=loss, **options)

    _, grads = solve(problem.params)
    assert list(grads) == list(problem.params)
    for name, v in random_like(problem.params, seed=1).items():
        moved = problem.params | {name: problem.params[name] + 1j * STEP * v}
        error = abs(np.vdot(grads[name], v) - solve(moved)[0].imag / STEP)
        assert_small("loss_and_grads", name, error, norm(grads[name]), 1e-12, 1.0)


@pytest.mark.parametrize("loss", [cross_entropy, mean_squared_error])
@given(case=model_cases(dropout=False, readout="all", lengths=True, N=st.integers(1, 4)))
def test_a_loss_over_all_steps_averages_over_valid_ones(loss, case):
    """Whatever the labels of the padding are; over no step it is 0, and so are its gradients."""
    problem = case.problem()
    model, x, lengths = problem.net, problem.inputs["x"], problem.lengths
    y = targets_for(case, loss, problem.upstream["out"].shape, case.seed)
    logits = model(x, lengths=lengths)[0]
    valid = np.arange(case.T)[:, None] < lengths  # (T, N)
    valid = valid.T if case.batch_first else valid
    expected = loss(logits[valid], y[valid])[0]  # 0 where nothing is valid
    other = np.where(valid.reshape(*valid.shape, *[1] * (y.ndim - 2)), y, 0)
    for labels in (y, other):
        value, grads = model.loss_and_grads(x, labels, loss=loss, lengths=lengths)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
    if not valid.any():
        assert value == 0
        assert not any(grad.any() for grad in grads.values())


@pytest.mark.parametrize(("readout", "shape"), [("last", (2,)), ("all", (6, 2))])
def test_predict_is_the_largest_logit(readout, shape):
    model = LSTMModel(3, 4, 5, readout=readout, rng=0)
    x = np.random.default_rng(2).standard_normal((6, 2, 3)).astype(np.float32)
    predicted = model.predict(x, lengths=[6, 3])
    assert predicted.shape == shape
    np.testing.assert_array_equal(predicted, model(x, lengths=[6, 3])[0].argmax(-1))
    assert model.predict(x[:, 0]).shape == shape[:-1]


@given(case=model_cases(dtype=st.sampled_from(["float32", "float64"])))
def test_a_saved_model_comes_back_to_the_bit(case):
    model = case.problem().net
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.npz")
        loaded = LSTMModel.load(Path(folder) / "model.npz")
    assert loaded.config == model.config
    assert_same_bits(loaded.params, model.params)


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path):
    model, path = LSTMModel(3, 4, 5, rng=0), tmp_path / "model.npz"
    params = model.params | {"head.bias": model.params["head.bias"][:-1]}
    write_npz(path, {"config": np.array(json.dumps(model.config)), **params})
    with pytest.raises(CheckpointError) as refused:
        LSTMModel.load(path)
    assert str(path) in str(refused.value)
    assert "params['head.bias']: expected shape (5,), given (4,)" in str(refused.value)
    write_npz(path, {"config": np.array("{}"), **params})
    with pytest.raises(CheckpointError, match="not a model of npslstm: its config has no input"):
        LSTMModel.load(path)
    write_npz(path, model.params)
    with pytest.raises(CheckpointError, match="not a model of npslstm: 'config'"):
        LSTMModel.load(path)


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    model, path = LSTMModel(3, 4, 5, rng=0), tmp_path / "model.npz"
    with pytest.raises(TypeError, match="dtype: expected float32 or float64, given complex128"):
        model.astype(np.complex128).save(path)
    assert not path.exists()


def test_a_model_and_a_checkpoint_say_how_each_is_loaded(tmp_path):
    model, path = LSTMModel(3, 4, 5, rng=0), tmp_path / "file.npz"
    save_checkpoint(path, model, Adam(), Progress(), {"hidden": 4})
    with pytest.raises(CheckpointError, match="it is a checkpoint: use load_checkpoint"):
        LSTMModel.load(path)
    model.save(path)
    with pytest.raises(CheckpointError, match=r"of a saved model, use LSTMModel\.load"):
        load_checkpoint(path)


def test_a_model_with_other_parameters_is_another_model():
    model = LSTMModel(3, 4, 5, rng=0)
    twin = model.with_params({name: np.zeros_like(p) for name, p in model.params.items()})
    assert all(not param.any() for param in twin.params.values())
    assert model.params["head.weight"].any()
    assert model.params["lstm.weight_ih_l0"].any()


@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("model.npz", "cut short"),
        CheckpointError(0, "not a regular file"),
        DataError("images", "cut short"),
        NonFiniteError(3, "head.bias", "the loss is nan"),
    ],
)
def test_an_error_can_be_handed_to_another_process(error):
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
