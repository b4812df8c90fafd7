"""``python -m npslstm gradcheck | exercise``: check gradients, and learn to write them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .cells import VARIANTS
from .exercises.command import add_exercise
from .files.program import program
from .gradcheck.check import check_gradients
from .gradcheck.own.files import check_file
from .gradcheck.report import FAILED, UNDECIDED, wrapped
from .mistakes.table import MISTAKES, mistake
from .model import LSTMModel

INPUTS, CLASSES = 3, 4  # D and K of the model that is checked
MOST = 30_000_000  # numbers, some 4 GB with their gradients and complex copies
DROPOUT = 0.25  # between its layers
NOT_RUN = 2
STATUS = {"passed": 0, UNDECIDED: 3, FAILED: 1}  # exit statuses by verdict, the worst last


@program(OSError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 if every gradient is right, 1 if one is wrong.

    3 if none is wrong, but rounding is amplified so much that no check could tell of some; 2 if
    there is nothing to check: the options are wrong, or a file cannot be run.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return NOT_RUN
    if "run" in options:
        return options.run(options)
    if options.list_mistakes:
        print("\n".join(map(_described, MISTAKES)))
        return 0
    _refuse_what_is_not_looked_at(parser, options)
    if options.file is not None:
        report = check_file(options.file, lift=options.lift, seed=options.seed)
        return NOT_RUN if report is None else STATUS[report.verdict]
    try:
        return _gradcheck(options)
    except (MemoryError, ValueError) as error:
        parser.error(str(error))


def _refuse_what_is_not_looked_at(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    """End with an error where an option would change nothing."""
    plain = vars(parser.parse_args(["gradcheck"]))
    given = {name for name, value in vars(options).items() if value != plain[name]}
    if options.file is not None:
        for name in sorted(given - {"file", "lift", "seed"}):
            parser.error(f"--{name} is of the model that is made without a FILE.py; leave one out")
    elif options.lift:
        parser.error("--lift needs a FILE.py, whose buffers it is about")
    if options.at is not None and not options.intermediates:
        parser.error("--at needs --intermediates, the lines at one step")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m npslstm", allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    check = commands.add_parser(
        "gradcheck",
        allow_abbrev=False,
        help="compare every gradient of a small random model with the complex step",
        description=(
            "Make a small random LSTM with a linear head and cross-entropy at every step, and "
            "compare the gradient of every parameter, of the input and of the initial states with "
            "the complex step. The exit status is 1 if one is wrong, and 3 if rounding is "
            "amplified so much that no check could tell."
        ),
        epilog=(
            "For example: 'gradcheck --mutate drop_dc --intermediates' forgets to accumulate the "
            "gradient of the cell state; the check fails, and names the equation."
        ),
    )
    own = check.add_argument_group("your own LSTM")
    own.add_argument(
        "file",
        nargs="?",
        metavar="FILE.py",
        help=(
            "check a file that defines forward(x, **params), which returns outputs and a cache, "
            "backward(cache, *doutputs), which returns dx and a dictionary of gradients, and "
            "example(), which returns x and params; see npslstm/gradcheck/own/README.md"
        ),
    )
    own.add_argument(
        "--lift", action="store_true", help="let its real buffers hold complex numbers"
    )
    few, some, many = _size(100), _size(1000), _size(10_000)
    size = check.add_argument_group("the model")
    size.add_argument(
        "--layers", type=few, default=2, metavar="L", help="LSTM layers (%(default)s)"
    )
    size.add_argument("--hidden", type=some, default=3, metavar="H", help="units (%(default)s)")
    size.add_argument(
        "--cell", choices=["lstm", "gru", "rnn"], help="what the layers are made of (lstm)"
    )
    size.add_argument("--variant", choices=VARIANTS, help="of the LSTM (standard)")
    size.add_argument("--bidirectional", action="store_true", help="read the sequence both ways")
    size.add_argument(
        "--dtype",
        choices=["float32", "float64"],
        default="float64",
        help="of the model; float32 is checked in float64, and the report says why (%(default)s)",
    )
    data = check.add_argument_group("the sequences")
    data.add_argument("--steps", type=many, default=5, metavar="T", help="steps (%(default)s)")
    data.add_argument("--batch", type=many, default=2, metavar="N", help="rows (%(default)s)")
    data.add_argument(
        "--lengths",
        type=int,
        nargs="*",
        metavar="LENGTH",
        help="give the rows these lengths; without any, …, T - 1, T",
    )
    data.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    look = check.add_argument_group("what to look at")
    look.add_argument(
        "--intermediates",
        action="store_true",
        help="also compare every line of the derivation, (9)-(19), at one step of one layer",
    )
    look.add_argument(
        "--at",
        type=int,
        nargs=2,
        metavar=("LAYER", "STEP"),
        help="where, counted from 0 (the bottom layer's middle step)",
    )
    look.add_argument(
        "--mutate",
        type=_mistake,
        metavar="NAME",
        help="make this mistake first, one of --list-mistakes",
    )
    look.add_argument("--list-mistakes", action="store_true", help="list them, and stop")
    add_exercise(commands)
    return parser


def _gradcheck(options: argparse.Namespace) -> int:
    """Build the model, make the mistake if one is wanted, and check; return the exit status."""
    hidden, rows = options.hidden, options.steps * options.batch
    numbers = 8 * options.layers * hidden * (hidden + rows)  # the weights, and what steps keep
    if numbers > MOST:
        raise ValueError(
            f"--layers × --hidden × 8 × (--hidden + --steps × --batch): expected at most {MOST:,} "
            f"numbers to be kept, given {numbers:,}; make one of them smaller"
        )
    needs = MISTAKES[options.mutate].needs if options.mutate else ()
    rng = np.random.default_rng(options.seed)
    model = LSTMModel(
        INPUTS,
        options.hidden,
        CLASSES,
        options.layers,
        dropout=DROPOUT if options.layers > 1 else 0.0,
        **_kind(options),
        bidirectional=options.bidirectional or "bidirectional" in needs,
        readout="last" if "readout" in needs else "all",
        dtype=options.dtype,
        rng=rng,
    )
    shape = (options.steps, options.batch)
    x = rng.standard_normal((*shape, INPUTS)).astype(options.dtype)
    given: dict[str, Any] = {"rng": rng, "seed": options.seed}
    y = rng.integers(0, CLASSES, shape if model.readout == "all" else shape[1])
    if "no loss" not in needs:  # else a random upstream gradient, in the padding too
        given["y"] = y
    if options.lengths is not None or "lengths" in needs:
        rising = options.steps - np.arange(options.batch)[::-1] % options.steps
        given["lengths"] = options.lengths or rising
    if "checkpoint_every" in needs:
        given["checkpoint_every"] = 1

    with _announced(options.mutate):
        reports = [check_gradients(model, x, **given)]
        if options.intermediates:
            for direction in range(model.lstm.directions):
                print()
                middle = max(given.get("lengths", [options.steps])) // 2
                at = (*(options.at or (0, middle)), direction)
                reports.append(check_gradients(model, x, mode="intermediates", at=at, **given))
    if options.mutate and all(reports):
        print(
            wrapped(
                "\nUnnoticed: with these options the mistake changes no gradient, or forward and "
                "backward are wrong alike, which no gradient check can tell."
            )
        )
    return max((STATUS[report.verdict] for report in reports), key=list(STATUS.values()).index)


def _kind(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the layers are made of: as is asked for, or what shows the mistake."""
    asked = {"cell": options.cell, "variant": options.variant}
    if options.mutate is None:
        return {name: value for name, value in asked.items() if value is not None}
    kind = MISTAKES[options.mutate].kind
    cell, variant = ("lstm", kind) if kind in VARIANTS else (kind, "standard")
    shows = {"cell": cell, "variant": variant}
    if any(value not in (None, shows[name]) for name, value in asked.items()):
        raise ValueError(
            f"--mutate {options.mutate} shows with --cell {cell} --variant {variant}, which is "
            "what it builds by itself; given another"
        )
    return shows


@contextmanager
def _announced(name: str | None) -> Iterator[None]:
    """Make the mistake of this name, if any, and say so."""
    if name is None:
        yield
        return
    print(_described(name), end="\n\n")
    with mistake(name):
        yield


def _described(name: str) -> str:
    made = MISTAKES[name]
    text = f"{name}: {made}"
    text += f"; found in {made.public}" if made.public else ""
    return wrapped(text)


def _mistake(name: str) -> str:
    """Read the name of a mistake from the command line."""
    if name not in MISTAKES:
        raise argparse.ArgumentTypeError(
            f"expected one of those that --list-mistakes shows, given {name}"
        )
    return name


def _size(most: int) -> Callable[[str], int]:
    """Return what reads a size from the command line, and refuses what would take for ever."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"expected an integer of at least 1, given {text}")
        if int(text) > most:
            raise argparse.ArgumentTypeError(f"expected at most {most:,}, given {text}")
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
