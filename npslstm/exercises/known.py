"""Wrong answers beyond the seeded mistakes, and of what a wrong answer may have too much or little.

As in ``npslstm/mistakes/expressions.py`` every name in an expression has its right value.
"""

from __future__ import annotations

__all__ = ["FACTORS", "KNOWN", "TERMS", "THROUGH"]


def _gate(gate: str) -> dict[str, str]:
    return {
        f"np.tanh(a_{gate})": "a gate is a σ, between 0 and 1; tanh is for the candidate g",
        f"a_{gate}": f"σ is missing: this is a_{gate} itself",
    }


def _local(gate: str, factor: str) -> dict[str, str]:
    derivative = f"whose derivative is {gate} (1 - {gate})"
    again = f"1 / (1 + np.exp(-{gate}))"
    return {
        f"{factor} * (1 - {gate}**2)": f"{gate} is a σ, {derivative}; 1 - s² is for a tanh",
        f"{factor} * {again} * (1 - {again})": f"σ is taken twice: {gate} is σ(a_{gate}) already",
        f"{factor} * {gate} * 1 - {gate}": BRACKETS,
    }


BRACKETS = "a bracket is missing: 1 - … is one factor"
DC_IN = "dc_in stands where dc belongs: dc is all that reaches c, with what comes through h"
DH_ONLY = (
    "dh stands where dc belongs: this gate acts on h through c, so it needs all that reaches c"
)
CARRIED = "this is what arrived at step t + 1, not what that step hands back to step t"

KNOWN: dict[str, dict[str, str]] = {
    # 1: forward
    "a": {
        "x @ weight_ih.T + h_prev @ weight_hh.T": "both biases are missing",
        "x @ weight_ih.T + bias_ih": "h_prev does not appear: without it nothing is remembered",
        "x @ weight_ih.T + bias_ih + bias_hh": "h_prev W_hhᵀ is missing",
    },
    "i": _gate("i"),
    "f": _gate("f"),
    "o": _gate("o"),
    "g": {
        "1 / (1 + np.exp(-a_g))": "the candidate is a tanh, between -1 and 1; σ is for the gates",
        "a_g": "tanh is missing: this is a_g itself",
    },
    "c": {
        "i * c_prev + f * g": "i and f are swapped: f is for what is kept, i for what is written",
        "f * c_prev + g": "the candidate must pass the input gate",
        "c_prev + i * g": "the old memory must pass the forget gate",
        "o * (f * c_prev + i * g)": "the output gate acts on h, not on c",
    },
    "tanh_c": {"c": "tanh is missing: this is c itself"},
    "h": {"o * c": "h shows tanh(c), not c itself"},
    # 2: local derivatives
    "dh_dc": {
        "o * tanh_c * (1 - tanh_c)": "tanh′ is 1 - tanh²; s (1 - s) is the derivative of a σ",
        "o * (1 - np.tanh(tanh_c) ** 2)": "tanh is taken twice: tanh_c is tanh(c) already",
        "o * (1 - np.tanh(c**2))": "the square belongs outside: tanh(c)², not tanh(c²)",
        "o * (1 - tanh_c) ** 2": "the square belongs to tanh_c alone: 1 - tanh_c²",
        "o * 1 - tanh_c**2": BRACKETS,
    },
    "dc_dag": {
        "i * g * (1 - g)": "g is a tanh, whose derivative is 1 - g²; s (1 - s) is for a σ",
        "i * (1 - np.tanh(g) ** 2)": "tanh is taken twice: g is tanh(a_g) already",
        "i * (1 - g) ** 2": "the square belongs to g alone: 1 - g²",
        "i * 1 - g**2": BRACKETS,
    },
    "dc_dai": _local("i", "g"),
    "dc_daf": _local("f", "c_prev"),
    "dh_dao": _local("o", "tanh_c"),
    "dc_dc_prev": {
        "0 * f + 1": "as in an LSTM without a forget gate: here c_prev is multiplied by f",
    },
    # 3: one step backward
    "dc": {
        "dc_in + dh": "dh is ∂loss/∂h: on its way to c it must pass ∂h/∂c",
        "dc_in * f + dh * dh_dc": "dc_in is multiplied by f: it has been, in the step that sent it",
        "(dc_in + dh) * dh_dc": "dc_in is ∂loss/∂c already: only dh must pass ∂h/∂c",
    },
    "da_i": {"dc_in * dc_dai": DC_IN, "dh * dc_dai": DH_ONLY},
    "da_f": {"dc_in * dc_daf": DC_IN, "dh * dc_daf": DH_ONLY},
    "da_g": {"dc_in * dc_dag": DC_IN, "dh * dc_dag": DH_ONLY},
    "da_o": {"dc * dh_dao": "dc stands where dh belongs: a_o acts on h directly, not through c"},
    "dc_prev": {"dc_in * dc_dc_prev": DC_IN, "dh * dc_dc_prev": DH_ONLY},
    "dweight_hh": {
        "da.T @ c_prev": "weight_hh multiplies h_prev in (1): here stands c_prev",
        "dweight_hh_of.mean(axis=0)": "the mean over the steps in place of the sum",
        "da_x.T @ h_prev": "weight_hh makes a_h: its gradient comes from da_h, not da_x",
    },
    "dweight_ih": {
        "dweight_ih_of.mean(axis=0)": "the mean over the steps in place of the sum",
        "da_h.T @ x": "weight_ih makes a_x: its gradient comes from da_x, not da_h",
    },
    "dbias_hh": {"da_x.sum(axis=0)": "bias_hh is a part of a_h: its gradient comes from da_h"},
    "dbias_ih": {"da_h.sum(axis=0)": "bias_ih is a part of a_x: its gradient comes from da_x"},
    # 4: through time
    "h_prev": {
        "h[t - 1]": "one step late: h[0] is the h before step 0, so h[t] is the one before step t",
        "h_0": "every step reads h_0: then nothing is remembered",
    },
    "c_prev": {
        "c[t - 1]": "one step late: c[0] is the c before step 0, so c[t] is the one before step t",
        "c_0": "every step reads c_0: then nothing is remembered",
    },
    "outputs": {
        "np.array(h[:-1])": "shifted by one step: outputs[0] is the h after step 0, not h_0",
        "np.array(h)": "one too many: h_0 is no output",
        "np.array(c[1:])": "these are the c; what others see are the h",
    },
    "h_n": {"h[-2]": "this is the h before the last step"},
    "c_n": {"c[-2]": "this is the c before the last step"},
    "dh_next": {
        "dh_of[t + 1]": CARRIED,
        "dh_of[0]": CARRIED,
        "0 * dh_n": "∂loss/∂h_n is ignored: the loss may read the last state",
        "doutputs[-1]": "this is the gradient of the last output, which the loop adds as dh",
        "dh_n + doutputs[-1]": "the gradient of the last output belongs in the loop, where dh is",
    },
    "dh": {
        "dh_next": "the gradient that arrives at output t is missing",
        "doutputs[t] + dh_n": "dh_n reaches the last step alone; all others get dh_next",
    },
    "dc_next": {"dc_of[t + 1]": CARRIED, "dc_of[0]": CARRIED},
    "dc_in": {"dc_n": "dc_n reaches the last step alone; all others get dc_next"},
    "dh_0": {"dh_of[0]": "this is the gradient of the h after step 0, not of the one before it"},
    "dc_0": {
        "dc_of[0]": "this is the gradient of the c after step 0, not of the one before it",
        "dc_in_of[0]": "this is what arrived at step 0, not what that step hands back",
    },
    # 6: peephole
    "dweight_co": {"(da_o * c_prev).sum(axis=0)": "o sees the new c, not c_prev"},
    "dweight_ci": {"(da_i * c).sum(axis=0)": "i sees c_prev, not the new c"},
    "dweight_cf": {"(da_f * c).sum(axis=0)": "f sees c_prev, not the new c"},
    # 7: GRU
    "dn": {"dh * z": "in (6) n is multiplied by 1 - z"},
    "dz": {
        "dh * h_prev": "z is read twice in (6): by 1 - z, too",
        "-dh * n": "z is read twice in (6): by z ⊙ h_prev, too",
    },
    "da_hn": {"da_n": "in (5) a_hn is multiplied by r"},
    "dr": {
        "da_n * h_prev": "in (5) r multiplies a_hn, which is made from h_prev but is not h_prev"
    },
}

