"""The loop: what it does to the parameters, what it reports, how it stops and how it goes on."""

import functools
import math
from itertools import islice

import numpy as np
import pytest

from npslstm import LSTMModel, cross_entropy, mean_squared_error
from npslstm.optim import SGD, Adam, AdamW, clip_grad_norm, one_cycle
from npslstm.training import (
    Evaluation,
    NonFiniteError,
    Progress,
    evaluate,
    fit,
    steps_per_epoch,
    training_steps,
)

EXAMPLES, BATCH, EPOCHS = 13, 4, 3  # the last batch of an epoch has one example
STEPS = EPOCHS * steps_per_epoch(EXAMPLES, BATCH)


def as_floats(batch):
    return batch / np.float32(255)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(EXAMPLES, 5, 3), dtype=np.uint8)
    return x, (x.mean(axis=(1, 2)) > 127).astype(np.int64)


def make_model(seed=0, **options):
    options = {"num_layers": 2, "dropout": 0.4, "batch_first": True} | options
    return LSTMModel(3, 4, 2, **options, rng=seed)


def run(model, data, optimizer, start=Progress(seed=5), **options):  # noqa: B008, immutable
    options = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "schedule": one_cycle(0.1, STEPS),
        "max_norm": 0.5,
        "transform": as_floats,
    } | options
    return training_steps(model, *data, optimizer=optimizer, start=start, **options)


def untimed(record):
    return record._replace(examples_per_second=None)


def assert_same_bits(model, other):
    for name, param in model.params.items():
        assert param.tobytes() == other.params[name].tobytes(), name


class Spy:
    """A model of one number that remembers what it was asked."""

    def __init__(self):
        self.params = {"weight": np.zeros(1)}
        self.batches, self.draws = [], []

    def loss_and_grads(self, x, y, *, loss, rng):
        self.batches.append((x[:, 0].tolist(), y.tolist()))
        self.draws.append(rng.random())
        value, _ = loss(np.zeros((len(x), 100)), y)
        return value, {"weight": np.ones(1)}


def test_each_epoch_shows_every_example_once_with_its_label_in_a_new_order():
    spy, ids = Spy(), np.arange(EXAMPLES)
    list(run(spy, (ids[:, None], ids), SGD(0.1), transform=None))
    assert [len(x) for x, _ in spy.batches] == [4, 4, 4, 1] * EPOCHS
    assert all(x == y for x, y in spy.batches)
    shown = [example for x, _ in spy.batches for example in x]
    orders = [tuple(shown[k * EXAMPLES : (k + 1) * EXAMPLES]) for k in range(EPOCHS)]
    assert all(sorted(order) == ids.tolist() for order in orders)
    assert len({*orders, tuple(ids)}) == EPOCHS + 1
    assert len(set(spy.draws)) == STEPS  # every step has its own dropout masks


def test_seeds_differ_and_repeat():
    seen = []
    for seed in (0, 1, 0):
        spy, ids = Spy(), np.arange(EXAMPLES)
        list(run(spy, (ids[:, None], ids), SGD(0.1), Progress(seed), transform=None, epochs=1))
        seen.append((spy.batches, spy.draws))
    assert seen[0] == seen[2]
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_step_is_gradient_clip_and_update(data):
    """The loop against its own few lines, on the batches that it chose."""
    batches = []

    def remember(batch):
        batches.append(as_floats(batch))
        return batches[-1]

    model, twin = make_model(dropout=0), make_model(dropout=0)
    optimizer, twin_optimizer = AdamW(), AdamW()
    schedule = one_cycle(0.1, STEPS)
    labels = {x.tobytes(): y for x, y in zip(as_floats(data[0]), data[1], strict=True)}
    for step, record in enumerate(run(model, data, optimizer, transform=remember)):
        y = np.array([labels[row.tobytes()] for row in batches[-1]])
        loss, grads = twin.loss_and_grads(batches[-1], y)
        accuracy = (twin.predict(batches[-1]) == y).mean()
        grads, norm = clip_grad_norm(grads, 0.5)
        twin_optimizer.lr = schedule(step)
        twin_optimizer.step(twin.params, grads)
        assert_same_bits(model, twin)
        assert (record.loss, record.grad_norm, record.lr) == (loss, norm, schedule(step))
        assert record.accuracy == accuracy
    assert step + 1 == STEPS


