"""``demos/mnist.py``: what it prints, and what its options do."""

from __future__ import annotations

import importlib.util
import math
import re
import sys

import numpy as np
import pytest
from idx_files import md5_sums, write_mnist
from mnist_runs import SMALL, on_a_terminal, run

from npslstm import LSTMModel, datasets
from npslstm.checkpoint import load_checkpoint
from npslstm.training.learning_rate import cosine, one_cycle

SHORT = ("--hidden", "5", "--max-steps", "2", "--batch-size", "7")  # 30 images: 5 steps an epoch
EPOCH = r"epoch  1/12: loss \d\.\d{4}, accuracy \d+\.\d\d%, gradient norm <= \d\.\d+"


@pytest.fixture
def train(demo, tmp_path, capsys):
    """Run two short steps; return what was printed, and the checkpoint."""

    def train(options=""):
        path = tmp_path / "run.npz"
        assert demo.main([*SHORT, "--checkpoint", str(path), *options.split()]) == 0
        printed, errors = capsys.readouterr()
        assert errors == ""
        return printed, load_checkpoint(path)

    return train


# What it prints


SUMMARISED = [f"lstm.{part}_{of}_l0" for part in ("weight", "bias") for of in ("ih", "hh")]
SUMMARISED += ["head.weight", "head.bias"]


