"""Mistakes in how steps are joined: (19) in ``cell.py``, the blocks of ``kernel/``."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np

from .. import cell
from ..arguments import Array
from ..cells import base
from ..gradcheck.patching import Given, Patch, after, arguments, before
from ..kernel import schedule, sequence
from ..kernel.weights import Gradients, Weights
from ..layers import Recurrent
from .mistake import COURSE, NOTEBOOK_1, Mistake, zeros
from .one_step import DROP_DC

__all__ = ["MANY_STEPS"]


def recurrence(weights: Weights, weight_hh_t: Array) -> Weights:
    """Go back through another W_hhᵀ."""
    twin = copy.copy(weights)
    twin.weight_hh_t = weight_hh_t
    return twin


def without_recurrence(weights: Weights) -> Weights:
    """Set W_hhᵀ to zero."""
    return recurrence(weights, zeros(weights.weight_hh_t))


def transposed_blocks(weight_hh: Array) -> Array:
    """Transpose each gate's block of W_hh (4H, H)."""
    blocks = weight_hh.reshape(-1, weight_hh.shape[1], weight_hh.shape[1])
    return blocks.swapaxes(1, 2).reshape(weight_hh.shape)


def transposed_recurrence(weights: Weights) -> Weights:
    """Transpose each gate's block of W_hh in the kernel."""
    return recurrence(weights, np.ascontiguousarray(transposed_blocks(weights.weight_hh).T))


def transposed_params(params: Any) -> dict[str, Array]:
    """Transpose each gate's block of a cell's W_hh."""
    return {**params, "weight_hh": transposed_blocks(params["weight_hh"])}


def without_dh_prev(result: Any, _: Given) -> Any:
    """Drop dh_prev."""
    gradients, grads = result
    return gradients | {"dh_prev": zeros(gradients["dh_prev"])}, grads


def save_h_next(saved: Any, given: Given) -> Any:
    """Save h_t where h_{t-1} belongs."""
    if saved is None:
        return None
    h = given["state"].h.T[None]
    return saved._replace(h_prev=np.concatenate([saved.h_prev[1:], h]))


def save_last_h_first(saved: Any, given: Given) -> Any:
    """Save the last h where the initial one belongs."""
    if saved is None:
        return None
    h = given["state"].h.T[None]
    return saved._replace(h_prev=np.concatenate([h, saved.h_prev[1:]]))


def h_for_h_prev(right: Any) -> Any:
    """Pair da with a step's own h."""

    @functools.wraps(right)
    def wrong(*args: Any, **options: Any) -> Any:
        given = arguments(right, args, options)
        x, h_prev, c_prev = given["inputs"]
        h = given["step"].get("h", h_prev)  # the cell's cache has it in the place of h_prev
        return right(**{**given, "inputs": (x, h, c_prev)})

    return wrong


def cache_h(result: Any, _: Given) -> Any:
    """Let a cell's cache hold h in place of h_prev."""
    state, cache = result
    return state, cache._replace(h_prev=state.h)


def first_step_only(right: Any) -> Any:
    """Keep only the first step's part of the weights' gradient."""

    @functools.wraps(right)
    def wrong(*args: Any, **options: Any) -> Any:
        given = arguments(right, args, options)
        dstate = given["dstate"].copy()
        right(**given)
        later = {name: given[name][1:] for name in ("dout", "dx") if given[name] is not None}
        fields = (None if field is None else field[1:] for field in given["saved"])
        later["saved"] = type(given["saved"])(*fields)
        gradients = given["gradients"]
        later["dstate"] = dstate
        later["gradients"] = Gradients(zeros(gradients.weights), [], None)
        if len(later["dx"]):
            right(**given | later)
        gradients.weights[...] -= later["gradients"].weights

    return wrong


def without_first_step(saved: Any) -> Any:
    """Let nothing reach what the first step saved."""
    spoilt = saved.local.copy()
    spoilt[0] = 0
    return saved._replace(local=spoilt)


def input_bias_twice(dbias: Array) -> Array:
    """Copy the input gate's gradient over the forget gate's."""
    wrong = dbias.copy()
    i, f, *_ = wrong.reshape(4, -1)
    f[...] = i
    return wrong


