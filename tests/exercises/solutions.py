"""Solutions of the exercises, which are kept here alone, and what fills them in."""

from __future__ import annotations

import re
import textwrap

from npslstm.exercises.check import Row, rows_of
from npslstm.exercises.child import examine
from npslstm.exercises.sheet import sheet

FORWARD = {
    "a": "x @ weight_ih.T + bias_ih + h_prev @ weight_hh.T + bias_hh",
    "i": "sigmoid(a_i)",
    "f": "sigmoid(a_f)",
    "g": "np.tanh(a_g)",
    "o": "sigmoid(a_o)",
    "c": "f * c_prev + i * g",
    "tanh_c": "np.tanh(c)",
    "h": "o * tanh_c",
}
LOCAL = {
    "dh_dc": "o * (1 - tanh_c**2)",
    "dh_dao": "tanh_c * o * (1 - o)",
    "dc_dai": "g * i * (1 - i)",
    "dc_daf": "c_prev * f * (1 - f)",
    "dc_dag": "i * (1 - g**2)",
    "dc_dc_prev": "f",
}
AFFINE = {
    "dh_prev": "da @ weight_hh",
    "dx": "da @ weight_ih",
    "dweight_hh": "da.T @ h_prev",
    "dweight_ih": "da.T @ x",
    "dbias_ih": "da.sum(axis=0)",
    "dbias_hh": "da.sum(axis=0)",
}
BACKWARD = {
    "dc": "dc_in + dh * dh_dc",
    "da_o": "dh * dh_dao",
    "da_i": "dc * dc_dai",
    "da_f": "dc * dc_daf",
    "da_g": "dc * dc_dag",
    "dc_prev": "dc * dc_dc_prev",
    **AFFINE,
}
SEQUENCE = {
    "h_prev": "h[t]",
    "c_prev": "c[t]",
    "outputs": "np.array(h[1:])",
    "h_n": "h[-1]",
    "c_n": "c[-1]",
    "dh_next": "dh_n",
    "dc_next": "dc_n",
    "order": "reversed(range(T))",
    "dh": "doutputs[t] + dh_next",
    "dc_in": "dc_next",
    "dweight_ih": "dweight_ih + dweight_ih_t",
    "dweight_hh": "dweight_hh + dweight_hh_t",
    "dbias_ih": "dbias_ih + dbias_ih_t",
    "dbias_hh": "dbias_hh + dbias_hh_t",
    "dh_0": "dh_next",
    "dc_0": "dc_next",
}
PEEPHOLE = {
    **BACKWARD,
    "dc": "dc_in + dh * dh_dc + da_o * weight_co",
    "dc_prev": "dc * dc_dc_prev + da_i * weight_ci + da_f * weight_cf",
    "dweight_ci": "(da_i * c_prev).sum(axis=0)",
    "dweight_cf": "(da_f * c_prev).sum(axis=0)",
    "dweight_co": "(da_o * c).sum(axis=0)",
}
GRU = {
    "dn": "dh * (1 - z)",
    "dz": "dh * (h_prev - n)",
    "da_n": "dn * (1 - n**2)",
    "dr": "da_n * a_hn",
    "da_hn": "da_n * r",
    "da_r": "dr * r * (1 - r)",
    "da_z": "dz * z * (1 - z)",
    "dh_prev": "dh * z + da_h @ weight_hh",
    "dx": "da_x @ weight_ih",
    "dweight_hh": "da_h.T @ h_prev",
    "dweight_ih": "da_x.T @ x",
    "dbias_ih": "da_x.sum(axis=0)",
    "dbias_hh": "da_h.sum(axis=0)",
}
SOLUTIONS = {1: FORWARD, 2: LOCAL, 3: BACKWARD, 4: SEQUENCE, 6: PEEPHOLE, 7: GRU}


def filled(number: int, **changed: str) -> str:
    """Return the sheet with its blanks filled in: rightly, but for these names.

    A change is an expression, or whole lines that assign the name.
    """
    lines = SOLUTIONS[number] | changed

    def fill(blank: re.Match[str]) -> str:
        indent, name, words = blank.groups()
        text = lines[name] if "\n" in lines[name] else f"{name} = {lines[name]}{words}"
        return textwrap.indent(textwrap.dedent(text).strip("\n"), indent)

    text, blanks = re.subn(r"^( +)(\w+) = \.\.\.(  # .*)$", fill, sheet(number).text, flags=re.M)
    assert blanks == len(lines)
    return text


def judged(number: int, text: str) -> list[Row]:
    """Judge a text in this process, as the child would."""
    verdicts: list[dict] = []
    examine(sheet(number), text, "answer.py", lambda **verdict: verdicts.append(verdict), set())
    return rows_of(sheet(number), text, verdicts)


def wrong(rows: list[Row]) -> dict[str, str]:
    """Return the causes of the names that are wrong."""
    causes: dict[str, str] = {}
    for row in rows:
        assert row.right != bool(row.cause)
        if not row.right:
            causes[row.name] = causes.get(row.name, "") + row.cause
    return causes
