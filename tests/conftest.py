"""Command-line options and Hypothesis profiles for the whole suite."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path

import compare
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

LONG = ("demos", "mistakes")  # rooms whose tests are marked long: together half of the time


def pytest_addoption(parser):
    parser.addoption(
        "--kind",
        action="append",
        default=[],
        metavar="FILE.py",
        help="run these files, and draw the kinds of cell that they add to npslstm.cells.VARIANTS "
        "in place of all others (npslstm/cells/README.md)",
    )
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")
    parser.addoption(
        "--torch", action="store_true", help="a parity test that cannot import torch is an error"
    )
    parser.addoption(
        "--torchvision", action="store_true", help="likewise for torchvision and its tests"
    )
    parser.addoption(
        "--frameworks", action="store_true", help="likewise for Keras, onnx and onnxruntime"
    )
    parser.addoption(
        "--browser", action="store_true", help="likewise for a browser and the tests of the pages"
    )


def pytest_configure(config):
    """Let the kinds of cell of ``--kind`` be those that are drawn."""
    if not (files := config.getoption("--kind")):
        return
    import cases

    from npslstm.cells import VARIANTS

    before = set(VARIANTS)
    for file in files:
        found = importlib.util.spec_from_file_location(Path(file).stem, file)
        sys.modules[found.name] = module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
    cases.CELLS = cases.MODELS = cases.KINDS = tuple(n for n in VARIANTS if n not in before)


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.path.parent.name in LONG:
            item.add_marker("long")
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run them with --slow"))


def pytest_terminal_summary(terminalreporter):
    """Say why tests were skipped, a line for each reason; with ``-v`` the worst errors, too."""
    say = terminalreporter.write_line
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]
    for reason, count in Counter(reasons).most_common():
        say(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
    if compare.worst and terminalreporter.verbosity > 0:
        terminalreporter.section("worst norm-wise errors seen")
        for what, error in sorted(compare.worst.items()):
            say(f"{error:9.1e}  {what}")


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


def framework(name, request):
    """Import a framework, or skip with the reason; under --frameworks that is a failure."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if request.config.getoption("--frameworks"):
            raise
        pytest.skip(f"{error.name} is not installed: python -m pip install keras onnx onnxruntime")


@pytest.fixture(scope="session")
def keras(request):
    """Keras on PyTorch."""
    os.environ["KERAS_BACKEND"] = "torch"
    return framework("keras", request)


@pytest.fixture(scope="session")
def onnx(request):
    """The package onnx with its reference implementation."""
    framework("onnx.reference", request)
    return framework("onnx", request)


@pytest.fixture(scope="session")
def onnxruntime(onnx, request):
    """What runs ONNX files."""
    return framework("onnxruntime", request)


@pytest.fixture(scope="session")
def browser(request, tmp_path_factory):
    """A window of a real browser, or a skip that says why, or under --browser a failure."""
    from browser import Browser, missing

    reason = missing()
    if reason and request.config.getoption("--browser"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    window = Browser(tmp_path_factory.mktemp("profile"))
    yield window
    window.close()


@pytest.fixture(scope="session")
def device(torch):
    """The best device here: a GPU's kernels are others than the CPU's."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
