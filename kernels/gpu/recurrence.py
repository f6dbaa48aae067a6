"""The linear recurrence y[k] = a[k] y[k-1] + b[k] on CuPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch

__all__ = ["INSTANCES", "SOURCE", "recurrence"]

# One thread a column walks down the steps: neighbouring threads read neighbouring columns, so
# the loads coalesce; the running value stays in a register.
# Complex numbers are spelt out so that the compiler needs no headers.
SOURCE = """
template <typename R> struct complex_number { R re, im; };
template <typename R> __device__ complex_number<R> operator*(
        complex_number<R> x, complex_number<R> y) {
    return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
template <typename R> __device__ complex_number<R> operator+(
        complex_number<R> x, complex_number<R> y) {
    return {x.re + y.re, x.im + y.im};
}
template <typename T>
__global__ void recurrence(const T* a, const T* b, T* y, long long steps, long long columns) {
    long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= columns) return;
    T running = b[j];
    y[j] = running;
    for (long long k = 1; k < steps; ++k) {
        running = a[k * columns + j] * running + b[k * columns + j];
        y[k * columns + j] = running;
    }
}
"""

TYPES = {"f": "float", "d": "double", "F": "complex_number<float>", "D": "complex_number<double>"}
INSTANCES = tuple(f"recurrence<{t}>" for t in TYPES.values())


def recurrence(a: Any, b: Any, axis: int, reverse: bool) -> Any:
    """Solve y[k] = a[k] y[k-1] + b[k] along ``axis``; see ``kernels.cpu.recurrence``."""
    dtype = np.result_type(a.dtype, b.dtype)
    a, b = (np.moveaxis(x.astype(dtype), axis, 0) for x in (a, b))
    if reverse:
        a, b = a[::-1], b[::-1]
    a, b = a.copy(), b.copy()  # in C order
    y = np.empty_like(b)
    steps = max(b.shape[0], 1)
    launch.launch(
        SOURCE,
        f"recurrence<{TYPES[dtype.char]}>",
        b.size // steps,
        a,
        b,
        y,
        b.shape[0],
        b.size // steps,
    )
    if reverse:
        y = y[::-1]
    return np.moveaxis(y, 0, axis)
