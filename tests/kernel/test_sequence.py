"""Cell in a loop == kernel == LSTM, on every output and gradient; the cuts; the kernel's memory."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from backward_checks import sizes
from cases import LSTMCase
from compare import EPS, assert_same_bits, assert_same_solution, norm
from hypothesis import given
from hypothesis import strategies as st
from loops import cell_in_a_loop
from problems import STATE, STATE_N
from strategies import lstm_cases

from npslstm.kernel import blas, memory, products, schedule, sequence
from npslstm.kernel.weights import Gradients, State, Weights


def kernel(problem):
    """(outputs, gradients) of a one-layer, time-major problem from one block of the kernel."""
    x, h, c = (problem.inputs.get(n) for n in ("x", *STATE))
    params = {name.removesuffix("_l0"): param for name, param in problem.params.items()}
    weights = Weights.for_forward(problem.net.kind, params)
    out, dx = np.empty_like(problem.upstream["out"]), np.empty_like(x)
    room = memory.Room(sequence.kept(weights, *x.shape[:2]), x.dtype)
    end = State(h[0].T, None if c is None else c[0].T).copy()
    saved = sequence.block_forward(weights, x, end, out, room)
    dh, dc = (problem.upstream.get(n) for n in STATE_N)
    start = State(dh[0].T, None if c is None else dc[0].T).copy()
    weights, sums = (
        Weights.for_backward(problem.net.kind, params),
        Gradients.zeros(weights, x.dtype),
    )
    sequence.block_backward(weights, saved, problem.upstream["out"], start, dx, sums)
    outputs = {"out": out} | {
        n: s.T[None] for n, s in zip(STATE_N, end, strict=True) if s is not None
    }
    gradients = {n: s.T[None] for n, s in zip(STATE, start, strict=True) if s is not None}
    named = sums.named(weights)
    return outputs, {"x": dx} | gradients | {f"{name}_l0": named[name] for name in params}


DENSE = {"layers": 1, "bidirectional": False, "batch_first": False, "lengths": False}
SIZES = {"T": st.integers(1, 6), "N": st.integers(1, 4), "dropout": False}


@given(case=lstm_cases(**DENSE, **SIZES))
def test_cell_in_a_loop_equals_kernel_equals_lstm(case):
    problem = case.problem()
    expected = cell_in_a_loop(problem)
    assert_same_solution("LSTM = cell in a loop", problem, problem.solve(), expected)
    assert_same_solution("kernel = cell in a loop", problem, kernel(problem), expected)


@pytest.mark.parametrize(
    "case",
    [
        LSTMCase(N=1, D=2, H=3, T=700),  # three blocks of steps
        LSTMCase(N=300, D=2, H=128, T=3),  # three slices of rows
        LSTMCase(N=64, D=28, H=128, T=9),  # three blocks, products cut into pieces
    ],
)
def test_real_sizes_cross_every_boundary(case):
    """Sums over thousands of terms: 1e-12, 4,500 roundings, where each is of moderate terms."""
    problem = case.problem()
    expected = cell_in_a_loop(problem)
    for unpacked in 0, blas.LARGEST:
        with sizes(products, UNPACKED=unpacked):
            got = problem.solve()
        assert_same_solution("LSTM = cell, real sizes", problem, got, expected, 1e-12)


@given(m=st.integers(1, 8), k=st.integers(1, 200), n=st.integers(1, 100), seed=st.integers(0, 99))
def test_a_split_product_is_the_product(m, k, n, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((64 * m, k)), rng.standard_normal((k, n))
    with mock.patch.object(products, "UNPACKED", blas.LARGEST):
        rows = products.split_rows(*left.shape, n)
    split = left.reshape(*rows, -1)
    assert np.shares_memory(split, left)
    assert split.shape[-1] == k
    got, expected = products.multiplier(rows)(split, right).reshape(-1, n), left @ right
    # k terms of size |left||right| summed in two orders; k <= 200
    assert norm(got - expected) <= 2 * 200 * EPS * norm(abs(left) @ abs(right))


@given(
    lengths=st.lists(st.integers(0, 12), max_size=7),
    hidden=st.integers(1, 4),
    every=st.none() | st.integers(1, 6),
    itemsize=st.sampled_from([4, 8]),
    blocks=st.fixed_dictionaries(
        {
            "BLOCK_COLUMNS": st.integers(1, 20),
            "COLUMNS_A_UNIT": st.integers(0, 3),
            "SLICE_BYTES": st.integers(1, 160),
            "SLICE_WIDTH": st.integers(1, 32),
        }
    ),
)
def test_blocks_cover_every_valid_step_of_every_row_once_and_in_order(
    lengths, hidden, every, itemsize, blocks
):
    lengths.sort(reverse=True)
    with mock.patch.multiple(schedule, **blocks):
        plan = schedule.plan_blocks(lengths, hidden, every, itemsize)
        ungrouped = schedule.plan_blocks(lengths, hidden, None, itemsize)
    planned = [block for segment in plan for block in segment]
    assert planned == [block for segment in ungrouped for block in segment]
    for row, length in enumerate(lengths):
        steps = [t for t0, t1, n0, n1 in planned if n0 <= row < n1 for t in range(t0, t1)]
        assert steps == list(range(length))
    columns = max(blocks["BLOCK_COLUMNS"], blocks["COLUMNS_A_UNIT"] * hidden)
    for t0, t1, n0, n1 in planned:
        assert t1 - t0 == 1 or (t1 - t0) * (n1 - n0) <= columns
        # slices are of equal width, so one row more than fits may be in them
        few = (n1 - n0) * itemsize < 2 * max(blocks["SLICE_WIDTH"], itemsize)
        assert few or (n1 - n0 - 1) * hidden * itemsize < blocks["SLICE_BYTES"]
    for segment, following in pairwise(plan):
        if every and segment[0].n0 == following[0].n0:
            assert following[0].t0 - segment[0].t0 >= every


@given(case=lstm_cases())
def test_what_stood_in_the_kernels_memory_before_is_never_read(case):
    """Memory is used again: neither what is lent nor what an earlier call left matters."""
    problem = case.problem()
    expected = problem.solve()
    nan = {n: np.full_like(a, np.nan) for n, a in problem.inputs.items()}
    problem.change(nan).solve()  # leaves NaN in every scratch array of these shapes

    def poisoned(size):
        return np.full(size, 255, np.uint8)  # NaN in every dtype

    memory.forget()
    with mock.patch.object(memory, "uninitialised", poisoned):
        got = problem.solve()
    memory.forget()
    for arrays, want in zip(got, expected, strict=True):
        assert_same_bits(arrays, want)


def test_the_kernel_returns_nothing_of_its_own_memory():
    """Another thread may be lent the same scratch as soon as a call is over."""
    case = LSTMCase(N=3, D=2, H=4, T=5)
    got = kernel(case.problem())
    expected = copy.deepcopy(got)
    kernel(replace(case, seed=1).problem())
    for arrays, want in zip(got, expected, strict=True):
        assert_same_bits(arrays, want)


def test_memory_that_somebody_holds_is_never_lent():
    """Many calls in flight, of few sizes, ended in random order; what is held stays as it was."""
    rng = np.random.default_rng(0)
    cases = [LSTMCase(N=N, D=2, H=3, T=T, layers=2, seed=N) for N in (1, 2, 3) for T in (4, 9)]
    problems = [case.problem() for case in cases]
    expected = [problem.solve() for problem in problems]
    held = []
    for _ in range(300):
        k = int(rng.integers(len(problems)))
        held.append((k, *problems[k].forward()))
        while len(held) > rng.integers(12):
            k, outputs, cache = held.pop(int(rng.integers(len(held))))
            assert_same_bits(outputs, expected[k][0])
            assert_same_bits(problems[k].backward(cache), expected[k][1])
