"""The character model's demo: its numbers, its files, and its page in a real browser."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import math
import re
import signal
import zlib
from pathlib import Path

import char_lm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts.char_lm import model as char_lm_model
from parts.char_lm.baselines import compressor_bits, ngram_bits
from parts.char_lm.cells import (
    Finding,
    cell_values,
    find_cells,
    known_together,
    landmarks,
    page,
    terminal_view,
)
from parts.char_lm.model import CharLM, lanes

from npslstm import LSTMModel
from npslstm.checkpoint import load_checkpoint, save_checkpoint
from npslstm.files.npz import CheckpointError, read_npz, write_npz
from npslstm.optim import Adam
from npslstm.training import Progress

DEMOS = Path(__file__).parents[2] / "demos"
ODD_TEXT = "Is 1 < 2 && \"größer\"? </pre>\n\n<b>{{values}}</b> ☃ 😀\t\0 'end'\n"


@pytest.fixture
def text_file(tmp_path):
    """Write 600 characters that can be learnt: words in an order that chance decides."""
    words = ["one ", "two ", "three\n", '"four" ', "Five.\n\n"]
    words = np.random.default_rng(0).choice(words, 200)
    path = tmp_path / "text.txt"
    path.write_text("".join(words)[:600], encoding="utf-8")
    return path


def tiny(path, *arguments):
    """Return the arguments of a run that takes a moment."""
    small = ["--hidden", "6", "--batch", "3", "--steps", "11", "--epochs", "2", "--sample", "40"]
    return ["--text", str(path), *small, *map(str, arguments)]


def make_model(alphabet, hidden=5, layers=2, seed=1):
    return CharLM.new("".join(sorted(set(alphabet))), hidden, layers, seed)


def bits_of_next(lm, ids):
    """How many bits each character but the first costs after all of those before it."""
    logits, _ = lm.model(lm.inputs(ids[:-1]))
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(ids) - 1), ids[1:]] / np.log(2)


# --- what it is compared with ---


def test_ngrams_equal_the_sums_done_by_hand():
    # Known "aaba", then "b". Order 0: a 3 times, b once, N = 4, D = 2: (1 + 2 · 1/2) / (4 + 2).
    # Order 1: after a came a and b, N = D = 2: (1 + 2 · 1/3) / (2 + 2). Order 2: nothing came
    # after "ba", so order 1 stands.
    expected = [1 / 3, 5 / 12, 5 / 12]
    assert ngram_bits("aabab", 4, 2, 2) == pytest.approx([-math.log2(p) for p in expected])
    # Known "a", then "b": (0 + 1 · 1/2) / (1 + 1), and there is no longer context to ask.
    assert ngram_bits("ab", 1, 2, 2) == [2, 2, 2]


def test_ngrams_average_over_the_held_out_characters_and_learn_nothing_from_them():
    one = [ngram_bits("aaba" + tail, 4, 0, 2)[0] for tail in "ab"]
    assert ngram_bits("aaba" + "bba", 4, 0, 2)[0] == pytest.approx((2 * one[1] + one[0]) / 3)


@given(st.text("abc", min_size=1, max_size=30), st.integers(0, 4))
def test_ngram_probabilities_sum_to_one(known, order):
    bits = np.array([ngram_bits(known + x, len(known), order, 4) for x in "abcd"])
    np.testing.assert_allclose(np.exp2(-bits).sum(axis=0), 1)


def test_compressors_are_charged_for_the_held_out_part_alone():
    rng = np.random.default_rng(0)
    known, rest = ("".join(rng.choice(list("äbcd"), n)) for n in (4000, 3000))
    bits = compressor_bits(known + rest, len(known))
    deflated = [len(zlib.compress(part.encode(), 9)) for part in (known + rest, known)]
    assert bits["gzip -9"] == 8 * (deflated[0] - deflated[1]) / len(rest)
    assert min(bits.values()) > 1.9  # 2 bits a character, whatever is done
    assert max(compressor_bits(known + known, len(known)).values()) < 1.9  # seen before
    assert min(compressor_bits("a" * 5000, 4500).values()) >= 0  # bzip2 makes it shorter


# --- the model ---


def test_bits_per_character_carry_the_state_from_window_to_window(monkeypatch):
    lm = make_model("abc")
    ids = np.random.default_rng(0).integers(0, 3, 50)
    expected = bits_of_next(lm, ids).mean()
    for window in (7, 49, 1000):
        monkeypatch.setattr(char_lm_model, "WINDOW", window)
        assert lm.bits_per_character(ids) == pytest.approx(expected, rel=1e-5)


def test_lanes_are_parts_of_the_text_and_targets_what_comes_next():
    x, y = lanes(np.arange(12), 3)
    assert x.T.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert (y == x + 1).all()


def test_an_input_is_one_hot_with_a_mean_square_of_one():
    lm = make_model("abcd")
    x = lm.inputs(lm.encode("bd"))
    assert (x.argmax(axis=1) == [1, 3]).all()
    assert np.count_nonzero(x) == 2
    np.testing.assert_allclose((x**2).mean(axis=1), 1)


def test_samples_repeat_with_the_seed_and_settle_as_the_temperature_falls():
    lm = make_model("abcdef ")
    cold, same, other = (lm.sample(30, 1e-6, seed, "a") for seed in (1, 1, 2))
    assert cold == same == other  # the most probable character, always
    warm, again, another = (lm.sample(30, 1.0, seed, "a") for seed in (1, 1, 2))
    assert warm == again != another


def test_a_sample_remembers_all_that_was_written():
    lm = make_model("abcdef ", seed=3)
    for param in lm.model.params.values():
        param *= 6  # so that the answer hangs on the state
    written = "a"
    for _ in range(30):
        logits, _ = lm.read(lm.encode(written))
        written += lm.alphabet[logits[-1].argmax()]
    assert lm.sample(30, 1e-6, 0, "a") == written[1:]


def test_a_sample_follows_the_probabilities_of_the_model():
    lm = make_model("ab", hidden=1, layers=1)
    for param in lm.model.params.values():
        param[...] = 0
    lm.model.head.params["bias"][...] = [0, math.log(3)]  # p(b) = 3/4 at temperature 1
    for temperature, p in ((1, 0.75), (0.5, 0.9)):  # 3² to 1² at 1/2
        share = lm.sample(2000, temperature, 0, "a").count("b") / 2000
        assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 2000))


def test_a_saved_model_comes_back_with_its_alphabet(tmp_path):
    lm = make_model(ODD_TEXT)
    lm.save(tmp_path / "model.npz")
    twin = CharLM.load(tmp_path / "model.npz")
    assert twin.alphabet == lm.alphabet
    logits = [model.read(model.encode(ODD_TEXT))[0] for model in (lm, twin)]
    assert np.array_equal(*logits)


@pytest.mark.parametrize("stop", [3, 11])  # in the middle of an epoch, and at the end of one
def test_going_on_ends_in_the_same_file_as_not_stopping(
    text_file, tmp_path, capsys, monkeypatch, stop
):
    whole, path = tmp_path / "whole.npz", tmp_path / "run.npz"
    options = tiny(text_file, "--batch", 5, "--layers", 2)
    assert char_lm.main([*options, "--save", str(whole)]) == 0
    printed = capsys.readouterr().out

    step = Adam.step

    def press(optimizer, *args):
        step(optimizer, *args)
        if optimizer.steps == stop:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Adam, "step", press)
    assert char_lm.main([*options, "--save", str(path)]) == 130
    assert capsys.readouterr().err.startswith(f"Stopped; {path} is saved. To go on: ")
    assert load_checkpoint(path).progress.step == stop
    assert CharLM.load(path).alphabet == CharLM.load(whole).alphabet
    monkeypatch.undo()
    assert char_lm.main([*options, "--save", str(path), "--resume"]) == 0
    again = capsys.readouterr().out
    assert path.read_bytes() == whole.read_bytes()
    assert again.split("best first")[1] == printed.split("best first")[1]
    assert f"saved in {path}, going on after step {stop}\n" in again
    assert char_lm.main([*options, "--save", str(path), "--resume", "--lr", "1"]) == 1
    assert "--lr was 0.007, now it is 1.0" in capsys.readouterr().err


def test_a_checkpoint_that_is_no_character_model_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    model = LSTMModel(3, 4, 3, readout="all")
    for config in {}, {"alphabet": "ab"}, {"alphabet": ["a", "b", "c"]}, {"alphabet": "aba"}:
        save_checkpoint(path, model, Adam(), Progress(), config)
        with pytest.raises(CheckpointError, match=r"char_lm\.py"):
            CharLM.load(path)


def test_a_mark_of_the_encoding_is_no_part_of_the_text(text_file, tmp_path, capsys):
    assert char_lm.main(tiny(text_file)) == 0
    text = text_file.read_text("utf-8")
    text_file.write_text(text, encoding="utf-8-sig")
    assert char_lm.main(tiny(text_file)) == 0
    first, second = capsys.readouterr().out.split(text_file.name)[1:]
    assert first == second
    text_file.write_bytes(text.encode("utf-16"))
    with pytest.raises(SystemExit, match="2"):
        char_lm.main(tiny(text_file))
    assert f"{text_file}: expected text in UTF-8" in capsys.readouterr().err


def test_a_file_that_is_no_character_model_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    LSTMModel(3, 4, 3, readout="all").save(path)
    with pytest.raises(CheckpointError, match="alphabet"):
        CharLM.load(path)
    make_model("abc").save(path)
    arrays = read_npz(path)
    write_npz(path, arrays | {"alphabet": arrays["alphabet"][:2]})
    with pytest.raises(CheckpointError, match="expected input and output size 2"):
        CharLM.load(path)


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match="unknown to the model: 'xz'"):
        make_model("abc").encode("azbx")


# --- its cells ---


def test_cell_values_equal_those_of_single_steps():
    lm = make_model("abc")
    ids, state, stepped = lm.encode("abcabbacca"), None, []
    for place in range(len(ids)):
        _, state = lm.read(ids[place : place + 1], state)
        stepped.append(np.tanh(state.c.ravel()))
    np.testing.assert_allclose(cell_values(lm, ids), stepped, rtol=1e-5, atol=1e-6)


def test_landmarks_say_what_stands_after_each_character():
    found = landmarks('A "b\nc" “d”\n"e\n\nf')
    assert found["inside a quotation"].nonzero()[0].tolist() == [2, 3, 4, 5, 8, 9, 12, 13]
    assert found["position in the line"].tolist() == [1, 2, 3, 4, 0, *range(1, 7), 0, 1, 2, 0, 0, 1]
    assert found["position in the word"][:6].tolist() == [1, 0, 0, 1, 0, 1]
    assert found["space or line break"][:6].tolist() == [0, 1, 0, 0, 1, 0]
    assert found["capital letter"].nonzero()[0].tolist() == [0]


def test_the_cell_that_follows_a_landmark_is_found():
    text = 'She said: "No,\nnot I."\n\nThen "Yes."\nAnd went.\n' * 3
    rng = np.random.default_rng(0)
    values = 0.5 * rng.standard_normal((len(text), 4))
    values[:, 1] = 0.7  # constant: no correlation, and no warning
    values[:, 2] -= landmarks(text)["position in the line"]
    values[:, 3] += 2 * landmarks(text)["inside a quotation"]
    findings = {found.landmark: found for found in find_cells(values, text)}
    line, quoted = findings["position in the line"], findings["inside a quotation"]
    assert (line.cell, quoted.cell) == (2, 3)
    for found in (line, quoted):
        pair = values[:, found.cell], landmarks(text)[found.landmark]
        assert found.correlation == pytest.approx(np.corrcoef(*pair)[0, 1])


def test_what_only_all_cells_together_know_is_found_and_what_none_knows_is_not():
    rng = np.random.default_rng(0)
    y, z = rng.standard_normal(4000), rng.standard_normal((4000, 20))
    assert abs(known_together(z, y)) < 4 / math.sqrt(2000)  # the weights are judged elsewhere
    z[:, 3] += 0.2 * z[:, 8] + 0.2 * y
    z[:, 11] = z[:, 3] - 0.2 * y  # only with this one does 3 say what of it is y
    assert known_together(z, y) > 0.9


def test_the_terminal_shows_the_text_with_its_values():
    text, value = "ab\n\x1b<d", np.array([-1, -0.4, 0.9, 0, 0.3, 1])
    assert terminal_view(text, value, colour=False).split("\n")[1:] == ["ab", "ca", "·<d", ".13"]
    coloured = terminal_view(text, value, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split("\n")[1:] == ["ab", "·<d"]
    assert re.findall(r"48;5;(\d+)m(.)", coloured)[-5:] == [
        *(("208", "a"), ("223", "b"), ("231", "·"), ("153", "<"), ("39", "d"))
    ]


class PageReader(html.parser.HTMLParser):
    """Collects the text of every element with an id, and the options."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.options, self._id = {}, [], None
        self.feed(page)

    def values(self, cells):
        in_bytes = np.frombuffer(base64.b64decode(self.texts["values"]), np.int8)
        return in_bytes.reshape(cells, -1).T / 127

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._id = attributes.get("id", self._id)
        if tag == "option":
            self.options.append(attributes["value"])

    def handle_data(self, data):
        self.texts[self._id] = self.texts.get(self._id, "") + data

    def handle_endtag(self, tag):
        if tag in ("pre", "script"):
            self._id = None


