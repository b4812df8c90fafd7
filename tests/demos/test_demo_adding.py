"""The adding-problem demo: its data, its initialisation, and what it prints."""

from __future__ import annotations

import math
import re

import adding as demo
import numpy as np
import pytest
from demo_runs import run_demo
from parts.adding import networks

from npslstm import mean_squared_error

# --- the problem ---


@pytest.mark.parametrize("steps", [4, 5, 100])
def test_targets_are_the_sums_of_the_two_marked_numbers(steps):
    x, y = demo.draw(np.random.default_rng(0), 50, steps)
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((steps, 50, 2), (50, 1), "float32", "float32")
    assert x[:, :, 0].min() >= 0
    assert x[:, :, 0].max() <= 1
    places = set()
    for row in range(50):
        first, second = np.flatnonzero(x[:, row, 1])
        assert first < steps // 2 <= second
        assert x[first, row, 1] == x[second, row, 1] == 1
        assert y[row, 0] == pytest.approx(x[first, row, 0] + x[second, row, 0], rel=1e-6)
        places |= {first, second}
    assert len(places) > min(steps, 50) / 2  # marks are drawn, not fixed


def test_who_always_answers_1_has_the_baseline_and_nobody_who_ignores_the_input_has_less():
    _, y = demo.draw(np.random.default_rng(1), 40_000, 4)
    deviation = math.sqrt(1 / 15 - 1 / 36)  # of (u + v - 1)², whose mean is 1/6
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=4 * deviation / 200)
    assert pytest.approx(1 / 6) == demo.BASELINE
    assert min(np.mean((y - answer) ** 2) for answer in (0.9, 1.1)) > demo.BASELINE


def test_networks_are_tested_on_the_same_sequences_and_learn_from_others(monkeypatch):
    drawn = []
    monkeypatch.setattr(demo, "SOLVED", 0.0)
    monkeypatch.setattr(demo, "EVERY", 20)
    draw = demo.draw
    monkeypatch.setattr(demo, "draw", lambda *a: drawn.append(draw(*a)) or drawn[-1])
    args = demo.parse(["--steps", "4", "--hidden", "2", "--batch", "8", "--sequences", "50"])
    for seed in 0, 1:
        run = demo.run("rnn", seed, args)
        assert run.sequences == [24, 48, 56]  # whole batches, at least 20 between two tests
    inputs = [x for x, _ in drawn]
    tests = [x for x in inputs if x.shape[1] == demo.HELD_OUT]
    batches = [x for x in inputs if x.shape[1] == 8]
    assert len(tests) == 2
    assert (tests[0] == tests[1]).all()
    assert len({batch.tobytes() for batch in batches}) == len(batches) == 14


# --- the networks ---


def test_chrono_biases_spread_the_memories_evenly_up_to_the_longest():
    steps, hidden = 50, 3000
    params = {f"lstm.bias_{part}_l0": np.full(4 * hidden, 7.0) for part in ("ih", "hh")}
    networks.set_chrono_biases(params, steps, np.random.default_rng(0))
    b_i, b_f, *others = params["lstm.bias_ih_l0"].reshape(4, hidden)
    second_i, second_f, *second_others = params["lstm.bias_hh_l0"].reshape(4, hidden)
    assert (b_i == -b_f).all()
    assert b_f.min() >= 0
    assert b_f.max() <= math.log(steps - 1)
    f = 1 / (1 + np.exp(-b_f))
    shares, _ = np.histogram(1 / (1 - f), bins=6, range=(2, steps))  # of τ, where f = 1 - 1/τ
    assert shares.sum() == hidden
    assert shares == pytest.approx(hidden / 6, rel=0.2)  # 4 standard deviations
    assert not np.any([second_i, second_f])
    assert (np.array([*others, *second_others]) == 7).all()


