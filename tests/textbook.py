"""The LSTM one number at a time, straight from equations (1)-(8): the independent reference.

It imports nothing of the package and knows no arrays, no batch, no padding and no gradient. A
vector is a list of numbers, a matrix a list of rows, a sequence a list of vectors; a batch is a
loop over its rows, outside. The numbers may be of any kind: ``m`` is the module whose ``exp`` and
``tanh`` fit them, ``math``, ``cmath`` or ``mpmath``.
"""

from __future__ import annotations

import math


def dot(u, v):
    return sum(p * q for p, q in zip(u, v, strict=True))


def linear(x, weight, bias=None):
    y = [dot(row, x) for row in weight]
    return y if bias is None else [p + q for p, q in zip(y, bias, strict=True)]


def sigmoid(z, m=math):
    if z.real >= 0:
        return 1 / (1 + m.exp(-z))
    return m.exp(z) / (1 + m.exp(z))  # the same number; exp(-z) could overflow


def cell(x, h_prev, c_prev, params, m=math):
    """One step; params are ``weight_ih``, ``weight_hh`` and perhaps ``bias_ih``, ``bias_hh``."""
    from_x = linear(x, params["weight_ih"], params.get("bias_ih"))
    from_h = linear(h_prev, params["weight_hh"], params.get("bias_hh"))
    a = [p + q for p, q in zip(from_x, from_h, strict=True)]  # (1)
    hidden = len(h_prev)
    h, c = [], []
    for j in range(hidden):
        i = sigmoid(a[j], m)  # (2)
        f = sigmoid(a[hidden + j], m)  # (3)
        g = m.tanh(a[2 * hidden + j])  # (4)
        o = sigmoid(a[3 * hidden + j], m)  # (5)
        c.append(f * c_prev[j] + i * g)  # (6)
        h.append(o * m.tanh(c[j]))  # (7), (8)
    return h, c


def layer(xs, h, c, params, m=math):
    """All steps of one layer in one direction: h of every step, and the last (h, c)."""
    out = []
    for x in xs:
        h, c = cell(x, h, c, params, m)
        out.append(h)
    return out, h, c


def lstm(xs, h_0, c_0, params, length=None, masks=(), m=math):
    """One sequence through every layer and direction, as ``torch.nn.LSTM`` stacks them.

    The numbers of layers and directions are read off the names of ``params``. Only the first
    ``length`` vectors of ``xs`` are a sequence; the output after them is 0. ``masks`` holds, for
    each layer but the last, what its outputs are multiplied by on their way up.
    """
    suffixes = ["", "_reverse"] if "weight_hh_l0_reverse" in params else [""]
    layers = sum(name.startswith("weight_hh") for name in params) // len(suffixes)
    steps = len(xs)
    xs = xs[:length]
    h_n, c_n = [], []
    for k in range(layers):
        if k and masks:
            pairs = zip(xs, masks[k - 1], strict=False)
            xs = [[p * q for p, q in zip(x, mask, strict=True)] for x, mask in pairs]
        sides = []
        for suffix in suffixes:
            ending, state = f"_l{k}{suffix}", len(h_n)
            own = {n.removesuffix(ending): p for n, p in params.items() if n.endswith(ending)}
            order = -1 if suffix else 1  # the reverse direction reads from the end
            out, h, c = layer(xs[::order], h_0[state], c_0[state], own, m)
            sides.append(out[::order])
            h_n.append(h)
            c_n.append(c)
        xs = [[p for h in both for p in h] for both in zip(*sides, strict=True)]
    width = len(suffixes) * len(h_0[0])
    return xs + [[0] * width] * (steps - len(xs)), h_n, c_n
