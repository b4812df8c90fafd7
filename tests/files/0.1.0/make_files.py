"""Write the files of this folder with version 0.1.0, whose last commit is 8aef2da.

    git worktree add ../old 8aef2da
    PYTHONPATH=../old:../old/demos python tests/files/0.1.0/make_files.py

It was run once. What later versions make of these files is in ``test_files_of_0_1_0.py``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
TEXT = "Wer reitet so spät durch Nacht und Wind?\nEs ist der Vater mit seinem Kind;\n" * 20

MODELS = {
    "model-last": {"num_layers": 2, "bidirectional": True, "dropout": 0.25, "batch_first": True},
    "model-all": {"readout": "all", "bias": False, "dtype": "float64"},
    "model-float32": {"forget_bias": 1.0},
}
RUNS = {  # options of mnist.py
    "run-adam": "--hidden 2 --layers 2 --bidirectional --dropout 0.4",
    "run-sgd": "--hidden 3 --optimizer sgd --lr 0.5 --schedule cosine --seed 5",
    "run-adamw": "--hidden 3 --optimizer adamw --dtype float64 --clip 0 --schedule constant",
}
STEPS = 3  # of RUNS; as many more give the file NAME-later.npz
CHARACTERS = {  # options of char_lm.py
    "char-small": "--hidden 4",
    "char-two-layers": "--hidden 3 --layers 2 --seed 3",
}


def batch(model):
    """Return x, h_0 and c_0 for a model."""
    lstm = model.lstm
    rng = np.random.default_rng(1)
    state = (lstm.num_layers * lstm.directions, 5, lstm.hidden_size)
    shapes = (5, 5, lstm.input_size), state, state  # as many steps as rows, whichever come first
    return [rng.normal(size=shape).astype(lstm.dtype) for shape in shapes]


def main():
    """Write all of them."""
    import char_lm
    import mnist
    from char_lm_model import CharLM

    from npslstm import LSTMModel

    expected = {}
    for name, options in MODELS.items():
        model = LSTMModel(3, 4, 2, **options, rng=0)
        model.save(FOLDER / f"{name}.npz")
        x, *state = batch(model)
        logits, (h_n, c_n) = model(x, tuple(state))
        expected |= {f"{name}/logits": logits, f"{name}/h_n": h_n, f"{name}/c_n": c_n}
    for name, options in RUNS.items():
        path, later = FOLDER / f"{name}.npz", FOLDER / f"{name}-later.npz"
        for steps in (STEPS, 2 * STEPS):
            run = f"{options} --checkpoint {later} --resume --max-steps {steps}"
            assert mnist.main(run.split()) == 0
            if steps == STEPS:
                shutil.copy(later, path)
    text = FOLDER / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    for name, options in CHARACTERS.items():
        path = FOLDER / f"{name}.npz"
        run = f"--text {text} {options} --epochs 1 --lr 0.05 --sample 0 --save {path}"
        char_lm.main(run.split())
        lm = CharLM.load(path)
        expected[f"{name}/bits"] = np.array(lm.bits_per_character(lm.encode(TEXT)))
        expected[f"{name}/alphabet"] = np.array(lm.alphabet)
    text.unlink()
    np.savez(FOLDER / "expected.npz", **expected)
    print(json.dumps({file.name: file.stat().st_size for file in FOLDER.glob("*.npz")}, indent=1))


if __name__ == "__main__":
    main()
