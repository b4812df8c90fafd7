"""Mistakes inside one step: ``gates.py``, and its fast form in ``cells/``.

Each is made in both forms, so that the cell, its trace and the kernel are wrong alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import gates
from ..arguments import Array
from ..cells import base, standard
from ..gates import GateGradients, LocalDerivatives
from ..gradcheck.patching import Given, Patch, after, before
from .mistake import FROM_SCRATCH_2, NOTEBOOK_1, Mistake, zeros

__all__ = ["DROP_DC", "ONE_STEP"]


def slope(row: str, value: Callable[..., Array]) -> tuple[Patch, ...]:
    """Replace one local derivative by ``value(old, i=, f=, g=, o=, tanh_c=)``."""

    def wrong(old: Array, given: Given) -> Array:
        return value(old.copy(), **{name: given[name] for name in ("i", "f", "g", "o", "tanh_c")})

    def plain(slopes: LocalDerivatives, given: Given) -> LocalDerivatives:
        return slopes._replace(**{row: wrong(getattr(slopes, row), given)})

    def fast(_: None, given: Given) -> None:
        old = getattr(LocalDerivatives(*given["out"]), row)
        old[...] = wrong(old, given)

    return (
        Patch(gates, "local_derivatives", after(plain)),
        Patch(standard, "fast_derivatives", after(fast)),
    )


def backward(plain: Any, fast: Any) -> tuple[Patch, ...]:
    """Make a mistake in (15)-(18)."""
    return Patch(gates, "gates_backward", plain), Patch(base, "through_c", fast)


def without_dh_dc(local: LocalDerivatives) -> LocalDerivatives:
    """Set ∂h/∂c to zero."""
    return local._replace(dh_dc=zeros(local.dh_dc))


def without_last(by_dh: Array) -> Array:
    """Set ∂h/∂c, the last of what multiplies dh, to zero."""
    wrong = by_dh.copy()
    wrong[-1] = 0
    return wrong


def swap_i_and_f(step: GateGradients, _: Given) -> GateGradients:
    """Swap da_i and da_f."""
    return step._replace(da_i=step.da_f, da_f=step.da_i)


def swap_i_and_f_in_place(_: Any, given: Given) -> None:
    """Swap da_i and da_f among dc_prev, da_i, da_f, da_g."""
    made_of_dc = given["out"][2]
    made_of_dc[[1, 2]] = made_of_dc[[2, 1]]


def through_float32(step: GateGradients, _: Given) -> GateGradients:
    """Round to float32 and back."""
    return GateGradients(*(d.astype(np.float32).astype(d.dtype) for d in step))


def through_float32_in_place(_: Any, given: Given) -> None:
    """Round to float32 and back."""
    made_of_dh, _, made_of_dc, _ = given["out"]
    for gradients in (made_of_dh, made_of_dc):
        gradients[...] = gradients.astype(np.float32)


def write_to_local(_: Any, given: Given) -> None:
    """Spoil the cached local derivatives."""
    cached = given["local"] if "local" in given else (given["by_dc"], given["by_dh"])
    for slopes in cached:
        slopes[...] *= 0.5


DROP_DC = backward(before(dc_in=zeros), before(dc_in=zeros))

ONE_STEP = {
    "no_dtanh_c": Mistake(
        "∂h/∂c is o: tanh′(c) is missing",
        slope("dh_dc", lambda old, o, **_: o),
        "(9)",
    ),
    "dtanh_of_h": Mistake(
        "∂h/∂c is o (1 - h²): the derivative is taken at h, as in a plain RNN",
        slope("dh_dc", lambda old, o, tanh_c, **_: o * (1 - (o * tanh_c) ** 2)),
        "(9)",
    ),
    "dtanh_of_c": Mistake(
        "∂h/∂c is o (1 - c²): tanh′(c) = 1 - tanh(c)² is given c where tanh(c) belongs",
        slope("dh_dc", lambda old, o, tanh_c, **_: o * (1 - np.arctanh(tanh_c) ** 2)),
        "(9)",
    ),
    "tanh_for_dtanh_c": Mistake(
        "∂h/∂c has 1 - tanh(c) where tanh′(c) = 1 - tanh(c)² belongs: the square is missing",
        slope("dh_dc", lambda old, o, tanh_c, **_: o * (1 - tanh_c)),
        "(9)",
    ),
    "no_dsigmoid_o": Mistake(
        "∂h/∂a_o is tanh(c): σ′(a_o) is missing",
        slope("dh_dao", lambda old, tanh_c, **_: tanh_c),
        "(10)",
    ),
    "c_for_tanh_c": Mistake(
        "∂h/∂a_o has c in place of tanh(c)",
        slope("dh_dao", lambda old, o, tanh_c, **_: np.arctanh(tanh_c) * o * (1 - o)),
        "(10)",
    ),
    "no_dsigmoid_i": Mistake(
        "∂c/∂a_i is g: σ′(a_i) is missing",
        slope("dc_dai", lambda old, g, **_: g),
        "(11)",
    ),
    "no_dsigmoid_f": Mistake(
        "∂c/∂a_f is c_prev: σ′(a_f) is missing",
        slope("dc_daf", lambda old, f, **_: old / (f * (1 - f))),
        "(12)",
        NOTEBOOK_1,
    ),
    "sigmoid_for_dsigmoid": Mistake(
        "∂c/∂a_f has σ(a_f) where σ′(a_f) belongs",
        slope("dc_daf", lambda old, f, **_: old / (1 - f)),
        "(12)",
        "CaptainE/RNN-LSTM-in-numpy#1",
    ),
    "forget_reads_c": Mistake(
        "∂c/∂a_f has c in place of c_prev",
        slope("dc_daf", lambda old, f, tanh_c, **_: np.arctanh(tanh_c) * f * (1 - f)),
        "(12)",
    ),
    "no_dtanh_g": Mistake(
        "∂c/∂a_g is i: tanh′(a_g) is missing",
        slope("dc_dag", lambda old, i, **_: i),
        "(13)",
    ),
    "tanh_for_dtanh_g": Mistake(
        "∂c/∂a_g has 1 - g where tanh′(a_g) = 1 - g² belongs: the square is missing",
        slope("dc_dag", lambda old, i, g, **_: i * (1 - g)),
        "(13)",
    ),
    "carry_by_input_gate": Mistake(
        "∂c/∂c_prev is i in place of f",
        slope("dc_dc_prev", lambda old, i, **_: i),
        "(14)",
    ),
    "drop_dc": Mistake(
        "the gradient of the cell state is not accumulated over time: dc_in is dropped",
        DROP_DC,
        "(15)",
        "apache/mxnet#4057",
    ),
    "dc_misses_h": Mistake(
        "the gradient that reaches c through h is dropped: dc = dc_in",
        backward(before(local=without_dh_dc), before(by_dh=without_last)),
        "(15)",
    ),
    "swap_gates": Mistake(
        "the gradients of i and f are swapped, as by another order of the gates",
        backward(after(swap_i_and_f), after(swap_i_and_f_in_place)),
        "(17)",
    ),
    "float32_inside": Mistake(
        "the step's gradients pass through float32",
        backward(after(through_float32), after(through_float32_in_place)),
        "(15)",
        FROM_SCRATCH_2,
    ),
    "mutates_cache": Mistake(
        "backward writes to its cache: a second call gives another answer",
        backward(after(write_to_local), after(write_to_local)),
        public=f"{FROM_SCRATCH_2}, softmax loss",
    ),
}
