"""Every known wrong answer flags exactly its own line, and is named."""

from __future__ import annotations

import re

import pytest
from solutions import SOLUTIONS, filled, judged, wrong

from npslstm.exercises.known import KNOWN
from npslstm.exercises.sheet import sheet
from npslstm.mistakes import MISTAKES
from npslstm.mistakes.expressions import EXPRESSIONS

# What a student would have to write, who has no list of what each step adds by itself.
OVER_TIME = {
    "NAME_of[0]": "NAME_t",
    "NAME_of[1:].sum(axis=0)": "NAME + NAME_t if t else NAME",
    "NAME_of.mean(axis=0)": "NAME + NAME_t / T",
}


def written(number, name, expression):
    """Return an expression as a student can write it for this name, or None where none can."""
    for ours, his in OVER_TIME.items():
        if number == 4 and expression == ours.replace("NAME", name):
            return his.replace("NAME", name)
    if re.search(rf"\b{name}\b", expression):  # of the right value
        expression = re.sub(rf"\b{name}\b", f"({SOLUTIONS[number][name]})", expression)
    home = {blank.name: blank.function for blank in sheet(number).blanks}
    here = [other for other, function in home.items() if function == home[name]]
    between = [made for made, following in sheet(number).between.items() if following in here]
    known = {*sheet(number).functions[home[name]], *here, *between, "np", "t", "block"}
    words = set(re.findall(r"(?<![.\w])[A-Za-z_]\w*\b(?!\s*=)", expression)) - {"for", "in", "len"}
    return expression if words <= known else None


def cases(name, expression, what):
    for number, solution in SOLUTIONS.items():
        answer = written(number, name, expression) if name in solution else None
        if answer is not None:
            yield number, name, answer, what


MADE = [
    case
    for mistake, lines in EXPRESSIONS.items()
    for name, line in lines.items()
    for case in cases(name, line, mistake)
]
OTHERS = [
    case
    for name, lines in KNOWN.items()
    for line, text in lines.items()
    for case in cases(name, line, text)
]


def test_each_mistake_has_its_expression_and_a_case():
    assert set(EXPRESSIONS) <= set(MISTAKES)
    assert {what for _, _, _, what in MADE} == set(EXPRESSIONS)


@pytest.mark.parametrize(("number", "name", "answer", "mistake"), MADE)
def test_a_seeded_mistake_is_named(number, name, answer, mistake):
    causes = wrong(judged(number, filled(number, **{name: answer})))
    assert list(causes) == [name]
    assert f"[{mistake}" in causes[name]
    assert MISTAKES[mistake].what in causes[name]
    assert MISTAKES[mistake].public in causes[name]


@pytest.mark.parametrize(("number", "name", "answer", "text"), OTHERS)
def test_another_known_mistake_is_explained(number, name, answer, text):
    causes = wrong(judged(number, filled(number, **{name: answer})))
    assert list(causes) == [name]
    assert text in causes[name]
