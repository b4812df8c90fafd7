"""One step of one layer, and the LSTM around it: what it reads, and what reads it.

The layers below and above, and the steps before and after, are run by LSTMs made of the same
parameters, so by the code under test, forward and backward.

Shapes: sequences ``(T, N, ...)``, states ``(layers·directions, N, H)``. Steps count in the order
in which the direction takes them, and rows that end before the step are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import Array
from ..kernel.layout import Layout
from ..lstm import LSTM
from .subject import frozen

__all__ = ["Surroundings"]


class Surroundings:
    """What one step of an LSTM reads, and what reads it.

    The loss is Σ upstream ⊙ output with random upstream gradients on out, h_n and c_n; it leaves
    out what the step cannot change.

    Attributes
    ----------
    x, h_prev, c_prev : ndarray, shapes (N, D), (N, H), (N, H)
        What the step reads.
    params : dict of ndarray
        What it runs with, under the names of ``LSTMCell``.
    """

    def __init__(
        self,
        lstm: LSTM,
        x: Array,
        state: Any,
        at: tuple[int, int, int],
        options: dict[str, Any],
        rng: np.random.Generator,
    ) -> None:
        layer, self.step, self.direction = at
        both, hidden = range(lstm.directions), lstm.hidden_size
        layout = Layout.of(x, lstm.batch_first, None)
        if state is None:
            shape = layout.state_shape(lstm.num_layers * len(both), hidden)
            state = tuple(rng.standard_normal((2, *shape)))
        *_, cache = lstm.forward(x, state, **frozen(options))  # checks it all and draws the masks

        lengths = options.get("lengths")
        lengths = np.full(layout.rows, layout.steps) if lengths is None else np.asarray(lengths)
        rows = lengths > self.step
        self.lengths = lengths[rows]
        x = layout.inside(x)[:, rows]
        states = np.stack([layout.state_inside(s)[:, rows] for s in state])  # h_0, c_0
        masks = tuple(layout.inside(mask)[:, rows] for mask in cache.dropout_masks)
        start = layer * len(both)
        end, k = start + len(both), start + self.direction

        if layer:
            lower = _part(lstm, range(layer), both)
            x, *_ = lower.forward(
                x, tuple(states[:, :start]), lengths=self.lengths, dropout_masks=masks[: layer - 1]
            )
            x = x * masks[layer - 1] if masks else x
        # The step changes its own direction's half of the layer's output.
        self.out, _ = _part(lstm, [layer], both)(
            x, tuple(states[:, start:end]), lengths=self.lengths
        )
        self.half = slice(self.direction * hidden, (self.direction + 1) * hidden)
        self.params = lstm._cell_params(layer, self.direction)
        self.one = _part(lstm, [layer], [self.direction])
        self.sequence = self._turned(x)
        self.x = self.sequence[self.step]
        _, (h, c) = self.one(
            self.sequence[: self.step],
            tuple(states[:, [k]]),
            lengths=np.full(len(self.lengths), self.step),
        )
        self.h_prev, self.c_prev = h[0], c[0]

        upper = range(layer + 1, lstm.num_layers)
        self.upper = _part(lstm, upper, both) if upper else None
        self.upper_state, self.upper_masks = tuple(states[:, end:]), masks[layer + 1 :]
        self.mask = masks[layer] if upper and masks else np.ones_like(self.out)
        dstates = rng.standard_normal(states.shape)
        self.dstate, self.upper_dstate = tuple(dstates[:, [k]]), tuple(dstates[:, end:])
        self.dout = rng.standard_normal(self.out.shape)

    def loss(self, h: Array, c: Array) -> Any:
        """Go on from the step's h and c, to the loss."""
        after, (h_n, c_n), _ = self._after(h, c)
        dh_n, dc_n = self.dstate
        total = (dh_n * h_n + dc_n * c_n).sum()
        out = self.out.astype(after.dtype)
        before = self._turned(self.out[..., self.half])[: self.step]
        out[..., self.half] = self._turned(np.concatenate([before, h[None], after]))
        if self.upper is not None:
            out, (h_n, c_n), _ = self._above(out)
            dh_n, dc_n = self.upper_dstate
            total += (dh_n * h_n + dc_n * c_n).sum()
        return total + (self.dout * out).sum()

    def arriving(self, h: Array, c: Array) -> dict[str, Array]:
        """Return dh and dc_in of the step, as the code under test delivers them."""
        dout = self.dout
        if self.upper is not None:
            *_, cache = self._above(self.out)
            dout, _, _ = self.upper.backward(cache, dout, self.upper_dstate)
            dout = dout * self.mask
        dout = self._turned(dout[..., self.half])
        *_, cache = self._after(h, c)
        _, (dh, dc), _ = self.one.backward(cache, dout[self.step + 1 :], self.dstate)
        return {"dh": dout[self.step] + dh[0], "dc_in": dc[0]}

    def _after(self, h: Array, c: Array) -> Any:
        rest = self.sequence[self.step + 1 :]
        return self.one.forward(rest, (h[None], c[None]), lengths=self.lengths - self.step - 1)

    def _above(self, out: Array) -> Any:
        assert self.upper is not None
        return self.upper.forward(
            out * self.mask,
            self.upper_state,
            lengths=self.lengths,
            dropout_masks=self.upper_masks,
        )

    def _turned(self, sequence: Array) -> Array:
        """Reverse each row within its length for the reverse direction; its own inverse."""
        if not self.direction:
            return sequence
        layout = Layout.of(sequence, False, self.lengths)
        return layout.outside(layout.flip(layout.inside(sequence)))


def _part(lstm: LSTM, layers: Sequence[int], directions: Sequence[int]) -> LSTM:
    """Make an LSTM of some layers and directions of another."""
    params = {
        f"{name}_l{k}" + "_reverse" * d: param
        for k, layer in enumerate(layers)
        for d, direction in enumerate(directions)
        for name, param in lstm._cell_params(layer, direction).items()
    }
    part = LSTM(
        params["weight_ih_l0"].shape[1],
        lstm.hidden_size,
        len(layers),
        lstm.bias,
        bidirectional=len(directions) == 2,
        dtype=np.float64,
        rng=0,
    )
    part.params = params
    return part
