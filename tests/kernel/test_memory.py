"""What training on long sequences keeps in memory, in bytes, with ``checkpoint_every`` and without.

``test_costs.py`` has the formulas for what a forward keeps; here are the sizes of the kernel's
README, the peak of a whole step, and the square root.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from mnist_runs import TIMEOUT, environment
from owned import buffers

from npslstm import LSTM

pytestmark = pytest.mark.long

LONG = {"steps": 784, "rows": 128, "hidden": 256}
# One training step in a fresh process: memory that is used again would not be seen a second time.
STEP = """
import json, sys, tracemalloc
import numpy as np
from npslstm import LSTM

steps, rows, hidden, every = json.loads(sys.argv[1])
lstm = LSTM(1, hidden, rng=0)
x = np.random.default_rng(0).random((steps, rows, 1), np.float32)
dh = np.ones((1, rows, hidden), np.float32)
tracemalloc.start()
out, _, cache = lstm.forward(x, checkpoint_every=every)
between, _ = tracemalloc.get_traced_memory()
lstm.backward(cache, None, (dh, None))
print(json.dumps([between, tracemalloc.get_traced_memory()[1]]))
"""


def run(steps, rows, hidden, every=None, layers=1):
    lstm = LSTM(1, hidden, layers, rng=0)
    x = np.random.default_rng(0).random((steps, rows, 1), np.float32)
    out, _, cache = lstm.forward(x, checkpoint_every=every)
    return lstm, x, out, cache


def kept_beyond(x, out, cache):
    """Bytes behind the cache, each buffer once and whole, without those of the input's copy."""
    owned = {id(buffer): buffer for buffer in buffers(cache)}
    assert not owned.keys() & {id(buffer) for buffer in buffers([x, out])}
    copy = cache.layers[0].x
    assert np.array_equal(copy, x)
    [whole] = buffers(copy)
    assert whole.nbytes == x.nbytes
    del owned[id(whole)]
    return sum(buffer.nbytes for buffer in owned.values())


def peak_of_a_step(every):
    """Bytes between forward and backward, and at the peak; output included, input not."""
    sizes = json.dumps([*LONG.values(), every])
    completed = subprocess.run(
        [sys.executable, "-c", STEP, sizes],
        env=environment(),
        capture_output=True,
        timeout=TIMEOUT,
        check=True,
    )
    return json.loads(completed.stdout)


def test_784_steps_keep_two_states_every_32_steps_beyond_input_and_output():
    """28 is rounded up to blocks of eight steps; the last segment is half as long."""
    _, x, out, cache = run(**LONG, every=28)
    assert kept_beyond(x, out, cache) == 25 * 2 * 128 * 256 * 4 == 6_553_600


def test_784_steps_train_in_43_megabytes_beyond_the_output():
    output = 784 * 128 * 256 * 4
    between, peak = peak_of_a_step(28)
    # 6.6 MB of states, 0.4 of x, 1.2 of weights laid out; the rest is scratch of a block
    assert output < between < output + 14e6
    assert peak < output + 43e6


@pytest.mark.slow
def test_without_checkpoints_784_steps_take_737_megabytes_beyond_the_output():
    output = 784 * 128 * 256 * 4
    between, peak = peak_of_a_step(None)
    # 7 numbers a unit and step, x, the weights laid out, and scratch of a block
    assert 8 * output < between < 8 * output + 8e6
    assert peak < output + 737e6


def test_what_is_kept_grows_as_the_square_root_of_the_steps():
    """With a checkpoint every √T steps: four times the steps, twice the bytes."""
    kept = {}
    for steps in (49, 196, 784, 3136):
        every = math.isqrt(steps)
        _, x, out, cache = run(steps, rows=256, hidden=2, every=every)  # blocks of one step
        kept[steps] = kept_beyond(x, out, cache)
        assert kept[steps] == every * 2 * 256 * 2 * 4
        segment = max(sum(cut.t1 - cut.t0 for cut in part) for part in cache.plan)
        assert segment == every  # what backward has to hold at a time
    assert kept[3136] == 2 * kept[784] == 4 * kept[196] == 8 * kept[49]


@pytest.mark.parametrize("every", [5, 10_000])
def test_gradients_are_the_same_to_the_last_bit(every):
    """Over several slices of the batch and blocks of steps; small cases are in test_lstm.py."""
    results = []
    for option in (None, every):
        lstm, _, out, cache = run(24, 130, 260, option, layers=2)
        states = np.random.default_rng(1).standard_normal((2, 2, 130, 260), np.float32)
        dx, dstate_0, grads = lstm.backward(cache, np.cos(out), tuple(states))
        results.append({"dx": dx, "dh_0": dstate_0.h, "dc_0": dstate_0.c, "out": out} | grads)
    for name, array in results[0].items():
        assert array.tobytes() == results[1][name].tobytes(), name


@pytest.mark.slow
def test_gradients_of_784_steps_are_the_same_to_the_last_bit():
    results = []
    for every in (None, 28):
        lstm, _, out, cache = run(**LONG, every=every)
        _, _, grads = lstm.backward(cache, np.cos(out))
        results.append({name: grad.tobytes() for name, grad in grads.items()})
    assert results[0] == results[1]
