"""Exercise 3: one LSTM step, backward.

The loss is a number that depends on h and on c. Write dz for ∂loss/∂z; dz has the shape of z.
Two gradients arrive from outside:

    dh      (N, H)  from everything that reads h
    dc_in   (N, H)  from the next step, which reads c

The chain rule carries them back to all that the step read. The six local derivatives of exercise 2
are given, and so is everything that forward computed:

    (1)  a = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh      (N, 4H), blocks in the order i, f, g, o
    (6)  c = f ⊙ c_prev + i ⊙ g                        (N, H)
    (8)  h = o ⊙ tanh(c)                               (N, H)

weight_ih is (4H, D), weight_hh (4H, H), each bias (4H,); all N rows share them.

Replace each ... below. Use as many lines for it as you like. Then let the program look at it:

    python -m npslstm exercise check exercise_3.py
"""

import numpy as np


def step_backward(
    dh, dc_in, x, h_prev, c_prev, i, f, g, o, c, tanh_c, h, weight_ih, weight_hh,
    dh_dc, dh_dao, dc_dai, dc_daf, dc_dag, dc_dc_prev,
):  # fmt: skip
    dc = ...  # (15) ∂loss/∂c
    da_o = ...  # (16) ∂loss/∂a_o
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
    return dx, dh_prev, dc_prev, dweight_ih, dweight_hh, dbias_ih, dbias_hh
