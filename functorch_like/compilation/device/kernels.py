"""Units of a placed program -> grid kernels, and what they are started with.

Elementwise units have a thread an element. Reductions have a thread a result where neighbouring
threads then read neighbouring elements, otherwise a block a result; long ones are cut into chunks
whose results a second kernel puts together. The order of a sum depends on shapes alone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...kernels.cuda_printer import ATOMIC, Atomic, BlockReduce, Special
from ...kernels.loop import Builder, Constant, If, Index, Kernel, Variable
from ...kernels.scalar import Value
from ..emit import combined, neutral
from ..nodes import DTYPES, Node, Root, View
from .placing import FEW, Grid, is_elementwise

__all__ = ["BLOCK", "DeviceBuilder", "GridLaunch", "emit_grid", "emit_scatter"]

BLOCK = 256  # threads of a block
SERIAL = 512  # elements that one thread sums up where others stand beside it
BESIDE = 32  # results from which on a row of threads reads a row of memory
WIDE = 1024  # blocks that keep a device busy
CHUNK = 8192  # elements that a block, or a group of threads, puts together
MOST_CHUNKS = 1024
NARROW = 1 << 31  # indices below this are divided as 32-bit numbers


class GridLaunch:
    """A kernel to start: ``count`` threads, or blocks if it is made of whole ones."""

    __slots__ = ("blocks", "count", "kernel", "keys", "memory")

    def __init__(self, kernel: Kernel, keys: Sequence[Any], count: int, blocks: bool) -> None:
        self.kernel = kernel
        self.keys = list(keys)  # what each parameter stands for
        self.count = count
        self.blocks = blocks

    @property
    def grid(self) -> int:
        """How many blocks."""
        return self.count if self.blocks else -(-self.count // BLOCK)

    @property
    def block(self) -> int:
        """Threads of a block."""
        return BLOCK if self.blocks else min(BLOCK, max(self.count, 1))


class Scratch:
    """Memory between the two kernels of a long reduction."""

    __slots__ = ("count", "dtype")

    def __init__(self, count: int, dtype: Any) -> None:
        self.count, self.dtype = count, dtype

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(self.count * self.dtype.itemsize)


class DeviceBuilder(Builder):
    """A builder that remembers which values hold in the block being written."""

    __slots__ = ("known",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.known: list[dict[Any, Value]] = [{}]

    @contextlib.contextmanager
    def into(self, items: list) -> Iterator[list]:
        self.known.append({})
        with super().into(items) as found:
            yield found
        self.known.pop()

    def recall(self, key: Any) -> Value | None:
        """A value that was computed before, here or around."""
        return next((x[key] for x in reversed(self.known) if key in x), None)

    def special(self, text: str, dtype: str = "i64") -> Index:
        """A number the device gives."""
        made = Index(self, self.name(), dtype)
        self.items.append(Special(made, text))
        return made


class GridWriter:
    """Writes one kernel of a unit."""

    def __init__(self, name: str, inlined: dict[Root, Node]) -> None:
        self.code = DeviceBuilder(name)
        self.inlined = inlined
        self.registers: dict[Root, Value] = {}
        self.own: list[Any] = []  # the element of the unit's space that the thread stands at
        self.flat: Value | None = None  # its position in memory
        self.sizes: tuple[int, ...] = ()

    # --- values

    def value(self, root: Root, index: Sequence[Any]) -> Value:
        """An element of a root: from a register, computed here, or read."""
        held = self.registers.get(root)
        if held is not None:
            return held
        key = (root, *[i.name if isinstance(i, Value) else i for i in index])
        found = self.code.recall(key)
        if found is None:
            node = self.inlined.get(root)
            found = self.load(root, index) if node is None else self.computed(node, index)
            self.code.known[-1][key] = found
        return found

    def load(self, root: Root, index: Sequence[Any]) -> Value:
        buffer = self.code.buffer(root.memory(), root.kind)
        return self.code.load(buffer, self.address(root, index))

    def address(self, root: Root, index: Sequence[Any]) -> Value:
        if self.flat is not None and root.shape == self.sizes and _same(index, self.own):
            return self.flat
        total: Any = 0
        stride = 1
        for n, i in zip(reversed(root.shape), reversed(index), strict=True):
            i = i.number if isinstance(i, Constant) else i
            if isinstance(i, Value):
                i = i if isinstance(i, Index) else Index(self.code, i.name, "i64")
                term = i * stride if stride != 1 else i
                total = total + term if isinstance(total, Value) or total != 0 else term
            elif i:
                total = total + i * stride
            stride *= n
        return total if isinstance(total, Value) else self.code.size(total)

    def computed(self, node: Node, index: Sequence[Any]) -> Value:
        """The element of a node's result at an index."""
        place = {x: a for a, x in enumerate(node.axes)}
        if node.combine is None:
            return self.element(node, [index[place[x]] for x in node.labels])
        code = self.code
        total = code.variable(code.constant(neutral(node.combine, node.dtype), node.dtype))
        with contextlib.ExitStack() as loops:
            at = [
                index[place[x]]
                if x in place
                else loops.enter_context(code.loop(code.extent(x.size)))
                for x in node.labels
            ]
            value = self.element(node, at)
            code.set(total, combined(node.combine, code.get(total), value))
        return code.get(total)

    def element(self, node: Node, at: Sequence[Any]) -> Value:
        """What a node computes at a point of its index space."""
        return node.compute(self.code, self.reader(node), at)

    def reader(self, node: Node) -> Callable[[int, Sequence[Any]], Value]:
        def read(k: int, at: Sequence[Any]) -> Value:
            view: View = node.operands[k][0]
            if view.literal:
                return self.code.number(view.root, DTYPES[view.dtype])
            return self.value(view.root, view.index(list(at)))

        return read

    # --- indices

    def unravel(self, flat: Value, sizes: Sequence[int]) -> list[Any]:
        """The index of a position; axes of one element have index 0."""
        code = self.code
        wide = [a for a, n in enumerate(sizes) if n != 1]
        found: list[Any] = [0] * len(sizes)
        narrow = math.prod(sizes) < NARROW
        left: Value = flat.convert("u32") if narrow and len(wide) > 1 else flat
        kind = left.dtype
        for a in reversed(wide):
            if a == wide[0]:
                inner = left
            else:
                n = code.extent(sizes[a]).convert(kind)
                inner = code.emit("rem", kind, left, n)
                left = code.emit("div", kind, left, n)
            found[a] = Index(code, inner.convert("i64").name, "i64")
        return found

    @contextlib.contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        branch = If(condition, [], [])
        with self.code.into(branch.items):
            yield
        self.code.items.append(branch)

    def thread(self) -> Index:
        """The number of the thread in the grid."""
        return self.code.special(f"blockIdx.x * (long long){BLOCK} + threadIdx.x")

    # --- members

    def compute_members(self, unit: Grid) -> None:
        """The elementwise members at the thread's element."""
        for node in unit.members:
            if is_elementwise(node):
                value = self.computed(node, self.own)
                self.registers[node.root] = value
                if node.root in unit.stored:
                    self.store(node.root, self.own, value)

    def store(self, root: Root, index: Sequence[Any], value: Value) -> None:
        buffer = self.code.buffer(root.memory(), root.kind)
        self.code.store(buffer, self.address(root, index), value)

    def launch(self, count: int, blocks: bool) -> GridLaunch:
        kernel = self.code.kernel
        kernel.error, kernel.errors = self.code.error, self.code.errors
        return GridLaunch(kernel, list(self.code.seen), count, blocks)


