"""NIG, the LSTM without an input gate: i = 1. The rows of the weights are f, g, o.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (I6)  c           = f ⊙ c_prev + g
    (I13) ∂c/∂a_g     = 1 - g²                           from (I6), (4)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import sigmoid
from .base import Kind, Step

__all__ = ["NIG", "NoInputGate"]


class NoInputGate(Kind):
    """An LSTM that writes its candidate as it is."""

    name = "nig"
    gates = "f", "g", "o"
    names = "f", "g", "o", "c", "tanh_c", "h"
    local = "dc_dc_prev", "dc_daf", "dc_dag", "dh_dao", "dh_dc"

    def forward(self, *arguments: Array) -> Step:
        """(3)-(8)."""
        a_f, a_g, a_o, c_prev = arguments
        f = sigmoid(a_f)  # (3)
        g = np.tanh(a_g)  # (4)
        o = sigmoid(a_o)  # (5)
        c = f * c_prev + g  # (I6)
        tanh_c = np.tanh(c)  # (7)
        h = o * tanh_c  # (8)
        return f, g, o, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14)."""
        f, g, o, _, tanh_c, _ = step
        dh_dc = o * (1 - tanh_c * tanh_c)  # (9)
        dh_dao = tanh_c * o * (1 - o)  # (10)
        dc_daf = before * f * (1 - f)  # (12)
        dc_dag = 1 - g * g  # (I13)
        dc_dc_prev = f  # (14)
        return dc_dc_prev, dc_daf, dc_dag, dh_dao, dh_dc


NIG = NoInputGate()
