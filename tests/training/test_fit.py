"""``fit``, as somebody with data of their own meets it."""

from __future__ import annotations

import numpy as np
import pytest

from npslstm import (
    LSTMModel,
    cross_entropy,
    evaluate,
    fit,
    mean_squared_error,
    pad_sequences,
    training_steps,
)
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.datasets import load_embedded
from npslstm.optim import Adam
from npslstm.training import Progress

N, T, D, K = 11, 6, 3, 4
SETTINGS = {"epochs": 3, "batch_size": 4}


def problem(readout, targets, seed=0):
    """Return x, y and lengths; behind the lengths stands what must not be read."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, T, N)  # none is T: every batch can be cut
    x = rng.normal(size=(N, T, D))
    leading = (N, T) if readout == "all" else (N,)
    y = rng.integers(K, size=leading) if targets == "labels" else rng.normal(size=(*leading, K))
    padding = np.arange(T) >= lengths[:, None]
    x[padding] = np.nan
    if readout == "all":
        y[padding] = -100 if targets == "labels" else np.nan
    return x, y, lengths


def make(readout="last", **options):
    options = {"dtype": np.float64, "rng": 0} | options
    return LSTMModel(D, 5, K, readout=readout, **options)


# --- layouts and lengths ---


@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("targets", ["labels", "numbers"])
def test_the_models_layout_makes_no_difference(readout, targets):
    x, y, lengths = problem(readout, targets)
    loss = cross_entropy if targets == "labels" else mean_squared_error
    found = []
    for batch_first in (True, False):
        model = make(readout, batch_first=batch_first, num_layers=2)
        validation = tuple(array[:5] for array in (x, y, lengths))
        history = fit(
            *(model, x, y),
            **(SETTINGS | {"optimizer": Adam(0.05), "loss": loss}),
            lengths=lengths,
            validation=validation,
        )
        result = evaluate(model, x, y, lengths=lengths, loss=loss, batch_size=4)
        values = [(r.loss, r.epoch_loss, r.validation.loss, r.grad_norm) for r in history]
        found.append([*np.ravel(values), result.loss, *np.ravel(result.logits[lengths > 1])])
    np.testing.assert_allclose(*np.nan_to_num(found), rtol=1e-9)


def test_a_layout_set_later_is_that_of_the_layers():
    x, y, _ = problem("all", "labels")
    x, y, made, later = np.nan_to_num(x), np.abs(y) % K, make("all", batch_first=True), make("all")
    later.batch_first = True
    assert later.lstm.batch_first
    assert later.config == made.config
    losses = [fit(m, x, y, optimizer=Adam(), **SETTINGS)[-1].loss for m in (made, later)]
    assert losses[0] == losses[1]
    assert evaluate(later, x, y, batch_size=1).loss == pytest.approx(evaluate(made, x, y).loss)


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_step_with_lengths_is_that_of_its_sequences_one_by_one(batch_first):
    """Loss, accuracy and gradient of a batch, from sequences that have no padding."""
    x, y, lengths = problem("all", "labels")
    model, twin = make("all", batch_first=batch_first), make("all")
    optimizer = Adam(0.1)
    [record] = training_steps(
        model, x, y, lengths=lengths, optimizer=optimizer, epochs=1, batch_size=N
    )
    loss, hits, grads = 0.0, 0, {name: 0.0 for name in twin.params}
    for row, labels, length in zip(x, y, lengths, strict=True):
        value, parts = twin.loss_and_grads(row[:length], labels[:length])
        share = length / lengths.sum()
        loss += value * share
        hits += (twin.predict(row[:length]) == labels[:length]).sum()
        grads = {name: grads[name] + share * part for name, part in parts.items()}
    assert record.loss == record.epoch_loss == pytest.approx(loss, rel=1e-12)
    assert record.accuracy == record.epoch_accuracy == hits / lengths.sum()
    Adam(0.1).step(twin.params, grads)
    for name, param in model.params.items():
        np.testing.assert_allclose(param, twin.params[name], rtol=1e-7)


class Spy:
    """A model of somebody else, which notes what it is given."""

    def __init__(self, **attributes):
        self.params, self.seen = {"weight": np.zeros(1)}, []
        vars(self).update(attributes)

    def loss_and_grads(self, x, y, *, loss, rng, **options):
        self.seen.append((x, y, options))
        rows = len(x) if getattr(self, "batch_first", True) else x.shape[1]
        value, _ = loss(np.zeros((rows, K)), y)
        return value, {"weight": np.ones(1)}


def test_a_batch_is_cut_to_its_longest_sequence():
    lengths = np.arange(1, N + 1)
    x = np.repeat(lengths[:, None, None], N, axis=1).astype(float)
    spy = Spy()
    fit(spy, x, lengths % K, lengths=lengths, optimizer=Adam(), **SETTINGS)
    assert len(spy.seen) == 9
    for batch, y, options in spy.seen:
        assert batch.shape[1] == options["lengths"].max() == batch.max()
        assert np.array_equal(batch[:, 0, 0], options["lengths"])
        assert np.array_equal(y, options["lengths"] % K)


@pytest.mark.parametrize(("said", "turned"), [({}, False), ({"batch_first": False}, True)])
def test_a_model_of_somebody_elses_gets_the_layout_that_it_says(said, turned):
    spy = Spy(**said)
    x = np.broadcast_to(np.arange(N)[:, None, None], (N, T, D)).astype(float)
    shapes = []

    def transform(batch):
        shapes.append(batch.shape)
        return batch

    fit(spy, x, np.arange(N) % K, transform=transform, optimizer=Adam(), epochs=1, batch_size=4)
    assert shapes == [(4, T, D), (4, T, D), (3, T, D)]  # examples first, whatever the model's
    for batch, y, options in spy.seen:
        rows = batch.swapaxes(0, 1) if turned else batch
        assert rows.shape == (len(y), T, D)
        assert np.array_equal(rows[:, 0, 0] % K, y)
        assert options == {}


def test_windows_carry_the_state_and_begin_each_batch_of_rows_anew():
    x, y, _ = problem("all", "labels")
    x, y = np.nan_to_num(x), np.abs(y) % K
    model, twin = make("all", rng=3), make("all", rng=3, batch_first=True)
    records = list(
        training_steps(model, x, y, optimizer=Adam(0.0), epochs=1, batch_size=4, window=4)
    )
    assert [r.steps_per_epoch for r in records] == [6] * 6
    logits, _ = twin(x)
    expected, _ = cross_entropy(logits, y)
    assert records[-1].epoch_loss == pytest.approx(expected, rel=1e-12)
    assert records[-1].epoch_accuracy == (logits.argmax(axis=-1) == y).mean()


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_windows_go_on_in_the_middle_of_a_batch_with_the_state_that_a_checkpoint_keeps(
    tmp_path, stop
):
    x, y, _ = problem("all", "labels")
    x, y = np.nan_to_num(x), np.abs(y) % K
    options = {"batch_size": 4, "window": 4, "epochs": 2}
    whole = [r.loss for r in training_steps(make("all"), x, y, optimizer=Adam(), **options)]
    twin, optimizer = make("all"), Adam()
    steps = training_steps(twin, x, y, optimizer=optimizer, **options)
    first = [next(steps) for _ in range(stop)]
    save_checkpoint(tmp_path / "run.npz", twin, optimizer, first[-1].progress)
    saved, other = load_checkpoint(tmp_path / "run.npz"), Adam()
    again = make("all")
    saved.restore(again, other)
    rest = training_steps(again, x, y, optimizer=other, **options, start=saved.progress)
    assert [r.loss for r in first] + [r.loss for r in rest] == whole
    assert len(saved.progress.state) == (2 if stop % 2 else 0)  # two windows a batch
    with pytest.raises(ValueError, match=r"start: with window=4 .* of 2; given step 3 without"):
        next(training_steps(twin, x, y, optimizer=Adam(), **options, start=Progress(step=3)))


# --- what fit does beside ---


def test_the_history_has_a_record_an_epoch_with_its_means():
    x, y, lengths = problem("last", "labels")
    options = {"lengths": lengths, **SETTINGS}
    steps = [r for r in training_steps(make(), x, y, optimizer=Adam(), **options) if r.ends_epoch]
    history = fit(make(), x, y, optimizer=Adam(), **options)
    assert [r._replace(examples_per_second=0) for r in history] == [
        r._replace(examples_per_second=0) for r in steps
    ]
    assert [r.epoch for r in history] == [1, 2, 3]
    assert history[0].validation is None


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_best_epochs_weights_come_back_however_training_ends(interrupted):
    x, y, lengths = problem("last", "labels")
    validation = tuple(array[:4] for array in (x, y, lengths))
    options = {"optimizer": Adam(), "epochs": 20, "batch_size": 4, "lengths": lengths}
    options["schedule"] = lambda step: 0.05 if step < 15 else 2.0  # from epoch 6 on it gets worse
    model, seen = make(), []

    def watch(record):
        seen.append((record.validation, model.params["head.weight"].copy()))
        if len(seen) == 9 and interrupted:
            raise KeyboardInterrupt
        return len(seen) == 12

    try:
        history = fit(
            *(model, x, y), validation=validation, keep_best=True, callback=watch, **options
        )
        assert len(history) == 12
        assert not interrupted
    except KeyboardInterrupt:
        assert len(seen) == 9
    best, weights = min(seen, key=lambda pair: pair[0].loss)
    assert best.logits is None
    assert best not in (seen[0][0], seen[-1][0])
    assert np.array_equal(model.params["head.weight"], weights)
    again = evaluate(model, *validation[:2], lengths=validation[2])
    assert (again.loss, again.accuracy) == (best.loss, best.accuracy)


def test_a_line_an_epoch_and_without_verbose_none(capsys):
    x, y, lengths = problem("last", "labels")
    options = {"lengths": lengths, "validation": (x, y, lengths)} | SETTINGS
    fit(make(), x, y, optimizer=Adam(), **options)
    assert capsys.readouterr() == ("", "")
    history = fit(make(), x, y, optimizer=Adam(), verbose=True, **options)
    lines = capsys.readouterr().out.splitlines()
    for number, (line, record) in enumerate(zip(lines, history, strict=True), 1):
        assert line.startswith(f"epoch  {number}/3: loss {record.epoch_loss:.4f}, accuracy ")
        assert f"validation loss {record.validation.loss:.4f}, accuracy" in line


def test_pad_sequences():
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 2)).astype(np.float32) for length in (3, 1, 0, 5)]
    x, lengths = pad_sequences(sequences)
    assert (x.shape, x.dtype, lengths.tolist()) == ((4, 5, 2), np.float32, [3, 1, 0, 5])
    for row, sequence in zip(x, sequences, strict=True):
        assert np.array_equal(row[: len(sequence)], sequence)
        assert not row[len(sequence) :].any()
    labels, _ = pad_sequences([[1, 2], [3]])
    assert labels.tolist() == [[1, 2], [3, 0]]
    assert labels.dtype.kind == "i"


# --- a new user's first three attempts ---


def test_pad_sequences_ignores_no_mask():
    with pytest.raises(TypeError, match=r"sequences\[1\]: expected a plain array"):
        pad_sequences([np.ones(3), np.ma.array([1.0, 2.0], mask=[True, False])])


def test_sine_regression_on_a_model_that_reads_time_first():
    """Predict what comes after 30 values of a sine wave of any phase and frequency."""
    rng = np.random.default_rng(0)
    phase, speed = rng.uniform(0, 6.28, (512, 1)), rng.uniform(0.1, 0.5, (512, 1))
    waves = np.sin(phase + speed * np.arange(31)).astype(np.float32)
    x, y = waves[:, :30, None], waves[:, 30:]
    model = LSTMModel(1, 16, 1, rng=0)
    options = {"loss": mean_squared_error, "epochs": 20, "batch_size": 32}
    history = fit(model, x, y, optimizer=Adam(0.01), **options)
    assert x.shape == (512, 30, 1)
    assert history[-1].epoch_loss < 0.003
    assert evaluate(model, x, y, loss=mean_squared_error).loss < 0.003


def test_mnist_with_as_many_images_in_a_batch_as_rows_in_an_image():
    data = load_embedded()
    x, y = data.train_images[:1400] / np.float32(255), data.train_labels[:1400]
    model = LSTMModel(28, 32, 10, forget_bias=1.0, rng=0)
    history = fit(model, x, y, optimizer=Adam(0.01), epochs=6, batch_size=28)
    assert history[-1].epoch_accuracy > 0.75


def test_sequences_of_different_lengths():
    """Which of two symbols came first? The end of the sequence does not say."""
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 2)) for length in rng.integers(3, 12, 300)]
    x, lengths = pad_sequences([sequence.astype(np.float32) for sequence in sequences])
    y = (x[:, 0, 0] > 0).astype(int)
    model = LSTMModel(2, 16, 2, forget_bias=1.0, rng=0)
    rest = x[200:], y[200:], lengths[200:]
    options = {"epochs": 30, "batch_size": 20, "validation": rest, "keep_best": True}
    fit(model, x[:200], y[:200], lengths=lengths[:200], optimizer=Adam(0.01), **options)
    assert evaluate(model, *rest[:2], lengths=rest[2]).accuracy > 0.9
