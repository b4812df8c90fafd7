"""What our LSTM keeps for backward, by counting the memory itself; and the peak of a whole step.

An array may be a view, so what is counted is the block at its root, each block once. Unused corners
of a block count, too: they are kept all the same.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from parts.benchmark.compare import OURS, THEIRS, Make, compare
from parts.benchmark.report import HAVE_TORCH, print_table
from parts.benchmark.sections import SIZE
from parts.benchmark.sides import Case, Problem, npslstm_side
from parts.benchmark.torch import floats_kept
from parts.benchmark.workers import Crew, Turns, Worker
from parts.plotting import progress

__all__ = ["Kept", "kept_for_backward", "memory", "peak_of_step"]

MEGABYTE = 1e6


class Kept(NamedTuple):
    """What is in memory between forward and backward, in numbers of the problem's dtype."""

    outputs: int  # the caller's, too
    inputs: int  # a copy of x, so that the caller may change x
    rest: int  # of the cache

    def per_place(self, case: Case) -> float:
        """Return outputs and rest / (T·N·H·layers); the inputs are apart."""
        places = case.steps * case.batch * case.hidden * case.layers
        return (self.outputs + self.rest) / places


def kept_for_backward(case: Case, checkpoint_every: int | None = None) -> Kept:
    """Run forward and count what the outputs and the cache hold."""
    problem = Problem(case)
    out, _, cache = problem.lstm.forward(
        problem.x, problem.state, checkpoint_every=checkpoint_every
    )
    blocks = {id(root(array)): root(array) for array in arrays(cache)}
    inputs = {
        id(root(array)): root(array)
        for array in arrays(cache)
        if array.shape == problem.x.shape and np.array_equal(array, problem.x)
    }
    outputs = {id(root(out)): root(out)}

    def count(blocks: dict[int, np.ndarray]) -> int:
        return sum(block.nbytes for block in blocks.values()) // problem.x.itemsize

    rest = {key: block for key, block in blocks.items() if key not in inputs | outputs}
    return Kept(count(outputs), count(inputs), count(rest))


def peak_of_step(case: Case, checkpoint_every: int | None = None) -> int:
    """Return the bytes that one training step has in use at its peak, x and weights apart.

    Only right in a process that has not taken a step yet, because the library uses memory again.
    """
    problem = Problem(case)
    tracemalloc.start()
    try:
        problem.step(checkpoint_every=checkpoint_every)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def arrays(tree: Any) -> Iterator[np.ndarray]:
    """Walk nested tuples, lists and dicts for the arrays in them."""
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from arrays(branch)
    elif isinstance(tree, dict):
        yield from arrays(list(tree.values()))


def root(array: np.ndarray) -> np.ndarray:
    """Return the array whose memory a view is in."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def memory(
    crew: Crew, cases: Sequence[Case], long: Sequence[tuple[Case, int]], turns: Turns
) -> list[list[Any]]:
    """Print what is kept for each case, and what checkpointing saves and costs in long ones."""
    rows = []
    for case in progress(cases, "memory"):
        ours = crew.worker(OURS).call(kept_for_backward, case)
        theirs = [crew.worker(THEIRS).call(floats_kept, case)] if HAVE_TORCH else []
        rows.append([case.size, case.dtype, ours.per_place(case), *theirs])
    print_table(
        "Memory kept for backward, outputs included, inputs not: numbers for each T·N·H and layer",
        [SIZE, "dtype", OURS, *[THEIRS] * HAVE_TORCH],
        rows,
    )
    checkpointed = [
        checkpointing(crew, case, every, turns) for case, every in progress(long, "checkpointing")
    ]
    print_table(
        "checkpoint_every, float32: MB kept beyond inputs and outputs, MB in use at the peak of a "
        "step, ms; each with and without",
        [SIZE, "every", "kept", "without", "peak", "without", "step", "without", "ratio"],
        checkpointed,
    )
    return rows


def checkpointing(crew: Crew, case: Case, every: int, turns: Turns) -> list[Any]:
    """Return a row of the table."""
    kept, peaks = [], []
    for option in every, None:
        with Worker(threads=1) as fresh:
            peaks.append(fresh.call(peak_of_step, case, option) / MEGABYTE)
            rest = fresh.call(kept_for_backward, case, option).rest
            kept.append(rest * np.dtype(case.dtype).itemsize / MEGABYTE)
    tasks = {"with": (OURS, "checkpointed"), "without": (OURS, "step")}
    timing = compare(crew, case, {OURS: Make(npslstm_side, args=(every,))}, tasks, turns)
    return [case.size, every, *kept, *peaks, *map(timing.ms, tasks), timing.ratio(*tasks)]
