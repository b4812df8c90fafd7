"""The benchmark: the script runs, and what it counts and compares is right. No time is asserted."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import sys

import numpy as np
import pytest
from demo_runs import ROOT, command, run
from parts.benchmark import extras, sides, workers
from parts.benchmark.report import Timing
from parts.benchmark.sides import SIZES, Case
from parts.benchmark.workers import Side, Turns, Worker

from npslstm.mistakes import mistake

INSTALLED = {name for name in ("torch", "matplotlib") if importlib.util.find_spec(name)}
SMALL = Case(9, 5, 3, 4, 2, "float64")


def run_quick(*options):
    """Run the script as a reader does, with tiny sizes."""
    done = run(
        command("benchmark.py", "--quick", *options),
        PYTHONIOENCODING="utf-8",
        PYTHONWARNINGS="error",  # in its processes, too
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def quick():
    """The short form of everything, run once: what it printed."""
    return run_quick()


def tables(text):
    """Read the tables back: a list of rows, as dicts by column, for each title."""
    found = {}
    blocks = (block.splitlines() for block in text.split("\n\n")[2:])
    for title, header, *lines in (lines for lines in blocks if len(lines) > 1):  # not a mere note
        names = ["", *re.split(r"\s{2,}", header.strip())]
        rows = [re.split(r"\s{2,}", line) for line in lines if re.search(r"\s{2,}", line)]
        assert all(len(row) == len(names) for row in rows), title
        found[title] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def table(text, beginning):
    return next(rows for title, rows in tables(text).items() if title.startswith(beginning))


@pytest.mark.parametrize("task", ["Training step", "Inference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ratios_of_every_size_to_each_other_side_and_to_itself(quick, task, dtype):
    *rows, means = table(quick, f"{task}, {dtype}")
    assert [row[""] for row in rows] == ["T 6, N 4, D 3, H 5, L 1", "T 5, N 1, D 2, H 3, L 2"]
    names = {name for name in means if name.startswith("/ ")} - {"/ onnxruntime"}
    assert names == {"/ floor", "/ itself"} | ({"/ nn.LSTM"} if "torch" in INSTALLED else set())
    for name in names:
        ratios = []
        for row in rows:
            median, low, high = map(float, re.findall(r"[\d.]+", row[name]))
            assert 0 < low <= median <= high < math.inf
            ratios.append(median)
        assert float(means[name]) == pytest.approx(math.prod(ratios) ** (1 / len(rows)), rel=0.05)


def test_it_says_what_it_ran_on(quick):
    machine, sizes = quick.split("\n\n")[:2]
    assert re.search(r"^CPU: +\S.*; \d+ of \d+ cores may be used$", machine, re.M)
    assert re.search(r"^BLAS: +\S.*; one thread", machine, re.M)
    assert f"NumPy {np.__version__}" in machine
    assert bool(re.search("left out: torch", machine)) == ("torch" not in INSTALLED)
    assert "T steps, N sequences, D features, H units, L layers" in sizes


def test_other_parts_print_their_tables(quick):
    """Kept: six local derivatives, h_prev and h, so 8 numbers for each place, in every dtype.

    They are in two arrays a layer beside the outputs, each 64 bytes longer than its numbers.
    """
    kept = table(quick, "Numbers kept")
    assert len(kept) == 4
    for row in kept:
        steps, rows, _, units, _ = map(int, re.findall(r"\d+", row[""]))
        longer = 2 * 64 / np.dtype(row["dtype"]).itemsize / (steps * rows * units)
        assert float(row["npslstm"]) == pytest.approx(8 + longer, rel=0.01)
    checkpoints = re.search(r"^checkpoint_every, .*\n.*ratio\nT 600, .*$", quick, re.M)
    kept, without, peak, peak_without = map(float, checkpoints[0].split()[-7:-3])
    assert kept < without / 10
    assert peak < peak_without
    [check] = table(quick, "Every gradient")
    assert check["found"] == "right"
    assert float(check["worst error"]) < 1e-12
    assert "The whole job, row-MNIST: the images in the package, 4 units" in quick
    assert ("\nTraining step on one core and on two" in quick) == (len(workers.cores()) > 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no cores")
def test_one_core_is_enough():
    """What needs two says so, and is left out."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(mine)})
    try:
        printed = run_quick("--only", "step", "cores", "--dtype", "float32")
    finally:
        os.sched_setaffinity(0, mine)
    assert "; 1 of " in printed
    assert "Training step, float32" in printed
    assert "Two cores: left out, because only one may be used here" in printed


