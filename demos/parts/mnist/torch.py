"""What ``mnist.py --torch`` adds: the same model in PyTorch, held to ours and then trained on.

First a report of how far one step differs, then some steps of training side by side, then the rest
in PyTorch alone; under torchrun in several processes, of which the first speaks for all.
"""

from __future__ import annotations

import argparse
import atexit
import importlib
import itertools
import os
import platform
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from npslstm import LSTMModel
from npslstm.optim import Optimizer
from npslstm.torch_parity import Difference, compare, full_precision, import_torch
from npslstm.training import StepRecord, training_steps
from parts.mnist.torch_training import Twin, TwinOptimizer, processes
from parts.options import index

PARITY_ROWS = 32  # enough for a report, and at 784 steps in float64 already some memory


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this file reads."""
    group = parser.add_argument_group("PyTorch")
    group.add_argument(
        "--torch",
        action="store_true",
        help="compare with the same model in PyTorch, then train that one "
        "(in N processes: torchrun --nproc-per-node N demos/mnist.py --torch)",
    )
    group.add_argument(
        "--device", metavar="NAME", help="for PyTorch (default: cuda if there is one, else cpu)"
    )
    group.add_argument(
        "--parity-steps",
        type=index,
        default=100,
        metavar="N",
        help="train both side by side for N steps first (default: %(default)s)",
    )


def start(device: str | None, seed: int) -> Any:
    """Return the torch.device to use; without torch or that device, end with one line.

    Under torchrun, join the other processes; only the first of them prints.
    """
    try:
        torch = import_torch()
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        one = torch.ones(1, device=device)
        one.item()  # "meta" has tensors without values
    except (AssertionError, RuntimeError) as error:
        sys.exit(f"--device {device}: {str(error).splitlines()[0]}")
    found = one.device
    if found.type == "cuda":
        torch.cuda.set_device(found)
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_torchelastic_launched():
        # Functions there take the group of all processes as a default argument. Imported later, as
        # PyTorch does on the way, they would hold it for ever, and with it gloo's threads, which
        # abort the process if they want the interpreter when that has ended.
        importlib.import_module("torch.distributed.nn")
        distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
        if not is_first():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, until the end
    torch.manual_seed(seed + processes()[0])  # PyTorch's own dropout, another in each process
    return found


def is_first() -> bool:
    """Whether this process is the one that evaluates, prints and draws."""
    return processes()[0] == 0


def train(
    model: LSTMModel,
    x: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: Optimizer,
    device: Any,
    parity_steps: int,
    **settings: Any,
) -> tuple[Twin, Iterator[StepRecord]]:
    """Print how far one step and many steps differ, and return what goes on in PyTorch.

    Parameters
    ----------
    model, x, y, optimizer, **settings
        As for ``training_steps``; the model and its optimiser take the first ``parity_steps``
        steps, too.
    device : torch.device
    parity_steps : int

    Returns
    -------
    twin : Twin
    records : iterator of StepRecord
        PyTorch's, the steps side by side included.
    """
    print(versions(device))
    rows = slice(min(PARITY_ROWS, settings["batch_size"]))
    print_parity(model, settings["transform"](x[rows]), y[rows], device)

    twin = Twin(model, device)
    ours = training_steps(model, x, y, optimizer=optimizer, **settings)
    theirs = training_steps(twin, x, y, optimizer=TwinOptimizer(optimizer, twin), **settings)
    with full_precision():
        taken = list(itertools.islice(zip(ours, theirs, strict=True), parity_steps))
    if taken:
        print_drift(taken, model, twin)
    twin.own_dropout = True
    twin.module.lstm.flatten_parameters()  # cuDNN's layout, after the layers ran one by one
    return twin, _records([record for _, record in taken], theirs)


def _records(taken: list[StepRecord], rest: Iterator[StepRecord]) -> Iterator[StepRecord]:
    """Yield all, and say how long the rest took."""
    yield from taken
    steps, began = 0, time.perf_counter()
    for record in rest:
        steps += 1
        yield record
    if steps:
        seconds = time.perf_counter() - began
        epoch = seconds / steps * record.steps_per_epoch
        print(f"PyTorch alone: {steps} steps in {seconds:.1f} s, {epoch:.2f} s an epoch")


def versions(device: Any) -> str:
    """Say what calculates, and where."""
    torch = import_torch()
    place = str(device)
    if device.type == "cuda":
        place += f" ({torch.cuda.get_device_name(device)})"
    if processes()[1] > 1:
        place += f", {processes()[1]} processes"
    numpy = f"NumPy {np.__version__}, Python {platform.python_version()}"
    return f"PyTorch {torch.__version__} on {place}; {numpy}"


def print_parity(model: LSTMModel, x: np.ndarray, y: np.ndarray, device: Any) -> None:
    """Print how far forward and backward differ, from random initial states."""
    layers = model.lstm.num_layers * model.lstm.directions
    h_0, c_0 = np.random.default_rng(0).normal(size=(2, layers, len(x), model.lstm.hidden_size))
    state = (h_0, c_0) if model.lstm.kind.has_c else h_0
    reports = {
        dtype: compare(model, x, y, state, rng=np.random.default_rng(0), device=device, dtype=dtype)
        for dtype in ("float64", "float32")
    }
    print(f"Parity, one step with {len(x)} images: values, and the gradient of each parameter")
    print_differences(reports)


def print_drift(taken: list[tuple[StepRecord, StepRecord]], model: LSTMModel, twin: Twin) -> None:
    """Print how far losses and weights are after the steps side by side."""
    losses = np.array([(ours.loss, theirs.loss) for ours, theirs in taken])
    report = {"loss at every step": Difference.between(*losses.T)}
    for name, param in model.params.items():
        report[name] = Difference.between(param, twin.params[name])
    print(f"Drift, after {len(taken)} steps side by side on the same batches")
    print_differences({str(model.lstm.dtype): report})


def print_differences(reports: dict[str, dict[str, Difference]]) -> None:
    """Print a table with a row for each name and two columns for each report."""
    names = list(next(iter(reports.values())))
    width = max(map(len, names))
    print(" " * width + "".join(f"{title:>24}" for title in reports))
    print(" " * width + f"{'largest':>14}{'relative':>10}" * len(reports))
    for name in names:
        cells = (report[name] for report in reports.values())
        print(f"{name:{width}}" + "".join(f"{d.largest:14.1e}{d.relative:10.1e}" for d in cells))
