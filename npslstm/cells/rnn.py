"""The plain tanh RNN: no gate, no cell state, as ``torch.nn.RNN``.

    (R2)  h           = tanh(a_h)
    (R4)  ∂h/∂a_h     = 1 - h²                           from (R2)

Its gradient goes back one step through ∂h/∂h_prev = diag(1 - h²) W_hh, and so T steps through a
product of T such matrices; the LSTM's cell goes back through its forget gate, ``gates.py`` (14).
"""

from __future__ import annotations

import numpy as np

from ..arguments import Array
from .base import Kind, Step

__all__ = ["TANH", "Tanh"]


class Tanh(Kind):
    """One equation."""

    name = "rnn"
    gates = ("h",)
    names = ("h",)
    local = ("dh_dah",)

    def forward(self, *arguments: Array) -> Step:
        """(R2)."""
        a_h, _ = arguments
        return (np.tanh(a_h),)

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(R4)."""
        (h,) = step
        return (1 - h * h,)


TANH = Tanh()
