"""What an exercise's functions are given, by random numbers, and what is right, by complex step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arguments import Array
from ..cell import LSTMCell
from .equations import derivative, gates, gradient, gru, lstm, lstm_sequence, peephole, run

__all__ = ["END", "PROBLEMS", "SIZES", "START", "Key", "Problem", "problems"]

Key = int | str  # when a name is judged: inside a loop over t at this t, or outside
START, END = "before the loop", "after the loop"

LOCAL = {  # name: (moved, target)
    "dh_dc": ("c", "h"),
    "dh_dao": ("a_o", "h"),
    "dc_dai": ("a_i", "c"),
    "dc_daf": ("a_f", "c"),
    "dc_dag": ("a_g", "c"),
    "dc_dc_prev": ("c_prev", "c"),
}
SIZES = ((3, 2, 4), (2, 5, 3))  # N, D, H of the two times that a file is run
STEPS = 5


class Problem(NamedTuple):
    """One set of numbers for an exercise."""

    given: dict[str, Any]  # what its functions may ask for, by the name of the argument
    right: dict[str, Any]  # what is judged, by name: a value, or a dict of values by Key
    others: dict[str, Any]  # what else a wrong expression may speak of; lists by t in sequences

    def at(self, name: str, key: Key | None) -> Any:
        """Return the right value of a name at this time, or None: then it is not judged."""
        value = self.right[name]
        return value.get(key) if isinstance(value, dict) else value

    def names(self, key: Key | None) -> dict[str, Any]:
        """Return everything that has a name at this time, with its right value."""
        now = {name: self.at(name, key) for name in self.right}
        now |= {"t": key, "np": np}
        return self.given | self.others | {n: v for n, v in now.items() if v is not None}


def _draw(rng: np.random.Generator, sizes: tuple[int, int, int], blocks: int = 4) -> dict[str, Any]:
    n, d, h = sizes
    shapes: dict[str, tuple[int, ...]] = {
        "x": (n, d),
        "h_prev": (n, h),
        "c_prev": (n, h),
        "weight_ih": (blocks * h, d),
        "weight_hh": (blocks * h, h),
        "bias_ih": (blocks * h,),
        "bias_hh": (blocks * h,),
        "dh": (n, h),
        "dc_in": (n, h),
        "weight_ci": (h,),
        "weight_cf": (h,),
        "weight_co": (h,),
    }
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def _gradients(equations: Any, values: dict[str, Any], names: str) -> dict[str, Array]:
    """Return ∂loss/∂z for every name dz."""
    return {
        name: gradient(equations, values, name[1:], np.shape(values[name[1:]]))
        for name in names.split()
    }


def _local(values: dict[str, Any]) -> dict[str, Array]:
    return {name: derivative(gates, values, *of) for name, of in LOCAL.items()}


def forward_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 1."""
    given = _draw(rng, sizes)
    values = run(lstm, given)
    names = ("a", "i", "f", "g", "o", "c", "tanh_c", "h")
    right = {name: values[name] for name in (*names, "a_i", "a_f", "a_g", "a_o")}
    return Problem(given, right, {})


def local_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 2."""
    values = run(lstm, _draw(rng, sizes))
    return Problem(values, _local(values), {})


def backward_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 3."""
    values = run(lstm, _draw(rng, sizes))
    names = "dc da_o da_i da_f da_g dc_prev dh_prev dx dweight_hh dweight_ih dbias_ih dbias_hh"
    right = _gradients(lstm, values, names)
    right["da"] = _stacked(right, "ifgo")
    return Problem(values | _local(values), right, {})


def peephole_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 6."""
    values = run(peephole, _draw(rng, sizes))
    names = "da_o dc da_i da_f da_g dc_prev dh_prev dx dweight_hh dweight_ih dbias_ih dbias_hh"
    right = _gradients(peephole, values, f"{names} dweight_ci dweight_cf dweight_co")
    right["da"] = _stacked(right, "ifgo")
    return Problem(values | _local(values), right, {})


def gru_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 7."""
    values = run(gru, _draw(rng, sizes, blocks=3))
    names = "dn dz da_n dr da_hn da_r da_z dh_prev dx dweight_hh dweight_ih dbias_ih dbias_hh"
    right = _gradients(gru, values, names)
    right["da_x"] = _stacked(right, "rzn")
    right["da_h"] = _stacked(right | {"da_n": right["da_hn"]}, "rzn")
    return Problem(values, right, {})


