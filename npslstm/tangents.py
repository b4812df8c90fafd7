"""One LSTM step, beyond the gradient: forward mode and second derivatives, elementwise.

z_dot is the tangent of z: its derivative along a direction in which inputs and parameters move.
Shapes, letters and equations (1)-(19) are those of ``gates.py`` and ``cell.py``. Where the same
lines are arranged for whole sequences (``derivatives/``), tests hold the two equal.

Forward mode uses the six local derivatives that backward uses, read the other way::

    (20) a_dot  = x_dot W_ihᵀ + x W_ih_dotᵀ + b_dot + h_prev_dot W_hhᵀ + h_prev W_hh_dotᵀ
    (21) c_dot  = (14) ⊙ c_prev_dot + (11) ⊙ a_i_dot + (12) ⊙ a_f_dot + (13) ⊙ a_g_dot
    (22) h_dot  = (10) ⊙ a_o_dot + (9) ⊙ c_dot

A second derivative needs the tangents of the local derivatives, too, with σ″ = σ′(1 - 2σ) and
tanh″ = -2 tanh tanh′::

    (23) i_dot  = i ⊙ (1 - i) ⊙ a_i_dot,   f_dot and o_dot alike,   g_dot = (1 - g²) ⊙ a_g_dot
    (24) tanh_c_dot = (1 - tanh_c²) ⊙ c_dot
    (25) (9)_dot  = o_dot ⊙ (1 - tanh_c²) - 2 o ⊙ tanh_c ⊙ tanh_c_dot
    (26) (10)_dot = tanh_c_dot ⊙ o ⊙ (1 - o) + tanh_c ⊙ (1 - 2 o) ⊙ o_dot
    (27) (11)_dot = g_dot ⊙ i ⊙ (1 - i) + g ⊙ (1 - 2 i) ⊙ i_dot
    (28) (12)_dot = c_prev_dot ⊙ f ⊙ (1 - f) + c_prev ⊙ (1 - 2 f) ⊙ f_dot
    (29) (13)_dot = i_dot ⊙ (1 - g²) - 2 i ⊙ g ⊙ g_dot
    (30) (14)_dot = f_dot

The tangent of backward is the product rule on (15)-(19). Its first terms are backward itself::

    (31) dc_dot      = dc_in_dot + dh_dot ⊙ (9) + dh ⊙ (9)_dot
    (32) da_o_dot    = dh_dot ⊙ (10) + dh ⊙ (10)_dot
    (33) da_i_dot    = dc_dot ⊙ (11) + dc ⊙ (11)_dot,   da_f_dot by (12),   da_g_dot by (13)
    (34) dc_prev_dot = dc_dot ⊙ (14) + dc ⊙ (14)_dot
    (35) dh_prev_dot = da_dot W_hh + da W_hh_dot,   dx_dot    = da_dot W_ih + da W_ih_dot
    (36) dW_hh_dot   = da_dotᵀ h_prev + daᵀ h_prev_dot,   dW_ih_dot = da_dotᵀ x + daᵀ x_dot
    (37) db_dot      = Σ da_dot

Sources: Williams & Zipser (1989) for forward mode in recurrent networks, their real-time recurrent
learning; Pearlmutter (1994) for the tangent of backward, his R-operator.
"""

from __future__ import annotations

from typing import NamedTuple

from .arguments import Array
from .gates import GateGradients, LocalDerivatives, gates_backward

__all__ = [
    "GateTangents",
    "forcing",
    "gates_backward_jvp",
    "gates_jvp",
    "local_derivatives_jvp",
]


class GateTangents(NamedTuple):
    """The tangents of the new state."""

    c: Array  # (21)
    h: Array  # (22)


def gates_jvp(
    local: LocalDerivatives,
    a_i_dot: Array,
    a_f_dot: Array,
    a_g_dot: Array,
    a_o_dot: Array,
    c_prev_dot: Array,
) -> GateTangents:
    """Take one step of forward mode, (21)-(22)."""
    c_dot = (
        local.dc_dc_prev * c_prev_dot  # (14)
        + local.dc_dai * a_i_dot  # (11)
        + local.dc_daf * a_f_dot  # (12)
        + local.dc_dag * a_g_dot  # (13)
    )  # (21)
    h_dot = local.dh_dao * a_o_dot + local.dh_dc * c_dot  # (22)
    return GateTangents(c_dot, h_dot)


def local_derivatives_jvp(
    gates: tuple[Array, ...], a_dots: tuple[Array, ...], c_prev_dot: Array, c_dot: Array
) -> LocalDerivatives:
    """Return the tangents of the six local derivatives of a step, (23)-(30).

    ``gates`` are i, f, g, o, tanh_c and c_prev, the arguments of
    :func:`~npslstm.gates.local_derivatives`, and ``a_dots`` the tangents of the pre-activations.
    """
    i, f, g, o, tanh_c, c_prev = gates
    a_i_dot, a_f_dot, a_g_dot, a_o_dot = a_dots
    di, df, dg, do = i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)  # σ′, tanh′
    dtanh_c = 1 - tanh_c * tanh_c
    i_dot, f_dot, g_dot, o_dot = di * a_i_dot, df * a_f_dot, dg * a_g_dot, do * a_o_dot  # (23)
    tanh_c_dot = dtanh_c * c_dot  # (24)
    dh_dc_dot = o_dot * dtanh_c - 2 * o * tanh_c * tanh_c_dot  # (25)
    dh_dao_dot = tanh_c_dot * do + tanh_c * (1 - 2 * o) * o_dot  # (26)
    dc_dai_dot = g_dot * di + g * (1 - 2 * i) * i_dot  # (27)
    dc_daf_dot = c_prev_dot * df + c_prev * (1 - 2 * f) * f_dot  # (28)
    dc_dag_dot = i_dot * dg - 2 * i * g * g_dot  # (29)
    dc_dc_prev_dot = f_dot  # (30)
    return LocalDerivatives(
        dc_dc_prev_dot, dc_dai_dot, dc_daf_dot, dc_dag_dot, dh_dao_dot, dh_dc_dot
    )


def forcing(local_dot: LocalDerivatives, dh: Array, dc: Array) -> GateGradients:
    """Return the last terms of (31)-(34), which do not wait for a later step's tangents."""
    return GateGradients(
        dc_prev=dc * local_dot.dc_dc_prev,  # (34)
        da_i=dc * local_dot.dc_dai,  # (33)
        da_f=dc * local_dot.dc_daf,  # (33)
        da_g=dc * local_dot.dc_dag,  # (33)
        da_o=dh * local_dot.dh_dao,  # (32)
        dc=dh * local_dot.dh_dc,  # (31)
    )


def gates_backward_jvp(
    local: LocalDerivatives,
    local_dot: LocalDerivatives,
    dh: Array,
    dc: Array,
    dh_dot: Array,
    dc_in_dot: Array,
) -> GateGradients:
    """Return the tangents of all that :func:`~npslstm.gates.gates_backward` returns, (31)-(34).

    ``dc`` is that of (15): what reaches c from the next step and through h together.
    """
    terms = forcing(local_dot, dh, dc)
    first = gates_backward(local, dh_dot, dc_in_dot + terms.dc)
    return GateGradients(
        dc_prev=first.dc_prev + terms.dc_prev,  # (34)
        da_i=first.da_i + terms.da_i,  # (33)
        da_f=first.da_f + terms.da_f,  # (33)
        da_g=first.da_g + terms.da_g,  # (33)
        da_o=first.da_o + terms.da_o,  # (32)
        dc=first.dc,  # (31)
    )
