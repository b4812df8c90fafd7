"""How fast the NumPy LSTM is: beside torch.nn.LSTM, onnxruntime and its own matrix products.

    python demos/benchmark.py                          everything, some 30 minutes
    python demos/benchmark.py --only step --dtype float32
    python demos/benchmark.py --against PATH           this npslstm / the one in the folder PATH
    python demos/benchmark.py --only job --data ROOT --reach 97
    python demos/benchmark.py --plot demos/pictures/benchmark.png

A ratio below 1 says that npslstm is faster. All sides run on the same core, each in a process of
its own, in turns of some 12 ms; a ratio is the median over rounds (parts/benchmark/workers.py says
why). The column "/ itself" is the same code in two processes: how far its mean is from 1 says how
small a difference can be seen. "floor" is the step's bare matrix products. Before anything is timed
all sides must agree on every output and gradient. Sides that are not installed are left out.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from parts import options
from parts.benchmark import extras, picture, sides
from parts.benchmark.job import Job, train
from parts.benchmark.report import Timing, print_machine, print_ratios, print_sizes
from parts.benchmark.sides import HAVE_ONNX, HAVE_TORCH, OURS, SIZES, THEIRS, Case
from parts.benchmark.workers import Side, Turns, timed
from parts.plotting import have_matplotlib, progress, save

from npslstm.datasets import DataError, load_mnist

SPEED = {"step": "Training step", "inference": "Inference"}
PARTS = (*SPEED, "memory", "check", "cores", "job")
DTYPES = "float32", "float64"
LARGEST = 100_000  # of the numbers that make up a size


percent = options.number(float, "more than 0 and less than 100", lambda value: 0 < value < 100)


class Settings(NamedTuple):
    """What to measure."""

    sizes: list[Case]
    core_sizes: list[Case]
    long: list[Case]  # with and without checkpoints
    check: Case
    job: Job
    epochs: int  # of the job that are timed


PIXELS = SIZES["pixel MNIST"]
USUAL = Settings(
    sizes=list(SIZES.values()),
    core_sizes=[SIZES["row MNIST, batch 64"], SIZES["row MNIST, 256 units"], PIXELS],
    long=[PIXELS._replace(steps=steps) for steps in (196, 784, 3136)],
    check=PIXELS._replace(dtype="float64"),
    job=Job.of(None),
    epochs=5,
)
TINY = Case(6, 4, 3, 5, 1)
QUICK = Settings(
    sizes=[TINY, Case(5, 1, 2, 3, 2)],
    core_sizes=[TINY],
    long=[Case(600, 4, 1, 5, 1)],
    check=TINY._replace(dtype="float64"),
    job=Job(None, epochs=2, batch_size=64, hidden=4, examples=128),
    epochs=2,
)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line, and refuse what could only fail later."""
    parser = program.parser(__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="PART",
        help=f"measure only these of {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--against",
        type=package_folder,
        metavar="PATH",
        help="time this npslstm against the one in this folder, such as a worktree of an older "
        "commit, in place of all others; parts step and inference",
    )
    parser.add_argument(
        "--sizes", nargs="+", type=size, metavar="T,N,D,H,L", help="in place of the eight"
    )
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=DTYPES, help="where both are measured"
    )
    parser.add_argument(
        "--rounds",
        type=options.count,
        metavar="N",
        help="of turns after each of four starts (6 to 40)",
    )
    parser.add_argument("--data", metavar="ROOT", help="the job: the full MNIST in ROOT/MNIST/raw/")
    parser.add_argument(
        "--reach",
        type=percent,
        metavar="PERCENT",
        help="the job: train until so many test images are right, however long it takes",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument(
        "--plot",
        metavar="PATH",
        type=options.picture,
        help="save a picture of the ratios to nn.LSTM, or to the other checkout",
    )
    args = parser.parse_args(argv)
    possible = tuple(SPEED) if args.against else PARTS
    args.only = args.only or possible
    for name in ("data", "reach"):
        if getattr(args, name) is not None and "job" not in args.only:
            parser.error(f"--{name} is for the part job, which is not measured")
    if set(args.only) - set(possible):
        parser.error(f"--against measures {' and '.join(possible)}, given --only {args.only[0]}")
    if args.plot and not (HAVE_TORCH or args.against):
        parser.error(f"--plot draws {OURS} beside {THEIRS}, so it needs PyTorch, or --against")
    if args.plot and not set(args.only) & set(SPEED):
        parser.error(f"--plot draws {' and '.join(SPEED)}, and --only leaves neither")
    if args.data is not None:
        try:
            load_mnist(args.data)
        except (DataError, OSError) as error:
            parser.error(f"--data: {error}")
    return args


def size(text: str) -> Case:
    """Read a size from the command line."""
    numbers = text.split(",")
    if len(numbers) != 5 or not all(n.isdecimal() and 0 < int(n) <= LARGEST for n in numbers):
        expected = f"five numbers from 1 to {LARGEST:,}"
        raise argparse.ArgumentTypeError(f"expected {expected}, given {text!r}")
    return Case(*map(int, numbers))


def package_folder(text: str) -> Path:
    """Read the place of another npslstm from the command line."""
    if not Path(text, "npslstm", "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"expected a folder that holds npslstm/, given {text!r}")
    return Path(text).resolve()


def beside(case: Case, task: str) -> dict[str, Side]:
    """Return our LSTM, everything that it can be held against, and itself again."""
    found = {OURS: Side(sides.ours)}
    if HAVE_TORCH:
        found[THEIRS] = Side(sides.nn_lstm)
    if HAVE_ONNX and (task, case.dtype) == ("inference", "float32"):
        found["onnxruntime"] = Side(sides.onnx)
    return found | {"floor": Side(sides.floor), "itself": Side(sides.ours)}


def speed(
    task: str, cases: Sequence[Case], turns: Turns, at_hand: Callable[[Case, str], dict[str, Side]]
) -> list[Timing]:
    """Time a task of the first of the sides that are at hand for each case against the others."""

    def timings(dtype: str) -> Iterator[Timing]:
        for case in progress([c for c in cases if c.dtype == dtype], task):
            given = at_hand(case, task)
            yield Timing(case, next(iter(given)), timed(case, given, task, turns))

    dtypes = dict.fromkeys(case.dtype for case in cases)
    return [t for d in dtypes for t in print_ratios(f"{SPEED[task]}, {d}", timings(d))]


@program.script
def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    args = parse(argv)
    settings = QUICK if args.quick else USUAL
    if args.sizes:
        settings = settings._replace(sizes=args.sizes, core_sizes=args.sizes)
    if args.data:
        settings = settings._replace(job=Job.of(args.data), epochs=3)
    drawing = args.plot and have_matplotlib()
    turns = Turns(rounds=args.rounds)
    if args.quick:
        turns = Turns(starts=1, rounds=args.rounds or 2, seconds=0.0)
    cases = [case._replace(dtype=dtype) for dtype in args.dtype for case in settings.sizes]
    new, old = Side(sides.ours), Side(sides.ours, package=args.against)
    pair = {"new": new, "old": old, "itself": new}
    at_hand = (lambda case, task: pair) if args.against else beside
    print_machine()
    print_sizes(settings.sizes)
    parts = {
        "memory": lambda: extras.memory(cases, settings.long, turns),
        "check": lambda: extras.check(settings.check),
        "cores": lambda: extras.two_cores(settings.core_sizes, turns),
        "job": lambda: train(settings.job, settings.epochs, args.reach),
    }
    found = {}
    for name in PARTS:
        if name in args.only:
            run = parts.get(name, lambda: speed(name, cases, turns, at_hand))  # noqa: B023
            found[name] = run()
    if drawing:
        panels = {SPEED[name]: found[name] for name in SPEED if name in found}
        save(picture.draw(panels), args.plot)


if __name__ == "__main__":
    sys.exit(main())
