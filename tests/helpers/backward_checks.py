"""What a mutant of a backward must survive: every layer and loss, along random directions.

Quick ones first, because one failure is enough. Each check returns whether all is right.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from unittest import mock

import numpy as np
from cases import KINDS, LSTMCase, ModelCase
from kills import cells_in_a_loop, random, same
from loops import cell_in_a_loop

from npslstm import LSTM, Linear, LSTMCell, LSTMModel, mean_squared_error
from npslstm.cells import VARIANTS, standard
from npslstm.gradcheck import check_gradients
from npslstm.kernel import blas, memory, products, schedule
from npslstm.losses import cross_entropy
from npslstm.rnn import RNN

check = partial(check_gradients, mode="directional", verbose=False)
FLOAT = {"dtype": np.float64, "rng": 0}
LENGTHS = [2, 4, 1]


def cells():
    """A batch, and a single row."""
    alone = LSTMCell(3, 2, bias=False, **FLOAT)
    return check(LSTMCell(3, 2, **FLOAT), random(4, 3)) and check(alone, random(3))


def lstm():
    return check(LSTM(3, 2, **FLOAT), random(4, 3, 3))


def one_sequence_without_bias():
    return check(LSTM(3, 2, 2, bias=False, **FLOAT), random(4, 3))


def nothing_to_do():
    """No steps, no rows."""
    net = LSTM(3, 2, **FLOAT)
    return check(net, random(0, 3, 3)) and check(net, random(4, 0, 3))


def lstm_with_every_option():
    net = LSTM(3, 2, 3, dropout=0.5, bidirectional=True, batch_first=True, **FLOAT)
    return check(net, random(3, 4, 3), lengths=LENGTHS, rng=np.random.default_rng(1))


def checkpointed():
    net = LSTM(3, 2, 2, bidirectional=True, **FLOAT)
    return check(net, random(4, 3, 3), lengths=LENGTHS, checkpoint_every=1)


def in_small_blocks(what):
    """Run a check in small blocks of steps, slices of rows and pieces of blocks."""
    small = {"BLOCK_COLUMNS": 4, "COLUMNS_A_UNIT": 0, "SLICE_BYTES": 32, "SLICE_WIDTH": 1}
    with mock.patch.multiple(schedule, **small), sizes(standard, PIECE=4):
        return what()


@contextmanager
def sizes(module, **values):
    """Make scratch with other sizes; it is made once a shape, so forget it before and after."""
    with mock.patch.multiple(module, **values):
        memory.forget()
        try:
            yield
        finally:
            memory.forget()


def in_pieces():
    """A block of more steps than a piece has, or units, or rows."""
    with sizes(standard, PIECE=1):
        return check(LSTM(3, 1, **FLOAT), random(6, 1, 3))


def in_cut_products():
    """The products that make dh and dx, 8 x 32 x 3, in two parts of 4 rows each."""
    with sizes(products, UNPACKED=4 * 32 * 3):
        return check(LSTM(8, 8, **FLOAT), random(4, 3, 8))


def many_features():
    """More of them than units, rows or steps, or than fill up the weight gradient's columns."""
    net = LSTM(40, 2, **FLOAT)
    return check(net, random(50, 1, 40)) and check(net, random(3, 2, 40))


def large():
    """Wide enough that products are cut."""
    with sizes(products, UNPACKED=blas.LARGEST):
        return check(LSTM(3, 128, **FLOAT), random(2, 64, 3))


def linear():
    without_bias = Linear(3, 2, bias=False, **FLOAT)
    return check(Linear(3, 2, **FLOAT), random(4, 3)) and check(without_bias, random(2, 2, 3))


def rnn():
    without_bias = RNN(3, 2, bias=False, batch_first=True, **FLOAT)
    return check(RNN(3, 2, **FLOAT), random(4, 3, 3)) and check(without_bias, random(3, 4, 3))


def every_kind():
    """Each kind of cell: one step, which the layers do not use, and the layers."""
    for kind in KINDS:
        one_layer = LSTMCase(kind=kind, N=3, D=3, H=3, T=4).problem()
        if not (kind not in VARIANTS or check(LSTMCell(3, 2, variant=kind, **FLOAT), random(4, 3))):
            return False
        if not check(one_layer.net, random(4, 3, 3)):
            return False
        if not same(one_layer.gradients(), cell_in_a_loop(one_layer)[1]):
            return False
    return True


def every_line_of_a_kind():
    """What backward says beside the gradients that go on: dc, for the check line by line."""
    lstm = LSTM(2, 2, variant="nog", **FLOAT)
    return check_gradients(lstm, random(3, 2, 2), mode="intermediates", verbose=False)


def every_kind_with_options():
    options = {"N": 3, "D": 3, "H": 3, "T": 4, "layers": 2, "bidirectional": True}
    return all(
        check(
            LSTMCase(kind=kind, **options, bias=bias).problem().net,
            random(4, 3, 3),
            lengths=LENGTHS,
        )
        for kind in KINDS
        for bias in (True, False)
    )


