"""The training loop, a step at a time: every program here that trains goes through it.

Everything random is drawn from a seed and the number of the epoch or step, so where training stands
is a few numbers, :class:`Progress`: no generator's state has to be carried along or saved.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arguments import Array, check_function, check_number, check_size
from ..losses import cross_entropy
from ..optim import Optimizer, clip_grad_norm
from .evaluation import count_hits
from .examples import Batch, Examples, Loss, Model, Transform
from .learning_rate import Schedule
from .plan import Plan
from .records import NonFiniteError, Progress, StepRecord

__all__ = ["training_steps"]

DROPOUT = 2  # what a generator is for, so that no two purposes share one stream; 1 is in plan.py


def training_steps(
    model: Model,
    x: Array,
    y: Any,
    *,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    lengths: Any = None,
    window: int | None = None,
    schedule: Schedule | None = None,
    max_norm: float = math.inf,
    transform: Transform | None = None,
    loss: Loss = cross_entropy,
    start: Progress = Progress(),  # noqa: B008, immutable
) -> Iterator[StepRecord]:
    """Train ``model`` in place, yielding a record after every step.

    Nothing is trained unless somebody loops over it; :func:`fit` does. At every yield the
    parameters, ``optimizer`` and the record's ``progress`` belong together, so that is when to save
    a checkpoint, and when to stop.

    Examples lie on the first axis of x, y and lengths, whatever the model's ``batch_first``: a
    model that reads time first gets its batches turned.

    Parameters
    ----------
    model : Model
        An :class:`LSTMModel`, or any object with ``params`` and ``loss_and_grads``.
    x : ndarray, shape (N, T, D)
    y : array
        Labels (N,) or numbers (N, K); with readout "all" (N, T) or (N, T, K).
    optimizer : Optimizer
    epochs : int
        How many in all, those before ``start`` included. Each shuffles the examples anew.
    batch_size : int
    lengths : integer array, shape (N,), optional
        How many steps of each example are there; what lies behind is padding. A batch is cut to its
        longest example, and where y has a target for every step only those within lengths count.
    window : int, optional
        For long sequences and readout "all": read so many steps at a time and begin the next window
        in the state where this one ended (truncated backpropagation through time; Williams & Peng
        1990). A batch of rows is read to its end before the next one, which begins in state 0. Not
        for a bidirectional model, nor with lengths.
    schedule : function, optional
        From steps taken to learning rate; without it the optimiser's own stays.
    max_norm : float
        Where the norm of the gradient is clipped; not at all by default.
    transform : function, optional
        Makes the model's input from a batch of x, so that x may be in a form smaller than floats.
        It gets and returns examples first.
    loss : function
        ``loss(logits, y) -> (value, gradient)``; called with ``mask=`` the valid steps where the
        model's readout is "all" and lengths are given.
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
    examples = Examples.of(model, x, y, lengths, transform, loss)
    _check_settings(model, optimizer, epochs, window, schedule, start)
    plan = Plan.of(examples, batch_size, window, start.seed)
    plan.check_start(start, epochs)
    # Optimisers square the gradient; where its square overflows they would stop without a word.
    largest_norm = math.sqrt(min(np.finfo(param.dtype).max for param in model.params.values()))
    loss_sum, hits, weights = start.loss_sum, start.hits, _class_weights(loss, examples.y)
    state: Any = start.state if len(start.state) > 1 else next(iter(start.state), None)
    name = _first_non_finite(model.params)
    if name is not None:
        raise NonFiniteError(start.step, name, f"{name} was not finite before training began")

    for step in range(start.step, epochs * plan.steps_per_epoch):
        started = time.perf_counter()
        epoch, place = divmod(step, plan.steps_per_epoch)
        if place == 0:
            loss_sum = hits = 0.0
        if place == 0 or step == start.step:
            order = plan.order(epoch)
            seen = plan.seen(order)
            counts = seen if weights is None else plan.seen(order, weights)
        rows, steps = plan.part(order, place)
        batch = examples.batch(rows, steps)
        if steps is None or steps.start == 0:
            state = None
        if schedule is not None:
            lr = schedule(step)
            check_number(f"schedule({step})", lr)
            optimizer.lr = lr

        score = _Score(loss)
        dropout = np.random.default_rng([start.seed, DROPOUT, step])
        with np.errstate(over="ignore", invalid="ignore"):  # the errors below say more
            if window is None:
                value, grads = model.loss_and_grads(
                    batch.x, batch.y, loss=score, rng=dropout, **batch.options
                )
            else:
                value, grads, state = _carried_on(model, batch, state, score, dropout)
            clipped, norm = clip_grad_norm(grads, max_norm)
            usable = math.isfinite(norm) and min(norm, max_norm) <= largest_norm
            if not (math.isfinite(value) and usable):
                raise _unusable(step + 1, batch, value, {n: grads[n] for n in model.params})
            optimizer.step(model.params, clipped)
        name = _first_non_finite(model.params)
        if name is not None:
            reason = f"it made {name} infinite, so the learning rate, {optimizer.lr}, is too high"
            raise NonFiniteError(step + 1, name, reason)

        loss_sum += float(value) * (counts[place + 1] - counts[place])
        hits += score.hits
        mean_over = max(1, seen[place + 1])  # 0 if no row of a batch has a step
        yield StepRecord(
            epoch=epoch + 1,
            step=step + 1,
            steps_per_epoch=plan.steps_per_epoch,
            loss=float(value),
            accuracy=score.hits / max(1, score.answers),
            epoch_loss=loss_sum / (counts[place + 1] or 1),
            epoch_accuracy=hits / (mean_over * plan.answers),
            grad_norm=norm,
            lr=optimizer.lr,
            examples_per_second=len(rows) / (time.perf_counter() - started),
            progress=Progress(start.seed, step + 1, loss_sum, hits, plan.carried(step, state)),
        )


