"""The wrong halves of the mistakes: what ``mistakes.py`` does to arguments and results.

Nothing here copies the code under study; each changes what goes into a function of it, or what
comes out.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import gates
from ..arguments import Array
from ..cell import LSTMCell, LSTMState
from ..gates import GATES, LocalDerivatives
from ..gradcheck.patching import Given, Patch, after, arguments


def local(row: str, value: Callable[..., Array]) -> tuple[Patch, ...]:
    """Replace one local derivative by ``value(old, i=, f=, g=, o=, tanh_c=)``."""

    def change(derivatives: Array, given: Given) -> None:
        old = getattr(LocalDerivatives(*derivatives), row)
        activations = {name: given[name] for name in ("i", "f", "g", "o", "tanh_c")}
        old[...] = value(old.copy(), **activations)

    return (Patch(gates, "local_derivatives", after(change)),)


# Arguments changed on their way in.


def zeros(array: Array) -> Array:
    """Return zeros in place of an array."""
    return np.zeros_like(array)


def none(_: Any) -> None:
    """Forget an argument."""
    return None


def without_dh_dc(local: Array) -> Array:
    """Set ∂h/∂c to zero."""
    named = LocalDerivatives(*local)
    return np.stack(named._replace(dh_dc=zeros(named.dh_dc)))


def gates_transposed(weight_hh_t: Array) -> Array:
    """Transpose each gate's block of W_hhᵀ (H, 4H)."""
    hidden = len(weight_hh_t)
    blocks = weight_hh_t.reshape(hidden, GATES, hidden)
    return np.ascontiguousarray(blocks.transpose(2, 1, 0)).reshape(hidden, -1)


def cell_transposed(cell: LSTMCell) -> LSTMCell:
    """Transpose each gate's block of a cell's W_hh."""
    twin = copy.copy(cell)
    transposed = gates_transposed(np.ascontiguousarray(cell.params["weight_hh"].T)).T
    twin.params = cell.params | {"weight_hh": transposed}
    return twin


def without_first_step(saved: Any) -> Any:
    """Let nothing reach what the first step saved."""
    spoilt = saved.local.copy()
    spoilt[0] = 0
    return saved._replace(local=spoilt)


def input_bias_twice(dbias: Array) -> Array:
    """Copy the input gate's gradient over the forget gate's."""
    wrong = dbias.copy()
    i, f, _, _ = wrong.reshape(GATES, -1)
    f[...] = i
    return wrong


def zero_starts(tape: Any) -> Any:
    """Forget the states from which segments are run again."""
    return tape._replace(starts=[(zeros(h), zeros(c)) for h, c in tape.starts])


def unscaled_masks(cache: Any) -> Any:
    """Let dropout masks be 0 and 1."""
    masks = tuple((mask != 0).astype(mask.dtype) for mask in cache.dropout_masks)
    return cache._replace(dropout_masks=masks)


def only_dh(dstate: Any) -> Any:
    """Ignore dc."""
    return None if dstate is None else (dstate[0], None)


def only_dc(dstate: Any) -> Any:
    """Ignore dh."""
    return None if dstate is None else (None, dstate[1])


def first_state(state: Any) -> Any:
    """Repeat the first layer's state for all."""
    return None if state is None else tuple(np.repeat(s[:1], len(s), axis=0) for s in state)


# Results changed on their way out.


def without_dh_prev(result: Any, _: Given) -> Any:
    """Drop dh_prev."""
    dx, (dh_prev, dc_prev), grads = result
    return dx, LSTMState(zeros(dh_prev), dc_prev), grads


def swap_i_and_f(result: Any, _: Given) -> None:
    """Swap da_i and da_f in place."""
    da = result[0]
    da[[0, 1]] = da[[1, 0]]


def through_float32(result: Any, _: Given) -> None:
    """Round to float32 and back, in place."""
    for gradient in result:
        gradient[...] = gradient.astype(np.float32)


def write_to_local(result: Any, given: Given) -> None:
    """Spoil the cached local derivatives."""
    given["local"][...] *= 0.5


