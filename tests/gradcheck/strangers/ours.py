"""In our own layout, PyTorch's: weights (4H, D) and (4H, H), gates i, f, g, o, two biases."""

import numpy as np


def forward(x, weight_ih, weight_hh, bias_ih, bias_hh, h_0, c_0):
    h, c, steps = h_0, c_0, []
    for x_t in x:
        a = x_t @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
        i, f, g, o = np.split(a, 4, axis=-1)
        i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
        h_prev, c_prev, c = h, c, f * c + i * g
        h = o * np.tanh(c)
        steps.append((x_t, h_prev, c_prev, i, f, g, o, c, h))
    return np.array([step[-1] for step in steps]), h, c, (steps, weight_ih, weight_hh)


def backward(cache, dout, dh, dc):
    steps, weight_ih, weight_hh = cache
    dweight_ih, dweight_hh = np.zeros_like(weight_ih), np.zeros_like(weight_hh)
    dbias, dx = np.zeros(len(weight_ih)), []
    for (x_t, h_prev, c_prev, i, f, g, o, c, h), dout_t in zip(steps[::-1], dout[::-1]):
        dh = dh + dout_t
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da_o = dh * np.tanh(c) * o * (1 - o)
        da_i = dc * g * i * (1 - i)
        da_f = dc * c_prev * f * (1 - f)
        da_g = dc * i * (1 - g**2)
        da = np.hstack([da_i, da_f, da_g, da_o])
        dweight_ih += da.T @ x_t
        dweight_hh += da.T @ h_prev
        dbias += da.sum(axis=0)
        dx.append(da @ weight_ih)
        dh = da @ weight_hh
        dc = dc * f
    grads = {"weight_ih": dweight_ih, "weight_hh": dweight_hh, "h_0": dh, "c_0": dc}
    return np.array(dx[::-1]), {**grads, "bias_ih": dbias, "bias_hh": dbias.copy()}


# For the check.


def example():
    rng = np.random.default_rng(0)
    shapes = {"weight_ih": (12, 2), "weight_hh": (12, 3), "bias_ih": (12,), "bias_hh": (12,)}
    shapes |= {"h_0": (2, 3), "c_0": (2, 3)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return rng.normal(size=(4, 2, 2)), params
