"""NOAF, the LSTM without an output activation function: h = o ⊙ c.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (B8)  h           = o ⊙ c
    (B9)  ∂h/∂c       = o                                from (B8)
    (B10) ∂h/∂a_o     = c ⊙ o ⊙ (1 - o)                  from (B8), (5)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
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
        """(9)-(14), with c for tanh_c in (10), which makes it (B10)."""
        i, f, g, o, c, _ = step
        lstm = local_derivatives(i, f, g, o, c, c_prev=before)
        return lstm._replace(dh_dc=o)  # (B9)


NOAF = NoOutputActivation()
