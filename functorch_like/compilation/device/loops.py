"""Loops and branches that one thread runs by itself, or one thread a lane.

The code is the CPU's (``emit``): everything in a thread, what is small in its registers. A loop
whose steps are independent, such as a batch of loops in which each lane has its own number of
steps, has a thread a step; what a step keeps in memory is then kept once for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ...kernels.cuda_printer import Special
from ...kernels.loop import (
    Buffer,
    Builder,
    Call,
    Constant,
    External,
    Gemm,
    If,
    Index,
    Kernel,
    Offset,
)
from ...kernels.scalar import Value
from ..emit import Emitter
from ..fuse import Group, build
from ..nodes import Node, Root, Step
from ..small_matrices import EMIT_MATRICES
from .kernels import BLOCK, GridLaunch
from .placing import base_memory, inner_items

__all__ = ["LoopLaunch", "emit_loop", "lanes_of", "runs_in_thread"]

THREAD_WORK = 1 << 12  # elements of a step that are not worth starting kernels for
LANE_STEPS = 1 << 10  # elements that a lane computes while the host starts a few kernels
LANE_WORK = 1 << 22  # elements that a lane may compute by itself


def step_work(items: Sequence[Any]) -> float:
    """Elements computed in one run through nodes and steps; infinite if the host is needed."""
    total = 0.0
    for item in items:
        if isinstance(item, Node):
            total += math.prod(x.size for x in item.labels)
        elif item.kind in EMIT_MATRICES:
            shape = item.reads[0].shape
            total += math.prod(shape) * shape[-1]
        elif item.kind == "gemm":
            more = item.more
            total += more["batch"] * more["m"] * more["n"] * more["k"]
        elif "bodies" in item.more:
            inner = [step_work(body.lowering.items) for body in item.more["bodies"]]
            one = max(inner) if item.kind == "switch" else sum(inner)
            total += one * item.more.get("length", 1)
        elif item.kind not in ("alias", "log"):
            return math.inf
    return total


def lanes_of(step: Step) -> int:
    """How many threads can run the steps of a loop at once; 0 if they depend on each other."""
    independent = step.kind == "scan" and not step.more["carries"]
    return int(step.more["length"]) if independent else 0


def runs_in_thread(step: Step) -> bool:
    """Whether a loop or branch is a kernel of its own."""
    inner = [step_work(body.lowering.items) for body in step.more["bodies"]]
    one = max(inner) if step.kind == "switch" else sum(inner)
    return one <= max(THREAD_WORK, min(LANE_WORK, lanes_of(step) * LANE_STEPS))


class LoopLaunch(GridLaunch):
    """A kernel of one thread, or of one a lane.

    ``private`` has memory that each lane has a part of, bytes by key; ``tapes`` the 64-bit words
    of a row of each tape, ``fails`` tells whether it may find a matrix without an answer.
    """

    __slots__ = ("fails", "functions", "private", "tapes")

    def __init__(self, emitter: ThreadEmitter) -> None:
        program = emitter.program
        super().__init__(program.kernel, list(program.seen), max(emitter.lanes, 1), False)
        self.functions: list[Kernel] = emitter.kernels
        self.private: dict[Any, int] = emitter.private
        self.tapes: dict[int, int] = dict(tape_rows(program.kernel.items, program.seen))
        self.fails = bool(emitter.steps)


class ThreadEmitter(Emitter):
    """Writes a step as the code of one thread, or of one thread a lane.

    ``inside`` is the memory that the step makes for itself, ``given`` are windows on arrays whose
    place the host knows.
    """

    guards = False
    splits = False

    def __init__(self, name: str, inside: set[Root], given: set[Root], lanes: int) -> None:
        super().__init__(name)
        self.program.distinct = False
        self.inside = inside
        self.given = given
        self.lanes = lanes
        self.lane: Any = None
        self.heads: list[Any] = []  # what finds a lane's own memory, before all else
        self.private: dict[Any, int] = {}  # bytes for each lane
        self.own: dict[Any, Buffer] = {}

    # --- memory

    def own_part(self, key: Any, buffer: Buffer, count: int, item_bytes: int) -> Buffer:
        """The lane's part of memory that every lane has one of."""
        self.private[key] = -(-max(count, 1) * item_bytes // 8) * 8
        if self.lane is None:
            return buffer
        if key not in self.own:
            self.own[key] = self.moved(buffer, self.private[key] // item_bytes)
        return self.own[key]

    def moved(self, buffer: Buffer, size: int) -> Buffer:
        """A buffer that begins a lane's number of parts further on."""
        code = self.program
        with code.into(self.heads):
            start = Index(code, self.lane.name, "i64") * code.extent(size)
            return code.offset(buffer, start)

    def buffer(self, root: Root) -> tuple[Buffer, list[int]]:
        memory = root.memory()
        if self.code is self.program and memory in self.given:
            return self.code.buffer(memory, memory.kind), list(range(len(root.shape)))
        found, kept = super().buffer(root)
        if self.code is not self.program or memory.window is not None:
            return found, kept
        if memory not in self.inside:
            return found, kept
        return self.own_part(memory, found, math.prod(memory.shape), memory.dtype.itemsize), kept

    def argument(self, key: Any, made: Any) -> Any:
        found = super().argument(key, made)
        if isinstance(key, tuple) and key[0] == "row":
            count = math.prod(key[1].shape[a] for a in self.storage[key[1]].kept)
            return self.own_part(key, found, count, key[1].dtype.itemsize)
        return found

    # --- one thread

    def spawn(
        self,
        group: Group,
        kernel: Kernel,
        keys: list,
        arguments: list,
        upper: Value,
        threads: Value,
    ) -> None:
        self.code.items.append(Call(kernel, arguments, upper, group))

    def threads(self, what: Any) -> Value:
        return self.code.constant(1, "i64")

    @property
    def tells_blas(self) -> bool:
        return False

    def matrix_product(self, step: Step) -> None:
        code = self.code
        more = step.more
        a, b = (self.buffer(root)[0] for root in step.reads)
        c = self.buffer(step.writes[0])[0]
        sizes = (code.extent(more["m"]), code.extent(more["n"]), code.extent(more["k"]))
        unused = Buffer("unused", "i8")
        if more["batch"] == 1:
            code.items.append(Gemm(unused, a, b, c, sizes, more["transposed"]))
            return
        steps = [code.extent(more[x] * more[y]) for x, y in ("mk", "kn", "mn")]
        with code.loop(code.extent(more["batch"])) as i:
            x, y, z = (
                code.offset(buffer, Index(code, code.emit("mul", "i64", i, size).name, "i64"))
                for buffer, size in zip((a, b, c), steps, strict=True)
            )
            code.items.append(Gemm(unused, x, y, z, sizes, more["transposed"]))

    # --- the whole

    def whole(self, step: Step) -> None:
        """All of the kernel."""
        code: Builder = self.program
        lane = Index(code, code.name("lane"), "i64")
        code.items.append(Special(lane, f"blockIdx.x * (long long){BLOCK} + threadIdx.x"))
        guarded = If(lane < code.extent(max(self.lanes, 1)), [], [])
        body: list[Any] = []
        with code.into(body):
            if not self.lanes:
                self.step(step)
            else:
                self.lane = lane
                more = step.more
                at: Any = lane
                if more["reverse"]:
                    last = code.extent(more["length"] - 1)
                    at = Index(code, code.emit("sub", "i64", last, lane).name, "i64")
                more["running"].value = at
                self.block(more["bodies"][0].block)
        if self.lanes:
            for number in range(self.tapes):
                self.part_tape(number)
        guarded.items = [*self.heads, *body]
        code.items.append(guarded)

    def part_tape(self, number: int) -> None:
        """Let each lane find its own tape under the name of the parameter."""
        code = self.program
        tape = code.seen.get(("tape", number))
        if tape is None:
            return
        every = Buffer(f"{tape.name}_of_all", tape.dtype)
        listed = code.kernel.parameters
        listed[next(k for k, x in enumerate(listed) if x is tape)] = every
        with code.into(self.heads):
            start = Index(code, self.lane.name, "i64") * code.constant(2, "i64")
            code.items.append(Offset(tape, every, start))


def emit_loop(name: str, step: Step, given: set[Root]) -> LoopLaunch:
    """A loop or branch as a kernel; ``given`` are windows of loops that the host runs."""
    inside = {
        base_memory(root)
        for item in inner_items(step)
        for root in ((item.root,) if isinstance(item, Node) else item.writes)
    }
    inside |= {base_memory(r) for r in own_memory(step)}
    inside -= {base_memory(r) for r in step.writes}
    emitter = ThreadEmitter(name, inside, given, lanes_of(step))
    emitter.plan(build([step]), step.writes)
    emitter.whole(step)
    program = emitter.program
    program.kernel.error, program.kernel.errors = program.error, program.errors
    for kernel in emitter.kernels:
        program.kernel.errors = {**program.kernel.errors, **kernel.errors}
    return LoopLaunch(emitter)


def tape_rows(items: Iterable[Any], seen: dict) -> Iterable[tuple[int, int]]:
    """The tapes that grow in a kernel's items, and the 64-bit words of a row of each."""
    for item in items:
        if type(item) is External and item.function == "grow":
            number, row = item.arguments
            words = row.number if isinstance(row, Constant) else None
            if words is None:
                words = next(key[1] for key, made in seen.items() if made is row)
            yield -1 - number.number, words
        for name in ("test", "items", "otherwise"):
            yield from tape_rows(getattr(item, name, ()), seen)


def own_memory(step: Step) -> Iterable[Root]:
    """Roots of a loop, and of those inside it, that no item makes."""
    for item in (step, *inner_items(step)):
        if isinstance(item, Step):
            for name in ("carries", "kept", "finals", "back_carries", "targets"):
                yield from (r for r in item.more.get(name, ()) if r.window is None)