def test_records_count_and_average(data):
    records = list(run(make_model(), data, Adam()))
    assert [r.step for r in records] == list(range(1, STEPS + 1))
    assert [r.epoch for r in records] == [1] * 4 + [2] * 4 + [3] * 4
    assert [r.ends_epoch for r in records] == [False, False, False, True] * EPOCHS
    for epoch in range(EPOCHS):
        of_epoch = records[4 * epoch : 4 * epoch + 4]
        loss = sum(r.loss * size for r, size in zip(of_epoch, [4, 4, 4, 1], strict=True)) / 13
        hits = sum(r.accuracy * size for r, size in zip(of_epoch, [4, 4, 4, 1], strict=True)) / 13
        assert of_epoch[-1].epoch_loss == pytest.approx(loss, rel=1e-14)
        assert of_epoch[-1].epoch_accuracy == pytest.approx(hits, rel=1e-14)
        assert of_epoch[0].epoch_loss == of_epoch[0].loss
    assert all(r.examples_per_second > 0 for r in records)
    assert all(r.steps_per_epoch == 4 for r in records)


def test_it_learns(data):
    model = make_model(dropout=0)
    records = list(run(model, data, Adam(0.03), epochs=60, schedule=None))
    assert records[-1].epoch_accuracy == 1
    assert records[-1].epoch_loss < 0.1 < 0.6 < records[0].loss
    assert evaluate(model, *data, transform=as_floats).accuracy == 1


def test_nothing_is_printed_and_the_data_is_left_alone(data, capsys):
    before = [array.tobytes() for array in data]
    for array in data:
        array.flags.writeable = False
    model = make_model()
    list(run(model, data, Adam()))
    evaluate(model, *data, transform=as_floats)
    assert [array.tobytes() for array in data] == before
    assert capsys.readouterr() == ("", "")


def test_the_global_random_state_is_neither_used_nor_changed(data):
    models = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()  # noqa: NPY002
        models.append(make_model())
        list(run(models[-1], data, Adam()))
        after = np.random.get_state()  # noqa: NPY002
        assert before[0] == after[0]
        assert np.array_equal(before[1], after[1])
        assert before[2:] == after[2:]
    assert_same_bits(*models)


@pytest.mark.parametrize("stop", range(STEPS + 1))
def test_going_on_is_the_same_as_not_stopping(data, stop):
    model, optimizer = make_model(), Adam()
    records = [untimed(record) for record in run(model, data, optimizer)]

    first, first_optimizer = make_model(), Adam()
    before = [untimed(r) for r in islice(run(first, data, first_optimizer), stop)]
    start = before[-1].progress if before else Progress(seed=5)
    second, second_optimizer = make_model(seed=99), Adam(lr=7.0)
    second.load_params(first.params)
    second_optimizer.load_state(first_optimizer.state(), second.params)
    after = [untimed(record) for record in run(second, data, second_optimizer, start)]

    assert before + after == records
    assert_same_bits(second, model)


def test_no_epochs_no_steps(data):
    model, untouched = make_model(), make_model()
    assert list(run(model, data, Adam(), epochs=0)) == []
    assert_same_bits(model, untouched)


class Broken:
    """A model whose gradients go wrong at its third step."""

    def __init__(self, value, grads):
        self.params = {"first": np.zeros(2), "second": np.zeros(2), "third": np.zeros(2)}
        self.step, self.value, self.grads = 0, value, grads

    def loss_and_grads(self, x, y, *, loss, rng):
        loss(np.zeros((len(x), 2)), y)
        self.step += 1
        grads = {name: np.ones(2) for name in reversed(self.params)}
        return (1.0, grads) if self.step < 3 else (self.value, grads | self.grads)


