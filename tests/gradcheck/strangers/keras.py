"""In the order of Keras: kernel, recurrent_kernel and bias with gates i, f, c, o, batch first.

A layer that keeps its parameters in a dict and its gradients in another.
"""

import numpy as np

from npslstm.gradcheck import of_object


class LSTMLayer:
    def __init__(self, units, features, rng):
        self.params = {
            "kernel": rng.normal(0, 0.5, (features, 4 * units)),
            "recurrent_kernel": rng.normal(0, 0.5, (units, 4 * units)),
            "bias": rng.normal(0, 0.5, 4 * units),
        }
        self.grads = {}

    def forward(self, inputs):
        kernel, recurrent, bias = self.params.values()
        self.inputs = inputs
        h = c = 0 * inputs[:, 0, :1] + np.zeros(len(recurrent))
        self.steps, outputs = [], []
        for t in range(inputs.shape[1]):
            z = inputs[:, t] @ kernel + h @ recurrent + bias
            z_i, z_f, z_c, z_o = np.split(z, 4, axis=-1)
            i, f, o = (1 / (1 + np.exp(-z)) for z in (z_i, z_f, z_o))
            candidate = np.tanh(z_c)
            h_tm1, c_tm1, c = h, c, f * c + i * candidate
            h = o * np.tanh(c)
            self.steps.append((h_tm1, c_tm1, i, f, candidate, o, c, h))
            outputs.append(h)
        return np.stack(outputs, axis=1)

    def backward(self, doutputs):
        kernel, recurrent, _ = self.params.values()
        grads = {name: np.zeros_like(param) for name, param in self.params.items()}
        dinputs = np.zeros_like(self.inputs)
        dh = dc = np.zeros_like(doutputs[:, 0])
        for t in reversed(range(len(self.steps))):
            h_tm1, c_tm1, i, f, candidate, o, c, h = self.steps[t]
            dh = dh + doutputs[:, t]
            dc = dc + dh * o * (1 - np.tanh(c) ** 2)
            dz_i = dc * candidate * i * (1 - i)
            dz_f = dc * c_tm1 * f * (1 - f)
            dz_c = dc * i * (1 - candidate**2)
            dz_o = dh * np.tanh(c) * o * (1 - o)
            dz = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=-1)
            grads["kernel"] += self.inputs[:, t].T @ dz
            grads["recurrent_kernel"] += h_tm1.T @ dz
            grads["bias"] += dz.sum(axis=0)
            dinputs[:, t] = dz @ kernel.T
            dh = dz @ recurrent.T
            dc = dc * f
        self.grads = grads
        return dinputs


# For the check.

layer = of_object(lambda: LSTMLayer(3, 2, np.random.default_rng(0)), params="params", lift=True)


def example():
    return np.random.default_rng(1).normal(size=(2, 4, 2))
