"""The first values of one cell's parameters, for every kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ..arguments import Array
from ..parameters import draw
from .base import Kind

__all__ = ["initial_params"]


def initial_params(
    kind: Kind,
    features: int,
    hidden: int,
    bias: bool,
    forget_bias: float,
    dtype: DTypeLike,
    rng: np.random.Generator,
    projected: int = 0,
) -> dict[str, Array]:
    """Draw from U(-1/√H, 1/√H), as PyTorch does, and add ``forget_bias`` to the forget gate.

    Raises
    ------
    ValueError
        For a forget bias that is not finite, without a bias, or without a forget gate.
    """
    rows = len(kind.gates) * hidden
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, features),
        "weight_hh": (rows, projected or hidden),
    }
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if projected:
        shapes |= {"weight_hr": (projected, hidden)}
    shapes |= {name: (hidden,) for name in kind.extra}
    params = draw(shapes, hidden, dtype, rng)
    if not np.isfinite(forget_bias):
        raise ValueError(f"forget_bias: expected a finite number, given {forget_bias}")
    if forget_bias:
        if not bias:
            raise ValueError(f"forget_bias: expected 0 with bias=False, given {forget_bias}")
        if "f" not in kind.gates:
            raise ValueError(
                f"forget_bias: expected 0, because {kind.name!r} has no forget gate of its own, "
                f"given {forget_bias}"
            )
        start = kind.gates.index("f") * hidden
        bias_f = params["bias_ih"][start : start + hidden]
        bias_f += bias_f.dtype.type(forget_bias)
    return params
