"""Run the CUDA kernels' own source on the CPU, behind a header of ours.

Every kernel that ``kernels.gpu.launch.launch`` would start is compiled by the C++ compiler and its
threads are run one after another. So the source, its indexing and its arithmetic are tested where
there is no device.

Modules of compiled programs (``kernels.gpu.programs``) are run in the same way. Where they have
barriers, each thread of a block is a coroutine with a stack of its own, which at a barrier gives
way to the next; shared memory is static. Threads are taken first to last or, with ``backwards``,
last to first: what depends on their order gives two results.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib
import pathlib
import re
import shutil
import subprocess
import tempfile
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import strict_device

import functorch_like.kernels.gpu.launch as gpu_launch
from functorch_like.kernels.gpu import programs

__all__ = ["COMPILER", "STARTED", "order", "without_a_device"]

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


# --- modules of compiled programs ----------------------------------------------------------------

ONE = "sqrt floor ceil trunc rint exp exp2 expm1 log log1p log2 log10 sin cos tan asin acos atan"
ONE += " sinh cosh tanh asinh acosh atanh cbrt erf erfc fabs"
TWO = "pow hypot atan2 copysign fmod"


def mathematics() -> str:
    """Declarations of the C library's functions: including <cmath> takes a quarter of a second."""
    lines = []
    for names, count in ((ONE, 1), (TWO, 2), ("fma", 3)):
        for name in names.split():
            for kind, suffix in (("double", ""), ("float", "f")):
                listed = ", ".join([kind] * count)
                lines.append(f'extern "C" {kind} {name}{suffix}({listed}) noexcept;')
            given = ", ".join(f"float {x}" for x in "xyz"[:count])
            passed = ", ".join("xyz"[:count])
            lines.append(f"static inline float {name}({given}) {{ return {name}f({passed}); }}")
    return "\n".join(lines)


MODULE_HEADER = """
typedef unsigned long size_type;
#define __global__
#define __device__
#define __shared__ static
#define __restrict__
struct Index { unsigned x, y, z; };
static Index blockIdx{0, 0, 0}, threadIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};
template <typename T> static T atomicAdd(T* place, T value) {
    T old = *place; *place += value; return old;
}
template <typename T> static T atomicMax(T* place, T value) {
    T old = *place; if (value > old) *place = value; return old;
}
template <typename A, typename B> static A same_bits(B x) {
    A y; static_assert(sizeof(A) == sizeof(B)); __builtin_memcpy(&y, &x, sizeof(A)); return y;
}
static inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
static inline int __float_as_int(float x) { return same_bits<int>(x); }
static inline float __int_as_float(int x) { return same_bits<float>(x); }
"""

PLAIN = """
static void __syncthreads() {}
template <typename F> static void every_thread(unsigned threads, bool backwards, F body) {
    for (unsigned k = 0; k < threads; ++k) {
        threadIdx.x = backwards ? threads - 1 - k : k;
        body();
    }
}
"""

COROUTINES = """
#include <stdlib.h>
#include <ucontext.h>
static ucontext_t scheduler, contexts[1024];
static bool done[1024];
static char* stacks;
const size_type STACK = 1 << 16;
static void __syncthreads() { swapcontext(&contexts[threadIdx.x], &scheduler); }
template <typename F> static F** current() { static F* held; return &held; }
template <typename F> static void begin() {
    (**current<F>())();
    done[threadIdx.x] = true;
}
template <typename F> static void every_thread(unsigned threads, bool backwards, F body) {
    if (!stacks) stacks = (char*)malloc(1024 * STACK);
    *current<F>() = &body;
    for (unsigned t = 0; t < threads; ++t) {
        done[t] = false;
        getcontext(&contexts[t]);
        contexts[t].uc_stack.ss_sp = stacks + t * STACK;
        contexts[t].uc_stack.ss_size = STACK;
        contexts[t].uc_link = &scheduler;
        makecontext(&contexts[t], (void (*)())begin<F>, 0);
    }
    for (bool left = true; left;) {
        left = false;
        for (unsigned k = 0; k < threads; ++k) {
            threadIdx.x = backwards ? threads - 1 - k : k;
            if (done[threadIdx.x]) continue;
            swapcontext(&scheduler, &contexts[threadIdx.x]);
            left = left || !done[threadIdx.x];
        }
    }
}
"""

HEADS = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')
STARTED: list[tuple[str, int, int]] = []  # kernels that were started: name, blocks, threads
_backwards = [False]