def make_page(text, cells=7, seed=0):
    """Return values of made-up cells and the page that shows them."""
    values = np.random.default_rng(seed).uniform(-1, 1, (len(text), cells))
    findings = [Finding("inside a quotation", 2, 0.5, 0.6), Finding("capital letter", 5, -0.2, 0.3)]
    return values, page(text, values, findings, "<odd> & {{text}}", 3)


def test_the_page_holds_the_text_and_the_values_unharmed():
    values, page = make_page(ODD_TEXT)
    reader = PageReader(page)
    assert reader.texts["text"] == "\n" + ODD_TEXT  # a browser drops the first line break
    assert "<title>One cell of an LSTM reads &lt;odd&gt; &amp; {{text}}</title>" in page
    np.testing.assert_allclose(reader.values(7), values, atol=0.5 / 127)
    assert reader.options == ["", "2", "5"]
    assert not re.search(r"https?:|\b(src|href)=|@import|url\(", page)  # whole in one file


@pytest.mark.browser
def test_the_page_colours_the_text_by_the_chosen_cell_in_a_browser(tmp_path, browser):
    values, page = make_page(ODD_TEXT.replace("\0", ""))
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    browser.open(path, "#cell=4")
    seen = browser.run(
        """
        const seen = [];
        const record = () => seen.push({
          cell, shown: [slider.value, number.value, named.value, location.hash],
          text: text.textContent, colours: spans.map((span) => span.style.backgroundColor) });
        const choose = (control, value, event) => {
          control.value = value;
          control.dispatchEvent(new Event(event));
          record();
        };
        record();
        choose(named, "2", "change");
        choose(slider, "6", "input");
        choose(number, "99", "change");
        for (let i = 0; i < 3; i += 1) {
          text.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        }
        return { seen, readout: readout.textContent };
        """,
    )
    for state, cell, name in zip(seen["seen"], (4, 2, 6, 6), ("", "2", "", ""), strict=True):
        assert state["cell"] == cell
        assert state["shown"] == [str(cell), str(cell), name, f"#cell={cell}"]
        assert state["text"] == ODD_TEXT.replace("\0", "")
        colours = [list(map(int, re.findall(r"\d+", colour))) for colour in state["colours"]]
        v = values[:, cell, None]
        end = np.where(v < 0, [240, 140, 40], [80, 160, 230])
        np.testing.assert_allclose(colours, 255 + (end - 255) * np.abs(v), atol=1.5)
    sign = "−" if values[2, 6] < 0 else "+"
    assert seen["readout"] == f"space: {sign}{abs(values[2, 6]):.2f} in cell 6"
    assert browser.requests() == browser.complaints() == []


