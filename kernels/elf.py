"""Object files -> memory, for 64-bit x86 on Linux, in a few hundred microseconds.

Loading LLVM takes 40 ms, which a program whose code is on disk need not wait for. Our objects hold
code, constants and two kinds of relocation; anything else is refused, and LLVM's own loader does
it. Formats: the System V ABI, chapters 4 and 5, and its AMD64 supplement, table 4.9.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import sys
from typing import Any

import numpy as np

__all__ = ["Image", "is_supported", "load"]

SECTION = np.dtype(
    [
        ("name", "<u4"),
        ("kind", "<u4"),
        ("flags", "<u8"),
        ("address", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("align", "<u8"),
        ("entry", "<u8"),
    ]
)
SYMBOL = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("value", "<u8"),
        ("size", "<u8"),
    ]
)
RELOCATION = np.dtype([("offset", "<u8"), ("kind", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
PROGBITS, SYMTAB, RELA = 1, 2, 4
ALLOCATED = 2
PC32, PLT32 = 2, 4
JUMP = b"\xff\x25\x00\x00\x00\x00"  # jmp [rip]: to the address that follows
STUB = 16


class Image:
    """Code in memory; it lives as long as this object."""

    __slots__ = ("_memory", "_symbols")

    def __init__(self, memory: Any, symbols: dict[str, int]) -> None:
        self._memory = memory
        self._symbols = symbols

    def address(self, name: str) -> int:
        """Where the function of this name begins."""
        return self._symbols[name]


@functools.cache
def is_supported() -> bool:
    """Whether objects of this platform are what ``load`` understands."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


@functools.cache
def _external(name: str) -> int:
    function = getattr(ctypes.CDLL(None), name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def load(data: bytes) -> Image | None:
    """Load an object file; None if it holds something that is not understood."""
    header = np.frombuffer(data, "<u8", 1, 0x28)
    count, _names = np.frombuffer(data, "<u2", 2, 0x3C)
    sections = np.frombuffer(data, SECTION, count, int(header[0]))
    kinds = sections["kind"]
    (tables,) = np.nonzero(kinds == SYMTAB)
    if len(tables) != 1:
        return None
    table = sections[tables[0]]
    symbols = np.frombuffer(
        data, SYMBOL, int(table["size"]) // SYMBOL.itemsize, int(table["offset"])
    )
    strings = int(sections[table["link"]]["offset"])

    def named(symbol: Any) -> str:
        start = strings + int(symbol["name"])
        return data[start : data.index(b"\0", start)].decode()

    # Where each section goes, and behind them a stub for each function from outside.
    places = np.zeros(int(count), np.int64)
    size = 0
    for k, section in enumerate(sections):
        if section["flags"] & ALLOCATED and section["size"]:
            if section["kind"] != PROGBITS:
                return None
            align = max(int(section["align"]), 1)
            size = -(-size // align) * align
            places[k] = size
            size += int(section["size"])
    size = -(-size // STUB) * STUB
    outside = np.nonzero((symbols["section"] == 0) & (symbols["name"] != 0))[0]
    total = max(size + STUB * len(outside), 1)
    memory = mmap.mmap(-1, total)
    image = np.frombuffer(memory, np.uint8)
    base = image.ctypes.data
    for k, section in enumerate(sections):
        if section["flags"] & ALLOCATED and section["size"]:
            start, length = int(section["offset"]), int(section["size"])
            image[places[k] : places[k] + length] = np.frombuffer(data, np.uint8, length, start)
    held = np.zeros(len(symbols), np.int64)
    inside = (symbols["section"] > 0) & (symbols["section"] < count)
    held[inside] = places[symbols["section"][inside]] + symbols["value"][inside].astype(np.int64)
    for k, index in enumerate(outside):
        stub = size + STUB * k
        try:
            target = _external(named(symbols[index]))
        except AttributeError:
            return None
        code = JUMP + target.to_bytes(8, "little")
        image[stub : stub + len(code)] = np.frombuffer(code, np.uint8)
        held[index] = stub

    for section in sections[kinds == RELA]:
        target_section = sections[section["info"]]
        if not target_section["flags"] & ALLOCATED:
            continue
        relocations = np.frombuffer(
            data, RELOCATION, int(section["size"]) // RELOCATION.itemsize, int(section["offset"])
        )
        known = (relocations["kind"] == PC32) | (relocations["kind"] == PLT32)
        if not known.all():
            return None
        at = places[section["info"]] + relocations["offset"].astype(np.int64)
        values = held[relocations["symbol"]] + relocations["addend"] - at
        bytes_of = values.astype("<i4").view(np.uint8).reshape(-1, 4)
        image[at[:, None] + np.arange(4)] = bytes_of

    library = ctypes.CDLL(None)
    page = base & -mmap.PAGESIZE
    if library.mprotect(
        ctypes.c_void_p(page),
        ctypes.c_size_t(base + total - page),
        mmap.PROT_READ | mmap.PROT_EXEC,
    ):
        return None
    functions = {
        named(s): base + int(held[k])
        for k, s in enumerate(symbols)
        if inside[k] and s["info"] >> 4 == 1
    }
    return Image((memory, image), functions)
