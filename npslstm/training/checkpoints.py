"""Checkpoints: all that a run needs to go on as if it had never stopped, in one file.

The file is an ``.npz`` in the form of ``npz.py`` with these arrays::

    format_version             1
    config                     text, JSON: the program's own settings
    params.NAME                each parameter
    optimizer.NAME             what ``Optimizer.state`` returns
    progress.NAME              each field of ``Progress``; of its state progress.state.0, …
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array, check_like
from ..files import CheckpointError, NpzFile, open_npz, write_npz
from ..optim import MAX_STEPS, Optimizer
from ..parameters import check_writable
from .evaluation import Model
from .records import Progress

__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 1


class Checkpoint(NamedTuple):
    """The contents of a checkpoint, as :func:`load_checkpoint` returns them.

    Attributes
    ----------
    path : str
        The file.
    config : dict
        As given to :func:`save_checkpoint`; make the model and the optimiser to restore from it.
    progress : Progress
        Where to go on: ``training_steps(..., start=...)``.
    params, optimizer_state : dict of ndarray
    """

    path: str
    config: dict[str, Any]
    progress: Progress
    params: dict[str, Array]
    optimizer_state: dict[str, Array]

    def restore(self, model: Model, optimizer: Optimizer) -> None:
        """Put the saved parameters and optimiser state in place.

        Raises
        ------
        CheckpointError
            If they are of another model or optimiser; then nothing has changed.
        ValueError
            If a parameter of the model is read-only; then nothing has changed, either.
        """
        check_writable(model.params)
        try:
            check_like("parameters", self.params, model.params)
            optimizer.load_state(self.optimizer_state, model.params)  # all of it or nothing
        except (TypeError, ValueError, RecursionError) as error:  # the last from JSON
            raise CheckpointError(self.path, f"of another run: {error}") from error
        for name, param in model.params.items():
            param[...] = self.params[name]


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Model,
    optimizer: Optimizer,
    progress: Progress,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; a crash at any moment leaves the old file or the new one.

    Parameters
    ----------
    path : path
        The file, replaced if it is there.
    model, optimizer, progress
        As they are together when :func:`training_steps` yields a record.
    config : mapping, optional
        Whatever JSON can hold.

    Raises
    ------
    OSError
        If the file cannot be written; the old one is as it was.
    """
    arrays = {
        "format_version": np.array(FORMAT_VERSION, np.int64),
        "config": np.array(json.dumps(dict(config or {}))),
        **_prefixed("params", model.params),
        **_prefixed("optimizer", optimizer.state()),
        **_prefixed("progress", _progress_arrays(progress)),
    }
    write_npz(path, arrays)


def load_checkpoint(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> Checkpoint:
    """Read a checkpoint and check all of it that can be checked without the model.

    Parameters
    ----------
    path : path
    max_bytes : int, optional
        The largest file to accept.

    Raises
    ------
    CheckpointError
        If the file is damaged, too large, or not a checkpoint.
    OSError
        If it cannot be opened or read.
    """
    with open_npz(path, "a checkpoint", max_bytes=max_bytes) as file:
        return _parse(os.fspath(path), file)


def _parse(path: str, file: NpzFile) -> Checkpoint:
    missing = {"format_version", "config"} - file.headers.keys()
    if missing:
        remedy = "; of a saved model, use LSTMModel.load" if "config" in file.headers else ""
        raise ValueError(f"missing {sorted(missing)}{remedy}")
    version = file.read("format_version").item()
    if version != FORMAT_VERSION:
        raise ValueError(f"expected format version {FORMAT_VERSION}, given {version}")
    config = file.read_config()

    groups: dict[str, dict[str, Array]] = {"params": {}, "optimizer": {}, "progress": {}}
    for name in file.headers:
        if name in ("format_version", "config"):
            continue
        group, _, rest = name.partition(".")
        if group not in groups:
            raise ValueError(f"unknown {name}")
        groups[group][rest] = file.read(name)
    arrays = groups["progress"]
    names = itertools.takewhile(arrays.__contains__, map("state.{}".format, itertools.count()))
    state = tuple(arrays.pop(name) for name in list(names))
    if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in state):
        raise ValueError("expected a state of finite numbers")
    check_like("progress", arrays, _progress_arrays(Progress()))
    progress = Progress(**{name: array.item() for name, array in arrays.items()}, state=state)
    if min(progress.seed, progress.step) < 0:
        raise ValueError(f"expected no negative seed or step, given {progress}")
    if progress.step > MAX_STEPS:
        raise ValueError(f"expected at most {MAX_STEPS} steps, given {progress}")
    if not math.isfinite(progress.loss_sum) or math.isinf(progress.hits) or progress.hits < 0:
        raise ValueError(f"expected sums that training can reach, given {progress}")
    return Checkpoint(path, config, progress, groups["params"], groups["optimizer"])


def _progress_arrays(progress: Progress) -> dict[str, Array]:
    return {
        "seed": np.array(progress.seed, np.int64),
        "step": np.array(progress.step, np.int64),
        "loss_sum": np.array(progress.loss_sum, np.float64),
        "hits": np.array(progress.hits, np.float64),
        **{f"state.{number}": array for number, array in enumerate(progress.state)},
    }


def _prefixed(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{group}.{name}": array for name, array in arrays.items()}
