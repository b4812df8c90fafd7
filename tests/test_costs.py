"""What LSTMs cost: the formulas of the kernel's README, held to what the code does and keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from owned import alignment, buffers

from npslstm import LSTM, kernel
from npslstm.rnn import RNN

README = Path(kernel.__file__).with_name("README.md")
FORMULAS = {
    "parameters": "4·H·(D + H + 2) + (L - 1)·4·H·(2·H + 2)",
    "multiply-adds, forward": "4·N·H·(D + H + 1) + (L - 1)·4·N·H·(2·H + 1)",
    "multiply-adds, backward": "4·N·H·(2·D + 2·H + 1) + (L - 1)·4·N·H·(4·H + 1)",
    "tanh": "5·N·H·L",
    "numbers kept for backward": "N·(D + 7·H) + (L - 1)·8·N·H",
}
SIZES = [  # T, N, D, H, L
    (1, 1, 1, 1, 1),
    (5, 3, 2, 4, 1),
    (5, 3, 2, 4, 3),
    (28, 64, 28, 128, 1),  # the README's example
    (3, 300, 5, 64, 2),  # more rows than a block holds, in more slices than one
    (9, 40, 7, 200, 2),  # products that are cut into smaller ones
]


def cost(name, sizes):
    """Evaluate a formula as it is printed."""
    names = dict(zip("TNDHL", sizes, strict=True))
    return eval(FORMULAS[name].replace("·", "*"), {"__builtins__": {}}, names)


def zeros_filled_in(sizes):
    """Multiply-adds a step with the zeros that fill the weight gradient's columns up to 16s."""
    _, rows, features, hidden, layers = sizes
    inputs = [features] + [hidden] * (layers - 1)
    return sum(4 * rows * hidden * (-(size + 1 + hidden) % 16) for size in inputs)


def run(sizes, dtype=np.float32, **options):
    steps, rows, features, hidden, layers = sizes
    rng = np.random.default_rng(0)
    lstm = LSTM(features, hidden, layers, dtype=dtype, rng=0)
    x = rng.normal(size=(steps, rows, features)).astype(dtype)
    return lstm, lstm.forward(x, **options)


def kept_bytes(cache):
    """Count every buffer once, and whole, however little of it is looked at."""
    return sum({id(buffer): buffer.nbytes for buffer in buffers(cache)}.values())


class Counter:
    """Counts the multiply-adds of NumPy's products and the numbers whose tanh is taken."""

    def __init__(self, monkeypatch):
        self.multiply_adds = self.tanhs = 0
        for name in ("matmul", "dot"):
            monkeypatch.setattr(np, name, self.counted(getattr(np, name)))
        tanh = np.tanh
        monkeypatch.setattr(np, "tanh", lambda z, *args, **kw: self.note(z) or tanh(z, *args, **kw))

    def counted(self, product):
        def multiply(left, right, *args, **options):
            result = product(left, right, *args, **options)
            self.multiply_adds += result.size * left.shape[-1]
            return result

        return multiply

    def note(self, z):
        self.tanhs += np.size(z)

    def take(self):
        """Return what was counted since the last time."""
        counted = self.multiply_adds, self.tanhs
        self.multiply_adds = self.tanhs = 0
        return counted


@pytest.mark.parametrize("sizes", SIZES)
def test_parameters(sizes):
    lstm, _ = run(sizes)
    assert sum(param.size for param in lstm.params.values()) == cost("parameters", sizes)


@pytest.mark.parametrize("sizes", SIZES)
def test_multiply_adds(sizes, monkeypatch):
    counter, steps = Counter(monkeypatch), sizes[0]
    lstm, (out, _, cache) = run(sizes)
    expected = steps * cost("multiply-adds, forward", sizes), steps * cost("tanh", sizes)
    assert counter.take() == expected
    lstm.backward(cache, np.ones_like(out))
    useful = cost("multiply-adds, backward", sizes)
    assert counter.take() == (steps * (useful + zeros_filled_in(sizes)), 0)


def test_padding_is_not_multiplied(monkeypatch):
    counter, sizes = Counter(monkeypatch), (6, 4, 3, 5, 2)
    lengths = [6, 0, 2, 3]
    lstm, (out, _, cache) = run(sizes, lengths=lengths)
    one_row = (6, 1, 3, 5, 2)
    valid = sum(lengths)
    expected = valid * cost("multiply-adds, forward", one_row), valid * cost("tanh", one_row)
    assert counter.take() == expected
    lstm.backward(cache, np.ones_like(out))
    useful = cost("multiply-adds, backward", one_row)
    assert counter.take() == (valid * (useful + zeros_filled_in(one_row)), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", SIZES)
def test_bytes_kept_for_backward(sizes, dtype):
    _, (_, _, cache) = run(sizes, dtype)
    numbers = sizes[0] * cost("numbers kept for backward", sizes)
    assert kept_bytes(cache) - alignment(cache) == numbers * np.dtype(dtype).itemsize


def test_checkpoints_keep_inputs_and_states_and_run_forward_again(monkeypatch):
    counter = Counter(monkeypatch)
    sizes = steps, rows, features, hidden, layers = 12, 256, 3, 8, 2  # blocks of one step
    lstm, (out, _, cache) = run(sizes, checkpoint_every=4)
    inputs = steps * rows * (features + (layers - 1) * hidden)
    states = (steps // 4) * layers * 2 * rows * hidden
    assert kept_bytes(cache) - alignment(cache) == 4 * (inputs + states)
    forward, _ = counter.take()
    lstm.backward(cache, np.ones_like(out))
    backward = steps * (cost("multiply-adds, backward", sizes) + zeros_filled_in(sizes))
    assert counter.take()[0] == forward + backward


def test_four_times_a_plain_rnn():
    count = {kind: sum(p.size for p in kind(7, 9).params.values()) for kind in (LSTM, RNN)}
    assert count[LSTM] == 4 * count[RNN]


def test_readme_states_these_formulas():
    text = README.read_text(encoding="utf-8")
    for name, formula in FORMULAS.items():
        assert f"`{formula}`" in text, name
    sizes = (28, 64, 28, 128, 1)
    assert f"{cost('parameters', sizes):,} parameters" in text
    forward, backward = (cost(f"multiply-adds, {way}", sizes) for way in ("forward", "backward"))
    assert f"{28 * (forward + backward) / 1e6:.0f} million multiply-adds" in text
    assert f"{28 * 4 * cost('numbers kept for backward', sizes) / 1e6:.1f} MB" in text
