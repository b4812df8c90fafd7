"""Sizes, options and a seed, and the problem that they make: what Hypothesis draws and shrinks.

N = None is a single row without a batch axis. ``scale`` multiplies the parameters, which start
within 1/√H: 1 keeps the pre-activations moderate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from problems import Problem

from npslstm import LSTM, LSTMCell, LSTMModel
from npslstm.cells import VARIANTS
from npslstm.rnn import GRU, RNN

PROJECTED = "projected"  # the standard LSTM with proj_size
NO_CELL_STATE = "gru", "rnn"
CELLS = tuple(VARIANTS)
MODELS = *CELLS, *NO_CELL_STATE
KINDS = *MODELS, PROJECTED


@dataclass(frozen=True)
class CellCase:
    N: int | None = 1
    D: int = 1
    H: int = 1
    bias: bool = True
    scale: float = 1.0
    dtype: str = "float64"
    seed: int = 0
    kind: str = "standard"

    def problem(self):
        rng = np.random.default_rng(self.seed)
        net = LSTMCell(self.D, self.H, self.bias, variant=self.kind, dtype=self.dtype, rng=rng)
        rows = self.batch
        axes = dict.fromkeys(("x", "h_0", "c_0", "h_n", "c_n"), 0) if rows else {}
        return self._problem(rng, net, (*rows, self.D), (*rows, self.H), batch=axes)

    @property
    def output_size(self):
        """The size of h; a projection makes it smaller, where there is room."""
        return max(1, self.H - 1) if self.kind == PROJECTED else self.H

    @property
    def batch(self):
        return () if self.N is None else (self.N,)

    def _problem(self, rng, net, x_shape, state_shape, out_shape=None, **rest):
        params = {n: p * p.dtype.type(self.scale) for n, p in net.params.items()}
        h_shape = (*state_shape[:-1], self.output_size)
        shapes = {"x": x_shape, "h_0": h_shape, "c_0": state_shape}
        if self.kind in NO_CELL_STATE:
            del shapes["c_0"]
        inputs = {n: random_array(rng, s, self.dtype) for n, s in shapes.items()} | params
        shapes = {"h_n": h_shape, "c_n": state_shape}
        if self.kind in NO_CELL_STATE:
            del shapes["c_n"]
        shapes |= {} if out_shape is None else {"out": out_shape}
        upstream = {n: random_array(rng, s, self.dtype) for n, s in shapes.items()}
        return Problem(net.with_params(params), inputs, upstream, **rest)


@dataclass(frozen=True)
class LSTMCase(CellCase):
    """``lengths`` and ``dropout`` say whether random lengths and frozen random masks are given.

    ``block_columns`` and the slices' are the schedule's, so that small arrays are cut, too.
    """

    T: int = 1
    layers: int = 1
    bidirectional: bool = False
    batch_first: bool = False
    lengths: bool = False
    dropout: bool = False
    checkpoint_every: int | None = None
    block_columns: int = 256
    slice_bytes: int = 64 * 1024
    slice_width: int = 256

    def problem(self):
        rng = np.random.default_rng(self.seed)
        make = {"gru": GRU, "rnn": RNN}.get(self.kind, LSTM)
        options = {}
        if make is LSTM:
            projected = self.output_size if self.output_size < self.H else 0
            variant = "standard" if self.kind == PROJECTED else self.kind
            options = {"proj_size": projected, "variant": variant}
        net = make(self.D, self.H, **self._keywords(rng), **options)
        shape, axes = self._sequence(self.directions * self.output_size)
        return self._lstm_problem(rng, net, shape, axes)

    @property
    def directions(self):
        return 2 if self.bidirectional else 1

    def _sequence(self, features):
        """The shape of a sequence, and where its batch and time axes are."""
        if self.N is None:
            return (self.T, features), {"T": 0}
        if self.batch_first:
            return (self.N, self.T, features), {"N": 0, "T": 1}
        return (self.T, self.N, features), {"T": 0, "N": 1}

    def _keywords(self, rng):
        return {
            "num_layers": self.layers,
            "bias": self.bias,
            "batch_first": self.batch_first,
            "bidirectional": self.bidirectional,
            "dtype": self.dtype,
            "rng": rng,
        }

    def _lstm_problem(self, rng, net, out_shape, out_axes):
        x_shape, axes = self._sequence(self.D)
        options = {"checkpoint_every": self.checkpoint_every}
        if self.lengths:
            options["lengths"] = rng.integers(0, self.T + 1, 1 if self.N is None else self.N)
        if self.dropout:
            shape = (self.layers - 1, *self._sequence(self.directions * self.output_size)[0])
            options["dropout_masks"] = tuple(2 * rng.integers(0, 2, shape).astype(self.dtype))
        states = dict.fromkeys(("h_0", "c_0", "h_n", "c_n"), 1) if self.batch else {}
        batch, time = (
            {name: where[a] for name, where in (("x", axes), ("out", out_axes)) if a in where}
            for a in "NT"
        )
        return self._problem(
            rng,
            net,
            x_shape,
            (self.layers * self.directions, *self.batch, self.H),
            out_shape,
            batch=batch | states,
            time=time,
            options=options,
            blocks={
                "BLOCK_COLUMNS": self.block_columns,
                "COLUMNS_A_UNIT": 0,
                "SLICE_BYTES": self.slice_bytes,
                "SLICE_WIDTH": self.slice_width,
            },
        )


@dataclass(frozen=True)
class ModelCase(LSTMCase):
    K: int = 1
    readout: str = "last"

    def problem(self):
        rng = np.random.default_rng(self.seed)
        cell = self.kind if self.kind in NO_CELL_STATE else "lstm"
        variant = self.kind if cell == "lstm" else "standard"
        options = {"readout": self.readout, "cell": cell, "variant": variant}
        net = LSTMModel(self.D, self.H, self.K, **options, **self._keywords(rng))
        shape, axes = self._sequence(self.K)
        if self.readout == "last":
            shape, axes = (*self.batch, self.K), {"N": 0} if self.batch else {}
        return self._lstm_problem(rng, net, shape, axes)


def random_array(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)
