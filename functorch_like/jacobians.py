"""Jacobians and Hessians: the rows or columns are one batch through vmap."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array, differentiable, resolve_argnums, substitute
from .batching import vmap
from .errors import boundary, name_of
from .forward import push
from .graph import StagingTrace, make_graph
from .primitives.core import beside, shape_of, state
from .primitives.structural import reshape, size_of, slice_at, transpose
from .reverse import Recording, grad, pull_back, push_forward, record

__all__ = ["hessian", "hvp", "jacfwd", "jacobian", "jacrev"]


def _blocks(rows: Any, shapes: Sequence[tuple[int, ...]], axis: int) -> list[Any]:
    """Split an array along ``axis`` into pieces, that axis reshaped to each of ``shapes``."""
    own = shape_of(rows)
    made, start = [], 0
    for shape in shapes:
        stop = start + size_of(shape)
        piece = slice_at(rows, index=(slice(None),) * axis + (slice(start, stop),))
        made.append(reshape(piece, shape=(*own[:axis], *shape, *own[axis + 1 :])))
        start = stop
    return made


def _basis(leaves: Sequence[Any]) -> list[np.ndarray]:
    """For each leaf, its part of every basis vector: shape (total size, *leaf shape)."""
    sizes = [size_of(shape_of(x)) for x in leaves]
    total = sum(sizes)
    made, start = [], 0
    for x, n in zip(leaves, sizes, strict=True):
        part = np.zeros((total, n), x.dtype)
        part[start + np.arange(n), np.arange(n)] = 1
        made.append(beside(x, part.reshape(total, *shape_of(x))))
        start += n
    return made


# A record is replayed for as many directions at a time as keep the arrays in the processor's
# cache: this many numbers, but at least so many directions that Python's share stays small.
CACHED = 10_000
DIRECTIONS = 32


def _chunk(
    chunk_size: int | None, leaves: Sequence[Any], limited: Callable[[], int] | None = None
) -> int:
    """How many directions at a time; ``limited`` tells how many a limit of memory allows."""
    if chunk_size is not None:
        return chunk_size
    if limited is not None:
        return limited()
    trace: Any = state.trace
    while trace is not None:
        if isinstance(trace, StagingTrace):  # the compiler divides the work itself
            return sys.maxsize
        trace = trace.parent
    widest = max((size_of(shape_of(x)) for x in leaves), default=1)
    return max(DIRECTIONS, CACHED // max(widest, 1))


def _limit(
    name: str, f: Callable, differentiated: Callable, memory_limit: Any, args: tuple, kwargs: dict
) -> Callable[[], int] | None:
    """How many directions fit: all that a staged run computes is taken to be held for each."""
    if memory_limit is None:
        return None
    if isinstance(memory_limit, bool) or not isinstance(memory_limit, (int, np.integer)):
        raise TypeError(
            f"{name}({name_of(f)}): expected memory_limit in bytes, an integer; got "
            f"{type(memory_limit).__name__}."
        )
    if memory_limit < 1:
        raise ValueError(
            f"{name}({name_of(f)}): memory_limit must be positive; got {memory_limit}."
        )

    def directions() -> int:
        graph = make_graph(lambda *xs: differentiated(*xs, **kwargs))(*args)
        held = [var.aval for equation in graph.equations for var in equation.outputs]
        bytes_each = sum(a.size * a.dtype.itemsize for a in held if a.dtype.kind in "fc")
        return max(1, int(memory_limit) // max(bytes_each, 1))

    return directions


def _one(argnums: Any) -> bool:
    return isinstance(argnums, (int, np.integer))


def jacfwd(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    memory_limit: int | None = None,
) -> Callable:
    """Jacobian by forward mode, one batch of tangents: cheap for few inputs.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    argnums
        Position, or positions, of the arguments to differentiate.
    has_aux
        ``f`` returns ``(output, aux)``; the result is ``(jacobian, aux)``.
    holomorphic
        ``f`` is complex-differentiable and takes complex input; real input otherwise.
    chunk_size
        Columns computed at a time; all of them by default.
    memory_limit
        Bytes that the batch may take, in place of ``chunk_size``: as many columns at a time as
        fit if all intermediate results were held.

    Returns
    -------
    Callable
        The Jacobian: a tree like the output of trees like the input, whose leaves have shape
        ``output.shape + input.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f, updated=())
    @boundary
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        numbers = resolve_argnums("jacfwd", f, argnums, len(args))
        leaves, in_tree = tree.flatten(tuple(args[i] for i in numbers))
        leaves = [differentiable("jacfwd", f, x, holomorphic) for x in leaves]
        _real_input("jacfwd", f, leaves, holomorphic)
        kept: list[Any] = []

        def call(*values: Any) -> Any:
            return f(*substitute(args, numbers, tree.unflatten(in_tree, values)), **kwargs)

        functools.update_wrapper(call, f, updated=())

        def column(*tangents: Any) -> Any:
            _, pushed, aux = push("jacfwd", call, tuple(leaves), tangents, has_aux)
            kept.append(aux)
            return pushed

        if not leaves:
            columns = column()
        else:
            limited = _limit("jacfwd", f, f, memory_limit, args, kwargs)
            chunk = limited() if chunk_size is None and limited else chunk_size
            columns = vmap(column, out_axes=-1, chunk_size=chunk)(*_basis(leaves))
        shapes = [shape_of(x) for x in leaves]

        def split(x: Any) -> Any:
            chosen = tree.unflatten(in_tree, _blocks(x, shapes, len(shape_of(x)) - 1))
            return chosen[0] if _one(argnums) else chosen

        made = tree.map(split, columns)
        return (made, kept[0]) if has_aux else made

    return jacobian_of


