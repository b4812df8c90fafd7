"""What somebody meets who types: names, objects that say what they are, and a way to begin."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import npslstm
from npslstm import LSTM, Linear, LSTMCell, LSTMModel

PACKAGE = Path(npslstm.__file__).parent
OBJECTS = [
    (LSTMCell(3, 4, bias=False), "LSTMCell(3, 4, bias=False)"),
    (LSTM(3, 4, num_layers=2, bidirectional=True), "LSTM(3, 4, num_layers=2, bidirectional=True)"),
    (Linear(3, 4, dtype=np.float64), "Linear(3, 4, dtype='float64')"),
    (LSTMModel(3, 4, 5, readout="all"), "LSTMModel(3, 4, 5, readout='all')"),
]


@pytest.mark.parametrize(("made", "text"), OBJECTS)
def test_an_object_shows_the_call_that_makes_it_and_its_cache_is_one_line(made, text):
    assert repr(made) == text
    assert eval(text).config == made.config
    cache = made.forward(np.ones((2, 3), made.dtype))[-1]
    assert "\n" not in repr(cache)
    assert "array" not in repr(cache)


def test_help_begins_with_what_to_read_and_names_no_file_that_is_not_there():
    text = inspect.getdoc(npslstm)
    named = re.findall(r"``([a-z_/]+(?:\.py|/))``", text)
    assert named[:2] == ["gates.py", "cell.py"]
    for name in named:
        assert (PACKAGE / name).exists(), name


def test_what_is_offered_is_there_and_is_explained():
    for name in npslstm.__all__:
        assert inspect.getdoc(getattr(npslstm, name)), name
