"""Ctrl-C: what was learnt is saved, one line says how to go on, and that line does."""

from __future__ import annotations

import os
import signal

import pytest
from mnist_runs import SMALL, TIMEOUT, run, same_bytes, start, strike

from npslstm.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

ENDLESS = (*SMALL, "--epochs", "1000000")
IMPORTING = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *rest):
        if name == "numpy":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


def interrupted(*options):
    """Press Ctrl-C after the first epoch; return the line that the run ends with."""
    process = start(*options)
    while not process.stdout.readline().startswith("epoch"):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    return errors


def command_in(line, path):
    """The command that the one line of an interrupted run says."""
    said = f"Stopped; {path} is saved. To go on: "
    assert line.startswith(said)
    assert line.count("\n") == 1
    return line.removeprefix(said)


def test_with_a_checkpoint_the_printed_command_goes_on_from_it(tmp_path):
    folder = tmp_path / "it's $HOME & co"
    folder.mkdir()
    path, undisturbed = folder / "run.npz", folder / "undisturbed.npz"
    line = command_in(interrupted(*ENDLESS, "--checkpoint", path), path)
    end = load_checkpoint(path).progress.step + 10

    last = run("--max-steps", end, line=line)
    assert (last.returncode, last.stderr) == (0, "")
    assert f"going on after step {end - 10:,}" in last.stdout
    assert "10 steps" in last.stdout
    assert run(*ENDLESS, "--checkpoint", undisturbed, "--max-steps", end).returncode == 0
    assert same_bytes(path, undisturbed)


def test_without_a_checkpoint_it_says_that_nothing_was_saved():
    line = interrupted(*ENDLESS)
    assert line == "Stopped; nothing was saved (--checkpoint PATH would)\n"


def test_a_run_that_goes_on_can_be_interrupted_again(tmp_path):
    path = tmp_path / "run.npz"
    first = command_in(interrupted(*ENDLESS, "--checkpoint", path), path)
    again = command_in(interrupted(*ENDLESS, "--checkpoint", path, "--resume"), path)
    assert first == again


@pytest.mark.parametrize(
    ("every", "call", "times", "step"),
    [
        (["--checkpoint-every", 1], 5, 1, 6),  # the write and the step after it come to their end
        (["--checkpoint-every", 1], 5, 2, 4),  # the write does not: the file before it stays
        ([], 1, 1, 126),  # and that step after it is saved, due or not
    ],
)
def test_during_a_write(tmp_path, every, call, times, step):
    path = tmp_path / "run.npz"
    strikes = strike(tmp_path, "replace", call, *[signal.SIGINT] * times)
    stopped = run(*ENDLESS, "--checkpoint", path, *every, **strikes)
    assert stopped.returncode == 130
    command_in(stopped.stderr, path)
    assert load_checkpoint(path).progress.step == step
    assert [file.name for file in tmp_path.glob(".*")] == []


def test_where_what_reads_the_output_has_ended_too(tmp_path):
    """As in ``python demos/mnist.py | tee log``, where Ctrl-C reaches both."""
    path = tmp_path / "run.npz"
    options = (*ENDLESS, "--checkpoint", path, "--checkpoint-every", 1)
    process = start(*options, **strike(tmp_path, "replace", 5, signal.SIGINT))
    while not process.stdout.readline().startswith("Checkpoint:"):
        assert process.poll() is None, process.communicate()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(TIMEOUT) == 130
    command_in(errors, path)
    process.stderr.close()


def test_while_numpy_is_imported(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(IMPORTING)
    stopped = run(*SMALL, first_path=str(tmp_path))
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("load", "Stopped before there was anything to save in {path}"),
        ("introduce", "Stopped before there was anything to save in {path}"),
        ("evaluate", "Stopped; {path} is saved. To go on: "),
        ("draw", "Stopped; {path} is saved. To go on: "),
    ],
)
def test_outside_of_training(demo, tmp_path, capsys, monkeypatch, place, said):
    def press(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, place, press)
    path = tmp_path / "run.npz"
    options = f"--max-steps 1 --plot {tmp_path / 'a.png'} --checkpoint {path}"
    assert demo.main(options.split()) == 130
    errors = capsys.readouterr().err
    assert errors.startswith(said.format(path=path))
    assert errors.count("\n") == 1
