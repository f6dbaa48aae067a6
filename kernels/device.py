"""Which device an array lives on, decided by its type and without importing CuPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["by_device", "is_gpu"]


def is_gpu(x: Any) -> bool:
    """Whether ``x`` is a CuPy array."""
    return type(x).__module__.partition(".")[0] == "cupy"


def by_device(cpu: Callable, gpu: Callable) -> Callable:
    """One kernel made of two: the first array's device picks which runs."""

    def kernel(x: Any, *args: Any, **params: Any) -> Any:
        return (gpu if is_gpu(x) else cpu)(x, *args, **params)

    return kernel
