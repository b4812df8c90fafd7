"""The demos as their users run them: a command, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT = 600  # seconds: only what hangs takes so long, however busy the machine is


def command(script, *options):
    """What a user types, and any warning is an error."""
    return [sys.executable, "-W", "error", str(ROOT / "demos" / script), *map(str, options)]


def environment(**changes):
    """This process's environment, with the package to be found, and ``changes``."""
    path = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    path = [changes.pop("first_path", ""), *path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))} | changes


def run(words, **changes):
    """Run a command to its end in :func:`environment`, and return what came of it."""
    return subprocess.run(
        words,
        env=environment(**changes),
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
    )


def run_demo(script, *options):
    """Run a demo that must succeed without a word on stderr; return what it printed."""
    done = run(command(script, *options), PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
