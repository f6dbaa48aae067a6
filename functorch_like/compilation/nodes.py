"""Equations as nodes: index spaces, where each operand is read, and a scalar function.

A node computes an array element by element: for every value of its *labels* it reads elements of
its operands and either writes one element or adds to one. Shape operations are no nodes: they
become *views*, functions from an element's index to that of the array it is read from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.scalar import Value, select

__all__ = ["Affine", "Label", "Node", "Opaque", "Root", "Step", "View"]

# Axes of at most so many elements are written out in the code instead of looped over, and a
# node is written out at most so many times in all.
UNROLL = 8
UNROLL_TOTAL = 64
ADDRESSED = 16  # of more elements than this, one at a computed position is better in memory
UNROLL_PROGRAM = 4096  # elements in all of a program's code, as LLVM takes 0.2 ms for a line

DTYPES = {
    np.dtype(name): short
    for name, short in {
        "float64": "f64",
        "float32": "f32",
        "int64": "i64",
        "int32": "i32",
        "int16": "i16",
        "int8": "i8",
        "uint64": "u64",
        "uint32": "u32",
        "uint16": "u16",
        "uint8": "u8",
        "bool": "i1",
        "complex128": "c128",
        "complex64": "c64",
        "float16": "h16",
    }.items()
}
# Numbers that are only moved about here: their arithmetic is NumPy's.
MOVED = frozenset({"c128", "c64", "h16"})


def computes(dtype: Any) -> bool:
    """Whether scalar code can compute with a dtype."""
    return DTYPES.get(dtype, "c128") not in MOVED


class Label:
    """One index of a node's space; ``reduced`` if results are accumulated over it."""

    __slots__ = ("reduced", "size", "unrolled")

    def __init__(self, size: int, reduced: bool = False) -> None:
        self.size = size
        self.reduced = reduced
        self.unrolled = size <= UNROLL

    def __repr__(self) -> str:
        return f"{'+' if self.reduced else ''}{self.size}{'u' if self.unrolled else ''}"


class Affine:
    """An index ``label * step + start`` while nodes are placed, before code is written."""

    __slots__ = ("label", "start", "step")

    def __init__(self, label: Label, step: int = 1, start: int = 0) -> None:
        self.label = label
        self.step = step
        self.start = start

    def __add__(self, other: Any) -> Any:
        if type(other) is int:
            return Affine(self.label, self.step, self.start + other)
        return OPAQUE

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other if type(other) is int else OPAQUE

    def __mul__(self, other: Any) -> Any:
        if type(other) is int:
            return Affine(self.label, self.step * other, self.start * other)
        return OPAQUE

    __rmul__ = __mul__


class Opaque:
    """An index that only the running program knows, or that is not affine."""

    __slots__ = ()

    def __add__(self, other: Any) -> Opaque:
        return self

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __add__


OPAQUE = Opaque()


def labels_index(labels: Sequence[Label]) -> list:
    """The index of the element that the labels stand at."""
    return [Affine(label) for label in labels]


def divide(x: Any, n: int) -> tuple[Any, Any]:
    """Quotient and remainder of an index by a size."""
    if n == 1:
        return x, 0
    if type(x) is int:
        return divmod(x, n)
    if isinstance(x, Value):
        size = x.body.size(n)  # type: ignore[attr-defined]
        return x.body.emit("div", "i64", x, size), x.body.emit("rem", "i64", x, size)
    return OPAQUE, OPAQUE


class Root:
    """An array of the program: an input, a node's result, or another root's memory reshaped."""

    __slots__ = ("addressed", "alias", "base", "dtype", "producer", "shape", "window")

    def __init__(self, shape: Sequence[int], dtype: np.dtype, producer: Any = None) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.producer = producer  # a Node, a Step, or None for inputs
        self.addressed = False
        self.alias: Root | None = None
        self.base: Root | None = None  # the array on which it is a window, and how
        self.window: Any = None  # its pointer is found while the program runs

    @property
    def kind(self) -> str:
        """The dtype's short name, or nothing if scalar code does not know it."""
        return DTYPES.get(self.dtype, "")

    def memory(self) -> Root:
        """The root whose memory this is."""
        root = self
        while root.alias is not None:
            root = root.alias
        return root

    def stays(self) -> bool:
        """Whether elements are found at computed positions, so that it is kept in memory."""
        root: Root | None = self
        while root is not None and not root.addressed:
            root = root.alias
        return root is not None

    def __repr__(self) -> str:
        return f"root{list(self.shape)}"


