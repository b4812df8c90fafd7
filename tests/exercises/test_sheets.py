"""What is handed out: blanks, equations and formulas as they are promised."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from solutions import SOLUTIONS, filled

from npslstm import LSTMCell, cell, gates
from npslstm.exercises.equations import gru, lstm, peephole, run
from npslstm.exercises.leads import BACKWARD, FORWARD, LEADS, LOCAL
from npslstm.exercises.problems import problems
from npslstm.exercises.sheet import SHEETS, sheet

NAMES = {
    1: "a i f g o c tanh_c h",
    2: "dh_dc dh_dao dc_dai dc_daf dc_dag dc_dc_prev",
    3: "dc da_o da_i da_f da_g dc_prev dh_prev dx dweight_hh dweight_ih dbias_ih dbias_hh",
}


@pytest.mark.parametrize("number", NAMES)
def test_names_stand_in_the_promised_order(number):
    assert [blank.name for blank in sheet(number).blanks] == NAMES[number].split()


@pytest.mark.parametrize("number", [1, 2, 3, 6, 7])
def test_each_blank_is_one_line_of_one_form(number):
    lines = sheet(number).text.splitlines()
    for blank in sheet(number).blanks:
        line = f"    {blank.name} = ...  # {blank.equation} {blank.words}"
        assert lines[blank.line - 1] == line
    assert sum("= ..." in line for line in lines) == len(sheet(number).blanks)


def test_the_example_of_the_issue():
    assert "\n    dc_daf = ...  # (12) ∂c/∂a_f\n" in sheet(2).text


@pytest.mark.parametrize("number", SHEETS)
def test_sheets_are_python_and_tell_how_to_check_them(number):
    asked = sheet(number)
    ast.parse(asked.text)
    assert f"python -m npslstm exercise check exercise_{number}.py" in asked.text
    for made in ("a", "i", "da"):  # a name between the blanks leads to the blank behind it
        assert asked.between.get(made) != made


@pytest.mark.parametrize("number", SOLUTIONS)
def test_every_name_has_a_right_value_a_hint_and_an_answer(number):
    names = {blank.name for blank in sheet(number).blanks}
    assert names == set(LEADS[number]) == set(SOLUTIONS[number])
    for problem in problems(number):
        assert names <= set(problem.right)
    for name, lead in LEADS[number].items():
        formula = lead.answer.partition(" = ")[2]
        assert lead.hint
        assert lead.answer
        assert not formula or formula not in lead.hint or len(formula) < 3, name


def test_formulas_are_those_of_the_gradient_files():
    page = re.sub(r"\s+", " ", f"{gates.__doc__} {cell.__doc__}")
    for lead in [*FORWARD.values(), *LOCAL.values()]:
        assert lead.answer in page
    numbers = {
        lead.answer.partition(" = ")[0]: f"({k})" for k, lead in enumerate(LOCAL.values(), 9)
    }
    for lead in BACKWARD.values():
        answer = lead.answer.replace("db_ih", "db").replace("db_hh", "db")
        for derivative in sorted(numbers, key=len, reverse=True):
            answer = answer.replace(derivative, numbers[derivative])
        assert answer in page


def test_the_forward_equations_are_those_of_the_cell():
    given = problems(1)[0].given
    values = run(lstm, given)
    step = LSTMCell(given["x"].shape[1], given["h_prev"].shape[1], dtype=np.float64)
    step.load_params({name: given[name] for name in step.params})
    (h, c), _ = step.forward(given["x"], (given["h_prev"], given["c_prev"]))
    np.testing.assert_allclose([values["h"], values["c"]], [h, c], rtol=1e-13)


@pytest.mark.parametrize(("number", "equations"), [(6, peephole), (7, gru)])
def test_the_forward_in_a_sheet_is_the_one_that_is_differentiated(number, equations):
    module = {}
    exec(filled(number), module)
    forward = module[{6: "peephole_forward", 7: "gru_forward"}[number]]
    given = problems(number)[0].given
    names = forward.__code__.co_varnames[: forward.__code__.co_argcount]
    h = forward(**{name: given[name] for name in names})[-1]
    np.testing.assert_allclose(h, run(equations, given)["h"], rtol=1e-13)


@pytest.mark.torch
def test_the_gru_is_that_of_pytorch(torch):
    given = problems(7)[0].given
    (n, d), h = given["x"].shape, given["h_prev"].shape[1]
    cell = torch.nn.GRUCell(d, h, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter[...] = torch.from_numpy(given[name])
        there = cell(*(torch.from_numpy(given[name]) for name in ("x", "h_prev"))).numpy()
    assert there.shape == (n, h)
    np.testing.assert_allclose(run(gru, given)["h"], there, rtol=1e-13)
