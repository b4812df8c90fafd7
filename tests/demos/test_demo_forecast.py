"""The forecast demo: its baselines by hand, nothing from the future, and what it prints."""

from __future__ import annotations

import csv
import hashlib
import re

import forecast as demo
import numpy as np
import pytest
from demo_runs import ROOT, run_demo
from parts.forecast import methods

DATA = ROOT / "demos" / "data"
SMALL = {"horizon": 3, "context": 6, "hidden": 4, "epochs": 2}


def make_series(values):
    return methods.Series("level", "day", [f"d{k}" for k in range(len(values))], values)


def wave(length, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.3, length)
    return 10 + 3 * np.sin(np.arange(length)) + noise


def write_csv(path, values, column="level"):
    rows = [f"day,other,{column}", *(f"d{k},x,{float(value)!r}" for k, value in enumerate(values))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


# --- the baselines ---


def test_an_origin_is_the_first_value_that_is_not_known():
    values = np.arange(10.0)
    origins = methods.origins_between(4, 10, horizon=3)
    assert origins.tolist() == [4, 5, 6, 7]
    assert methods.pasts(values, origins, 2).tolist() == [[2, 3], [3, 4], [4, 5], [5, 6]]
    assert methods.futures(values, origins, 3).tolist()[0] == [4, 5, 6]
    assert methods.futures(values, origins, 3).tolist()[-1] == [7, 8, 9]


def test_naive_forecasts_equal_those_by_hand():
    values, origins = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0]), np.array([3, 5])
    assert methods.persistence(values, origins, 3).tolist() == [[4, 4, 4], [5, 5, 5]]
    repeated = methods.seasonal_naive(values, origins, 5, season=2)
    assert repeated.tolist() == [[1, 4, 1, 4, 1], [1, 5, 1, 5, 1]]


def test_autoregression_of_order_1_is_the_line_through_the_pairs():
    """(1, 2), (2, 4), (4, 3): means 7/3 and 3, so the slope is 1 / (14/3) and so on."""
    fitted = methods.Autoregression.fit(np.array([1.0, 2.0, 4.0, 3.0]), 1)
    assert fitted.phi == pytest.approx([3 / 14])
    assert fitted.c == pytest.approx(3 - 7 / 3 * 3 / 14)
    one = fitted.c + 3 * fitted.phi[0]
    two = fitted.c + one * fitted.phi[0]
    ahead = fitted(np.array([1.0, 2.0, 4.0, 3.0, 99.0]), np.array([4]), 2)
    assert ahead == pytest.approx(np.array([[one, two]]))


def test_autoregression_finds_a_series_that_is_one_and_continues_it():
    values = np.empty(60)
    values[:2] = 5, 7
    for t in range(2, 60):
        values[t] = 1 + 1.6 * values[t - 1] - 0.9 * values[t - 2]
    fitted = methods.Autoregression.fit(values[:40], 2)
    assert [fitted.c, *fitted.phi] == pytest.approx([1, -0.9, 1.6], rel=1e-9)
    np.testing.assert_allclose(fitted(values, np.array([40]), 20), [values[40:]], rtol=1e-8)


def test_validation_chooses_the_order():
    rng = np.random.default_rng(2)
    values = np.zeros(900)
    for t in range(8, 900):
        values[t] = 0.9 * values[t - 8] + rng.normal()
    series = make_series(values)
    train, validation, _ = series.cuts
    chosen = methods.choose_autoregression(series, horizon=8, season=3)
    assert chosen.order == 8
    assert np.array_equal(chosen.phi, methods.Autoregression.fit(values[:train], 8).phi)
    origins = methods.origins_between(train, validation, 8)
    truth = methods.futures(values, origins, 8)
    error = methods.rmse(chosen(values, origins, 8), truth)
    for order in (1, 2, 3, 4, 6, 16, 32, 64, 128):
        other = methods.Autoregression.fit(values[:train], order)
        assert error < methods.rmse(other(values, origins, 8), truth)


# --- nothing comes from the future ---


