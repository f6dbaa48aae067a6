"""The changes of the text of SciPy's functions, which the package's head lists."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

__all__ = ["rewrite"]


def rewrite(function: ast.FunctionDef, names: Sequence[str]) -> None:
    """Change the text of a function whose local names are ``names``."""
    _Rewriting(names).visit(function)


class _Rewriting(ast.NodeTransformer):
    """The changes of the text that the head of this file lists."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = set(names)
        self.depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        if self.depth:
            return node  # an inner function: its names are its own
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        return node

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        if any(isinstance(n, ast.NamedExpr) for n in ast.walk(node.test)):
            return node
        if _only_complains(node.body):
            node.test = _as_check(node.test)
        elif _only_masks(node):
            node.test = _call("__perhaps", node.test)
        return node

    def visit_While(self, node: ast.While) -> Any:
        # while a[0] == 0: leading zeros are taken away where they are known to be zeros.
        self.generic_visit(node)
        tests = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
        zeros = [t for t in tests if _is_zero_test(t)]
        if zeros and len(node.body) == 1 and isinstance(node.body[0], ast.Assign):
            checked = [_call("__check", t) if t in zeros else t for t in tests]
            if isinstance(node.test, ast.BoolOp):
                node.test.values = checked
            else:
                node.test = checked[0]
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Name) and function.id in ("float", "complex", "int"):
            function.id = "__" + function.id
        elif isinstance(function, ast.Attribute) and function.attr == "view":
            return _call("__view", function.value, *node.args)
        elif isinstance(function, ast.Attribute) and function.attr in ("float64", "complex128"):
            return _call("__cast", function, *node.args)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        right = node.comparators[0]
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.NotEq) and _nonzero(right):
            return _call("__differs", node.left, right)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        names = [alias.asname or alias.name for alias in node.names]
        return [node, *map(_translated_again, names)]

    def visit_Import(self, node: ast.Import) -> Any:
        names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        return [node, *map(_translated_again, names)]

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        return _call("__flags", node.value) if node.attr == "flags" else node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        index = node.slice
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        if not isinstance(node.ctx, ast.Load) or any(
            isinstance(p, (ast.Starred, ast.Constant, ast.Slice)) for p in parts
        ):
            return node
        return _call("__take", node.value, index)

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) == 1 and self._local_item(target):
            return self._assignment(target, node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        name = _OPERATIONS.get(type(node.op))
        if name is None:
            return node
        target = node.target
        if isinstance(target, ast.Name) and target.id in self.names:
            read: ast.expr = ast.Name(target.id, ast.Load())
            value = _augment(name, read, node.value)
            return ast.Assign([ast.Name(target.id, ast.Store())], value)
        if self._local_item(target):
            assert isinstance(target, ast.Subscript)
            read = ast.Subscript(target.value, target.slice, ast.Load())
            return self._assignment(target, _augment(name, read, node.value))
        return node

    def _local_item(self, target: ast.expr) -> bool:
        return (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and target.value.id in self.names
        )

    def _assignment(self, target: Any, value: ast.expr) -> ast.Assign:
        name = target.value.id
        index = target.slice
        if isinstance(index, ast.Slice) or (
            isinstance(index, ast.Tuple) and any(isinstance(e, ast.Slice) for e in index.elts)
        ):
            index = _slices(index)
        made = _call("__assigned", ast.Name(name, ast.Load()), index, value)
        return ast.Assign([ast.Name(name, ast.Store())], made)


_OPERATIONS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow",
    ast.MatMult: "matmul",
}  # fmt: skip


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _is_zero_test(x: ast.expr) -> bool:
    return (
        isinstance(x, ast.Compare)
        and isinstance(x.ops[0], ast.Eq)
        and isinstance(x.comparators[0], ast.Constant)
        and x.comparators[0].value == 0
    )


def _nonzero(x: ast.expr) -> bool:
    return isinstance(x, ast.Constant) and type(x.value) in (int, float) and x.value != 0


def _only_masks(node: ast.If) -> bool:
    """``if np.any(mask): x[mask] = v``, whose body does nothing where the mask is empty."""
    test = node.test
    return (
        isinstance(test, ast.Call)
        and isinstance(test.func, ast.Attribute)
        and test.func.attr == "any"
        and not node.orelse
        and all(
            isinstance(s, ast.Assign)
            and isinstance(s.value, ast.Call)
            and isinstance(s.value.func, ast.Name)
            and s.value.func.id == "__assigned"
            for s in node.body
        )
    )


def _as_check(test: ast.expr) -> ast.expr:
    """A condition that is false where it cannot be known, part by part."""
    if isinstance(test, ast.BoolOp):
        parts = list(map(_as_check, test.values))
        if isinstance(test.op, ast.Or):
            return _call("__either", *map(_thunk, parts))
        return ast.BoolOp(test.op, parts)
    return _call("__check", _negated(test))


def _negated(value: ast.expr) -> ast.expr:
    """``not x`` as an operation, which leaves it to ``__check`` to ask for the truth."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return _call("__not", value.operand)
    return value


def _thunk(value: ast.expr) -> ast.expr:
    none = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(none, value)


def _translated_again(name: str) -> ast.stmt:
    """``name = __translate(name)`` after an import inside a function."""
    made = _call("__translate", ast.Name(name, ast.Load()))
    return ast.Assign([ast.Name(name, ast.Store())], made)


def _augment(name: str, x: ast.expr, y: ast.expr) -> ast.expr:
    def of(attribute: str) -> ast.expr:
        return ast.Attribute(ast.Name("__operator", ast.Load()), attribute, ast.Load())

    return _call("__augmented", of(name), of("i" + name), x, y)


def _slices(index: ast.expr) -> ast.expr:
    """An index with its colons written as slices."""
    if isinstance(index, ast.Tuple):
        return ast.Tuple([_slices(e) for e in index.elts], ast.Load())
    if isinstance(index, ast.Slice):
        parts = (index.lower, index.upper, index.step)
        return _call("slice", *[ast.Constant(None) if p is None else p for p in parts])
    return index


def _only_complains(body: Sequence[ast.stmt]) -> bool:
    """Whether a branch does nothing but raise or warn."""
    last = body[-1]
    complaint = isinstance(last, ast.Raise) or (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Call)
        and isinstance(last.value.func, ast.Attribute)
        and last.value.func.attr == "warn"
    )
    return complaint and all(isinstance(s, ast.Assign) for s in body[:-1])
