"""A layer as a plain loop over single steps: what the kernel must equal, for every kind of cell."""

from __future__ import annotations

import numpy as np

from npslstm import cell


def cell_in_a_loop(problem):
    """(outputs, gradients) of a one-layer, time-major problem from single steps alone."""
    kind = problem.net.kind
    params = {n.removesuffix("_l0"): p for n, p in problem.params.items()}
    h, c = (problem.inputs[n][0] if n in problem.inputs else None for n in ("h_0", "c_0"))
    out, steps = np.zeros_like(problem.upstream["out"]), []
    for t, x in enumerate(problem.inputs["x"]):
        inputs = x, h, c
        step, local = cell.step_forward(kind, params, *inputs)
        h, c = step["h"], step.get("c")
        out[t] = h
        steps.append((inputs, step, local))
    outputs = {"out": out, "h_n": h[None]} | ({} if c is None else {"c_n": c[None]})

    dh, dc = (problem.upstream[n][0] if n in problem.upstream else None for n in ("h_n", "c_n"))
    dx = np.zeros_like(problem.inputs["x"])
    grads = {n: np.zeros_like(p) for n, p in params.items()}
    for t in reversed(range(len(steps))):
        dh = dh + problem.upstream["out"][t]
        gradients, of_step = cell.step_backward(kind, params, *steps[t], dh, dc)
        dx[t], dh, dc = gradients["dx"], gradients["dh_prev"], gradients.get("dc_prev")
        grads = {n: g + of_step[n] for n, g in grads.items()}
    gradients = {"x": dx, "h_0": dh[None]} | ({} if dc is None else {"c_0": dc[None]})
    return outputs, gradients | {n + "_l0": g for n, g in grads.items()}
