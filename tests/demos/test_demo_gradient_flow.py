"""The gradient-flow demo: it runs, it measures what it says, and its lesson holds."""

from __future__ import annotations

import gradient_flow as demo
import numpy as np
import pytest
from demo_runs import run_demo


def test_script_prints_tables_and_saves_a_picture(tmp_path):
    picture = tmp_path / "new" / "flow.png"
    small = ["--steps", "8", "--hidden", "5", "--seeds", "2", "--seed", "3"]
    printed = run_demo("gradient_flow.py", *small, "--plot", picture)
    assert "‖∂L/∂h‖, k =" in printed
    assert printed.count("LSTM, forget bias 3") == 3  # two tables and the ranking
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(picture.parent.iterdir()) == [picture]  # no temporary file


def test_norms_are_those_of_the_state_that_the_rest_goes_on_from():
    """Cut the sequence at a lag: backward over the rest ends at the state there."""
    steps, hidden, seed = 7, 5, 4
    x, dh_n = demo.draw(steps, hidden, seed)
    assert np.allclose(np.linalg.norm(dh_n, axis=-1), 1)
    for network in demo.NETWORKS.values():
        net = network(demo.FEATURES, hidden, dtype=np.float64, rng=seed)
        norms = demo.norms(network, steps, hidden, seed)
        assert all(norm.shape == (steps + 1, demo.ROWS) for norm in norms.values())
        for lag in range(1, steps + 1):
            begin, rest = x[: steps + 1 - lag], x[steps + 1 - lag :]
            _, _, cache = net.forward(rest, net(begin)[1])
            _, dstate, _ = net.backward(cache, dstate=(dh_n, None) if net.kind.has_c else dh_n)
            dh = dstate[0] if net.kind.has_c else dstate
            np.testing.assert_allclose(norms["h"][lag], np.linalg.norm(dh[0], axis=-1), rtol=1e-12)


def test_lesson_holds_at_the_size_that_the_readme_shows(capsys):
    demo.main(["--seeds", "2", "--seed", "20"])
    assert demo.USUAL in capsys.readouterr().out


def test_lesson_says_when_the_numbers_do_not_bear_it_out(capsys):
    demo.main(["--steps", "1", "--hidden", "3", "--seeds", "1"])
    assert demo.UNUSUAL in capsys.readouterr().out


def test_sizes_below_one_are_refused(capsys):
    with pytest.raises(SystemExit):
        demo.main(["--steps", "0"])
    assert "--steps: expected a whole number from 1 on" in capsys.readouterr().err
