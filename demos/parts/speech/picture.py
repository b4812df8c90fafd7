"""The picture of ``speech.py``: how sure after each frame, and which frames an answer depends on.

Shapes: probabilities ``(N, T, K)``, dependence ``(N, T)``, both nan past each sequence's end.
"""

from __future__ import annotations

import numpy as np

from parts.plotting import PALETTE, figure, save

from .listener import Listener
from .recordings import Array, Part, Recordings

STYLES = (
    {"color": PALETTE["blue"], "linestyle": "-"},
    {"color": PALETTE["orange"], "linestyle": "--"},
)
POINTS = 25  # of a sequence's way, for the mean over sequences of different lengths


def after_each_step(listener: Listener, part: Part) -> Array:
    """Return the probability of each class if the sequence ended at this step; one direction only.

    A model that reads in one direction need not be asked anew: the head reads its state after each
    step as it reads the last one.
    """
    out, _ = listener.model.lstm(listener.inputs(part), lengths=part.lengths)
    logits = listener.model.head(out)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.where(part.valid()[..., None], odds / odds.sum(axis=-1, keepdims=True), np.nan)


def dependence(listener: Listener, part: Part) -> Array:
    """Return ‖∂ logit/∂ x‖ at every step, divided by its mean over the sequence; so 1 is average.

    The logit is that of the answer, and x is in standard deviations of each feature.
    """
    model = listener.model
    logits, _, cache = model.forward(listener.inputs(part), lengths=part.lengths)
    dlogits = np.eye(logits.shape[1], dtype=logits.dtype)[logits.argmax(axis=1)]
    dx, _, _ = model.backward(cache, dlogits)
    norms = np.linalg.norm(dx, axis=2)  # 0 past the end
    means = norms.sum(axis=1) / part.lengths
    return np.where(part.valid(), norms / means[:, None], np.nan)


def stretched(values: Array, lengths: Array) -> Array:
    """Bring rows of different lengths to the same number of points, (N, POINTS)."""
    way = np.linspace(0, 1, POINTS)
    rows = zip(values, lengths, strict=True)
    return np.array([np.interp(way, np.linspace(0, 1, n), row[:n]) for row, n in rows])


def plot(recordings: Recordings, one: Listener, both: Listener, step: str, path) -> None:
    """Draw all test sequences in the mean, a typical one, and the one that is hardest to tell."""
    part = recordings.test
    sure = after_each_step(one, part)
    depends = {"one direction": dependence(one, part), "both directions": dependence(both, part)}
    right = np.take_along_axis(sure, part.labels[:, None, None], axis=2)[..., 0]
    order = np.argsort(np.nanmean(right, axis=1), kind="stable")  # the least sure one first

    fig, axes = figure(2, 3, height=5.2, sharey="row", sharex="col")
    fig.suptitle("Above: how sure after each step. Below: which steps the answer depends on.")
    (above, *_), (below, *_) = axes
    above.set(ylabel="how sure of the right class", ylim=(0, 1))
    below.set(ylabel="|∂ logit / ∂ x| / its mean")
    draw_mean(*axes[:, 0], right, depends, part.lengths)
    draw_one(*axes[:, 1], sure, depends, recordings, order[len(order) // 2])
    draw_one(*axes[:, 2], sure, depends, recordings, order[0])
    for axis, title in zip(
        axes[0], ("all of the test", "a typical one", "the hardest"), strict=True
    ):
        axis.set(title=title)
    for axis, name in zip(axes[1], ("% of the sequence", step, step), strict=True):
        axis.set(xlabel=name)
    below.legend(fontsize=8)
    below.set_ylim(0, None)
    save(fig, path)


def draw_mean(above, below, right: Array, depends: dict[str, Array], lengths: Array) -> None:
    """Draw the mean over all sequences, from their beginning to their end."""
    way = np.linspace(0, 100, POINTS)
    rows = stretched(right, lengths)
    low, high = np.quantile(rows, (0.1, 0.9), axis=0)
    above.fill_between(way, low, high, color=PALETTE["blue"], alpha=0.2, linewidth=0)
    above.plot(way, rows.mean(axis=0), color=PALETTE["blue"])
    above.text(97, 0.04, "line: mean\nband: the middle 80 %", ha="right", fontsize=8)
    for (name, values), style in zip(depends.items(), STYLES, strict=True):
        below.plot(way, stretched(values, lengths).mean(axis=0), **style, label=name)
    below.set_xlim(0, 100)


def draw_one(
    above, below, sure: Array, depends: dict[str, Array], recordings: Recordings, k: int
) -> None:
    """Draw the sequence k, with the wrong class that came nearest by its name."""
    n, label = recordings.test.lengths[k], recordings.test.labels[k]
    steps = np.arange(1, n + 1)
    above.plot(steps, sure[k, :n], color="#B0B0B0", linewidth=0.8)
    highest = sure[k, :n].max(axis=0)
    highest[label] = -1
    for c, colour, what in ((highest.argmax(), "vermillion", "wrong"), (label, "blue", "right")):
        name = recordings.classes[c][:24].replace("$", r"\$")
        line = {"color": PALETTE[colour], "marker": ".", "label": f"{what}: {name}"}
        above.plot(steps, sure[k, :n, c], **line)
    above.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0))  # over no line
    for values, style in zip(depends.values(), STYLES, strict=True):
        below.plot(steps, values[k, :n], **style, marker=".")
    below.set_xlim(0.5, n + 0.5)
    below.xaxis.get_major_locator().set_params(integer=True)
