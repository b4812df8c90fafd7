"""The losses: values against the definitions, gradients by the complex step, and the extremes."""

import math

import numpy as np
import pytest
from directions import assert_gradient
from hypothesis import assume, given
from hypothesis import strategies as st

from npslstm import cross_entropy, mean_squared_error
from npslstm.losses import cross_entropy_second

LEADING = st.sampled_from([(), (1,), (5,), (3, 4), (2, 3, 2), (0,), (3, 0)])
SEEDS = st.integers(0, 2**32 - 1)


def draw(leading, classes, seed, masked):
    """Logits, labels, and a mask whose uncounted rows hold what must not be read."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(*leading, classes))
    labels = rng.integers(classes, size=leading)
    if not masked:
        return rng, logits, labels, None
    mask = np.asarray(rng.random(leading) < 0.6)
    logits[~mask] = np.nan
    return rng, logits, np.where(mask, labels, -100), mask


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-320, 1e-50, 1e-45, 3e38, 1e300])
@pytest.mark.parametrize("smoothing", [0, 0.3])
def test_class_weights_may_be_of_any_size(size, smoothing, dtype):
    _, logits, labels, _ = draw((4, 5), 3, 0, False)
    z = logits.astype(dtype)
    expected = cross_entropy(z, labels, weights=[1, 2, 4], label_smoothing=smoothing)
    options = {"weights": size * np.array([1, 2, 4]), "label_smoothing": smoothing}
    for wanted, got in zip(expected, cross_entropy(z, labels, **options), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, wanted, rtol=8 * np.finfo(dtype).eps, atol=0)
    np.testing.assert_allclose(
        cross_entropy_second(z, z[::-1], labels, **options),
        cross_entropy_second(z, z[::-1], labels, weights=[1, 2, 4], label_smoothing=smoothing),
        rtol=8 * np.finfo(dtype).eps,
    )


def test_a_class_weight_is_small_only_beside_others_that_count():
    z = np.array([[1, 0, 0]], np.float32)  # in float32 alone 1e-60 would be 0
    loss, dlogits = cross_entropy(z, [0], weights=[1e-60, 1, 0])
    expected = cross_entropy(z, [0])
    assert loss == expected[0]
    np.testing.assert_array_equal(dlogits, expected[1])


@pytest.mark.parametrize("masked", [False, True])
@given(LEADING, st.integers(1, 6), SEEDS)
def test_cross_entropy(masked, leading, classes, seed):
    rng, logits, labels, mask = draw(leading, classes, seed, masked)
    loss, dlogits = cross_entropy(logits, labels, mask)

    counted = np.ones(leading, bool) if mask is None else mask
    losses = [
        math.log(math.fsum(map(math.exp, row))) - row[label]
        for row, label in zip(logits[counted], labels[counted], strict=True)
    ]
    assert loss == pytest.approx(math.fsum(losses) / max(len(losses), 1), rel=1e-12, abs=1e-14)
    assert dlogits.shape == logits.shape
    assert not dlogits[~counted].any()
    # dz = (p - 1) / n for the label: where p is close to 1, digits are lost.
    size = 1 / max(len(losses), 1)
    assert_gradient(lambda z: cross_entropy(z, labels, mask)[0], logits, dlogits, rng, size)


@pytest.mark.parametrize("masked", [False, True])
@given(LEADING, st.integers(1, 6), SEEDS, st.floats(0, 1))
def test_cross_entropy_with_class_weights_and_label_smoothing(
    masked, leading, classes, seed, smoothing
):
    rng, logits, labels, mask = draw(leading, classes, seed, masked)
    weights = rng.uniform(0.1, 3, classes)
    if classes > 2:
        weights[0] = 0  # a class that does not count
    options = {"weights": weights, "label_smoothing": smoothing}
    loss, dlogits = cross_entropy(logits, labels, mask, **options)

    counted = np.ones(leading, bool) if mask is None else mask
    total, losses = 0.0, []
    for row, label in zip(logits[counted], labels[counted], strict=True):
        surprise = math.log(math.fsum(map(math.exp, row))) - row  # -log p
        losses.append((1 - smoothing) * weights[label] * surprise[label])
        losses += list(smoothing / classes * weights * surprise)
        total += weights[label]
    expected = math.fsum(losses) / total if total else 0
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert not dlogits[~counted].any()
    size = weights.max() / total if total else None
    assert_gradient(
        lambda z: cross_entropy(z, labels, mask, **options)[0], logits, dlogits, rng, size
    )


@pytest.mark.torch
@given(st.integers(1, 6), SEEDS, st.floats(0, 1), st.booleans())
def test_cross_entropy_is_that_of_pytorch(torch, classes, seed, smoothing, masked):
    rng, logits, labels, mask = draw((3, 5), classes, seed, masked)
    weights = rng.uniform(0.1, 3, classes)
    loss, dlogits = cross_entropy(logits, labels, mask, weights=weights, label_smoothing=smoothing)
    counted = np.ones((3, 5), bool) if mask is None else mask
    z = torch.tensor(logits[counted], requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(
        z,
        torch.tensor(labels[counted]),
        torch.tensor(weights),
        label_smoothing=smoothing,
    )
    assume(counted.any())  # PyTorch's mean over nothing is nan
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(dlogits[counted], z.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_without_options_a_class_counts_as_any_other():
    _, logits, labels, _ = draw((4, 5), 3, 0, False)
    plain = cross_entropy(logits, labels)
    same = cross_entropy(logits, labels, weights=[2, 2, 2], label_smoothing=0)
    assert plain[0] == pytest.approx(same[0], rel=1e-15)
    np.testing.assert_allclose(plain[1], same[1], rtol=1e-14)


@pytest.mark.parametrize("masked", [False, True])
@given(LEADING, st.integers(1, 6), SEEDS)
def test_mean_squared_error(masked, leading, size, seed):
    rng, prediction, _, mask = draw(leading, size, seed, masked)
    target = rng.normal(size=prediction.shape)
    loss, dprediction = mean_squared_error(prediction, target, mask)

    counted = np.ones(leading, bool) if mask is None else mask
    errors = (prediction[counted] - target[counted]).ravel()
    expected = math.fsum(error**2 for error in errors) / max(len(errors), 1)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert dprediction.shape == prediction.shape
    assert not dprediction[~counted].any()
    assert_gradient(lambda y: mean_squared_error(y, target, mask)[0], prediction, dprediction, rng)


def test_what_is_masked_out_counts_as_absent():
    rng = np.random.default_rng(0)
    z, y, t = rng.normal(size=(6, 3)), rng.integers(3, size=6), rng.normal(size=(6, 3))
    mask = np.array([True, False, True, True, False, False])
    for function, other in (cross_entropy, y), (mean_squared_error, t):
        loss, gradient = function(z, other, mask)
        loss_kept, gradient_kept = function(z[mask], other[mask])
        assert loss == loss_kept
        assert np.array_equal(gradient[mask], gradient_kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_over_nothing_loss_and_gradient_are_zero(dtype):
    """No rows, or none that counts, whatever they hold."""
    absent, ignored = np.zeros((2, 0, 3), dtype), np.full((2, 3), np.nan, dtype)
    masks = np.zeros((2, 0), bool), np.zeros(2, bool)
    for z, mask in (absent, None), (absent, masks[0]), (ignored, masks[1]):
        labels = np.full(z.shape[:-1], 9)
        for function, other in (cross_entropy, labels), (mean_squared_error, z):
            loss, gradient = function(z, other, mask)
            assert loss == 0
            assert loss.dtype == gradient.dtype == dtype
            assert gradient.shape == z.shape
            assert not gradient.any()


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(dtype, size) for dtype in (np.float32, np.float64) for size in (1.0, 1e4, 1e30, 1e38)]
    + [(np.float64, 8e307)],
)
def test_huge_logits(dtype, size):
    """A right answer costs nothing, a wrong one the difference; 100 rows overflow no sum."""
    logits = np.array([[size, -size]] * 100, dtype)
    loss, dlogits = cross_entropy(logits, np.zeros(100, int))
    assert loss == pytest.approx(math.log1p(math.exp(-2 * size)), rel=1e-5)
    assert np.isfinite(dlogits).all()

    loss, dlogits = cross_entropy(logits, np.ones(100, int))
    assert loss == pytest.approx(2 * size + math.log1p(math.exp(-2 * size)), rel=1e-5)
    p = 1 / (1 + math.exp(-2 * size))
    np.testing.assert_allclose(dlogits, [[p / 100, -p / 100]] * 100, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_beyond_the_largest_number_is_that_number(dtype):
    largest = np.finfo(dtype).max
    loss, dlogits = cross_entropy(np.array([[largest, -largest]], dtype), [1])
    assert loss == largest
    assert np.array_equal(dlogits, [[1, -1]])


def test_infinite_logits_are_not_made_finite():
    assert cross_entropy(np.array([[0.0, -np.inf]]), [1])[0] == np.inf
    assert np.isnan(cross_entropy(np.array([[0.0, np.nan]]), [1])[0])


def test_an_excluded_class_may_be_minus_infinity():
    loss, dlogits = cross_entropy(np.array([[1.0, 2.0, -np.inf]]), [0])
    assert loss == cross_entropy(np.array([[1.0, 2.0]]), [0])[0]
    assert dlogits[0, 2] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_left_alone_and_dtype_is_kept(dtype):
    rng = np.random.default_rng(0)
    for shape in (4, 3), (5, 4, 3), (3,):
        z = np.asfortranarray(rng.normal(size=shape).astype(dtype))
        labels = rng.integers(3, size=shape[:-1])
        target = rng.normal(size=shape).astype(dtype)
        mask = np.ones(shape[:-1], bool)
        arrays = (z, labels, target, mask)
        for array in arrays:
            array.flags.writeable = False
        before = [array.tobytes() for array in arrays]
        for loss, gradient in (
            cross_entropy(z, labels, mask),
            mean_squared_error(z, target, mask),
        ):
            assert loss.dtype == gradient.dtype == dtype
            assert gradient.shape == shape
            assert np.ndim(loss) == 0
        assert [array.tobytes() for array in arrays] == before


Z = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cross_entropy(Z, [0, 1, 2, 3]), ValueError, ["labels", "[0, 3)", "3"]),
        (lambda: cross_entropy(Z, [0, 1, 2, -1]), ValueError, ["labels", "[0, 3)", "-1"]),
        (lambda: cross_entropy(Z, [0.0, 1, 2, 1]), TypeError, ["labels", "integers", "float64"]),
        (lambda: cross_entropy(Z, [True] * 4), TypeError, ["labels", "integers", "bool"]),
        (lambda: cross_entropy(Z, [0, 1, 2]), ValueError, ["labels", "(4,)", "(3,)"]),
        (lambda: cross_entropy(Z, Z.astype(int)), ValueError, ["labels", "(4,)", "(4, 3)"]),
        (lambda: cross_entropy(Z.astype(int), [0] * 4), TypeError, ["logits", "int64"]),
        (lambda: cross_entropy([[0.0]], [0]), TypeError, ["logits", "array", "list"]),
        (lambda: cross_entropy(np.array(1.0), 0), ValueError, ["logits", "(..., K)", "()"]),
        (lambda: cross_entropy(Z, [0] * 4, [1] * 4), TypeError, ["mask", "bool", "int64"]),
        (lambda: cross_entropy(Z, [0] * 4, [True]), ValueError, ["mask", "(4,)", "(1,)"]),
        (
            lambda: cross_entropy(Z, [0] * 4, weights=[1, 2]),
            ValueError,
            ["weights", "(3,)", "(2,)"],
        ),
        (lambda: cross_entropy(Z, [0] * 4, weights=[1, 2, -1]), ValueError, ["weights", "-1"]),
        (lambda: cross_entropy(Z, [0] * 4, weights=[0, 0, 0]), ValueError, ["weights", "zeros"]),
        (lambda: cross_entropy(Z, [0] * 4, weights=[1, 2, np.inf]), ValueError, ["weights", "inf"]),
        (lambda: cross_entropy(np.ma.array(Z), [0] * 4), TypeError, ["logits", "Masked"]),
        (lambda: cross_entropy(Z, [0] * 4, np.ma.array(Z[:, 0] == 0)), TypeError, ["mask", "Mask"]),
        (lambda: mean_squared_error(np.ma.array(Z), Z), TypeError, ["prediction", "Masked"]),
        (lambda: mean_squared_error(Z, np.ma.array(Z)), TypeError, ["target", "Masked"]),
        (lambda: cross_entropy(Z, [0] * 4, label_smoothing=1.5), ValueError, ["smoothing", "1.5"]),
        (lambda: cross_entropy(Z, np.ma.array([0] * 4)), TypeError, ["labels", "labels.data"]),
        (lambda: mean_squared_error(Z, Z.T), ValueError, ["target", "(4, 3)", "(3, 4)"]),
        (lambda: mean_squared_error(Z, Z.astype("f4")), TypeError, ["target", "float64"]),
        (lambda: mean_squared_error(Z.astype("f4"), Z), TypeError, ["target", "float32"]),
        (lambda: mean_squared_error(Z.astype(int), Z), TypeError, ["prediction", "int64"]),
        (lambda: mean_squared_error(Z, Z, Z > 0), ValueError, ["mask", "(4,)", "(4, 3)"]),
    ],
)
def test_wrong_input_is_named(call, error, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
