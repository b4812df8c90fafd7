"""Sides against each other on one case: first they must agree, then they are timed in turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from npslstm.torch_parity import Difference
from parts.benchmark.report import HAVE_TORCH
from parts.benchmark.sides import Case, npslstm_side
from parts.benchmark.torch import nn_lstm
from parts.benchmark.workers import Crew, Side, Task, Turns, interleave, median_ratio

__all__ = ["OURS", "THEIRS", "Make", "Timing", "both", "by_dtype", "compare", "each"]

OURS, THEIRS = "npslstm", "nn.LSTM"
AGREEMENT = {"float32": 1e-4, "float64": 1e-10}  # ‖a - b‖ / ‖b‖ of any output or gradient


class Make(NamedTuple):
    """How a side is made: ``build(case, *args)`` in a process with so many threads."""

    build: Callable[..., Side]
    threads: int = 1
    args: tuple[Any, ...] = ()


class Timing(NamedTuple):
    """The seconds a call of each task, one number a round."""

    case: Case
    seconds: dict[str, np.ndarray]

    def ms(self, task: str) -> float:
        """Return the median in milliseconds."""
        return float(np.median(self.seconds[task])) * 1e3

    def ratio(self, ours: str, other: str) -> float:
        """Return the median of ours / other."""
        return median_ratio(self.seconds[ours], self.seconds[other])


def both() -> dict[str, Make]:
    """Return our LSTM and, where it is installed, PyTorch's, each on one thread."""
    return {OURS: Make(npslstm_side)} | ({THEIRS: Make(nn_lstm)} if HAVE_TORCH else {})


def each(sides: Iterable[str], task: str) -> dict[str, tuple[str, str]]:
    """Return the same task of every side, under the side's name."""
    return {side: (side, task) for side in sides}


def compare(
    crew: Crew,
    case: Case,
    sides: Mapping[str, Make],
    tasks: Mapping[str, tuple[str, str]],
    turns: Turns,
) -> Timing:
    """Time tasks, each (side, its task) under a name, once all sides are found to agree."""
    workers = {name: crew.worker(name, make.threads) for name, make in sides.items()}
    results = {
        name: workers[name].prepare(make.build, case, *make.args) for name, make in sides.items()
    }
    check_agreement(case, results)
    found = {name: Task(workers[side], task) for name, (side, task) in tasks.items()}
    return Timing(case, interleave(found, turns))


def check_agreement(case: Case, results: dict[str, dict[str, np.ndarray]]) -> None:
    """End if any side's outputs or gradients are not the first one's: its time says nothing."""
    (ours, expected), *others = results.items()
    for theirs, result in others:
        for name, array in result.items():
            relative = Difference.between(array, expected[name]).relative
            if not relative <= AGREEMENT[case.dtype]:  # nan included
                sys.exit(
                    f"{case.size} {case.dtype}: {theirs} and {ours} differ in {name} by "
                    f"{relative:.1e} of its norm, expected at most {AGREEMENT[case.dtype]:.0e}"
                )


def by_dtype(timings: list[Timing]) -> Iterator[tuple[str, list[Timing]]]:
    """Sort timings by dtype."""
    for dtype in dict.fromkeys(t.case.dtype for t in timings):
        yield dtype, [t for t in timings if t.case.dtype == dtype]
