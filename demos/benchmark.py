"""How fast the NumPy LSTM is: against torch.nn.LSTM, and against what NumPy itself can do.

    python demos/benchmark.py                          everything, some 15 minutes
    python demos/benchmark.py --only step --dtype float32
    python demos/benchmark.py --only job --data ROOT --reach 97
    python demos/benchmark.py --plot demos/pictures/benchmark.png

Every side runs in a process of its own, in turns (``benchmark_workers.py`` says why), and a ratio
is the median over the turns; below 1, NumPy is faster. Without PyTorch, NumPy is measured alone.
Before anything is timed, all sides must agree on every output and gradient.
"""

from __future__ import annotations

from parts import threads  # noqa: F401  isort: skip, before NumPy

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from parts.benchmark import picture as benchmark_picture
from parts.benchmark.check import check
from parts.benchmark.job import Job, train
from parts.benchmark.memory import memory
from parts.benchmark.report import print_machine
from parts.benchmark.sections import inference, scaling, step, two_cores
from parts.benchmark.sides import Case
from parts.benchmark.workers import Crew, Turns
from parts.plotting import have_matplotlib, save

PARTS = "step", "inference", "memory", "check", "scaling", "cores", "job"
DTYPES = "float32", "float64"
INTERRUPTED = 130  # the exit status that shells give to Ctrl-C


class Settings(NamedTuple):
    """What to measure, and how long."""

    sizes: list[Case]
    core_sizes: list[Case]
    growing: dict[str, list[Case]]  # by the letter that grows
    checkpointing: list[tuple[Case, int]]  # and checkpoint_every
    checks: list[Case]
    job: Job
    epochs: int  # of the job that are timed
    turns: Turns


def grow(case: Case, field: str, values: Iterable[int]) -> list[Case]:
    """Return the case with each of the values."""
    return [case._replace(**{field: value}) for value in values]


ROWS = Case(28, 64, 28, 128, 1)  # row-MNIST
PIXELS = Case(784, 64, 1, 128, 1)
WIDE = Case(28, 128, 28, 256, 1)
USUAL = Settings(
    sizes=[
        ROWS,
        Case(28, 128, 28, 128, 1),
        WIDE,
        Case(28, 64, 28, 128, 2),
        Case(64, 32, 256, 512, 1),
        Case(50, 1, 16, 32, 1),
        Case(100, 16, 64, 64, 1),
        PIXELS,
    ],
    core_sizes=[ROWS, WIDE, PIXELS],
    growing={
        "T": grow(ROWS, "steps", [28, 112, 448, 784, 1568, 3136]),
        "N": grow(ROWS, "batch", [1, 4, 16, 64, 256, 1024]),
        "H": grow(ROWS, "hidden", [16, 32, 64, 128, 256, 512, 1024]),
    },
    checkpointing=[(PIXELS._replace(steps=steps), math.isqrt(steps)) for steps in (196, 784, 3136)],
    checks=[PIXELS._replace(dtype="float64")],
    job=Job.of(None),
    epochs=5,
    turns=Turns(rounds=15, seconds=0.05),
)
TINY = Case(6, 4, 3, 5, 1)
QUICK = Settings(
    sizes=[TINY, Case(5, 1, 2, 3, 2)],
    core_sizes=[TINY],
    growing={
        "T": grow(TINY, "steps", [6, 12]),
        "N": grow(TINY, "batch", [1, 2]),
        "H": grow(TINY, "hidden", [2, 4]),
    },
    checkpointing=[(Case(600, 4, 1, 5, 1), 100)],
    checks=[TINY._replace(dtype="float64")],
    job=Job(None, epochs=2, batch_size=64, hidden=4, examples=128),
    epochs=2,
    turns=Turns(rounds=2, seconds=0.0),
)
REST = 0.1  # seconds before a turn where sides have two threads, which spin for a while


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        metavar="PART",
        help=f"measure only these of {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--sizes", nargs="+", type=size, metavar="T,N,D,H,layers", help="in place of the eight"
    )
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=DTYPES, help="where both are measured"
    )
    parser.add_argument("--repeats", type=int, metavar="N", help=f"turns ({USUAL.turns.rounds})")
    parser.add_argument("--data", metavar="ROOT", help="the job: the full MNIST in ROOT/MNIST/raw/")
    parser.add_argument(
        "--reach",
        type=float,
        metavar="PERCENT",
        help="the job: train until so many test images are right, however long it takes",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument(
        "--plot", metavar="PATH", type=Path, help="save a picture of what was found"
    )
    args = parser.parse_args(argv)
    if args.repeats is not None and args.repeats < 1:
        parser.error("--repeats: expected at least 1")
    if args.plot and not set(args.only) & set(benchmark_picture.DRAWN):
        parser.error(f"--plot draws {', '.join(benchmark_picture.DRAWN)}, and --only leaves none")
    return args


def size(text: str) -> Case:
    """Read a size from the command line."""
    numbers = [int(number) for number in text.split(",")]
    if len(numbers) != 5 or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"expected five positive numbers, given {text!r}")
    return Case(*numbers)


def settle(args: argparse.Namespace) -> Settings:
    """Return the settings that the options ask for."""
    settings = QUICK if args.quick else USUAL
    if args.sizes:
        settings = settings._replace(sizes=args.sizes, core_sizes=args.sizes)
    if args.repeats:
        settings = settings._replace(turns=settings.turns._replace(rounds=args.repeats))
    if args.data:
        settings = settings._replace(job=Job.of(args.data), epochs=3)
    return settings


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    args = parse(argv)
    settings = settle(args)
    turns = settings.turns
    cases = [case._replace(dtype=dtype) for dtype in args.dtype for case in settings.sizes]
    rested = turns._replace(pause=0 if args.quick else REST)
    print_machine()
    with Crew() as crew:
        parts = {
            "step": lambda: step(crew, cases, turns),
            "inference": lambda: inference(crew, cases, turns),
            "memory": lambda: memory(crew, cases, settings.checkpointing, turns),
            "check": lambda: check(crew, settings.checks),
            "scaling": lambda: scaling(crew, settings.growing, turns),
            "cores": lambda: two_cores(crew, settings.core_sizes, rested),
            "job": lambda: train(crew, settings.job, settings.epochs, args.reach),
        }
        found = {name: parts[name]() for name in PARTS if name in args.only}
    if args.plot and have_matplotlib():
        save(benchmark_picture.draw(found), args.plot)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
