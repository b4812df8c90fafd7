"""What a gradient check found: rows as data, a table as text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

__all__ = ["GradientReport", "GradientRow"]


@dataclass(frozen=True)
class GradientRow:
    """One quantity: what the code under test says of it, and what the differences say."""

    name: str
    passed: bool
    analytic: float  # at the worst entry, or along the random direction
    complex_step: float | None  # there; None where the complex step does not apply
    central: float | None  # central differences there; None where they were not asked
    error: float  # ‖analytic - numeric‖ / ‖numeric‖, over the whole array
    index: tuple[int, ...] | None = None  # the worst entry; None: a direction, or an empty array
    order: float | None = None  # of the Taylor remainder: 2 if right, 1 if wrong; None: too small
    equation: str = ""  # its number in gates.py and cell.py, where it is an intermediate
    formula: str = ""


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
    """

    title: str
    rows: list[GradientRow]
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every row passed and there is no fault."""
        return not self.faults and all(row.passed for row in self.rows)

    @property
    def failed(self) -> list[GradientRow]:
        """The rows that did not pass."""
        return [row for row in self.rows if not row.passed]

    @property
    def worst(self) -> float:
        """The largest norm-wise relative error."""
        return max((row.error for row in self.rows), default=0.0)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<GradientReport: {self._verdict()}>"

    def __str__(self) -> str:
        table = [_HEAD, *(_cells(row) for row in self.rows)]
        shown = [k for k in range(len(_HEAD)) if any(cells[k] for cells in table[1:])]
        widths = {k: max(len(cells[k]) for cells in table) for k in shown}
        lines = [
            "  ".join(
                cells[k].ljust(widths[k]) if k in _LEFT else cells[k].rjust(widths[k])
                for k in shown
            ).rstrip()
            for cells in table
        ]
        remarks = [f"fault: {text}" for text in self.faults]
        remarks += [f"note: {text}" for text in self.notes]
        remarks.append(self._verdict())
        wrapped = [
            textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False)
            for text in remarks
        ]
        return "\n".join([self.title, "", *lines, "", *wrapped])

    def _verdict(self) -> str:
        if self.passed:
            return f"passed: {len(self.rows)} rows, the largest error {self.worst:.1e}"
        names = [row.name for row in self.failed] + ["see the faults"] * bool(self.faults)
        return f"FAILED: {', '.join(names)}"


_HEAD = (
    "equation",
    "gradient",
    "worst at",
    "analytic",
    "complex step",
    "error",
    "central difference",
    "Taylor order",
    "",
)
_LEFT = (0, 1, 2, 8)


def _cells(row: GradientRow) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:+.12e}"

    return (
        row.equation,
        row.name + (f" = {row.formula}" if row.formula else ""),
        "" if row.index is None else str(row.index).replace(",)", ")"),
        number(row.analytic),
        number(row.complex_step),
        f"{row.error:.1e}",
        "" if row.central is None else number(row.central),
        "" if row.order is None else f"{row.order:.2f}",
        "ok" if row.passed else "FAILED",
    )
