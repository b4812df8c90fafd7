"""Write torch.npz: what PyTorch makes of small random problems, for tests without PyTorch.

Run ``python tests/golden/make_golden.py`` where torch is installed. Nothing of npslstm is used.
The arrays of a case are named CASE/GROUP/NAME:

    options     its options in CASES, as JSON, without a name
    params      weights, under PyTorch's names (lstm.… and head.… for a model)
    inputs      x, h_0, c_0, lengths, masks (of dropout, one for each layer but the last)
    upstream    gradients of some loss with respect to out, h_n, c_n; for a model the labels
    results     out (a model's logits), h_n, c_n, a model's loss
    gradients   of x, h_0, c_0 and every parameter
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("torch.npz")
STEPS, ROWS, FEATURES, HIDDEN, CLASSES = 5, 4, 2, 3, 5
RAGGED = [3, 5, 1, 4]
CASES = {
    "cell": {"kind": "LSTMCell"},
    "cell, no bias": {"kind": "LSTMCell", "bias": False},
    "one layer": {},
    "one layer, float32": {"dtype": "float32"},
    "one layer, no bias": {"bias": False},
    "one sequence": {"batched": False, "num_layers": 2},
    "batch first": {"batch_first": True},
    "three layers": {"num_layers": 3},
    "both directions": {"bidirectional": True, "num_layers": 2},
    "lengths": {"lengths": True, "bidirectional": True},
    "dropout": {"num_layers": 3, "dropout": 0.5},
    "all together": {
        "num_layers": 2,
        "bias": False,
        "batch_first": True,
        "dropout": 0.25,
        "bidirectional": True,
        "lengths": True,
    },
    "model, last": {"kind": "LSTMModel", "bidirectional": True, "lengths": True},
    "model, all": {"kind": "LSTMModel", "readout": "all", "batch_first": True, "lengths": True},
    "model, float32": {"kind": "LSTMModel", "num_layers": 2, "dtype": "float32"},
}


def draw(options, rng):
    """Draw params, inputs and upstream of one case."""
    kind, dtype = options.get("kind", "LSTM"), options.get("dtype", "float64")
    layers, directions = options.get("num_layers", 1), 1 + options.get("bidirectional", False)
    rows = (ROWS,) if options.get("batched", True) else ()
    state = (*rows, HIDDEN) if kind == "LSTMCell" else (layers * directions, *rows, HIDDEN)
    times = () if kind == "LSTMCell" else (STEPS,)
    leading = (*rows, *times) if options.get("batch_first") else (*times, *rows)
    features = directions * HIDDEN

    params = {}
    for layer in range(layers):
        for end in ("", "_reverse")[:directions]:
            end = "" if kind == "LSTMCell" else f"_l{layer}{end}"
            params[f"weight_ih{end}"] = (4 * HIDDEN, features if layer else FEATURES)
            params[f"weight_hh{end}"] = (4 * HIDDEN, HIDDEN)
            if options.get("bias", True):
                params |= {f"bias_ih{end}": (4 * HIDDEN,), f"bias_hh{end}": (4 * HIDDEN,)}
    upstream = {"h_n": state, "c_n": state}
    if kind == "LSTM":
        upstream["out"] = (*leading, features)
    if kind == "LSTMModel":
        params = {f"lstm.{name}": shape for name, shape in params.items()}
        params |= {"head.weight": (CLASSES, features), "head.bias": (CLASSES,)}

    def normal(shapes, scale=1.0):
        return {n: (scale * rng.normal(size=s)).astype(dtype) for n, s in shapes.items()}

    inputs = normal({"x": (*leading, FEATURES), "h_0": state, "c_0": state})
    if options.get("lengths"):
        inputs["lengths"] = np.array(RAGGED)
    if options.get("dropout"):
        kept = rng.random((layers - 1, *leading, features)) >= options["dropout"]
        inputs["masks"] = (kept / (1 - options["dropout"])).astype(dtype)
    groups = {"params": normal(params, 0.5), "inputs": inputs, "upstream": normal(upstream)}
    if kind == "LSTMModel":
        labelled = leading if options.get("readout") == "all" else rows
        groups["upstream"]["labels"] = rng.integers(CLASSES, size=labelled)
    return groups


def solve(torch, options, params, inputs, upstream):
    """Let PyTorch calculate the groups results and gradients."""
    kind, batch_first = options.get("kind", "LSTM"), options.get("batch_first", False)
    params = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    leaves = {n: torch.tensor(inputs[n], requires_grad=True) for n in ("x", "h_0", "c_0")}
    upstream = {name: torch.tensor(array) for name, array in upstream.items()}
    x, *state = leaves.values()
    results = {}

    if kind == "LSTMCell":
        cell = torch.nn.LSTMCell(FEATURES, HIDDEN, options.get("bias", True))
        results["h_n"], results["c_n"] = torch.func.functional_call(cell, params, (x, state))
    else:
        lstm = {n.removeprefix("lstm."): p for n, p in params.items() if "head" not in n}
        masks = torch.tensor(inputs["masks"]) if "masks" in inputs else None
        lengths = torch.tensor(inputs["lengths"]) if "lengths" in inputs else None
        out, results["h_n"], results["c_n"] = run(torch, options, lstm, x, state, lengths, masks)
        results["out"] = out
    objective = sum((upstream[n] * results[n]).sum() for n in results if n in upstream)
    if kind == "LSTMModel":
        read, counted = out, torch.ones(upstream["labels"].shape, dtype=bool)
        if options.get("readout") == "all":
            steps = torch.arange(STEPS)
            counted = steps < lengths[:, None] if batch_first else steps[:, None] < lengths
        else:
            directions = 1 + options.get("bidirectional", False)
            read = torch.cat(list(results["h_n"][-directions:]), dim=-1)
        linear, cross_entropy = torch.nn.functional.linear, torch.nn.functional.cross_entropy
        results["out"] = linear(read, params["head.weight"], params["head.bias"])
        results["loss"] = cross_entropy(results["out"][counted], upstream["labels"][counted])
        objective = objective + results["loss"]

    leaves |= params
    gradients = torch.autograd.grad(objective, list(leaves.values()))
    return {
        "results": {name: tensor.detach().numpy() for name, tensor in results.items()},
        "gradients": {n: g.numpy() for n, g in zip(leaves, gradients, strict=True)},
    }


def run(torch, options, params, x, state, lengths, masks):
    """Run one torch.nn.LSTM of all layers; with masks, one of each layer and the masks between."""
    names = ("num_layers", "bias", "batch_first", "bidirectional")
    options = {name: options[name] for name in names if name in options}
    rnn, batch_first = torch.nn.utils.rnn, options.get("batch_first", False)

    def lstm(options, params, x, state):
        if lengths is not None:
            x = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        module = torch.nn.LSTM(params["weight_ih_l0"].shape[1], HIDDEN, **options)
        out, (h_n, c_n) = torch.func.functional_call(module, params, (x, tuple(state)))
        if lengths is not None:
            out, _ = rnn.pad_packed_sequence(out, batch_first, total_length=STEPS)
        return out, h_n, c_n

    if masks is None:
        return lstm(options, params, x, state)
    layers = options.pop("num_layers")
    states = zip(*(part.chunk(layers) for part in state), strict=True)
    ends = []
    for layer, start in enumerate(states):
        own = {n.replace(f"l{layer}", "l0"): p for n, p in params.items() if f"l{layer}" in n}
        x, *end = lstm(options, own, x if layer == 0 else x * masks[layer - 1], start)
        ends.append(end)
    return x, *(torch.cat(parts) for parts in zip(*ends, strict=True))


def main():
    import torch

    arrays = {}
    for seed, (case, options) in enumerate(CASES.items()):
        given = draw(options, np.random.default_rng(seed))
        arrays[f"{case}/options"] = np.array(json.dumps(options))
        for group, named in (given | solve(torch, options, **given)).items():
            arrays |= {f"{case}/{group}/{name}": array for name, array in named.items()}
    arrays["torch_version"] = np.array(torch.__version__)
    np.savez_compressed(PATH, **arrays)
    print(f"{PATH}: {len(CASES)} cases, {PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
