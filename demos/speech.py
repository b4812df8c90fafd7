"""Who is speaking? An LSTM against four answers that need no network, and the published ones.

    python demos/speech.py
    python demos/speech.py --plot demos/pictures/speech.png
    python demos/speech.py --own FOLDER --plot mine.png
    python demos/speech.py --choose

Nine men say two Japanese vowels. An utterance is 7 to 29 frames of 12 cepstrum coefficients, and of
another length each time: ``fit`` takes them with their ``lengths``. 270 utterances are learned from
and 370 are tested on, by LSTMs that read in one direction or in both, from several seeds.

How it is judged: the training part alone gives the mean and scale of the inputs, the weights and,
by cross-validation, the settings; ``--choose`` does that again. The test part chooses nothing.
The settings so chosen, and those they were chosen from, are in ``parts/speech/listener.py``.
Printed is who is right how often, whoever wins. On the vowels that is no network but a linear
discriminant that sees five summaries of an utterance.

``--own FOLDER`` reads your own sequences: a folder in it is a class, a CSV or npy file in that is a
sequence, with a row for each step and a column for each feature. One file in four is kept for the
test. The settings stay those of the vowels unless you say ``--choose`` or name your own.

The picture shows how sure the model is after each frame, and which frames its answer depends on.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from parts import options
from parts.plotting import have_matplotlib
from parts.speech import baselines
from parts.speech.listener import CHOSEN, GRID, Listener, Settings, cross_validate
from parts.speech.recordings import Recordings, read_own, read_vowels

from npslstm.cells import VARIANTS

CELLS = ("lstm", "gru", "rnn")
WAYS = {"one direction": False, "both directions": True}
PUBLISHED = {  # Kudo, Toyama & Shimbo (1999), on the same two parts
    "published: passing-through regions": 0.941,
    "published: hidden Markov model": 0.962,
}


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, Recordings]:
    """Read the command line and the sequences, and refuse what does not fit together."""
    parser = program.parser(__doc__)
    add, first = parser.add_argument, CHOSEN["one direction"]
    add("--own", type=Path, metavar="FOLDER", help="your own sequences, a folder for each class")
    add("--choose", action="store_true", help=f"choose anew among {len(GRID)} settings (minutes)")
    add("--cell", choices=CELLS, default="lstm", help="(%(default)s)")
    add("--variant", choices=VARIANTS, default="standard", help="of the LSTM (%(default)s)")
    add("--hidden", type=options.units, metavar="H", help=f"units a direction ({first.units})")
    add("--epochs", type=options.count, metavar="N", help=f"({first.epochs})")
    add("--seeds", type=options.count, default=5, metavar="N", help="to try (%(default)s)")
    add("--seed", type=options.seed, default=0, help="the first of the seeds (%(default)s)")
    add("--plot", type=options.picture, metavar="PATH", help="save the picture there")
    args = parser.parse_args(argv)
    if args.cell != "lstm" and args.variant != "standard":
        parser.error(f"--variant: expected none with --cell {args.cell}, given {args.variant}")
    if args.own is None:
        return args, read_vowels()
    try:
        return args, read_own(args.own)
    except (OSError, ValueError) as error:
        parser.error(f"--own: {error}")


def choose(recordings: Recordings, grid: list[Settings], seeds: range, **kind) -> Settings:
    """Print what cross-validation says of all settings; return those with the lowest loss."""
    classes, losses = len(recordings.classes), {}
    print("  held out: loss  right  of")
    for settings in grid:
        loss, right = cross_validate(recordings.train, classes, settings, seeds, **kind)
        losses[settings] = loss
        print(f"  {loss:14.4f}  {right:5.1%}  {settings}", flush=True)
    return min(losses, key=losses.get)


def train(recordings: Recordings, args: argparse.Namespace, way: str) -> tuple[Listener, list]:
    """Train the networks that read one way; return the first, and what share each has right."""
    kind = {"cell": args.cell, "variant": args.variant, "bidirectional": WAYS[way]}
    named = {"units": args.hidden, "epochs": args.epochs}
    named = {name: value for name, value in named.items() if value is not None}
    settings = CHOSEN[way]._replace(**named)
    if args.choose:
        grid = dict.fromkeys(settings._replace(**named) for settings in GRID)
        settings = choose(recordings, list(grid), range(2), **kind)
    print(f"  {settings}")
    first, rights = None, []
    for seed in range(args.seed, args.seed + args.seeds):
        began = time.perf_counter()
        listener = Listener.train(recordings.train, len(recordings.classes), settings, seed, **kind)
        rights.append(listener.evaluate(recordings.test).accuracy)
        first = first or listener
        print(f"  seed {seed}: {rights[-1]:.1%}, {time.perf_counter() - began:.0f} s", flush=True)
    return first, rights


def without_network(recordings: Recordings) -> dict[str, float]:
    """Return what share each answer without a network has right."""
    part, test = recordings.train, recordings.test
    answers = {
        "linear discriminant on the mean": baselines.on(baselines.means, part, test),
        "linear discriminant on five summaries": baselines.on(baselines.five_summaries, part, test),
        "a Gaussian for each class": baselines.gaussians(part, test),
        "the nearest by time warping": baselines.nearest(part, test),
    }
    rights = {}
    for name, answer in answers.items():
        if answer is None:
            print(f"{name}: left out, since with so many long sequences it takes hours")
        else:
            rights[name] = float(np.mean(answer == test.labels))
    return rights


def table(rights: dict[str, float], seeds: dict[str, list[float]], count: int) -> str:
    """Order all by what share of the test part they have right, the best first."""
    lines = []
    for name in sorted(rights, key=rights.get, reverse=True):
        line = f"{name:<40}{rights[name]:7.1%}"
        if len(seeds.get(name, [])) > 1:
            line += f"  mean of {len(seeds[name])} seeds, {min(seeds[name]):.1%}"
            line += f" to {max(seeds[name]):.1%}"
        lines.append(line)
    most = max(rights.values())
    best = " and ".join(name for name, right in rights.items() if right == most)
    share = (most * count + 2) / (count + 4)  # Agresti & Coull (1998)
    error = 2 * np.sqrt(share * (1 - share) / (count + 4))
    lines += [
        f"\nMost often right: {best}.",
        f"With {count} test sequences a share is known to within about {error:.1%}.",
    ]
    return "\n".join(lines)


def compare(args: argparse.Namespace, recordings: Recordings) -> None:
    """Train, test, print and draw."""
    drawing = args.plot and have_matplotlib()
    parts, features = (recordings.train, recordings.test), recordings.train.x.shape[2]
    lengths = np.concatenate([part.lengths for part in parts])
    print(
        f"{len(recordings.classes)} classes: {len(parts[0].x)} sequences to learn from, "
        f"{len(parts[1].x)} to test on; {lengths.min()} to {lengths.max()} steps of {features} "
        f"features"
    )
    rights = without_network(recordings)
    if not args.own:
        rights |= PUBLISHED
    network = args.cell.upper()
    if args.variant != "standard":
        network += f" ({args.variant})"
    seeds, listeners = {}, []
    for way in WAYS:
        name = f"{network}, {way}"
        print(f"\n{name}")
        first, seeds[name] = train(recordings, args, way)
        listeners.append(first)
        rights[name] = float(np.mean(seeds[name]))
    print(f"\nRight on the test part:\n{table(rights, seeds, len(parts[1].x))}")
    if drawing:
        from parts.speech.picture import plot

        plot(recordings, *listeners, "step" if args.own else "frame", args.plot)


@program.script
def main(argv: list[str] | None = None) -> None:
    """Run the demo."""
    compare(*parse(argv))


if __name__ == "__main__":
    sys.exit(main())
