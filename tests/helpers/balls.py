"""How far rounding can take an LSTM: (1)-(19) in ball arithmetic, with the lines of ``gates.py``.

Where gates saturate no relative accuracy can be promised: σ(a) rounds to within u of 1, so 1 - σ,
and with it σ′ = σ(1 - σ), has an error of size u however small it is itself. And a rounding of a
pre-activation, of size u Σ|w x|, is multiplied by weights and slopes at each further step. How much
of either reaches a gradient depends on the numbers, so the bound is computed along with them.

A ball is a midpoint and a radius: the exact number, and whatever a program computes for it in
double precision by the same equations, lie within the radius. With u = 2⁻⁵³ the radii follow from

    fl(x ∘ y) = (x ∘ y)(1 + δ),  |δ| <= u                          for +, -, ×
    |fl(Σ_n x y) - Σ_n x y| <= γ_n Σ|x||y|,  γ_n = n u/(1 - n u)   in any order (Higham 2002, §3.1)
    |fl(tanh x) - tanh x| <= 4 ulp <= 8 u |tanh x|                 NumPy's and every libm's
    |tanh(x + e) - tanh(x)| <= |e| max tanh′                       the maximum over the ball

and the triangle inequality; nothing is linearised. Two computed values of one number, by backward
and by the complex step, differ by at most two radii.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from problems import STATE, STATE_N

from npslstm.gates import gates_backward, gates_forward, local_derivatives

U = 2.0**-53


@dataclass(frozen=True)
class Ball:
    mid: np.ndarray
    rad: np.ndarray

    def __add__(self, other):
        other = ball(other)
        mid = self.mid + other.mid
        # The operands' size, not the sum's: then three terms may be added in any order.
        return Ball(mid, self.rad + other.rad + U * (np.abs(self.mid) + np.abs(other.mid)))

    def __mul__(self, other):
        other = ball(other)
        mid = self.mid * other.mid
        rad = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        return Ball(mid, rad + U * np.abs(mid))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other):
        return other + -1 * self

    def __array_ufunc__(self, ufunc, method, x):
        assert (ufunc, method) == (np.tanh, "__call__")
        mid = np.tanh(x.mid)
        # tanh′ = 1/cosh² is largest at the ball's point nearest to 0
        nearest = np.minimum(np.maximum(np.abs(x.mid) - x.rad, 0), 350)
        return Ball(mid, x.rad / np.cosh(nearest) ** 2 + 8 * U * np.abs(mid))

    def __matmul__(self, other):
        n = self.mid.shape[-1]
        left, right = np.abs(self.mid), np.abs(other.mid)
        rad = left @ other.rad + self.rad @ (right + other.rad)
        return Ball(self.mid @ other.mid, rad + n * U / (1 - n * U) * (left @ right))

    def __getitem__(self, index):
        return Ball(self.mid[index], self.rad[index])

    @property
    def T(self):
        return Ball(self.mid.T, self.rad.T)


def ball(number):
    return number if isinstance(number, Ball) else exact(number)


def exact(array):
    return Ball(np.asarray(array), np.zeros(np.shape(array)))


def join(function, balls, **keywords):
    """Apply a NumPy function of a list of arrays, such as ``np.concatenate``."""
    balls = list(balls)
    mid, rad = [b.mid for b in balls], [b.rad for b in balls]
    return Ball(function(mid, **keywords), function(rad, **keywords))


def layer_forward(weights, xs, h, c):
    """Run (1)-(14) over the steps of one row; ``weights`` is [W_ih b_ih b_hh W_hh]."""
    hs, steps = [], []
    for x in xs:
        column = join(np.concatenate, [x, exact(np.ones(2)), h])
        a = weights @ column  # (1)
        a_i, a_f, a_g, a_o = (a[k : k + len(h.mid)] for k in range(0, len(a.mid), len(h.mid)))
        c_prev, step = c, gates_forward(a_i, a_f, a_g, a_o, c)  # (2)-(8)
        h, c = step.h, step.c
        local = local_derivatives(step.i, step.f, step.g, step.o, step.tanh_c, c_prev)  # (9)-(14)
        hs.append(h)
        steps.append((column, local))
    return hs, h, c, steps


def layer_backward(weights, steps, dhs, dh, dc):
    """Run (15)-(19): dx of every step, dh and dc, and the pairs of dW = Σ da columnᵀ."""
    dxs, pairs = [], []
    for (column, local), dh_out in zip(reversed(steps), reversed(dhs), strict=True):
        step = gates_backward(local, dh + dh_out, dc)  # (15)-(18)
        da, dc = join(np.concatenate, [step.da_i, step.da_f, step.da_g, step.da_o]), step.dc_prev
        dcolumn = weights.T @ da  # (19)
        dh, dx = dcolumn[-len(dh.mid) :], dcolumn[: -len(dh.mid) - 2]
        dxs.insert(0, dx)
        pairs.append((da, column))
    return dxs, dh, dc, pairs


def solve(problem):
    """Return (outputs, gradients) of a time-major LSTM problem, N and T at least 1, as balls."""
    weights, hidden = stack_weights(problem.params), problem.inputs["h_0"].shape[-1]
    nothing = {ending: [exact(np.zeros(n)) for n in w.mid.shape] for ending, w in weights.items()}
    pairs = {ending: [zeros] for ending, zeros in nothing.items()}
    rows = [solve_row(problem, row, weights, pairs) for row in range(len(problem.lengths))]
    found = {name: join(np.stack, (row[name] for row in rows), axis=1) for name in rows[0]}
    for ending, both in pairs.items():
        das, columns = (join(np.stack, side) for side in zip(*both, strict=True))
        dw = das.T @ columns  # over all rows and steps
        found |= {
            f"weight_ih{ending}": dw[:, : -hidden - 2],
            f"bias_ih{ending}": dw[:, -hidden - 2],
            f"bias_hh{ending}": dw[:, -hidden - 1],
            f"weight_hh{ending}": dw[:, -hidden:],
        }
    return tuple({n: found[n] for n in like} for like in (problem.upstream, problem.inputs))


def stack_weights(params):
    """[W_ih b_ih b_hh W_hh] of each layer and direction under its ending, in the states' order."""
    stacked = {}
    for name, w_hh in params.items():
        if name.startswith("weight_hh"):
            ending = name.removeprefix("weight_hh")
            zeros = np.zeros(len(w_hh))
            biases = (params.get(side + ending, zeros) for side in ("bias_ih", "bias_hh"))
            stacked[ending] = exact(np.column_stack([params["weight_ih" + ending], *biases, w_hh]))
    return stacked


