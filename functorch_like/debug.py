"""See what a program computes: values printed at run time, and where the first NaN comes from.

``print`` and ``callback`` are a primitive without results. It has an *effect*, so that the passes
that drop and share equations leave it alone; in compiled code it is a call of Python, in loops
too. ``debug_nans`` puts another trace at the bottom of the chain in place of ``EVAL``, which looks
at every result; nothing is asked of an operation while it is off.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import tree
from .errors import boundary, internal, name_of
from .graph import Equation, Graph, Literal, Var, keeping_lines
from .kernels.device import is_gpu
from .primitives.core import (
    EVAL,
    EscapedTracerError,
    Nondifferentiable,
    Primitive,
    ShapedArray,
    Trace,
    Tracer,
    aval_of,
    escaped_message,
    state,
    under,
    watch,
)
from .reverse import pull_back, push_forward

__all__ = ["callback", "debug_nans", "print"]


# --------------------------------------------------------------------------------------
# Callbacks


Levels = tuple[tuple[int, tuple[bool, ...]], ...]


class _Callback(Nondifferentiable):
    """Calls ``function`` on the operands' values; ``lanes`` are the batches, the outermost first.

    A batch is its size and which operands have its axis, the first one of those that are left.
    """

    __slots__ = ()

    effect = True

    def __init__(self) -> None:
        super().__init__("debug_callback", self._run, self._avals, self._batched, True)

    @staticmethod
    def _run(*operands: Any, function: Callable, lanes: Levels) -> tuple:
        # Copies: the memory of compiled programs is used again.
        values = [x.get() if is_gpu(x) else np.array(x) for x in operands]
        with under(EVAL):
            _call(function, values, lanes)
        return ()

    @staticmethod
    def _avals(*avals: ShapedArray, function: Callable, lanes: Levels) -> tuple:
        return ()

    def _batched(
        self, size: int, operands: Sequence, batched: Sequence[bool], function: Any, lanes: Levels
    ) -> tuple:
        return self(*operands, function=function, lanes=((size, tuple(batched)), *lanes))

    def record_linear(self, trace: Any, operands: Sequence, params: dict) -> Any:
        raise TypeError(
            f"{trace.name}: expected debug.callback to be given values; got a tangent that is "
            "being recorded and has none yet; use jvp to see the tangents of a rule."
        )


def _call(function: Callable, values: Sequence, lanes: Levels) -> None:
    if not lanes:
        function(*[x[()] for x in values])
        return
    (size, batched), *rest = lanes
    for i in range(size):
        lane = [x[i, ...] if own else x for x, own in zip(values, batched, strict=True)]
        _call(function, lane, tuple(rest))


debug_callback = _Callback()


def _is_operand(x: Any) -> bool:
    if isinstance(x, Tracer):
        return True
    return isinstance(getattr(x, "dtype", None), np.dtype) and x.dtype.kind in "biufc"


@boundary
def callback(f: Callable, *args: Any, **kwargs: Any) -> None:
    """Call ``f`` with the values of its arguments whenever the program comes to this place.

    It is called when values are computed, not when the function is traced: in jitted functions at
    every run, in loops at every step, under ``vmap`` once for each element of the batch, in order.
    Under derivatives it gets the value that is differentiated, once, on the way forward; it has no
    derivative itself. In the backward function of a ``custom_vjp`` it gets the cotangents. (What
    ``checkpoint`` runs again runs its callbacks again.)

    Calls are made in the order in which the program makes them, in compiled code too; the lanes of
    a call under ``vmap`` follow one another before the next call. Where none of the arguments
    depends on the batch there is one call for all lanes. A branch that depends on the batch, and a
    loop whose number of steps does, run lane after lane.

    Parameters
    ----------
    f
        Any Python function; what it returns is left aside. An error it raises ends the program.
    *args, **kwargs
        Its arguments: pytrees, whose traced values become NumPy arrays (numbers if 0-d), copies
        that may be kept. What is no array is passed on as it is.

    Raises
    ------
    TypeError
        ``f`` is no function, or an argument is the tangent of a rule in reverse mode, which has no
        value when the rule runs.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> seen = []
    >>> @ft.jit
    ... def f(x):
    ...     y = np.sin(x)
    ...     ft.debug.callback(seen.append, y)
    ...     return y * 2
    >>> float(ft.grad(f)(0.0)), seen
    (2.0, [np.float64(0.0)])
    """
    if not callable(f):
        raise TypeError(f"debug.callback: expected a function; got {type(f).__name__}.")
    leaves, treedef = tree.flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if _is_operand(x)]
    operands = [leaves[i] for i in places]
    fixed = [None if _is_operand(x) else x for x in leaves]

    def call(*values: Any) -> None:
        full = list(fixed)
        for i, value in zip(places, values, strict=True):
            full[i] = value
        given, named = tree.unflatten(treedef, full)
        f(*given, **named)

    call.__name__ = name_of(f)
    debug_callback(*operands, function=call, lanes=())


@boundary
def print(fmt: str, *args: Any, **kwargs: Any) -> None:
    """Print the values of arrays whenever the program comes to this place: see ``callback``.

    Parameters
    ----------
    fmt
        A format string, as of ``str.format``; not an f-string, which would show tracers.
    *args, **kwargs
        What it names: arrays, or pytrees of them.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> @ft.vmap
    ... def f(x):
    ...     ft.debug.print("x is {:.1f}, {name}", x, name="a number")
    ...     return x * 2
    >>> f(np.array([1.0, 2.0]))
    x is 1.0, a number
    x is 2.0, a number
    array([2., 4.])
    """
    if not isinstance(fmt, str):
        raise TypeError(
            f"debug.print: expected a format string first; got {type(fmt).__name__}; write "
            'debug.print("{}", x).'
        )

    def show(*given: Any, **named: Any) -> None:
        builtins.print(fmt.format(*given, **named))

    callback(show, *args, **kwargs)


# --------------------------------------------------------------------------------------
# The first NaN


class _Checked(Trace):
    """The bottom of the chain of traces, that runs kernels and looks at what they make."""

    __slots__ = ("errors", "infs")

    def __init__(self, infs: bool, errors: Any) -> None:
        super().__init__(EVAL, ("debug_nans", None))
        self.infs = infs
        self.errors = errors  # what NumPy did about them before

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        for x in operands:
            if isinstance(x, Tracer):
                raise EscapedTracerError(escaped_message(x))
        with under(self):
            if primitive.name == "jit_call":
                return tuple(params["graph"].evaluate(operands))
            with quiet():
                answer = primitive.kernel(*operands, **params)
        self.check(primitive, operands, params, answer)
        return answer

    def evaluate(self, graph: Graph, held: dict[Var, Any]) -> list[Any]:
        """``Graph.evaluate`` while this is on; bodies of loops and branches come here."""

        def read(x: Var | Literal) -> Any:
            return x.value if isinstance(x, Literal) else held[x]

        for equation in graph.equations:
            operands = [read(x) for x in equation.inputs]
            primitive = equation.primitive
            with quiet() if state.trace is EVAL else contextlib.nullcontext():
                answer = primitive.evaluate(operands, equation.params)
            if state.trace is EVAL:  # otherwise ``process`` sees it, or there are no values yet
                self.check(primitive, operands, equation.params, answer)
            answers = answer if primitive.multiple_results else (answer,)
            held.update(zip(equation.outputs, answers, strict=True))
        return [read(x) for x in graph.outputs]

    def check(self, primitive: Primitive, operands: Sequence, params: dict, answer: Any) -> None:
        """Raise where a result is NaN though no operand is."""
        bad = self.bad
        for x in answer if primitive.multiple_results else (answer,):
            if not bad(x) or any(map(bad, operands)) or any(map(bad, params.values())):
                continue
            line, derivative = line_here()
            where = f"in the derivative of {line}" if derivative else f"at {line}"
            kind = "NaN" if bool(np.isnan(x).any()) else "inf"
            count = int((np.isnan(x) if kind == "NaN" else np.isinf(x)).sum())
            given = "; ".join(map(_described, operands)) or "none"
            raise FloatingPointError(
                f"debug_nans: {primitive.name} made {kind} in {count} of {x.size} elements, "
                f"{where}; operands: {given}"
            )

    def bad(self, x: Any) -> bool:
        """Whether a value has a NaN, or an inf where these are looked for, among its elements."""
        dtype = getattr(x, "dtype", None)
        if dtype is None:
            if type(x) not in (float, complex):
                return False
        elif not isinstance(dtype, np.dtype) or dtype.kind not in "fc":
            return False
        return not bool(np.isfinite(x).all()) if self.infs else bool(np.isnan(x).any())


def quiet() -> Any:
    """NumPy's warnings off."""
    # The error that follows says more than NumPy's warning would.
    return np.errstate(invalid="ignore", divide="ignore", over="ignore")


