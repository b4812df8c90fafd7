"""What a kind of cell is: its forward lines, and the slope of each, entry by entry.

A kind says what happens *between* two matrix products. In front of it the kernel makes the
pre-activations, (1); behind it dh_prev, dx and the gradients of the weights, (19), for every kind
alike. A step of a kind is a function of its pre-activations and of its old memory: c_prev where it
has a cell state, h_prev where it has none. Its slopes, the local derivatives, are all that backward
needs, so two recursions serve all kinds: :func:`through_c` and :func:`through_h`.

Shapes: every array of a step is ``(...)``; a parameter of one number a unit comes in a shape that
fits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import Array

__all__ = ["Kind", "Run", "Step", "through_c", "through_h"]

Step = Sequence[Array]  # what ``Kind.forward`` returns, in the order of ``Kind.names``


class Kind:
    """A kind of cell. Write ``forward`` and ``derivatives``, and say what is named how.

    Attributes
    ----------
    name : str
        As users call it.
    gates : tuple of str
        The blocks of H rows of ``weight_ih`` and ``weight_hh``, in their order.
    inputs : tuple of str
        The pre-activations a_…, in the order of ``forward``'s arguments: one for each gate, unless
        the kind says otherwise (the GRU needs two of its candidate).
    names : tuple of str
        All that ``forward`` returns; "h" is among them, and "c" where there is a cell state.
    local : tuple of str
        All that ``derivatives`` returns. First what multiplies dc: ``dc_dc_prev``, then ``dc_da…``
        of the pre-activations that c reads; then what multiplies dh: ``dh_da…`` of the others, and
        last ``dh_dc``. Without a cell state: ``dh_da…`` of all, then ``dh_dh_prev`` if h reads
        h_prev beside the product.
    extra : tuple of str
        Parameters (H,) beside weights and biases; they come last in ``forward``'s arguments.
    """

    name = ""
    gates: tuple[str, ...] = ("i", "f", "g", "o")
    names: tuple[str, ...] = ("i", "f", "g", "o", "c", "tanh_c", "h")
    local: tuple[str, ...] = ("dc_dc_prev", "dc_dai", "dc_daf", "dc_dag", "dh_dao", "dh_dc")
    extra: tuple[str, ...] = ()
    inputs: tuple[str, ...] = gates

    def __init_subclass__(cls) -> None:
        if "gates" in vars(cls) and "inputs" not in vars(cls):
            cls.inputs = cls.gates

    # The calculus.

    def forward(self, *arguments: Array) -> Step:
        """Take one step from the pre-activations, the old memory and the extra parameters."""
        raise NotImplementedError

    def derivatives(self, step: Step, before: Array, *extra: Array) -> Sequence[Array]:
        """Return the local derivatives of a step that began with ``before``."""
        raise NotImplementedError

    def extra_gradients(self, da: Sequence[Array], c_prev: Array, c: Array) -> Sequence[Array]:
        """Return the terms of each extra parameter's gradient, to be summed over rows and steps."""
        return ()

    def backward(self, local: Sequence[Array], dh: Array, dc_in: Array | None) -> dict[str, Array]:
        """Invert one step, (15)-(18); every gradient by name."""
        slopes = dict(zip(self.local, local, strict=True))
        if dc_in is None:
            return {_gradient(name): dh * slope for name, slope in slopes.items()}
        dc = dc_in + dh * slopes.pop("dh_dc")  # (15)
        reached = {"dc": dc, "dh": dh}
        gradients = {_gradient(n): reached[n[:2]] * slope for n, slope in slopes.items()}
        return gradients | {"dc": dc}  # (16), (17), (18)

    # Pre-activations that make c the very c_prev: to see what h does when c alone moves.
    keep_c: Mapping[str, float] = {"i": -1e3, "f": 1e3, "g": 0.0}

    # What follows from the names.

    @property
    def has_c(self) -> bool:
        """Whether the state is (h, c), not h alone."""
        return "c" in self.names

    @property
    def by_dc(self) -> int:
        """How many local derivatives multiply dc; they are the first."""
        return sum(name.startswith("dc_") for name in self.local)

    @property
    def da(self) -> slice:
        """Where the gradients of the pre-activations lie among what backward returns."""
        first = int(self.has_c)
        return slice(first, first + len(self.inputs))

    # How parameters become the one matrix of the kernel, and its gradient theirs.

    positions: Array | slice = slice(None)  # where ``run`` wants each block of rows,
    scale: Array | None = None  # (blocks, 1, 1), float32: and how scaled

    def matrices(self, params: Mapping[str, Array]) -> tuple[Array, Array | None, Array]:
        """Return W_ih (inputs·H, D), b (inputs·H,) or None, and W_hh (inputs·H, H)."""
        bias = params["bias_ih"] + params["bias_hh"] if "bias_ih" in params else None
        return params["weight_ih"], bias, params["weight_hh"]

    def named_gradients(
        self, dweight_ih: Array, dbias: Array, dweight_hh: Array
    ) -> dict[str, Array]:
        """Turn the gradients of those matrices into gradients of the parameters.

        (1) adds the two biases, so their gradients are equal; they are two arrays all the same,
        since a caller may scale one in place.
        """
        return {
            "weight_ih": dweight_ih,
            "weight_hh": dweight_hh,
            "bias_ih": dbias,
            "bias_hh": dbias.copy(),
        }

    def run(self, steps: int, hidden: int, n: int, empty: Any) -> Run:
        """Return what runs this kind for a block of steps. The standard kind has a faster one."""
        return Run(self, steps, hidden, n, empty)


