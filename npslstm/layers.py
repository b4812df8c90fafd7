"""Layers and directions, for every kind of cell: what ``LSTM``, ``GRU`` and ``RNN`` share.

Here layer follows layer, directions are joined and outputs dropped between layers.
``kernel/layout.py`` knows how the caller's arrays lie, ``kernel/schedule.py`` runs one layer in one
direction, and the calculus is in ``gates.py`` and ``cells/``.

Shapes: x ``(T, N, D)`` (``(N, T, D)`` with batch_first, ``(T, D)`` for one sequence), out
``(T, N, directions·P)`` in the same layout, states ``(num_layers·directions, N, H)``, where h has P
numbers: H, or those of the projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_cache, check_pair, check_size, check_x, generator
from .cell import LSTMState
from .cells import Kind
from .cells.initial import initial_params
from .derivatives.forward_mode import stack_jvp
from .kernel import memory
from .kernel.dropout import check_masks, draw_masks
from .kernel.layout import Layout, leading_axes
from .kernel.schedule import Keep, plan_blocks
from .kernel.stack import Made, SequenceCache, joined_states, stack_backward, stack_forward
from .kernel.weights import State
from .parameters import Layer, Parameters, ending

__all__ = ["Recurrent", "SequenceCache"]


class Recurrent(Layer):
    """Stacked, optionally bidirectional layers of one kind of cell. The subclasses say which."""

    kind: Kind

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int = 0,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.num_layers = check_size("num_layers", num_layers)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected a probability in [0, 1), given {dropout}")
        if dropout and num_layers == 1:
            raise ValueError(
                f"dropout: acts between layers; expected 0 with num_layers=1, given {dropout}"
            )
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.proj_size = proj_size
        rng = generator(rng)
        params = {}
        for layer in range(self.num_layers):
            features = self.input_size if layer == 0 else self.features
            for direction in range(self.directions):
                cell = initial_params(
                    *(self.kind, features, self.hidden_size, self.bias, forget_bias, dtype, rng),
                    projected=proj_size,
                )
                for name, param in cell.items():
                    params[name + ending(layer, direction)] = param
        self.params = Parameters(params)

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """P, the size of one direction's h."""
        return self.proj_size or self.hidden_size

    @property
    def features(self) -> int:
        """How many numbers a step of out has: directions·P."""
        return self.directions * self.output_size

    def cell_params(self, layer: int, direction: int = 0) -> dict[str, Array]:
        """Return the parameters of one layer in one direction under the names of a single cell."""
        names = ["weight_ih", "weight_hh"] + ["bias_ih", "bias_hh"] * self.bias
        names += ["weight_hr"] * bool(self.proj_size) + list(self.kind.extra)
        return {name: self.params[name + ending(layer, direction)] for name in names}

    def __call__(self, x: Array, state: Any = None, *, lengths: Any = None) -> tuple[Array, Any]:
        """Run the sequences for inference: as :meth:`forward`, keeping nothing for backward."""
        out, state_n, _ = self._forward("nothing", x, state, lengths)
        return out, state_n

    def forward(
        self,
        x: Array,
        state: Any = None,
        *,
        lengths: Any = None,
        rng: np.random.Generator | None = None,
        dropout_masks: tuple[Array, ...] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Array, Any, SequenceCache]:
        """Run the sequences from ``state``.

        Parameters
        ----------
        x : ndarray, shape (T, N, D), (N, T, D) with batch_first, or (T, D)
        state : (h_0, c_0), each (num_layers·directions, N, H), without N for x (T, D); optional
            Zeros by default. h_0 has P in the place of H where there is a projection. In kinds
            without a cell state it is h_0 alone.
        lengths : integer array, shape (N,), optional
            Valid steps of each row, 0 to T, in any order; T by default. Past its length a row's
            input is not read, its output is 0, and its final state is that of its last step.
        rng : numpy.random.Generator, optional
            Draws the dropout masks; without it nothing is dropped.
        dropout_masks : tuple of num_layers - 1 arrays with the shape of out, optional
            Multiply the outputs of each layer but the last, in place of masks drawn anew:
            ``cache.dropout_masks`` of an earlier call repeats that call.
        checkpoint_every : int, optional
            Keep the states of every so many steps (rounded up to the kernel's blocks), and let
            backward recompute what lies between: the same bits, in less memory and more time.

        Returns
        -------
        out : ndarray, shape (T, N, directions·P) in the layout of x
            The top layer's h at every step, both directions side by side.
        (h_n, c_n) : LSTMState, each (num_layers·directions, N, H); or h_n
            The state after each row's last step (the reverse direction's last is step 0).
        cache : SequenceCache
            For :meth:`backward`.

        Raises
        ------
        ValueError, TypeError
            If a shape, dtype or option does not fit.
        """
        if checkpoint_every is not None:
            check_size("checkpoint_every", checkpoint_every)
        keep: Keep = "blocks" if checkpoint_every is None else "starts"
        return self._forward(keep, x, state, lengths, rng, dropout_masks, checkpoint_every)

    def _forward(
        self,
        keep: Keep,
        x: Array,
        state: Any,
        lengths: Any,
        rng: np.random.Generator | None = None,
        dropout_masks: tuple[Array, ...] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Array, Any, SequenceCache]:
        memory.new_call()
        check_x(x, lengths, self.batch_first)
        axes = leading_axes(np.ndim(x), self.batch_first)
        hint = "" if len(axes) == 1 else f", with batch_first={self.batch_first}"
        check_array("x", x, (*axes, self.input_size), self.dtype, hint)
        layout = Layout.of(x, self.batch_first, lengths)
        starts = self.states_inside("state", state, layout)
        shape = layout.shape(self.features)
        if dropout_masks is None:
            masks = draw_masks(rng, self.dropout, self.num_layers - 1, shape, self.dtype)
        elif rng is not None:
            raise ValueError("dropout_masks: expected None where rng is given, given both")
        else:
            masks = check_masks(dropout_masks, self.num_layers - 1, shape, self.dtype)
        ends = [layout.steps] * layout.rows if layout.ends is None else layout.ends.tolist()
        plan = plan_blocks(ends, self.hidden_size, checkpoint_every, self.dtype.itemsize)
        x = layout.inside(x)
        if layout.order is None and keep != "nothing":
            x = x.copy()  # the caller may change it before backward

        x, states_n, caches = stack_forward(self, layout, plan, x, starts, masks, keep)
        cache = SequenceCache(self._made_of(), layout, plan, caches, masks)
        return layout.outside(x), self.states_outside(states_n, layout), cache

    def backward(
        self, cache: SequenceCache, dout: Array | None = None, dstate: Any = None
    ) -> tuple[Array, Any, dict[str, Array]]:
        """Backpropagate through time, through every layer and direction.

        Parameters
        ----------
        cache : SequenceCache
            Of the :meth:`forward` to invert; the parameters must be the same as then.
        dout : ndarray, shape of out, optional
            ∂loss/∂out; None for zeros.
        dstate : (dh_n, dc_n), each of the shape of h_n and c_n or None, optional
            ∂loss/∂h_n and ∂loss/∂c_n; None for zeros. In kinds without a cell state, dh_n.

        Returns
        -------
        dx : ndarray, shape of x
            0 past each row's length.
        (dh_0, dc_0) : LSTMState, each (num_layers·directions, N, H); or dh_0
            Gradient of the initial state.
        grads : dict of ndarray
            Gradient of every parameter, with the names and shapes of ``params``.

        Raises
        ------
        ValueError, TypeError
            If a shape or dtype does not fit, or the cache is that of another layer.
        """
        memory.new_call()
        check_cache(cache, SequenceCache, self._made_of())
        layout = cache.layout
        dends = self.states_inside("dstate", dstate, layout)
        if dout is not None:
            check_array("dout", dout, layout.shape(self.features), self.dtype)
            dout = layout.inside(dout)

        dx, dstarts, grads = stack_backward(self, cache, dout, dends)
        dstate_0 = self.states_outside(dstarts, layout)
        return layout.outside(dx), dstate_0, {name: grads[name] for name in self.params}

    def jvp(
        self,
        cache: SequenceCache,
        x_dot: Array | None = None,
        state_dot: Any = None,
        params_dot: Mapping[str, Array] | None = None,
    ) -> tuple[Array, Any]:
        """Return how out and the last state move when inputs and parameters do: forward mode.

        Equations (20)-(22) of ``tangents.py`` (Williams & Zipser 1989), by the local derivatives
        that backward uses. With J the Jacobian, ⟨dout, jvp⟩ = ⟨backward, direction⟩.

        Parameters
        ----------
        cache : SequenceCache
            Of the :meth:`forward` whose outputs move; the parameters must be the same as then.
        x_dot : ndarray, shape of x, optional
            The direction in which x moves; None for zeros, as for all of these. Past a row's length
            it is not read.
        state_dot : (h_0_dot, c_0_dot), each of the shape of h_0 and c_0 or None, optional
            In kinds without a cell state, h_0_dot.
        params_dot : mapping of ndarray, optional
            Names, shapes and dtype of ``params``; a name that is missing does not move.

        Returns
        -------
        out_dot : ndarray, shape of out
        (h_n_dot, c_n_dot) : LSTMState, each of the shape of h_n; or h_n_dot

        Raises
        ------
        ValueError, TypeError
            If a name, shape or dtype does not fit, or the cache is that of another layer.
        """
        check_cache(cache, SequenceCache, self._made_of())
        starts_dot = self.states_inside("state_dot", state_dot, cache.layout)
        out_dot, ends_dot = stack_jvp(self, cache, x_dot, starts_dot, params_dot)
        return out_dot, self.states_outside(ends_dot, cache.layout)

    def states_inside(self, name: str, state: Any, layout: Layout) -> list[State]:
        """Check states, or their gradients; return one for each layer and direction, (H, N) each.

        Zeros stand in for None.
        """
        count = self.num_layers * self.directions
        if state is None:
            h = np.zeros((self.output_size, layout.rows), self.dtype)
            c = np.zeros((self.hidden_size, layout.rows), self.dtype) if self.kind.has_c else None
            return [State(h, c)] * count
        shapes = (
            layout.state_shape(count, self.output_size),
            layout.state_shape(count, self.hidden_size),
        )
        if not self.kind.has_c:
            [h] = check_pair(name, (state,), shapes[:1], self.dtype, "h")
            return [State(part.T, None) for part in layout.state_inside(h)]
        h, c = map(layout.state_inside, check_pair(name, state, shapes, self.dtype))
        return [State(h[k].T, c[k].T) for k in range(count)]

    def states_outside(self, states: list[State], layout: Layout) -> Any:
        """Join the states of all layers and directions, in the caller's layout."""
        h = layout.state_outside(joined_states([state.h for state in states]))
        cs = [state.c for state in states if state.c is not None]
        return LSTMState(h, layout.state_outside(joined_states(cs))) if cs else h

    def _made_of(self) -> Made:
        """Say what a cache must have in common with the layer that is to invert it."""
        sizes = self.input_size, self.hidden_size, self.proj_size, self.num_layers, self.bias
        return Made(self.kind.name, *sizes, self.bidirectional, self.batch_first, self.dtype)
