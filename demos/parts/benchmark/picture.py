"""The benchmark's picture: whose step is faster, size by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parts.benchmark.report import Timing
from parts.plotting import PALETTE, figure

__all__ = ["ENDINGS", "draw"]

ENDINGS = ".png", ".svg", ".pdf"
TITLES = {"step": "training step", "inference": "inference"}
DTYPES = {"float32": ("blue", "o", -0.13), "float64": ("vermillion", "s", 0.13)}  # … and how low
SCALE = (0.25, 0.5, 1, 2, 4, 8)
SMALL = 8  # points


def draw(found: Mapping[str, Sequence[Timing]]):
    """Draw a panel for each task: the first of its others at every size, with quartiles."""
    fig, axes = figure(1, len(found), height=3.4, sharey=True, squeeze=False)
    for ax, (task, timings) in zip(axes[0], found.items(), strict=True):
        other = next(iter(timings[0].pairs))
        draw_panel(ax, timings, other)
        ax.set_title(f"{TITLES[task]}", fontsize=9)
        ax.set_xlabel(f"time of {timings[0].side} / time of {other}", fontsize=SMALL)
    sizes = list(dict.fromkeys(str(t.case) for t in timings))
    axes[0][0].set_yticks(range(len(sizes)), sizes)
    axes[0][0].set_ylim(len(sizes) - 0.4, -1.1)
    axes[0][-1].legend(loc="lower right", fontsize=SMALL)
    return fig


def draw_panel(ax, timings: Sequence[Timing], other: str) -> None:
    """Draw a dot for each size and dtype on a scale where twice and half are equally far."""
    sizes = list(dict.fromkeys(str(t.case) for t in timings))
    ends = [1.0]
    for dtype, (colour, marker, lower) in DTYPES.items():
        some = [t for t in timings if t.case.dtype == dtype]
        if not some:
            continue
        ratios = [t.ratio(other) for t in some]
        places = [sizes.index(str(t.case)) + lower for t in some]
        medians = [r.median for r in ratios]
        spread = [[r.median - r.low for r in ratios], [r.high - r.median for r in ratios]]
        ax.errorbar(
            medians, places, xerr=spread, fmt=marker, color=PALETTE[colour], label=dtype, ms=5
        )
        ends += medians
    ax.set_xscale("log")
    low, high = min(*ends, 0.6) / 1.15, max(*ends, 1.6) * 1.15
    ax.set_xlim(low, high)
    ticks = [tick for tick in SCALE if low < tick < high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.axvspan(low, 1, color=PALETTE["green"], alpha=0.10, linewidth=0)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.text(0.97, -0.75, f"{timings[0].side} is faster", ha="right", va="center", fontsize=SMALL)
    ax.text(1.03, -0.75, f"{other} is faster", ha="left", va="center", fontsize=SMALL)
