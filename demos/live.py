"""Make demos/live.html: an LSTM to take apart in the browser, forward and backward.

    python demos/live.py --open
    python demos/live.py --load model.npz --out mine.html

Trains a small model on the digits that come with the package (a few seconds), and writes it into a
page that is whole in one file: it works offline, from a double click. The page runs the model
itself, by the equations of npslstm/gates.py, so one can draw a digit, hold a gate, nudge a pixel,
and watch memory and gradient change.

--load takes a model that LSTMModel.save wrote (28 inputs, 10 classes, one layer), or a page of this
script, which is then made again with the same weights.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import sys
import webbrowser
from pathlib import Path

from parts import options
from parts.live.builder import build, read_model
from parts.session import Interrupt
from parts.written import write

from npslstm import LSTMModel
from npslstm.datasets import MNIST, as_sequences, load_embedded
from npslstm.optim import Adam
from npslstm.training import Progress, steps_per_epoch, training_steps
from npslstm.training.display import Display
from npslstm.training.learning_rate import one_cycle

PAGE = Path(__file__).with_name("live.html")
LEARNING_RATE, BATCH = 8e-3, 64


def train(data: MNIST, units: int, epochs: int, seed: int) -> tuple[LSTMModel, bool]:
    """Return a model that has learnt to read digits row by row, and whether Ctrl-C ended that."""
    model = LSTMModel(28, units, 10, batch_first=True, forget_bias=1.0, rng=seed)
    steps = epochs * steps_per_epoch(len(data.train_images), BATCH)
    records = training_steps(
        model,
        data.train_images,
        data.train_labels,
        optimizer=Adam(LEARNING_RATE),
        epochs=epochs,
        batch_size=BATCH,
        schedule=one_cycle(LEARNING_RATE, steps),
        max_norm=1.0,
        transform=as_sequences,
        start=Progress(seed),
    )
    with Display(epochs) as display, Interrupt() as interrupt:
        for record in records:
            display.show(record)
            if interrupt.requested:
                break
    return model, interrupt.requested


def load(path: Path) -> LSTMModel:
    """Return the model of a file, or of a page."""
    if path.suffix == ".html":
        return read_model(path.read_text("utf-8"))
    return LSTMModel.load(path)


@program.script
def main(argv: list[str] | None = None) -> None:
    """Train or load a model, and write the page."""
    parser = program.parser(__doc__)
    add = parser.add_argument
    known = "use this model (.npz), or that of a page (.html)"
    add("--load", metavar="MODEL", type=Path, help=known)
    add("--units", metavar="H", type=options.units, default=64, help="units of the model (64)")
    passes = "passes over the 4,000 images (12)"
    add("--epochs", metavar="E", type=options.count, default=12, help=passes)
    add("--seed", type=options.seed, default=0, help="of the first weights and of the shuffles (0)")
    where = "where to write the page"
    add("--out", metavar="PATH", type=options.output, default=str(PAGE), help=where)
    add("--open", action="store_true", help="open it in the browser")
    args = parser.parse_args(argv)
    data, stopped = load_embedded(), False
    if args.load:
        try:
            page = build(load(args.load), data)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    else:
        model, stopped = train(data, args.units, args.epochs, args.seed)
        if stopped and args.out == PAGE:  # which nobody asked for
            raise KeyboardInterrupt(f"Stopped; {PAGE.name} is as it was (--out PATH would be new)")
        page = build(model, data)
    write(args.out, page.encode())
    if stopped:
        raise KeyboardInterrupt(f"Stopped; {args.out} has what was learnt so far")
    if args.open:
        webbrowser.open(args.out.resolve().as_uri())


if __name__ == "__main__":
    sys.exit(main())
