"""A layer with W_diff beside W, whose buffers are float32 and allocated before the first call."""

import numpy as np

from npslstm.gradcheck import of_object


class Layer:
    def __init__(self, features, units, steps, rows):
        rng = np.random.default_rng(0)
        self.W = rng.normal(0, 0.5, (features + units + 1, 4 * units)).astype(np.float32)
        self.W_diff = np.zeros_like(self.W)
        self.c = np.zeros((steps + 1, rows, units), dtype=np.float32)
        self.h = np.zeros((steps + 1, rows, units), dtype=np.float32)
        self.gates = np.zeros((steps, rows, 4 * units), dtype=np.float32)
        self.tops = np.ones((steps, rows, features + units + 1), dtype=np.float32)

    def forward(self, x):
        for t in range(len(x)):
            self.tops[t, :, : x.shape[2]] = x[t]
            self.tops[t, :, x.shape[2] : -1] = self.h[t]
            o, g, f, i = np.split(self.tops[t] @ self.W, 4, axis=1)
            i, f, o, g = (
                1 / (1 + np.exp(-i)),
                1 / (1 + np.exp(-f)),
                1 / (1 + np.exp(-o)),
                np.tanh(g),
            )
            self.gates[t] = np.hstack([o, g, f, i])
            self.c[t + 1] = f * self.c[t] + i * g
            self.h[t + 1] = o * np.tanh(self.c[t + 1])
        return self.h[1:]

    def backward(self, top_diff):
        dh, dc, bottom_diff = 0, 0, np.zeros((*top_diff.shape[:2], len(self.W)), dtype=np.float32)
        for t in reversed(range(len(top_diff))):
            o, g, f, i = np.split(self.gates[t], 4, axis=1)
            tanh_c = np.tanh(self.c[t + 1])
            dh = dh + top_diff[t]
            dc = dc + dh * o * (1 - tanh_c**2)
            d = np.hstack(
                [
                    dh * tanh_c * o * (1 - o),
                    dc * i * (1 - g**2),
                    dc * self.c[t] * f * (1 - f),
                    dc * g * i * (1 - i),
                ]
            )
            self.W_diff += self.tops[t].T @ d
            bottom_diff[t] = d @ self.W.T
            dh = bottom_diff[t, :, -1 - dh.shape[1] : -1]
            dc = dc * f
        return bottom_diff[:, :, : -1 - dh.shape[1]]


# For the check.

layer = of_object(lambda: Layer(2, 3, 4, 2), params=("W",), grads="{}_diff", lift=True)


def example():
    return np.random.default_rng(1).normal(size=(4, 2, 2))
