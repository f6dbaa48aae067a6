"""Loops: ``scan``, ``map``, ``while_loop`` and ``fori_loop``.

Where every value is known they are Python's own loops over the function, so that ``print`` and
``pdb`` work in it; under staging and batching the function is staged once, into the body of a
loop primitive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..batching import vmap
from ..checkpointing import again_in_reverse, settled
from ..errors import boundary
from ..graph_transforms import stage_closed
from ..primitives.core import EVAL, ShapedArray, Tracer, aval_of, state
from ..primitives.structural import reshape, slice_at
from . import loop_primitives
from .bounded_loops import in_chunks, in_segments
from .schedules import Binomial, Budget, Every, Schedule, chosen_schedule, states_of
from .staging import Carry, Label, must_stage, named, own, paths

__all__ = ["fori_loop", "map", "scan", "while_loop"]

Checkpoint = int | str | bool | Binomial | None


# --------------------------------------------------------------------------------------
# scan


@boundary
def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    checkpoint: Checkpoint = None,
) -> tuple[Any, Any]:
    """Loop over the leading axis of arrays, carrying a value from step to step.

    Parameters
    ----------
    f
        ``f(carry, x) -> (carry, y)``. The carry keeps its structure, shapes and dtypes.
    init
        The first carry, a pytree of arrays. A Python number takes the dtype that ``f`` gives it.
    xs
        Pytree of arrays of shape ``(length, ...)``; each step gets one slice of each. None where
        there is nothing to loop over.
    length
        Number of steps, needed where ``xs`` has no arrays.
    reverse
        Take the steps from the last to the first; ``ys`` keeps the order of ``xs``.
    unroll
        Accepted for compatibility with JAX.
    checkpoint
        How much reverse mode keeps; the results are the same. What is as long as ``xs`` and
        ``ys`` stays so.

        * ``"all"`` or None: the carries of all steps, outside ``jit`` also what the steps
          themselves record.
        * A number ``n``: the carry of every ``n``-th step only; the backward pass runs each ``n``
          steps once more, so that ``length / n + n`` carries are in memory at a time.
        * ``"auto"`` or True: the ``n`` that keeps fewest, the square root of the length.
        * ``ft.Binomial(states=s)``: at most ``s`` carries at a time, beside the one at work, in
          the schedule that runs steps again as rarely as can be (A. Griewank and A. Walther,
          *Algorithm 799: revolve*, 2000).
        * ``"64 MB"``, ``"1 GiB"``, ``"4096 B"``: as many carries as fit into so many bytes, the
          same way; all, if they do. Tangents and the lanes of a batch count too.

    Returns
    -------
    tuple
        ``(carry, ys)``: the last carry and the ``y`` of all steps, stacked to ``(length, ...)``.

    Raises
    ------
    TypeError
        ``f`` does not return a pair, or its carry changes structure, shape or dtype.
    ValueError
        Arrays of different lengths, or no length at all; a ``checkpoint`` that is none of the
        above, or a budget of less than two carries.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    return _scan(("scan", f), f, init, xs, length, reverse, checkpoint)


def _scan(
    label: Label,
    f: Callable,
    init: Any,
    xs: Any,
    length: int | None,
    reverse: bool,
    checkpoint: Checkpoint = None,
) -> tuple[Any, Any]:
    leaves, xs_tree = tree.flatten(xs)
    slices = [as_array(x) for x in leaves]
    count = _length(label, slices, xs_tree, length)
    schedule = chosen_schedule(label, checkpoint, count)
    carry = Carry(label, "carry", init, slices)
    if (
        isinstance(schedule, (Binomial, Budget))
        and states_of(named(label), schedule, carry.avals) >= count
    ):
        schedule = None

    def step(value: Any, x: list[Any]) -> tuple[Any, Any]:
        out = f(value, tree.unflatten(xs_tree, x))
        if not (isinstance(out, (tuple, list)) and len(out) == 2):
            raise TypeError(
                f"{named(label)}: expected the function to return a pair (carry, y); got "
                f"{type(out).__name__}; return (carry, None) where there is nothing to stack."
            )
        return out[0], out[1]

    # Without a step only staging tells what the outputs would have been.
    eager = not must_stage() and count > 0
    if eager and schedule is not None:
        f = settled(f)  # it runs again later
    loop: Any = _eager_scan if eager else _staged_scan
    given = label, step, carry, slices, count, bool(reverse)
    if schedule is None or state.trace is EVAL:
        return loop(*given)
    if isinstance(schedule, Every):
        if schedule.steps >= count:
            return loop(*given)
        return in_chunks(loop, eager, *given, schedule.steps)
    if eager:
        return in_segments(loop, *given, states_of(named(label), schedule, carry.avals))
    return _staged_scan(*given, schedule)


