"""One LSTM step, elementwise: the whole calculus, and nothing else.

The affine map in front of it, (1), and the products behind it, (19), belong to ``cell.py``. Here is
no layout and no tuning either: the same equations arranged for speed are in ``cells/standard.py``,
and tests hold the two equal.

Shapes: every array is ``(...)``, whatever layout the caller likes. Nothing here knows what a batch
is. ⊙ multiplies entry by entry.

Forward::

    (2)  i       = σ(a_i)                 input gate: how much of the candidate to write
    (3)  f       = σ(a_f)                 forget gate: how much of the old memory to keep
    (4)  g       = tanh(a_g)              candidate memory
    (5)  o       = σ(a_o)                 output gate: how much of the memory to show
    (6)  c       = f ⊙ c_prev + i ⊙ g     cell state, the memory
    (7)  tanh_c  = tanh(c)                the memory, squeezed between -1 and 1
    (8)  h       = o ⊙ tanh_c             hidden state, what others see

Its six local derivatives, each from one forward line with everything else held fixed, using
σ′ = σ(1 - σ) and tanh′ = 1 - tanh²::

    (9)  ∂h/∂c      = o ⊙ (1 - tanh_c²)          from (8), (7): how h follows the memory
    (10) ∂h/∂a_o    = tanh_c ⊙ o ⊙ (1 - o)       from (8), (5): how h follows the output gate
    (11) ∂c/∂a_i    = g ⊙ i ⊙ (1 - i)            from (6), (2): how c follows the input gate
    (12) ∂c/∂a_f    = c_prev ⊙ f ⊙ (1 - f)       from (6), (3): how c follows the forget gate
    (13) ∂c/∂a_g    = i ⊙ (1 - g²)               from (6), (4): how c follows the candidate
    (14) ∂c/∂c_prev = f                          from (6): how c follows the old memory

Backward, with dz short for ∂loss/∂z, is the chain rule on those six, linear in dh and dc::

    (15) dc       = dc_in + dh ⊙ (9)             c is read twice: by the next step and by h
    (16) da_o     = dh ⊙ (10)                    what reaches the output gate
    (17) da_i     = dc ⊙ (11)                    what reaches the input gate
    (17) da_f     = dc ⊙ (12)                    what reaches the forget gate
    (17) da_g     = dc ⊙ (13)                    what reaches the candidate
    (18) dc_prev  = dc ⊙ (14)                    the next step's dc_in, going back in time

Sources: Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000) for the forget gate;
the letters are those of PyTorch's ``nn.LSTM``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arguments import Array

__all__ = [
    "GateGradients",
    "Gates",
    "LocalDerivatives",
    "gates_backward",
    "gates_forward",
    "local_derivatives",
    "sigmoid",
]


def sigmoid(z: Array) -> Array:
    """σ(z) = 1/(1 + exp(-z)), written as (1 + tanh(z/2))/2, which no z can overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


class Gates(NamedTuple):
    """All that one step computes, by name."""

    i: Array  # (2)
    f: Array  # (3)
    g: Array  # (4)
    o: Array  # (5)
    c: Array  # (6)
    tanh_c: Array  # (7)
    h: Array  # (8)


def gates_forward(a_i: Array, a_f: Array, a_g: Array, a_o: Array, c_prev: Array) -> Gates:
    """Take one step: from the pre-activations and the old memory to the new state, (2)-(8)."""
    i = sigmoid(a_i)  # (2)
    f = sigmoid(a_f)  # (3)
    g = np.tanh(a_g)  # (4)
    o = sigmoid(a_o)  # (5)
    c = f * c_prev + i * g  # (6)
    tanh_c = np.tanh(c)  # (7)
    h = o * tanh_c  # (8)
    return Gates(i, f, g, o, c, tanh_c, h)


class LocalDerivatives(NamedTuple):
    """The slope of each forward line; what multiplies dc comes first, then what multiplies dh."""

    dc_dc_prev: Array  # (14)
    dc_dai: Array  # (11)
    dc_daf: Array  # (12)
    dc_dag: Array  # (13)
    dh_dao: Array  # (10)
    dh_dc: Array  # (9)


def local_derivatives(
    i: Array, f: Array, g: Array, o: Array, tanh_c: Array, c_prev: Array
) -> LocalDerivatives:
    """Return the six local derivatives of a step, (9)-(14)."""
    dh_dc = o * (1 - tanh_c * tanh_c)  # (9)   of (8): h = o ⊙ tanh(c)
    dh_dao = tanh_c * o * (1 - o)  # (10)  of (8): h = σ(a_o) ⊙ tanh_c
    dc_dai = g * i * (1 - i)  # (11)  of (6): c = … + σ(a_i) ⊙ g
    dc_daf = c_prev * f * (1 - f)  # (12)  of (6): c = σ(a_f) ⊙ c_prev + …
    dc_dag = i * (1 - g * g)  # (13)  of (6): c = … + i ⊙ tanh(a_g)
    dc_dc_prev = f  # (14)  of (6): c = f ⊙ c_prev + …
    return LocalDerivatives(dc_dc_prev, dc_dai, dc_daf, dc_dag, dh_dao, dh_dc)


class GateGradients(NamedTuple):
    """The gradients that one step hands back, by name."""

    dc_prev: Array  # (18)
    da_i: Array  # (17)
    da_f: Array  # (17)
    da_g: Array  # (17)
    da_o: Array  # (16)
    dc: Array  # (15)


def gates_backward(local: LocalDerivatives, dh: Array, dc_in: Array) -> GateGradients:
    """Invert one step: from ∂loss/∂h and ∂loss/∂c to all that the step has read, (15)-(18).

    Parameters
    ----------
    local : LocalDerivatives
        Of the step, from :func:`local_derivatives`; never written to.
    dh : ndarray, shape (...)
        Gradient of all that reads h: this step's output and the next step.
    dc_in : ndarray, shape (...)
        Gradient that reaches c from the next step. What reaches c through h is added here, (15).
    """
    dc = dc_in + dh * local.dh_dc  # (15)  c is read by the next step and, in (8), by h
    da_o = dh * local.dh_dao  # (16)  forward (8), (5)
    da_i = dc * local.dc_dai  # (17)  forward (6), (2)
    da_f = dc * local.dc_daf  # (17)  forward (6), (3)
    da_g = dc * local.dc_dag  # (17)  forward (6), (4)
    dc_prev = dc * local.dc_dc_prev  # (18)  forward (6)
    return GateGradients(dc_prev, da_i, da_f, da_g, da_o, dc)
