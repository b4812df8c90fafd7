"""The by-hand demo: its numbers, its equations as printed, and what it says of pinned gates."""

from __future__ import annotations

import math
import re

import one_step_by_hand as demo
import pytest
from demo_runs import run_demo

PINS = [{}, {"f": 0}, {"f": 1}, {"f": 0.5}, {"i": 0, "o": 1}, {"g": -1}, {"g": 1, "i": 0.25}]


def problem(seed, pins):
    given = demo.draw(seed)
    for gate, value in pins.items():
        given = demo.pin(given, gate, value)
    return given


@pytest.mark.parametrize("pins", PINS, ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_number_equals_its_complex_step(seed, pins):
    given = problem(seed, pins)
    values, slopes, again = demo.compute(given), demo.differentiate(given), demo.replay(given)
    assert values.keys() == slopes.keys()
    for name, value in values.items():
        other = again[name].real if name in again else slopes[name]
        assert value == pytest.approx(other, rel=1e-13, abs=1e-15), name


@pytest.mark.parametrize("pins", PINS, ids=str)
def test_the_equations_are_right_as_they_are_printed(pins):
    """Put the printed numbers into the printed formulas and calculate, as a reader would."""
    given = problem(3, pins)
    values = demo.compute(given)
    steps = {
        t: {name[:-2]: v for name, v in (given | values).items() if name.endswith(f"_{t}")}
        | {name: v for name, v in given.items() if name[:2] in ("w_", "u_", "b_")}
        | {"h_prev": h_prev, "c_prev": c_prev}
        for t, h_prev, c_prev in (
            (1, given["h_0"], given["c_0"]),
            (2, values["h_1"], values["c_1"]),
        )
    }
    following = {1: (values["dh_prev_2"], values["dc_prev_2"]), 2: (0.0, given["dc_n"])}

    def calculate(formula, t):
        known = {"dh_prev of the next step": following[t][0]}
        known |= {"dc_prev of the next step": following[t][1], **steps[t]}
        names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        formula = formula.replace("·", "*").replace("²", "**2")
        formula = re.sub(rf"(?<!\w)({names})(?!\w)", lambda m: f"({known[m[0]]!r})", formula)
        functions = {"σ": lambda a: 0.5 + 0.5 * math.tanh(a / 2), "tanh": math.tanh}
        return eval(formula, {"__builtins__": {}}, functions)

    for t in (1, 2):
        for _, name, formula, _ in demo.FORWARD + demo.LOCAL + demo.BACKWARD:
            expected = pytest.approx(values[f"{name}_{t}"], rel=1e-12, abs=1e-15)
            assert calculate(formula, t) == expected, f"{name} of step {t} = {formula}"
    for _, name, formula, _ in demo.PARAMETERS:
        formula, both = formula.split(", ")
        assert both == "of both steps together"
        total = calculate(formula, 1) + calculate(formula, 2)
        assert total == pytest.approx(values[name], rel=1e-12, abs=1e-15), name


def test_pinned_forget_gates_do_what_the_text_says():
    for seed in range(3):
        forget, keep = (demo.compute(problem(seed, {"f": f})) for f in (0, 1))
        half = demo.compute(problem(seed, {"f": 0.5}))
        for t in (1, 2):
            assert forget[f"c_{t}"] == forget[f"i_{t}"] * forget[f"g_{t}"]
            assert forget[f"dc_prev_{t}"] == 0
            assert keep[f"dc_prev_{t}"] == keep[f"dc_{t}"]
            assert half[f"dc_prev_{t}"] == 0.5 * half[f"dc_{t}"]
            assert forget[f"da_f_{t}"] == keep[f"da_f_{t}"] == 0
            assert half[f"da_f_{t}"] != 0


def test_script_prints_every_number_and_saves_a_picture(tmp_path):
    picture = tmp_path / "f.png"
    options = ["--seed", "4", "--set", "f=0", "i=0.5", "--plot", picture]
    printed = run_demo("one_step_by_hand.py", *options)
    values = demo.compute(problem(4, {"f": 0, "i": 0.5}))
    for name, value in values.items():
        row = rf"(?m)^ .* {re.escape(re.sub('_[12]$', '', name))} += .* {demo.number(value)} "
        assert re.search(row, printed), name
    assert "f = 0, forget all" in printed
    assert "i = 0.5, write some" in printed
    assert "Exactly 0 of the parameters: dw_f, du_f, db_f." in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("argument", ["f=2", "g=-1.5", "c=0", "f", "f=x", "i=-0.1", "o=nan"])
def test_other_gates_and_values_are_refused(argument, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--set", argument])
    assert f"given '{argument}'" in capsys.readouterr().err
