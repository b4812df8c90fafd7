"""Our LSTM on two cores: the batch in two halves, and the parameters' gradients added.

The library starts no threads or processes; a program may, in either of these two ways (the third,
two BLAS threads, needs no code). Each half keeps its own outputs and dx, as its own loss would be
calculated from them; only the parameters are common. For the comparison with others the halves are
put side by side outside of the time that is measured.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import numpy as np

from parts.benchmark.sides import Case, Problem
from parts.benchmark.workers import Side

__all__ = ["CAN_FORK", "halves_in_processes", "halves_in_threads"]

CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


def halves_in_threads(case: Case) -> Side:
    """Return two Python threads; NumPy lets go of the interpreter's lock while it calculates."""
    problem = Problem(case)
    first, second = halves(problem)
    pool = ThreadPoolExecutor(1)

    def both() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        other = pool.submit(second.step)
        return first.step(), other.result()

    def step() -> dict[str, np.ndarray]:
        mine, others = both()
        return {name: mine[name] + others[name] for name in problem.lstm.params}

    return Side({"step": step}, joined(step(), *both()))


def halves_in_processes(case: Case) -> Side:
    """Return two processes, the second forked from this one; gradients come in shared memory."""
    problem = Problem(case)
    first, second = halves(problem)
    names = list(problem.lstm.params)
    context = multiprocessing.get_context("fork")
    shared = {name: shared_like(context, problem.lstm.params[name]) for name in names}
    ours, theirs = context.Pipe()
    context.Process(target=serve, args=(second, shared, theirs, ours), daemon=True).start()
    theirs.close()

    def step() -> dict[str, np.ndarray]:
        ours.send_bytes(b"step")
        mine = first.step()
        ours.recv_bytes()
        return {name: mine[name] + shared[name] for name in names}

    return Side({"step": step}, joined(step(), first.step(), second.step()))


def serve(
    problem: Problem, shared: dict[str, np.ndarray], connection: Connection, other_end: Connection
) -> None:
    """Take a step whenever asked, until the other end closes."""
    other_end.close()  # a copy, which would keep the connection open
    while True:
        try:
            connection.recv_bytes()
        except EOFError:
            return
        gradients = problem.step()
        for name, array in shared.items():
            array[...] = gradients[name]
        connection.send_bytes(b"done")


def halves(problem: Problem) -> tuple[Problem, Problem]:
    """Cut the batch in two."""
    middle = problem.x.shape[1] // 2
    return problem.rows(slice(middle)), problem.rows(slice(middle, None))


def shared_like(context, array: np.ndarray) -> np.ndarray:
    """Return an array of this shape in memory that a forked process shares."""
    return np.frombuffer(context.RawArray("b", array.nbytes), array.dtype).reshape(array.shape)


def joined(
    gradients: dict[str, np.ndarray], first: dict[str, np.ndarray], second: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Put the halves' other results side by side."""
    others = {
        name: np.concatenate([first[name], second[name]], axis=1)
        for name in first
        if name not in gradients
    }
    return others | gradients
