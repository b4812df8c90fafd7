"""The process in which a student's file runs, so that it can be ended from outside.

    python -m npslstm.exercises.child FILE VERDICTS [SKIP …]

writes one JSON object a line to VERDICTS, at once, so that nothing is lost when the process dies.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import io
import json
import linecache
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import digits, strangers
from .causes import close
from .judge import EVERY, Judge, described
from .problems import END, Problem, problems
from .rewrite import JUDGE, Lines, rewrite
from .sheet import Sheet, read

__all__ = ["examine", "main"]

Tell = Callable[..., None]


def main(arguments: list[str] | None = None) -> None:
    """Judge a file, and write down the verdicts."""
    path, verdicts, *skip = sys.argv[1:] if arguments is None else arguments
    asked, text = read(Path(path))
    sys.path.insert(0, str(Path(path).resolve().parent))
    with open(verdicts, "a", encoding="utf-8") as file:

        def tell(**verdict: Any) -> None:
            print(json.dumps(verdict), file=file, flush=True)

        try:
            examine(asked, text, path, tell, set(skip))
        except KeyboardInterrupt:
            os._exit(1)  # without a traceback: who started this process says that it was stopped
        tell(done=True)


def examine(asked: Sheet, text: str, path: str, tell: Tell, skip: set[str]) -> None:
    """Run a file of an exercise and tell what is found, verdict by verdict."""
    lines = text.splitlines(keepends=True)
    linecache.cache[path] = (len(text), None, lines, path)  # where exceptions find their line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the judge says it where a value is not finite
        if asked.number == 5:
            strangers.examine(asked, text, path, tell, load, skip)
        elif asked.number == 8:
            digits.examine(text, path, tell, load)
        else:
            _examine_blanks(asked, text, path, tell, skip)


def load(code: Any, path: str, tell: Tell, **more: Any) -> dict[str, Any] | None:
    """Run a file as a module; return its names, or tell which line of it raised."""
    module = {"__name__": Path(path).stem, "__file__": path, **more}
    tell(enter=0, names=[], rows=[])
    try:
        exec(code, module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # exit() in a student's file, too
        reason, line = described(error, path)
        if isinstance(error, ImportError):
            reason += "; what it imports must lie beside it, or else be installed"
        tell(name=EVERY, causes=[reason], line=line or 1)
        return None
    return module


def _examine_blanks(asked: Sheet, text: str, path: str, tell: Tell, skip: set[str]) -> None:
    given = problems(asked.number)
    names = {
        function: {blank.name for blank in asked.blanks if blank.function == function}
        | _assigned(asked, function) & set(given[0].right)
        for function in asked.functions
    }
    right: dict[str, bool] = {}

    def note(**verdict: Any) -> None:
        if "name" in verdict:
            right[verdict["name"]] = right.get(verdict["name"], True) and not verdict["causes"]
        tell(**verdict)

    judge = Judge(path, text, asked.between, note)
    tree, lines = rewrite(ast.parse(text, path), names, loops=asked.number == 4, skip=skip)
    module = load(compile(tree, path, "exec", dont_inherit=True), path, tell, **{JUDGE: judge})
    if module is None:
        return
    with contextlib.ExitStack() as quiet:
        for case, problem in enumerate(given):
            if case:  # what a student prints is to be seen once
                quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
            for function, its in names.items():
                judge.begin(problem, its, case)
                if function not in module:
                    continue  # its blanks stay blank
                try:
                    _check_order(module[function], asked.functions[function])
                    module[function](**_arguments(asked, function, problem))
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    reason, line = described(error, path)
                    if isinstance(error, TypeError) and line is None:
                        arguments = ", ".join(asked.functions[function])
                        reason = f"{function} must take the arguments {arguments}, in this order"
                    for name in sorted(its - set(right)):
                        wrong = {"name": name, "line": line or 0, "causes": [reason]}
                        note(**wrong, case=case)
        if all(right.get(blank.name) for blank in asked.blanks):
            _run_plainly(asked, text, path, note, given, lines)


def _run_plainly(
    asked: Sheet, text: str, path: str, tell: Tell, given: Sequence[Problem], lines: Lines
) -> None:
    """Run the file as it stands: if all names are right, what the functions return must be, too."""
    module = load(compile(text, path, "exec", dont_inherit=True), path, tell)
    if module is None:
        return
    returned = _returned(asked)
    for case, problem in enumerate(given):
        for function, names in returned.items():
            wrong = {"line": 0, "case": case}
            first = next(blank.name for blank in asked.blanks if blank.function == function)
            try:
                values = module[function](**_arguments(asked, function, problem))
                if not isinstance(values, tuple) or len(values) != len(names):
                    raise TypeError(f"{function} must return {', '.join(names)}")
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                reason, line = described(error, path)
                blamed = lines.get(line or 0) or [first]
                blamed = [asked.between.get(name, name) for name in blamed]
                tell(**wrong | {"name": blamed[0], "line": line or 0, "causes": [reason]})
                return
            for name, value in zip(names, values, strict=True):
                right = problem.at(name, END) if name in problem.right else None
                if right is not None and not close(value, right):
                    reason = f"right where it is computed, but {function} returns another value"
                    tell(**wrong | {"name": name, "causes": [reason]})


def _check_order(function: Callable[..., Any], wanted: Sequence[str]) -> None:
    """Demand the arguments in their order, in which exercise 8 gives them, without names."""
    own = [name for name in inspect.signature(function).parameters if name in wanted]
    if sorted(own) == sorted(wanted) and own != list(wanted):
        raise TypeError


def _assigned(asked: Sheet, function: str) -> set[str]:
    """Return the names that lines between the blanks of a function assign."""
    blanks = {blank.name: blank.function for blank in asked.blanks}
    return {name for name, blank in asked.between.items() if blanks.get(blank) == function}


def _arguments(asked: Sheet, function: str, problem: Problem) -> dict[str, Any]:
    """Return copies: who writes to an argument spoils this one run alone."""
    return {name: copy.copy(problem.given[name]) for name in asked.functions[function]}


def _returned(asked: Sheet) -> dict[str, list[str]]:
    """Return what each function of the sheet returns, as texts, most of them names."""
    result = {}
    for function in ast.parse(asked.text).body:
        if isinstance(function, ast.FunctionDef) and function.name in asked.functions:
            last = function.body[-1]
            assert isinstance(last, ast.Return)
            assert isinstance(last.value, ast.Tuple)
            result[function.name] = list(map(ast.unparse, last.value.elts))
    return result


if __name__ == "__main__":
    main()
