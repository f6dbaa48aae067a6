"""``laplacian`` and ``hessian_diagonal``: second derivatives without the Hessian."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array, differentiable, resolve_argnums, substitute
from ..batching import vmap
from ..errors import boundary, name_of
from ..jacobians import _basis, _blocks, _chunk, _one, _real_input
from ..primitives.core import beside, shape_of, state, under
from ..primitives.structural import size_of
from ..reverse import finish, split_aux
from ..taylor_mode.jet import expand
from ..taylor_mode.series import plus, scaled
from .forward_laplacian import Diagonal, LaplacianTrace, LaplacianTracer

__all__ = ["hessian_diagonal", "laplacian"]


def _chosen(
    name: str, f: Callable, args: tuple, argnums: Any
) -> tuple[tuple[int, ...], list[Any], Any]:
    numbers = resolve_argnums(name, f, argnums, len(args))
    leaves, in_tree = tree.flatten(tuple(args[i] for i in numbers))
    leaves = [differentiable(name, f, x) for x in leaves]
    _real_input(name, f, leaves, False)
    return numbers, leaves, in_tree


def laplacian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable:
    """Laplacian, the sum of all second derivatives, in one forward pass.

    The forward Laplacian of Li et al. (2024): value, Jacobian and Laplacian of every intermediate
    result are propagated together, without a Hessian and without a reverse pass.

    Parameters
    ----------
    f
        Function of real arrays (or pytrees of arrays).
    argnums
        Position, or positions, of the arguments over whose elements is summed.
    has_aux
        ``f`` returns ``(output, aux)``; the result is ``(laplacian, aux)``.
    chunk_size
        Directions carried at a time, to bound memory; all of them by default.

    Returns
    -------
    Callable
        The Laplacian of each element of the output: a tree like the output.

    Raises
    ------
    TypeError
        Integer or complex arguments.
    ValueError
        A ``chunk_size`` below 1.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.laplacian(lambda x: np.sum(x**2) ** 2)(np.array([1.0, 2.0]))  # (4 n + 8) |x|^2
    np.float64(80.0)
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"laplacian({name_of(f)}): chunk_size must be positive; got {chunk_size}.")

    @functools.wraps(f, updated=())
    @boundary
    def laplacian_of(*args: Any, **kwargs: Any) -> Any:
        numbers, leaves, in_tree = _chosen("laplacian", f, args, argnums)
        sizes = [size_of(shape_of(x)) for x in leaves]
        total = sum(sizes)
        step = total if chunk_size is None else min(chunk_size, max(total, 1))
        found: list[Any] = []
        for first in range(0, max(total, 1), max(step, 1)):
            stop = min(first + step, total)
            trace = LaplacianTrace(state.trace, ("laplacian", f), stop - first)
            traced, start = [], 0
            for x, n in zip(leaves, sizes, strict=True):
                traced.append(_variable(trace, x, start, start + n, first, stop, total))
                start += n
            with under(trace):
                out = f(*substitute(args, numbers, tree.unflatten(in_tree, traced)), **kwargs)
            aux = None
            if has_aux:
                out, aux = split_aux("laplacian", f, out)
                aux = tree.map(functools.partial(_value, trace), aux)
            out_leaves, out_tree = tree.flatten(out)
            values = [x.primal if trace.owns(x) else as_array(x) for x in out_leaves]
            parts = [x.laplacian if trace.owns(x) else None for x in out_leaves]
            found = parts if not found else [plus(a, b) for a, b in zip(found, parts, strict=True)]
        made = tree.unflatten(out_tree, finish(found, values))
        return (made, aux) if has_aux else made

    return laplacian_of


def _value(trace: LaplacianTrace, x: Any) -> Any:
    return x.primal if trace.owns(x) else x


def _variable(
    trace: LaplacianTrace, x: Any, start: int, stop: int, first: int, last: int, total: int
) -> LaplacianTracer:
    """An argument, whose elements are variables ``start`` to ``stop``, in the directions given."""
    if first == 0 and last == total:
        ones = np.broadcast_to(beside(x, np.ones((), x.dtype)), shape_of(x))
        return LaplacianTracer(trace, x, Diagonal(ones, start, total), None)
    low, high = max(start, first), min(stop, last)
    if low >= high:
        return LaplacianTracer(trace, x, None, None)
    rows = np.zeros((last - first, stop - start), x.dtype)
    own = np.arange(low, high)
    rows[own - first, own - start] = 1
    jacobian = beside(x, rows.reshape(last - first, *shape_of(x)))
    return LaplacianTracer(trace, x, jacobian, None)


def hessian_diagonal(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable:
    """Diagonal of the Hessian by one batch of two-jets, without the Hessian.

    The value is computed once; each unit vector e_n carries two coefficients along, of which
    the second is half of the n-th element of the diagonal.

    Parameters
    ----------
    f
        Function of real arrays (or pytrees of arrays); a scalar one usually.
    argnums
        Position, or positions, of the arguments to differentiate.
    has_aux
        ``f`` returns ``(output, aux)``; the result is ``(diagonal, aux)``.
    chunk_size
        Unit vectors at a time, to bound memory; by default as many as fit the cache.

    Returns
    -------
    Callable
        The second derivatives: a tree like the output of trees like the input, whose leaves
        have shape ``output.shape + input.shape``.

    Raises
    ------
    TypeError
        Integer or complex arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.hessian_diagonal(lambda x: x[0] ** 3 * x[1])(np.array([1.0, 2.0]))
    array([12.,  0.])
    """

    @functools.wraps(f, updated=())
    @boundary
    def diagonal_of(*args: Any, **kwargs: Any) -> Any:
        numbers, leaves, in_tree = _chosen("hessian_diagonal", f, args, argnums)
        kept: list[Any] = []

        def call(*values: Any) -> Any:
            out = f(*substitute(args, numbers, tree.unflatten(in_tree, values)), **kwargs)
            if not has_aux:
                return out
            out, aux = split_aux("hessian_diagonal", f, out)
            kept.append(tree.map(lambda x: getattr(x, "primal", x), aux))
            return out

        functools.update_wrapper(call, f, updated=())

        def second(*directions: Any) -> Any:
            rows = [list(directions), [None] * len(leaves)]
            values, terms, out_tree = expand("hessian_diagonal", call, tuple(leaves), rows)
            found = finish([scaled(t[1], 2) for t in terms], values)
            return tree.unflatten(out_tree, found)

        chunk = _chunk(chunk_size, leaves)
        if leaves:
            columns = vmap(second, out_axes=-1, chunk_size=chunk)(*_basis(leaves))
        else:
            columns = second()
        shapes = [shape_of(x) for x in leaves]

        def split(x: Any) -> Any:
            chosen = tree.unflatten(in_tree, _blocks(x, shapes, len(shape_of(x)) - 1))
            return chosen[0] if _one(argnums) else chosen

        made = tree.map(split, columns)
        return (made, kept[0]) if has_aux else made

    return diagonal_of
