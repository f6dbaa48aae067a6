"""How index sets pass through products: einsums, convolutions, filters, sparse matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse

from ..primitives.core import ShapedArray
from .index_sets import MOST, IndexSets
from .propagation import Propagation, Sets, Value
from .rules import anything, numbered, rule, stacks, united

__all__: list[str] = []


@rule("contract")
def _contract(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    x, y, out = params["subscripts"]
    sizes = dict(zip(x, operands[0].aval.shape, strict=True))
    sizes.update(zip(y, operands[1].aval.shape, strict=True))
    pairs = ((operands[0], x, operands[1], y), (operands[1], y, operands[0], x))
    parts = []
    for mine, labels, other, others in pairs:
        if mine.sets is not None:
            weights = _weights(other, others, labels, out, sizes)
            if weights is None:
                parts.append(_contracted(mine.sets, labels, out, sizes))
            else:
                parts.append(mine.sets.mapped(weights))
    return [united(parts)]


def _contracted(sets: IndexSets, labels: str, out: str, sizes: dict[str, int]) -> IndexSets:
    """Sums of products with an operand none of whose elements is known to be zero."""
    shape = [sizes[c] for c in labels]
    sets = sets.reduced(shape, [i for i, c in enumerate(labels) if c not in out])
    kept = [c for c in labels if c in out]
    numbers = numbered([sizes[c] for c in kept])
    numbers = numbers.transpose([kept.index(c) for c in out if c in kept])
    numbers = np.expand_dims(numbers, tuple(i for i, c in enumerate(out) if c not in kept))
    return sets.take(np.broadcast_to(numbers, [sizes[c] for c in out]))


def _weights(
    other: Value, others: str, labels: str, out: str, sizes: dict[str, int]
) -> scipy.sparse.csr_array | None:
    """Which elements of an operand a product takes, where the other's zeros are known."""
    array = other.constant() if other.sets is None else None
    if array is None:
        return None
    array = np.asarray(array)
    free = [c for c in labels if c not in others]
    entries = np.count_nonzero(array)
    copies = math.prod(sizes[c] for c in free)
    if entries == array.size or entries * copies > MOST // 4:
        return None
    where = dict(zip(others, np.nonzero(array), strict=True))
    grid = np.indices([sizes[c] for c in free]).reshape(len(free), copies)
    along = dict(zip(free, grid, strict=True))

    def position(letters: str) -> np.ndarray:
        total = np.zeros((entries, copies), np.int64)
        for c in letters:
            total *= sizes[c]
            total += where[c][:, None] if c in where else along[c]
        return total.reshape(-1)

    shape = (math.prod(sizes[c] for c in out), math.prod(sizes[c] for c in labels))
    rows, columns = position(out), position(labels)
    made = scipy.sparse.coo_array((np.ones(rows.size, bool), (rows, columns)), shape=shape)
    return made.tocsr()


