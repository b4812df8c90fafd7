"""The live page in the tests: where it is, and what npslstm says that its numbers have to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npslstm import LSTMCell, LSTMModel
from npslstm.losses import cross_entropy
from npslstm.trace import trace

DEMOS = Path(__file__).parents[2] / "demos"
PAGE = DEMOS / "live.html"
GATES = "ifgo"


def go(browser, **view) -> None:
    """Show a view on the page that is open, as if a reader had followed a link to it."""
    address = "&".join(f"{name}={value}" for name, value in view.items())
    browser.run("location.hash = arguments[0]; readAddress(); compute(); draw();", address)


class Expected(NamedTuple):
    """One image's run: arrays (T, H) by the page's names, and what is not per unit."""

    steps: dict[str, np.ndarray]
    x: np.ndarray  # (T, D)
    dx: np.ndarray  # (T, D)
    parts: list[dict[str, Any]]  # by step: what one weight's gradient and each gate add to
    p: np.ndarray  # (T, K): the answer after each step
    loss: float
    grads: dict[str, np.ndarray]


def expected(model: LSTMModel, image: np.ndarray, label: int) -> Expected:
    """Run ``model``, in float64, over an image (28, 28) of numbers from 0 to 1."""
    x = image[:, None]
    logits, _, cache = model.forward(x)
    loss, dlogits = cross_entropy(logits, [label])
    dx, _, grads = model.backward(cache, dlogits)
    run = trace(model, x, dout=dlogits)["l0"]
    h, c = run.h[:, 0], run.c[:, 0]
    steps = {name: getattr(run, name)[:, 0] for name in ("i", "f", "g", "o", "c", "h", "dh", "dc")}
    steps |= {f"da_{gate}": run.da[n][:, 0] for n, gate in enumerate(GATES)}
    steps["h_prev"], steps["c_prev"] = (np.vstack([0 * z[:1], z[:-1]]) for z in (h, c))
    steps["tanh_c"] = np.tanh(c)

    cell = LSTMCell(model.lstm.input_size, model.lstm.hidden_size, dtype=np.float64)
    cell.load_params({name[5:-3]: v for name, v in model.params.items() if name[:5] == "lstm."})
    back = [one_step(cell, image[t], steps, t) for t in range(len(image))]
    for name in ("dh_prev", "dc_prev"):
        steps[name] = np.array([step[name] for step in back])
    steps["dc_in"] = np.vstack([steps["dc_prev"][1:], 0 * h[:1]])

    i, f, g, o = (steps[gate] for gate in GATES)
    steps["dh_dc"] = o * (1 - np.tanh(c) ** 2)  # (9)
    steps["dh_dao"] = np.tanh(c) * o * (1 - o)  # (10)
    steps["dc_dai"] = g * i * (1 - i)  # (11)
    steps["dc_daf"] = steps["c_prev"] * f * (1 - f)  # (12)
    steps["dc_dag"] = i * (1 - g**2)  # (13)
    steps["dc_dc_prev"] = f  # (14)
    steps |= {"kept": f * steps["c_prev"], "written": i * g}
    dh, dc = steps["dh"], steps["dc"]
    steps |= {"via_h": dh * steps["dh_dc"], "dtanh_c": dh * o, "do": dh * steps["tanh_c"]}
    steps |= {"di": dc * g, "df": dc * steps["c_prev"], "dg": dc * i}
    w, u = (np.split(cell.params[name], 4) for name in ("weight_ih", "weight_hh"))
    b = np.split(cell.params["bias_ih"] + cell.params["bias_hh"], 4)
    for n, gate in enumerate(GATES):
        steps[f"w_{gate}·x"] = image @ w[n].T
        steps[f"u_{gate}·h_prev"] = steps["h_prev"] @ u[n].T
        steps[f"b_{gate}"] = np.broadcast_to(b[n], h.shape)
        steps[f"a_{gate}"] = steps[f"w_{gate}·x"] + steps[f"u_{gate}·h_prev"] + b[n]
        steps[f"from_{gate}"] = steps[f"da_{gate}"] @ u[n]
    p = np.exp(model.head(h))
    return Expected(steps, image, dx[:, 0], back, p / p.sum(1, keepdims=True), float(loss), grads)


def one_step(cell: LSTMCell, x: np.ndarray, steps: dict[str, np.ndarray], t: int) -> dict[str, Any]:
    """Return what backward makes of step t alone."""
    _, cache = cell.forward(x, (steps["h_prev"][t], steps["c_prev"][t]))
    # What came from the next step is dc without the part through h, (15).
    dc_in = steps["dc"][t] - steps["dh"][t] * steps["o"][t] * (1 - steps["tanh_c"][t] ** 2)
    _, (dh_prev, dc_prev), grads = cell.backward(cache, (steps["dh"][t], dc_in))
    weight_ih = np.split(cell.params["weight_ih"], 4)
    by = {f"by_{gate}": steps[f"da_{gate}"][t] @ weight_ih[n] for n, gate in enumerate(GATES)}
    return {"dh_prev": dh_prev, "dc_prev": dc_prev, "grads": grads, **by}


def number(run: Expected, name: str, step: int, unit: int, column: int) -> float:
    """Return one of the page's numbers by its name."""
    if name in run.steps:
        return run.steps[name][step, unit]
    if name in ("x", "dx"):
        return getattr(run, name)[step, column]
    if name.startswith("by_"):
        return run.parts[step][name][column]
    of_f = run.steps["f"].shape[1] + unit  # this unit's row of the forget gate
    grads = run.parts[step]["grads"]
    return {
        "dW_hh": grads["weight_hh"][of_f, unit],
        "dW_ih": grads["weight_ih"][of_f, column],
        "db": grads["bias_ih"][of_f],
    }[name]
