"""The affine head: its values, its gradients, what it leaves alone and what it refuses."""

import numpy as np
import pytest
from complex_step import assert_gradient
from hypothesis import given
from hypothesis import strategies as st

from npslstm import Linear

LEADING = st.sampled_from([(), (1,), (5,), (3, 4), (2, 3, 2), (0,), (3, 0)])
SIZES = st.integers(1, 5)
SEEDS = st.integers(0, 2**32 - 1)


@given(LEADING, SIZES, SIZES, st.booleans(), SEEDS)
def test_gradients(leading, features, classes, bias, seed):
    rng = np.random.default_rng(seed)
    head = Linear(features, classes, bias, dtype=np.float64, rng=rng)
    x, dy = rng.normal(size=(*leading, features)), rng.normal(size=(*leading, classes))
    y, cache = head.forward(x)
    dx, grads = head.backward(cache, dy)
    assert y.shape == dy.shape
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


def test_values():
    head = Linear(3, 2, dtype=np.float64, rng=0)
    weight, bias = head.params["weight"], head.params["bias"]
    x = np.random.default_rng(1).normal(size=(4, 5, 3))
    y = head(x)
    for t in range(4):
        for n in range(5):
            for k in range(2):
                expected = sum(weight[k, f] * x[t, n, f] for f in range(3)) + bias[k]
                assert y[t, n, k] == pytest.approx(expected, rel=1e-14)


def test_initial_parameters_fill_the_documented_range():
    head = Linear(25, 400, rng=0)
    for param in head.params.values():
        assert param.dtype == np.float32
        assert 0.95 * 0.2 < np.abs(param).max() <= 0.2
        assert abs(param.mean()) < 0.02
    assert np.array_equal(Linear(25, 400, rng=0).params["weight"], head.params["weight"])


def test_no_rows_give_zero_gradients():
    head = Linear(3, 2, rng=0)
    y, cache = head.forward(np.zeros((4, 0, 3), np.float32))
    dx, grads = head.backward(cache, y)
    assert dx.shape == (4, 0, 3)
    assert not grads["weight"].any()
    assert not grads["bias"].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["strided", "fortran", "read-only"])
def test_any_layout_gives_the_same_and_is_not_written_to(dtype, layout):
    rng = np.random.default_rng(0)
    head = Linear(3, 2, dtype=dtype, rng=0)
    x, dy = rng.normal(size=(5, 4, 3)).astype(dtype), rng.normal(size=(5, 4, 2)).astype(dtype)
    odd_x, odd_dy = (_lay_out(array, layout) for array in (x, dy))
    before = odd_x.tobytes(), odd_dy.tobytes()

    results = []
    for x_, dy_ in ((x, dy), (odd_x, odd_dy)):
        y, cache = head.forward(x_)
        for _ in range(2):  # backward twice: the same answer
            dx, grads = head.backward(cache, dy_)
            results.append((y, dx, *grads.values()))
    for result in results:
        for array, reference in zip(result, results[0], strict=True):
            assert array.dtype == dtype
            np.testing.assert_allclose(
                array, reference, rtol=1e-12 if dtype is np.float64 else 1e-5
            )
    assert (odd_x.tobytes(), odd_dy.tobytes()) == before
    for array, again in zip(results[2], results[3], strict=True):
        assert np.array_equal(array, again)


def _lay_out(array, layout):
    if layout == "strided":
        array = np.repeat(array, 2, axis=1)[:, ::2]
    elif layout == "fortran":
        array = np.asfortranarray(array)
    array.flags.writeable = layout != "read-only"
    return array


def test_the_cache_keeps_what_forward_saw():
    head = Linear(3, 2, rng=0)
    x = np.ones((5, 3), np.float32)
    y, cache = head.forward(x)
    expected = head.backward(cache, y)[1]["weight"]
    x[...] = 7
    assert np.array_equal(head.backward(cache, y)[1]["weight"], expected)


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
