"""Backward once more, for those who need the gradients of every step and not only their sum.

The recursion is that of ``kernel/sequence.py``, in plain lines.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..cells import base
from ..kernel.weights import State, Weights

__all__ = ["Adjoints", "Forcing", "block_adjoints"]


class Forcing(NamedTuple):
    """What is added at every step: the terms of a second derivative (``second.py``)."""

    d: Array  # (steps, local derivatives, H, n), to what the local derivatives give
    dh_prev: Array  # (steps, H, n)


class Adjoints(NamedTuple):
    """The gradients of a block, step by step."""

    d: Array  # (steps, local derivatives, H, n); in the LSTM dc_prev, da_i, da_f, da_g, da_o, dc
    dh: Array  # (steps, H, n), all that reaches h
    start: State  # of the state before the block


def block_adjoints(
    weights: Weights,
    local: Array,
    dout: Array | None,
    dstate: State,
    forcing: Forcing | None = None,
) -> Adjoints:
    """Run a block backward; ``dout (steps, n, H)`` is the gradient of its outputs.

    Kinds of every sort, without a projection.
    """
    kind, steps = weights.kind, len(local)
    given = [array for array in (dout, *dstate) if array is not None]
    d = np.empty(local.shape, np.result_type(local, *given))
    dhs = np.empty((steps, *d.shape[2:]), d.dtype)
    dh, dc = dstate
    step: Any = base.through_c if kind.has_c else base.through_h
    weight_hh_t = weights.weight_hh_t
    for t in reversed(range(steps)):
        dhs[t] = dh if dout is None else dh + dout[t].T
        by_dc, by_dh = local[t, : kind.by_dc], local[t, kind.by_dc :]
        out = d[t, kind.by_dc :], d[t, -1], d[t, : kind.by_dc], d[t, 0]
        if forcing is not None and dc is not None:
            dc = dc + forcing.d[t, -1]  # (31)
        dc = step(by_dc, by_dh, dhs[t], dc, out)  # (15)-(18)
        if forcing is not None:
            d[t, :-1] += forcing.d[t, :-1]  # (32)-(34)
        dh = weight_hh_t @ d[t, kind.da].reshape(-1, d.shape[-1])  # (19)
        if kind.local[-1] == "dh_dh_prev":
            dh += d[t, -1]
        if forcing is not None:
            dh += forcing.dh_prev[t]  # (35)
    return Adjoints(d, dhs, State(dh, dc))