def _real_input(name: str, f: Callable, leaves: Sequence[Any], holomorphic: bool) -> None:
    """Raise for complex arguments of what is not declared holomorphic."""
    for x in map(as_array, leaves):
        if x.dtype.kind == "c" and not holomorphic:
            raise TypeError(
                f"{name}({name_of(f)}): expected real input; got {x.dtype}; say "
                "holomorphic=True if f is complex-differentiable, or use vjp or jvp."
            )


def _recorded(
    name: str,
    f: Callable,
    differentiated: Callable,
    args: tuple,
    kwargs: dict,
    argnums: Any,
    has_aux: bool,
    holomorphic: bool,
) -> Recording:
    """The record of ``differentiated``, which is the user's ``f`` or made of it."""
    numbers = resolve_argnums(name, f, argnums, len(args))
    _real_input(name, f, tree.leaves([args[i] for i in numbers]), holomorphic)
    return record(name, differentiated, args, kwargs, numbers, has_aux, holomorphic)


def _assembled(made: Recording, blocks: Sequence[list], argnums: Any, has_aux: bool) -> Any:
    """Blocks, a list over inputs for each output, as the tree of trees the user gets."""
    per_output = []
    for parts in blocks:
        chosen = tree.unflatten(made.in_tree, parts)
        alone = not _one(argnums) and len(argnums) == 1
        per_output.append((chosen,) if alone else chosen)
    result = tree.unflatten(made.out_tree, per_output)
    return (result, made.aux) if has_aux else result


def jacrev(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    memory_limit: int | None = None,
) -> Callable:
    """Jacobian by reverse mode, one batch of cotangents: cheap for few outputs.

    ``f`` runs once. Parameters and result are those of ``jacfwd``, with rows in place of
    columns.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.jacrev(lambda x: {"sum": np.sum(x), "last": x[-1]})(np.array([1.0, 2.0]))
    {'sum': array([1., 1.]), 'last': array([0., 1.])}
    """

    @functools.wraps(f, updated=())
    @boundary
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        made = _recorded("jacrev", f, f, args, kwargs, argnums, has_aux, holomorphic)
        limited = _limit("jacrev", f, f, memory_limit, args, kwargs)
        return _rows(f, made, argnums, has_aux, holomorphic, chunk_size, limited)

    return jacobian_of


