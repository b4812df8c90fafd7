"""The LSTM as a plain loop over its cell: what the kernel must equal."""

from __future__ import annotations

import numpy as np

from npslstm import LSTMCell


def cell_in_a_loop(problem):
    """(outputs, gradients) of a one-layer, time-major problem from LSTMCell alone."""
    bias = "bias_ih_l0" in problem.params
    cell = LSTMCell(problem.inputs["x"].shape[-1], problem.inputs["h_0"].shape[-1], bias)
    cell.params = {n.removesuffix("_l0"): p for n, p in problem.params.items()}
    state = problem.inputs["h_0"][0], problem.inputs["c_0"][0]
    out, caches = np.zeros_like(problem.upstream["out"]), []
    for t, x in enumerate(problem.inputs["x"]):
        state, cache = cell.forward(x, state)
        out[t] = state.h
        caches.append(cache)

    dh, dc = problem.upstream["h_n"][0], problem.upstream["c_n"][0]
    dx, grads = (
        np.zeros_like(problem.inputs["x"]),
        {n: np.zeros_like(p) for n, p in cell.params.items()},
    )
    for t in reversed(range(len(caches))):
        dx[t], (dh, dc), step = cell.backward(caches[t], (dh + problem.upstream["out"][t], dc))
        grads = {n: g + step[n] for n, g in grads.items()}
    outputs = {"out": out, "h_n": state[0][None], "c_n": state[1][None]}
    gradients = {"x": dx, "h_0": dh[None], "c_0": dc[None]}
    return outputs, gradients | {n + "_l0": g for n, g in grads.items()}
