"""vmap: one run of a function for a whole batch of arguments.

The batch axis of a ``BatchTracer``'s value is always the first one; other positions are moved
there on the way in and away on the way out, which costs NumPy a view.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import optree

from . import tree
from .arguments import as_array
from .errors import boundary, name_of
from .primitives.core import (
    EVAL,
    NO_PARAMS,
    Primitive,
    Trace,
    Tracer,
    align,
    shape_of,
    state,
    under,
)
from .primitives.structural import broadcast_to, concatenate, move_axis, slice_at

__all__ = ["vmap"]


class BatchTracer(Tracer):
    """One element of a batch; ``value``, in the parent trace, has the batch axis first."""

    __slots__ = ("value",)

    def __init__(self, trace: Trace, value: Any) -> None:
        self._trace = trace
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.value.shape[1:]

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.value.dtype

    def held(self) -> Any:
        return self.value

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        self.value = self._trace.unwrap(other)  # type: ignore[attr-defined]


class SharedTracer(BatchTracer):
    """An array that is the same for the whole batch: ``value`` has no batch axis.

    A tracer, so that it can be indexed by a ``BatchTracer`` and assigned one; computing with it
    alone is not repeated along the batch.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.value.shape

    def concrete(self) -> Any:
        return self.value.concrete() if isinstance(self.value, Tracer) else self.value

    def constant(self) -> bool:
        return not isinstance(self.value, Tracer) or self.value.constant()

    def become(self, other: Any) -> None:
        """Stand for another value, of one element of the batch perhaps, from here on."""
        if type(other) is BatchTracer and other._trace is self._trace:
            self.__class__ = BatchTracer  # type: ignore[assignment]
        self.value = other.value if isinstance(other, BatchTracer) else other


class SameForAll(tuple):
    """Results that do not depend on the batch, of a primitive that carries a function."""

    __slots__ = ()


class BatchTrace(Trace):
    """Applies each primitive's batching rule."""

    __slots__ = ("axis_name", "size")

    def __init__(
        self, parent: Trace, label: tuple[str, Any], size: int, axis_name: Hashable = None
    ) -> None:
        super().__init__(parent, label)
        self.size = size
        self.axis_name = axis_name

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        values: list = []
        batched: list = []
        shared = False
        for x in operands:
            own = isinstance(x, BatchTracer) and x._trace is self
            values.append(x.value if own else x)
            batched.append(own and type(x) is BatchTracer)
            shared = shared or (own and not batched[-1])
        if primitive.carries_function:
            # It may close over our tracers though no operand is ours.
            with under(self.parent):
                answer = primitive.process_batch(self, values, batched, params)  # type: ignore[attr-defined]
            if type(answer) is SameForAll:
                return tuple(map(self.share, answer))
            return tuple(BatchTracer(self, a) for a in answer)
        if True not in batched:
            answer = self.parent.process(primitive, values, params)
            if not shared:
                return answer
            if primitive.multiple_results:
                return tuple(map(self.share, answer))
            return self.share(answer)
        with under(self.parent):
            answer = primitive.batch(self.size, values, batched, **params)
        if primitive.multiple_results:
            return tuple(BatchTracer(self, a) for a in answer)
        return BatchTracer(self, answer)

    # The common cases of ``process`` for elementwise primitives on plain arrays, written out.

    def unary(self, primitive: Primitive, x: Any) -> Any:
        if self.parent is EVAL and type(x) is BatchTracer and x._trace is self:
            return BatchTracer(self, primitive.kernel(x.value))
        return self.process(primitive, (x,), NO_PARAMS)

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        if self.parent is EVAL:
            own_x = type(x) is BatchTracer and x._trace is self
            own_y = type(y) is BatchTracer and y._trace is self
            if own_x and own_y:
                if x.value.shape == y.value.shape:
                    return BatchTracer(self, primitive.kernel(x.value, y.value))
            elif own_x and _fits(y, x.value):
                return BatchTracer(self, primitive.kernel(x.value, y))
            elif own_y and _fits(x, y.value):
                return BatchTracer(self, primitive.kernel(x, y.value))
        return self.process(primitive, align((x, y)), NO_PARAMS)

    def constant(self, value: Any) -> SharedTracer:
        """A value that is the same for all elements, as a tracer that can be assigned to."""
        return SharedTracer(self, value)

    def share(self, x: Any) -> Any:
        """What does not depend on the batch; single integers and truth values as they are."""
        if x.dtype.kind in "iub" and not x.shape:
            return x
        return SharedTracer(self, x)

    def wrap(self, value: Any) -> BatchTracer:
        return BatchTracer(self, value)

    def unwrap(self, x: Any) -> Any:
        """The value of a result, repeated along the batch if it does not depend on it."""
        if type(x) is BatchTracer and x._trace is self:
            return x.value
        x = x.value if type(x) is SharedTracer and x._trace is self else as_array(x)
        return broadcast_to(x, shape=(self.size, *x.shape))


