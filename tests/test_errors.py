"""What bad input is told: the argument, what was expected, what came; and nothing has changed."""

from __future__ import annotations

import numpy as np
import pytest
from compare import assert_same_bits

from npslstm import LSTM, LSTMCell, LSTMModel, mean_squared_error


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


CELL = LSTMCell(3, 4, rng=0)
ONE, FIRST = LSTM(3, 4, rng=0), LSTM(3, 4, batch_first=True, rng=0)
DEEP = LSTM(3, 4, 2, dropout=0.5, bidirectional=True, rng=0)  # four states
MODEL, ALL = LSTMModel(3, 4, 5, rng=0), LSTMModel(3, 4, 5, readout="all", rng=0)
X = zeros(7, 6, 3)  # T = 7, N = 6, D = 3
ROW, DOUBLE, INTEGER = X[0], X.astype(float), X.astype(int)
H = zeros(1, 6, 4)
Y = np.zeros(6, int)
RNG = np.random.default_rng(0)


def cell_back(dstate):
    return CELL.backward(CELL.forward(ROW)[1], dstate)


def deep_back(dout=None, dstate=None):
    return DEEP.backward(DEEP.forward(X)[2], dout, dstate)


def model_back(dlogits, dstate=None):
    return MODEL.backward(MODEL.forward(X)[2], dlogits, dstate)


def masks(*arrays):
    return lambda: DEEP.forward(X, dropout_masks=arrays)


