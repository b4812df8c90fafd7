"""CIFG, the LSTM with coupled input and forget gate: what is written is forgotten, f = 1 - i.

A quarter fewer parameters: the rows of the weights are i, g, o. Greff et al. (2017) have it with
peepholes; here it is without, like the standard LSTM::

    (F6)  c           = (1 - i) ⊙ c_prev + i ⊙ g
    (F11) ∂c/∂a_i     = (g - c_prev) ⊙ i ⊙ (1 - i)       from (F6), (2); it is (11) - (12)
    (F14) ∂c/∂c_prev  = 1 - i                            from (F6)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
from .base import Kind, Step

__all__ = ["CIFG", "CoupledGates"]


class CoupledGates(Kind):
    """An LSTM without a forget gate of its own."""

    name = "cifg"
    gates = "i", "g", "o"
    names = "i", "g", "o", "c", "tanh_c", "h"
    local = "dc_dc_prev", "dc_dai", "dc_dag", "dh_dao", "dh_dc"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_g, a_o, c_prev = arguments
        i = sigmoid(a_i)  # (2)
        g = np.tanh(a_g)  # (4)
        o = sigmoid(a_o)  # (5)
        c = (1 - i) * c_prev + i * g  # (F6)
        tanh_c = np.tanh(c)  # (7)
        h = o * tanh_c  # (8)
        return i, g, o, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14) with f = 1 - i, where c reads a_i twice."""
        i, g, o, _, tanh_c, _ = step
        lstm = local_derivatives(i, 1 - i, g, o, tanh_c, c_prev=before)
        dc_dai = lstm.dc_dai - lstm.dc_daf  # (F11)
        return lstm.dc_dc_prev, dc_dai, lstm.dc_dag, lstm.dh_dao, lstm.dh_dc


CIFG = CoupledGates()
