"""The odyssey demo: what it compares, and what it calls a difference."""

from __future__ import annotations

import numpy as np
import odyssey as demo
import pytest
from demo_runs import run_demo
from idx_files import digits

from npslstm.datasets import MNIST


def test_the_same_number_of_parameters_is_as_near_as_units_allow():
    parameters = demo.count(demo.STANDARD, 20)
    for name in demo.KINDS:
        hidden = demo.units_for(name, parameters)
        off = {h: abs(demo.count(name, h) - parameters) for h in (hidden - 1, hidden, hidden + 1)}
        assert min(off, key=off.get) == hidden
    assert demo.units_for(demo.STANDARD, parameters) == 20


def test_every_kind_is_measured_from_the_same_seeds(monkeypatch):
    data = MNIST(*digits(1, 70), *digits(2, 20), name="noise")
    monkeypatch.setattr(demo, "load_embedded", lambda: data)
    rows = demo.measure(3, 1, range(4, 6))
    again = demo.measure(3, 1, range(4, 6))
    assert [row.name for row in rows] == [*demo.KINDS] * 2
    for row, same in zip(rows, again, strict=True):
        assert row.accuracies.shape == row.seconds.shape == (2,)
        np.testing.assert_array_equal(row.accuracies, same.accuracies)
        assert (row.seconds > 0).all()
        if row.name == demo.STANDARD:
            assert row.parameters == demo.count(demo.STANDARD, 3)
    assert all(row.hidden == 3 for row in rows if row.budget == demo.SAME_UNITS)


def rows(means, spread):
    """Rows of three seeds with these means."""
    seeds = spread * np.array([-1, 0, 1])
    return [
        demo.Row(budget, name, 4, 100, means.get(name, 0.9) + seeds, np.ones(3))
        for budget in (demo.SAME_UNITS, demo.SAME_PARAMETERS)
        for name in demo.KINDS
    ]


@pytest.mark.parametrize(("spread", "seen"), [(0.001, True), (0.05, False)])
def test_a_difference_is_seen_where_seeds_make_smaller_ones(spread, seen):
    """The standard error of a difference is spread·√(2/3); three of them are noise."""
    said = demo.verdict(rows({"GRU": 0.95, "RNN": 0.80}, spread))
    assert ("better:       GRU (+5.0%)" in said) == seen
    assert ("worse:        RNN (-10.0%)" in said) == seen
    assert f"below 3 standard errors: {3 * spread * (2 / 3) ** 0.5:.1%}," in said


def test_a_kind_that_spreads_more_than_others_must_differ_more():
    spread = rows({"RNN": 0.8}, 0.001)
    wide = [
        r._replace(accuracies=0.8 + 0.1 * np.arange(-1, 2)) if r.name == "RNN" else r
        for r in spread
    ]
    assert "worse:        RNN (-10.0%)" in demo.verdict(spread)
    assert "worse:        none" in demo.verdict(wide)


def test_the_script_prints_tables_and_saves_a_picture(tmp_path):
    picture = tmp_path / "odyssey.png"
    options = ["--hidden", "2", "--epochs", "1", "--seeds", "2", "--plot", picture]
    printed = run_demo("odyssey.py", *options)
    for name in demo.KINDS:
        assert printed.count(f"\n  {name} ") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
