"""``python -m npslstm exercise``: list the exercises, hand one out, judge a student's file."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from .check import LIMIT, LIMITS, Outcome, Row, check
from .judge import BLANK
from .leads import LEADS, Lead
from .sheet import SHEETS, NoExercise, Sheet, blanks_left, read, sheet

__all__ = ["add_exercise"]

COMMAND = "python -m npslstm exercise"
WIDTH = 100
LARGEST = 1_000_000  # bytes of a file that is looked into when exercises are listed


def add_exercise(commands: Any) -> None:
    """Add the command ``exercise`` to the subparsers of ``python -m npslstm``."""
    exercise = commands.add_parser(
        "exercise",
        allow_abbrev=False,
        help="learn by doing: write the lines of an LSTM, and see which is wrong",
        description=(
            "Without a command: list the exercises, and how many blanks the files in this folder "
            "still have."
        ),
    )
    exercise.set_defaults(run=_list)
    what = exercise.add_subparsers(title="commands", metavar="COMMAND")
    what.add_parser("list", help="list the exercises").set_defaults(run=_list)

    start = what.add_parser("start", allow_abbrev=False, help="write an exercise's file")
    start.add_argument("number", type=int, choices=SHEETS, metavar="N", help="1 to 8")
    start.add_argument("--to", type=Path, metavar="FILE", help="where (exercise_N.py)")
    start.set_defaults(run=_start)

    judge = what.add_parser(
        "check",
        allow_abbrev=False,
        help="say which lines are right",
        description=(
            "Run a file and judge each name in it by itself. The exit status is 0 if all is right, "
            "1 if not, and 2 if the file is no exercise. The file is ended after "
            f"{LIMIT:g} seconds, exercise 5 after {LIMITS[5]:g}, exercise 8 after {LIMITS[8]:g}."
        ),
    )
    judge.add_argument("file", type=Path, metavar="FILE")
    judge.add_argument("--hint", action="store_true", help="lead on, for each name that is wrong")
    judge.add_argument("--answer", action="store_true", help="give the formula of each of them")
    judge.add_argument(
        "--json", action="store_true", help="print a list of rows, for who grades; no hints"
    )
    judge.set_defaults(run=_check)


def _list(options: argparse.Namespace) -> int:
    """List the exercises, and the files in this folder."""
    files: dict[int, list[str]] = {}
    for path in sorted(Path().glob("*.py")):
        with contextlib.suppress(NoExercise, OSError):
            if path.stat().st_size <= LARGEST:
                asked, text = read(path)
                files.setdefault(asked.number, []).append(f"{path}: {_left(asked, text)}")
    for number in SHEETS:
        print(f"{number}  {sheet(number).title}")
        for line in files.get(number, []):
            print(f"     {line}")
    print(f"\n{COMMAND} start N writes the file of exercise N.")
    print("Begin with 1, 2, 3, 4, in this order.")
    return 0


def _left(asked: Sheet, text: str) -> str:
    if not asked.blanks:
        return "no blanks; only a check can tell"
    left = blanks_left(asked, text)
    return f"{left} of {len(asked.blanks)} blanks left" if left else "no blanks left; check it"


def _start(options: argparse.Namespace) -> int:
    """Write a sheet, never over a file."""
    asked = sheet(options.number)
    path: Path = options.to or Path(asked.file_name)
    text = asked.text.replace(f"check {asked.file_name}", f"check {path}")
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return _refuse(f"{path} is there already, and is left as it is; choose another: --to FILE")
    except OSError as error:
        return _refuse(f"{path}: cannot be written: {error.strerror}")
    print(f"wrote {path}: exercise {asked.number}, {asked.title}")
    print(f"Open it in your editor. Then: {COMMAND} check {path}")
    return 0


def _check(options: argparse.Namespace) -> int:
    """Judge a file and print what is found."""
    try:
        outcome = check(options.file)
    except NoExercise as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return _refuse("stopped", status=1)
    if options.json:
        print(json.dumps([row._asdict() for row in outcome.rows], indent=1))
    else:
        print("\n".join(_report(options.file, outcome, options.hint, options.answer)))
    return 0 if outcome.passed else 1


def _report(path: Path, outcome: Outcome, hint: bool, answer: bool) -> list[str]:
    asked, rows = outcome.sheet, outcome.rows
    lines = [f"{path}: exercise {asked.number}, {asked.title}", ""]
    causes = {row.cause for row in rows}
    if len(causes) == 1 < len(rows) and not causes & {"", BLANK}:  # the file as a whole
        lines += _wrapped(f"nothing can be judged: {rows[0].cause}", 4)
    else:
        lines += [text for row in rows for text in _row(outcome, row, hint, answer)]
    if outcome.printed.strip():
        printed = outcome.printed.rstrip().splitlines()
        lines += ["", "your file printed:", *(f"  {line}" for line in printed[:40])]
        if len(printed) > 40:
            lines.append(f"  … and {len(printed) - 40} lines more")
    names = dict.fromkeys(row.name for row in rows)
    wrong = {row.name for row in rows if not row.right}
    lines += ["", f"{len(names) - len(wrong)} of {len(names)} right"]
    if not wrong:
        following = asked.number + 1
        lines[-1] += ": all of it. " + (
            f"Next: {COMMAND} start {following}"
            if following in SHEETS
            else f"It is the last of them; what is left: {COMMAND}"
        )
    elif not (hint or answer):
        lines[-1] += "; --hint leads on" if asked.number in LEADS or outcome.hints else ""
        lines[-1] += ", --answer gives the formulas" if asked.number in LEADS else ""
    return lines


def _row(outcome: Outcome, row: Row, hint: bool, answer: bool) -> list[str]:
    said = "right" if row.right else f"WRONG: {row.cause}"
    if row.cause == BLANK:
        left = re.search(rf"\b{row.name}\s*=\s*\.\.\.", outcome.text)
        said = BLANK if left else f"{BLANK}: no line that is reached gives it a value"
    start = f"line {row.line:3}  {row.equation:9} {row.name:11} "
    lines = _wrapped(start + said, 12)
    lead = LEADS.get(outcome.sheet.number, {}).get(row.name)
    lead = lead or Lead(outcome.hints.get(row.name, ""), "")
    if hint and lead.hint and not row.right:
        lines += _wrapped(f"{'':12}hint: {lead.hint}", 18)
    if answer and lead.answer and not row.right:
        lines += _wrapped(f"{'':12}answer: {lead.answer}", 20)
    return lines


def _wrapped(text: str, indent: int) -> list[str]:
    if len(text) <= WIDTH:
        return [text]
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
        drop_whitespace=True,
    )


def _refuse(reason: str, status: int = 2) -> int:
    print(reason, file=sys.stderr)
    return status
