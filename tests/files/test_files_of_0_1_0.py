"""Files that version 0.1.0 wrote load, and give the numbers that they gave there.

``0.1.0/make_files.py`` wrote them. What such a file does not say means what was so in 0.1.0.
"""

import shutil
import sys
from pathlib import Path

import mnist
import numpy as np
import pytest
from parts.char_lm.model import CharLM

from npslstm import LSTMModel
from npslstm.checkpoint import load_checkpoint

FOLDER = Path(__file__).parent / "0.1.0"
sys.path.insert(0, str(FOLDER))
from make_files import CHARACTERS, MODELS, RUNS, STEPS, TEXT, batch  # noqa: E402

TOLERANCE = {"int64": 0, "float64": 1e-12, "float32": 1e-6}  # another BLAS adds in another order
DRIFT = TOLERANCE | {
    "float64": 1e-9,
    "float32": 1e-4,
}  # after STEPS steps of training, which amplify it


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "expected.npz") as file:
        return dict(file)


def assert_close(array, expected, tolerance):
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    error = np.linalg.norm(array - expected)
    assert error <= tolerance[str(array.dtype)] * np.linalg.norm(expected)


@pytest.mark.parametrize("name", MODELS)
def test_models(expected, name):
    model = LSTMModel.load(FOLDER / f"{name}.npz")
    x, *state = batch(model)
    logits, (h_n, c_n) = model(x, tuple(state))
    for part, array in {"logits": logits, "h_n": h_n, "c_n": c_n}.items():
        assert_close(array, expected[f"{name}/{part}"], TOLERANCE)


@pytest.mark.parametrize("name", RUNS)
def test_checkpoints_go_on_in_mnist_as_they_did(tmp_path, name):
    path = shutil.copy(FOLDER / f"{name}.npz", tmp_path / "run.npz")
    run = f"{RUNS[name]} --checkpoint {path} --resume --max-steps {2 * STEPS}"
    assert mnist.main(run.split()) == 0
    ours, theirs = load_checkpoint(path), load_checkpoint(FOLDER / f"{name}-later.npz")
    assert ours.progress.step == theirs.progress.step == 2 * STEPS
    for group in ("params", "optimizer_state"):
        for key, array in getattr(theirs, group).items():
            assert_close(getattr(ours, group)[key], array, DRIFT)


@pytest.mark.parametrize("name", CHARACTERS)
def test_character_models(expected, name):
    lm = CharLM.load(FOLDER / f"{name}.npz")
    assert lm.alphabet == expected[f"{name}/alphabet"]
    bits = lm.bits_per_character(lm.encode(TEXT))
    assert bits == pytest.approx(float(expected[f"{name}/bits"]), rel=1e-6)
