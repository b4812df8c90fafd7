"""Options that say which kind of cell a demo's model is made of."""

from __future__ import annotations

import argparse

from npslstm.cells import VARIANTS, Kind
from npslstm.rnn import GRU, RNN
from parts.options import number

__all__ = ["CELLS", "add_kind_options", "check_kind_options", "kind_of", "name_of"]

CELLS = {"lstm": VARIANTS["standard"], "gru": GRU.kind, "rnn": RNN.kind}
moderate = number(float, "a number from -10⁴ to 10⁴", lambda z: abs(z) <= 1e4)


def add_kind_options(group) -> None:
    """Add ``--cell``, ``--variant`` and ``--forget-bias``."""
    group.add_argument(
        "--cell", choices=CELLS, default="lstm", help="what the layers are made of (%(default)s)"
    )
    group.add_argument(
        "--variant",
        choices=VARIANTS,
        default="standard",
        help="of the LSTM; npslstm/cells/README.md has their equations (%(default)s)",
    )
    group.add_argument(
        "--forget-bias",
        type=moderate,
        metavar="B",
        help="added to the forget gates' bias at the start (1; 0 without a forget gate)",
    )


def check_kind_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what does not fit together, and choose the forget gates' bias."""
    if args.cell != "lstm" and args.variant != "standard":
        parser.error(f"--variant {args.variant} is one of the LSTM, so it needs --cell lstm")
    gated = "f" in kind_of(args).gates
    if args.forget_bias is None:
        args.forget_bias = 1.0 if gated else 0.0
    elif args.forget_bias and not gated:
        parser.error(
            f"--forget-bias: expected 0, because {kind_of(args).name!r} has no forget gate of its "
            f"own, given {args.forget_bias:g}"
        )


def kind_of(args: argparse.Namespace) -> Kind:
    """Return the kind of cell that the options ask for."""
    return VARIANTS[args.variant] if args.cell == "lstm" else CELLS[args.cell]


def name_of(args: argparse.Namespace) -> str:
    """Return how it is called: "LSTM", "peephole LSTM", "GRU"."""
    prefix = "" if args.variant == "standard" else f"{args.variant} "
    return prefix + args.cell.upper()
