"""A trained model as one file that any ONNX runtime runs. Needs the package ``onnx``.

onnx is imported inside functions alone, so that the rest of the folder needs NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Array
from ..files import replacing
from ..files.atomic import PathLike
from ..lstm import LSTM
from ..model import LSTMModel
from .onnx_arrays import to_onnx

__all__ = ["export_onnx", "import_onnx"]

OPSET, IR_VERSION = 14, 8  # of 2021 and 2022: the newest that are needed, so older runtimes go, too


def import_onnx() -> Any:
    """Return the module onnx.

    Raises
    ------
    ModuleNotFoundError
        Without it, with one line that says how to install it.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ModuleNotFoundError(
            "onnx is not installed: python -m pip install onnx (or: pip install 'npslstm[onnx]')",
            name="onnx",
        ) from error
    return onnx


def export_onnx(model: LSTMModel, path: PathLike) -> None:
    """Write LSTM and head as one ONNX file, once onnx's own checker has found it right.

    Parameters
    ----------
    model : LSTMModel
        In float32, of variant "standard", "peephole" or "cifg". Dropout does not act.
    path : path-like
        Where to write; a file there is replaced, or stays as it was if something fails.

    Raises
    ------
    ModuleNotFoundError
        Without the package onnx.
    ValueError, TypeError
        For a model in float64, or one that ONNX does not have.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file's inputs, with N and T left free:

    * ``x``: float32, (T, N, D), or (N, T, D) if the model is ``batch_first``;
    * ``lengths``: int32, (N,). All are needed: write T for rows that go to the end;
    * ``h_0``, ``c_0``: float32, (num_layers·directions, N, H); zeros to begin with.

    Its outputs are ``logits``, as :class:`LSTMModel` gives them, ``h_n`` and ``c_n``.

    Lengths are from 1 on: for 0 onnxruntime returns 0, not h_0. It has no double LSTM, so a float64
    model is refused: ``export_onnx(model.astype(np.float32), path)``.

    In onnxruntime::

        session = onnxruntime.InferenceSession("model.onnx")
        zeros = np.zeros((num_layers * directions, N, H), np.float32)
        inputs = {"x": x, "lengths": np.full(N, T, np.int32), "h_0": zeros, "c_0": zeros}
        logits, h_n, c_n = session.run(None, inputs)
    """
    if not isinstance(model, LSTMModel):
        raise TypeError(f"model: expected an LSTMModel, given {type(model).__name__}")
    if not isinstance(model.lstm, LSTM):
        raise TypeError(
            f'model: expected one with cell="lstm", since only that is exported, given '
            f"cell={model.cell!r}"
        )
    if model.lstm.dtype != np.float32:
        raise TypeError(
            f"model: expected float32, because onnxruntime runs no other LSTM, given "
            f"{model.lstm.dtype}; use export_onnx(model.astype(np.float32), path)"
        )
    layers = to_onnx(model.lstm)  # refuses what ONNX does not have
    onnx = import_onnx()
    proto = Graph(onnx, model, layers).proto()
    onnx.checker.check_model(proto, full_check=True)
    with replacing(path) as file:
        file.write(proto.SerializeToString())


class Graph:
    """The nodes of the file, in the order in which they run. Arrays between them have names."""

    def __init__(self, onnx: Any, model: LSTMModel, layers: list[dict[str, Any]]) -> None:
        self.onnx, self.model, self.lstm = onnx, model, model.lstm
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.add_layers(layers)
        self.add_head()

    def node(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        node = self.onnx.helper.make_node(operator, inputs, outputs, **attributes)
        self.nodes.append(node)
        return outputs[0]

    def constant(self, name: str, array: Array) -> str:
        """Add an array; return its name."""
        array = np.ascontiguousarray(array)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add_layers(self, layers: list[dict[str, Any]]) -> None:
        """From x, lengths, h_0 and c_0 to out (T, N, directions·H), h_n and c_n."""
        numbers = range(len(layers))
        for state in ("h", "c"):
            self.node("Split", [f"{state}_0"], *[f"{state}_0_l{k}" for k in numbers], axis=0)
        # Zeros in a shape stand for "as it was".
        shape = self.constant("shape", np.array([0, 0, self.lstm.features]))
        out = "x"
        if self.lstm.batch_first:
            out = self.node("Transpose", [out], "x_by_time", perm=[1, 0, 2])
        for k, layer in enumerate(layers):
            names = {
                key: self.constant(f"{key}_l{k}", layer[key]) for key in "WRBP" if key in layer
            }
            inputs = [out, names["W"], names["R"], names.get("B", ""), "lengths"]
            inputs += [f"h_0_l{k}", f"c_0_l{k}", names.get("P", "")]
            self.node(
                "LSTM",
                inputs,
                *(f"y_l{k}", f"h_n_l{k}", f"c_n_l{k}"),
                hidden_size=self.lstm.hidden_size,
                direction="bidirectional" if self.lstm.bidirectional else "forward",
                input_forget=layer.get("input_forget", 0),
            )
            rows = self.node("Transpose", [f"y_l{k}"], f"rows_l{k}", perm=[0, 2, 1, 3])
            out = self.node("Reshape", [rows, shape], f"out_l{k}")  # directions side by side
        for state in ("h", "c"):
            self.node("Concat", [f"{state}_n_l{k}" for k in numbers], f"{state}_n", axis=0)
        self.out, self.last = out, f"h_n_l{numbers[-1]}"

    def add_head(self) -> None:
        """From what the head reads to logits."""
        if self.model.readout == "all":
            read = self.out
            if self.lstm.batch_first:
                read = self.node("Transpose", [read], "out_by_row", perm=[1, 0, 2])
        else:
            rows = self.node("Transpose", [self.last], "last_by_row", perm=[1, 0, 2])
            shape = self.constant("shape_of_last", np.array([0, self.lstm.features]))
            read = self.node("Reshape", [rows, shape], "last")
        head = self.model.head.params
        weight = self.constant("head_weight", head["weight"].T)
        if "bias" not in head:
            self.node("MatMul", [read, weight], "logits")
        else:
            product = self.node("MatMul", [read, weight], "product")
            self.node("Add", [product, self.constant("head_bias", head["bias"])], "logits")

    def proto(self) -> Any:
        """Return the file's contents."""
        helper, number = self.onnx.helper, self.onnx.TensorProto
        x = ["N", "T"] if self.lstm.batch_first else ["T", "N"]
        state = [self.lstm.num_layers * self.lstm.directions, "N", self.lstm.hidden_size]
        logits = [*(x if self.model.readout == "all" else ["N"]), self.model.head.out_features]

        def declared(shapes: dict[str, list[Any]]) -> list[Any]:
            return [
                helper.make_tensor_value_info(
                    name, number.INT32 if name == "lengths" else number.FLOAT, shape
                )
                for name, shape in shapes.items()
            ]

        graph = helper.make_graph(
            self.nodes,
            "LSTMModel",
            declared(
                {"x": [*x, self.lstm.input_size], "lengths": ["N"], "h_0": state, "c_0": state}
            ),
            declared({"logits": logits, "h_n": state, "c_n": state}),
            self.constants,
        )
        return helper.make_model(
            graph,
            producer_name="npslstm",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
