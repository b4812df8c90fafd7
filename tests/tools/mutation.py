"""Break every arithmetic line of every backward, one edit at a time; the checks must see each.

``python tests/tools/mutation.py`` prints the score; with names (``gates cell``), that of some.
An edit swaps an operator, drops a term or a factor, takes another operand, changes a number, an
exponent or an index, or leaves a statement out. Each mutant runs in a process of its own, so that
nothing it does reaches the next. One that no check sees must be listed here as equivalent, with the
reason.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import os
import re
import signal
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[:0] = [
        str(Path(__file__).parents[2] / name) for name in ("", "tests", "tests/helpers")
    ]

from backward_checks import CHECKS

from npslstm.kernel import memory

TARGETS = {
    "gates": ["local_derivatives", "gates_backward"],
    "cells.base": [
        "Kind.backward",
        "Kind.named_gradients",
        "Run.derivatives",
        "through_c",
        "through_h",
    ],
    "cells.standard": ["FastRun.derivatives", "fast_derivatives"],
    "cells.peephole": ["Peephole.derivatives", "Peephole.extra_gradients"],
    "cells.cifg": ["CoupledGates.derivatives"],
    "cells.nig": ["NoInputGate.derivatives"],
    "cells.nfg": ["NoForgetGate.derivatives"],
    "cells.nog": ["NoOutputGate.derivatives"],
    "cells.niaf": ["NoInputActivation.derivatives"],
    "cells.noaf": ["NoOutputActivation.derivatives"],
    "cells.gru": ["GatedUnit.derivatives", "GatedUnit.named_gradients"],
    "cells.rnn": ["Tanh.derivatives"],
    "cell": ["step_backward"],
    "kernel.scratch": ["BackwardScratch.__init__"],
    "kernel.sequence": ["block_backward"],
    "kernel.weights": ["Gradients.named"],
    "kernel.schedule": ["layer_backward"],
    "kernel.stack": ["stack_backward"],
    "layers": ["Recurrent.backward"],
    "linear": ["Linear.backward", "Readout.read_backward"],
    "losses": ["cross_entropy", "mean_squared_error"],
    "model": ["LSTMModel.backward"],
}
SECONDS = 60  # that a mutant may take before it counts as killed

# Mutants that do the same: of which function, what the edit looks like, and why.
EQUIVALENT = [
    ("BackwardScratch.__init__", r"^self\.split", "a product cut in another way is the same"),
    ("BackwardScratch.__init__", r"^width = ", "more columns than are needed are cut off again"),
    (
        "BackwardScratch.__init__",
        r"^self\.rows\[:, features \+ 1 \+ output:\] = 0",
        "these columns are written to at every call, or cut off",
    ),
    ("Run.derivatives", r"out\[-1\]", "a kind without a fast form has one place"),
    ("block_backward", r"->  .*reshape\(.*-2\)", "NumPy works out any negative size"),
    (
        "block_backward",
        r"->  np\.add\((dm, special, dh|dh, special, dm)\)$",
        "dm is dh where there is no projection, and no kind that adds here has one",
    ),
    ("block_backward", r"^give_back\(work\)  ->  pass", "memory that is made anew holds the same"),
    ("Recurrent.backward", r"^memory\.new_call\(\)  ->  pass", "likewise"),
    ("stack_backward", r"else dxs\[-1\]$", "there dxs has one entry"),
]

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
}
UFUNCS = {"multiply": "add", "add": "subtract", "subtract": "add", "matmul": "multiply"}
ARITHMETIC = {*UFUNCS, "dot", "exp", "log", "square", "step"}


class Mutant(NamedTuple):
    module: str
    function: str
    edit: str  # "old statement  ->  new statement"
    tree: ast.FunctionDef

    def alive(self) -> bool:
        """Whether no check sees it."""
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            status = 0
            try:
                self.put_in_place()
                warnings.simplefilter("error")
                status = int(all(check() for check in CHECKS))
            except Exception:
                status = 0  # a crash is seen, too
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 1

    def is_equivalent(self) -> bool:
        """Whether it is listed among those that do the same."""
        return any(
            self.function == function and re.search(pattern, self.edit)
            for function, pattern, _ in EQUIVALENT
        )

    def put_in_place(self) -> None:
        """Give the function this code, under whatever name it is known anywhere."""
        module = importlib.import_module(f"npslstm.{self.module}")
        future = ast.parse("from __future__ import annotations").body
        program = ast.Module([*future, self.tree], [])
        namespace = dict(vars(module))
        exec(compile(program, self.function, "exec"), namespace)
        find(self.module, self.function).__code__ = namespace[self.tree.name].__code__
        memory.forget()  # what the right code has made


def find(module: str, function: str) -> FunctionType:
    """Return a function or a method of a class."""
    found = importlib.import_module(f"npslstm.{module}")
    for name in function.split("."):
        found = getattr(found, name)
    return found


def mutants(module: str, function: str) -> list[Mutant]:
    """Every mutant of one function."""
    source = textwrap.dedent(inspect.getsource(find(module, function)))
    return [Mutant(module, function, *edited) for edited in edits(source).items()]


def edits(source: str) -> dict[str, ast.FunctionDef]:
    """Every edit of a function's source, and the function with it."""
    tree = ast.parse(source).body[0]
    for tag, node in enumerate(ast.walk(tree)):
        node.tag = tag
    names = list(operands(tree))
    pool = sorted({name.id for name in names})
    found = {}
    for statement, node in arithmetic(tree):
        for change in changes(node, pool if node in names else []):
            change = copy.copy(change)  # which may be a part of the tree, with a tag of its own
            change.tag = node.tag
            edited = ast.fix_missing_locations(Replacement(change).visit(copy.deepcopy(tree)))
            after = next(n for n in ast.walk(edited) if getattr(n, "tag", None) == statement.tag)
            found[f"{header(statement)}  ->  {header(after)}"] = edited
    return found


