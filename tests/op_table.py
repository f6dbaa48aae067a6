"""One row or more for every primitive: what to call it with in the sweeps of test_rules.py.

``make(rng, dtype)`` returns the operands. ``check`` names the operands whose derivative is
checked (floating ones by default); ``tolerance`` is for derivatives against differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

F8, F4, C16, I8, B1 = (np.dtype(t) for t in ("f8", "f4", "c16", "i8", "?"))


@dataclass(frozen=True)
class Row:
    """How to call one primitive."""

    primitive: str
    make: Callable[[np.random.Generator, np.dtype], tuple]
    params: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[np.dtype, ...] = (F8, F4)
    check: tuple[int, ...] | None = None
    tolerance: float = 1e-6
    label: str = ""

    def __str__(self) -> str:
        return f"{self.primitive}{'-' if self.label else ''}{self.label}"


def normal(*shape: int) -> Callable:
    """Standard normal numbers; complex ones for complex dtypes, small ones for integers."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        if dtype.kind == "b":
            return rng.random(shape) < 0.5
        if dtype.kind in "iu":
            return rng.integers(1, 9, shape).astype(dtype)
        x = rng.normal(size=shape)
        if dtype.kind == "c":
            x = x + 1j * rng.normal(size=shape)
        return np.asarray(x).astype(dtype)

    return make


def uniform(low: float, high: float, *shape: int) -> Callable:
    """Uniform numbers in an interval (a square of the complex plane for complex dtypes)."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = rng.uniform(low, high, shape)
        if dtype.kind == "c":
            x = x + 1j * rng.uniform(low, high, shape)
        return np.asarray(x).astype(dtype)

    return make


def constant(value: Any) -> Callable:
    """The same operand every time, whatever the dtype (indices, conditions)."""
    return lambda rng, dtype: value


def operands(*makers: Callable) -> Callable:
    """Operands made one by one."""
    return lambda rng, dtype: tuple(make(rng, dtype) for make in makers)


TABLE: list[Row] = []


def row(primitive: str, *makers: Callable, **options: Any) -> None:
    """Add a row."""
    TABLE.append(Row(primitive, operands(*makers), **options))


# --- structural --------------------------------------------------------------------------------

REAL_AND_COMPLEX = (F8, F4, C16)
row("reshape", normal(2, 3), params={"shape": (3, 2)}, dtypes=REAL_AND_COMPLEX)
