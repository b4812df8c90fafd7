"""The judge: looks at every blank's value where it is next read, and puts the right one there.

So one mistake is one wrong name: what comes after it works with the right value. The calls of the
judge stand between a student's lines, where ``rewrite.py`` has put them.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .causes import causes, close, listed
from .problems import END, Key, Problem
from .rewrite import INSIDE

__all__ = ["BLANK", "EVERY", "Judge", "described"]

BLANK = "blank"  # the cause of a blank
EVERY = "every name"  # the name in a verdict on the whole file
ADVICE = {  # what a message of NumPy or Python says of a slip in a formula
    "bitwise_xor": "a power is written a**2, not a^2",
    "object is not callable": "is there no * before a bracket?",
    "'ellipsis'": "a blank is read here",
}

Seen = dict[str, Any]  # a function's local names


class Judge:
    """One run of a student's function; ``tell`` gets each verdict as a dictionary."""

    def __init__(
        self, file: str, text: str, between: dict[str, str], tell: Callable[..., None]
    ) -> None:
        self.file, self.text, self.tell = file, text.splitlines(), tell
        self.between = between  # names that are no blanks, and the blank whose row tells of them

    def begin(self, problem: Problem, names: set[str], case: int) -> None:
        """Start over, for another function or other numbers."""
        self.problem, self.names, self.case = problem, names, case
        self.lines: dict[str, int] = {}  # where each name was last assigned
        self.fresh: set[str] = set()  # assigned, and not looked at since
        self.judged: dict[str, Key | None] = {}  # when it was looked at
        self.reused: dict[str, Key | None] = {}  # assigned again after that: it is a helper now
        self.unfilled: dict[str, str] = {}  # where a blank is a blank
        self.empty: set[str] = set()  # read before it had a value
        self.broken: dict[str, Key | None] = {}  # a line of it raised
        self.spoilers: dict[str, tuple[str, int]] = {}  # which name's line changed it in place
        self.changers: dict[str, tuple[list[str], int]] = {}  # who assigned an argument, and where
        self.ended = False

    # What the rewritten lines call.

    def enter(self, line: int, group: Sequence[str]) -> None:
        """Say which line runs, in case it never ends."""
        rows = [self.between.get(name, name) for name in group]
        self.tell(enter=line, names=list(group), rows=rows)

    def read(self, name: str, seen: Seen, place: str) -> Any:
        """Look at a blank that another blank's line reads; return what this line shall read."""
        value, key = seen.get(name, ...), _key(seen, place)
        right = self.problem.at(name, key)
        if right is None:
            if key is None and value is not ...:
                self._verdict(name, ["the loop that it stands in must count in t, as it did"], key)
            return value
        if value is ... or (name in self.empty and name not in self.fresh):
            if name in seen and name in self.fresh:
                self._verdict(name, [BLANK], key)
            self.fresh.discard(name)
            self.empty.add(name)
            return _copy(right)
        if self.broken.get(name, ...) == key:
            return _copy(right)
        if self.reused.get(name, ...) == key:
            return value
        if name in self.fresh or self.judged.get(name, ...) != key:
            self._look(name, value, right, key)
        elif not close(value, right):
            culprit, line = self.spoilers.get(name, (name, self.lines[name]))
            self.lines[culprit] = line
            text = f"line {line} changes {name}, too, for the two share one array"
            if culprit == name:
                text = "first right, and then changed in place by a line that is not its own"
            self._verdict(culprit, [f"{text}: {name}.copy() makes a second one"], key)
            self.empty.add(name)  # it is told once; from here on its right value stands in
        return _copy(right)

    def given(self, name: str, group: list[str], seen: Seen) -> Any:
        """Look at an argument that some line assigns; return what this line shall read."""
        right = self.problem.given[name]
        by, line = self.changers.get(name, (group, 0))
        value = seen.get(name)
        if by == group or not isinstance(right, np.ndarray) or close(value, right):
            return value
        del self.changers[name]
        for culprit in by[:1]:
            self.lines[culprit] = line
            text = f"line {line} changes {name}, which other lines need as it was given"
            self._verdict(culprit, [f"{text}: choose another name"], None)
        return _copy(right)

    def changed(self, names: Sequence[str], group: list[str], line: int) -> None:
        """Note that a line has assigned these arguments."""
        self.changers |= dict.fromkeys(names, (group, line))

    def stored(self, names: Sequence[str], line: int, seen: Seen, place: str) -> None:
        """Note that a line has assigned these blanks."""
        key = _key(seen, place)
        if names:
            self._note_spoilt(names, line, seen, key)
        for name in names:
            self.spoilers.pop(name, None)
            if seen.get(name) is ...:
                self.unfilled[name] = place
            elif self.unfilled.pop(name, place) != place:
                self._verdict(name, [BLANK], key)  # the loop gives it a value, not the blank's line
            if self.judged.get(name, ...) == key:
                self.reused[name] = key
            self.fresh.add(name)
            self.lines[name] = line

    def failed(self, names: Sequence[str], seen: Seen, place: str) -> None:
        """Note that a line of these blanks has raised an exception."""
        error = sys.exc_info()[1]
        assert error is not None
        if isinstance(error, KeyboardInterrupt):
            raise error
        key = _key(seen, place)
        text, line = described(error, self.file)
        if line and isinstance(error, ValueError):  # as a rule shapes that do not fit
            words = dict.fromkeys(re.findall(r"\w+", self.text[line - 1].partition("#")[0]))
            shapes = [
                f"{w} {np.shape(seen[w])}" for w in words if isinstance(seen.get(w), np.ndarray)
            ]
            if "mismatch in its core dimension" in text:  # NumPy's words for it
                text = text.partition("matmul:")[0] + "the inner sizes of a product differ"
            text += f"; the shapes are {', '.join(shapes)}" if shapes else ""
        for name in names:
            if self.broken.get(name, ...) != key:
                self.broken[name] = key
                self.lines[name] = line or self.lines.get(name, 0)
                self._verdict(name, [text], key)

    def end(self, seen: Seen) -> None:
        """Look at what no other line has read, before the function returns."""
        if self.ended:
            return
        self.ended = True
        for name in sorted(self.fresh & self.names - set(self.broken)):
            value, right = seen.get(name, ...), self.problem.at(name, END)
            used = self.reused.get(name, ...) == END
            if value is not ... and right is not None and not used:
                self._look(name, value, right, END)

    def _note_spoilt(self, names: Sequence[str], line: int, seen: Seen, key: Key | None) -> None:
        """Note whether a line has changed another name's array, which may be read again."""
        judged = {name for name, when in self.judged.items() if when == key}
        for other in judged - set(self.spoilers) - set(names):
            value, right = seen.get(other), self.problem.at(other, key)
            if isinstance(value, np.ndarray) and not close(value, right):
                self.spoilers[other] = names[0], line

    def _look(self, name: str, value: Any, right: Any, key: Key | None) -> None:
        self.fresh.discard(name)
        self.judged[name] = key
        if isinstance(right, range):
            self.enter(self.lines[name], [name])  # if it never ends, its own line is to blame
            value = listed(value)  # an iterator can be read only once
        if close(value, right):
            self._verdict(name, [], key)
        else:
            texts, detail = causes(name, value, right, self.problem.names(key))
            self._verdict(name, texts, key, detail)

    def _verdict(self, name: str, causes: list[str], key: Key | None, detail: str = "") -> None:
        row = self.between.get(name, name)
        if row != name:
            if not causes:
                return
            causes = [f"{name}: {text}" for text in causes]
        self.tell(
            name=row,
            line=self.lines.get(name, 0),
            causes=causes,
            detail=detail,
            t=key if isinstance(key, int) else None,
            case=self.case,
        )


def described(error: BaseException, file: str) -> tuple[str, int | None]:
    """Return an exception as text, with the student's line, and the line's number."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
    ]
    said = traceback.format_exception_only(error)[-1].strip()
    for sign, advice in ADVICE.items():
        if sign in said:
            said += f": {advice}"
    if not frames:
        return said, None
    line = frames[-1].lineno or 0
    code = (frames[-1].line or "").partition("#")[0].strip()
    where = f"line {line}, {code[:60]}," if code else f"line {line}"
    unbound = re.search(r"cannot access local variable '(\w+)'", said)
    if unbound:
        return f"{where} reads {unbound[1]}, which has no value yet", line
    return f"{where} raises {said}", line


def _key(seen: Seen, place: str) -> Key | None:
    if place != INSIDE:
        return place
    t = seen.get("t")
    return int(t) if isinstance(t, int | np.integer) else None


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
