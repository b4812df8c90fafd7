"""Exercise 2: the six local derivatives of an LSTM step.

Forward was

    (2)  i = σ(a_i)      (3)  f = σ(a_f)      (4)  g = tanh(a_g)      (5)  o = σ(a_o)
    (6)  c = f ⊙ c_prev + i ⊙ g      (7)  tanh_c = tanh(c)      (8)  h = o ⊙ tanh_c

Each derivative below belongs to one of these lines, with everything else in it held fixed: in
∂h/∂c, for one, o does not move. All arrays are (N, H). An entry of the result says what the same
entry of the one does to the other, so no sum is needed. Two facts are: σ′ = σ (1 - σ), and
tanh′ = 1 - tanh². All that you need has been computed by the forward step and is given.

Replace each ... below. Use as many lines for it as you like. Then let the program look at it:

    python -m npslstm exercise check exercise_2.py
"""

import numpy as np


def local_derivatives(x, h_prev, c_prev, i, f, g, o, c, tanh_c, h):
    dh_dc = ...  # (9) ∂h/∂c
    dh_dao = ...  # (10) ∂h/∂a_o
    dc_dai = ...  # (11) ∂c/∂a_i
    dc_daf = ...  # (12) ∂c/∂a_f
    dc_dag = ...  # (13) ∂c/∂a_g
    dc_dc_prev = ...  # (14) ∂c/∂c_prev
    return dh_dc, dh_dao, dc_dai, dc_daf, dc_dag, dc_dc_prev
