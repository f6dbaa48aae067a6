"""Nanoseconds an element of kernels/vector_math against NumPy and SciPy, arrays in cache.

python benchmarks/vector_math.py [name ...]
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from functorch_like.kernels import native
from functorch_like.kernels.llvm_printer import LLVM_TYPES, declarations
from functorch_like.kernels.vector_math import FUNCTIONS, function, functions_text

SIZE = 4000
KEPT: list[native.Library] = []
NUMPY = {"f64": np.float64, "f32": np.float32}
RANGES = {
    **dict.fromkeys(("log", "log2", "log10", "log1p", "gammaln", "psi", "power"), (0.01, 10)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "erfinv"), (-0.999, 0.999)),
    "arccosh": (1, 10),
}
SCIPY = ("expit", "erf", "erfc", "erfinv", "gammaln", "psi")


def loop_text(name: str, dtype: str, interleave: int) -> str:
    """A loop over the function that LLVM vectorises, with so many vectors at a time."""
    kind = LLVM_TYPES[dtype]
    arguments = range(len(function(name, dtype).parameters))
    pointers = ", ".join(f"ptr noalias %x{k}" for k in arguments)
    loads = "\n".join(
        f"  %p{k} = getelementptr inbounds {kind}, ptr %x{k}, i64 %i\n"
        f"  %v{k} = load {kind}, ptr %p{k}"
        for k in arguments
    )
    values = ", ".join(f"{kind} %v{k}" for k in arguments)
    return f"""
{declarations()}
{functions_text([f"{name}.{dtype}"])}
define void @loop({pointers}, ptr noalias %y, i64 %n) {{
entry:
  br label %body
body:
  %i = phi i64 [0, %entry], [%next, %body]
{loads}
  %r = call {kind} @{name}.{dtype}({values})
  %q = getelementptr inbounds {kind}, ptr %y, i64 %i
  store {kind} %r, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %body, label %end, !llvm.loop !1
end:
  ret void
}}
!0 = !{{}}
!1 = distinct !{{!1, !2}}
!2 = !{{!"llvm.loop.interleave.count", i32 {interleave}}}
"""


def best(run: Callable[[], Any]) -> float:
    """Least nanoseconds an element of many runs."""
    times = []
    for _ in range(300):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) / SIZE * 1e9


def ours(name: str, dtype: str, operands: list[np.ndarray], interleave: int) -> float:
    """Time of the compiled loop."""
    library = native.load_object(native.compile_object(loop_text(name, dtype, interleave)))
    KEPT.append(library)
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(operands) + 1), ctypes.c_int64)
    loop = kind(library.address("loop"))
    out = np.empty_like(operands[0])
    addresses = [x.ctypes.data for x in (*operands, out)]
    return best(lambda: loop(*addresses, SIZE))


def main() -> None:
    """Print a row a function."""
    random = np.random.default_rng(1)
    print(f"{'ns an element':12} {'one vector':>12} {'two vectors':>12} {'NumPy':>12}")
    for name in sys.argv[1:] or FUNCTIONS:
        base = name.removesuffix("_small")
        plain: Any = getattr(scipy.special if base in SCIPY else np, base, None)
        for dtype, kind in NUMPY.items():
            count = len(function(name, dtype).parameters)
            low, high = RANGES.get(name, (-10, 10))
            operands = [random.uniform(low, high, SIZE).astype(kind) for _ in range(count)]
            row = [ours(name, dtype, operands, k) for k in (1, 2)]
            if plain is not None:
                out = np.empty_like(operands[0])
                row.append(best(lambda f=plain, x=operands, y=out: f(*x, out=y)))
            print(f"{name:10} {dtype}" + "".join(f" {t:12.2f}" for t in row), flush=True)


if __name__ == "__main__":
    main()
