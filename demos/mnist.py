"""Watch an LSTM in pure NumPy learn to read handwritten digits.

With no arguments it trains on 4,000 images that come with the package and tests on 1,000 others, in
less than a minute.
"""

from __future__ import annotations

from parts import threads  # isort: skip, before NumPy

import signal
import sys

INTERRUPTED = 130  # the exit status that shells give to Ctrl-C

if __name__ == "__main__":  # while NumPy is imported, Ctrl-C needs no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))

import itertools
import math
import textwrap
import time
from pathlib import Path

from parts import plotting
from parts.mnist import pictures as mnist_pictures
from parts.mnist import torch as mnist_torch
from parts.mnist.options import OPTIMIZERS, SCHEDULES, parse
from parts.mnist.session import Interrupt, begin, how_to_go_on, is_due, save

from npslstm import LSTMModel, summary
from npslstm.checkpoint import CheckpointError
from npslstm.datasets import VIEWS, DataError, as_sequences, load_embedded, load_mnist
from npslstm.training import NonFiniteError, evaluate, steps_per_epoch, training_steps
from npslstm.training.display import Display


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    args = parse(argv, __doc__)
    try:
        run(args)
    except KeyboardInterrupt:
        print(how_to_go_on(args), file=sys.stderr)  # what reads stdout may have ended, too
        return INTERRUPTED
    except (CheckpointError, DataError, MemoryError, NonFiniteError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(args) -> None:
    """Load, train, evaluate, draw."""
    device = mnist_torch.start(args.device, args.seed) if args.torch else None
    data = load(args)
    drawing = will_draw(args, data)

    def as_batch(images):
        return as_sequences(images, args.view, dtype=args.dtype)

    model = LSTMModel(
        VIEWS[args.view][1],
        args.hidden,
        10,
        args.layers,
        batch_first=True,
        dropout=args.dropout,
        bidirectional=args.bidirectional,
        forget_bias=args.forget_bias,
        dtype=args.dtype,
        rng=args.seed,
    )
    optimizer = OPTIMIZERS[args.optimizer](args.lr)
    start, checkpoint = begin(args, model, optimizer)
    total = args.epochs * steps_per_epoch(len(data.train_images), args.batch_size)
    settings = {
        "optimizer": optimizer,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "schedule": SCHEDULES[args.schedule](args.lr, total),
        "max_norm": args.clip or math.inf,
        "transform": as_batch,
        "start": start,
    }
    introduce(args, data, model, checkpoint)

    began = time.perf_counter()
    with Interrupt() as interrupt:
        examples = data.train_images, data.train_labels
        if args.torch:
            model, records = mnist_torch.train(
                model, *examples, device=device, parity_steps=args.parity_steps, **settings
            )
        else:
            records = training_steps(model, *examples, **settings)
        if args.max_steps is not None:
            records = itertools.islice(records, max(0, args.max_steps - start.step))
        history = train(records, args, model, optimizer, interrupt)
    seconds = time.perf_counter() - began
    if args.torch and not mnist_torch.is_first():
        return

    result = evaluate(model, data.test_images, data.test_labels, transform=as_batch)
    wrong = round((1 - result.accuracy) * len(data.test_labels))
    print(f"Test accuracy: {result.accuracy:.2%} ({wrong} of {len(data.test_labels):,} wrong)")
    print(f"Time: {seconds:.1f} s of training, {len(history)} steps")
    if drawing:
        draw(args, model.to_numpy() if args.torch else model, data, history, result, as_batch)


def load(args):
    """Return the images; without them, say how to get some."""
    if not args.data:
        return load_embedded()
    try:
        return load_mnist(args.data, download=args.download)
    except (DataError, OSError, ImportError) as error:
        sys.exit(f"{error} (here: --download; without --data, 5,000 images come with the package)")


def introduce(args, data, model, checkpoint: str | None) -> None:
    """Say what is about to happen."""
    steps, size = VIEWS[args.view]
    directions = "both directions" if args.bidirectional else "one direction"
    count = sum(param.size for param in model.params.values())
    clip = f"clipped at {args.clip:g}" if args.clip else "not clipped"
    print(
        f"Data:       {data.name}, {len(data.train_images):,} images to learn from, "
        f"{len(data.test_images):,} to test\n"
        f"View:       {args.view}, {steps} steps of {size}\n"
        f"Model:      LSTM, {args.layers} × {args.hidden} units, {directions}, "
        f"dropout {args.dropout:g}, and a linear head: {count:,} parameters\n"
        f"{textwrap.indent(summary(model), ' ' * 12)}\n"
        f"Optimiser:  {args.optimizer}, {args.schedule} schedule up to lr {args.lr:g}, gradient "
        f"{clip}, {args.epochs} epochs, {args.batch_size} images a step\n"
        f"Seed:       {args.seed}\n"
        f"Dtype:      {args.dtype}; {threads.CHOICE}",
        flush=True,
    )
    if checkpoint:
        print(f"Checkpoint: {checkpoint}", flush=True)


def train(records, args, model, optimizer, interrupt) -> list:
    """Let training run, and show and save it; return its records.

    Whenever a record arrives, parameters, optimiser and progress belong together: that is when a
    checkpoint is saved and when Ctrl-C ends training.
    """
    history = []
    with Display(args.epochs) as display:
        for record in records:
            interrupted, last = interrupt.requested, record.step == args.max_steps
            if is_due(record, args, last or interrupted):
                save(args, model, optimizer, record.progress)
            if interrupted:
                raise KeyboardInterrupt
            history.append(record)
            display.show(record, last)
    return history


def will_draw(args, data) -> bool:
    """Say whether to draw; what stands in the way is told before training begins."""
    last = len(data.test_images) - 1
    if args.explain is not None and args.explain > last:
        sys.exit(f"--explain: expected a test image from 0 to {last}, given {args.explain}")
    return (args.plot is not None or args.explain is not None) and plotting.have_matplotlib()


def draw(args, model, data, history, result, as_batch) -> None:
    """Save the pictures that were asked for."""
    if args.plot:
        plotting.save(mnist_pictures.overview(model, data, history, result, as_batch), args.plot)
    if args.explain is not None:
        folder = args.plot.parent if args.plot else Path()
        picture = mnist_pictures.explain(model, data, args.explain, args.view, as_batch)
        plotting.save(picture, folder / f"mnist_explain_{args.explain}.png")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
