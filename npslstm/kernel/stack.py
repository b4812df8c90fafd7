"""Layers and directions over one sequence, inside: the loops of a forward and a backward pass.

Sequences are ``(T, N, F)`` and states ``(H, N)``, one for each layer and direction, with rows
sorted by length; ``layout.py`` brings the caller's arrays here and back.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from ..arguments import Array
from ..cells.base import Kind
from ..parameters import ending
from .layout import Layout
from .schedule import Keep, LayerCache, Plan, layer_backward, layer_forward
from .weights import State

__all__ = ["Made", "SequenceCache", "joined_states", "stack_backward", "stack_forward"]


class Stack(Protocol):
    """Layers of one kind of cell, in one direction or two."""

    kind: Kind
    num_layers: int
    bidirectional: bool

    @property
    def directions(self) -> int: ...

    @property
    def output_size(self) -> int: ...

    def cell_params(self, layer: int, direction: int = 0) -> dict[str, Array]: ...


class Made(NamedTuple):
    """What a cache and the layer that is to invert it have in common."""

    kind: str
    input_size: int
    hidden_size: int
    proj_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    batch_first: bool
    dtype: np.dtype[Any]


class SequenceCache(NamedTuple):
    """What backward needs of a forward; nothing in it is ever written to again."""

    made_by: Made
    layout: Layout
    plan: Plan
    layers: list[LayerCache]  # of each layer and direction
    dropout_masks: tuple[Array, ...]  # between layers, with the shape of out

    def __repr__(self) -> str:
        sizes = {"T": self.layout.steps, "N": self.layout.rows, **self.made_by._asdict()}
        return f"<cache of {', '.join(f'{name}={value}' for name, value in sizes.items())}>"


def stack_forward(
    net: Stack,
    layout: Layout,
    plan: Plan,
    x: Array,
    starts: list[State],
    masks: tuple[Array, ...],
    keep: Keep,
) -> tuple[Array, list[State], list[LayerCache]]:
    """Run layer after layer; return the outputs, the last states and what each layer keeps."""
    caches: list[LayerCache] = []
    states_n: list[State] = []
    for layer in range(net.num_layers):
        if layer and masks:
            x = x * layout.inside(masks[layer - 1])
        outs = []
        for direction in range(net.directions):
            out, state_n, kept = layer_forward(
                net.kind,
                net.cell_params(layer, direction),
                layout.flip(x) if direction else x,
                starts[layer * net.directions + direction],
                plan,
                keep,
            )
            outs.append(layout.flip(out) if direction else out)
            states_n.append(state_n)
            caches.append(kept)
        x = np.concatenate(outs, axis=2) if net.bidirectional else outs[0]
    return x, states_n, caches


def stack_backward(
    net: Stack, cache: SequenceCache, dout: Array | None, dends: list[State]
) -> tuple[Array, list[State], dict[str, Array]]:
    """Run the layers backward, the top one first; return dx, and the gradients of the rest."""
    layout = cache.layout
    grads: dict[str, Array] = {}
    dstarts: list[State] = []
    for layer in reversed(range(net.num_layers)):
        dxs = []
        for direction in reversed(range(net.directions)):
            k = layer * net.directions + direction
            part = None
            if dout is not None:
                start = direction * net.output_size
                part = dout[:, :, start : start + net.output_size]
                part = layout.flip(part) if direction else part
            dx, dstart, cell_grads = layer_backward(
                net.kind,
                net.cell_params(layer, direction),
                cache.layers[k],
                part,
                dends[k],
                cache.plan,
            )
            dxs.append(layout.flip(dx) if direction else dx)
            dstarts.insert(0, dstart)
            suffix = ending(layer, direction)
            grads |= {name + suffix: grad for name, grad in cell_grads.items()}
        dx = dxs[0] + dxs[1] if net.bidirectional else dxs[0]
        if layer and cache.dropout_masks:
            dx = dx * layout.inside(cache.dropout_masks[layer - 1])
        dout = dx
    return dx, dstarts, grads


def joined_states(states: list[Array]) -> Array:
    """Return states (H, N) as one array (layers·directions, N, H)."""
    return np.array([state.T for state in states], order="C")
