"""Make the page: a model's weights as float16, twelve digits, the words of the equations, one file.

The page's script runs the model in float64 on the float16 weights; ``read_model`` gives the very
same model back, to be compared, or to make the page again after its parts have changed.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from pathlib import Path

import numpy as np

from npslstm import LSTMModel, gates
from npslstm.cells.equations import equations
from npslstm.datasets import MNIST, as_sequences
from npslstm.training import evaluate
from parts.page.assemble import assemble

__all__ = ["SCRIPTS", "build", "page_data", "read_model", "rounded", "words"]

HERE = Path(__file__).parent
SCRIPTS = (  # in the order in which they stand in the page
    "lstm.js",
    "numbers.js",
    "equations.js",
    "cell.js",
    "views.js",
    "time.js",
    "ink.js",
    "page.js",
    "controls.js",
)
PIXELS, CLASSES = 28, 10


def build(model: LSTMModel, data: MNIST) -> str:
    """Return the page.

    Parameters
    ----------
    model : LSTMModel
        One standard layer in one direction from 28 pixels to 10 classes, read from the last step.
    data : MNIST
        Whose test images the page shows, and is judged by.

    Raises
    ------
    ValueError
        If the model is of another kind.
    """
    check(model)
    model = rounded(model)
    as_rows = functools.partial(as_sequences, dtype=model.lstm.dtype)
    result = evaluate(model, data.test_images, data.test_labels, transform=as_rows)
    chosen = twelve(result.logits, data.test_labels)
    parts = {
        "css": (HERE / "live.css").read_text("utf-8").strip(),
        "js": "\n".join(script(name) for name in SCRIPTS),
        "units": str(model.lstm.hidden_size),
        "accuracy": f"{100 * result.accuracy:.1f}\N{NO-BREAK SPACE}%",
        "tested": f"{len(data.test_labels):,} images",
        "data": json.dumps(page_data(model, data, chosen), ensure_ascii=False),
    }
    return assemble((HERE / "template.html").read_text("utf-8"), parts)


def check(model: LSTMModel) -> None:
    """Refuse a model that the page's script does not know how to run.

    Raises
    ------
    ValueError
        That says what was expected and what came.
    """
    config = model.config
    for name, expected in {
        "input_size": PIXELS,
        "output_size": CLASSES,
        "num_layers": 1,
        "bidirectional": False,
        "bias": True,
        "readout": "last",
        "cell": "lstm",
        "variant": "standard",
        "proj_size": 0,
    }.items():
        if config.get(name, expected) != expected:
            raise ValueError(
                f"{name}: the page needs {expected!r}, given {config[name]!r}; "
                "`python demos/mnist.py --hidden 64` trains such a model"
            )


def script(name: str) -> str:
    """Return a script, without the strictness that the first of them declares for all."""
    return (HERE / name).read_text("utf-8").removeprefix('"use strict";\n').strip()


def page_data(model: LSTMModel, data: MNIST, chosen: list[int]) -> dict[str, object]:
    """Return what the page's script reads: numbers as base64, labels, words."""
    images, labels = data.test_images[chosen], data.test_labels[chosen]
    weights = b"".join(array.astype("<f2").tobytes() for array in arrays(model))
    return {
        "D": PIXELS,
        "H": model.lstm.hidden_size,
        "K": CLASSES,
        "weights": base64.b64encode(weights).decode(),
        "images": base64.b64encode(images.tobytes()).decode(),
        "labels": labels.tolist(),
        "words": words(),
    }


def arrays(model: LSTMModel) -> list[np.ndarray]:
    """Return weight_ih, weight_hh, bias (the two as their sum), and the head's weight and bias."""
    p = model.params
    bias = p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]
    lstm = [p["lstm.weight_ih_l0"], p["lstm.weight_hh_l0"], bias]
    return [*lstm, p["head.weight"], p["head.bias"]]


def rounded(model: LSTMModel) -> LSTMModel:
    """Return the model in float64, with its weights rounded to float16 as the page has them.

    Raises
    ------
    ValueError
        If a weight is too large for float16, or not a number.
    """
    if not all(np.abs(array).max() <= np.finfo(np.float16).max for array in arrays(model)):
        raise ValueError("weights: expected numbers up to 65504, the largest of float16")
    return _model(*(array.astype(np.float16) for array in arrays(model)))


def read_model(page: str) -> LSTMModel:
    """Return the model of a page that :func:`build` made.

    Raises
    ------
    ValueError
        If it is another page.
    """
    found = re.search(r'<script id="data" type="application/json">(.*)</script>', page)
    if not found:
        raise ValueError("expected a page that live.py made: it has no data")
    data = json.loads(found[1])
    D, H, K = (data[name] for name in "DHK")
    shapes = [(4 * H, D), (4 * H, H), (4 * H,), (K, H), (K,)]
    numbers = np.frombuffer(base64.b64decode(data["weights"]), "<f2")
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    pieces = np.split(numbers, ends[:-1])
    return _model(*(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)))


def _model(weight_ih, weight_hh, bias, head, head_bias) -> LSTMModel:
    model = LSTMModel(weight_ih.shape[1], len(bias) // 4, len(head_bias), dtype=np.float64, rng=0)
    params = {
        "lstm.weight_ih_l0": weight_ih,
        "lstm.weight_hh_l0": weight_hh,
        "lstm.bias_ih_l0": bias,
        "lstm.bias_hh_l0": np.zeros_like(bias),
        "head.weight": head,
        "head.bias": head_bias,
    }
    model.load_params({name: array.astype(np.float64) for name, array in params.items()})
    return model


def twelve(logits: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return the places of twelve digits: 0 to 9, the surest mistake, the closest right answer."""
    of_label = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    others = np.where(np.arange(CLASSES) == labels[:, None], -np.inf, logits)
    lead = of_label - others.max(axis=1)  # of the right class; below 0 where the answer is wrong
    plain = [int(np.flatnonzero(labels == k)[(lead[labels == k] < 0).argmin()]) for k in range(10)]
    worst, *rest = np.argsort(lead)
    close = next((n for n in rest if lead[n] > 0), rest[0])
    return [*plain, int(worst), int(close)]


def words() -> dict[str, str]:
    """Return what the docstring of ``gates.py`` says of each equation, by its left side.

    That is what stands behind it: "(3)  f = σ(a_f)    forget gate: how much of the old memory …".
    """
    return {name: found.remark for name, found in equations(gates.__doc__).items()}
