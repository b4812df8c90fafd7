"""The benchmark: the script runs, and what it counts and compares is right. No time is asserted."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npslstm.kernel.schedule import plan_cuts
from npslstm.mistakes import mistake

ROOT = Path(__file__).parents[2]
TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture
def demos(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "demos")


def run(*arguments):
    """Run the script as a reader does, from the repository's root."""
    return subprocess.run(
        [sys.executable, "-W", "error", "demos/benchmark.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The short form of everything, run once: what it printed, and its picture."""
    picture = tmp_path_factory.mktemp("benchmark") / "benchmark.png"
    plot = ["--plot", str(picture)] if importlib.util.find_spec("matplotlib") else []
    done = run("--quick", *plot)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, picture


def tables(text):
    """Read the tables back: a list of rows, as dicts by column, for each title."""
    found = {}
    for block in text.split("\n\n")[1:]:
        title, header, *lines = block.splitlines()
        names = re.split(r"\s{2,}", header)
        rows = [re.split(r"\s{2,}", line) for line in lines if re.search(r"\s{2,}", line)]
        assert rows
        assert all(len(row) == len(names) for row in rows), title
        found[title] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def test_every_part_prints_a_table_of_positive_numbers(quick):
    found = tables(quick[0])
    parts = "Training step, float32", "Training step, float64", "Inference, float32"
    parts += "Inference, float64", "Memory kept", "checkpoint_every", "Training step as T grows"
    parts += "Training step as N grows", "Training step as H grows", "The whole job"
    for part in parts:
        assert any(title.startswith(part) for title in found), part
    ratios = [
        float(value)
        for rows in found.values()
        for row in rows
        for name, value in row.items()
        if name.startswith("/")
    ]
    assert all(ratio > 0 and math.isfinite(ratio) for ratio in ratios)
    first = next(rows for title, rows in found.items() if title.startswith("Training step, f"))
    assert [row["T,N,D,H,layers"] for row in first] == ["6,4,3,5,1", "5,1,2,3,2"]
    others = {"/ floor", "/ blocked floor"}
    others |= {"/ nn.LSTM", "/ torch cell", "/ by gate"} if TORCH else set()
    assert {name for name in first[0] if name.startswith("/")} == others


def test_it_says_what_it_ran_on(quick):
    machine = quick[0].split("\n\n")[0]
    assert "Machine:" in machine
    assert f"NumPy {np.__version__}" in machine
    assert "BLAS " in machine
    assert ("no PyTorch" not in machine) == TORCH


def test_picture_is_saved(quick):
    pytest.importorskip("matplotlib")
    assert quick[1].read_bytes().startswith(b"\x89PNG")


def test_memory_table_says_what_follows_from_the_equations(quick):
    """Six local derivatives, h_prev and h: 8 numbers for each place, in every dtype."""
    found = tables(quick[0])
    rows = next(rows for title, rows in found.items() if title.startswith("Memory kept"))
    assert [row["npslstm"] for row in rows] == ["8.00"] * 4


@pytest.mark.usefixtures("demos")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", [1, 3])
def test_kept_counts_every_block_once(layers, dtype):
    from parts.benchmark.memory import kept_for_backward
    from parts.benchmark.sides import Case

    places = 70 * 9 * 4  # more than one block of steps
    kept = kept_for_backward(Case(70, 9, 2, 4, layers, dtype))
    assert kept.outputs == places
    assert kept.inputs == 70 * 9 * 2
    assert kept.rest == 7 * layers * places + (layers - 1) * places  # and outputs between layers


@pytest.mark.usefixtures("demos")
def test_checkpointing_keeps_two_states_a_segment():
    from parts.benchmark.memory import kept_for_backward
    from parts.benchmark.sides import Case

    segments = len(plan_cuts([600] * 4, 5, 100))
    assert 1 < segments < 600 / 100 + 1
    assert kept_for_backward(Case(600, 4, 1, 5, 1), 100).rest == segments * 2 * 4 * 5


@pytest.mark.usefixtures("demos")
def test_peak_holds_at_least_what_is_kept():
    from parts.benchmark.memory import kept_for_backward, peak_of_step
    from parts.benchmark.sides import Case
    from parts.benchmark.workers import Worker

    case = Case(40, 3, 2, 4, 1)
    with Worker(threads=1) as fresh:
        peak = fresh.call(peak_of_step, case)
    kept = kept_for_backward(case)
    assert peak >= 4 * sum(kept)


@pytest.mark.usefixtures("demos")
@pytest.mark.parametrize("task", ["floor", "blocked floor"])
def test_floor_multiplies_exactly_what_a_step_must(task, monkeypatch):
    from parts.benchmark.sides import Case, bare_products

    case = Case(30, 20, 7, 160, 2)  # large enough that products are cut
    side, operations, blocks = bare_products(case), 0, set()

    def matmul(left, right, *, out):
        nonlocal operations
        assert out.shape == (*left.shape[:-1], right.shape[1])
        operations += 2 * left.size * right.shape[1]
        blocks.add(left.ndim)
        return out

    monkeypatch.setattr(np, "matmul", matmul)
    side.tasks[task]()
    assert operations == case.operations
    assert blocks == ({2} if task == "floor" else {2, 3})


@pytest.mark.usefixtures("demos")
def test_sides_that_disagree_are_not_timed():
    from parts.benchmark.compare import check_agreement
    from parts.benchmark.sides import Case

    case = Case(2, 3, 4, 5, 1)
    right = {"dx": np.ones(7), "dh_0": np.ones(3)}
    check_agreement(case, {"ours": right, "theirs": {"dx": np.full(7, 1 + 1e-6)}})
    for wrong in 1 + 1e-3, np.nan:
        with pytest.raises(SystemExit, match="theirs and ours differ in dx by"):
            check_agreement(case, {"ours": right, "theirs": {"dx": np.full(7, wrong)}})


@pytest.mark.usefixtures("demos")
@pytest.mark.parametrize("build", ["halves_in_threads", "halves_in_processes"])
def test_two_halves_are_the_whole_batch(build):
    from parts.benchmark import cores as benchmark_cores
    from parts.benchmark.compare import check_agreement
    from parts.benchmark.sides import Case, npslstm_side
    from parts.benchmark.workers import Worker

    if build == "halves_in_processes" and not benchmark_cores.CAN_FORK:
        pytest.skip("this system cannot fork")
    case = Case(9, 5, 3, 4, 2, "float64")
    whole = npslstm_side(case).results
    with Worker(threads=1) as worker:
        halves = worker.prepare(getattr(benchmark_cores, build), case)
        again = worker.run("step")
    assert halves.keys() == whole.keys()
    check_agreement(case, {"whole": whole, "halves": halves})
    check_agreement(case, {"whole": whole, "step": again})


@pytest.mark.usefixtures("demos")
def test_turns_alternate_and_short_tasks_are_repeated():
    from parts.benchmark.workers import Task, Turns, interleave

    log = []

    class Clock:
        def call(self, function, name, calls):
            log.append((name, calls))
            return {"slow": 3.0, "fast": 0.25}[name]

    tasks = {name: Task(Clock(), name) for name in ("slow", "fast")}
    seconds = interleave(tasks, Turns(rounds=2, seconds=1.0))
    assert log == [("slow", 1)] * 2 + [("fast", 1)] * 2 + [("slow", 1), ("fast", 4)] * 2
    assert {name: list(values) for name, values in seconds.items()} == {
        "slow": [3.0] * 2,
        "fast": [0.25] * 2,
    }


@pytest.mark.usefixtures("demos")
def test_a_ratio_is_of_neighbours_in_time():
    from parts.benchmark.workers import median_ratio

    assert median_ratio(np.array([1.0, 10.0, 30.0]), np.array([2.0, 20.0, 10.0])) == 0.5


@pytest.mark.usefixtures("demos")
def test_an_error_in_a_worker_is_shown():
    from parts.benchmark.workers import Worker

    with Worker(threads=1) as worker:
        with pytest.raises(RuntimeError, match="ValueError: math domain error"):
            worker.call(math.sqrt, -1.0)
        assert worker.call(math.sqrt, 4.0) == 2.0


@pytest.mark.usefixtures("demos")
def test_workers_have_the_threads_they_were_given(monkeypatch):
    from parts.benchmark.workers import Worker

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with Worker(threads=3) as worker:
        assert worker.call(os.getenv, "OPENBLAS_NUM_THREADS") == "3"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"


def test_check_table_finds_the_gradients_right(quick):
    [row] = next(rows for title, rows in tables(quick[0]).items() if title.startswith("Every"))
    assert row["found"] == "right"
    assert float(row["worst error"]) < 1e-12


@pytest.mark.usefixtures("demos")
def test_check_finds_a_mistake():
    from parts.benchmark.check import directional
    from parts.benchmark.sides import Case

    with mistake("drop_dc"):
        assert not directional(Case(6, 4, 3, 5, 1, "float64")).passed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "1,2,3"], "expected five positive numbers, given '1,2,3'"),
        (["--sizes", "1,2,3,4,0"], "expected five positive numbers, given '1,2,3,4,0'"),
        (["--repeats", "0"], "--repeats: expected at least 1"),
        (["--only", "memory", "--plot", "x.png"], "--plot draws step, "),
    ],
)
def test_options_that_make_no_sense(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