def test_only_the_biases_that_the_forget_bias_names_differ():
    hidden = 5
    models = {
        bias: networks.make_network(bias, hidden, 50, seed=3).params
        for bias in ("0", "1", "chrono")
    }
    f, i = slice(hidden, 2 * hidden), slice(0, hidden)
    changed = {
        "1": {("lstm.bias_ih_l0", f.start, f.stop)},
        "chrono": {
            (name, part.start, part.stop)
            for name in ("lstm.bias_ih_l0", "lstm.bias_hh_l0")
            for part in (f, i)
        },
    }
    for bias, places in changed.items():
        for name, plain in models["0"].items():
            other = models[bias][name].copy()
            for _, begin, end in (place for place in places if place[0] == name):
                assert (other[begin:end] != plain[begin:end]).all()
                other[begin:end] = plain[begin:end]
            assert np.array_equal(other, plain)
    shift = models["1"]["lstm.bias_ih_l0"][f] - models["0"]["lstm.bias_ih_l0"][f]
    np.testing.assert_allclose(shift, 1, rtol=1e-6)


def test_the_rnn_is_a_model_whose_recurrent_weights_begin_orthogonal():
    model = networks.make_network("rnn", 4, 10, seed=0)
    weight = model.params["lstm.weight_hh_l0"]
    np.testing.assert_allclose(weight @ weight.T, np.eye(4), atol=1e-6)
    x, y = demo.draw(np.random.default_rng(0), 3, 6)
    loss, grads = model.loss_and_grads(x, y, loss=mean_squared_error)
    assert loss > 0
    assert grads.keys() == model.params.keys()


# --- what is printed ---


def make_runs():
    plain = demo.Run("rnn", 7, [10, 20, 30, 40], [0.5, 0.4, 0.3, 0.2], 1.0)
    late = demo.Run("1", 7, [10, 20, 30], [0.5, 0.4, 0.009], 1.0)
    later = demo.Run("1", 8, [10, 20, 30, 40], [0.5, 0.4, 0.3, 0.001], 1.0)
    soon = demo.Run("chrono", 7, [10], [0.0099], 1.0)
    return plain, late, later, soon


def test_summary_counts_who_solved_it_and_how_much_sooner():
    plain, late, later, soon = make_runs()
    lines = demo.summary([plain, late, later, soon]).split("\n")
    assert lines == [
        "RNN, orthogonal      solved by 0 of 1 seeds",
        "LSTM, forget bias 1  solved by 2 of 2 seeds, after 35 sequences in the mean",
        "LSTM, chrono         solved by 1 of 1 seeds, after 10 sequences in the mean",
        "forget bias 1 needs 3.5 times as many sequences as chrono",
    ]
    failed = plain._replace(kind="1")
    assert "times as many" not in demo.summary([failed, late, soon])  # a mean over some is no mean


def test_table_shows_each_run_up_to_where_it_was_solved():
    head, *rows = demo.table(list(make_runs()), columns=2).split("\n")
    assert head.split()[-2:] == ["20", "40"]
    assert [row.split("seed ")[1].split() for row in rows] == [
        ["7", "0.4000", "0.2000"],
        ["7", "0.4000"],
        ["8", "0.4000", "0.0010"],
        ["7"],
    ]


def test_lstm_learns_short_sums_in_the_script_and_draws_how(tmp_path):
    picture = tmp_path / "adding.png"
    size = ["--steps", "6", "--hidden", "16", "--batch", "25"]
    options = [*size, "--sequences", "20000", "--seeds", "1", "--seed", "3"]
    printed = run_demo("adding.py", *options, "--plot", picture)
    assert "1/6 = 0.1667" in printed
    for name in ("LSTM, forget bias 1", "LSTM, chrono"):
        found = re.search(
            rf"{name} +seed 3: solved after +([\d,]+) sequences, MSE ([\d.]+)", printed
        )
        assert 0 < int(found[1].replace(",", "")) <= 20_000
        assert float(found[2]) < 0.01
        assert re.search(rf"{name} +solved by 1 of 1 seeds, after {found[1]} ", printed)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "3"], "--steps: expected a whole number from 4 on, given '3'"),
        (["--batch", "0"], "--batch: expected a whole number from 1 on, given '0'"),
        (["--seed", "-1"], "--seed: expected a whole number from 0 to 2⁶³ - 1, given"),
        (["--forget-bias", "2"], "invalid choice: '2'"),
    ],
)
def test_a_wrong_option_is_named(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        demo.main(arguments)
    assert message in capsys.readouterr().err
