"""Small pieces of syntax that rewritten source is made of."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import Any

__all__ = [
    "OPERATORS",
    "Mangler",
    "index_value",
    "load_name",
    "locate",
    "make_arguments",
    "make_assignment",
    "make_call",
    "make_lambda",
    "make_return",
    "make_strings",
    "make_tuple",
    "parameters_of",
    "plain_arguments",
    "store_name",
]

OPERATORS = "__script__"  # the name of the module operators in rewritten source


def locate(node: Any, line: int) -> None:
    """Give nodes of ours the line of what they stand in."""
    if "lineno" in node._attributes:
        line = getattr(node, "lineno", line)
        whole = getattr(node, "end_lineno", None) is not None and node.end_lineno >= line
        node.lineno, node.col_offset = line, getattr(node, "col_offset", 0)
        if not whole:
            node.end_lineno, node.end_col_offset = line, node.col_offset
    for child in ast.iter_child_nodes(node):
        locate(child, line)


def make_return(value: ast.expr) -> ast.Return:
    """``return value``."""
    return ast.copy_location(ast.Return(value), value)


def load_name(name: str) -> ast.Name:
    """A name that is read."""
    return ast.Name(name, ast.Load())


def store_name(name: str) -> ast.Name:
    """A name that is assigned."""
    return ast.Name(name, ast.Store())


def make_arguments(names: Sequence[str]) -> ast.arguments:
    """Parameters of these names."""
    return ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])


def plain_arguments(arguments: ast.arguments) -> ast.arguments:
    """The same parameters without defaults and annotations, which the function keeps."""
    made = copy.deepcopy(arguments)
    for a in (*made.posonlyargs, *made.args, *made.kwonlyargs, made.vararg, made.kwarg):
        if a is not None:
            a.annotation = None
    none = ast.Constant(None)
    made.defaults = [none for _ in made.defaults]
    made.kw_defaults = [None if d is None else none for d in made.kw_defaults]
    return made


def parameters_of(arguments: ast.arguments) -> set[str]:
    """Names of all parameters."""
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return {a.arg for a in (*every, arguments.vararg, arguments.kwarg) if a is not None}


def make_lambda(body: ast.expr) -> ast.Lambda:
    """``lambda: body``."""
    return ast.Lambda(make_arguments([]), body)


def make_call(operator: str, *operands: ast.expr) -> ast.Call:
    """A call of something in the module operators."""
    return ast.Call(ast.Attribute(load_name(OPERATORS), operator, ast.Load()), list(operands), [])


def make_tuple(items: Sequence[ast.expr]) -> ast.Tuple:
    """``(a, b)``."""
    return ast.Tuple(list(items), ast.Load())


def make_strings(names: Sequence[str]) -> ast.Tuple:
    """``('a', 'b')``."""
    return make_tuple([ast.Constant(n) for n in names])


def index_value(index: ast.expr) -> ast.expr:
    """What stands in brackets, as a value."""
    if isinstance(index, ast.Slice):
        parts = [
            ast.Constant(None) if x is None else x for x in (index.lower, index.upper, index.step)
        ]
        return make_call("slice", *parts)
    if isinstance(index, ast.Tuple):
        return ast.copy_location(ast.Tuple([index_value(x) for x in index.elts], ast.Load()), index)
    return index


def make_assignment(name: str, value: ast.expr) -> ast.Assign:
    """``name = value``."""
    return ast.Assign([store_name(name)], value)


class Mangler(ast.NodeTransformer):
    """Private names of a class, as Python writes them inside of it."""

    def __init__(self, owner: str) -> None:
        self.prefix = "_" + owner.lstrip("_")

    def _mangled(self, name: str) -> str:
        private = name.startswith("__") and not name.endswith("__")
        return self.prefix + name if private else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A name, mangled."""
        node.id = self._mangled(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """An attribute, its name mangled."""
        self.generic_visit(node)
        node.attr = self._mangled(node.attr)
        return node
