"""Which device an array lives on, decided by its type and without importing CuPy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["by_device", "cpu_only", "is_gpu"]


def is_gpu(x: Any) -> bool:
    """Whether ``x`` is a CuPy array."""
    kind = type(x)
    return kind is not np.ndarray and kind.__module__.partition(".")[0] == "cupy"


def by_device(cpu: Callable, gpu: Callable) -> Callable:
    """One kernel made of two: the first array's device picks which runs."""

    def kernel(x: Any, *args: Any, **params: Any) -> Any:
        return (gpu if is_gpu(x) else cpu)(x, *args, **params)

    return kernel


def cpu_only(name: str, kernel: Callable) -> Callable:
    """A kernel that exists on the CPU alone: CuPy's arrays are refused, never moved in silence."""

    @functools.wraps(kernel)
    def checked(*operands: Any, **params: Any) -> Any:
        for x in operands:
            if is_gpu(x):
                raise TypeError(f"CuPy has no kernel for {name}")
        return kernel(*operands, **params)

    return checked