def test_a_run_says_what_it_does_in_this_order(tmp_path):
    picture = tmp_path / "new folder" / "picture.png"
    completed = run(*SMALL, "--max-steps", 2, "--plot", picture, "--explain", 3)
    expected = [
        "Data:       MNIST, 5,000 embedded images, 4,000 images to learn from, 1,000 to test",
        "View:       rows, 28 steps of 28",
        "Model:      LSTM, 1 × 6 units, one direction, dropout 0, and a linear head: "
        "934 parameters",  # 24 · (28 + 6) weights, 2 · 24 biases, 10 · 6 + 10 in the head
        " +LSTMModel +shape +numbers",
        *(rf" +{name} +\([\d, ]+\) +\d+" for name in SUMMARISED),
        " +in all +934 parameters",
        " +kept for backward: [0-9,]+ bytes a step",
        "Optimiser:  adam, one-cycle schedule up to lr 0.005, gradient clipped at 1, 12 epochs, "
        "32 images a step",
        "Seed:       0",
        "Dtype:      float32; BLAS threads",
        EPOCH,
        r"Test accuracy: \d+\.\d\d% \(\d+ of 1,000 wrong\)",
        r"Time: \d+\.\d s of training, 2 steps",
        rf"wrote {re.escape(str(picture))} \(\d+ kB\)",
        rf"wrote {re.escape(str(picture.with_name('mnist_explain_3.png')))} \(\d+ kB\)",
    ]
    printed = completed.stdout.splitlines()
    for line, pattern in zip(printed, expected, strict=True):
        assert re.match(pattern, line) or line.startswith(pattern), line
    assert (completed.returncode, completed.stderr) == (0, "")
    assert [path.suffix for path in picture.parent.iterdir()] == [".png", ".png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in picture.parent.iterdir())


def test_on_a_terminal_each_epoch_has_one_bar():
    printed, shown = on_a_terminal(*SMALL, "--epochs", 2, "--max-steps", 130)
    assert "epoch" not in printed.split("Seed:")[1]
    first, second = (line.split("\r")[-1] for line in shown.strip().split("\n"))
    result = r"loss \d\.\d{4}, accuracy \d+\.\d\d%, gradient norm <= [\d.]+"
    assert re.fullmatch(rf"epoch  1/2 \|█+\| 125/125 00:00, {result}", first), first
    assert re.fullmatch(rf"epoch  2/2 \|.+\| 5/125 \d\d:\d\d, {result}", second), second


def test_without_tqdm_a_terminal_gets_lines(demo, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert demo.main([*SHORT]) == 0
    printed, errors = capsys.readouterr()
    assert re.search(EPOCH, printed)
    assert errors == ""


# What its options do


def shape(name):
    return lambda checkpoint: checkpoint.params[f"lstm.{name}"].shape


def dtypes(checkpoint):
    return {str(param.dtype) for param in checkpoint.params.values()}


def moments(checkpoint):
    return {name.split(".")[0] for name in checkpoint.optimizer_state} - {"steps", "lr", "settings"}


def rate(checkpoint):
    """After the second of 15 steps, the third's."""
    return checkpoint.optimizer_state["lr"]


@pytest.mark.parametrize(
    ("options", "said", "look", "expected"),
    [
        ("--view rows", "rows, 28 steps of 28", shape("weight_ih_l0"), (20, 28)),
        ("--view pixels", "pixels, 784 steps of 1", shape("weight_ih_l0"), (20, 1)),
        ("--view permuted", "permuted, 784 steps of 1", shape("weight_ih_l0"), (20, 1)),
        ("--view flat", "flat, 1 steps of 784", shape("weight_ih_l0"), (20, 784)),
        ("--hidden 3", "1 × 3 units", shape("weight_hh_l0"), (12, 3)),
        ("--layers 2", "2 × 5 units", shape("weight_ih_l1"), (20, 5)),
        ("--cell gru", "Model:      GRU, ", shape("weight_hh_l0"), (15, 5)),
        ("--cell rnn", "Model:      RNN, ", shape("weight_hh_l0"), (5, 5)),
        ("--variant peephole", "Model:      peephole LSTM, ", shape("weight_ci_l0"), (5,)),
        ("--variant nfg", "Model:      nfg LSTM, ", shape("weight_hh_l0"), (15, 5)),
        ("--bidirectional", "both directions", shape("weight_ih_l0_reverse"), (20, 28)),
        ("--layers 2 --dropout 0.5", "dropout 0.5", shape("weight_ih_l1"), (20, 5)),
        ("--dtype float32", "Dtype:      float32;", dtypes, {"float32"}),
        ("--dtype float64", "Dtype:      float64;", dtypes, {"float64"}),
        ("--optimizer sgd", "Optimiser:  sgd, ", moments, set()),
        ("--optimizer adam", "Optimiser:  adam, ", moments, {"m", "v"}),
        ("--optimizer adamw", "Optimiser:  adamw, ", moments, {"m", "v"}),
        ("--schedule constant --lr 0.25 --epochs 3", "constant schedule up to lr 0.25", rate, 0.25),
        ("--schedule cosine --epochs 3", "cosine schedule", rate, cosine(0.005, 15)(1)),
        ("--schedule one-cycle --epochs 3", "one-cycle schedule", rate, one_cycle(0.005, 15)(1)),
    ],
)
def test_an_option_is_said_and_done(train, options, said, look, expected):
    printed, checkpoint = train(options)
    assert said in printed
    assert look(checkpoint) == expected
    count = sum(param.size for param in checkpoint.params.values())
    assert f"head: {count:,} parameters" in printed


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ("--view pixels", "--view permuted"),
        ("--layers 2", "--layers 2 --dropout 0.5"),
        ("--optimizer adam", "--optimizer adamw"),
    ],
)
def test_an_option_shows_in_the_weights(train, options, others):
    one, other = (train(f"--lr 1 {given}")[1].params for given in (options, others))
    assert not np.allclose(one["lstm.weight_ih_l0"], other["lstm.weight_ih_l0"])
    assert not np.allclose(one["head.weight"], other["head.weight"])


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_seed_and_forget_bias_where_nothing_is_learnt(train, seed):
    printed, checkpoint = train(f"--lr 0 --seed {seed} --forget-bias -2.5")
    assert f"Seed:       {seed}\n" in printed
    expected = LSTMModel(28, 5, 10, forget_bias=-2.5, rng=seed).params
    for name, param in checkpoint.params.items():
        np.testing.assert_array_equal(param, expected[name], name)


@pytest.mark.parametrize(
    ("options", "bias"),
    [("", 1), ("--variant nog", 1), ("--variant cifg", 0), ("--cell gru", 0), ("--cell rnn", 0)],
)
def test_the_forget_bias_is_1_where_there_is_a_forget_gate(train, options, bias):
    checkpoint = train(f"--lr 0 {options}")[1]
    assert checkpoint.config["forget_bias"] == bias


@pytest.mark.parametrize("options", ["--cell rnn", "--cell gru", "--variant nfg"])
def test_every_kind_of_cell_is_drawn(demo, tmp_path, options):
    path = tmp_path / "a.svg"
    assert demo.main([*SHORT, *options.split(), "--plot", str(path), "--explain", "0"]) == 0
    assert path.exists()


def test_a_seed_decides_the_order_of_the_images(train):
    starts = [LSTMModel(28, 5, 10, forget_bias=1.0, rng=seed).params for seed in (0, 1)]
    trained = [train(f"--seed {seed}")[1].params for seed in (0, 1)]
    moves = [p["head.bias"] - s["head.bias"] for p, s in zip(trained, starts, strict=True)]
    assert not np.allclose(*moves)


