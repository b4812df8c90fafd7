"""One call of a cell, an LSTM or a model as plain dictionaries: what every property is stated on.

``inputs`` holds x, h_0, c_0 and every parameter. The outputs are h_n, c_n and, but for the cell,
out (the model's logits); ``upstream`` holds the gradient of some loss with respect to each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import numpy as np

from npslstm import LSTM, LSTMCell, LSTMModel
from npslstm.kernel import schedule

STATE = ("h_0", "c_0")
STATE_N = ("h_n", "c_n")


@dataclass(frozen=True)
class Problem:
    net: LSTMCell | LSTM | LSTMModel
    inputs: Mapping[str, Any]
    upstream: Mapping[str, Any]
    batch: Mapping[str, int]  # the batch axis of whatever has one, the dropout masks included
    time: Mapping[str, int] = field(default_factory=dict)  # and the time axis
    options: Mapping[str, Any] = field(default_factory=dict)  # of forward
    blocks: Mapping[str, int] = field(  # the schedule's
        default_factory=lambda: {"BLOCK_COLUMNS": schedule.BLOCK_COLUMNS}
    )

    @property
    def params(self):
        return {n: a for n, a in self.inputs.items() if n not in ("x", *STATE)}

    @property
    def states(self):
        """The names of each initial state and of the last one: h's and, where there is one, c's."""
        return [(a, b) for a, b in zip(STATE, STATE_N, strict=True) if a in self.inputs]

    @property
    def lengths(self):
        """The length of every row."""
        x = self.inputs["x"]
        steps = x.shape[self.time["x"]]
        rows = x.shape[self.batch["x"]] if "x" in self.batch else 1
        return self.options.get("lengths", np.full(rows, steps))

    def change(self, inputs=None, upstream=None, **options):
        """The same problem, with some arrays or options replaced."""
        return replace(
            self,
            inputs={**self.inputs, **(inputs or {})},
            upstream={**self.upstream, **(upstream or {})},
            options={**self.options, **options},
        )

    def forward(self):
        """Return the outputs, and the cache for :meth:`backward`."""
        net, state = self.net.with_params(self.params), pair(self.inputs, STATE)
        with mock.patch.multiple(schedule, **self.blocks):
            *outputs, cache = net.forward(self.inputs["x"], state, **self.options)
        return self._named(outputs), cache

    def backward(self, cache):
        """Return the gradient of every input, under its name."""
        net, dstate = self.net.with_params(self.params), pair(self.upstream, STATE_N)
        dout = [self.upstream["out"]] if "out" in self.upstream else []
        dx, dstate_0, grads = net.backward(cache, *dout, dstate)
        return {"x": dx} | named(dstate_0, STATE) | grads

    def infer(self):
        """Return the outputs of a call that keeps nothing for backward."""
        net, state = self.net.with_params(self.params), pair(self.inputs, STATE)
        lengths = {n: self.options[n] for n in ("lengths",) if n in self.options}
        with mock.patch.multiple(schedule, **self.blocks):
            result = net(self.inputs["x"], state, **lengths)
        return self._named(result if "out" in self.upstream else [result])

    def outputs(self):
        return self.forward()[0]

    def gradients(self):
        return self.backward(self.forward()[1])

    def solve(self):
        """Return (outputs, gradients)."""
        outputs, cache = self.forward()
        return outputs, self.backward(cache)

    def rows(self, index):
        """The problem of these rows of the batch, in this order."""
        part = self._take(index, self.batch)
        return part.change(lengths=self.lengths[index]) if "lengths" in self.options else part

    def steps(self, start, stop):
        """The problem of these steps; of each row's length, what falls into them."""
        part = self._take(range(start, stop), self.time)
        if "lengths" not in self.options:
            return part
        return part.change(lengths=np.clip(self.lengths - start, 0, stop - start))

    def _named(self, outputs):
        *out, state_n = outputs
        return named(state_n, STATE_N) | ({"out": out[0]} if out else {})

    def _take(self, index, axes):
        options = {}
        if "dropout_masks" in self.options:
            masks = self.options["dropout_masks"]
            options["dropout_masks"] = tuple(take({"x": m}, index, axes)["x"] for m in masks)
        inputs, upstream = take(self.inputs, index, axes), take(self.upstream, index, axes)
        return self.change(inputs, upstream, **options)


def pair(arrays, names):
    """The state (h, c), or h alone where there is no c."""
    found = tuple(arrays[n] for n in names if n in arrays)
    return found if len(found) == 2 else found[0]


def named(state, names):
    """The arrays of a state by name."""
    return dict(zip(names, [state] if isinstance(state, np.ndarray) else state, strict=False))


def take(arrays, index, axes):
    """Take ``index`` along each array's own axis, of the arrays that have one."""
    index = np.asarray(index, int)
    return {n: np.take(a, index, axes[n]) if n in axes else a for n, a in arrays.items()}
