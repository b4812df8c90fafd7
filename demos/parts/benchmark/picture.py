"""The benchmark's picture: ratios size by size, and time as one size grows."""

from __future__ import annotations

from typing import Any

from parts.benchmark.compare import OURS, THEIRS, Timing
from parts.benchmark.report import HAVE_TORCH
from parts.benchmark.sections import CELL
from parts.benchmark.sides import FLOOR
from parts.plotting import PALETTE, figure

__all__ = ["DRAWN", "draw"]

DRAWN = ("step", "inference", "scaling") if HAVE_TORCH else ("step", "scaling")
"""The parts that have a picture; inference has one only beside another's."""
RATIOS = {  # of what, to what
    ("step", THEIRS): "step",
    ("inference", THEIRS): "inference",
    ("step", CELL): "step",
    ("step", FLOOR): "step",
}
DTYPES = {"float32": ("blue", "o"), "float64": ("orange", "s")}  # colour, marker
SIDES = {OURS: ("blue", "o"), THEIRS: ("vermillion", "s")}
AXES = {"T": ("steps T", "steps"), "N": ("batch N", "batch"), "H": ("units H", "hidden")}
COLUMNS = 3
KEY = (0.5, 0.13)  # in the last panel, right of the two small sizes, whose dots lie left
SMALL = 8  # points, for titles that must not meet their neighbours


def draw(found: dict[str, Any]):
    """Draw what was measured: a row of ratios and a row of growing sizes."""
    ratios = [
        (title, other, found[part])
        for (part, other), title in RATIOS.items()
        if part in found and other in found[part][0].seconds
    ][:COLUMNS]
    growing = list(found.get("scaling", {}).items())
    rows = [(draw_ratios, ratios, -1, KEY), (draw_growth, growing, 1, "lower right")]
    rows = [row for row in rows if row[1]]
    fig, axes = figure(len(rows), COLUMNS, height=2.9 * len(rows), squeeze=False)
    for ax_row, (draw_panel, row, keyed, place) in zip(axes, rows, strict=True):
        for ax, panel in zip(ax_row, row, strict=False):
            draw_panel(ax, *panel, first=ax is ax_row[0])
        for ax in ax_row[len(row) :]:
            ax.remove()
        ax_row[: len(row)][keyed].legend(loc=place, fontsize=SMALL)
    return fig


def draw_ratios(ax, title: str, other: str, timings: list[Timing], first: bool) -> None:
    """Draw a dot for each size and dtype; left of the line at 1 NumPy is faster."""
    sizes = list(dict.fromkeys(timing.case.size for timing in timings))
    for dtype, (colour, marker) in DTYPES.items():
        some = [t for t in timings if t.case.dtype == dtype]
        if some:
            ratios = [t.ratio(OURS, other) for t in some]
            places = [sizes.index(t.case.size) for t in some]
            ax.plot(ratios, places, marker, color=PALETTE[colour], label=dtype)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_title(f"{title}: {OURS} / {other}", fontsize=SMALL)
    ax.set(xlabel="ratio of times", xlim=(0, None), yticks=range(len(sizes)))
    ax.set_yticklabels(sizes if first else [])
    ax.invert_yaxis()
    if first:
        ax.set_ylabel("T,N,D,H,layers")


def draw_growth(ax, letter: str, timings: list[Timing], first: bool) -> None:
    """Draw the time of a step as one size grows, beside what the operations alone would give."""
    label, field = AXES[letter]
    values = [getattr(timing.case, field) for timing in timings]
    last = timings[-1]
    expected = [last.ms(OURS) * t.case.operations / last.case.operations for t in timings]
    ax.loglog(values, expected, "--", color="grey", linewidth=0.8, label="as the operations")
    for name, (colour, marker) in SIDES.items():
        if name in last.seconds:
            times = [timing.ms(name) for timing in timings]
            ax.loglog(values, times, marker, linestyle="-", color=PALETTE[colour], label=name)
    fixed = [f"{k} = {getattr(last.case, name)}" for k, (_, name) in AXES.items() if k != letter]
    ax.set_title(f"training step, {', '.join(fixed)}", fontsize=SMALL)
    ax.set_xlabel(label)
    if first:
        ax.set_ylabel(f"ms, {last.case.dtype}")
