"""What every conversion shares: which LSTM can be converted, and how layers become one LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import Array, check_array, check_plain
from ..lstm import LSTM

__all__ = ["check_convertible", "check_layers", "hidden_size", "stacked"]

Cell = dict[str, Array]  # one layer in one direction, as ``LSTM.cell_params`` names it
OTHERS = {  # how many times H there are
    1: ": these are the weights of a simple RNN, one block of H, and an LSTM has four",
    3: ": these are the weights of a GRU, three blocks of H, and an LSTM has four",
}


def check_convertible(lstm: Any, variants: Sequence[str], where: str) -> None:
    """Demand an LSTM of which there is the like elsewhere."""
    if not isinstance(lstm, LSTM):
        remedy = "; give its model.lstm" if hasattr(lstm, "lstm") else ""
        raise TypeError(f"lstm: expected an LSTM, given {type(lstm).__name__}{remedy}")
    if lstm.variant not in variants:
        known = " or ".join(map(repr, variants))
        raise ValueError(
            f"lstm: expected variant {known}, which is what {where} has, given {lstm.variant!r}"
        )
    if lstm.proj_size:
        raise ValueError(
            f"lstm: expected proj_size 0, since {where} does not project h, given {lstm.proj_size}"
        )


def check_layers(layers: Any, expected: str) -> list[Any]:
    """Return the layers as a list of at least one."""
    if isinstance(layers, np.ndarray | Mapping | str) or not isinstance(layers, Sequence):
        raise TypeError(
            f"layers: expected a list with {expected} for each layer, given {type(layers).__name__}"
        )
    if not layers:
        raise ValueError(f"layers: expected {expected} for each layer, given an empty list")
    return list(layers)


def hidden_size(name: str, recurrent: Any, axes: tuple[str, ...]) -> int:
    """Return H, given recurrent weights whose axes are "H", "4H" and others, in any order.

    Raises
    ------
    TypeError
        If they are no array of float32 or float64.
    ValueError
        If they have the shape of no LSTM's.
    """
    check_plain(name, recurrent)
    if recurrent.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: expected dtype float32 or float64, given {recurrent.dtype}")
    check_array(name, recurrent, axes, recurrent.dtype)
    sizes = dict(zip(axes, recurrent.shape, strict=True))
    hidden, width = sizes["H"], sizes["4H"]
    if not hidden or width != 4 * hidden:
        seen = OTHERS.get(width / hidden, "") if hidden else ""
        raise ValueError(
            f"{name}: expected shape ({', '.join(axes)}), given {recurrent.shape}{seen}"
        )
    return hidden


def stacked(layers: list[list[Cell]], variant: str) -> LSTM:
    """Make an LSTM of cells, ``layers[k][direction]``, once they are found to follow each other.

    Raises
    ------
    ValueError, TypeError
        If a layer does not go with the first one, or does not read what the one below it gives.
    """
    first = layers[0][0]
    lstm_like = _properties(layers[0])
    features = len(layers[0]) * lstm_like["hidden_size"]
    for k, cells in enumerate(layers[1:], start=1):
        for what, given in _properties(cells).items():
            if given != lstm_like[what]:
                raise ValueError(
                    f"layers[{k}]: expected {what} {lstm_like[what]}, as layers[0] has, given "
                    f"{given}; one LSTM has one {what}: convert the layers one by one"
                )
        read = cells[0]["weight_ih"].shape[1]
        if read != features:
            raise ValueError(
                f"layers[{k}]: expected to read {features} features, which is what layers[{k - 1}] "
                f"gives, given weights for {read}"
            )
    lstm = LSTM(
        first["weight_ih"].shape[1],
        lstm_like["hidden_size"],
        len(layers),
        bias="bias_ih" in first,
        bidirectional=len(layers[0]) == 2,
        variant=variant,
        dtype=lstm_like["dtype"],
        rng=0,
    )
    for k, cells in enumerate(layers):
        for direction, cell in enumerate(cells):
            for name, param in lstm.cell_params(k, direction).items():
                param[...] = cell[name]
    return lstm


def _properties(cells: list[Cell]) -> dict[str, Any]:
    """Say what all layers of an LSTM have in common."""
    weight_hh = cells[0]["weight_hh"]
    return {
        "number of directions": len(cells),
        "hidden_size": weight_hh.shape[1],
        "bias": "bias_ih" in cells[0],
        "dtype": weight_hh.dtype,
    }