def _rows(
    f: Callable,
    made: Recording,
    argnums: Any,
    has_aux: bool,
    holomorphic: bool,
    chunk_size: int | None,
    limited: Callable[[], int] | None = None,
) -> Any:
    for out in made.outputs:
        if out.dtype.kind == "c" and not holomorphic:
            raise TypeError(
                f"jacrev({name_of(f)}): expected a real result; got {out.dtype}; say "
                "holomorphic=True if f is complex-differentiable, or use jacfwd or vjp."
            )

    def row(*cotangents: Any) -> list[Any]:
        seeds = [
            (slot, ct)
            for slot, ct in zip(made.out_slots, cotangents, strict=True)
            if slot is not None
        ]
        found = pull_back(made.tape, seeds, made.in_slots)
        return [
            beside(x, np.zeros(shape_of(x), x.dtype)) if ct is None else ct
            for ct, x in zip(found, made.inputs, strict=True)
        ]

    if len(made.outputs) == 1 and shape_of(made.outputs[0]) == ():
        # one row: nothing to batch
        rows = [
            reshape(x, shape=(1, *shape_of(x)))
            for x in row(beside(made.outputs[0], np.ones((), made.outputs[0].dtype)[()]))
        ]
    else:
        chunk = _chunk(chunk_size, made.inputs, limited)
        rows = vmap(row, chunk_size=chunk)(*_basis(made.outputs))
    shapes = [shape_of(x) for x in made.outputs]
    by_input = [_blocks(x, shapes, 0) for x in rows]
    blocks = [[parts[k] for parts in by_input] for k in range(len(shapes))]
    return _assembled(made, blocks, argnums, has_aux)


def _columns(
    made: Recording,
    argnums: Any,
    has_aux: bool,
    chunk_size: int | None,
    limited: Callable[[], int] | None = None,
) -> Any:
    """The Jacobian of a recorded function by replaying its record for a batch of tangents."""
    chunk = _chunk(chunk_size, made.inputs, limited)
    everything = range(len(made.outputs))
    columns = _pushed(made, _basis(made.inputs), range(len(made.inputs)), everything, chunk)
    shapes = [shape_of(x) for x in made.inputs]
    blocks = [_blocks(x, shapes, len(shape_of(x)) - 1) for x in columns]
    return _assembled(made, blocks, argnums, has_aux)


def _pushed(
    made: Recording, basis: Sequence, inputs: Sequence[int], outputs: Sequence[int], chunk: int
) -> list[Any]:
    """A record replayed for a batch of tangents of some inputs, as far as some outputs need."""

    def column(*tangents: Any) -> list[Any]:
        slots = [made.out_slots[i] for i in outputs]
        seeds = [(made.in_slots[i], t) for i, t in zip(inputs, tangents, strict=True)]
        found = iter(push_forward(made.tape, seeds, [slot for slot in slots if slot is not None]))
        pushed = [None if slot is None else next(found) for slot in slots]
        return [
            beside(y, np.zeros(shape_of(y), y.dtype)) if t is None else t
            for t, y in zip(pushed, [made.outputs[i] for i in outputs], strict=True)
        ]

    return vmap(column, out_axes=-1, chunk_size=chunk)(*basis)


def jacobian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    memory_limit: int | None = None,
) -> Callable:
    """Jacobian by whichever mode is cheaper for the sizes at hand.

    ``f`` runs once, recorded; with at least as many inputs as outputs the record is transposed
    for a batch of rows, otherwise replayed for a batch of columns. Parameters and result are
    those of ``jacfwd``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.jacobian(np.cumsum)(np.zeros(2))
    array([[1., 0.],
           [1., 1.]])
    """

    @functools.wraps(f, updated=())
    @boundary
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        made = _recorded("jacobian", f, f, args, kwargs, argnums, has_aux, holomorphic)
        limited = _limit("jacobian", f, f, memory_limit, args, kwargs)
        rows = sum(size_of(shape_of(x)) for x in made.outputs)
        columns = sum(size_of(shape_of(x)) for x in made.inputs)
        if rows <= columns:
            return _rows(f, made, argnums, has_aux, holomorphic, chunk_size, limited)
        return _columns(made, argnums, has_aux, chunk_size, limited)

    return jacobian_of


