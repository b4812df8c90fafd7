"""In the style of a course's exercise: columns are examples, Wf, Wi, Wc, Wo on [a; x], gates apart.

x is (n_x, m, T_x); the outputs are a and c of every step.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_cell_forward(xt, a_prev, c_prev, parameters):
    concat = np.concatenate([a_prev, xt], axis=0)
    ft = sigmoid(parameters["Wf"] @ concat + parameters["bf"])
    it = sigmoid(parameters["Wi"] @ concat + parameters["bi"])
    cct = np.tanh(parameters["Wc"] @ concat + parameters["bc"])
    c_next = ft * c_prev + it * cct
    ot = sigmoid(parameters["Wo"] @ concat + parameters["bo"])
    a_next = ot * np.tanh(c_next)
    return a_next, c_next, (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters)


def lstm_forward(x, a0, parameters):
    a_next, c_next, caches, a, c = a0, np.zeros_like(a0), [], [], []
    for t in range(x.shape[2]):
        a_next, c_next, cache = lstm_cell_forward(x[:, :, t], a_next, c_next, parameters)
        a.append(a_next)
        c.append(c_next)
        caches.append(cache)
    return np.stack(a, axis=2), np.stack(c, axis=2), caches


def lstm_cell_backward(da_next, dc_next, cache):
    a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters = cache
    n_a = len(a_next)
    dot = da_next * np.tanh(c_next) * ot * (1 - ot)
    dc = dc_next + ot * (1 - np.tanh(c_next) ** 2) * da_next
    dcct = dc * it * (1 - cct**2)
    dit = dc * cct * it * (1 - it)
    dft = dc * c_prev * ft * (1 - ft)
    concat = np.concatenate([a_prev, xt], axis=0)
    grads, dconcat = {}, 0
    for gate, d in zip("fico", (dft, dit, dcct, dot), strict=True):
        grads["W" + gate] = d @ concat.T
        grads["b" + gate] = d.sum(axis=1, keepdims=True)
        dconcat = dconcat + parameters["W" + gate].T @ d
    return dconcat[n_a:], dconcat[:n_a], dc * ft, grads


def lstm_backward(da, dc, caches):
    parameters = caches[0][-1]
    grads = {name: np.zeros_like(array) for name, array in parameters.items()}
    dx = np.zeros((*caches[0][8].shape, len(caches)))
    da_prev, dc_prev = np.zeros_like(da[:, :, 0]), np.zeros_like(da[:, :, 0])
    for t in reversed(range(len(caches))):
        dx[:, :, t], da_prev, dc_prev, step = lstm_cell_backward(
            da[:, :, t] + da_prev, dc[:, :, t] + dc_prev, caches[t]
        )
        for name in grads:
            grads[name] += step[name]
    return {"x": dx, "a0": da_prev, **grads}


# For the check.


def forward(x, a0, **parameters):
    return lstm_forward(x, a0, parameters)


def backward(caches, da, dc):
    return lstm_backward(da, dc, caches)


def example():
    rng = np.random.default_rng(0)
    params = {"a0": rng.normal(size=(3, 2))}
    params |= {"W" + gate: rng.normal(size=(3, 3 + 2)) for gate in "fico"}
    params |= {"b" + gate: rng.normal(size=(3, 1)) for gate in "fico"}
    return rng.normal(size=(2, 2, 4)), params, {"lift": True}