def sequence_problem(rng: np.random.Generator, sizes: tuple[int, int, int]) -> Problem:
    """Exercise 4."""
    (n, d, h), T = sizes, STEPS
    shapes: dict[str, tuple[int, ...]] = {"x": (T, n, d), "doutputs": (T, n, h)}
    shapes |= dict.fromkeys(("h_0", "c_0", "dh_n", "dc_n"), (n, h))
    given = _draw(rng, sizes) | {k: rng.standard_normal(shape) for k, shape in shapes.items()}
    for unused in ("h_prev", "c_prev", "dh", "dc_in"):
        del given[unused]

    cell = LSTMCell(d, h, dtype=np.float64)
    cell.load_params({name: given[name] for name in cell.params})

    def step_forward(x: Array, h_prev: Array, c_prev: Array) -> Any:
        (h, c), cache = cell.forward(x, (h_prev, c_prev))
        return h, c, cache

    def step_backward(cache: Any, dh: Array, dc_in: Array) -> Any:
        dx, (dh_prev, dc_prev), grads = cell.backward(cache, (dh, dc_in))
        return dx, dh_prev, dc_prev, *(grads[name] for name in cell.params)

    state, caches = [(given["h_0"], given["c_0"])], []
    for x in given["x"]:
        *after, cache = step_forward(x, *state[-1])
        state.append(tuple(after))
        caches.append(cache)
    hs, cs = (list(each) for each in zip(*state, strict=True))

    def at_every_step(moved: str) -> dict[Key, Array]:
        return {t: gradient(lstm_sequence, given, moved, (n, h), t) for t in range(T)}

    total = _gradients(lstm_sequence, given, "dh_0 dc_0 dweight_ih dweight_hh dbias_ih dbias_hh")
    dh, dc_in, dh_next = map(at_every_step, ("h", "c_next", "h_next"))
    right = {
        "h_prev": dict(enumerate(hs[:-1])),
        "c_prev": dict(enumerate(cs[:-1])),
        "outputs": np.array(hs[1:]),
        "h_n": hs[-1],
        "c_n": cs[-1],
        "dh_next": {START: given["dh_n"], **dh_next, END: total["dh_0"]},
        "dc_next": {START: given["dc_n"], **dc_in, END: total["dc_0"]},
        "order": range(T)[::-1],
        "dh": dh,
        "dc_in": dc_in,
        **{name: {END: total[name]} for name in total if name not in ("dh_0", "dc_0")},
        "dh_0": total["dh_0"],
        "dc_0": total["dc_0"],
    }
    steps = [step_backward(caches[t], dh[t], dc_in[t])[3:] for t in range(T)]
    others = {
        "h": hs,
        "c": cs,
        "T": T,
        "dh_of": dh,
        "dc_of": at_every_step("c"),
        "dc_in_of": dc_in,
        **{
            f"d{name}_of": np.array(each)  # of every step by itself
            for name, each in zip(cell.params, zip(*steps, strict=True), strict=True)
        },
    }
    given |= {"step_forward": step_forward, "step_backward": step_backward, "caches": caches}
    return Problem(given, right, others)


def _stacked(right: dict[str, Array], order: str) -> Array:
    return np.concatenate([right[f"da_{gate}"] for gate in order], axis=1)


PROBLEMS: dict[int, Callable[..., Problem]] = {
    1: forward_problem,
    2: local_problem,
    3: backward_problem,
    4: sequence_problem,
    6: peephole_problem,
    7: gru_problem,
}


@functools.cache
def problems(number: int) -> tuple[Problem, ...]:
    """Return the numbers on which an exercise is judged, the same ones every time: read only."""
    return tuple(PROBLEMS[number](np.random.default_rng(k), sizes) for k, sizes in enumerate(SIZES))
