"""Mistakes in what surrounds the steps: layers, layout, model, loss."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import cell, losses
from ..arguments import Array
from ..cell import LSTMCell, LSTMState
from ..gradcheck.patching import Given, Patch, after, arguments, before, within
from ..kernel.layout import Layout
from ..layers import Recurrent
from ..linear import Readout
from .mistake import FROM_SCRATCH_2, Mistake, zeros

__all__ = ["AROUND"]


def only_dh(dstate: Any) -> Any:
    """Ignore dc."""
    return None if dstate is None else (dstate[0], None)


def only_dc(dstate: Any) -> Any:
    """Ignore dh."""
    return None if dstate is None else (None, dstate[1])


def upstream_dstate(result: Any, given: Given) -> Any:
    """Return the gradient of the last state as that of the initial one."""
    dx, (dh_0, dc_0), grads = result
    dh_n, dc_n = given["dstate"] or (zeros(dh_0), zeros(dc_0))
    return dx, LSTMState(dh_n.copy(), dc_n.copy()), grads


def swapped_state(result: Any, _: Given) -> Any:
    """Swap dh and dc."""
    dx, (dh, dc), grads = result
    return dx, LSTMState(dc, dh), grads


def swapped_prev(result: Any, _: Given) -> Any:
    """Swap dh_prev and dc_prev of one step."""
    gradients, grads = result
    swapped = {"dh_prev": gradients["dc_prev"], "dc_prev": gradients["dh_prev"]}
    return gradients | swapped, grads


def without_dc_0(result: Any, _: Given) -> Any:
    """Drop the gradient of c_0."""
    dx, (dh_0, dc_0), grads = result
    return dx, LSTMState(dh_0, zeros(dc_0)), grads


def write_to_dc(result: Any, given: Given) -> None:
    """Add to the caller's dc."""
    dh, dc = given["dstate"] or (0.0, 0.0)
    dc += dh


def leaking(right: Any) -> Any:
    """Add the upstream gradients of masked steps to that of h_n."""

    @functools.wraps(right)
    def wrong(*args: Any, **options: Any) -> Any:
        given = arguments(right, args, options)
        layout, dout, dstate = given["cache"].layout, given["dout"], given["dstate"]
        if dout is not None and dstate is not None:
            past = ~layout.valid_steps()[..., None]
            leak = (dout * past).sum(axis=layout.axes.index("T"))
            directions = given["self"].directions
            dh_n = dstate[0].copy()
            dh_n[-directions:] += np.stack(np.split(leak, directions, axis=-1))
            given["dstate"] = dh_n, dstate[1]
        return right(**given)

    return wrong


def unscaled_masks(cache: Any) -> Any:
    """Let dropout masks be 0 and 1."""
    masks = tuple((mask != 0).astype(mask.dtype) for mask in cache.dropout_masks)
    return cache._replace(dropout_masks=masks)


def identity(layout: Any, sequence: Array) -> Array:
    """Leave a sequence as it is; in place of ``Layout.flip``."""
    return sequence


def flip_whole(layout: Any, sequence: Array) -> Array:
    """Reverse all of a row, padding included; in place of ``Layout.flip``."""
    return sequence[::-1]


def sorted_outside(layout: Any, sequence: Array) -> Array:
    """Leave the rows sorted; in place of ``Layout.outside``."""
    if layout.unbatched:
        return sequence[:, 0]
    return sequence.swapaxes(0, 1) if layout.axes == ("N", "T") else sequence


def summed(result: Any, given: Given) -> Any:
    """Undo the division by the number of rows that count."""
    value, gradient = result
    mask = given["mask"]
    return value, gradient * (np.size(given["labels"]) if mask is None else mask.sum())


AROUND = {
    "ignore_dc_T": Mistake(
        "∂loss/∂c_T from above is ignored",
        (Patch(Recurrent, "backward", before(dstate=only_dh)),),
        public="deeplearning4j#8838",
    ),
    "dstate_of_last_step": Mistake(
        "the gradient of the initial state is that of the last one",
        (Patch(Recurrent, "backward", after(upstream_dstate)),),
    ),
    "swap_h_0_c_0": Mistake(
        "the gradients of h_0 and c_0 are swapped",
        (
            Patch(Recurrent, "backward", after(swapped_state)),
            Patch(cell, "step_backward", after(swapped_prev)),
        ),
        "(18)",
        "thinc 9.1",
    ),
    "drop_dc_0": Mistake(
        "the gradient of c_0 is discarded",
        (Patch(Recurrent, "backward", after(without_dc_0)),),
        public=FROM_SCRATCH_2,
    ),
    "writes_to_dc": Mistake(
        "the caller's dc is added to in place",
        (
            Patch(Recurrent, "backward", after(write_to_dc)),
            Patch(LSTMCell, "backward", after(write_to_dc)),
        ),
        public="solutions of CS231n",
    ),
    "padding_leaks": Mistake(
        "gradients of masked steps leak into the last valid one",
        (Patch(Recurrent, "backward", leaking),),
        needs="lengths, no loss",
    ),
    "dropout_not_in_backward": Mistake(
        "backward does not apply the dropout mask",
        (
            Patch(
                Recurrent, "backward", before(cache=lambda cache: cache._replace(dropout_masks=()))
            ),
        ),
        public="torch on MPS, pytorch PR 95137",
    ),
    "dropout_unscaled": Mistake(
        "backward applies the dropout mask without its scale 1/(1 - p)",
        (Patch(Recurrent, "backward", before(cache=unscaled_masks)),),
    ),
    "reverse_not_flipped": Mistake(
        "backward does not turn the reverse direction's sequences round",
        (Patch(Recurrent, "backward", within(Layout, "flip", identity)),),
        needs="bidirectional",
    ),
    "flips_padding_too": Mistake(
        "backward turns whole rows round, not each within its own length",
        (Patch(Recurrent, "backward", within(Layout, "flip", flip_whole)),),
        needs="lengths, bidirectional",
    ),
    "rows_stay_sorted": Mistake(
        "dx keeps the rows sorted by length",
        (Patch(Recurrent, "backward", within(Layout, "outside", sorted_outside)),),
        needs="lengths",
    ),
    "readout_overwrites_dh_n": Mistake(
        "the head's gradient replaces that of h_n in place of being added to it",
        (Patch(Readout, "read_backward", before(dstate=only_dc)),),
        needs="readout",
    ),
    "loss_not_averaged": Mistake(
        "the gradient of the cross-entropy is that of a sum, its value a mean",
        (Patch(losses, "cross_entropy", after(summed)),),
    ),
}
