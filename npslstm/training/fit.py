"""The training loop; ``evaluate``, offered here too, is in ``evaluation.py``.

Everything random is drawn from a seed and the number of the epoch or step, so where training stands
is a few numbers, :class:`Progress`: no generator's state has to be carried along or saved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..losses import cross_entropy
from ..optim import Optimizer, clip_grad_norm
from .evaluation import Evaluation, Loss, Model, Transform, check_examples, count_hits, evaluate
from .learning_rate import Schedule

__all__ = [
    "Evaluation",
    "NonFiniteError",
    "Progress",
    "StepRecord",
    "evaluate",
    "fit",
    "steps_per_epoch",
]

SHUFFLE, DROPOUT = 1, 2  # what a generator is for, so that no two purposes share one stream


class Progress(NamedTuple):
    """Where training stands: with parameters and optimiser state, all that the rest depends on.

    Attributes
    ----------
    seed : int
        What shuffles and dropout masks are drawn from, at least 0.
    step : int
        Steps taken.
    loss_sum, hits : float
        Sum of the losses, and number of right answers, since the epoch of that step began.
    """

    seed: int = 0
    step: int = 0
    loss_sum: float = 0.0
    hits: float = 0.0


class StepRecord(NamedTuple):
    """One step of training, as :func:`fit` reports it.

    Attributes
    ----------
    epoch, step : int
        The number of this epoch and the number of this step since training began, from 1.
    steps_per_epoch : int
    loss, accuracy : float
        Mean over the batch, before the step. The accuracy is that with dropout, and nan where the
        targets are not integers.
    epoch_loss, epoch_accuracy : float
        Mean over the examples since the epoch began.
    grad_norm : float
        Before clipping.
    lr : float
    examples_per_second : float
        Of this step, without what the caller does between two steps.
    progress : Progress
        For a checkpoint.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    loss: float
    accuracy: float
    epoch_loss: float
    epoch_accuracy: float
    grad_norm: float
    lr: float
    examples_per_second: float
    progress: Progress

    @property
    def ends_epoch(self) -> bool:
        """Whether this was the last step of its epoch."""
        return self.step % self.steps_per_epoch == 0


