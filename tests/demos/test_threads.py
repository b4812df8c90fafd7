"""``demos/parts/threads.py``: one BLAS thread, unless somebody has chosen."""

from __future__ import annotations

import json
import sys

import pytest
from demo_runs import ROOT, command, run

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
RUNNABLE = [
    path
    for path in sorted((ROOT / "demos").glob("*.py"))
    if '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")
]
# What the import decides, and what BLAS then does.
REPORT = """
import json, os, sys
from parts import threads
assert "numpy" not in sys.modules
import numpy, threadpoolctl
pools = [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
print(json.dumps({"choice": threads.CHOICE, "environment": dict(os.environ), "pools": pools}))
"""


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def python(*arguments, **chosen):
    """Run Python with exactly these of the variables set, and return what it prints."""
    done = run(arguments, first_path=str(ROOT / "demos"), **chosen)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def report(**chosen):
    return json.loads(python(sys.executable, "-c", REPORT, **chosen))


def test_one_thread_where_nothing_is_set():
    found = report()
    assert found["choice"] == "BLAS threads: 1 (set OPENBLAS_NUM_THREADS for more)"
    for name in VARIABLES[:-1]:
        assert found["environment"][name] == "1"
    assert "OMP_NUM_THREADS" not in found["environment"]
    assert set(found["pools"]) == {1}


@pytest.mark.parametrize("name", VARIABLES)
def test_whoever_has_set_one_keeps_what_was_set(name):
    found = report(**{name: "2"})
    assert found["choice"] == f"BLAS threads as set: {name}=2"
    assert {v: found["environment"].get(v) for v in VARIABLES} == {
        v: "2" if v == name else None for v in VARIABLES
    }


def test_where_numpy_is_there_already_nothing_is_pretended():
    code = "import numpy, os; from parts import threads; print(threads.CHOICE)"
    code += "; print(sorted(os.environ))"
    choice, names = python(sys.executable, "-c", code).splitlines()
    assert choice.startswith("BLAS threads: NumPy's default (it was imported before")
    assert not any(f"'{name}'" in names for name in VARIABLES)


def test_the_demo_says_what_was_chosen():
    options = command("mnist.py", "--hidden", 2, "--max-steps", 1)
    assert "; BLAS threads: 1 (set OPENBLAS_NUM_THREADS for more)\n" in python(*options)
    set_by_user = python(*options, OMP_NUM_THREADS="2")
    assert "; BLAS threads as set: OMP_NUM_THREADS=2\n" in set_by_user


@pytest.mark.parametrize("demo", RUNNABLE, ids=lambda path: path.name)
def test_every_demo_chooses_before_it_imports_numpy(demo):
    lines = demo.read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert imports[0] == "from __future__ import annotations"
    assert imports[1].startswith("from parts import program")