def _length(label: Label, xs: list[Any], xs_tree: tree.PyTreeDef, length: int | None) -> int:
    found: dict[int, str] = {}
    for x, path in zip(xs, paths(xs_tree, "xs"), strict=True):
        if not x.shape:
            raise ValueError(
                f"{named(label)}: expected xs made of arrays with a leading axis to loop over; "
                f"{path} is a single {x.dtype}; close over it instead, or np.broadcast_to it."
            )
        found.setdefault(x.shape[0], f"{path} of shape {x.shape}")
    if length is not None:
        count = operator.index(length)
        if count < 0:
            raise ValueError(f"{named(label)}: expected a length of at least 0; got {count}.")
        found.setdefault(count, "length")
    if not found:
        raise ValueError(
            f"{named(label)}: expected arrays in xs, or a length; got neither; pass length=n for "
            "n steps."
        )
    if len(found) > 1:
        got = "; ".join(f"{size} ({where})" for size, where in found.items())
        raise ValueError(
            f"{named(label)}: expected one number of steps; got {got}; slice the arrays to one "
            "length."
        )
    return next(iter(found))


def _eager_scan(
    label: Label, step: Callable, carry: Carry, xs: list[Any], length: int, reverse: bool
) -> tuple[Any, Any]:
    leaves = carry.fresh()
    columns: list[list[Any]] = []
    structure: Any = None
    for i in loop_primitives.steps(length, reverse):
        row = [own(slice_at(x, index=(i,))) for x in xs]
        out, y = step(tree.unflatten(carry.structure, leaves), row)
        while structure is None and carry.promoted(out):
            row = [own(slice_at(x, index=(i,))) for x in xs]
            out, y = step(tree.unflatten(carry.structure, carry.fresh()), row)
        leaves = carry.returned(out)
        ys, y_tree = tree.flatten(y)
        if structure is None:
            structure, columns = y_tree, [[] for _ in ys]
        elif y_tree != structure:
            raise TypeError(
                f"{named(label)}: expected every step to return y structured like the first, "
                f"{tree.describe(structure)}; got {tree.describe(y_tree)}."
            )
        for column, leaf in zip(columns, ys, strict=True):
            array = as_array(leaf)
            # The next step may assign to the carry, which must not change what was put aside.
            kept = isinstance(array, Tracer) and not any(array is x for x in leaves)
            column.append(array if kept else own(array))
    stacked = [_stack(label, column[::-1] if reverse else column) for column in columns]
    return tree.unflatten(carry.structure, leaves), tree.unflatten(structure, stacked)


def _stack(label: Label, column: list[Any]) -> Any:
    shapes = list(dict.fromkeys(y.shape for y in column))
    if len(shapes) > 1:
        raise TypeError(
            f"{named(label)}: expected every step to return y of one shape; got {shapes[0]} and "
            f"{shapes[1]}."
        )
    if not any(isinstance(y, Tracer) for y in column):
        return np.stack(column)
    # In groups: reverse mode takes each operand of a concatenation apart from all before it.
    rows: list[Any] = [reshape(y, shape=(1, *y.shape)) for y in column]
    while len(rows) > 1:
        rows = [np.concatenate(rows[i : i + 32]) for i in range(0, len(rows), 32)]
    return rows[0]


