"""The adding problem: remember two numbers over a hundred steps of noise.

    python demos/adding.py
    python demos/adding.py --plot demos/pictures/adding.png
    python demos/adding.py --steps 400 --sequences 400000 --forget-bias 1 chrono

At every step a network reads a random number from [0, 1] and a mark, 0 or 1. Two steps are marked,
one in the first half and one in the second; after the last step it must say the sum of the two
marked numbers (Hochreiter & Schmidhuber 1997, in the form of Arjovsky et al. 2016). An LSTM with
each --forget-bias given, and a plain tanh RNN with orthogonal recurrent weights, read fresh random
sequences with Adam until the mean squared error on held-out ones is below 0.01. Who ignores the
input and always answers 1 has 1/6.

"chrono" spreads the memories of the cells over all times up to T (Tallec & Ollivier 2018): a gate
that is half closed forgets in a few steps, and gradients must then find out that it should not.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import argparse
import math
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from parts import options
from parts.adding.networks import KINDS, make_network
from parts.plotting import PALETTE, figure, have_matplotlib, progress, save

from npslstm import evaluate, fit, mean_squared_error
from npslstm.optim import Adam
from npslstm.training import NonFiniteError, Progress

# Who always answers m errs by E(u + v - m)², u and v uniform on [0, 1]. That is least at the mean,
# m = 1, where it is the variance, 1/12 for each of the two numbers.
BASELINE = 2 / 12
SOLVED = 0.01
HELD_OUT, EVERY = 1000, 2500  # sequences to test on, and to learn from between two tests
MAX_NORM = 1.0
COLOURS = dict(zip(KINDS, ["orange", "sky", "blue", "vermillion"], strict=True))


class Run(NamedTuple):
    """How one network learnt: its error after so many sequences, and how long that took."""

    kind: str
    seed: int
    sequences: list[int]
    mse: list[float]  # on the held-out sequences
    seconds: float

    @property
    def solved(self) -> int | None:
        """The number of sequences after which the problem was solved, if it was."""
        return self.sequences[-1] if self.mse[-1] < SOLVED else None


def draw(rng: np.random.Generator, sequences: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (T, N, 2), numbers and marks, and y (N, 1), the sums of the marked numbers."""
    x = np.zeros((steps, sequences, 2), np.float32)
    x[:, :, 0] = rng.random((steps, sequences))
    rows = np.arange(sequences)
    for begin, end in (0, steps // 2), (steps // 2, steps):
        x[rng.integers(begin, end, sequences), rows, 1] = 1
    return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=0)[:, None]