def _assignable(x: Any) -> bool:
    """Whether a shared argument is an array, to which values of the batch may be assigned."""
    return type(x) is np.ndarray or (isinstance(x, Tracer) and bool(x.shape))


def _fits(x: Any, value: np.ndarray) -> bool:
    """Whether a constant broadcasts against a batch without changing its shape."""
    kind = type(x)
    if kind is float or kind is int:
        return True
    return kind is np.ndarray and (x.shape == value.shape[1:] or x.ndim == 0)


def _broadcast_axes(transform: str, f: Callable, what: str, axes: Any, target: Any) -> list:
    """An axis (int or None) for every leaf of ``target``, of whose tree ``axes`` is a prefix."""
    leaves, treedef = tree.flatten(target)
    if axes is None or isinstance(axes, (int, np.integer)):
        return [axes] * len(leaves)
    if isinstance(axes, list) and isinstance(target, tuple):
        axes = tuple(axes)
    found: list = []

    def spread(axis: Any, subtree: Any) -> None:
        found.extend([axis] * len(tree.leaves(subtree)))

    try:
        _walk_prefix(axes, target, spread)
    except ValueError as error:
        raise ValueError(
            f"{transform}({name_of(f)}): expected {what} to be an int, None, or a pytree prefix of "
            f"the {'arguments' if what == 'in_axes' else 'result'}, {tree.describe(treedef)}; got "
            f"{axes!r}: {error}"
        ) from None
    return found


def _walk_prefix(axes: Any, target: Any, spread: Callable[[Any, Any], None]) -> None:
    if axes is None or isinstance(axes, (int, np.integer)):
        spread(axes, target)
        return
    axes_children, axes_meta, _, _ = _one_level(axes)
    children, meta, _, _ = _one_level(target)
    if type(axes) is not type(target) or axes_meta != meta or len(axes_children) != len(children):
        raise ValueError(
            f"{type(axes).__name__} of {len(axes_children)} does not match "
            f"{type(target).__name__} of {len(children)}"
        )
    for a, t in zip(axes_children, children, strict=True):
        _walk_prefix(a, t, spread)


def _one_level(x: Any) -> Any:
    try:
        return optree.tree_flatten_one_level(x, namespace=tree.NAMESPACE)
    except ValueError:
        raise ValueError(f"{type(x).__name__} is neither an axis nor a container") from None


