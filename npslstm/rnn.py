"""The GRU and the plain tanh RNN over whole sequences, on the frame of ``layers.py``.

Their state is h alone, one array in place of the LSTM's pair. Equations: ``cells/gru.py`` and
``cells/rnn.py``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, generator
from .cells.gru import GRU_KIND
from .cells.rnn import TANH
from .layers import Recurrent
from .lstm import LSTM

__all__ = ["GRU", "RNN", "recurrent_layers"]


class GRU(Recurrent):
    """A stacked, optionally bidirectional GRU over whole sequences, as ``torch.nn.GRU``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in :class:`LSTM`.
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√H, 1/√H); None draws different ones each time.

    Attributes
    ----------
    params : Parameters
        As the LSTM's, with three blocks of rows, r, z, n: ``weight_ih_l0 (3H, D)``, …

    Raises
    ------
    ValueError, TypeError
        For options that do not fit together.

    Examples
    --------
    >>> gru = GRU(3, 4, num_layers=2, rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> out, h_n, cache = gru.forward(x)
    >>> dx, dh_0, grads = gru.backward(cache, np.ones_like(out))
    >>> out.shape, h_n.shape, dx.shape, grads["weight_hh_l1"].shape
    ((7, 5, 4), (2, 5, 4), (7, 5, 3), (12, 4))
    """

    kind = GRU_KIND

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            dtype=dtype,
            rng=rng,
        )


class RNN(Recurrent):
    """A stacked, optionally bidirectional tanh RNN over whole sequences, as ``torch.nn.RNN``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As in :class:`LSTM`.
    init : {"uniform", "orthogonal"}
        How ``weight_hh`` begins: from U(-1/√H, 1/√H) as all the others, or as a random orthogonal
        matrix, which by itself neither shrinks nor stretches what passes through it (Saxe et al.
        2014, Le et al. 2015).
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters; None draws different ones each time.

    Attributes
    ----------
    params : Parameters
        As the LSTM's, with one block of rows: ``weight_ih_l0 (H, D)``, …

    Raises
    ------
    ValueError, TypeError
        For options that do not fit together.

    Examples
    --------
    >>> rnn = RNN(3, 4, init="orthogonal", rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> out, h_n, cache = rnn.forward(x)
    >>> dx, dh_0, grads = rnn.backward(cache, np.ones_like(out))
    >>> out.shape, h_n.shape, dx.shape, grads["weight_hh_l0"].shape
    ((7, 5, 4), (1, 5, 4), (7, 5, 3), (4, 4))
    """

    kind = TANH

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        init: Literal["uniform", "orthogonal"] = "uniform",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        if init not in ("uniform", "orthogonal"):
            raise ValueError(f'init: expected "uniform" or "orthogonal", given {init!r}')
        rng = generator(rng)
        super().__init__(
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            dtype=dtype,
            rng=rng,
        )
        if init == "orthogonal":
            for name, param in self.params.items():
                if name.startswith("weight_hh"):
                    param[...] = _random_orthogonal(self.hidden_size, rng)


def _random_orthogonal(size: int, rng: np.random.Generator) -> Array:
    """Draw an orthogonal matrix, all alike likely (Mezzadri 2007 on why the signs are needed)."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))


def recurrent_layers(
    cell: str, shape: tuple[Any, ...], variant: str, forget_bias: float, options: dict[str, Any]
) -> Recurrent:
    """Make a model's layers: ``cell`` is "lstm", "gru" or "rnn", and variants are the LSTM's."""
    if cell == "lstm":
        return LSTM(*shape, variant=variant, forget_bias=forget_bias, **options)
    if cell not in ("gru", "rnn"):
        raise ValueError(f'cell: expected "lstm", "gru" or "rnn", given {cell!r}')
    if variant != "standard":
        raise ValueError(
            f'variant: expected "standard" with cell={cell!r}, since variants are of the LSTM, '
            f"given {variant!r}"
        )
    if forget_bias:
        raise ValueError(
            f"forget_bias: expected 0 with cell={cell!r}, which has no forget gate, "
            f"given {forget_bias}"
        )
    return {"gru": GRU, "rnn": RNN}[cell](*shape, **options)
