"""Run a student's file in a process of its own, and make a row for each name of the verdicts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from .judge import BLANK, EVERY
from .problems import SIZES
from .sheet import Blank, Sheet, read

__all__ = ["LIMIT", "LIMITS", "Outcome", "Row", "check", "rows_of"]

LIMIT = 10.0  # seconds that a student's file may take
LIMITS = {5: 60.0, 8: 300.0}  # but seven checks take longer, and so does training
PRINTED = 100_000  # characters that are kept of what it prints

Verdict = dict[str, Any]


class Row(NamedTuple):
    """What is said of one name; ``--json`` prints it as it is."""

    line: int
    name: str
    equation: str
    right: bool
    cause: str  # empty where right


class Outcome(NamedTuple):
    """What a check found."""

    sheet: Sheet
    text: str  # of the student's file
    rows: list[Row]
    printed: str = ""  # by the student's file
    hints: Mapping[str, str] = MappingProxyType({})  # by name, beyond those of leads.py

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return all(row.right for row in self.rows)


def check(path: Path, limit: float | None = None) -> Outcome:
    """Judge a student's file.

    Parameters
    ----------
    path : Path
    limit : float, optional
        Seconds after which a line that still runs is given up.

    Raises
    ------
    NoExercise
        If the file is none.
    """
    asked, text = read(path)
    if limit is None:
        limit = LIMITS.get(asked.number, LIMIT)
    unread = _syntax(text, path)
    if unread:
        return Outcome(asked, text, rows_of(asked, text, [unread]))
    skip: list[str] = []  # the names whose lines would not end: the next run leaves them out,
    given_up: list[Verdict] = []  # and this is said of them
    while True:
        said, printed, how = _run(path, skip, limit, shown=asked.number == 8)
        if any("done" in verdict for verdict in said):
            break
        nothing: Verdict = {"enter": 0, "names": [], "rows": []}
        running = next((v for v in reversed(said) if "enter" in v), nothing)
        cause = f"line {running['enter']} {how}" if running["enter"] else how
        of_it = {"line": running["enter"] or 1, "causes": [cause], "case": 0}
        if set(running["names"]) <= set(skip):  # it is not the line of a name
            given_up.append({"name": EVERY, **of_it})
            break
        skip += running["names"]
        given_up += [{"name": name, **of_it} for name in running["rows"]]
    names = {verdict["name"] for verdict in given_up}
    verdicts = [v for v in said if v.get("name") not in names] + given_up
    hints = {v["name"]: v["hint"] for v in verdicts if v.get("hint")}
    return Outcome(asked, text, rows_of(asked, text, verdicts), printed, hints)


def _syntax(text: str, path: Path) -> Verdict | None:
    """Say where a file is no valid Python, if it is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        code = (error.text or "").partition("#")[0].strip()
        reason = f"line {error.lineno}, {code[:60]}, is no valid Python: {error.msg}"
        if "invalid character" in error.msg:
            reason += "; write * for ⊙, ** 2 for ², and names without marks"
        return {"name": EVERY, "causes": [reason], "line": error.lineno or 1}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"name": EVERY, "causes": [f"this is no valid Python: {error}"], "line": 1}
    return None


def _run(path: Path, skip: list[str], limit: float, shown: bool) -> tuple[list[Verdict], str, str]:
    """Run the child; return its verdicts, what the file printed, and how it ended if too early."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8:replace",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        verdicts, output = Path(folder, "verdicts"), Path(folder, "output")
        verdicts.touch()
        command = [sys.executable, "-m", "npslstm.exercises.child", str(path), str(verdicts), *skip]
        with open(output, "wb") as sink:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=None if shown else sink,
            )
            try:
                child.wait(limit)
                how = "ended the program"
            except subprocess.TimeoutExpired:
                how = f"had not ended after {limit:g} seconds: is this an endless loop?"
            finally:
                child.kill()
                child.wait()
        said = [
            json.loads(line)
            for line in verdicts.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.endswith("\n")
        ]
        with open(output, encoding="utf-8", errors="replace") as file:
            return said, file.read(PRINTED), how


def rows_of(asked: Sheet, text: str, verdicts: list[Verdict]) -> list[Row]:
    """Return a row for each name, and for each cause where a name is wrong in several ways."""
    of_all = [v | {"case": 0} for v in verdicts if v.get("name") == EVERY]
    rows: list[Row] = []
    for blank in _names(asked):
        its = [v for v in verdicts if v.get("name") == blank.name]
        line = _line_of(blank, text)
        if of_all and not any(v["causes"] for v in its):
            its = of_all
        if not its or any(v["causes"] == [BLANK] for v in its):
            rows.append(Row(line, blank.name, blank.equation, False, BLANK))
        elif not any(v["causes"] for v in its):
            rows.append(Row(its[0]["line"] or line, blank.name, blank.equation, True, ""))
        else:
            rows += _wrong_rows(blank, its, line)
    return rows


def _wrong_rows(blank: Blank, verdicts: list[Verdict], line: int) -> list[Row]:
    """Return a row for each cause; where there are several steps, say at which."""
    wrong = [v for v in verdicts if v["causes"]]
    wrong = [v for v in wrong if v["case"] == wrong[0]["case"]]
    rows = []
    while wrong:  # the cause that explains the most steps comes first
        every = [cause for v in wrong for cause in v["causes"]]
        cause = max(dict.fromkeys(every), key=every.count)
        same = [v for v in wrong if cause in v["causes"]]
        wrong = [v for v in wrong if cause not in v["causes"]]
        steps = [str(v["t"]) for v in same if v.get("t") is not None]
        text = f"at t = {', '.join(steps)}: {cause}" if steps else cause
        if same[0].get("detail"):
            text += f" ({same[0]['detail']})"
        if same[0]["case"]:
            sizes = ", ".join(
                f"{k} = {v}" for k, v in zip("NDH", SIZES[same[0]["case"]], strict=True)
            )
            text += f" (with {sizes}; with other sizes it was right)"
        rows.append(Row(same[0]["line"] or line, blank.name, blank.equation, False, text))
    return rows


def _names(asked: Sheet) -> list[Blank]:
    """Return what rows there are: the blanks, or else the functions."""
    if asked.blanks:
        return list(asked.blanks)
    if asked.number == 5:
        return [
            Blank(name, "(15)-(19)", "", name, 0)
            for name in asked.functions
            if name.startswith("backward")
        ]
    return [Blank("accuracy", "(1)-(19)", "", next(iter(asked.functions)), 0)]


def _line_of(blank: Blank, text: str) -> int:
    """Find the line of a blank in a student's file, or that of its function, or 1."""
    start = re.search(rf"^def +{blank.function}\b", text, re.MULTILINE)
    begin = start.start() if start else 0
    following = re.compile(r"^def ", re.MULTILINE).search(text, begin + 1) if start else None
    body = text[begin : following.start() if following else len(text)]
    found = re.search(rf"^[ \t]+{blank.name}\b[^=\n]*=", body, re.MULTILINE)
    at = begin + found.start() if found else begin
    return text.count("\n", 0, at) + 1
