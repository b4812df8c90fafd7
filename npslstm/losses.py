"""Losses: each returns its value and its gradient with respect to the first argument.

Where a second derivative is known, a function beside it returns how that gradient moves when the
first argument does: ``second_derivative`` finds it.

Shapes: logits z ``(..., K)``, labels ``(...)`` integers in [0, K), mask ``(...)``. The leading axes
are any, none or empty; each position in them is one row, and a mask says which rows count. What
stands in a row that does not count is never read, NaN included, and its gradient is exactly 0.
So a loss has no layout of its own: it takes rows as they lie.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, check_labels, check_plain, check_target

__all__ = [
    "cross_entropy",
    "cross_entropy_second",
    "mean_squared_error",
    "mean_squared_error_second",
    "second_derivative",
]


def cross_entropy(
    logits: Array,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Any, Array]:
    """Softmax cross-entropy, averaged over the rows that count.

    With y the label of a row, w_k the weight of class k and ε the label smoothing::

        (C1)  log p = z - log Σ_k exp(z_k)            log-sum-exp: z is shifted by its maximum first
        (C2)  q_k   = w_k ((1 - ε) onehot(y)_k + ε / K)     what p should be; onehot(y) by default
        (C3)  loss  = -Σ_rows Σ_k q_k log p_k / W     W = Σ_rows w_y, the number of rows by default
        (C4)  dz    = (p Σ_k q_k - q) / W             from (C3), (C1)

    As ``torch.nn.CrossEntropyLoss`` with ``weight`` and ``label_smoothing``. To train with options,
    ``fit(..., loss=functools.partial(cross_entropy, label_smoothing=0.1))``.

    Parameters
    ----------
    logits : ndarray, shape (..., K)
        float32 or float64, of any finite size (complex128 for the complex-step check).
    labels : integer array, shape (...)
        The right class of each row.
    mask : boolean array, shape (...), optional
        True where a row counts; all do by default.
    weights : array, shape (K,), optional
        How much the rows of each class count, at least 0; all count 1 by default. Only their ratios
        matter. Against classes
        of different sizes: ``len(y) / (K * np.bincount(y))``.
    label_smoothing : float
        ε in [0, 1]: how much of the answer is spread over all classes alike.

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
        If the shapes do not fit, a label that counts is outside [0, K), or an option is not in its
        range.

    Examples
    --------
    >>> loss, dlogits = cross_entropy(np.array([[0.0, 0.0]]), [1])
    >>> print(f"{loss:.4f}", dlogits)
    0.6931 [[ 0.5 -0.5]]
    """
    _check_float("logits", logits)
    counted = _counted_rows(mask, logits.shape[:-1])
    labels = check_labels("labels", labels, logits.shape[:-1], logits.shape[-1], counted)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing: expected 0 to 1, given {label_smoothing}")

    z, y = logits[counted], labels[counted]  # (n, K), (n,)
    n, classes = z.shape
    w = _class_weights(weights, logits, y)
    total_weight = w[y].sum()
    dlogits = np.zeros_like(logits, order="C")
    if total_weight == 0:
        return logits.dtype.type(0), dlogits

    # The shift cancels in (C1); as a real constant it does not touch the derivative. Logits too far
    # apart for the dtype become -inf, whose exponential, 0, is right.
    with np.errstate(over="ignore"):
        z = z - z.real.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    q = np.full((n, classes), label_smoothing / classes, w.dtype)
    q[np.arange(n), y] += 1 - label_smoothing
    q *= w  # (C2)
    log_p = z - np.log(total)  # (C1)
    surprise = np.multiply(q, log_p, out=np.zeros_like(log_p), where=q != 0)  # log p may be -inf
    loss = -(surprise / total_weight).sum()  # (C3): / W first, or Σ overflows
    if np.isposinf(loss.real) and np.isfinite(logits[counted]).all():
        loss = logits.dtype.type(np.finfo(logits.dtype).max)

    dlogits[counted] = (p * q.sum(axis=1, keepdims=True) - q) / total_weight  # (C4)
    return loss, dlogits


def cross_entropy_second(
    logits: Array,
    logits_dot: Array,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    """Return the tangent of :func:`cross_entropy`'s gradient when the logits move by z_dot.

    ::

        (C5)  p_dot  = p ⊙ (z_dot - Σ_k p_k z_dot_k)    from (C1)
        (C6)  dz_dot = p_dot Σ_k q_k / W                from (C4); q and W do not move
    """
    counted = _counted_rows(mask, logits.shape[:-1])
    y = np.asarray(labels)[counted]
    w = _class_weights(weights, logits, y)
    dlogits_dot = np.zeros(logits.shape, np.result_type(logits, logits_dot))
    total_weight = w[y].sum()
    if total_weight == 0:
        return dlogits_dot
    z, z_dot = logits[counted], logits_dot[counted]
    with np.errstate(over="ignore"):
        p = np.exp(z - z.real.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p_dot = p * (z_dot - (p * z_dot).sum(axis=1, keepdims=True))  # (C5)
    sum_q = (1 - label_smoothing) * w[y] + label_smoothing * w.mean()
    dlogits_dot[counted] = p_dot * (sum_q / total_weight)[:, None]  # (C6)
    return dlogits_dot


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
    check_target("target", target, prediction.shape, prediction.dtype)
    counted = _counted_rows(mask, prediction.shape[:-1])

    difference = prediction[counted] - target[counted]  # (n, K)
    dprediction = np.zeros(prediction.shape, difference.dtype)
    if difference.size == 0:
        return difference.dtype.type(0), dprediction
    dprediction[counted] = 2 * difference / difference.size  # (M2)
    return (np.square(difference) / difference.size).sum(), dprediction  # (M1); not |·|²: analytic


def mean_squared_error_second(
    prediction: Array, prediction_dot: Array, target: Array, mask: ArrayLike | None = None
) -> Array:
    """Return the tangent of :func:`mean_squared_error`'s gradient when y moves by y_dot.

    ::

        (M3)  dy_dot = 2 y_dot / m    from (M2)
    """
    counted = _counted_rows(mask, prediction.shape[:-1])
    moved = prediction_dot[counted]
    dprediction_dot = np.zeros_like(prediction_dot)
    dprediction_dot[counted] = 2 * moved / max(1, moved.size)  # (M3)
    return dprediction_dot


def second_derivative(loss: Callable[..., tuple[Any, Array]]) -> Callable[..., Array]:
    """Return what :func:`cross_entropy_second` is to :func:`cross_entropy`, options included.

    Raises
    ------
    ValueError
        If this loss has none here.
    """
    if isinstance(loss, functools.partial) and not loss.args:
        return functools.partial(second_derivative(loss.func), **loss.keywords)
    known: dict[Any, Callable[..., Array]] = {
        cross_entropy: cross_entropy_second,
        mean_squared_error: mean_squared_error_second,
    }
    if loss not in known:
        name = getattr(loss, "__name__", repr(loss))
        raise ValueError(
            "loss: expected cross_entropy or mean_squared_error, whose second derivatives are "
            f"known, given {name}"
        )
    return known[loss]


def _class_weights(weights: ArrayLike | None, logits: Array, y: Array) -> Array:
    """Return the weight of each class, real, in the precision of the logits.

    They are divided by the largest that counts: (C3) and (C4) do not change, and W is at least 1.
    """
    classes, dtype = logits.shape[-1], logits.real.dtype
    if weights is None:
        return np.ones(classes, dtype)
    if isinstance(weights, np.ndarray):
        check_plain("weights", weights)
    array = np.asarray(weights)
    if array.shape != (classes,):
        raise ValueError(f"weights: expected shape ({classes},), one a class, given {array.shape}")
    wide = array.astype(np.float64) if array.dtype.kind in "iuf" else np.full(classes, np.nan)
    if not (np.isfinite(wide) & (wide >= 0)).all():
        raise ValueError(f"weights: expected finite numbers of at least 0, given {weights}")
    if classes and not wide.any():
        raise ValueError("weights: expected at least one above 0, given only zeros")
    largest = wide[y].max(initial=0)
    if largest == 0:
        return np.zeros(classes, dtype)  # no row counts
    with np.errstate(over="ignore", under="ignore"):  # a class of no row may be far heavier
        return np.minimum(wide / largest, np.finfo(dtype).max / (4 * classes)).astype(dtype)


def _counted_rows(mask: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """Return the boolean index of the rows that count."""
    if mask is None:
        return np.ones(shape, bool)
    if isinstance(mask, np.ndarray):
        check_plain("mask", mask)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask: expected booleans, given {mask.dtype}")
    if mask.shape != shape:
        raise ValueError(f"mask: expected shape {shape}, given {mask.shape}")
    return mask


def _check_float(name: str, array: Array) -> None:
    check_plain(name, array)
    if array.dtype not in (np.float32, np.float64, np.complex128):
        raise TypeError(f"{name}: expected float32, float64 or complex128, given {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{name}: expected shape (..., K), given ()")
