"""Put the judge's questions between the lines of a student's function.

Around every statement of the function three calls are added, and nothing else changes::

    __judge__.enter(12, ["da_f"])                  # which line runs, for which blank
    dc = __judge__.read("dc", locals(), place)     # for each other blank that it reads: the judge
    try:                                           #   looks, and the right value takes its place
        da_f = dc * dc_daf
    except BaseException:
        __judge__.failed(["da_f"], locals(), place)
    else:
        __judge__.stored(["da_f"], 12, locals(), place)

Where a line assigns an argument, which other lines may need, ``__judge__.changed`` notes it, and
``__judge__.given`` puts the argument's own value back before another blank's line reads it.

A line belongs to the blanks that it assigns, be it in place. A line that assigns none is a helper,
and belongs to the blank that is assigned next. A statement with lines inside it counts as one line,
but where it assigns several blanks: there each inner line is a line. Loops that a student adds are
never taken apart; the exercise's own loop over t is, and ``place`` says whether a line is in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .problems import END, START

__all__ = ["JUDGE", "Lines", "rewrite"]

JUDGE = "__judge__"  # the judge's name in the student's file
INSIDE = "inside"  # the place of a line in a loop over t

Lines = dict[int, list[str]]  # line: the blanks it belongs to
LOOPS = ast.For | ast.While
SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
WRITES_FIRST = {"copyto", "at", "put", "place", "putmask", "fill_diagonal"}  # np.copyto(dc, …)


def rewrite(
    tree: ast.Module, names: Mapping[str, set[str]], loops: bool, skip: set[str]
) -> tuple[ast.Module, Lines]:
    """Rewrite, in place, the functions that have blanks.

    Parameters
    ----------
    tree : ast.Module
        The student's file.
    names : mapping
        What is judged in each function: the blanks, and what the exercise makes of them itself.
    loops : bool
        Whether the exercise has a loop over t.
    skip : set of str
        Blanks whose lines are left out, for they would not end.

    Returns
    -------
    ast.Module, dict
        The tree, and to which blanks each line belongs.
    """
    lines: Lines = {}
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in names:
            _Function(names[function.name], loops, skip, lines).rewrite(function)
    return tree, lines


class _Function:
    def __init__(self, names: set[str], loops: bool, skip: set[str], lines: Lines) -> None:
        self.names, self.loops, self.skip, self.lines = names, loops, skip, lines

    def rewrite(self, function: ast.FunctionDef) -> None:
        arguments = {argument.arg for argument in function.args.args}
        self.given = arguments & set().union(*map(_stored, function.body))
        line = function.body[-1].end_lineno or 0
        end = _code(f"{JUDGE}.end(locals())", line)
        taken = [k for k, s in enumerate(function.body) if self.loops and self._is_loop(s)]
        first, last = (taken[0], taken[-1]) if taken else (-1, -1)
        after: set[str] = set()
        body: list[ast.stmt] = []
        for k, statement in reversed(list(enumerate(function.body))):
            place = START if k <= first else END if k >= last else INSIDE
            new, after = self._statement(statement, after, place, k in taken)
            body = new + body
        function.body = body + end
        ast.NodeTransformer.generic_visit(_Returns(), function)
        ast.fix_missing_locations(function)

    def _is_loop(self, statement: ast.stmt) -> bool:
        return isinstance(statement, LOOPS) and len(_stored(statement) & self.names) > 1

    def _block(self, body: list[ast.stmt], after: set[str], place: str) -> tuple[list, set[str]]:
        """Rewrite a block; return it, and the blanks that its first lines belong to."""
        result: list[ast.stmt] = []
        for statement in reversed(body):
            new, after = self._statement(statement, after, place, False)
            result = new + result
        return result or [ast.Pass()], after

    def _statement(
        self, s: ast.stmt, after: set[str], place: str, is_loop: bool
    ) -> tuple[list[ast.stmt], set[str]]:
        """Rewrite one statement, given the blanks that are assigned next after it."""
        if isinstance(s, ast.Global):  # the judge looks for the blanks among local names
            s.names = [name for name in s.names if name not in self.names]
            return [s] if s.names else [], after
        if isinstance(s, ast.Return | ast.Pass | ast.Nonlocal):
            return [s], after
        stored = _stored(s) & self.names
        if is_loop or (isinstance(s, ast.If | ast.With | ast.Try) and len(stored) > 1):
            inside = INSIDE if is_loop else place
            read = set().union(*map(_loaded, _header(s)))
            for name in ("finalbody", "orelse", "handlers", "body"):  # from the last line on
                if name == "handlers":
                    for handler in reversed(getattr(s, name, [])):
                        handler.body, after = self._block(handler.body, after, inside)
                elif getattr(s, name, []):
                    block, after = self._block(getattr(s, name), after, inside)
                    setattr(s, name, block)
            return self._asked(s, read, after, set(), place), after
        group = stored or after
        self.lines |= dict.fromkeys(range(s.lineno, (s.end_lineno or s.lineno) + 1), sorted(group))
        if group & self.skip:
            return [], group
        code = self._asked(s, _loaded(s) - group, group, stored, place)
        changed = _stored(s) & self.given
        if changed:
            call = f"{JUDGE}.changed({sorted(changed)}, {sorted(group)}, {s.lineno})"
            code += _code(call, s.lineno)
        return code, group

    def _asked(
        self, s: ast.stmt, read: set[str], group: set[str], stored: set[str], place: str
    ) -> list[ast.stmt]:
        """Put the judge's calls around a statement."""
        text = f"{JUDGE}.enter({s.lineno}, {sorted(group)})\n"
        for name in sorted(read & self.names):
            text += f"{name} = {JUDGE}.read({name!r}, locals(), {place!r})\n"
        for name in sorted(read & self.given - self.names):
            text += f"{name} = {JUDGE}.given({name!r}, {sorted(group)}, locals())\n"
        text += f"try: pass\nexcept BaseException: {JUDGE}.failed({sorted(group)}, locals(), "
        text += f"{place!r})\nelse: {JUDGE}.stored({sorted(stored)}, {s.lineno}, locals(), "
        code = _code(f"{text}{place!r})", s.lineno)
        attempt = code[-1]
        assert isinstance(attempt, ast.Try)
        attempt.body = [s]
        return code


