"""One LSTM step, elementwise: the whole calculus, and nothing else.

The affine map in front of it, and the products behind it, belong to ``cell.py`` (one step, to be
read) and ``sequence.py`` (many steps, to be fast); both call the functions below.

Shapes: the gates lie on the leading axis, ``a (4, ...)`` in PyTorch's order i, f, g, o; everything
else is ``(...)``, whatever layout the caller likes. Nothing here knows what a batch is.

Forward::

    (2)  i       = σ(a_i)                 input gate: how much of the candidate to write
    (3)  f       = σ(a_f)                 forget gate: how much of the old memory to keep
    (4)  g       = tanh(a_g)              candidate memory
    (5)  o       = σ(a_o)                 output gate: how much of the memory to show
    (6)  c       = f ⊙ c_prev + i ⊙ g     cell state, the memory
    (7)  tanh_c  = tanh(c)
    (8)  h       = o ⊙ tanh_c             hidden state, what others see

Its six local derivatives, each from one forward line with everything else held fixed, using
σ′ = σ(1 - σ) and tanh′ = 1 - tanh²::

    (9)  ∂h/∂c      = o ⊙ (1 - tanh_c²)          from (8), (7)
    (10) ∂h/∂a_o    = tanh_c ⊙ o ⊙ (1 - o)       from (8), (5)
    (11) ∂c/∂a_i    = g ⊙ i ⊙ (1 - i)            from (6), (2)
    (12) ∂c/∂a_f    = c_prev ⊙ f ⊙ (1 - f)       from (6), (3)
    (13) ∂c/∂a_g    = i ⊙ (1 - g²)               from (6), (4)
    (14) ∂c/∂c_prev = f                          from (6)

Backward, with dz short for ∂loss/∂z, is the chain rule on those six, linear in dh and dc::

    (15) dc       = dc_in + dh ⊙ (9)             c is read twice: by the next step and by h
    (16) da_o     = dh ⊙ (10)
    (17) da_i     = dc ⊙ (11),   da_f = dc ⊙ (12),   da_g = dc ⊙ (13)
    (18) dc_prev  = dc ⊙ (14)                    the next step's dc_in, going back in time

Sources: Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000) for the forget gate;
the letters are those of PyTorch's ``nn.LSTM``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arguments import Array

__all__ = [
    "FAST_ORDER",
    "GATES",
    "LOCALS",
    "PRESCALE",
    "LocalDerivatives",
    "gates_backward",
    "gates_forward",
    "gates_forward_inplace",
    "inplace_views",
    "local_derivatives",
    "sigmoid",
]

GATES = 4  # pre-activations a step: i, f, g, o
LOCALS = 6  # local derivatives a step: (14), (11), (12), (13), (10), (9)


class LocalDerivatives(NamedTuple):
    """The rows of a stack ``local (6, ...)`` by name: ``LocalDerivatives(*local).dc_daf``.

    What multiplies dc comes first, (14) and (11)-(13), then what multiplies dh, (10) and (9), so
    that the backward step can take each group in one call.
    """

    dc_dc_prev: Array  # (14)
    dc_dai: Array  # (11)
    dc_daf: Array  # (12)
    dc_dag: Array  # (13)
    dh_dao: Array  # (10)
    dh_dc: Array  # (9)


def sigmoid(z: Array) -> Array:
    """σ(z) = 1/(1 + exp(-z)), written as (1 + tanh(z/2))/2, which no z can overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def gates_forward(a: Array, c_prev: Array) -> tuple[Array, Array, Array]:
    """Compute one step, (2)-(8), and its local derivatives, (9)-(14).

    Parameters
    ----------
    a : ndarray, shape (4, ...)
        Pre-activations of i, f, g, o.
    c_prev : ndarray, shape (...)
        Cell state of the step before.

    Returns
    -------
    h, c : ndarray, shape (...)
        The new hidden and cell state.
    local : ndarray, shape (6, ...)
        The local derivatives, rows as in :class:`LocalDerivatives`: all that backward needs.
    """
    a_i, a_f, a_g, a_o = a
    i = sigmoid(a_i)  # (2)
    f = sigmoid(a_f)  # (3)
    g = np.tanh(a_g)  # (4)
    o = sigmoid(a_o)  # (5)
    kept, written = f * c_prev, i * g
    c = kept + written  # (6)
    tanh_c = np.tanh(c)  # (7)
    h = o * tanh_c  # (8)
    return h, c, local_derivatives(i, f, g, o, kept, written, tanh_c, h)


