"""The benchmark's picture: ratios size by size, and time as one size grows."""

from __future__ import annotations

from typing import Any

from benchmark_compare import OURS, THEIRS, Timing
from benchmark_sections import CELL, FLOOR
from plotting import PALETTE, figure

__all__ = ["DRAWN", "draw"]

DRAWN = "step", "inference", "scaling"  # the parts that have a picture

DTYPES = {"float32": ("blue", "o"), "float64": ("orange", "s")}  # colour, marker
SIDES = {OURS: ("blue", "o"), THEIRS: ("vermillion", "s")}
AXES = {"T": ("steps T", "steps"), "N": ("batch N", "batch"), "H": ("units H", "hidden")}


def draw(found: dict[str, Any]):
    """Draw what was measured: a row of ratios and a row of growing sizes."""
    ratios = [
        (f"{part} / {other}", [(t, t.ratio(OURS, other)) for t in found[name]])
        for name, part, other in (
            ("step", "training step", THEIRS),
            ("inference", "inference", THEIRS),
            ("step", "training step", CELL),
            ("step", "training step", FLOOR),
        )
        if name in found and other in found[name][0].seconds
    ][:3]
    growing = list(found.get("scaling", {}).items())
    rows = [row for row in (ratios, growing) if row]
    fig, axes = figure(len(rows), 3, height=2.9 * len(rows), squeeze=False)
    for ax_row, row in zip(axes, rows, strict=True):
        for column, ax in enumerate(ax_row):
            if column >= len(row):
                ax.remove()
            elif row is ratios:
                draw_ratios(ax, *row[column], label_sizes=column == 0)
            else:
                draw_growth(ax, *row[column])
        ax_row[0].legend(loc="best")
    return fig


def draw_ratios(ax, title: str, points: list[tuple[Timing, float]], label_sizes: bool) -> None:
    """Draw a dot for each size and dtype; left of 1 NumPy is faster."""
    sizes = list(dict.fromkeys(timing.case.size for timing, _ in points))
    for dtype, (colour, marker) in DTYPES.items():
        some = [(r, sizes.index(t.case.size)) for t, r in points if t.case.dtype == dtype]
        if some:
            ax.plot(*zip(*some, strict=True), marker, color=PALETTE[colour], label=dtype)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set(title=title, xlabel="ratio of times", yticks=range(len(sizes)))
    ax.set_xlim(left=0)
    ax.invert_yaxis()
    ax.set_yticklabels(sizes if label_sizes else [])


def draw_growth(ax, letter: str, timings: list[Timing]) -> None:
    """Draw the time of a step as one size grows, and a line of slope 1."""
    label, field = AXES[letter]
    values = [getattr(timing.case, field) for timing in timings]
    for name, (colour, marker) in SIDES.items():
        if name in timings[0].seconds:
            times = [timing.ms(name) for timing in timings]
            ax.loglog(values, times, marker, linestyle="-", color=PALETTE[colour], label=name)
    last = timings[-1].ms(OURS)
    linear = [last * value / values[-1] for value in values]
    ax.loglog(values, linear, "--", color="grey", linewidth=0.8, label=f"proportional to {letter}")
    others = ", ".join(
        f"{other} = {getattr(timings[0].case, name)}"
        for other, (_, name) in AXES.items()
        if other != letter
    )
    ax.set(title=f"training step, {others}", xlabel=label, ylabel="ms")
