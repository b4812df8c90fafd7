"""Every seeded mistake is caught, its line is named, and the README's table says so."""

from __future__ import annotations

from pathlib import Path

import kills
import pytest

from npslstm import LSTM, cell, gates, layers, linear, losses, mistakes
from npslstm.cells import base, standard
from npslstm.cells.cifg import CoupledGates
from npslstm.cells.gru import GatedUnit
from npslstm.cells.peephole import Peephole
from npslstm.gradcheck.patching import patched
from npslstm.kernel import layout, schedule, sequence
from npslstm.mistakes import MISTAKES, mistake

README = Path(mistakes.__file__).with_name("README.md")

# Backward is the exact gradient of a wrong forward: no gradient check can tell, the textbook does.
CONSISTENT = {"sigmoid_without_half", "ignores_lengths"}


PLACES = [base, cell, gates, losses, schedule, sequence, standard]
PLACES += [base.Kind, standard.Standard, cell.LSTMCell, layout.Layout]
PLACES += [Peephole, CoupledGates, GatedUnit]
PLACES += [layers.Recurrent, linear.Readout]


@pytest.fixture(scope="module")
def marked():
    return {name: kills.marks(name) for name in MISTAKES}


@pytest.mark.parametrize("kind", dict.fromkeys(made.kind for made in MISTAKES.values()))
def test_without_a_mistake_every_check_passes(kind):
    for name, passes in (kills.CHECKS | kills.WEAK_CHECKS).items():
        assert passes(kind), name
    assert kills.first_wrong_line(kind) == ""


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_caught(marked, name):
    caught = {check for check in kills.CHECKS if marked[name][check]}
    if name in CONSISTENT:
        assert caught == {"textbook"}
    else:
        assert {"one direction", "every entry"} <= caught


@pytest.mark.parametrize("name", [name for name, made in MISTAKES.items() if made.line])
def test_the_wrong_line_is_named(marked, name):
    assert marked[name][kills.LINES] == MISTAKES[name].line


def test_the_readme_holds_the_table(marked):
    _, found, rest = README.read_text(encoding="utf-8").partition("<!-- mistakes -->\n")
    assert found, "README.md has no line <!-- mistakes -->"
    shown, end, _ = rest.partition("\n<!-- /mistakes -->")
    assert end, "README.md has no line <!-- /mistakes -->"
    assert shown.strip() == kills.table(marked), "print it with: python tests/tools/kills.py"


def bindings():
    return [{name: id(value) for name, value in vars(place).items()} for place in PLACES]


@pytest.mark.parametrize("name", MISTAKES)
def test_the_code_is_as_it_was_afterwards(name):
    before = bindings()
    with mistake(name):
        assert bindings() != before
    assert bindings() == before


def test_the_code_is_as_it_was_after_an_exception():
    before = bindings()
    with pytest.raises(ZeroDivisionError), mistake("drop_dc"):
        _ = 1 / 0
    assert bindings() == before


def test_what_a_class_inherits_it_inherits_again_afterwards():
    with patched(LSTM, "forward", None):
        assert LSTM.forward is None
    assert "forward" not in vars(LSTM)  # else no later mistake of Recurrent.forward would reach it


def test_a_mistake_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"mistake: expected one of no_dtanh_c, .*given 'typo'"):
        mistake("typo").__enter__()