def _gradient(local: str) -> str:
    """Name the gradient that a local derivative leads to: "dc_daf" to "da_f"."""
    name = local[4:]
    return f"da_{name[1:]}" if name.startswith("a") else f"d{name}"


class Run:
    """A kind taking step after step in the kernel's memory: the plain way, for any kind.

    Attributes
    ----------
    places : int
        Steps between two calls of :meth:`derivatives`.
    products : ndarray, shape (places, inputs·H, n)
        Where the kernel puts the pre-activations of those steps.
    """

    places = 1

    def __init__(self, kind: Kind, steps: int, hidden: int, n: int, empty: Any) -> None:
        self.kind = kind
        self.products = empty((1, len(kind.inputs) * hidden, n))
        self.inputs = tuple(self.products.reshape(-1, hidden, n))
        self.c = empty((steps + 1, hidden, n)) if kind.has_c else None
        self.at_h = kind.names.index("h")
        self.at_c = kind.names.index("c") if kind.has_c else -1

    def begin(self, c: Array | None, extra: Sequence[Array]) -> None:
        """Start from a cell state; ``extra`` are the kind's own parameters, (H, 1) each."""
        self.extra = extra
        if self.c is not None:
            self.c[0] = c

    def arguments(self, t: int, h_prev: Array, h: Array) -> tuple[Any, ...]:
        """Return the arguments of :meth:`step` at step t, for the kernel to keep."""
        return (h_prev, h, None) if self.c is None else (self.c[t], h, self.c[t + 1])

    @property
    def step(self) -> Any:
        """Return what takes one step, given :meth:`arguments`, from ``products`` to h and c."""
        return self._step

    def _step(self, before: Array, h: Array, c: Array | None) -> None:
        self.before, self.taken = before, self.kind.forward(*self.inputs, before, *self.extra)
        h[...] = self.taken[self.at_h]
        if c is not None:
            c[...] = self.taken[self.at_c]

    def derivatives(self, h: Array, out: Array) -> None:
        """Write the local derivatives of the last ``len(h)`` steps, at most ``places``."""
        slopes = self.kind.derivatives(self.taken, self.before, *self.extra)
        for row, slope in zip(out[0], slopes, strict=True):
            row[...] = slope

    def end(self) -> Array | None:
        """Return the last cell state; it is written to by the next block."""
        return None if self.c is None else self.c[-1]


def through_c(by_dc: Array, by_dh: Array, dh: Array, dc_in: Array, out: tuple[Array, ...]) -> Array:
    """Invert one step of any kind with a cell state, (15)-(18), in three calls; return dc_prev.

    ``by_dc`` and ``by_dh`` are the local derivatives that multiply dc and dh, and ``out`` the views
    of the stack of gradients: those made of dh, dc (the last of them), those made of dc, dc_prev.
    """
    from_dh, dc, from_dc, dc_prev = out
    np.multiply(dh, by_dh, from_dh)  # (16)  and dh ⊙ ∂h/∂c
    np.add(dc, dc_in, dc)  # (15)
    np.multiply(dc, by_dc, from_dc)  # (17), (18)
    return dc_prev


def through_h(by_dc: Array, by_dh: Array, dh: Array, dc_in: None, out: tuple[Array, ...]) -> None:
    """Invert one step of any kind without a cell state: everything multiplies dh."""
    np.multiply(dh, by_dh, out[0])
