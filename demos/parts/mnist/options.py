"""The command line of ``mnist.py``: its options, and what does not fit together."""

from __future__ import annotations

import argparse
from pathlib import Path

from npslstm.convert import import_onnx
from npslstm.datasets import VIEWS
from npslstm.optim import SGD, Adam, AdamW
from npslstm.training.learning_rate import constant, cosine, one_cycle
from parts.kinds import add_kind_options, check_kind_options
from parts.mnist import torch as mnist_torch
from parts.options import count, index, layers, new_file, number, picture, seed, size, units
from parts.program import parser as new_parser

__all__ = ["OPTIMIZERS", "SCHEDULES", "parse"]

EXPORTED = "standard", "peephole", "cifg"  # ONNX has these variants
OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
SCHEDULES = {"constant": lambda lr, steps: constant(lr), "cosine": cosine, "one-cycle": one_cycle}


probability = number(float, "a probability in [0, 1)", lambda p: 0 <= p < 1)


def onnx_file(text: str) -> Path:
    """Read the path of an ONNX file to write."""
    if not text.lower().endswith(".onnx"):
        raise argparse.ArgumentTypeError(f"expected a path that ends in .onnx, given {text!r}")
    return new_file(text)


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = new_parser(description)
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
    group.add_argument("--hidden", type=units, default=128, help="units a layer (%(default)s)")
    group.add_argument("--layers", type=layers, default=1, help="stacked layers (%(default)s)")
    group.add_argument("--bidirectional", action="store_true", help="read from both ends")
    group.add_argument(
        "--dropout", type=probability, default=0.0, help="between layers (%(default)s)", metavar="P"
    )
    add_kind_options(group)
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
        type=picture,
        help="save a picture: learning curve, confusion matrix, wrong answers, gates",
    )
    group.add_argument(
        "--explain",
        metavar="N",
        type=index,
        help="save a picture of how test image N was read: mnist_explain_N.png, beside --plot",
    )
    group.add_argument(
        "--export",
        metavar="FILE.onnx",
        type=onnx_file,
        help="save the trained model as a file that ONNX runtimes run; needs the package onnx",
    )
    group.add_argument(
        "--checkpoint",
        metavar="PATH",
        type=new_file,
        help="save all that training needs, every epoch",
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
    check_kind_options(parser, args)
    for option in () if args.torch else ("device", "parity_steps"):
        if getattr(args, option) != parser.get_default(option):
            parser.error(f"--{option.replace('_', '-')} needs --torch, for it is about PyTorch")
    if args.torch and args.variant != "standard":
        parser.error("--torch needs --variant standard, the only one that PyTorch has")
    if args.export:
        if args.cell != "lstm" or args.variant not in EXPORTED:
            parser.error(f"--export needs --cell lstm, and a --variant of {', '.join(EXPORTED)}")
        if args.dtype != "float32":
            parser.error(f"--export needs --dtype float32, given {args.dtype}")
        try:
            import_onnx()
        except ModuleNotFoundError as error:
            parser.error(f"--export: {error}")
    if args.checkpoint:
        if args.torch:
            parser.error("--checkpoint: training in PyTorch is not saved")
    elif args.resume or args.checkpoint_every:
        option = "--resume" if args.resume else "--checkpoint-every"
        parser.error(f"{option} needs --checkpoint PATH")
    return args