def save_h_next(result: Any, _: Given) -> Any:
    """Save h_t where h_{t-1} belongs."""
    h, c, saved = result
    if saved is None:
        return result
    return h, c, saved._replace(h_prev=np.concatenate([saved.h_prev[1:], h.T[None]]))


def save_last_h_first(result: Any, _: Given) -> Any:
    """Save the last h where the initial one belongs."""
    h, c, saved = result
    if saved is None:
        return result
    return h, c, saved._replace(h_prev=np.concatenate([h.T[None], saved.h_prev[1:]]))


def cache_h(result: Any, _: Given) -> Any:
    """Let a cell's cache hold h in place of h_prev."""
    state, cache = result
    return state, cache._replace(h_prev=state.h)


def without_bias_hh(grads: dict[str, Array], _: Given) -> dict[str, Array]:
    """Set the gradient of bias_hh to zero."""
    return {name: zeros(grad) if name == "bias_hh" else grad for name, grad in grads.items()}


def added_to_weights(result: Any, given: Given) -> Any:
    """Add the weights to their gradients."""
    *others, grads = result
    params = given["self"].params
    return *others, {name: params[name] + grad for name, grad in grads.items()}


def averaged(result: Any, given: Given) -> Any:
    """Divide the gradients of the parameters by the number of rows."""
    *others, grads = result
    cache = given["cache"]
    rows = cache.layout.rows if hasattr(cache, "layout") else len(np.atleast_2d(cache.x))
    return *others, {name: grad / rows for name, grad in grads.items()}


def without_carry(result: Any, _: Given) -> Any:
    """Stop dh and dc at the edge of a block."""
    dh, dc = result
    return zeros(dh), zeros(dc)


def upstream_dstate(result: Any, given: Given) -> Any:
    """Return the gradient of the last state as that of the initial one."""
    dx, (dh_0, dc_0), grads = result
    dh_n, dc_n = given["dstate"] or (zeros(dh_0), zeros(dc_0))
    return dx, LSTMState(dh_n.copy(), dc_n.copy()), grads


def swapped_state(result: Any, _: Given) -> Any:
    """Swap dh and dc."""
    dx, (dh, dc), grads = result
    return dx, LSTMState(dc, dh), grads


def without_dc_0(result: Any, _: Given) -> Any:
    """Drop the gradient of c_0."""
    dx, (dh_0, dc_0), grads = result
    return dx, LSTMState(dh_0, zeros(dc_0)), grads


def write_to_dc(result: Any, given: Given) -> None:
    """Add to the caller's dc."""
    dh, dc = given["dstate"] or (0.0, 0.0)
    dc += dh


def summed(result: Any, given: Given) -> Any:
    """Undo the division by the number of rows that count."""
    value, gradient = result
    mask = given["mask"]
    return value, gradient * (np.size(given["labels"]) if mask is None else mask.sum())


def doubled_sigmoids(derivatives: Array, _: Given) -> None:
    """Give the gates the derivatives of σ(2a)."""
    named = LocalDerivatives(*derivatives)
    for row in (named.dc_dai, named.dc_daf, named.dh_dao):
        row *= 2


def output_bias_for_all(params: dict[str, Array], _: Given) -> dict[str, Array]:
    """Give i and f the output gate's bias."""
    if "bias_ih" not in params:
        return params
    biases = np.split(params["bias_ih"], GATES)
    return params | {"bias_ih": np.concatenate([biases[k] for k in (3, 3, 2, 3)])}


# Functions put together in another way.


def first_step_only(right: Any) -> Any:
    """Keep only the first step's part of the weights' gradient."""

    @functools.wraps(right)
    def wrong(*args: Any, **options: Any) -> Any:
        given = arguments(right, args, options)
        state = right(**given)
        later = {name: given[name][1:] for name in ("dout", "dx") if given[name] is not None}
        later["saved"] = type(given["saved"])(*(field[1:] for field in given["saved"]))
        later["dstacked"] = zeros(given["dstacked"])
        if len(later["dx"]):
            right(**given | later)
        given["dstacked"][...] -= later["dstacked"]
        return state

    return wrong


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
