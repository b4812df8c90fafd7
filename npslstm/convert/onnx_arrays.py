"""ONNX: the arrays of its operator LSTM, whose gates are i, o, f, c.

Where the format is defined: https://onnx.ai/onnx/operators/onnx__LSTM.html. Its equations are ours,
with c for our g, and peepholes from c_{t-1} to i and f, from c_t to o.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import Array, check_array
from ..cells import variant_named
from ..lstm import LSTM
from .stack import check_convertible, check_layers, hidden_size, stacked

__all__ = ["from_onnx", "to_onnx"]

GATES = "i", "o", "f", "g"  # the blocks of rows; ONNX calls our g c
PEEPHOLES = "weight_ci", "weight_co", "weight_cf"  # P
KEYS = "W", "R", "B", "P", "input_forget"


def to_onnx(lstm: LSTM) -> list[dict[str, Any]]:
    """Return the inputs of ONNX's operator LSTM, for each layer.

    Parameters
    ----------
    lstm : LSTM
        Of variant "standard", "peephole" or "cifg".

    Returns
    -------
    list of dict
        For each layer ``"W" (directions, 4H, D)``, ``"R" (directions, 4H, H)``, with a bias ``"B"
        (directions, 8H)``, with peepholes ``"P" (directions, 3H)``; all are copies. For "cifg" also
        ``"input_forget": 1``, the operator's attribute, which makes f = 1 - i; ONNX has four blocks
        of rows then, too, and does not read that of f: it is 0.

    Raises
    ------
    ValueError, TypeError
        For what ONNX does not have: other variants, a projection.

    Notes
    -----
    What is easily missed, each measured in onnxruntime:

    * The blocks of rows are i, o, f, c, those of P are i, o, f.
    * B holds both biases, ``bias_ih`` first; its gates are in ONNX's order, too.
    * The output Y is (T, directions, N, H): transpose it before the next layer reads it.
    * For a row of length 0 onnxruntime returns 0 as its last state, where we return h_0 and c_0.
    * It has no double LSTM, and refuses ``layout = 1``, which is batch first.

    Examples
    --------
    >>> [layer] = to_onnx(LSTM(3, 4, bidirectional=True, rng=0))
    >>> {name: array.shape for name, array in layer.items()}
    {'W': (2, 16, 3), 'R': (2, 16, 4), 'B': (2, 32)}
    """
    check_convertible(lstm, ["standard", "peephole", "cifg"], "ONNX's LSTM")
    layers = []
    for k in range(lstm.num_layers):
        cells = [lstm.cell_params(k, direction) for direction in range(lstm.directions)]
        rows = {
            name: [_reordered(cell[name], lstm.kind.gates, GATES) for cell in cells]
            for name in ("weight_ih", "weight_hh", *["bias_ih", "bias_hh"] * lstm.bias)
        }
        layer: dict[str, Any] = {"W": np.stack(rows["weight_ih"]), "R": np.stack(rows["weight_hh"])}
        if lstm.bias:
            layer["B"] = np.hstack([np.stack(rows["bias_ih"]), np.stack(rows["bias_hh"])])
        if lstm.variant == "peephole":
            layer["P"] = np.stack([np.concatenate([c[name] for name in PEEPHOLES]) for c in cells])
        if lstm.variant == "cifg":
            layer["input_forget"] = 1
        layers.append(layer)
    return layers


def from_onnx(layers: Any) -> LSTM:
    """Make an LSTM of the inputs of ONNX's operator LSTM.

    Parameters
    ----------
    layers : list of dict
        For each layer the arrays ``"W"`` and ``"R"``; ``"B"``, ``"P"`` and ``"input_forget"`` where
        there are such: as :func:`to_onnx` returns them. Two directions are ONNX's "bidirectional",
        one is "forward".

    Returns
    -------
    LSTM
        Of the arrays' dtype; its variant is "peephole" with P, "cifg" with input_forget = 1.

    Raises
    ------
    ValueError, TypeError
        For arrays whose shapes are no LSTM's, weights of a GRU, layers that do not follow each
        other, another attribute of the operator, or P and input_forget together.

    Notes
    -----
    * ONNX leaves out B where all biases are 0: then ours has ``bias=False``.
    * With input_forget = 1 ONNX does not read the block of f, and so it is lost here.
    * ``activations``, ``clip`` and ``direction="reverse"`` have no counterpart: they have to be
      ONNX's defaults.

    Examples
    --------
    >>> lstm = from_onnx([{"W": np.zeros((1, 16, 3)), "R": np.zeros((1, 16, 4))}])
    >>> lstm
    LSTM(3, 4, bias=False, dtype='float64')
    """
    layers = check_layers(layers, "a dictionary of ONNX's W, R, B")
    variants = [_variant(f"layers[{k}]", layer) for k, layer in enumerate(layers)]
    for k, variant in enumerate(variants):
        if variant != variants[0]:
            raise ValueError(
                f"layers[{k}]: expected variant {variants[0]!r}, as layers[0] is, given "
                f"{variant!r}; one LSTM has one variant: convert the layers one by one"
            )
    gates = variant_named(variants[0]).gates
    read = [_cells(f"layers[{k}]", layer, gates) for k, layer in enumerate(layers)]
    return stacked(read, variants[0])


def _variant(name: str, layer: Any) -> str:
    """Return what the layer is called here, from what it has."""
    if not isinstance(layer, Mapping):
        raise TypeError(f"{name}: expected a dictionary, given {type(layer).__name__}")
    missing, unknown = {"W", "R"} - layer.keys(), layer.keys() - set(KEYS)
    if missing or unknown:
        raise ValueError(
            f"{name}: expected W and R, and B, P, input_forget where there are such; "
            f"missing {sorted(missing)}, unknown {sorted(unknown, key=str)}"
        )
    coupled = layer.get("input_forget", 0)
    if not isinstance(coupled, int | np.integer) or coupled not in (0, 1):
        raise ValueError(f"{name}, input_forget: expected 0 or 1, given {coupled!r}")
    if coupled and "P" in layer:
        raise ValueError(
            f"{name}: expected P or input_forget = 1, given both: there is no variant with "
            "peepholes whose forget gate is 1 - i"
        )
    return "cifg" if coupled else "peephole" if "P" in layer else "standard"


def _cells(name: str, layer: Mapping[str, Array], gates: Sequence[str]) -> list[dict[str, Array]]:
    """Return the parameters of one layer, for each direction."""
    recurrent = layer["R"]
    hidden = hidden_size(f"{name}, R", recurrent, ("directions", "4H", "H"))
    dtype = recurrent.dtype
    if len(recurrent) not in (1, 2):
        raise ValueError(f"{name}, R: expected 1 or 2 directions, given {recurrent.shape}")
    shapes: dict[str, tuple[int | str, ...]] = {
        "W": (4 * hidden, "D"),
        "R": (4 * hidden, hidden),
        "B": (8 * hidden,),
        "P": (3 * hidden,),
    }
    given = {key: layer[key] for key in shapes if key in layer}
    for key, array in given.items():
        check_array(f"{name}, {key}", array, (len(recurrent), *shapes[key]), dtype)
    cells = []
    for direction in range(len(recurrent)):
        part = {key: array[direction] for key, array in given.items()}
        ours = {"weight_ih": part["W"], "weight_hh": part["R"]}
        if "B" in part:
            ours["bias_ih"], ours["bias_hh"] = np.split(part["B"], 2)
        ours = {key: _reordered(array, GATES, gates) for key, array in ours.items()}
        if "P" in part:
            ours |= zip(PEEPHOLES, np.split(part["P"], 3), strict=True)
        cells.append(ours)
    return cells


def _reordered(array: Array, gates: Sequence[str], order: Sequence[str]) -> Array:
    """Put blocks of rows, one for each of ``gates``, into another order; 0 where there is none."""
    blocks = dict(zip(gates, np.split(array, len(gates)), strict=True))
    nothing = np.zeros_like(blocks["i"])
    return np.concatenate([blocks.get(gate, nothing) for gate in order])
