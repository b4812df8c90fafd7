"""Exercise 7: one step of a GRU, backward.

A GRU (Cho et al. 2014), in the form that PyTorch has. It keeps one state, h, and two gates:

    (1)  a_x = x W_ihᵀ + b_ih              (N, 3H), blocks in the order r, z, n
    (2)  a_h = h_prev W_hhᵀ + b_hh         (N, 3H), likewise
    (3)  r   = σ(a_xr + a_hr)              reset gate: how much of the old state n may see
    (4)  z   = σ(a_xz + a_hz)              update gate: how much of the old state to keep
    (5)  n   = tanh(a_xn + r ⊙ a_hn)       new candidate
    (6)  h   = (1 - z) ⊙ n + z ⊙ h_prev

dh = ∂loss/∂h arrives from outside. Write da_r for the gradient of the sum that σ reads in (3), da_z
for that in (4) and da_n for the sum that tanh reads in (5); da_hn is ∂loss/∂a_hn. weight_ih is
(3H, D), weight_hh (3H, H), each bias (3H,); all N rows share them. The rest is (N, H).

Replace each ... below. Use as many lines for it as you like. Then let the program look at it:

    python -m npslstm exercise check exercise_7.py
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gru_forward(x, h_prev, weight_ih, weight_hh, bias_ih, bias_hh):
    """Compute one step. This is given: read it, and then go back line by line."""
    a_xr, a_xz, a_xn = np.split(x @ weight_ih.T + bias_ih, 3, axis=1)  # (1)
    a_hr, a_hz, a_hn = np.split(h_prev @ weight_hh.T + bias_hh, 3, axis=1)  # (2)
    r = sigmoid(a_xr + a_hr)  # (3)
    z = sigmoid(a_xz + a_hz)  # (4)
    n = np.tanh(a_xn + r * a_hn)  # (5)
    h = (1 - z) * n + z * h_prev  # (6)
    return r, z, n, a_hn, h


def gru_backward(dh, x, h_prev, r, z, n, a_hn, h, weight_ih, weight_hh):
    dn = ...  # (7) ∂loss/∂n
    dz = ...  # (8) ∂loss/∂z
    da_n = ...  # (9) through the tanh of (5)
    dr = ...  # (10) ∂loss/∂r
    da_hn = ...  # (11) ∂loss/∂a_hn
    da_r = ...  # (12) through the σ of (3)
    da_z = ...  # (13) through the σ of (4)
    da_x = np.concatenate([da_r, da_z, da_n], axis=1)  # (N, 3H), ∂loss/∂a_x
    da_h = np.concatenate([da_r, da_z, da_hn], axis=1)  # (N, 3H), ∂loss/∂a_h
    dh_prev = ...  # (14) ∂loss/∂h_prev
    dx = ...  # (15) ∂loss/∂x
    dweight_hh = ...  # (15) ∂loss/∂weight_hh
    dweight_ih = ...  # (15) ∂loss/∂weight_ih
    dbias_ih = ...  # (15) ∂loss/∂bias_ih
    dbias_hh = ...  # (15) ∂loss/∂bias_hh
    return dx, dh_prev, dweight_ih, dweight_hh, dbias_ih, dbias_hh
