"""``fit``: train a model on your own data, to the end."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

from ..arguments import Array, check_function
from ..losses import cross_entropy
from ..optim import Optimizer
from .display import Display
from .evaluation import evaluate
from .examples import Examples, Loss, Model, Transform
from .learning_rate import Schedule
from .records import NonFiniteError, Progress, StepRecord
from .steps import training_steps

__all__ = ["fit"]


def fit(
    model: Model,
    x: Array,
    y: Any,
    *,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    lengths: Any = None,
    validation: tuple[Any, ...] | None = None,
    keep_best: bool = False,
    callback: Callable[[StepRecord], Any] | None = None,
    verbose: bool = False,
    window: int | None = None,
    schedule: Schedule | None = None,
    max_norm: float = math.inf,
    transform: Transform | None = None,
    loss: Loss = cross_entropy,
    start: Progress = Progress(),  # noqa: B008, immutable
) -> list[StepRecord]:
    """Train ``model`` in place and return how it went, a record for each epoch.

    Examples lie on the first axis of x, y and lengths, whatever the model's ``batch_first``: a
    model that reads time first gets its batches turned. (``model(x)``, ``model.predict`` and
    ``model.loss_and_grads`` follow the model's own layout; :func:`evaluate` is as ``fit`` is.)

    Parameters
    ----------
    model : Model
        An :class:`LSTMModel`, or any object with ``params`` and ``loss_and_grads``: it gets
        examples first, or time first if its ``batch_first`` is False.
    x : ndarray, shape (N, T, D)
        Of the model's dtype, unless ``transform`` makes it so. :func:`pad_sequences` makes x and
        lengths from a list of sequences.
    y : array
        Labels (N,) or, with ``loss=mean_squared_error``, numbers (N, K). With readout "all" one for
        every step: (N, T) or (N, T, K).
    optimizer, epochs, batch_size, lengths, window, schedule, max_norm, transform, loss, start
        As in :func:`training_steps`.
    validation : (x, y) or (x, y, lengths), optional
        Other examples, on which the model is evaluated after every epoch, with the same
        ``transform`` and ``loss``.
    keep_best : bool
        Whether to end with the weights of the epoch whose validation loss was the lowest, however
        training ended.
    callback : function, optional
        Called with each epoch's record; training stops where it returns True.
    verbose : bool
        Whether to print a line for each epoch, or show a progress bar on a terminal with tqdm.

    Returns
    -------
    list of StepRecord
        The last step's record of each epoch: ``history[-1].epoch_accuracy`` is the mean over the
        epoch, ``history[-1].validation`` the :class:`Evaluation`, without its logits.

    Raises
    ------
    NonFiniteError
        As :func:`training_steps`, and where the validation loss is not finite. The model stays as
        it was after the last step, or with the best epoch's weights if ``keep_best``.
    ValueError, TypeError
        If the arguments do not fit together, or a number in x or y is not finite. Padding behind
        lengths may hold anything.

    Notes
    -----
    In version 0.1.0 ``fit`` was what :func:`training_steps` is: a generator, which trained nothing
    unless somebody looped over it.

    Examples
    --------
    Is the mean of a sequence above 0? The model reads time first; that makes no difference here.

    >>> import numpy as np
    >>> from npslstm import LSTMModel
    >>> from npslstm.optim import Adam
    >>> x = np.random.default_rng(0).normal(size=(200, 6, 1)).astype(np.float32)
    >>> y = (x.mean(axis=(1, 2)) > 0).astype(int)
    >>> model = LSTMModel(1, 8, 2, rng=0)
    >>> history = fit(model, x, y, optimizer=Adam(0.01), epochs=20, batch_size=20)
    >>> history[-1].epoch_accuracy > 0.95
    True
    """
    Examples.of(model, x, y, lengths, transform, loss).check_finite()
    if validation is not None:
        _check_validation(model, validation, transform, loss)
    elif keep_best:
        raise ValueError("keep_best: expected validation=(x, y) beside it")
    if callback is not None:
        check_function("callback", callback, "a function of a record")
    settings: dict[str, Any] = {"optimizer": optimizer, "epochs": epochs, "batch_size": batch_size}
    settings |= {"lengths": lengths, "window": window, "schedule": schedule}
    settings |= {"max_norm": max_norm, "transform": transform, "loss": loss, "start": start}

    history: list[StepRecord] = []
    best = _Best(model)
    with contextlib.ExitStack() as stack:
        if keep_best:
            stack.callback(best.put_back)
        display = stack.enter_context(Display(epochs)) if verbose else None
        for record in training_steps(model, x, y, **settings):
            if record.ends_epoch and validation is not None:
                found = _evaluate(model, validation, transform, loss)
                if not math.isfinite(found.loss):
                    reason = f"the loss on the validation data is {found.loss}"
                    raise NonFiniteError(record.step, None, reason)
                record = record._replace(validation=found._replace(logits=None))
                if keep_best:
                    best.see(found.loss)
            if display is not None:
                display.show(record)
            if record.ends_epoch:
                history.append(record)
                if callback is not None and callback(record):
                    break
    return history


class _Best:
    """The weights of the best epoch so far."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.loss = math.inf
        self.params: dict[str, Array] = {}

    def see(self, loss: float) -> None:
        """Keep a copy of the weights if no other epoch's loss was as low."""
        if loss < self.loss:
            self.loss = loss
            self.params = {name: param.copy() for name, param in self.model.params.items()}

    def put_back(self) -> None:
        """Put the best weights in place; none are kept where no epoch ended."""
        for name, param in self.params.items():
            self.model.params[name][...] = param


def _check_validation(
    model: Model, validation: Any, transform: Transform | None, loss: Loss
) -> None:
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise TypeError("validation: expected (x, y) or (x, y, lengths)")
    try:
        x, y, lengths = (*validation, None)[:3]
        Examples.of(model, x, y, lengths, transform, loss).check_finite()
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from None


def _evaluate(model: Model, validation: Any, transform: Transform | None, loss: Loss) -> Any:
    x, y, lengths = (*validation, None)[:3]
    return evaluate(model, x, y, lengths=lengths, transform=transform, loss=loss)
