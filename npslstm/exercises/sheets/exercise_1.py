"""Exercise 1: one LSTM step, forward.

    (1)  a      = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh
    (2)  i      = σ(a_i)                 input gate: how much of the candidate to write
    (3)  f      = σ(a_f)                 forget gate: how much of the old memory to keep
    (4)  g      = tanh(a_g)              candidate memory
    (5)  o      = σ(a_o)                 output gate: how much of the memory to show
    (6)  c      = f ⊙ c_prev + i ⊙ g     cell state, the memory
    (7)  tanh_c = tanh(c)
    (8)  h      = o ⊙ tanh_c             hidden state, what others see

x is (N, D): N rows of a batch. h_prev, c_prev and all results are (N, H), but a is (N, 4H).
weight_ih is (4H, D), weight_hh (4H, H), each bias (4H,). ⊙ multiplies entry by entry.

Replace each ... below. Use as many lines for it as you like. Then let the program look at it:

    python -m npslstm exercise check exercise_1.py
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def step_forward(x, h_prev, c_prev, weight_ih, weight_hh, bias_ih, bias_hh):
    a = ...  # (1) all pre-activations, side by side
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i = ...  # (2) input gate
    f = ...  # (3) forget gate
    g = ...  # (4) candidate memory
    o = ...  # (5) output gate
    c = ...  # (6) cell state
    tanh_c = ...  # (7) tanh of the cell state
    h = ...  # (8) hidden state
    return a, i, f, g, o, c, tanh_c, h
