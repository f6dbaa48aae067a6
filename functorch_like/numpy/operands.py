"""Operands as the functions here want them: arrays, floating, with values that can be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConcreteValueError, user_line
from ..kernels.device import is_gpu
from ..primitives.core import Tracer, shape_of
from .elementwise import as_operand
from .manipulation import astype, broadcast_to, normalize_axes, reshape, transpose

__all__ = ["as_array", "as_floating", "is_known", "known_value", "weights_like"]


def as_array(x: Any) -> Any:
    """An operand as an array or a tracer."""
    x = as_operand(x)
    return x if isinstance(x, Tracer) or is_gpu(x) else np.asarray(x)


def as_floating(x: Any) -> Any:
    """An operand as a floating array or tracer."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else astype(x, np.float64)


def is_known(*operands: Any) -> bool:
    """Whether the values of the operands can be looked at."""
    return all(not isinstance(x, Tracer) or x.concrete() is not None for x in operands)


def known_value(name: str, x: Any, why: str = "it depends on values not known") -> np.ndarray:
    """The plain value of an operand; an error that gives the reason where there is none."""
    value = x.concrete() if isinstance(x, Tracer) else x
    if value is None:
        raise ConcreteValueError(f"{name}: {why}, at {user_line()}.")
    return value if is_gpu(value) else np.asarray(value)


def weights_like(name: str, weights: Any, a: Any, axis: Any) -> Any:
    """Weights of the whole of ``a``, or of the axes in their order, at the shape of ``a``."""
    weights = as_array(weights)
    shape = shape_of(a)
    if weights.shape != shape:
        if axis is None:
            raise TypeError(
                f"{name}: expected an axis where the weights, of shape {weights.shape}, are not of "
                f"the shape {shape} of the array."
            )
        axes = normalize_axes(axis, len(shape))
        if weights.shape != tuple(shape[i] for i in axes):
            raise ValueError(
                f"{name}: expected weights of the shape {shape} of the array, or of its axes "
                f"{axes}; got {weights.shape}."
            )
        weights = transpose(weights, np.argsort(axes).tolist())
        weights = reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(shape)))
    return broadcast_to(weights, shape)
