"""Every kind of cell one number at a time, straight from the equations: the independent reference.

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


def standard(a, c_prev, p, m):
    """One unit of a kind of cell: pre-activations, old memory, own parameters; h, c."""
    i, f, g, o = sigmoid(a[0], m), sigmoid(a[1], m), m.tanh(a[2]), sigmoid(a[3], m)  # (2)-(5)
    c = f * c_prev + i * g  # (6)
    return o * m.tanh(c), c  # (7), (8)


def peephole(a, c_prev, p, m):
    i, f = sigmoid(a[0] + p[0] * c_prev, m), sigmoid(a[1] + p[1] * c_prev, m)
    c = f * c_prev + i * m.tanh(a[2])
    return sigmoid(a[3] + p[2] * c, m) * m.tanh(c), c


def cifg(a, c_prev, p, m):
    i = sigmoid(a[0], m)
    c = (1 - i) * c_prev + i * m.tanh(a[1])
    return sigmoid(a[2], m) * m.tanh(c), c


def nig(a, c_prev, p, m):
    c = sigmoid(a[0], m) * c_prev + m.tanh(a[1])
    return sigmoid(a[2], m) * m.tanh(c), c


def nfg(a, c_prev, p, m):
    c = c_prev + sigmoid(a[0], m) * m.tanh(a[1])
    return sigmoid(a[2], m) * m.tanh(c), c


def nog(a, c_prev, p, m):
    c = sigmoid(a[1], m) * c_prev + sigmoid(a[0], m) * m.tanh(a[2])
    return m.tanh(c), c


def niaf(a, c_prev, p, m):
    c = sigmoid(a[1], m) * c_prev + sigmoid(a[0], m) * a[2]
    return sigmoid(a[3], m) * m.tanh(c), c


def noaf(a, c_prev, p, m):
    c = sigmoid(a[1], m) * c_prev + sigmoid(a[0], m) * m.tanh(a[2])
    return sigmoid(a[3], m) * c, c


UNITS = {unit.__name__: unit for unit in (peephole, cifg, nig, nfg, nog, niaf, noaf)}
UNITS["standard"] = UNITS["projected"] = standard


def cell(x, h_prev, c_prev, params, m=math, kind="standard"):
    """One step; params are ``weight_ih``, ``weight_hh``, perhaps biases, and the kind's own."""
    from_x = linear(x, params["weight_ih"], params.get("bias_ih"))
    from_h = linear(h_prev, params["weight_hh"], params.get("bias_hh"))
    if kind == "rnn":
        return [m.tanh(p + q) for p, q in zip(from_x, from_h, strict=True)], None
    if kind == "gru":
        return gru(from_x, from_h, h_prev, m), None
    a = [p + q for p, q in zip(from_x, from_h, strict=True)]  # (1)
    hidden = len(c_prev)
    own = [params[name] for name in ("weight_ci", "weight_cf", "weight_co") if name in params]
    units = [UNITS[kind](a[j::hidden], c_prev[j], [p[j] for p in own], m) for j in range(hidden)]
    h, c = ([unit[k] for unit in units] for k in (0, 1))
    return (linear(h, params["weight_hr"]) if "weight_hr" in params else h), c


def gru(from_x, from_h, h_prev, m):
    """PyTorch's: what the candidate reads of h_prev, its bias included, is reset."""
    hidden, h = len(h_prev), []
    for j in range(hidden):
        r = sigmoid(from_x[j] + from_h[j], m)
        z = sigmoid(from_x[hidden + j] + from_h[hidden + j], m)
        n = m.tanh(from_x[2 * hidden + j] + r * from_h[2 * hidden + j])
        h.append((1 - z) * n + z * h_prev[j])
    return h


def layer(xs, h, c, params, m=math, kind="standard"):
    """All steps of one layer in one direction: h of every step, and the last (h, c)."""
    out = []
    for x in xs:
        h, c = cell(x, h, c, params, m, kind)
        out.append(h)
    return out, h, c


def lstm(xs, h_0, c_0, params, length=None, masks=(), m=math, kind="standard"):
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
            start = h_0[state], None if c_0 is None else c_0[state]
            out, h, c = layer(xs[::order], *start, own, m, kind)
            sides.append(out[::order])
            h_n.append(h)
            c_n.append(c)
        xs = [[p for h in both for p in h] for both in zip(*sides, strict=True)]
    width = len(suffixes) * len(h_0[0])
    return xs + [[0] * width] * (steps - len(xs)), h_n, c_n
