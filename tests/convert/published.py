"""Numbers that the frameworks publish of their own LSTMs, with where they come from."""

from __future__ import annotations

from typing import Any

import numpy as np

# ONNX's tests of its operator: onnx/backend/test/case/node/lstm.py of github.com/onnx/onnx, at
# onnx 1.23.2 (Apache-2.0). All weights of a direction are one number. Y_h is of the last step.
ONNX: dict[str, dict[str, Any]] = {
    "test_lstm_defaults": {
        "x": [[[1, 2], [3, 4], [5, 6]]],
        "hidden": 3,
        "weight": [0.1],
        "Y_h": [[0.09524120390415192, 0.2560644745826721, 0.4032377600669861]],
    },
    "test_lstm_with_initial_bias": {
        "x": [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]],
        "hidden": 4,
        "weight": [0.1],
        "B": 0.1,  # the first half; the other is 0
        "Y_h": [[0.2560644745826721, 0.536727786064148, 0.6672132015228271]],
    },
    "test_lstm_with_peepholes": {
        "x": [[[1, 2, 3, 4], [5, 6, 7, 8]]],
        "hidden": 3,
        "weight": [0.1],
        "P": 0.1,
        "B": 0.0,
        "Y_h": [[0.37506911158561707, 0.6801308989524841]],
    },
    "test_lstm_bidirectional": {
        "x": [[[1, 2]], [[3, 4]], [[5, 6]]],
        "hidden": 3,
        "weight": [0.5, 2.0],
        "Y_h": [[0.9902244210243225], [0.9950469732284546]],
        "Y_c": [[2.7129130363464355], [2.9999771118164062]],
    },
}


def onnx_case(name):
    """Return x, the operator's arrays, and what is expected by name, (directions, N, H)."""
    case = ONNX[name]
    x = np.array(case["x"], np.float32)
    hidden, weight = case["hidden"], np.array(case["weight"], np.float32)[:, None, None]
    ones = np.ones((len(weight), 4 * hidden, 1), np.float32)
    layer = {"W": weight * ones.repeat(x.shape[2], 2), "R": weight * ones.repeat(hidden, 2)}
    if "B" in case:
        layer["B"] = np.float32(case["B"]) * np.repeat([[1, 0]], 4 * hidden, 1).astype(np.float32)
    if "P" in case:
        layer["P"] = np.full((1, 3 * hidden), case["P"], np.float32)
    expected = {
        key: np.array(case[key])[:, :, None].repeat(hidden, 2)
        for key in ("Y_h", "Y_c")
        if key in case
    }
    return x, layer, expected


# Keras's tests of its layer: keras/src/layers/rnn/lstm_test.py and bidirectional_test.py of
# github.com/keras-team/keras (Apache-2.0). x counts from 0; kernels are 0.01, recurrent kernels
# 0.02, biases 0.03, but 1 for the forget gate unless unit_forget_bias is off; h and c of a row are
# one number, unless the initial states are not.
KERAS: dict[str, dict[str, Any]] = {
    "correctness": {"x": (3, 6, 4), "hidden": 3, "h": [[0.6288687], [0.86899155], [0.9460773]]},
    "unit_forget_bias=False": {
        "x": (3, 6, 4),
        "hidden": 3,
        "forget": 0.03,
        "h": [[0.57019705], [0.8661914], [0.9459622]],
    },
    "use_bias=False": {
        "x": (3, 6, 4),
        "hidden": 3,
        "forget": None,
        "h": [[0.54986924], [0.86226785], [0.9443936]],
    },
    "pass_initial_state": {
        "x": (2, 4, 3),
        "hidden": 2,
        "state": [[[0, 1], [2, 3]]] * 2,
        "h": [[0.20574439, 0.3558822], [0.64930826, 0.66276]],
    },
    "masking": {
        "x": (2, 4, 3),
        "hidden": 2,
        "lengths": [3, 2],
        "h": [[0.11755939], [0.28556206]],
    },
    "bidirectional, return_state": {
        "x": (2, 4, 3),
        "hidden": 2,
        "directions": 2,
        "h": [[[0.1990008], [0.52335435]], [[0.12659755], [0.44717982]]],
        "c": [[[0.35567185], [1.0492687]], [[0.2501858], [0.941473]]],
    },
}


def keras_case(name):
    """Return x, the arrays of the layer, the state or None, lengths or None, and what is expected.

    States are (directions, N, H).
    """
    case = KERAS[name]
    x = np.arange(np.prod(case["x"])).reshape(case["x"]).astype(np.float32)
    hidden, directions, forget = case["hidden"], case.get("directions", 1), case.get("forget", 1.0)
    weights = [
        np.full((x.shape[2], 4 * hidden), 0.01, np.float32),
        np.full((hidden, 4 * hidden), 0.02, np.float32),
    ]
    if forget is not None:
        weights.append(np.repeat([0.03, forget, 0.03, 0.03], hidden).astype(np.float32))
    state = case.get("state")
    if state is not None:
        state = tuple(np.array([part], np.float32) for part in state)
    shape = (directions, len(x), hidden)
    expected = {
        key: np.broadcast_to(np.reshape(case[key], (directions, len(x), -1)), shape)
        for key in ("h", "c")
        if key in case
    }
    return x, weights * directions, state, case.get("lengths"), expected
