"""``demos/mnist.py`` with what cannot be: a line that says so, before or without any harm."""

from __future__ import annotations

import re
import sys

import pytest
from idx_files import write_mnist

SHORT = ("--hidden", "5", "--max-steps", "2", "--batch-size", "7")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--hidden 0", "argument --hidden: expected a whole number from 1 on, given '0'"),
        ("--layers 1.5", "argument --layers: expected a whole number from 1 on, given '1.5'"),
        ("--epochs x", "argument --epochs: expected a whole number from 1 on, given 'x'"),
        ("--batch-size -3", "argument --batch-size: expected a whole number from 1 on"),
        ("--max-steps 0", "argument --max-steps: expected a whole number from 1 on, given '0'"),
        ("--seed -1", "argument --seed: expected a whole number from 0 to 2⁶³ - 1, given '-1'"),
        (f"--seed {2**63}", "argument --seed: expected a whole number from 0 to 2⁶³ - 1"),
        ("--lr nan", "argument --lr: expected a finite number, not below 0, given 'nan'"),
        ("--lr -1", "argument --lr: expected a finite number, not below 0, given '-1'"),
        ("--clip inf", "argument --clip: expected a finite number, not below 0, given 'inf'"),
        ("--dropout 1", "argument --dropout: expected a probability in [0, 1), given '1'"),
        ("--dropout nan", "argument --dropout: expected a probability in [0, 1), given 'nan'"),
        ("--forget-bias 1e5", "argument --forget-bias: expected a number from -10⁴ to 10⁴"),
        ("--cell elman", "argument --cell: invalid choice: 'elman'"),
        ("--variant peepole", "argument --variant: invalid choice: 'peepole'"),
        ("--cell gru --variant nog", "--variant nog is one of the LSTM, so it needs --cell lstm"),
        ("--variant cifg --forget-bias 1", "--forget-bias: expected 0, because 'cifg' has no"),
        ("--cell rnn --forget-bias 2", "--forget-bias: expected 0, because 'rnn' has no forget"),
        ("--variant nog --torch", "--torch needs --variant standard, the only one that PyT"),
        ("--variant nog --export a.onnx", "--export needs --cell lstm, and a --variant of standa"),
        ("--explain -1", "argument --explain: expected a whole number from 0 on, given '-1'"),
        ("--view columns", "argument --view: invalid choice: 'columns'"),
        ("--optimizer lbfgs", "argument --optimizer: invalid choice: 'lbfgs'"),
        ("--schedule step", "argument --schedule: invalid choice: 'step'"),
        ("--dtype float16", "argument --dtype: invalid choice: 'float16'"),
        ("--wings", "unrecognized arguments: --wings"),
        ("--dropout 0.5", "--dropout acts between layers, so it needs --layers 2 or more"),
        ("--download", "--download needs --data ROOT, the folder to put the files in"),
        ("--resume", "--resume needs --checkpoint PATH"),
        ("--checkpoint-every 5", "--checkpoint-every needs --checkpoint PATH"),
        ("--checkpoint a --checkpoint-every 0", "argument --checkpoint-every: expected a whole"),
        ("--checkpoint a --checkpoint-every -5", "argument --checkpoint-every: expected a whole"),
        ("--checkpoint no/a.npz", "argument --checkpoint: 'no/a.npz': there is no folder no"),
        ("--checkpoint .", "argument --checkpoint: '.': is a folder"),
        ("--checkpoint /dev/null", "argument --checkpoint: '/dev/null': not a regular file"),
        (
            f"--checkpoint {'n' * 300}",
            f"argument --checkpoint: '{'n' * 30}'… of 300 characters: File",
        ),
        ("--checkpoint a --torch", "--checkpoint: training in PyTorch is not saved"),
        ("--device cuda", "--device needs --torch"),
        ("--parity-steps 3", "--parity-steps needs --torch"),
        ("--export a.npz", "argument --export: expected a path that ends in .onnx, given 'a.npz'"),
        ("--export no/a.onnx", "argument --export: 'no/a.onnx': there is no folder no"),
        ("--export a.onnx --dtype float64", "--export needs --dtype float32, given float64"),
        ("--export a.onnx", "--export: onnx is not installed: python -m pip install onnx"),
        ("--plot a.bmp", "argument --plot: expected a path that ends in .png or .svg or .pdf"),
        ("--plot /dev/null/a.png", "argument --plot: '/dev/null/a.png': Not a directory"),
        ("--hidden 1000000000000", "argument --hidden: expected at most 10,000, given"),
        (f"--max-steps {'9' * 23}", "argument --max-steps: expected at most 1,000,000,000, given"),
    ],
)
def test_wrong_options_are_told_before_anything_is_done(
    demo, tmp_path, monkeypatch, capsys, options, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)  # not installed
    with pytest.raises(SystemExit) as ended:
        demo.main(options.split())
    printed, errors = capsys.readouterr()
    assert (ended.value.code, printed) == (2, "")
    assert errors.splitlines()[-1].split("error: ")[1].startswith(said)
    assert list(tmp_path.iterdir()) == []


def refusal(demo, capsys, *options):
    """Return the one line that a run ends with which fails."""
    try:
        status, said = demo.main([*SHORT, *options]), ""
    except SystemExit as ended:
        status, said = 1, f"{ended.code}\n"  # Python prints a text, and the status is 1
    errors = capsys.readouterr().err + said
    assert status == 1
    assert errors.count("\n") == 1
    return errors


def test_data_that_is_not_there(demo, tmp_path, capsys):
    said = refusal(demo, capsys, "--data", str(tmp_path))
    assert said.startswith(f"{tmp_path / 'MNIST' / 'raw'}: no train-images-idx3-ubyte")
    assert "--download" in said
    assert "5,000 images" in said


def test_data_that_is_not_mnist(demo, tmp_path, capsys):
    write_mnist(tmp_path, gz=False)
    said = refusal(demo, capsys, "--data", str(tmp_path))
    assert "train-images-idx3-ubyte: wrong checksum" in said


def test_a_download_without_torchvision(demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    said = refusal(demo, capsys, "--data", str(tmp_path), "--download")
    assert "needs torchvision" in said
    assert "5,000 images" in said
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_is_not_there(demo, capsys):
    said = refusal(demo, capsys, "--explain", "20")
    assert said == "--explain: expected a test image from 0 to 19, given 20\n"


def test_numbers_that_are_not_finite(demo, capsys):
    options = "--optimizer sgd --schedule constant --clip 0 --lr 3e38 --max-steps 100"
    said = refusal(demo, capsys, *options.split())
    assert re.match(r"step \d+: .*", said)


def test_more_memory_than_there_is(demo, monkeypatch, capsys):
    def run_out(*args, **options):
        raise MemoryError

    monkeypatch.setattr(demo, "LSTMModel", run_out)
    assert refusal(demo, capsys) == "MemoryError\n"


def test_a_picture_that_can_no_longer_be_written(demo, tmp_path, monkeypatch, capsys):
    def draw(*args):
        (tmp_path / "folder").touch()  # since the options were read
        return demo.plotting.figure()[0]

    monkeypatch.setattr(demo.mnist_pictures, "overview", draw)
    said = refusal(demo, capsys, "--plot", str(tmp_path / "folder" / "a.png"))
    assert str(tmp_path / "folder") in said
