"""Sum values into a CuPy array at given positions, repeated positions adding up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import launch

__all__ = ["scatter_add"]


def scatter_add(out: Any, index: Sequence[Any], values: Any) -> None:
    """Add in place with atomics: ``out[index] += values``; see ``kernels.cpu.scatter``."""
    cupy = launch.cupy()  # by name: NumPy's dispatch does not take a tuple of indices
    cupy.add.at(out, tuple(cupy.asarray(i) for i in index), values)
