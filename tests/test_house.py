"""House rules that a test can hold. Who may import whom is in ``pyproject.toml``, import-linter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("everything", [False, True])
def test_importing_loads_numpy_and_nothing_else(everything):
    program = """
import importlib, pkgutil, sys
import numpy.random
before = set(sys.modules)
import npslstm
if sys.argv[1] == "True":
    for found in pkgutil.walk_packages(npslstm.__path__, "npslstm."):
        importlib.import_module(found.name)
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names)))
"""
    command = [sys.executable, "-c", program, str(everything)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["npslstm", "numpy"]


def listed(*patterns):
    git = ["git", "ls-files", *patterns]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    return done.stdout.splitlines()


def test_the_top_level_is_what_the_design_says():
    top = {path.split("/")[0] for path in listed()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible == {"LICENSE", "README.md", "demos", "npslstm", "pyproject.toml", "tests"}


def test_the_top_floors_stay_small():
    floor = [path for path in listed("npslstm/*.py") if path.count("/") == 1]
    scripts = [path for path in listed("demos/*.py") if path.count("/") == 1]
    assert len(floor) <= 18
    assert len(scripts) <= 12


def test_no_python_file_of_the_package_or_a_demo_is_long():
    paths = listed("npslstm/*.py", "demos/*.py")
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in paths}
    assert not {path: length for path, length in lengths.items() if length > 300}
