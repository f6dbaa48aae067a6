"""Products summed over shared axes: dot, matmul, tensordot and einsum are one primitive.

``contract(x, y, subscripts=("bij", "bjk", "bik"))`` is the einsum of two operands in which no
label repeats within an operand and every label of an operand stands in the other one or in
the result. Transposes and batching permute or extend the labels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import Multilinear, ShapedArray, dtype_of
from .structural import convert

__all__ = ["contract"]

Subscripts = tuple[str, str, str]


@functools.lru_cache(maxsize=4096)
def _plan(subscripts: Subscripts) -> Callable[[Any, Any], Any]:
    """The NumPy call, BLAS where it can be, that evaluates a contraction."""
    x, y, out = subscripts
    batch = [c for c in x if c in y and c in out]
    summed = [c for c in x if c in y and c not in out]
    rows = [c for c in x if c not in y]
    columns = [c for c in y if c not in x]

    one_each = len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1
    if one_each and out == "".join(batch + rows + columns):
        (k,) = summed
        lead = "".join(batch)
        x_natural = lead + "".join(rows) + k
        y_natural = lead + k + "".join(columns)
        # matmul's own layout; stacks of vectors are not among its forms.
        if (x, y) == (x_natural, y_natural) and (not batch or (rows and columns)):
            return np.matmul if rows or columns else np.dot
        # ij,j->i and j,ij->i, with the matrix the other way round
        if not batch and not rows and y == "".join(columns) + k:
            return lambda a, b: np.matmul(b, a)
        if not batch and not columns and x == k + "".join(rows):
            return lambda a, b: np.matmul(b, a)

    if not summed:

        def outer(a: Any, b: Any) -> Any:
            a = np.transpose(a, [x.index(c) for c in out if c in x])
            b = np.transpose(b, [y.index(c) for c in out if c in y])
            a = np.expand_dims(a, tuple(i for i, c in enumerate(out) if c not in x))
            b = np.expand_dims(b, tuple(i for i, c in enumerate(out) if c not in y))
            return np.multiply(a, b)

        return outer

    x_order = [x.index(c) for c in batch + rows + summed]
    y_order = [y.index(c) for c in batch + summed + columns]
    made = batch + rows + columns
    out_order = [made.index(c) for c in out]

    def general(a: Any, b: Any) -> Any:
        a, b = np.transpose(a, x_order), np.transpose(b, y_order)
        head = a.shape[: len(batch)]
        row_shape = a.shape[len(batch) : len(batch) + len(rows)]
        column_shape = b.shape[len(batch) + len(summed) :]
        inner = math.prod(a.shape[len(batch) + len(rows) :])
        a = a.reshape(*head, math.prod(row_shape), inner)
        b = b.reshape(*head, inner, math.prod(column_shape))
        product = np.matmul(a, b).reshape((*head, *row_shape, *column_shape))
        return np.transpose(product, out_order)

    return general


def _abstract(x: ShapedArray, y: ShapedArray, subscripts: Subscripts) -> ShapedArray:
    sizes = dict(zip(subscripts[0], x.shape, strict=True))
    sizes.update(zip(subscripts[1], y.shape, strict=True))
    dtype = np.result_type(x.dtype, y.dtype)
    return ShapedArray([sizes[c] for c in subscripts[2]], dtype)


def _transpose(
    i: int, ct: Any, operands: Sequence, shape: tuple, dtype: Any, subscripts: Subscripts
) -> Any:
    x, y, out = subscripts
    if i == 0:
        result = contract(ct, operands[1], subscripts=(out, y, x))
    else:
        result = contract(operands[0], ct, subscripts=(x, out, y))
    if dtype_of(result) != dtype:  # a real operand of a complex product, float32 of float64
        result = convert(result, dtype=dtype)
    return result


def _batch(size: int, xs: Sequence, batched: Sequence[bool], subscripts: Subscripts) -> Any:
    x, y, out = subscripts
    label = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in x + y)
    x, y = (label + s if b else s for s, b in zip((x, y), batched, strict=True))
    return contract(*xs, subscripts=(x, y, label + out))


contract: Multilinear = Multilinear(
    "contract",
    kernel=lambda x, y, subscripts: _plan(subscripts)(x, y),
    abstract=_abstract,
    transpose=_transpose,
    batch=_batch,
)