@pytest.mark.parametrize(
    ("value", "grads", "parameter", "words"),
    [
        (1.0, {"second": np.array([0, np.nan])}, "second", ["of second", "loss is 1.0"]),
        (1.0, {"third": np.array([np.inf, 0])}, "third", ["of third"]),
        (
            np.nan,
            dict.fromkeys(["third", "first"], np.full(2, np.nan)),
            "first",
            ["of first", "nan"],
        ),
        (np.inf, {}, None, ["loss is inf"]),
        (1.0, {"second": np.full(2, 1e200)}, None, ["sum of their squares is not"]),
    ],
)
def test_what_is_not_finite_stops_the_run_before_the_step(data, value, grads, parameter, words):
    model, optimizer = Broken(value, grads), Adam()
    records = run(model, data, optimizer, transform=None)
    for _ in range(2):
        next(records)
    before = {name: param.copy() for name, param in model.params.items()}
    with pytest.raises(NonFiniteError) as caught:
        next(records)
    assert caught.value.step == 3
    assert caught.value.parameter == parameter
    for word in ["step 3", *words, "no parameter was changed"]:
        assert word in str(caught.value)
    assert "input" not in str(caught.value)
    assert optimizer.steps == 2
    for name, param in model.params.items():
        assert np.array_equal(param, before[name])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_input_that_is_not_finite_is_said(data, bad):
    x, y = as_floats(data[0]), data[1]
    x[7, 2, 1] = bad
    model, optimizer = make_model(), Adam()
    with pytest.raises(NonFiniteError, match=r"the input is not finite.* of lstm\.weight_ih_l0;"):
        list(run(model, (x, y), optimizer, transform=None))
    assert all(np.isfinite(param).all() for param in model.params.values())


def test_gradients_that_overflow_are_said_without_warnings(data):
    model = make_model(num_layers=1, dropout=0)
    model.params["lstm.weight_ih_l0"][...] *= np.float32(1e-3)  # or the gates would saturate
    model.params["head.weight"][...] *= np.float32(1e38)
    before = {name: param.copy() for name, param in model.params.items()}
    with pytest.raises(NonFiniteError, match=r"step 1: .* gradient that is not finite .* lstm\."):
        list(run(model, data, Adam(), transform=np.float32))
    for name, param in model.params.items():
        assert np.array_equal(param, before[name])


@pytest.mark.parametrize(
    ("size", "max_norm", "stops"), [(1e18, 9e18, 0), (1e20, 1e30, 1), (1e20, 1, 0)]
)
def test_gradients_whose_squares_overflow_float32(data, size, max_norm, stops):
    model = Broken(1.0, {"second": np.full(2, size, np.float32)})
    model.params = {name: param.astype(np.float32) for name, param in model.params.items()}
    grads = model.loss_and_grads

    def in_float32(*args, **options):
        value, found = grads(*args, **options)
        return value, {name: grad.astype(np.float32) for name, grad in found.items()}

    model.loss_and_grads = in_float32
    records = run(model, data, Adam(), transform=None, max_norm=max_norm, epochs=1)
    if stops:
        with pytest.raises(NonFiniteError, match=r"step 3: .* sum of their squares is not"):
            list(records)
    else:
        assert len(list(records)) == 4


def test_a_step_that_makes_a_parameter_infinite_is_not_reported(data):
    model = Broken(1.0, {"second": np.full(2, 1e10)})
    records = run(model, data, SGD(1e300), transform=None, schedule=None, max_norm=math.inf)
    assert [next(records).step, next(records).step] == [1, 2]
    with pytest.raises(NonFiniteError, match=r"step 3: it made second infinite, .* 1e\+300,"):
        next(records)


def test_a_parameter_that_was_infinite_before_is_not_blamed_on_the_learning_rate(data):
    """An infinite bias saturates its gate: loss and gradients are finite all the same."""
    model = make_model()
    model.params["lstm.bias_ih_l0"][0] = np.inf
    with pytest.raises(NonFiniteError, match=r"step 0: lstm.bias_ih_l0 was not finite before"):
        next(run(model, data, SGD(0.1)))


