"""Mistakes in the other kinds of cell, each made in the file of its kind in ``cells/``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..arguments import Array
from ..cells import Kind
from ..cells.cifg import CoupledGates
from ..cells.gru import GatedUnit
from ..cells.peephole import Peephole
from ..gradcheck.patching import Patch
from .mistake import Mistake, zeros

__all__ = ["KINDS"]


def slope(owner: type[Kind], row: str, value: Callable[..., Array]) -> tuple[Patch, ...]:
    """Replace one local derivative by ``value(right=, before=, …)``; … are the step's names."""

    def make(right: Any) -> Any:
        @functools.wraps(right)
        def wrong(kind: Kind, step: Sequence[Array], before: Array, *extra: Array) -> list[Array]:
            slopes = dict(zip(kind.local, right(kind, step, before, *extra), strict=True))
            seen = dict(zip(kind.names, step, strict=True))
            slopes[row] = value(right=slopes[row], before=before, **seen)
            return list(slopes.values())

        return wrong

    return (Patch(owner, "derivatives", make),)


KINDS = {
    "peephole_of_o_dropped": Mistake(
        "peephole: c reaches h through tanh alone; the way through o's peephole is missing",
        slope(Peephole, "dh_dc", lambda o, tanh_c, **_: o * (1 - tanh_c * tanh_c)),
        "(P9)",
        kind="peephole",
    ),
    "peepholes_of_i_and_f_dropped": Mistake(
        "peephole: ∂c/∂c_prev is f, as without peepholes",
        slope(Peephole, "dc_dc_prev", lambda f, **_: f),
        "(P14)",
        kind="peephole",
    ),
    "coupled_sign_lost": Mistake(
        "cifg: ∂c/∂a_i has g + c_prev in place of g - c_prev",
        slope(CoupledGates, "dc_dai", lambda i, g, before, **_: (g + before) * i * (1 - i)),
        "(F11)",
        kind="cifg",
    ),
    "gru_direct_path_dropped": Mistake(
        "gru: h_prev is reached through W_hh alone; what z keeps of it is missing",
        slope(GatedUnit, "dh_dh_prev", lambda right, **_: zeros(right)),
        "(G9)",
        kind="gru",
    ),
    "gru_reset_before": Mistake(
        "gru: ∂h/∂a_h lacks r, as if r multiplied h_prev before the product, not after it",
        slope(GatedUnit, "dh_dah", lambda z, n, **_: (1 - z) * (1 - n * n)),
        "(G6)",
        kind="gru",
    ),
}
