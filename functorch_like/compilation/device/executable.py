"""A compiled program on the device with its memory, ready to be called on CuPy arrays."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph import Graph
from ...kernels.cuda_printer import NO_ANSWER, TAPE_FULL, cuda_text
from ...kernels.device import is_gpu
from ...kernels.gpu import programs
from .. import executable
from ..executable import ERRORS
from ..lowering import lower
from ..memory import plan_arena
from ..nodes import Root
from .frame import Frame, Launch, UnsupportedError
from .kernels import BLOCK
from .loops import LoopLaunch
from .placing import base_memory
from .steps import HostLoop, Writer, host_turns, run_all

__all__ = ["DeviceExecutable", "device_program"]

MOST_TURNS = 20_000  # kernels and calls of a CUDA graph
HEAD = 64  # bytes at the start of the arena, of which the first 8 tell of errors


def log(message: str) -> None:
    """Say what was compiled, where ``log_compiles`` asks for it."""
    if executable.log_compiles:
        logging.getLogger("functorch_like").warning(message)


SLOT = 16  # bytes for a number


def with_numbers(leaves: Sequence[Any], roots: Sequence[Root]) -> list[Any]:
    """Arguments with numbers as arrays of the device, all copied there at once."""
    found = list(leaves)
    places = [k for k, x in enumerate(found) if not is_gpu(x) and np.ndim(x) == 0]
    if places:
        packed = np.zeros((len(places), SLOT), np.uint8)
        for row, k in zip(packed, places, strict=True):
            data = np.asarray(found[k], roots[k].dtype).tobytes()
            row[: len(data)] = np.frombuffer(data, np.uint8)
        moved = programs.upload(packed)
        for i, k in enumerate(places):
            dtype = roots[k].dtype
            found[k] = moved[i, : dtype.itemsize].view(dtype).reshape(())
    return found


def contiguous(x: Any) -> Any:
    """The array, or a copy of it in C order."""
    return x if x.flags.c_contiguous else x.copy()


def device_program(graph: Graph, name: str) -> Any:
    """A program, or where there is no form for it, what runs its equations one by one."""
    try:
        return DeviceExecutable(graph, name)
    except UnsupportedError as reason:
        log(f"{name}: runs on the device operation by operation, for it has {reason}")
        return OneByOne(graph, str(reason))


class OneByOne:
    """Runs a program's equations with CuPy's own kernels, its loops in Python."""

    def __init__(self, graph: Graph, reason: str) -> None:
        self.graph = graph
        self.source = f"// no kernels: the program has {reason}, and runs operation by operation\n"

    def __call__(self, leaves: Sequence[Any]) -> Sequence[Any]:
        """Results for arguments."""
        given = [
            x if is_gpu(x) else programs.upload(np.asarray(x, v.aval.dtype))
            for x, v in zip(leaves, self.graph.inputs, strict=True)
        ]
        return list(self.graph.evaluate(given))

    def kinds(self) -> dict[str, int]:
        """How many equations there are."""
        return {"equation": len(self.graph.equations)}


class DeviceExecutable:
    """A program for arguments of given shapes and dtypes, on the device.

    NumPy arrays that the program holds are copied to the device once.
    """

    def __init__(self, graph: Graph, name: str = "program") -> None:
        self.graph = graph
        self.name = name
        lowering, self.inputs, self.outputs = lower(graph)
        self.constants = [*graph.constant_values, *[x for _, x in lowering.captured]]
        writer = Writer()
        self.steps = writer.sequence(lowering.items, self.outputs)
        self.launches = writer.launches
        self.windows = writer.windows
        functions = [f for x in self.launches if isinstance(x, LoopLaunch) for f in x.functions]
        self.checked = any(
            x.kernel.errors or (isinstance(x, LoopLaunch) and x.fails) for x in self.launches
        )
        self.taped = any(isinstance(x, LoopLaunch) and x.tapes for x in self.launches)
        self.source = cuda_text([x.kernel for x in self.launches], functions, BLOCK)
        self.rows: dict[Any, int] = {}  # lengths of tapes that sufficed
        self._held: list[Any] | None = None
        self._moved: dict[int, tuple[Any, Any]] = {}
        # Loops that the host runs without waiting for the device are captured in a CUDA graph.
        copied = any(is_gpu(x) and not x.flags.c_contiguous for x in self.constants)
        waits = self.checked or self.taped or copied
        self.repeats = 0 < host_turns(self.steps) <= MOST_TURNS and not waits
        self.calls = 0
        self.busy = threading.Lock()
        self._graph: Any = None
        self._lay_out()

    def _lay_out(self) -> None:
        """Where in the arena temporaries lie."""
        outside = {r.memory() for r in (*self.inputs, *self.outputs)}
        lives: dict[Any, list[int]] = {}
        sizes: dict[Any, int] = {}
        for position, step in enumerate(self.steps):
            needed: list[tuple[Any, int]] = list(step.memory())
            for root in step.roots():
                base = base_memory(root)
                if base not in outside:
                    needed.append((base, math.prod(base.shape) * base.dtype.itemsize))
            for key, size in needed:
                lives.setdefault(key, [position, position])[1] = position
                sizes[key] = max(size, sizes.get(key, 0))
        spans = [(first, last, sizes[key]) for key, (first, last) in lives.items()]
        offsets, self.arena_bytes = plan_arena(spans)
        self.offsets = {key: HEAD + x for key, x in zip(lives, offsets, strict=True)}
        self.arena_bytes += HEAD

    @functools.cached_property
    def functions(self) -> programs.Functions:
        """The kernels, compiled where that has not been done."""
        start = time.perf_counter()
        made = programs.load(self.source, [x.kernel.name for x in self.launches])
        taken = 1e3 * (time.perf_counter() - start)
        log(f"{self.name}: {len(made)} kernels for the device loaded or compiled in {taken:.1f} ms")
        return made

    def held(self) -> list[Any]:
        """The program's own arrays, on the device; those that are there are read at every call."""
        if self._held is None:
            self._held = [
                x if is_gpu(x) else programs.upload(np.asarray(x, order="C"))
                for x in self.constants
            ]
        return [contiguous(x) for x in self._held]

    def __call__(self, leaves: Sequence[Any]) -> Sequence[Any]:
        """Results, CuPy arrays, for arguments of the right dtypes and shapes."""
        pairs = list(zip(with_numbers(leaves, self.inputs), self.inputs, strict=False))
        given = [self.argument(x, root) for x, root in pairs]
        if self.repeats and not self.busy.locked() and self.calls:
            results = self.replayed(given)
            if results is not None:
                return results
        self.calls += 1
        while True:
            frame = self.frame([*given, *self.held()])
            run_all(self.steps, frame)
            failed = self.failed(frame)
            if failed != TAPE_FULL:
                break
            self.rows.update({key: 8 * frame.rows(key) for key in frame.tapes})
        if failed == NO_ANSWER:
            raise np.linalg.LinAlgError(
                f"jit({self.name}): a matrix inside a loop is singular, or not positive definite."
            )
        if failed:
            raise IndexError(ERRORS[failed])
        return [frame.array(root) for root in self.outputs]

    def replayed(self, given: Sequence[Any]) -> Sequence[Any] | None:
        """The results of a CUDA graph of the program, made at the second call; None without one.

        The graph works on arrays of its own, into which arguments are copied.
        """
        with self.busy:
            if self._graph is None:
                frame = self.frame([*[x.copy() for x in given], *self.held()])
                replay = programs.capture(lambda: run_all(self.steps, frame))
                self.repeats = replay is not None
                self._graph = (replay, frame)
            replay, frame = self._graph
            if replay is None:
                return None
            for root, x in zip(self.inputs, given, strict=False):
                frame.arrays[root.memory()][...] = x
            replay()
            return [frame.array(root).copy() for root in self.outputs]

    def argument(self, x: Any, root: Root) -> Any:
        """An argument as a contiguous array of the device.

        Arrays that a program inside this one holds are copied there once.
        """
        if not is_gpu(x):
            known = self._moved.get(id(x))
            if known is None:
                known = self._moved[id(x)] = (x, programs.upload(np.asarray(x, order="C")))
            x = known[1]
        if x.dtype != root.dtype:
            x = x.astype(root.dtype)
        return contiguous(x)

    def frame(self, given: Sequence[Any]) -> Frame:
        """Memory for a run."""
        arena = programs.empty((self.arena_bytes,), np.uint8)
        if self.checked or self.taped:
            arena[:8] = 0
        arrays = {root.memory(): x for root, x in zip(self.inputs, given, strict=True)}
        for root in self.outputs:
            arrays[root.memory()] = programs.empty(root.memory().shape, root.dtype)
        frame = Frame(arena, self.offsets, arrays)
        frame.windows = self.windows
        frame.functions = self.functions if self.launches else {}
        frame.known_rows = self.rows
        return frame

    def failed(self, frame: Frame) -> int:
        """The number of the error that a kernel noted; waits for the device if one may have."""
        if not (self.checked or self.taped):
            return 0
        return int(frame.arena[:8].view(np.int64)[0])

    def kinds(self) -> dict[str, int]:
        """How many steps there are of each kind, those of loops on the host too."""
        found: dict[str, int] = {}

        def count(steps: Sequence[Any]) -> None:
            for step in steps:
                kind = type(step).__name__.lower()
                if isinstance(step, Launch):
                    kind = "loop kernel" if isinstance(step.made, LoopLaunch) else "kernel"
                found[kind] = found.get(kind, 0) + 1
                if isinstance(step, HostLoop):
                    for part in step.parts:
                        count(part)

        count(self.steps)
        return found