def _staged_scan(
    label: Label,
    step: Callable,
    carry: Carry,
    xs: list[Any],
    length: int,
    reverse: bool,
    schedule: Schedule | None = None,
) -> tuple[Any, Any]:
    x_avals = [ShapedArray(x.shape[1:], x.dtype) for x in xs]
    structure: Any = None
    promoted = False

    def body(*inputs: Any) -> list[Any]:
        nonlocal structure, promoted
        count = len(carry.avals)
        value = tree.unflatten(carry.structure, inputs[:count])
        out, y = step(value, list(inputs[count:]))
        promoted = carry.promoted(out)
        leaves = list(inputs[:count]) if promoted else carry.returned(out)
        ys, structure = tree.flatten(y)
        return [*leaves, *ys]

    graph, constants = stage_closed(label, body, [*carry.avals, *x_avals])
    while promoted:  # each time a Python number gave way to another dtype
        graph, constants = stage_closed(label, body, [*carry.avals, *x_avals])
    results = loop_primitives.scan(
        *constants,
        *carry.leaves,
        *xs,
        graph=graph,
        n_consts=len(constants),
        n_carry=len(carry.leaves),
        length=length,
        reverse=reverse,
        **({} if schedule is None else {"checkpoint": schedule}),
    )
    count = len(carry.leaves)
    return (
        tree.unflatten(carry.structure, results[:count]),
        tree.unflatten(structure, results[count:]),
    )


@boundary
def map(f: Callable, xs: Any, batch_size: int | None = None) -> Any:
    """Apply a function to each slice along the leading axis, one after the other.

    Like ``vmap(f)(xs)``, in the memory of one call.

    Parameters
    ----------
    f
        Function of one slice, a pytree of arrays.
    xs
        Pytree of arrays of shape ``(length, ...)``.
    batch_size
        Apply ``vmap(f)`` to so many slices at a time.

    Returns
    -------
    pytree
        The results, stacked to ``(length, ...)``.

    Raises
    ------
    ValueError
        Arrays of different lengths, or a batch size that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.map(lambda x: x**2, np.arange(3.0))
    array([0., 1., 4.])
    """
    label = ("map", f)
    if batch_size is None:
        return _map(label, f, xs)
    size = operator.index(batch_size)
    if size < 1:
        raise ValueError(f"{named(label)}: expected a positive batch_size; got {size}.")
    leaves, xs_tree = tree.flatten(xs)
    arrays = [as_array(x) for x in leaves]
    length = _length(label, arrays, xs_tree, None)
    whole = length // size
    if not whole:
        return vmap(f)(xs) if length else _map(label, f, xs)
    head = [x[: whole * size].reshape(whole, size, *x.shape[1:]) for x in arrays]
    chunks = _map(label, vmap(f), tree.unflatten(xs_tree, head))
    made = tree.map(lambda y: y.reshape(whole * size, *y.shape[2:]), chunks)
    if whole * size == length:
        return made
    rest = vmap(f)(tree.unflatten(xs_tree, [x[whole * size :] for x in arrays]))
    return tree.map(lambda y, z: np.concatenate([y, z]), made, rest)


def _map(label: Label, f: Callable, xs: Any) -> Any:
    return _scan(label, lambda carry, x: (carry, f(x)), (), xs, None, False)[1]


# --------------------------------------------------------------------------------------
# while_loop


@boundary
def while_loop(
    cond_fun: Callable, body_fun: Callable, init_val: Any, checkpoint: Checkpoint = None
) -> Any:
    """Apply a function for as long as a condition holds.

    Reverse mode differentiates it too: the values of all steps are kept, or of some.

    Parameters
    ----------
    cond_fun
        ``cond_fun(value) -> bool``, a single truth value.
    body_fun
        ``body_fun(value) -> value``, which keeps structure, shapes and dtypes.
    init_val
        The first value, a pytree of arrays. A Python number takes the dtype that ``body_fun``
        gives it.
    checkpoint
        How much reverse mode keeps, as in ``scan``: None or ``"all"``, a number ``n``,
        ``ft.Binomial(states=s)`` or a budget such as ``"64 MB"``. With ``n`` the condition is
        asked once more every ``n`` steps, and there is one carry every ``n`` steps, however many
        there are; the other two bound the memory of loops of any length: see ``ft.Binomial``.

    Returns
    -------
    pytree
        The first value for which the condition does not hold.

    Raises
    ------
    TypeError
        A condition that is not a single truth value, or a value that changes structure, shape
        or dtype.
    ValueError
        A ``checkpoint`` that is none of the above, or a budget of less than two values; ``"auto"``
        is none, since the number of steps is not known.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.while_loop(lambda x: x < 100, lambda x: x * x, 3)
    np.int64(6561)
    """
    label, cond_label = ("while_loop", body_fun), ("while_loop", cond_fun)
    schedule = chosen_schedule(label, checkpoint, None)
    return _bounded_while(label, cond_label, cond_fun, body_fun, init_val, schedule)


