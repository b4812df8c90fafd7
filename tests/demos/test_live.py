"""The live page without a browser: its model, its one file, its JavaScript in Node, its command."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from live_page import DEMOS, PAGE, expected

from npslstm import LSTMModel, gates
from npslstm.datasets import as_sequences, load_embedded


@pytest.fixture(scope="module", autouse=True)
def demos_on_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMOS)
        yield


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


@pytest.fixture(scope="module")
def model(page):
    from parts.live.builder import read_model

    return read_model(page)


def data_of(page):
    return json.loads(re.search(r'<script id="data".*?>(.*)</script>', page)[1])


def images_of(page):
    raw = base64.b64decode(data_of(page)["images"])
    return np.frombuffer(raw, np.uint8).reshape(-1, 28, 28) / 255


def in_node(script, given):
    """Run a script of Node that knows lstm.js as L, and `given`; return what it returns."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node: looked for node")
    program = f"""
      const L = require({json.dumps(str(DEMOS / "parts" / "live" / "lstm.js"))});
      const given = JSON.parse(require("fs").readFileSync(0, "utf-8"));
      const rows = (x) => x.map((row) => Float64Array.from(row));
      process.stdout.write(JSON.stringify((() => {{ {script} }})(),
        (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value)));
    """
    command = [node, "-e", program]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


RUN = """
  const model = L.unpackModel(given.data);
  return given.images.map((image, n) => L.run(model, rows(image), given.labels[n], given.held));
"""


def test_the_page_is_one_small_file_that_asks_for_nothing(page):
    assert len(page.encode()) < 250_000
    asks = r"https?:|\bsrc=|@import|url\((?!#)|fetch\(|XMLHttp|WebSocket|import\("
    assert not re.search(asks, page)
    assert re.findall(r'href="(.*?)"', page) == ["data:,"]  # no icon, so that none is asked for
    assert "{{" not in page


def test_the_page_is_what_live_py_makes_of_its_model_and_parts(page, model):
    from parts.live.builder import build

    again = build(model, load_embedded())
    assert again == page, "make it again: python demos/live.py --load demos/live.html"


def test_the_accuracy_on_the_page_is_that_of_its_float16_weights(page, model):
    data = load_embedded()
    for array in model.params.values():
        assert (array == array.astype(np.float16)).all()
    x = as_sequences(data.test_images, dtype=np.float64).swapaxes(0, 1)
    accuracy = np.mean(model.predict(x) == data.test_labels)
    assert accuracy >= 0.95
    assert f"Test accuracy: {100 * accuracy:.1f}\N{NO-BREAK SPACE}% of 1,000 images" in page


def test_its_twelve_digits_are_0_to_9_a_wrong_answer_and_a_close_one(page, model):
    images, labels = images_of(page), data_of(page)["labels"]
    answers = model.predict(images.swapaxes(0, 1))
    assert labels[:10] == list(range(10)) == answers[:10].tolist()
    assert labels[10] != answers[10]
    assert len(labels) == 12


def test_the_words_are_those_of_gates_py(page):
    words = data_of(page)["words"]
    assert {"i", "f", "g", "o", "c", "h", "∂h/∂c", "dc", "dc_prev"} <= words.keys()
    assert words["da_i"] == "what reaches the input gate"  # (17) is the number of three
    for name, sentence in words.items():
        assert re.search(rf" {re.escape(name)} += .*{re.escape(sentence)}", gates.__doc__)


