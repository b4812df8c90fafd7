"""Watch an LSTM in pure NumPy learn to read handwritten digits.

With no arguments it trains on 4,000 images that come with the package and tests on 1,000 others, in
less than a minute.
"""

from __future__ import annotations

import threads  # isort: skip, before NumPy

import argparse
import importlib.util
import json
import math
import signal
import sys
import time
from pathlib import Path

import mnist_torch

from npslstm import LSTMModel
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.datasets import VIEWS, DataError, as_sequences, load_embedded, load_mnist
from npslstm.learning_rate import constant, cosine, one_cycle
from npslstm.npz import CheckpointError
from npslstm.optim import SGD, Adam, AdamW
from npslstm.training import NonFiniteError, Progress, evaluate, fit, steps_per_epoch

OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
SCHEDULES = {"constant": lambda lr, steps: constant(lr), "cosine": cosine, "one-cycle": one_cycle}
INTERRUPTED = 130  # the exit status that shells give to Ctrl-C


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("data")
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

    group = parser.add_argument_group("model")
    group.add_argument("--hidden", type=int, default=128, help="units a layer (%(default)s)")
    group.add_argument("--layers", type=int, default=1, help="stacked layers (%(default)s)")
    group.add_argument("--bidirectional", action="store_true", help="read from both ends")
    group.add_argument(
        "--dropout", type=float, default=0.0, help="between layers (%(default)s)", metavar="P"
    )
    group.add_argument(
        "--forget-bias",
        type=float,
        default=1.0,
        metavar="B",
        help="added to the forget gates' bias at the start (%(default)s)",
    )
    group.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="(%(default)s)"
    )

    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=int, help="(12; 10 with --data)")
    group.add_argument("--batch-size", type=int, help="images a step (64; 128 with --data)")
    group.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="(%(default)s)")
    group.add_argument(
        "--lr", type=float, default=5e-3, help="learning rate, at its highest (%(default)s)"
    )
    group.add_argument("--schedule", choices=SCHEDULES, default="one-cycle", help="(%(default)s)")
    group.add_argument(
        "--clip",
        type=float,
        default=1.0,
        metavar="NORM",
        help="largest norm of the gradient; 0 to leave it as it is (%(default)s)",
    )
    group.add_argument("--seed", type=int, default=0, help="of all that is random (%(default)s)")
    group.add_argument("--max-steps", type=int, metavar="N", help="stop after N steps, to try out")

    group = parser.add_argument_group("results")
    group.add_argument(
        "--plot",
        metavar="PATH",
        type=Path,
        help="save a picture: learning curve, confusion matrix, wrong answers, gates",
    )
    group.add_argument(
        "--explain",
        metavar="N",
        type=int,
        help="save a picture of how test image N was read: mnist_explain_N.png, beside --plot",
    )
    group.add_argument(
        "--checkpoint", metavar="PATH", type=Path, help="save all that training needs, every epoch"
    )
    group.add_argument(
        "--checkpoint-every", metavar="N", type=int, help="and every N steps", default=0
    )
    group.add_argument("--resume", action="store_true", help="go on from --checkpoint")
    mnist_torch.add_options(parser)
    return parser


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line, and refuse what does not fit together."""
    options = parser()
    args = options.parse_args(argv)
    if args.epochs is None:
        args.epochs = 10 if args.data else 12
    if args.batch_size is None:
        args.batch_size = 128 if args.data else 64
    for name in "hidden", "layers", "epochs", "batch_size":
        if getattr(args, name) < 1:
            options.error(f"--{name.replace('_', '-')}: expected at least 1")
    if args.download and not args.data:
        options.error("--download needs --data ROOT, the folder to put the files in")
    if args.resume and not args.checkpoint:
        options.error("--resume needs --checkpoint PATH, the file to go on from")
    if args.checkpoint and args.torch:
        options.error("--checkpoint: training in PyTorch is not saved")
    if args.checkpoint and not args.checkpoint.parent.is_dir():
        options.error(f"--checkpoint: there is no folder {args.checkpoint.parent}")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    args = parse(argv)
    device = mnist_torch.start(args.device, args.seed) if args.torch else None
    try:
        data = load_mnist(args.data, download=args.download) if args.data else load_embedded()
    except (DataError, FileNotFoundError, ImportError) as error:
        print(f"{error} (--download; without --data, 5,000 images come with the package)")
        return 1

    def as_batch(images):
        return as_sequences(images, args.view, dtype=args.dtype)

    try:
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
    except ValueError as error:
        print(error)
        return 2
    total = args.epochs * steps_per_epoch(len(data.train_images), args.batch_size)
    settings = {
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "schedule": SCHEDULES[args.schedule](args.lr, total),
        "max_norm": args.clip or math.inf,
        "transform": as_batch,
        "start": Progress(args.seed),
    }
    try:
        if args.resume:
            settings["start"] = resume(args, model, optimizer)
        introduce(args, data, model)
        began = time.perf_counter()
        with Interrupt() as interrupt:
            if args.torch:
                model, records = mnist_torch.train(
                    model,
                    data.train_images,
                    data.train_labels,
                    optimizer=optimizer,
                    device=device,
                    parity_steps=args.parity_steps,
                    **settings,
                )
            else:
                records = fit(
                    model, data.train_images, data.train_labels, optimizer=optimizer, **settings
                )
            history = show(records, args, model, optimizer, interrupt)
    except (CheckpointError, NonFiniteError) as error:
        print(error)
        return 1
    if interrupt.requested:
        return say_how_to_go_on(args)

    seconds = time.perf_counter() - began
    result = evaluate(model, data.test_images, data.test_labels, transform=as_batch)
    wrong = round((1 - result.accuracy) * len(data.test_labels))
    print(f"Test accuracy: {result.accuracy:.2%} ({wrong} of {len(data.test_labels):,} wrong)")
    print(f"Time: {seconds:.1f} s of training, {len(history)} steps")
    if args.plot or args.explain is not None:
        draw(args, model.to_numpy() if args.torch else model, data, history, result, as_batch)
    return 0


def introduce(args, data, model) -> None:
    """Say what is about to happen."""
    steps, size = VIEWS[args.view]
    directions = "both directions" if args.bidirectional else "one direction"
    count = sum(param.size for param in model.params.values())
    clip = f"clipped at {args.clip:g}" if args.clip else "not clipped"
    print(
        f"Data:      {data.name}, {len(data.train_images):,} images to learn from, "
        f"{len(data.test_images):,} to test\n"
        f"View:      {args.view}, {steps} steps of {size}\n"
        f"Model:     LSTM, {args.layers} × {args.hidden} units, {directions}, "
        f"dropout {args.dropout:g}, and a linear head: {count:,} parameters\n"
        f"Optimiser: {args.optimizer}, {args.schedule} schedule up to lr {args.lr:g}, gradient "
        f"{clip}, {args.epochs} epochs, {args.batch_size} images a step\n"
        f"Seed:      {args.seed}\n"
        f"Dtype:     {args.dtype}; {threads.CHOICE}",
        flush=True,
    )


def show(records, args, model, optimizer, interrupt) -> list:
    """Consume training with a bar for each epoch, or a line where no terminal is; return records.

    Whenever a record arrives, parameters, optimiser and progress belong together: that is when a
    checkpoint is saved and when Ctrl-C ends training.
    """
    history, bar = [], None
    terminal = sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    for record in records:
        history.append(record)
        result = f"loss {record.epoch_loss:.4f}, accuracy {record.epoch_accuracy:.2%}"
        title = f"epoch {record.epoch:2}/{args.epochs}"
        if terminal:
            if bar is None:
                bar = start_bar(title, record)
            bar.set_postfix_str(result, refresh=False)
            bar.update()
        stop = interrupt.requested or len(history) == args.max_steps
        if args.checkpoint and is_due(record, args.checkpoint_every, stop):
            save_checkpoint(args.checkpoint, model, optimizer, record.progress, identity(args))
        if record.ends_epoch or stop:
            if bar is not None:
                bar.close()
                bar = None
            else:
                print(f"{title}: {result}", flush=True)
        if stop:
            break
    return history


def start_bar(title: str, record):
    """Return a progress bar for the epoch of this record."""
    from tqdm import tqdm

    done = (record.step - 1) % record.steps_per_epoch
    return tqdm(desc=title, total=record.steps_per_epoch, initial=done, unit="step")


def is_due(record, every: int, stop: bool) -> bool:
    """Say whether to save a checkpoint after this step."""
    return stop or record.ends_epoch or (every > 0 and record.step % every == 0)


def identity(args) -> dict:
    """Return what must be the same for a run to go on where it stopped."""
    names = (
        "view hidden layers bidirectional dropout dtype epochs batch_size optimizer lr schedule "
        "clip seed"
    )
    return {"full": bool(args.data)} | {name: getattr(args, name) for name in names.split()}


def resume(args, model, optimizer) -> Progress:
    """Put a checkpoint's contents in place; return where it stands."""
    try:
        checkpoint = load_checkpoint(args.checkpoint)
    except FileNotFoundError:
        print(f"There is no {args.checkpoint} yet: starting from the beginning")
        return Progress(args.seed)
    now = identity(args)
    for name, saved in checkpoint.config.items():
        if now.get(name) != saved:
            raise CheckpointError(
                args.checkpoint,
                f"of another run: its {name} is {json.dumps(saved)}, "
                f"now it is {json.dumps(now.get(name))}",
            )
    checkpoint.restore(model, optimizer)
    print(f"Going on from {args.checkpoint}, after step {checkpoint.progress.step:,}")
    return checkpoint.progress