WRONG_VALUES = {
    # options
    "input_size: expected at least 1, given 0": lambda: LSTMCell(0, 4),
    "hidden_size: expected at least 1, given -1": lambda: LSTM(3, -1),
    "num_layers: expected at least 1, given 0": lambda: LSTM(3, 4, 0),
    "output_size: expected at least 1, given 0": lambda: LSTMModel(3, 4, 0),
    "dropout: acts between layers; expected 0 with num_layers=1, given 0.5": (
        lambda: LSTM(3, 4, dropout=0.5)
    ),
    "dropout: expected a probability in [0, 1), given 1.0": lambda: LSTM(3, 4, 2, dropout=1.0),
    "dropout: expected a probability in [0, 1), given nan": lambda: LSTM(3, 4, 2, dropout=np.nan),
    "forget_bias: expected 0 with bias=False, given 1.0": (
        lambda: LSTMCell(3, 4, False, forget_bias=1.0)
    ),
    "forget_bias: expected a finite number, given nan": (
        lambda: LSTMModel(3, 4, 5, forget_bias=np.nan)
    ),
    'readout: expected "last" or "all", given \'first\'': (
        lambda: LSTMModel(3, 4, 5, readout="first")
    ),
    # the cell's arrays
    "x: expected shape (N, 3), given (6, 2)": lambda: CELL(zeros(6, 2)),
    "x: expected shape (3,), given (2,)": lambda: CELL(zeros(2)),
    "x: expected shape (N, 3), given (7, 6, 3)": lambda: CELL(X),
    "x: expected shape (N, 3), given ()": lambda: CELL(zeros()),
    "h of state: expected shape (6, 4), given (4, 6)": lambda: CELL(ROW, (zeros(4, 6), None)),
    "c of state: expected shape (6, 4), given (7, 4)": lambda: CELL(ROW, (None, zeros(7, 4))),
    "h of state: expected shape (4,), given (1, 4)": lambda: CELL(ROW[0], (zeros(1, 4), None)),
    "h of dstate: expected shape (6, 4), given (6, 3)": lambda: cell_back((zeros(6, 3), None)),
    # a batch transposed, so that features, state or lengths give it away
    "x: expected shape (T, N, 3), given (7, 3, 6), with batch_first=False": (
        lambda: ONE(X.swapaxes(1, 2))
    ),
    "x: expected shape (N, T, 3), given (3, 6, 7), with batch_first=True": lambda: FIRST(X.T),
    "h of state: expected shape (1, 7, 4), given (1, 6, 4)": (
        lambda: ONE(X.swapaxes(0, 1), (H, H))
    ),
    "c of state: expected shape (1, 7, 4), given (1, 6, 4)": lambda: FIRST(X, (None, H)),
    "lengths: expected shape (7,), one a row, given (6,); x (7, 6, 3) is read as (N, T, D): with "
    "batch_first=False they would fit": lambda: FIRST(X, lengths=[7] * 6),
    "lengths: expected shape (6,), one a row, given (7,); x (7, 6, 3) is read as (T, N, D): with "
    "batch_first=True they would fit": lambda: MODEL(X, lengths=[6] * 7),
    "lengths: expected shape (6,), one a row, given (5,)": lambda: ONE(X, lengths=[6] * 5),
    "predict: expected at least 2 classes, given output_size=1; of a model of numbers, use "
    "model(x)[0]": lambda: LSTMModel(3, 4, 1).predict(X),
    # the LSTM's arrays
    "x: expected shape (T, 3), given (7, 2)": lambda: ONE(zeros(7, 2)),
    "x: expected shape (T, N, 3), given (3,)": lambda: ONE(zeros(3)),
    "x: expected shape (T, N, 3), given (1, 7, 6, 3)": lambda: ONE(X[None]),
    "h of state: expected shape (4, 6, 4), given (1, 6, 4)": lambda: DEEP(X, (H, H)),  # one of four
    "h of state: expected shape (1, 4), given (1, 6, 4)": lambda: ONE(ROW, (H, H)),
    "lengths: expected lists of one length; ": lambda: ONE(X, lengths=[[1], [1, 2]]),
    "y: expected lists of one length; ": lambda: MODEL.loss_and_grads(X, [[1], [1, 2]]),
    "lengths: expected 0 to T = 7, given 8": lambda: ONE(X, lengths=[7, 8, 0, 1, 2, 3]),
    "lengths: expected 0 to T = 7, given -1": lambda: ONE(X, lengths=[7, 7, 0, 1, -1, 3]),
    "dropout_masks: expected 1 arrays, given 2": masks(zeros(7, 6, 8), zeros(7, 6, 8)),
    "dropout_masks: expected 1 arrays, given int": lambda: DEEP.forward(X, dropout_masks=3),
    "dropout_masks[0]: expected shape (7, 6, 8), given (7, 6, 4)": masks(zeros(7, 6, 4)),
    "dropout_masks: expected None where rng is given, given both": (
        lambda: DEEP.forward(X, rng=RNG, dropout_masks=(zeros(7, 6, 8),))
    ),
    "checkpoint_every: expected at least 1, given 0": lambda: ONE.forward(X, checkpoint_every=0),
    "dout: expected shape (7, 6, 8), given (7, 6, 4)": lambda: deep_back(zeros(7, 6, 4)),
    "c of dstate: expected shape (4, 6, 4), given (6, 4)": (
        lambda: deep_back(None, (None, zeros(6, 4)))
    ),
    # the model's arrays
    "x: expected shape (T, N, 3), given (7, 6, 5)": lambda: MODEL(zeros(7, 6, 5)),
    "dlogits: expected shape (6, 5), given (7, 6, 5)": lambda: model_back(zeros(7, 6, 5)),
    "h of dstate: expected shape (1, 6, 4), given (6, 4)": (
        lambda: model_back(None, (zeros(6, 4), None))
    ),
    "labels: expected integers in [0, 5), given 5": lambda: MODEL.loss_and_grads(X, Y + 5),
    "labels: expected integers in [0, 5), given -1": lambda: MODEL.loss_and_grads(X, Y - 1),
    "labels: expected shape (6,), given (7, 6)": (
        lambda: MODEL.loss_and_grads(X, np.zeros((7, 6), int))
    ),
    "labels: expected shape (7, 6), given (6,)": lambda: ALL.loss_and_grads(X, Y),
    "target: expected shape (6, 5), given (6, 1)": (
        lambda: MODEL.loss_and_grads(X, zeros(6, 1), loss=mean_squared_error)
    ),
}

