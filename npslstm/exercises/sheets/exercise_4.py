"""Exercise 4: through time, forward and backward.

A sequence x is (T, N, D): T steps. Step t reads x[t] and the state that the step before it left;
the first step reads h_0 and c_0. Every h is an output, so the loss may read it; the loss may read
the last state, h_n and c_n, once more:

    doutputs (T, N, H)   ∂loss/∂outputs, as far as the loss reads them as outputs
    dh_n, dc_n (N, H)    ∂loss/∂h_n and ∂loss/∂c_n, as far as the loss reads them as the last state

One step is ready to be used, in both directions. You made it in exercises 1 to 3:

    h, c, cache = step_forward(x[t], h_prev, c_prev)                              # (1)-(14)
    dx_t, dh_prev, dc_prev, dweight_ih_t, … = step_backward(cache, dh, dc_in)     # (15)-(19)

All steps share the weights and biases. Replace each ... below. Use as many lines for it as you
like, but keep the loops over t. Then let the program look at it:

    python -m npslstm exercise check exercise_4.py
"""

import numpy as np


def sequence_forward(x, h_0, c_0, step_forward):
    h, c, caches = [h_0], [c_0], []  # h[0] is the state before step 0, h[1] the one after it
    for t in range(len(x)):
        h_prev = ...  # (1) the h that step t reads
        c_prev = ...  # (6) the c that step t reads
        h_t, c_t, cache = step_forward(x[t], h_prev, c_prev)
        h.append(h_t)
        c.append(c_t)
        caches.append(cache)
    outputs = ...  # (8) the h of every step, one array (T, N, H)
    h_n = ...  # (8) the last h
    c_n = ...  # (6) the last c
    return outputs, h_n, c_n, caches


def sequence_backward(doutputs, dh_n, dc_n, caches, step_backward):
    T = len(doutputs)
    dx, dweight_ih, dweight_hh, dbias_ih, dbias_hh = [None] * T, 0, 0, 0, 0
    dh_next = ...  # (19) what reaches the last h from behind the sequence
    dc_next = ...  # (18) what reaches the last c from behind the sequence
    order = ...  # (15) the steps t, in the order in which backward takes them
    for t in order:
        dh = ...  # (15) ∂loss/∂h of step t, from all that reads it
        dc_in = ...  # (15) ∂loss/∂c of step t, from all that reads it but its own h
        gradients = step_backward(caches[t], dh, dc_in)
        dx[t], dh_prev, dc_prev, dweight_ih_t, dweight_hh_t, dbias_ih_t, dbias_hh_t = gradients
        dh_next, dc_next = dh_prev, dc_prev  # step t is what comes next for step t - 1
        dweight_ih = ...  # (19) ∂loss/∂weight_ih, of all the steps so far
        dweight_hh = ...  # (19) ∂loss/∂weight_hh, of all the steps so far
        dbias_ih = ...  # (19) ∂loss/∂bias_ih, of all the steps so far
        dbias_hh = ...  # (19) ∂loss/∂bias_hh, of all the steps so far
    dh_0 = ...  # (19) ∂loss/∂h_0
    dc_0 = ...  # (18) ∂loss/∂c_0
    return np.array(dx), dh_0, dc_0, dweight_ih, dweight_hh, dbias_ih, dbias_hh
