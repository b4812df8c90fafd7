"""``summary``: the bytes that it says, against what a cache of a real batch holds."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from owned import alignment, buffers

from npslstm import LSTM, LSTMModel, summary


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 3, "bias": False}, {"bidirectional": True, "batch_first": True}]
)
def test_a_summary_counts_what_is_there(options, dtype):
    lstm = LSTM(5, 7, **options, dtype=dtype, rng=0)
    text = summary(lstm)
    for name, param in lstm.params.items():
        shape = re.escape(str(param.shape))
        assert re.search(rf"^{name} +{shape} +{param.size}$", text, re.MULTILINE)
    total = sum(param.size for param in lstm.params.values())
    size = total * np.dtype(dtype).itemsize
    assert f"{total:,} parameters, {size:,} bytes" in text
    # What a whole batch keeps is that, for each of its steps and sequences.
    steps, rows = 9, 4
    shape = (rows, steps, 5) if lstm.batch_first else (steps, rows, 5)
    *_, cache = lstm.forward(np.zeros(shape, dtype))
    kept = sum({id(array): array.nbytes for array in buffers(cache)}.values())
    [said] = re.findall(r"kept for backward: ([\d,]+) bytes a step", text)
    assert int(said.replace(",", "")) * steps * rows == kept - alignment(cache)


def test_the_summary_of_a_model_has_its_head_and_that_of_other_objects_what_they_have():
    text = summary(LSTMModel(3, 5, 4, bidirectional=True))
    assert re.search(r"^head\.weight +\(4, 10\) +40$", text, re.MULTILINE)
    other = SimpleNamespace(params={"w": np.zeros((2, 3))})
    assert summary(other).split()[-4:] == ["6", "parameters,", "48", "bytes"]