class View:
    """An array as a function from its index to a root's; ``root`` is a number for a literal."""

    __slots__ = ("dtype", "identity", "index", "root", "shape")

    def __init__(
        self,
        root: Any,
        shape: Sequence[int],
        dtype: np.dtype,
        index: Callable[[list], list] | None = None,
    ) -> None:
        self.root = root
        self.shape = tuple(shape)
        self.dtype = dtype
        self.index = index or (lambda own: own)
        self.identity = index is None

    def then(self, shape: Sequence[int], index: Callable[[list], list]) -> View:
        """A view of this view: ``index`` maps the new index to this one's."""
        inner = self.index
        if self.identity:
            return View(self.root, shape, self.dtype, index)
        return View(self.root, shape, self.dtype, lambda own: inner(index(own)))

    @property
    def literal(self) -> bool:
        return not isinstance(self.root, Root)


class Node:
    """Computes ``root``, element by element.

    Attributes
    ----------
    labels
        The index space, in the order of loops to prefer.
    axes
        For each axis of the result the label that runs along it; None where the position is
        computed (scatter).
    operands
        ``(view, index)``: the index, in labels, at which each view is read, as far as it is known
        while nodes are placed.
    compute
        ``compute(code, read, labels) -> Value``, where ``read(k, index)`` reads operand ``k`` at
        an index of its view and ``labels`` holds this element's labels: an int or a ``Value``.
    combine
        None, or how results are accumulated: ``add``, ``multiply``, ``max``, ``min``, ``or``,
        ``and``.
    position
        For scatter: ``position(code, read, labels)``, the index of the element to add to.
    most
        How many elements may be written out.
    onto
        Whether the results are added to what the root's memory holds.
    """

    __slots__ = (
        "axes",
        "combine",
        "compute",
        "dtype",
        "equation",
        "labels",
        "onto",
        "operands",
        "pointwise",
        "position",
        "root",
    )

    def __init__(
        self,
        root: Root,
        labels: Sequence[Label],
        axes: Sequence[Label | None],
        operands: Sequence[tuple[View, list]],
        compute: Callable,
        equation: Any,
        combine: str | None = None,
        position: Callable | None = None,
        most: int = UNROLL_TOTAL,
        onto: bool = False,
    ) -> None:
        self.root = root
        self.labels = list(labels)
        self.axes = list(axes)
        self.operands = [(v, i) for v, i in operands]
        self.compute = compute
        self.equation = equation
        self.combine = combine
        self.position = position
        self.onto = onto
        self.dtype: str = root.kind
        self.pointwise = False  # every operand is read at the very index of the element
        root.producer = self
        # A short axis outside of a loop is looped over too, unless results are summed over it.
        inner = True
        for label in reversed(self.labels):
            inner = inner and label.unrolled
            label.unrolled = label.unrolled and (inner or (label.reduced and label.size <= 4))
        # Too much to write out: loop over the largest of the short axes.
        short = sorted((x for x in self.labels if x.unrolled), key=lambda x: -x.size)
        total = math.prod(x.size for x in short)
        for label in short:
            if total <= most:
                break
            label.unrolled = False
            total //= label.size

    @property
    def primitive_name(self) -> str:
        """Name of the primitive it computes, or nothing for a copy of the compiler's own."""
        return "" if self.equation is None else self.equation.primitive.name

    def reads(self) -> list[tuple[Root, list]]:
        """Roots read, and the index in each as far as it is known: ints, Affine or Opaque."""
        found = []
        for view, own in self.operands:
            if not view.literal:
                at = [0 if type(i) is Affine and i.label.unrolled else i for i in own]
                found.append((view.root, view.index(at)))
        return found

    def __repr__(self) -> str:
        return f"node({self.equation}, {self.labels})"


def convert(x: Value, kind: str) -> Value:
    """NumPy's ``astype``: a number is true where it is not zero."""
    if kind == "i1" and x.dtype != "i1":
        return x != 0
    return x.convert(kind)


def movable(dtype: np.dtype, sources: Sequence[np.dtype]) -> bool:
    """Whether elements can be copied, converted where need be."""
    if dtype not in DTYPES:
        return False
    return all(s == dtype or (computes(s) and computes(dtype)) for s in sources)


class Step:
    """What is not computed element by element: a library call, a loop, a branch.

    ``reads`` and ``writes`` are whole roots in memory.
    """

    __slots__ = ("equation", "kind", "more", "reads", "writes")

    def __init__(
        self, kind: str, reads: Sequence[Any], writes: Sequence[Root], equation: Any, **more: Any
    ) -> None:
        self.kind = kind
        self.reads = list(reads)
        self.writes = list(writes)
        self.equation = equation
        self.more = more
        for root in writes:
            root.producer = self

    def __repr__(self) -> str:
        return f"step({self.kind})"


# --------------------------------------------------------------------------------------
# Views


def transposed(view: View, axes: Sequence[int]) -> View:
    """``transpose``."""

    def index(own: list) -> list:
        at: list = [None] * len(own)
        for i, a in zip(own, axes, strict=True):
            at[a] = i
        return at

    return view.then([view.shape[a] for a in axes], index)


