"""What a model gets right: loss and accuracy over many examples, a batch at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array, check_function, check_size
from ..losses import cross_entropy
from .examples import Examples, Loss, Model, Transform

__all__ = ["Evaluation", "count_hits", "evaluate"]


class Evaluation(NamedTuple):
    """What :func:`evaluate` found: means over all examples, and the logits of each.

    With readout "all" and lengths, the means are over the steps within them; what stands in the
    logits past a row's end says nothing.
    """

    loss: float
    accuracy: float  # nan where the targets are not labels
    logits: Array | None  # (N, K), or (N, T, K) with readout "all"; None in the history of fit

    def __repr__(self) -> str:
        """Show the means, and of the logits the shape alone."""
        shape = None if self.logits is None else f"<{self.logits.dtype} {self.logits.shape}>"
        return f"Evaluation(loss={self.loss}, accuracy={self.accuracy}, logits={shape})"


def evaluate(
    model: Model,
    x: Array,
    y: Any,
    *,
    lengths: Any = None,
    batch_size: int = 1000,
    transform: Transform | None = None,
    loss: Loss = cross_entropy,
) -> Evaluation:
    """Run ``model`` over all examples, a batch at a time, without dropout.

    Examples lie on the first axis, as in :func:`fit`, whatever the model's ``batch_first``.

    Parameters
    ----------
    model : Model
    x, y, lengths, transform, loss
        As in :func:`fit`.
    batch_size : int
        How many examples are in memory as the model's input at once; the result is the same.

    Returns
    -------
    Evaluation
        Loss and accuracy are those of all examples as one batch. Where the model's answers are so
        large that they overflow, the loss is inf or nan.

    Raises
    ------
    ValueError, TypeError
        If the arguments do not fit together, or a number in x or y is not finite.
    """
    check_size("batch_size", batch_size)
    check_function("model", model, "an LSTMModel, or a function of x that returns logits and state")
    examples = Examples.of(model, x, y, lengths, transform, loss)
    examples.check_finite()
    parts: list[Array] = []
    options = {"mask": examples.valid()} if examples.masked else {}
    for begin in range(0, len(examples.x), batch_size):
        batch = examples.batch(slice(begin, begin + batch_size))
        with np.errstate(over="ignore", invalid="ignore"):  # the loss will say
            output, _ = model(batch.x, **batch.options)
        if examples.every_step:
            output = examples.turned(output)
        if examples.masked:  # the batch was cut to its longest row
            output = np.pad(output, [(0, 0), (0, x.shape[1] - output.shape[1]), (0, 0)])
        parts.append(output)
    logits = np.concatenate(parts)
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(loss(logits, examples.y, **options)[0])
    hits, answers = count_hits(logits, examples.y, **options)
    return Evaluation(value, hits / max(answers, 1), logits)


def count_hits(logits: Array, targets: Array, mask: Array | None = None) -> tuple[float, int]:
    """Count the rows whose largest logit is the label's, and the rows that count.

    The hits are nan where the targets are not labels: one integer for several logits.
    """
    answers = targets.size if mask is None else int(np.count_nonzero(mask))
    labels = np.issubdtype(targets.dtype, np.integer) and targets.shape == logits.shape[:-1]
    if not labels or logits.shape[-1] == 1:
        return math.nan, answers
    right = logits.argmax(axis=-1) == targets
    return float(np.count_nonzero(right if mask is None else right & mask)), answers
