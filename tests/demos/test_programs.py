"""What holds for every program, new ones included: the tests find the demos by themselves."""

from __future__ import annotations

import builtins
import re
import signal

import pytest
import tiny_demos
from tiny_demos import COMMANDS, SCRIPTS, TINY

from npslstm.optim import Optimizer

ENCODINGS = ("cp1252", "cp437", "ascii")  # a redirect on Windows, its old console, LANG=C
PROGRAMS = [*SCRIPTS, *COMMANDS]

# What could only fail in the middle of a run, by option. The folder "file" is a file.
WRONG = {
    "--against": ["nowhere"],
    "--batch": ["0", "9" * 23],
    "--batch-size": ["0", "9" * 23],
    "--cell": ["-1", "x"],
    "--checkpoint": [".", "no/a.npz"],
    "--checkpoint-every": ["0"],
    "--clip": ["inf", "-1"],
    "--context": ["0"],
    "--dropout": ["1", "nan"],
    "--epochs": ["0", "9" * 23],
    "--explain": ["-1", "x"],
    "--export": ["x.bogus", "file/a.onnx"],
    "--forget-bias": ["x"],
    "--held-out": ["inf", "1", "0"],
    "--hidden": ["0", "99999999", "9" * 23],
    "--horizon": ["0"],
    "--layers": ["0", "99999999"],
    "--lr": ["nan", "inf", "-1"],
    "--max-steps": ["0", "9" * 23],
    "--only": ["x"],
    "--out": [".", "file/a.html"],
    "--own": ["file"],
    "--page": [".", "file/a.html"],
    "--parity-steps": ["-1"],
    "--plot": ["x.bogus", ".png", "file/a.png", f"{'n' * 300}.png"],
    "--reach": ["101", "nan"],
    "--rnn-lr": ["nan", "0"],
    "--rounds": ["0"],
    "--sample": ["-1", "9" * 23],
    "--save": [".", "file/a.npz"],
    "--save-every": ["0"],
    "--season": ["0"],
    "--seed": ["-1", "9" * 23, "x"],
    "--seeds": ["0", "9" * 23],
    "--sequences": ["0", "9" * 23],
    "--set": ["f=2", "x=0", "f=nan"],
    "--sizes": ["1,2,3,4,99999999"],
    "--steps": ["0", "9" * 23],
    "--temperature": ["1e-320", "0", "nan"],
    "--units": ["0", "99999999"],
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a program in a folder of its own, with its tiny options unless others are given."""
    tiny_demos.write_inputs(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)

    def run(program, options=None, **how):
        if program in COMMANDS:
            options = COMMANDS[program] if options is None else f"{program.split()[0]} {options}"
            return tiny_demos.run("-m", options.split(), monkeypatch, **how)
        if options is None:
            assert program in TINY, "say in tests/helpers/tiny_demos.py how it runs in a second"
            options = TINY[program]
        return tiny_demos.run(program, options.split(), monkeypatch, **how)

    return run


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_output_arrives_in_every_encoding_and_stderr_may_be_closed(run, program, encoding):
    ran = run(program, encoding=encoding, errors=encoding != "ascii")
    assert ran.status == (1 if program == "exercise check" else 0), ran.errors
    assert ran.errors == ""
    assert ran.printed.decode(encoding).strip()


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_arrives_in_every_encoding(run, program):
    whole = run(program, "--help").printed.decode()
    assert whole.startswith("usage: ")
    for encoding in ENCODINGS:
        ran = run(program, "--help", encoding=encoding)
        assert (ran.status, ran.errors) == (0, "")
        plain = ran.printed.decode(encoding)
        assert plain.count("\n") == whole.count("\n")
        if encoding == "ascii":
            assert "?" not in set(plain) - set(whole)  # for each there is a plain form


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reader_that_ends_first_ends_the_program_without_a_word(run, program):
    assert run(program, reader=False)[::2] == (141, "")
    assert run(program, "--help", reader=False)[::2] == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_ends_with_a_line_and_the_status_of_shells(run, script, monkeypatch, tmp_path):
    steps, step, show = [], Optimizer.step, builtins.print

    def press_in_training(*args):
        step(*args)
        steps.append(1)
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)

    def press_at_the_first_line(*args, **options):
        monkeypatch.setattr(builtins, "print", show)
        signal.raise_signal(signal.SIGINT)

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(Optimizer, "step", press_in_training)
    ran = run(script)
    if not steps:  # it trains nothing
        assert ran.status == 0
        monkeypatch.setattr(builtins, "print", press_at_the_first_line)
        ran = run(script)
    assert ran.status == 130
    assert ran.errors.startswith("Stopped")
    assert ran.errors.count("\n") == 1
    saved = {path.name for path in set(tmp_path.iterdir()) - before}
    assert saved == set(re.findall(r"--(?:out|save) (\S+)", TINY[script]))


@pytest.mark.parametrize("options", ["--hidden 99999999", "--layers 99999999", "--seed -1"])
def test_a_gradient_check_that_would_take_for_ever_is_refused(run, options):
    ran = run("gradcheck --intermediates", options)
    assert (ran.status, ran.printed) == (2, b"")
    assert ran.errors.splitlines()[-1].startswith("python -m npslstm")


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_must_fail_late_is_refused_early(run, script, tmp_path):
    usage = run(script, "--help").printed.decode()
    before = set(tmp_path.iterdir())
    for option in re.findall(r"^  (--[a-z-]+)", usage, re.MULTILINE):
        for value in WRONG.get(option, []):
            ran = run(script, f"{option} {value}")
            assert (ran.status, ran.printed) == (2, b""), (option, value)
            last = ran.errors.splitlines()[-1]
            assert re.search(rf"error: (argument )?{option}: ", last), last
            assert len(last) < 250
    assert set(tmp_path.iterdir()) == before
