"""NIAF, the LSTM without an input activation function: g = a_g.

Greff et al. (2017) have it with peepholes; here it is without, like the standard LSTM::

    (A4)  g           = a_g
    (A13) ∂c/∂a_g     = i                                from (6), (A4)
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
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
        """(9)-(14), but for (13)."""
        i, f, g, o, _, tanh_c, _ = step
        lstm = local_derivatives(i, f, g, o, tanh_c, c_prev=before)
        return lstm._replace(dc_dag=i)  # (A13)


NIAF = NoInputActivation()
