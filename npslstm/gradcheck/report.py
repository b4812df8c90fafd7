"""What a gradient check found: rows as data, a table as text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FAILED", "NOTHING", "OK", "SKIPPED", "UNDECIDED", "GradientReport", "GradientRow"]

# The verdict on one gradient
OK = "ok"
FAILED = "FAILED"
UNDECIDED = "undecided"  # no check could tell: rounding is amplified, or numbers vanish
NOTHING = "nothing to see"  # 0 on both sides: right, but so would many a wrong one be
SKIPPED = "not checked"

WIDTH = 80  # columns of the report


@dataclass(frozen=True)
class GradientRow:
    """One quantity: what the code under test says of it, and what the differences say."""

    name: str
    verdict: str  # one of the five above
    analytic: float  # at the worst entry, or along the random direction
    complex_step: float | None  # there; None where the complex step does not apply
    central: float | None  # central differences there; None where they were not asked
    error: float  # ‖analytic - numeric‖ / ‖numeric‖; of the worst entry, if that alone fails
    index: tuple[int, ...] | None = None  # the worst entry; None: a direction, or an empty array
    order: float | None = None  # of the Taylor remainder, where it did not pass: 1 if it is wrong
    equation: str = ""  # its number in gates.py and cell.py, where it is an intermediate
    formula: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict in (OK, NOTHING, SKIPPED)


@dataclass(frozen=True)
class GradientReport:
    """The outcome of one check; true if it passed. ``str()`` of it is the table.

    Attributes
    ----------
    title : str
        What was checked, and how: enough to repeat it.
    rows : list of GradientRow
    faults : list of str
        What is wrong beside the numbers: an argument that was changed, say.
    notes : list of str
        What a reader of the table should know.
    layout : str or None
        How the arrays of an LSTM lie that is not ours, where its outputs are those of ours.
    suspects : list of str
        Names from ``MISTAKES`` that explain what is wrong with it, the likeliest first.
    seen : list of str
        What the wrong gradients show, in words.
    """

    title: str
    rows: list[GradientRow]
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    layout: str | None = None
    suspects: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``"passed"``, ``"FAILED"`` or ``"undecided"``."""
        if self.failed or self.faults:
            return FAILED
        return UNDECIDED if self.undecided else "passed"

    @property
    def passed(self) -> bool:
        """Whether every row passed and there is no fault."""
        return self.verdict == "passed"

    @property
    def failed(self) -> list[GradientRow]:
        """The rows that are wrong."""
        return [row for row in self.rows if row.verdict == FAILED]

    @property
    def undecided(self) -> list[GradientRow]:
        """The rows of which no check could tell."""
        return [row for row in self.rows if row.verdict == UNDECIDED]

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max((row.error for row in self.rows), default=0.0)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<GradientReport: {self._summary()}>"

    def __str__(self) -> str:
        remarks = [f"fault: {text}" for text in self.faults]
        remarks += [f"layout: {self.layout}"] if self.layout else []
        remarks += [f"seen: {text}" for text in self.seen]
        remarks += [f"note: {text}" for text in self.notes]
        remarks.append(self._summary())
        return "\n".join([wrapped(self.title), "", *_table(self.rows), "", *map(wrapped, remarks)])

    def _summary(self) -> str:
        if self.passed:
            return f"passed: {len(self.rows)} rows, the largest error {self.worst:.1e}"
        names = [row.name for row in self.failed or self.undecided]
        return f"{self.verdict}: {', '.join(names + ['see the faults'] * bool(self.faults))}"


def wrapped(text: str) -> str:
    """Break a remark into lines."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _table(rows: list[GradientRow]) -> list[str]:
    """Write a line a row; below a row that did not pass, both numbers in full.

    A name that leaves no room for its numbers gets a line to itself. The lines of a derivation show
    their formulas in place of the entry and its derivative.
    """
    cells = [_HEAD, *map(_cells, rows)]
    dropped = _ENTRY if any(row.equation for row in rows) else ()
    shown = [k for k in range(len(_HEAD)) if k not in dropped and any(c[k] for c in cells[1:])]
    widths = {k: max(len(c[k]) for c in cells) for k in shown}
    room = WIDTH - sum(widths[k] + 2 for k in shown if k != _NAME)
    widths[_NAME] = max(len(_HEAD[_NAME]), min(room, widths.get(_NAME, 0)))
    lines = []
    for row, texts in zip([None, *rows], cells, strict=True):
        if len(texts[_NAME]) > widths[_NAME]:
            lines.append("  ".join(filter(None, texts[: _NAME + 1])))
            texts = ("",) * (_NAME + 1) + texts[_NAME + 1 :]
        padded = [
            texts[k].ljust(widths[k]) if k in _LEFT else texts[k].rjust(widths[k]) for k in shown
        ]
        if row is not None and row.verdict in (NOTHING, SKIPPED):
            padded = [*padded[: shown.index(_NAME) + 1], row.verdict]
        lines.append("  ".join(padded).rstrip())
        if row is not None and not row.passed:
            lines += textwrap.wrap(_in_full(row), WIDTH, initial_indent=" " * 4, **_INDENT)
    return lines


_HEAD = ("equation", "gradient", "worst at", "analytic", "complex step", "central", "error", "")
_NAME = 1
_ENTRY = (2, 4)  # what the lines of a derivation leave out
_LEFT = (0, 1, 2, 7)
_INDENT: dict[str, Any] = {"subsequent_indent": " " * 4, "break_on_hyphens": False}


def _cells(row: GradientRow) -> tuple[str, ...]:
    name = row.name + (f" = {row.formula}" if row.formula else "")
    if row.verdict in (NOTHING, SKIPPED):
        return (row.equation, name, *[""] * 6)
    exact = row.complex_step is not None
    return (
        row.equation,
        name,
        "" if row.index is None else str(row.index).replace(",)", ")"),
        f"{row.analytic:+.4e}",
        f"{row.complex_step:+.4e}" if exact else "",
        "" if exact or row.central is None else f"{row.central:+.4e}",
        f"{row.error:.1e}",
        row.verdict,
    )


def _in_full(row: GradientRow) -> str:
    """Write both numbers with all their digits."""
    name, numeric = "complex step", row.complex_step
    if numeric is None:
        name, numeric = "central difference", row.central
    where = "" if row.index is None else f"at {row.index}: ".replace(",)", ")")
    other = "" if numeric is None else f", {name} {numeric:+.12e}"
    return f"{where}analytic {row.analytic:+.12e}{other}"
