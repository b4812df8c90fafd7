"""What the gradient check costs at full size: one random direction in each array, in float64."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from npslstm.gradcheck import check_gradients
from parts.benchmark.compare import OURS
from parts.benchmark.report import print_table
from parts.benchmark.sections import SIZE
from parts.benchmark.sides import Case, Problem
from parts.benchmark.workers import Crew
from parts.plotting import progress

__all__ = ["Checked", "check", "directional"]


class Checked(NamedTuple):
    """What one check found, and in what time."""

    passed: bool
    worst: float  # relative error of an array's gradient
    step_seconds: float
    seconds: float


def directional(case: Case) -> Checked:
    """Take a training step, and check its gradients."""
    problem = Problem(case)
    problem.step()  # the first one loads and allocates
    started = time.perf_counter()
    problem.step()
    stepped = time.perf_counter()
    report = check_gradients(
        problem.lstm, problem.x, problem.state, mode="directional", verbose=False
    )
    ended = time.perf_counter()
    return Checked(report.passed, report.worst, stepped - started, ended - stepped)


def check(crew: Crew, cases: Sequence[Case]) -> list[Checked]:
    """Check each case; print the table."""
    found = [crew.worker(OURS).call(directional, case) for case in progress(cases, "check")]
    print_table(
        "Every gradient against the complex step, one direction in each array, float64",
        [SIZE, "a step, s", "the check, s", "worst error", "found"],
        [
            [case.size, f.step_seconds, f.seconds, f.worst, "right" if f.passed else "WRONG"]
            for case, f in zip(cases, found, strict=True)
        ],
    )
    return found