def _same(x: Sequence[Any], y: Sequence[Any]) -> bool:
    return len(x) == len(y) and all(
        a is b or (not isinstance(a, Value) and not isinstance(b, Value) and a == b)
        for a, b in zip(x, y, strict=True)
    )


def emit_grid(name: str, unit: Grid, inlined: dict[Root, Node]) -> list[GridLaunch]:
    """The kernels of a unit."""
    if unit.reduced is None:
        return [_elementwise(name, unit, inlined)] if math.prod(unit.sizes) else []
    return _reductions(name, unit, inlined)


def _elementwise(name: str, unit: Grid, inlined: dict[Root, Node]) -> GridLaunch:
    writer = GridWriter(name, inlined)
    total = math.prod(unit.sizes)
    flat = writer.thread()
    with writer.when(flat < writer.code.extent(total)):
        writer.flat, writer.sizes = flat, unit.sizes
        writer.own = writer.unravel(flat, unit.sizes)
        writer.compute_members(unit)
    return writer.launch(total, False)


class _Shape:
    """How a reduction is spread over threads."""

    def __init__(self, unit: Grid) -> None:
        self.sizes = unit.sizes
        self.reduced = list(unit.reduced or ())
        self.kept = [a for a in range(len(unit.sizes)) if a not in self.reduced]
        self.results = math.prod(unit.sizes[a] for a in self.kept)
        self.terms = math.prod(unit.sizes[a] for a in self.reduced)
        wide = [a for a, n in enumerate(unit.sizes) if n != 1]
        last_kept = not wide or wide[-1] in self.kept
        few = self.terms <= FEW and self.results >= WIDE
        self.threads = few or (last_kept and self.results >= BESIDE)
        least = SERIAL if self.threads else CHUNK
        idle = max(1, (WIDE * BLOCK if self.threads else WIDE) // max(self.results, 1))
        chunks = min(-(-self.terms // least), MOST_CHUNKS, idle)
        self.step = -(-self.terms // max(chunks, 1)) or 1
        self.chunks = max(1, -(-self.terms // self.step))


def _result_index(node: Node, kept: Sequence[Any], shape: _Shape) -> list[Any]:
    """The index of a result, given those of the kept axes of the space."""
    at = {node.labels[a]: i for a, i in zip(shape.kept, kept, strict=True)}
    return [at[x] for x in node.axes]  # type: ignore[index]


def _reductions(name: str, unit: Grid, inlined: dict[Root, Node]) -> list[GridLaunch]:
    shape = _Shape(unit)
    if not shape.results:
        return []
    nodes = [n for n in unit.members if not is_elementwise(n)]
    several = shape.chunks > 1
    scratch = {n: Scratch(shape.results * shape.chunks, n.root.dtype) for n in nodes}
    writer = GridWriter(name, inlined)
    code = writer.code
    # Work items are (chunk, result), the result running fastest.
    if shape.threads:
        item, stride = writer.thread(), 1
        first: Value = code.constant(0, "i64")
    else:
        item, stride = code.special("blockIdx.x"), BLOCK
        first = code.special("threadIdx.x")
    total = shape.results * shape.chunks

    def body() -> None:
        if several:
            results = code.extent(shape.results)
            chunk = Index(code, code.emit("div", "i64", item, results).name, "i64")
            result = Index(code, code.emit("rem", "i64", item, results).name, "i64")
            begin = chunk * code.extent(shape.step)
            end = begin + code.extent(shape.step)
            lower: Value = begin
            terms = code.extent(shape.terms)
            upper: Value = code.emit("select", "i64", end < terms, end, terms)
        else:
            result, lower, upper = item, code.constant(0, "i64"), code.extent(shape.terms)
        kept = writer.unravel(result, [shape.sizes[a] for a in shape.kept])
        totals = {
            n: code.variable(code.constant(neutral(n.combine or "", n.dtype), n.dtype))
            for n in nodes
        }
        if stride == 1:
            with code.loop(upper, lower) as term:
                accumulate(kept, term, totals)
        else:
            count = Index(code, code.emit("sub", "i64", upper, lower).name, "i64")
            rest = Index(code, code.emit("sub", "i64", count, first).name, "i64")
            padded = rest + (stride - 1)
            turns = code.emit("div", "i64", padded, code.constant(stride, "i64"))
            start = Index(code, code.emit("add", "i64", lower, first).name, "i64")
            with code.loop(turns) as turn:
                step = Index(code, turn.name, "i64") * code.constant(stride, "i64")
                accumulate(kept, start + step, totals)
        for node, variable in totals.items():
            value = code.get(variable)
            if stride != 1:
                value = reduced_in_block(code, value, node.combine or "")
            put(node, kept, value)

    def accumulate(kept: list, term: Value, totals: dict[Node, Variable]) -> None:
        inner = writer.unravel(
            Index(code, term.name, "i64"), [shape.sizes[a] for a in shape.reduced]
        )
        own: list[Any] = [0] * len(shape.sizes)
        for a, i in (*zip(shape.kept, kept, strict=True), *zip(shape.reduced, inner, strict=True)):
            own[a] = i
        writer.own = own
        writer.compute_members(unit)
        for node, variable in totals.items():
            value = writer.element(node, own)
            code.set(variable, combined(node.combine or "", code.get(variable), value))
        for node in unit.members:
            writer.registers.pop(node.root, None)

    def put(node: Node, kept: list, value: Value) -> None:
        with contextlib.ExitStack() as stack:
            if not shape.threads:
                stack.enter_context(writer.when(first == code.constant(0, "i64")))
            if several:
                buffer = code.buffer(scratch[node], node.dtype)
                code.store(buffer, item, value)
            else:
                writer.store(node.root, _result_index(node, kept, shape), value)

    if shape.threads:
        with writer.when(item < code.extent(total)):
            body()
    else:
        body()
    launches = [writer.launch(total, not shape.threads)]
    if several:
        launches.append(_second_stage(f"{name}_end", nodes, scratch, shape))
    return launches


def reduced_in_block(code: Builder, value: Value, combine: str) -> Value:
    """The values of all threads put together, in thread 0."""
    made = Value(code, code.name(), value.dtype)
    code.items.append(BlockReduce(made, value, combine))
    return made


def _second_stage(
    name: str, nodes: Sequence[Node], scratch: dict[Node, Scratch], shape: _Shape
) -> GridLaunch:
    """Put the chunks of each result together, a block a result."""
    writer = GridWriter(name, {})
    code = writer.code
    result, thread = code.special("blockIdx.x"), code.special("threadIdx.x")
    kept = writer.unravel(result, [shape.sizes[a] for a in shape.kept])
    for node in nodes:
        combine = node.combine or ""
        total = code.variable(code.constant(neutral(combine, node.dtype), node.dtype))
        buffer = code.buffer(scratch[node], node.dtype)
        rest = Index(code, code.emit("sub", "i64", code.extent(shape.chunks), thread).name, "i64")
        turns = code.emit("div", "i64", rest + (BLOCK - 1), code.constant(BLOCK, "i64"))
        with code.loop(turns) as turn:
            chunk = thread + Index(code, turn.name, "i64") * code.constant(BLOCK, "i64")
            at = chunk * code.extent(shape.results) + result
            code.set(total, combined(combine, code.get(total), code.load(buffer, at)))
        value = reduced_in_block(code, code.get(total), combine)
        with writer.when(thread == code.constant(0, "i64")):
            writer.store(node.root, _result_index(node, kept, shape), value)
    return writer.launch(shape.results, True)


# --------------------------------------------------------------------------------------
# Elements whose position is computed


def _fill(name: str, root: Root, number: Any) -> GridLaunch:
    writer = GridWriter(name, {})
    flat = writer.thread()
    total = math.prod(root.shape)
    with writer.when(flat < writer.code.extent(total)):
        buffer = writer.code.buffer(root.memory(), root.kind)
        writer.code.store(buffer, flat, writer.code.constant(number, root.kind))
    return writer.launch(total, False)


def emit_scatter(name: str, node: Node, inlined: dict[Root, Node]) -> list[GridLaunch]:
    """Add to, or write, elements at computed positions."""
    total = math.prod(x.size for x in node.labels)
    launches = []
    shape: tuple[int, ...] = node.root.shape
    if node.combine is not None and 0 not in shape and not node.onto:
        launches.append(_fill(f"{name}_begin", node.root, neutral(node.combine, node.dtype)))
    if not total:
        return launches
    if node.combine is not None:
        serial = node.combine != "add" or node.dtype not in ATOMIC
        launches.append(_scattered(name, node, inlined, total, serial, None))
        return launches
    update = node.equation is not None and node.equation.primitive.name == "update_at"
    if not update or total == 1:
        launches.append(_scattered(name, node, inlined, total, False, None))
        return launches
    # Of several values for one element the last one counts, as in NumPy.
    winner = Scratch(math.prod(shape), _I64)
    launches.append(_cleared(f"{name}_begin", winner))
    launches.append(_scattered(f"{name}_order", node, inlined, total, False, winner, True))
    launches.append(_scattered(name, node, inlined, total, False, winner))
    return launches


class _Int64:
    itemsize = 8


_I64 = _Int64()


def _cleared(name: str, winner: Scratch) -> GridLaunch:
    writer = GridWriter(name, {})
    flat = writer.thread()
    with writer.when(flat < writer.code.extent(winner.count)):
        buffer = writer.code.buffer(winner, "i64")
        writer.code.store(buffer, flat, writer.code.constant(0, "i64"))
    return writer.launch(winner.count, False)


def _scattered(
    name: str,
    node: Node,
    inlined: dict[Root, Node],
    total: int,
    serial: bool,
    winner: Scratch | None,
    ordering: bool = False,
) -> GridLaunch:
    writer = GridWriter(name, inlined)
    code = writer.code
    sizes = [x.size for x in node.labels]

    def one(flat: Value) -> None:
        at = writer.unravel(Index(code, flat.name, "i64"), sizes)
        index = node.position(code, writer.reader(node), at)  # type: ignore[misc]
        place = writer.address(node.root, index)
        if ordering:
            buffer = code.buffer(winner, "i64")
            number = code.emit("add", "i64", flat, code.constant(1, "i64"))
            code.items.append(Atomic(buffer, place, number, "latest"))
            return
        if winner is not None:
            last = code.load(code.buffer(winner, "i64"), place)
            number = code.emit("add", "i64", flat, code.constant(1, "i64"))
            with writer.when(last == number):
                write(place, writer.element(node, at))
            return
        write(place, writer.element(node, at))

    def write(place: Value, value: Value) -> None:
        buffer = code.buffer(node.root.memory(), node.root.kind)
        if node.combine is None:
            code.store(buffer, place, value)
        elif serial:
            code.store(buffer, place, combined(node.combine, code.load(buffer, place), value))
        else:
            code.items.append(Atomic(buffer, place, value))

    thread = writer.thread()
    if serial:
        with writer.when(thread == code.constant(0, "i64")), code.loop(code.extent(total)) as i:
            one(i)
        return writer.launch(1, False)
    with writer.when(thread < code.extent(total)):
        one(thread)
    return writer.launch(total, False)
