"""What ``mnist.py`` does so that nothing is lost: checkpoints, going on from one, and Ctrl-C."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path

from npslstm import LSTMModel
from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files import set_aside
from npslstm.optim import Optimizer
from npslstm.training import Progress, StepRecord

__all__ = ["Interrupt", "begin", "how_to_go_on", "is_due", "save"]

# Options that files of 0.1.0 do not name, and what they would have been there.
ADDED_SINCE_0_1_0: dict[str, object] = {}


def begin(
    args: argparse.Namespace, model: LSTMModel, optimizer: Optimizer
) -> tuple[Progress, str | None]:
    """Return where training begins, and what there is to say of the checkpoint."""
    path, start = args.checkpoint, Progress(args.seed)
    if path is None:
        return start, None
    if args.resume and path.exists():
        start = restore(path, identity(args), model, optimizer)
        return start, f"{path}, going on after step {start.step:,}"
    if args.resume:
        return start, f"{path}, not there yet: from the beginning"
    earlier = set_aside(path)  # which this run's first save would replace
    return start, f"{path}; what was there is now {earlier}" if earlier else str(path)


def identity(args: argparse.Namespace) -> dict[str, object]:
    """Return what must be the same for a run to go on where it stopped."""
    names = (
        "view hidden layers bidirectional dropout forget_bias dtype epochs batch_size optimizer lr "
        "schedule clip seed"
    )
    return {"data": bool(args.data)} | {name: getattr(args, name) for name in names.split()}


def restore(
    path: Path, expected: dict[str, object], model: LSTMModel, optimizer: Optimizer
) -> Progress:
    """Put a checkpoint's contents in place; return where it stands.

    Raises
    ------
    CheckpointError
        If the file is damaged, or of a run with other options; then nothing has changed.
    OSError
        If it cannot be read.
    """
    checkpoint = load_checkpoint(path)
    config = ADDED_SINCE_0_1_0 | checkpoint.config
    if config.keys() != expected.keys():
        raise CheckpointError(path, "a checkpoint, but not of mnist.py")
    for name, now in expected.items():
        then = config[name]
        if then != now:
            option = f"--{name.replace('_', '-')}"
            raise CheckpointError(
                path,
                f"of another run: {option} was {json.dumps(then)}, now it is {json.dumps(now)}",
            )
    checkpoint.restore(model, optimizer)
    return checkpoint.progress


def is_due(record: StepRecord, args: argparse.Namespace, last: bool) -> bool:
    """Say whether to save after this step."""
    if args.checkpoint is None:
        return False
    every = args.checkpoint_every
    return last or record.ends_epoch or (every is not None and record.step % every == 0)


def save(
    args: argparse.Namespace, model: LSTMModel, optimizer: Optimizer, progress: Progress
) -> None:
    """Write the checkpoint; where that fails, the file of the last save is as it was."""
    try:
        save_checkpoint(args.checkpoint, model, optimizer, progress, identity(args))
    except OSError as error:
        raise OSError(
            f"{args.checkpoint}: step {progress.step:,} could not be saved: "
            f"{error.strerror or error}"
        ) from error


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


def how_to_go_on(args: argparse.Namespace) -> str:
    """Return the line that ends an interrupted run."""
    if args.checkpoint is None:
        return "Stopped; nothing was saved (--checkpoint PATH would)"
    if not args.checkpoint.exists():
        return f"Stopped before there was anything to save in {args.checkpoint}"
    command = sys.orig_argv if args.resume else [*sys.orig_argv, "--resume"]
    return f"Stopped; {args.checkpoint} is saved. To go on: {shlex.join(command)}"
