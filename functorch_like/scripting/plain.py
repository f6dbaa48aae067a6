"""Statements brought into the forms that the rewriting knows, before it begins."""

from __future__ import annotations

import ast
import copy
from typing import Any

from .syntax import load_name, locate, make_arguments, make_assignment, make_call, make_tuple

__all__ = ["Plain", "formatted_later"]


class Plain(ast.NodeTransformer):
    """``match`` over numbers and strings as ``if`` and ``elif``.

    Patterns that take a value apart are left to Python.
    """

    def __init__(self) -> None:
        self.count = 0

    def visit_Match(self, s: ast.Match) -> Any:  # noqa: D102  (called by the node's name)
        self.generic_visit(s)
        if not all(_is_plain(case.pattern) for case in s.cases):
            return s
        self.count += 1
        subject = f"subject_{self.count}_"
        rest: list[ast.stmt] = []
        for case in reversed(s.cases):
            rest = _chosen(case, subject, rest)
        made = [make_assignment(subject, s.subject), *rest]
        for x in made:
            ast.copy_location(x, s)
            locate(x, s.lineno)
        return made


def _is_plain(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return all(isinstance(p, (ast.MatchValue, ast.MatchSingleton)) for p in pattern.patterns)
    if isinstance(pattern, ast.MatchAs):
        return pattern.pattern is None or _is_plain(pattern.pattern)
    return isinstance(pattern, (ast.MatchValue, ast.MatchSingleton))


def _chosen(case: ast.match_case, subject: str, rest: list[ast.stmt]) -> list[ast.stmt]:
    """A case, and what comes after it if it is not the one."""
    pattern: Any = case.pattern
    body, names = case.body, []
    while isinstance(pattern, ast.MatchAs):
        if pattern.name is not None:
            names.append(
                ast.copy_location(make_assignment(pattern.name, load_name(subject)), pattern)
            )
        if pattern.pattern is None:
            break
        pattern = pattern.pattern
    every = isinstance(pattern, ast.MatchAs)
    if case.guard is not None:
        inside: ast.stmt = ast.If(case.guard, body, copy.deepcopy(rest))
        body = [*names, ast.copy_location(inside, case.guard)]
    else:
        body = [*names, *body]
    if every:
        return body
    return [ast.copy_location(ast.If(_test(pattern, subject), body, rest), case.pattern)]


def _test(pattern: ast.pattern, subject: str) -> ast.expr:
    """Whether the subject matches."""
    made: ast.expr
    if isinstance(pattern, ast.MatchOr):
        made = ast.BoolOp(ast.Or(), [_test(p, subject) for p in pattern.patterns])
    elif isinstance(pattern, ast.MatchSingleton):
        made = ast.Compare(load_name(subject), [ast.Is()], [ast.Constant(pattern.value)])
    else:
        assert isinstance(pattern, ast.MatchValue)
        made = ast.Compare(load_name(subject), [ast.Eq()], [pattern.value])
    return ast.copy_location(made, pattern)


def formatted_later(text: ast.expr) -> ast.expr:
    """An f-string as a function of its values: they may be known only at run time."""
    if not isinstance(text, ast.JoinedStr):
        return text
    values: list[ast.expr] = []
    parts: list[ast.expr] = []
    for part in text.values:
        if isinstance(part, ast.FormattedValue):
            spec = part.format_spec
            parts_of = spec.values if isinstance(spec, ast.JoinedStr) else []
            if not all(isinstance(x, ast.Constant) for x in parts_of):
                return text
            values.append(part.value)
            name = load_name(f"value_{len(values)}_")
            parts.append(ast.FormattedValue(name, part.conversion, spec))
        else:
            parts.append(part)
    names = [f"value_{i + 1}_" for i in range(len(values))]
    show = ast.Lambda(make_arguments(names), ast.JoinedStr(parts))
    made = ast.copy_location(make_call("Text", show, make_tuple(values)), text)
    locate(made, text.lineno)
    return made
