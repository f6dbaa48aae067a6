"""Straight-line code on scalars: what the body of a kernel and a mathematical function are.

A ``Body`` is a list of statements in static single assignment, built by writing ordinary
arithmetic on ``Value`` objects. It says nothing of arrays or loops; printers turn it into LLVM,
Numba or CUDA text.

dtypes are short strings: ``f64 f32 i64 i32 i16 i8 u64 u32 u16 u8`` and ``i1`` for truth values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["Body", "Function", "Statement", "Value", "trace_function"]

FLOATS = frozenset({"f64", "f32"})


class Statement(NamedTuple):
    """``result = op(arguments)``; ``more`` holds what is not a value: a function, a table."""

    result: Value
    op: str
    arguments: tuple[Any, ...]
    more: Any = None


class Value:
    """A scalar: an SSA name with a dtype, whose operators append statements to its body.

    The other operand of an operator may be a Python number, which takes this value's dtype.
    """

    __slots__ = ("body", "dtype", "name")
    __hash__ = object.__hash__

    def __init__(self, body: Body, name: str, dtype: str) -> None:
        self.body = body
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype}"

    def _with(self, op: str, *arguments: Any, dtype: str | None = None, more: Any = None) -> Value:
        return self.body.emit(op, dtype or self.dtype, *arguments, more=more)

    def __add__(self, other: Any) -> Value:
        return self._with("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self._with("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self._with("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self._with("mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self._with("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("div", other, self)

    def __neg__(self) -> Value:
        return self._with("neg", self)

    def __lt__(self, other: Any) -> Value:
        return self._with("lt", self, other, dtype="i1")

    def __le__(self, other: Any) -> Value:
        return self._with("le", self, other, dtype="i1")

    def __gt__(self, other: Any) -> Value:
        return self._with("gt", self, other, dtype="i1")

    def __ge__(self, other: Any) -> Value:
        return self._with("ge", self, other, dtype="i1")

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return self._with("eq", self, other, dtype="i1")

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._with("ne", self, other, dtype="i1")

    def __and__(self, other: Any) -> Value:
        return self._with("and", self, other)

    def __or__(self, other: Any) -> Value:
        return self._with("or", self, other)

    def __xor__(self, other: Any) -> Value:
        return self._with("xor", self, other)

    def __invert__(self) -> Value:
        return self._with("not", self)

    def __lshift__(self, other: Any) -> Value:
        return self._with("shl", self, other)

    def __rshift__(self, other: Any) -> Value:
        """Arithmetic shift of a signed integer."""
        return self._with("shr", self, other)

    # Named operations

    def shift_right_logical(self, other: Any) -> Value:
        """Shift that fills with zeros."""
        return self._with("lshr", self, other)

    def sqrt(self) -> Value:
        return self._with("sqrt", self)

    def abs(self) -> Value:
        return self._with("abs", self)

    def floor(self) -> Value:
        return self._with("floor", self)

    def ceil(self) -> Value:
        return self._with("ceil", self)

    def trunc(self) -> Value:
        return self._with("trunc", self)

    def rint(self) -> Value:
        """Round to the nearest integer, ties to even."""
        return self._with("rint", self)

    def copysign(self, sign: Any) -> Value:
        return self._with("copysign", self, sign)

    def bits(self) -> Value:
        """The bits of a float as a signed integer of its width."""
        return self._with("bits", self, dtype="i" + self.dtype[1:])

    def from_bits(self) -> Value:
        """The float whose bits these are."""
        return self._with("from_bits", self, dtype="f" + self.dtype[1:])

    def convert(self, dtype: str) -> Value:
        """As C converts; a float beyond an integer's range gives an arbitrary one."""
        return self if dtype == self.dtype else self._with("convert", self, dtype=dtype)


def fma(x: Any, y: Any, z: Any) -> Value:
    """``x * y + z`` rounded once."""
    first = next(v for v in (x, y, z) if isinstance(v, Value))
    return first.body.emit("fma", first.dtype, x, y, z)


def select(condition: Value, x: Any, y: Any) -> Value:
    """``x`` where the condition holds, else ``y``; both are computed."""
    dtype = x.dtype if isinstance(x, Value) else y.dtype
    return condition.body.emit("select", dtype, condition, x, y)


def minimum(x: Any, y: Any) -> Value:
    """The smaller, by ``x < y ? x : y``: the second operand where either is a NaN."""
    first = x if isinstance(x, Value) else y
    return select(_less(first, x, y), x, y)


def maximum(x: Any, y: Any) -> Value:
    """The larger, by ``x > y ? x : y``: the second operand where either is a NaN."""
    first = x if isinstance(x, Value) else y
    return select(_less(first, y, x), x, y)


def _less(first: Value, x: Any, y: Any) -> Value:
    return first.body.emit("lt", "i1", x, y)


def lookup(table: Sequence[float], index: Value, dtype: str) -> Value:
    """``table[index]`` of a constant table; the index must be within it."""
    return index.body.emit("lookup", dtype, index, more=tuple(table))


class Function:
    """A scalar function of scalars: parameters, statements and the result."""

    __slots__ = ("body", "dtype", "name", "parameters", "result")

    def __init__(self, name: str, body: Body, parameters: Sequence[Value], result: Value) -> None:
        self.name = name
        self.body = body
        self.parameters = tuple(parameters)
        self.result = result
        self.dtype = result.dtype


class Body:
    """A list of statements; ``prefix`` begins the names of its values."""

    __slots__ = ("prefix", "statements")

    def __init__(self, prefix: str = "v") -> None:
        self.prefix = prefix
        self.statements: list[Statement] = []

    def emit(self, op: str, dtype: str, *arguments: Any, more: Any = None) -> Value:
        """Append a statement and return its result."""
        result = Value(self, f"{self.prefix}{len(self.statements)}", dtype)
        self.statements.append(Statement(result, op, arguments, more))
        return result

    def math(self, name: str, *arguments: Value) -> Value:
        """Call a function of ``vector_math`` of the arguments' dtype."""
        dtype = arguments[0].dtype
        return self.call(f"{name}.{dtype}", dtype, *arguments)

    def call(self, function: str, dtype: str, *arguments: Any) -> Value:
        """Call a function of ``vector_math`` by name; ``dtype`` is its result's."""
        return self.emit("call", dtype, *arguments, more=function)


def trace_function(name: str, function: Callable[..., Any], dtypes: Sequence[str]) -> Function:
    """Run a Python function on symbolic scalars and keep what it did."""
    body = Body()
    parameters = [Value(body, f"x{i}", dtype) for i, dtype in enumerate(dtypes)]
    return Function(name, body, parameters, function(*parameters))
