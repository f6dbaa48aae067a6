"""What an elementwise primitive does to scalars, by the primitive's name.

Operands have been converted to the dtype the function computes in. A name that is missing here,
or a dtype it refuses by returning None, is left to NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .scalar import FLOATS, Value, select

__all__ = ["SCALAR_FUNCTIONS"]


def _call(name: str) -> Callable:
    def function(*arguments: Value) -> Value | None:
        dtype = arguments[0].dtype
        if dtype not in FLOATS:
            return None
        return arguments[0].body.math(name, *arguments)

    return function


def _floats(function: Callable) -> Callable:
    """Only for floats."""
    return lambda *xs: function(*xs) if xs[0].dtype in FLOATS else None


def _numbers(function: Callable) -> Callable:
    """For all but truth values, whose arithmetic is another."""
    return lambda *xs: None if xs[0].dtype == "i1" else function(*xs)


def _bits(function: Callable) -> Callable:
    """For integers and truth values."""
    return lambda *xs: None if xs[0].dtype in FLOATS else function(*xs)


def _nan(x: Value) -> Value:
    return x != x


def _maximum(x: Value, y: Value) -> Value:
    if x.dtype in FLOATS:  # a NaN in either operand is the answer
        return select((x >= y) | _nan(x), x, y)
    return (x | y) if x.dtype == "i1" else select(x >= y, x, y)


def _minimum(x: Value, y: Value) -> Value:
    if x.dtype in FLOATS:
        return select((x <= y) | _nan(x), x, y)
    return (x & y) if x.dtype == "i1" else select(x <= y, x, y)


def _sign(x: Value) -> Value:
    if x.dtype in FLOATS:
        return select(x > 0, 1.0, select(x < 0, -1.0, select(_nan(x), x, 0.0)))
    return select(x > 0, x.body.constant(1, x.dtype), select(x < 0, x ^ x ^ -1, x ^ x))  # type: ignore[attr-defined]


def _absolute(x: Value) -> Value:
    if x.dtype in FLOATS:
        return x.abs()
    return x if x.dtype[0] == "u" else select(x < 0, -x, x)


def _divide_parts(x: Value, y: Value) -> tuple[Value, Value]:
    """Python's floor division and remainder of floats, as NumPy computes them."""
    rest = x.body.emit("rem", x.dtype, x, y)
    quotient = (x - rest) / y
    differs = (rest != 0) & ((y < 0) ^ (rest < 0))
    mod = select(differs, rest + y, rest)
    mod = select(mod == 0, mod.abs().copysign(y), mod)
    quotient = select(differs, quotient - 1.0, quotient)
    floored = quotient.floor()
    floored = select(quotient - floored > 0.5, floored + 1.0, floored)
    zero = (x / y).abs() * 0.0
    quotient = select(quotient != 0, floored, zero.copysign(x / y))
    return select(y == 0, x / y, quotient), mod


def _integer_parts(x: Value, y: Value) -> tuple[Value, Value]:
    """Floor division and remainder of integers; both are 0 where the divisor is, as in NumPy."""
    kind = x.dtype
    zero, one = (x.body.constant(k, kind) for k in (0, 1))  # type: ignore[attr-defined]
    none = y == 0
    if kind[0] == "u":
        safe = select(none, one, y)
        quotient, rest = (x.body.emit(op, kind, x, safe) for op in ("div", "rem"))
        return select(none, zero, quotient), select(none, zero, rest)
    # The processor stops at the smallest number divided by -1.
    opposite = y == -1
    safe = select(none | opposite, one, y)
    quotient = x.body.emit("div", kind, x, safe)
    rest = x.body.emit("rem", kind, x, safe)
    differs = (rest != 0) & ((y < 0) ^ (rest < 0))
    quotient = select(opposite, zero - x, select(differs, quotient - one, quotient))
    rest = select(differs, rest + safe, rest)
    return select(none, zero, quotient), select(none | opposite, zero, rest)


def _divided(part: int) -> Callable[[Value, Value], Value | None]:
    def function(x: Value, y: Value) -> Value | None:
        if x.dtype == "i1":
            return None
        return (_divide_parts if x.dtype in FLOATS else _integer_parts)(x, y)[part]

    return function


