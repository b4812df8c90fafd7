"""Images as the sequences that an LSTM reads.

    image, (28, 28) bytes  →  sequence, (T, D) floats in 0..1

Read by rows, an image is 28 steps of 28 pixels. Read pixel by pixel it is 784 steps, the test of
long memory of Le, Jaitly & Hinton (2015); permuted, its harder form, neighbours are far apart.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["PERMUTATION", "VIEWS", "as_sequences"]

VIEWS = MappingProxyType(
    {
        "rows": (28, 28),  # one row of pixels a step
        "pixels": (784, 1),  # one pixel a step, row by row
        "permuted": (784, 1),  # the same pixels in the order PERMUTATION
        "flat": (1, 784),  # the whole image in one step
    }
)
"""The (T, D) of each view of an image."""

# No version of NumPy may change the raw stream of a bit generator (NEP 19), so this is for ever.
PERMUTATION = np.argsort(np.random.PCG64(784).random_raw(784), kind="stable")
"""Step t of the permuted view reads pixel PERMUTATION[t]: one random order."""
PERMUTATION.flags.writeable = False


def as_sequences(
    images: NDArray[np.uint8], view: str = "rows", *, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Turn images into a batch of sequences, with pixels scaled from 0..255 to 0..1.

    Parameters
    ----------
    images : array
        (N, 28, 28) uint8.
    view : str
        How an image becomes a sequence: a key of `VIEWS`.
    dtype : dtype
        The floating or complex dtype to return.

    Returns
    -------
    array
        (N, T, D), batch first, with T and D from `VIEWS`.

    Raises
    ------
    ValueError, TypeError
        An unknown view, or images or a dtype of another kind.

    Examples
    --------
    >>> from npslstm.datasets import as_sequences, load_embedded
    >>> as_sequences(load_embedded().train_images[:100], "rows").shape
    (100, 28, 28)
    """
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {', '.join(VIEWS)}, given {view!r}")
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"images: expected shape (N, 28, 28), given {images.shape}")
    if images.dtype != np.uint8:
        raise TypeError(f"images: expected bytes (uint8), given {images.dtype}")
    if np.dtype(dtype).kind not in "fc":
        raise TypeError(f"dtype: expected a floating or complex one, given {np.dtype(dtype)}")
    pixels = images.reshape(len(images), 784)
    if view == "permuted":
        pixels = pixels[:, PERMUTATION]
    return np.divide(pixels, 255, dtype=dtype, order="C").reshape(len(images), *VIEWS[view])
