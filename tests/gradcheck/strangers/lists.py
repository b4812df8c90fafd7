"""Lists of parameters and of gradients, which are written in place; gates f, g, i, o."""

import numpy as np

from npslstm.gradcheck import of_object


class TimeLSTM:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.h, self.c, self.dh = None, None, None

    def forward(self, xs):
        Wx, Wh, b = self.params
        N, T, _ = xs.shape
        H = Wh.shape[0]
        hs = np.empty((N, T, H), dtype="f")
        self.xs, self.caches = xs, []
        if self.h is None:
            self.h, self.c = np.zeros((N, H), dtype="f"), np.zeros((N, H), dtype="f")
        for t in range(T):
            A = np.dot(xs[:, t], Wx) + np.dot(self.h, Wh) + b
            f, g, i, o = A[:, :H], A[:, H : 2 * H], A[:, 2 * H : 3 * H], A[:, 3 * H :]
            f, g, i, o = (
                1 / (1 + np.exp(-f)),
                np.tanh(g),
                1 / (1 + np.exp(-i)),
                1 / (1 + np.exp(-o)),
            )
            c_next = f * self.c + g * i
            h_next = o * np.tanh(c_next)
            self.caches.append((self.h, self.c, f, g, i, o, c_next))
            self.h, self.c = h_next, c_next
            hs[:, t] = h_next
        return hs

    def backward(self, dhs):
        Wx, Wh, b = self.params
        dxs = np.empty_like(self.xs)
        dh, dc = 0, 0
        for grad in self.grads:
            grad[...] = 0
        for t in reversed(range(dhs.shape[1])):
            h_prev, c_prev, f, g, i, o, c_next = self.caches[t]
            tanh_c = np.tanh(c_next)
            dh = dh + dhs[:, t]
            ds = dc + dh * o * (1 - tanh_c**2)
            dc = ds * f
            di, df, do, dg = ds * g, ds * c_prev, dh * tanh_c, ds * i
            dA = np.hstack((df * f * (1 - f), dg * (1 - g**2), di * i * (1 - i), do * o * (1 - o)))
            self.grads[0] += self.xs[:, t].T @ dA
            self.grads[1] += h_prev.T @ dA
            self.grads[2] += dA.sum(axis=0)
            dxs[:, t] = dA @ Wx.T
            dh = dA @ Wh.T
        return dxs


# For the check.

rng = np.random.default_rng(0)
weights = [rng.normal(0, 0.5, shape) for shape in ((2, 12), (3, 12), (12,))]
layer = of_object(lambda: TimeLSTM(*weights), lift=True)


def example():
    return rng.normal(size=(2, 4, 2))
