"""The equations as the docstrings have them, for those who name one: checks, demos, exercises.

The docstrings of ``gates.py``, ``cell.py`` and of each kind's file are the one place where they are
written. A line there is ``(17) da_i = dc ⊙ (11),   da_f = dc ⊙ (12)      a remark``: a number, one
or more equations with two spaces between them, and after two spaces more a remark.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from .. import gates
from .base import Kind

__all__ = ["Equation", "equations", "equations_of"]

LINE = re.compile(r"^\s*(\(\w+\))\s+(\S+ += .*)$", re.MULTILINE)
PART = re.compile(r"(\S+) += +(.+?)(?:,?(?=  +\S+ += )|  +(.*)|$)")


class Equation(NamedTuple):
    """One equation."""

    name: str  # its left side
    number: str  # "(17)"
    formula: str  # its right side
    remark: str


def equations(docstring: str | None) -> dict[str, Equation]:
    """Read the equations of a docstring, by the name of their left side."""
    found = {}
    for number, line in LINE.findall(docstring or ""):
        for name, formula, remark in PART.findall(line.rstrip()):
            found[name] = Equation(name, number, formula.strip(), remark.strip())
    return found


def equations_of(kind: Kind) -> dict[str, Equation]:
    """Return the equations of a step of this kind: the LSTM's, and what differs from them."""
    docs = [gates.__doc__, sys.modules[type(kind).__module__].__doc__, type(kind).__doc__]
    return {name: found for doc in docs for name, found in equations(doc).items()}
