"""The speech demo: its data, its baselines by hand, what its picture shows, files of one's own."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
import speech as demo
from demo_runs import ROOT, run_demo
from parts.speech import baselines, picture
from parts.speech.listener import GRID, Listener, Settings, cross_validate, folds
from parts.speech.recordings import Part, Recordings, read_csv, read_own, read_vowels

DATA = ROOT / "demos" / "data"
SMALL = Settings(units=6, learning_rate=0.02, noise=0.1, epochs=8)


def make_part(seed, count=24, features=2):
    """Two classes whose steps lie around -1 and around 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    lengths = rng.integers(2, 7, count)
    steps = [rng.normal(2 * k - 1, 1, (n, features)) for k, n in zip(labels, lengths, strict=True)]
    return Part.of(steps, labels)


# --- the vowels ---


def test_the_vowels_are_those_whose_source_and_licence_are_named():
    note = (DATA / "japanese_vowels.md").read_text("utf-8")
    assert hashlib.sha256((DATA / "japanese_vowels.npz").read_bytes()).hexdigest() in note
    assert "10.24432/C5NS47" in note
    assert "CC BY 4.0" in note
    vowels = read_vowels()
    assert np.bincount(vowels.train.labels).tolist() == [30] * 9
    assert np.bincount(vowels.test.labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    for part, longest in (vowels.train, 26), (vowels.test, 29):
        assert (part.lengths.min(), part.lengths.max()) == (7, longest)
        assert part.x.shape == (len(part.labels), longest, 12)
        assert not part.x[~part.valid()].any()
        assert len(part.steps()) == part.lengths.sum()


def test_without_a_network_most_are_right_and_five_summaries_more_than_the_mean(monkeypatch):
    monkeypatch.setattr(baselines, "MOST", 0)  # time warping takes seconds, and is left out
    rights = demo.without_network(read_vowels())
    # One more or less: another CPU rounds otherwise.
    assert {name: round(370 * right) for name, right in rights.items()} == {
        "linear discriminant on the mean": pytest.approx(358, abs=1),
        "linear discriminant on five summaries": pytest.approx(367, abs=1),
        "a Gaussian for each class": pytest.approx(365, abs=1),
    }


@pytest.mark.long
@pytest.mark.parametrize("way", demo.WAYS)
def test_the_lstm_is_right_on_vowels_that_it_has_not_heard(capsys, way):
    args, vowels = demo.parse(["--seeds", "1"])
    _, [right] = demo.train(vowels, args, way)
    assert right > 0.965  # five seeds: 97.6 % to 98.4 %; one utterance is 0.27 %


@pytest.mark.slow
@pytest.mark.parametrize("way", demo.WAYS)
def test_five_seeds_are_right_more_often_than_what_was_published(capsys, way):
    args, vowels = demo.parse([])
    _, rights = demo.train(vowels, args, way)
    assert len(rights) == 5
    assert np.mean(rights) >= 0.975 > max(demo.PUBLISHED.values())


# --- the answers without a network ---


def log_density(x, centre, covariance):
    difference = x - centre
    return (
        -(difference @ np.linalg.inv(covariance) @ difference + np.linalg.slogdet(covariance)[1])
        / 2
    )


def test_the_discriminant_is_that_of_gaussians_with_one_covariance():
    rng = np.random.default_rng(0)
    labels = np.array([3] * 30 + [5] * 10 + [8] * 20)
    known = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + labels[:, None] / 4
    asked = rng.normal(1, 1.5, (200, 3))
    centres = {k: known[labels == k].mean(axis=0) for k in (3, 5, 8)}
    within = sum(np.cov(known[labels == k].T) * (np.sum(labels == k) - 1) for k in centres) / 57
    covariance = within + baselines.RIDGE * np.diag(known.var(axis=0))
    expected = [
        max(
            centres,
            key=lambda k: log_density(x, centres[k], covariance) + np.log(np.sum(labels == k)),
        )
        for x in asked
    ]
    assert set(expected) == {3, 5, 8}
    assert baselines.discriminant(known, labels, asked).tolist() == expected


def test_the_gaussians_add_up_what_single_steps_say():
    train, test = make_part(0), make_part(1)
    ridge = baselines.RIDGE * np.diag(train.steps().var(axis=0))
    scores = np.zeros((len(test.x), 2))
    for label in 0, 1:
        steps = train.rows(train.labels == label).steps()
        covariance = np.cov(steps.T, ddof=0) + ridge
        for n, x in enumerate(test.sequences()):
            scores[n, label] = sum(log_density(step, steps.mean(axis=0), covariance) for step in x)
    assert baselines.gaussians(train, test).tolist() == scores.argmax(axis=1).tolist()


def test_time_warping_finds_what_was_only_slowed_down():
    up, down = np.array([[0.0], [1.0], [5.0]]), np.array([[5.0], [1.0], [0.0], [0.0]])
    train = Part.of([up, down], [4, 7])
    test = Part.of([np.repeat(down, [1, 3, 1, 2], axis=0), np.repeat(up, 2, axis=0)], [7, 4])
    assert baselines.nearest(train, test).tolist() == [7, 4]


def test_time_warping_takes_the_best_of_all_ways():
    def distance(x, y):
        if not len(x) or not len(y):
            return 0.0 if len(x) == len(y) else np.inf
        before = min(distance(x[:-1], y[:-1]), distance(x, y[:-1]), distance(x[:-1], y))
        return before + np.linalg.norm(x[-1] - y[-1])

    train, test = make_part(2, 8), make_part(3, 12)
    train = train._replace(labels=np.arange(8))  # so that the sequence itself is the answer
    scale = np.sqrt(np.diag(baselines.ridge(train.steps())))
    expected = [
        np.argmin([distance(y / scale, x / scale) / (len(x) + len(y)) for y in train.sequences()])
        for x in test.sequences()
    ]
    assert baselines.nearest(train, test).tolist() == expected


# --- training and choosing ---


def test_folds_hold_each_sequence_out_once_and_spread_the_classes():
    labels = np.repeat([0, 1, 2], [10, 15, 5])
    held_out = []
    for known, held in folds(labels, 5, seed=0):
        assert sorted([*known, *held]) == list(range(30))
        assert np.bincount(labels[held]).tolist() == [2, 3, 1]
        held_out += held.tolist()
    assert sorted(held_out) == list(range(30))


def test_cross_validation_never_asks_about_what_was_learned(monkeypatch):
    part, seen = make_part(0, 10), []
    train = Listener.train.__func__

    def watched(cls, known, *rest, **kind):
        seen.append(known.x)
        return train(cls, known, *rest, **kind)

    def evaluated(listener, held):
        for row in held.sequences():
            assert not any((known[: len(row)] == row).all() for known in seen[-1])
        return evaluate(listener, held)

    evaluate = Listener.evaluate
    monkeypatch.setattr(Listener, "train", classmethod(watched))
    monkeypatch.setattr(Listener, "evaluate", evaluated)
    loss, right = cross_validate(part, 2, SMALL._replace(epochs=1), range(2))
    assert len(seen) == 10
    assert loss > 0
    assert 0 <= right <= 1


def test_the_settings_with_the_lowest_loss_are_chosen_without_the_test_part(capsys):
    recordings = Recordings(["a", "b"], make_part(0), None)
    useless = SMALL._replace(learning_rate=1e-9)
    assert (
        demo.choose(recordings, [useless, SMALL, useless], range(1), bidirectional=False) == SMALL
    )
    assert capsys.readouterr().out.count("Settings(") == 3
    assert set(demo.CHOSEN.values()) <= set(GRID)


# --- what the picture shows ---


@pytest.fixture
def listener():
    found = Listener.train(make_part(0), 2, SMALL._replace(epochs=1), seed=0)
    return found._replace(model=found.model.astype(np.float64))


def test_how_sure_after_a_step_is_the_answer_had_the_sequence_ended_there(listener):
    part = make_part(1, 5)
    sure = picture.after_each_step(listener, part)
    assert (np.isfinite(sure[..., 0]) == part.valid()).all()
    for row, x in zip(sure, part.sequences(), strict=True):
        for t in range(len(x)):
            logits, _ = listener.model((x[: t + 1] - listener.mean) / listener.scale)
            odds = np.exp(logits)
            np.testing.assert_allclose(row[t], odds / odds.sum(), rtol=1e-12)


def test_dependence_is_the_gradient_of_the_answer_by_trying(listener):
    part, step = make_part(1, 5), 1e-6
    found = picture.dependence(listener, part)
    for row, x in zip(found, part.sequences(), strict=True):
        x = (x - listener.mean) / listener.scale
        answer = listener.model.predict(x)
        slopes = np.empty(x.shape)
        for index in np.ndindex(x.shape):
            moved = np.zeros(x.shape)
            moved[index] = step
            up, down = (listener.model(x + sign * moved)[0][answer] for sign in (1, -1))
            slopes[index] = (up - down) / (2 * step)
        norms = np.linalg.norm(slopes, axis=1)
        np.testing.assert_allclose(row[: len(x)], norms / norms.mean(), rtol=1e-6)
        assert np.isnan(row[len(x) :]).all()


# --- what is printed ---


def test_the_table_is_in_order_and_names_all_that_are_best():
    rights = {"a": 0.5, "b": 0.9, "c, twice": 0.9}
    lines = demo.table(rights, {"c, twice": [0.85, 0.95], "b": [0.9]}, 100).split("\n")
    assert [line.split()[0] for line in lines[:3]] == ["b", "c,", "a"]
    assert lines[1].endswith(" 90.0%  mean of 2 seeds, 85.0% to 95.0%")
    assert lines[2].endswith(" 50.0%")
    assert lines[4] == "Most often right: b and c, twice."
    assert lines[5].endswith("100 test sequences a share is known to within about 6.3%.")  # 92/104


# --- files of one's own ---


NAMES = ["_left $x^$", "right"]  # for Matplotlib such names could mean something


@pytest.fixture
def own(tmp_path):
    """Two classes of 8 sequences, as npy files and as CSV files with a heading."""
    part = make_part(0, 16)
    for k, x in enumerate(part.sequences()):
        folder = tmp_path / "mine" / NAMES[part.labels[k]]
        folder.mkdir(parents=True, exist_ok=True)
        if k < 8:
            np.save(folder / f"{k}.npy", x.astype(np.float32))
        else:
            np.savetxt(folder / f"{k}.csv", x, delimiter=",", header="left,right", comments="")
    (tmp_path / "mine" / "README.txt").write_text("notes")
    (folder / ".hidden").write_text("of the system")
    return tmp_path / "mine"


def test_a_folder_is_a_class_and_a_file_a_sequence(own):
    found, part = read_own(own), make_part(0, 16)
    assert found.classes == NAMES
    assert np.bincount(found.train.labels).tolist() == [6, 6]
    assert np.bincount(found.test.labels).tolist() == [2, 2]
    for label in 0, 1:
        given = [
            x for p in (found.train, found.test) for x in p.rows(p.labels == label).sequences()
        ]
        written = part.rows(part.labels == label).sequences()
        assert sorted(x.sum().round(3) for x in given) == sorted(x.sum().round(3) for x in written)


def write_npy(**arrays):
    return lambda place: np.save(place / "bad.npy", arrays["x"])


def write_text(text, name="bad.csv"):
    return lambda place: (place / name).write_text(text, encoding="utf-8")


def write_header(text):
    header = text.encode().ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    return lambda place: (place / "bad.npy").write_bytes(start + header + bytes(8))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (write_text("1,2\n3,x\n"), "line 2: expected numbers, given 'x'"),
        (write_text("1,2\n3\n"), "line 2: expected as many as above, given 1 numbers, above it 2"),
        (write_text("1,2,3\n"), "expected 2 columns as in"),
        (write_text("a,b\n1,2\n3,nan\n"), "expected finite numbers, in row 2, column 2 is nan"),
        (write_text("1,1e39\n"), "in row 1, column 2 is 1e+39"),
        (write_text(""), "expected at least one row of numbers"),
        (write_text("x,y\n"), "expected at least one row of numbers"),
        (write_text("1,2\n", "bad.txt"), "expected a file that ends in .csv or .npy"),
        (write_text("1,2\n", "bad.npy"), "bad.npy"),
        (write_text("", "bad.npy"), "expected an array as np.save writes it"),
        (write_text("1" * 200_000), "field larger than field limit"),
        (write_header("{'descr': '<f4', 'shape': (1, 2"), "expected an array as np.save writes it"),
        (write_npy(x=np.zeros((2, 2, 2))), "given an array of shape (2, 2, 2)"),
        (write_npy(x=np.zeros((0, 2))), "expected at least one row of numbers"),
        (write_npy(x=np.zeros((3, 2), complex)), "real numbers, given complex128"),
        (write_npy(x=np.array([["1", "2"]])), "real numbers, given <U1"),
        (write_npy(x=np.array([{}, None])), "bad.npy"),
        (write_npy(x=np.array([[0.0, np.inf]])), "in row 1, column 2 is inf"),
        (lambda place: (place / "bad.npy").mkdir(), "expected a file that ends in .csv or .npy"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_name(own, capsys, spoil, message):
    spoil(own / "right")
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--own", str(own)])
    error = capsys.readouterr().err
    assert message in error
    assert re.search(r"right.bad\.(csv|npy|txt): ", error)


def test_a_folder_that_does_not_fit_is_refused_by_its_name(own, capsys):
    def refused(folder):
        with pytest.raises(SystemExit, match="2"):
            demo.main(["--own", str(folder)])
        return capsys.readouterr().err

    assert "no such" in refused(own / "no such")
    (own / "empty").mkdir()
    assert "empty: expected at least 2 folders in it" in refused(own / "empty")
    assert "empty: expected at least 4 files, given 0" in refused(own)
    np.save(own / "stray.npy", np.zeros((2, 2)))
    assert "stray.npy: expected it in a folder that is called as its class" in refused(own)
    (own / "stray.npy").unlink()


@pytest.mark.parametrize(
    ("chosen", "network"),
    [(["--cell", "gru"], "GRU"), (["--variant", "peephole"], r"LSTM \(peephole\)")],
)
def test_other_kinds_of_cell_listen_too(own, capsys, chosen, network):
    size = ["--own", str(own), "--hidden", "3", "--epochs", "1", "--seeds", "1"]
    assert demo.main([*size, *chosen]) == 0
    assert re.search(rf"\n{network}, one direction +[\d.]+%\n", capsys.readouterr().out)


def test_a_variant_is_of_the_lstm(capsys):
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--cell", "gru", "--variant", "cifg"])
    assert "--variant: expected none with --cell gru, given cifg" in capsys.readouterr().err


def test_a_heading_needs_no_number_and_a_mark_of_the_encoding_is_none(tmp_path):
    (tmp_path / "x.csv").write_text("\ufeff1,2\r\n\r\n3,4\r\n", encoding="utf-8")
    assert read_csv(tmp_path / "x.csv").tolist() == [[1, 2], [3, 4]]


@pytest.mark.long
def test_the_demo_tells_and_draws_ones_own(own, tmp_path):
    drawn = tmp_path / "own.png"
    size = ["--hidden", "6", "--epochs", "2", "--seeds", "2"]
    printed = run_demo("speech.py", "--own", own, *size, "--plot", drawn)
    assert "2 classes: 12 sequences to learn from, 4 to test on; 2 to 6 steps" in printed
    assert "published" not in printed
    table = printed.split("Right on the test part:\n")[1]
    shares = [float(share) for share in re.findall(r"  +([\d.]+)%", table.split("\n\n")[0])]
    assert len(shares) == 6
    assert shares == sorted(shares, reverse=True)
    assert re.search(r"LSTM, both directions +[\d.]+%  mean of 2 seeds, [\d.]+% to [\d.]+%", table)
    assert drawn.read_bytes().startswith(b"\x89PNG")