def test_javascript_equals_npslstm(page, model):
    images, labels = images_of(page)[:10], [int(k) for k in np.arange(10)[::-1]]
    given = {"data": data_of(page), "images": images.tolist(), "labels": labels, "held": None}
    for image, label, run in zip(images, labels, in_node(RUN, given), strict=True):
        want = expected(model, image, label)
        for name in run["steps"][0].keys() - {"x", "dx"}:
            got = np.array([step[name] for step in run["steps"]])
            np.testing.assert_allclose(got, want.steps[name], rtol=1e-9, atol=1e-12, err_msg=name)
        got = np.array([step["dx"] for step in run["steps"]])
        np.testing.assert_allclose(got, want.dx, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(run["probabilities"], want.p, rtol=1e-9)
        np.testing.assert_allclose(run["loss"], want.loss, rtol=1e-9)
        for name in ("weight_ih", "weight_hh"):
            grad = want.grads[f"lstm.{name}_l0"].ravel()
            np.testing.assert_allclose(run["grads"][name], grad, rtol=1e-9, atol=1e-12)
        grad = want.grads["lstm.bias_ih_l0"]
        np.testing.assert_allclose(run["grads"]["bias"], grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0, 0.5, 1])
@pytest.mark.parametrize("gate", "ifo")
def test_a_held_gate_is_a_gate_whose_bias_alone_decides(page, model, gate, value):
    """The same network with w = u = 0 and a bias that gives the value: all is equal but da."""
    twin = model.astype(np.float64)
    rows = slice(64 * "ifgo".index(gate), 64 * ("ifgo".index(gate) + 1))
    for name in ("weight_ih", "weight_hh"):
        twin.params[f"lstm.{name}_l0"][rows] = 0
    twin.params["lstm.bias_ih_l0"][rows] = {0: -1000, 0.5: 0, 1: 1000}[value]
    image = images_of(page)[7]
    want = expected(twin, image, 3)
    held = {"gate": gate, "value": value, "unit": None}
    given = {"data": data_of(page), "images": [image.tolist()], "labels": [3], "held": held}
    [run] = in_node(RUN, given)
    assert run["loss"] == pytest.approx(want.loss, rel=1e-9)
    others = {f"da_{q}" for q in "ifgo"} - {f"da_{gate}"}
    for name in ("i", "f", "g", "o", "c", "h", "dh", "dc", "dc_prev", "dh_prev", *others):
        got = np.array([step[name] for step in run["steps"]])
        np.testing.assert_allclose(got, want.steps[name], rtol=1e-9, atol=1e-12, err_msg=name)
    assert not np.any([step[f"da_{gate}"] for step in run["steps"]])
    np.testing.assert_allclose([s["dx"] for s in run["steps"]], want.dx, rtol=1e-9, atol=1e-12)
    if (gate, value) == ("f", 0):
        assert not np.any([step["dc_prev"] for step in run["steps"]])


def test_a_gate_held_in_one_unit_leaves_the_others_free(page):
    held = {"gate": "o", "value": 0.5, "unit": 12}
    image = images_of(page)[:1].tolist()
    given = {"data": data_of(page), "images": image, "labels": [0], "held": held}
    [run] = in_node(RUN, given)
    o, da_o = (np.array([step[name] for step in run["steps"]]) for name in ("o", "da_o"))
    assert (o[:, 12] == 0.5).all()
    assert not da_o[:, 12].any()
    assert (np.delete(o, 12, axis=1) != 0.5).all()
    assert np.delete(da_o, 12, axis=1).all(axis=1).all()


def test_a_nudge_of_one_c_changes_the_loss_as_the_gradient_says(page):
    script = """
      const model = L.unpackModel(given.data), x = rows(given.images[0]);
      const { steps, loss } = L.run(model, x, 3, given.held);
      return given.nudges.map((nudge) =>
        [steps[nudge.step].dc[nudge.unit] * nudge.by,
          L.lossOf(model, x, 3, given.held, nudge) - loss]);
    """
    nudges = [
        {"step": step, "unit": unit, "by": by}
        for step, unit in ((0, 3), (14, 12), (27, 63))
        for by in (1e-2, 1e-3, 1e-4)
    ]
    images = images_of(page)[7:8].tolist()
    for held in (None, {"gate": "f", "value": 0.5, "unit": None}):
        given = {"data": data_of(page), "images": images, "nudges": nudges, "held": held}
        said, happened = np.array(in_node(script, given)).reshape(3, 3, 2).transpose(2, 0, 1)
        apart = np.abs(happened / said - 1)
        assert (apart[:, 2] < 1e-3).all()
        # Ten times smaller, a tenth as far from what the gradient said.
        np.testing.assert_allclose(apart[:, :-1] / apart[:, 1:], 10, rtol=0.2)


