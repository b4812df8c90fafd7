"""Which of our LSTM's outputs somebody's output is: out, h_n, c_n, or a readout of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...arguments import Array
from .arrangement import Arrays

__all__ = ["TOLERANCE", "Match", "Readout", "match", "readouts"]

TOLERANCE = 1e-6  # relative: float32 on the way is no other layout


class Match(NamedTuple):
    """An output that is one of ours, with its axes in another order."""

    name: str  # "out", "h_n", "c_n"; "c" of all steps, "step 0" of h; "logits" of a readout
    axes: tuple[int, ...]  # of ours, without those of length 1
    shape: tuple[int, ...]  # ours

    def back(self, theirs: Array) -> Array:
        """Lay an array of the output's shape as ours."""
        short = [length for length in self.shape if length != 1]
        theirs = np.asarray(theirs).reshape([short[axis] for axis in self.axes])
        return theirs.transpose(np.argsort(self.axes)).reshape(self.shape)

    def visible(self, theirs: Array) -> Array:
        """Leave of a gradient what our backward takes: of c, only the last step's."""
        if self.name != "c":
            return theirs
        numbers = self.back(np.arange(theirs.size).reshape(theirs.shape))
        return np.where(
            np.isin(np.arange(theirs.size), numbers[-1]).reshape(theirs.shape), theirs, 0
        )


class Readout(NamedTuple):
    """A linear layer over h, with or without a softmax, by the names of its arrays."""

    weight: str
    transposed: bool  # (H, K), where ours is (K, H)
    bias: str | None

    @property
    def text(self) -> str:
        """Say where it is."""
        return f"read out by {self.weight}" + (f" and {self.bias}" if self.bias else "")

    def width(self, arrays: Arrays) -> int:
        """Return K, how many numbers it makes of h."""
        return arrays[self.weight].shape[1 if self.transposed else 0]

    def forward(self, arrays: Arrays, h: Array) -> dict[str, Array]:
        """Return what it may give of h (..., H): with and without softmax, each or last step."""
        weight = arrays[self.weight]
        logits = h @ (weight if self.transposed else weight.T)
        if self.bias:
            logits = logits + arrays[self.bias].ravel()
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found = {"logits": logits, "probabilities": odds / odds.sum(axis=-1, keepdims=True)}
        return found | {f"last {name}": array[-1] for name, array in found.items()}

    def backward(self, arrays: Arrays, h: Array, name: str, dy: Array) -> tuple[Array, Arrays]:
        """Return dh, and the gradients of its arrays, for the gradient of an output ``name``."""
        kind = name.removeprefix("last ")
        outputs = self.forward(arrays, h)
        dz: Array = np.zeros(outputs[kind].shape)
        if kind == name:
            dz[...] = dy
        else:
            dz[-1] = dy
        if kind == "probabilities":
            y = outputs[kind]
            dz = y * (dz - (dz * y).sum(axis=-1, keepdims=True))
        weight = arrays[self.weight]
        flat, rows = dz.reshape(-1, self.width(arrays)), h.reshape(-1, h.shape[-1])
        dweight = rows.T @ flat if self.transposed else flat.T @ rows
        grads = {self.weight: dweight}
        if self.bias:
            grads[self.bias] = flat.sum(axis=0).reshape(arrays[self.bias].shape)
        return dz @ (weight.T if self.transposed else weight), grads


def match(theirs: Array, ours: dict[str, Array]) -> Match | None:
    """Find the output of ours that this one is, whatever the order of its axes."""
    short = np.squeeze(theirs)
    for name, array in ours.items():
        squeezed = np.squeeze(array)
        for axes in itertools.permutations(range(squeezed.ndim)):
            turned = squeezed.transpose(axes)
            if turned.shape == short.shape and close(short, turned):
                return Match(name, axes, array.shape)
    return None


def close(theirs: Array, ours: Array) -> bool:
    """Say whether two arrays are equal but for rounding."""
    largest = float(np.max(np.abs(ours), initial=0.0))
    return bool(np.max(np.abs(theirs - ours), initial=0.0) <= TOLERANCE * largest)


def readouts(arrays: Arrays, free: Sequence[str], hidden: int) -> Iterator[Readout]:
    """List what may be a readout among the arrays that the LSTM leaves free."""
    for weight in free:
        if arrays[weight].ndim != 2:
            continue
        for transposed in (False, True):
            readout = Readout(weight, transposed, None)
            wide = readout.width(arrays)
            if arrays[weight].size == wide * hidden:
                biases = [n for n in free if n != weight and arrays[n].size == wide]
                yield from (readout._replace(bias=bias) for bias in (*biases, None))
