"""NFG, the LSTM without a forget gate: f = 1. The rows of the weights are i, g, o.

It is the first LSTM (Hochreiter & Schmidhuber 1997), before Gers et al. (2000) added the forget
gate. Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (N6)  c           = c_prev + i ⊙ g
    (N14) ∂c/∂c_prev  = 1                                from (N6)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
from .base import Kind, Step

__all__ = ["NFG", "NoForgetGate"]


class NoForgetGate(Kind):
    """An LSTM that forgets nothing."""

    name = "nfg"
    gates = "i", "g", "o"
    names = "i", "g", "o", "c", "tanh_c", "h"
    local = "dc_dc_prev", "dc_dai", "dc_dag", "dh_dao", "dh_dc"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_g, a_o, c_prev = arguments
        i = sigmoid(a_i)  # (2)
        g = np.tanh(a_g)  # (4)
        o = sigmoid(a_o)  # (5)
        c = c_prev + i * g  # (N6)
        tanh_c = np.tanh(c)  # (7)
        h = o * tanh_c  # (8)
        return i, g, o, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14) with f = 1."""
        i, g, o, _, tanh_c, _ = step
        lstm = local_derivatives(i, np.ones_like(i), g, o, tanh_c, c_prev=before)
        return lstm.dc_dc_prev, lstm.dc_dai, lstm.dc_dag, lstm.dh_dao, lstm.dh_dc


NFG = NoForgetGate()
