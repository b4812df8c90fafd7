"""Keras: ``keras.layers.LSTM``, alone or in ``keras.layers.Bidirectional``.

Gates i, f, c, o are ours, i, f, g, o, in the same order; each matrix is the transpose of ours.
Where the format is defined: keras/src/layers/rnn/lstm.py, ``LSTMCell.build`` and ``call``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Array, check_array
from ..lstm import LSTM
from .stack import check_convertible, check_layers, hidden_size, stacked

__all__ = ["from_keras", "to_keras"]


def to_keras(lstm: LSTM) -> list[list[Array]]:
    """Return the weights of each layer, for ``layer.set_weights``.

    Parameters
    ----------
    lstm : LSTM
        Of variant "standard".

    Returns
    -------
    list of list of ndarray
        For each layer ``[kernel (D, 4H), recurrent_kernel (H, 4H), bias (4H,)]``, without the last
        where ``bias=False``; twice that when bidirectional, forward first, as for
        ``keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True))``. All are copies.

    Raises
    ------
    ValueError, TypeError
        For what Keras does not have: other variants, a projection.

    Notes
    -----
    What is easily missed, each measured in Keras 3:

    * Keras reads (N, T, D): give it ``x.swapaxes(0, 1)``, or make the LSTM with ``batch_first``.
    * It has one bias, the sum of ours.
    * All layers but the last need ``return_sequences=True``; its default is the last output alone.
    * Behind the end of a masked row, a lone ``LSTM`` repeats the last h, where ``Bidirectional``,
      or ``zero_output_for_mask=True``, gives 0, as we do.
    * ``go_backwards=True`` gives its outputs in the order in which it read: the last step first.
    * A row that is masked from its beginning ends in the initial state, as with a length of 0 here.

    Examples
    --------
    >>> lstm = LSTM(3, 4, num_layers=2, bidirectional=True, rng=0)
    >>> [[array.shape for array in layer[:3]] for layer in to_keras(lstm)]
    [[(3, 16), (4, 16), (16,)], [(8, 16), (4, 16), (16,)]]
    """
    check_convertible(lstm, ["standard"], "Keras's LSTM")
    layers = []
    for layer in range(lstm.num_layers):
        weights = []
        for direction in range(lstm.directions):
            cell = lstm.cell_params(layer, direction)
            weights += [cell["weight_ih"].T.copy("C"), cell["weight_hh"].T.copy("C")]
            if lstm.bias:
                weights.append(cell["bias_ih"] + cell["bias_hh"])
        layers.append(weights)
    return layers


def from_keras(layers: Any) -> LSTM:
    """Make an LSTM of the weights of Keras's layers.

    Parameters
    ----------
    layers : list of list of ndarray
        What ``layer.get_weights()`` gives, for each layer: two or three arrays, or four or six of a
        ``Bidirectional`` layer.

    Returns
    -------
    LSTM
        Of the arrays' dtype. It reads (T, N, D); after ``lstm.batch_first = True`` it reads
        (N, T, D), as Keras does.

    Raises
    ------
    ValueError, TypeError
        For arrays whose shapes are no LSTM's, weights of a GRU, or layers that do not follow each
        other.

    Notes
    -----
    * Keras's one bias becomes ``bias_ih``, and ``bias_hh`` is 0. Training here moves both, so the
      sum moves twice as far as it would there.
    * ``unit_forget_bias`` has already put its 1 into the bias of Keras's forget gate: leave
      ``forget_bias`` alone.
    * ``activation``, ``recurrent_activation`` and ``go_backwards`` are not in the arrays: they have
      to be Keras's defaults.

    Examples
    --------
    >>> lstm = from_keras([[np.zeros((3, 16)), np.zeros((4, 16)), np.zeros(16)]])
    >>> lstm
    LSTM(3, 4, dtype='float64')
    """
    expected = "what layer.get_weights() gives"
    read = [
        _cells(f"layers[{k}]", layer, expected)
        for k, layer in enumerate(check_layers(layers, expected))
    ]
    return stacked(read, "standard")


def _cells(name: str, weights: Any, expected: str) -> list[dict[str, Array]]:
    """Return the parameters of one layer, for each direction."""
    if not isinstance(weights, list | tuple):
        raise TypeError(
            f"{name}: expected {expected}, a list of arrays, given {type(weights).__name__}; "
            "for one layer: from_keras([layer.get_weights()])"
        )
    if len(weights) not in (2, 3, 4, 6):
        raise ValueError(
            f"{name}: expected 2 arrays, 3 with a bias, or twice as many of a Bidirectional layer, "
            f"given {len(weights)}"
        )
    directions = 1 if len(weights) <= 3 else 2
    size = len(weights) // directions
    if directions == 1:
        return [_cell(name, weights)]
    cells = [
        _cell(f"{name}, {way}", weights[d * size : (d + 1) * size])
        for d, way in enumerate(("forward", "backward"))
    ]
    forward, backward = (cell["weight_ih"].shape for cell in cells)
    if forward != backward:
        raise ValueError(
            f"{name}, backward: expected a kernel of shape {forward[::-1]}, as forward has, given "
            f"{backward[::-1]}"
        )
    return cells


def _cell(name: str, weights: Any) -> dict[str, Array]:
    """Return the parameters of one direction under our names."""
    kernel, recurrent, *bias = weights
    hidden = hidden_size(f"{name}, recurrent_kernel", recurrent, ("H", "4H"))
    dtype = recurrent.dtype
    check_array(f"{name}, kernel", kernel, ("D", 4 * hidden), dtype)
    cell = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    if bias:
        check_array(f"{name}, bias", bias[0], (4 * hidden,), dtype)
        cell |= {"bias_ih": bias[0], "bias_hh": np.zeros_like(bias[0])}
    return cell
