"""Two runs of one function: values of the first that the second takes instead of computing.

Every value is numbered by the operation that made it, its params and the numbers of its operands,
so that the same expression has the same number in both runs, whichever rules run beside it. The
first run keeps what a policy asks for. In the second, an operation is put off until its value is
needed: what only leads to kept values is never computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .function_primitives import FunctionPrimitive, entering
from .primitives.core import (
    PrimalTracer,
    Primitive,
    ShapedArray,
    Trace,
    Tracer,
    aval_of,
    state,
    under,
)
from .primitives.marking import name_value
from .reverse import ReverseTracer

__all__ = ["Memo", "RecallTrace", "saving"]

HASHED = 1 << 16  # constants of at most so many elements are told apart by their elements
PLAIN = (int, float, complex, bool, str, bytes, type(None), np.dtype, np.generic)


class Memo:
    """Numbers of expressions, and which values a policy keeps, in the order of ``kept``."""

    def __init__(self, policy: Any, target: Any) -> None:
        self.policy = policy
        self.target = target  # the reverse trace whose tracers a function may close over
        self.numbers: dict[Any, int] = {}
        self.avals: dict[int, ShapedArray] = {}
        self.held: dict[int, Any] = {}  # objects whose identity is part of a number
        self.kept: list[int] = []

    def number(self, key: Any) -> int:
        """The number of an expression."""
        return self.numbers.setdefault(key, len(self.numbers))

    def constant(self, x: Any) -> int:
        """The number of a value from outside the function."""
        while type(x) is ReverseTracer and x._trace is self.target:
            x = x.primal
        if type(x) in (int, float, complex, bool):
            return self.number(("number", type(x), repr(x)))
        if not isinstance(x, Tracer):
            x = as_array(x)
            if isinstance(x, (np.ndarray, np.generic)) and x.size <= HASHED:
                digest = hashlib.blake2b(x.tobytes()).digest()
                return self.number(("array", x.shape, x.dtype.str, digest))
        self.held[id(x)] = x
        return self.number(("object", id(x)))


class Numbered(PrimalTracer):
    """A value of a run, with the number of its expression."""

    __slots__ = ("number",)

    def __init__(self, trace: Trace, primal: Any, number: int) -> None:
        self._trace = trace
        self.primal = primal
        self.number = number

    def become(self, other: Any) -> None:
        """Stand for another value from here on: what assignment to an element does."""
        trace: Any = self._trace
        own = trace.wrapped(other)
        self.primal, self.number = own.primal, own.number


class NumberingTrace(Trace):
    """What both runs share."""

    __slots__ = ("memo", "met")

    def __init__(self, parent: Trace, memo: Memo) -> None:
        super().__init__(parent, memo.target.label)
        self.memo = memo
        self.met: dict[Any, int] = {}  # how often an operation without plain params was met

    def wrapped(self, x: Any) -> Any:
        """A value as a tracer of this trace."""
        if isinstance(x, Numbered) and x._trace is self:
            return x
        return Numbered(self, as_array(x), self.memo.constant(x))

    def constant(self, value: Any) -> Any:
        return self.wrapped(value)

    def value(self, x: Any) -> Any:
        """What a tracer of this trace stands for."""
        return x.primal if isinstance(x, Numbered) and x._trace is self else x

    def numbers(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> tuple:
        """What tells this operation from others."""
        given = tuple(
            x.number if isinstance(x, Numbered) and x._trace is self else self.memo.constant(x)
            for x in operands
        )
        key: tuple = (primitive.name, given)
        if _plain(params):
            return (*key, repr(sorted(params.items(), key=lambda item: item[0])))
        # Functions and graphs are made anew in each run, in the same order.
        count = self.met[key] = self.met.get(key, -1) + 1
        return (*key, count)

    def compute(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        """Apply an operation in the sense of the parent."""
        values = [self.value(x) for x in operands]
        if isinstance(primitive, FunctionPrimitive):
            params = {**params, **{k: self.seen(params[k]) for k in primitive.functions}}
        with under(self.parent):
            return self.parent.process(primitive, values, params)

    def seen(self, function: Callable) -> Callable:
        """A function with this trace's tracers replaced by what they stand for."""

        def run(*args: Any) -> Any:
            with entering(self):
                return tree.map(self.value, function(*args))

        return run


def _plain(value: Any) -> bool:
    """Whether the ``repr`` of params tells them from others."""
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    if isinstance(value, (tuple, list)):
        return all(map(_plain, value))
    if isinstance(value, slice):
        return _plain((value.start, value.stop, value.step))
    return isinstance(value, PLAIN)


