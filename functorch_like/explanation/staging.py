"""A function staged with the lines of its operations, past what ``jit`` would refuse.

Values are hidden, as ``jit`` hides them. A line that asks for one is noted as an obstacle, and the
function is staged again with values shown at that line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array
from ..checks import line_of_error
from ..debug import remembering_lines
from ..errors import (
    ConcreteValueError,
    DeviceError,
    EscapedTracerError,
    MutationError,
    ScriptError,
    user_line,
)
from ..graph import Graph, Literal, StagingTrace, StagingTracer, Var
from ..primitives.core import EVAL, ShapedArray, Tracer, aval_of, state, under
from ..scripting import script
from .report import Obstacle

__all__ = ["Recorded", "record_by_line"]

REFUSALS = (ConcreteValueError, MutationError, ScriptError, EscapedTracerError, DeviceError)
MOST_OBSTACLES = 30
MOST_EQUATIONS = 200_000


class TooLong(Exception):  # noqa: N818  (no error: explained up to here)
    """The function is a longer program than anybody reads."""


class ShowingTrace(StagingTrace):
    """Stages; shows values, computed from those of the inputs, at some of the user's lines."""

    __slots__ = ("computed", "lines", "values")

    def __init__(self, label: tuple[str, Any], lines: frozenset[str]) -> None:
        super().__init__(EVAL, label)
        self.lines = lines
        self.values: dict[Var, Any] = {}
        self.computed = 0  # so many equations

    def known(self, tracer: StagingTracer) -> Any:
        """The value of a tracer, where the line may have it."""
        if not self.lines or user_line() not in self.lines:
            return None
        return self.compute(tracer._var)

    def compute(self, wanted: Var) -> Any:
        """The value of a variable; what was recorded so far is computed once."""
        values = self.values
        values.update(zip(self.constants, self.captured, strict=True))
        with under(EVAL), np.errstate(all="ignore"):
            for equation in self.equations[self.computed :]:
                read = [
                    x.value if isinstance(x, Literal) else values.get(x) for x in equation.inputs
                ]
                primitive = equation.primitive
                if not primitive.effect and all(x is not None for x in read):
                    made = primitive.evaluate(read, equation.params)
                    made = made if primitive.multiple_results else (made,)
                    values.update(zip(equation.outputs, made, strict=True))
        self.computed = len(self.equations)
        return values.get(wanted)  # none if it depends on an argument without a value

    def append(self, primitive: Any, inputs: list, params: dict, made: Any) -> Any:
        if len(self.equations) >= MOST_EQUATIONS:
            raise TooLong
        return super().append(primitive, inputs, params, made)


class Recorded:
    """What was staged, and what stood in the way."""

    def __init__(self, f: Callable, args: tuple, kwargs: dict) -> None:
        self.obstacles: list[Obstacle] = []
        self.leaves, self.structure = tree.flatten((args, kwargs))
        self.places = [i for i, x in enumerate(self.leaves) if self.is_operand(x)]
        paths = [p.codify("") for p in self.structure.accessors()]
        self.names = [_argument_name(f, paths[i]) for i in self.places]
        self.output_names: list[str] = []
        self.complete = True
        self.lines: frozenset[str] = frozenset()
        self.graph: Graph

    @staticmethod
    def is_operand(x: Any) -> bool:
        """Whether an argument is traced: arrays, their types, and numbers."""
        if isinstance(x, (Tracer, ShapedArray)) or type(x) in (float, complex, int, bool):
            return True
        return isinstance(getattr(x, "dtype", None), np.dtype) and x.dtype.kind in "biufc"

    @property
    def how(self) -> str:
        """See ``Explanation``."""
        return "partly" if not self.complete else "values" if self.lines else "types"

    @property
    def has_values(self) -> bool:
        """Whether all arguments have values."""
        return not any(isinstance(x, ShapedArray) for x in self.leaves)

    def runs(self, f: Callable) -> bool:
        """Whether the function takes its arguments as they are."""
        args, kwargs = tree.unflatten(self.structure, self.leaves)
        try:
            with np.errstate(all="ignore"):
                f(*args, **kwargs)
        except Exception:
            return False
        return self.has_values

    def stage(self, f: Callable) -> tuple[ShowingTrace, list, Any]:
        """Stage the function once, showing values at the lines noted."""
        trace = ShowingTrace(("explain", f), self.lines)
        full = list(self.leaves)
        variables = []
        for i in self.places:
            x = self.leaves[i]
            aval = x if isinstance(x, ShapedArray) else aval_of(as_array(x))
            tracer = full[i] = trace.input(aval)
            if type(x) in (int, float, complex):
                tracer.weak = type(x)(0)
            variables.append(tracer._var)
            if not isinstance(x, ShapedArray):
                trace.values[tracer._var] = as_array(x)
        args, kwargs = tree.unflatten(self.structure, full)
        try:
            with remembering_lines(), under(trace):
                out = f(*args, **kwargs)
        except BaseException:
            self.partial = trace, variables
            raise
        return trace, variables, out


