"""What a model is made of, and what a step of training keeps in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arguments import Array

__all__ = ["summary"]


def summary(model: Any) -> str:
    """Describe a model: every parameter with its shape and count, and the bytes that a step keeps.

    Parameters
    ----------
    model : LSTMModel, LSTM or alike
        With ``params``; what a step keeps is said where there is a ``forward``, too.

    Returns
    -------
    str
        To print. The bytes are those that backward needs of one step of one sequence, without
        dropout: times the steps and the rows of a batch, that is what the cache of ``forward``
        holds. They are counted in a cache, not estimated.

    Examples
    --------
    >>> from npslstm import LSTMModel
    >>> print(summary(LSTMModel(28, 128, 10)))
    LSTMModel                shape      numbers
    lstm.weight_ih_l0    (512, 28)       14,336
    lstm.weight_hh_l0   (512, 128)       65,536
    lstm.bias_ih_l0         (512,)          512
    lstm.bias_hh_l0         (512,)          512
    head.weight          (10, 128)        1,280
    head.bias                (10,)           10
    in all                               82,186 parameters, 328,744 bytes
    kept for backward: 3,696 bytes a step and sequence
    """
    params: dict[str, Array] = model.params
    shapes = {name: str(param.shape) for name, param in params.items()}
    width = max(map(len, [*params, type(model).__name__]))
    gap = max(map(len, [*shapes.values(), "shape"])) + 3
    lines = [f"{type(model).__name__:{width}}{'shape':>{gap}}{'numbers':>13}"]
    for name, param in params.items():
        lines.append(f"{name:{width}}{shapes[name]:>{gap}}{param.size:13,}")
    count = sum(param.size for param in params.values())
    size = sum(param.nbytes for param in params.values())
    lines.append(f"{'in all':{width + gap}}{count:13,} parameters, {size:,} bytes")
    kept = _kept_a_step(model)
    if kept is not None:
        lines.append(f"kept for backward: {kept:,} bytes a step and sequence")
    return "\n".join(lines)


def _kept_a_step(model: Any) -> int | None:
    """Count by how much the cache of one sequence grows with one more step."""
    lstm = getattr(model, "lstm", model)
    if not hasattr(model, "forward") or not hasattr(lstm, "input_size"):
        return None
    sizes = []
    for steps in 2, 3:
        x = np.zeros((steps, lstm.input_size), next(iter(model.params.values())).dtype)
        owners = {id(array): array.nbytes for array in _owners(model.forward(x)[-1])}
        sizes.append(sum(owners.values()))
    return sizes[1] - sizes[0]


def _owners(value: Any) -> Iterator[Array]:
    """Yield the arrays that own the memory behind every array in nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        yield value
    elif isinstance(value, dict):
        yield from _owners(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _owners(part)