def broadcast(view: View, shape: Sequence[int]) -> View:
    """``broadcast_to``."""
    if view.shape == tuple(shape):
        return view
    lead = len(shape) - len(view.shape)
    once = [n == 1 and m != 1 for n, m in zip(view.shape, shape[lead:], strict=True)]
    return view.then(
        shape, lambda own: [0 if o else i for i, o in zip(own[lead:], once, strict=True)]
    )


def sliced(view: View, index: tuple) -> View:
    """``slice_at``: basic indexing."""
    parts = parse_index(view.shape, index)
    shape = [n for kind, _, _, n in parts if kind != "int"]

    def at(own: list) -> list:
        found: list = []
        given = iter(own)
        for kind, start, step, _ in parts:
            if kind == "int":
                found.append(start)
            elif kind == "new":
                next(given)
            else:
                i = next(given)
                found.append(i * step + start if step != 1 or start != 0 else i)
        return found

    return view.then(shape, at)


def parse_index(shape: Sequence[int], index: tuple) -> list[tuple[str, int, int, int]]:
    """``(kind, start, step, size)`` for each part of a basic index: int, slice or new axis."""
    index = tuple(index)
    taken = sum(1 for i in index if i is not None and i is not Ellipsis)
    if not any(i is Ellipsis for i in index):
        index = (*index, Ellipsis)
    parts: list[tuple[str, int, int, int]] = []
    axis = 0
    for i in index:
        if i is None:
            parts.append(("new", 0, 1, 1))
        elif i is Ellipsis:
            for _ in range(len(shape) - taken):
                parts.append(("slice", 0, 1, shape[axis]))
                axis += 1
        elif isinstance(i, slice):
            start, stop, step = i.indices(shape[axis])
            parts.append(("slice", start, step, len(range(start, stop, step))))
            axis += 1
        else:
            parts.append(("int", int(i) % max(shape[axis], 1), 1, 1))
            axis += 1
    return parts


def _segments(one: Sequence[int], other: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes of one size, matched in runs of equal products."""
    runs = []
    i = j = 0
    while i < len(one) or j < len(other):
        a, b = [], []
        p = q = 1
        if i < len(one):
            a, p, i = [i], one[i], i + 1
        if j < len(other) and (p != 1 or i >= len(one) or other[j] == 1):
            b, q, j = [j], other[j], j + 1
        while p != q:
            if p < q:
                p, a, i = p * one[i], [*a, i], i + 1
            else:
                q, b, j = q * other[j], [*b, j], j + 1
        runs.append((a, b))
    return runs


def reshaped(view: View, shape: Sequence[int]) -> View | None:
    """``reshape`` as a view, or None if it is none that can be fused: the axes run together."""
    shape = tuple(shape)
    if 0 in shape:
        return view.then(shape, lambda own: [0] * len(view.shape)) if view.shape else None
    runs = _segments(shape, view.shape)
    for new, old in runs:
        simple = (
            (len(new) == 1 and len(old) == 1)
            or all(shape[a] == 1 for a in new)
            or sum(shape[a] != 1 for a in new) == 1 == sum(view.shape[a] != 1 for a in old)
        )
        if not simple and not (
            all(shape[a] <= UNROLL for a in new) and all(view.shape[a] <= UNROLL for a in old)
        ):
            return None

    def index(own: list) -> list:
        at: list = [0] * len(view.shape)
        for new, old in runs:
            linear: Any = 0
            for a in new:
                if shape[a] != 1:
                    if type(linear) is int and linear == 0:
                        linear = own[a]
                    else:
                        linear = linear * shape[a] + own[a]
            wide = [a for a in old if view.shape[a] != 1]
            for a in reversed(wide[1:]):
                linear, at[a] = divide(linear, view.shape[a])
            if wide:
                at[wide[0]] = linear
        return at

    return view.then(shape, index)


def in_range(i: Any, start: int, step: int, count: int) -> tuple[Any, Any]:
    """Whether position ``i`` is in ``range(start, start + step * count, step)``, and which."""
    if type(i) is int:
        k, rest = divmod(i - start, step)
        inside = rest == 0 and 0 <= k < count
        return inside, k if inside else 0
    code = i.body
    k = i if start == 0 else i - code.size(start)
    if step != 1:
        k = k if step > 0 else code.constant(0, "i64") - k
        size = code.size(abs(step))
        rest = code.emit("rem", "i64", k, size)
        k = code.emit("div", "i64", k, size)
        inside = (rest == 0) & (k >= 0) & (k < code.size(count))
        return inside, select(inside, k, 0)
    edges = code.edges
    if edges is not None and i is edges.index:
        if edges.within:
            return True, k
        edges.spans[start, start + count] = None
    inside = k < code.size(count)
    if start != 0:
        inside = (k >= 0) & inside
    return inside, k
