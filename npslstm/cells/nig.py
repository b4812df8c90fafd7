"""NIG, the LSTM without an input gate: i = 1. The rows of the weights are f, g, o.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (I6)  c           = f ⊙ c_prev + g
    (I13) ∂c/∂a_g     = 1 - g²                           from (I6), (4)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
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
        """(9)-(14) with i = 1."""
        f, g, o, _, tanh_c, _ = step
        lstm = local_derivatives(np.ones_like(f), f, g, o, tanh_c, c_prev=before)
        return lstm.dc_dc_prev, lstm.dc_daf, lstm.dc_dag, lstm.dh_dao, lstm.dh_dc


NIG = NoInputGate()
