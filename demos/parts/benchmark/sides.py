"""What is timed on one core: npslstm, torch.nn.LSTM, onnxruntime, and the bare matrix products.

A task "step" is a training step: forward and backward with a dense gradient on every output, to the
gradients of every parameter, of the input and of the initial states; new outputs and caches at
every call, as a user calls it. "inference" is forward alone.
"""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from npslstm import LSTM
from parts.benchmark.workers import Arrays, Built

__all__ = [
    "HAVE_ONNX",
    "HAVE_TORCH",
    "OURS",
    "SIZES",
    "THEIRS",
    "Case",
    "Problem",
    "floor",
    "nn_lstm",
    "onnx",
    "ours",
]


def have(*modules: str) -> bool:
    """Say whether all these modules are installed."""
    return all(importlib.util.find_spec(module) for module in modules)


HAVE_TORCH = have("torch")
HAVE_ONNX = have("onnx", "onnxruntime")
OURS, THEIRS = "npslstm", "nn.LSTM"


class Case(NamedTuple):
    """A size of problem and its dtype."""

    steps: int
    batch: int
    features: int
    hidden: int
    layers: int
    dtype: str = "float32"

    def __str__(self) -> str:
        return NAMES.get(self[:5]) or "T {}, N {}, D {}, H {}, L {}".format(*self)


SIZES = {
    "row MNIST, batch 64": Case(28, 64, 28, 128, 1),
    "row MNIST, batch 128": Case(28, 128, 28, 128, 1),
    "row MNIST, 256 units": Case(28, 128, 28, 256, 1),
    "row MNIST, 2 layers": Case(28, 64, 28, 128, 2),
    "512 units": Case(64, 32, 256, 512, 1),
    "one sequence": Case(50, 1, 16, 32, 1),
    "batch 16, 64 units": Case(100, 16, 64, 64, 1),
    "pixel MNIST": Case(784, 64, 1, 128, 1),
}
NAMES = {case[:5]: name for name, case in SIZES.items()}


class Problem:
    """The same random problem for every side, or only some rows of its batch."""

    def __init__(self, case: Case, rows: slice = slice(None)) -> None:
        rng = np.random.default_rng(0)

        def draw(size: int, width: int) -> np.ndarray:
            whole = rng.standard_normal((size, case.batch, width)).astype(case.dtype)
            return whole[:, rows].copy()

        self.lstm = LSTM(case.features, case.hidden, case.layers, dtype=case.dtype, rng=rng)
        self.x = draw(case.steps, case.features)
        self.state = draw(case.layers, case.hidden), draw(case.layers, case.hidden)
        self.dout = draw(case.steps, case.hidden)

    def step(self, **options: Any) -> Arrays:
        """Take a training step."""
        out, _, cache = self.lstm.forward(self.x, self.state, **options)
        dx, (dh_0, dc_0), grads = self.lstm.backward(cache, self.dout)
        return {"out": out, "dx": dx, "dh_0": dh_0, "dc_0": dc_0, **grads}

    def inference(self) -> np.ndarray:
        """Run forward only."""
        return self.lstm(self.x, self.state)[0]


def ours(case: Case) -> Built:
    """Return our LSTM as a user calls it."""
    problem = Problem(case)
    return Built({"step": problem.step, "inference": problem.inference}, problem.step())


def nn_lstm(case: Case, threads: int = 1) -> Built:
    """Return ``torch.nn.LSTM``."""
    import torch

    from npslstm.torch_parity import to_torch

    torch.set_num_threads(threads)
    problem = Problem(case)
    module = to_torch(problem.lstm)
    params = dict(module.named_parameters())
    x, h_0, c_0 = (torch.tensor(array).requires_grad_() for array in (problem.x, *problem.state))
    dout = torch.tensor(problem.dout)
    leaves = [x, h_0, c_0, *params.values()]

    def step():
        for leaf in leaves:
            leaf.grad = None
        out, _ = module(x, (h_0, c_0))
        out.backward(dout)
        return out

    def inference():
        with torch.no_grad():
            return module(x, (h_0, c_0))[0]

    found = {"out": step().detach(), "dx": x.grad, "dh_0": h_0.grad, "dc_0": c_0.grad}
    found |= {name: param.grad for name, param in params.items()}
    results = {name: tensor.numpy().copy() for name, tensor in found.items()}
    return Built({"step": step, "inference": inference}, results)


