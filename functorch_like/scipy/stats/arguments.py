"""Operands of the distributions: double precision, named parameters, masks."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import boundary, user_line
from ...numpy.elementwise import as_operand
from ...primitives.core import Tracer, dtype_of, shape_of
from ...primitives.stopping import stop_gradient
from ...primitives.structural import convert

__all__ = ["both", "broadcast", "constant", "double", "has_tracer", "named", "public", "result"]

FLOAT64 = np.dtype(np.float64)


def double(x: Any, where: str) -> Any:
    """An operand in double precision, in which SciPy's distributions compute."""
    kind = type(x)
    if kind is float or kind is int or kind is bool:
        return float(x)
    x = as_operand(x)
    dtype = dtype_of(x)
    if dtype == FLOAT64:
        return x
    if dtype.kind not in "fiub":
        raise TypeError(f"{where}: expected real numbers; got {dtype}, at {user_line()}.")
    return convert(x, dtype=FLOAT64) if isinstance(x, Tracer) else x.astype(FLOAT64)


def result(x: Any) -> Any:
    """An array without axes as a number, as SciPy returns it."""
    if isinstance(x, np.ndarray) and x.ndim == 0:
        return x[()]
    return np.float64(x) if type(x) is float else x


def has_tracer(*values: Any) -> bool:
    """Whether one of the values is, or holds, a tracer."""
    for value in values:
        if isinstance(value, Tracer):
            return True
        if isinstance(value, (list, tuple)) and has_tracer(*value):
            return True
        if isinstance(value, dict) and has_tracer(*value.values()):
            return True
    return False


def constant(x: Any) -> Any:
    """The same values without a derivative."""
    return stop_gradient(x) if isinstance(x, Tracer) else x


def both(*conditions: Any) -> Any:
    """Conjunction of conditions; Python's True drops out."""
    left = [c for c in conditions if c is not True]
    return functools.reduce(np.logical_and, left) if left else True


def broadcast(operands: Sequence[Any]) -> list[Any]:
    """Operands of one shape."""
    shape = np.broadcast_shapes(*map(shape_of, operands))
    return [
        x if shape_of(x) == shape and not isinstance(x, float) else np.broadcast_to(x, shape)
        for x in operands
    ]


def named(where: str, names: Sequence[str], args: tuple, kwds: dict) -> list[Any]:
    """Values of the parameters ``names``; location and scale have defaults."""
    if len(args) > len(names):
        raise TypeError(
            f"{where}: expected at most {len(names)} parameters ({', '.join(names)}); got "
            f"{len(args)}, at {user_line()}."
        )
    values = dict(zip(names, args, strict=False))
    for name, value in kwds.items():
        if name not in names or name in values:
            problem = "got twice" if name in values else "not known"
            raise TypeError(
                f"{where}: expected parameters among {', '.join(names)}; got {name!r}, {problem}, "
                f"at {user_line()}."
            )
        values[name] = value
    values.setdefault("loc", 0.0)
    if "scale" in names:
        values.setdefault("scale", 1.0)
    missing = [name for name in names if name not in values]
    if missing:
        raise TypeError(
            f"{where}: expected the parameters {', '.join(names)}; got none for "
            f"{', '.join(missing)}, at {user_line()}; pass {missing[0]}=..."
        )
    return [double(values[name], where) for name in names]


def public(method: Callable) -> Callable:
    """Decorate a public method: the usual results, no warnings from masked elements."""

    @functools.wraps(method)
    @boundary
    def call(*args: Any, **kwds: Any) -> Any:
        with np.errstate(all="ignore"):
            made = method(*args, **kwds)
        return tuple(map(result, made)) if isinstance(made, tuple) else result(made)

    return call


def log_probability(p: Any, complement: Any = None) -> Any:
    """``log(p)``, by way of its complement near 1; -inf with slope 0 where p is 0."""
    zero = p <= 0.0
    made = np.log(np.where(zero, 1.0, p))
    if complement is not None:
        near = p > 0.5
        made = np.where(near, np.log1p(-np.where(near, complement, 0.0)), made)
    return np.where(zero, -math.inf, made)
