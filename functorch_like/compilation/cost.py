"""What a program costs: operations and bytes, counted on its tree of loops."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from ..kernels.loop import Builder, If, Index
from ..kernels.scalar import FLOATS, Statement, Value
from .fuse import Block, Group
from .lowering import first_operand
from .nodes import DTYPES, Node, Root, Step

__all__ = ["Cost", "EntryCost", "entry_cost", "equations_of", "kind_of", "program_cost"]

# Floating-point operations of one scalar operation; comparisons and choices are none.
OPERATIONS = {
    **dict.fromkeys(("add", "sub", "mul", "div", "rem", "sqrt", "maximum", "minimum"), 1),
    "fma": 2,
}


@dataclasses.dataclass(frozen=True)
class EntryCost:
    """What one loop, library call or branch of a program costs.

    Attributes
    ----------
    kind
        ``loop``, ``scalar``, ``gemm``, ``host``, ``matrix_...`` (of small matrices), ``scan``,
        ``while``, ``while_vjp`` or ``switch``.
    primitives
        Names of the primitives that it computes.
    flops, transcendentals, bytes_read, bytes_written
        As in ``Cost``.
    """

    kind: str
    primitives: tuple[str, ...]
    flops: int
    transcendentals: int
    bytes_read: int
    bytes_written: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a program costs.

    Attributes
    ----------
    flops
        Floating-point operations: 1 for each sum, difference, product, quotient, square root and
        maximum, 2mnk for a product of matrices, the leading term for solvers, determinants,
        Cholesky and QR factors; other library calls count as none.
    transcendentals
        Calls of mathematical functions such as ``exp``.
    bytes_read, bytes_written
        Bytes that loops and library calls take from, and put into, arrays in memory; what stays
        in registers, or in a row that a loop keeps in cache, is not counted.
    memory
        Bytes of temporary memory.
    entries
        The same for each part of the program, in the order in which they run.

    Notes
    -----
    A loop whose number of steps is not known counts as one step, a branch as its longest side.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> cost = ft.jit(lambda x: np.sum(np.exp(x) * x)).lower(np.zeros(1000)).cost()
    >>> cost.flops, cost.transcendentals, cost.bytes_read, cost.bytes_written
    (2000, 1000, 8000, 8)
    """

    flops: int
    transcendentals: int
    bytes_read: int
    bytes_written: int
    memory: int
    entries: tuple[EntryCost, ...]


class _Count:
    """Running totals of one entry."""

    def __init__(self, in_memory: Container[Any]) -> None:
        self.in_memory = in_memory
        self.flops = self.transcendentals = 0
        self.read: dict[Root, int] = {}
        self.written: dict[Root, int] = {}

    def entry(self, entry: Any, times: int) -> None:
        if isinstance(entry, Group):
            self.block(entry.body, times)
        elif isinstance(entry, Node):
            self.node(entry, times)
        else:
            self.step(entry, times)

    def block(self, block: Block, times: int) -> None:
        for entry in block.entries:
            self.entry(entry, times)

    def node(self, node: Node, times: int) -> None:
        elements = math.prod(x.size for x in node.labels)
        flops, calls = _of_element(node) if elements else (0, 0)
        if node.combine is not None and node.dtype in FLOATS:
            flops += 1
        self.flops += flops * elements * times
        self.transcendentals += calls * elements * times
        size = node.root.dtype.itemsize
        part = node.position is not None and node.combine is None
        self.write(node.root, elements * size if part else _bytes(node.root), times)
        for view, _ in node.operands:
            if isinstance(view.root, Root):
                self.take(view.root, min(elements * view.dtype.itemsize, _bytes(view.root)), times)

    def step(self, step: Step, times: int) -> None:
        more = step.more
        if step.kind in ("alias", "log"):
            return
        if "bodies" not in more:
            for root in step.reads:
                if isinstance(root, Root):
                    self.take(root, _bytes(root), times)
            for root in step.writes:
                self.write(root, _bytes(root), times)
            if step.kind == "gemm":
                self.flops += 2 * more["batch"] * more["m"] * more["n"] * more["k"] * times
            else:
                self.flops += _of_kernel(step) * times
            return
        turns = times * more.get("length", 1)
        if step.kind != "switch":
            for body in more["bodies"]:
                self.block(body.block, turns)
            return
        sides = []
        for body in more["bodies"]:
            side = _Count(self.in_memory)
            side.block(body.block, times)
            sides.append(side)
        longest = max(sides, key=lambda s: s.flops + s.transcendentals + sum(s.read.values()))
        self.flops += longest.flops
        self.transcendentals += longest.transcendentals
        for root, count in longest.read.items():
            self.take(root, count, 1)
        for root, count in longest.written.items():
            self.write(root, count, 1)

    def take(self, root: Root, count: int, times: int) -> None:
        """Note a read; what this entry made itself is at hand."""
        memory = _base(root)
        if memory in self.in_memory and memory not in self.written:
            self.read[memory] = max(self.read.get(memory, 0), count * times)

    def write(self, root: Root, count: int, times: int) -> None:
        memory = _base(root)
        if memory in self.in_memory:
            self.written[memory] = max(self.written.get(memory, 0), count * times)


