"""Examples of your own, a batch at a time, turned for the model that reads them.

Examples lie on the first axis, whatever the model's own layout: x ``(N, T, D)``, lengths ``(N,)``;
y ``(N,)`` labels or ``(N, K)`` numbers with readout "last", ``(N, T)`` or ``(N, T, K)`` with "all".
A model that reads time first gets its batches turned here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import Array, check_function
from . import wrong_data

__all__ = ["Batch", "Examples", "Loss", "Model", "Transform", "pad_sequences"]

Loss = Callable[..., tuple[Any, Array]]
Transform = Callable[[Array], Array]


class Model(Protocol):
    """What can be trained and evaluated here: :class:`LSTMModel`, or anything like it.

    A model of your own gets examples first; with an attribute ``batch_first`` that is False, time
    first. With ``readout = "all"`` it answers at every step, and its y has an axis of steps. It is
    called with ``lengths=`` where lengths were given, and not otherwise.
    """

    params: dict[str, Array]

    def __call__(self, x: Array) -> tuple[Array, Any]:
        """Return logits and a state."""

    def loss_and_grads(
        self, x: Array, y: Array, *, loss: Loss, rng: np.random.Generator
    ) -> tuple[Any, dict[str, Array]]:
        """Return the loss and its gradient with respect to every parameter."""


class Batch(NamedTuple):
    """Some of the examples, in the layout of the model."""

    x: Array
    y: Array
    options: dict[str, Any]  # what the model is called with beside them
    valid: Array | None  # which steps lie within lengths, as y with readout "all"; None: all do


class Examples(NamedTuple):
    """All the examples, and how the model reads them."""

    x: Array
    y: Array
    lengths: Array | None
    transform: Transform | None
    batch_first: bool
    every_step: bool  # y has an axis of steps
    check_batch: Callable[[Array, Array], None]

    @classmethod
    def of(
        cls,
        model: Model,
        x: Any,
        y: Any,
        lengths: Any = None,
        transform: Transform | None = None,
        loss: Loss | None = None,
    ) -> Examples:
        """Check what can be checked before anything is calculated.

        Raises
        ------
        ValueError, TypeError
            If x, y, lengths, the model and the loss do not fit together.
        """
        x, y, lengths = wrong_data.check_arrays(x, y, lengths)
        if transform is not None:
            check_function("transform", transform, "a function of a batch of x")
        lstm = getattr(model, "lstm", None)
        batch_first = getattr(model, "batch_first", getattr(lstm, "batch_first", True))
        every_step = getattr(model, "readout", "last") == "all"
        check_batch = wrong_data.batch_check(model, every_step)
        examples = cls(x, y, lengths, transform, batch_first, every_step, check_batch)
        wrong_data.check_targets(model, x, y, examples.valid() if every_step else None, loss)
        return examples

    @property
    def masked(self) -> bool:
        """Whether some steps have an answer that does not count."""
        return self.every_step and self.lengths is not None

    def check_finite(self) -> None:
        """Demand finite numbers; padding past lengths may hold anything."""
        valid = self.valid()
        if self.transform is None:  # or it may know what to do about them
            wrong_data.check_finite("x", self.x, valid)
        wrong_data.check_finite("y", self.y, valid if self.every_step else None)

    def valid(self, rows: Any = slice(None)) -> Array | None:
        """Say which steps of these rows lie within lengths, (N, T); None: all do."""
        if self.lengths is None:
            return None
        return np.arange(self.x.shape[1]) < self.lengths[rows, None]

    def batch(self, rows: Any, steps: slice | None = None) -> Batch:
        """Return these rows, cut to their longest one or to ``steps``."""
        x, y, options, valid = self.x[rows], self.y[rows], {}, None
        if self.lengths is not None:
            lengths = self.lengths[rows]
            steps = slice(max(1, lengths.max()))
            options["lengths"] = lengths
        if steps is not None:
            x = x[:, steps]
            y = y[:, steps] if self.every_step else y
        x = x if self.transform is None else self.transform(x)
        self.check_batch(x, y)
        if self.masked:
            valid = self.turned(np.arange(x.shape[1]) < lengths[:, None])
        return Batch(self.turned(x), self.turned(y) if self.every_step else y, options, valid)

    def turned(self, array: Array) -> Array:
        """Swap examples and steps for a model that reads time first; its own inverse."""
        return array if self.batch_first else array.swapaxes(0, 1)


def pad_sequences(sequences: Sequence[ArrayLike]) -> tuple[Array, Array]:
    """Put sequences of different lengths into one array, with zeros behind their ends.

    Parameters
    ----------
    sequences : list of arrays, shapes (T_k, ...)
        All alike but for their lengths: ``(T_k, D)`` for inputs, ``(T_k,)`` or ``(T_k, K)`` for
        targets at every step.

    Returns
    -------
    x : ndarray, shape (N, max T_k, ...)
        Examples first; of the dtype that holds all of them.
    lengths : integer array, shape (N,)
        T_k, for ``fit(..., lengths=lengths)`` and :meth:`LSTM.forward`.

    Raises
    ------
    ValueError, TypeError
        If there is no sequence, or one does not fit to the first: it is named.

    Examples
    --------
    >>> x, lengths = pad_sequences([[1.0, 2.0, 3.0], [4.0]])
    >>> x
    array([[1., 2., 3.],
           [4., 0., 0.]])
    >>> lengths
    array([3, 1])
    """
    arrays = wrong_data.check_sequences(sequences)
    lengths = np.array([len(array) for array in arrays])
    shape = len(arrays), lengths.max(), *arrays[0].shape[1:]
    padded = np.zeros(shape, np.result_type(*arrays))
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths
