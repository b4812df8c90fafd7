"""How somebody's LSTM is laid out, and what its gradients should be.

With the layout known, our LSTM makes the same outputs, and its gradients, brought back to the other
arrays, are those that the other backward should return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...arguments import Array
from . import blocks as ours
from .arrangement import Arrays, Reading, axes_text, features_first
from .blocks import GATES, Blocks, Change
from .outputs import Match, Readout

__all__ = ["LSTMLayout", "States", "read", "time_first"]

WORDS = {"i": "input", "f": "forget", "g": "candidate", "o": "output"}


States = tuple[str | None, str | None]  # the names of h_0 and c_0, where it has them
GateBlocks = dict[str, list[Array]]  # the blocks of i, f, g, o, by what they are blocks of


@dataclass(frozen=True)
class LSTMLayout:
    """How an LSTM's arrays lie, and which of ours its outputs are."""

    axes: str  # of x: "NTD" is batch first
    reading: Reading
    order: tuple[int, ...]  # where i, f, g, o are stored
    states: States
    change: Change  # what is not as in an LSTM
    readout: Readout | None
    matches: dict[int, Match]  # by the number of the output
    others: tuple[int, ...]  # outputs that are none of ours
    unread: tuple[str, ...]  # arrays that lie as a bias or a state would, and are not used

    @property
    def stored(self) -> str:
        """The gates in the order in which they are stored."""
        return "".join(GATES[self.order.index(slot)] for slot in range(4))

    @property
    def differences(self) -> list[str]:
        """What is not as in an LSTM, in words: nothing, if it is one."""
        found = [self.change.text] if self.change.text else []
        if self.reading.keys:
            found += [
                f"{name} makes the {WORDS[gate]} gate"
                for name, gate, own in zip(
                    self.reading.inputs.names, self.stored, GATES, strict=True
                )
                if gate != own
            ]
        return found + [f"{name} is not read" for name in self.unread]

    @property
    def exact(self) -> bool:
        """Whether our LSTM can go as it does, so that its gradients are known."""
        return self.change.step is None

    def cost(self, arrays: Arrays) -> float:
        """Return how many multiplications a forward takes."""
        blocks = self.read(arrays)
        steps, rows, _ = blocks.x.shape
        return float(steps * rows * (blocks.weight_ih.size + blocks.weight_hh.size))

    @property
    def text(self) -> str:
        """The layout in words."""
        gates = GATES if self.reading.keys else self.stored
        parts = [f"an LSTM with gates {', '.join(gates)}", self.reading.text, axes_text(self.axes)]
        starts = [name for name in self.states if name]
        parts += [f"from {' and '.join(starts)}"] if starts else []
        parts += [self.readout.text] if self.readout else []
        text = ", ".join(parts)
        if self.differences:
            return f"almost {text}; but {'; '.join(self.differences)}"
        text += ": its forward is right"
        if self.others:
            numbers = ", ".join(str(number) for number in self.others)
            text += f", but for what ours does not return (output {numbers}, counted from 0)"
        return text

    def read(self, arrays: Arrays) -> Blocks:
        """Lay somebody's arrays as ours."""
        order = np.array(self.order)
        return self.change.blocks(read(self.axes, self.reading, self.states, order, arrays))

    def gates_of(self, gradients: Mapping[str, Array]) -> GateBlocks:
        """Cut gradients of the weights and biases into the blocks of i, f, g, o."""
        stacks = (self.reading.inputs, self.reading.recurrent, *self.reading.biases)
        blocks = _weight_blocks(self.reading, gradients, np.array(self.order))
        return {s.label: list(b) for s, b in zip(stacks, blocks, strict=False)}

    def upstream(
        self, outputs: Sequence[Array], rng: np.random.Generator, first: bool = False
    ) -> list[Array]:
        """Draw gradients for the outputs that ours has, too, or for the first of them alone.

        Zeros for the others.
        """
        drawn = []
        taken = list(self.matches)[: 1 if first else None]
        for number, output in enumerate(outputs):
            dy = np.zeros(np.shape(output))
            if number in taken:
                match = self.matches[number]
                dy = match.visible(rng.standard_normal(dy.shape))
            drawn.append(dy)
        return drawn

    def gradients(self, arrays: Arrays, doutputs: Sequence[Array]) -> Arrays:
        """Return the right gradients of the arrays that are read, for gradients of the outputs.

        The gradient of an output that is none of ours is not used.

        Raises
        ------
        ValueError
            If it is almost an LSTM in a way in which ours cannot go: if not ``exact``.
        """
        outputs, ran = ours.run(self.read(arrays), self.change)
        if ran is None:
            raise ValueError(f"layout: expected an LSTM, given {self.text}")
        upstream = {name: np.zeros(output.shape) for name, output in outputs.items()}
        found: Arrays = {}
        for number, match in self.matches.items():
            dy = match.back(doutputs[number])
            if match.name == "c":  # ours takes a gradient of the last c alone: see ``visible``
                upstream["c_n"] += dy[-1]
            elif match.name.startswith("step "):
                upstream["out"][int(match.name.removeprefix("step "))] += dy
            elif match.name in upstream:
                upstream[match.name] += dy
            elif self.readout:
                dout, more = self.readout.backward(arrays, outputs["out"], match.name, dy)
                upstream["out"] += dout
                found |= {name: found.get(name, 0) + gradient for name, gradient in more.items()}
        lstm, cache = ran
        dstate = upstream["h_n"][None], upstream["c_n"][None]
        dx, (dh_0, dc_0), grads = lstm.backward(cache, upstream["out"], dstate)
        joined = np.concatenate([g.ravel() for g in (*grads.values(), dx, dh_0, dc_0)])
        return found | self._theirs(arrays, joined)

    def _theirs(self, arrays: Arrays, gradient: Array) -> Arrays:
        """Bring a gradient of our arrays, joined, back to the arrays that they were read from.

        Each entry of ours is an entry of theirs, or a multiple of one. Which, is read off from
        numbered entries.
        """
        states = [name for name in self.states if name]
        names = ["x", *sorted(self.reading.names), *states]
        ends = np.cumsum([arrays[name].size for name in names])

        def split(entries: Array) -> Arrays:
            pieces = np.split(entries, ends[:-1])
            return {
                n: piece.reshape(arrays[n].shape) for n, piece in zip(names, pieces, strict=True)
            }

        constant = self.read(split(np.zeros(ends[-1]))).flat()
        scale = self.read(split(np.ones(ends[-1]))).flat() - constant
        numbers = self.read(split(np.arange(1.0, ends[-1] + 1))).flat() - constant
        read = scale != 0
        places = np.rint(numbers[read] / scale[read]).astype(int) - 1
        return split(np.bincount(places, gradient[read] * scale[read], minlength=ends[-1]))


