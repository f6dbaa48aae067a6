"""Run the CUDA kernels' own source on the CPU, behind a header of ours.

Every kernel that ``kernels.gpu.launch.launch`` would start is compiled by the C++ compiler and its
threads are run one after another. So the source, its indexing and its arithmetic are tested where
there is no device; what needs several threads at once (shared memory, barriers) cannot be.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib
import pathlib
import shutil
import subprocess
import tempfile
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import strict_device

import functorch_like.kernels.gpu.launch as gpu_launch

__all__ = ["COMPILER", "without_a_device"]

COMPILER = shutil.which("g++") or shutil.which("clang++")

HEADER = """
#include <cmath>
#include <cstdint>
using namespace std;
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
struct Index { unsigned x, y, z; };
static Index blockIdx{0, 0, 0}, threadIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};
template <typename T> T atomicAdd(T* place, T value) {
    T old = *place; *place += value; return old;
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) {
    by &= 31; return by ? (high << by) | (low >> (32 - by)) : high;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t(a) * b) >> 32; }
"""


@functools.cache
def folder() -> pathlib.Path:
    return pathlib.Path(tempfile.mkdtemp(prefix="cuda_on_cpu"))


@functools.cache
def compiled(source: str, name: str, signature: str) -> Any:
    """A C function that runs ``blocks`` times ``threads`` threads of one kernel."""
    text = f"""{HEADER}
{source}
extern "C" void run(unsigned blocks, unsigned threads, void** a) {{
    gridDim.x = blocks; blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
            {name}({signature});
}}
"""
    stem = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder() / f"{stem}.cpp"
    path.write_text(text)
    library = path.with_suffix(".so")
    command = [str(COMPILER), "-O1", "-std=c++17", "-shared", "-fPIC", "-w", "-ffp-contract=off"]
    subprocess.run([*command, str(path), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library)).run


def launch(source: str, name: str, count: int, *operands: Any) -> None:
    """In place of ``kernels.gpu.launch.launch``, on arrays of the stand-in."""
    places, signature = [], []
    keep = []
    for i, x in enumerate(operands):
        if isinstance(x, strict_device.DeviceArray):
            values = x._host
            assert values.flags.c_contiguous, "launch takes arrays in C order"
            places.append(values.ctypes.data)
            signature.append(f"(decltype(nullptr)(0), *(Pointer*)&a[{i}])")
        else:
            number = ctypes.c_longlong(int(x))
            keep.append(number)
            places.append(ctypes.addressof(number))
            signature.append(f"*(long long*)a[{i}]")
    pointers = "struct Pointer { void* p; template <typename T> operator T*() const "
    pointers += "{ return (T*)p; } };\n"
    run = compiled(pointers + source, name, ", ".join(signature))
    threads = gpu_launch.THREADS
    run((count + threads - 1) // threads, threads, (ctypes.c_void_p * len(places))(*places))


def add_at(out: Any, index: Any, values: Any) -> None:
    """``cupy.add.at``."""
    inside = tuple(strict_device.index_of(i) for i in index)
    np.add.at(out._host, inside, strict_device.host(values))


class FakeCupy:
    """The module ``cupy``: NumPy's functions on the values, where CuPy has them."""

    add = types.SimpleNamespace(at=add_at)
    asnumpy = staticmethod(strict_device.to_host)

    def __getattr__(self, name: str) -> Any:
        functions = strict_device.FUNCTIONS
        if name not in functions and name not in strict_device.UFUNCS:
            found = getattr(np, name)
            if callable(found) and not isinstance(found, type):
                raise AttributeError(f"module 'cupy' has no attribute {name!r}")
            return found  # dtypes and constants
        return on_values(getattr(np, name), functions.get(name), name in strict_device.TAKE_NUMPY)


def on_values(function: Any, known: list[str] | None, takes_numpy: bool = False) -> Any:
    """A function of CuPy's: ``function`` of the values, with the keywords CuPy has."""

    def called(*args: Any, **keywords: Any) -> Any:
        if known is not None and keywords.keys() - set(known):
            raise TypeError(f"{function.__name__}() got unexpected keywords {sorted(keywords)}")
        inside = strict_device.to_host if takes_numpy else strict_device.nested
        return strict_device.device(function(*inside(args), **strict_device.nested(keywords)))

    return called


class OnHost:
    """A module of ``cupyx``: SciPy's functions on the values, if CuPy has them too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = importlib.import_module(name)

    def __getattr__(self, function: str) -> Any:
        known = strict_device.NAMES["scipy"][self.name]
        if function not in known:
            raise AttributeError(f"module 'cupyx.{self.name}' has no attribute {function!r}")
        return on_values(getattr(self.module, function), known[function])


@contextlib.contextmanager
def without_a_device() -> Iterator[None]:
    """Kernels of ``kernels.gpu`` run on the CPU inside this context."""
    saved = gpu_launch.cupy, gpu_launch.cupyx, gpu_launch.launch
    gpu_launch.cupy, gpu_launch.cupyx = FakeCupy, OnHost  # type: ignore[assignment]
    gpu_launch.launch = launch
    try:
        yield
    finally:
        gpu_launch.cupy, gpu_launch.cupyx, gpu_launch.launch = saved
