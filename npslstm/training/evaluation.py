"""What a model gets right: loss and accuracy over many examples, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..arguments import Array, check_size
from ..losses import cross_entropy

__all__ = [
    "Evaluation",
    "Loss",
    "Model",
    "Transform",
    "check_examples",
    "count_hits",
    "evaluate",
]

Loss = Callable[..., tuple[Any, Array]]
Transform = Callable[[Array], Array]


class Model(Protocol):
    """What can be trained and evaluated here: :class:`LSTMModel`, or anything like it."""

    params: dict[str, Array]

    def __call__(self, x: Array) -> tuple[Array, Any]:
        """Return logits and a state."""

    def loss_and_grads(
        self, x: Array, y: Array, *, loss: Loss, rng: np.random.Generator
    ) -> tuple[Any, dict[str, Array]]:
        """Return the loss and its gradient with respect to every parameter."""


class Evaluation(NamedTuple):
    """What :func:`evaluate` found: means over all examples, and the logits of each."""

    loss: float
    accuracy: float
    logits: Array  # (N, ...)


def evaluate(
    model: Model,
    x: Array,
    y: Array,
    *,
    batch_size: int = 1000,
    transform: Transform | None = None,
    loss: Loss = cross_entropy,
) -> Evaluation:
    """Run ``model`` over all examples, a batch at a time; arguments as for :func:`fit`.

    The loss is the mean over the examples, not over the batches, so the last batch may be small.

    Raises
    ------
    ValueError, TypeError
        If the arguments do not fit together.
    """
    check_examples(x, y, batch_size)
    logits, loss_sum, hits = [], 0.0, 0.0
    for begin in range(0, len(x), batch_size):
        inputs, targets = x[begin : begin + batch_size], y[begin : begin + batch_size]
        output, _ = model(inputs if transform is None else transform(inputs))
        loss_sum += float(loss(output, targets)[0]) * len(inputs)
        hits += count_hits(output, targets)
        logits.append(output)
    return Evaluation(loss_sum / len(x), hits / y.size, np.concatenate(logits))


def count_hits(logits: Array, targets: Array) -> float:
    """Count the rows whose largest logit is the label's; nan where targets are not labels."""
    if not np.issubdtype(targets.dtype, np.integer):
        return math.nan
    return float(np.count_nonzero(logits.argmax(axis=-1) == targets))


def check_examples(x: Array, y: Array, batch_size: int) -> None:
    """Demand at least one example and as many targets."""
    check_size("batch_size", batch_size)
    if len(x) != len(y):
        raise ValueError(f"y: expected one target for each of {len(x)} examples, given {len(y)}")
    check_size("number of examples", len(x))
