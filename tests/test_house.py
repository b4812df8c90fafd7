"""House rules that a test can hold: who imports whom, what is loaded, and where things lie."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {path.stem: path for path in sorted((ROOT / "npslstm").glob("*.py"))}

# What the modules that compute may import from the package. A new one is added here; what is not
# here looks at the rest (checks of gradients, pictures, other frameworks) and may import anything.
COMPUTES = {
    "checks": set(),
    "gates": set(),
    "buffers": {"gates"},
    "cell": {"checks", "gates"},
    "sequence": {"buffers", "gates"},
    "schedule": {"buffers", "gates", "sequence"},
    "layout": {"checks", "gates"},
    "dropout": {"checks"},
    "lstm": {"buffers", "cell", "checks", "dropout", "gates", "layout", "schedule"},
    "linear": {"checks"},
    "losses": {"checks"},
    "npz": {"checks"},
    "model": {"cell", "checks", "gates", "linear", "losses", "lstm", "npz"},
    "rnn": {"checks", "layout"},
    "learning_rate": {"checks"},
    "optim": {"checks", "learning_rate"},
    "idx": set(),
    "views": set(),
    "datasets": {"idx", "views"},
    "evaluation": {"checks", "losses"},
    "training": {"checks", "evaluation", "learning_rate", "losses", "optim"},
    "checkpoint": {"checks", "evaluation", "npz", "optim", "training"},
}
# Third-party modules other than NumPy: where each may be imported, and only inside a function.
OPTIONAL = {"torch_parity": {"torch"}, "datasets": {"torchvision"}}


def imported(tree):
    """Return the names that a piece of code imports: of the package relative, or top-level."""
    ours, others = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, "a flat package has no parents"
            ours |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
    return ours & MODULES.keys(), others


def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def at_import(name):
    """The module without the bodies of its functions, which importing it does not run."""

    class WithoutBodies(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            node.body = [ast.Pass()]
            return node

    return WithoutBodies().visit(tree(name))


@pytest.mark.parametrize("name", COMPUTES)
def test_what_computes_imports_only_what_is_below_it(name):
    ours, others = imported(tree(name))
    assert ours <= COMPUTES[name]
    assert others <= sys.stdlib_module_names | {"numpy"} | OPTIONAL.get(name, set())


def test_gates_import_numpy_alone():
    assert imported(tree("gates")) == (set(), {"__future__", "numpy", "typing"})


def test_imports_point_one_way():
    graph = {name: imported(tree(name))[0] for name in MODULES}
    assert set(TopologicalSorter(graph).static_order()) >= set(
        graph
    )  # raises where there is a circle


@pytest.mark.parametrize("name", MODULES)
def test_third_party_modules_are_imported_only_where_they_are_used(name):
    assert imported(at_import(name))[1] <= sys.stdlib_module_names | {"numpy"}
    used = imported(tree(name))[1] - sys.stdlib_module_names - {"numpy"}
    assert used <= OPTIONAL.get(name, set())


def test_importing_the_package_loads_numpy_and_nothing_else():
    program = """
import sys
before = set(sys.modules)
import npslstm
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names)))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["npslstm", "numpy"]


def test_the_top_level_is_what_the_design_says():
    git = ["git", "ls-files"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    top = {path.split("/")[0] for path in listed.stdout.splitlines()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible == {"LICENSE", "README.md", "demos", "npslstm", "pyproject.toml", "tests"}


@pytest.mark.parametrize("name", MODULES)
def test_a_file_holds_one_idea(name):
    """At most 300 lines, not counting blank ones, comments and docstrings: those are welcome."""
    lines = MODULES[name].read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    assert sum(bool(line.split("#")[0].strip()) for line in lines) <= 300