def test_a_forecast_reads_nothing_from_its_origin_on():
    values, origins = wave(60), np.array([30, 40])
    other = values.copy()
    other[30:] += 100
    fitted = methods.Autoregression.fit(values[:25], 4)
    lstm = methods.train_lstm(make_series(values), 0, **SMALL)
    for forecast in (
        lambda *a: methods.persistence(*a, 3),
        lambda *a: methods.seasonal_naive(*a, 3, season=6),
        lambda *a: fitted(*a, 3),
        lstm,
    ):
        first, second = (forecast(v, origins) for v in (values, other))
        assert np.array_equal(first[0], second[0])
        assert not np.array_equal(first[1], second[1])


def test_what_is_fitted_does_not_depend_on_the_test_part():
    values = wave(100)
    poisoned = values.copy()
    poisoned[80:] = np.nan
    fits = []
    for series in (make_series(values), make_series(poisoned)):
        fitted = methods.choose_autoregression(series, horizon=3, season=6)
        lstm = methods.train_lstm(series, 0, **SMALL)
        fits.append([fitted.c, fitted.phi, lstm.mean, lstm.scale, *lstm.model.params.values()])
    assert all(np.array_equal(a, b) for a, b in zip(*fits, strict=True))


def test_weights_and_scale_do_not_depend_on_the_validation_part_but_the_epoch_does():
    values = wave(100)
    poisoned = values.copy()
    poisoned[70:] = np.nan
    one_epoch = SMALL | {"epochs": 1}
    clean = methods.train_lstm(make_series(values), 0, **one_epoch)
    blind = methods.train_lstm(make_series(poisoned), 0, **one_epoch)
    assert (clean.mean, clean.scale) == (blind.mean, blind.scale)
    assert (clean.mean, clean.scale) == pytest.approx((values[:70].mean(), values[:70].std()))
    pairs = zip(clean.model.params.values(), blind.model.params.values(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_the_epoch_that_validation_likes_best_is_kept(monkeypatch):
    values = wave(200)
    values[140:160] = wave(20, seed=1)[::-1]  # so that learning longer is not always better
    seen, rmse = [], methods.rmse
    monkeypatch.setattr(methods, "rmse", lambda *a: seen.append(rmse(*a)) or seen[-1])
    monkeypatch.setattr(methods, "LEARNING_RATE", 0.1)
    lstm = methods.train_lstm(make_series(values), 0, **SMALL | {"epochs": 12})
    assert len(seen) == 12
    assert np.argmin(seen) < 11
    origins = methods.origins_between(140, 160, 3)
    assert rmse(lstm(values, origins), methods.futures(values, origins, 3)) == min(seen)


# --- what is printed ---


def test_errors_are_averaged_over_blocks_of_lead_times():
    assert {name: block.tolist() for name, block in demo.lead_blocks(12).items()} == {
        "1": [0],
        "1-3": [0, 1, 2],
        "4-6": [3, 4, 5],
        "7-8": [6, 7],
        "9-10": [8, 9],
        "11-12": [10, 11],
        "1-12": list(range(12)),
    }
    assert list(demo.lead_blocks(1)) == ["1"]
    truth = np.zeros((2, 2))
    forecasts = {"low": np.array([[1.0, 7.0], [1.0, 1.0]]), "LSTM": np.array([[3.0, 0], [4, 0]])}
    lines = demo.table(forecasts, [forecasts["LSTM"], forecasts["LSTM"] + 1], truth).split("\n")
    assert lines[0].split()[3:] == ["1", "2", "1-2"]
    assert lines[1].split() == ["low", "1.00*", "5.00", "3.61"]
    assert lines[2].split() == ["LSTM", "3.54", "0.00*", "2.50*"]
    alone = np.array([[3.5355, 0, 2.5], [4.5277, 1, 3.2787]])
    for line, expected in zip(lines[3:], (alone.mean(axis=0), alone.std(axis=0)), strict=True):
        assert [float(cell) for cell in line.split()[-3:]] == pytest.approx(expected, abs=6e-3)


def test_verdict_names_the_winner_whoever_it_is():
    series, origins = make_series(np.arange(40.0)), np.arange(30, 40)
    truth, half = np.zeros((10, 2)), np.repeat([[1.0], [3.0]], 5, axis=0)
    ours, theirs, last = 2 + 0 * truth, half + truth, 9 + truth
    won = demo.verdict(series, {"worst": last, "rival": theirs, "LSTM": ours}, origins, truth)
    assert "the best is LSTM, 10.6% ahead of rival" in won  # 2 against √5
    assert re.findall(r"  (d\d+) to (d\d+): ([\d.]+)", won) == [
        *(("d30", "d31", "2.00"), ("d32", "d33", "2.00"), ("d34", "d35", "0.89")),
        *(("d36", "d37", "0.67"), ("d38", "d39", "0.67")),
    ]
    lost = demo.verdict(series, {"worst": last, "rival": theirs, "LSTM": last}, origins, truth)
    assert "the best is rival" in lost


def test_script_forecasts_the_series_of_a_file(tmp_path):
    values = np.tile([1.0, 4.0, 2.0, 8.0], 30) + np.linspace(0, 1, 120)
    file, picture = write_csv(tmp_path / "mine.csv", values), tmp_path / "forecast.png"
    size = ["--season", "4", "--horizon", "6", "--context", "8", "--hidden", "3"]
    options = ["--csv", file, "--column", "level", *size, "--epochs", "1", "--seeds", "2"]
    printed = run_demo("forecast.py", *options, "--plot", picture)
    assert "level: 120 rows from d0 to d119" in printed
    assert [line.split()[1:] for line in printed.split("\n")[1:4]] == [
        *(["d0", "to", "d83"], ["d84", "to", "d95"], ["d96", "to", "d119"])
    ]
    last_column = dict(re.findall(r"^(\S+) .* ([\d.]+)\*?$", printed, re.M))
    origins = range(96, 115)
    still = [values[k + j] - values[k - 1] for k in origins for j in range(6)]
    season = [values[k + j] - values[k - 4 + j % 4] for k in origins for j in range(6)]
    for name, errors in {"persistence": still, "seasonal-naive": season}.items():
        expected = np.sqrt(np.mean(np.square(errors)))
        assert float(last_column[name]) == pytest.approx(expected, abs=5.1e-3)
    assert float(last_column["autoregression"]) == 0  # exactly one, but for rounding
    assert float(last_column["LSTM"]) > 0
    assert "the best is autoregression" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("context", "level"), [(3, 4.0), (20, 2.25)])
def test_an_lstm_that_answers_0_forecasts_the_recent_level(context, level):
    values = np.array([9.0] * 20 + [0, 0, 0, 0, 0, 5, 5, 5, 0, 0, 5, 7, 99])  # the last is unknown
    model = methods.LSTMModel(1, 2, 3, batch_first=True, rng=0)
    for param in model.params.values():
        param[...] = 0
    lstm = methods.LSTMForecast(model, context, mean=7.0, scale=2.0)
    assert lstm(values, np.array([32])).tolist() == [[level] * 3]
    model.head.params["bias"][...] = [0, 1, -1]
    assert lstm(values, np.array([32])).tolist() == [[level, level + 2, level - 2]]
    earlier = np.array([30])
    departures = lstm.targets(values, earlier, 3) * 2
    assert lstm.level(values, earlier) + departures == pytest.approx(np.array([[5, 7, 99]]))


def test_lstm_learns():
    values = wave(300)
    series, origins = make_series(values), methods.origins_between(240, 300, 3)
    truth = methods.futures(values, origins, 3)
    lstm = methods.train_lstm(series, 0, **SMALL | {"hidden": 16, "epochs": 60})
    assert methods.rmse(lstm(values, origins), truth) < 0.6  # the noise is 0.3, the wave 2.1
    assert methods.rmse(methods.persistence(values, origins, 3), truth) > 2


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (90, ["--column", "height"], "--column: expected one of day, other, level; given height"),
        (90, ["--column", "other"], "line 2: given 'x'"),
        (90, [], "--csv FILE and --column NAME: expected both or neither"),
        (
            90,
            ["--column", "level"],
            "expected at least 12: use a longer series or a smaller --horizon",
        ),
        (
            90,
            ["--column", "level", "--horizon", "0"],
            "--horizon: expected a whole number from 1 on, given '0'",
        ),
        (0, ["--column", "level"], "the training part has 0 of the 0 rows; expected at least 36"),
    ],
)
def test_what_cannot_be_forecast_is_refused(capsys, tmp_path, rows, options, message):
    file = write_csv(tmp_path / "mine.csv", wave(rows))
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--csv", str(file), *options])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([14.62] * 120, "expected values that differ"),  # their deviation is 2e-15, by rounding
        ([1e-200, 2e-200] * 60, "expected values that can be squared, given 1e-200 to 2e-200"),
        ([1e200, 2e200] * 60, "expected values that can be squared, given 1e+200 to 2e+200"),
    ],
)
def test_what_has_no_scale_is_refused_before_training(capsys, tmp_path, values, message):
    file = write_csv(tmp_path / "mine.csv", values)
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--csv", str(file), "--column", "level"])
    printed, errors = capsys.readouterr()
    assert message in errors
    assert printed == ""


