"""Nodes -> a tree of loops: what shares a range of an index shares one loop over it.

Nodes are taken in order. One that reads what an earlier loop makes, at the loop's own index, goes
into that loop, outermost index first; then the bodies of the loops are built in the same way. So a
value is used while it is in a register or its row is in cache, and a matrix is read once for all
that is done with its rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .nodes import Affine, Label, Node, Root, Step

__all__ = ["Block", "Group", "build"]

GROUP_NODES = 400
COMPANIONS = 32  # nodes that have nothing in common but the range share loops of at most so many


class Block:
    """Nodes, steps and groups in order, inside ``group`` (None: the program itself)."""

    __slots__ = ("entries", "group", "parent")

    def __init__(self, parent: Block | None, group: Group | None) -> None:
        self.parent = parent
        self.group = group
        self.entries: list[Any] = []

    def ancestors(self) -> list[Block]:
        """The block and those around it, the program last."""
        found = []
        block: Block | None = self
        while block is not None:
            found.append(block)
            block = block.parent
        return found

    def bound(self) -> set[Label]:
        """Labels that the loops around this block run over."""
        found: set[Label] = set()
        for block in self.ancestors():
            group = block.group
            if group is not None and group.flat:
                found.update(label for node in group.nodes for label in node.labels)
            elif group is not None:
                found.update(group.labels.values())
        return found


class Group:
    """A loop: ``labels`` holds the label of each of its nodes that runs over it."""

    __slots__ = ("accumulated", "body", "flat", "labels", "made", "nodes", "read", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: list[Node] = []
        self.labels: dict[Node, Label] = {}
        self.made: dict[Root, int | None] = {}  # axis that runs over the loop; None: incomplete
        self.read: dict[Root, set[int]] = {}  # axes of what is read that run over the loop
        self.accumulated: list[Node] = []  # whose results are complete when the loop is
        self.flat = False
        self.body: Any = None

    @property
    def extent(self) -> int:
        """How many turns the loop takes."""
        return math.prod(x.size for x in self.nodes[0].labels) if self.flat else self.size

    def add(self, node: Node, label: Label) -> None:
        self.nodes.append(node)
        self.labels[node] = label
        axis = node.axes.index(label) if label in node.axes else None
        if node.root in self.made and self.made[node.root] != axis:
            axis = None
        self.made[node.root] = axis
        for root, index in node.reads():
            for a, i in enumerate(index):
                if type(i) is Affine and i.label is label and i.step == 1:
                    self.read.setdefault(root, set()).add(a)


def _aligned(i: Any, size: int) -> Label | None:
    """The label that is this index as it stands."""
    if type(i) is Affine and i.step == 1 and i.start == 0 and i.label.size == size:
        return i.label
    return None


def _label_to_join(node: Node, open_labels: Sequence[Label], group: Group) -> Label | None:
    """The label of ``node`` that can run over the group's loop, or None."""
    if len(group.nodes) >= GROUP_NODES:
        return None
    found: Label | None = None
    shared: Label | None = None
    for root, index in node.reads():
        if root in group.made:
            axis = group.made[root]
            if axis is None or root.shape[axis] != group.size:
                return None
            label = _aligned(index[axis], group.size)
            if label is None or label not in open_labels or (found not in (None, label)):
                return None
            found = label
        elif shared is None:
            for axis in group.read.get(root, ()):
                label = index[axis].label if type(index[axis]) is Affine else None
                if (
                    label is not None
                    and label in open_labels
                    and label.size == group.size
                    and index[axis].step == 1
                ):
                    shared = label
    if node.root in group.made:  # another part of what the group makes
        return None
    label = found or shared
    if label is None and len(group.nodes) < COMPANIONS and open_labels[0].size == group.size:
        label = open_labels[0]
    # Only the outermost: a loop over columns would jump from row to row of what it reads.
    return label if label is open_labels[0] else None


def build(items: Sequence[Any], parent: Block | None = None, group: Group | None = None) -> Block:
    """The tree of loops of nodes and steps."""
    block = Block(parent, group)
    bound = block.bound()
    entries = block.entries
    where: dict[Root, int] = {}
    for item in items:
        if isinstance(item, Step):
            entries.append(item)
            for body in item.more.get("bodies", ()):
                body.block = build(body.lowering.items, block)
            for root in item.writes:
                where[root] = len(entries) - 1
            continue
        node: Node = item
        open_labels = [x for x in node.labels if not x.unrolled and x not in bound]
        if not open_labels:
            entries.append(node)
            where[node.root] = len(entries) - 1
            continue
        first = max([where.get(root, -1) for root, _ in node.reads()] + [where.get(node.root, -1)])
        place = None
        for position in range(max(first, 0), len(entries)):
            entry = entries[position]
            if isinstance(entry, Group):
                label = _label_to_join(node, open_labels, entry)
                if label is not None:
                    place = position
                    break
        if place is None:
            label = open_labels[0]
            entries.append(Group(label.size))
            place = len(entries) - 1
        entries[place].add(node, label)
        where[node.root] = max(place, where.get(node.root, -1))
    for entry in entries:
        if isinstance(entry, Group):
            entry.flat = _is_flat(entry, bound)
            entry.accumulated = [
                node
                for node in entry.nodes
                if (entry.labels[node].reduced or entry.labels[node] not in node.axes)
                and not any(x in bound and x.reduced for x in node.labels)
            ]
            if entry.flat:
                entry.body = Block(block, entry)
                entry.body.entries = list(entry.nodes)
            else:
                entry.body = build(entry.nodes, block, entry)
    return block


def _is_flat(group: Group, bound: set[Label]) -> bool:
    """Whether all axes of all nodes run together, so that one loop does for them."""
    if bound:
        return False
    sizes = [x.size for x in group.nodes[0].labels]
    if len(sizes) < 2:
        return False
    for node in group.nodes:
        if not node.pointwise or [x.size for x in node.labels] != sizes:
            return False
        if node.combine is not None and not all(x.reduced for x in node.labels):
            return False
        for view, _ in node.operands:
            if view.literal or view.root.shape == ():
                continue
            if not view.identity or list(view.root.shape) != sizes:
                return False
    return True
