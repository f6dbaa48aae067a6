"""Compiled programs on the device: CUDA source -> functions, through the cache on disk; memory."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..cache import default_cache
from . import launch

__all__ = ["OPTIONS", "Functions", "capture", "compiled", "empty", "load", "pointer", "upload"]

# Every statement is rounded by itself; where one rounding is wanted the source says fma.
OPTIONS = ("--std=c++17", "--fmad=false")

Functions = dict[str, Callable[..., None]]

_loaded: dict[str, Functions] = {}
_lock = threading.RLock()


@functools.cache
def _architecture() -> str:
    """The device's real architecture, such as ``sm_90``."""
    return f"sm_{launch.cupy().cuda.Device().compute_capability}"


@functools.cache
def _basis() -> str:
    """What machine code depends on besides its source."""
    cupy = launch.cupy()
    version = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return " ".join([_architecture(), version, cupy.__version__, *OPTIONS])


def compiled(source: str, target: str) -> bytes:
    """Machine code, or PTX for a target such as ``compute_80``, of CUDA source.

    Raises
    ------
    RuntimeError
        The source does not compile, with the compiler's log.
    """
    nvrtc = launch.cupy().cuda.nvrtc
    program = nvrtc.createProgram(source, "program.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*OPTIONS, f"--gpu-architecture={target}"))
        real = target.startswith("sm_")
        made: bytes = nvrtc.getCUBIN(program) if real else nvrtc.getPTX(program)
    except nvrtc.NVRTCError as error:
        raise RuntimeError(f"NVRTC: {nvrtc.getProgramLog(program)}") from error
    finally:
        nvrtc.destroyProgram(program)
    return made


def load(source: str, names: Sequence[str]) -> Functions:
    """The kernels of a module: ``f((blocks,), (threads,), arguments)``.

    Arguments are addresses and integers (8 bytes), and NumPy's numbers of the parameter's dtype.
    """
    with _lock:
        found = _loaded.get(source)
        if found is None:
            found = _loaded[source] = _functions(source, names)
    return found


def _functions(source: str, names: Sequence[str]) -> Functions:
    key = hashlib.blake2b(f"cuda {_basis()}\n{source}".encode(), digest_size=16).hexdigest()
    data = default_cache().get(key)
    if data is None:
        data = compiled(source, _architecture())
        default_cache().put(key, data)
    module = launch.cupy().cuda.function.Module()
    module.load(data)
    return {name: module.get_function(name) for name in names}


def empty(shape: Sequence[int], dtype: Any) -> Any:
    """An array whose elements may be anything."""
    return launch.cupy().empty(tuple(shape), dtype)


def upload(x: Any) -> Any:
    """A NumPy array's copy on the device."""
    return launch.cupy().asarray(x)


def pointer(x: Any) -> int:
    """The address of an array's first element on the device."""
    return int(x.data.ptr)


def capture(run: Callable[[], None]) -> Callable[[], None] | None:
    """What ``run`` starts on the device as a CUDA graph: a function that starts it all again.

    The addresses of the arrays are those of this run. None if CuPy or a library cannot capture it.
    """
    cupy = launch.cupy()
    stream = cupy.cuda.Stream(non_blocking=True)
    pool = cupy.cuda.MemoryPool()  # of memory that libraries take; it lives as long as the graph
    try:
        with stream, cupy.cuda.using_allocator(pool.malloc):
            stream.begin_capture()
            try:
                run()
            finally:
                graph = stream.end_capture()
    except Exception:
        return None

    def replay(graph: Any = graph, pool: Any = pool) -> None:
        graph.launch(cupy.cuda.get_current_stream())

    return replay
