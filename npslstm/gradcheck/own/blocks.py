"""An LSTM's arrays as ours, gate by gate, and the ways to be almost an LSTM.

A change turns the arrays of an LSTM into those of something close to it, or what a step returns.
Each is something that people have written, and each has the words that say so.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...arguments import Array
from ...cell import LSTMCell
from ...lstm import LSTM

__all__ = ["CHANGES", "GATES", "SAME", "Blocks", "Change", "cell_states", "run"]

GATES = "ifgo"  # our order of the blocks
I, F, G, O = range(4)


class Blocks(NamedTuple):
    """The arrays of our LSTM. Weights and biases may have leading axes, for many LSTMs at once."""

    weight_ih: Array  # (..., 4, H, D)
    weight_hh: Array  # (..., 4, H, H)
    bias_ih: Array  # (..., 4, H)
    bias_hh: Array  # (..., 4, H)
    x: Array  # (T, N, D)
    h_0: Array  # (N, H)
    c_0: Array  # (N, H)

    def params(self, ending: str) -> dict[str, Array]:
        """Return the parameters of an LSTM, whose names end in "_l0", or of an LSTMCell."""
        hidden, inputs = self.weight_ih.shape[-2:]
        return {
            f"weight_ih{ending}": self.weight_ih.reshape(4 * hidden, inputs),
            f"weight_hh{ending}": self.weight_hh.reshape(4 * hidden, hidden),
            f"bias_ih{ending}": self.bias_ih.ravel(),
            f"bias_hh{ending}": self.bias_hh.ravel(),
        }

    def flat(self) -> Array:
        """Join all entries."""
        return np.concatenate([block.ravel() for block in self])


# From h and c of a step: what is its output, and h and c for the next step.
Step = Callable[[Array, Array], tuple[Array, Array, Array]]


class Change(NamedTuple):
    """One way not to be an LSTM."""

    text: str
    blocks: Callable[[Blocks], Blocks] = lambda blocks: blocks
    step: Step | None = None
    apart: bool = False  # possible only where W_ih and W_hh are arrays of their own


def run(blocks: Blocks, change: Change) -> tuple[dict[str, Array], Any]:
    """Run our LSTM: out (T, N, H), h_n and c_n (N, H); and (lstm, cache), where ours goes so.

    Where a step is not as ours, LSTMCell goes step by step, and there is no cache.
    """
    hidden, inputs = blocks.weight_ih.shape[-2:]
    if change.step is None:
        lstm = LSTM(inputs, hidden, dtype=np.float64, rng=0)
        lstm.load_params(blocks.params("_l0"))
        out, (h_n, c_n), cache = lstm.forward(blocks.x, (blocks.h_0[None], blocks.c_0[None]))
        return {"out": out, "h_n": h_n[0], "c_n": c_n[0]}, (lstm, cache)
    out, c = _step_by_step(blocks, change.step)
    return {"out": out, "h_n": out[-1], "c_n": c[-1]}, None


def cell_states(blocks: Blocks) -> Array:
    """Return c (T, N, H) of every step."""
    return _step_by_step(blocks, lambda h, c: (h, h, c))[1]


def _step_by_step(blocks: Blocks, step: Step) -> tuple[Array, Array]:
    hidden, inputs = blocks.weight_ih.shape[-2:]
    cell = LSTMCell(inputs, hidden, dtype=np.float64, rng=0)
    cell.load_params(blocks.params(""))
    h, c, steps = blocks.h_0, blocks.c_0, []
    for x in blocks.x:
        shown, h, c = step(*cell(x, (h, c)))
        steps.append((shown, c))
    out, states = zip(*steps, strict=True)
    return np.stack(out), np.stack(states)


def _sigmoid_of_2a(blocks: Blocks) -> Blocks:
    factor = np.array([2.0, 2.0, 1.0, 2.0])
    return blocks._replace(
        weight_ih=blocks.weight_ih * factor[:, None, None],
        weight_hh=blocks.weight_hh * factor[:, None, None],
        bias_ih=blocks.bias_ih * factor[:, None],
        bias_hh=blocks.bias_hh * factor[:, None],
    )


def _forget_bias(blocks: Blocks) -> Blocks:
    return blocks._replace(bias_ih=blocks.bias_ih + (np.arange(4) == F)[:, None])


def _without_bias(*gates: int) -> Callable[[Blocks], Blocks]:
    """Leave the biases of some gates out."""
    kept = np.array([gate not in gates for gate in range(4)])[:, None]
    return lambda blocks: blocks._replace(
        bias_ih=blocks.bias_ih * kept, bias_hh=blocks.bias_hh * kept
    )


def _biases_of(*gates: int) -> Callable[[Blocks], Blocks]:
    """Give each gate another gate's bias."""
    order = list(gates)
    return lambda blocks: blocks._replace(
        bias_ih=blocks.bias_ih[..., order, :], bias_hh=blocks.bias_hh[..., order, :]
    )


def _recurrent_order(order: tuple[int, ...]) -> Change:
    """W_hh's blocks in another order than those of W_ih."""
    used = ", ".join(GATES[k] for k in order)
    return Change(
        f"the gates are swapped: where W_ih has i, f, g, o, W_hh has {used}",
        lambda blocks: blocks._replace(weight_hh=blocks.weight_hh[..., list(order), :, :]),
        apart=True,
    )


SAME = Change("")
CHANGES = (
    Change("its gates are σ(2a) in place of σ(a)", _sigmoid_of_2a),
    Change("h = o ⊙ c: tanh(c) is missing", step=lambda h, c: (h / np.tanh(c) * c,) * 2 + (c,)),
    Change("1 is added to the forget gate's bias", _forget_bias),
    *(
        Change(f"the {name} gate has no bias", _without_bias(gate))
        for name, gate in (("forget", F), ("input", I), ("candidate", G), ("output", O))
    ),
    Change("i and f have the output gate's bias", _biases_of(O, O, G, O)),
    Change(
        "h_prev is multiplied by each gate's W_hh transposed",
        lambda blocks: blocks._replace(weight_hh=blocks.weight_hh.swapaxes(-1, -2)),
    ),
    Change("h is not carried to the next step", step=lambda h, c: (h, 0 * h, c)),
    Change("c is not carried to the next step", step=lambda h, c: (h, h, 0 * c)),
    *(_recurrent_order(order) for order in list(itertools.permutations(range(4)))[1:]),
)
