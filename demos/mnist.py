"""Watch an LSTM in pure NumPy learn to read handwritten digits.

With no arguments it trains on 4,000 images that come with the package and tests on 1,000 others, in
less than a minute.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import itertools
import math
import sys
import textwrap
import time
from pathlib import Path

from parts import plotting, threads
from parts.kinds import name_of
from parts.mnist import pictures as mnist_pictures
from parts.mnist import torch as mnist_torch
from parts.mnist.options import OPTIMIZERS, SCHEDULES, parse
from parts.session import Session
from parts.written import say_written

from npslstm import LSTMModel, summary
from npslstm.convert import export_onnx
from npslstm.datasets import VIEWS, DataError, as_sequences, load_embedded, load_mnist
from npslstm.training import evaluate, steps_per_epoch, training_steps
from npslstm.training.display import Display

SAME = (  # options that must not change if a run goes on where it stopped
    "view cell variant hidden layers bidirectional dropout forget_bias dtype epochs "
    "batch_size optimizer lr schedule clip seed"
)
BEFORE = {"cell": "lstm", "variant": "standard"}  # of checkpoints that do not say


@program.script
def main(argv: list[str] | None = None) -> None:
    """Run the demo."""
    args = parse(argv, __doc__)
    session = Session(
        "mnist.py",
        "--checkpoint",
        args.checkpoint,
        resume=args.resume,
        every=args.checkpoint_every,
        identity={"data": bool(args.data)} | {name: getattr(args, name) for name in SAME.split()},
        before=BEFORE,
    )
    with session:
        run(args, session)


def run(args, session: Session) -> None:
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
        cell=args.cell,
        variant=args.variant,
        forget_bias=args.forget_bias,
        dtype=args.dtype,
        rng=args.seed,
    )
    optimizer = OPTIMIZERS[args.optimizer](args.lr)
    start, checkpoint = session.begin(model, optimizer, args.seed)
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
    examples = data.train_images, data.train_labels
    trained = model
    if args.torch:
        trained, records = mnist_torch.train(
            model, *examples, device=device, parity_steps=args.parity_steps, **settings
        )
    else:
        records = training_steps(model, *examples, **settings)
    if args.max_steps is not None:
        records = itertools.islice(records, max(0, args.max_steps - start.step))
    history = show(session.watch(records, model, optimizer, args.max_steps), args)
    seconds = time.perf_counter() - began
    if args.torch and not mnist_torch.is_first():
        return

    result = evaluate(trained, data.test_images, data.test_labels, transform=as_batch)
    wrong = round((1 - result.accuracy) * len(data.test_labels))
    print(f"Test accuracy: {result.accuracy:.2%} ({wrong} of {len(data.test_labels):,} wrong)")
    print(f"Time: {seconds:.1f} s of training, {len(history)} steps")
    if args.torch:
        model = trained.to_numpy()
    if args.export:
        export_onnx(model, args.export)
        say_written(args.export)
    if drawing:
        draw(args, model, data, history, result, as_batch)


def load(args):
    """Return the images; without them, say how to get some."""
    if not args.data:
        return load_embedded()
    try:
        return load_mnist(args.data, download=args.download)
    except (DataError, OSError, ImportError) as error:
        sys.exit(f"{error} (here: --download; without --data, 5,000 images come with the package)")


def introduce(args, data, model, checkpoint: str) -> None:
    """Say what is about to happen."""
    steps, size = VIEWS[args.view]
    directions = "both directions" if args.bidirectional else "one direction"
    count = sum(param.size for param in model.params.values())
    clip = f"clipped at {args.clip:g}" if args.clip else "not clipped"
    print(
        f"Data:       {data.name}, {len(data.train_images):,} images to learn from, "
        f"{len(data.test_images):,} to test\n"
        f"View:       {args.view}, {steps} steps of {size}\n"
        f"Model:      {name_of(args)}, {args.layers} × {args.hidden} units, {directions}, "
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


def show(records, args) -> list:
    """Let training run, and show it; return its records."""
    history = []
    with Display(args.epochs) as display:
        for record in records:
            history.append(record)
            display.show(record, record.step == args.max_steps)
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
    sys.exit(main())
