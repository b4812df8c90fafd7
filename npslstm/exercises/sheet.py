"""The sheets: what ``start`` hands out, and how a student's file is recognised.

A sheet is a Python file in ``sheets/`` with blanks in it. It is also the table of its exercise: a
blank says its name, its equation and what it is, in one line::

    dc_daf = ...  # (12) ∂c/∂a_f
"""

from __future__ import annotations

import ast
import functools
import re
import tokenize
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ..files.atomic import regular_mode

__all__ = ["SHEETS", "Blank", "NoExercise", "Sheet", "blanks_left", "read", "sheet"]

FOLDER = resources.files("npslstm.exercises") / "sheets"
TITLES = {
    1: "one step, forward: equations (1)-(8)",
    2: "the six local derivatives: (9)-(14)",
    3: "one step, backward: (15)-(19)",
    4: "through time, forward and backward",
    5: "find the bug: seven LSTMs of strangers",
    6: "a peephole LSTM, backward",
    7: "a GRU, backward",
    8: "your LSTM learns to read",
}
BLANK = re.compile(r"^ +(\w+) = \.\.\.  # (\(\d+\)(?:-\(\d+\))?) (.+)$", re.MULTILINE)
FUNCTION = re.compile(r"^\f?def[ \t\f]+(\w+)", re.MULTILINE)


class NoExercise(Exception):
    """A file is no exercise, for a reason to be told."""


class Blank(NamedTuple):
    """One thing to fill in."""

    name: str
    equation: str  # "(12)"
    words: str  # "∂c/∂a_f"
    function: str  # whose body it stands in
    line: int  # in the sheet


class Sheet(NamedTuple):
    """One exercise as it is handed out."""

    number: int
    title: str
    text: str
    functions: dict[str, tuple[str, ...]]  # to be judged: name, arguments
    blanks: tuple[Blank, ...]
    between: dict[str, str]  # what lines between the blanks assign, and the blank that follows

    @property
    def file_name(self) -> str:
        """What the file is called unless the student says otherwise."""
        return f"exercise_{self.number}.py"


@functools.cache
def sheet(number: int) -> Sheet:
    """Read the sheet of this number."""
    text = (FOLDER / f"exercise_{number}.py").read_text(encoding="utf-8")
    defined = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    blanks = []
    for found in BLANK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        function = next(node.name for node in reversed(defined) if node.lineno < line)
        blanks.append(Blank(found[1], found[2], found[3], function, line))
    asked = {blank.function for blank in blanks}
    asked = asked or {n.name for n in defined if n.name != "sigmoid" and n.name[0] != "_"}
    functions = {
        node.name: tuple(argument.arg for argument in node.args.args)
        for node in defined
        if node.name in asked
    }
    between = {}
    for definition in defined:
        for node in ast.walk(definition):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                following = [blank.name for blank in blanks if blank.line > node.lineno]
                between[node.id] = following[0] if following else ""
    for blank in blanks:
        del between[blank.name]
    return Sheet(number, TITLES[number], text, functions, tuple(blanks), between)


SHEETS = tuple(TITLES)


def read(path: Path) -> tuple[Sheet, str]:
    """Read a student's file, without running it, and find out which exercise it is.

    It is the one whose functions it defines. The names are looked for in the text, so that a file
    that is no valid Python yet is recognised, too.

    Raises
    ------
    NoExercise
        If there is no such file, it is not text, or it defines no function of an exercise.
    """
    try:
        if regular_mode(path) is None:  # a FIFO would wait for ever
            raise OSError("it is not a regular file")
        with tokenize.open(path) as file:
            text = file.read()
    except (OSError, SyntaxError, ValueError, LookupError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise NoExercise(f"{path}: cannot be read: {reason}") from error
    if "\0" in text:
        raise NoExercise(f"{path}: this is not a text file")
    defined = set(FUNCTION.findall(text))
    for number in reversed(SHEETS):  # a later exercise may hold the functions of earlier ones
        if defined & set(sheet(number).functions):
            return sheet(number), text
    raise NoExercise(
        f"{path}: this is no exercise, for it defines none of their functions; "
        "'python -m npslstm exercise start 1' writes the first one"
    )


def blanks_left(asked: Sheet, text: str) -> int:
    """Count the blanks that nothing has been written into, without running the file."""
    left = re.findall(r"^[ \t]+(\w+)[ \t]*=[ \t]*\.\.\.[ \t]*(?:#.*)?$", text, re.MULTILINE)
    return len(set(left) & {blank.name for blank in asked.blanks})
