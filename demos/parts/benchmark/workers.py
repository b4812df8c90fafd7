"""Time several sides so that 1 % can be seen: a process each, one core for all, short turns.

A machine's speed changes every few seconds, and its cores differ. So all sides share one core, a
turn lasts some 12 ms, and only turns of the same round are compared: what is reported is the median
of their ratios. Where an array happens to lie in memory matters, too, by a per cent or two for as
long as a process lives; therefore every case is measured with fresh processes several times.
The same code against itself shows how well all this works.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import npslstm
from parts.threads import VARIABLES

__all__ = ["HERE", "Built", "Side", "Turns", "Worker", "cores", "in_turns", "timed"]

HERE = Path(npslstm.__file__).parents[1]  # the folder that holds the package
DEMOS = Path(__file__).parents[2]
AGREEMENT = {"float32": 1e-4, "float64": 1e-10}  # ‖a - b‖ / ‖b‖ of any output or gradient

Arrays = dict[str, np.ndarray]
Pairs = dict[str, np.ndarray]  # seconds of the first side and of this one, (rounds, 2)


class Built(NamedTuple):
    """What a side can do for a case: functions to time, and results to compare with others'."""

    tasks: dict[str, Callable[[], Any]]
    results: Arrays


class Side(NamedTuple):
    """How a side is made: ``build(case, *args)`` in a process with so many BLAS threads."""

    build: Callable[..., Built]
    args: tuple[Any, ...] = ()
    threads: int = 1
    package: Path = HERE  # the folder whose npslstm it imports


class Turns(NamedTuple):
    """How sides are timed.

    Attributes
    ----------
    starts : int
        How many times all processes are started afresh.
    rounds : int or None
        Turns of each side after a start; by default so many as take ``patience`` seconds.
    seconds : float
        How long a turn should last: a short task is called many times and the mean taken.
    pause : float
        Seconds of rest before each turn, for the threads of the turn before to stop spinning.
    pinned : bool
        Whether all sides run on the same core.
    """

    starts: int = 4
    rounds: int | None = None
    seconds: float = 0.012
    pause: float = 0.0
    pinned: bool = True

    patience = 2.0
    fewest, most = 6, 40


class Worker:
    """A process that calls the functions it is sent, one after the other."""

    def __init__(self, threads: int = 1, pinned: bool = True, package: Path = HERE) -> None:
        self._pinned = pinned
        core = cores()[-1] if pinned else None
        paths = [str(package), str(DEMOS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-c",
                f"from parts.benchmark.workers import serve; serve({core})",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ
            | dict.fromkeys(VARIABLES, str(threads))
            | {"PYTHONPATH": os.pathsep.join(paths)},
        )

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return ``function(*args)`` of the other process."""
        pickle.dump((function, args), self._process.stdin)
        self._process.stdin.flush()
        try:
            succeeded, result = pickle.load(self._process.stdout)
        except EOFError:
            raise RuntimeError("a worker process ended, perhaps for want of memory") from None
        if not succeeded:
            raise RuntimeError(f"in a worker process:\n{result}")
        return result

    def prepare(self, side: Side, *case: Any) -> Arrays:
        """Build a side there, in place of the one before; return its results."""
        return self.call(_prepare, side.build, *case, *side.args)

    def run(self, task: str) -> Any:
        """Return the result of one of the side's tasks."""
        return self.call(_run, task)

    def time(self, task: str, calls: int) -> float:
        """Return the seconds that a call takes: of the core's time, if it is shared."""
        clock = time.process_time if self._pinned else time.perf_counter
        return self.call(_time, task, calls, clock)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error:  # Ctrl-C above all: do not wait for the call in progress
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def timed(case: Any, sides: Mapping[str, Side], task: str, turns: Turns) -> Pairs:
    """Build all sides, see that they agree, and time a task of the first with each other's."""
    parts, names = [], list(sides)
    for _ in range(turns.starts):
        names = names[1:] + names[:1]  # who starts first may lie better in memory
        with contextlib.ExitStack() as stack:
            workers = {}
            for name in names:
                worker = Worker(sides[name].threads, turns.pinned, sides[name].package)
                workers[name] = stack.enter_context(worker)
            workers = {name: workers[name] for name in sides}
            results = {name: worker.prepare(sides[name], case) for name, worker in workers.items()}
            check_agreement(case, results)
            parts.append(in_turns(workers, task, turns))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def in_turns(workers: Mapping[str, Worker], task: str, turns: Turns) -> Pairs:
    """Time a task: the first, another, the first, the next other, and so on.

    So each turn follows one of another process. Each other is paired with the turn of the first
    before it, and in every second round with the one after it, which cancels a steady drift.
    """
    calls, lengths = {}, {}
    for name, worker in workers.items():
        worker.time(task, 1)  # the first call loads and allocates
        seconds = worker.time(task, 1)
        calls[name] = max(1, round(turns.seconds / seconds))
        lengths[name] = calls[name] * seconds
    first, *others = workers
    length = sum(lengths.values()) + (len(others) - 1) * lengths[first]
    rounds = turns.rounds or min(max(int(turns.patience / length), turns.fewest), turns.most)

    def turn(name: str) -> float:
        time.sleep(turns.pause)
        return workers[name].time(task, calls[name])

    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in others}
    before = turn(first)
    for number in range(rounds):
        for name in others:
            other, after = turn(name), turn(first)
            pairs[name].append((after if number % 2 else before, other))
            before = after
    return {name: np.array(values) for name, values in pairs.items()}


def check_agreement(case: Any, results: Mapping[str, Arrays]) -> None:
    """End if any side's outputs or gradients are not the first one's: its time says nothing."""
    (ours, expected), *others = results.items()
    limit = AGREEMENT[case.dtype]
    for theirs, result in others:
        for name, array in result.items():
            norm = np.linalg.norm(expected[name])
            relative = np.linalg.norm(array - expected[name]) / max(norm, np.finfo(norm.dtype).tiny)
            if not relative <= limit:  # nan included
                sys.exit(
                    f"{case} {case.dtype}: {theirs} and {ours} differ in {name} by "
                    f"{relative:.1e} of its norm, expected at most {limit:.0e}"
                )


def cores() -> list[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


_tasks: dict[str, Callable[[], Any]] = {}  # in a worker: the tasks of its side


def serve(core: int | None) -> None:
    """Answer calls from standard input, on this core alone, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends this
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    with os.fdopen(os.dup(1), "wb") as answers, contextlib.suppress(EOFError, BrokenPipeError):
        os.dup2(2, 1)  # what anybody prints must not get between the answers
        while True:
            function, args = pickle.load(sys.stdin.buffer)
            try:
                answer = True, function(*args)
            except Exception:
                answer = False, traceback.format_exc()
            pickle.dump(answer, answers)
            answers.flush()


def _prepare(build: Callable[..., Built], *args: Any) -> Arrays:
    _tasks.clear()
    built = build(*args)
    _tasks.update(built.tasks)
    return built.results


def _run(task: str) -> Any:
    return _tasks[task]()


def _time(task: str, calls: int, clock: Callable[[], float]) -> float:
    function = _tasks[task]
    began = clock()
    for _ in range(calls):
        function()
    return (clock() - began) / calls
