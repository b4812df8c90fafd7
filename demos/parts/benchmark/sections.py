"""What is timed of a layer: each part compares sides, prints its table and returns its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parts.benchmark.compare import OURS, THEIRS, Make, Timing, both, by_dtype, compare, each
from parts.benchmark.cores import CAN_FORK, halves_in_processes, halves_in_threads
from parts.benchmark.report import HAVE_TORCH, cores, print_table
from parts.benchmark.sides import BLOCKED, FLOOR, Case, bare_products, npslstm_side
from parts.benchmark.torch import cell_by_gate, cell_stacked, nn_lstm
from parts.benchmark.workers import Crew, Turns
from parts.plotting import progress

__all__ = ["CELL", "SIZE", "inference", "scaling", "step", "two_cores"]

CELL, BY_GATE = "torch cell", "by gate"
NOTES = """\
torch cell: a step written in Python with autograd, all gates in one product for x and one for h;
by gate: with two products for each gate. floor: the bare matrix products of a step, on arrays that
are ready; blocked floor: in the blocks that suit the BLAS best."""
SIZE = "T,N,D,H,layers"


def step(crew: Crew, cases: Sequence[Case], turns: Turns) -> list[Timing]:
    """Time training steps against everything there is."""
    sides, products = both(), "bare products"
    if HAVE_TORCH:
        sides |= {CELL: Make(cell_stacked), BY_GATE: Make(cell_by_gate)}
    tasks = each(sides, "step") | {name: (products, name) for name in (FLOOR, BLOCKED)}
    sides[products] = Make(bare_products)
    timings = [compare(crew, case, sides, tasks, turns) for case in progress(cases, "step")]
    shown = [name for name in (OURS, THEIRS, FLOOR) if name in tasks]
    others = [name for name in tasks if name != OURS]
    for dtype, some in by_dtype(timings):
        print_table(
            f"Training step, {dtype}: ms, and the ratio of {OURS}'s time to each other's",
            [SIZE, *shown, *(f"/ {other}" for other in others)],
            [
                [t.case.size, *map(t.ms, shown), *(t.ratio(OURS, other) for other in others)]
                for t in some
            ],
        )
    print(NOTES)
    return timings


def inference(crew: Crew, cases: Sequence[Case], turns: Turns) -> list[Timing]:
    """Time forward alone."""
    sides = both()
    tasks = each(sides, "inference")
    timings = [compare(crew, case, sides, tasks, turns) for case in progress(cases, "inference")]
    others = [name for name in sides if name != OURS]
    for dtype, some in by_dtype(timings):
        print_table(
            f"Inference, {dtype}: ms, and the ratio",
            [SIZE, *sides, *(f"/ {other}" for other in others)],
            [
                [t.case.size, *map(t.ms, sides), *(t.ratio(OURS, other) for other in others)]
                for t in some
            ],
        )
    return timings


def scaling(crew: Crew, growing: dict[str, list[Case]], turns: Turns) -> dict[str, list[Timing]]:
    """Time training steps as one size grows; the rate is level where the time is proportional."""
    sides = both()
    found = {}
    for letter, cases in growing.items():
        timings = [
            compare(crew, case, sides, each(sides, "step"), turns)
            for case in progress(cases, letter)
        ]
        print_table(
            f"Training step as {letter} grows, {cases[0].dtype}: ms, and 10⁹ operations of its "
            "matrix products a second",
            [SIZE, *sides, *(f"{name}: rate" for name in sides)],
            [
                [t.case.size, *map(t.ms, sides)]
                + [t.case.operations / 1e6 / t.ms(name) for name in sides]
                for t in timings
            ],
        )
        found[letter] = timings
    return found


def two_cores(crew: Crew, cases: Sequence[Case], turns: Turns) -> list[list[Any]]:
    """Time both libraries on two cores, each in every way that it can use them."""
    if cores() < 2:
        print("\nTwo cores: not measured, because only one may be used here")
        return []
    one, theirs = "one thread", f"{THEIRS} one"
    sides = {
        one: Make(npslstm_side),
        "two BLAS": Make(npslstm_side, threads=2),
        "two Python": Make(halves_in_threads),
    }
    if CAN_FORK:
        sides["two processes"] = Make(halves_in_processes)
    ways = [list(sides)]
    if HAVE_TORCH:
        sides |= {theirs: Make(nn_lstm), f"{THEIRS} two": Make(nn_lstm, threads=2, args=(2,))}
        ways.append([theirs, f"{THEIRS} two"])
    rows = []
    for case in progress([case for case in cases if case.batch > 1], "two cores"):
        timing = compare(crew, case, sides, each(sides, "step"), turns)
        best, *their_best = (min(names, key=timing.ms) for names in ways)
        rows.append(
            [case.size, *map(timing.ms, sides), best]
            + [timing.ratio(best, other) for other in (one, *their_best)]
        )
    print_table(
        f"Training step on one thread and on two (of BLAS, of Python, in two processes; {THEIRS}), "
        "float32: ms, our best way, and its ratio to others",
        [SIZE, *sides, "best", f"/ {one}", *["/ their best"] * HAVE_TORCH],
        rows,
    )
    print("The demos take one thread unless told otherwise: threads.py says why.")
    return rows
