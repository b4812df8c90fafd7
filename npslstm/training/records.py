"""Where training stands, what a step came to, and the error that says why there is no next one."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Array
from .evaluation import Evaluation

__all__ = ["NonFiniteError", "Progress", "StepRecord"]


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
    state : tuple of ndarray
        With ``window``, in the middle of a batch: the state that the next window begins in.
    """

    seed: int = 0
    step: int = 0
    loss_sum: float = 0.0
    hits: float = 0.0
    state: tuple[Array, ...] = ()


class StepRecord(NamedTuple):
    """One step of training, as ``training_steps`` reports it.

    Attributes
    ----------
    epoch, step : int
        The number of this epoch and the number of this step since training began, from 1.
    steps_per_epoch : int
    loss, accuracy : float
        Mean over the batch, before the step. The accuracy is that with dropout, and nan where the
        targets are not labels, one integer for several logits.
    epoch_loss, epoch_accuracy : float
        Mean over the examples since the epoch began; over their valid steps with readout "all".
        The loss of ``functools.partial(cross_entropy, weights=...)`` weighs them by their classes,
        as in :func:`evaluate`; a loss of your own counts as a mean over a batch's examples.
    grad_norm : float
        Before clipping.
    lr : float
    examples_per_second : float
        Of this step, without what the caller does between two steps.
    progress : Progress
        For a checkpoint.
    validation : Evaluation or None
        From ``fit`` alone, and without its logits: what the model does on other examples.
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
    validation: Evaluation | None = None

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
        super().__init__(step, parameter, reason)  # so that another process can be handed it
        self.step = step
        self.parameter = parameter

    def __str__(self) -> str:
        return f"step {self.step}: {self.args[2]}"
