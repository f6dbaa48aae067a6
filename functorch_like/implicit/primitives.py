"""The two primitives of implicit differentiation: a linear solve and a root.

Each carries its solver, which may be any code, and the equation it solves, from which the
derivative follows without looking into the solver:

* ``A x = b`` gives ``A dx = db - dA x``; its transpose is the solve with the transpose of A.
* ``f(x) = 0`` gives ``f'(x) dx = -df``, where ``df`` is the change of f at the solution.

What varies is closed over. A trace asks its parent for the solution, its tracers replaced by their
values, and runs the equation once at that solution in its own sense: ``dA x`` and ``df`` are
what the trace then holds of the residual. Derivatives of all orders follow because the parent does
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arguments import as_array
from ..batching import BatchTrace, BatchTracer, SameForAll, SharedTracer
from ..control_flow.loop_primitives import record_block
from ..errors import name_of
from ..forward import ForwardTracer
from ..function_primitives import (
    CaptureTrace,
    FunctionPrimitive,
    avals_of,
    evaluated,
    inside,
    seen_through,
    stage_function,
    strip,
    transpose_linear,
)
from ..graph import Graph
from ..primitives.core import EscapedTracerError, aval_of, beside, is_zero, state, under
from ..primitives.elementwise import negative, subtract
from ..primitives.structural import broadcast_to

__all__ = ["linear_solve", "root_solve"]

Values = Sequence[Any]


def zeros_for(values: Values, given: Values) -> list[Any]:
    """Tangents or cotangents with zeros in place of None."""
    return [
        beside(x, np.zeros(x.shape, x.dtype)) if t is None else t
        for x, t in zip(values, given, strict=True)
    ]


class _Solve(FunctionPrimitive):
    """What both share; ``solution`` counts the results before the auxiliary ones.

    ``equation`` names the param that is run again at the solution, in the sense of each trace.
    """

    __slots__ = ()

    equation: str

    def at_solution(
        self, trace: Any, primals: Values, params: dict
    ) -> tuple[tuple, list[Any], list[Any]]:
        """Results in the parent trace, and at them the equation: its values and dependences."""
        outs, _ = self.pass_on(trace, primals, params)
        with under(trace):
            made = params[self.equation](*map(self.guard, outs[: params["solution"]]))
        stripped = [strip(trace, x) for x in made]
        return tuple(outs), [x for x, _ in stripped], [own for _, own in stripped]

    def seeing(self, trace: Any, run: Callable[[], Values]) -> list[Any]:
        """Run something that closes over tracers of ``trace``, with their values instead."""
        capture = CaptureTrace(state.trace, trace)
        with under(capture):
            return [capture.value(x) for x in run()]

    def forward(self, trace: Any, primals: Values, tangents: Values, params: dict) -> Any:
        outs, residual, found = self.at_solution(trace, primals, params)
        if all(t is None for t in (*found, *self.given(tangents))):
            return outs
        with under(trace.parent):
            pushed = self.push(trace, outs, residual, self.given(tangents), found, params)
        count = params["solution"]
        solution = zip(outs[:count], pushed, strict=True)
        return (*(ForwardTracer(trace, x, t) for x, t in solution), *outs[count:])

    def record(self, trace: Any, primals: Values, slots: Values, params: dict) -> Any:
        outs, residual, found = self.at_solution(trace, primals, params)
        sources = [*self.given(slots), *found]
        if all(slot is None for slot in sources):
            return outs
        count = params["solution"]
        operands = len(sources) - len(found)

        def push(ts: list) -> list:
            given = iter(ts)
            full = [None if slot is None else next(given) for slot in sources]
            return self.push(trace, outs, residual, full[:operands], full[operands:], params)

        def pull(cts: list) -> list:
            cts = zeros_for(outs[:count], cts)
            parts = self.pull(trace, outs, residual, cts, operands, params)
            return [ct for ct, slot in zip(parts, sources, strict=True) if slot is not None]

        dependent = [True] * count + [False] * (len(outs) - count)
        return record_block(trace, outs, dependent, sources, pull, push)

    # What differs

    def given(self, entries: Values) -> list[Any]:
        """The tangents or slots of operands that have a derivative."""
        raise NotImplementedError

    def push(
        self, trace: Any, outs: Values, residual: Values, ts: Values, found: Values, params: dict
    ) -> list[Any]:
        """Tangents of the solution from those of the operands and of the equation."""
        raise NotImplementedError

    def pull(
        self, trace: Any, outs: Values, residual: Values, cts: Values, operands: int, params: dict
    ) -> list[Any]:
        """The transpose of ``push``: cotangents of operands, then of the equation."""
        raise NotImplementedError

    def arguments(self, avals: list) -> dict[str, list]:
        """Types of what each function takes, from those of the solution."""
        raise NotImplementedError

    # What is common

    def process_batch(self, trace: Any, operands: Values, batched: list, params: dict) -> Any:
        if True not in batched:
            # Where only tangents are a batch, the solver is run once, on values that are known.
            capture = CaptureTrace(state.trace, trace)
            alone = {k: seen_through(capture, params[k]) for k in self.functions}
            try:
                return SameForAll(self(*operands, **{**params, **alone}))
            except EscapedTracerError:
                pass  # the functions close over values of the batch
        # Cotangents of operands have the batch axis: so must all operands.
        size = trace.size
        full = [
            x if own else broadcast_to(as_array(x), shape=(size, *as_array(x).shape))
            for x, own in zip(operands, batched, strict=True)
        ]
        solution = params["solution"]
        taken = self.arguments([None] * solution)
        made = {
            k: inside(trace, params[k], [True] * len(taken.get(k, operands)))
            for k in self.functions
        }
        return self(*full, **{**params, **made})

    def stage(self, trace: Any, operands: Values, params: dict) -> Any:
        avals = avals_of(operands)
        graph, _, _ = stage_function(trace, params["function"], avals)
        taken = self.arguments(graph.output_avals[: params["solution"]])
        staged = {**params, "function": graph}
        constants = [*graph.constant_values]
        for name in self.functions[1:]:
            staged[name], _, _ = stage_function(trace, params[name], taken[name])
            constants += staged[name].constant_values
        return self.append_staged(trace, graph, constants, operands, staged)

    def evaluate(self, operands: Values, params: dict) -> Any:
        trace = state.trace
        if type(trace) is BatchTrace and not any(type(x) is BatchTracer for x in operands):
            # A graph closes over nothing: without batched operands one run serves all lanes.
            with under(trace.parent):
                shared = [x.value if type(x) is SharedTracer else x for x in operands]
                return self.evaluate(shared, params)
        functions, start = {}, 0
        for name in self.functions:
            graph: Graph = params[name]
            stop = start + len(graph.constants)
            functions[name] = evaluated(graph, operands[start:stop])
            start = stop
        return self(*operands[start:], **{**params, **functions})


class _LinearSolve(_Solve):
    """``x = A^-1 b``.

    params: function(*b) -> (*x, *aux); matvec(*x) -> A x; transposed(*b) -> A^-T b; solution.
    """

    __slots__ = ()

    functions = ("function", "matvec", "transposed")
    equation = "matvec"

    def given(self, entries: Values) -> list[Any]:
        return list(entries)

    def arguments(self, avals: list) -> dict[str, list]:
        return {"matvec": avals, "transposed": avals}

    def solved(self, right: Values, params: dict) -> list[Any]:
        """``A^-1 right``."""
        return list(self(*right, **params)[: params["solution"]])

    def solved_transposed(self, right: Values, params: dict) -> list[Any]:
        """``A^-T right``, whose equation is the transpose of the matvec."""
        matvec, function, count = params["matvec"], params["function"], params["solution"]

        def vecmat(*cts: Any) -> list[Any]:
            return zeros_for(cts, transpose_linear(lambda xs: matvec(*xs), cts, cts))

        return list(
            self(
                *right,
                function=params["transposed"],
                matvec=vecmat,
                transposed=lambda *b: list(function(*b))[:count],
                solution=count,
                aux=False,
            )
        )

    def push(
        self, trace: Any, outs: Values, residual: Values, ts: Values, found: Values, params: dict
    ) -> list[Any]:
        right = []
        for x, t, dax in zip(residual, ts, found, strict=True):
            if dax is None:
                right.append(beside(x, np.zeros(x.shape, x.dtype)) if t is None else t)
            else:
                right.append(negative(dax) if t is None else subtract(t, dax))
        return self.seeing(trace, lambda: self.solved(right, params))

    def pull(
        self, trace: Any, outs: Values, residual: Values, cts: Values, operands: int, params: dict
    ) -> list[Any]:
        found = self.seeing(trace, lambda: self.solved_transposed(cts, params))
        return [*found, *(negative(ct) for ct in found)]

    def record_linear(self, trace: Any, operands: Values, params: dict) -> Any:
        slots = trace.slots(operands)
        mixed = zip(slots, operands, strict=True)
        if any(slot is None and not is_zero(x) for slot, x in mixed):
            return super().record_linear(trace, operands, params)
        avals = [aval_of(x) for x in operands]
        zeros = [beside(None, np.zeros(a.shape, a.dtype)) for a in avals]
        aux: list[Any] = []
        count = params["solution"]
        with under(trace.parent):
            if params["aux"]:  # of no use in a linear map, whose solver is not run: zeros
                graph, _, _ = stage_function(state.trace, params["function"], avals)  # type: ignore[arg-type]
                aux = [np.zeros(a.shape, a.dtype) for a in graph.output_avals[count:]]

        def push(ts: list) -> list:
            given = iter(ts)
            full = [
                z if slot is None else next(given) for slot, z in zip(slots, zeros, strict=True)
            ]
            return self.solved(zeros_for(zeros, full), params)

        def pull(cts: list) -> list:
            found = self.solved_transposed(zeros_for(zeros, cts), params)
            return [ct for ct, slot in zip(found, slots, strict=True) if slot is not None]

        dependent = [True] * count + [False] * len(aux)
        return record_block(trace, [*avals, *aux], dependent, slots, pull, push)


@contextmanager
def _isolated() -> Iterator[None]:
    """Say what a singular matrix means where a solution is differentiated."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        if str(error) != "Singular matrix":
            raise
        raise np.linalg.LinAlgError(
            "Singular matrix: expected a solution that its equation determines, to differentiate "
            "it; got one where the Jacobian (of a minimum, the Hessian) is singular; check that "
            "the solver converged, and fix or penalise what is undetermined."
        ) from None