def _described(x: Any) -> str:
    """Type and range of an operand."""
    aval = aval_of(x)
    if aval.shape == ():
        return f"{aval} {x}"
    if not aval.size:
        return f"{aval}, empty"
    if aval.dtype.kind == "c":
        return f"{aval} of size {np.abs(x).min()} to {np.abs(x).max()}"
    return f"{aval} from {x.min()} to {x.max()}"


def _numpy_met(what: str, flag: int) -> None:
    """What NumPy calls where a function of its own, on plain arrays, made a NaN (or inf)."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_NUMPY):
        frame = frame.f_back
    if frame is None or internal(frame.f_code.co_filename):
        return  # a kernel of ours, whose result is looked at as a whole
    if not frame.f_globals.get("__name__", "").startswith("scipy."):
        raise FloatingPointError(f"debug_nans: NumPy met {what!r} at {_source(frame)}")


_NUMPY = os.path.dirname(np.__file__) + os.sep


def evaluate_by_line(graph: Graph, held: dict[Var, Any]) -> list[Any]:
    """``Graph.evaluate``, whose frame tells ``line_here`` the equation that is evaluated."""

    def read(x: Var | Literal) -> Any:
        return x.value if isinstance(x, Literal) else held[x]

    for equation in graph.equations:
        operands = [read(x) for x in equation.inputs]
        answer = equation.primitive.evaluate(operands, equation.params)
        answers = answer if equation.primitive.multiple_results else (answer,)
        held.update(zip(equation.outputs, answers, strict=True))
    return [read(x) for x in graph.outputs]


@contextlib.contextmanager
def remembering_lines() -> Iterator[None]:
    """Inside this context equations and tapes that are recorded remember the user's lines."""
    before = watch.evaluate, watch.tape, watch.line
    with keeping_lines():
        if watch.evaluate is None:
            watch.evaluate, watch.tape, watch.line = evaluate_by_line, Tape, line_of_equation
        try:
            yield
        finally:
            watch.evaluate, watch.tape, watch.line = before


