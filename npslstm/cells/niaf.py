"""NIAF, the LSTM without an input activation function: g = a_g.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (A4)  g           = a_g
    (A13) ∂c/∂a_g     = i                                from (6), (A4)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import sigmoid
from .base import Kind, Step

__all__ = ["NIAF", "NoInputActivation"]


class NoInputActivation(Kind):
    """An LSTM whose candidate is not squashed."""

    name = "niaf"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_f, a_g, a_o, c_prev = arguments
        i = sigmoid(a_i)  # (2)
        f = sigmoid(a_f)  # (3)
        g = a_g  # (A4)
        o = sigmoid(a_o)  # (5)
        c = f * c_prev + i * g  # (6)
        tanh_c = np.tanh(c)  # (7)
        h = o * tanh_c  # (8)
        return i, f, g, o, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14)."""
        i, f, g, o, _, tanh_c, _ = step
        dh_dc = o * (1 - tanh_c * tanh_c)  # (9)
        dh_dao = tanh_c * o * (1 - o)  # (10)
        dc_dai = g * i * (1 - i)  # (11)
        dc_daf = before * f * (1 - f)  # (12)
        dc_dag = i  # (A13)
        dc_dc_prev = f  # (14)
        return dc_dc_prev, dc_dai, dc_daf, dc_dag, dh_dao, dh_dc


NIAF = NoInputActivation()