@contextlib.contextmanager
def order(backwards: bool) -> Iterator[None]:
    """Take the threads of a block, and the blocks, last to first inside this context."""
    _backwards[0] = backwards
    try:
        yield
    finally:
        _backwards[0] = False


def harness(source: str) -> str:
    """The source with a function ``run_NAME(blocks, threads, backwards, arguments)`` a kernel."""
    parts = [mathematics(), MODULE_HEADER]
    parts.append(COROUTINES if source.count("across_block(") > 1 else PLAIN)
    parts.append(source)
    for name, listed in HEADS.findall(source):
        kinds = [x.rpartition(" ")[0] for x in listed.split(", ")]
        passed = ", ".join(f"*({kind}*)a[{i}]" for i, kind in enumerate(kinds))
        parts.append(f"""extern "C" void run_{name}(
        unsigned blocks, unsigned threads, bool backwards, void** a) {{
    gridDim.x = blocks; blockDim.x = threads;
    for (unsigned b = 0; b < blocks; ++b) {{
        blockIdx.x = backwards ? blocks - 1 - b : b;
        every_thread(threads, backwards, [=] {{ {name}({passed}); }});
    }}
}}""")
    return "\n".join(parts)


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """A module's kernels for this processor."""
    text = harness(source)
    path = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.cpp"
    path.write_text(text)
    made = path.with_suffix(".so")
    command = [str(COMPILER), "-O0", "-std=c++17", "-shared", "-fPIC", "-w", "-ffp-contract=off"]
    subprocess.run([*command, str(path), "-o", str(made), "-lm"], check=True)
    return ctypes.CDLL(str(made))


def load(source: str, names: Any) -> dict[str, Any]:
    """In place of ``programs.load``."""
    heads = {name: listed.split(", ") for name, listed in HEADS.findall(source)}
    return {name: functools.partial(start, library(source), name, heads[name]) for name in names}


def start(
    module: ctypes.CDLL, name: str, kinds: list[str], grid: tuple, block: tuple, arguments: tuple
) -> None:
    """Start a kernel as CuPy does: numbers are passed with as many bytes as they have."""
    assert len(arguments) == len(kinds), (name, kinds, arguments)
    assert 1 <= block[0] <= 1024 and 1 <= grid[0] < 1 << 31, (name, grid, block)
    STARTED.append((name, grid[0], block[0]))
    held = []
    for x, kind in zip(arguments, kinds, strict=True):
        if isinstance(x, int) and not isinstance(x, bool):
            assert "*" in kind or kind.startswith("long long"), (name, kind)
            held.append(np.array(x, np.uint64 if "*" in kind else np.int64))
        else:
            assert isinstance(x, np.generic), (name, kind, type(x))
            size = {"double": 8, "float": 4, "int": 4, "short": 2, "bool": 1}
            kind = kind.rpartition(" ")[0]
            assert size.get(kind, x.dtype.itemsize) == x.dtype.itemsize, (name, kind, x.dtype)
            held.append(np.array(x))
    places = (ctypes.c_void_p * len(held))(*[x.ctypes.data for x in held])
    getattr(module, f"run_{name}")(grid[0], block[0], _backwards[0], places)


def empty(shape: tuple, dtype: Any) -> strict_device.DeviceArray:
    """In place of ``programs.empty``: full of what no program should read."""
    made = np.empty(shape, dtype)
    made.reshape(-1).view(np.uint8)[...] = 0xFF
    return strict_device.DeviceArray(made)


def address(x: strict_device.DeviceArray) -> int:
    """In place of ``programs.pointer``."""
    return x._host.ctypes.data


def upload(x: np.ndarray) -> strict_device.DeviceArray:
    """In place of ``programs.upload``."""
    return strict_device.DeviceArray(np.array(x))


CAPTURED: list[int] = []  # how often each CUDA graph was started


def capture(run: Any) -> Any:
    """In place of ``programs.capture``: nothing runs while it is recorded."""
    number = len(CAPTURED)
    CAPTURED.append(0)

    def replay() -> None:
        CAPTURED[number] += 1
        run()

    return replay


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
    names = ("load", "empty", "pointer", "upload", "capture")
    real = [getattr(programs, name) for name in names]
    for name, ours in zip(names, (load, empty, address, upload, capture), strict=True):
        setattr(programs, name, ours)
    gpu_launch.cupy, gpu_launch.cupyx = FakeCupy, OnHost  # type: ignore[assignment]
    gpu_launch.launch = launch
    try:
        yield
    finally:
        gpu_launch.cupy, gpu_launch.cupyx, gpu_launch.launch = saved
        for name, theirs in zip(names, real, strict=True):
            setattr(programs, name, theirs)