class Tape(list):
    """A tape that knows the line of each operation it records."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, bool]] = []

    def append(self, entry: Any) -> None:
        super().append(entry)
        self.lines.append(line_here())

    def extend(self, entries: Any) -> None:
        for entry in entries:
            self.append(entry)


_DERIVATIVE = "the derivative of "
_WALKS = (pull_back.__code__, push_forward.__code__)
_EVALUATIONS = (_Checked.evaluate.__code__, evaluate_by_line.__code__)


def line_here() -> tuple[str, bool]:
    """The line that what runs now belongs to, and whether this is the derivative of the line.

    The innermost frame decides that is the user's, walks a tape, or evaluates a graph.
    """
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code in _WALKS:
            tape, slot = frame.f_locals.get("tape"), frame.f_locals.get("slot")
            if isinstance(tape, Tape) and slot is not None and tape.lines[slot][0]:
                return tape.lines[slot][0], True
        elif code in _EVALUATIONS:
            equation: Equation | None = frame.f_locals.get("equation")
            if equation is not None and equation.line is not None:
                line = equation.line
                return line.removeprefix(_DERIVATIVE), line.startswith(_DERIVATIVE)
        elif not internal(code.co_filename):
            module = frame.f_globals.get("__name__", "")
            if not module.startswith("scipy."):
                return _source(frame), False
        frame = frame.f_back
    return "an unknown line", False


def _source(frame: types.FrameType) -> str:
    import linecache

    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number, frame.f_globals).strip()
    return f"{name}:{number}" + (f": {source}" if source else "")


def line_of_equation() -> str:
    """What an equation that is staged remembers as its line."""
    line, derivative = line_here()
    return _DERIVATIVE + line if derivative else line


@contextlib.contextmanager
def debug_nans(enable: bool = True, *, infs: bool = False) -> Iterator[None]:
    """Inside this context the first operation that makes a NaN raises an error that names it.

    It looks at every operation of a traced function with its values, whatever the transform, and
    at those of the way back, whose error names the line that was differentiated. Jitted functions
    are evaluated operation by operation, not compiled, so that they raise at the same place; what
    none of their results needs is left out. A NaN that an operand brings along is let pass, but one
    that a later ``np.where`` leaves out is an error where it is made, as in JAX without ``jit``.

    Where a function runs on plain arrays, outside of all transforms, the operations are NumPy's
    own: for those it asks NumPy (``np.errstate``), which knows the line and the function but not
    the operands. SciPy's functions on plain arrays are not looked at. An operation that is one
    primitive (a decomposition, a function of scipy.special) is looked at as a whole.

    Parameters
    ----------
    enable
        False switches the check off in the inner context.
    infs
        Raise for infinite results of finite operands, too.

    Raises
    ------
    FloatingPointError
        With the operation, the user's line, and shapes and ranges of the operands.
    RuntimeError
        The context is entered inside a function that is being traced.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> with ft.debug_nans():
    ...     ft.grad(lambda x: np.log(x) * 2)(-1.0)
    Traceback (most recent call last):
    FloatingPointError: debug_nans: log made NaN in 1 of 1 elements, at ...; operands: f64[] -1.0
    """
    if state.trace is not EVAL and not isinstance(state.trace, _Checked):
        raise RuntimeError(
            f"debug_nans: expected to be entered outside of all transforms; got inside "
            f"{state.trace.name}; put the context around the call of the transformed function."
        )
    before = watch.evaluate, watch.tape, watch.line
    with contextlib.ExitStack() as stack:
        if enable:
            trace = _Checked(infs, np.geterr())
            stack.enter_context(keeping_lines())
            stack.enter_context(under(trace))
            which: Any = dict.fromkeys(
                ("invalid", "divide", "over") if infs else ("invalid",), "call"
            )
            stack.enter_context(np.errstate(call=_numpy_met, **which))
            watch.evaluate, watch.tape, watch.line = trace.evaluate, Tape, line_of_equation
        else:
            if isinstance(state.trace, _Checked):
                stack.enter_context(np.errstate(**state.trace.errors))
            stack.enter_context(under(EVAL))
            watch.evaluate = watch.tape = watch.line = None
        try:
            yield
        finally:
            watch.evaluate, watch.tape, watch.line = before
