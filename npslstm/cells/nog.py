"""NOG, the LSTM without an output gate: o = 1. The rows of the weights are i, f, g.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (O8)  h           = tanh_c
    (O9)  ∂h/∂c       = 1 - tanh_c²                      from (O8), (7)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
from .base import Kind, Step

__all__ = ["NOG", "NoOutputGate"]


class NoOutputGate(Kind):
    """An LSTM that shows all of its memory."""

    name = "nog"
    gates = "i", "f", "g"
    names = "i", "f", "g", "c", "tanh_c", "h"
    local = "dc_dc_prev", "dc_dai", "dc_daf", "dc_dag", "dh_dc"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_f, a_g, c_prev = arguments
        i = sigmoid(a_i)  # (2)
        f = sigmoid(a_f)  # (3)
        g = np.tanh(a_g)  # (4)
        c = f * c_prev + i * g  # (6)
        tanh_c = np.tanh(c)  # (7)
        h = tanh_c  # (O8)
        return i, f, g, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14) with o = 1."""
        i, f, g, _, tanh_c, _ = step
        lstm = local_derivatives(i, f, g, np.ones_like(i), tanh_c, c_prev=before)
        return lstm.dc_dc_prev, lstm.dc_dai, lstm.dc_daf, lstm.dc_dag, lstm.dh_dc


NOG = NoOutputGate()
