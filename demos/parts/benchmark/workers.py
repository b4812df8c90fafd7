"""Time several sides fairly: one process a side, measured in turns, ratios within a turn.

A machine's speed drifts, so A, B, A, B, … and the median of the ratios of neighbours says more than
two averages. Each side has a process of its own because libraries that keep threads disturb each
other (two-thread OpenBLAS and PyTorch in one process spin against each other), and because the
number of threads is chosen before a library is loaded.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from parts.threads import VARIABLES

__all__ = ["Crew", "Side", "Task", "Turns", "Worker", "interleave", "median_ratio"]


class Side(NamedTuple):
    """What one side can do for a case: functions to time, and results to compare with others'."""

    tasks: dict[str, Callable[[], Any]]
    results: dict[str, np.ndarray]


class Worker:
    """A process with its own number of threads that calls the functions it is sent."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._connection))
        before = os.environ.copy()
        os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return ``function(*args)`` of the other process."""
        self._connection.send((function, args))
        succeeded, result = self._connection.recv()
        if not succeeded:
            raise RuntimeError(f"in a worker process:\n{result}")
        return result

    def prepare(self, build: Callable[..., Side], *args: Any) -> dict[str, np.ndarray]:
        """Make a side there, in place of the one before; return its results."""
        return self.call(_prepare, build, *args)

    def run(self, task: str) -> Any:
        """Return the result of one of the side's tasks."""
        return self.call(_run, task)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        self._process.join()


class Crew:
    """Workers by name, each started when it is first asked for; all end together."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def worker(self, name: str, threads: int = 1) -> Worker:
        """Return the worker of this name."""
        if name not in self._workers:
            self._workers[name] = Worker(threads)
        return self._workers[name]

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers.values():
            worker.__exit__()


class Task(NamedTuple):
    """A task of the side that a worker has prepared."""

    worker: Worker
    name: str


class Turns(NamedTuple):
    """How tasks are timed.

    Attributes
    ----------
    rounds : int
        Turns of each task.
    seconds : float
        How long a turn should last; a short task is called many times and the mean taken.
    pause : float
        Seconds of rest before each turn, for threads of the turn before to stop spinning.
    """

    rounds: int
    seconds: float
    pause: float = 0.0


def interleave(tasks: Mapping[str, Task], turns: Turns) -> dict[str, np.ndarray]:
    """Time all tasks in turns; return the seconds a call of each, one number a round."""
    calls = {}
    for key, (worker, name) in tasks.items():
        worker.call(_time, name, 1)  # the first call loads and allocates
        calls[key] = max(1, round(turns.seconds / worker.call(_time, name, 1)))
    times: dict[str, list[float]] = {key: [] for key in tasks}
    for _ in range(turns.rounds):
        for key, (worker, name) in tasks.items():
            time.sleep(turns.pause)
            times[key].append(worker.call(_time, name, calls[key]))
    return {key: np.array(values) for key, values in times.items()}


def median_ratio(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the median over rounds of ours / theirs."""
    return float(np.median(ours / theirs))


_tasks: dict[str, Callable[[], Any]] = {}  # in a worker: the tasks of its side


def _serve(connection: Connection, other_end: Connection) -> None:
    """Answer calls until the other end closes."""
    other_end.close()  # a copy, which would keep the connection open
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends this
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        try:
            answer = True, function(*args)
        except Exception:
            answer = False, traceback.format_exc()
        with contextlib.suppress(OSError):  # nobody waits for it any more
            connection.send(answer)


def _prepare(build: Callable[..., Side], *args: Any) -> dict[str, np.ndarray]:
    _tasks.clear()
    side = build(*args)
    _tasks.update(side.tasks)
    return side.results


def _run(task: str) -> Any:
    return _tasks[task]()


def _time(task: str, calls: int) -> float:
    function = _tasks[task]
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls
