"""What data that does not fit is told: what to do about it, by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

from npslstm import LSTM, LSTMModel, evaluate, fit, mean_squared_error, pad_sequences
from npslstm.optim import Adam
from npslstm.training import Progress

SETTINGS = {"epochs": 3, "batch_size": 4}
X = np.ones((8, 5, 3), np.float32)
Y = np.arange(8) % 4
NAN = np.where(np.arange(120).reshape(8, 5, 3) == 67, np.nan, X).astype(np.float32)
FOR_NUMBERS = {"loss": mean_squared_error}
ALL = {"readout": "all"}
LABELS = np.zeros((8, 5), int)


@pytest.mark.parametrize(
    ("message", "x", "y", "options"),
    [
        (
            "x: expected dtype float32, given float64; use x.astype(np.float32), or make the model "
            "with dtype=np.float64",
            X.astype(float),
            Y,
            {},
        ),
        (
            "x: expected dtype float32, given uint8; use x.astype(np.float32)",
            X.astype(np.uint8),
            Y,
            {},
        ),
        (
            "targets y: expected dtype float32, given float64; use y.astype(np.float32)",
            X,
            np.zeros((8, 4)),
            FOR_NUMBERS,
        ),
        (
            "x: expected finite numbers, given nan at x[4, 2, 1]; if it is padding, give lengths",
            NAN,
            Y,
            {},
        ),
        ("x: expected finite numbers, given nan at x[4, 2, 1]", NAN, Y, {"lengths": [5] * 8}),
        (
            "y: expected finite numbers, given inf at y[7, 3]",
            X,
            np.where(np.arange(32).reshape(8, 4) == 31, np.inf, 0).astype(np.float32),
            FOR_NUMBERS,
        ),
        (
            "labels y: expected integers, given float64; they look one-hot: use y.argmax(axis=-1)",
            X,
            np.eye(4)[Y],
            {},
        ),
        (
            "labels y: expected shape (8,), given (8, 4); they look one-hot: use y.argmax(axis=-1)",
            X,
            np.eye(4, dtype=int)[Y],
            {},
        ),
        (
            "labels y: expected integers in [0, 4), given 4; they count from 1: use y - 1",
            X,
            Y + 1,
            {},
        ),
        ("labels y: expected integers in [0, 4), given 9", X, np.where(Y == 3, 9, Y), {}),
        ("labels y: expected integers, given float64; use y.astype(np.int64)", X, Y + 0.0, {}),
        (
            "labels y: expected integers, given float64; for numbers as targets use "
            "loss=mean_squared_error",
            X,
            Y + 0.5,
            {},
        ),
        (
            "labels y: expected integers, given <U1; use np.unique(y, return_inverse=True)[1]",
            X,
            np.array(list("abcdabcd")),
            {},
        ),
        (
            "labels y: expected shape (8,), given (8, 5); for labels at every step make the "
            'model with readout="all"',
            X,
            LABELS,
            {},
        ),
        ("labels y: expected shape (8,), given (8, 1); use y[..., 0]", X, Y[:, None], {}),
        ("y: expected a plain array, given a masked one; use y.data", X, np.ma.array(Y), {}),
        (
            'y: readout="all" expects a target at every step, (N, T) or (N, T, K), given (8,)',
            X,
            Y,
            ALL,
        ),
        ("y: expected a target for each of 5 steps, given 4", X, LABELS[:, :4], ALL),
        (
            "y: expected one target for each of 5 examples, given 8; examples come first whatever "
            "the model's layout: use x.swapaxes(0, 1)",
            X.swapaxes(0, 1),
            Y,
            {},
        ),
        (
            "x: expected a NumPy array of numbers, given list; sequences of different lengths: "
            "x, lengths = pad_sequences(x)",
            list(X),
            Y,
            {},
        ),
        ("lengths: expected 0 to T = 5, given 6", X, Y, {"lengths": [6] * 8}),
        ("x: expected shape (N, T, 3), given (", X[..., :2], Y, {}),
    ],
)
@pytest.mark.parametrize("batch_first", [True, False])
def test_data_that_does_not_fit_is_told_the_remedy(message, x, y, options, batch_first):
    options = dict(options)
    readout = options.pop("readout", "last")
    model = LSTMModel(3, 5, 4, readout=readout, batch_first=batch_first, rng=0)
    before = {name: param.copy() for name, param in model.params.items()}
    calls = {
        "fit": lambda: fit(model, x, y, optimizer=Adam(), **SETTINGS, **options),
        "evaluate": lambda: evaluate(model, x, y, **options),
    }
    for name, call in calls.items():
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert str(caught.value).startswith(message), name
    for name, param in model.params.items():
        assert np.array_equal(param, before[name])


@pytest.mark.parametrize(
    ("message", "x", "y"),
    [
        ("y: expected shape (8, 1), given (8,); use y[..., None]", X, X[:, 0, 0]),
        ("x: expected shape (N, T, 1), given (4, 5); use x[..., None]", X[..., 0], X[:, 0, :1]),
    ],
)
def test_numbers_without_their_last_axis(message, x, y):
    model = LSTMModel(3 if x.ndim == 3 else 1, 5, 1, rng=0)
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(model, x, y, optimizer=Adam(), **FOR_NUMBERS, **SETTINGS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": Adam}, "optimizer: expected an optimiser such as Adam(1e-3), given <class"),
        ({"epochs": -1}, "epochs: expected at least 0, given -1"),
        ({"epochs": 0.0}, "epochs: expected an integer, given float"),
        ({"max_norm": None}, "max_norm: expected a number, given NoneType"),
        (
            {"schedule": 0.1},
            "schedule: expected a function such as cosine(0.1, steps), given float",
        ),
        ({"transform": 3}, "transform: expected a function of a batch of x, given int"),
        ({"callback": 3}, "callback: expected a function of a record, given int"),
        ({"start": 3}, "start: expected Progress(seed=...), or that of a checkpoint, given int"),
        ({"start": Progress(step=-3)}, "step of start: expected at least 0, given -3"),
        ({"start": Progress(seed=0.5)}, "seed of start: expected an integer, given float"),
        (
            {"start": Progress(step=7)},
            "start: expected at most step 6, the end of epoch 3, given 7; epochs counts those "
            "before start, too",
        ),
        ({"keep_best": True}, "keep_best: expected validation=(x, y) beside it"),
        ({"validation": X}, "validation: expected (x, y) or (x, y, lengths)"),
        ({"validation": (X, Y + 1)}, "validation: labels y: expected integers in [0, 4), given 4"),
        ({"window": 2}, 'window: expected a model with readout="all"'),
    ],
)
def test_settings_that_do_not_fit(options, message):
    settings = SETTINGS | {"optimizer": Adam()} | options
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        fit(LSTMModel(3, 5, 4, rng=0), X, Y, **settings)


@pytest.mark.parametrize("model", [LSTM(3, 4), 3, None])
def test_what_is_no_model(model):
    expected = f"model: expected an LSTMModel, or .*, given {type(model).__name__}"
    with pytest.raises(TypeError, match=expected):
        fit(model, X, Y, optimizer=Adam(), **SETTINGS)
    if not callable(model):
        with pytest.raises(TypeError, match=expected):
            evaluate(model, X, Y)


def test_sequences_are_a_list_of_arrays():
    with pytest.raises(TypeError, match="sequences: expected a list of arrays, given int"):
        pad_sequences(3)
    with pytest.raises(ValueError, match=r"sequences\[1\]: expected lists of one length"):
        pad_sequences([[[1, 2]], [[1], [1, 2]]])
    with pytest.raises(ValueError, match="y: expected lists of one length"):
        evaluate(LSTMModel(3, 4, 5), X, [[1], [1, 2]])


def test_windows_are_read_in_one_direction():
    model = LSTMModel(3, 5, 4, bidirectional=True, readout="all", rng=0)
    with pytest.raises(ValueError, match="window: expected a model of one direction"):
        fit(model, X, LABELS, optimizer=Adam(), window=2, **SETTINGS)


@pytest.mark.parametrize("batch_first", [True, False])
def test_labels_that_would_fit_in_the_other_layout_say_so(batch_first):
    x = X.swapaxes(0, 1) if batch_first else X  # time first for the one that wants examples first
    model = LSTMModel(3, 5, 4, batch_first=batch_first, rng=0)
    with pytest.raises(ValueError, match=f"with batch_first={not batch_first} they would fit"):
        model.loss_and_grads(x, Y)
    model = LSTMModel(3, 5, 4, batch_first=batch_first, readout="all", rng=0)
    with pytest.raises(ValueError, match=r"in the other layout: use y\.swapaxes\(0, 1\)"):
        model.loss_and_grads(x, np.zeros(x.shape[1::-1], int))
