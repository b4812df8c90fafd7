"""Rows of different lengths, and the direction that reads them from their end.

Two sides that are equal in exact arithmetic and differ in the order of some sums of moderate terms
are held to 1e-13 norm-wise, 450 roundings; where no sum changes, they are held to the bit.
"""

from __future__ import annotations

import numpy as np
from compare import assert_same_bits, assert_same_solution
from hypothesis import given
from problems import take
from strategies import lstm_cases


def steps_and_rows(problem, array):
    """View a sequence of the problem, which lies as x does, as (T, N, features)."""
    if "x" not in problem.batch:
        return array[:, None]
    return np.moveaxis(array, (problem.time["x"], problem.batch["x"]), (0, 1))


def padding(problem):
    """Say which steps lie past their row's end, (T, N)."""
    steps = problem.inputs["x"].shape[problem.time["x"]]
    return np.arange(steps)[:, None] >= problem.lengths


@given(case=lstm_cases(lengths=True))
def test_what_stands_in_the_padding_is_never_read(case):
    """Neither in x nor in the gradient of out; and what is written there is 0."""
    problem = case.problem()
    x, dout = problem.inputs["x"].copy(), problem.upstream["out"].copy()
    for array in (x, dout):
        steps_and_rows(problem, array)[padding(problem)] = np.nan
    expected = problem.solve()
    got = problem.change({"x": x}, {"out": dout}).solve()
    for have, want in zip(got, expected, strict=True):
        assert_same_bits(have, want)
    for array in (expected[0]["out"], expected[1]["x"]):
        assert not steps_and_rows(problem, array)[padding(problem)].any()


@given(case=lstm_cases(lengths=True))
def test_a_row_of_length_zero_hands_its_state_through(case):
    problem = case.problem()
    zeros = np.zeros_like(problem.lengths)
    outputs, gradients = problem.change(lengths=zeros).solve()
    for first, last in problem.states:
        np.testing.assert_array_equal(outputs[last], problem.inputs[first], strict=True)
        np.testing.assert_array_equal(gradients[first], problem.upstream[last], strict=True)
    assert not any(gradients[n].any() for n in ("x", *problem.params))


@given(case=lstm_cases(lengths=True))
def test_the_amount_of_padding_does_not_matter(case):
    problem = case.problem()
    longest = int(problem.lengths.max(initial=0))
    outputs, gradients = problem.solve()
    valid = range(longest)
    expected = take(outputs, valid, problem.time), take(gradients, valid, problem.time)
    got = problem.steps(0, longest).solve()
    assert_same_solution("less padding", problem, got, expected)
