"""``explain``: what would be recorded, derived, compiled and kept of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..arguments import resolve_argnums
from ..errors import boundary, name_of
from ..primitives.core import EVAL, state
from .flow import trace_flow
from .modes import choose_modes, count_work
from .report import Explanation, Leaf, Line, Modes, Obstacle, Stop
from .retained import retained_by_line
from .staging import record_by_line

__all__ = ["Explanation", "Leaf", "Line", "Modes", "Obstacle", "Stop", "explain"]


@boundary
def explain(
    f: Callable, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any
) -> Explanation:
    """What a function does to the derivatives of its arguments, and to a compiler, without running.

    The function is staged on the types of its arguments. Where it asks for a value, of a traced
    number in an ``if`` say, ``jit`` would refuse it: that line is told, and what to do; then the
    argument's value is used there, if it has one, to go on.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    *args, **kwargs
        Its arguments: arrays, or ``ShapedArray`` for their types alone.
    argnums
        Position, or positions, of the arguments to differentiate.

    Returns
    -------
    Explanation
        Prints as a report. ``.lines`` has for each of the user's lines the primitives recorded,
        their results' types, the operations and the bytes that reverse mode keeps; ``.inputs`` and
        ``.outputs`` whether they carry a derivative; ``.stops`` where derivatives end;
        ``.jacobian`` and ``.hessian`` which mode is cheaper; ``.obstacles`` what ``jit`` cannot
        compile; ``.host_calls`` what a compiled program calls NumPy and Python for.

    Notes
    -----
    Costs are those of compiled programs, in units of one evaluation of ``f``: operations, and bytes
    moved, of one product with the Jacobian, times the number of columns or rows. A loop whose
    number of steps is not known counts as one step. Bytes are what ``grad`` without ``jit`` keeps
    from the way forward to the way back, without arguments and constants.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def f(x):
    ...     y = np.exp(x)
    ...     return np.sum(y * np.round(x))
    >>> told = ft.explain(f, np.zeros(1000))
    >>> told.jacobian.best, told.retained_bytes
    ('reverse', 16000)
    >>> [stop.primitive for stop in told.stops]
    ['rint']
    >>> told.obstacles
    ()
    """
    if not callable(f):
        raise TypeError(f"explain: expected a function; got {type(f).__name__}.")
    if state.trace is not EVAL:
        raise RuntimeError(
            f"explain({name_of(f)}): expected to be called outside of all transforms; got inside "
            f"{state.trace.name}; explain the transformed function instead."
        )
    numbers = resolve_argnums("explain", f, argnums, len(args))
    recorded = record_by_line(f, args, kwargs)
    graph = recorded.graph
    positions = iter(range(len(graph.inputs)))
    numbered = tree.map(lambda x: next(positions) if recorded.is_operand(x) else None, args)
    active = [k for i in numbers for k in tree.leaves(numbered[i]) if k is not None]
    active = [k for k in active if graph.inputs[k].aval.dtype.kind in "fc"]
    flow = trace_flow(graph, active)
    kept = retained_by_line(graph, active)
    work = count_work(graph)
    modes = choose_modes(graph, active, flow) if recorded.complete and active else (None, None)
    obstacles = list(recorded.obstacles)
    if kept.error is not None:
        obstacles.append(kept.error)
    return Explanation(
        name=name_of(f),
        how=recorded.how,
        graph=graph,
        argnums=numbers,
        lines=work.lines(graph, kept.bytes),
        inputs=tuple(
            Leaf(name, graph.inputs[k].aval, k in active, k in flow.useful)
            for k, name in enumerate(recorded.names)
        ),
        outputs=tuple(
            Leaf(name, aval, bool(active), flow.outputs[k], flow.stops_of(k))
            for k, (name, aval) in enumerate(
                zip(recorded.output_names, graph.output_avals, strict=True)
            )
        ),
        stops=tuple(flow.stops),
        obstacles=tuple(obstacles),
        host_calls=work.host_calls,
        cost=work.cost,
        jacobian=modes[0],
        hessian=modes[1],
        retained_bytes=sum(kept.bytes.values()),
        unknown_steps=kept.unknown_steps,
    )
