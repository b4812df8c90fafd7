"""Two processes on this machine train as one: torchrun, gloo, gradients that are added up."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ddp_gradients import BATCHES, problem

from npslstm import cross_entropy

sys.path.insert(0, str(Path(__file__).parents[2] / "demos"))
import mnist

ROOT = Path(__file__).parents[2]
GRADIENTS = Path(__file__).with_name("ddp_gradients.py")
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
    *("--standalone", "--local-addr=127.0.0.1"),  # a free port of the loopback interface
]


def torchrun(*arguments):
    """Run a script in two processes; return what they printed."""
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": loopback[0],
    }
    done = subprocess.run(
        [*TORCHRUN, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.torch
def test_the_gradient_is_that_of_the_whole_batch(torch, tmp_path):
    assert torchrun(GRADIENTS, tmp_path) == "done\n"
    for rows in BATCHES:
        model, x, y, rng = problem(rows)
        logits, _, cache = model.forward(x, rng=rng)
        loss, dlogits = cross_entropy(logits, y)
        expected = {"loss": loss, "logits": logits, **model.backward(cache, dlogits)[2]}
        for rank in range(2):
            with np.load(tmp_path / f"{rank}-{rows}.npz") as file:
                assert set(file.files) == set(expected)
                for name, array in expected.items():
                    error = np.linalg.norm(file[name] - array) / np.linalg.norm(array)
                    assert error <= 1e-10, f"{rows} rows, process {rank}, {name}: {error:.1e}"
    for rank in range(2):  # a thread that outlives the group may abort the process at its end
        assert "gloo" not in (tmp_path / f"{rank}-threads.txt").read_text()


@pytest.mark.torch
@pytest.mark.slow
def test_two_processes_end_with_status_0_fifty_times(torch, tmp_path):
    """A thread that is left may abort one: "terminate called without an active exception"."""
    for _ in range(50):
        torchrun(GRADIENTS, tmp_path)


@pytest.mark.torch
def test_the_demo_in_two_processes_is_the_demo_in_one(torch, capsys):
    arguments = "--torch --device cpu --hidden 8 --epochs 1 --batch-size 300 --parity-steps 2"
    arguments = f"{arguments} --dtype float64".split()
    two = torchrun(ROOT / "demos" / "mnist.py", *arguments)
    assert mnist.main(arguments) == 0
    one = capsys.readouterr().out
    assert "on cpu, 2 processes" in two
    for line in (r"^epoch +1/1: .*$", r"^Test accuracy: .*$"):
        assert re.findall(line, two, re.M) == re.findall(line, one, re.M) != []
