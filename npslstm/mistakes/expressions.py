"""The mistakes that fit in one line, as the wrong line: what a student may write for a name.

For each mistake, the names of the exercises' blanks that it spoils, with the wrong expression. In
it every name has its right value, the blank's own included. Over time, ``…_of[t]`` is what step t
by itself has to say.
"""

from __future__ import annotations

__all__ = ["EXPRESSIONS"]

WEIGHTS = ("dweight_ih", "dweight_hh")
BIASES = ("dbias_ih", "dbias_hh")


def _each(names: tuple[str, ...], expression: str) -> dict[str, str]:
    return {name: expression.replace("NAME", name) for name in names}


EXPRESSIONS: dict[str, dict[str, str]] = {
    "no_dtanh_c": {"dh_dc": "o"},
    "dtanh_of_h": {"dh_dc": "o * (1 - h**2)"},
    "dtanh_of_c": {"dh_dc": "o * (1 - c**2)"},
    "tanh_for_dtanh_c": {"dh_dc": "o * (1 - tanh_c)"},
    "no_dsigmoid_o": {"dh_dao": "tanh_c"},
    "c_for_tanh_c": {"dh_dao": "c * o * (1 - o)"},
    "no_dsigmoid_i": {"dc_dai": "g"},
    "no_dsigmoid_f": {"dc_daf": "c_prev"},
    "sigmoid_for_dsigmoid": {"dc_daf": "c_prev * f"},
    "forget_reads_c": {"dc_daf": "c * f * (1 - f)"},
    "no_dtanh_g": {"dc_dag": "i"},
    "tanh_for_dtanh_g": {"dc_dag": "i * (1 - g)"},
    "carry_by_input_gate": {"dc_dc_prev": "i"},
    "drop_dc": {"dc": "dh * dh_dc", "dc_in": "0 * dc_next"},
    "dc_misses_h": {"dc": "dc_in"},
    "swap_gates": {"da_i": "dc * dc_daf", "da_f": "dc * dc_dai"},
    "drop_dh": {"dh_prev": "0 * dh", "dh": "doutputs[t]"},
    "hh_transposed": {
        "dh_prev": "da @ np.concatenate([block.T for block in np.split(weight_hh, 4)])"
    },
    "dW_hh_with_h_t": {"dweight_hh": "da.T @ h"},
    "dW_overwritten": _each(WEIGHTS + BIASES, "NAME_of[0]"),
    "first_step_skipped": _each(WEIGHTS + BIASES, "NAME_of[1:].sum(axis=0)"),
    "bias_from_other_gate": _each(
        BIASES, "np.concatenate([da_i, da_i, da_g, da_o], axis=1).sum(axis=0)"
    ),
    "one_bias": {"dbias_hh": "0 * dbias_hh"},
    "gradient_starts_as_weights": {
        "dweight_ih": "weight_ih + dweight_ih",
        "dweight_hh": "weight_hh + dweight_hh",
        "dbias_ih": "bias_ih + dbias_ih",
        "dbias_hh": "bias_hh + dbias_hh",
    },
    "mean_over_batch": _each(WEIGHTS + BIASES, "NAME / len(c_prev)"),
    "ignore_dc_T": {"dc_next": "0 * dc_n"},
    "dstate_of_last_step": {"dh_0": "dh_n", "dc_0": "dc_n"},
    "swap_h_0_c_0": {"dh_0": "dc_0", "dc_0": "dh_0"},
    "drop_dc_0": {"dc_0": "0 * dc_0"},
    "sigmoid_without_half": {gate: f"1 / (1 + np.exp(-2 * a_{gate}))" for gate in "ifo"},
    "wrong_bias": {"a": "a - bias_ih + bias_ih.reshape(4, -1)[[3, 3, 2, 3]].ravel()"},
}