def onnx(case: Case) -> Built:
    """Return onnxruntime's LSTM, which infers only, and only in float32."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    problem = Problem(case)
    nodes, weights, name = [], [], "x"
    for layer in range(case.layers):
        params = [problem.lstm.params[f"{kind}_l{layer}"] for kind in KINDS]
        w, r, *biases = map(onnx_order, params)
        given = w, r, np.concatenate(biases), problem.state[0][layer], problem.state[1][layer]
        names = [f"{kind}{layer}" for kind in ("W", "R", "B", "h", "c")]
        weights += [numpy_helper.from_array(a[None], n) for a, n in zip(given, names, strict=True)]
        inputs = [name, *names[:3], "", *names[3:]]
        nodes.append(helper.make_node("LSTM", inputs, [f"y{layer}"], hidden_size=case.hidden))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"out{layer}"]))
        name = f"out{layer}"
    weights.append(numpy_helper.from_array(np.array([1]), "axis"))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", name)]
    graph = helper.make_graph(nodes, "lstm", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def inference():
        return session.run([name], {"x": problem.x})[0]

    return Built({"inference": inference}, {"out": inference()})


KINDS = "weight_ih", "weight_hh", "bias_ih", "bias_hh"


def onnx_order(param: np.ndarray) -> np.ndarray:
    """Return the blocks of rows i, f, g, o as i, o, f, g, which is ONNX's order."""
    i, f, g, o = np.split(param, 4)
    return np.concatenate([i, o, f, g])


Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # of the factors


def floor(case: Case) -> Built:
    """Return the matrix products that our LSTM does, and nothing else, on arrays that are ready.

    They are noted as they come by, so they are cut as the kernel cuts them. Their arrays begin at a
    multiple of 64 bytes, as the kernel's do. Products of the same shapes use the same arrays.
    """
    problem = Problem(case)
    tasks = {}
    for name in "step", "inference":
        with products() as noted:
            getattr(problem, name)()
        tasks[name] = replay(noted, case.dtype)
    return Built(tasks, {})


@contextmanager
def products() -> Iterator[Counter[Shapes]]:
    """Count the products of every shape that NumPy is asked for."""
    noted: Counter[Shapes] = Counter()
    before = np.matmul, np.dot

    def noting(multiply: Callable[..., Any]) -> Callable[..., Any]:
        def multiply_and_note(left: Any, right: Any, *args: Any, **options: Any) -> Any:
            noted[left.shape, right.shape] += 1
            return multiply(left, right, *args, **options)

        return multiply_and_note

    np.matmul, np.dot = map(noting, before)
    try:
        yield noted
    finally:
        np.matmul, np.dot = before


def replay(noted: Counter[Shapes], dtype: str) -> Callable[[], None]:
    """Return a function that does these products."""
    rng = np.random.default_rng(0)

    def ready(shape: tuple[int, ...]) -> np.ndarray:
        array = aligned(shape, dtype)
        array[...] = rng.standard_normal(shape)
        return array

    calls = []
    for (left, right), times in noted.items():
        multiply = np.dot if len(left) == len(right) == 2 else np.matmul  # np.dot decides less
        factors = ready(left), ready(right)
        calls.append((times, multiply, *factors, ready(np.matmul(*factors).shape)))

    def run() -> None:
        for times, multiply, left, right, out in calls:
            for _ in range(times):
                multiply(left, right, out)

    return run


def aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return an uninitialised array that begins at a multiple of 64 bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
