"""What a program on the device does, one after the other: kernels, library calls, loops.

Loops whose steps are worth kernels of their own run on the host: it starts the kernels of a step,
and waits for the device only where it has to know a number, the condition of a ``while`` or the
index of a branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...kernels.device import is_gpu
from ...kernels.gpu import programs
from ...kernels.scalar import Body, Value
from ..nodes import Node, Root, Step
from .frame import Frame, Launch, UnsupportedError
from .kernels import GridLaunch, emit_grid, emit_scatter
from .loops import emit_loop, runs_in_thread
from .placing import Grid, place

__all__ = ["HostLoop", "Writer", "host_turns", "run_all"]

MOST_PARAMETERS = 500  # of a kernel; CUDA passes 4096 bytes


class Writer:
    """Makes the steps of a program, and collects the kernels that they start."""

    def __init__(self) -> None:
        self.launches: list[GridLaunch] = []
        self.windows: dict[Root, Any] = {}  # rows of loops that the host runs

    def sequence(self, items: Sequence[Any], wanted: Iterable[Root]) -> list[Any]:
        """The steps of nodes and steps; ``wanted`` are read after the last."""
        placed = place(items, wanted)
        made: list[Any] = []
        for unit in placed.units:
            name = f"kernel{len(self.launches)}"
            launches: Sequence[GridLaunch] = ()
            if isinstance(unit, Grid):
                launches = emit_grid(name, unit, placed.inlined)
            elif isinstance(unit, Node):
                launches = emit_scatter(name, unit, placed.inlined)
            elif unit.kind == "gemm":
                made.append(Product(unit))
            elif unit.kind == "host" or "host" in unit.more:
                made.append(Library(unit.more.get("host", unit)))
            elif unit.kind in ("alias", "log"):
                pass  # on the host the way back finds copies
            elif runs_in_thread(unit):
                launches = [emit_loop(name, unit, set(self.windows))]
            elif unit.kind not in ON_HOST:
                raise UnsupportedError(unit.kind)
            else:
                made.append(ON_HOST[unit.kind](unit, self))
            if any(len(x.keys) > MOST_PARAMETERS for x in launches):
                raise UnsupportedError(f"a kernel of more than {MOST_PARAMETERS} arguments")
            self.launches += launches
            made += map(Launch, launches)
        return made


def run_all(steps: Sequence[Any], frame: Frame) -> None:
    """Run steps in order."""
    for step in steps:
        step.run(frame)


class Product:
    """A matrix product, or a batch of them, by cuBLAS."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def roots(self) -> Iterable[Root]:
        return [*self.step.reads, *self.step.writes]

    def memory(self) -> Iterable[tuple[Any, int]]:
        return ()

    def run(self, frame: Frame) -> None:
        more = self.step.more
        batch, m, n, k = (more[x] for x in ("batch", "m", "n", "k"))
        lead = () if batch == 1 else (batch,)
        a, b = (frame.array(root) for root in self.step.reads)
        first, second = more["transposed"]
        a = a.reshape(*lead, k, m).swapaxes(-1, -2) if first else a.reshape(*lead, m, k)
        b = b.reshape(*lead, n, k).swapaxes(-1, -2) if second else b.reshape(*lead, k, n)
        out = frame.array(self.step.writes[0]).reshape(*lead, m, n)
        np.matmul(a, b, out=out)


