"""In the style of a batched LSTM by Karpathy: one matrix over [1 x h], gates i, f, o, g."""

import numpy as np


class LSTM:
    @staticmethod
    def forward(X, WLSTM, c0, h0):
        n, b, input_size = X.shape
        d = WLSTM.shape[1] // 4
        Hin = np.zeros((n, b, WLSTM.shape[0]))
        Hout, C, Ct = np.zeros((n, b, d)), np.zeros((n, b, d)), np.zeros((n, b, d))
        IFOGf = np.zeros((n, b, 4 * d))
        for t in range(n):
            Hin[t, :, 0] = 1
            Hin[t, :, 1 : 1 + input_size] = X[t]
            Hin[t, :, 1 + input_size :] = Hout[t - 1] if t else h0
            IFOG = Hin[t].dot(WLSTM)
            IFOGf[t, :, : 3 * d] = 1 / (1 + np.exp(-IFOG[:, : 3 * d]))
            IFOGf[t, :, 3 * d :] = np.tanh(IFOG[:, 3 * d :])
            i, f, o, g = np.split(IFOGf[t], 4, axis=1)
            C[t] = i * g + f * (C[t - 1] if t else c0)
            Ct[t] = np.tanh(C[t])
            Hout[t] = o * Ct[t]
        return Hout, C[-1], Hout[-1], (WLSTM, Hout, IFOGf, C, Ct, Hin, c0)

    @staticmethod
    def backward(dHout_in, cache, dcn, dhn):
        WLSTM, Hout, IFOGf, C, Ct, Hin, c0 = cache
        n, b, d = Hout.shape
        input_size = WLSTM.shape[0] - d - 1
        dHout, dC = dHout_in.copy(), np.zeros_like(C)
        dHin, dWLSTM, dX = np.zeros_like(Hin), np.zeros_like(WLSTM), np.zeros((n, b, input_size))
        dHout[-1] += dhn
        dC[-1] += dcn
        for t in reversed(range(n)):
            i, f, o, g = np.split(IFOGf[t], 4, axis=1)
            c_prev = C[t - 1] if t else c0
            do = Ct[t] * dHout[t]
            dC[t] += (1 - Ct[t] ** 2) * (o * dHout[t])
            df = c_prev * dC[t]
            dc_prev = f * dC[t]
            di, dg = g * dC[t], i * dC[t]
            dIFOG = np.hstack(
                [di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]
            )
            dWLSTM += Hin[t].T.dot(dIFOG)
            dHin[t] = dIFOG.dot(WLSTM.T)
            dX[t] = dHin[t, :, 1 : 1 + input_size]
            dh_prev = dHin[t, :, 1 + input_size :]
            if t:
                dC[t - 1] += dc_prev
                dHout[t - 1] += dh_prev
        return dX, dWLSTM, dc_prev, dh_prev


# For the check.

forward = LSTM.forward


def backward(cache, dHout, dcn, dhn):
    return LSTM.backward(dHout, cache, dcn, dhn)


def example():
    rng = np.random.default_rng(0)
    shapes = {"WLSTM": (1 + 2 + 3, 12), "c0": (2, 3), "h0": (2, 3)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return rng.normal(size=(4, 2, 2)), params, {"names": ("x", "WLSTM", "c0", "h0"), "lift": True}
