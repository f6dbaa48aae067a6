"""The compressed products of a Jacobian: one batch of tangents or cotangents, one a colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..batching import vmap
from ..forward import push
from ..primitives.core import ShapedArray, beside, dtype_of, shape_of
from ..primitives.structural import concatenate, convert, reshape, size_of
from ..reverse import vjp
from .coloring import Coloring

__all__ = ["compressed"]


def _pieces(colors: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The colours of each leaf's elements."""
    made, start = [], 0
    for shape in shapes:
        stop = start + size_of(shape)
        made.append(colors[start:stop].reshape(shape))
        start = stop
    return made


SEEDS = 1 << 24  # elements of seeds that are kept; more of them are made when they are used


def _seeds(colors: np.ndarray, count: int, near: Sequence[Any]) -> list[Any]:
    """For each leaf a seed a colour: one where the colour is, of the leaf's dtype and device.

    Where that is too much to keep, the colours themselves and their numbers: see ``_seed``.
    """
    pieces = _pieces(colors, [shape_of(x) for x in near])
    if count * colors.size > SEEDS:
        return [beside(near[0], np.arange(count, dtype=np.int32))]
    made = []
    for piece, x in zip(pieces, near, strict=True):
        numbers = np.arange(count).reshape(count, *(1,) * piece.ndim)
        dtype = dtype_of(x) if dtype_of(x).kind in "fc" else np.float64
        made.append(beside(x, np.equal(piece, numbers).astype(dtype)))
    return made


def _seed(given: Sequence[Any], colors: np.ndarray, near: Sequence[Any]) -> tuple:
    """One of ``_seeds``: a part for each leaf."""
    if dtype_of(given[0]).kind != "i":
        return tuple(given)
    pieces = _pieces(colors, [shape_of(x) for x in near])
    return tuple(
        convert(np.equal(beside(x, piece), given[0]), dtype=dtype_of(x))
        for piece, x in zip(pieces, near, strict=True)
    )


def _raveled(leaves: Sequence[Any], dtype: Any) -> Any:
    flat = [
        reshape(
            x if dtype_of(x) == dtype else convert(x, dtype=dtype), shape=(size_of(shape_of(x)),)
        )
        for x in leaves
    ]
    return flat[0] if len(flat) == 1 else concatenate(*flat, axis=0)


def compressed(
    name: str,
    call: Callable[..., list],
    leaves: Sequence[Any],
    outputs: Sequence[ShapedArray],
    coloring: Coloring,
    chunk_size: int | None,
) -> Any:
    """All products as one flat array: see ``recovery``.

    ``call`` takes the differentiated leaves and returns the result's, of types ``outputs``.
    """
    dtype = np.result_type(*[a.dtype for a in outputs if a.dtype.kind in "fc"])
    parts = []
    if coloring.n_columns:
        assert coloring.columns is not None
        columns = coloring.columns

        def column(*given: Any) -> Any:
            seeds = _seed(given, columns, leaves)
            _, pushed, _ = push(name, call, tuple(leaves), seeds, False)
            return _raveled(pushed, dtype)

        given = _seeds(columns, coloring.n_columns, leaves)
        parts.append(vmap(column, chunk_size=chunk_size)(*given))
    if coloring.n_rows:
        assert coloring.rows is not None
        rows = coloring.rows
        made, pull = vjp(call, *leaves)

        def row(*given: Any) -> Any:
            return _raveled(pull(list(_seed(given, rows, made))), dtype)

        parts.append(vmap(row, chunk_size=chunk_size)(*_seeds(rows, coloring.n_rows, made)))
    flat = [reshape(x, shape=(size_of(shape_of(x)),)) for x in parts]
    return flat[0] if len(flat) == 1 else concatenate(*flat, axis=0)
