"""Where the arrays of one run are, and a kernel that is started on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...kernels.gpu import programs
from ..nodes import DTYPES, Root
from .kernels import GridLaunch, Scratch
from .loops import LoopLaunch

__all__ = ["Frame", "Launch", "UnsupportedError"]

NUMPY_DTYPES = {short: dtype for dtype, short in DTYPES.items()}
TAPE_ROWS = 64  # of a loop of unknown length at first; what did not suffice is multiplied by 8


class UnsupportedError(Exception):
    """A program, or a part of it, that this way of running has no form for."""


class Frame:
    """Where the arrays of one run are."""

    def __init__(self, arena: Any, offsets: dict[Any, int], arrays: dict[Root, Any]) -> None:
        self.arena = arena
        self.start = programs.pointer(arena)
        self.offsets = offsets
        self.arrays = arrays  # arrays outside of the arena, by memory
        self.indices: dict[Any, int] = {}  # of loops that the host runs
        self.windows: dict[Root, Any] = {}  # the Running of each window
        self.tapes: dict[Any, Any] = {}  # in use
        self.known_rows: dict[Any, int] = {}
        self.functions: programs.Functions = {}
        self.failed = self.start

    def pointer(self, root: Root) -> int:
        """The address of a root's first element."""
        memory = root.memory()
        held = self.arrays.get(memory)
        if held is not None:
            return programs.pointer(held)
        if memory.base is not None:
            row = math.prod(memory.shape) * memory.dtype.itemsize
            return self.pointer(memory.base) + self.indices[self.windows[memory]] * row
        return self.start + self.offsets[memory]

    def array(self, root: Root) -> Any:
        """A root as an array."""
        memory = root.memory()
        held = self.arrays.get(memory)
        if held is None and memory.base is not None:
            held = self.array(memory.base)[self.indices[self.windows[memory]]]
        if held is None:
            size = math.prod(memory.shape) * memory.dtype.itemsize
            offset = self.offsets[memory]
            held = self.arena[offset : offset + size].view(memory.dtype)
        return held.reshape(root.shape)

    def rows(self, key: Any) -> int:
        """How many rows a tape has."""
        return self.known_rows.get(key, TAPE_ROWS)

    def copy(self, target: Root, source: Root) -> None:
        """Copy one root's elements to another, unless they are one."""
        if target.memory() is not source.memory():
            self.array(target)[...] = self.array(source)


class Launch:
    """Starts a kernel."""

    def __init__(self, made: GridLaunch) -> None:
        self.made = made
        self.name = made.kernel.name

    def memory(self) -> Iterable[tuple[Any, int]]:
        """Memory that this needs: keys and bytes."""
        made = self.made
        for key in made.keys:
            if isinstance(key, Scratch):
                yield key, key.nbytes
        if isinstance(made, LoopLaunch):
            lanes = max(made.count, 1)
            for key, size in made.private.items():
                yield (self, key), size * lanes

    def roots(self) -> Iterable[Root]:
        """Arrays that it reads or writes."""
        private = self.made.private if isinstance(self.made, LoopLaunch) else ()
        return [k for k in self.made.keys if isinstance(k, Root) and k not in private]

    def run(self, frame: Frame) -> None:
        """Start the kernel."""
        made = self.made
        if not made.count:
            return
        arguments = [self.argument(frame, key) for key in made.keys]
        function = frame.functions[self.name]
        function((made.grid,), (made.block,), (*arguments, frame.failed))

    def argument(self, frame: Frame, key: Any) -> Any:
        if isinstance(key, Root):
            if isinstance(self.made, LoopLaunch) and key in self.made.private:
                return frame.start + frame.offsets[self, key]
            return frame.pointer(key)
        if isinstance(key, Scratch):
            return frame.start + frame.offsets[key]
        kind = key[0]
        if kind == "number":
            return int(key[1])
        if kind == "literal":
            return NUMPY_DTYPES[key[1]].type(key[2])
        if kind == "running":
            return int(frame.indices[key[1]])
        if kind == "row":
            return frame.start + frame.offsets[self, key]
        if kind == "tape":
            return self.tape(frame, key[1])
        raise UnsupportedError(f"a parameter {key}")

    def tape(self, frame: Frame, number: int) -> int:
        """The address of a table of the lanes' tapes and their lengths."""
        lanes = max(self.made.count, 1)
        assert isinstance(self.made, LoopLaunch)
        row = self.made.tapes[number]
        rows = frame.rows((self.name, number))
        memory = programs.empty((lanes * rows * max(row, 1),), np.int64)
        table = np.empty((lanes, 2), np.int64)
        table[:, 0] = programs.pointer(memory) + 8 * rows * row * np.arange(lanes)
        table[:, 1] = rows
        held = programs.upload(table)
        frame.tapes[self.name, number] = (memory, held)
        return programs.pointer(held)