def held_out(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sequences that every network is tested on, whatever its seed."""
    return draw(np.random.default_rng([0, 2]), HELD_OUT, steps)


def learn(model, lr: float, seed: int, args) -> Iterator[tuple[int, float]]:
    """Train until solved, yielding sequences read so far and the error on the held-out ones."""
    x_test, y_test = held_out(args.steps)
    rng = np.random.default_rng([seed, 1])  # no stream of held_out or of the parameters
    settings = {"optimizer": Adam(lr), "batch_size": args.batch, "max_norm": MAX_NORM}
    settings["loss"] = mean_squared_error
    progress = Progress(seed)
    read = 0
    while read < args.sequences:
        goal = min(read + EVERY, args.sequences)
        while read < goal:
            x, y = draw(rng, args.batch, args.steps)
            # No sequence is read twice, so that every batch is an epoch.
            epochs = progress.step + 1
            [record] = fit(model, examples_first(x), y, epochs=epochs, start=progress, **settings)
            progress = record.progress
            read += args.batch
        mse = evaluate(model, examples_first(x_test), y_test, loss=mean_squared_error).loss
        if not math.isfinite(mse):
            raise NonFiniteError(progress.step, None, f"the error on held-out sequences is {mse}")
        yield read, mse
        if mse < SOLVED:
            return


def examples_first(x: np.ndarray) -> np.ndarray:
    """Return x (N, T, 2), as ``fit`` takes it for every model."""
    return x.swapaxes(0, 1)


def run(kind: str, seed: int, args) -> Run:
    """Make a network and train it behind a progress bar."""
    model = make_network(kind, args.hidden, args.steps, seed)
    lr = args.rnn_lr if kind == "rnn" else args.lr
    began = time.perf_counter()
    points = learn(model, lr, seed, args)
    curve = list(progress(points, f"{KINDS[kind]}, seed {seed}", -(-args.sequences // EVERY)))
    sequences, mse = (list(column) for column in zip(*curve, strict=True))
    return Run(kind, seed, sequences, mse, time.perf_counter() - began)


def describe(run: Run) -> str:
    """Say how a run ended, in one line."""
    end = f"{'solved after' if run.solved else 'not solved in':<13} {run.sequences[-1]:>7,}"
    result = f"{end} sequences, MSE {run.mse[-1]:.4f}, {run.seconds:.0f} s"
    return f"{KINDS[run.kind]:<20} seed {run.seed}: {result}"


def table(runs: list[Run], columns: int = 8) -> str:
    """Show the error of every run at the same few places; a solved run has no more of them."""
    longest = max(runs, key=lambda run: len(run.sequences)).sequences
    places = sorted({len(longest) * k // columns - 1 for k in range(1, columns + 1)} - {-1})
    lines = [f"{'MSE after sequences:':<28}" + "".join(f"{longest[k]:>9,}" for k in places)]
    for run in runs:
        cells = [f"{run.mse[k]:9.4f}" if k < len(run.mse) else " " * 9 for k in places]
        lines.append(f"{KINDS[run.kind]:<20} seed {run.seed:<2}" + "".join(cells).rstrip())
    return "\n".join(lines)


def summary(runs: list[Run]) -> str:
    """Say for each network how many seeds solved the problem, and after how many sequences."""
    lines, means = [], {}
    for kind in dict.fromkeys(run.kind for run in runs):
        ends = [run.solved for run in runs if run.kind == kind]
        solved = [end for end in ends if end is not None]
        line = f"{KINDS[kind]:<20} solved by {len(solved)} of {len(ends)} seeds"
        if solved:
            line += f", after {np.mean(solved):,.0f} sequences in the mean"
        if len(solved) == len(ends):
            means[kind] = np.mean(solved)
        lines.append(line)
    if {"1", "chrono"} <= means.keys():
        ratio = means["1"] / means["chrono"]
        lines.append(f"forget bias 1 needs {ratio:.1f} times as many sequences as chrono")
    return "\n".join(lines)


def plot(runs: list[Run], steps: int, path: str) -> None:
    """Draw every run's error against the sequences read, on a logarithmic scale."""
    fig, ax = figure(height=3.4)
    for run in runs:
        label = KINDS[run.kind] if run.seed == runs[0].seed else None
        style = {"color": PALETTE[COLOURS[run.kind]], "linewidth": 1.3}
        thousands = np.array(run.sequences) / 1000
        ax.plot(thousands, run.mse, label=label, **style)
        if run.solved:
            ax.plot(thousands[-1], run.mse[-1], "o", markersize=5, **style)
    for level, text in (BASELINE, "always 1: MSE 1/6"), (SOLVED, f"solved: MSE {SOLVED}"):
        ax.axhline(level, color="gray", linestyle=":", linewidth=1)
        place = {"transform": ax.get_yaxis_transform(), "color": "gray", "ha": "right"}
        ax.text(0.995, level * 0.87, text, va="top", **place)
    ax.set(
        title=f"Adding two numbers among {steps}: one line for each seed",
        xlabel="training sequences (thousands)",
        ylabel="mean squared error, held out",
        yscale="log",
        xlim=(0, None),
    )
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(loc="center right")
    save(fig, path)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line, and refuse what makes no sense."""
    parser = program.parser(__doc__)
    add = parser.add_argument
    biases = [kind for kind in KINDS if kind != "rnn"]
    add("--forget-bias", nargs="+", choices=biases, help="an LSTM with each of them (1 chrono)")
    for name, default, kind, text in (
        ("steps", 100, options.whole(4, 100_000), "length of a sequence, T"),
        ("sequences", 100_000, options.count, "to learn from at most"),
        ("hidden", 64, options.units, "units, H"),
        ("batch", 50, options.whole(1, 100_000), "sequences an update"),
        ("lr", 0.01, options.positive, "learning rate of the LSTMs"),
        ("rnn-lr", 0.001, options.positive, "of the RNN, which did no better with ten times that"),
        ("seeds", 3, options.count, "networks of each kind"),
        ("seed", 0, options.seed, "the first of the seeds"),
    ):
        metavar = "N" if isinstance(default, int) else "LR"
        add(f"--{name}", type=kind, metavar=metavar, default=default, help=f"{text} ({default})")
    add("--plot", metavar="PATH", type=options.picture, help="save the picture there")
    parser.set_defaults(forget_bias=["1", "chrono"])
    return parser.parse_args(argv)


@program.script
def main(argv: list[str] | None = None) -> None:
    """Train every network with every seed; print how it went, and draw it."""
    args = parse(argv)
    drawing = args.plot and have_matplotlib()
    always_1 = np.mean((held_out(args.steps)[1] - 1) ** 2)
    print(
        f"baseline: who always answers 1 has an MSE of 1/6 = {BASELINE:.4f} in the mean, "
        f"{always_1:.4f} on the {HELD_OUT} held-out sequences",
        flush=True,
    )
    runs = []
    for kind in ["rnn", *dict.fromkeys(args.forget_bias)]:
        for seed in range(args.seed, args.seed + args.seeds):
            runs.append(run(kind, seed, args))
            print(describe(runs[-1]), flush=True)
    print(table(runs), summary(runs), sep="\n\n")
    if drawing:
        plot(runs, args.steps, args.plot)


if __name__ == "__main__":
    sys.exit(main())
