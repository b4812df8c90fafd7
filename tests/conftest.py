"""Command-line options and Hypothesis profiles for the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    max_examples=3000,
    deadline=None,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")
    parser.addoption(
        "--torch", action="store_true", help="a parity test that cannot import torch is an error"
    )
    parser.addoption(
        "--torchvision", action="store_true", help="likewise for torchvision and its tests"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow: run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
    """State the worst errors that the comparisons of ``compare.py`` have seen, with ``-v``."""
    import compare

    if compare.worst and terminalreporter.verbosity > 0:
        terminalreporter.section("worst norm-wise errors seen")
        for what, error in sorted(compare.worst.items()):
            terminalreporter.write_line(f"{error:9.1e}  {what}")


@pytest.fixture
def demo(monkeypatch):
    """Give ``demos/mnist.py`` as a module that trains on 30 images and tests on 20, of noise."""
    from idx_files import digits

    from npslstm.datasets import MNIST

    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "demos")
    import mnist

    data = MNIST(*digits(1, 30), *digits(2, 20), name="noise")
    monkeypatch.setattr(mnist, "load_embedded", lambda: data)
    return mnist


@pytest.fixture(scope="session")
def torch(request):
    """PyTorch: the module, or a skip that says why, or under --torch a failure."""
    from npslstm.torch_parity import import_torch

    try:
        torch = import_torch()
    except ModuleNotFoundError as error:
        if request.config.getoption("--torch"):
            raise
        pytest.skip(str(error))
    torch.set_num_threads(1)  # the problems are tiny: several would only wait for one another
    return torch


@pytest.fixture(scope="session")
def device(torch):
    """The best device here: a GPU's kernels are others than the CPU's."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