def test_against_another_checkout(tmp_path):
    """The old side is the package in that folder, whatever is imported here; and its picture."""
    (tmp_path / "npslstm").mkdir()
    (tmp_path / "npslstm" / "__init__.py").write_text(
        f"__path__.append({str(ROOT / 'npslstm')!r})\n"
        "from npslstm.lstm import LSTM\n"
        f"open({str(tmp_path / 'used')!r}, 'w').close()\n"
    )
    picture = tmp_path / "benchmark.png"
    plot = ["--plot", picture] if "matplotlib" in INSTALLED else []
    printed = run_quick("--against", tmp_path, *plot)
    assert not plot or picture.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "used").exists()
    assert list(table(printed, "Inference, float64")[0]) == ["", "new", "/ old", "/ itself"]
    assert "The whole job" not in printed


@pytest.mark.parametrize("task", ["step", "inference"])
@pytest.mark.parametrize("case", [Case(30, 20, 7, 160, 2), SMALL])
def test_floor_multiplies_what_our_lstm_must_and_no_more(case, task):
    with sides.products() as noted:
        getattr(sides.Problem(case), task)()
    with sides.products() as replayed:
        floor = sides.replay(noted, case.dtype)
        replayed.clear()
        floor()
    assert replayed == noted
    inputs = [case.features] + [case.hidden] * (case.layers - 1)
    forward = sum(4 * case.hidden * (size + 1 + case.hidden) for size in inputs)
    backward = sum(2 * 4 * case.hidden * (size + case.hidden) for size in inputs)  # dx, dh; dW
    expected = case.steps * case.batch * (forward + backward * (task == "step"))
    done = sum(
        times * math.prod(np.matmul(np.empty(left), np.empty(right)).shape) * left[-1]
        for (left, right), times in noted.items()
    )
    filled_up = 1.1 if case.hidden > 16 else 2  # dW's columns, with zeros to whole vectors
    assert expected * (1 - 1e-2) <= done <= expected * filled_up


def test_floor_is_aligned_as_the_kernel_is():
    for shape in (3, 5), (7,), (1, 1, 1):
        array = sides.aligned(shape, "float32")
        assert array.ctypes.data % 64 == 0
        assert (array.shape, array.dtype, array.flags.writeable) == (shape, np.float32, True)


def test_kept_counts_memory_once_and_whole():
    case = Case(70, 9, 2, 4, 3)
    places = case.steps * case.batch * case.hidden
    expected = 4 * (7 * case.layers * places + case.layers * places)  # outputs, between layers, too
    assert expected <= extras.kept(case) <= 1.02 * expected
    with Worker() as fresh:
        assert fresh.call(extras.peak, case) >= expected


def test_sides_that_disagree_are_not_timed():
    right = {"dx": np.ones(7), "dh_0": np.ones(3)}
    case = Case(2, 3, 4, 5, 1)
    workers.check_agreement(case, {"ours": right, "theirs": {"dx": np.full(7, 1 + 1e-6)}})
    for wrong in 1 + 1e-3, np.nan:
        with pytest.raises(SystemExit, match="theirs and ours differ in dx by"):
            workers.check_agreement(case, {"ours": right, "theirs": {"dx": np.full(7, wrong)}})


@pytest.mark.skipif(sys.platform == "win32", reason="this system cannot fork")
def test_two_halves_are_the_whole_batch():
    with Worker() as worker:
        halves = worker.prepare(Side(extras.halves_in_processes), SMALL)
        again = worker.run("step")
    whole = sides.ours(SMALL).results
    assert halves.keys() == whole.keys()
    workers.check_agreement(SMALL, {"whole": whole, "halves": halves})
    workers.check_agreement(SMALL, {"whole": whole, "again": again})


