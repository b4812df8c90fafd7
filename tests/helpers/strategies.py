"""Hypothesis strategies over every combination of options.

They draw sizes, options and an integer seed, never arrays, so that a failure shrinks to
T = N = D = H = 1 and is printed as one line that makes the problem again.
"""

from __future__ import annotations

import pytest
from cases import CELLS, KINDS, MODELS, CellCase, LSTMCase, ModelCase
from hypothesis import given
from hypothesis import strategies as st

CELL = {
    "N": st.integers(0, 4) | st.none(),
    "D": st.integers(1, 4),
    "H": st.integers(1, 4),
    "bias": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
    "kind": st.sampled_from(CELLS),
}
LSTM = CELL | {
    "kind": st.sampled_from(KINDS),
    "T": st.integers(0, 6),
    "layers": st.integers(1, 3),
    "bidirectional": st.booleans(),
    "batch_first": st.booleans(),
    "lengths": st.booleans(),
    "dropout": st.booleans(),
    "checkpoint_every": st.none() | st.integers(1, 4),
    # small enough to cut these arrays into blocks of steps and slices of rows, or the default
    "block_columns": st.sampled_from([256, 1, 2, 3, 5]),
    "slice_bytes": st.sampled_from([64 * 1024, 8, 32, 72]),
    "slice_width": st.sampled_from([1, 16, 256]),
}
MODEL = LSTM | {
    "kind": st.sampled_from(MODELS),
    "K": st.integers(1, 4),
    "readout": st.sampled_from(["last", "all"]),
}


def cell_cases(**changed):
    return build(CellCase, CELL, changed)


def lstm_cases(**changed):
    return build(LSTMCase, LSTM, changed)


def model_cases(**changed):
    return build(ModelCase, MODEL, changed)


def build(case, fields, changed):
    """Draw a case; a value or strategy in ``changed`` wins, if the case has such a field."""
    fields = dict(fields)
    for name in case.__dataclass_fields__.keys() & changed.keys():
        value = changed[name]
        fields[name] = value if isinstance(value, st.SearchStrategy) else st.just(value)
    return st.builds(case, **fields)


every_kind = pytest.mark.parametrize(
    "cases", [cell_cases, lstm_cases, model_cases], ids=["cell", "lstm", "model"]
)


def each_problem(**changed):
    """Call a test with a problem of each kind; a value or strategy in ``changed`` wins."""

    def decorate(test):
        def drawn(cases, data):
            test(data.draw(cases(**changed), "case").problem())

        for name in ("__name__", "__doc__", "__module__"):  # not __wrapped__: pytest would see it
            setattr(drawn, name, getattr(test, name))
        return every_kind(given(data=st.data())(drawn))

    return decorate
