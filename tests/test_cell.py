"""LSTMCell as its users meet it; its mathematics is held by the properties over every kind."""

from __future__ import annotations

import numpy as np
import pytest
import textbook
from compare import EPS, assert_same_bits

from npslstm import LSTMCell, LSTMState
from npslstm.datasets import load_embedded
from npslstm.datasets.views import as_sequences


def test_the_notebooks_first_step():
    """LSTMCell(28 * 28, 4) on the first training image."""
    image = as_sequences(load_embedded().train_images[:1], "flat")[:, 0]
    cell = LSTMCell(28 * 28, 4, rng=0)
    h, c = cell(image)
    assert h.shape == c.shape == (1, 4)
    assert h.dtype == c.dtype == np.float32
    params = {n: p.tolist() for n, p in cell.params.items()}
    expected = textbook.cell(image[0].tolist(), [0.0] * 4, [0.0] * 4, params)
    # float32: a sum of 784 products, then slopes below 1; 30 roundings of 2⁻²⁴ at size 1
    np.testing.assert_allclose([h[0], c[0]], expected, rtol=0, atol=2e-6)


def test_parameters_have_pytorchs_names_and_shapes():
    shapes = {"weight_ih": (12, 2), "weight_hh": (12, 3), "bias_ih": (12,), "bias_hh": (12,)}
    cell = LSTMCell(2, 3)
    assert {n: p.shape for n, p in cell.params.items()} == shapes
    assert {p.dtype for p in cell.params.values()} == {np.dtype(np.float32)}
    assert list(LSTMCell(2, 3, bias=False).params) == ["weight_ih", "weight_hh"]


def test_initial_parameters_are_uniform_within_one_over_the_root_of_hidden_size():
    cell = LSTMCell(50, 64, dtype=np.float64, rng=0)
    for name, param in cell.params.items():
        assert abs(param).max() < 1 / 8
        # The mean of n such draws has deviation 1/(8√3n): five of them, for a fixed seed.
        assert abs(param.mean()) < 5 / (8 * (3 * param.size) ** 0.5), name
        assert abs(param).max() > 0.98 / 8, name


def test_one_seed_gives_one_cell_and_leaves_numpys_own_generator_alone():
    before = np.random.get_state(legacy=False)["state"]["key"].tobytes()  # noqa: NPY002
    first, same, other = (LSTMCell(3, 4, rng=rng) for rng in (7, np.random.default_rng(7), 8))
    unseeded = [LSTMCell(3, 4), LSTMCell(3, 4)]
    assert_same_bits(first.params, same.params)
    for different in (other, *unseeded):
        assert not np.array_equal(first.params["weight_hh"], different.params["weight_hh"])
    assert not np.array_equal(*(cell.params["weight_hh"] for cell in unseeded))
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == before  # noqa: NPY002


def test_forget_bias_is_added_to_one_slice_of_one_bias():
    plain, biased = LSTMCell(2, 3, rng=0), LSTMCell(2, 3, forget_bias=1.5, rng=0)
    expected = {n: p.copy() for n, p in plain.params.items()}
    expected["bias_ih"][3:6] += np.float32(1.5)
    assert_same_bits(biased.params, expected)


@pytest.mark.parametrize("batch", [(), (5,)])
def test_no_state_is_the_zero_state(batch):
    cell = LSTMCell(3, 4, rng=0)
    x = np.random.default_rng(1).standard_normal((*batch, 3)).astype(np.float32)
    zeros = np.zeros((*batch, 4), np.float32)
    state = cell(x)
    assert isinstance(state, LSTMState)
    for other in (cell(x, (zeros, zeros)), cell(x, (None, zeros)), cell.forward(x)[0]):
        assert_same_bits(state._asdict(), other._asdict())


def test_a_row_without_a_batch_axis_is_a_batch_of_one():
    cell = LSTMCell(3, 4, dtype=np.float64, rng=0)
    x, h, c, dh, dc = (
        np.random.default_rng(k).standard_normal(n) for k, n in enumerate([3] + 4 * [4])
    )
    (alone, cache), (batched, batched_cache) = (
        cell.forward(x, (h, c)),
        cell.forward(x[None], (h[None], c[None])),
    )
    for got, expected in zip(alone, batched, strict=True):
        np.testing.assert_allclose(got, expected[0], rtol=4 * EPS)  # a product with a vector
    dx, dstate, grads = cell.backward(cache, (dh, dc))
    expected_dx, expected_dstate, expected = cell.backward(batched_cache, (dh[None], dc[None]))
    for got, want in zip((dx, *dstate), (expected_dx, *expected_dstate), strict=True):
        np.testing.assert_allclose(got, want[0], rtol=1e-13)
    for name in grads:
        np.testing.assert_allclose(grads[name], expected[name], rtol=1e-13)


def test_an_empty_batch_has_zero_gradients():
    cell = LSTMCell(3, 4, rng=0)
    state, cache = cell.forward(np.zeros((0, 3), np.float32))
    dx, dstate, grads = cell.backward(cache, state)
    assert dx.shape == (0, 3)
    assert [s.shape for s in (*state, *dstate)] == [(0, 4)] * 4
    assert {n: g.shape for n, g in grads.items()} == {n: p.shape for n, p in cell.params.items()}
    assert not any(grad.any() for grad in grads.values())


def test_the_two_biases_have_equal_gradients_in_two_arrays():
    cell = LSTMCell(3, 4, rng=0)
    state, cache = cell.forward(np.ones((2, 3), np.float32))
    _, _, grads = cell.backward(cache, state)
    np.testing.assert_array_equal(grads["bias_ih"], grads["bias_hh"])
    assert not np.shares_memory(grads["bias_ih"], grads["bias_hh"])


def test_astype_and_load_params_copy():
    cell = LSTMCell(3, 4, rng=0)
    twin, loaded = cell.astype(np.float32), LSTMCell(3, 4, rng=1)
    loaded.load_params(cell.params)
    assert cell.astype(np.complex128).params["bias_hh"].dtype == np.complex128
    for other in (twin, loaded):
        assert_same_bits(other.params, cell.params)
        assert not any(np.shares_memory(other.params[n], p) for n, p in cell.params.items())
