"""The demo of forward mode: what it shows is what it says."""

from __future__ import annotations

import beyond as demo
import numpy as np
from demo_runs import run_demo

from npslstm import LSTM
from npslstm.tangents import GateTangents


def test_script_prints_and_saves_three_pictures(tmp_path):
    small = ["--steps", "8", "--hidden", "5", "--seeds", "2", "--seed", "3"]
    printed = run_demo("beyond.py", *small, "--plot", tmp_path / "b.png")
    assert printed.count("forget bias 3") == 2
    names = ["b_jacobian.png", "b_rtrl.png", "b_truncation.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


def test_real_time_recurrent_learning_equals_backpropagation_through_time(monkeypatch):
    assert demo.differences(*demo.compare(60, seed=1)).max() < 1e-14

    def wrong(local, a_i, a_f, a_g, a_o, c_prev_dot):
        right = gates_jvp(local, a_i, a_f, a_g, a_o, c_prev_dot)
        return GateTangents(right.c, right.h * (1 + 1e-9))

    gates_jvp = demo.gates_jvp
    monkeypatch.setattr(demo, "gates_jvp", wrong)
    assert demo.differences(*demo.compare(5, seed=1)).max() > 1e-12


def test_what_truncation_loses_is_what_the_steps_before_the_window_add():
    steps, window, hidden, seed = 9, 4, 3, 2
    rng = np.random.default_rng([seed, 2])
    lstm = LSTM(demo.FEATURES, hidden, forget_bias=1.0, dtype=np.float64, rng=seed)
    x, dh_n = rng.normal(size=(steps, demo.ROWS, 3)), rng.normal(size=(1, demo.ROWS, hidden))
    _, state, early = lstm.forward(x[: steps - window])
    _, _, late = lstm.forward(x[steps - window :], state)
    _, dstate, seen = lstm.backward(late, dstate=(dh_n, None))
    lost = demo.joined(lstm.backward(early, dstate=dstate)[2])
    expected = np.linalg.norm(lost) / np.linalg.norm(lost + demo.joined(seen))
    got = demo.truncation(1.0, [window, steps], steps, hidden, seed)
    np.testing.assert_allclose(got, [expected, 0], rtol=1e-12)


def test_the_jacobian_is_the_transpose_of_what_backward_makes():
    steps, hidden, seed = 5, 3, 2
    x = np.random.default_rng([seed, 3]).normal(size=(steps, 1, demo.FEATURES))
    lstm = LSTM(demo.FEATURES, hidden, forget_bias=3.0, dtype=np.float64, rng=seed)
    _, _, cache = lstm.forward(x)
    rows = []
    for unit in np.eye(2 * hidden):
        dstate = np.split(unit[None, None], 2, axis=2)
        rows.append(np.concatenate(lstm.backward(cache, dstate=dstate)[1], axis=2).ravel())
    expected = np.linalg.svd(np.array(rows), compute_uv=False)
    got = demo.singular_values(3.0, steps, hidden, seed)
    # A singular value is exact to roundings of the largest, not of its own.
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15 * expected[0])