def time_first(x: Array, axes: str) -> Array:
    """Lay x, whose axes are called ``axes``, as (T, N, D); an axis that it lacks has length 1."""
    x = x.transpose([axes.index(axis) for axis in "TND" if axis in axes])
    lengths = iter(x.shape)
    return x.reshape([next(lengths) if axis in axes else 1 for axis in "TND"])


def read(axes: str, reading: Reading, states: States, orders: Array, arrays: Arrays) -> Blocks:
    """Lay somebody's arrays as ours, in an order of the gates, or in many (..., 4)."""
    x = time_first(arrays["x"], axes)
    blocks = _weight_blocks(reading, arrays, orders)
    shape = (x.shape[1], blocks[0].shape[-2])
    h_0, c_0 = (
        np.zeros(shape) if name is None else _state_blocks(arrays[name], shape, axes)
        for name in states
    )
    return Blocks(*blocks, x=x, h_0=h_0, c_0=c_0)


def _state_blocks(state: Array, shape: tuple[int, int], axes: str) -> Array:
    """Lay a state as (N, H), where it may have units first, as x has features."""
    if features_first(axes):
        return state.reshape(shape[::-1]).T
    return state.reshape(shape)


def _weight_blocks(
    reading: Reading, arrays: Mapping[str, Array], orders: Array
) -> tuple[Array, Array, Array, Array]:
    """Take W_ih, W_hh and two biases in an order of the gates, or in many (..., 4)."""
    stacks = [reading.inputs, reading.recurrent, *reading.biases]
    blocks = [stack.take(arrays)[orders] for stack in stacks]
    none = np.zeros(blocks[0].shape[:-1])
    w_ih, w_hh, b_ih, b_hh = [*blocks, none, none][:4]
    return w_ih, w_hh, b_ih, b_hh