class Interrupt:
    """Ctrl-C as a request that training answers between two steps; a second one ends at once."""

    requested = False

    def __enter__(self) -> Interrupt:
        self.before = signal.signal(signal.SIGINT, self.request)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def request(self, *_: object) -> None:
        """Note the first Ctrl-C, and leave the next one to Python."""
        self.requested = True
        signal.signal(signal.SIGINT, self.before)


def say_how_to_go_on(args) -> int:
    """End an interrupted run."""
    if args.checkpoint:
        again = [word for word in sys.argv if word != "--resume"]
        print(f"Stopped and saved. To go on: python {' '.join(again)} --resume")
    else:
        print("Stopped; nothing was saved (--checkpoint PATH would)")
    return INTERRUPTED


def draw(args, model, data, history, result, as_batch) -> None:
    """Save the pictures that were asked for."""
    import mnist_pictures
    from plotting import have_matplotlib, save

    if not have_matplotlib():
        return
    if args.plot:
        save(mnist_pictures.overview(model, data, history, result, as_batch), args.plot)
    if args.explain is not None:
        folder = args.plot.parent if args.plot else Path()
        picture = mnist_pictures.explain(model, data, args.explain, args.view, as_batch)
        save(picture, folder / f"mnist_explain_{args.explain}.png")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