class Replacement(ast.NodeTransformer):
    """Put a node in the place of the one with the same tag."""

    def __init__(self, change: ast.AST) -> None:
        self.change = change

    def visit(self, node: ast.AST) -> ast.AST:
        if getattr(node, "tag", None) == self.change.tag:
            return self.change
        return self.generic_visit(node)


def header(statement: ast.AST) -> str:
    return ast.unparse(statement).split("\n")[0]


def arithmetic(tree: ast.FunctionDef) -> Iterator[tuple[ast.stmt, ast.AST]]:
    """Every node that may be edited, with its statement; not what checks or explains."""

    def inside(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.stmt, ast.AST]]:
        if isinstance(node, ast.stmt):
            statement = node
        yield statement, node
        for field, value in ast.iter_fields(node):
            if field == "annotation" or (isinstance(node, ast.If | ast.IfExp) and field == "test"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not explains(child):
                    yield from inside(child, statement)

    for statement in tree.body:
        if not explains(statement):
            yield from inside(statement, statement)


def explains(node: ast.AST) -> bool:
    """Whether a node is a docstring, an error, or the check of an argument."""
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.Call):
        return "check" in ast.unparse(node.func)
    return isinstance(node, ast.Raise | ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def operands(tree: ast.FunctionDef) -> Iterator[ast.Name]:
    """The names of the arrays that are operands of arithmetic."""
    for _, node in arithmetic(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.AugAssign):
            parts = [node.target, node.value]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ARITHMETIC:
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        for part in parts:
            while isinstance(part, ast.Subscript | ast.Attribute):
                part = part.value
            if isinstance(part, ast.Name) and part.id != "np":
                yield part


def changes(node: ast.AST, others: list[str]) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPERATORS:
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        yield node.left
        yield node.right
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.AugAssign):
        if type(node.op) in OPERATORS:
            yield ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
        yield ast.Assign([node.target], node.value)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    if isinstance(node, ast.Name):
        for name in others:
            if name != node.id:
                yield ast.Name(name, node.ctx)
    if isinstance(node, ast.Attribute) and node.attr in UFUNCS:
        yield ast.Attribute(node.value, UFUNCS[node.attr], node.ctx)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "reversed":
        yield node.args[0]
    in_place = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    if in_place or isinstance(node, ast.AugAssign | ast.Expr):
        yield ast.Pass()


def run(modules: list[str]) -> list[Mutant]:
    """Print the score of each function; return the mutants that nobody saw, and should have."""
    missed, seen, equivalent = [], 0, 0
    for module in modules:
        for function in TARGETS[module]:
            alive, total = [], 0
            for mutant in mutants(module, function):
                total += 1
                if mutant.alive():
                    alive.append(mutant)
            known = [mutant for mutant in alive if mutant.is_equivalent()]
            missed += [m for m in alive if m not in known]
            seen += total - len(alive)
            equivalent += len(known)
            print(f"{module}.{function}: {total} mutants, {total - len(alive)} seen", flush=True)
    total = seen + len(missed)
    print(f"{seen} of {total} seen, {seen / total:.1%}; {equivalent} more are equivalent")
    for mutant in missed:
        print(f"not seen: {mutant.function}: {mutant.edit}")
    return missed


if __name__ == "__main__":
    sys.exit(1 if run(sys.argv[1:] or list(TARGETS)) else 0)
