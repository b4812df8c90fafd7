"""What must not change the answer: how a batch is composed, and how a sequence is cut.

Two sides that are equal in exact arithmetic and differ in the order of some sums of moderate terms
are held to 1e-13 norm-wise, 450 roundings; where no sum changes, they are held to the bit.
"""

from __future__ import annotations

import numpy as np
import pytest
from compare import assert_close, assert_same_bits, assert_same_solution, norms
from hypothesis import given
from hypothesis import strategies as st
from problems import take
from strategies import each_problem, every_kind, lstm_cases

SOME = st.integers(1, 4)


@given(case=lstm_cases(bidirectional=False), data=st.data())
def test_chunks_with_the_state_carried_equal_the_whole(case, data):
    problem = case.problem()
    cut = data.draw(st.integers(0, case.T), "cut")
    first, second = problem.steps(0, cut), problem.steps(cut, case.T)

    early, cache = first.forward()
    second = second.change({a: early[b] for a, b in problem.states})
    late, late_gradients = second.solve()
    handed_back = {b: late_gradients[a] for a, b in problem.states}
    gradients = first.change(upstream=handed_back).backward(cache)

    t = problem.time["x"]
    outputs = late | {"out": np.concatenate([early["out"], late["out"]], t)}
    for name in problem.params:
        gradients[name] = gradients[name] + late_gradients[name]
    gradients["x"] = np.concatenate([gradients["x"], late_gradients["x"]], t)
    assert_same_solution("chunked", problem, (outputs, gradients), problem.solve())


@each_problem(N=SOME)
def test_a_batch_is_its_rows(problem):
    """Each row alone gives its own results, and the weight gradients are summed over rows."""
    outputs, gradients = problem.solve()
    total = {n: np.zeros_like(p) for n, p in problem.params.items()}
    for row in range(problem.inputs["x"].shape[problem.batch["x"]]):
        alone = problem.rows([row]).solve()
        part = take(outputs, [row], problem.batch), take(gradients, [row], problem.batch)
        for name in total:
            total[name] += alone[1][name]
            part[1][name] = alone[1][name]
        assert_same_solution("a row alone", problem, alone, part)
    got = {n: gradients[n] for n in total}
    assert_close("sum over rows", got, total, 1e-13, norms(problem.upstream))


@every_kind
@pytest.mark.parametrize("value", [2.0, np.nan])
@given(data=st.data())
def test_changing_a_row_changes_no_bit_of_another(cases, value, data):
    """Its input, its states and its upstream gradients; a NaN stays where it is."""
    case = data.draw(cases(N=st.integers(2, 5)))
    problem, row = case.problem(), data.draw(st.integers(0, case.N - 1), "row")

    def spoil(arrays):
        arrays = {n: a.copy() for n, a in arrays.items() if n in problem.batch}
        for name, array in arrays.items():
            np.moveaxis(array, problem.batch[name], 0)[row] *= value
        return arrays

    spoilt = problem.change(spoil(problem.inputs), spoil(problem.upstream))
    others = [n for n in range(case.N) if n != row]
    for before, after in zip(problem.solve(), spoilt.solve(), strict=True):
        before, after = (
            {n: a for n, a in take(arrays, others, problem.batch).items() if n in problem.batch}
            for arrays in (before, after)
        )
        assert_same_bits(after, before)
        assert all(np.isfinite(a).all() for a in after.values())
