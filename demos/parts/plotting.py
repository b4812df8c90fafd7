"""What the demos draw with: one look for every picture, and a progress bar.

The colours are Okabe and Ito's (2008), which readers of every colour vision tell apart. Matplotlib
and tqdm are optional: without them a demo prints its numbers all the same.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

from npslstm.training.display import can_show_bars, new_bar
from parts.written import write

__all__ = ["PAGE_WIDTH", "PALETTE", "figure", "have_matplotlib", "progress", "save"]

PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
PAGE_WIDTH = 7.0  # inches; with DPI the 840 pixels that a README shows
DPI = 120
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.6,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.6,
    "image.cmap": "cividis",  # made for every colour vision, too
}


def have_matplotlib() -> bool:
    """Say whether pictures can be drawn; where they cannot, print how they could."""
    if importlib.util.find_spec("matplotlib"):
        return True
    print("pictures need matplotlib: pip install 'npslstm[demos]'", file=sys.stderr)
    return False


def figure(rows=1, columns=1, *, height=3.2, width=PAGE_WIDTH, **options):
    """Return a figure of this size in inches, and its axes as ``plt.subplots`` shapes them.

    The figure belongs to no window and to no global list: it is gone when nobody holds it.
    """
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    matplotlib.rcParams.update(STYLE)
    matplotlib.rcParams["axes.prop_cycle"] = cycler(color=list(PALETTE.values()))
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, **options)


def save(fig, path) -> None:
    """Write the figure, the whole of it or nothing; the format is the path's ending.

    A PNG is reduced to 256 colours, which a diagram does not notice and which makes it a third
    as large. The file holds neither a date nor a version.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".") or "png"
    buffer = io.BytesIO()
    undated = {"png": {"Software": None}, "svg": {"Date": None}}.get(kind)
    fig.savefig(buffer, format=kind, dpi=DPI, metadata=undated)
    if kind == "png":
        from PIL import Image  # comes with matplotlib

        image = Image.open(buffer).convert("RGB")
        # Pillow's default, median cut, mixes a thin line's colour with those of a colour map.
        method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
        image = image.quantize(256, method, kmeans=1, dither=dither)
        buffer = io.BytesIO()
        image.save(buffer, "png", optimize=True)
    write(path, buffer.getvalue())


def progress(items, label: str, total: int | None = None):
    """Iterate over ``items`` behind a progress bar: on a terminal, and where tqdm is installed."""
    return new_bar(items, desc=label, total=total, leave=False) if can_show_bars() else items