def _base(root: Root) -> Root:
    root = root.memory()
    while root.base is not None:
        root = root.base.memory()
    return root


def _bytes(root: Root) -> int:
    return math.prod(root.shape) * root.dtype.itemsize


def _of_element(node: Node) -> tuple[int, int]:
    """Operations and calls of functions for an element, found by writing its code."""
    code = Builder("element")

    def read(k: int, index: Any) -> Value:
        view = node.operands[k][0]
        kind = DTYPES[view.dtype]
        return code.constant(view.root, kind) if view.literal else Value(code, "x", kind)

    at = [0 if x.unrolled else Index(code, "i", "i64") for x in node.labels]
    node.compute(code, read, at)
    return _of_items(code.items)


def _of_items(items: Sequence[Any]) -> tuple[int, int]:
    flops = calls = 0
    for item in items:
        if type(item) is Statement:
            if item.op == "call":
                calls += 1
            elif item.result.dtype in FLOATS:
                flops += OPERATIONS.get(item.op, 0)
        elif type(item) is If:
            more = max(_of_items(item.items), _of_items(item.otherwise))
            flops, calls = flops + more[0], calls + more[1]
    return flops, calls


def _of_kernel(step: Step) -> int:
    """Leading terms for what is left to the primitives' own functions."""
    shapes = [r.shape for r in step.reads if isinstance(r, Root)]
    count = _LEADING.get(step.equation.primitive.name)
    if count is None or not shapes or len(shapes[0]) < 2:
        return 0
    m, n = shapes[0][-2:]
    columns = shapes[1][-1] if len(shapes) > 1 and len(shapes[1]) > 1 else 1
    return round(math.prod(shapes[0][:-2]) * count(m, n, columns))


_LEADING: dict[str, Callable[[int, int, int], float]] = {
    "cholesky": lambda m, n, columns: n**3 / 3,
    "determinant": lambda m, n, columns: 2 * n**3 / 3,
    "inverse": lambda m, n, columns: 2 * n**3,
    "qr": lambda m, n, columns: 2 * m * n**2 - 2 * n**3 / 3,
    "slogdet": lambda m, n, columns: 2 * n**3 / 3,
    "solve": lambda m, n, columns: 2 * n**3 / 3 + 2 * n**2 * columns,
    "triangular_solve": lambda m, n, columns: n**2 * columns,
}


def flat(entry: Any) -> Iterator[Node | Step]:
    """Nodes and steps of an entry; a loop or branch comes before what is inside it."""
    if isinstance(entry, Group):
        for inner in entry.body.entries:
            yield from flat(inner)
        return
    yield entry
    if isinstance(entry, Step):
        for body in entry.more.get("bodies", ()):
            for inner in body.block.entries:
                yield from flat(inner)


def primitives_of(entry: Any) -> tuple[str, ...]:
    """Names of the primitives that an entry computes, each once; ``copy`` if it moves only."""
    names = [
        x.equation.primitive.name
        for x in flat(entry)
        if x.equation is not None and not (isinstance(x, Node) and x.compute is first_operand)
    ]
    return tuple(dict.fromkeys(names)) or ("copy",)


def equations_of(entry: Any) -> list[Any]:
    """Equations for which an entry computes or copies something."""
    return [x.equation for x in flat(entry) if x.equation is not None]


def kind_of(entry: Any) -> str:
    """What an entry of a program is: see ``EntryCost``."""
    if isinstance(entry, Step):
        return entry.kind
    return "loop" if isinstance(entry, Group) else "scalar"


def entry_cost(entry: Any, in_memory: Container[Any]) -> EntryCost:
    """What one entry of a program costs; ``in_memory`` holds the roots that have memory."""
    count = _Count(in_memory)
    count.entry(entry, 1)
    return EntryCost(
        kind_of(entry),
        primitives_of(entry),
        count.flops,
        count.transcendentals,
        sum(count.read.values()),
        sum(count.written.values()),
    )


def program_cost(entries: Sequence[Any], in_memory: Container[Any], memory: int) -> Cost:
    """What a program with these entries costs; ``memory`` is the size of its arena."""
    found = tuple(
        entry_cost(e, in_memory) for e in entries if not (isinstance(e, Step) and e.kind == "alias")
    )
    return Cost(
        sum(e.flops for e in found),
        sum(e.transcendentals for e in found),
        sum(e.bytes_read for e in found),
        sum(e.bytes_written for e in found),
        memory,
        found,
    )