def without_bias_hh(grads: dict[str, Array], _: Given) -> dict[str, Array]:
    """Set the gradient of bias_hh to zero."""
    return {name: zeros(grad) if name == "bias_hh" else grad for name, grad in grads.items()}


def added_to_weights(result: Any, given: Given) -> Any:
    """Add the weights to their gradients."""
    *others, grads = result
    params = given["params"] if "params" in given else given["self"].params
    return *others, {name: params[name] + grad for name, grad in grads.items()}


def averaged(result: Any, given: Given) -> Any:
    """Divide the gradients of the parameters by the number of rows."""
    *others, grads = result
    rows = given["cache"].layout.rows if "cache" in given else len(np.atleast_2d(given["dh"]))
    return *others, {name: grad / rows for name, grad in grads.items()}


def without_carry(_: None, given: Given) -> None:
    """Stop dh and dc at the edge of a block."""
    given["dstate"].put(given["dstate"].map(zeros))


def zero_starts(cache: Any) -> Any:
    """Forget the states from which segments are run again."""
    return cache._replace(starts=[start.map(zeros) for start in cache.starts])


DROP_DH = (
    Patch(sequence, "block_backward", before(weights=without_recurrence)),
    Patch(cell, "step_backward", after(without_dh_prev)),
)

MANY_STEPS = {
    "drop_dh": Mistake(
        "the recurrence of dh is dropped: dh_prev = 0",
        DROP_DH,
        "(19)",
        COURSE,
    ),
    "no_bptt": Mistake(
        "neither dh nor dc is handed to the step before",
        (*DROP_DC, *DROP_DH),
        "(15)",
        f"{NOTEBOOK_1}; {COURSE}",
    ),
    "hh_transposed": Mistake(
        "dh_prev is made with each gate's W_hh transposed",
        (
            Patch(sequence, "block_backward", before(weights=transposed_recurrence)),
            Patch(cell, "step_backward", before(params=transposed_params)),
        ),
        "(19)",
    ),
    "dW_hh_with_h_t": Mistake(
        "dW_hh pairs da_t with h_t in place of h_{t-1}",
        (
            Patch(sequence, "block_forward", after(save_h_next)),
            Patch(cell, "step_backward", h_for_h_prev),
            Patch(cell.LSTMCell, "forward", after(cache_h)),
        ),
        "(19)",
        "thinc 9.1",
    ),
    "dW_hh_from_the_end": Mistake(
        "dW_hh at t = 0 reads the last h in place of h_0: h[t - 1] with t = 0",
        (Patch(sequence, "block_forward", after(save_last_h_first)),),
        public="IDSIA/brainstorm, cf. #73",
    ),
    "dW_overwritten": Mistake(
        "the weights' gradients are overwritten at every step, not summed",
        (Patch(sequence, "block_backward", first_step_only),),
    ),
    "first_step_skipped": Mistake(
        "step 0 is never backpropagated: the loop stops one short",
        (Patch(sequence, "block_backward", before(saved=without_first_step)),),
        public="thinc 9.1",
    ),
    "bias_from_other_gate": Mistake(
        "the forget gate's bias gradient is copied from the input gate's",
        (Patch(base.Kind, "named_gradients", before(dbias=input_bias_twice)),),
        "(19)",
        "hanbt/learn_dl#53",
    ),
    "one_bias": Mistake(
        "bias_hh gets no gradient",
        (Patch(base.Kind, "named_gradients", after(without_bias_hh)),),
        "(19)",
    ),
    "gradient_starts_as_weights": Mistake(
        "the gradients are accumulated on top of the weights",
        (
            Patch(Recurrent, "backward", after(added_to_weights)),
            Patch(cell, "step_backward", after(added_to_weights)),
        ),
        "(19)",
        "thinc 9.1",
    ),
    "mean_over_batch": Mistake(
        "the gradients are averaged over the batch, which the loss sums over",
        (
            Patch(Recurrent, "backward", after(averaged)),
            Patch(cell, "step_backward", after(averaged)),
        ),
        "(19)",
    ),
    "truncated": Mistake(
        "dh and dc are not carried over the edge of a block",
        (Patch(sequence, "block_backward", after(without_carry)),),
    ),
    "checkpoint_from_zeros": Mistake(
        "recomputation starts from zeros in place of the stored state",
        (Patch(schedule, "layer_backward", before(cache=zero_starts)),),
        needs="checkpoint_every",
    ),
}
