"""The benchmark's picture: whose step is faster, size by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from parts.benchmark.report import Timing
from parts.plotting import PALETTE, figure

__all__ = ["draw"]

DTYPES = {"float32": ("blue", "o", -0.13), "float64": ("vermillion", "s", 0.13)}  # … and how low
SCALE = (0.25, 0.5, 1, 2, 4, 8)
SMALL = 8  # points


def draw(found: Mapping[str, Sequence[Timing]]):
    """Draw a panel for each title: the first of its others at every size, with quartiles."""
    fig, axes = figure(1, len(found), height=3.6, sharex=True, sharey=True, squeeze=False)
    for ax, (title, timings) in zip(axes[0], found.items(), strict=True):
        draw_panel(ax, timings, next(iter(timings[0].pairs)))
        ax.set_title(title, fontsize=9)
    sizes = list(dict.fromkeys(str(t.case) for t in timings))
    ax.set_yticks(range(len(sizes)), sizes)
    ax.set_ylim(len(sizes) - 0.4, -1.1)
    quartiles = [q for ts in found.values() for t in ts for q in t.ratio(next(iter(t.pairs)))]
    low, high = min(*quartiles, 0.45) / 1.2, max(*quartiles, 3.0) * 1.2  # room for the words
    ax.set_xlim(low, high)
    ticks = [tick for tick in SCALE if low < tick < high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=SMALL)
    return fig


def draw_panel(ax, timings: Sequence[Timing], other: str) -> None:
    """Draw a dot for each size and dtype on a scale where twice and half are equally far."""
    sizes = list(dict.fromkeys(str(t.case) for t in timings))
    for dtype, (colour, marker, lower) in DTYPES.items():
        some = [t for t in timings if t.case.dtype == dtype]
        if some:
            low, median, high = np.array([t.ratio(other) for t in some]).T
            places = [sizes.index(str(t.case)) + lower for t in some]
            style = {"fmt": marker, "color": PALETTE[colour], "label": dtype, "ms": 5}
            ax.errorbar(median, places, xerr=[median - low, high - median], **style)
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.axvspan(1e-3, 1, color=PALETTE["green"], alpha=0.10, linewidth=0)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.text(0.97, -0.75, f"{timings[0].side} is faster", ha="right", va="center", fontsize=SMALL)
    ax.text(1.03, -0.75, f"{other} is faster", ha="left", va="center", fontsize=SMALL)
    ax.set_xlabel(f"time of {timings[0].side} / time of {other}", fontsize=SMALL)