def _bounded_while(
    label: Label,
    cond_label: Label,
    cond_fun: Callable,
    body_fun: Callable,
    init_val: Any,
    schedule: Every | Schedule | None,
) -> Any:
    carry = Carry(label, "value", init_val)
    if schedule is not None and not must_stage():  # they run again later
        cond_fun, body_fun = settled(cond_fun), settled(body_fun)
    given = label, cond_label, cond_fun, body_fun, carry
    states = 0
    if isinstance(schedule, (Binomial, Budget)):
        states = states_of(named(label), schedule, carry.avals)
    if schedule is None or state.trace is EVAL:
        return _while(*given)
    if isinstance(schedule, Every):
        return _while_in_chunks(*given, schedule.steps)
    if must_stage():
        return _staged_while(*given, schedule)
    return _while_in_segments(*given, states)


def _while(
    label: Label, cond_label: Label, cond_fun: Callable, body_fun: Callable, carry: Carry
) -> Any:
    if must_stage():
        return _staged_while(label, cond_label, cond_fun, body_fun, carry)
    return _eager_while(cond_label, cond_fun, body_fun, carry)[0]


def _eager_while(
    cond_label: Label, cond_fun: Callable, body_fun: Callable, carry: Carry
) -> tuple[Any, int]:
    """The last value, and the number of steps to it."""
    leaves = carry.fresh()
    count = 0
    while _truth(cond_label, cond_fun(tree.unflatten(carry.structure, leaves))):
        out = body_fun(tree.unflatten(carry.structure, leaves))
        while not count and carry.promoted(out):
            out = body_fun(tree.unflatten(carry.structure, carry.fresh()))
        count += 1
        leaves = carry.returned(out)
    return tree.unflatten(carry.structure, leaves), count


def _while_in_segments(
    label: Label,
    cond_label: Label,
    cond_fun: Callable,
    body_fun: Callable,
    carry: Carry,
    states: int,
) -> Any:
    """A loop that keeps so many values at a time; the way forth counts the steps."""
    steps: list[int] = []

    def whole(value: Any) -> Any:
        start = carry.at(tree.leaves(value))
        if not steps:
            value, count = _eager_while(cond_label, cond_fun, body_fun, start)
            steps.append(count)
            return value
        if not steps[0]:
            return value
        step = lambda value, _: (body_fun(value), None)  # noqa: E731
        return in_segments(_eager_scan, label, step, start, [], steps[0], False, states)[0]

    return again_in_reverse(whole)(tree.unflatten(carry.structure, carry.leaves))


def _while_in_chunks(
    label: Label,
    cond_label: Label,
    cond_fun: Callable,
    body_fun: Callable,
    carry: Carry,
    size: int,
) -> Any:
    """A loop over loops of so many steps at most; see ``_in_chunks``."""

    def more(value: Any) -> Any:
        return np.logical_and(value[0] < size, _truth(cond_label, cond_fun(value[1])))

    def advance(value: Any) -> Any:
        out = body_fun(value[1])
        # Here, where an error names the value without the counter.
        checked = carry.at(carry.leaves)
        if not checked.promoted(out):
            checked.returned(out)
        return value[0] + 1, out

    def chunk(value: Any) -> Any:
        counted = Carry(label, "value", (np.int64(0), value))
        counted.weak[1:] = carry.weak
        return _while(label, cond_label, more, advance, counted)[1]

    body = chunk if must_stage() else again_in_reverse(chunk)
    return _while(label, cond_label, cond_fun, body, carry)


