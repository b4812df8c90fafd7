"""The GRU as in PyTorch and cuDNN: r multiplies what the candidate reads of h_prev, *after* W_hn.

Cho et al. (2014) multiply before. The rows of the weights are r, z, n; of the candidate the kernel
makes two pre-activations, a_x = W_in x + b_in and a_h = W_hn h_prev + b_hn::

    (G1)  r           = σ(a_r)                           reset gate
    (G2)  z           = σ(a_z)                           update gate: how much of h_prev to keep
    (G3)  n           = tanh(a_x + r ⊙ a_h)              candidate
    (G4)  h           = (1 - z) ⊙ n + z ⊙ h_prev

    (G5)  ∂h/∂a_x     = (1 - z) ⊙ (1 - n²)               from (G4), (G3)
    (G6)  ∂h/∂a_h     = (G5) ⊙ r                         from (G3)
    (G7)  ∂h/∂a_r     = (G5) ⊙ a_h ⊙ r ⊙ (1 - r)         from (G3), (G1)
    (G8)  ∂h/∂a_z     = (h_prev - n) ⊙ z ⊙ (1 - z)       from (G4), (G2)
    (G9)  ∂h/∂h_prev  = z                                from (G4), beside what goes through W_hh
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arguments import Array
from ..gates import sigmoid
from .base import Kind, Step

__all__ = ["GRU_KIND", "GatedUnit"]


class GatedUnit(Kind):
    """Reset and update gate."""

    name = "gru"
    gates = "r", "z", "n"
    inputs = "r", "z", "x", "h"
    names = "r", "z", "n", "a_h", "h"
    local = "dh_dar", "dh_daz", "dh_dax", "dh_dah", "dh_dh_prev"

    def forward(self, *arguments: Array) -> Step:
        """(G1)-(G4)."""
        a_r, a_z, a_x, a_h, h_prev = arguments
        r = sigmoid(a_r)  # (G1)
        z = sigmoid(a_z)  # (G2)
        n = np.tanh(a_x + r * a_h)  # (G3)
        h = (1 - z) * n + z * h_prev  # (G4)
        return r, z, n, a_h, h

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Step:
        """(G5)-(G9)."""
        r, z, n, a_h, _ = step
        dh_dax = (1 - z) * (1 - n * n)  # (G5)
        dh_dah = dh_dax * r  # (G6)
        dh_dar = dh_dah * a_h * (1 - r)  # (G7)
        dh_daz = (before - n) * z * (1 - z)  # (G8)
        return dh_dar, dh_daz, dh_dax, dh_dah, z  # (G9)

    def matrices(self, params: Mapping[str, Array]) -> tuple[Array, Array | None, Array]:
        """Give the candidate two blocks of rows: one reads x alone, the other h_prev alone."""
        names = [n for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if n in params]
        parts = {name: np.split(params[name], 3) for name in names}
        blank_x, blank_h = (np.zeros_like(parts[f"weight_{side}"][0]) for side in ("ih", "hh"))
        (r, z, n), (r_h, z_h, n_h) = parts["weight_ih"], parts["weight_hh"]
        bias = None
        if "bias_ih" in parts:
            (b_r, b_z, b_n), (c_r, c_z, c_n) = parts["bias_ih"], parts["bias_hh"]
            bias = np.concatenate([b_r + c_r, b_z + c_z, b_n, c_n])
        weight_hh = np.concatenate([r_h, z_h, blank_h, n_h])
        return np.concatenate([r, z, n, blank_x]), bias, weight_hh

    def named_gradients(self, *parts: Array) -> dict[str, Array]:
        """Take of each block of rows what is a parameter's."""
        blocks = [np.split(part, 4) for part in parts]  # r, z, x, h of dW_ih, db, dW_hh
        x, bias, h = (
            [np.concatenate([r, z, last]) for last in (of_x, of_h)] for r, z, of_x, of_h in blocks
        )
        return {"weight_ih": x[0], "weight_hh": h[1], "bias_ih": bias[0], "bias_hh": bias[1]}


GRU_KIND = GatedUnit()
