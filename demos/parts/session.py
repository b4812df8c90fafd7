"""What a demo does so that nothing is lost: checkpoints, going on from one, and Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from npslstm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from npslstm.files import set_aside
from npslstm.optim import Optimizer
from npslstm.training import Progress, StepRecord

__all__ = ["Interrupt", "Session"]


class Session:
    """A run that is saved in a file, if its user wants that, and can go on from there.

    Within ``with session:`` Ctrl-C ends the run with a line that says how to go on.

    Parameters
    ----------
    demo : str
        The script's name.
    option : str
        That of its command line which asks for the file, such as "--checkpoint".
    path : Path or None
        The file.
    resume : bool
        Whether to go on from it. If not, a file that is there is set aside by the first save.
    every : int, optional
        Save every so many steps, beside the end of each epoch.
    identity : mapping
        What must be the same for a run to go on where it stopped: options and their values, as
        JSON can hold them.
    before : mapping, optional
        What of it older files do not say, with the values that all had then.
    """

    def __init__(
        self,
        demo: str,
        option: str,
        path: Path | None,
        *,
        resume: bool,
        every: int | None = None,
        identity: Mapping[str, object],
        before: Mapping[str, object] | None = None,
    ) -> None:
        self.demo, self.option, self.path = demo, option, path
        self.resume, self.every, self.identity = resume, every, dict(identity)
        self.before = dict(before or {})
        self.saved = False  # whether the file is this run's

    def begin(self, model, optimizer: Optimizer, seed: int) -> tuple[Progress, str]:
        """Return where training begins, and what there is to say of the file.

        Raises
        ------
        CheckpointError
            If the file is damaged, or of a run with other options; then nothing has changed.
        OSError
            If it cannot be read.
        """
        start, path = Progress(seed), self.path
        if path is None:
            return start, ""
        if self.resume and path.exists():
            start = self._restore(path, model, optimizer)
            return start, f"{path}, going on after step {start.step:,}"
        if self.resume:
            return start, f"{path}, not there yet: from the beginning"
        old = f"{path}; what is there is kept, as {path.name}.old or .old.1, .old.2, …"
        return start, old if path.exists() else str(path)

    def _restore(self, path: Path, model, optimizer: Optimizer) -> Progress:
        checkpoint = load_checkpoint(path)
        config = self.before | checkpoint.config
        if config.keys() != self.identity.keys():
            raise CheckpointError(path, f"a checkpoint, but not of {self.demo}")
        for name, now in self.identity.items():
            then = config[name]
            if then != now:
                option = f"--{name.replace('_', '-')}"
                raise CheckpointError(
                    path,
                    f"of another run: {option} was {json.dumps(then)}, now it is {json.dumps(now)}",
                )
        checkpoint.restore(model, optimizer)
        self.saved = True
        return checkpoint.progress

    def watch(
        self, records: Iterable[StepRecord], model, optimizer: Optimizer, last: int | None = None
    ) -> Iterator[StepRecord]:
        """Pass the records of training on; save where it is due, at step ``last`` at the latest.

        Whenever a record arrives, parameters, optimiser and progress belong together: that is when
        a checkpoint is saved and when Ctrl-C ends training.
        """
        with Interrupt() as interrupt:
            for record in records:
                interrupted = interrupt.requested
                if self.path and (interrupted or record.step == last or self._is_due(record)):
                    self.save(model, optimizer, record.progress)
                if interrupted:
                    raise KeyboardInterrupt
                yield record

    def _is_due(self, record: StepRecord) -> bool:
        return record.ends_epoch or (self.every is not None and record.step % self.every == 0)

    def save(self, model, optimizer: Optimizer, progress: Progress) -> None:
        """Write the file; where that fails, the file of the last save is as it was."""
        try:
            if not self.saved:
                set_aside(self.path)
            save_checkpoint(self.path, model, optimizer, progress, self.identity)
        except OSError as error:
            raise OSError(
                f"{self.path}: step {progress.step:,} could not be saved: {error.strerror or error}"
            ) from error
        self.saved = True

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is KeyboardInterrupt:
            raise KeyboardInterrupt(self.how_to_go_on()) from None

    def how_to_go_on(self) -> str:
        """Return the line that ends an interrupted run."""
        if self.path is None:
            return f"Stopped; nothing was saved ({self.option} PATH would)"
        if not self.saved:
            return f"Stopped before there was anything to save in {self.path}"
        command = sys.orig_argv if self.resume else [*sys.orig_argv, "--resume"]
        return f"Stopped; {self.path} is saved. To go on: {shlex.join(command)}"


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
