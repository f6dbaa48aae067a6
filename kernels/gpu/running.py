"""Where running maxima and minima of CuPy arrays stand; CuPy accumulates sums and products only."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch

__all__ = ["INSTANCES", "SOURCE", "running_argument"]

# One thread a column, as in ``recurrence``. A NaN is an extreme that nothing follows.
SOURCE = """
template <typename T, bool largest>
__global__ void running_argument(
        const T* x, long long* out, long long steps, long long columns) {
    long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= columns) return;
    long long best = 0;
    T extreme = x[j];
    for (long long k = 0; k < steps; ++k) {
        T value = x[k * columns + j];
        bool beyond = value != value || (largest ? value > extreme : value < extreme);
        if (extreme == extreme && beyond) {
            best = k;
            extreme = value;
        }
        out[k * columns + j] = best;
    }
}
"""

TYPES = {
    **{"f": "float", "d": "double", "?": "bool"},
    **{"b": "signed char", "h": "short", "i": "int", "l": "long long", "q": "long long"},
    **{"B": "unsigned char", "H": "unsigned short", "I": "unsigned int"},
    **{"L": "unsigned long long", "Q": "unsigned long long"},
}
INSTANCES = tuple(
    f"running_argument<{t}, {largest}>"
    for t in dict.fromkeys(TYPES.values())
    for largest in ("true", "false")
)


def running_argument(x: Any, axis: int, largest: bool) -> Any:
    """Positions along ``axis`` of the extremes so far, the first of equal ones."""
    if x.dtype.char == "e":
        x = x.astype(np.float32)
    x = np.moveaxis(x, axis, 0).copy()  # in C order
    out = np.empty_like(x, dtype=np.int64)
    steps = max(x.shape[0], 1)
    name = f"running_argument<{TYPES[x.dtype.char]}, {'true' if largest else 'false'}>"
    columns = x.size // steps
    launch.launch(SOURCE, name, columns, x, out, x.shape[0], columns)
    return np.moveaxis(out, 0, axis)