def solve_row(problem, row, weights, pairs):
    """Take one row through all layers and back; add to the weights' ``pairs``."""

    def items(array):
        return [exact(part) for part in array[:, row]]

    length, hidden = problem.lengths[row], problem.inputs["h_0"].shape[-1]
    xs, dxs = (items(a)[:length] for a in (problem.inputs["x"], problem.upstream["out"]))
    h_n, c_n = (items(problem.inputs[n]) for n in STATE)  # each replaced by its last value
    dh, dc = (items(problem.upstream[n]) for n in STATE_N)
    masks = [items(mask)[:length] for mask in problem.options.get("dropout_masks", ())]
    directions, stepss = problem.net.directions, {}
    layers = np.reshape(list(weights), (-1, directions))

    for k, layer in enumerate(layers):
        if k and masks:
            xs = [x * mask for x, mask in zip(xs, masks[k - 1], strict=True)]
        sides = []
        for d, ending in enumerate(layer):
            s, order = k * directions + d, -1 if d else 1
            hs, h_n[s], c_n[s], stepss[ending] = layer_forward(
                weights[ending], xs[::order], h_n[s], c_n[s]
            )
            sides.append(hs[::order])
        xs = [join(np.concatenate, both) for both in zip(*sides, strict=True)]
    for k, layer in reversed(list(enumerate(layers))):
        sides = []
        for d, ending in enumerate(layer):
            s, order = k * directions + d, -1 if d else 1
            dhs = [dx[d * hidden : (d + 1) * hidden] for dx in dxs[::order]]
            side, dh[s], dc[s], new = layer_backward(
                weights[ending], stepss[ending], dhs, dh[s], dc[s]
            )
            sides.append(side[::order])
            pairs[ending] += new
        dxs = [sum(both[1:], both[0]) for both in zip(*sides, strict=True)]
        if k and masks:
            dxs = [dx * mask for dx, mask in zip(dxs, masks[k - 1], strict=True)]

    found = {"h_n": h_n, "c_n": c_n, "h_0": dh, "c_0": dc}
    for name, balls, like in (
        ("out", xs, problem.upstream["out"]),
        ("x", dxs, problem.inputs["x"]),
    ):
        found[name] = balls + [exact(np.zeros(like.shape[-1]))] * (len(like) - length)
    return {name: join(np.stack, balls) for name, balls in found.items()}
