"""What is measured beside speed: memory, the gradient check, and two cores."""

from __future__ import annotations

import functools
import math
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from npslstm import LSTM
from npslstm.gradcheck.patching import patched
from parts.benchmark import sides
from parts.benchmark.report import Timing, print_table
from parts.benchmark.sides import HAVE_TORCH, OURS, THEIRS, Case, Problem
from parts.benchmark.workers import Arrays, Built, Side, Turns, Worker, cores, timed
from parts.plotting import progress

__all__ = ["check", "memory", "two_cores"]

MEGABYTE = 1e6
REST = 0.1  # seconds before a turn where sides have two threads, which spin for a while


def memory(cases: Sequence[Case], long: Sequence[Case], turns: Turns) -> None:
    """Print what is kept for each case, and what checkpoints save and cost in long ones."""
    rows = []
    for case in progress(cases, "memory"):
        sizes = [in_fresh_process(kept, case)]
        if HAVE_TORCH:
            sizes.append(in_fresh_process(kept_by_torch, case))
        places = case.steps * case.batch * case.hidden * case.layers
        per_place = [size / places / np.dtype(case.dtype).itemsize for size in sizes]
        rows.append([str(case), case.dtype, *per_place])
    print_table(
        "Numbers kept for backward, outputs included, for each T·N·H and layer",
        ["", "dtype", OURS, *[THEIRS] * HAVE_TORCH],
        rows,
    )
    rows = []
    for case in progress(long, "checkpoints"):
        every = math.isqrt(case.steps)
        out = case.steps * case.batch * case.hidden * np.dtype(case.dtype).itemsize
        row = [str(case), every]
        for measure, less in (kept, out), (peak, 0):
            for option in every, None:
                row.append((in_fresh_process(measure, case, option) - less) / MEGABYTE)
        pair = {"with": Side(checkpointed, (every,)), "without": Side(sides.ours)}
        timing = Timing(case, "with", timed(case, pair, "step", turns))
        rows.append([*row, timing.ms(), timing.ms("without"), timing.ratio("without").median])
    print_table(
        "checkpoint_every, float32: MB kept beyond outputs, MB in use at the peak of a step, ms",
        ["", "every", "kept", "without", "peak", "without", "step", "without", "ratio"],
        rows,
    )


def in_fresh_process(function: Any, *args: Any) -> Any:
    """Return ``function(*args)`` of a process in which nothing lies ready from before."""
    with Worker() as worker:
        return worker.call(function, *args)


def kept(case: Case, checkpoint_every: int | None = None) -> int:
    """Return the bytes that outputs and cache hold after forward, the copy of x apart.

    An array may be a view, so what is counted is the memory at its root, each once and whole.
    """
    problem = Problem(case)
    out, _, cache = problem.lstm.forward(
        problem.x, problem.state, checkpoint_every=checkpoint_every
    )
    found = list(arrays([out, cache]))
    roots = {id(root(array)): root(array).nbytes for array in found}
    copied = any(np.array_equal(array, problem.x) for array in found)
    return sum(roots.values()) - copied * problem.x.nbytes


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


def kept_by_torch(case: Case) -> int:
    """Return the bytes that ``torch.nn.LSTM`` keeps, outputs included: each storage once.

    The input, the states and the weights, which are the caller's, are not counted.
    """
    import torch

    from npslstm.torch_parity import to_torch

    problem = Problem(case)
    module = to_torch(problem.lstm)
    given = [torch.tensor(a).requires_grad_() for a in (problem.x, *problem.state)]
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out, _ = module(given[0], tuple(given[1:]))
    note(out.detach())
    for tensor in *given, *module.parameters():
        sizes.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(sizes.values())


def peak(case: Case, checkpoint_every: int | None = None) -> int:
    """Return the bytes that one training step has in use at its peak, x and weights apart."""
    problem = Problem(case)
    tracemalloc.start()
    problem.step(checkpoint_every=checkpoint_every)
    return tracemalloc.get_traced_memory()[1]


def checkpointed(case: Case, every: int) -> Built:
    """Return our LSTM with checkpoints."""
    problem = Problem(case)
    step = lambda: problem.step(checkpoint_every=every)  # noqa: E731
    return Built({"step": step}, step())


def check(case: Case) -> None:
    """Print what the gradient check costs, and what it finds."""
    with Worker() as worker:
        passed, worst, step, seconds = worker.call(directional, case)
    print_table(
        "Every gradient against the complex step, one direction in each array, float64",
        ["", "a step, s", "the check, s", "worst error", "found"],
        [[str(case), step, seconds, worst, "right" if passed else "WRONG"]],
    )


