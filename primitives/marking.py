"""Identities that say something to whoever transforms the program.

``checkpoint_name`` names a value for the policies of ``checkpoint``. ``recompute`` stands where a
backward pass runs a function again: what is computed from its result is computed anew, after all
that stands before it, and not taken from an equal computation further up.
"""

from __future__ import annotations

from .core import Linear, ShapedArray

__all__ = ["name_value", "recompute"]

name_value: Linear = Linear(
    "checkpoint_name",
    kernel=lambda x, name: x.copy(),
    abstract=lambda x, name: ShapedArray(x.shape, x.dtype),
    transpose=lambda ct, shape0, dtype, name: ct,
    batch=lambda size, xs, batched, name: name_value(xs[0], name=name),
)

recompute: Linear = Linear(
    "recompute",
    kernel=lambda x: x.copy(),
    abstract=lambda x: ShapedArray(x.shape, x.dtype),
    transpose=lambda ct, shape0, dtype: ct,
    batch=lambda size, xs, batched: recompute(xs[0]),
)