class _RootSolve(_Solve):
    """``x`` with ``f(x) = 0``, from an initial guess.

    params: function(*guess) -> (*x, *aux); residual(*x) -> f(x);
    tangent(*x, *y) -> f'(x)^-1 y; solution.
    """

    __slots__ = ()

    functions = ("function", "residual", "tangent")
    equation = "residual"

    def given(self, entries: Values) -> list[Any]:
        return []  # the solution does not depend on the guess

    def arguments(self, avals: list) -> dict[str, list]:
        return {"residual": avals, "tangent": [*avals, *avals]}

    def push(
        self, trace: Any, outs: Values, residual: Values, ts: Values, found: Values, params: dict
    ) -> list[Any]:
        x = outs[: params["solution"]]
        changed = zeros_for(residual, found)
        with _isolated():
            made = self.seeing(trace, lambda: params["tangent"](*x, *changed))
        return [negative(t) for t in made]

    def pull(
        self, trace: Any, outs: Values, residual: Values, cts: Values, operands: int, params: dict
    ) -> list[Any]:
        x = outs[: params["solution"]]

        def solve(ys: list) -> list[Any]:
            return self.seeing(trace, lambda: params["tangent"](*x, *ys))

        with _isolated():
            found = zeros_for(residual, transpose_linear(solve, residual, cts))
        return [negative(ct) for ct in found]


linear_solve = _LinearSolve("linear_solve")
root_solve = _RootSolve("root_solve")


def checked_like(what: str, made: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """Arrays of the shapes and dtypes of others, or an error that shows both."""
    arrays = []
    for given, w in zip(made, wanted, strict=True):
        x = as_array(given)
        fits = x.dtype.kind in "biuf" or (x.dtype.kind == "c" and w.dtype.kind == "c")
        if x.dtype != w.dtype and fits:
            x = x.astype(w.dtype)
        if x.shape != w.shape or x.dtype != w.dtype:
            raise TypeError(f"{what} like {aval_of(w)}; got {aval_of(x)}.")
        arrays.append(x)
    return arrays


def named(transform: str, f: Callable) -> str:
    """The function and what it was given, for messages."""
    return f"{transform}({name_of(f)})"