WRONG_TYPES = {
    # options
    "input_size: expected an integer, given float": lambda: LSTMCell(3.0, 4),
    "hidden_size: expected an integer, given str": lambda: LSTM(3, "4"),
    "num_layers: expected an integer, given bool": lambda: LSTM(3, 4, True),
    "dtype: expected float32 or float64, given float16": lambda: LSTMCell(3, 4, dtype=np.float16),
    "dtype: expected float32 or float64, given bfloat16": lambda: LSTM(3, 4, dtype="bfloat16"),
    "dtype: expected float32 or float64, given int64": lambda: LSTM(3, 4, dtype=np.int64),
    "rng: expected a numpy.random.Generator, an int or None, given str": (
        lambda: LSTMModel(3, 4, 5, rng="seed")
    ),
    # integers and mixed dtypes
    "x: expected a NumPy array, given list": lambda: CELL([[1.0, 2.0, 3.0]]),
    "x: expected a NumPy array, given list; of sequences of different lengths pad_sequences makes "
    "one, for a model with batch_first=True": lambda: MODEL.predict([ROW, ROW[:2]]),
    "x: expected dtype float32, given int64": lambda: CELL(INTEGER[0]),
    "x: expected dtype float32, given float64": lambda: ONE(DOUBLE),
    "x: expected dtype float64, given float32": lambda: ONE.astype(float)(X),
    "x: expected dtype float32, given complex64": lambda: ONE(X.astype(np.complex64)),
    "x: expected dtype float32, given complex128": lambda: MODEL(X.astype(complex)),
    "h of state: expected dtype float32, given float64": (
        lambda: ONE(X, (H.astype(float), H.astype(float)))
    ),
    "c of state: expected dtype float32, given int64": lambda: CELL(ROW, (None, H[0].astype(int))),
    "dout: expected dtype float32, given float64": lambda: deep_back(np.zeros((7, 6, 8))),
    "h of dstate: expected dtype float32, given float64": lambda: cell_back(
        (np.zeros((6, 4)), None)
    ),
    "dlogits: expected dtype float32, given float64": lambda: model_back(np.zeros((6, 5))),
    "dropout_masks[0]: expected dtype float32, given bool": masks(np.ones((7, 6, 8), bool)),
    "lengths: expected integers, given float64": lambda: ONE(X, lengths=[1.0] * 6),
    "labels: expected integers, given float64": lambda: MODEL.loss_and_grads(X, Y + 0.0),
    # other things than those
    "params: expected names and arrays, given list": lambda: MODEL.load_params([H]),
    "state: expected a pair (h, c) or None, given ndarray": lambda: ONE(X, H),
    "dstate: expected a pair (h, c) or None, given tuple": lambda: cell_back((ROW, ROW, ROW)),
    "h of state: expected a NumPy array, given float": lambda: CELL(ROW, (0.0, 0.0)),
    "loss: expected a function such as mean_squared_error, given str": (
        lambda: MODEL.loss_and_grads(X, Y, loss="mse")
    ),
    "checkpoint_every: expected an integer, given float": (
        lambda: ONE.forward(X, checkpoint_every=2.5)
    ),
    "rng: expected a numpy.random.Generator (an int would repeat its dropout mask at every call), "
    "given int": lambda: DEEP.forward(X, rng=0),
}


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [(ValueError, *wrong) for wrong in WRONG_VALUES.items()]
    + [(TypeError, *wrong) for wrong in WRONG_TYPES.items()],
)
def test_a_wrong_argument_is_told_what_was_expected(error, message, call):
    with pytest.raises(error) as refused:
        call()
    assert str(refused.value).startswith(message)


NETS = [CELL, DEEP, MODEL]


@pytest.mark.parametrize("net", NETS, ids=["cell", "lstm", "model"])
@pytest.mark.parametrize(
    ("change", "error", "parts"),
    [
        (lambda p, last: p | {"gain": p[last]}, ValueError, ["missing []", "unknown ['gain']"]),
        (
            lambda p, last: {n: a for n, a in p.items() if n != last},
            ValueError,
            ["params: missing ['{last}']", "unknown []"],
        ),
        (
            lambda p, last: p | {last: p[last][:-1]},
            ValueError,
            ["params['{last}']: expected shape ({size},), given ({less},)"],
        ),
        (
            lambda p, last: p | {last: p[last].astype(float)},
            TypeError,
            ["params['{last}']: expected dtype float32, given float64"],
        ),
        (
            lambda p, last: p | {last: p[last].tolist()},
            TypeError,
            ["params['{last}']: expected a NumPy array, given list"],
        ),
    ],
    ids=["unknown", "missing", "shape", "dtype", "list"],
)
def test_parameters_that_do_not_fit_are_refused_and_nothing_changes(net, change, error, parts):
    """The wrong one is the last, so that all others would have been copied by then."""
    last = list(net.params)[-1]
    before = {n: a.copy() for n, a in net.params.items()}
    with pytest.raises(error) as refused:
        net.load_params(change({n: a + 1 for n, a in before.items()}, last))
    size = len(before[last])
    for part in parts:
        assert part.format(last=last, size=size, less=size - 1) in str(refused.value)
    assert_same_bits(net.params, before)
