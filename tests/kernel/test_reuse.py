"""The kernel's memory: given back, never shared with who still holds it, harmless to interrupt."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from demo_runs import environment

from npslstm import LSTM
from npslstm.kernel import memory

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")

RESIDENT = """
import gc, os
import numpy as np
from npslstm import LSTM

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

def step(lstm, T, N):
    x = rng.standard_normal((T, N, lstm.input_size)).astype(np.float32)
    out, _, cache = lstm.forward(x)
    lstm.backward(cache, out)

rng = np.random.default_rng(0)
small = LSTM(3, 8, rng=0)
step(small, 5, 2)
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT + program],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@linux
def test_after_a_long_sequence_a_small_step_gives_the_memory_back():
    grown = run("""
before = resident()
large = LSTM(1, 256, rng=0)
step(large, 784, 64)
peak = resident()
del large
step(small, 5, 2)
step(small, 5, 2)
print(resident() - before)
""")
    assert grown < 20


@linux
def test_steps_of_random_shapes_grow_by_nothing():
    grown = run("""
def steps(count):
    for _ in range(count):
        T, N, H = (int(n) for n in rng.integers(1, [30, 40, 60]))
        step(LSTM(int(rng.integers(1, 9)), H, rng=0), T, N)

steps(200)
before = resident()
steps(2000)
print(resident() - before)
""")
    assert grown < 8  # what the allocator leaves in pieces; a leak of one step's memory is 400 MB


def solve(seed, T=12, N=5):
    rng = np.random.default_rng(seed)
    lstm, x = LSTM(3, 6, 2, dtype=np.float64, rng=seed), rng.standard_normal((T, N, 3))
    out, state, cache = lstm.forward(x)
    dx, _, grads = lstm.backward(cache, np.cos(out))
    return [out, *state, dx, *grads.values()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_memory_is_used_again_only_when_nobody_holds_a_view_of_it():
    lstm, x = LSTM(3, 64, rng=0), np.ones((40, 8, 3), np.float32)

    def address(cache):
        return cache.layers[0].blocks[0][0].local.base.__array_interface__["data"][0]

    memory.forget()
    _, _, cache = lstm.forward(x)
    first = address(cache)
    view = cache.layers[0].blocks[0][0].h_prev[3:, 1]
    kept, before = memoryview(np.ascontiguousarray(view)), view.copy()
    assert kept
    del cache
    _, _, cache = lstm.forward(2 * x)
    assert address(cache) != first  # a view holds it
    assert np.array_equal(view, before)
    del view, cache
    addresses = set()
    for _ in range(4):
        _, _, cache = lstm.forward(x)
        addresses.add(address(cache))
        del cache
    assert len(addresses) == 1  # and free, it is used again


def interrupt_at(line):
    """Raise KeyboardInterrupt at that line of what runs, where a signal handler would raise it.

    At lines alone: in a generator that is thrown away Python itself ignores what is raised.
    """

    def trace(frame, event, argument):
        nonlocal line
        line -= event == "line"
        if line == 0:
            raise KeyboardInterrupt
        return trace

    return trace


def test_an_interrupted_call_leaves_the_next_ones_right():
    """At every line from the first of forward to the last of backward."""
    lstm, x = LSTM(3, 6, 2, dtype=np.float64, rng=0), np.ones((12, 5, 3))
    want = solve(1)
    interrupted = []
    for line in itertools.count(1):
        cache = None
        sys.settrace(interrupt_at(line))
        try:
            out, _, cache = lstm.forward(x)
            lstm.backward(cache, out)
        except KeyboardInterrupt:
            interrupted.append("forward" if cache is None else "backward")
        else:
            break
        finally:
            sys.settrace(None)
        assert same(solve(1), want)
    assert min(interrupted.count("forward"), interrupted.count("backward")) > 500


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers are POSIX's")
def test_a_signal_handler_may_run_the_kernel():
    want, other = solve(1), solve(2)
    found = []

    def handler(*_):
        found.append(same(solve(2), other))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        answers = [solve(1) for _ in range(150)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert found
    assert all(found)
    assert all(same(answer, want) for answer in answers)


def test_threads_share_nothing():
    want = {seed: solve(seed) for seed in range(4)}
    wrong = []

    def work(seed):
        wrong.extend(seed for _ in range(30) if not same(solve(seed), want[seed]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in want]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_computes_the_same_and_disturbs_nobody():
    want = solve(1)
    lstm, x = LSTM(3, 6, rng=0), np.ones((9, 4, 3), np.float32)
    out, _, cache = lstm.forward(x)
    expected = lstm.backward(cache, out)[0]
    child = os.fork()
    if not child:
        os._exit(0 if same(solve(1), want) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(lstm.backward(cache, out)[0], expected)


def test_what_neither_of_the_last_two_calls_used_is_dropped():
    large = LSTM(4, 128, rng=0)
    memory.forget()
    out, _, cache = large.forward(np.ones((60, 64, 4), np.float32))
    large.backward(cache, out)
    del out, cache
    gc.collect()
    assert memory.kept_bytes() > 2 * memory.SMALL
    small = LSTM(2, 3, rng=0)
    for _ in range(2):
        small(np.ones((2, 1, 2), np.float32))
        small(np.ones((2, 1, 2), np.float32))
    assert memory.kept_bytes() <= 2 * memory.SMALL
