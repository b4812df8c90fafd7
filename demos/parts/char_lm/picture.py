"""The picture of ``char_lm.py``: how training went, beside what needs no training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parts.char_lm.training import Curve
from parts.plotting import PALETTE, figure, save

__all__ = ["plot"]


def plot(curve: Curve, others: dict[str, float], path: Path) -> None:
    """Draw the learning curve, with a line for each baseline."""
    fig, ax = figure(height=3.6)
    bits, read = np.array(curve.bits), np.array(curve.read) / 1e6
    width = max(1, len(bits) // 200)  # a point is the mean of so many windows
    blocks = [x[: len(x) // width * width].reshape(-1, width).mean(axis=1) for x in (read, bits)]
    ax.plot(*blocks, color=PALETTE["sky"], label="LSTM, on the text it learns from")
    held_out, ends = curve.held_out, np.array(curve.ends) / 1e6
    ax.plot(ends, held_out, "o-", color=PALETTE["blue"], label="LSTM, on held-out text")
    bottom = min(*others.values(), held_out[-1]) * 0.8
    top, label_at = max(*others.values(), held_out[0]) * 1.05, 0.0
    for name in sorted(others, key=others.__getitem__):
        ax.axhline(others[name], color=PALETTE["vermillion"], linestyle=":", linewidth=1)
        label_at = max(others[name], label_at + 0.06 * (top - bottom))  # close lines, labels apart
        ax.annotate(
            f"{others[name]:.2f} {name}",
            xy=(1, others[name]),
            xytext=(1.03, label_at),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "relpos": (0, 0.5)},
        )
    ax.set(
        xlabel="characters read (millions)", ylabel="bits per character", xlim=0, ylim=(bottom, top)
    )
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.9))
    save(fig, path)
