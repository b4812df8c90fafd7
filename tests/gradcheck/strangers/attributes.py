"""A class with an attribute a parameter, Wf and bf, and one a gradient, dWf and dbf.

One sequence of column vectors; forward takes x (T, D, 1) and returns h of every step.
"""

import numpy as np

from npslstm.gradcheck import of_object


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTM:
    def __init__(self, n_in, n_hidden):
        rng = np.random.default_rng(0)
        self.H = n_hidden
        for gate in "fico":
            setattr(self, "W" + gate, rng.normal(0, 0.5, (n_hidden, n_hidden + n_in)))
            setattr(self, "b" + gate, rng.normal(0, 0.5, (n_hidden, 1)))

    def forward(self, x):
        self.zs, self.hs, self.cs = {}, {-1: np.zeros((self.H, 1))}, {-1: np.zeros((self.H, 1))}
        self.fs, self.is_, self.gs, self.os = {}, {}, {}, {}
        for t in range(len(x)):
            z = self.zs[t] = np.vstack((self.hs[t - 1], x[t]))
            self.fs[t] = sigmoid(self.Wf @ z + self.bf)
            self.is_[t] = sigmoid(self.Wi @ z + self.bi)
            self.gs[t] = np.tanh(self.Wc @ z + self.bc)
            self.os[t] = sigmoid(self.Wo @ z + self.bo)
            self.cs[t] = self.fs[t] * self.cs[t - 1] + self.is_[t] * self.gs[t]
            self.hs[t] = self.os[t] * np.tanh(self.cs[t])
        return np.array([self.hs[t] for t in range(len(x))])

    def backward(self, dhs):
        for gate in "fico":
            setattr(self, "dW" + gate, np.zeros_like(getattr(self, "W" + gate)))
            setattr(self, "db" + gate, np.zeros_like(getattr(self, "b" + gate)))
        dh_next, dc_next, dx = np.zeros((self.H, 1)), np.zeros((self.H, 1)), []
        for t in reversed(range(len(dhs))):
            dh = dhs[t] + dh_next
            f, i, g, o = self.fs[t], self.is_[t], self.gs[t], self.os[t]
            dc = dc_next + dh * o * (1 - np.tanh(self.cs[t]) ** 2)
            do = dh * np.tanh(self.cs[t]) * o * (1 - o)
            df = dc * self.cs[t - 1] * f * (1 - f)
            di = dc * g * i * (1 - i)
            dg = dc * i * (1 - g**2)
            dz = 0
            for gate, d in zip("fico", (df, di, dg, do)):
                setattr(self, "dW" + gate, getattr(self, "dW" + gate) + d @ self.zs[t].T)
                setattr(self, "db" + gate, getattr(self, "db" + gate) + d)
                dz = dz + getattr(self, "W" + gate).T @ d
            dh_next, dc_next = dz[: self.H], f * dc
            dx.insert(0, dz[self.H :])
        return np.array(dx)


# For the check.

layer = of_object(
    lambda: LSTM(2, 3),
    params=("Wf", "Wi", "Wc", "Wo", "bf", "bi", "bc", "bo"),
    grads="d{}",
)


def example():
    return np.random.default_rng(1).normal(size=(4, 2, 1))
