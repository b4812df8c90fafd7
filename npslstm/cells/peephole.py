"""The peephole LSTM: the gates see the cell state, each unit its own.

Gers & Schmidhuber (2000); ONNX's operator. i and f see the old memory, o the new one::

    (P2)  i           = σ(a_i + p_i ⊙ c_prev)
    (P3)  f           = σ(a_f + p_f ⊙ c_prev)
    (P5)  o           = σ(a_o + p_o ⊙ c)

The rest is the standard LSTM's. c_prev and c are read in more places, so two slopes gain terms::

    (P9)  ∂h/∂c       = o ⊙ (1 - tanh_c²) + p_o ⊙ (10)
    (P14) ∂c/∂c_prev  = f + p_i ⊙ (11) + p_f ⊙ (12)
    (P20) dp_i        = Σ da_i ⊙ c_prev,   dp_f = Σ da_f ⊙ c_prev,   dp_o = Σ da_o ⊙ c

p_i, p_f and p_o are the parameters ``weight_ci``, ``weight_cf`` and ``weight_co``, (H,) each. Greff
et al. (2017) call this one the vanilla LSTM, and without peepholes, the standard one here, "NP".
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from ..gates import local_derivatives, sigmoid
from .base import Kind, Step

__all__ = ["PEEPHOLE", "Peephole"]


class Peephole(Kind):
    """An LSTM whose gates see the cell state."""

    name = "peephole"
    extra = "weight_ci", "weight_cf", "weight_co"

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        a_i, a_f, a_g, a_o, c_prev, p_i, p_f, p_o = arguments
        i = sigmoid(a_i + p_i * c_prev)  # (P2)
        f = sigmoid(a_f + p_f * c_prev)  # (P3)
        g = np.tanh(a_g)  # (4)
        c = f * c_prev + i * g  # (6)
        o = sigmoid(a_o + p_o * c)  # (P5)
        tanh_c = np.tanh(c)  # (7)
        h = o * tanh_c  # (8)
        return i, f, g, o, c, tanh_c, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(9)-(14)."""
        i, f, g, o, _, tanh_c, _ = step
        p_i, p_f, p_o = extra
        lstm = local_derivatives(i, f, g, o, tanh_c, c_prev=before)
        dh_dc = lstm.dh_dc + p_o * lstm.dh_dao  # (P9)
        dc_dc_prev = f + p_i * lstm.dc_dai + p_f * lstm.dc_daf  # (P14)
        return lstm._replace(dh_dc=dh_dc, dc_dc_prev=dc_dc_prev)

    def extra_gradients(self, da: Step, c_prev: Array, c: Array) -> Step:
        """(P20)."""
        da_i, da_f, _, da_o = da
        return da_i * c_prev, da_f * c_prev, da_o * c


PEEPHOLE = Peephole()
