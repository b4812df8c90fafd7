"""Exercise 8: the student's own step learns to read, or it is said what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from solutions import filled

from npslstm.exercises import digits
from npslstm.exercises.check import check
from npslstm.exercises.sheet import sheet

pytestmark = pytest.mark.long  # a check is a process of its own


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 3, 4):
        (tmp_path / f"exercise_{number}.py").write_text(filled(number), encoding="utf-8")
    (tmp_path / "exercise_8.py").write_text(sheet(8).text, encoding="utf-8")
    return tmp_path


def cause(folder: Path) -> str:
    (row,) = check(folder / "exercise_8.py").rows
    assert row.right != bool(row.cause)
    return row.cause


def test_it_learns_to_read(folder):
    outcome = check(folder / "exercise_8.py")
    assert outcome.passed, outcome.rows
    assert "of 1,000 new digits are read right" in outcome.printed


def change(folder, number, old, new):
    path = folder / f"exercise_{number}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_file_that_is_missing_is_named(folder):
    (folder / "exercise_3.py").unlink()
    assert "No module named 'exercise_3'; what it imports must lie beside it" in cause(folder)


def test_blanks_that_are_left_are_counted(folder):
    (folder / "exercise_2.py").write_text(sheet(2).text, encoding="utf-8")
    assert cause(folder) == "fill in the blanks first: exercise_2.py has 6 left"


def test_a_step_that_raises_is_told(folder):
    change(folder, 3, "da @ weight_hh", "da @ weight_hhh")
    assert "NameError: name 'weight_hhh' is not defined" in cause(folder)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("return np.zeros(x.shape[1])", "10.0% of the test images are read right, and the goal is"),
        ("return 7", "read_digits gives shape (), expected one digit for each image"),
    ],
)
def test_what_was_read_is_compared(folder, new, said):
    change(folder, 8, "EPOCHS, BATCH, RATE = 48, 6,", "EPOCHS, BATCH, RATE = 48, 0,")
    change(folder, 8, "return _forward(params, x)[0].argmax(axis=1)", new)
    assert said in cause(folder)


def test_batches_pass_the_progress_bar_unchanged(monkeypatch, capsys):
    batches = np.arange(6).reshape(3, 2)
    assert digits.progress(batches, "epoch") is batches  # no terminal, no bar
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    np.testing.assert_equal(list(digits.progress(batches, "epoch")), batches)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    np.testing.assert_equal(list(digits.progress(batches, "epoch")), batches)
    assert "epoch: 3 of 3\n" in capsys.readouterr().err
