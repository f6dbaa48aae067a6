"""Finding the definition that a function was compiled from."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import types

from ..errors import ScriptError

__all__ = ["find_definition"]


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
    wanted = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return [n for n in ast.walk(ast.parse(text)) if isinstance(n, wanted)]


def find_definition(code: types.CodeType) -> ast.FunctionDef:
    """The definition a code object was compiled from."""
    name, filename, line = code.co_name, code.co_filename, code.co_firstlineno
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename))
    try:
        candidates = _parsed(text) if text else []
    except SyntaxError:
        candidates = []
    if name == "<lambda>":
        found = _lambda_of(code, [n for n in candidates if isinstance(n, ast.Lambda)])
        if found is not None:
            body = ast.copy_location(ast.Return(found.body), found.body)
            made = ast.FunctionDef("<lambda>", found.args, [body], [])
            return ast.copy_location(made, found)
    for node in candidates:
        if isinstance(node, ast.Lambda):
            continue
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if node.name == name and line in (first, node.lineno):
            if isinstance(node, ast.AsyncFunctionDef):
                break
            return node
    if text and candidates and any(getattr(n, "name", None) == name for n in candidates):
        reason = "it is no plain function, or its file has changed since it was loaded"
    else:
        reason = "its source cannot be read; define it in a file or a notebook cell"
    raise ScriptError(f"script({name}): {reason} ({filename}:{line}).")


def _lambda_of(code: types.CodeType, candidates: list[ast.Lambda]) -> ast.Lambda | None:
    """The lambda of this code: of several on a line the innermost around all its instructions."""
    line = code.co_firstlineno
    found = [n for n in candidates if n.lineno == line and _has_arguments(n, code)]
    if len(found) < 2:
        return found[0] if found else None
    places = [
        ((first, start), (last, end))
        for first, last, start, end in code.co_positions()
        if None not in (first, last, start, end) and (first, start) != (last, end)
    ]
    around = []
    for node in found:
        start = (node.body.lineno, node.body.col_offset)
        end = (node.body.end_lineno, node.body.end_col_offset)
        if all(start <= first and last <= end for first, last in places):  # type: ignore[operator]
            around.append((start, node))
    if not places or not around:
        raise ScriptError(
            f"script(<lambda>): {len(found)} lambdas begin on this line and which one is meant "
            f"cannot be told; use def, or lines of their own ({code.co_filename}:{line})."
        )
    return max(around, key=lambda pair: pair[0])[1]


def _has_arguments(node: ast.Lambda, code: types.CodeType) -> bool:
    given = node.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [a.arg for a in (given.vararg, given.kwarg) if a is not None]
    count = code.co_argcount + code.co_kwonlyargcount
    count += sum(bool(code.co_flags & f) for f in (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS))
    return names == list(code.co_varnames[:count])
