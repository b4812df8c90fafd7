"""The command line of ``mnist.py``: its options, and what does not fit together."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from npslstm.datasets import VIEWS
from npslstm.files import check_writable
from npslstm.optim import SGD, Adam, AdamW
from npslstm.training.learning_rate import constant, cosine, one_cycle
from parts.mnist import torch as mnist_torch

__all__ = ["OPTIMIZERS", "SCHEDULES", "parse"]

OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
SCHEDULES = {"constant": lambda lr, steps: constant(lr), "cosine": cosine, "one-cycle": one_cycle}
PICTURES = (".png", ".svg", ".pdf")


def number(
    kind: type[int] | type[float], expected: str, holds: Callable[[Any], bool]
) -> Callable[[str], Any]:
    """Return what reads an option's number, or says what was ``expected``."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not holds(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, given {text!r}")
        return value

    return read


count = number(int, "a whole number from 1 on", lambda n: n >= 1)
index = number(int, "a whole number from 0 on", lambda n: n >= 0)
seed = number(int, "a whole number from 0 to 2⁶³ - 1", lambda n: 0 <= n < 2**63)
moderate = number(float, "a number from -10⁴ to 10⁴", lambda z: abs(z) <= 1e4)
size = number(float, "a finite number, not below 0", lambda z: 0 <= z < math.inf)
probability = number(float, "a probability in [0, 1)", lambda p: 0 <= p < 1)


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_options(parser.add_argument_group("data"))
    add_model_options(parser.add_argument_group("model"))
    add_training_options(parser.add_argument_group("training"))
    add_result_options(parser.add_argument_group("results"))
    mnist_torch.add_options(parser)
    return parser


def add_data_options(group) -> None:
    """Add what to learn from, and how to read it."""
    group.add_argument(
        "--data",
        metavar="ROOT",
        help="use the full MNIST in ROOT/MNIST/raw/ (default: the 5,000 images in the package)",
    )
    group.add_argument(
        "--download",
        action="store_true",
        help="fetch what is missing under --data with torchvision, if it is installed",
    )
    group.add_argument(
        "--view",
        choices=VIEWS,
        default="rows",
        help="read an image in 28 rows, 784 pixels, 784 pixels in one fixed random order, or at "
        "once (default: %(default)s)",
    )


def add_model_options(group) -> None:
    """Add what is to learn."""
    group.add_argument("--hidden", type=count, default=128, help="units a layer (%(default)s)")
    group.add_argument("--layers", type=count, default=1, help="stacked layers (%(default)s)")
    group.add_argument("--bidirectional", action="store_true", help="read from both ends")
    group.add_argument(
        "--dropout", type=probability, default=0.0, help="between layers (%(default)s)", metavar="P"
    )
    group.add_argument(
        "--forget-bias",
        type=moderate,
        default=1.0,
        metavar="B",
        help="added to the forget gates' bias at the start (%(default)s)",
    )
    group.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="(%(default)s)"
    )


def add_training_options(group) -> None:
    """Add how to learn."""
    group.add_argument("--epochs", type=count, help="(12; 10 with --data)")
    group.add_argument("--batch-size", type=count, help="images a step (64; 128 with --data)")
    group.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="(%(default)s)")
    group.add_argument(
        "--lr", type=size, default=5e-3, help="learning rate, at its highest (%(default)s)"
    )
    group.add_argument("--schedule", choices=SCHEDULES, default="one-cycle", help="(%(default)s)")
    group.add_argument(
        "--clip",
        type=size,
        default=1.0,
        metavar="NORM",
        help="largest norm of the gradient; 0 to leave it as it is (%(default)s)",
    )
    group.add_argument("--seed", type=seed, default=0, help="of all that is random (%(default)s)")
    group.add_argument("--max-steps", type=count, metavar="N", help="stop after step N, to try out")


def add_result_options(group) -> None:
    """Add what to keep."""
    group.add_argument(
        "--plot",
        metavar="PATH",
        type=Path,
        help="save a picture: learning curve, confusion matrix, wrong answers, gates",
    )
    group.add_argument(
        "--explain",
        metavar="N",
        type=index,
        help="save a picture of how test image N was read: mnist_explain_N.png, beside --plot",
    )
    group.add_argument(
        "--checkpoint", metavar="PATH", type=Path, help="save all that training needs, every epoch"
    )
    group.add_argument("--checkpoint-every", metavar="N", type=count, help="and every N steps")
    group.add_argument(
        "--resume", action="store_true", help="go on from --checkpoint, to the last bit"
    )


def parse(argv: list[str] | None, description: str | None) -> argparse.Namespace:
    """Read the command line, and refuse what does not fit together."""
    parser = make_parser(description)
    args = parser.parse_args(argv)
    if args.epochs is None:
        args.epochs = 10 if args.data else 12
    if args.batch_size is None:
        args.batch_size = 128 if args.data else 64
    if args.download and not args.data:
        parser.error("--download needs --data ROOT, the folder to put the files in")
    if args.dropout and args.layers == 1:
        parser.error("--dropout acts between layers, so it needs --layers 2 or more")
    if args.plot and args.plot.suffix.lower() not in PICTURES:
        parser.error(f"--plot: expected a path that ends in {' or '.join(PICTURES)}")
    if args.checkpoint:
        try:
            check_writable(args.checkpoint)
        except OSError as error:
            parser.error(f"--checkpoint {args.checkpoint}: {error.strerror}")
        if args.torch:
            parser.error("--checkpoint: training in PyTorch is not saved")
    elif args.resume or args.checkpoint_every:
        option = "--resume" if args.resume else "--checkpoint-every"
        parser.error(f"{option} needs --checkpoint PATH")
    return args
