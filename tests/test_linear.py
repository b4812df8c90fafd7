"""The affine head: its values, its gradients, what it leaves alone and what it refuses."""

import numpy as np
import pytest
from directions import assert_gradient
from hypothesis import given
from hypothesis import strategies as st
from layouts import LAYOUTS

from npslstm import Linear

LEADING = st.sampled_from([(), (1,), (5,), (3, 4), (2, 3, 2), (0,), (3, 0)])
SIZES = st.integers(1, 5)
SEEDS = st.integers(0, 2**32 - 1)


@given(LEADING, SIZES, SIZES, st.booleans(), SEEDS)
def test_values_and_gradients(leading, features, classes, bias, seed):
    rng = np.random.default_rng(seed)
    head = Linear(features, classes, bias, dtype=np.float64, rng=rng)
    x, dy = rng.normal(size=(*leading, features)), rng.normal(size=(*leading, classes))
    y, cache = head.forward(x)
    dx, grads = head.backward(cache, dy)
    expected = np.einsum("...f,kf->...k", x, head.params["weight"]) + head.params.get("bias", 0)
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)
    assert dx.shape == x.shape
    assert list(grads) == list(head.params)

    assert_gradient(lambda x: (head(x) * dy).sum(), x, dx, rng)
    for name in head.params:

        def loss(param, name=name):
            twin = head.astype(np.float64)
            twin.params[name] = param
            return (twin(x) * dy).sum()

        assert grads[name].shape == head.params[name].shape
        assert_gradient(loss, head.params[name], grads[name], rng)


def test_initial_parameters_fill_the_documented_range():
    head = Linear(25, 400, rng=0)
    for param in head.params.values():
        assert param.dtype == np.float32
        assert 0.95 * 0.2 < np.abs(param).max() <= 0.2
        assert abs(param.mean()) < 0.02
    assert np.array_equal(Linear(25, 400, rng=0).params["weight"], head.params["weight"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_gives_the_same_and_what_callers_do_to_it_afterwards_does_not_matter(
    dtype, layout
):
    rng = np.random.default_rng(0)
    head = Linear(3, 2, dtype=dtype, rng=0)
    x, dy = rng.normal(size=(5, 4, 3)).astype(dtype), rng.normal(size=(5, 4, 2)).astype(dtype)
    odd_x = layout(x)
    (y, cache), (odd_y, odd_cache) = head.forward(x), head.forward(odd_x)
    odd_x.flags.writeable = True
    odd_x[...] = 7
    dx, grads = head.backward(cache, dy)
    results = [(odd_y, *head.backward(odd_cache, layout(dy))) for _ in range(2)]
    for odd_y, odd_dx, odd_grads in results:  # backward twice: the same answer
        for got, expected in ((odd_y, y), (odd_dx, dx), *((odd_grads[n], grads[n]) for n in grads)):
            assert got.dtype == dtype
            rtol = 1e-12 if dtype is np.float64 else 1e-5
            np.testing.assert_allclose(got, expected, rtol=rtol)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda h: h(np.ones((5, 4), np.float32)), ValueError, ["x", "(5, 3)", "(5, 4)"]),
        (lambda h: h(np.float32(1)), TypeError, ["x", "array"]),
        (lambda h: h([[1.0, 2.0, 3.0]]), TypeError, ["x", "array", "list"]),
        (lambda h: h(np.ones((5, 3))), TypeError, ["x", "float32", "float64"]),
        (lambda h: h(np.ones((5, 3), int)), TypeError, ["x", "float32", "int64"]),
        (
            lambda h: h.backward(h.forward(np.ones((5, 3), np.float32))[1], np.ones((2, 5), "f4")),
            ValueError,
            ["dy", "(5, 2)", "(2, 5)"],
        ),
        (lambda h: Linear(0, 2), ValueError, ["in_features", "0"]),
        (lambda h: Linear(3, 2.5), TypeError, ["out_features", "float"]),
        (lambda h: Linear(3, 2, dtype=int), TypeError, ["dtype", "int64"]),
        (lambda h: Linear(3, 2, rng="seed"), TypeError, ["rng", "str"]),
    ],
)
def test_wrong_input_is_named(call, error, words):
    with pytest.raises(error) as caught:
        call(Linear(3, 2, rng=0))
    for word in words:
        assert word in str(caught.value)
