"""Gradient clipping: all gradients together are scaled down, so that no step is too long."""

from __future__ import annotations

import math

import numpy as np

from .arguments import Array, check_number

__all__ = ["clip_grad_norm"]


def clip_grad_norm(
    grads: dict[str, Array], max_norm: float = math.inf
) -> tuple[dict[str, Array], float]:
    """Scale all gradients together so that their norm does not exceed ``max_norm``.

    Parameters
    ----------
    grads : dict of ndarray
        Never written to.
    max_norm : float
        The largest norm allowed; with the default only the norm is computed.

    Returns
    -------
    grads : dict of ndarray
        The given ones times min(1, ``max_norm`` / (norm + 10⁻⁶)), as PyTorch's
        ``clip_grad_norm_``: new arrays if that is less than 1, the given dict otherwise.
    norm : float
        The norm before clipping, √Σ g² over every element of every array, summed in double
        precision. If it is not finite the gradients are returned unscaled: no scale would help,
        and the caller can tell.

    Raises
    ------
    ValueError, TypeError
        If ``max_norm`` is not a positive number.

    Examples
    --------
    >>> grads, norm = clip_grad_norm({"weight": np.array([3.0, 4.0])}, max_norm=1.0)
    >>> norm, grads["weight"].round(3)
    (5.0, array([0.6, 0.8]))
    """
    if max_norm != math.inf:
        check_number("max_norm", max_norm, "a positive number", low=math.ulp(0.0))
    with np.errstate(over="ignore"):  # float64 entries beyond 1e154: the norm says inf
        norm = math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in grads.values()))
    scale = max_norm / (norm + 1e-6)
    if scale < 1 and math.isfinite(norm):
        grads = {name: g * g.dtype.type(scale) for name, g in grads.items()}
    return grads, norm
