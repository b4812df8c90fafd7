"""The gradient-flow demo: it runs, it measures what it says, and its lesson holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npslstm import LSTM
from npslstm.rnn import RNN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "demos")
    import gradient_flow

    return gradient_flow


def run(*arguments, **environment):
    """Run the script as a reader does, from the repository's root."""
    return subprocess.run(
        [sys.executable, "-W", "error", "demos/gradient_flow.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )


def test_script_prints_tables_and_saves_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "flow.png"
    small = ["--steps", "8", "--hidden", "5", "--seeds", "2", "--seed", "3"]
    done = run(*small, "--plot", str(picture), PYTHONIOENCODING="utf-8")
    assert "‖∂L/∂h‖, k =" in done.stdout
    assert done.stdout.count("LSTM, forget bias 3") == 3  # two tables and the ranking
    assert done.stderr == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(picture.parent.iterdir()) == [picture]  # no temporary file


def test_norms_are_those_of_the_state_that_the_rest_goes_on_from(demo):
    """Cut the sequence at a lag: backward over the rest ends at the state there."""
    steps, hidden, seed = 7, 5, 4
    x, dh_n = demo.draw(steps, hidden, seed)
    assert np.allclose(np.linalg.norm(dh_n, axis=-1), 1)
    rnn = RNN(demo.FEATURES, hidden, init="orthogonal", dtype=np.float64, rng=seed)
    lstm = LSTM(demo.FEATURES, hidden, forget_bias=1.0, dtype=np.float64, rng=seed)
    plain, gated = (
        demo.rnn_norms("orthogonal", steps, hidden, seed),
        demo.lstm_norms(1.0, steps, hidden, seed),
    )
    assert all(norms.shape == (steps + 1, demo.ROWS) for norms in (*plain.values(), gated["h"]))
    for lag in range(1, steps + 1):
        begin, rest = x[: steps + 1 - lag], x[steps + 1 - lag :]
        _, _, cache = rnn.forward(rest, rnn(begin)[1])
        _, dh, _ = rnn.backward(cache, dh_n=dh_n)
        np.testing.assert_allclose(plain["h"][lag], np.linalg.norm(dh[0], axis=-1), rtol=1e-12)

        _, _, cache = lstm.forward(rest, lstm(begin)[1])
        _, (dh, _), _ = lstm.backward(cache, dstate=(dh_n, None))
        np.testing.assert_allclose(gated["h"][lag], np.linalg.norm(dh[0], axis=-1), rtol=1e-12)


def test_lesson_holds_at_the_size_that_the_readme_shows(demo, capsys):
    demo.main(["--seeds", "2", "--seed", "20"])
    assert demo.USUAL in capsys.readouterr().out


def test_lesson_says_when_the_numbers_do_not_bear_it_out(demo, capsys):
    demo.main(["--steps", "1", "--hidden", "3", "--seeds", "1"])
    assert demo.UNUSUAL in capsys.readouterr().out


def test_without_matplotlib_there_is_a_hint_and_the_numbers(demo, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    demo.main(["--steps", "3", "--hidden", "3", "--seeds", "1", "--plot", str(tmp_path / "a.png")])
    captured = capsys.readouterr()
    assert captured.err == "pictures need matplotlib: pip install 'npslstm[demos]'\n"
    assert "RNN, uniform" in captured.out
    assert not list(tmp_path.iterdir())


def test_sizes_below_one_are_refused(demo, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--steps", "0"])
    assert "expected at least 1" in capsys.readouterr().err
