"""Which kind of cell learns the digits best? A small search space odyssey.

    python demos/odyssey.py
    python demos/odyssey.py --plot demos/pictures/odyssey.png

Every variant of the LSTM, the GRU and the plain RNN learn the 4,000 images that come with the
package, row by row, and are tested on 1,000 others: from the same three seeds, once with the same
number of hidden units and once with about the same number of parameters as the standard LSTM. All
have the same recipe: Adam, one cycle of the learning rate, and a forget bias of 1 where there is a
forget gate. Greff et al. ("LSTM: A Search Space Odyssey", 2017) searched for the best recipe of
each variant; with another recipe the order here may be another one.

Printed are the mean, lowest and highest test accuracy over the seeds, the CPU time of training, and
which differences are larger than those that seeds make. npslstm/cells/README.md has the equations.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import itertools
import math
import sys
import textwrap
import time
from typing import NamedTuple

import numpy as np
from parts import options
from parts.kinds import CELLS
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm import LSTMModel
from npslstm.cells import VARIANTS
from npslstm.datasets import as_sequences, load_embedded
from npslstm.optim import Adam
from npslstm.training import Progress, evaluate, fit, steps_per_epoch
from npslstm.training.learning_rate import one_cycle

RATE, CLIP, BATCH = 5e-3, 1.0, 64  # those of mnist.py
FEATURES, CLASSES = 28, 10
STANDARD = "LSTM, standard"
KINDS = {f"LSTM, {name}": ("lstm", name) for name in VARIANTS}
KINDS |= {"GRU": ("gru", "standard"), "RNN": ("rnn", "standard")}
MARKERS = "os^vDPX*<>"
SAME_UNITS, SAME_PARAMETERS = "same number of units", "same number of parameters"
ERRORS = 3  # of its standard errors that a difference must be large


class Row(NamedTuple):
    """What came of one kind with one number of units."""

    budget: str
    name: str
    hidden: int
    parameters: int
    accuracies: np.ndarray  # (seeds,)
    seconds: np.ndarray  # (seeds,), of the CPU


def make(name: str, hidden: int, seed: int) -> LSTMModel:
    """Return a new model."""
    cell, variant = KINDS[name]
    kind = VARIANTS[variant] if cell == "lstm" else CELLS[cell]
    return LSTMModel(
        FEATURES,
        hidden,
        CLASSES,
        batch_first=True,
        cell=cell,
        variant=variant,
        forget_bias=float("f" in kind.gates),
        rng=seed,
    )


def count(name: str, hidden: int) -> int:
    """Return the number of parameters."""
    return sum(param.size for param in make(name, hidden, 0).params.values())


def units_for(name: str, parameters: int) -> int:
    """Return how many units come nearest to a number of parameters."""
    above = next(h for h in itertools.count(1) if count(name, h) >= parameters)
    near = range(max(1, above - 1), above + 1)
    return min(near, key=lambda hidden: abs(count(name, hidden) - parameters))


def train(name: str, hidden: int, epochs: int, seed: int) -> tuple[float, float]:
    """Return test accuracy and the CPU seconds of training."""
    data, model = load_embedded(), make(name, hidden, seed)
    total = epochs * steps_per_epoch(len(data.train_images), BATCH)
    x, x_test = as_sequences(data.train_images), as_sequences(data.test_images)
    began = time.process_time()
    fit(
        model,
        x,
        data.train_labels,
        optimizer=Adam(RATE),
        epochs=epochs,
        batch_size=BATCH,
        schedule=one_cycle(RATE, total),
        max_norm=CLIP,
        start=Progress(seed),
    )
    seconds = time.process_time() - began
    return evaluate(model, x_test, data.test_labels).accuracy, seconds


def measure(hidden: int, epochs: int, seeds: range) -> list[Row]:
    """Train all of them; each network once, though it may be in both lists."""
    parameters = count(STANDARD, hidden)
    plan = [(SAME_UNITS, name, hidden) for name in KINDS]
    plan += [(SAME_PARAMETERS, name, units_for(name, parameters)) for name in KINDS]
    networks = dict.fromkeys((name, units) for _, name, units in plan)
    # Seed after seed, so that a machine that is slow for a while is slow for every kind.
    runs = [(seed, *network) for seed in seeds for network in networks]
    found = {run: train(*run[1:], epochs, run[0]) for run in progress(runs, "networks")}
    rows = []
    for budget, name, units in plan:
        results = np.array([found[seed, name, units] for seed in seeds])
        rows.append(Row(budget, name, units, count(name, units), *results.T))
    return rows


def table(rows: list[Row]) -> str:
    """Show all that was measured."""
    lines = []
    for budget in (SAME_UNITS, SAME_PARAMETERS):
        lines += ["", f"{budget:<27}{'units':>6}{'parameters':>12}{'accuracy':>10}"]
        lines[-1] += "  lowest-highest   seconds"
        for row in rows:
            if row.budget == budget:
                low, high = row.accuracies.min(), row.accuracies.max()
                lines.append(
                    f"  {row.name:<25}{row.hidden:>6}{row.parameters:>12,}"
                    f"{row.accuracies.mean():>10.2%}{low:>9.2%}-{high:.2%}{row.seconds.mean():>9.1f}"
                )
    return "\n".join(lines)


def verdict(rows: list[Row]) -> str:
    """Say which differences from the standard LSTM are larger than those that seeds make."""
    lines = []
    for budget in (SAME_UNITS, SAME_PARAMETERS):
        of_budget = {row.name: row.accuracies for row in rows if row.budget == budget}
        variances = {name: each.var(ddof=1) for name, each in of_budget.items()}
        common = float(np.mean([variances[name] for name in variances if name != "RNN"]))
        standard = of_budget.pop(STANDARD)
        apart = {name: each.mean() - standard.mean() for name, each in of_budget.items()}
        # Three seeds say little of a kind's own spread, so it counts where it is the larger one.
        noise = {
            name: ERRORS * math.sqrt((max(variances[name], common) + common) / len(standard))
            for name in apart
        }
        better, worse, within = [], [], []
        for name in sorted(apart, key=apart.__getitem__, reverse=True):
            seen = abs(apart[name]) > noise[name]
            part = within if not seen else better if apart[name] > 0 else worse
            part.append(f"{name} ({apart[name]:+.1%})")
        lines += [
            f"\nWith the {budget}, against the standard LSTM:",
            listed("  better:       ", better),
            listed("  worse:        ", worse),
            listed("  within noise: ", within),
            f"  Seeds make a gated kind differ by {math.sqrt(common):.2%} (standard deviation).",
            f"  Noise is what is below {ERRORS} standard errors: {min(noise.values()):.1%},",
            "  or more where a kind's own spread is larger.",
        ]
    lines.append(
        "\nAll are tested on the same images, so more seeds do not show how other images would do."
    )
    return "\n".join(lines)


def listed(label: str, names: list[str]) -> str:
    """Join names on as many lines as they need."""
    text = label + ("; ".join(names) or "none")
    return textwrap.fill(text, 96, subsequent_indent=" " * len(label))


def plot(rows: list[Row], path) -> None:
    """Draw accuracy against parameters and time, with bars from the lowest to the highest seed."""
    units, parameters = (
        [row for row in rows if row.budget == b] for b in (SAME_UNITS, SAME_PARAMETERS)
    )
    fig, axes = figure(1, 3, height=4.0, sharey=True)
    draw(axes[0], units, side_by_side([row.parameters / 1000 for row in units]))
    draw(axes[1], units, [row.seconds.mean() for row in units])
    draw(axes[2], parameters, [row.seconds.mean() for row in parameters])
    hidden, size = units[0].hidden, parameters[0].parameters / 1000
    axes[0].set(xlabel="parameters, thousands", title=f"{hidden} units each")
    axes[1].set(xlabel="seconds of training", title=f"{hidden} units each")
    axes[2].set(xlabel="seconds of training", title=f"{size:.0f},000 parameters each")
    axes[0].set_ylabel("test accuracy, %")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=5)
    seeds = len(rows[0].accuracies)
    fig.suptitle(f"Mean of {seeds} seeds; the bar goes from the lowest to the highest", fontsize=9)
    save(fig, path)


def draw(ax, rows: list[Row], places: list[float]) -> None:
    """Draw one panel."""
    colours = itertools.cycle(c for name, c in PALETTE.items() if name != "yellow")
    for row, place, marker, colour in zip(rows, places, MARKERS, colours, strict=False):
        each = 100 * row.accuracies
        mean = each.mean()
        reach = [[mean - each.min()], [each.max() - mean]]
        ax.errorbar(place, mean, reach, fmt=marker, color=colour, label=row.name, markersize=5)


def side_by_side(places: list[float]) -> list[float]:
    """Move what lies at nearly the same place apart."""
    step, moved = max(places) / 40, []
    for k, place in enumerate(places):
        near = [n for n, other in enumerate(places) if abs(other - place) < step]
        moved.append(place + step * (near.index(k) - (len(near) - 1) / 2))
    return moved


@program.script
def main(argv: list[str] | None = None) -> None:
    """Run the demo."""
    parser = program.parser(__doc__)
    parser.add_argument("--hidden", type=options.units, default=64, help="units (64)")
    parser.add_argument("--epochs", type=options.count, default=12, help="(12)")
    parser.add_argument("--seeds", type=options.whole(2), default=3, help="how many (3)")
    parser.add_argument("--seed", type=options.seed, default=0, help="the first of them (0)")
    parser.add_argument("--plot", metavar="PATH", type=options.picture, help="save the picture")
    args = parser.parse_args(argv)
    drawing = args.plot is not None and have_matplotlib()
    rows = measure(args.hidden, args.epochs, range(args.seed, args.seed + args.seeds))
    print(table(rows), verdict(rows), sep="\n")
    if drawing:
        plot(rows, args.plot)


if __name__ == "__main__":
    sys.exit(main())