def hessian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
    memory_limit: int | None = None,
    blocks: str = "all",
    symmetric: bool = False,
) -> Callable:
    """Hessian, forward over reverse: the gradient's record replayed for a batch of columns.

    ``f`` runs once; its gradient is recorded once, on single vectors, and what it needs of the
    tangents is computed for all columns, or for ``chunk_size`` of them, at a time.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays); a scalar one usually.
    argnums
        Position, or positions, of the arguments to differentiate.
    has_aux
        ``f`` returns ``(output, aux)``; the result is ``(hessian, aux)``.
    holomorphic
        ``f`` is complex-differentiable and takes complex input.
    chunk_size
        Columns computed at a time, to bound memory; by default as many as fit the cache.
    memory_limit
        Bytes that the batch may take, in place of ``chunk_size``: as many columns at a time as
        fit if all that the gradient computes were held.
    blocks
        "all", or "diagonal" for the blocks of each array of the argument with itself only; the
        others are not computed.
    symmetric
        Where the argument is several arrays, compute the blocks of each pair once and transpose
        them: about half the work, and exactly symmetric blocks.

    Returns
    -------
    Callable
        The Hessian: leaves of shape ``output.shape + input.shape + input.shape``, as a tree of
        trees where the argument is a pytree: for a dict, ``h["a"]["b"]``. With
        ``blocks="diagonal"`` a single tree: ``h["a"]``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    if blocks not in ("all", "diagonal"):
        raise ValueError(
            f'hessian({name_of(f)}): expected blocks="all" or "diagonal"; got {blocks!r}.'
        )
    gradient = jacrev(f, argnums, has_aux, holomorphic)

    @functools.wraps(f, updated=())
    @boundary
    def hessian_of(*args: Any, **kwargs: Any) -> Any:
        made = _recorded("hessian", f, gradient, args, kwargs, argnums, has_aux, holomorphic)
        limited = _limit("hessian", f, gradient, memory_limit, args, kwargs)
        if blocks == "all" and (not symmetric or len(made.inputs) == 1):
            return _columns(made, argnums, has_aux, chunk_size, limited)
        return _block_hessian(made, argnums, has_aux, chunk_size, limited, blocks == "diagonal")

    return hessian_of


def _block_hessian(
    made: Recording,
    argnums: Any,
    has_aux: bool,
    chunk_size: int | None,
    limited: Callable[[], int] | None,
    diagonal: bool,
) -> Any:
    """The Hessian from the record of a gradient, block by block: of each array with itself only.

    The record's outputs are, for each output of the function, gradients of all arrays in turn.
    """
    count = len(made.inputs)
    chunk = _chunk(chunk_size, made.inputs, limited)
    found: dict[tuple[int, int], Any] = {}
    for j in range(count):
        rows = [
            k for k in range(len(made.outputs)) if (k % count == j if diagonal else k % count <= j)
        ]
        x = made.inputs[j]
        for k, block in zip(rows, _pushed(made, _basis([x]), [j], rows, chunk), strict=True):
            own = shape_of(made.outputs[k])
            found[k, j] = reshape(block, shape=(*own, *shape_of(x)))
    if diagonal:
        per_output = [found[k, k % count] for k in range(len(made.outputs))]
        result = tree.unflatten(made.out_tree, per_output)
        return (result, made.aux) if has_aux else result
    blocks = []
    for k in range(len(made.outputs)):
        i = k % count
        parts = [found[k, j] for j in range(i, count)]
        lower = [_transposed(found[k - i + j, i], made.inputs[j], made.inputs[i]) for j in range(i)]
        blocks.append([*lower, *parts])
    return _assembled(made, blocks, argnums, has_aux)


def _transposed(block: Any, x: Any, y: Any) -> Any:
    """A block of shape ``(*output, *x, *y)`` with the last two groups of axes exchanged."""
    n, first, second = len(shape_of(block)), len(shape_of(x)), len(shape_of(y))
    lead = n - first - second
    axes = (*range(lead), *range(lead + first, n), *range(lead, lead + first))
    return transpose(block, axes=axes)


@boundary
def hvp(f: Callable, primals: Sequence, tangents: Sequence, has_aux: bool = False) -> Any:
    """Product of the Hessian of a scalar function with a vector, without the Hessian.

    Parameters
    ----------
    f
        Scalar function of arrays (or pytrees of arrays).
    primals, tangents
        Sequences of the arguments and of the vector's parts, of equal structures.
    has_aux
        ``f`` returns ``(output, aux)``.

    Returns
    -------
    pytree, or tuple of pytrees
        H v, structured like the argument, or a tuple with an entry an argument; with
        ``has_aux`` a pair of that and ``aux``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    argnums: Any = 0 if len(primals) == 1 else tuple(range(len(primals)))
    gradient = grad(f, argnums, has_aux)
    _, product, aux = push("hvp", gradient, tuple(primals), tuple(tangents), has_aux)
    return (product, aux) if has_aux else product