def losses():
    """A loss returns its value and its gradient: outputs and a cache, as forward does."""

    def backward(gradient, dvalue):
        return dvalue * gradient, {}

    counts = np.array([[True, False], [True, True]])
    cross = (cross_entropy, {"labels": [[0, 2], [1, 1]]})
    options = {"weights": [0.5, 0, 2], "label_smoothing": 0.3}
    weighted = (cross_entropy, cross[1] | options)
    square = (mean_squared_error, {"target": random(2, 2, 3) / 2})
    return all(
        check((loss, backward), random(2, 2, 3), mask=mask, **given)
        for loss, given in (cross, weighted, square)
        for mask in (None, counts)
    )


def values_of_losses():
    """A gradient check cannot see a constant that is added to a value."""
    loss, _ = cross_entropy(np.log([[0.25, 0.75], [0.5, 0.5]]), [1, 0])
    options = {"weights": [1, 3], "label_smoothing": 0.5}
    weighted, _ = cross_entropy(np.log([[0.25, 0.75], [0.5, 0.5]]), [1, 0], **options)
    # q = (0.25, 2.25) and (0.75, 0.75); W = 3 + 1
    expected = -(np.log([0.25, 0.75, 0.5, 0.5]) @ [0.25, 2.25, 0.75, 0.75]) / 4
    squares, _ = mean_squared_error(np.array([[1.0, 5.0]]), np.array([[1.0, 3.0]]))
    right = np.isclose([loss, weighted], [-np.log(0.375) / 2, expected], rtol=1e-14)
    return right.all() and squares == 2


def losses_of_large_numbers():
    """Logits far apart: the loss is their difference, or the largest number; never infinite."""
    wrong, _ = cross_entropy(np.array([[1e4, -1e4]]), [1])
    huge, gradient = cross_entropy(np.array([[1e308, -1e308], [0, 0]]), [1, 0])
    right = np.array_equal(gradient, [[0.5, -0.5], [-0.25, 0.25]])
    excluded, _ = cross_entropy(np.array([[0, -np.inf]]), [0])
    return wrong == 2e4 and huge == np.finfo(float).max and right and excluded == 0


def losses_of_no_rows():
    none = np.array([False, False])
    loss, gradient = cross_entropy(random(2, 3), [0, 1], mask=none)
    square, gradient_2 = mean_squared_error(random(2, 3), random(2, 3), mask=none)
    return loss == square == 0 and not gradient.any() and not gradient_2.any()


def labels_outside_are_refused():
    refused = 0
    for label in (-1, 3):
        try:
            cross_entropy(random(1, 3), [label])
        except ValueError:
            refused += 1
    return refused == 2


def models():
    for readout, y in ("last", [0, 3, 1]), ("all", np.arange(12).reshape(4, 3) % 4):
        net = LSTMModel(3, 2, 4, 3, bidirectional=True, readout=readout, **FLOAT)
        if not (
            check(net, random(4, 3, 3), lengths=LENGTHS)
            and check(net, random(4, 3, 3), lengths=LENGTHS, y=y)
            and check(net, random(4, 3, 3), y=random(*np.shape(y), 4), loss=mean_squared_error)
        ):
            return False
    last = LSTMModel(3, 2, 4, bidirectional=True, **FLOAT)
    return bool(check(last, random(4, 3)))


def absent_upstream_gradients():
    """None stands for zeros: of each, and of the pair of the state's."""
    both = LSTMCase(T=4, N=3, D=3, H=2, layers=2, bidirectional=True)
    for problem in both.problem(), ModelCase(T=4, N=3, D=3, H=2, K=4).problem():
        upstream, (_, cache) = problem.upstream, problem.forward()
        zeros = {n: np.zeros_like(u) for n, u in upstream.items()}
        none, zero = (
            {n: problem.change(upstream=rest | {n: u}).backward(cache) for n, u in upstream.items()}
            for rest in (dict.fromkeys(upstream), zeros)
        )
        dx, (dh, dc), grads = problem.net.backward(cache, upstream["out"], None)
        no_pair = {"x": dx, "h_0": dh, "c_0": dc, **grads}
        if not (same(no_pair, zero["out"]) and all(same(none[n], zero[n]) for n in upstream)):
            return False
    net = RNN(3, 2, **FLOAT)
    out, h_n, cache = net.forward(random(4, 3, 3))
    none, zero = (net.backward(cache, dout, h_n) for dout in (None, np.zeros_like(out)))
    return same({"x": none[0], "h": none[1], **none[2]}, {"x": zero[0], "h": zero[1], **zero[2]})


CHECKS = [
    cells,
    lstm,
    linear,
    rnn,
    every_kind,
    losses,
    values_of_losses,
    losses_of_large_numbers,
    losses_of_no_rows,
    labels_outside_are_refused,
    one_sequence_without_bias,
    in_pieces,
    in_cut_products,
    many_features,
    checkpointed,
    partial(in_small_blocks, checkpointed),
    absent_upstream_gradients,
    cells_in_a_loop,
    nothing_to_do,
    lstm_with_every_option,
    partial(in_small_blocks, lstm_with_every_option),
    every_line_of_a_kind,
    every_kind_with_options,
    partial(in_small_blocks, every_kind_with_options),
    models,
    large,
]
