"""How SciPy's functions of samples are called: their axes, their options, their refusals.

On plain arrays SciPy's own function runs. On traced ones ours does, with the samples along the
last axis; ``axis`` (None, an integer, a tuple) and ``keepdims`` are dealt with here, by the names
in SciPy's own signature.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...errors import boundary, user_line
from ...numpy.elementwise import as_operand
from ...primitives.core import dtype_of, shape_of
from .arguments import has_tracer, result

__all__ = ["Significance", "axis_last", "of_samples", "refused"]


class Significance(NamedTuple):
    """A statistic and the probability of one as extreme."""

    statistic: Any
    pvalue: Any


def _floating(x: Any) -> Any:
    x = as_operand(x)
    if isinstance(x, (int, float)):
        x = np.asarray(x)
    return x if dtype_of(x).kind == "f" else x * 1.0


def axis_last(x: Any, axis: Any) -> Any:
    """The axis (or axes, joined; all of them if None) moved to the end."""
    rank = len(shape_of(x))
    if axis is None:
        return np.reshape(x, (-1,))
    if isinstance(axis, tuple):
        axes = tuple(a % rank for a in axis)
        x = np.moveaxis(x, axes, range(rank - len(axes), rank))
        return np.reshape(x, (*shape_of(x)[: rank - len(axes)], -1))
    return np.moveaxis(x, axis, -1)


def _kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    rank = len(shape)
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {a % rank for a in axes}
    return tuple(1 if i in gone else n for i, n in enumerate(shape))


def _map(f: Callable, out: Any) -> Any:
    if isinstance(out, tuple):
        made = [_map(f, x) for x in out]
        return type(out)(*made) if hasattr(out, "_fields") else tuple(made)
    return f(out)


@functools.cache
def _signature(name: str) -> tuple[Callable, inspect.Signature]:
    public = getattr(importlib.import_module("scipy.stats"), name)
    return public, inspect.signature(public)


def _back(x: Any, axis: Any) -> Any:
    return np.moveaxis(x, -1, axis)


def of_samples(samples: int = 1, reduces: bool = True, moves: bool = True) -> Callable:
    """Decorate our version of a function of ``samples`` arrays (0: any number of them).

    Parameters
    ----------
    samples
        How many of the first arguments are samples.
    reduces
        Whether the sample axis disappears; otherwise it goes back to its place.
    moves
        Whether the axis is moved to the end; otherwise the function sees the arrays as they are.
    """

    def decorate(function: Callable) -> Callable:
        name = function.__name__
        known = set(inspect.signature(function).parameters)

        @functools.wraps(function)
        @boundary
        def call(*args: Any, **kwds: Any) -> Any:
            public, signature = _signature(name)
            if not has_tracer(args, kwds):
                return public(*args, **kwds)
            bound = signature.bind(*args, **kwds)
            bound.apply_defaults()
            given = dict(bound.arguments)
            given.update(given.pop("kwds", {}))
            given.update(given.pop("kwargs", {}))
            if samples:
                values = [given.pop(key) for key in list(given)[:samples]]
            else:
                values = list(given.pop(next(iter(given))))
            axis = given.pop("axis", None) if moves else None
            keepdims = given.pop("keepdims", False)
            for key in list(given):
                if key not in known:
                    default = signature.parameters.get(key)
                    if default is None or given[key] != default.default:
                        raise TypeError(
                            f"{name}: {key}={given[key]!r} is not supported on traced arrays, at "
                            f"{user_line()}; leave it out."
                        )
                    del given[key]
            arrays = [None if x is None else _floating(x) for x in values]
            with np.errstate(all="ignore"):
                if not moves:
                    return _map(result, function(*arrays, **given))
                shapes = [shape_of(x) for x in arrays if x is not None]
                moved = [None if x is None else axis_last(x, axis) for x in arrays]
                out = function(*moved, **given)
                if not reduces:
                    back = shapes[0] if axis is None else None
                    return _map(lambda y: np.reshape(y, back) if back else _back(y, axis), out)
                if keepdims:
                    lead = np.broadcast_shapes(*[_kept(shape, axis) for shape in shapes])
                    out = _map(lambda y: np.reshape(y, lead), out)
                return _map(result, out)

        return call

    return decorate


def refused(name: str, reason: str) -> Callable:
    """SciPy's function of that name, which refuses traced arrays for a reason."""

    @boundary
    def call(*args: Any, **kwds: Any) -> Any:
        if has_tracer(args, kwds):
            raise TypeError(
                f"{name}: expected plain arrays; got traced ones, at {user_line()}; {reason}"
            )
        return _signature(name)[0](*args, **kwds)

    call.__name__ = name
    call.__doc__ = f"scipy.stats.{name} of plain arrays; traced ones are refused: {reason}"
    return call
