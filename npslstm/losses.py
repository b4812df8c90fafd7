"""Losses: each returns its value and its gradient with respect to the first argument.

Shapes: logits z ``(..., K)``, labels ``(...)`` integers in [0, K), mask ``(...)``. The leading axes
are any, none or empty; each position in them is one row, and a mask says which rows count. What
stands in a row that does not count is never read, NaN included, and its gradient is exactly 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, check_array

__all__ = ["cross_entropy", "mean_squared_error"]


def cross_entropy(
    logits: Array, labels: ArrayLike, mask: ArrayLike | None = None
) -> tuple[Any, Array]:
    """Softmax cross-entropy, averaged over the rows that count.

    With n rows, and y the label of a row::

        (C1)  log p = z - log Σ_k exp(z_k)        log-sum-exp: z is shifted by its maximum first
        (C2)  loss  = -Σ_rows log p_y / n
        (C3)  dz    = (p - onehot(y)) / n         from (C2), (C1)

    Parameters
    ----------
    logits : ndarray, shape (..., K)
        float32 or float64, of any finite size (complex128 for the complex-step check).
    labels : integer array, shape (...)
        The right class of each row.
    mask : boolean array, shape (...), optional
        True where a row counts; all do by default.

    Returns
    -------
    loss : scalar of the dtype of logits
        0 if no row counts. Finite for finite logits: a true loss beyond the dtype's largest number
        is given as that number.
    dlogits : ndarray, shape (..., K)
        ∂loss/∂logits.

    Raises
    ------
    TypeError
        If logits are not floating point, labels not integers or the mask not boolean.
    ValueError
        If the shapes do not fit, or a label that counts is outside [0, K).

    Examples
    --------
    >>> loss, dlogits = cross_entropy(np.array([[0.0, 0.0]]), [1])
    >>> print(f"{loss:.4f}", dlogits)
    0.6931 [[ 0.5 -0.5]]
    """
    _check_float("logits", logits)
    labels = _check_labels(labels, logits.shape[:-1])
    counted = _counted_rows(mask, logits.shape[:-1])

    z, y = logits[counted], labels[counted]  # (n, K), (n,)
    n, classes = z.shape
    if n == 0:
        return logits.dtype.type(0), np.zeros_like(logits, order="C")
    outside = y[(y < 0) | (y >= classes)]
    if outside.size:
        raise ValueError(f"labels: expected integers in [0, {classes}), given {outside[0]}")

    rows = np.arange(n)
    # The shift cancels in (C1); as a real constant it does not touch the derivative. Logits too far
    # apart for the dtype become -inf, whose exponential, 0, is right.
    with np.errstate(over="ignore"):
        z = z - z.real.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    loss = -((z[rows, y] - np.log(total[:, 0])) / n).sum()  # (C1), (C2): / n first, or Σ overflows
    if np.isposinf(loss.real) and np.isfinite(logits[counted]).all():
        loss = logits.dtype.type(np.finfo(logits.dtype).max)

    p[rows, y] -= 1
    dlogits = np.zeros_like(logits, order="C")
    dlogits[counted] = p / n  # (C3)
    return loss, dlogits


def mean_squared_error(
    prediction: Array, target: Array, mask: ArrayLike | None = None
) -> tuple[Any, Array]:
    """Squared error, averaged over all the elements of the rows that count.

    With m such elements, y the prediction and t the target::

        (M1)  loss = Σ (y - t)² / m
        (M2)  dy   = 2 (y - t) / m

    Parameters
    ----------
    prediction, target : ndarray, shape (..., K)
        float32 or float64, the same in both (complex128 mixes with float64).
    mask : boolean array, shape (...), optional
        True where a row counts; all do by default.

    Returns
    -------
    loss : scalar of the dtype of prediction
        0 if no row counts.
    dprediction : ndarray, shape (..., K)
        ∂loss/∂prediction.

    Raises
    ------
    TypeError
        If prediction is not floating point, target not of its dtype or the mask not boolean.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> loss, dprediction = mean_squared_error(np.array([[1.0, 5.0]]), np.array([[1.0, 3.0]]))
    >>> print(loss, dprediction)
    2.0 [[0. 2.]]
    """
    _check_float("prediction", prediction)
    check_array("target", target, prediction.shape, prediction.dtype)
    counted = _counted_rows(mask, prediction.shape[:-1])

    difference = prediction[counted] - target[counted]  # (n, K)
    dprediction = np.zeros(prediction.shape, difference.dtype)
    if difference.size == 0:
        return difference.dtype.type(0), dprediction
    dprediction[counted] = 2 * difference / difference.size  # (M2)
    return (np.square(difference) / difference.size).sum(), dprediction  # (M1); not |·|²: analytic


def _counted_rows(mask: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """Return the boolean index of the rows that count."""
    if mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask: expected booleans, given {mask.dtype}")
    if mask.shape != shape:
        raise ValueError(f"mask: expected shape {shape}, given {mask.shape}")
    return mask


def _check_labels(labels: ArrayLike, shape: tuple[int, ...]) -> Array:
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels: expected integers, given {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(f"labels: expected shape {shape}, given {labels.shape}")
    return labels


def _check_float(name: str, array: Array) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array, given {type(array).__name__}")
    if array.dtype not in (np.float32, np.float64, np.complex128):
        raise TypeError(f"{name}: expected float32, float64 or complex128, given {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{name}: expected shape (..., K), given ()")
