"""Calls have no side effects: on arguments, on caches, on each other; and none is remembered."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from compare import assert_same_bits, assert_same_solution
from hypothesis import given
from hypothesis import strategies as st
from layouts import LAYOUTS
from strategies import each_problem, every_kind

from npslstm import LSTM, LSTMCell, LSTMModel


def arrays_in(thing):
    """Yield every array in a nest of dictionaries, tuples and lists."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict):
        yield from arrays_in(list(thing.values()))
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from arrays_in(part)


def snapshot(*things):
    return [(a.dtype, a.shape, a.strides, a.tobytes()) for a in arrays_in(things)]


@each_problem(dtype=st.sampled_from(["float32", "float64"]))
def test_no_argument_and_no_cache_is_written_to(problem):
    arguments = problem.inputs, problem.upstream, problem.options
    before = snapshot(*arguments)
    outputs, cache = problem.forward()
    assert snapshot(*arguments) == before
    before = snapshot(*arguments, outputs, cache)
    problem.backward(cache)
    problem.infer()
    assert snapshot(*arguments, outputs, cache) == before


@each_problem(N=st.none() | st.integers(1, 3))
def test_what_callers_do_to_their_arrays_afterwards_does_not_matter(expected):
    """All that a call takes, but for the parameters, and all that it returns is the caller's."""
    problem = copy.deepcopy(expected)
    outputs, cache = problem.forward()
    arguments = {n: problem.inputs[n] for n in ("x", *(a for a, _ in problem.states))}
    for array in arrays_in([arguments, outputs, problem.options]):
        array[...] = 7
    gradients = problem.backward(cache)
    want = expected.gradients()
    assert_same_bits(gradients, want)
    for array in arrays_in([gradients]):
        array[...] = 7
    assert_same_bits(problem.backward(cache), want)


@every_kind
@given(data=st.data())
def test_calls_may_be_interleaved(cases, data):
    """One set of weights, two calls in flight, as in a sequence of cells or a Siamese net."""
    first = data.draw(cases()).problem()
    rng = np.random.default_rng(7)
    second = first.change({n: rng.standard_normal(first.inputs[n].shape) for n in ("x", "h_0")})
    alone = first.solve(), second.solve()
    outputs, cache = first.forward()
    late_outputs, late_cache = second.forward()
    gradients = first.backward(cache)
    late_gradients = second.backward(late_cache)
    together = (outputs, gradients), (late_outputs, late_gradients)
    for got, want in zip(together, alone, strict=True):
        for arrays, expected in zip(got, want, strict=True):
            assert_same_bits(arrays, expected)


NETS = {
    "cell": lambda: LSTMCell(6, 32, dtype=np.float64, rng=0),
    "lstm": lambda: LSTM(6, 32, 2, bidirectional=True, dtype=np.float64, rng=0),
    "model": lambda: LSTMModel(6, 32, 5, 2, readout="all", dtype=np.float64, rng=0),
}
every_net = pytest.mark.parametrize("kind", NETS)


def solve(net, kind, seed):
    """Outputs and gradients as one list of arrays, for an input drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    *outputs, cache = net.forward(rng.standard_normal((16, 6) if kind == "cell" else (40, 16, 6)))
    *out, state = outputs
    back = net.backward(cache, *(np.cos(o) for o in out), tuple(np.sin(s) for s in state))
    return list(arrays_in([outputs, back]))


@every_net
def test_two_threads_may_share_one_net(kind):
    net, seeds = NETS[kind](), range(16)
    expected = [solve(net, kind, seed) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda seed: solve(net, kind, seed), seeds))
    for arrays, wanted in zip(got, expected, strict=True):
        for array, want in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(array, want, strict=True)


@every_net
def test_parameters_changed_in_place_are_seen(kind):
    net, fresh = NETS[kind](), NETS[kind]()
    solve(net, kind, 0)
    for param in net.params.values():
        param *= 1.5
    fresh.load_params({n: 1.5 * p for n, p in fresh.params.items()})
    for array, want in zip(solve(net, kind, 0), solve(fresh, kind, 0), strict=True):
        np.testing.assert_array_equal(array, want, strict=True)


@every_kind
@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_memory_layout_does_not_matter(cases, layout, data):
    """Of anything that is passed in. BLAS may sum in another order for it."""
    problem = data.draw(cases()).problem()
    masks = tuple(layout(m) for m in problem.options.get("dropout_masks", ()))
    odd = problem.change(
        {n: layout(a) for n, a in problem.inputs.items()},
        {n: layout(a) for n, a in problem.upstream.items()},
        **({"dropout_masks": masks} if masks else {}),
    )
    assert_same_solution(layout.__name__, problem, odd.solve(), problem.solve())
