"""What every demo is as a program; ``parts/__init__.py`` shows how one becomes it."""

from __future__ import annotations

from parts import threads  # isort: skip  # noqa: F401  (before NumPy)

import argparse
import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path

DEMOS = Path(__file__).parents[1]


def _end_at_once(*_: object) -> None:
    """Answer Ctrl-C while NumPy is imported: that needs no traceback."""
    sys.exit(130)


if Path(getattr(sys.modules["__main__"], "__file__", None) or "").resolve().parent == DEMOS:
    signal.signal(signal.SIGINT, _end_at_once)

from npslstm.checkpoint import CheckpointError
from npslstm.datasets import DataError
from npslstm.files.program import program
from npslstm.training import NonFiniteError

__all__ = ["DEMOS", "parser", "script"]


def script(main: Callable[..., int | None]) -> Callable[..., int]:
    """Make ``main`` end with a status: a decorator, see :func:`npslstm.files.program.program`."""
    ending = program(CheckpointError, DataError, MemoryError, NonFiniteError, OSError)(main)

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        if signal.getsignal(signal.SIGINT) is _end_at_once:  # all is imported
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return ending(argv)

    return run


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help begins with the demo's docstring as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