@pytest.mark.parametrize(("clip", "said"), [("1e-4", "clipped at 0.0001"), ("0", "not clipped")])
def test_clip(train, clip, said):
    """One step of gradient descent with lr 1 is as long as the gradient."""
    options = f"--optimizer sgd --schedule constant --lr 1 --dtype float64 --clip {clip}"
    printed, checkpoint = train(f"{options} --max-steps 1")
    assert f"gradient {said}" in printed
    start = LSTMModel(28, 5, 10, forget_bias=1.0, dtype="float64", rng=0).params
    moved = math.hypot(*(np.linalg.norm(p - start[n]) for n, p in checkpoint.params.items()))
    norm = float(re.search(r"gradient norm <= (\S+)", printed)[1])
    assert norm > 0.01
    assert moved == pytest.approx(float(clip) or norm, rel=0.02)


def test_epochs_batches_and_steps(train):
    printed, checkpoint = train("--epochs 3 --max-steps 1000")
    assert "3 epochs, 7 images a step" in printed
    assert re.findall(r"^epoch +(\S+):", printed, re.MULTILINE) == ["1/3", "2/3", "3/3"]
    assert "training, 15 steps" in printed
    assert checkpoint.progress.step == 15


def test_the_norm_that_is_shown_is_the_largest_of_the_epoch(demo, capsys):
    class Record:
        steps_per_epoch, epoch_loss, epoch_accuracy = 2, 1.0, 0.5

        def __init__(self, step, norm):
            self.step, self.epoch, self.grad_norm = step, (step + 1) // 2, norm
            self.ends_epoch = step % 2 == 0

    with demo.Display(2) as display:
        for step, norm in enumerate([5e7, 1.0, 2.0, 3.0], start=1):
            display.show(Record(step, norm), False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("gradient norm <= 5e+07")
    assert second.endswith("gradient norm <= 3")


@pytest.fixture
def plain_pictures(demo, monkeypatch):
    """Pictures that are drawn at once, where only their files matter."""
    for name in ("overview", "explain"):
        monkeypatch.setattr(demo.mnist_pictures, name, lambda *args: demo.plotting.figure()[0])


@pytest.mark.parametrize("plot", ["a.png", "b.SVG", "c.pdf"])
def test_pictures_lie_side_by_side(demo, plain_pictures, tmp_path, plot):
    path = tmp_path / "folder" / plot
    assert demo.main([*SHORT, "--plot", str(path), "--explain", "19"]) == 0
    names = {file.name for file in path.parent.iterdir()}
    assert names == {plot, "mnist_explain_19.png"}


def test_an_explanation_alone_goes_into_the_folder_one_is_in(
    demo, plain_pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert demo.main([*SHORT, "--explain", "0"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["mnist_explain_0.png"]


@pytest.mark.frameworks
def test_the_exported_model_reads_the_same_digits(demo, onnxruntime, tmp_path, train):
    path = tmp_path / "digits.onnx"
    printed, checkpoint = train(f"--export {path}")
    assert f"wrote {path} (" in printed
    model = LSTMModel(28, 5, 10, batch_first=True)
    model.load_params(checkpoint.params)
    x = datasets.as_sequences(demo.load_embedded().test_images)
    zeros = np.zeros((1, len(x), 5), np.float32)
    given = {"x": x, "lengths": np.full(len(x), 28, np.int32), "h_0": zeros, "c_0": zeros}
    [logits] = onnxruntime.InferenceSession(path).run(["logits"], given)
    np.testing.assert_allclose(logits, model(x)[0], rtol=0, atol=2e-6)


def test_data_of_ones_own(demo, tmp_path, monkeypatch, capsys):
    """Neither --download nor the network is needed where the files are."""
    _, files = write_mnist(tmp_path, gz=True)
    monkeypatch.setattr(datasets.mnist, "_MD5", md5_sums(files))
    options = f"--hidden 5 --max-steps 1 --data {tmp_path} --download"
    assert demo.main(options.split()) == 0
    printed, errors = capsys.readouterr()
    assert f"MNIST from {tmp_path / 'MNIST' / 'raw'}, 30 images to learn from, 20" in printed
    assert "10 epochs, 128 images a step" in printed
    assert errors == ""
