"""Mistakes of the forward pass. Where backward inverts them, no gradient check can tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import gates
from ..arguments import Array
from ..cells import standard
from ..gates import LocalDerivatives
from ..gradcheck.patching import Given, Patch, after, before, instead
from ..layers import Recurrent
from .mistake import Mistake

__all__ = ["WRONG_FORWARD"]


def doubled_sigmoids(slopes: LocalDerivatives, _: Given) -> LocalDerivatives:
    """Give the gates the derivatives of σ(2a)."""
    doubled = {name: 2 * getattr(slopes, name) for name in ("dc_dai", "dc_daf", "dh_dao")}
    return slopes._replace(**doubled)


def doubled_sigmoids_in_place(_: Any, given: Given) -> None:
    """Give the gates the derivatives of σ(2a)."""
    slopes = LocalDerivatives(*given["out"])
    for slope in (slopes.dc_dai, slopes.dc_daf, slopes.dh_dao):
        slope *= 2


def none(_: Any) -> None:
    """Forget an argument."""
    return None


def first_state(state: Any) -> Any:
    """Repeat the first layer's state for all."""
    return None if state is None else tuple(np.repeat(s[:1], len(s), axis=0) for s in state)


def output_bias_for_all(params: dict[str, Array], _: Given) -> dict[str, Array]:
    """Give i and f the output gate's bias."""
    if "bias_ih" not in params:
        return params
    biases = np.split(params["bias_ih"], 4)
    return params | {"bias_ih": np.concatenate([biases[k] for k in (3, 3, 2, 3)])}


def forward(**changes: Any) -> tuple[Patch, ...]:
    """Change arguments of forward, with and without a cache."""
    return tuple(Patch(Recurrent, name, before(**changes)) for name in ("forward", "__call__"))


WRONG_FORWARD = {
    "sigmoid_without_half": Mistake(
        "the gates are σ(2a), and backward agrees",
        (
            Patch(gates, "sigmoid", instead(lambda z: 0.5 + 0.5 * np.tanh(z))),
            Patch(standard.Standard, "scale", instead(np.ones((4, 1, 1), np.float32))),
            Patch(gates, "local_derivatives", after(doubled_sigmoids)),
            Patch(standard, "fast_derivatives", after(doubled_sigmoids_in_place)),
        ),
        public="HIPS/autograd, examples/rnn.py",
    ),
    "ignores_lengths": Mistake(
        "forward runs through the padding, and backward agrees",
        forward(lengths=none),
        public="onnx, reference operator",
        needs="lengths",
    ),
    "first_state_for_all": Mistake(
        "every layer starts from the first layer's state",
        forward(state=first_state),
        public="torch on MPS, pytorch#190056: several layers wrong from non-zero states",
    ),
    "wrong_bias": Mistake(
        "the pre-activations of i and f are made with the output gate's bias",
        (Patch(Recurrent, "cell_params", after(output_bias_for_all)),),
        public="ddbourgin/numpy-ml#42",
    ),
}
