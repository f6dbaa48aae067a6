"""Schur and Hessenberg forms; leading axes are a batch.

With a = z t z^H and x = z^H dz antihermitian, dt = z^H da z + t x - x t has zeros where t has them
by construction: a triangular system for the lower triangle of x. What of z is free, the phases of
complex vectors, moves as little as it can.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg as sl

from .core import General, ShapedArray, dtype_of, shape_of
from .decompositions import real_dtype, triangle
from .elementwise import (
    add,
    divide,
    equal,
    logical_not,
    logical_or,
    multiply,
    negative,
    select,
    subtract,
)
from .linalg import adjoint, conjugated, matmul, transposed
from .matrix_equations import over_stack, total, whole_batch
from .structural import concatenate, convert, reshape, slice_at, zeros_like

__all__ = ["commutator_solve", "hessenberg", "schur"]

LinAlgError = np.linalg.LinAlgError

# --- Schur ---------------------------------------------------------------------------------


def _blocks(t: np.ndarray) -> list[slice]:
    """Where the blocks of one or two rows on the diagonal of a Schur form stand."""
    starts = [0, *(np.flatnonzero(np.diagonal(t, -1) == 0) + 1), len(t)]
    return [slice(int(i), int(j)) for i, j in itertools.pairwise(starts)]


def _below(t: np.ndarray, c: np.ndarray, blocks: list[slice], transpose: bool) -> np.ndarray:
    """The x below the blocks for which t x - x t (or with t^T) is c there, by block columns."""
    x = np.zeros_like(c)
    m = t.T if transpose else t
    for own in reversed(blocks) if transpose else blocks:
        rest = slice(own.stop, None)
        if own.stop == len(t):
            continue
        done = rest if transpose else slice(0, own.start)
        known = c[rest, own] + x[rest, done] @ m[done, own]
        x[rest, own] = _below_one(t[rest, rest], t[own, own], known, transpose)
    return x


def _below_one(t: np.ndarray, own: np.ndarray, c: np.ndarray, transpose: bool) -> np.ndarray:
    if len(own) == 1 and not np.any(np.diagonal(t, -1)):
        block = (t.T if transpose else t) - own[0, 0] * np.eye(len(t))
        diagonal = np.diagonal(block)
        block[np.diag_indices(len(t))] = np.where(diagonal == 0, np.inf, diagonal)
        return sl.solve_triangular(block, c, lower=transpose, check_finite=False)
    trsyl = sl.get_lapack_funcs("trsyl", (t, c))
    turned = "T" if transpose else "N"
    x, scale, _ = trsyl(t, own, c, trana=turned, tranb=turned, isgn=-1)
    return x * scale


def _commutator_core(t: np.ndarray, c: np.ndarray, transpose: bool) -> np.ndarray:
    blocks = _blocks(t)
    pairs = [block.start for block in blocks if block.stop - block.start == 2]
    if not pairs:
        return _below(t, c, blocks, transpose)
    inside = np.zeros(t.shape, bool)
    for block in blocks:
        inside[block, block] = True
    below = np.tril(~inside)
    first, second = np.array(pairs), np.array(pairs) + 1
    lean = 2 * (t[first, second] + t[second, first])
    if not lean.all():
        raise LinAlgError(
            f"schur: the real form of a matrix of shape {t.shape} has a block of two that is "
            "normal, where it has no derivative; use output='complex'."
        )
    if transpose:
        turns = np.zeros_like(c)
        turns[first, first] = c[second, first] / lean
        turns[second, second] = -turns[first, first]
        return turns + _below(t, c - (t.T @ turns - turns @ t.T), blocks, True) * below
    x = _below(t, c, blocks, False) * below
    left = np.diagonal(c - (t @ x - x @ t))
    x[second, first] = (left[first] - left[second]) / lean
    return x


def _commutator_aval(t: ShapedArray, c: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(c.shape, c.dtype)


def _commutator_rule(primals: Sequence, tangents: Sequence, transpose: bool) -> tuple[Any, Any]:
    (t, c), (dt, right) = primals, tangents
    x = commutator_solve(t, c, transpose=transpose)
    if dt is not None:
        dm = multiply(dt, _read(t))
        if transpose:
            dm = transposed(dm)
            moved = subtract(matmul(dm, x), matmul(x, dm))
            moved = subtract(moved, transposed(moved))
        else:
            turn = subtract(x, transposed(x))
            moved = subtract(matmul(dm, turn), matmul(turn, dm))
        right = total(right, negative(moved))
    return x, commutator_solve(t, right, transpose=transpose)


def _read(t: Any) -> Any:
    """Weights of the elements of a Schur form: its upper triangle and its blocks of two."""
    upper = np.triu(np.ones(shape_of(t)[-2:], bool))
    return convert(logical_or(logical_not(equal(t, 0)), upper), dtype=real_dtype(dtype_of(t)))


# ``commutator_solve(t, c)`` for a Schur form t: the strictly lower triangular x for which the
# commutator of t and x - x^T equals c below the blocks of t, and the two diagonal elements of a
# block of two, which LAPACK makes equal, move as they must to stay so. ``transpose`` is the
# transposed map. Where two elements of a diagonal are exactly equal, that element of x is 0.
commutator_solve: General = General(
    "commutator_solve",
    kernel=over_stack("commutator_solve", _commutator_core, _commutator_aval),
    abstract=_commutator_aval,
    rule=_commutator_rule,
    batch=whole_batch(lambda: commutator_solve),
    linear_in=1,
    transpose=lambda ct, operands, transpose: commutator_solve(
        operands[0], ct, transpose=not transpose
    ),
)


def _two_same(a: ShapedArray) -> tuple[ShapedArray, ShapedArray]:
    same = ShapedArray(a.shape, a.dtype)
    return same, same


def _schur_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # z^H da z + t x - x t has the zeros of t; see ``commutator_solve``.
    (a,), (da,) = primals, tangents
    t, z = answer = schur(a)
    inner = matmul(adjoint(z), matmul(da, z))
    x = commutator_solve(t, negative(inner), transpose=False)
    x = subtract(x, adjoint(x))
    moved = add(inner, subtract(matmul(t, x), matmul(x, t)))
    return answer, (multiply(moved, _read(t)), matmul(z, x))


def _schur_core(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sl.schur(a, output="real", check_finite=False)


# ``schur(a)``: (t, z) with a = z t z^H; of real matrices the real form.
schur: General = General(
    "schur",
    kernel=over_stack("schur", _schur_core, _two_same),
    abstract=_two_same,
    rule=_schur_rule,
    batch=whole_batch(lambda: schur),
    multiple_results=True,
)

# --- Hessenberg ----------------------------------------------------------------------------


def _hessenberg_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # dh = m + h x - x h with m = q^H da q must vanish below the subdiagonal, and x has no first
    # column. Column j of that gives column j + 1 of x from those before it.
    (a,), (da,) = primals, tangents
    h, q = answer = hessenberg(a)
    n = shape_of(a)[-1]
    if n < 3:  # a itself and the identity
        return answer, (da, None)
    inner = matmul(adjoint(q), matmul(da, q))
    columns: list[Any] = [None] * n  # of the lower triangle of x; None is zero
    is_complex = dtype_of(a).kind == "c"
    lead = shape_of(a)[:-2]
    for j in range(n - 1):
        right = _column(inner, j, j + 1)
        if columns[j] is not None:  # h[j + 1:, j:] x[j:, j], of which x[j, j] counts too
            below = slice_at(h, index=(Ellipsis, slice(j + 1, n), slice(j, n)))
            right = add(right, _times(below, columns[j]))
        for k in range(1, j + 1):
            if columns[k] is not None:
                weight = slice_at(h, index=(Ellipsis, slice(k, k + 1), j))
                part = slice_at(columns[k], index=(Ellipsis, slice(j + 1 - k, n - k)))
                right = subtract(right, multiply(part, weight))
        pivot = slice_at(h, index=(Ellipsis, slice(j + 1, j + 2), j))
        # x[i, j + 1] = right[i] / h[j + 1, j] for i > j + 1; its diagonal is imaginary and keeps
        # the subdiagonal of a complex h real.
        zero = equal(pivot, 0)  # then a falls apart, and the part beyond is left as it is
        ratio = multiply(right, select(zero, 0, divide(1, select(zero, 1, pivot))))
        first = slice_at(ratio, index=(Ellipsis, slice(0, 1)))
        if is_complex:
            first = multiply(subtract(first, conjugated(first)), 0.5)
        else:
            first = zeros_like(first)
        rest = slice_at(ratio, index=(Ellipsis, slice(1, None)))
        columns[j + 1] = concatenate(first, rest, axis=len(lead))
    whole = []
    for j, column in enumerate(columns):
        if column is None:
            whole.append(np.zeros((*lead, n, 1), dtype_of(a)))
            continue
        column = reshape(column, shape=(*lead, n - j, 1))
        whole.append(
            concatenate(np.zeros((*lead, j, 1), dtype_of(a)), column, axis=len(lead))
            if j
            else column
        )
    lower = concatenate(*whole, axis=len(lead) + 1)
    x = subtract(lower, adjoint(triangle(lower, True, -1)))
    moved = add(inner, subtract(matmul(h, x), matmul(x, h)))
    return answer, (triangle(moved, False, -1), matmul(q, x))


def _column(a: Any, j: int, start: int) -> Any:
    return slice_at(a, index=(Ellipsis, slice(start, None), j))


def _times(a: Any, v: Any) -> Any:
    shape = shape_of(v)
    out = matmul(a, reshape(v, shape=(*shape, 1)))
    return reshape(out, shape=shape_of(out)[:-1])


def _hessenberg_core(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sl.hessenberg(a, calc_q=True, check_finite=False)


# ``hessenberg(a)``: (h, q) with a = q h q^H, of matrices with a nonzero subdiagonal of h.
hessenberg: General = General(
    "hessenberg",
    kernel=over_stack("hessenberg", _hessenberg_core, _two_same),
    abstract=_two_same,
    rule=_hessenberg_rule,
    batch=whole_batch(lambda: hessenberg),
    multiple_results=True,
)
