"""CuPy itself, and starting CUDA source: the one place that needs a device."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["cupy", "cupyx", "launch"]

THREADS = 256  # a block


def cupy() -> Any:
    """The module CuPy; importing it takes 0.3 s, so nothing does before an array asks for it."""
    import cupy

    return cupy


def cupyx(name: str) -> Any:
    """A module of CuPy's mirror of SciPy, such as ``scipy.linalg``."""
    return importlib.import_module(f"cupyx.{name}")


def launch(source: str, name: str, count: int, *operands: Any) -> None:
    """Run one thread for each of ``count`` items.

    Parameters
    ----------
    source
        CUDA C++.
    name
        The kernel, an expression such as ``recurrence<double>``.
    count
        Threads wanted; those beyond it in the last block must return at once.
    *operands
        CuPy arrays in C order, and Python integers (passed as ``long long``).
    """
    module = cupy().RawModule(code=source, name_expressions=(name,), options=("-std=c++17",))
    blocks = (count + THREADS - 1) // THREADS
    if blocks:
        module.get_function(name)((blocks,), (THREADS,), operands)