class _Score:
    """A loss that also counts right answers, because the logits pass here and nowhere else."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.hits, self.answers = 0.0, 0

    def __call__(self, logits: Array, targets: Array, **options: Any) -> tuple[Any, Array]:
        result = self.loss(logits, targets, **options)
        self.hits, self.answers = count_hits(logits, targets, options.get("mask"))
        return result


def _carried_on(
    model: Any, batch: Batch, state: Any, loss: Loss, rng: np.random.Generator
) -> tuple[Any, dict[str, Array], Any]:
    """Return loss and gradients from ``state`` on, and the state at the end.

    The state is passed on, its gradient is not: this is where backpropagation is truncated.
    """
    logits, state, cache = model.forward(batch.x, state, rng=rng)
    value, dlogits = loss(logits, batch.y)
    return value, model.backward(cache, dlogits)[2], state


def _class_weights(loss: Loss, y: Array) -> Array | None:
    """Return the weights that the cross-entropy's mean is over, scaled so that no sum overflows."""
    if not isinstance(loss, functools.partial) or loss.func is not cross_entropy:
        return None
    weights = np.asarray(loss.keywords.get("weights"))
    if weights.dtype.kind not in "iuf" or y.dtype.kind not in "iu" or weights.size == 0:
        return None  # there are none, or the loss refuses them
    return weights / max(np.float64(1e-300), weights.max())


def _check_settings(
    model: Any, optimizer: Any, epochs: Any, window: Any, schedule: Any, start: Any
) -> None:
    wanted = ["params", *(["loss_and_grads"] if window is None else ["forward", "backward"])]
    if not all(hasattr(model, name) for name in wanted):
        expected = f"an LSTMModel, or an object with {' and '.join(wanted)}"
        raise TypeError(f"model: expected {expected}, given {type(model).__name__}")
    if isinstance(optimizer, type) or not hasattr(optimizer, "step"):
        raise TypeError(f"optimizer: expected an optimiser such as Adam(1e-3), given {optimizer!r}")
    check_size("epochs", epochs, least=0)
    if schedule is not None:
        check_function("schedule", schedule, "a function such as cosine(0.1, steps)")
    if not isinstance(start, Progress):
        expected = "Progress(seed=...), or that of a checkpoint"
        raise TypeError(f"start: expected {expected}, given {type(start).__name__}")
    for name, count in ("seed", start.seed), ("step", start.step):
        check_size(f"{name} of start", count, least=0)
    if window is not None and getattr(getattr(model, "lstm", None), "bidirectional", False):
        raise ValueError(
            "window: expected a model of one direction; the other one would carry its state from "
            "the beginning of a window to the end of the next"
        )


def _first_non_finite(arrays: dict[str, Array]) -> str | None:
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def _unusable(step: int, batch: Batch, value: Any, grads: dict[str, Array]) -> NonFiniteError:
    """Say which of input, loss and gradients are not finite."""
    reasons = []
    for what, array in ("input", batch.x), ("target", batch.y):
        if not np.isfinite(array if batch.valid is None else array[batch.valid]).all():
            reasons.append(f"the {what} is not finite")
    reasons.append(f"the loss is {float(value)}")
    name = _first_non_finite(grads)
    if name is not None:
        reasons.append(f"the first gradient that is not finite is that of {name}")
    elif math.isfinite(value):
        reasons.append("the gradients are finite, the sum of their squares is not")
    return NonFiniteError(step, name, ", ".join(reasons) + "; no parameter was changed")