class NonFiniteError(ArithmeticError):
    """A loss, a gradient or a parameter was not finite.

    Attributes
    ----------
    step : int
        The number of the step, from 1; that of the last one taken, where training did not begin.
    parameter : str or None
        The first parameter, in the order of ``params``, that it shows in.
    """

    def __init__(self, step: int, parameter: str | None, reason: str) -> None:
        super().__init__(f"step {step}: {reason}")
        self.step = step
        self.parameter = parameter


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Count the batches of an epoch; the last one may be smaller."""
    return math.ceil(examples / batch_size)


def fit(
    model: Model,
    x: Array,
    y: Array,
    *,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    schedule: Schedule | None = None,
    max_norm: float = math.inf,
    transform: Transform | None = None,
    loss: Loss = cross_entropy,
    start: Progress = Progress(),  # noqa: B008, immutable
) -> Iterator[StepRecord]:
    """Train ``model`` in place, yielding a record after every step.

    At every yield the parameters, ``optimizer`` and the record's ``progress`` belong together, so
    that is when to save a checkpoint, and when to stop.

    Parameters
    ----------
    model : Model
    x, y : ndarray
        Inputs and targets, one example along the first axis of each.
    optimizer : Optimizer
    epochs : int
        How many in all, those before ``start`` included. Each shuffles the examples anew.
    batch_size : int
    schedule : function, optional
        From steps taken to learning rate; without it the optimiser's own stays.
    max_norm : float
        Where the norm of the gradient is clipped; not at all by default.
    transform : function, optional
        Makes the model's input from a batch of x, so that x may be in a form smaller than floats.
    loss : function
        ``loss(logits, y) -> (value, gradient)``.
    start : Progress
        ``Progress(seed=...)`` for a new run; that of a checkpoint to go on, to the last bit, as if
        never interrupted (with the same data, batch size and number of BLAS threads).

    Yields
    ------
    StepRecord

    Raises
    ------
    NonFiniteError
        If a parameter is not finite to begin with. If a loss or a gradient is not finite, or its
        square is not: that step is not taken. If the step makes a parameter infinite: it is not
        reported, so no checkpoint holds it.
    ValueError, TypeError
        If the arguments do not fit together.
    """
    check_examples(x, y, batch_size)
    per_epoch = steps_per_epoch(len(x), batch_size)
    answers = y.size // len(y)  # an example
    # Optimisers square the gradient; where its square overflows they would stop without a word.
    largest_norm = math.sqrt(min(np.finfo(param.dtype).max for param in model.params.values()))
    loss_sum, hits = start.loss_sum, start.hits
    name = _first_non_finite(model.params)
    if name is not None:
        raise NonFiniteError(start.step, name, f"{name} was not finite before training began")

    for step in range(start.step, epochs * per_epoch):
        started = time.perf_counter()
        epoch, batch = divmod(step, per_epoch)
        if batch == 0:
            loss_sum = hits = 0.0
        if batch == 0 or step == start.step:
            order = np.random.default_rng([start.seed, SHUFFLE, epoch]).permutation(len(x))
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        inputs, targets = x[rows], y[rows]
        if transform is not None:
            inputs = transform(inputs)
        if schedule is not None:
            optimizer.lr = schedule(step)

        score = _Score(loss)
        dropout = np.random.default_rng([start.seed, DROPOUT, step])
        with np.errstate(over="ignore", invalid="ignore"):  # the errors below say more
            value, grads = model.loss_and_grads(inputs, targets, loss=score, rng=dropout)
            clipped, norm = clip_grad_norm(grads, max_norm)
            usable = math.isfinite(norm) and min(norm, max_norm) <= largest_norm
            if not (math.isfinite(value) and usable):
                raise _unusable(step + 1, inputs, value, {n: grads[n] for n in model.params})
            optimizer.step(model.params, clipped)
        name = _first_non_finite(model.params)
        if name is not None:
            reason = f"it made {name} infinite, so the learning rate, {optimizer.lr}, is too high"
            raise NonFiniteError(step + 1, name, reason)

        loss_sum += float(value) * len(rows)
        hits += score.hits
        seen = min((batch + 1) * batch_size, len(x))
        yield StepRecord(
            epoch=epoch + 1,
            step=step + 1,
            steps_per_epoch=per_epoch,
            loss=float(value),
            accuracy=score.hits / targets.size,
            epoch_loss=loss_sum / seen,
            epoch_accuracy=hits / (seen * answers),
            grad_norm=norm,
            lr=optimizer.lr,
            examples_per_second=len(rows) / (time.perf_counter() - started),
            progress=Progress(start.seed, step + 1, loss_sum, hits),
        )


class _Score:
    """A loss that also counts right answers, because the logits pass here and nowhere else."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.hits = 0.0

    def __call__(self, logits: Array, targets: Array, **options: Any) -> tuple[Any, Array]:
        result = self.loss(logits, targets, **options)
        self.hits = count_hits(logits, targets)
        return result


def _first_non_finite(arrays: dict[str, Array]) -> str | None:
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def _unusable(step: int, inputs: Array, value: Any, grads: dict[str, Array]) -> NonFiniteError:
    """Say which of input, loss and gradients are not finite."""
    reasons = [] if np.isfinite(inputs).all() else ["the input is not finite"]
    reasons.append(f"the loss is {float(value)}")
    name = _first_non_finite(grads)
    if name is not None:
        reasons.append(f"the first gradient that is not finite is that of {name}")
    elif math.isfinite(value):
        reasons.append("the gradients are finite, the sum of their squares is not")
    return NonFiniteError(step, name, ", ".join(reasons) + "; no parameter was changed")
