"""NOAF, the LSTM without an output activation function: h = o ⊙ c.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (B8)  h           = o ⊙ c
    (B9)  ∂h/∂c       = o                                from (B8)
    (B10) ∂h/∂a_o     = c ⊙ o ⊙ (1 - o)                  from (B8), (5)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import sigmoid
from .base import Kind, Step

__all__ = ["NOAF", "NoOutputActivation"]


class NoOutputActivation(Kind):
    """An LSTM that shows its memory without squashing it."""

    name = "noaf"
    names = "i", "f", "g", "o", "c", "h"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_f, a_g, a_o, c_prev = arguments
        i = sigmoid(a_i)  # (2)
        f = sigmoid(a_f)  # (3)
        g = np.tanh(a_g)  # (4)
        o = sigmoid(a_o)  # (5)
        c = f * c_prev + i * g  # (6)
        h = o * c  # (B8)
        return i, f, g, o, c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14)."""
        i, f, g, o, c, _ = step
        dh_dc = o  # (B9)
        dh_dao = c * o * (1 - o)  # (B10)
        dc_dai = g * i * (1 - i)  # (11)
        dc_daf = before * f * (1 - f)  # (12)
        dc_dag = i * (1 - g * g)  # (13)
        dc_dc_prev = f  # (14)
        return dc_dc_prev, dc_dai, dc_daf, dc_dag, dh_dao, dh_dc


NOAF = NoOutputActivation()