def directional(case: Case) -> tuple[bool, float, float, float]:
    """Check all gradients: found right, worst relative error, seconds of a step and of the check.

    The bar counts forward passes; a check of a tiny LSTM tells how many there will be.
    """
    from npslstm.gradcheck import check_gradients

    def run(problem: Problem) -> Any:
        given = problem.lstm, problem.x, problem.state
        return check_gradients(*given, mode="directional", verbose=False)

    passes: list[int] = []
    with each_forward(lambda: passes.append(1)):
        run(Problem(Case(2, 1, 1, 1, case.layers, case.dtype)))
    problem = Problem(case)
    problem.step()  # the first one loads and allocates
    began = time.perf_counter()
    problem.step()
    step = time.perf_counter() - began
    bar = iter(progress(passes, "check"))
    with each_forward(lambda: next(bar, None)):
        began = time.perf_counter()
        report = run(problem)
        seconds = time.perf_counter() - began
    next(bar, None)  # past its end, which takes it from the screen
    return report.passed, report.worst, step, seconds


@contextmanager
def each_forward(note: Callable[[], Any]) -> Iterator[None]:
    """Call ``note`` before every forward pass."""
    forward = LSTM.forward

    @functools.wraps(forward)  # the check reads its signature
    def noted(*args: Any, **options: Any) -> Any:
        note()
        return forward(*args, **options)

    with patched(LSTM, "forward", noted):
        yield


def two_cores(cases: Sequence[Case], turns: Turns) -> None:
    """Time a step on two cores, of both libraries, in each way that they can use them."""
    if len(cores()) < 2:
        print("\nTwo cores: left out, because only one may be used here")
        return
    ways = {"one thread": Side(sides.ours), "two threads": Side(sides.ours, threads=2)}
    if "fork" in multiprocessing.get_all_start_methods():
        ways["two processes"] = Side(halves_in_processes)
    theirs = {}
    if HAVE_TORCH:
        theirs[f"{THEIRS}, one thread"] = Side(sides.nn_lstm)
        theirs[f"{THEIRS}, two"] = Side(sides.nn_lstm, (2,), threads=2)
    turns = turns._replace(pinned=False, pause=REST if turns.seconds else 0)
    rows = []
    for case in progress([case for case in cases if case.batch > 1], "two cores"):
        timing = Timing(case, "one thread", timed(case, ways | theirs, "step", turns))
        ms = {"one thread": timing.ms()} | {name: timing.ms(name) for name in timing.pairs}
        best = min(ways, key=ms.__getitem__)
        row = [str(case), *ms.values(), best, ms[best] / ms["one thread"]]
        if theirs:
            row.append(ms[best] / min(ms[name] for name in theirs))
        rows.append(row)
    print_table(
        "Training step on one core and on two (two BLAS threads, or half the batch in each "
        "of two processes), float32: ms, and our best way's time / others'",
        ["", *ways, *theirs, "best", "/ one", *[f"/ best {THEIRS}"] * HAVE_TORCH],
        rows,
    )


def halves_in_processes(case: Case) -> Built:
    """Return two processes, the second forked from this one; gradients come in shared memory.

    Each half of the batch keeps its own outputs and dx; the parameters' gradients are added. For
    the comparison with others the halves are put side by side outside of the time measured.
    """
    middle = case.batch // 2
    first, second = Problem(case, slice(middle)), Problem(case, slice(middle, None))
    context = multiprocessing.get_context("fork")
    shared = {
        name: np.frombuffer(context.RawArray("b", p.nbytes), p.dtype).reshape(p.shape)
        for name, p in first.lstm.params.items()
    }
    here, there = context.Pipe()
    context.Process(target=serve_half, args=(second, shared, there, here), daemon=True).start()
    there.close()

    def step() -> Arrays:
        here.send_bytes(b"step")
        mine = first.step()
        here.recv_bytes()
        return {name: mine[name] + shared[name] for name in shared}

    halves = first.step(), second.step()
    batched = halves[0].keys() - shared.keys()
    results = {name: np.concatenate([half[name] for half in halves], axis=1) for name in batched}
    return Built({"step": step}, results | step())


def serve_half(problem: Problem, shared: Arrays, there: Connection, here: Connection) -> None:
    """Take a step whenever asked, until the other end closes."""
    here.close()  # a copy, which would keep the connection open
    while True:
        try:
            there.recv_bytes()
        except EOFError:
            return
        gradients = problem.step()
        for name, array in shared.items():
            array[...] = gradients[name]
        there.send_bytes(b"done")
