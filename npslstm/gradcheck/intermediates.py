"""Hold every line of the derivation to the complex step, at one step of one layer.

A wrong gradient of W_hh says that something is wrong; this says which line. The step is written out
here, (1)-(8), so that each quantity in it can be moved by itself. The other side of a comparison
is the code's own: ``gates.py`` for (9)-(18), ``cell.py`` for (19), and for the two gradients
that arrive at the step, through time and through the layers above, the LSTM's fast path.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .. import gates
from ..arguments import Array
from ..cell import LSTMCell
from ..gates import LocalDerivatives
from ..lstm import LSTM
from .comparison import Comparison
from .differences import EPS, Function, complex_step, entries
from .report import GradientReport, GradientRow
from .rounding import rounding
from .surroundings import Surroundings

__all__ = ["check_step"]

AFFORDABLE = 2000  # entries of the recurrent weights, up to which every entry is taken


class Line(NamedTuple):
    """One quantity of the derivation: moving ``moved`` shows what it does to ``target``."""

    name: str
    moved: str
    target: str
    equation: str
    formula: str


ARRIVING = (
    Line("dh", "h", "loss", "arrives", "dout + dh_prev of the next step"),
    Line("dc_in", "c_next", "loss", "arrives", "dc_prev of the next step"),
)
LINES = (
    Line("∂h/∂c", "c", "h", "(9)", "o ⊙ (1 - tanh_c²)"),
    Line("∂h/∂a_o", "a_o", "h", "(10)", "tanh_c ⊙ o ⊙ (1 - o)"),
    Line("∂c/∂a_i", "a_i", "c", "(11)", "g ⊙ i ⊙ (1 - i)"),
    Line("∂c/∂a_f", "a_f", "c", "(12)", "c_prev ⊙ f ⊙ (1 - f)"),
    Line("∂c/∂a_g", "a_g", "c", "(13)", "i ⊙ (1 - g²)"),
    Line("∂c/∂c_prev", "c_prev", "c", "(14)", "f"),
    Line("dc", "c", "loss", "(15)", "dc_in + dh ⊙ (9)"),
    Line("da_o", "a_o", "loss", "(16)", "dh ⊙ (10)"),
    Line("da_i", "a_i", "loss", "(17)", "dc ⊙ (11)"),
    Line("da_f", "a_f", "loss", "(17)", "dc ⊙ (12)"),
    Line("da_g", "a_g", "loss", "(17)", "dc ⊙ (13)"),
    Line("dc_prev", "c_prev", "loss", "(18)", "dc ⊙ (14)"),
    Line("dh_prev", "h_prev", "loss", "(19)", "da W_hh"),
    Line("dx", "x", "loss", "(19)", "da W_ih"),
    Line("dW_hh", "weight_hh", "loss", "(19)", "daᵀ h_prev"),
    Line("dW_ih", "weight_ih", "loss", "(19)", "daᵀ x"),
    Line("db_ih", "bias_ih", "loss", "(19)", "Σ_rows da"),
    Line("db_hh", "bias_hh", "loss", "(19)", "Σ_rows da"),
)


def check_step(
    layer: Any,
    x: Array,
    state: Any,
    at: tuple[int, ...] | None,
    options: dict[str, Any],
    tolerance: float,
    rng: np.random.Generator,
) -> GradientReport:
    """Take one step apart; arguments as those of ``check_gradients``, in float64."""
    lstm, x, state = _as_lstm(layer, x, state)
    place = _place(lstm, x, options.get("lengths"), at)
    around = Surroundings(lstm, x, state, place, options, rng)
    given = {"x": around.x, "h_prev": around.h_prev, "c_prev": around.c_prev, **around.params}
    values = _write_out(given)

    def function(line: Line) -> Function:
        def target(moved: Array) -> Any:
            v = _write_out({**given, line.moved: moved})
            return (
                around.loss(v["h"], v["c_next"]) if line.target == "loss" else v[line.target].sum()
            )

        return target

    def analytic() -> dict[str, Array]:
        delivered = around.arriving(values["h"], values["c"])
        return delivered | _lines(values, around.params, *delivered.values())

    delivered = around.arriving(values["h"], values["c"])
    comparison = Comparison(
        elementwise=values["weight_hh"].size <= AFFORDABLE,
        tolerance=tolerance,
        rng=rng,
        noise=8 * EPS * float(np.linalg.norm(around.dout)),
        scale=float(np.linalg.norm(around.dout)),
        rounding=rounding(analytic, rng),
    )

    # A local derivative is made of gates, of size 1, and c_prev.
    terms = {"loss": 0.0, "h": 1.0, "c": np.maximum(1, np.abs(values["c_prev"]))}

    def row(line: Line, gradient: Array) -> GradientRow:
        of, at = function(line), values[line.moved]
        found = comparison.row(line.name, of, at, gradient, terms[line.target])
        return replace(found, equation=line.equation, formula=line.formula)

    rows = [row(line, delivered[line.name]) for line in ARRIVING]
    # What arrived wrong, or rounded, is put right, so that each line is judged by itself.
    arrived = [
        delivered[line.name]
        if found.error <= tolerance
        else entries(complex_step, function(line), values[line.moved]).reshape(values["h"].shape)
        for line, found in zip(ARRIVING, rows, strict=True)
    ]
    gradients = _lines(values, around.params, *arrived)
    rows += [row(line, gradients[line.name]) for line in LINES if line.name in gradients]
    return GradientReport(
        f"{type(layer).__name__}: every line of the derivation, at step {place[1]} of layer "
        f"{place[0]}" + ", reverse" * place[2],
        rows,
        notes=comparison.notes() + _diagnosis(rows),
    )


def _write_out(given: dict[str, Array]) -> dict[str, Array]:
    """Compute (1)-(8) of one step, except for what is given."""
    v = dict(given)
    a = v["x"] @ v["weight_ih"].T + v["h_prev"] @ v["weight_hh"].T  # (1)
    if "bias_ih" in v:
        a = a + v["bias_ih"] + v["bias_hh"]
    for gate, part in zip("ifgo", np.split(a, 4, axis=-1), strict=True):
        v.setdefault(f"a_{gate}", part)
    i, f, o = (0.5 + 0.5 * np.tanh(0.5 * v[f"a_{gate}"]) for gate in "ifo")  # (2), (3), (5)
    g = np.tanh(v["a_g"])  # (4)
    v.setdefault("c", f * v["c_prev"] + i * g)  # (6)
    v.setdefault("h", o * np.tanh(v["c"]))  # (7), (8)
    v.setdefault("c_next", v["c"])  # c as the next step reads it
    return v


def _lines(
    values: dict[str, Array], params: dict[str, Array], dh: Array, dc_in: Array
) -> dict[str, Array]:
    """Return what the code says of (9)-(19), given the gradients that arrive at the step."""
    a = np.stack([values[f"a_{gate}"] for gate in "ifgo"])
    _, _, local = gates.gates_forward(a, values["c_prev"])
    da, dc_prev = gates.gates_backward(local.copy(), dh, dc_in)
    # dc stays inside gates_backward; but where ∂c/∂c_prev is 1, dc_prev is dc.
    one = LocalDerivatives(*local)._replace(dc_dc_prev=np.ones_like(dh))
    _, dc = gates.gates_backward(np.stack(one), dh, dc_in)

    hidden, features = values["h"].shape[-1], values["x"].shape[-1]
    cell = LSTMCell(features, hidden, "bias_ih" in params, dtype=np.float64, rng=0)
    cell.load_params(params)
    _, cache = cell.forward(values["x"], (values["h_prev"], values["c_prev"]))
    dx, (dh_prev, _), grads = cell.backward(cache, (dh, dc_in))

    named = LocalDerivatives(*local)
    return {
        "∂h/∂c": named.dh_dc,
        "∂h/∂a_o": named.dh_dao,
        "∂c/∂a_i": named.dc_dai,
        "∂c/∂a_f": named.dc_daf,
        "∂c/∂a_g": named.dc_dag,
        "∂c/∂c_prev": named.dc_dc_prev,
        "dc": dc,
        **dict(zip(("da_i", "da_f", "da_g", "da_o"), da, strict=True)),
        "dc_prev": dc_prev,
        "dh_prev": dh_prev,
        "dx": dx,
        **{f"d{_SHORT[name]}": grad for name, grad in grads.items()},
    }


_SHORT = {"weight_ih": "W_ih", "weight_hh": "W_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}


def _diagnosis(rows: list[GradientRow]) -> list[str]:
    """Say in words which line is wrong, if one is."""
    wrong = [row for row in rows if not row.passed]
    lines = [row for row in wrong if row.equation != "arrives"]
    if lines:
        return [
            f"the first wrong line is {lines[0].equation}  {lines[0].name} = {lines[0].formula}"
        ]
    if wrong:
        return [
            "every line of this step is right; what arrives at it is not: the mistake lies in how "
            "steps, blocks or layers are joined (sequence.py, schedule.py, lstm.py)"
        ]
    return []


def _as_lstm(layer: Any, x: Array, state: Any) -> tuple[LSTM, Array, Any]:
    """Return the LSTM in a model, or a cell as an LSTM of one step; in float64."""
    if isinstance(layer, LSTMCell):
        lstm = LSTM(layer.input_size, layer.hidden_size, bias=layer.bias, dtype=np.float64, rng=0)
        lstm.params = {f"{n}_l0": p for n, p in layer.astype(np.float64).params.items()}
        return lstm, x[None], None if state is None else tuple(s[None] for s in state)
    lstm = getattr(layer, "lstm", layer)
    if not isinstance(lstm, LSTM):
        raise TypeError(
            'layer: expected an LSTM, LSTMModel or LSTMCell with mode="intermediates", '
            f"given {type(layer).__name__}"
        )
    return lstm.astype(np.float64), x, state


def _place(lstm: LSTM, x: Array, lengths: Any, at: tuple[int, ...] | None) -> tuple[int, int, int]:
    """Return layer, step and direction, checked; by default the middle of the longest row."""
    steps = x.shape[1 if lstm.batch_first and x.ndim == 3 else 0]
    if lengths is not None:
        steps = int(max(lengths, default=0))
    layer, step, direction = (*(at or (0, steps // 2)), 0)[:3]
    bounds = {
        "layer": (layer, lstm.num_layers),
        "step": (step, steps),
        "direction": (direction, lstm.directions),
    }
    for name, (given, bound) in bounds.items():
        if not 0 <= given < bound:
            raise ValueError(f"at: expected 0 <= {name} < {bound}, given {given}")
    return layer, step, direction
