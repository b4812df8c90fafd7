"""``export_onnx``: a whole model as one file, and what onnxruntime makes of it."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from test_onnx_arrays import CONVERTED

from npslstm import LSTM, LSTMModel
from npslstm.convert import export_onnx, to_onnx

TOLERANCE = 2e-6  # float32, here and there
LENGTHS = np.array([9, 3, 7, 1, 9, 5], np.int32)


def test_what_cannot_be_exported_is_refused_first(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # not even needed for that
    path = tmp_path / "model.onnx"
    with pytest.raises(TypeError, match=r"model: expected float32.*given float64; use export_onnx"):
        export_onnx(LSTMModel(3, 4, 2, dtype="float64"), path)
    with pytest.raises(TypeError, match=r"model: expected an LSTMModel, given LSTM$"):
        export_onnx(LSTM(3, 4), path)
    with pytest.raises(TypeError, match=r"model: expected one with cell=\"lstm\".*'gru'"):
        export_onnx(LSTMModel(3, 4, 2, cell="gru"), path)
    with pytest.raises(ValueError, match=r"which is what ONNX's LSTM has, given 'nog'"):
        export_onnx(LSTMModel(3, 4, 2, variant="nog"), path)
    assert not path.exists()


def test_without_onnx_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"^onnx is not installed: python -m pip install"):
        export_onnx(LSTMModel(3, 4, 2), tmp_path / "model.onnx")


@pytest.fixture
def session(onnxruntime, tmp_path):
    """Return what exports a model and gives what runs the file."""

    def make(model):
        path = tmp_path / "model.onnx"
        export_onnx(model, path)
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    return make


def draw(model, rows=6, steps=9):
    lstm, rng = model.lstm, np.random.default_rng(0)
    shape = (rows, steps) if lstm.batch_first else (steps, rows)
    x = rng.normal(size=(*shape, lstm.input_size)).astype(np.float32)
    states = (2, lstm.num_layers * lstm.directions, rows, lstm.hidden_size)
    return x, *rng.normal(size=states).astype(np.float32)


def both(model, session, lengths):
    """Return logits, h_n, c_n of the file, and ours."""
    x, h_0, c_0 = draw(model, len(lengths))
    given = {"x": x, "lengths": lengths, "h_0": h_0, "c_0": c_0}
    theirs = session.run(["logits", "h_n", "c_n"], given)
    logits, state = model(x, (h_0, c_0), lengths=lengths)
    return theirs, [logits, *state]


@pytest.mark.frameworks
@pytest.mark.parametrize("variant", CONVERTED)
@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_onnxruntime_gives_the_same(session, variant, readout, layers):
    for bias, batch_first, bidirectional in itertools.product([False, True], repeat=3):
        model = LSTMModel(
            *(5, 16, 7, layers, bias, batch_first),
            bidirectional=bidirectional,
            readout=readout,
            variant=variant,
            rng=1,
        )
        run = session(model)
        for lengths in (LENGTHS, LENGTHS[:1]):  # the batch is free
            for theirs, ours in zip(*both(model, run, lengths), strict=True):
                assert theirs.shape == ours.shape
                assert theirs.dtype == ours.dtype
                np.testing.assert_allclose(theirs, ours, rtol=0, atol=TOLERANCE)
        x, h_0, c_0 = draw(model, steps=2)  # and so is the time
        whole = np.full(6, 2, np.int32)
        logits = run.run(["logits"], {"x": x, "lengths": whole, "h_0": h_0, "c_0": c_0})[0]
        np.testing.assert_allclose(logits, model(x, (h_0, c_0))[0], rtol=0, atol=TOLERANCE)


@pytest.mark.frameworks
def test_the_file_says_what_goes_in_and_out(session):
    run = session(LSTMModel(5, 16, 7, 2, batch_first=True, readout="all"))
    declared = [*run.get_inputs(), *run.get_outputs()]
    assert [(value.name, value.type, value.shape) for value in declared] == [
        ("x", "tensor(float)", ["N", "T", 5]),
        ("lengths", "tensor(int32)", ["N"]),
        ("h_0", "tensor(float)", [2, "N", 16]),
        ("c_0", "tensor(float)", [2, "N", 16]),
        ("logits", "tensor(float)", ["N", "T", 7]),
        ("h_n", "tensor(float)", [2, "N", 16]),
        ("c_n", "tensor(float)", [2, "N", 16]),
    ]


@pytest.mark.frameworks
def test_a_length_of_0_ends_in_0_in_onnxruntime(session):
    model = LSTMModel(5, 16, 7, rng=0)
    (_, h_n, c_n), (_, our_h, _) = both(model, session(model), np.array([9, 0], np.int32))
    assert not h_n[0, 1].any()
    assert not c_n[0, 1].any()
    _, h_0, _ = draw(model, 2)
    np.testing.assert_array_equal(our_h[0, 1], h_0[0, 1])


@pytest.mark.frameworks
@pytest.mark.parametrize("what", ["double", "layout"])
def test_onnxruntime_refuses_doubles_and_batch_first(onnx, onnxruntime, what):
    """If this fails, onnxruntime has learnt it, and the docstrings have to be changed."""
    floats = onnx.TensorProto.DOUBLE if what == "double" else onnx.TensorProto.FLOAT
    dtype = "float64" if what == "double" else "float32"
    [layer] = to_onnx(LSTM(3, 4, dtype=dtype, rng=0))
    helper = onnx.helper
    node = helper.make_node(
        "LSTM", ["X", "W", "R", "B"], ["Y"], hidden_size=4, layout=int(what == "layout")
    )
    x = helper.make_tensor_value_info("X", floats, ["a", "b", 3])
    y = helper.make_tensor_value_info("Y", floats, [None] * 4)
    weights = [onnx.numpy_helper.from_array(array, key) for key, array in layer.items()]
    graph = helper.make_graph([node], "one", [x], [y], weights)
    opset = [helper.make_opsetid("", 14)]
    proto = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(proto, full_check=True)  # ONNX itself has both
    with pytest.raises(Exception, match=r"does not support double|[Bb]atchwise"):
        onnxruntime.InferenceSession(proto.SerializeToString()).run(
            None, {"X": np.ones((2, 2, 3), dtype)}
        )


@pytest.mark.frameworks
def test_what_was_there_stays_if_exporting_fails(onnx, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def refuse(*_, **__):
        raise onnx.checker.ValidationError("wrong")

    def no_space(*_):
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(onnx.checker, "check_model", refuse)
        with pytest.raises(onnx.checker.ValidationError):
            export_onnx(LSTMModel(3, 4, 2, rng=0), path)
    with monkeypatch.context() as broken:
        broken.setattr("os.replace", no_space)  # the last thing that can fail
        with pytest.raises(OSError, match="no space"):
            export_onnx(LSTMModel(3, 4, 2, rng=0), path)
    assert path.read_bytes() == b"old"
    export_onnx(LSTMModel(3, 4, 2, rng=0), path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
