"""Which check kills which mistake; ``python tests/tools/kills.py`` prints the table."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [
        str(Path(__file__).parents[2] / name) for name in ("", "tests", "tests/helpers")
    ]

from cases import LSTMCase
from compare import norm
from loops import cell_in_a_loop
from reference import textbook_outputs

from npslstm import LSTM, LSTMCell, LSTMModel
from npslstm.cells import VARIANTS
from npslstm.gradcheck import check_gradients
from npslstm.mistakes import MISTAKES, mistake
from npslstm.rnn import GRU


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def layers(kind, *sizes, **options):
    """Layers of this kind of cell."""
    if kind == "gru":
        return GRU(*sizes, **options, dtype=np.float64, rng=0)
    return LSTM(*sizes, **options, variant=kind, dtype=np.float64, rng=0)


def model(kind, **options):
    """A model of it."""
    options |= {"cell": kind} if kind == "gru" else {"variant": kind}
    return LSTMModel(1, 1, 3, **options, dtype=np.float64, rng=0)


def gradient_checks(mode, kind):
    """Reports of cell, LSTM and model, the cheapest first, with every option in some."""
    given = {"mode": mode, "verbose": False}
    if kind in VARIANTS:
        cell = LSTMCell(2, 2, variant=kind, dtype=np.float64, rng=0)
        yield check_gradients(cell, random(3, 2), **given)
    lstm = layers(kind, 1, 2)
    yield check_gradients(lstm, random(3, 2, 1), checkpoint_every=1, **given)
    given["lengths"] = [2, 3, 1]
    if mode != "intermediates":
        yield check_gradients(model(kind), random(3, 3, 1), y=[0, 2, 1], **given)
        every = model(kind, readout="all")
        y = np.arange(9).reshape(3, 3) % 3
        yield check_gradients(every, random(3, 3, 1), y=y, **given)
    lstm = layers(kind, 1, 1, 2, dropout=0.5, bidirectional=True)
    yield check_gradients(lstm, random(3, 3, 1), rng=np.random.default_rng(1), **given)


def directional(kind="standard"):
    return all(gradient_checks("directional", kind))


def every_entry(kind="standard"):
    return all(gradient_checks("elementwise", kind))


def cells_in_a_loop(kind="standard"):
    """Whether the LSTM and a loop over its cell agree on every output and gradient."""
    problem = LSTMCase(kind=kind, T=3, N=2, D=2, H=2).problem()
    outputs, gradients = cell_in_a_loop(problem)
    return same(problem.outputs(), outputs) and same(problem.gradients(), gradients)


def textbook(kind="standard"):
    """Whether the LSTM's outputs are what the equations give, one number at a time."""
    case = LSTMCase(kind=kind, T=3, N=3, D=2, H=2, layers=2, bidirectional=True, lengths=True)
    problem = case.problem().change(lengths=np.array([2, 3, 1]))
    return same(problem.outputs(), textbook_outputs(problem))


def same(got, expected):
    return all(norm(got[n] - expected[n]) <= 1e-13 * norm(expected[n]) for n in expected)


def one_step_from_zeros(kind="standard"):
    """What many check: T = 1, zero initial states, a loss of the output."""
    return weak_check(kind, steps=1)


def last_output_from_zeros(kind="standard"):
    """What others check: T = 4, zero initial states, a loss that reads the last output only."""
    return weak_check(kind, steps=4)


def weak_check(kind, steps):
    lstm = layers(kind, 2, 2)

    def forward(x, **params):
        net = lstm.astype(np.result_type(x, *params.values()))
        net.params = params
        out, _, cache = net.forward(x)
        return out[-1], (net, cache, out)

    def backward(cache, dlast):
        net, cache, out = cache
        dout = np.zeros_like(out)
        dout[-1] = dlast
        dx, _, grads = net.backward(cache, dout)
        return dx, grads

    x = random(steps, 3, 2)
    params = lstm.params
    return check_gradients((forward, backward), x, params=params, mode="directional", verbose=False)


CHECKS = {
    "one direction": directional,
    "every entry": every_entry,
    "cells in a loop": cells_in_a_loop,
    "textbook": textbook,
}
LINES = "line by line"
WEAK_CHECKS = {
    "*T = 1, zeros*": one_step_from_zeros,
    "*T = 4, zeros, last h*": last_output_from_zeros,
}
COLUMNS = [*CHECKS, LINES, *WEAK_CHECKS]


def marks(name):
    """What each check says of this mistake: nothing, ✓ if it caught it, or the line it named."""
    kind = MISTAKES[name].kind
    with mistake(name):
        found = {c: "" if passes(kind) else "✓" for c, passes in (CHECKS | WEAK_CHECKS).items()}
        return found | {LINES: first_wrong_line(kind)}


def first_wrong_line(kind="standard"):
    """The number of the first line of the derivation that is found wrong, "arrives" or nothing."""
    for report in gradient_checks("intermediates", kind):
        wrong = [row.equation for row in report.failed]
        if wrong:
            return next((line for line in wrong if line != "arrives"), "arrives")
    return ""


def table(marked):
    """Markdown: a row for each mistake and what each check says of it."""
    rows = [["mistake", "what is wrong", *COLUMNS], ["---", "---", *[":-:"] * len(COLUMNS)]]
    for name, made in MISTAKES.items():
        what = made.what + (f" ({made.public})" if made.public else "")
        rows.append([f"`{name}`", what, *(marked[name][column] for column in COLUMNS)])
    caught = [sum(bool(m[column]) for m in marked.values()) for column in COLUMNS]
    rows.append([f"caught, of {len(MISTAKES)}", "", *map(str, caught)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    print(table({name: marks(name) for name in MISTAKES}))