def _stored(operands: list[Value], m: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Row and column of each stored element of a sparse matrix; None if no constants."""
    indices, indptr = (x.constant() for x in operands[2:4])
    if indices is None or indptr is None or np.ndim(indices) != 1:
        return None
    return np.repeat(np.arange(m), np.diff(indptr)), np.asarray(indices)


@rule("sparse_product")
def _sparse_product(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    stored = _stored(operands, params["shape"][0])
    if stored is None:
        return anything(engine, primitive, operands, params, avals)
    target, source = stored[::-1] if params["transpose"] else stored
    data, x = operands[:2]
    lead = len(data.aval.shape) - 1  # before the rows; what comes after them are columns
    made = avals[0].shape
    shape = (math.prod(made[:lead]), made[lead], math.prod(made[lead + 1 :]))
    parts: list[Sets] = []
    if x.sets is not None:  # out[l, target, :] takes x[l, source, :]
        out = numbered(shape)[:, target].reshape(-1)
        read = numbered((shape[0], x.aval.shape[lead], shape[2]))[:, source].reshape(-1)
        ones = np.ones(out.size, bool)
        size = (math.prod(shape), x.aval.size)
        parts.append(x.sets.mapped(scipy.sparse.coo_array((ones, (out, read)), size).tocsr()))
    if data.sets is not None:
        groups = numbered(shape[:2])[:, target].reshape(-1)
        parts.append(data.sets.united(groups, shape[0] * shape[1]).spread(shape, (2,)))
    return [united(parts)]


@rule("sparse_sampled")
def _sparse_sampled(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    stored = _stored(operands, params["shape"][0])
    if stored is None:
        return anything(engine, primitive, operands, params, avals)
    parts: list[Sets] = []
    for x, at in zip(operands[:2], stored, strict=True):
        if x.sets is not None:
            shape = x.aval.shape
            rows = numbered((math.prod(shape[:-2]), shape[-2]))[:, at]
            parts.append(x.sets.reduced(shape, (len(shape) - 1,)).take(rows))
    return [united(parts)]


@rule("sparse_solve")
def _sparse_solve(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    data, b = operands[:2]
    lead = len(avals[0].shape) - 2
    parts: list[Sets] = []
    if data.sets is not None:
        parts += stacks([data], avals, lead)
    if b.sets is not None:
        parts.append(b.sets.dense_along(b.aval.shape, (lead,)))
    return [united(parts)]


def _windows(
    x: Value,
    shape: tuple[int, ...],
    out: tuple[int, ...],
    offsets: np.ndarray,
    ndim: int,
) -> IndexSets:
    """Unions over x[n + k] for each n of ``out`` and each k of ``offsets``, (count, ndim).

    ``shape`` is that of x, whose leading axes broadcast against those of ``out``.
    """
    assert x.sets is not None
    lead = len(out) - ndim
    shape = (1,) * (len(out) - len(shape)) + shape
    numbers = np.broadcast_to(numbered(shape), (*out[:lead], *shape[lead:]))
    columns = []
    for offset in offsets:
        tail = [slice(k, k + n) for k, n in zip(offset, out[lead:], strict=True)]
        columns.append(numbers[(*(slice(None),) * lead, *tail)].reshape(-1))
    return x.sets.gathered(np.stack(columns, axis=-1))


@rule("correlate_valid")
def _correlate(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    # y[n] = sum_k x[n + k] w[k]
    ndim, out = params["ndim"], avals[0].shape
    x, w = operands
    if math.prod(out) == 0:
        return [None]
    lead = len(out) - ndim
    tail = w.aval.shape[len(w.aval.shape) - ndim :]
    parts: list[Sets] = []
    if x.sets is not None:
        array = w.constant() if w.sets is None else None
        used = np.ones(tail, bool)
        if array is not None:
            used = np.any(np.reshape(array, (-1, *tail)), axis=0)
        offsets = np.argwhere(used)
        if len(offsets):
            parts.append(_windows(x, x.aval.shape, out, offsets, ndim))
    if w.sets is not None:
        axes = range(len(w.aval.shape) - ndim, len(w.aval.shape))
        sets = w.sets.reduced(w.aval.shape, axes)
        before = w.aval.shape[: len(w.aval.shape) - ndim]
        numbers = np.broadcast_to(numbered(before), out[:lead]).reshape(*out[:lead], *(1,) * ndim)
        parts.append(sets.take(np.broadcast_to(numbers, out)))
    return [united(parts)]


@rule("convolve")
def _convolve(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    # z[n] = sum_k x[n - k] y[k] over the last axis: windows of x with nothing on either side.
    parts = []
    for mine, other in (operands, operands[::-1]):
        if mine.sets is None:
            continue
        *lead, n = mine.aval.shape
        m = other.aval.shape[-1]
        used = np.ones(m, bool)
        array = other.constant() if other.sets is None else None
        if array is not None:
            used = np.any(np.reshape(array, (-1, m)), axis=0)
        if not used.any():
            continue
        positions = np.zeros((*lead, n + 2 * m - 2), np.int64)
        positions[..., m - 1 : m - 1 + n] = numbered((*lead, n), 1)
        longer = ShapedArray(positions.shape, mine.aval.dtype)
        padded = Value(longer, mine.sets.take(positions - 1))
        offsets = (m - 1 - np.flatnonzero(used))[:, None]
        parts.append(_windows(padded, longer.shape, avals[0].shape, offsets, 1))
    return [united(parts)]


@rule("linear_filter")
def _linear_filter(
    engine: Propagation, primitive: Any, operands: list[Value], params: dict, avals: list
) -> list[Sets]:
    # y[n] depends on x up to n, and on all coefficients.
    shape = avals[0].shape
    parts: list[Sets] = []
    if operands[0].sets is not None:
        parts.append(operands[0].sets.running(shape, len(shape) - 1, reverse=False))
    for x in operands[1:]:
        if x.sets is not None:
            *lead, _ = x.aval.shape
            sets = x.sets.reduced(x.aval.shape, (len(lead),))
            numbers = np.broadcast_to(numbered(lead), shape[:-1])
            parts.append(sets.take(np.broadcast_to(numbers[..., None], shape)))
    return [united(parts)]
