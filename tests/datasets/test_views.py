"""Images as sequences: every view against its definition, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from idx_files import digits

from npslstm.datasets.views import PERMUTATION, VIEWS, as_sequences

IMAGES, _ = digits(3, 5)

# view: the step and the feature at which the pixel of row r and column c is read
PLACES = {
    "rows": lambda r, c: (r, c),
    "pixels": lambda r, c: (28 * r + c, 0),
    "permuted": lambda r, c: (PERMUTATION.tolist().index(28 * r + c), 0),
    "flat": lambda r, c: (0, 28 * r + c),
}


@pytest.mark.parametrize("view", PLACES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_each_pixel_is_where_the_view_puts_it(view, dtype):
    x = as_sequences(IMAGES, view, dtype=dtype)
    assert x.shape == (5, *VIEWS[view])
    assert x.dtype == dtype
    assert x.flags.c_contiguous
    assert set(PLACES) == set(VIEWS)
    assert as_sequences(IMAGES[:0], view, dtype=dtype).shape == (0, *VIEWS[view])
    for r in range(28):
        for c in range(28):
            t, d = PLACES[view](r, c)
            assert np.array_equal(x[:, t, d], IMAGES[:, r, c].astype(dtype) / dtype(255)), (r, c)


def test_rows_are_the_default_in_float32():
    x = as_sequences(IMAGES)
    assert x.shape == (5, 28, 28)
    assert x.dtype == np.float32


@pytest.mark.parametrize("view", VIEWS)
def test_layout_does_not_matter_and_the_images_are_not_written_to(view):
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    expected = as_sequences(IMAGES.copy(), view)
    for images in (frozen, np.asfortranarray(IMAGES), np.repeat(IMAGES, 2, axis=2)[:, :, ::2]):
        x = as_sequences(images, view)
        np.testing.assert_array_equal(x, expected)
        assert x.flags.c_contiguous
        assert not np.shares_memory(x, images)
    np.testing.assert_array_equal(frozen, IMAGES)


def test_the_permutation_never_changes():
    assert sorted(PERMUTATION.tolist()) == list(range(784))
    assert PERMUTATION[:8].tolist() == [52, 757, 10, 713, 337, 199, 430, 331]
    assert PERMUTATION[-4:].tolist() == [731, 660, 137, 169]
    assert not PERMUTATION.flags.writeable


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (
            IMAGES,
            {"view": "columns"},
            ValueError,
            "view: expected one of rows, pixels, permuted, flat, given 'columns'",
        ),
        (IMAGES[0], {}, ValueError, "images: expected shape (N, 28, 28), given (28, 28)"),
        (IMAGES / 255, {}, TypeError, "images: expected bytes (uint8), given float64"),
        (
            IMAGES,
            {"dtype": np.int32},
            TypeError,
            "dtype: expected a floating or complex one, given int32",
        ),
    ],
)
def test_wrong_arguments_are_named(images, options, error, message):
    with pytest.raises(error) as refused:
        as_sequences(images, **options)
    assert str(refused.value) == message