def local_derivatives(
    i: Array,
    f: Array,
    g: Array,
    o: Array,
    kept: Array,
    written: Array,
    tanh_c: Array,
    h: Array,
    out: Array | None = None,
) -> Array:
    """Compute (9)-(14) as one stack ``(6, ...)``, in ``out`` if given.

    ``kept`` = f ⊙ c_prev and ``written`` = i ⊙ g are the two terms of (6); most of the products
    below hold one of them, or h, as a factor. Elementwise, so it serves one step or, in
    ``sequence.py``, a block of steps at once.
    """
    if out is None:
        out = np.empty((LOCALS, *f.shape), np.result_type(f, kept))
    dc_dc_prev, dc_dai, dc_daf, dc_dag, dh_dao, dh_dc = out
    np.multiply(h, tanh_c, out=dh_dc)
    np.subtract(o, dh_dc, out=dh_dc)  # (9)   o ⊙ (1 - tanh_c²) = o - h ⊙ tanh_c
    np.subtract(1, o, out=dh_dao)
    np.multiply(h, dh_dao, out=dh_dao)  # (10)  tanh_c ⊙ o ⊙ (1 - o) = h ⊙ (1 - o)
    np.subtract(1, i, out=dc_dai)
    np.multiply(written, dc_dai, out=dc_dai)  # (11)  g ⊙ i ⊙ (1 - i) = written ⊙ (1 - i)
    np.subtract(1, f, out=dc_daf)
    np.multiply(kept, dc_daf, out=dc_daf)  # (12)  c_prev ⊙ f ⊙ (1 - f) = kept ⊙ (1 - f)
    np.multiply(written, g, out=dc_dag)
    np.subtract(i, dc_dag, out=dc_dag)  # (13)  i ⊙ (1 - g²) = i - written ⊙ g
    dc_dc_prev[...] = f  # (14)
    return out


def gates_backward(
    local: Array, dh: Array, dc_in: Array, out: Array | None = None
) -> tuple[Array, Array]:
    """Invert one step: from ∂loss/∂h and ∂loss/∂c to ∂loss/∂a and ∂loss/∂c_prev, (15)-(18).

    Parameters
    ----------
    local : ndarray, shape (6, ...)
        From :func:`gates_forward`; read only.
    dh : ndarray, shape (...)
        Gradient of everything that reads h: this step's output and the next step.
    dc_in : ndarray, shape (...)
        Gradient that reaches c from the next step; the part through h is added here, (15).
    out : ndarray, shape (6, ...), optional
        Where to put dc_prev, da_i, da_f, da_g, da_o and dc, for a caller that runs many steps.

    Returns
    -------
    da : ndarray, shape (4, ...)
        Gradient of the pre-activations, in the order i, f, g, o.
    dc_prev : ndarray, shape (...)
        Gradient of the cell state of the step before.
    """
    if out is None:
        out = np.empty(local.shape, np.result_type(local, dh, dc_in))
    dc = out[5]
    np.multiply(dh, local[4:], out[4:])  # (16)  da_o = dh ⊙ ∂h/∂a_o,  and dh ⊙ ∂h/∂c
    np.add(dc, dc_in, dc)  # (15)  dc = dc_in + dh ⊙ ∂h/∂c
    np.multiply(dc, local[:4], out[:4])  # (18), (17)  dc_prev, da_i, da_f, da_g = dc ⊙ …
    return out[1:5], out[0]


# The fast form of (2)-(8). σ(z) = (1 + tanh(z/2))/2 makes all four gates one tanh over one slab if
# the sigmoid gates come halved and side by side, in the order o, i, f, g. Halving is exact in
# binary floating point, so PRESCALE is folded into the weights and costs nothing a step.
FAST_ORDER = [3, 0, 1, 2]  # o, i, f, g by their places in i, f, g, o
PRESCALE = np.array([0.5, 0.5, 0.5, 1.0])
HALF = np.array(0.5, np.float32)  # an array, because NumPy would convert a number at every call


def inplace_views(a: Array, terms: Array, c: Array, tanh_c: Array, h: Array) -> tuple[Array, ...]:
    """Take the views that :func:`gates_forward_inplace` works on, for a caller to keep.

    ``a (5, ...)`` is for PRESCALE ⊙ the pre-activations in FAST_ORDER, which become o, i, f, g, and
    behind them c_prev, so that one call makes both terms of (6): written and kept, in ``terms``
    ``(2, ...)``. ``c``, ``tanh_c`` and ``h`` are written, too. Taking the views at every step would
    be a sixth of a forward pass of one row and 32 units.
    """
    return a[:4], a[:3], a[1:3], a[3:], terms, *terms, c, tanh_c, a[0], h


def gates_forward_inplace(
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
    """Compute (2)-(8) without a temporary; a test holds it equal to :func:`gates_forward`."""
    np.tanh(a, a)  # (4)
    np.multiply(sigmoids, HALF, sigmoids)
    np.add(sigmoids, HALF, sigmoids)  # (2), (3), (5)
    np.multiply(i_f, g_c_prev, terms)  # written = i ⊙ g, kept = f ⊙ c_prev
    np.add(written, kept, c)  # (6)
    np.tanh(c, tanh_c)  # (7)
    np.multiply(o, tanh_c, h)  # (8)