class SavingTrace(NumberingTrace):
    """The first run: notes the values to be kept."""

    __slots__ = ("found", "names")

    def __init__(self, parent: Trace, memo: Memo) -> None:
        super().__init__(parent, memo)
        self.found: dict[int, Any] = {}
        self.names: set[str] = set()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        memo = self.memo
        key = self.numbers(primitive, operands, params)
        answer = self.compute(primitive, operands, params)
        answers = answer if primitive.multiple_results else (answer,)
        made = []
        for i, x in enumerate(answers):
            number = memo.number((*key, i))
            memo.avals[number] = aval_of(x)
            made.append(Numbered(self, x, number))
        keep = memo.policy(primitive, *map(aval_of, operands), **params)
        if keep:
            self.found.update((x.number, x.primal) for x in made)
        if primitive is name_value:
            self.names.add(params["name"])
            # What was named is the same value, which its own derivative may read.
            if keep:
                self.found[key[1][0]] = made[0].primal
            else:
                self.found.pop(key[1][0], None)
        return tuple(made) if primitive.multiple_results else made[0]


def saving(memo: Memo, function: Callable) -> Callable:
    """``function``, with the values that the memo's policy keeps as further results."""

    def run(*args: Any) -> list[Any]:
        trace = SavingTrace(state.trace, memo)
        inputs = [Numbered(trace, x, memo.number(("input", i))) for i, x in enumerate(args)]
        with under(trace):
            results = [trace.value(x) for x in function(*inputs)]
        memo.policy.check(trace.names)
        memo.kept = list(trace.found)
        return [*results, *trace.found.values()]

    return run


class Recalled(Numbered):
    """A value of the second run, which is computed when it is first needed."""

    __slots__ = ("waiting",)

    def __init__(self, trace: Trace, number: int, waiting: Waiting) -> None:
        self._trace = trace
        self.number = number
        self.waiting: Any = waiting

    def __getattr__(self, name: str) -> Any:
        if name != "primal":  # whose slot is empty
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.waiting.run()
        return self.primal

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        trace: Any = self._trace
        return trace.memo.avals[self.number].shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        trace: Any = self._trace
        return trace.memo.avals[self.number].dtype


class Waiting:
    """An operation that is put off."""

    __slots__ = ("made", "operands", "params", "primitive", "trace")

    def __init__(
        self, trace: RecallTrace, primitive: Primitive, operands: Sequence[Any], params: dict
    ) -> None:
        self.trace = trace
        self.primitive = primitive
        self.operands = operands
        self.params = params
        self.made: list[Recalled] = []

    def run(self) -> None:
        """Compute it, after all that waits before it; a chain may be too long to recurse."""
        stack = [self]
        while stack:
            last = stack[-1]
            before = [
                x.waiting for x in last.operands if type(x) is Recalled and x.waiting is not None
            ]
            if last.done():
                stack.pop()
            elif before:
                stack.extend(before)
            else:
                last.compute()
                stack.pop()

    def done(self) -> bool:
        return self.made[0].waiting is None

    def compute(self) -> None:
        trace = self.trace
        answer = trace.compute(self.primitive, self.operands, self.params)
        answers = answer if self.primitive.multiple_results else (answer,)
        for tracer, x in zip(self.made, answers, strict=True):
            tracer.primal = trace.saved.get(tracer.number, x)
            tracer.waiting = None


class RecallTrace(NumberingTrace):
    """The second run: takes the values that were kept."""

    __slots__ = ("recording", "saved")

    def __init__(self, parent: Trace, memo: Memo, saved: Sequence[Any]) -> None:
        super().__init__(parent, memo)
        self.saved = dict(zip(memo.kept, saved, strict=True))
        self.recording = True  # afterwards, its tracers' values are what is left to take

    def known(self, number: int, x: Any) -> Numbered:
        """A value from outside as a tracer."""
        self.memo.avals[number] = aval_of(x)
        return Numbered(self, x, number)

    def input(self, i: int, x: Any) -> Numbered:
        """An operand of the function."""
        return self.known(self.memo.number(("input", i)), x)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict) -> Any:
        if not self.recording:
            return self.compute(primitive, operands, params)
        memo, several = self.memo, primitive.multiple_results
        key = self.numbers(primitive, operands, params)
        numbers: list[int] = []
        while (number := memo.numbers.get((*key, len(numbers)))) is not None:
            numbers.append(number)
            if not several:
                break
        made: list[Any]
        if numbers and all(n in self.saved for n in numbers):
            made = [Numbered(self, self.saved[n], n) for n in numbers]
        elif not numbers or primitive.effect or primitive.carries_function:
            # A rule's own operation, or one that is not put off.
            answer = self.compute(primitive, operands, params)
            made = []
            for i, x in enumerate(answer if several else (answer,)):
                number = memo.number((*key, i))
                memo.avals[number] = aval_of(x)
                made.append(Numbered(self, self.saved.get(number, x), number))
        else:
            waiting = Waiting(self, primitive, operands, params)
            made = waiting.made = [Recalled(self, n, waiting) for n in numbers]
        return tuple(made) if several else made[0]
