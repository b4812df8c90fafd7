"""A program's end: its status, its one line, and output that goes where it cannot."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys

import pytest
from demo_runs import command, environment, run

from npslstm.files.program import INTERRUPTED, program


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (None, 0, ""),
        (KeyboardInterrupt(), INTERRUPTED, "Stopped\n"),
        (KeyboardInterrupt("Stopped; go on"), INTERRUPTED, "Stopped; go on\n"),
        (ArithmeticError("step 3"), 1, "step 3\n"),
        (ArithmeticError(), 1, "ArithmeticError\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_ends_a_program_is_a_status_and_at_most_one_line(capsys, raised, status, said):
    @program(ArithmeticError)
    def main():
        if raised is not None:
            raise raised

    assert main() == status
    assert capsys.readouterr() == ("", said)


def test_what_nobody_expected_is_not_hidden():
    @program(OSError)
    def main():
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        main()


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("ascii", "∂L/∂h² = 2⁶³ ‖W‖ → “é” 語😀", 'dL/dh^2 = 2^63 ||W|| -> "e" ??'),
        ("ascii", "c = f ⊙ c_prev + σ(a)…", "c = f * c_prev + sigma(a)..."),
        ("cp1252", "∂L/∂h² = “é” × σ", "dL/dh² = “é” × sigma"),
        ("cp437", "∂h σ(a) ≤ √K, √2", "dh σ(a) ≤ √K, √2"),
    ],
)
def test_a_plain_form_stands_for_what_an_encoding_does_not_have(
    monkeypatch, encoding, text, expected
):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    program()(lambda: print(text))()
    assert stream.buffer.getvalue().decode(encoding).strip() == expected


# As users run them, once: tests/demos/test_programs.py has all of them in one process.

DEMO = command("one_step_by_hand.py")


@pytest.mark.skipif(os.name != "posix", reason="shells are POSIX's")
@pytest.mark.parametrize(
    ("ending", "status", "last"),
    [
        (">&-", 0, ""),
        ("<&- 2>&- >&-", 0, ""),
        ("2>&- | tail -n 1", 0, "numbers, each in two ways"),
        ("2>&1 | head -n 1", 0, "Given"),
        ("2>&1 >/dev/full", 1, "No space left on device"),
    ],
)
def test_in_a_shell(ending, status, last):
    if "/dev/full" in ending and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    done = run(["sh", "-c", f"{shlex.join(DEMO)} {ending}"], PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.count("\n") == bool(last)
    assert last in done.stdout


def test_ctrl_c_while_numpy_is_imported_needs_no_traceback(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'numpy':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = subprocess.run(
        DEMO, env=environment(first_path=str(tmp_path)), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")
