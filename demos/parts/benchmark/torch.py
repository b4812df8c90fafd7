"""What the benchmark times in PyTorch: nn.LSTM, and cells written by hand, all with autograd.

Three ways to the same numbers from the same weights:

* ``nn_lstm``: ``torch.nn.LSTM``, which calls a kernel of its own (oneDNN for float32 on many CPUs);
* ``cell_stacked``: a step in Python, all gates in one product for x and one for h, then chunked;
* ``cell_by_gate``: the same with two products for each gate, as in most textbooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npslstm.torch_parity import import_torch, to_torch
from parts.benchmark.sides import Case, Problem
from parts.benchmark.workers import Side

__all__ = ["cell_by_gate", "cell_stacked", "floats_kept", "nn_lstm"]

Cell = Callable[..., tuple[Any, Any]]


def nn_lstm(case: Case, threads: int = 1) -> Side:
    """Return ``torch.nn.LSTM``."""
    torch = import_torch()
    torch.set_num_threads(threads)
    problem = Problem(case)
    module = to_torch(problem.lstm)
    return autograd_side(problem, dict(module.named_parameters()), module)


def cell_stacked(case: Case) -> Side:
    """Return a step in Python with one product for x and one for h."""
    torch = import_torch()
    linear = torch.nn.functional.linear

    def cell(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
        gates = linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh)
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    return hand_written(case, cell, gates=1)


def cell_by_gate(case: Case) -> Side:
    """Return a step in Python with a product for x and one for h for each gate."""
    torch = import_torch()
    linear, sigmoid, tanh = torch.nn.functional.linear, torch.sigmoid, torch.tanh

    def cell(x, h, c, *weights):
        w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, *biases = weights
        b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho = biases
        i = sigmoid(linear(x, w_ii, b_ii) + linear(h, w_hi, b_hi))
        f = sigmoid(linear(x, w_if, b_if) + linear(h, w_hf, b_hf))
        g = tanh(linear(x, w_ig, b_ig) + linear(h, w_hg, b_hg))
        o = sigmoid(linear(x, w_io, b_io) + linear(h, w_ho, b_ho))
        c = f * c + i * g
        return o * tanh(c), c

    return hand_written(case, cell, gates=4)


def hand_written(case: Case, cell: Cell, gates: int) -> Side:
    """Return a loop over layers and steps; each parameter is cut into so many for the cell."""
    torch = import_torch()
    torch.set_num_threads(1)
    problem = Problem(case)
    weights = {
        f"{name}.{part}": torch.tensor(array).requires_grad_()
        for name, param in problem.lstm.params.items()
        for part, array in enumerate(np.split(param, gates))
    }

    def run(x, state):
        for layer in range(case.layers):
            own = [w for name, w in weights.items() if name.split(".")[0].endswith(f"_l{layer}")]
            h, c = state[0][layer], state[1][layer]
            outs = []
            for x_t in x:
                h, c = cell(x_t, h, c, *own)
                outs.append(h)
            x = torch.stack(outs)
        return x, (h, c)

    return autograd_side(problem, weights, run)


def autograd_side(problem: Problem, weights: dict[str, Any], run: Callable[..., Any]) -> Side:
    """Return ``run(x, state)`` as tasks; gradients of a parameter's parts are joined by name."""
    torch = import_torch()
    x, h_0, c_0 = (torch.tensor(array).requires_grad_() for array in (problem.x, *problem.state))
    dout = torch.tensor(problem.dout)
    leaves = [x, h_0, c_0, *weights.values()]

    def step():
        for leaf in leaves:
            leaf.grad = None
        out, _ = run(x, (h_0, c_0))
        out.backward(dout)
        return out

    def inference():
        with torch.no_grad():
            return run(x, (h_0, c_0))[0]

    out = step()
    results = {"out": out, "dx": x.grad, "dh_0": h_0.grad, "dc_0": c_0.grad}
    results = {name: tensor.detach().numpy().copy() for name, tensor in results.items()}
    for name in problem.lstm.params:
        parts = [w.grad.numpy() for key, w in weights.items() if key.split(".")[0] == name]
        results[name] = np.concatenate(parts)
    return Side({"step": step, "inference": inference}, results)


def floats_kept(case: Case) -> float:
    """Return what ``torch.nn.LSTM`` keeps for backward, outputs included: numbers / (T·N·H·layers).

    Every storage that autograd saves is counted once; the input, the states and the weights, which
    are the caller's, are not.
    """
    torch = import_torch()
    problem = Problem(case)
    module = to_torch(problem.lstm)
    x, h_0, c_0 = (torch.tensor(array).requires_grad_() for array in (problem.x, *problem.state))
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out, _ = module(x, (h_0, c_0))
    note(out.detach())
    for given in x, h_0, c_0, *module.parameters():
        kept.pop(given.untyped_storage().data_ptr(), None)
    places = case.steps * case.batch * case.hidden * case.layers
    return sum(kept.values()) / x.element_size() / places
