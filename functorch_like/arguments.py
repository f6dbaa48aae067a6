"""What the transforms share: choosing, checking and converting arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import tree
from .errors import name_of
from .primitives.core import Tracer

__all__ = ["as_array", "differentiable", "resolve_argnums", "substitute"]


def as_array(x: Any) -> Any:
    """A leaf as an array: NumPy, CuPy and traced arrays as they are, scalars as NumPy's."""
    if type(x) is np.ndarray or isinstance(x, Tracer):
        return x
    if isinstance(x, np.ndarray):
        return np.asarray(x)  # subclasses (matrix) would change what * means
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return x
    return np.asarray(x)[()]


def differentiable(
    transform: str, f: Any, leaf: Any, holomorphic: bool = False, position: str = "input"
) -> Any:
    """Check that ``leaf`` is an array that can carry a derivative, and return it as one."""
    x = as_array(leaf)
    kind = x.dtype.kind
    if kind == "f" or kind == "c":
        if holomorphic and kind != "c":
            raise TypeError(
                f"{transform}({name_of(f)}): expected complex {position} because "
                f"holomorphic=True; got {x.dtype}; pass complex values or drop holomorphic."
            )
        return x
    if kind in "iub":
        fix = f"{leaf}.0" if type(leaf) is int else "x.astype(float)"
        raise TypeError(
            f"{transform}({name_of(f)}): expected real or complex floating-point {position}; got "
            f"{x.dtype} of shape {x.shape}, in which nothing can be differentiated; write {fix}, "
            "or leave this argument out of argnums."
        )
    raise TypeError(
        f"{transform}({name_of(f)}): expected {position} of arrays or numbers; got "
        f"{type(leaf).__name__} of dtype {x.dtype}; pass it by a closure or register its type "
        "with functorch_like.tree."
    )


def resolve_argnums(
    transform: str, f: Any, argnums: int | Sequence[int], count: int
) -> tuple[int, ...]:
    """Nonnegative positions named by ``argnums`` among ``count`` positional arguments."""
    numbers = (argnums,) if isinstance(argnums, (int, np.integer)) else tuple(argnums)
    for n in numbers:
        if not -count <= n < count:
            raise ValueError(
                f"{transform}({name_of(f)}): argnums={argnums} names argument {n}, but the call "
                f"has {count} positional arguments; pass that argument by position."
            )
    resolved = tuple(int(n) % count for n in numbers)
    if len(set(resolved)) != len(resolved):
        raise ValueError(f"{transform}({name_of(f)}): argnums={argnums} names an argument twice.")
    return resolved


def substitute(args: tuple, positions: Sequence[int], values: Sequence[Any]) -> tuple:
    """``args`` with those at ``positions`` replaced."""
    new = list(args)
    for i, value in zip(positions, values, strict=True):
        new[i] = value
    return tuple(new)


def same_structure(transform: str, f: Any, what: str, got: Any, wanted: Any, expected: str) -> None:
    """Raise unless two pytree structures are equal."""
    if got != wanted:
        raise TypeError(
            f"{transform}({name_of(f)}): expected {what} structured like {expected}, "
            f"{tree.describe(wanted)}; got {tree.describe(got)}."
        )
