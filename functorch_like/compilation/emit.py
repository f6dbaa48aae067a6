"""The tree of loops -> kernels: where each value is kept, and the code.

A value that is used where it was made stays in registers. One that is used elsewhere is stored in
the innermost block that contains both, with only the axes that the loops around it do not run over:
a row of a matrix, not the matrix.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.loop import (
    LIMITED,
    TINY,
    BlasThreads,
    Buffer,
    Builder,
    Call,
    Constant,
    Edges,
    External,
    Fill,
    Gemm,
    If,
    Index,
    Kernel,
    Loop,
    Spawn,
    Variable,
)
from ..kernels.scalar import FLOATS, Value
from ..kernels.vector_math import FUNCTIONS
from .control import EMIT_CONTROL, is_small
from .fuse import Block, Group, build
from .loop_reversal import EMIT_REVERSAL
from .nodes import DTYPES, Label, Node, Root, Step
from .small_matrices import EMIT_MATRICES

__all__ = ["Emitter", "emit"]

STEPS = EMIT_CONTROL | EMIT_REVERSAL | EMIT_MATRICES
NEUTRAL = {"add": 0, "multiply": 1, "or": 0, "and": 1}
CHUNK_BITS = 12
CHUNK = 1 << CHUNK_BITS  # terms of a long sum that are added in their own precision
PRIVATE_BYTES = 1 << 20  # sums of more than this are not made in several threads
REPEATABLE = frozenset({"max", "min", "or", "and"})  # an element may be taken twice
CHAIN = 40  # more operations than this fill the registers as they are
LOCAL_BYTES = 16384  # larger temporaries of a loop's iteration are not kept on the stack


def neutral(combine: str, kind: str) -> Any:
    """What leaves a reduction as it is."""
    if combine in NEUTRAL:
        return NEUTRAL[combine]
    if kind[0] == "f":
        return -math.inf if combine == "max" else math.inf
    if kind == "i1":
        return 0 if combine == "max" else 1
    limits = np.iinfo(("uint" if kind[0] == "u" else "int") + kind[1:])
    return int(limits.min if combine == "max" else limits.max)


def combined(combine: str, x: Value, y: Value) -> Value:
    """One step of a reduction; the order of floating-point sums is left open."""
    code: Any = x.body
    floating = x.dtype in FLOATS
    if combine in ("add", "multiply"):
        flags = "reassoc nsz contract" if floating else None
        return code.emit({"add": "add", "multiply": "mul"}[combine], x.dtype, x, y, more=flags)
    if combine in ("max", "min"):
        if floating:
            return code.emit(combine + "imum", x.dtype, x, y)
        order = (x >= y) if combine == "max" else (x <= y)
        return code.emit("select", x.dtype, order, x, y)
    return code.emit(combine, x.dtype, x, y)


def limited(group: Group) -> bool:
    """Whether a loop calls functions that are faster on a part of their domain."""
    return any(node.primitive_name in LIMITED for node in group.nodes)


def is_chain(group: Group) -> bool:
    """Whether a loop is one of a few long functions of single elements."""
    if len(group.nodes) > CHAIN or any(isinstance(x, Group) for x in group.body.entries):
        return False
    names = {node.primitive_name for node in group.nodes}
    single = all(group.flat or len(n.labels) == 1 for n in group.nodes)
    return single and not names.isdisjoint(FUNCTIONS)


def has_edges(group: Group) -> bool:
    """Whether arrays are put at a place within others, along a loop that has none inside."""
    if group.size <= TINY or any(isinstance(x, Group) for x in group.body.entries):
        return False
    return any(node.primitive_name in ("unslice", "update_slice") for node in group.nodes)


def can_split(group: Group) -> bool:
    """Whether parts of a loop's range can run in threads: what is accumulated is not too large."""
    size = 0
    for node in group.accumulated:
        if node.onto:
            return False
        if node.combine is not None:
            size += math.prod(node.root.shape) * node.root.dtype.itemsize
    return size <= PRIVATE_BYTES


class Storage:
    """Where a root is kept: a buffer that holds the axes ``kept``."""

    __slots__ = ("home", "kept")

    def __init__(self, home: Block, kept: Sequence[int]) -> None:
        self.home = home
        self.kept = list(kept)