THROUGH = {  # names of exercise 3 that a student may make without the local derivative given
    "dc": ("dh_dc", "dc_in + dh * (LOCAL)"),
    "da_o": ("dh_dao", "dh * (LOCAL)"),
    "da_i": ("dc_dai", "dc * (LOCAL)"),
    "da_f": ("dc_daf", "dc * (LOCAL)"),
    "da_g": ("dc_dag", "dc * (LOCAL)"),
    "dc_prev": ("dc_dc_prev", "dc * (LOCAL)"),
}

ACTIVATIONS = ("i", "f", "g", "o", "tanh_c", "h", "c", "c_prev", "h_prev", "r", "z", "n", "a_hn")
GRADIENTS = ("dh", "dc", "dc_in", "da_o", "da_i", "da_f", "da_g", "dn", "dz", "da_n", "dr")

FACTORS = (
    *ACTIVATIONS,
    *(f"1 - {name}" for name in ("i", "f", "o", "r", "z")),
    *(f"1 - {name}**2" for name in ("g", "tanh_c", "n")),
    *(f"{name} * (1 - {name})" for name in ("i", "f", "o", "r", "z")),
    *(f"1 - {name}" for name in ("g", "tanh_c", "n")),
    *GRADIENTS,
    *("dh_dc", "dh_dao", "dc_dai", "dc_daf", "dc_dag", "dc_dc_prev"),
)
TERMS = (
    "dh_dc",
    "dh_dao",
    "bias_ih",
    "bias_hh",
    "x @ weight_ih.T",
    "h_prev @ weight_hh.T",
    "f * c_prev",
    "i * g",
    "dc_in",
    "dh * dh_dc",
    "da_o * weight_co",
    "dc * dc_dc_prev",
    "da_i * weight_ci",
    "da_f * weight_cf",
    "doutputs[t]",
    "dh_next",
    "dh * z",
    "da_h @ weight_hh",
    "dh",
    "dc",
)
