"""Exercise 6: one step of a peephole LSTM, backward.

In a peephole LSTM (Gers & Schmidhuber 2000) the gates look at the cell state, through one weight a
unit. Three of the equations change; all others are as they were:

    (2)  i = σ(a_i + weight_ci ⊙ c_prev)
    (3)  f = σ(a_f + weight_cf ⊙ c_prev)
    (5)  o = σ(a_o + weight_co ⊙ c)          the new c: o is computed after it

So c_prev is read three times, and c three times. da_i is still ∂loss/∂a_i, and so on.

The six local derivatives are given, each from one forward line with everything else held fixed, as
in exercise 2: in dh_dc, for one, o does not move. Each peephole weight is (H,), and all N rows
share it. The rest has the shapes of exercise 3.

Replace each ... below. Use as many lines for it as you like. Then let the program look at it:

    python -m npslstm exercise check exercise_6.py
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def peephole_forward(
    x, h_prev, c_prev, weight_ih, weight_hh, bias_ih, bias_hh, weight_ci, weight_cf, weight_co
):
    """Compute one step. This is given: read it, and then go back line by line."""
    a = x @ weight_ih.T + bias_ih + h_prev @ weight_hh.T + bias_hh  # (1)
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i = sigmoid(a_i + weight_ci * c_prev)  # (2)
    f = sigmoid(a_f + weight_cf * c_prev)  # (3)
    g = np.tanh(a_g)  # (4)
    c = f * c_prev + i * g  # (6)
    o = sigmoid(a_o + weight_co * c)  # (5)
    tanh_c = np.tanh(c)  # (7)
    h = o * tanh_c  # (8)
    return i, f, g, o, c, tanh_c, h


def peephole_backward(
    dh, dc_in, x, h_prev, c_prev, i, f, g, o, c, tanh_c, h, weight_ih, weight_hh,
    weight_ci, weight_cf, weight_co, dh_dc, dh_dao, dc_dai, dc_daf, dc_dag, dc_dc_prev,
):  # fmt: skip
    da_o = ...  # (16) ∂loss/∂a_o
    dc = ...  # (15) ∂loss/∂c
    da_i = ...  # (17) ∂loss/∂a_i
    da_f = ...  # (17) ∂loss/∂a_f
    da_g = ...  # (17) ∂loss/∂a_g
    dc_prev = ...  # (18) ∂loss/∂c_prev
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)  # (N, 4H)
    dh_prev = ...  # (19) ∂loss/∂h_prev
    dx = ...  # (19) ∂loss/∂x
    dweight_hh = ...  # (19) ∂loss/∂weight_hh
    dweight_ih = ...  # (19) ∂loss/∂weight_ih
    dbias_ih = ...  # (19) ∂loss/∂bias_ih
    dbias_hh = ...  # (19) ∂loss/∂bias_hh
    dweight_ci = ...  # (20) ∂loss/∂weight_ci
    dweight_cf = ...  # (20) ∂loss/∂weight_cf
    dweight_co = ...  # (20) ∂loss/∂weight_co
    return (
        dx, dh_prev, dc_prev, dweight_ih, dweight_hh, dbias_ih, dbias_hh,
        dweight_ci, dweight_cf, dweight_co,
    )  # fmt: skip
