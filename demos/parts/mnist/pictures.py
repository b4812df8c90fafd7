"""The pictures of ``mnist.py``: what training reached, and how one image was read."""

from __future__ import annotations

import numpy as np

from npslstm.datasets.views import PERMUTATION
from npslstm.trace import trace
from parts.plotting import PALETTE, figure

SMOOTH = 20  # steps that a point of the learning curve averages
WRONG = 20  # wrong answers shown
SHOWN_STEPS = 56  # of the 784 that an image can have
GATES = {  # of a trace, where it has them: how called, and where the colour scale begins
    "i": ("input gate i", 0),
    "f": ("forget gate f", 0),
    "g": ("candidate g", -1),
    "o": ("output gate o", 0),
    "r": ("reset gate r", 0),
    "z": ("update gate z", 0),
    "n": ("candidate n", -1),
    "c": ("cell state tanh c", -1),
    "h": ("hidden state h", -1),
}


def overview(model, data, history, result, as_batch):
    """Draw the learning curve, the confusion matrix, the wrong answers and one digit's gates."""
    answers = result.logits.argmax(axis=1)
    wrong = np.flatnonzero(answers != data.test_labels)

    fig, axes = figure(height=9.4)
    axes.remove()
    top, middle, bottom = fig.subfigures(3, 1, height_ratios=[3.0, 2.0, 4.4])
    left, right = top.subplots(1, 2)
    draw_learning_curve(left, history)
    draw_confusion(right, data.test_labels, answers)
    middle.suptitle(
        f"{len(wrong)} of {len(answers):,} test images read wrong: answer (truth)", fontsize=9
    )
    tiles = middle.subplots(2, WRONG // 2).ravel()
    for axis in tiles:
        axis.set_axis_off()
    for axis, n in zip(tiles, wrong, strict=False):
        axis.imshow(data.test_images[n], cmap="gray_r")
        axis.set_title(f"{answers[n]} ({data.test_labels[n]})", fontsize=8, pad=2)
    draw_gates(bottom, model, data.test_images[0], as_batch)
    return fig


def explain(model, data, n, view, as_batch):
    """Draw how test image ``n`` was read: what the answer depends on, when it won, its gates."""
    image, label = data.test_images[n], int(data.test_labels[n])
    x = as_batch(image[None])
    steps, logits = logits_by_step(model, x)
    answer = int(logits[-1].argmax())

    fig, axes = figure(height=8.0)
    axes.remove()
    top, bottom = fig.subfigures(2, 1, height_ratios=[3.2, 4.4])
    top.suptitle(f"Test image {n}: a digit {label}, read as {answer}", fontsize=10)
    left, right = top.subplots(1, 2, width_ratios=[1, 1.6])
    draw_dependence(left, image, pixel_gradient(model, x, answer, view), answer)
    draw_race(right, steps, logits, answer)
    draw_gates(bottom, model, image, as_batch)
    return fig


def logits_by_step(model, x):
    """Return step numbers, and the logits (len(steps), 10) if the image ended after each."""
    count = x.shape[1]
    steps = np.unique(np.linspace(1, count, min(count, SHOWN_STEPS)).round().astype(int))
    return steps, np.concatenate([model(x[:, :step])[0] for step in steps])


def pixel_gradient(model, x, answer, view):
    """Return ∂logit/∂pixel (28, 28) of the answer's logit."""
    logits, _, cache = model.forward(x)
    dlogits = np.zeros_like(logits)
    dlogits[0, answer] = 1
    dx, _, _ = model.backward(cache, dlogits)
    pixels = dx.ravel()
    if view == "permuted":
        pixels = pixels[np.argsort(PERMUTATION)]
    return pixels.reshape(28, 28)


def draw_learning_curve(axis, history):
    """Draw loss by step, and accuracy by epoch."""
    axis.set_title("Learning curve, training images", fontsize=9)
    axis.set_xlabel("step")
    axis.set_ylabel("loss of a batch, nats", color=PALETTE["blue"])
    if not history:  # going on from a run that had ended
        return
    losses = np.array([record.loss for record in history])
    steps = np.array([record.step for record in history])
    width = min(SMOOTH, len(losses))
    smooth = np.convolve(losses, np.full(width, 1 / width), "valid")
    axis.semilogy(steps, losses, color=PALETTE["sky"], linewidth=0.5, alpha=0.6)
    axis.semilogy(steps[width - 1 :], smooth, color=PALETTE["blue"])
    ends = [record for record in history if record.ends_epoch]
    if ends:
        other = axis.twinx()
        other.plot(
            [record.step for record in ends],
            [100 * record.epoch_accuracy for record in ends],
            "o-",
            color=PALETTE["vermillion"],
            markersize=3,
        )
        other.set_ylabel("accuracy of an epoch, %", color=PALETTE["vermillion"])
        other.set_ylim(top=100.5)
        other.grid(False)


def draw_confusion(axis, labels, answers):
    """Draw how often each digit was read as each; the diagonal is right and left without colour."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    mistakes = np.where(np.eye(10, dtype=bool), 0, counts)
    axis.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, 1.5 * mistakes.max()))
    for truth, answer in zip(*np.nonzero(counts), strict=True):
        axis.text(answer, truth, counts[truth, answer], ha="center", va="center", fontsize=6)
    axis.set_xticks(range(10))
    axis.set_yticks(range(10))
    axis.set_xlabel("answer")
    axis.set_ylabel("truth")
    axis.grid(False)
    axis.set_title("Confusion matrix, test images", fontsize=9)


def draw_gates(place, model, image, as_batch):
    """Draw a digit, and beside it gates and states of the top layer, a row for each step."""
    x = as_batch(image[None])
    steps = trace(model, x)[f"l{model.lstm.num_layers - 1}"]
    values = {name: getattr(steps, name) for name in GATES if name in steps._fields}
    if "c" in values:
        values["c"] = np.tanh(values["c"])
    # Units in the order of their last hidden state, so that alike stands beside alike.
    order = np.argsort(steps.h[0, -1])
    place.suptitle(
        "The digit, and the top layer as it reads it: each row is a step, each column is a unit",
        fontsize=9,
    )
    axes = place.subplots(2, 4)
    axes[1, 0].set_axis_off()
    digit, scales = axes[0, 0], {}
    rows, columns = image.shape  # they count from 1, as steps do
    digit.imshow(image, cmap="gray_r", extent=(0.5, columns + 0.5, rows + 0.5, 0.5))
    digit.grid(False)
    digit.set_ylabel("row of pixels")
    digit.set_xlabel("column")
    panels = axes[:, 1:].ravel()
    for axis in panels[len(values) :]:
        axis.set_axis_off()
    for axis, (name, value) in zip(panels, values.items(), strict=False):
        (title, low), shown = GATES[name], value[0][:, order]
        colours = "cividis" if low == 0 else "PuOr"
        count, units = shown.shape
        scales[low] = axis.imshow(
            shown,
            cmap=colours,
            vmin=low,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            extent=(-0.5, units - 0.5, count + 0.5, 0.5),  # step 1 is the first
        )
        axis.set_title(title, fontsize=8)
        axis.grid(False)
        axis.set_xticks([])
    axes[0, 1].set_ylabel("step")
    axes[1, 1].set_ylabel("step")
    for low, label, box in (
        (0, "gates", [0.05, 0.62, 0.9, 0.1]),
        (-1, "states and candidates", [0.05, 0.2, 0.9, 0.1]),
    ):
        if low not in scales:  # a plain RNN has no gate
            continue
        scale = axes[1, 0].inset_axes(box)
        place.colorbar(scales[low], cax=scale, orientation="horizontal", label=label)


def draw_dependence(axis, image, gradient, answer):
    """Draw |∂logit/∂pixel| over the image's outline."""
    axis.set_title(f"|∂ logit of {answer} / ∂ pixel|", fontsize=9)
    size = np.abs(gradient)
    shown = axis.imshow(size, cmap="Oranges")
    axis.contour(image, levels=[128], colors=PALETTE["black"], linewidths=0.7)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.figure.colorbar(shown, ax=axis, shrink=0.8)


def draw_race(axis, steps, logits, answer):
    """Draw each class's logit as if the image ended there, and say since when the answer led."""
    colours = list(PALETTE.values())
    rivals = [k for k in np.argsort(-logits.max(axis=0)) if k != answer][:4]
    for k in range(10):
        if k == answer or k in rivals:
            place = 0 if k == answer else 1 + rivals.index(k)
            width = 2.2 if k == answer else 1.2
            axis.plot(steps, logits[:, k], color=colours[place], linewidth=width, label=str(k))
        else:
            axis.plot(steps, logits[:, k], color="0.8", linewidth=0.7, zorder=0)
    axis.set_xlabel("step")
    axis.set_ylabel("logit if the image ended here")
    axis.legend(title="class", fontsize=7, title_fontsize=7)
    behind = np.flatnonzero(logits.argmax(axis=1) != answer)
    since = steps[behind[-1] + 1] if len(behind) else steps[0]
    axis.set_title(f"{answer} leads from step {since} on", fontsize=9)