def record_by_line(f: Callable, args: tuple, kwargs: dict) -> Recorded:
    """Stage ``f``, going on with values where it asks for them."""
    made = Recorded(f, args, kwargs)
    outputs: list[Any] = []
    while True:
        try:
            trace, variables, out = made.stage(f)
        except TooLong:
            trace, variables = made.partial
            made.complete = False
            advice = "Write its loop as a scan or fori_loop, or let script do it."
            line = trace.equations[-1].line or "an unknown line"
            said = f"more than {MOST_EQUATIONS:,} operations are written out one by one"
            made.obstacles.append(Obstacle(line, said, advice))
            break
        except (TypeError, ValueError) as error:
            refusal: BaseException = error
            if isinstance(error.__cause__, REFUSALS):
                refusal = error.__cause__
            elif not isinstance(error, REFUSALS) and not made.runs(f):
                raise
            line = line_of_error(error)
            again = line in made.lines
            if not again:
                made.obstacles.append(Obstacle(line, _message(refusal, line), ""))
            if again or not made.has_values or len(made.obstacles) >= MOST_OBSTACLES:
                trace, variables = made.partial
                made.complete = False
                break
            made.lines |= {line}
        else:
            leaves, structure = tree.flatten(out)
            paths = [p.codify("result") for p in structure.accessors()]
            for x, path in zip(leaves, paths, strict=True):
                if made.is_operand(x):
                    outputs.append(x)
                    made.output_names.append(path)
            break
    with under(trace):
        results = [trace.variable(as_array(x)) for x in outputs]
    made.graph = Graph(variables, trace.constants, trace.captured, trace.equations, [*results])
    if made.obstacles:
        _advise(made, f)
    assert state.trace is EVAL
    return made


def _advise(made: Recorded, f: Callable) -> None:
    """Say of the obstacles whether ``script`` removes them."""
    if getattr(f, "__scripted__", False):
        return
    try:
        made_by_script = Recorded(f, *tree.unflatten(made.structure, made.leaves))
        made_by_script.stage(script(f))
    except (TooLong, *REFUSALS) as error:
        advice = f"script does not take it either: {error}" if made.complete else ""
    except Exception:
        return
    else:
        advice = "jit(f, script=True) compiles it as it stands."
    made.obstacles = [Obstacle(x.line, x.message, x.advice or advice) for x in made.obstacles]


def _message(error: BaseException, line: str) -> str:
    """What an error says, without the line and the transform, which are told beside it."""
    said = str(error).replace(f", at {line}", "").replace(f" at {line}", "")
    return re.sub(r"^explain\([^)]*\): ", "", said)


def _argument_name(f: Callable, path: str) -> str:
    """``x['w'][0]`` of a path into ``(args, kwargs)``."""
    found = re.match(r"\[(\d)\]\[(\d+|'[^']*')\](.*)$", path, re.DOTALL)
    if found is None:
        return path
    which, key, rest = found.groups()
    if which == "1":
        return key.strip("'") + rest
    code = getattr(getattr(f, "__wrapped__", f), "__code__", None)
    count = code.co_argcount if code is not None else 0
    k = int(key)
    return (code.co_varnames[k] if k < count else f"argument {k}") + rest  # type: ignore[union-attr]
