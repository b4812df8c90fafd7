"""One unit, two steps, every number: the gradient of an LSTM, to be followed with a pencil.

    python demos/one_step_by_hand.py
    python demos/one_step_by_hand.py --set f=0
    python demos/one_step_by_hand.py --set f=1 i=0.5

Prints each quantity of the forward pass, equations (1)-(8) of npslstm/gates.py, and of the backward
pass, (9)-(19), in the order in which they are computed. Beside each stands a derivative by complex
step: the forward pass is written out a second time below, in plain scalars; iε is added to one
quantity, and the imaginary part of what follows from it, divided by ε, is the derivative.

--set pins a gate (i, f and o from 0 to 1, g from -1 to 1) and says what that does: f=0 forgets all,
f=1 keeps all, f=0.5 keeps some. A gate is pinned by its parameters, w = u = 0 and the bias that
gives the value, so that every equation stays as it is.
"""

from __future__ import annotations

from parts import program  # isort: skip  (before NumPy)

import argparse
import cmath
import math
import re
import sys
from collections.abc import Mapping

import numpy as np
from parts import options
from parts.plotting import PALETTE, figure, have_matplotlib, save

from npslstm import gates
from npslstm.cell import pre_activations, step_backward, step_forward
from npslstm.cells.equations import equations
from npslstm.cells.standard import STANDARD

EPSILON = 1e-30  # of the complex step: nothing is subtracted, so it may be as small as this

EQUATIONS = equations(gates.__doc__)
NAMES = {equation.number: name for name, equation in EQUATIONS.items()}


def row(name: str, by: str) -> tuple[str, str, str, str]:
    """Return equation, quantity, how it comes about, and what to differentiate by to see it."""
    _, number, formula, _ = EQUATIONS[name]
    formula = re.sub(r"\(\d+\)", lambda found: NAMES[found[0]], formula)  # (9) is ∂h/∂c
    return (
        number,
        name,
        formula.replace(" ⊙ ", "·").replace("dc_in", "dc_prev of the next step"),
        by,
    )


FORWARD = [
    *(("(1)", f"a_{k}", f"w_{k}·x + u_{k}·h_prev + b_{k}", f"a_{k}") for k in "ifgo"),
    *(row(name, name) for name in STANDARD.names),
]
LOCAL = [  # not the loss is differentiated here, but h or c of the same step
    row(name, name.rpartition("∂")[2]) for name in EQUATIONS if name.startswith("∂")
]
SLOPES = "∂c/∂c_prev", "∂c/∂a_i", "∂c/∂a_f", "∂c/∂a_g", "∂h/∂a_o", "∂h/∂c"  # as step_forward's
BACKWARD = [
    ("", "dh", "dout + dh_prev of the next step", "h"),
    *(row(name, name[1:]) for name in EQUATIONS if name.startswith("d")),
    ("(19)", "dh_prev", "da_i·u_i + da_f·u_f + da_g·u_g + da_o·u_o", "h_prev"),
    ("(19)", "dx", "da_i·w_i + da_f·w_f + da_g·w_g + da_o·w_o", "x"),
]
PARAMETERS = [
    ("(19)", f"d{p}_{k}", f"da_{k}{factor}, of both steps together", f"{p}_{k}")
    for p, factor in (("w", "·x"), ("u", "·h_prev"), ("b", ""))
    for k in "ifgo"
]

MEANING = {  # of a gate at its lowest value, at its highest, and between
    "f": (
        "forget all: c = i·g, whatever c_prev was; dc_prev = 0, no gradient goes back through c",
        "keep all: c = c_prev + i·g; dc_prev = dc, the gradient goes back through c unchanged",
        "keep some: this share of c_prev stays in c, and dc_prev is this share of dc",
    ),
    "i": (
        "write nothing: c = f·c_prev, and no gradient reaches the candidate g",
        "write all: c = f·c_prev + g",
        "write some: this share of the candidate g enters c",
    ),
    "o": (
        "show nothing: h = 0, and no gradient of h reaches c",
        "show all: h = tanh(c)",
        "show some: this share of tanh(c) is seen",
    ),
    "g": ("subtract i from what is kept", "add i to what is kept", "add g·i to what is kept"),
}


def draw(seed: int) -> dict[str, float]:
    """Return the numbers that are given: of one decimal, and none of them 0."""
    rng = np.random.default_rng(seed)
    names = ["x_1", "x_2", "h_0", "c_0", "dout_1", "dout_2", "dc_n"]
    names += [f"{p}_{k}" for p in "wub" for k in "ifgo"]
    tenths = rng.integers(1, 10, len(names)) * rng.choice([-1, 1], len(names))
    return dict(zip(names, (tenths / 10).tolist(), strict=True))