def _heaviside(x: Value, y: Value) -> Value:
    below = x - x  # a zero of its dtype; NaN was seen to
    return select(_nan(x), x, select(x == 0, y, select(x < 0, below, 1.0)))


def _xlogy(x: Value, y: Value) -> Value:
    log = x.body.call(f"log.{x.dtype}", x.dtype, y)
    return select((x == 0) & (y == y), 0.0, x * log)


def _entr(x: Value) -> Value:
    log = x.body.call(f"log.{x.dtype}", x.dtype, x)
    return select(x > 0, -(x * log), select(x == 0, 0.0, select(_nan(x), x, -math.inf)))


def _log_expit(x: Value) -> Value:
    # -log1p(exp(-x)), turned round for negative x
    exp = x.body.call(f"exp.{x.dtype}", x.dtype, -x.abs())
    log = x.body.call(f"log1p.{x.dtype}", x.dtype, exp)
    return select(x < 0, x, 0.0) - log


def _erfc_ndtr(x: Value) -> Value:
    half = x * -0.7071067811865476
    return x.body.call(f"erfc.{x.dtype}", x.dtype, half) * 0.5


def _square(x: Value) -> Value:
    return x * x


SCALAR_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _numbers(lambda x, y: x + y),
    "subtract": _numbers(lambda x, y: x - y),
    "multiply": lambda x, y: x & y if x.dtype == "i1" else x * y,
    "divide": _floats(lambda x, y: x / y),
    "negative": _numbers(lambda x: -x),
    "positive": _numbers(lambda x: x),
    "square": _numbers(_square),
    "reciprocal": _floats(lambda x: 1.0 / x),
    "sqrt": _floats(lambda x: x.sqrt()),
    "root_of_square_sum": _floats(lambda x: x.sqrt()),
    "remainder": _divided(1),
    "floor_divide": _divided(0),
    "fmod": _floats(lambda x, y: x.body.emit("rem", x.dtype, x, y)),
    "deg2rad": _floats(lambda x: x * (math.pi / 180)),
    "rad2deg": _floats(lambda x: x * (180 / math.pi)),
    "absolute": _numbers(_absolute),
    "copysign": _floats(lambda x, y: x.copysign(y)),
    "heaviside": _floats(_heaviside),
    "maximum": _maximum,
    "minimum": _minimum,
    "fmax": _floats(lambda x, y: select((x >= y) | _nan(y), x, y)),
    "fmin": _floats(lambda x, y: select((x <= y) | _nan(y), x, y)),
    "select": lambda condition, x, y: select(condition, x, y),
    "sign": _numbers(_sign),
    "floor": _floats(lambda x: x.floor()),
    "ceil": _floats(lambda x: x.ceil()),
    "trunc": _floats(lambda x: x.trunc()),
    "rint": _floats(lambda x: x.rint()),
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "logical_and": lambda x, y: x & y if x.dtype == "i1" else None,
    "logical_or": lambda x, y: x | y if x.dtype == "i1" else None,
    "logical_xor": lambda x, y: x ^ y if x.dtype == "i1" else None,
    "logical_not": lambda x: ~x if x.dtype == "i1" else None,
    "bitwise_and": _bits(lambda x, y: x & y),
    "bitwise_or": _bits(lambda x, y: x | y),
    "bitwise_xor": _bits(lambda x, y: x ^ y),
    "bitwise_not": _bits(lambda x: ~x),
    "isnan": _floats(_nan),
    "isinf": _floats(lambda x: x.abs() == math.inf),
    "isfinite": _floats(lambda x: x.abs() < math.inf),
    "signbit": _floats(lambda x: x.bits() < 0),
    "xlogy": _floats(_xlogy),
    "entr": _floats(_entr),
    "log_expit": _floats(_log_expit),
    "ndtr": _floats(_erfc_ndtr),
    **{
        name: _call(name)
        for name in (
            *("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan"),
            *("arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsinh"),
            *("arccosh", "arctanh", "cbrt", "power", "hypot", "erf", "erfc", "erfinv"),
            *("gammaln", "psi", "expit", "logaddexp", "logaddexp2"),
        )
    },
}
