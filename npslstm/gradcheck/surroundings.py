"""One step of one layer, and the network around it: what it reads, and what reads it.

The layers below and above, and the steps before and after, are run by layers made of the same
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
from ..layers import Recurrent
from ..parameters import ending
from .subject import frozen, leaves, like

__all__ = ["Surroundings"]


class Surroundings:
    """What one step of a layer reads, and what reads it.

    The loss is Σ upstream ⊙ output with random upstream gradients on out and the last states; it
    leaves out what the step cannot change.

    Attributes
    ----------
    x : ndarray, shape (N, D)
        What the step reads.
    before : list of ndarray, shape (N, H) each
        And the state that it starts from: h_prev and, in kinds with a cell state, c_prev.
    params : dict of ndarray
        What it runs with, under the names of a single cell.
    """

    def __init__(
        self,
        layer: Recurrent,
        x: Array,
        state: Any,
        at: tuple[int, int, int],
        options: dict[str, Any],
        rng: np.random.Generator,
    ) -> None:
        k, self.step, self.direction = at
        both = range(layer.directions)
        *_, state_n, cache = layer.forward(x, state, **frozen(options))  # checks, and draws masks
        layout = Layout.of(x, layer.batch_first, None)
        if state is None:
            state = like(state_n, (rng.standard_normal(s.shape) for s in leaves(state_n)))

        lengths = options.get("lengths")
        lengths = np.full(layout.rows, layout.steps) if lengths is None else np.asarray(lengths)
        rows = lengths > self.step
        self.lengths = lengths[rows]
        x = layout.inside(x)[:, rows]
        states = [layout.state_inside(s)[:, rows] for s in leaves(state)]
        self.pattern = state_n  # (h, c), or h alone
        masks = tuple(layout.inside(mask)[:, rows] for mask in cache.dropout_masks)
        start = k * len(both)
        end, own = start + len(both), [start + self.direction]

        def some(index: Any) -> Any:
            return like(self.pattern, iter([s[index] for s in states]))

        if k:
            x, *_ = _part(layer, range(k), both).forward(
                x, some(slice(start)), lengths=self.lengths, dropout_masks=masks[: k - 1]
            )
            x = x * masks[k - 1] if masks else x
        # The step changes its own direction's half of the layer's output.
        self.out, _ = _part(layer, [k], both)(x, some(slice(start, end)), lengths=self.lengths)
        size = layer.output_size
        self.half = slice(self.direction * size, (self.direction + 1) * size)
        self.params = layer.cell_params(k, self.direction)
        self.one = _part(layer, [k], [self.direction])
        self.sequence = self._turned(x)
        self.x = self.sequence[self.step]
        _, before = self.one(
            self.sequence[: self.step],
            some(own),
            lengths=np.full(len(self.lengths), self.step),
        )
        self.before = [s[0] for s in leaves(before)]

        upper = range(k + 1, layer.num_layers)
        self.upper = _part(layer, upper, both) if upper else None
        self.upper_state, self.upper_masks = some(slice(end, None)), masks[k + 1 :]
        self.mask = masks[k] if upper and masks else np.ones_like(self.out)
        states = [rng.standard_normal(s.shape) for s in states]  # from here on, their gradients
        self.dstate, self.upper_dstate = some(own), some(slice(end, None))
        self.dout = rng.standard_normal(self.out.shape)

    def loss(self, h: Array, c: Array | None) -> Any:
        """Go on from the step's h and c, to the loss."""
        after, ends, _ = self._after(h, c)
        total = _inner(self.dstate, ends)
        out = self.out.astype(after.dtype)
        before = self._turned(self.out[..., self.half])[: self.step]
        out[..., self.half] = self._turned(np.concatenate([before, h[None], after]))
        if self.upper is not None:
            out, ends, _ = self._above(out)
            total += _inner(self.upper_dstate, ends)
        return total + (self.dout * out).sum()

    def arriving(self, h: Array, c: Array | None) -> dict[str, Array]:
        """Return dh, and dc_in where there is a c, as the code under test delivers them."""
        dout = self.dout
        if self.upper is not None:
            *_, cache = self._above(self.out)
            dout, _, _ = self.upper.backward(cache, dout, self.upper_dstate)
            dout = dout * self.mask
        dout = self._turned(dout[..., self.half])
        *_, cache = self._after(h, c)
        _, dstart, _ = self.one.backward(cache, dout[self.step + 1 :], self.dstate)
        dh, *dc = (d[0] for d in leaves(dstart))
        return {"dh": dout[self.step] + dh} | dict(zip(["dc_in"], dc, strict=False))

    def _after(self, h: Array, c: Array | None) -> Any:
        state = like(self.pattern, (s[None] for s in (h, c) if s is not None))
        rest = self.sequence[self.step + 1 :]
        return self.one.forward(rest, state, lengths=self.lengths - self.step - 1)

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


def _inner(gradients: Any, states: Any) -> Any:
    """Return Σ gradient ⊙ state."""
    return sum((d * s).sum() for d, s in zip(leaves(gradients), leaves(states), strict=True))


def _part(layer: Recurrent, layers: Sequence[int], directions: Sequence[int]) -> Recurrent:
    """Make a network of some layers and directions of another."""
    params = {
        name + ending(k, d): param
        for k, own in enumerate(layers)
        for d, direction in enumerate(directions)
        for name, param in layer.cell_params(own, direction).items()
    }
    part = layer.with_params(params)
    part.input_size = params["weight_ih_l0"].shape[1]
    part.num_layers, part.bidirectional = len(layers), len(directions) == 2
    part.batch_first, part.dropout = False, 0.0
    return part