def own_roots(step: Step) -> list[Root]:
    """Roots that the code of a loop or branch keeps in registers, if they are small."""
    more = step.more
    found = [
        root
        for name in ("carries", "kept", "back_carries", "finals")
        for root in more.get(name, ())
        if is_small(root)
    ]
    return found + [root for root in step.writes if "bodies" in more and is_small(root)]


class Emitter:
    """Writes one program."""

    guards = True  # whether to use functions that are fast on a part of their domain
    splits = True  # whether to write loops without the conditions that fail at their ends only

    def __init__(self, name: str) -> None:
        self.program = Builder(name, distinct=True)
        self.code = self.program  # the kernel being written
        self.kernels: list[Kernel] = []
        self.shared: dict[tuple, Kernel] = {}  # kernels that several steps call
        self.storage: dict[Root, Storage] = {}
        self.buffers: dict[Root, Buffer] = {}  # of roots kept inside the kernel being written
        self.registers: dict[Root, dict[tuple, Value]] = {}
        self.index: dict[Label, Value] = {}
        self.flat: Value | None = None
        self.steps: list[Step] = []
        self.made_in: dict[Root, Block] = {}
        self.tapes = 0
        self.variables: dict[Node, dict[tuple, Variable]] = {}

    # --- where values are kept

    def plan(self, top: Block, outputs: Sequence[Root]) -> None:
        """Settle which roots need memory, and in which block."""
        made = self.made_in
        in_registers: set[Root] = set()
        in_parts: set[Root] = set()

        def note(block: Block) -> None:
            for entry in block.entries:
                if isinstance(entry, Step):
                    made.update(dict.fromkeys((*entry.writes, *own_roots(entry)), block))
                    in_registers.update(r for r in own_roots(entry) if r.alias is None)
                    for body in entry.more.get("bodies", ()):
                        note(body.block)
                elif isinstance(entry, Group):
                    for node in entry.accumulated:
                        made[node.root] = block
                        if (
                            not node.onto
                            and block.group is not None
                            and self.accumulates_in_registers(node, block)
                        ):
                            in_registers.add(node.root)
                    note(entry.body)
                else:
                    if entry.position is not None and (entry.combine is None or entry.onto):
                        in_parts.add(entry.root)
                    elif entry.position is None and entry.root not in made:
                        in_registers.add(entry.root)
                    made.setdefault(entry.root, block)

        note(top)
        made.update(dict.fromkeys(in_parts, top))

        def keep(root: Root, home: Block) -> None:
            root = root.memory()
            held = self.storage.get(root)
            if held is not None:
                around = held.home.ancestors()
                home = next(b for b in home.ancestors() if b in around)
            bound = home.bound()
            node = root.producer
            dropped = (
                {a for a, x in enumerate(node.axes) if x in bound} if isinstance(node, Node) else ()
            )
            self.storage[root] = Storage(
                home, [a for a in range(len(root.shape)) if a not in dropped]
            )

        def visit(block: Block) -> None:
            for entry in block.entries:
                if isinstance(entry, Group):
                    visit(entry.body)
                elif isinstance(entry, Step):
                    more = entry.more
                    small = own_roots(entry)
                    nexts = [*more.get("nexts", ()), *more.get("back_nexts", ())]
                    for root in (*entry.reads, *entry.writes):
                        if isinstance(root, Root) and root not in small:
                            keep(root, block)
                    for root in nexts:
                        if not is_small(root):
                            keep(root, block)
                    for body in entry.more.get("bodies", ()):
                        visit(body.block)
                else:
                    for root, index in entry.reads():
                        consume(entry, block, root, index)

        def consume(node: Node, block: Block, root: Root, index: list) -> None:
            origin = made.get(root)
            if origin is None or root.alias is not None:
                if root.window is None:
                    keep(root, top)
                return
            around = block.ancestors()
            if origin in around and root in in_registers:
                same_kernel = origin.group is not None or block.group is None
                bound = origin.bound()
                axes = getattr(root.producer, "axes", None) or (None,) * len(index)
                known = all(type(i) is int or axes[a] in bound for a, i in enumerate(index))
                if same_kernel and known:
                    return
            keep(root, next(b for b in origin.ancestors() if b in around))

        visit(top)
        for root in outputs:
            keep(root, top)

    @staticmethod
    def accumulates_in_registers(node: Node, block: Block) -> bool:
        """Whether, in ``block``, a reduction's result is a few numbers."""
        if node.combine is None or any(x is None for x in node.axes):
            return False
        bound = block.bound()
        return all(x in bound or x.unrolled for x in node.axes)  # type: ignore[union-attr]

    # --- memory

    def buffer(self, root: Root) -> tuple[Buffer, list[int]]:
        """The memory of a root, and which of its axes it holds."""
        memory = root.memory()
        if memory.window is not None and self.code is self.program:
            return memory.window(self), list(range(len(root.shape)))
        storage = self.storage.get(memory)
        if storage is None or storage.home.group is None:
            kind = memory.kind
            return self.code.buffer(memory, kind), list(range(len(root.shape)))
        return self.buffers[memory], storage.kept

    def address(self, root: Root, kept: Sequence[int], index: Sequence[Any]) -> Value:
        total: Any = 0
        stride = 1
        for a in reversed(kept):
            i = index[a].number if isinstance(index[a], Constant) else index[a]
            if isinstance(i, Value) or i != 0:
                if isinstance(i, Value) and not isinstance(i, Index):
                    i = Index(self.code, i.name, "i64")
                term = i if stride == 1 else i * self.stride(root, a, stride)
                if type(term) is int and type(total) is int:
                    total = total + term
                else:
                    total = total + term if isinstance(total, Value) or total != 0 else term
            stride *= root.shape[a]
        return total if isinstance(total, Value) else self.code.size(total)

    def stride(self, root: Root, axis: int, stride: int) -> Any:
        """How far elements along an axis are apart: one number, wherever it is needed.

        So LLVM sees which elements of an array are neighbours.
        """
        if stride <= TINY or not self.code.distinct:
            return stride
        key = ("number", stride, (root.memory(), root.shape, axis))
        name = f"n{len(self.code.kernel.parameters)}"
        return self.code.parameter(key, Index(self.code, name, "i64"))

    def load(self, root: Root, index: Sequence[Any]) -> Value:
        buffer, kept = self.buffer(root)
        if self.flat is not None and root.shape != ():
            return self.code.load(buffer, self.flat)
        return self.code.load(buffer, self.address(root, kept, index))

    def store(self, root: Root, index: Sequence[Any], value: Value) -> None:
        buffer, kept = self.buffer(root)
        at = self.flat if self.flat is not None and root.shape != () else None
        self.code.store(buffer, self.address(root, kept, index) if at is None else at, value)

    # --- blocks

    def block(self, block: Block) -> None:
        for entry in block.entries:
            if block.parent is None:
                self.program.kernel.parts.append(len(self.program.kernel.items))
            if isinstance(entry, Node):
                self.leaf(entry, block)
            elif isinstance(entry, Step):
                self.step(entry)
            elif block.group is None:
                self.kernel(entry, block)
            else:
                self.group(entry, block)

    def locals(self, block: Block) -> None:
        """Memory for the roots whose home is this block."""
        for root, storage in self.storage.items():
            if storage.home is block:
                size = math.prod(root.shape[a] for a in storage.kept)
                constant = all(root.shape[a] <= TINY for a in storage.kept)
                kind = root.kind
                if constant and size * 8 <= LOCAL_BYTES:
                    self.buffers[root] = self.code.local(kind, size)
                else:
                    self.buffers[root] = self.code.buffer(("row", root), kind)

    def kernel(self, group: Group, block: Block) -> None:
        """A loop of the program as a kernel of its own."""
        outer = self.code
        code = Builder(f"{self.program.kernel.name}_loop{len(self.kernels)}")
        kernel = code.kernel
        kernel.lower, kernel.upper = Index(code, "lower", "i64"), Index(code, "upper", "i64")
        self.code = code
        registers, self.registers = self.registers, {}
        self.group(group, block, kernel.lower, kernel.upper)
        self.code, self.registers = outer, registers
        self.kernels.append(kernel)
        kernel.error = code.error
        kernel.errors = code.errors
        arguments = [self.argument(key, made) for key, made in code.seen.items()]
        upper = outer.extent(group.extent)
        if not can_split(group):
            outer.items.append(Call(kernel, arguments, upper, group))
            return
        threads = self.threads(group)
        self.spawn(group, kernel, list(code.seen), arguments, upper, threads)

    def spawn(
        self,
        group: Group,
        kernel: Kernel,
        keys: list,
        arguments: list,
        upper: Value,
        threads: Value,
    ) -> None:
        """Call a kernel in threads, and put together what each has accumulated."""
        code = self.code
        private: dict[int, tuple[Buffer, Value]] = {}
        rows: dict[int, Value] = {}
        sums: list[tuple[Node, Buffer]] = []
        accumulated = {node.root.memory(): node for node in group.accumulated if node.combine}
        for k, key in enumerate(keys):
            if isinstance(key, tuple) and key[0] == "row":
                rows[k] = code.size(self.row_bytes(key[1]))
            elif key in accumulated:
                root = key
                memory = code.buffer(("private", root), root.kind)
                private[k] = memory, code.size(math.prod(root.shape) * root.dtype.itemsize)
                sums.append((accumulated[root], memory))
        spawn = Spawn(kernel, arguments, upper, threads, self.thread_functions(), private, rows)
        code.items.append(spawn)
        if not sums:
            return
        with code.into(spawn.after):
            split = If(threads > 1, [], [])
            code.items.append(split)
        with code.into(split.items):
            others = Index(code, code.emit("sub", "i64", threads, 1).name, "i64")
            for node, memory in sums:
                target, _ = self.buffer(node.root)
                count = math.prod(node.root.shape)
                with code.loop(others) as j, code.loop(code.extent(count)) as i:
                    total = combined(
                        node.combine or "", code.load(target, i), code.load(memory, j * count + i)
                    )
                    code.store(target, i, total)

    def threads(self, what: Any) -> Value:
        """In how many threads a loop or a batch of products runs."""
        return self.program.scalar(("threads", what), "i64")

    def thread_functions(self) -> tuple[Buffer, ...]:
        """What it takes to run threads."""
        return tuple(
            self.program.parameter(("function", name), Buffer(name, "i8"))
            for name in ("parallel", "pthread_create", "pthread_join")
        )

    def row_bytes(self, root: Root) -> int:
        """Memory that a thread needs for a root of one turn of its loop, apart from others'."""
        kept = self.storage[root].kept
        size = math.prod(root.shape[a] for a in kept) * root.dtype.itemsize
        return -(-size // 64) * 64

    def argument(self, key: Any, made: Any) -> Any:
        """What the program passes for a kernel's parameter."""
        if isinstance(key, tuple) and key[0] == "number":
            return self.code.extent(key[1])
        if isinstance(key, tuple) and key[0] == "running":
            return key[1].value
        if isinstance(key, tuple):
            return self.code.like(key, made)
        return self.buffer(key)[0]

    def group(
        self, group: Group, block: Block, lower: Value | None = None, upper: Value | None = None
    ) -> None:
        code = self.code
        held: dict[Node, dict[tuple, Variable]] = {}
        for node in group.accumulated:
            if node.combine is None or node.onto:
                continue
            initial = neutral(node.combine, node.dtype)
            if self.accumulates_in_registers(node, block):
                keys = itertools.product(
                    *[range(x.size) for x in node.axes if x.unrolled]  # type: ignore[union-attr]
                )
                held[node] = {
                    key: code.variable(code.constant(initial, node.dtype)) for key in keys
                }
            else:
                self.fill(node, initial)
        self.variables.update(held)
        sums = {n: v for n, v in held.items() if n.combine == "add" and n.dtype in FLOATS}
        guarded = (
            self.guards
            and limited(group)
            and all(n in sums or (n in held and n.combine in REPEATABLE) for n in group.accumulated)
        )
        if lower is not None and upper is not None and (sums or guarded):
            totals = self.in_chunks(group, sums, lower, upper, guarded)
        else:
            totals = {}
            self.turns(group, upper or code.extent(group.size), lower)
        for node, variables in held.items():
            values = {key: code.get(v) for key, v in totals.get(node, variables).items()}
            self.finish(node, {key: v.convert(node.dtype) for key, v in values.items()})

    def turns(self, group: Group, upper: Value, lower: Value | None) -> None:
        """The loop itself."""
        code = self.code
        if not code.hint and is_chain(group):
            code.hint = "twofold"
        if self.splits and not code.hint and has_edges(group):
            self.split(group, code.constant(0, "i64") if lower is None else lower, upper)
            return
        with code.loop(upper, lower) as i:
            if code.hint == "twofold":
                code.hint = ""
            self.turn(group, i)

    def turn(self, group: Group, i: Value) -> None:
        """What a loop does in one turn."""
        visible = dict(self.registers)
        for label in group.labels.values():
            self.index[label] = i
        if group.flat:
            self.flat = i
        self.locals(group.body)
        self.block(group.body)
        self.flat = None
        self.registers = visible
        for label in group.labels.values():
            self.index.pop(label, None)  # the loop may be written again

    def split(self, group: Group, lower: Value, upper: Value) -> None:
        """A loop with conditions on its index: its ends, and without them what lies between."""
        code = self.code
        items: list[Any] = []
        index = Index(code, code.name("i"), "i64")
        code.edges = edges = Edges(index)  # of no other loop: such a loop has none inside
        with code.into(items):
            self.turn(group, index)
        code.edges = None
        spans = edges.spans
        if not spans:
            code.items.append(Loop(index, lower, upper, items, code.hint))
            return

        def chosen(condition: Value, x: Value, y: Value) -> Value:
            return Index(code, code.emit("select", "i64", condition, x, y).name, "i64")

        first, last = lower, upper
        for span in spans:
            start, stop = map(code.size, span)
            first, last = chosen(first < start, start, first), chosen(stop < last, stop, last)
        first = chosen(upper < first, upper, first)
        last = chosen(last < first, first, last)
        with code.loop(code.constant(2, "i64")) as part:
            before = part == 0
            begin, end = chosen(before, lower, last), chosen(before, first, upper)
            code.items.append(Loop(index, begin, end, items, "rare"))
        with code.loop(last, first) as i:
            code.edges = Edges(i, within=True)
            self.turn(group, i)
            code.edges = None

    def in_chunks(
        self,
        group: Group,
        sums: dict[Node, dict[tuple, Variable]],
        lower: Value,
        upper: Value,
        guarded: bool,
    ) -> dict[Node, dict[tuple, Variable]]:
        """The loop in chunks whose sums are summed in double precision.

        So rounding errors grow with the number of chunks and the size of one, not of them all.
        A chunk is done again where an argument was too large for the fast sine and cosine.
        """
        code = self.code
        zero = code.constant(0.0, "f64")
        totals = {n: {key: code.variable(zero) for key in parts} for n, parts in sums.items()}
        count = (upper - lower + (CHUNK - 1)) >> CHUNK_BITS
        with code.loop(count) as chunk:
            start = Index(code, (lower + (chunk << CHUNK_BITS)).name, "i64")
            end = start + code.constant(CHUNK, "i64")
            stop = Index(code, code.emit("select", "i64", end < upper, end, upper).name, "i64")

            def begin() -> None:
                for node, parts in sums.items():
                    for variable in parts.values():
                        code.set(variable, code.constant(0, node.dtype))

            begin()
            if guarded:
                code.guard = guard = code.variable(code.constant(0, "i32"))
                self.turns(group, stop, start)
                code.guard = None
                again = If(code.get(guard) != 0, [], [])
                code.hint = "rare"
                with code.into(again.items):
                    begin()
                    self.turns(group, stop, start)
                code.hint = ""
                code.items.append(again)
            else:
                self.turns(group, stop, start)
            for node, variables in sums.items():
                for key, variable in variables.items():
                    total = totals[node][key]
                    code.set(total, code.get(total) + code.get(variable).convert("f64"))
        return totals

    def fill(self, node: Node, initial: Any) -> None:
        """Set the memory of a result that is accumulated in place, where the loops are now."""
        code = self.code
        root = node.root
        buffer, kept = self.buffer(root)
        value = code.constant(initial, node.dtype)
        index: list[Any] = [
            self.index[x] if x is not None and x in self.index else None for x in node.axes
        ]
        free = [a for a in kept if index[a] is None]
        if free == kept[len(kept) - len(free) :]:  # they are last: a row of the memory
            first = self.address(root, kept, [0 if i is None else i for i in index])
            row = buffer if len(free) == len(kept) else code.offset(buffer, first)
            size = code.extent(math.prod(root.shape[a] for a in free))
            code.items.append(Fill(row, value, size))
            return
        with contextlib.ExitStack() as loops:
            for a in free:
                index[a] = loops.enter_context(code.loop(code.extent(root.shape[a])))
            code.store(buffer, self.address(root, kept, index), value)

    def keep(self, root: Root, values: dict[tuple, Value]) -> None:
        """A small array is known: keep it where it is wanted."""
        self.registers[root] = values
        if root in self.storage:
            for key, value in values.items():
                self.store(root, key, value)

    def element(self, root: Root, key: tuple) -> Value:
        """An element of a small array."""
        held = self.registers.get(root)
        return self.load(root, key) if held is None else held[key]

    def new_tape(self) -> int:
        """The number of a memory that grows as the program runs."""
        self.tapes += 1
        return self.tapes - 1

    def finish(self, node: Node, values: dict[tuple, Value]) -> None:
        """A node's element, or short axes of it, is known: keep it where it is wanted."""
        self.registers[node.root] = values
        if node.root.memory() in self.storage:
            for key, value in values.items():
                index = [] if self.flat is not None else self.root_index(node, key)
                self.store(node.root, index, value)

    def root_index(self, node: Node, key: Sequence[int]) -> list:
        given = iter(key)
        return [
            next(given) if x.unrolled else self.index.get(x, 0)  # type: ignore[union-attr,arg-type]
            for x in node.axes
        ]

    # --- nodes

    def leaf(self, node: Node, block: Block) -> None:
        code = self.code
        if self.flat is not None:
            value = node.compute(code, lambda k, at: self.read(node, k, []), [])
            if node.combine is None:
                self.finish(node, {(): value})
            else:
                self.accumulate(node, (), value)
            return
        written = [x for x in node.labels if x.unrolled and not x.reduced]
        summed = [x for x in node.labels if x.unrolled and x.reduced]
        looped = any(x.reduced and not x.unrolled for x in node.labels)
        order = [x for x in node.axes if x is not None and x.unrolled]
        if node.position is not None and node.combine and not (looped or node.onto):
            self.fill(node, neutral(node.combine, node.dtype))
        values: dict[tuple, Value] = {}
        for one in itertools.product(*[range(x.size) for x in written]):
            at: dict[Label, Any] = dict(self.index)
            at.update(zip(written, one, strict=True))
            key = tuple(at[x] for x in order)
            total: Value | None = None
            for other in itertools.product(*[range(x.size) for x in summed]):
                at.update(zip(summed, other, strict=True))
                here = [at[x] for x in node.labels]
                value = node.compute(code, lambda k, i: self.read(node, k, i), here)
                if node.position is not None:
                    self.write(node, here, value)
                elif node.combine is not None and total is not None:
                    total = combined(node.combine, total, value)
                else:
                    total = value
            if node.position is not None:
                continue
            if total is None:  # a sum over no elements
                total = code.constant(neutral(node.combine or "add", node.dtype), node.dtype)
            if looped:
                self.accumulate(node, key, total)
            else:
                values[key] = total
        if node.position is None and not looped:
            self.finish(node, values)

    def accumulate(self, node: Node, key: tuple, value: Value) -> None:
        code = self.code
        variables = self.variables.get(node)
        if variables is not None:
            variable = variables[key]
            code.set(variable, combined(node.combine or "", code.get(variable), value))
            return
        buffer, kept = self.buffer(node.root)
        at = self.address(node.root, kept, self.root_index(node, key))
        code.store(buffer, at, combined(node.combine or "", code.load(buffer, at), value))

    def write(self, node: Node, here: list, value: Value) -> None:
        """Write or add to an element whose position was computed."""
        index = node.position(self.code, lambda k, i: self.read(node, k, i), here)  # type: ignore[misc]
        buffer, kept = self.buffer(node.root)
        at = self.address(node.root, kept, index)
        if node.combine is not None:
            value = combined(node.combine, self.code.load(buffer, at), value)
        self.code.store(buffer, at, value)

    def read(self, node: Node, k: int, at: list) -> Value:
        view = node.operands[k][0]
        if view.literal:
            return self.code.number(view.root, DTYPES[view.dtype])
        root = view.root
        held = self.registers.get(root)
        if self.flat is not None:
            return held[()] if held is not None and () in held else self.load(root, [])
        index = view.index(at)
        if held is not None:
            axes = getattr(root.producer, "axes", None)
            key = (
                tuple(index)
                if axes is None
                else tuple(i for i, x in zip(index, axes, strict=True) if x.unrolled)
            )
            if all(type(i) is int for i in key) and key in held:
                return held[key]
        return self.load(root, index)

    # --- steps

    def step(self, step: Step) -> None:
        code = self.code
        if step.kind == "alias":
            return
        if step.kind == "gemm":
            self.matrix_product(step)
            return
        if step.kind == "host":
            for root in (*step.reads, *step.writes):
                if isinstance(root, Root):
                    code.buffer(root.memory(), root.memory().kind or "i8")
            if self.tells_blas:
                self.blas_threads(None)
            number = code.constant(len(self.steps), "i64")
            self.steps.append(step)
            code.items.append(External("host", [number, code.constant(0, "i64")]))
            return
        STEPS[step.kind](self, step)

    @property
    def tells_blas(self) -> bool:
        """Whether the program has changed how many threads BLAS uses."""
        return any(isinstance(k, tuple) and k[0] == "blas" for k in self.program.seen)

    def blas_threads(self, what: Any) -> None:
        """Let BLAS use the threads that are best for a product, or what it was set to (None)."""
        code = self.code
        function = code.parameter(
            ("function", "openblas_set_num_threads"), Buffer("set_blas_threads", "i8")
        )
        code.items.append(BlasThreads(function, code.scalar(("blas", what), "i64")))

    def matrix_product(self, step: Step) -> None:
        code = self.code
        self.blas_threads(step)
        more = step.more
        a, b = (self.buffer(root)[0] for root in step.reads)
        c = self.buffer(step.writes[0])[0]
        m, n, k = (code.extent(more[x]) for x in "mnk")
        function = code.parameter(
            ("function", f"{'d' if c.dtype == 'f64' else 's'}gemm"), Buffer("gemm" + c.dtype, "i8")
        )
        if more["batch"] == 1:
            code.items.append(Gemm(function, a, b, c, (m, n, k), more["transposed"]))
            return
        # Small products, which BLAS computes in one thread each: a kernel, split over threads.
        given = [function, a, b, c, m, n, k]
        given += [code.extent(more[x] * more[y]) for x, y in ("mk", "kn", "mn")]
        inner = Builder(f"{self.program.kernel.name}_loop{len(self.kernels)}")
        kernel = inner.kernel
        kernel.lower, kernel.upper = Index(inner, "lower", "i64"), Index(inner, "upper", "i64")
        own = [inner.like(i, x) for i, x in enumerate(given)]
        with inner.loop(kernel.upper, kernel.lower) as i:
            parts = [
                inner.offset(x, Index(inner, inner.emit("mul", "i64", i, size).name, "i64"))
                for x, size in zip(own[1:4], own[7:], strict=True)
            ]
            sizes = (own[4], own[5], own[6])
            inner.items.append(
                Gemm(own[0], parts[0], parts[1], parts[2], sizes, more["transposed"])
            )
        self.kernels.append(kernel)
        threads = self.threads(step)
        upper = code.extent(more["batch"])
        code.items.append(Spawn(kernel, given, upper, threads, self.thread_functions(), {}, {}))


def emit(
    items: Sequence[Any], outputs: Sequence[Root], name: str = "program", kind: Any = Emitter
) -> Any:
    """The tree of loops of a program, and its kernels, written by an emitter of this kind."""
    top = build(items)
    emitter = kind(name)
    emitter.plan(top, outputs)
    emitter.block(top)
    if emitter.tells_blas:
        emitter.blas_threads(None)
    emitter.program.kernel.error = emitter.program.error
    emitter.program.kernel.errors = emitter.program.errors
    return top, emitter
