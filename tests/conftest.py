"""Command-line options and Hypothesis profiles for the whole suite."""

from __future__ import annotations

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
