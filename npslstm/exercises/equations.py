"""The forward equations of the exercises, and every derivative of them by the complex step.

No solution is kept anywhere. A right value is Im target(moved + i·s) / s, where *moved* is the
quantity to differentiate by, and *target* what depends on it. For that the equations are written
here once more, as assignments to a :class:`Run`, which shifts one quantity where it is made: all
lines below read the shifted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arguments import Array
from ..gates import sigmoid

__all__ = [
    "Run",
    "derivative",
    "gates",
    "gradient",
    "gru",
    "lstm",
    "lstm_sequence",
    "peephole",
    "run",
]

SHIFT = 1e-30  # s: as small as one likes, since nothing cancels


class Run:
    """The quantities of one run by name; the one that is ``moved``, at step ``t``, is shifted."""

    def __init__(
        self, given: Mapping[str, Any], moved: str = "", by: Any = 0, at: int | None = None
    ) -> None:
        vars(self).update(t=None, moved=(moved, at), by=by)
        for name, value in given.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)[name] = value + self.by if (name, self.t) == self.moved else value

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no quantity {name} yet")


Equations = Callable[[Run], None]


def lstm(v: Run) -> None:
    """Compute one step, (1)-(8)."""
    v.a = v.x @ v.weight_ih.T + v.bias_ih + v.h_prev @ v.weight_hh.T + v.bias_hh  # (1)
    v.a_i, v.a_f, v.a_g, v.a_o = np.split(v.a, 4, axis=-1)
    gates(v)
    v.loss = (v.dh * v.h).sum() + (v.dc_in * v.c).sum()


def gates(v: Run) -> None:
    """Compute the elementwise part of a step, (2)-(8)."""
    v.i = sigmoid(v.a_i)  # (2)
    v.f = sigmoid(v.a_f)  # (3)
    v.g = np.tanh(v.a_g)  # (4)
    v.o = sigmoid(v.a_o)  # (5)
    v.c = v.f * v.c_prev + v.i * v.g  # (6)
    v.tanh_c = np.tanh(v.c)  # (7)
    v.h = v.o * v.tanh_c  # (8)


def lstm_sequence(v: Run) -> None:
    """Compute T steps from (h_0, c_0), with gradients on every output and on the last state."""
    loss, v.h_next, v.c_next, v.dh, v.dc_in = 0, v.h_0, v.c_0, 0, 0
    inputs = v.x
    for v.t in range(len(inputs)):
        v.x, v.h_prev, v.c_prev = inputs[v.t], v.h_next, v.c_next
        lstm(v)
        v.h_next, v.c_next = v.h, v.c  # as what comes after step t reads them
        loss = loss + (v.doutputs[v.t] * v.h).sum()
    v.t = None
    v.loss = loss + (v.dh_n * v.h_next).sum() + (v.dc_n * v.c_next).sum()


def peephole(v: Run) -> None:
    """Compute one step in which i and f see c_prev, and o sees c."""
    v.a = v.x @ v.weight_ih.T + v.bias_ih + v.h_prev @ v.weight_hh.T + v.bias_hh
    a_i, a_f, v.a_g, a_o = np.split(v.a, 4, axis=-1)
    v.a_i = a_i + v.weight_ci * v.c_prev  # as σ reads it
    v.a_f = a_f + v.weight_cf * v.c_prev
    v.i = sigmoid(v.a_i)
    v.f = sigmoid(v.a_f)
    v.g = np.tanh(v.a_g)
    v.c = v.f * v.c_prev + v.i * v.g
    v.a_o = a_o + v.weight_co * v.c
    v.o = sigmoid(v.a_o)
    v.tanh_c = np.tanh(v.c)
    v.h = v.o * v.tanh_c
    v.loss = (v.dh * v.h).sum() + (v.dc_in * v.c).sum()


def gru(v: Run) -> None:
    """Compute one step of a GRU as PyTorch has it."""
    a_xr, a_xz, a_xn = np.split(v.x @ v.weight_ih.T + v.bias_ih, 3, axis=-1)
    a_hr, a_hz, v.a_hn = np.split(v.h_prev @ v.weight_hh.T + v.bias_hh, 3, axis=-1)
    v.a_r, v.a_z = a_xr + a_hr, a_xz + a_hz
    v.r = sigmoid(v.a_r)
    v.z = sigmoid(v.a_z)
    v.a_n = a_xn + v.r * v.a_hn
    v.n = np.tanh(v.a_n)
    v.h = (1 - v.z) * v.n + v.z * v.h_prev
    v.loss = (v.dh * v.h).sum()


def run(equations: Equations, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all the quantities by name."""
    v = Run(given)
    equations(v)
    return {name: value for name, value in vars(v).items() if name not in ("t", "moved", "by")}


def derivative(equations: Equations, given: Mapping[str, Any], moved: str, target: str) -> Array:
    """Return ∂target/∂moved where each entry of the one depends on the same entry of the other."""
    v = Run(given, moved, 1j * SHIFT)
    equations(v)
    return vars(v)[target].imag / SHIFT


def gradient(
    equations: Equations,
    given: Mapping[str, Any],
    moved: str,
    shape: tuple[int, ...],
    at: int | None = None,
) -> Array:
    """Return ∂loss/∂moved, entry by entry; in a sequence, of the quantity at step ``at``."""
    result = np.empty(shape)
    for index in np.ndindex(*shape):
        by = np.zeros(shape, complex)
        by[index] = 1j * SHIFT
        v = Run(given, moved, by, at)
        equations(v)
        result[index] = v.loss.imag / SHIFT
    return result