def _stored(statement: ast.stmt) -> set[str]:
    """Return the names that a statement assigns, or whose arrays it changes in place."""
    found: set[str] = set()
    for node in _walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Subscript | ast.Attribute):
            if isinstance(node.ctx, ast.Store):  # dc[...] = …
                found |= _base(node)
        elif isinstance(node, ast.keyword) and node.arg == "out":
            found |= _loaded(node.value)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found |= _changed(node.value)
    return found


def _changed(call: ast.Call) -> set[str]:
    """Guess what a call changes whose result nobody keeps: np.add(a, b, dc), dc.sort()."""
    if any(keyword.arg == "out" for keyword in call.keywords):
        return set()  # seen already
    if isinstance(call.func, ast.Attribute):
        base = _base(call.func)
        if base not in ({"np"}, {"numpy"}):
            return base
        written = call.args[:1] if call.func.attr in WRITES_FIRST else call.args[-1:]
        return set().union(*map(_loaded, written))
    if isinstance(call.func, ast.Name) and call.func.id in ("print", "len", "type"):
        return set()
    return set().union(*map(_loaded, call.args))  # a function of the student's own


def _base(node: ast.expr) -> set[str]:
    """Return the a of a.b[c]."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _loaded(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _header(s: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions of a compound statement that stand outside its blocks."""
    for child in ast.iter_child_nodes(s):
        if not isinstance(child, ast.stmt | ast.excepthandler):
            yield child


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk as ast.walk, but not into functions and comprehensions, which have names of their own.

    The name of a walrus in a comprehension belongs to the function, but nobody writes that.
    """
    yield node
    if not isinstance(node, SCOPES | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


class _Returns(ast.NodeTransformer):
    """Let the judge look before the function returns; what it returns is looked at elsewhere."""

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        return [
            *_code(f"{JUDGE}.end(locals())", node.lineno),
            ast.copy_location(ast.Return(), node),
        ]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, SCOPES) else super().generic_visit(node)


def _code(text: str, line: int) -> list[ast.stmt]:
    """Parse lines of the judge's, and let them all stand in one line of the student's."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            vars(node).update(lineno=line, end_lineno=line, col_offset=0, end_col_offset=0)
    return tree.body