def test_every_float16_is_read_right():
    numbers = np.arange(2**16, dtype=np.uint16).view(np.float16)
    numbers = numbers[np.isfinite(numbers)]
    numbers = np.resize(numbers, 2**16 - 2**11 + 16)  # D = H = 8, K = 0 would not fill whole arrays
    H = 1
    D = (len(numbers) - 4 * H * H - 4 * H - 2) // (4 * H)
    text = base64.b64encode(numbers.tobytes()).decode()
    read = in_node(
        "const m = L.unpackModel(given); return m.weight_ih;",
        {"D": D, "H": H, "K": 1, "weights": text},
    )
    assert np.array_equal(read, numbers[: 4 * H * D].astype(float))
    assert len(read) > 63_000


def test_the_screenshot_for_the_readme_is_small():
    picture = DEMOS / "pictures" / "live.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 150_000


# --- the command ---


def run_live(*arguments):
    import live

    live.main([str(argument) for argument in arguments])


def test_a_model_of_ones_own_becomes_a_page(tmp_path, capsys, monkeypatch):
    from parts.live.builder import read_model, rounded

    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    model = LSTMModel(28, 5, 10, batch_first=True, forget_bias=1.0, rng=3)
    model.save(tmp_path / "model.npz")
    out = tmp_path / "new" / "page.html"
    run_live("--load", tmp_path / "model.npz", "--out", out, "--open")
    assert re.search(r"wrote .*page.html \(\d+ kB\)", capsys.readouterr().out)
    assert opened == [out.as_uri()]
    page = out.read_text("utf-8")
    assert "5 units read a digit" in page
    for name, array in read_model(page).params.items():
        assert np.array_equal(array, rounded(model).params[name])
    run_live("--load", out, "--out", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == page


def test_training_makes_a_page(tmp_path, capsys):
    run_live("--units", 8, "--epochs", 1, "--out", tmp_path / "page.html")
    assert "1/1: loss" in capsys.readouterr().out
    assert "8 units read a digit" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 1}, "input_size: the page needs 28, given 1"),
        ({"num_layers": 2}, "num_layers: the page needs 1, given 2"),
        ({"bidirectional": True}, "bidirectional: the page needs False, given True"),
        ({"readout": "all"}, "readout: the page needs 'last', given 'all'"),
    ],
)
def test_a_model_of_another_kind_is_refused(tmp_path, capsys, options, message):
    sizes = {"input_size": 28, "hidden_size": 4, "output_size": 10}
    LSTMModel(**{**sizes, **options}, rng=0).save(tmp_path / "model.npz")
    with pytest.raises(SystemExit, match="2"):
        run_live("--load", tmp_path / "model.npz", "--out", tmp_path / "page.html")
    assert message in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_what_is_no_model_is_refused(tmp_path, capsys):
    (tmp_path / "page.html").write_text("<p>another page", encoding="utf-8")
    for arguments, message in (
        (["--load", tmp_path / "page.html"], "expected a page that live.py made"),
        (["--load", tmp_path / "missing.npz"], "missing.npz"),
        (["--units", "0"], "--units: expected a whole number from 1 on, given '0'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run_live(*arguments, "--out", tmp_path / "out.html")
        assert message in capsys.readouterr().err
    model = LSTMModel(28, 4, 10, rng=0)
    model.params["head.bias"][0] = 1e5
    model.save(tmp_path / "large.npz")
    with pytest.raises(SystemExit, match="2"):
        run_live("--load", tmp_path / "large.npz", "--out", tmp_path / "out.html")
    assert "65504, the largest of float16" in capsys.readouterr().err