def vmap(
    f: Callable,
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable = None,
    axis_size: int | None = None,
    chunk_size: int | None = None,
) -> Callable:
    """Apply ``f`` to every element of a batch in one vectorised run.

    Parameters
    ----------
    f
        Function of arrays (or pytrees) without the batch axis.
    in_axes
        Which axis of each argument is the batch: an int, None (the argument is shared), or a
        tuple of these, each of which may be a pytree prefix of its argument. Keyword
        arguments are mapped over axis 0.
    out_axes
        Where the batch axis goes in the result, likewise; None for a result that is the same
        for all elements.
    axis_name
        Accepted for compatibility with JAX; names the axis in messages.
    axis_size
        Size of the batch, needed where no argument has one.
    chunk_size
        Work through the batch in pieces of at most this many, to bound memory.

    Returns
    -------
    Callable
        The batched function.

    Raises
    ------
    ValueError
        Axes that do not exist or whose sizes differ, or prefixes that do not match.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.vmap(np.dot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    >>> ft.vmap(ft.grad(lambda x: x**2))(np.arange(3.0))
    array([0., 2., 4.])
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap({name_of(f)}): chunk_size must be positive; got {chunk_size}.")

    @functools.wraps(f, updated=())
    @boundary
    def batched(*args: Any, **kwargs: Any) -> Any:
        return _batched_call(f, in_axes, out_axes, axis_name, axis_size, chunk_size, args, kwargs)

    return batched


def _batched_call(
    f: Callable,
    in_axes: Any,
    out_axes: Any,
    axis_name: Hashable,
    axis_size: int | None,
    chunk_size: int | None,
    args: tuple,
    kwargs: dict,
) -> Any:
    if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
        raise ValueError(
            f"vmap({name_of(f)}): expected one entry of in_axes an argument; got "
            f"{len(in_axes)} for {len(args)} arguments: in_axes={in_axes!r}."
        )
    axes = _broadcast_axes("vmap", f, "in_axes", in_axes, args)
    leaves, in_tree = tree.flatten((args, kwargs))
    axes += [0] * (len(leaves) - len(axes))
    values = []
    sizes: dict[int, str] = {}
    for i, (leaf, axis) in enumerate(zip(leaves, axes, strict=True)):
        if axis is None:
            values.append(leaf)
            continue
        x = as_array(leaf)
        ndim = len(x.shape)
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"vmap({name_of(f)}): expected leaf {i} of the arguments to have an axis {axis}; "
                f"got an array of shape {x.shape}; pass in_axes=None for it to share it."
            )
        axis %= ndim
        sizes.setdefault(x.shape[axis], f"leaf {i} of shape {x.shape}, axis {axis}")
        values.append(move_axis(x, axis, 0))
    if axis_size is not None:
        sizes.setdefault(axis_size, "axis_size")
    if len(sizes) != 1:
        got = "; ".join(f"{size} ({where})" for size, where in sizes.items()) or "none"
        raise ValueError(
            f"vmap({name_of(f)}): expected one size for all mapped axes; got {got}. "
            "Fix in_axes, or pass axis_size where nothing is mapped."
        )
    (size,) = sizes
    mapped = [axis is not None for axis in axes]
    if chunk_size is None or chunk_size >= size:
        out, out_tree = _run(f, size, axis_name, in_tree, values, mapped)
    else:
        pieces = []
        for start in range(0, size, chunk_size):
            stop = min(start + chunk_size, size)
            part = [
                slice_at(x, index=(slice(start, stop),)) if m else x
                for x, m in zip(values, mapped, strict=True)
            ]
            piece, out_tree = _run(f, stop - start, axis_name, in_tree, part, mapped)
            pieces.append(piece)
        out = [
            (concatenate(*[x for x, _ in column], axis=0), column[0][1])
            for column in zip(*pieces, strict=True)
        ]
    target = tree.unflatten(out_tree, range(len(out)))
    positions = _broadcast_axes("vmap", f, "out_axes", out_axes, target)
    results = []
    for (x, depends), axis in zip(out, positions, strict=True):
        ndim = len(shape_of(x))
        if axis is None:
            if depends:
                raise ValueError(
                    f"vmap({name_of(f)}): expected a result that is the same for the whole batch "
                    "because out_axes=None; got one that depends on a mapped argument."
                )
            results.append(slice_at(x, index=(0,)))
        elif not -ndim <= axis < ndim:
            raise ValueError(
                f"vmap({name_of(f)}): out_axes={axis} is out of range for a result of shape "
                f"{shape_of(x)}."
            )
        else:
            results.append(move_axis(x, 0, axis % ndim))
    return tree.unflatten(out_tree, results)


def _run(
    f: Callable, size: int, axis_name: Hashable, in_tree: Any, values: list, mapped: list
) -> tuple[list, Any]:
    trace = BatchTrace(state.trace, ("vmap", f), size, axis_name)
    traced = [
        trace.wrap(x) if m else trace.constant(x) if _assignable(x) else x
        for x, m in zip(values, mapped, strict=True)
    ]
    args, kwargs = tree.unflatten(in_tree, traced)
    with under(trace):
        out = f(*args, **kwargs)
    leaves, out_tree = tree.flatten(out)
    return [
        (trace.unwrap(x), type(x) is BatchTracer and x._trace is trace) for x in leaves
    ], out_tree
