"""Which nodes are computed in which kernel.

A *unit* is what the host starts: a grid kernel over an index space, a library call, or a loop. A
cheap node, or one that is read once, is *inlined*: it is written into every kernel that reads it,
at the index at which it is read. The others are *members* of a unit over their own index space,
which they share with all nodes that read them at the element itself, so that a value is in a
register when it is used. Reductions are members over the space of what they reduce.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..cost import _of_element
from ..nodes import OPAQUE, Affine, Label, Node, Root, Step

__all__ = ["Grid", "Placing", "inner_items", "place"]

CHEAP = 6  # operations: computed again wherever they are read
HEAVY = 400  # operations: never inlined
CALL = 20  # operations that a mathematical function counts as
FEW = 64  # elements that one thread reduces by itself, as a part of what reads the result
MEMBERS = 24  # of a unit


class Grid:
    """A kernel over an index space, ``sizes``; ``reduced`` are the axes its reductions run over."""

    __slots__ = ("members", "reduced", "sizes", "stored")

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.members: list[Node] = []
        self.reduced: tuple[int, ...] | None = None
        self.stored: set[Root] = set()  # of its elementwise members, those that are read elsewhere


class Placing:
    """Units in order, and what is written into those that read it."""

    __slots__ = ("inlined", "units")

    def __init__(self) -> None:
        self.units: list[Any] = []  # Grid, Node (a scatter) or Step
        self.inlined: dict[Root, Node] = {}


def is_small_reduction(node: Node) -> bool:
    """Whether a thread reduces all there is to an element."""
    return (
        node.combine is not None
        and node.position is None
        and math.prod(x.size for x in node.labels if x.reduced) <= FEW
    )


def is_elementwise(node: Node) -> bool:
    """Whether each element of the result is computed by itself."""
    if node.position is not None or any(x is None for x in node.axes):
        return False
    return node.combine is None or is_small_reduction(node)


def inner_items(step: Step) -> Iterable[Any]:
    """Nodes and steps of a loop's or branch's bodies, those of inner ones too."""
    for body in step.more.get("bodies", ()):
        for item in body.lowering.items:
            yield item
            if isinstance(item, Step):
                yield from inner_items(item)


def used_roots(item: Any) -> Iterable[Root]:
    """Roots that an item reads or writes, those of its bodies too."""
    if isinstance(item, Node):
        yield item.root
        for view, _ in item.operands:
            if not view.literal:
                yield view.root
        return
    for root in (*item.reads, *item.writes):
        if isinstance(root, Root):
            yield root
    for value in item.more.values():
        for root in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(root, Root):
                yield root
            elif isinstance(root, (list, tuple)):
                yield from (r for r in root if isinstance(r, Root))
    for inner in inner_items(item):
        yield from used_roots(inner)


def base_memory(root: Root) -> Root:
    """The root whose memory this lies in."""
    root = root.memory()
    while root.base is not None:
        root = root.base.memory()
    return root


def _mutated(items: Sequence[Any]) -> set[Root]:
    """Memory that is written over while it holds values that were read before."""
    found: set[Root] = set()
    for item in items:
        if isinstance(item, Node):
            if item.root.alias is not None or item.root.window is not None:
                found.add(base_memory(item.root))
            continue
        if item.kind == "alias":
            continue
        found.update(base_memory(r) for r in item.writes if r.alias is not None)
        for inner in inner_items(item):
            if isinstance(inner, Node) and inner.root.alias is not None:
                found.add(base_memory(inner.root))
            elif isinstance(inner, Step) and inner.kind != "alias":
                found.update(base_memory(r) for r in inner.writes if r.alias is not None)
    return found


def space_of(node: Node) -> tuple[int, ...]:
    """The index space of a member: of the result, or of what is reduced."""
    if is_elementwise(node):
        return node.root.shape
    return tuple(x.size for x in node.labels)


def _elements(node: Node) -> int:
    return math.prod(x.size for x in node.labels)


def place(items: Sequence[Any], wanted: Iterable[Root]) -> Placing:
    """Place nodes and steps; ``wanted`` are needed in memory at the end."""
    made = Placing()
    mutated = _mutated(items)
    needed = {root.memory() for root in wanted}
    reads: dict[Root, int] = {}  # about how often each root's elements are read, in all
    written: dict[Root, int] = {}
    for item in items:
        if isinstance(item, Step):
            needed.update(base_memory(root) for root in used_roots(item))
            continue
        if item.root.alias is not None:
            needed.add(base_memory(item.root))
        written[item.root.memory()] = written.get(item.root.memory(), 0) + 1
        for view, _ in item.operands:
            if not view.literal:
                reads[view.root] = reads.get(view.root, 0) + _elements(item)
    weights: dict[Root, float] = {}
    for item in items:
        if isinstance(item, Node) and is_elementwise(item):
            _consider(made, item, needed, mutated, reads, written, weights)
    where: dict[Root, int] = {}  # the unit that last wrote each memory
    homes: dict[Root, Grid] = {}
    for item in items:
        if isinstance(item, Node) and item.root in made.inlined:
            continue
        if isinstance(item, Step) or item.position is not None:
            made.units.append(item)
            for root in item.writes if isinstance(item, Step) else (item.root,):
                where[base_memory(root)] = len(made.units) - 1
            if isinstance(item, Step):
                for root in used_roots(item):
                    if base_memory(root) in mutated:
                        where[base_memory(root)] = len(made.units) - 1
            continue
        position = _home(made, item, where, homes, mutated)
        unit = made.units[position]
        unit.members.append(item)
        homes[item.root] = unit
        where[base_memory(item.root)] = position
    _note_stored(made, homes, needed)
    return made


def _consider(
    made: Placing,
    node: Node,
    needed: set[Root],
    mutated: set[Root],
    reads: dict[Root, int],
    written: dict[Root, int],
    weights: dict[Root, float],
) -> None:
    """Inline a node if that costs little."""
    root = node.root
    if not _elements(node):
        return
    flops, calls = _of_element(node)
    turns = math.prod(x.size for x in node.labels if x.reduced)
    weight = float(flops + CALL * calls)
    for view, _ in node.operands:
        if not view.literal:
            weight += 1 + weights.get(view.root, 0.0)
    weight *= max(turns, 1)
    own = math.prod(root.shape)
    if (
        root.memory() is not root
        or root.window is not None
        or root in needed
        or written[root] > 1
        or any(not v.literal and base_memory(v.root) in mutated for v, _ in node.operands)
    ):
        return
    once = reads.get(root, 0) <= own
    if (weight <= CHEAP and turns <= 1) or (once and weight <= HEAVY):
        made.inlined[root] = node
        weights[root] = weight


def substituted(index: Sequence[Any], labels: Sequence[Label], at: Sequence[Any]) -> list[Any]:
    """An index in a node's labels, at values of these labels."""
    given = dict(zip(labels, at, strict=True))
    found = []
    for i in index:
        if type(i) is Affine:
            inner = given[i.label]
            found.append(inner * i.step + i.start if (i.step, i.start) != (1, 0) else inner)
        else:
            found.append(i)
    return found


