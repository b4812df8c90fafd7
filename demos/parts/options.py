"""Types for the options of a demo: each refuses at once what would fail in the middle of a run."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from npslstm.files import check_writable

__all__ = [
    "PICTURES",
    "count",
    "fraction",
    "index",
    "layers",
    "new_file",
    "number",
    "output",
    "picture",
    "positive",
    "seed",
    "size",
    "units",
    "whole",
]

PICTURES = (".png", ".svg", ".pdf")
MANY = 10**9  # steps, rows or sequences: nobody lives to see more
UNITS = 10_000  # of a layer: its weights are 4 H² numbers, here 1.6 GB


def number(
    kind: type[int] | type[float],
    expected: str,
    holds: Callable[[Any], bool],
    most: float = math.inf,
) -> Callable[[str], Any]:
    """Return what reads an option's number, or says what was ``expected``."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not holds(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, given {shown(text)}")
        if value > most:
            raise argparse.ArgumentTypeError(f"expected at most {most:,}, given {shown(text)}")
        return value

    return read


def shown(text: str) -> str:
    """Quote what was given, the beginning of it if it is long."""
    return repr(text) if len(text) <= 40 else f"{text[:30]!r}… of {len(text)} characters"


def whole(least: int, most: int = MANY) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most``."""
    return number(int, f"a whole number from {least} on", lambda n: n >= least, most)


count, index = whole(1), whole(0)
units = whole(1, UNITS)
layers = whole(1, 100)
seed = number(int, "a whole number from 0 to 2⁶³ - 1", lambda n: 0 <= n < 2**63)
size = number(float, "a finite number, not below 0", lambda z: 0 <= z < math.inf)
positive = number(float, "a finite number above 0", lambda z: 0 < z < math.inf)
fraction = number(float, "a number between 0 and 1", lambda p: 0 < p < 1)


def new_file(text: str) -> Path:
    """Read the path of a file to write, in a folder that is there."""
    try:
        check_writable(text)
    except (OSError, ValueError) as error:  # the latter of a path with a null byte
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{shown(text)}: {reason}") from None
    return Path(text)


def output(text: str) -> Path:
    """Read the path of a file to write; folders that are not there yet will be made."""
    made = []
    try:
        for folder in reversed(Path(text).parents):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        return new_file(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{shown(text)}: {reason}") from None
    finally:  # nothing has been decided yet
        for folder in reversed(made):
            folder.rmdir()


def picture(text: str) -> Path:
    """Read the path of a picture to draw."""
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(
            f"expected a path that ends in {' or '.join(PICTURES)}, given {shown(text)}"
        )
    return output(text)
