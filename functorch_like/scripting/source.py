"""Finding the definition that a function was compiled from."""

from __future__ import annotations

import ast
import functools
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
    for node in candidates:
        if isinstance(node, ast.Lambda):
            if name == "<lambda>" and node.lineno == line and _is_lambda_of(node, code):
                body = ast.copy_location(ast.Return(node.body), node.body)
                made = ast.FunctionDef("<lambda>", node.args, [body], [])
                return ast.copy_location(made, node)
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


def _is_lambda_of(node: ast.Lambda, code: types.CodeType) -> bool:
    start = (node.body.lineno, node.body.col_offset)
    places = {(a, c) for a, _, c, _ in code.co_positions() if a is not None and c is not None}
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return names == list(code.co_varnames[: len(names)]) and (
        start in places or all(p >= start for p in places if p[1] and p[0] >= node.lineno)
    )