def _reached(made: Placing, node: Node, at: Sequence[Any]) -> Iterable[tuple[Root, list[Any]]]:
    """Roots in memory that a node's element reads, and the index in each."""
    for view, own in node.operands:
        if view.literal:
            continue
        index = view.index(substituted(own, node.labels, at))
        inner = made.inlined.get(view.root)
        if inner is None:
            yield view.root, index
            continue
        place = {x: a for a, x in enumerate(inner.axes)}
        labels = [index[place[x]] if x in place else OPAQUE for x in inner.labels]
        yield from _reached(made, inner, labels)


def _home(
    made: Placing,
    node: Node,
    where: dict[Root, int],
    homes: dict[Root, Grid],
    mutated: set[Root],
) -> int:
    """The unit for a node: the first that all it reads allows, or a new one at the end."""
    sizes = space_of(node)
    elementwise = is_elementwise(node)
    reduced = None if elementwise else tuple(a for a, x in enumerate(node.labels) if x.reduced)
    found = list(_reached(made, node, [Affine(x) for x in node.labels]))
    memories = [base_memory(root) for root, _ in found]
    if not any(m in mutated for m in (*memories, base_memory(node.root))):
        first = max([where.get(m, -1) for m in memories], default=-1)
        # Where the labels of the node run along the axes of its space.
        axis_of = {x: a for a, x in enumerate(node.axes if elementwise else node.labels)}
        for position in range(max(first, 0), len(made.units)):
            unit = made.units[position]
            if not isinstance(unit, Grid) or unit.sizes != sizes or len(unit.members) >= MEMBERS:
                continue
            if reduced is not None and unit.reduced not in (None, reduced):
                continue
            if position > first or all(
                _is_own(root, index, axis_of, homes)
                for (root, index), m in zip(found, memories, strict=True)
                if where.get(m, -1) == position
            ):
                unit.reduced = unit.reduced if reduced is None else reduced
                return position
    unit = Grid(sizes)
    unit.reduced = reduced
    made.units.append(unit)
    return len(made.units) - 1


def _is_own(root: Root, index: list[Any], axis_of: dict, homes: dict[Root, Grid]) -> bool:
    """Whether a root of the unit is read at the very element that stands there."""
    node = root.producer
    if root not in homes or not isinstance(node, Node) or not is_elementwise(node):
        return False
    return all(
        (type(i) is Affine and i.step == 1 and i.start == 0 and axis_of.get(i.label) == a)
        or (root.shape[a] == 1 and type(i) is int)
        for a, i in enumerate(index)
    )


def _note_stored(made: Placing, homes: dict[Root, Grid], needed: set[Root]) -> None:
    """Which elementwise members other units read."""
    for unit in made.units:
        nodes = unit.members if isinstance(unit, Grid) else [unit] if isinstance(unit, Node) else ()
        for node in nodes:
            for root, _ in _reached(made, node, [OPAQUE] * len(node.labels)):
                home = homes.get(root)
                if home is not None and home is not unit:
                    home.stored.add(root)
    for root, home in homes.items():
        if root.memory() in needed:
            home.stored.add(root)
