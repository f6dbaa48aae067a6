"""Where derivatives end: conversion to integers, and ``stop_gradient``."""

from __future__ import annotations

from .core import Nondifferentiable, ShapedArray

__all__ = ["discretize", "stop_gradient"]

discretize: Nondifferentiable = Nondifferentiable(
    "discretize",
    kernel=lambda x, dtype: (x.real if x.dtype.kind == "c" else x).astype(dtype),
    abstract=lambda x, dtype: ShapedArray(x.shape, dtype),
    batch=lambda size, xs, batched, dtype: discretize(xs[0], dtype=dtype),
)

stop_gradient: Nondifferentiable = Nondifferentiable(
    "stop_gradient",
    kernel=lambda x: x.copy(),
    abstract=lambda x: ShapedArray(x.shape, x.dtype),
    batch=lambda size, xs, batched: stop_gradient(xs[0]),
)
