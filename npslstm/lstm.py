"""The LSTM over whole sequences. What it shares with the other kinds is in ``layers.py``."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from .arguments import check_size
from .cells import variant_named
from .layers import Recurrent

__all__ = ["LSTM"]


class LSTM(Recurrent):
    """A stacked, optionally bidirectional LSTM over whole sequences, as ``torch.nn.LSTM``.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, both at least 1.
    num_layers : int
        Layers; each reads the outputs of the one below.
    bias : bool
        Whether to have ``bias_ih`` and ``bias_hh``.
    batch_first : bool
        Whether x and out are (N, T, ...) rather than (T, N, ...). States never are.
    dropout : float
        Probability of zeroing an output between layers, in [0, 1); acts only where ``forward`` is
        given a generator.
    bidirectional : bool
        Whether each layer also reads the sequence from its end.
    variant : str
        The kind of cell: "standard", or another of ``npslstm.cells.VARIANTS``.
    proj_size : int
        P, the size to which h is projected, h = W_hr (o ⊙ tanh(c)); 0 for none. Below H, and for
        the standard variant alone.
    forget_bias : float
        Added to the forget gate's slice of every ``bias_ih``.
    dtype : dtype
        Of the parameters, and so of all inputs: float32 or float64.
    rng : numpy.random.Generator, int or None
        Draws the initial parameters from U(-1/√H, 1/√H); None draws different ones each time.

    Attributes
    ----------
    params : Parameters
        A mapping of arrays under PyTorch's names: ``weight_ih_l0 (4H, D)``, ``weight_hh_l0 (4H,
        H)``, ``bias_ih_l0``, ``bias_hh_l0 (4H,)``, then ``_l0_reverse``, ``_l1``, … Change or
        replace them as you like between a backward and the next forward; nothing is remembered.

    Raises
    ------
    ValueError, TypeError
        For options that do not fit together.

    Examples
    --------
    >>> lstm = LSTM(3, 4, num_layers=2, bidirectional=True, rng=0)
    >>> x = np.ones((7, 5, 3), np.float32)  # 7 steps, 5 rows
    >>> out, (h_n, c_n), cache = lstm.forward(x, lengths=[7, 2, 5, 0, 7])
    >>> dx, (dh_0, dc_0), grads = lstm.backward(cache, np.ones_like(out))
    >>> out.shape, h_n.shape, dx.shape, grads["weight_hh_l1_reverse"].shape
    ((7, 5, 8), (4, 5, 4), (7, 5, 3), (16, 4))
    """

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
        variant: str = "standard",
        proj_size: int = 0,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.variant, self.kind = variant, variant_named(variant)
        if isinstance(proj_size, bool) or not isinstance(proj_size, int) or proj_size:
            proj_size = check_size("proj_size", proj_size)
            if proj_size >= hidden_size:
                raise ValueError(
                    f"proj_size: expected less than hidden_size = {hidden_size}, given {proj_size}"
                )
            if variant != "standard":
                raise ValueError(
                    f'proj_size: expected 0 with variant={variant!r}, since only "standard" '
                    f"projects h, given {proj_size}"
                )
        super().__init__(
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
            proj_size=proj_size,
            forget_bias=forget_bias,
            dtype=dtype,
            rng=rng,
        )
