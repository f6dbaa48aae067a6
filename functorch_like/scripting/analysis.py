"""Which names a piece of source assigns, changes and reads, and whether it ends early.

All of it stays within one function: what a nested function assigns is its own, what it reads
counts as read where it is defined.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "always_ends",
    "captured",
    "changed",
    "declared",
    "endless",
    "ends",
    "exposed",
    "is_mask",
    "loads",
    "masks",
    "reads",
    "stored",
    "sure",
    "yields",
]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _within(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes but the insides of nested functions and comprehensions' own names."""
    for node in nodes:
        yield node
        if isinstance(node, ast.ClassDef):
            continue
        if isinstance(node, FUNCTIONS):
            yield from _within(node.args.defaults)
            continue
        if isinstance(node, COMPREHENSIONS):
            targets = {id(t) for g in node.generators for t in ast.walk(g.target)}
            for child in _within(ast.iter_child_nodes(node)):
                if id(child) not in targets:
                    yield child
            continue
        yield from _within(ast.iter_child_nodes(node))


def stored(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are assigned."""
    found = set()
    for node in _within(nodes):
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((a.asname or a.name).partition(".")[0] for a in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def changed(nodes: Iterable[ast.AST]) -> set[str]:
    """Names whose objects are written into: ``x[i] = v``, ``x.a = v``, ``x.append(v)``."""
    found = set()
    for node in _within(nodes):
        target: ast.AST | None = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
            node.ctx, (ast.Store, ast.Del)
        ):
            target = node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            target = call.func if isinstance(call.func, ast.Attribute) else None
            # np.add.at(x, ...), np.copyto(x, ...): the first operand may be written into
            if call.args and isinstance(call.args[0], (ast.Name, ast.Subscript)):
                found.update(_root(call.args[0]))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        if target is not None:
            found.update(_root(target))
    return found


def captured(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that functions defined here read."""
    found: set[str] = set()
    for node in _within(nodes):
        if isinstance(node, FUNCTIONS):
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            own = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            if not isinstance(node, ast.Lambda):
                own |= stored(body) - set(declared(body))
            found |= (set(loads(body)) | set(declared(body))) - own
    return found


def yields(definition: ast.FunctionDef) -> bool:
    """Whether a function is a generator."""
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in _within(definition.body))


def is_mask(node: ast.AST) -> bool:
    """Whether an expression may be a boolean array by its looks."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Invert)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor))
    return isinstance(node, ast.Compare)


def masks(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are assigned what may be boolean arrays."""
    return {
        target.id
        for node in _within(nodes)
        if isinstance(node, ast.Assign) and is_mask(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def declared(nodes: Iterable[ast.AST]) -> dict[str, type]:
    """Names declared global or nonlocal, and which of the two."""
    return {
        name: type(node)
        for node in _within(nodes)
        if isinstance(node, (ast.Global, ast.Nonlocal))
        for name in node.names
    }


def _root(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def loads(nodes: Iterable[ast.AST]) -> Counter[str]:
    """How often each name is read, in nested functions too."""
    found: Counter[str] = Counter()
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found[node.id] += 1
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] += 1
    return found


def reads(node: ast.AST | None) -> set[str]:
    """Names an expression reads."""
    return set() if node is None else set(loads([node]))


def exposed(statements: Sequence[ast.stmt]) -> set[str]:
    """Names that may be read before these statements have assigned them."""
    return _exposed(statements)[0]


def sure(statements: Sequence[ast.stmt]) -> set[str]:
    """Names that have a value after these statements, unless they were left early."""
    return _exposed(statements)[1]


def _exposed(statements: Sequence[ast.stmt]) -> tuple[set[str], set[str]]:
    """(names read before they are assigned, names assigned on every path)."""
    first: set[str] = set()
    sure: set[str] = set()
    for s in statements:
        if isinstance(s, ast.If):
            first |= reads(s.test) - sure
            sure |= _walrus(s.test)
            read_a, sure_a = _exposed(s.body)
            read_b, sure_b = _exposed(s.orelse)
            first |= (read_a | read_b) - sure
            if always_ends(s.body):
                sure |= sure_b
            elif always_ends(s.orelse):
                sure |= sure_a
            else:
                sure |= sure_a & sure_b
        elif isinstance(s, ast.While):
            first |= (reads(s.test) | _exposed(s.body)[0] | _exposed(s.orelse)[0]) - sure
        elif isinstance(s, ast.For):
            first |= reads(s.iter) - sure
            inside = _exposed(s.body)[0] - stored([s.target])
            first |= (inside | _exposed(s.orelse)[0]) - sure
        elif isinstance(s, ast.AugAssign):
            first |= (reads(s.value) | _targets_read(s.target)) - sure
            if isinstance(s.target, ast.Name):
                first |= {s.target.id} - sure
                sure.add(s.target.id)
        elif isinstance(s, (ast.Assign, ast.AnnAssign)):
            targets = s.targets if isinstance(s, ast.Assign) else [s.target]
            read = reads(s.value)
            for target in targets:
                read |= _targets_read(target)
            first |= read - sure
            if s.value is not None:
                sure |= stored([s])
        elif isinstance(s, (ast.With, ast.Try)):
            first |= set(loads([s])) - sure
            if isinstance(s, ast.With):
                sure |= stored(i.optional_vars for i in s.items if i.optional_vars)
        else:
            first |= set(loads([s])) - sure
            if not isinstance(s, (ast.ClassDef, ast.Delete)):
                sure |= stored([s])
        if always_ends([s]):
            break
    return first, sure


def _walrus(node: ast.AST) -> set[str]:
    return stored([node])


def _targets_read(target: ast.AST) -> set[str]:
    return set(loads([target]))


def ends(statements: Iterable[ast.AST], loops: bool = True) -> set[type]:
    """Which of return, break and continue leave these statements.

    ``loops`` is whether break and continue of these very statements count.
    """
    found: set[type] = set()
    for node in statements:
        if isinstance(node, ast.Return):
            found.add(ast.Return)
        elif isinstance(node, (ast.Break, ast.Continue)):
            if loops:
                found.add(type(node))
        elif isinstance(node, (ast.For, ast.While)):
            found |= ends(node.body, loops=False) | ends(node.orelse, loops)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            found |= ends(ast.iter_child_nodes(node), loops)
    return found


def always_ends(statements: Sequence[ast.stmt]) -> bool:
    """Whether control never reaches the statement after these."""
    for s in statements:
        if isinstance(s, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
            return True
        if isinstance(s, ast.If) and always_ends(s.body) and always_ends(s.orelse):
            return True
        if isinstance(s, ast.With) and always_ends(s.body):
            return True
        if isinstance(s, ast.While) and endless(s):
            return True
    return False


def endless(s: ast.While) -> bool:
    """Whether a loop is left by return alone."""
    forever = isinstance(s.test, ast.Constant) and bool(s.test.value)
    return forever and ast.Break not in ends(s.body)