class Library:
    """A call of a primitive's own kernel on the device's arrays."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def roots(self) -> Iterable[Root]:
        return [x for x in (*self.step.reads, *self.step.writes) if isinstance(x, Root)]

    def memory(self) -> Iterable[tuple[Any, int]]:
        return ()

    def run(self, frame: Frame) -> None:
        step = self.step
        operands = [frame.array(x) if isinstance(x, Root) else x for x in step.reads]
        primitive = step.equation.primitive
        answer = primitive.kernel(*operands, **step.equation.params)
        answers = answer if primitive.multiple_results else (answer,)
        for root, value in zip(step.writes, answers, strict=True):
            if not is_gpu(value):  # made of numbers alone
                value = programs.upload(np.asarray(value))
            frame.array(root)[...] = value


class HostLoop:
    """A loop or branch whose steps are started by the host."""

    def __init__(self, step: Step, writer: Writer) -> None:
        self.step = step
        self.more = step.more
        self.parts: list[list[Any]] = []
        self.own: list[Root] = []

    def roots(self) -> Iterable[Root]:
        found = [*self.own, *self.step.reads, *self.step.writes]
        for part in self.parts:
            for inner in part:
                found += inner.roots()
        return [x for x in found if isinstance(x, Root)]

    def memory(self) -> Iterable[tuple[Any, int]]:
        return [pair for part in self.parts for inner in part for pair in inner.memory()]

    # Carries

    def begin(self, frame: Frame, carries: Sequence[Root], starts: Sequence[Root]) -> None:
        for root, start in zip(carries, starts, strict=True):
            frame.copy(root, start)

    def leave(self, frame: Frame, carries: Sequence[Root], nexts: Sequence[Root]) -> None:
        for root, new in zip(carries, nexts, strict=True):
            frame.copy(root, new)

    def finish(self, frame: Frame, carries: Sequence[Root], results: Sequence[Root]) -> None:
        for root, result in zip(carries, results, strict=False):
            if root.alias is None:
                frame.copy(result, root)


class HostScan(HostLoop):
    """A loop of known length."""

    def __init__(self, step: Step, writer: Writer) -> None:
        super().__init__(step, writer)
        more = self.more
        graph = step.equation.params["graph"]
        body = more["bodies"][0]
        running = more["running"]
        running.value = Value(Body(), "t", "i64")  # kernels have it as a parameter
        first = step.equation.params["n_consts"] + step.equation.params["n_carry"]
        for var in graph.inputs[first:]:
            root = body.lowering.views[var].root
            if isinstance(root, Root) and root.window is not None:
                writer.windows[root] = running
        self.own = [*more["carries"], *more["starts"], *more["nexts"]]
        self.parts = [writer.sequence(body.lowering.items, [*more["nexts"], *step.writes])]

    def run(self, frame: Frame) -> None:
        more = self.more
        length = more["length"]
        self.begin(frame, more["carries"], more["starts"])
        for i in range(length):
            frame.indices[more["running"]] = length - 1 - i if more["reverse"] else i
            run_all(self.parts[0], frame)
            self.leave(frame, more["carries"], more["nexts"])
        self.finish(frame, more["carries"], self.step.writes)


class HostWhile(HostLoop):
    """A loop whose condition is read from the device before each step."""

    def __init__(self, step: Step, writer: Writer) -> None:
        super().__init__(step, writer)
        more = self.more
        test, body = more["bodies"][:2]
        self.own = [*more["carries"], *more["starts"], *more["nexts"], more["condition"]]
        self.parts = [
            writer.sequence(test.lowering.items, [more["condition"]]),
            writer.sequence(body.lowering.items, more["nexts"]),
        ]

    def run(self, frame: Frame) -> None:
        more = self.more
        self.begin(frame, more["carries"], more["starts"])
        while self.goes_on(frame):
            run_all(self.parts[1], frame)
            self.leave(frame, more["carries"], more["nexts"])
        self.finish(frame, more["carries"], self.step.writes)

    def goes_on(self, frame: Frame) -> bool:
        run_all(self.parts[0], frame)
        return bool(frame.array(self.more["condition"]))


class HostWhileBack(HostWhile):
    """The reverse sweep of such a loop: what the way back reads is copied before each step.

    Arrays that the steps write in place are copied too, and put back.
    """

    def __init__(self, step: Step, writer: Writer) -> None:
        super().__init__(step, writer)
        more = self.more
        self.own += [*more["back_carries"], *more["back_starts"], *more["back_nexts"]]
        self.own += [*more["finals"], *more["logs"]]
        for root in more["kept"]:
            if root.alias is None:
                writer.windows[root] = None
        back = writer.sequence(more["bodies"][2].lowering.items, more["back_nexts"])
        self.parts.append(back)

    def run(self, frame: Frame) -> None:
        more = self.more
        kept = more["kept"]
        wanted = [k for k, root in enumerate(kept) if root.alias is not None or more["used"][k]]
        borrowed = [(root, frame.array(root).copy()) for root in more["logs"]]
        rows = []
        self.begin(frame, more["carries"], more["starts"])
        while self.goes_on(frame):
            rows.append([frame.array(more["carries"][k]).copy() for k in wanted])
            run_all(self.parts[1], frame)
            self.leave(frame, more["carries"], more["nexts"])
        self.begin(frame, more["back_carries"], more["back_starts"])
        while rows:
            for k, value in zip(wanted, rows.pop(), strict=True):
                if kept[k].alias is None:
                    frame.arrays[kept[k]] = value
                else:
                    frame.array(kept[k])[...] = value
            run_all(self.parts[2], frame)
            self.leave(frame, more["back_carries"], more["back_nexts"])
        self.finish(frame, more["back_carries"], more["targets"])
        for root, value in borrowed:
            frame.array(root)[...] = value


class HostSwitch(HostLoop):
    """A branch whose index is read from the device."""

    def __init__(self, step: Step, writer: Writer) -> None:
        super().__init__(step, writer)
        more = self.more
        self.own = [more["index"], *(r for made in more["outs"] for r in made)]
        self.parts = [
            writer.sequence(body.lowering.items, made)
            for body, made in zip(more["bodies"], more["outs"], strict=True)
        ]

    def run(self, frame: Frame) -> None:
        index = int(frame.array(self.more["index"]))
        last = len(self.parts) - 1
        k = index if 0 <= index < last else last
        run_all(self.parts[k], frame)
        for result, made in zip(self.step.writes, self.more["outs"][k], strict=True):
            if result.alias is None and made.alias is None:
                frame.copy(result, made)


ON_HOST: dict[str, Any] = {
    "scan": HostScan,
    "while": HostWhile,
    "while_vjp": HostWhileBack,
    "switch": HostSwitch,
}


def host_turns(steps: Sequence[Any]) -> int:
    """How many kernels and calls loops on the host start in all; 0 if they wait for the device.

    Calls of libraries may wait too.
    """
    total = 0
    for step in steps:
        if isinstance(step, HostScan):
            inner = count_of(step.parts[0])
            if inner < 0:
                return 0
            total += inner * step.more["length"]
        elif isinstance(step, (HostLoop, Library)):
            return 0
    return total


def count_of(steps: Sequence[Any]) -> int:
    """Kernels and calls of one run through steps; negative if the host waits on the way."""
    total = 0
    for step in steps:
        if isinstance(step, HostScan):
            inner = count_of(step.parts[0])
            if inner < 0:
                return -1
            total += inner * step.more["length"]
        elif isinstance(step, (HostLoop, Library)):
            return -1
        total += 1
    return total
