"""LSTMModel: stacked LSTM layers and a linear head, the notebook's unfinished class finished.

Shapes: x as in ``lstm.py``; logits ``(N, K)`` with readout "last", ``(T, N, K)`` in the layout of
x with "all"; without N for one sequence x ``(T, D)``.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from .arguments import (
    Array,
    check_array,
    check_cache_type,
    check_dtype,
    check_like,
    check_loss,
    check_size,
    generator,
)
from .derivatives.hvp import hvp
from .files import open_npz, write_npz
from .kernel.stack import SequenceCache
from .linear import Linear, LinearCache, Readout
from .losses import cross_entropy
from .parameters import JoinedParameters, Layer, Parameters, joined, part_of
from .rnn import recurrent_layers

__all__ = ["LSTMModel", "ModelCache"]


class ModelCache(NamedTuple):
    """What backward needs of a forward; nothing in it is ever written to again."""

    lstm: SequenceCache
    head: LinearCache


class LSTMModel(Readout, Layer):
    """An LSTM with a linear head.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        D, H and K, all at least 1.
    num_layers, bias, batch_first, dropout, bidirectional, variant, forget_bias, dtype, rng
        As in :class:`LSTM`; ``bias`` is the head's, too.
    readout : {"last", "all"}
        What the head reads: the top layer's h_n, both directions side by side, which is each row's
        state at its own end; or its output at every step.
    cell : {"lstm", "gru", "rnn"}
        What the layers are made of; ``variant`` and ``forget_bias`` are the LSTM's alone.

    Attributes
    ----------
    lstm : LSTM, GRU or RNN
    head : Linear
    params : dict of ndarray
        ``lstm.weight_ih_l0``, … ``head.weight (K, directions·H)``, ``head.bias (K,)``: the very
        arrays of ``lstm.params`` and ``head.params``.

    Raises
    ------
    ValueError, TypeError
        For options that do not fit together.

    Examples
    --------
    >>> model = LSTMModel(3, 4, 10, rng=0)
    >>> x, y = np.ones((7, 5, 3), np.float32), [3, 1, 4, 1, 5]
    >>> loss, grads = model.loss_and_grads(x, y)
    >>> model.predict(x).shape, grads["head.weight"].shape
    ((5,), (10, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        readout: Literal["last", "all"] = "last",
        cell: Literal["lstm", "gru", "rnn"] = "lstm",
        variant: str = "standard",
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        if readout not in ("last", "all"):
            raise ValueError(f'readout: expected "last" or "all", given {readout!r}')
        self.readout = readout
        check_size("output_size", output_size)
        rng = generator(rng)
        self.cell = cell
        self.lstm = recurrent_layers(
            cell,
            (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            variant,
            forget_bias,
            {"dtype": dtype, "rng": rng},
        )
        self.head = Linear(self.lstm.features, output_size, bias, dtype=dtype, rng=rng)

    @property
    def params(self) -> Parameters:
        """The parameters of LSTM and head: a view, so what is replaced here is replaced there."""
        return JoinedParameters(lstm=self.lstm, head=self.head)

    @params.setter
    def params(self, arrays: Mapping[str, Array]) -> None:
        view = self.params
        check_like("params", arrays, view)
        view.update(arrays)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make a model of this shape; the weights say the rest."""
        lstm, shape = self.lstm, ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
        return {
            "input_size": lstm.input_size,
            "hidden_size": lstm.hidden_size,
            "output_size": len(self.head.params["weight"]),
            **{name: getattr(lstm, name) for name in shape},
            "readout": self.readout,
            "cell": self.cell,
            "variant": lstm.kind.name if self.cell == "lstm" else "standard",
            "dtype": str(lstm.dtype),
        }

    def __call__(self, x: Array, state: Any = None, *, lengths: Any = None) -> tuple[Array, Any]:
        """Return logits and the last state, for inference; x in the model's own layout."""
        out, state_n = self.lstm(x, state, lengths=lengths)
        return self.head(self.read(out, state_n)), state_n

    def predict(self, x: Array, state: Any = None, *, lengths: Any = None) -> Array:
        """Return the class of the largest logit: (N,), or (T, N) in the layout of x.

        x lies in the model's own layout: time first, or examples first with ``batch_first``.

        Raises
        ------
        ValueError
            If there is one class alone, as in a model of numbers.
        """
        if self.head.out_features == 1:
            remedy = "of a model of numbers, use model(x)[0]"
            raise ValueError(f"predict: expected at least 2 classes, given output_size=1; {remedy}")
        logits, _ = self(x, state, lengths=lengths)
        return logits.argmax(axis=-1)

    def forward(
        self,
        x: Array,
        state: Any = None,
        *,
        lengths: Any = None,
        rng: np.random.Generator | None = None,
        **options: Any,
    ) -> tuple[Array, Any, ModelCache]:
        """Return logits, the last state and a cache; arguments as in :meth:`LSTM.forward`."""
        out, state_n, lstm_cache = self.lstm.forward(x, state, lengths=lengths, rng=rng, **options)
        logits, head_cache = self.head.forward(self.read(out, state_n))
        return logits, state_n, ModelCache(lstm_cache, head_cache)

    def backward(
        self, cache: ModelCache, dlogits: Array | None, dstate: Any = None
    ) -> tuple[Array, Any, dict[str, Array]]:
        """Return dx, the gradient of the initial state, and that of every parameter.

        Parameters
        ----------
        cache : ModelCache
            Of the :meth:`forward` to invert; the parameters must be the same as then.
        dlogits : ndarray, shape of the logits, or None for zeros
            ∂loss/∂logits.
        dstate : (dh_n, dc_n), each of the shape of h_n or None, optional
            ∂loss/∂h_n and ∂loss/∂c_n where the loss reads the last state beside the logits.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit, or the cache is that of another model.
        """
        check_cache_type(cache, ModelCache)
        self.check_readout(cache)
        shape = (*cache.head.x.shape[:-1], self.head.out_features)
        if dlogits is None:
            dlogits = np.zeros(shape, self.lstm.dtype)
        check_array("dlogits", dlogits, shape, self.lstm.dtype)
        dread, head_grads = self.head.backward(cache.head, dlogits)
        dout, dstate = self.read_backward(cache.lstm, dread, dstate)
        dx, dstate_0, lstm_grads = self.lstm.backward(cache.lstm, dout, dstate)
        return dx, dstate_0, joined({"lstm": lstm_grads, "head": head_grads})

    def loss_and_grads(
        self,
        x: Array,
        y: Any,
        state: Any = None,
        *,
        loss: Callable[..., tuple[Any, Array]] = cross_entropy,
        lengths: Any = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Any, dict[str, Array]]:
        """Return the loss and its gradient with respect to every parameter.

        Parameters
        ----------
        x, state, lengths, rng
            As in :meth:`LSTM.forward`: x in the model's own layout, time first unless
            ``batch_first``. (``fit`` takes examples first and turns each batch.)
        y
            What the loss compares the logits with: labels (N,), or in the layout of x with
            readout "all".
        loss : function
            ``loss(logits, y) -> (value, gradient)``, called with ``mask=`` the valid steps where
            readout is "all" and lengths are given.
        """
        check_loss(loss)
        logits, _, cache = self.forward(x, state, lengths=lengths, rng=rng)
        self.check_layout(y, x)
        value, dlogits = loss(logits, y, **self.loss_options(cache, lengths))
        return value, self.backward(cache, dlogits)[2]

    def hvp(
        self,
        x: Array,
        y: Any,
        params_dot: Mapping[str, Array],
        *,
        loss: Callable[..., tuple[Any, Array]] = cross_entropy,
        lengths: Any = None,
    ) -> dict[str, Array]:
        """Return a Hessian-vector product: d/ds of the gradients at params + s·params_dot, s = 0.

        By Pearlmutter's R-operator (1994), (20)-(37) of ``tangents.py``: exact, without dropout.

        Parameters
        ----------
        x, y, lengths
            As in :meth:`loss_and_grads`.
        params_dot : mapping of ndarray
            The direction, as ``params``; a name that is missing does not move.
        loss : function
            :func:`cross_entropy` or :func:`mean_squared_error`; options by ``functools.partial``.

        Returns
        -------
        dict of ndarray
            Names and shapes of ``params``.

        Raises
        ------
        ValueError, TypeError
            If a name, shape or dtype does not fit, or loss or kind of cell is another.
        """
        return hvp(self, x, y, params_dot, loss, lengths)

    def with_params(self, arrays: Mapping[str, Array]) -> Self:
        """Return a copy that has these parameters, unchecked, as of another dtype."""
        twin = copy.copy(self)
        twin.lstm = self.lstm.with_params(part_of(arrays, "lstm"))
        twin.head = self.head.with_params(part_of(arrays, "head"))
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write configuration and weights to one ``.npz`` (``files/README.md``: its promises).

        Raises
        ------
        TypeError
            If the model is complex, which :meth:`load` would refuse.
        """
        check_dtype(self.dtype)
        write_npz(path, {"config": np.array(json.dumps(self.config)), **self.params})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LSTMModel:
        """Make the model that :meth:`save` wrote.

        Raises
        ------
        CheckpointError
            If the file is damaged, or holds another thing than a model.
        """
        with open_npz(path, "a model of npslstm") as file:
            return file.read_model(cls)