def pin(given: dict[str, float], gate: str, value: float) -> dict[str, float]:
    """Return what is given, but with a gate that has this value whatever x and h are."""
    if value in (lowest(gate), 1):
        bias = -1000.0 if value < 1 else 1000.0  # σ and tanh have no bit left to change
    else:
        bias = math.atanh(value) if gate == "g" else math.log(value / (1 - value))
    return given | {f"w_{gate}": 0.0, f"u_{gate}": 0.0, f"b_{gate}": bias}


def lowest(gate: str) -> int:
    """Return the value that the gate has at -∞."""
    return -1 if gate == "g" else 0


def compute(given: dict[str, float]) -> dict[str, float]:
    """Run npslstm; return every quantity of the tables above, "c_1" being the c of step 1."""
    w, u, b = (np.array([given[f"{p}_{k}"] for k in "ifgo"]) for p in "wub")
    params = {"weight_ih": w[:, None], "weight_hh": u[:, None], "bias_ih": b, "bias_hh": 0 * b}
    h, c, dc, dh = (np.array([given[name]]) for name in ("h_0", "c_0", "dc_n", "dout_2"))
    values: dict[str, float] = {}

    def keep(named: Mapping[str, np.ndarray], end: int) -> None:
        values.update({f"{name}_{end}": float(array[0]) for name, array in named.items()})

    steps = []
    for t in (1, 2):
        before = np.array([given[f"x_{t}"]]), h, c
        a = pre_activations(STANDARD, params, *before[:2])
        step, slopes = step_forward(STANDARD, params, *before)
        keep({f"a_{k}": part for k, part in zip(STANDARD.inputs, a, strict=True)} | step, t)
        keep(dict(zip(SLOPES, slopes, strict=True)), t)
        steps.append((before, step, slopes))
        h, c = step["h"], step["c"]
    total = dict.fromkeys(params, 0.0)
    for t in (2, 1):
        gradients, grads = step_backward(STANDARD, params, *steps[t - 1], dh, dc)
        keep({"dh": dh} | gradients, t)
        dh, dc = given["dout_1"] + gradients["dh_prev"], gradients["dc_prev"]
        total = {name: total[name] + grad for name, grad in grads.items()}
    for p, name in (("w", "weight_ih"), ("u", "weight_hh"), ("b", "bias_ih")):
        for k, grad in zip("ifgo", total[name].ravel().tolist(), strict=True):
            values[f"d{p}_{k}"] = grad
    return values


def replay(given: dict[str, float], nudged: str = "") -> dict[str, complex]:
    """Write (1)-(8) out for both steps, with iε added to one quantity; return all of them."""
    seen: dict[str, complex] = {}

    def see(name: str, value: complex) -> complex:
        seen[name] = value + 1j * EPSILON * (name == nudged)
        return seen[name]

    def sigmoid(a: complex) -> complex:
        return (1 + cmath.tanh(a / 2)) / 2

    p = {name: see(name, value) for name, value in given.items()}
    h, c, loss = p["h_0"], p["c_0"], 0
    for t in (1, 2):
        h_prev, c_prev = see(f"h_prev_{t}", h), see(f"c_prev_{t}", c)
        a = {
            k: see(f"a_{k}_{t}", p[f"w_{k}"] * p[f"x_{t}"] + p[f"u_{k}"] * h_prev + p[f"b_{k}"])
            for k in "ifgo"
        }
        i = see(f"i_{t}", sigmoid(a["i"]))
        f = see(f"f_{t}", sigmoid(a["f"]))
        g = see(f"g_{t}", cmath.tanh(a["g"]))
        o = see(f"o_{t}", sigmoid(a["o"]))
        c = see(f"c_{t}", f * c_prev + i * g)
        tanh_c = see(f"tanh_c_{t}", cmath.tanh(c))
        h = see(f"h_{t}", o * tanh_c)
        loss += p[f"dout_{t}"] * h
    see("L", loss + p["dc_n"] * c)
    return seen


def differentiate(given: dict[str, float]) -> dict[str, float]:
    """Return what :func:`compute` does, by complex step; for the forward pass, ∂L/∂ each of it."""

    def slope(of: str, by: str) -> float:
        return replay(given, by)[of].imag / EPSILON

    slopes = {name: slope("L", by) for _, name, _, by in PARAMETERS}
    for t in (1, 2):
        slopes |= {f"{name}_{t}": slope("L", f"{by}_{t}") for _, name, _, by in FORWARD + BACKWARD}
        slopes |= {f"{name}_{t}": slope(f"{name[1]}_{t}", f"{by}_{t}") for _, name, _, by in LOCAL}
    return slopes