# --- the whole demo ---


def test_a_run_prints_what_it_measured_and_a_saved_model_repeats_it(text_file, tmp_path, capsys):
    model, page, curve = tmp_path / "new" / "m.npz", tmp_path / "cells.html", tmp_path / "curve.svg"
    char_lm.main(tiny(text_file, "--save", model, "--page", page, "--plot", curve))
    trained = capsys.readouterr().out
    text = text_file.read_text("utf-8")
    table = trained.split("the best first\n")[1].split("\n\n")[0]
    rows = [line.split(None, 1) for line in table.split("\n")]
    printed = {name: float(bits) for bits, name in rows}
    assert list(printed.values()) == sorted(printed.values())
    orders = ngram_bits(text, 540, char_lm.MAX_ORDER, len(set(text)))
    expected = {f"order-{n} counts": orders[n] for n in (0, 2, np.argmin(orders))}
    expected |= compressor_bits(text, 540)
    for name, bits in expected.items():
        match = [value for row, value in printed.items() if row.split(",")[0] == name]
        assert match == [pytest.approx(bits, abs=5e-4)]
    assert "LSTM" in printed
    assert PageReader(page.read_text("utf-8")).texts["text"].strip() in text
    assert curve.read_text("utf-8").count("held-out") >= 1

    char_lm.main(tiny(text_file, "--load", model))
    loaded = capsys.readouterr().out
    assert "epoch" not in loaded
    measured, again = (out.split("the best first\n")[1] for out in (trained, loaded))
    assert "saved in" in trained
    assert measured.split("\nWhat single")[0] == again


