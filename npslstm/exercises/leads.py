"""What ``--hint`` and ``--answer`` say: for each name a question that leads on, and the formula.

The numbers, letters and formulas are those of ``gates.py`` and ``cell.py``.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LEADS", "Lead"]


class Lead(NamedTuple):
    """Help with one name."""

    hint: str
    answer: str


FORWARD = {
    "a": Lead(
        "x is (N, D) and weight_ih (4H, D): what must be transposed to get (N, 4H)? The same for "
        "h_prev and weight_hh. NumPy adds a bias (4H,) to every row by itself.",
        "a = x W_ihᵀ + b_ih + h_prev W_hhᵀ + b_hh",
    ),
    "i": Lead("A gate lies between 0 and 1. Which function does that to a_i?", "i = σ(a_i)"),
    "f": Lead("As i, from its own part of a.", "f = σ(a_f)"),
    "g": Lead("The candidate may be negative: it lies between -1 and 1.", "g = tanh(a_g)"),
    "o": Lead("As i, from its own part of a.", "o = σ(a_o)"),
    "c": Lead(
        "Two terms: what is kept of the old memory, and what is newly written. Each passes a gate.",
        "c = f ⊙ c_prev + i ⊙ g",
    ),
    "tanh_c": Lead("The memory may be large. What squeezes it?", "tanh_c = tanh(c)"),
    "h": Lead("What the output gate lets through of tanh_c.", "h = o ⊙ tanh_c"),
}

LOCAL = {
    "dh_dc": Lead(
        "(8) is h = o ⊙ tanh(c), and o is held fixed. What is the derivative of tanh? You have "
        "tanh(c) already: it is tanh_c.",
        "∂h/∂c = o ⊙ (1 - tanh_c²)",
    ),
    "dh_dao": Lead(
        "a_o moves o by (5), and o moves h by (8). Two factors: ∂h/∂o, and σ′(a_o) from o.",
        "∂h/∂a_o = tanh_c ⊙ o ⊙ (1 - o)",
    ),
    "dc_dai": Lead(
        "a_i moves i by (2), and i moves c by (6). Two factors: ∂c/∂i, and σ′(a_i) from i.",
        "∂c/∂a_i = g ⊙ i ⊙ (1 - i)",
    ),
    "dc_daf": Lead(
        "a_f moves f by (3), and f moves c by (6). What does f multiply there? The second factor "
        "is σ′(a_f), from f.",
        "∂c/∂a_f = c_prev ⊙ f ⊙ (1 - f)",
    ),
    "dc_dag": Lead(
        "a_g moves g by (4), and g moves c by (6). g is a tanh, not a σ: which derivative is that?",
        "∂c/∂a_g = i ⊙ (1 - g²)",
    ),
    "dc_dc_prev": Lead("Look at (6) alone: what multiplies c_prev?", "∂c/∂c_prev = f"),
}

ROWS = "Each of the N rows adds to it, as all rows share it: sum over them, do not average."

AFFINE = {
    "dh_prev": Lead(
        "h_prev is read by (1), through W_hh. da is (N, 4H), weight_hh is (4H, H), and dh_prev "
        "must be (N, H): only one product fits.",
        "dh_prev = da W_hh",
    ),
    "dx": Lead("As dh_prev, but through the matrix that multiplies x.", "dx = da W_ih"),
    "dweight_hh": Lead(
        "It must have the shape of weight_hh, (4H, H): which two arrays did (1) bring together "
        f"there? {ROWS} A matrix product does it.",
        "dW_hh = daᵀ h_prev",
    ),
    "dweight_ih": Lead("As dweight_hh, with what weight_ih multiplies in (1).", "dW_ih = daᵀ x"),
    "dbias_ih": Lead(f"(1) adds the bias to a as it is. {ROWS}", "db_ih = Σ_rows da"),
    "dbias_hh": Lead("(1) adds the two biases alike.", "db_hh = Σ_rows da"),
}

BACKWARD = {
    "dc": Lead(
        "c is read twice: by the next step, which sends dc_in, and by h. What dh says of c has to "
        "pass one of the local derivatives. What reaches one quantity on two ways is added.",
        "dc = dc_in + dh ⊙ ∂h/∂c",
    ),
    "da_o": Lead(
        "a_o acts on h directly, not through c. So which gradient, and which local derivative?",
        "da_o = dh ⊙ ∂h/∂a_o",
    ),
    "da_i": Lead("a_i acts on the loss through c: all of dc.", "da_i = dc ⊙ ∂c/∂a_i"),
    "da_f": Lead("a_f acts on the loss through c: all of dc.", "da_f = dc ⊙ ∂c/∂a_f"),
    "da_g": Lead("a_g acts on the loss through c: all of dc.", "da_g = dc ⊙ ∂c/∂a_g"),
    "dc_prev": Lead("c_prev is read by (6) alone: it acts through c.", "dc_prev = dc ⊙ ∂c/∂c_prev"),
    **AFFINE,
}

SUM = "Every step uses the same parameter. What you have so far, and what this step adds?"

SEQUENCE = {
    "h_prev": Lead("h[0] is the h before step 0. Which entry is the one before step t?", "h_t"),
    "c_prev": Lead("As h_prev, in the list of the c.", "c_t"),
    "outputs": Lead(
        "The list h has T + 1 entries. One of them is no output. np.array makes one array of many.",
        "outputs = h_1, …, h_T",
    ),
    "h_n": Lead("The h that the last step made.", "h_n = h_T"),
    "c_n": Lead("The c that the last step made.", "c_n = c_T"),
    "dh_next": Lead(
        "No step comes after the last one. Who else reads the last h, beside the outputs?",
        "dh_next = ∂loss/∂h_n",
    ),
    "dc_next": Lead("Likewise for c.", "dc_next = ∂loss/∂c_n"),
    "order": Lead(
        "Backward needs of step t + 1 what it sends to step t. So which step can be the first?",
        "T - 1, T - 2, …, 0",
    ),
    "dh": Lead(
        "The h of step t is read twice: by the loss as output t, and by step t + 1, which has sent "
        "dh_next. What reaches one quantity on two ways is added.",
        "dh = doutputs[t] + dh_next",
    ),
    "dc_in": Lead("Beside its own h, only the next step reads c.", "dc_in = dc_next"),
    "dweight_ih": Lead(SUM, "dW_ih = Σ_t of what step t adds"),
    "dweight_hh": Lead(SUM, "dW_hh = Σ_t of what step t adds"),
    "dbias_ih": Lead(SUM, "db_ih = Σ_t of what step t adds"),
    "dbias_hh": Lead(SUM, "db_hh = Σ_t of what step t adds"),
    "dh_0": Lead(
        "h_0 is read by step 0 alone. What did step 0 send back, and where is it now?",
        "∂loss/∂h_0 = dh_prev of step 0",
    ),
    "dc_0": Lead("Likewise for c.", "∂loss/∂c_0 = dc_prev of step 0"),
}

PEEPHOLE = {
    **BACKWARD,
    "dc": Lead(
        "c is read three times: by the next step, by h, and by o through (5). The third way leads "
        "over a_o's place in the sum, so da_o is what you need, and what multiplies c there.",
        "dc = dc_in + dh ⊙ ∂h/∂c + da_o ⊙ weight_co",
    ),
    "dc_prev": Lead(
        "c_prev is read three times: by (6), and by i and f through (2) and (3).",
        "dc_prev = dc ⊙ ∂c/∂c_prev + da_i ⊙ weight_ci + da_f ⊙ weight_cf",
    ),
    "dweight_ci": Lead(
        f"In (2) weight_ci multiplies c_prev, and the sum's gradient is da_i. {ROWS}",
        "dweight_ci = Σ_rows da_i ⊙ c_prev",
    ),
    "dweight_cf": Lead("As dweight_ci, in (3).", "dweight_cf = Σ_rows da_f ⊙ c_prev"),
    "dweight_co": Lead("As dweight_ci, in (5): which c?", "dweight_co = Σ_rows da_o ⊙ c"),
}

GRU = {
    "dn": Lead("In (6), what multiplies n?", "dn = dh ⊙ (1 - z)"),
    "dz": Lead("z is read twice in (6), once as 1 - z.", "dz = dh ⊙ (h_prev - n)"),
    "da_n": Lead("n = tanh(…), and tanh′ = 1 - tanh².", "da_n = dn ⊙ (1 - n²)"),
    "dr": Lead("In (5), what multiplies r?", "dr = da_n ⊙ a_hn"),
    "da_hn": Lead("In (5), what multiplies a_hn?", "da_hn = da_n ⊙ r"),
    "da_r": Lead("r = σ(…), and σ′ = σ (1 - σ).", "da_r = dr ⊙ r ⊙ (1 - r)"),
    "da_z": Lead("z = σ(…), and σ′ = σ (1 - σ).", "da_z = dz ⊙ z ⊙ (1 - z)"),
    "dh_prev": Lead(
        "h_prev is read by (6) directly, and by (2) through W_hh. da_h is ∂loss/∂a_h.",
        "dh_prev = dh ⊙ z + da_h W_hh",
    ),
    "dx": Lead("x is read by (1) through W_ih. Which of da_x and da_h?", "dx = da_x W_ih"),
    "dweight_hh": Lead(
        f"The shape of weight_hh, (3H, H), and what (2) brings together. {ROWS}",
        "dW_hh = da_hᵀ h_prev",
    ),
    "dweight_ih": Lead("As dweight_hh, in (1).", "dW_ih = da_xᵀ x"),
    "dbias_ih": Lead(f"(1) adds it to a_x. {ROWS}", "db_ih = Σ_rows da_x"),
    "dbias_hh": Lead(f"(2) adds it to a_h: here the two differ. {ROWS}", "db_hh = Σ_rows da_h"),
}

LEADS = {1: FORWARD, 2: LOCAL, 3: BACKWARD, 4: SEQUENCE, 6: PEEPHOLE, 7: GRU}
