"""The LSTMs of ONNX and Keras as their documentation defines them, each in its own layout.

Written apart from the package, for tests that have neither. Beside each stands what was read.
"""

from __future__ import annotations

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def onnx_lstm(x, layer, h_0=None, c_0=None):
    """ONNX's operator LSTM (https://onnx.ai/onnx/operators/onnx__LSTM.html), "Equations".

    x (T, N, D), states (directions, N, H). Returns Y (T, directions, N, H), Y_h, Y_c.
    """
    W, R = layer["W"], layer["R"]
    directions, _, hidden = R.shape
    zeros = np.zeros((directions, x.shape[1], hidden), x.dtype)
    B = layer.get("B", np.zeros((directions, 8 * hidden), x.dtype))
    P = layer.get("P", np.zeros((directions, 3 * hidden), x.dtype))
    h_0, c_0 = (zeros if state is None else state for state in (h_0, c_0))
    Y, Y_h, Y_c = [], [], []
    for d in range(directions):
        Wi, Wo, Wf, Wc = np.split(W[d], 4)
        Ri, Ro, Rf, Rc = np.split(R[d], 4)
        Wbi, Wbo, Wbf, Wbc, Rbi, Rbo, Rbf, Rbc = np.split(B[d], 8)
        Pi, Po, Pf = np.split(P[d], 3)
        H, C, out = h_0[d], c_0[d], []
        for X in x[::-1] if d else x:
            it = sigmoid(X @ Wi.T + H @ Ri.T + Pi * C + Wbi + Rbi)
            ft = sigmoid(X @ Wf.T + H @ Rf.T + Pf * C + Wbf + Rbf)
            if layer.get("input_forget"):  # "Couple the input and forget gates if 1"
                ft = 1 - it
            ct = np.tanh(X @ Wc.T + H @ Rc.T + Wbc + Rbc)
            C = ft * C + it * ct
            ot = sigmoid(X @ Wo.T + H @ Ro.T + Po * C + Wbo + Rbo)
            H = ot * np.tanh(C)
            out.append(H)
        Y.append(np.stack(out[::-1] if d else out))
        Y_h.append(H)
        Y_c.append(C)
    return np.stack(Y, axis=1), np.stack(Y_h), np.stack(Y_c)


def keras_lstm(x, weights, h_0=None, c_0=None):
    """Keras's layer (keras/src/layers/rnn/lstm.py, ``LSTMCell.call``), in one direction.

    x (N, T, D), states (N, H). Returns outputs (N, T, H), h, c.
    """
    kernel, recurrent, *bias = weights
    zeros = np.zeros((len(x), len(recurrent)), x.dtype)
    h, c = (zeros if state is None else state for state in (h_0, c_0))
    out = []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent + (bias[0] if bias else 0)
        z0, z1, z2, z3 = np.split(z, 4, axis=1)
        i, f = sigmoid(z0), sigmoid(z1)
        c = f * c + i * np.tanh(z2)
        h = sigmoid(z3) * np.tanh(c)
        out.append(h)
    return np.stack(out, axis=1), h, c
