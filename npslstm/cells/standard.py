"""The standard LSTM. Its calculus is in ``gates.py``; here it is, once more, arranged for speed.

σ(z) = (1 + tanh(z/2))/2 makes all four gates one tanh over one slab, if the sigmoid gates come
halved and side by side, in the order o, i, f, g. Halving is exact in binary floating point, so it
is folded into the weights and costs nothing a step. Most products of (9)-(13) hold h or one of the
two terms of (6) as a factor:

    (9)   o ⊙ (1 - tanh_c²)        = o - h ⊙ tanh_c
    (10)  tanh_c ⊙ o ⊙ (1 - o)     = h ⊙ (1 - o)
    (11)  g ⊙ i ⊙ (1 - i)          = written ⊙ (1 - i)       written = i ⊙ g
    (12)  c_prev ⊙ f ⊙ (1 - f)     = kept ⊙ (1 - f)          kept = f ⊙ c_prev
    (13)  i ⊙ (1 - g²)             = i - written ⊙ g
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import gates
from ..arguments import Array
from .base import Kind, Run, Step

__all__ = ["STANDARD", "Standard", "fast_derivatives", "fast_step"]

HALF = np.array(0.5, np.float32)  # an array, because NumPy would convert a number at every call
PIECE = 8 * 1024  # numbers: of one array of a few steps, so that a dozen of them stay in cache


class Standard(Kind):
    """(2)-(18) as ``gates.py`` has them."""

    name = "standard"
    positions = np.array([1, 2, 3, 0])  # of i, f, g, o, which come as o, i, f, g
    scale = np.array([0.5, 0.5, 0.5, 1.0], np.float32).reshape(4, 1, 1)

    def forward(self, *arguments: Array) -> Step:
        """(2)-(8)."""
        return gates.gates_forward(*arguments)

    def derivatives(self, step: Step, before: Array, *extra: Array) -> gates.LocalDerivatives:
        """(9)-(14)."""
        i, f, g, o, _, tanh_c, _ = step
        return gates.local_derivatives(i, f, g, o, tanh_c, c_prev=before)

    def backward(self, local: Any, dh: Array, dc_in: Array | None) -> dict[str, Array]:
        """(15)-(18)."""
        assert dc_in is not None
        return gates.gates_backward(gates.LocalDerivatives(*local), dh, dc_in)._asdict()

    def run(self, steps: int, hidden: int, n: int, empty: Any) -> Run:
        """Return the fast form."""
        return FastRun(self, steps, hidden, n, empty)


class FastRun(Run):
    """The standard kind without a temporary, and with the slopes of a few steps taken at once.

    ``slabs (places, 5, H, n)`` holds o, i, f, g and c_prev of a few steps. A step writes its c
    into the next place's c_prev; after the last place comes the first, since by then the slopes are
    taken and what they were made of may go.
    """

    def __init__(self, kind: Kind, steps: int, hidden: int, n: int, empty: Any) -> None:
        self.kind, self.places = kind, min(steps, max(1, PIECE // (hidden * n)))
        slabs = empty((self.places, 5, hidden, n))
        self.products = slabs[:, :4].reshape(self.places, 4 * hidden, n)
        self.slabs, self.terms = slabs, empty((self.places, 2, hidden, n))
        self.tanh_c = empty((self.places, hidden, n))
        self.c_prev = list(slabs[:, 4])
        self.c_0, self.c_n = self.c_prev[0], self.c_prev[steps % self.places]
        self.steps = steps

    def arguments(self, t: int, h_prev: Array, h: Array) -> tuple[Array, ...]:
        """Return the views that :func:`fast_step` works on."""
        place = t % self.places
        slab, terms, tanh_c = self.slabs[place], self.terms[place], self.tanh_c[place]
        c = self.c_prev[(t + 1) % self.places]
        return slab[:4], slab[:3], slab[1:3], slab[3:], terms, *terms, c, tanh_c, slab[0], h

    @property
    def step(self) -> Any:
        """Return what takes one step in those views."""
        return fast_step

    def begin(self, c: Array | None, extra: Any) -> None:
        """Start from a cell state."""
        self.c_0[...] = c

    def derivatives(self, h: Array, out: Array) -> None:
        """(9)-(14) of the last steps at once."""
        o, i, f, g, _ = self.slabs[: len(h)].swapaxes(0, 1)
        written, kept = self.terms[: len(h)].swapaxes(0, 1)
        tanh_c, out = self.tanh_c[: len(h)], out.swapaxes(0, 1)
        fast_derivatives(i, f, g, o, kept, written, tanh_c, h, out)

    def end(self) -> Array:
        """Return the last cell state."""
        return self.c_n


def fast_step(
    a: Array,
    sigmoids: Array,
    i_f: Array,
    g_c_prev: Array,
    terms: Array,
    written: Array,
    kept: Array,
    c: Array,
    tanh_c: Array,
    o: Array,
    h: Array,
) -> None:
    """Take one step without a temporary, (2)-(8), in views that ``FastRun`` keeps.

    ``a (4, ...)`` holds the scaled pre-activations and becomes o, i, f, g; c_prev lies behind it,
    so that one call makes both terms of (6).
    """
    np.tanh(a, a)  # (4)
    np.multiply(sigmoids, HALF, sigmoids)
    np.add(sigmoids, HALF, sigmoids)  # (2), (3), (5)
    np.multiply(i_f, g_c_prev, terms)  # written = i ⊙ g, kept = f ⊙ c_prev
    np.add(written, kept, c)  # (6)
    np.tanh(c, tanh_c)  # (7)
    np.multiply(o, tanh_c, h)  # (8)


def fast_derivatives(
    i: Array,
    f: Array,
    g: Array,
    o: Array,
    kept: Array,
    written: Array,
    tanh_c: Array,
    h: Array,
    out: Array,
) -> None:
    """Write (9)-(14) to ``out (6, ...)``, in the order of ``gates.LocalDerivatives``."""
    dc_dc_prev, dc_dai, dc_daf, dc_dag, dh_dao, dh_dc = out
    np.multiply(h, tanh_c, out=dh_dc)
    np.subtract(o, dh_dc, out=dh_dc)  # (9)
    np.subtract(1, o, out=dh_dao)
    np.multiply(h, dh_dao, out=dh_dao)  # (10)
    np.subtract(1, i, out=dc_dai)
    np.multiply(written, dc_dai, out=dc_dai)  # (11)
    np.subtract(1, f, out=dc_daf)
    np.multiply(kept, dc_daf, out=dc_daf)  # (12)
    np.multiply(written, g, out=dc_dag)
    np.subtract(i, dc_dag, out=dc_dag)  # (13)
    dc_dc_prev[...] = f  # (14)


STANDARD = Standard()