def test_a_missing_file_is_refused(capsys, tmp_path):
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--csv", str(tmp_path / "no.csv"), "--column", "level"])
    assert "no.csv" in capsys.readouterr().err


def test_a_series_that_repeats_itself_exactly_ends_with_its_table(capsys, tmp_path):
    file = write_csv(tmp_path / "mine.csv", [1, 5, 2, 8, 3, 0] * 20)
    options = [
        "--column",
        "level",
        "--season",
        "6",
        "--horizon",
        "4",
        "--hidden",
        "2",
        "--epochs",
        "1",
        "--seeds",
        "1",
    ]
    assert demo.main(["--csv", str(file), *options]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"seasonal-naive +0\.00\* ", printed)
    assert "the best is seasonal-naive, 100.0% ahead of autoregression" in printed
    assert printed.count(": inf\n") == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,level\n1,11,64\n", "line 2: expected 2 values, given 3; a decimal comma is not"),
        ("day,level\n1\n", "line 2: expected 2 values, given 1"),
        ("day,level,level\n1,2,3\n", "--column: expected one of day, level, level; it is there"),
        ('day,level\n1,2\n"2,3\n4,5\n', "line 4: unexpected end of data; is a quotation mark"),
        (f'day,level\n1,"{"x" * 200_000}"\n', "line 2: field larger than field limit (131072)"),
        ("day,level\n1,é\n".encode("latin-1"), "mine.csv: expected text in UTF-8"),
        ("", "mine.csv: expected a first line that names the columns, given none"),
        ("\n1,2\n", "mine.csv: expected a first line that names the columns, given none"),
    ],
)
def test_a_file_that_says_something_else_is_not_misread(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=re.escape(message)):
        methods.read_series(path, "level")


def test_what_a_table_program_adds_is_no_part_of_the_series(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes('\ufefflevel,day\r\n1.5,"a, b"\r\n\r\n2,c\r\n'.encode())
    series = methods.read_series(path, "level")
    assert series[:3] == ("level", "level", ["1.5", "2"])
    assert series.values.tolist() == [1.5, 2]


# --- the sunspots ---


def test_the_sunspots_are_those_whose_source_is_named():
    note = (DATA / "sunspots.md").read_text("utf-8")
    assert hashlib.sha256((DATA / "sunspots.csv").read_bytes()).hexdigest() in note
    with open(DATA / "sunspots.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [f"{year}-{month:02}" for year in range(1749, 2009) for month in range(1, 13)]
    assert [row["month"] for row in rows] == expected
    series = methods.read_series(*demo.SUNSPOTS)
    assert series.times == expected
    assert series.values.min() == 0
    assert series.times[series.values.argmax()] == "1957-10"  # the highest of all cycles
    assert series.values.max() == 253.8