@pytest.mark.parametrize(
    ("lr", "error", "words"),
    [
        (math.nan, ValueError, "expected at least 0 and finite, given nan"),
        (-1.0, ValueError, "expected at least 0 and finite, given -1.0"),
        (None, TypeError, "expected a number, given NoneType"),
    ],
)
def test_a_schedule_that_gives_no_learning_rate_takes_no_step(data, lr, error, words):
    model, optimizer = make_model(), SGD(0.1)
    records = run(model, data, optimizer, schedule=lambda step: [0.5, lr][step])
    next(records)
    before = {name: param.copy() for name, param in model.params.items()}
    with pytest.raises(error, match=rf"schedule\(1\): {words}"):
        next(records)
    assert all(np.array_equal(model.params[name], before[name]) for name in before)
    assert (optimizer.lr, optimizer.steps) == (0.5, 1)


def test_an_exploding_norm_is_reported_as_it_was_before_clipping(data):
    model = make_model(dropout=0)
    model.params["head.weight"][...] *= np.float32(1e6)
    record = next(run(model, data, SGD(1e-9)))
    assert record.grad_norm > 1e4


@pytest.mark.parametrize("batch_size", [1, 5, 13, 1000])
def test_evaluation_is_the_mean_over_examples(data, batch_size):
    model = make_model(dtype=np.float64)
    x, y = data[0] / 255.0, data[1]
    found = evaluate(model, data[0], y, batch_size=batch_size, transform=lambda b: b / 255.0)
    logits, _ = model(x)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-12)
    assert found.loss == pytest.approx(cross_entropy(logits, y)[0], rel=1e-12)
    assert found.accuracy == np.mean(model.predict(x) == y)


def test_an_evaluation_shows_no_logits():
    found = Evaluation(0.5, 0.75, np.zeros((4, 2), np.float32))
    assert repr(found) == "Evaluation(loss=0.5, accuracy=0.75, logits=<float32 (4, 2)>)"
    assert repr(found._replace(logits=None)) == "Evaluation(loss=0.5, accuracy=0.75, logits=None)"


def test_a_loss_is_a_function(data):
    message = "loss: expected a function such as mean_squared_error, given str"
    with pytest.raises(TypeError, match=message):
        evaluate(make_model(), *data, loss="mse")
    with pytest.raises(TypeError, match=message):
        next(run(make_model(), data, SGD(0.1), loss="mse"))


def test_targets_at_every_step(data):
    model = make_model(readout="all", dtype=np.float64)
    x = data[0] / 255.0
    y = np.random.default_rng(1).integers(2, size=x.shape[:2])
    found = evaluate(model, x, y, batch_size=4)
    assert found.accuracy == np.mean(model.predict(x) == y)
    assert found.loss == pytest.approx(cross_entropy(model(x)[0], y)[0], rel=1e-12)
    model = make_model(readout="all", dtype=np.float64, dropout=0)
    options = {"transform": None, "epochs": 1, "schedule": None, "batch_size": 13}
    record = next(run(model, (x, y), SGD(0.0), **options))
    assert record.accuracy == record.epoch_accuracy == np.mean(model.predict(x) == y)


def test_regression_has_no_accuracy(data):
    x = as_floats(data[0])
    y = np.stack([x.mean(axis=(1, 2))] * 2, axis=1)
    model = make_model(dropout=0)
    options = {"transform": None, "loss": mean_squared_error, "schedule": None, "epochs": 30}
    records = list(run(model, (x, y), Adam(0.01), **options))
    assert math.isnan(records[-1].accuracy)
    assert math.isnan(records[-1].epoch_accuracy)
    found = evaluate(model, x, y, loss=mean_squared_error)
    assert math.isnan(found.accuracy)
    assert found.loss < 0.1 * records[0].loss


