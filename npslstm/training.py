"""The training loop and evaluation by batches.

Everything random is drawn from a seed and the number of the epoch or step, so where training stands
is a few numbers, :class:`Progress`: no generator's state has to be carried along or saved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from .checks import Array, check_size
from .learning_rate import Schedule
from .losses import cross_entropy
from .optim import Optimizer, clip_grad_norm

__all__ = [
    "Evaluation",
    "NonFiniteError",
    "Progress",
    "StepRecord",
    "evaluate",
    "fit",
    "steps_per_epoch",
]

Loss = Callable[..., tuple[Any, Array]]
Transform = Callable[[Array], Array]
SHUFFLE, DROPOUT = 1, 2  # what a generator is for, so that no two purposes share one stream


class Model(Protocol):
    """What can be trained and evaluated here: :class:`LSTMModel`, or anything like it."""

    params: dict[str, Array]

    def __call__(self, x: Array) -> tuple[Array, Any]:
        """Return logits and a state."""

    def loss_and_grads(
        self, x: Array, y: Array, *, loss: Loss, rng: np.random.Generator
    ) -> tuple[Any, dict[str, Array]]:
        """Return the loss and its gradient with respect to every parameter."""


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


class Evaluation(NamedTuple):
    """What :func:`evaluate` found: means over all examples, and the logits of each."""

    loss: float
    accuracy: float
    logits: Array  # (N, ...)


class NonFiniteError(ArithmeticError):
    """A loss or a gradient was not finite; the parameters are those before that step.

    Attributes
    ----------
    step : int
        The number of the step, from 1.
    parameter : str or None
        The first parameter, in the order of ``params``, whose gradient is not finite.
    """

    def __init__(self, step: int, parameter: str | None, reasons: list[str]) -> None:
        super().__init__(f"step {step}: {', '.join(reasons)}; no parameter was changed")
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
        If a loss or a gradient is not finite. That step is not taken.
    ValueError, TypeError
        If the arguments do not fit together.
    """
    _check_examples(x, y, batch_size)
    per_epoch = steps_per_epoch(len(x), batch_size)
    answers = y.size // len(y)  # an example
    loss_sum, hits = start.loss_sum, start.hits

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
        with np.errstate(over="ignore", invalid="ignore"):  # an error below says more
            value, grads = model.loss_and_grads(inputs, targets, loss=score, rng=dropout)
        clipped, norm = clip_grad_norm(grads, max_norm)
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise _non_finite_error(step + 1, inputs, value, grads)
        optimizer.step(model.params, clipped)

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
    _check_examples(x, y, batch_size)
    logits, loss_sum, hits = [], 0.0, 0.0
    for begin in range(0, len(x), batch_size):
        inputs, targets = x[begin : begin + batch_size], y[begin : begin + batch_size]
        output, _ = model(inputs if transform is None else transform(inputs))
        loss_sum += float(loss(output, targets)[0]) * len(inputs)
        hits += _hits(output, targets)
        logits.append(output)
    return Evaluation(loss_sum / len(x), hits / y.size, np.concatenate(logits))


class _Score:
    """A loss that also counts right answers, because the logits pass here and nowhere else."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.hits = 0.0

    def __call__(self, logits: Array, targets: Array, **options: Any) -> tuple[Any, Array]:
        self.hits = _hits(logits, targets)
        return self.loss(logits, targets, **options)


def _hits(logits: Array, targets: Array) -> float:
    """Count the rows whose largest logit is the label's; nan where targets are not labels."""
    if not np.issubdtype(targets.dtype, np.integer):
        return math.nan
    return float(np.count_nonzero(logits.argmax(axis=-1) == targets))


def _check_examples(x: Array, y: Array, batch_size: int) -> None:
    check_size("batch_size", batch_size)
    if len(x) != len(y):
        raise ValueError(f"y: expected one target for each of {len(x)} examples, given {len(y)}")
    check_size("number of examples", len(x))


def _non_finite_error(
    step: int, inputs: Array, value: Any, grads: dict[str, Array]
) -> NonFiniteError:
    """Say which of input, loss and gradients are not finite."""
    reasons = [f"the loss is {float(value)}"]
    if not np.isfinite(inputs).all():
        reasons.insert(0, "the input is not finite")
    parameter = next((name for name, grad in grads.items() if not np.isfinite(grad).all()), None)
    if parameter is not None:
        reasons.append(f"the first gradient that is not finite is that of {parameter}")
    elif math.isfinite(value):
        reasons.append("the gradients are finite but too large for their norm")
    return NonFiniteError(step, parameter, reasons)
