"""``demos/mnist.py`` as its users run it: a command, in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess

import demo_runs
import pytest
from demo_runs import TIMEOUT, environment

SMALL = ("--hidden", "6", "--batch-size", "32")  # a step takes a few milliseconds

# Python runs a sitecustomize.py that it finds on PYTHONPATH before anything else.
STRIKE = """
import os, signal
name, number, signals = os.environ["STRIKE"].split()
real, calls = getattr(os, name), 0

def struck(*args):
    global calls
    calls += 1
    if calls == int(number):
        if "torn" in os.environ:
            os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
        for one in signals.split(","):
            os.kill(os.getpid(), int(one))
    return real(*args)

setattr(os, name, struck)
"""


def command(*options):
    return demo_runs.command("mnist.py", *options)


def run(*options, line=None, **changes):
    """Run to the end; the command may be given as one ``line`` of shell, too."""
    words = command(*options) if line is None else [*shlex.split(line), *map(str, options)]
    return demo_runs.run(words, **changes)


def start(*options, script="mnist.py", **changes):
    """Start a run and return its process, with the SIGINT handler that a terminal's would have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # an ignored one is inherited
    try:
        return subprocess.Popen(
            demo_runs.command(script, *options),
            env=environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, before)


def on_a_terminal(*options, **changes):
    """Run with errors going to a terminal; return what stdout and the terminal got."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        command(*options), env=environment(**changes), stdout=subprocess.PIPE, stderr=screen
    )
    os.close(screen)
    shown = b""
    try:
        while piece := os.read(keyboard, 4096):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(keyboard)
    printed, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, shown
    return printed.decode(), shown.decode().replace("\r\n", "\n")


def strike(folder, function, call, *signals, torn=False):
    """Changes of the environment that let a run send itself ``signals`` in the middle of work.

    Its ``call``-th call of ``os.function`` begins with them; ``torn`` cuts the file that is to be
    flushed there to half its length.
    """
    (folder / "sitecustomize.py").write_text(STRIKE, encoding="utf-8")
    words = f"{function} {call} {','.join(str(int(s)) for s in signals)}"
    return {"first_path": str(folder), "STRIKE": words} | ({"torn": "1"} if torn else {})


def same_bytes(path, other):
    return path.read_bytes() == other.read_bytes()


def options():
    """The long options that ``--help`` lists."""
    return set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", run("--help").stdout, re.MULTILINE))