def yes_or_no(logits, targets, mask=None):
    """A loss of somebody's own: each logit answers one question with yes, 1, or no, 0."""
    off = 1 / (1 + np.exp(-logits)) - targets.reshape(logits.shape)
    return np.square(off).mean(), off / off.size


@pytest.mark.parametrize(
    ("readout", "shape", "questions"),
    [("last", (13, 1), 1), ("last", (13,), 1), ("last", (13, 4), 4), ("all", (13, 5, 1), 1)],
)
def test_integers_that_are_no_labels_have_no_accuracy(data, readout, shape, questions):
    x, y = data[0] / 255, np.random.default_rng(1).integers(2, size=shape)
    model = LSTMModel(3, 4, questions, readout=readout, dtype=np.float64, rng=0)
    assert math.isnan(evaluate(model, x, y, loss=yes_or_no).accuracy)
    [record] = fit(model, x, y, optimizer=SGD(0.1), epochs=1, batch_size=4, loss=yes_or_no)
    assert math.isnan(record.accuracy)
    assert math.isnan(record.epoch_accuracy)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"batch_size": 0}, ValueError, ["batch_size", "0"]),
        ({"batch_size": 2.5}, TypeError, ["batch_size", "float"]),
        ({"y": np.zeros(3, int)}, ValueError, ["y", "13", "3"]),
        ({"y": np.zeros((13, 2), int)}, ValueError, ["labels", "2)"]),
        ({"y": np.full(13, 2)}, ValueError, ["labels", "[0, 2)", "2"]),
        ({"x": np.zeros((0, 5, 3)), "y": np.zeros(0, int)}, ValueError, ["examples", "0"]),
    ],
)
def test_wrong_input_is_named(data, options, error, words):
    x, y = options.pop("x", data[0]), options.pop("y", data[1])
    for call in (
        lambda: evaluate(make_model(), x, y, transform=as_floats, **options),
        lambda: list(run(make_model(), (x, y), Adam(), **options)),
    ):
        with pytest.raises(error) as caught:
            call()
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize(
    ("readout", "lengths", "window"),
    [("last", None, None), ("all", None, 2), ("all", [5, 0, 2, 3, 1], None)],
)
@pytest.mark.parametrize("size", [1, 1e300])
def test_an_epochs_loss_weighs_classes_as_evaluation_does(readout, lengths, window, size):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 5, 3))
    y = rng.integers(0, 3, (5, 5) if readout == "all" else 5)
    if readout == "all" and lengths is not None:
        y[np.arange(5) >= np.array(lengths)[:, None]] = -7  # padding
    loss = functools.partial(cross_entropy, weights=size * np.array([0.1, 1, 1.7]))
    model = LSTMModel(3, 4, 3, readout=readout, dtype=np.float64, rng=0)
    given = {"optimizer": SGD(0.0), "epochs": 1, "batch_size": 2, "window": window}
    *_, last = training_steps(model, x, y, lengths=lengths, loss=loss, **given)
    expected = evaluate(model, x, y, lengths=lengths, loss=loss).loss
    assert last.epoch_loss == pytest.approx(expected, rel=1e-13)


def test_a_wrong_number_of_class_weights_is_told_by_the_loss():
    x, y = np.ones((9, 2, 3), np.float32), np.arange(9)
    loss = functools.partial(cross_entropy, weights=[1.0, 2.0])
    model = LSTMModel(3, 4, 10, rng=0)
    with pytest.raises(ValueError, match="weights: expected shape"):
        fit(model, x, y, optimizer=SGD(0.1), epochs=1, batch_size=9, loss=loss, verbose=False)


@pytest.mark.parametrize("window", [None, 2])
def test_sequences_of_no_steps_are_refused(window):
    model = LSTMModel(3, 4, 2, readout="all", rng=0)
    x, y = np.zeros((3, 0, 3), np.float32), np.zeros((3, 0), int)
    with pytest.raises(ValueError, match=r"y: expected at least one answer, given shape \(3, 0\)"):
        fit(model, x, y, optimizer=SGD(0.1), epochs=1, batch_size=2, window=window, verbose=False)
