"""Exercise 5: each of the seven is wrong as handed out, and right once it is mended."""

from __future__ import annotations

import pytest
from solutions import judged, wrong

from npslstm.exercises.check import check
from npslstm.exercises.sheet import sheet
from npslstm.mistakes import MISTAKES

pytestmark = pytest.mark.long  # seven checks, each of which looks for the layout and the mistake

MENDED = {
    "backward_1": ("dnext_c = dnext_h * o", "dnext_c = dprev_c + dnext_h * o"),
    "backward_2": ("reversed(range(1, n))", "reversed(range(n))"),
    "backward_3": ("z_f = grad_c * c * f\n", "z_f = grad_c * c * f * (1 - f)\n"),
    "backward_4": ("da_next = da[:, :, t]\n", "da_next = da_prev + da[:, :, t]\n"),
    "backward_5": ("da.T @ h[t + 1]", "da.T @ h[t]"),
    "backward_6": ('deltas["i" if gate == "f" else gate]', "delta"),
    "backward_7": ("H[t - 1].T @ d", "(H[t - 1] if t else h_0).T @ d"),
}
MISTAKES_MADE = [
    "drop_dc",
    "first_step_skipped",
    "sigmoid_for_dsigmoid",
    "drop_dh",
    "dW_hh_with_h_t",
    "bias_from_other_gate",
    "dW_hh_from_the_end",
]


def handed_out(folder):
    path = folder / "exercise_5.py"
    path.write_text(sheet(5).text, encoding="utf-8")
    return path


def mended(*names):
    text = sheet(5).text
    for name in names:
        old, new = MENDED[name]
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_all_seven_are_wrong_as_handed_out():
    causes = wrong(judged(5, sheet(5).text))
    assert list(causes) == list(MENDED)
    for cause in causes.values():
        assert cause.startswith("wrong are the gradients of")
        assert "complex step does not apply" not in cause  # each is checked to machine precision
    assert "dx is right at the last step and wrong before" in causes["backward_1"]


def test_a_hint_names_the_mistake_and_the_cause_does_not(tmp_path):
    outcome = check(handed_out(tmp_path))
    for row, mistake in zip(outcome.rows, MISTAKES_MADE, strict=True):
        assert mistake not in row.cause
        assert mistake in outcome.hints[row.name]
        assert mistake in MISTAKES


def test_all_seven_pass_when_mended():
    assert wrong(judged(5, mended(*MENDED))) == {}


def test_the_forward_must_stay():
    text = mended(*MENDED).replace("next_h = o * np.tanh(next_c)", "next_h = 0 * o")
    (cause,) = wrong(judged(5, text)).values()
    assert "forward has changed" in cause


def test_what_goes_wrong_in_one_is_told_in_its_row():
    text = mended(*MENDED).replace("grads = {name: 0 for", "grads = {nam: 0 for")
    text = text.replace("def backward_2", "def backwards_2")
    text = text.replace('"b": db}\n\n\n# 2', '"bias": db}\n\n\n# 2')
    causes = wrong(judged(5, text))
    assert list(causes) == ["backward_1", "backward_2", "backward_4"]
    assert "expected a gradient of b" in causes["backward_1"]
    assert causes["backward_2"] == "blank"
    assert "NameError: name 'nam' is not defined" in causes["backward_4"]
