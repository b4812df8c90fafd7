"""Every gradient of cell, LSTM and model, over every combination of options.

For analytic F and a real direction v, Im F(z + i·s·v)/s is the directional derivative with no
subtraction in it, so with a tiny s it is as accurate as F itself (Squire & Trapp 1998).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from cases import CellCase, LSTMCase, ModelCase
from compare import assert_close, assert_same_bits, assert_small, norm, norms
from directions import inner, jvp, random_like
from hypothesis import strategies as st
from strategies import each_problem

SMALL = st.integers(1, 2)


def assert_each_array_equals_the_complex_step(problem):
    """Along a random direction v of each array by itself, ⟨g, v⟩ = ⟨u, J v⟩.

    The entries of v have variance 1, so an error e of g shows as |⟨e, v⟩|, on average ‖e‖.
    """
    u, gradients = problem.upstream, problem.gradients()
    for name, v in random_like(gradients, seed=1).items():
        error = abs(np.vdot(gradients[name], v) - inner(u, jvp(problem, {name: v})))
        size = norm(gradients[name])
        assert_small("each array = complex step", name, error, size, 1e-12, norms(u))


@each_problem()
def test_each_array_equals_the_complex_step(problem):
    assert_each_array_equals_the_complex_step(problem)


@pytest.mark.parametrize("case", [CellCase, LSTMCase, ModelCase])
@pytest.mark.parametrize("N", [1, None])
def test_one_of_everything(case, N):
    """T = N = D = H = K = 1, and no batch axis at all."""
    assert_each_array_equals_the_complex_step(case(N=N).problem())


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("readout", [None, "last", "all"])
def test_every_combination_of_options(layers, readout):
    """At sizes with which every part of the code has something to do, blocks and segments too."""
    sizes = {"T": 5, "N": 3, "D": 2, "H": 3, "block_columns": 4, "checkpoint_every": 2}
    names = ["bidirectional", "bias", "batch_first", "lengths", "dropout"]
    for seed, flags in enumerate(product([False, True], repeat=len(names))):
        options = dict(zip(names, flags, strict=True)) | {"layers": layers, "seed": seed} | sizes
        case = LSTMCase(**options) if readout is None else ModelCase(**options, readout=readout)
        assert_each_array_equals_the_complex_step(case.problem())


@each_problem(T=st.integers(0, 3), N=st.integers(0, 2) | st.none(), D=SMALL, H=SMALL, K=SMALL)
def test_each_entry_equals_the_complex_step(problem):
    """One forward an entry, so the sizes are small."""
    expected = {n: np.zeros(a.shape) for n, a in problem.inputs.items()}
    for name, gradient in expected.items():
        for index in np.ndindex(gradient.shape):
            e = np.zeros(gradient.shape)
            e[index] = 1
            gradient[index] = inner(problem.upstream, jvp(problem, {name: e}))
    got, floor = problem.gradients(), norms(problem.upstream)
    assert_close("each entry = complex step", got, expected, 1e-12, floor)


@each_problem(dtype="float32")
def test_float32_follows_float64(problem):
    """Norm-wise to 1e-5, 80 roundings of float32, on the same numbers."""
    double = astype(problem, np.float64)
    eps = float(np.finfo(np.float32).eps)
    outputs, cache = problem.forward()
    assert_close("float32 outputs", outputs, double.outputs(), 1e-5, 1.0, eps)
    gradients, floor = problem.backward(cache), norms(problem.upstream)
    assert_close("float32 gradients", gradients, double.gradients(), 1e-5, floor, eps)


@each_problem()
def test_all_complex_arrays_give_the_real_numbers(problem):
    """Complex parameters, inputs, states and upstream gradients, all with imaginary part 0."""
    twin = astype(problem, np.complex128)
    (real, cache), (got, twin_cache) = problem.forward(), twin.forward()
    # NumPy's real and complex tanh and products each round in their own way.
    assert_close("complex outputs", got, real, 1e-13, 1.0)
    gradients, floor = twin.backward(twin_cache), norms(problem.upstream)
    assert_close("complex gradients", gradients, problem.backward(cache), 1e-13, floor)
    assert not any(a.imag.any() for arrays in (got, gradients) for a in arrays.values())


def astype(problem, dtype):
    masks = problem.options.get("dropout_masks")
    options = {} if masks is None else {"dropout_masks": tuple(m.astype(dtype) for m in masks)}
    return problem.change(
        {n: a.astype(dtype) for n, a in problem.inputs.items()},
        {n: a.astype(dtype) for n, a in problem.upstream.items()},
        **options,
    )


@each_problem(dtype=st.sampled_from(["float32", "float64"]))
def test_gradients_have_the_names_shapes_and_dtypes_of_their_inputs(problem):
    outputs, cache = problem.forward()
    gradients = problem.backward(cache)
    assert list(gradients) == list(problem.inputs)
    for arrays, like in ((gradients, problem.inputs), (outputs, problem.upstream)):
        for name, array in arrays.items():
            assert array.shape == like[name].shape, name
            assert array.dtype == like[name].dtype, name
            assert array.flags.writeable, name


@each_problem()
def test_one_complex_upstream_gradient_makes_the_gradients_complex(problem):
    """As for a real net below a complex one; by linearity the parts are two real gradients."""
    _, cache = problem.forward()
    u, v = problem.upstream, random_like(problem.upstream, seed=3)
    zeros = {n: np.zeros_like(w) for n, w in u.items()}
    for name in u:
        real = problem.backward(cache)
        imag = problem.change(upstream=zeros | {name: v[name]}).backward(cache)
        got = problem.change(upstream={name: u[name] + 1j * v[name]}).backward(cache)
        expected = {n: real[n] + 1j * imag[n] for n in real}
        assert_close("complex upstream", got, expected, 1e-13, norms(u) + norms(v))


@each_problem()
def test_an_absent_upstream_gradient_is_zero(problem):
    _, cache = problem.forward()
    nothing = dict.fromkeys(problem.upstream)
    zeros = {n: np.zeros_like(u) for n, u in problem.upstream.items()}
    for name, u in problem.upstream.items():
        alone = problem.change(upstream=nothing | {name: u}).backward(cache)
        assert_same_bits(alone, problem.change(upstream=zeros | {name: u}).backward(cache))


@each_problem()
def test_backward_twice_gives_the_same_bits(problem):
    _, cache = problem.forward()
    assert_same_bits(problem.backward(cache), problem.backward(cache))
