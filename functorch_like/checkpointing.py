"""checkpoint: keep a function's inputs, and what a policy asks for, and run it again backwards."""

from __future__ import annotations

import contextlib
import dis
import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .checkpoint_policies import everything_saveable
from .errors import boundary, name_of
from .forward import ForwardTracer
from .function_primitives import (
    CaptureTrace,
    FunctionPrimitive,
    RerunTrace,
    avals_of,
    evaluated,
    inside,
    link,
    stage_function,
)
from .graph import Graph, StagingTrace
from .primitives.core import Trace, Tracer, state, under
from .primitives.marking import recompute
from .recalling import Memo, RecallTrace, saving
from .reverse import ReverseTracer, pull_back, push_forward

__all__ = ["again_in_reverse", "checkpoint", "settled"]


class _Checkpoint(FunctionPrimitive):
    """params: function(*xs) -> outs; policy, if there is one; prevent_cse, if it is false."""

    __slots__ = ()

    functions = ("function",)

    @staticmethod
    def guard(x: Any) -> Any:
        """A copy: an ordinary function may assign to its arguments."""
        return x.copy() if type(x) is np.ndarray else x

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        policy = params.get("policy")
        if policy is None:
            outs, capture = self.pass_on(trace, primals, params)
            return _recorded(trace, params, outs, primals, slots, capture, None, ())
        memo = Memo(policy, trace)
        function = saving(memo, params["function"])
        outs, capture = self.pass_on(trace, primals, {**params, "function": function})
        first = len(outs) - len(memo.kept)
        return _recorded(
            trace, params, outs[:first], primals, slots, capture, memo, tuple(outs[first:])
        )

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        # A linear map's transpose needs no values: there is nothing to keep or to run again.
        with under(trace):
            return tuple(params["function"](*operands))

    def forward_own(self, trace: Any, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        xs = [
            x if t is None else ForwardTracer(trace, x, t)
            for x, t in zip(primals, tangents, strict=True)
        ]
        return tuple(params["function"](*xs))

    def process_batch(self, trace: Any, operands: Sequence, batched: list, params: dict) -> Any:
        function = inside(trace, params["function"], batched)
        return self(*operands, **{**params, "function": function})

    def stage(self, trace: Any, operands: Sequence, params: dict) -> Any:
        graph, _, _ = stage_function(trace, params["function"], avals_of(operands))
        return self.append_staged(
            trace, graph, graph.constant_values, operands, {**params, "function": graph}
        )

    def evaluate(self, operands: Sequence, params: dict) -> Any:
        graph: Graph = params["function"]
        first = len(graph.constants)
        function = evaluated(graph, operands[:first])
        return self(*operands[first:], **{**params, "function": function})


checkpoint_call = _Checkpoint("checkpoint_call")


def _recorded(
    trace: Any,
    params: dict,
    outs: Sequence[Any],
    primals: Sequence[Any],
    slots: Sequence[int | None],
    capture: CaptureTrace,
    memo: Memo | None,
    saved: Sequence[Any],
) -> Any:
    """Record results whose derivative is that of running the function once more.

    ``saved`` holds the values that need not be computed again, as ``memo`` numbers them.
    """
    function = params["function"]
    captured = [(slot, x.primal) for slot, x in capture.captured.items()]
    inputs = [slot for slot in slots if slot is not None] + [slot for slot, _ in captured]
    if not inputs:
        return tuple(outs)
    share = not params.get("prevent_cse", True)

    def rerun(outer: Any) -> tuple[Any, list, list, Trace]:
        again_from = (lambda x: x) if share else functools.partial(_anew, outer)
        given = [again_from(x) for x in primals]
        values = [(slot, again_from(x)) for slot, x in captured]
        recall = None
        if memo is not None:
            recall = RecallTrace(outer, memo, saved)
            given = [recall.input(i, x) for i, x in enumerate(given)]
            values = [
                (slot, recall.known(memo.constant(old), x))
                for (slot, x), (_, old) in zip(values, captured, strict=True)
            ]
        walking = outer if recall is None else recall
        with under(walking):
            again = RerunTrace(trace, values)
        xs = [
            x if slot is None else again.new(x, None) for x, slot in zip(given, slots, strict=True)
        ]
        # Before the function runs: it may assign to its arguments, which then have other slots.
        ins = [x.slot for x, slot in zip(xs, slots, strict=True) if slot is not None]
        ins += list(again.captured.values())
        with under(again):
            results = [again.value(x) for x in function(*xs)]
        own = [x.slot if type(x) is ReverseTracer and x._trace is again else None for x in results]
        if recall is not None:
            recall.recording = False
        return again.tape, ins, own, walking

    def pull(cts: list) -> list:
        with under(_around(trace)) as outer:
            tape, ins, own, walking = rerun(outer)
            seeds = [(s, c) for s, c in zip(own, cts, strict=True) if s is not None]
            with under(walking):
                return _taken(walking, pull_back(tape, seeds, ins))

    def push(ts: list) -> list:
        with under(_around(trace)) as outer:
            tape, ins, own, walking = rerun(outer)
            seeds = [(s, t) for s, t in zip(ins, ts, strict=True) if t is not None]
            with under(walking):
                made = push_forward(tape, seeds, [s for s in own if s is not None])
            found = iter(_taken(walking, made))
            return [None if s is None else next(found) for s in own]

    return link(trace, outs, inputs, pull, push)


def _around(trace: Any) -> Trace:
    """The current trace without what sees through tracers of ``trace``: a rerun does so itself."""
    outer = state.trace
    return outer.parent if type(outer) is CaptureTrace and outer.target is trace else outer


def _taken(walking: Trace, found: list) -> list:
    """Results of a walk as values outside of it."""
    return [walking.value(x) for x in found] if isinstance(walking, RecallTrace) else found


def _anew(outer: Any, x: Any) -> Any:
    """A value from which a program that is being staged computes anew."""
    while outer is not None:
        if isinstance(outer, StagingTrace):
            return recompute(x) if isinstance(x, Tracer) and x.dtype.kind in "fc" else x
        outer = outer.parent
    return x


def checkpoint(
    f: Callable | None = None,
    *,
    policy: Callable[..., bool] | None = None,
    prevent_cse: bool = True,
) -> Any:
    """Trade time for memory: record nothing of ``f``, run it again in the backward pass.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays); it may close over traced values.
    policy
        What to keep nevertheless: one of ``ft.checkpoint_policies``, under JAX's names, such as
        ``dots_saveable`` or ``save_only_these_names("hidden")`` for values that
        ``ft.checkpoint_name`` names; or a function ``policy(primitive, *operands, **params)`` that
        tells whether the results of an operation are kept. What is not, is computed again if the
        backward pass needs it.
    prevent_cse
        Under ``jit``, compute again although the program has the values already. False lets the
        compiler use these, as where ``f`` is the body of a loop, which keeps nothing but carries.

    Returns
    -------
    Callable
        The same function; reverse mode keeps its inputs, and what the policy asks for.

    Raises
    ------
    TypeError
        A policy that is no function.
    ValueError
        A policy for names of which ``f`` gives none (when it is called).

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> layer = ft.checkpoint(lambda x: np.sin(np.sin(np.sin(x))))
    >>> ft.grad(layer)(0.0)
    np.float64(1.0)
    >>> keep = ft.checkpoint_policies.dots_saveable
    >>> layer = ft.checkpoint(lambda w, x: np.sum(np.tanh(w @ x)), policy=keep)
    >>> ft.grad(layer)(np.eye(2), np.ones(2))  # w @ x is computed once, tanh twice
    array([[0.41997434, 0.41997434],
           [0.41997434, 0.41997434]])
    """
    if f is None:
        return functools.partial(checkpoint, policy=policy, prevent_cse=prevent_cse)
    if not callable(f):
        raise TypeError(
            f"checkpoint: expected a function; got {type(f).__name__}; write checkpoint(f)(x)."
        )
    if policy is not None and not callable(policy):
        raise TypeError(
            f"checkpoint({name_of(f)}): expected a policy, a function that tells what to keep; got "
            f"{policy!r}; write policy=ft.checkpoint_policies.dots_saveable, or another of these."
        )
    if policy is everything_saveable:
        return f
    rules: dict[str, Any] = {} if policy is None else {"policy": Labelled(policy, name_of(f))}
    if not prevent_cse:
        rules["prevent_cse"] = False

    @functools.wraps(f, updated=())
    @boundary
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        return _call(settled(f), rules, args, kwargs)

    return checkpointed


def again_in_reverse(f: Callable) -> Callable:
    """``checkpoint`` of a function that closes over nothing that may be assigned later."""
    return lambda *args: _call(f, {}, args, {})


def _call(f: Callable, rules: dict, args: tuple, kwargs: dict) -> Any:
    leaves, in_tree = tree.flatten(args)
    arrays = [i for i, x in enumerate(leaves) if _is_array(x)]
    trees: list[Any] = []

    def function(*values: Any) -> list:
        full = list(leaves)
        for i, value in zip(arrays, values, strict=True):
            full[i] = value
        outs, out_tree = tree.flatten(f(*tree.unflatten(in_tree, full), **kwargs))
        trees.append(out_tree)
        return outs

    outs = checkpoint_call(*[as_array(leaves[i]) for i in arrays], function=function, **rules)
    return tree.unflatten(trees[-1], outs)


def settled(f: Callable) -> Callable:
    """A function that closes over what its variables hold now, whatever they are assigned later.

    It runs again in the backward pass, when a loop that it was defined in has gone on. So do the
    functions that it closes over; variables that one of them assigns (``nonlocal``) stay shared.
    """
    functions: dict[int, types.FunctionType] = {}
    shared: set[int] = set()

    def collect(x: Any) -> None:
        if type(x) is not types.FunctionType or not x.__closure__ or id(x) in functions:
            return
        functions[id(x)] = x
        written = _assigned(x.__code__)
        for name, cell in zip(x.__code__.co_freevars, x.__closure__, strict=True):
            if name in written:
                shared.add(id(cell))
            with contextlib.suppress(ValueError):  # not assigned yet
                collect(cell.cell_contents)

    collect(f)
    cells: dict[int, Any] = {}
    made: dict[int, types.FunctionType] = {}

    def copied(x: Any) -> Any:
        if id(x) not in functions:
            return x
        if id(x) not in made:
            own = tuple(map(cell_of, x.__closure__))
            again = made[id(x)] = types.FunctionType(
                x.__code__, x.__globals__, x.__name__, x.__defaults__, own
            )
            again.__kwdefaults__ = x.__kwdefaults__
            again.__qualname__ = x.__qualname__
            vars(again).update(vars(x))
        return made[id(x)]

    def cell_of(cell: Any) -> Any:
        if id(cell) in shared:
            return cell
        if id(cell) not in cells:
            try:
                held = cell.cell_contents
            except ValueError:
                return cell
            new = cells[id(cell)] = types.CellType()
            new.cell_contents = copied(held)
        return cells[id(cell)]

    return copied(f)


@functools.cache
def _assigned(code: types.CodeType) -> frozenset[str]:
    """Names of variables of functions around it that a function, or one in it, assigns."""
    found = {
        i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "DELETE_DEREF")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _assigned(constant)
    return frozenset(found)


class Labelled:
    """A policy, and the name of the function that it is for."""

    __slots__ = ("label", "policy")

    def __init__(self, policy: Callable[..., bool], name: str) -> None:
        self.policy = policy
        self.label = f"checkpoint({name})"

    def __call__(self, primitive: Any, *operands: Any, **params: Any) -> bool:
        return bool(self.policy(primitive, *operands, **params))

    def check(self, found: set[str]) -> None:
        """Raise where the policy asks for names that no value has."""
        check = getattr(self.policy, "check", None)
        if check is not None:
            check(self.label, found)

    def __repr__(self) -> str:
        return getattr(self.policy, "__name__", None) or repr(self.policy)


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer) or hasattr(x, "dtype") or isinstance(x, float)
