"""Our outputs and gradients against PyTorch's, kept in a file: no PyTorch is needed.

golden/make_golden.py wrote the file, and says what is in it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import npslstm

FOLDER = Path(__file__).parent / "golden"
sys.path.insert(0, str(FOLDER))
from make_golden import CASES, solve  # noqa: E402

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}  # ‖ours - theirs‖ / ‖theirs‖


def load(case):
    """Read the groups of one case."""
    groups = {}
    with np.load(FOLDER / "torch.npz", allow_pickle=False) as file:
        assert json.loads(str(file[f"{case}/options"])) == CASES[case]
        for key in file.files:
            if key.startswith(f"{case}/") and key.count("/") == 2:
                _, group, name = key.split("/")
                groups.setdefault(group, {})[name] = file[key]
    return groups


def solve_here(options, params, inputs, upstream):
    """Calculate the groups results and gradients with npslstm."""
    options = dict(options)
    kind, ragged = options.pop("kind", "LSTM"), inputs.get("lengths")
    for name in ("batched", "lengths"):
        options.pop(name, None)
    classes = [len(params["head.weight"])] if kind == "LSTMModel" else []
    dtype = options.pop("dtype", "float64")
    hidden, features = inputs["h_0"].shape[-1], inputs["x"].shape[-1]
    net = getattr(npslstm, kind)(features, hidden, *classes, **options, dtype=dtype)
    net.load_params(params)

    x, *state = (inputs[name] for name in ("x", "h_0", "c_0"))
    dstate = upstream["h_n"], upstream["c_n"]
    if kind == "LSTMCell":
        (h_n, c_n), cache = net.forward(x, state)
        results = {"h_n": h_n, "c_n": c_n}
        dx, (dh_0, dc_0), grads = net.backward(cache, dstate)
    else:
        masks = inputs.get("masks")
        masks = None if masks is None else tuple(masks)
        out, (h_n, c_n), cache = net.forward(x, state, lengths=ragged, dropout_masks=masks)
        results = {"out": out, "h_n": h_n, "c_n": c_n}
        dout = upstream.get("out")
        if kind == "LSTMModel":
            valid = None
            if net.readout == "all":
                valid = cache.lstm.layout.valid_steps()
            results["loss"], dout = npslstm.cross_entropy(out, upstream["labels"], valid)
        dx, (dh_0, dc_0), grads = net.backward(cache, dout, dstate)
    return {"results": results, "gradients": {"x": dx, "h_0": dh_0, "c_0": dc_0, **grads}}


def assert_equal(ours, theirs, tolerance):
    for group in ("results", "gradients"):
        assert ours[group].keys() == theirs[group].keys()
        for name, expected in theirs[group].items():
            array = ours[group][name]
            assert array.shape == expected.shape
            assert array.dtype == expected.dtype
            error = np.linalg.norm(array - expected) / np.linalg.norm(expected)
            assert error <= tolerance, f"{group}, {name}: {array} expected {expected}"


@pytest.mark.parametrize("case", CASES)
def test_npslstm_gives_what_pytorch_gave(case):
    golden, options = load(case), CASES[case]
    given = {name: golden[name] for name in ("params", "inputs", "upstream")}
    assert_equal(solve_here(options, **given), golden, TOLERANCE[options.get("dtype", "float64")])


@pytest.mark.torch
@pytest.mark.parametrize("case", CASES)
def test_the_file_is_what_pytorch_gives(torch, case):
    golden, options = load(case), CASES[case]
    given = {name: golden[name] for name in ("params", "inputs", "upstream")}
    again = solve(torch, options, **given)
    assert_equal(again, golden, TOLERANCE[options.get("dtype", "float64")])