def report(given: dict[str, float]) -> None:
    """Print every quantity: its equation, its value, its complex-step value."""
    values, slopes, again = compute(given), differentiate(given), replay(given)
    print("Given          i       f       g       o")
    for p in "wub":
        print(f"    {p}   " + "".join(f"{given[f'{p}_{k}']:8.4g}" for k in "ifgo"))
    others = [name for name in given if name[:2] not in ("w_", "u_", "b_")]
    print("    " + ", ".join(f"{name} = {given[name]:g}" for name in others))

    def table(title: str, rows: list[tuple[str, str, str, str]], end: str) -> None:
        print(f"\n{title:<60}{'value':>14}{'∂L/∂ it' if rows is FORWARD else 'complex step':>16}")
        for tag, name, how, _ in rows:
            numbers = f"{number(values[name + end]):>14}{number(slopes[name + end]):>16}"
            print(f"{tag:>6} {name:<10} = {how:<41}{numbers}")

    for t in (1, 2):
        table(f"Forward, step {t}", FORWARD, f"_{t}")
    print(f"\nLoss   L = dout_1·h_1 + dout_2·h_2 + dc_n·c_2 = {again['L'].real:.8f}")
    for t in (2, 1):
        table(f"Local derivatives of step {t}", LOCAL, f"_{t}")
        table(f"Backward, step {t}", BACKWARD, f"_{t}")
    table("Parameters", PARAMETERS, "")

    derived = {name: value for name, value in values.items() if name not in again}
    forward = [abs(values[name] - again[name]) for name in values.keys() & again.keys()]
    apart = max(forward + [abs(value - slopes[name]) for name, value in derived.items()])
    print(f"\n{len(values)} numbers, each in two ways; the largest difference is {apart:.0e}.")
    for end, when in (("_1", "at step 1"), ("_2", "at step 2"), ("", "of the parameters")):
        rows = LOCAL + BACKWARD if end else PARAMETERS
        zeros = [name for _, name, _, _ in rows if values[name + end] == 0]
        if zeros:
            print(f"Exactly 0 {when}: {', '.join(zeros)}.")


def number(value: float) -> str:
    """Format a number so that an exact 0 can be told from a small one."""
    return f"{value:.8f}" if value else "0"


def explain(gate: str, value: float) -> str:
    """Say what a pinned gate does."""
    at_lowest, at_highest, between = MEANING[gate]
    if value not in (lowest(gate), 1):
        return f"{gate} = {value:g}, {between}."
    what = at_highest if value == 1 else at_lowest
    slope = "1 - g²" if gate == "g" else f"{gate}·(1 - {gate})"
    saturated = f"{slope} = 0, so da_{gate} = 0: a saturated gate cannot learn"
    return f"{gate} = {value:g}, {what}.\n    {saturated}."


def plot(given: dict[str, float], path: str) -> None:
    """Draw what a forget gate from 0 to 1 does to the memory, and to the gradient."""
    gates = np.linspace(0, 1, 101)
    runs = [compute(pin(given, "f", value)) for value in gates.tolist()]
    lines = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    fig, (memory, gradient) = figure(1, 2, height=2.9)
    memory.plot(gates, lines["c_1"], color=PALETTE["sky"], label="c after step 1")
    memory.plot(gates, lines["c_2"], color=PALETTE["blue"], label="c after step 2")
    memory.axhline(given["c_0"], color="gray", linestyle=":", label="c before, c_0")
    memory.set(ylabel="cell state", title="what is kept in the cell")
    gradient.plot(gates, lines["dc_prev_1"], color=PALETTE["vermillion"], label="∂L/∂c_0")
    gradient.plot(gates, lines["db_f"], color=PALETTE["green"], label="∂L/∂b_f")
    gradient.set(ylabel="gradient of the loss", title="what gradient comes through")
    for ax in (memory, gradient):
        ax.set(xlabel="forget gate f (0 forgets all, 1 keeps all)", xlim=(0, 1))
        ax.legend()
    save(fig, path)


def pinned(argument: str) -> tuple[str, float]:
    """Read one GATE=VALUE of the command line."""
    gate, _, text = argument.partition("=")
    try:
        value = float(text)
        if gate in MEANING and lowest(gate) <= value <= 1:
            return gate, value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"expected i, f or o = 0 to 1, or g = -1 to 1, such as f=0.5; given {argument!r}"
    )


@program.script
def main(argv: list[str] | None = None) -> None:
    """Parse the options, print and draw."""
    parser = program.parser(__doc__)
    add, drawing = parser.add_argument, "save a picture of what a forget gate from 0 to 1 does"
    add("--set", nargs="+", type=pinned, default=[], metavar="GATE=VALUE", help="pin gates")
    add("--seed", type=options.seed, default=0, help="draws the given numbers (0)")
    add("--plot", metavar="PATH", type=options.picture, help=drawing)
    args = parser.parse_args(argv)
    given = draw(args.seed)
    for gate, value in args.set:
        given = pin(given, gate, value)
    report(given)
    for gate, value in args.set:
        print(explain(gate, value))
    if args.plot and have_matplotlib():
        plot(given, args.plot)


if __name__ == "__main__":
    sys.exit(main())
