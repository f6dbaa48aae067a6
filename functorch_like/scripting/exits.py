"""Early exits and short-circuits, brought into a form that the rewriting knows."""

from __future__ import annotations

import ast
from typing import Any

from . import analysis
from .syntax import load_name, make_assignment

__all__ = ["Leaving", "nested_choice"]


def nested_choice(s: ast.If) -> ast.If:
    """An ``if`` one of whose later and/or operands assigns by :=, as one inside the other.

    So the name has its value where the operand was asked.
    """
    test = s.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = nested_choice(ast.copy_location(ast.If(test.operand, s.orelse or [], s.body), s))
        if inner.test is test.operand:
            return s
        inner.body = inner.body or [ast.copy_location(ast.Pass(), s)]
        return inner
    if not isinstance(test, ast.BoolOp):
        return s
    assigns = [any(isinstance(n, ast.NamedExpr) for n in ast.walk(x)) for x in test.values[1:]]
    if not any(assigns):
        return s
    first, *rest = test.values
    later = rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(test.op, rest), test)
    inside = nested_choice(ast.copy_location(ast.If(later, s.body, s.orelse), s))
    if isinstance(test.op, ast.And):
        made = ast.If(first, [inside], s.orelse)
    else:
        made = ast.If(first, s.body, [inside])
    return ast.copy_location(made, s)


class Leaving(ast.NodeTransformer):
    """Return, break and continue of these very statements as flags that are set."""

    def __init__(self, flags: dict[type, str], value: str) -> None:
        self.flags = flags
        self.value = value
        self.inside = 0  # loops around

    def left(self, s: ast.stmt) -> list[ast.stmt]:
        made = self.visit(s)
        return made if isinstance(made, list) else [made]

    def _flagged(self, s: ast.stmt, more: list[ast.stmt]) -> list[ast.stmt]:
        made = [*more, make_assignment(self.flags[type(s)], ast.Constant(True)), ast.Break()]
        for x in made:
            ast.copy_location(x, s)
        return made

    def visit_Return(self, s: ast.Return) -> Any:
        value = s.value or ast.Constant(None)
        return self._flagged(s, [make_assignment(self.value, value)])

    def visit_Break(self, s: ast.Break) -> Any:
        return s if self.inside else self._flagged(s, [])

    def visit_Continue(self, s: ast.Continue) -> Any:
        return s if self.inside else self._flagged(s, [])

    def visit_For(self, s: Any) -> Any:
        returns = ast.Return in analysis.ends([s])
        self.inside += 1
        s.body = [y for x in s.body for y in self.left(x)]
        self.inside -= 1
        s.orelse = [y for x in s.orelse for y in self.left(x)]
        if not returns:
            return s
        further = ast.If(load_name(self.flags[ast.Return]), [ast.Break()], [])
        return [s, ast.copy_location(further, s)]

    def visit_While(self, s: Any) -> Any:
        return self.visit_For(s)

    def visit_FunctionDef(self, s: Any) -> Any:
        return s  # what it returns is its own

    def visit_ClassDef(self, s: Any) -> Any:
        return s