def test_the_held_out_part_is_judged_after_the_text_before_it():
    text = "abcab cabcb" * 6
    lm, corpus = make_model(text), char_lm.Corpus("made up", text, 40)
    for param in lm.model.params.values():
        param *= 4  # so that the answer hangs on the state
    expected = bits_of_next(lm, lm.encode(text))[39:].mean()
    assert char_lm.held_out_bits(lm, corpus) == pytest.approx(expected, rel=1e-5)


def test_the_page_shows_the_values_of_the_held_out_part(text_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(char_lm, "CONTEXT", 600)  # all of the text before it
    text = text_file.read_text("utf-8")
    lm = make_model(text)
    lm.save(tmp_path / "m.npz")
    path = tmp_path / "cells.html"
    options = tiny(text_file, "--load", tmp_path / "m.npz", "--page", path)
    options.remove("--sample")
    options.remove("40")
    char_lm.main(options)
    printed = capsys.readouterr().out
    assert "What single cells follow" in printed
    assert "best first" not in printed  # nothing is compared that nobody asked for
    reader = PageReader(path.read_text("utf-8"))
    assert reader.texts["text"] == "\n" + text[540:]
    expected = cell_values(lm, lm.encode(text))[540:]
    np.testing.assert_allclose(reader.values(10), expected, atol=0.51 / 127)


def test_training_helps(text_file, capsys):
    losses = {}
    for epochs in (1, 12):
        char_lm.main([*tiny(text_file), "--epochs", str(epochs)])
        losses[epochs] = float(re.search(r"([\d.]+)  LSTM", capsys.readouterr().out)[1])
    assert losses[12] < losses[1] - 0.3


def test_a_cell_is_shown_on_the_terminal(text_file, capsys):
    char_lm.main(tiny(text_file, "--epochs", 1, "--cell", 5, "--held-out", 0.3))
    out = capsys.readouterr().out
    assert re.search(r"inside a quotation +[0-5] +[+-]0\.\d\d +[+-]0\.\d\d\n", out)
    assert "\ncell 5\ntanh(c): -1 cba.123 +1\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "6"], "--cell: expected 0 to 5, given 6"),
        (["--held-out", "0.999"], "too short: 1 characters to learn from, 599 held out"),
        (["--held-out", "1e-9"], "too short: 600 characters to learn from, 0 held out"),
        (["--held-out", "inf"], "--held-out: expected a number between 0 and 1, given 'inf'"),
        (["--temperature", "1e-320"], "--temperature: expected a number from 10⁻⁶ to 10⁶"),
        (["--lr", "nan"], "--lr: expected a finite number above 0, given 'nan'"),
        (["--epochs", "0"], "--epochs: expected a whole number from 1 on, given '0'"),
        (["--resume"], "--resume needs --save PATH"),
        (["--load", "missing.npz"], "missing.npz"),
        (["--load", "x", "--plot", "y.png"], "with --load there is none"),
    ],
)
def test_a_wrong_option_is_named(text_file, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        char_lm.main([*tiny(text_file), *arguments])
    assert message in capsys.readouterr().err


def test_a_model_is_not_used_on_a_text_it_cannot_read(text_file, tmp_path, capsys):
    make_model("abc").save(tmp_path / "abc.npz")
    with pytest.raises(SystemExit, match="2"):
        char_lm.main(tiny(text_file, "--load", tmp_path / "abc.npz"))
    assert "characters unknown to the model" in capsys.readouterr().err


def test_the_text_is_the_one_whose_source_is_named():
    note = (DEMOS / "data" / "persuasion.md").read_text("utf-8")
    digest = hashlib.sha256((DEMOS / "data" / "persuasion.txt").read_bytes()).hexdigest()
    assert digest in note
