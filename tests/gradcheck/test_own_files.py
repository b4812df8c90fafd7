"""``python -m npslstm gradcheck FILE.py``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_suspects import LAYOUTS, MISTAKES

from npslstm.__main__ import main

STRANGERS = Path(__file__).parent / "strangers"
LINEAR = """
import numpy as np

def forward(x, w):
    return x * w, (x, w)

def backward(cache, dy):
    x, w = cache
    return dy * w, {"w": (dy * x).sum(axis=0)}

def example():
    return np.ones((3, 2)), {"w": np.ones(2)}
"""


@pytest.mark.parametrize("name", [*LAYOUTS, "attributes", "diffs", "lists"])
def test_the_strangers_pass(capsys, name):
    assert main(["gradcheck", str(STRANGERS / f"{name}.py")]) == 0
    printed = capsys.readouterr().out
    assert "\nlayout: an LSTM with gates " in printed
    assert "\npassed: " in printed


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_a_file_may_say_its_encoding_as_python_lets_it(capsys, tmp_path, encoding):
    head = "" if encoding == "utf-8-sig" else f"# -*- coding: {encoding} -*-\n"
    (tmp_path / "mine.py").write_text(f"{head}# größer\n{LINEAR}", encoding=encoding)
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 0
    assert "\npassed: " in capsys.readouterr().out


def test_a_mistake_is_named(capsys, tmp_path):
    source = (STRANGERS / "ours.py").read_text(encoding="utf-8")
    for old, new in MISTAKES["ours"]["drop_dc"]:
        source = source.replace(old, new)
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 1
    printed = capsys.readouterr().out
    assert "\nseen: the gradients are those of our LSTM with drop_dc (" in printed
    assert "\nFAILED: " in printed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def example", "def sample", "given a file without example"),
        ("def backward", "def backwards", "given a file without backward"),
        ("return np.ones((3, 2)), {", "return {", "example() returned something else"),
        (
            "    return x * w, (x, w)",
            "    return x * v, (x, w)",
            "line 5, in forward: return x * v",
        ),
        ("import numpy", "import numppy", "ModuleNotFoundError: No module named 'numppy'"),
        ("def forward(x, w):", "def forward(x, w:", "line 4: def forward(x, w:\nSyntaxError"),
    ],
)
def test_a_file_that_cannot_be_checked(capsys, tmp_path, old, new, said):
    path = tmp_path / "mine.py"
    path.write_text(LINEAR, encoding="utf-8")
    assert main(["gradcheck", str(path)]) == 0
    path.write_text(LINEAR.replace(old, new), encoding="utf-8")
    assert main(["gradcheck", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_not_opened(capsys, tmp_path):
    os.mkfifo(tmp_path / "mine.py")
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 2
    assert "expected a Python file, given what is not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "ending", "line"),
    [
        ("\n\ndef forward", "import sys; sys.exit(0)", 3),
        ("\n\ndef forward", "import argparse; argparse.ArgumentParser().parse_args(['-h'])", 3),
        ("\n\ndef forward", "import unittest; unittest.main()", 3),
        ("    return x * w, (x, w)", "    raise SystemExit", 5),
        ("    return np.ones((3, 2))", "    raise SystemExit(0)", None),
    ],
)
def test_a_file_that_ends_the_program_has_not_passed(capsys, tmp_path, place, ending, line):
    path = tmp_path / "mine.py"
    assert place in LINEAR
    source = LINEAR.replace(place, f"\n{ending}{place}" if line == 3 else f"{ending}\n{place}", 1)
    path.write_text(source, encoding="utf-8")
    line = line or source[: source.index("raise SystemExit")].count("\n") + 1
    assert main(["gradcheck", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"{path}, line {line}, ended the program: nothing was checked\n")


def test_a_file_does_not_see_the_arguments_of_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["npslstm", "gradcheck", "mine.py"])
    path = tmp_path / "mine.py"
    reads = "\nimport argparse\nargparse.ArgumentParser().parse_args()\n"
    path.write_text(LINEAR + reads, encoding="utf-8")
    assert main(["gradcheck", str(path)]) == 0


def test_a_note_is_said_once_and_names_the_option(capsys, tmp_path):
    real = LINEAR.replace("return x * w,", "y = np.zeros(x.shape); y[:] = x * w; return y,")
    (tmp_path / "mine.py").write_text(real, encoding="utf-8")
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 0  # and warnings are errors here
    printed = capsys.readouterr()
    assert "lift=True (--lift in the command) lets it hold complex numbers" in " ".join(
        printed.out.split()
    )
    assert printed.err == ""
    assert main(["gradcheck", "--lift", str(tmp_path / "mine.py")]) == 0
    assert "complex step does not apply" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("backward(cache, dy)", "backward(dy, cache)", "is called as backward(cache, dout)"),
        ('return dy * w, {"w": ', "return dy * w, (", "return x, params, {'names': ('x', …)}"),
    ],
)
def test_other_conventions_are_told_what_to_say(capsys, tmp_path, old, new, said):
    source = LINEAR.replace(old, new).replace("sum(axis=0)}", f"sum(axis=0){'})'['names' in said]}")
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys, tmp_path):
    assert main(["gradcheck", str(tmp_path / "none.py")]) == 2
    assert "FileNotFoundError" in capsys.readouterr().err


def test_a_file_may_import_its_neighbours(tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text(LINEAR, encoding="utf-8")
    (tmp_path / "mine.py").write_text("from neighbour_of_mine import *\n", encoding="utf-8")
    assert main(["gradcheck", str(tmp_path / "mine.py")]) == 0
