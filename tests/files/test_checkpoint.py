"""Checkpoints: a restored run is the undisturbed run, and one of another run is refused."""

from itertools import islice

import numpy as np
import pytest

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files import read_npz, write_npz
from npslstm.optim import SGD, Adam, AdamW
from npslstm.training import Progress, evaluate, training_steps


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def make_model(seed=0, **options):
    return LSTMModel(3, 4, 2, 2, batch_first=True, dropout=0.4, rng=seed, **options)


def trained(steps, model, optimizer, start=Progress(seed=5)):  # noqa: B008, immutable
    """Train on 13 examples, 4 steps an epoch, and return the records."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(13, 5, 3)).astype(np.float32), rng.integers(2, size=13)
    records = training_steps(model, x, y, optimizer=optimizer, epochs=3, batch_size=4, start=start)
    return [record._replace(examples_per_second=None) for record in islice(records, steps)]


# What comes back


@pytest.mark.parametrize("make", [Adam, lambda: SGD(0.1, momentum=0.9), lambda: SGD(0.1)])
@pytest.mark.parametrize("stop", [1, 3, 4, 5, 12])
def test_a_restored_run_is_the_undisturbed_run(path, make, stop):
    model, optimizer = make_model(), make()
    records = trained(12, model, optimizer)

    first, first_optimizer = make_model(), make()
    before = trained(stop, first, first_optimizer)
    save_checkpoint(path, first, first_optimizer, before[-1].progress, {"hidden": 4})

    second, second_optimizer = make_model(seed=99), make()
    checkpoint = load_checkpoint(path)
    checkpoint.restore(second, second_optimizer)
    assert checkpoint.config == {"hidden": 4}
    assert checkpoint.progress == before[-1].progress
    assert before + trained(12, second, second_optimizer, checkpoint.progress) == records
    for name, param in second.params.items():
        assert param.tobytes() == model.params[name].tobytes()
    assert bytes_of(second_optimizer.state()) == bytes_of(optimizer.state())


def test_restoring_writes_into_the_models_own_arrays(path):
    model = make_model()
    save_checkpoint(path, model, SGD(0.1), Progress())
    other = make_model(seed=1)
    arrays = dict(other.params)
    load_checkpoint(path).restore(other, SGD(0.1))
    assert all(other.params[name] is array for name, array in arrays.items())
    x = np.ones((1, 5, 3), np.float32)
    assert np.array_equal(other(x)[0], model(x)[0])  # the layers' params are the same arrays


def test_a_checkpoint_made_before_the_first_step(path):
    model, optimizer = make_model(), Adam()
    save_checkpoint(path, model, optimizer, Progress(seed=5))
    checkpoint = load_checkpoint(path)
    again, again_optimizer = make_model(seed=1), Adam()
    checkpoint.restore(again, again_optimizer)
    assert trained(12, model, optimizer) == trained(12, again, again_optimizer, checkpoint.progress)


def test_a_regression_run_without_accuracy(path):
    progress = Progress(seed=3, step=2, loss_sum=0.1, hits=np.nan)
    save_checkpoint(path, make_model(), SGD(0.1), progress)
    assert str(load_checkpoint(path).progress) == str(progress)


def bytes_of(arrays):
    return {name: array.tobytes() for name, array in arrays.items()}


# What is refused


@pytest.fixture
def saved(path):
    """The arrays of a good checkpoint at ``path``."""
    model, optimizer = make_model(), Adam()
    records = trained(5, model, optimizer)
    save_checkpoint(path, model, optimizer, records[-1].progress, {"hidden": 4})
    return read_npz(path)


def without(name):
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def replaced(name, value):
    return lambda arrays: arrays | {name: np.asarray(value)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: {}, ["missing", "config", "format_version"]),
        (without("config"), ["missing ['config']"]),
        (replaced("format_version", 2), ["format version 1", "given 2"]),
        (replaced("format_version", [1, 1]), ["size 1"]),
        (replaced("config", 1), ["JSON"]),
        (replaced("config", "{"), ["not a checkpoint"]),
        (replaced("config", "[1]"), ["JSON object", "list"]),
        (replaced("config", "[" * 10**5), ["not a checkpoint"]),
        (replaced("momentum.w", 1.0), ["unknown momentum.w"]),
        (without("progress.step"), ["progress", "missing ['step']"]),
        (replaced("progress.extra", 1), ["progress", "unknown ['extra']"]),
        (replaced("progress.step", 1.0), ["progress", "step", "int64", "float64"]),
        (replaced("progress.step", [1]), ["progress", "step", "(1,)"]),
        (replaced("progress.step", -1), ["negative", "-1"]),
        (replaced("progress.seed", -1), ["negative", "-1"]),
        (replaced("progress.step", 2**62), ["steps", str(2**62)]),
        (replaced("progress.loss_sum", np.nan), ["sums that training can reach", "nan"]),
        (replaced("progress.state.0", [np.inf]), ["state of finite numbers"]),
        (replaced("progress.state.1", [0.0]), ["progress", "unknown ['state.1']"]),
        (replaced("progress.hits", -1.0), ["sums that training can reach", "-1.0"]),
    ],
)
def test_sound_files_that_are_no_checkpoints(path, saved, change, words):
    write_npz(path, change(saved))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: not a checkpoint: ")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("params.head.bias"), ["parameters", "missing ['head.bias']"]),
        (replaced("params.more", [1.0]), ["parameters", "unknown ['more']"]),
        (replaced("params.head.bias", np.zeros(3, "f4")), ["head.bias", "(2,)", "(3,)"]),
        (replaced("params.head.bias", np.zeros(2)), ["head.bias", "float32", "float64"]),
        (replaced("params.head.bias", np.zeros(2, ">f4")), ["head.bias", ">f4"]),
        (without("optimizer.steps"), ["optimiser", "missing ['steps']"]),
        (without("optimizer.v.head.bias"), ["optimiser", "missing ['v.head.bias']"]),
        (replaced("optimizer.v.head.bias", np.zeros(3, "f4")), ["v.head.bias", "(2,)", "(3,)"]),
        (replaced("optimizer.velocity.head.bias", np.zeros(2, "f4")), ["unknown", "velocity"]),
        (replaced("optimizer.steps", -1), ["steps", "-1"]),
        (replaced("optimizer.steps", 2**62), ["steps", str(2**62)]),
        (replaced("optimizer.lr", np.nan), ["lr", "nan"]),
        (replaced("optimizer.lr", np.inf), ["lr", "inf"]),
        (replaced("optimizer.m.head.bias", np.float32([0, np.nan])), ["m.head.bias", "NaN"]),
        (replaced("optimizer.v.head.bias", np.float32([0, np.nan])), ["v.head.bias", "NaN"]),
        (replaced("optimizer.v.head.bias", np.float32([1, -1])), ["v.head.bias", "-1.0"]),
        (replaced("optimizer.settings", "[" * 10**5), ["of another run"]),
        (replaced("optimizer.settings", "[]"), ["settings by name", "[]"]),
    ],
)
def test_checkpoints_of_another_run_change_nothing(path, saved, change, words):
    write_npz(path, change(saved))
    model, optimizer = make_model(seed=1), Adam()
    trained(1, model, optimizer)
    before = bytes_of(model.params), bytes_of(optimizer.state())
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path).restore(model, optimizer)
    assert str(caught.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(caught.value)
    assert (bytes_of(model.params), bytes_of(optimizer.state())) == before


@pytest.mark.parametrize(
    ("saved", "now", "words"),
    [
        (Adam(), SGD(0.1, momentum=0.9), "missing .*velocity"),
        (Adam(), AdamW(), 'kind was "Adam", now it is "AdamW"'),
        (AdamW(), AdamW(weight_decay=0.5), "weight_decay was 0.01, now it is 0.5"),
        (Adam(), Adam(betas=(0.9, 0.99)), r"betas was \[0.9, 0.999\], now it is \[0.9, 0.99\]"),
        (Adam(), Adam(eps=1e-6), "eps was 1e-08, now it is 1e-06"),
        (SGD(0.1, 0.9), SGD(0.1, 0.5), "momentum was 0.9, now it is 0.5"),
        (SGD(0.1), SGD(0.1, weight_decay=0.1), "weight_decay was 0.0, now it is 0.1"),
    ],
)
def test_a_run_with_another_optimizer(path, saved, now, words):
    model = make_model()
    trained(2, model, saved)
    save_checkpoint(path, model, saved, Progress(step=2))
    with pytest.raises(CheckpointError, match=f"of another run: optimiser state: {words}"):
        load_checkpoint(path).restore(model, now)
    assert now.steps == 0


def test_a_learning_rate_of_the_schedule_is_no_other_setting(path):
    model, optimizer = make_model(), Adam(betas=np.float32([0.5, 0.75]))
    trained(2, model, optimizer)
    optimizer.lr = 0.123
    save_checkpoint(path, model, optimizer, Progress(step=2))
    again = Adam(betas=(0.5, 0.75))
    load_checkpoint(path).restore(make_model(seed=1), again)
    assert again.lr == 0.123


def test_a_restored_model_evaluates_as_the_saved_one(path):
    model, optimizer = make_model(), Adam()
    progress = trained(6, model, optimizer)[-1].progress
    save_checkpoint(path, model, optimizer, progress)
    other = make_model(seed=1)
    load_checkpoint(path).restore(other, Adam())
    x, y = np.ones((3, 5, 3), np.float32), np.zeros(3, int)
    assert np.array_equal(evaluate(other, x, y).logits, evaluate(model, x, y).logits)
