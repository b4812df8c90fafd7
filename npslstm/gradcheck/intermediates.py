"""Every line of the derivation at one step, each held to the complex step by itself.

Moving one quantity of the step, with everything in front of it held fixed, shows what it does to
the next one, (9)-(14), or to the loss, (15)-(19). What the code says of it comes from ``cell.py``
and the kind of cell. Names, numbers and formulas are those of the docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .. import cell
from ..arguments import Array, check_lengths, check_x
from ..cell import LSTMCell, pre_activations, step_backward, step_forward
from ..cells import Kind
from ..cells.equations import Equation, equations, equations_of
from ..layers import Recurrent
from ..lstm import LSTM
from .comparison import Comparison
from .differences import EPS, Function, complex_step, entries
from .found import UNDERFLOW, norm
from .report import GradientReport, GradientRow
from .rounding import rounding
from .surroundings import Surroundings

__all__ = ["check_step"]

AFFORDABLE = 2000  # entries of the recurrent weights, up to which every entry is taken

Params = Mapping[str, Array]


class Line(NamedTuple):
    """One quantity of the derivation: moving ``moved`` shows what it does to ``target``."""

    name: str
    moved: str
    target: str
    equation: Equation


def lines_of(kind: Kind, params: Params) -> list[Line]:
    """List the derivation of a kind of cell: what arrives, the local derivatives, the gradients."""
    known = equations_of(kind) | {"da": Equation("da", "", "", "")}
    behind = equations(cell.__doc__)

    def line(name: str, moved: str, target: str, equation: Equation | None = None) -> Line:
        equation = equation or known.get(name) or behind.get(name) or Equation(name, "", "", "")
        return Line(name, moved, target, equation)

    arrives = "dout + dh_prev of the next step", "dc_prev of the next step"
    lines = [line("dh", "h", "loss", Equation("dh", "arrives", arrives[0], ""))]
    if kind.has_c:
        lines.append(line("dc_in", "c_next", "loss", Equation("dc_in", "arrives", arrives[1], "")))
    of_h, of_c = kind.local[kind.by_dc :], kind.local[: kind.by_dc]
    slopes = [*reversed(of_h), *of_c[1:], *of_c[:1]]  # (9), (10), …, and (14) last
    lines += [line(_slope(name), _moved(name), name[1]) for name in slopes]
    if kind.has_c:
        lines.append(line("dc", "c", "loss"))
    inputs = [_moved(name) for name in (*of_h, *of_c) if name[4] == "a"]
    lines += [line(f"d{name}", name, "loss") for name in inputs]
    if kind.has_c:
        lines.append(line("dc_prev", "c_prev", "loss"))
    lines += [line("dh_prev", "h_prev", "loss"), line("dx", "x", "loss")]
    for name in params:
        short = _short(name)
        equation = behind.get(short[:2]) if short.startswith("db") else None
        lines.append(line(short, name, "loss", equation))
    return lines


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
    network, x, state = _as_layers(layer, x, state)
    kind, place = network.kind, _place(network, x, options.get("lengths"), at)
    around = Surroundings(network, x, state, place, options, rng)
    given = dict(zip(("x", "h_prev", "c_prev"), (around.x, *around.before), strict=False))
    given |= around.params
    values = _write_out(kind, given)

    def function(line: Line) -> Function:
        def target(moved: Array) -> Any:
            v = _write_out(kind, given, {line.moved: moved})
            if line.target == "loss":
                return around.loss(v["h"], v.get("c_next"))
            return v["m" if line.target == "h" else line.target].sum()

        return target

    def analytic() -> dict[str, Array]:
        delivered = around.arriving(values["h"], values.get("c"))
        return delivered | _analytic(kind, given, around.params, delivered)

    delivered = around.arriving(values["h"], values.get("c"))
    comparison = Comparison(
        elementwise=values["weight_hh"].size <= AFFORDABLE,
        tolerance=tolerance,
        rng=rng,
        noise=8 * EPS * float(np.linalg.norm(around.dout)),
        scale=float(np.linalg.norm(around.dout)),
        rounding=rounding(analytic, rng),
        tiny=any(0 < norm(array) <= UNDERFLOW for array in given.values()),
    )

    terms = _terms(kind, values, around.params, delivered, comparison.scale)

    def row(line: Line, gradient: Array) -> GradientRow:
        of, at = function(line), values[line.moved]
        found = comparison.row(line.name, of, at, gradient, terms[line.name])
        _, number, formula, _ = line.equation
        return replace(found, equation=number, formula=formula)

    lines = lines_of(kind, around.params)
    rows = [row(line, delivered[line.name]) for line in lines[: len(delivered)]]
    # What arrived wrong, or rounded, is put right, so that each line is judged by itself.
    arrived = {
        line.name: delivered[line.name]
        if found.error <= tolerance
        else entries(complex_step, function(line), values[line.moved]).reshape(values["h"].shape)
        for line, found in zip(lines, rows, strict=False)
    }
    gradients = _analytic(kind, given, around.params, arrived)
    rows += [row(line, gradients[line.name]) for line in lines[len(delivered) :]]
    return GradientReport(
        f"{type(layer).__name__}: every line of the derivation, at step {place[1]} of layer "
        f"{place[0]}" + ", reverse" * place[2],
        rows,
        notes=comparison.notes() + _diagnosis(rows),
    )


def _write_out(kind: Kind, given: Params, moved: Params | None = None) -> dict[str, Array]:
    """Compute one step, (1)-(8), with one of its quantities moved."""
    moved = moved or {}
    v: dict[str, Array] = {**given, **{name: a for name, a in moved.items() if name in given}}
    inputs = pre_activations(kind, v, v["x"], v["h_prev"])  # (1)
    named = {f"a_{name}": a for name, a in zip(kind.inputs, inputs, strict=True)}
    named |= {name: a for name, a in moved.items() if name in named}
    v |= named
    before = v["c_prev"] if kind.has_c else moved.get("h_before", v["h_prev"])
    if "c" in moved:
        # With these pre-activations c is c_prev, to the last bit, and h is what c makes of it.
        before = moved["c"]
        for name, value in kind.keep_c.items():
            if f"a_{name}" in named:
                named[f"a_{name}"] = np.full_like(named[f"a_{name}"], value)
    step = kind.forward(*named.values(), before, *(v[name] for name in kind.extra))  # (2)-(8)
    v |= zip(kind.names, step, strict=True)
    v["h_before"] = before
    v["m"] = v["h"]  # before a projection
    if "weight_hr" in v:
        v["h"] = v["m"] @ v["weight_hr"].T
    v["h"] = moved.get("h", v["h"])
    if kind.has_c:
        v["c_next"] = moved.get("c_next", v["c"])  # c as the next step reads it
    return v


def _analytic(
    kind: Kind, given: Params, params: Params, delivered: dict[str, Array]
) -> dict[str, Array]:
    """Return what the code says of the step, given the gradients that arrive at it."""
    inputs = given["x"], given["h_prev"], given.get("c_prev")
    step, local = step_forward(kind, params, *inputs)
    slopes = tuple(slope.copy() for slope in local)  # in case backward writes to them
    dh, *dc_in = delivered.values()
    gradients, grads = step_backward(
        kind, params, inputs, step, slopes, dh, dc_in[0] if dc_in else None
    )
    named = dict(zip(map(_slope, kind.local), local, strict=True))
    return named | gradients | {_short(name): grad for name, grad in grads.items()}


def _terms(
    kind: Kind,
    values: Params,
    params: Params,
    delivered: dict[str, Array],
    upstream: float,
) -> dict[str, Array]:
    """Return the size of the terms that each quantity is a sum or a product of.

    A rounded sum is off by a few ε of its terms, however little of them is left. (15)-(19) are
    sums of products, so that with |·| of each factor they give these sizes.
    """
    size = {name: np.abs(value) for name, value in values.items()}
    # A local derivative subtracts gates, known to ε of 1, and multiplies by values of the step,
    # c_prev say, and in some kinds by a peephole. So it is off by ε of these, also where it is 0.
    factors = (size["h_before"], *(size[name] for name in kind.names if name != "h"))
    slope = np.maximum(1.0, np.max(factors, axis=0))
    slope = slope * (1 + sum(size[name] for name in kind.extra))
    # What arrives is what is left of the upstream gradients, times gates known to ε of 1.
    arrived = {name: np.abs(gradient) + upstream for name, gradient in delivered.items()}
    gradients, grads = step_backward(
        kind,
        {name: size[name] for name in params},
        (size["x"], size["h_prev"], size.get("c_prev")),
        size,
        [slope] * len(kind.local),
        arrived["dh"],
        arrived.get("dc_in"),
    )
    named = dict.fromkeys(map(_slope, kind.local), slope)
    named |= arrived | gradients | {_short(name): grad for name, grad in grads.items()}
    return {name: np.abs(terms) for name, terms in named.items()}  # where a mistake is made


def _moved(local: str) -> str:
    """Say what is moved for a local derivative: "dc_daf" is ∂c/∂a_f, "dh_dc" ∂h/∂c."""
    name = local[4:]
    if name.startswith("a"):
        return f"a_{name[1:]}"
    return "h_before" if name == "h_prev" else name


def _slope(local: str) -> str:
    """Name a local derivative as the equations do: "dc_daf" is ∂c/∂a_f."""
    return f"∂{local[1]}/∂{_moved(local)}".replace("h_before", "h_prev")


def _short(name: str) -> str:
    """Name the gradient of a parameter: "weight_ih" is dW_ih."""
    letter, _, rest = name.partition("_")
    return f"d{ {'weight': 'W', 'bias': 'b'}[letter] }_{rest}"


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
            "steps, blocks or layers are joined (kernel/sequence.py, kernel/schedule.py, layers.py)"
        ]
    return []


def _as_layers(layer: Any, x: Array, state: Any) -> tuple[Recurrent, Array, Any]:
    """Return the layers of a model, or a cell as a layer of one step; in float64."""
    if isinstance(layer, LSTMCell):
        lstm = LSTM(
            *(layer.input_size, layer.hidden_size),
            bias=layer.bias,
            variant=layer.variant,
            dtype=np.float64,
            rng=0,
        )
        params = layer.astype(np.float64).params
        lstm = lstm.with_params({f"{name}_l0": param for name, param in params.items()})
        return lstm, x[None], None if state is None else tuple(s[None] for s in state)
    layers = getattr(layer, "lstm", layer)
    if not isinstance(layers, Recurrent):
        raise TypeError(
            'layer: expected an LSTM, LSTMModel or LSTMCell with mode="intermediates", '
            f"given {type(layer).__name__}"
        )
    return layers.astype(np.float64), x, state


def _place(
    layers: Recurrent, x: Array, lengths: Any, at: tuple[int, ...] | None
) -> tuple[int, int, int]:
    """Return layer, step and direction, checked; by default the middle of the longest row."""
    check_x(x, lengths, layers.batch_first)
    steps = x.shape[1 if layers.batch_first and x.ndim == 3 else 0]
    if lengths is not None:
        rows = x.shape[0 if layers.batch_first else 1] if x.ndim == 3 else 1
        steps = int(max(check_lengths(lengths, rows, steps), default=0))
    if not steps:
        raise ValueError("x: expected a row with a step to look at, given rows of length 0")
    layer, step, direction = (*(at or (0, steps // 2)), 0)[:3]
    bounds = {
        "layer": (layer, layers.num_layers),
        "step": (step, steps),
        "direction": (direction, layers.directions),
    }
    for name, (given, bound) in bounds.items():
        if not 0 <= given < bound:
            raise ValueError(f"at: expected 0 <= {name} < {bound}, given {given}")
    return layer, step, direction
