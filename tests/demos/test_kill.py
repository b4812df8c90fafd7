"""Training that is killed, again and again, ends with the very bytes of training that never was.

Once at chosen points of a write, then at random moments: a few by default, 50 with ``--slow``.
"""

from __future__ import annotations

import os
import random
import signal
import time

import demo_runs
import pytest
from mnist_runs import SMALL, TIMEOUT, run, same_bytes, start, strike

from npslstm.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")

RUN = (*SMALL, "--layers", "2", "--dropout", "0.3", "--checkpoint-every", "1")


def checkpointing(path, *options):
    return (*RUN, "--checkpoint", path, *options)


def step_of(path):
    return load_checkpoint(path).progress.step


def unfinished(folder):
    """The temporary files of writes that were killed."""
    return list(folder.glob(".npslstm-*.tmp"))


def test_killed_at_every_point_of_a_write(tmp_path):
    """Each save flushes its temporary file, renames it, and flushes the folder."""
    path, undisturbed = tmp_path / "run.npz", tmp_path / "undisturbed.npz"
    options = checkpointing(path, "--max-steps", 12, "--resume")

    def kill(function, call, torn=False):
        strikes = strike(tmp_path, function, call, signal.SIGKILL, torn=torn)
        assert run(*options, **strikes).returncode == -signal.SIGKILL

    kill("fsync", 1, torn=True)  # half of the first file is written
    assert not path.exists()
    assert len(unfinished(tmp_path)) == 1

    kill("fsync", 7, torn=True)  # half of the fourth, where the third is in place
    assert step_of(path) == 3
    [half] = unfinished(tmp_path)  # the one before is gone
    assert half.stat().st_size < path.stat().st_size

    kill("replace", 5)  # all of the fifth after that is written, and has not its name
    assert step_of(path) == 7
    [whole] = unfinished(tmp_path)
    assert whole.stat().st_size == path.stat().st_size

    kill("fsync", 6)  # the third after that has its name, and the folder is not flushed
    assert step_of(path) == 10
    assert unfinished(tmp_path) == []

    last = run(*options)
    assert (last.returncode, last.stderr) == (0, "")
    whole = run(*checkpointing(undisturbed, "--max-steps", 12))
    assert same_bytes(path, undisturbed)
    assert accuracy(last) == accuracy(whole)


def accuracy(completed):
    [line] = (line for line in completed.stdout.splitlines() if line.startswith("Test accuracy"))
    return line


@pytest.mark.parametrize("script", ["mnist.py", "char_lm.py"])
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path, script, kills):
    """Every other time as soon as a write is seen under way. A run that ends first starts anew."""
    path, undisturbed = tmp_path / "run.npz", tmp_path / "undisturbed.npz"
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be that is the question\n" * 150, encoding="utf-8")
    save, options = {  # steps that take a moment to write
        "mnist.py": ("--checkpoint", (*RUN, "--hidden", 48, "--max-steps", 60)),
        "char_lm.py": (
            "--save",
            ("--text", text, "--hidden", 96, "--epochs", 2, "--save-every", 1, "--sample", 9),
        ),
    }[script]
    began = time.monotonic()
    whole = demo_runs.run(demo_runs.command(script, *options, save, undisturbed))
    assert (whole.returncode, whole.stderr) == (0, "")
    span = time.monotonic() - began

    rng = random.Random(0)
    landed = torn = finished = reached = 0
    while landed < kills:
        for left in unfinished(tmp_path):
            left.unlink()
        process = start(*options, save, path, "--resume", script=script)
        time.sleep(rng.uniform(0, span))
        while landed % 2 and process.poll() is None and not unfinished(tmp_path):
            pass
        process.kill()
        _, errors = process.communicate(timeout=TIMEOUT)
        assert errors == ""
        if process.returncode == 0:  # it was faster
            assert same_bytes(path, undisturbed)
            path.unlink()
            finished, reached = finished + 1, 0
            continue
        assert process.returncode == -signal.SIGKILL
        landed += 1
        torn += len(unfinished(tmp_path))
        if path.exists():
            reached, before = step_of(path), reached
            assert reached >= before
    last = demo_runs.run(demo_runs.command(script, *options, save, path, "--resume"))
    assert (last.returncode, last.stderr) == (0, "")
    assert same_bytes(path, undisturbed)
    print(f"{landed} kills, {torn} of them during a write, {finished + 1} runs came to their end")
    assert torn or kills < 50  # three may all miss
