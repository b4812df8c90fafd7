"""What a seeded mistake is. Nothing here copies the code under study.

Each mistake wraps a function of it, and changes what goes in or what comes out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arguments import Array
from ..gradcheck.patching import Patch

__all__ = ["COURSE", "FROM_SCRATCH_2", "NOTEBOOK_1", "Mistake", "zeros"]


class Mistake(NamedTuple):
    """One way to be wrong."""

    what: str
    patches: tuple[Patch, ...]
    line: str = ""  # the first wrong line of the derivation, (9)-(19), where one is wrong
    public: str = ""  # where it was found
    needs: str = ""  # without which the command would not show it
    kind: str = "standard"  # of cell, that shows it: a variant of the LSTM, or "gru"

    def __str__(self) -> str:
        return self.what + (f"; breaks {self.line}" if self.line else "")


# Public code in which more than one was found.
COURSE = "published answers of a course exercise, sagarnildass/andrew_ng_deep_learning#1"
NOTEBOOK_1 = "nicklashansen/rnn_lstm_from_scratch#1"
FROM_SCRATCH_2 = "oreilly-japan/deep-learning-from-scratch-2"


def zeros(array: Array) -> Array:
    """Return zeros in place of an array."""
    return np.zeros_like(array)