def test_turns_alternate_and_neighbours_are_paired():
    class Clock:
        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def time(self, task, calls):
            log.append((self.name, calls))
            return self.seconds + len(log) / 1000

    log = []
    clocks = {"a": Clock("a", 1), "b": Clock("b", 0.25), "c": Clock("c", 3)}
    pairs = workers.in_turns(clocks, "step", Turns(rounds=2, seconds=1.0))
    turn = {"a": ("a", 1), "b": ("b", 4), "c": ("c", 1)}
    assert log[6:] == [turn[name] for name in "abacabaca"]
    place = {name: [round(1000 * (t % 0.25)) - 7 for t in pairs[name].flat] for name in pairs}
    assert place == {"b": [0, 1, 6, 5], "c": [2, 3, 8, 7]}


def test_a_ratio_is_of_neighbours_in_time():
    pairs = np.array([[1.0, 2.0], [10.0, 20.0], [30.0, 10.0]])
    timing = Timing(SMALL, "ours", {"theirs": pairs})
    assert timing.ratio("theirs") == (0.5, 0.5, 1.75)
    assert (timing.ms(), timing.ms("theirs")) == (10e3, 10e3)


def test_an_error_in_a_worker_is_shown():
    with Worker() as worker:
        with pytest.raises(RuntimeError, match="ValueError: math domain error"):
            worker.call(math.sqrt, -1.0)
        assert worker.call(math.sqrt, 4.0) == 2.0
    with Worker() as worker, pytest.raises(RuntimeError, match="a worker process ended"):
        worker.call(os._exit, 1)


def test_an_interrupt_does_not_wait_for_the_call_in_progress():
    worker = Worker()
    with pytest.raises(KeyboardInterrupt), worker:
        raise KeyboardInterrupt
    assert worker._process.returncode != 0


def test_workers_have_the_threads_and_the_core_that_they_were_given(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with Worker(threads=3) as pinned, Worker(threads=3, pinned=False) as free:
        assert pinned.call(os.getenv, "OPENBLAS_NUM_THREADS") == "3"
        if hasattr(os, "sched_setaffinity"):
            assert pinned.call(workers.cores) == workers.cores()[-1:]
        assert free.call(workers.cores) == workers.cores()


def test_check_finds_a_mistake():
    with mistake("drop_dc"):
        passed, *_ = extras.directional(Case(6, 4, 3, 5, 1, "float64"))
    assert not passed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "1,2,3"], "expected five numbers from 1 to 100,000, given '1,2,3'"),
        (["--sizes", "1,2,3,4,0"], "expected five numbers from 1 to 100,000, given '1,2,3,4,0'"),
        (["--rounds", "0"], "expected a whole number from 1 on, given '0'"),
        (["--reach", "101"], "expected more than 0 and less than 100, given '101'"),
        (["--reach", "nan"], "expected more than 0 and less than 100, given 'nan'"),
        (["--reach", "97", "--only", "step"], "--reach is for the part job"),
        (["--data", "nowhere"], "--data: nowhere"),
        (
            ["--against", ".", "--plot", "x.pgn"],
            "expected a path that ends in .png or .svg or .pdf, given 'x.pgn'",
        ),
        (["--only", "memory", "--plot", "x.png"], "--plot draws "),
        (["--against", "tests"], "expected a folder that holds npslstm/, given 'tests'"),
        (["--against", ".", "--only", "job"], "--against measures step and inference"),
    ],
)
def test_what_could_only_fail_later_is_refused_at_once(options, message, monkeypatch, capsys):
    import benchmark

    monkeypatch.setattr(benchmark, "print_machine", lambda: pytest.fail("work began"))
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as refused:
        benchmark.main(options)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err


def test_the_eight_sizes_have_names():
    assert [str(case) for case in SIZES.values()] == list(SIZES)
    assert str(SIZES["pixel MNIST"]._replace(dtype="float64")) == "pixel MNIST"
    assert str(Case(1, 2, 3, 4, 5)) == "T 1, N 2, D 3, H 4, L 5"
