"""No edit of a backward goes unseen; all of them take minutes, those of the step itself seconds."""

from __future__ import annotations

import os

import mutation
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant needs a fork")


def unseen(module, function):
    return [
        mutant.edit
        for mutant in mutation.mutants(module, function)
        if not mutant.is_equivalent() and mutant.alive()
    ]


def test_the_checks_pass_on_the_code_as_it_is():
    for check in mutation.CHECKS:
        assert check(), check


def test_every_edit_of_the_step_is_seen():
    assert unseen("gates", "gates_backward") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "function"),
    [(module, name) for module, names in mutation.TARGETS.items() for name in names],
)
def test_every_edit_is_seen(module, function):
    assert unseen(module, function) == []


def test_what_is_listed_as_equivalent_is_of_a_function_that_is_edited():
    edited = {name for names in mutation.TARGETS.values() for name in names}
    assert {function for function, _, _ in mutation.EQUIVALENT} <= edited


def test_a_mutant_that_nobody_checks_stays_alive(monkeypatch):
    monkeypatch.setattr(mutation, "CHECKS", [lambda: True])
    assert mutation.mutants("gates", "gates_backward")[0].alive()


def test_the_edits_of_a_function():
    source = """
def f(a: Array | None, b):
    "a + b"
    check_size("a", a - b)
    c = -a ** 2
    for t in reversed(range(3)):
        b[t] += c.T @ a
    np.multiply(a, b, out=c)
    return c
"""
    assert set(mutation.edits(source.strip())) == {
        "c = -a ** 2  ->  c = a ** 2",
        "c = -a ** 2  ->  c = -(a * 2)",
        "c = -a ** 2  ->  c = -a",
        "c = -a ** 2  ->  c = -2",
        "c = -a ** 2  ->  c = -a ** 3",
        "c = -a ** 2  ->  c = -a ** 1",
        "c = -a ** 2  ->  c = -b ** 2",
        "c = -a ** 2  ->  c = -c ** 2",
        "for t in reversed(range(3)):  ->  for t in range(3):",
        "for t in reversed(range(3)):  ->  for t in reversed(range(4)):",
        "for t in reversed(range(3)):  ->  for t in reversed(range(2)):",
        "b[t] += c.T @ a  ->  pass",
        "b[t] += c.T @ a  ->  b[t] = c.T @ a",
        "b[t] += c.T @ a  ->  b[t] -= c.T @ a",
        "b[t] += c.T @ a  ->  b[t] += c @ a",
        "b[t] += c.T @ a  ->  b[t] += c.T * a",
        "b[t] += c.T @ a  ->  b[t] += c.T",
        "b[t] += c.T @ a  ->  b[t] += a",
        "b[t] += c.T @ a  ->  b[t] += a.T @ a",
        "b[t] += c.T @ a  ->  b[t] += b.T @ a",
        "b[t] += c.T @ a  ->  b[t] += c.T @ b",
        "b[t] += c.T @ a  ->  b[t] += c.T @ c",
        "b[t] += c.T @ a  ->  a[t] += c.T @ a",
        "b[t] += c.T @ a  ->  c[t] += c.T @ a",
        "np.multiply(a, b, out=c)  ->  pass",
        "np.multiply(a, b, out=c)  ->  np.add(a, b, out=c)",
        "np.multiply(a, b, out=c)  ->  np.multiply(b, b, out=c)",
        "np.multiply(a, b, out=c)  ->  np.multiply(c, b, out=c)",
        "np.multiply(a, b, out=c)  ->  np.multiply(a, a, out=c)",
        "np.multiply(a, b, out=c)  ->  np.multiply(a, c, out=c)",
        "np.multiply(a, b, out=c)  ->  np.multiply(a, b, out=a)",
        "np.multiply(a, b, out=c)  ->  np.multiply(a, b, out=b)",
    }