def _truth(label: Label, given: Any) -> Any:
    """A condition's result, if it is a single truth value."""
    leaves, structure = tree.flatten(given)
    if structure != tree.LEAF:
        raise TypeError(
            f"{named(label)}: expected the condition to return one truth value; got the "
            f"structure {tree.describe(structure)}."
        )
    x = as_array(leaves[0])
    if x.shape != () or x.dtype.kind != "b":
        fix = "compare it, x != 0" if x.shape == () else "reduce it by np.all or np.any"
        raise TypeError(
            f"{named(label)}: expected the condition to return a single truth value; got "
            f"{aval_of(x)}; {fix}."
        )
    return x


def _staged_while(
    label: Label,
    cond_label: Label,
    cond_fun: Callable,
    body_fun: Callable,
    carry: Carry,
    schedule: Schedule | None = None,
) -> Any:
    promoted = False

    def body(*inputs: Any) -> list[Any]:
        nonlocal promoted
        out = body_fun(tree.unflatten(carry.structure, inputs))
        promoted = carry.promoted(out)
        return list(inputs) if promoted else carry.returned(out)

    def condition(*inputs: Any) -> list[Any]:
        return [_truth(cond_label, cond_fun(tree.unflatten(carry.structure, inputs)))]

    graph, constants = stage_closed(label, body, carry.avals)
    while promoted:  # each time a Python number gave way to another dtype
        graph, constants = stage_closed(label, body, carry.avals)
    cond, cond_constants = stage_closed(cond_label, condition, carry.avals)
    results = loop_primitives.while_loop(
        *cond_constants,
        *constants,
        *carry.leaves,
        cond=cond,
        body=graph,
        n_cond_consts=len(cond_constants),
        n_body_consts=len(constants),
        **({} if schedule is None else {"checkpoint": schedule}),
    )
    return tree.unflatten(carry.structure, results)


@boundary
def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable,
    init_val: Any,
    unroll: int | bool | None = None,
    checkpoint: Checkpoint = None,
) -> Any:
    """Apply a function once for each integer of a range.

    Parameters
    ----------
    lower, upper
        The range, ``lower`` included and ``upper`` not: integers, which may be traced. Reverse
        mode works either way.
    body_fun
        ``body_fun(i, value) -> value``; ``i`` is an ``np.int64``.
    init_val
        The first value, a pytree of arrays.
    unroll
        Accepted for compatibility with JAX.
    checkpoint
        How much reverse mode keeps: as in ``scan``, or as in ``while_loop`` if a bound is traced.

    Returns
    -------
    pytree
        The last value.

    Raises
    ------
    TypeError
        Bounds that are not integers, or a value that changes structure, shape or dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.fori_loop(1, 6, lambda i, x: x * i, 1)
    np.int64(120)
    """
    label = ("fori_loop", body_fun)
    if checkpoint is not None and not must_stage():
        body_fun = settled(body_fun)
    start, stop = _bound(label, "lower", lower), _bound(label, "upper", upper)
    if isinstance(start, Tracer) or isinstance(stop, Tracer):

        def advance(value: Any) -> Any:
            return value[0] + 1, body_fun(value[0], value[1])

        init = (start if isinstance(start, Tracer) else np.int64(start), init_val)
        schedule = chosen_schedule(label, checkpoint, None)
        more = lambda value: value[0] < stop  # noqa: E731
        return _bounded_while(label, label, more, advance, init, schedule)[1]

    # The counter is carried: a loop over np.arange would keep all of it in memory.
    def step(value: Any, _: Any) -> Any:
        return (value[0] + 1, body_fun(value[0], value[1])), None

    length = max(stop - start, 0)
    return _scan(label, step, (np.int64(start), init_val), None, length, False, checkpoint)[0][1]


def _bound(label: Label, name: str, given: Any) -> Any:
    """A bound of a range: an int where it is known, else a traced int64."""
    x = as_array(given)
    if x.dtype.kind not in "iu" or x.shape != ():
        raise TypeError(
            f"{named(label)}: expected {name} to be an integer; got {aval_of(x)}; write "
            f"int({name})."
        )
    known = x.concrete() if isinstance(x, Tracer) else x
    return x.astype(np.int64) if known is None else int(known)
