"""Functions of each element alone.

A rule ``(t, answer, *operands) -> contribution`` is linear in ``t`` and is used for tangents
and cotangents alike; constants in it are Python numbers, which do not promote float32. The
formulas are the textbook ones (Abramowitz and Stegun, chapters 4 and 6).

Where a derivative does not exist: ``absolute`` has slope 0 at 0; ``maximum`` and ``minimum``
share equally between operands that tie; ``hypot`` and ``arctan2`` have slope 0 at the
origin; ``0 ** y`` has slope 0 in ``y``. ``sqrt`` and ``log`` at 0 keep their IEEE limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .core import (
    Choice,
    Elementwise,
    General,
    ShapedArray,
    Tracer,
    _promoted,
    beside,
    dtype_of,
    elementwise,
    fit,
    shape_of,
)
from .structural import conjugate, convert, real

LN2 = math.log(2.0)
LN10 = math.log(10.0)

# --- arithmetic ----------------------------------------------------------------------------

add = elementwise(
    "add",
    np.add,
    rules=(lambda t, ans, x, y: t, lambda t, ans, x, y: t),
    linear=(0, 1),
    jointly=True,
)
subtract = elementwise(
    "subtract",
    np.subtract,
    rules=(lambda t, ans, x, y: t, lambda t, ans, x, y: negative(t)),
    linear=(0, 1),
    jointly=True,
)
multiply = elementwise(
    "multiply",
    np.multiply,
    rules=(lambda t, ans, x, y: multiply(t, y), lambda t, ans, x, y: multiply(t, x)),
    linear=(0, 1),
)
divide = elementwise(
    "divide",
    np.divide,
    rules=(
        lambda t, ans, x, y: divide(t, y),
        lambda t, ans, x, y: negative(multiply(t, divide(ans, y))),
    ),
    linear=(0,),
)
negative = elementwise("negative", np.negative, (lambda t, ans, x: negative(t),), linear=(0,))
positive = elementwise("positive", np.positive, (lambda t, ans, x: t,), linear=(0,))


def _power_base_rule(t: Any, ans: Any, x: Any, y: Any) -> Any:
    if type(y) is int or type(y) is float:  # the common x**2, x**0.5
        if y == 0:
            return multiply(t, 0)
        return multiply(t, multiply(y, x if y == 2 else power(x, y - 1)))
    # y x^(y-1), and 0 at y = 0 even where x^-1 is infinite.
    flat = equal(y, 0)
    return multiply(t, multiply(y, power(x, select(flat, 1, subtract(y, 1)))))


def _power_exponent_rule(t: Any, ans: Any, x: Any, y: Any) -> Any:
    return multiply(t, multiply(ans, log(select(equal(x, 0), 1, x))))


def ones_like(x: Any) -> Any:
    """Ones with the shape and dtype of an operand, taking no memory of their own."""
    return np.broadcast_to(beside(x, np.ones((), dtype_of(x))), shape_of(x))


power = elementwise("power", np.power, (_power_base_rule, _power_exponent_rule))
square = elementwise("square", np.square, (lambda t, ans, x: multiply(t, multiply(2.0, x)),))
sqrt = elementwise("sqrt", np.sqrt, (lambda t, ans, x: divide(t, multiply(2.0, ans)),))
cbrt = elementwise("cbrt", np.cbrt, (lambda t, ans, x: divide(t, multiply(3.0, square(ans))),))
reciprocal = elementwise(
    "reciprocal", np.reciprocal, (lambda t, ans, x: negative(multiply(t, square(ans))),)
)
remainder = elementwise(
    "remainder",
    np.remainder,
    (lambda t, ans, x, y: t, lambda t, ans, x, y: negative(multiply(t, floor_divide(x, y)))),
)
fmod = elementwise(
    "fmod",
    np.fmod,
    (lambda t, ans, x, y: t, lambda t, ans, x, y: negative(multiply(t, trunc(divide(x, y))))),
)


class _Ldexp(Elementwise):
    """Keeps the exponent an integer: the operands are broadcast, not promoted."""

    __slots__ = ()

    def align(self, operands: tuple) -> tuple:
        x, power = operands
        if type(power) is int:  # a graph would make it a number of the dtype of x
            operands = (x, beside(x, np.asarray(power)))
        shape = np.broadcast_shapes(*map(shape_of, operands))
        return tuple(fit(x, shape, x.dtype) if isinstance(x, Tracer) else x for x in operands)


ldexp = _Ldexp("ldexp", np.ldexp, (lambda t, ans, x, y: ldexp(t, y), None), linear=(0,))

# --- exponentials and logarithms -------------------------------------------------------------

exp = elementwise("exp", np.exp, (lambda t, ans, x: multiply(t, ans),))
exp2 = elementwise("exp2", np.exp2, (lambda t, ans, x: multiply(t, multiply(LN2, ans)),))
expm1 = elementwise("expm1", np.expm1, (lambda t, ans, x: multiply(t, exp(x)),))
log = elementwise("log", np.log, (lambda t, ans, x: divide(t, x),))
log2 = elementwise("log2", np.log2, (lambda t, ans, x: divide(t, multiply(LN2, x)),))
log10 = elementwise("log10", np.log10, (lambda t, ans, x: divide(t, multiply(LN10, x)),))
log1p = elementwise("log1p", np.log1p, (lambda t, ans, x: divide(t, add(1.0, x)),))


def _excess(x: Any, ans: Any) -> Any:
    """``x - ans`` for the share of ``x`` in a sum, without inf - inf: 0 where they are equal."""
    same = equal(x, ans)
    excess = subtract(select(same, 0, x), select(same, 0, ans))
    return select(equal(ans, -math.inf), -math.inf, excess)


logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    (
        lambda t, ans, x, y: multiply(t, exp(_excess(x, ans))),
        lambda t, ans, x, y: multiply(t, exp(_excess(y, ans))),
    ),
)
logaddexp2 = elementwise(
    "logaddexp2",
    np.logaddexp2,
    (
        lambda t, ans, x, y: multiply(t, exp2(_excess(x, ans))),
        lambda t, ans, x, y: multiply(t, exp2(_excess(y, ans))),
    ),
)

# --- trigonometric and hyperbolic --------------------------------------------------------------

sin = elementwise("sin", np.sin, (lambda t, ans, x: multiply(t, cos(x)),))
cos = elementwise("cos", np.cos, (lambda t, ans, x: negative(multiply(t, sin(x))),))
tan = elementwise("tan", np.tan, (lambda t, ans, x: multiply(t, add(1.0, square(ans))),))


def _one_minus_square(x: Any) -> Any:
    if dtype_of(x).kind == "c":
        # On the branch cuts the sign of a zero says which side is meant: 1 - z would lose it.
        return negative(subtract(square(x), 1.0))
    return subtract(1.0, square(x))


def _on_side(root: Any, ans: Any, function: Any) -> Any:
    """``root``, with the sign of ``function(ans)``, which knows the side of a branch cut.

    Sums such as 1 - z^2 do not: they lose the sign of an imaginary zero.
    """
    if dtype_of(root).kind != "c":
        return root
    return select(less(real(multiply(root, conjugate(function(ans)))), 0), negative(root), root)


arcsin = elementwise(
    "arcsin",
    np.arcsin,
    (lambda t, ans, x: divide(t, _on_side(sqrt(subtract(1.0, square(x))), ans, cos)),),
)
arccos = elementwise(
    "arccos",
    np.arccos,
    (lambda t, ans, x: negative(divide(t, _on_side(sqrt(subtract(1.0, square(x))), ans, sin))),),
)
arctan = elementwise("arctan", np.arctan, (lambda t, ans, x: divide(t, add(1.0, square(x))),))
sinh = elementwise("sinh", np.sinh, (lambda t, ans, x: multiply(t, cosh(x)),))
cosh = elementwise("cosh", np.cosh, (lambda t, ans, x: multiply(t, sinh(x)),))
tanh = elementwise("tanh", np.tanh, (lambda t, ans, x: multiply(t, subtract(1.0, square(ans))),))
arcsinh = elementwise(
    "arcsinh", np.arcsinh, (lambda t, ans, x: divide(t, sqrt(subtract(square(x), -1.0))),)
)
arccosh = elementwise(
    "arccosh",
    np.arccosh,
    (lambda t, ans, x: divide(t, multiply(sqrt(subtract(x, 1.0)), sqrt(subtract(x, -1.0)))),),
)
arctanh = elementwise(
    "arctanh", np.arctanh, (lambda t, ans, x: divide(t, subtract(1.0, square(x))),)
)
deg2rad = elementwise("deg2rad", np.deg2rad, (lambda t, ans, x: deg2rad(t),), linear=(0,))
rad2deg = elementwise("rad2deg", np.rad2deg, (lambda t, ans, x: rad2deg(t),), linear=(0,))


def _nonzero(x: Any) -> Any:
    return select(equal(x, 0), 1, x)


def _squared_radius(x: Any, y: Any) -> Any:
    return _nonzero(add(square(x), square(y)))


arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    (
        lambda t, ans, y, x: multiply(t, divide(x, _squared_radius(x, y))),
        lambda t, ans, y, x: negative(multiply(t, divide(y, _squared_radius(x, y)))),
    ),
)
hypot = elementwise(
    "hypot",
    np.hypot,
    (
        lambda t, ans, x, y: multiply(t, divide(x, _nonzero(ans))),
        lambda t, ans, x, y: multiply(t, divide(y, _nonzero(ans))),
    ),
)
# The length of a vector from its square: sqrt, but with slope 0 at 0, so that norms do not
# stop an optimiser at the origin.
root_of_square_sum = elementwise(
    "root_of_square_sum",
    np.sqrt,
    (lambda t, ans, x: divide(t, multiply(2.0, select(equal(ans, 0), math.inf, ans))),),
)


# --- kinks -----------------------------------------------------------------------------------

absolute = elementwise("absolute", np.absolute, (lambda t, ans, x: multiply(t, sign(x)),))
# The neighbour moves along with x.
nextafter = elementwise("nextafter", np.nextafter, (lambda t, ans, x, y: t, None))
copysign = elementwise(
    "copysign",
    np.copysign,
    (
        lambda t, ans, x, y: multiply(t, multiply(copysign(1.0, x), copysign(1.0, y))),
        None,
    ),
)
heaviside = elementwise(
    "heaviside", np.heaviside, (None, lambda t, ans, x, y: multiply(t, equal(x, 0)))
)


def _share(t: Any, above: Any, not_below: Any) -> Any:
    """``t`` where above, half of it where tied, 0 where below."""
    dtype = dtype_of(t)
    twice = add(convert(above, dtype=dtype), convert(not_below, dtype=dtype))
    return multiply(t, multiply(0.5, twice))


maximum = elementwise(
    "maximum",
    np.maximum,
    (
        lambda t, ans, x, y: _share(t, greater(x, y), greater_equal(x, y)),
        lambda t, ans, x, y: _share(t, greater(y, x), greater_equal(y, x)),
    ),
)
minimum = elementwise(
    "minimum",
    np.minimum,
    (
        lambda t, ans, x, y: _share(t, less(x, y), less_equal(x, y)),
        lambda t, ans, x, y: _share(t, less(y, x), less_equal(y, x)),
    ),
)
fmax = elementwise(
    "fmax",
    np.fmax,
    (
        lambda t, ans, x, y: _share(t, _or_nan(greater(x, y), y), _or_nan(greater_equal(x, y), y)),
        lambda t, ans, x, y: _share(t, _or_nan(greater(y, x), x), _or_nan(greater_equal(y, x), x)),
    ),
)
fmin = elementwise(
    "fmin",
    np.fmin,
    (
        lambda t, ans, x, y: _share(t, _or_nan(less(x, y), y), _or_nan(less_equal(x, y), y)),
        lambda t, ans, x, y: _share(t, _or_nan(less(y, x), x), _or_nan(less_equal(y, x), x)),
    ),
)


def _or_nan(hit: Any, other: Any) -> Any:
    return logical_or(hit, isnan(other))


def _complex_absolute_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # d|z| = Re(conj(z) dz) / |z|, and 0 at z = 0
    (z,), (t,) = primals, tangents
    answer = complex_absolute(z)
    direction = divide(conjugate(z), convert(_nonzero(answer), dtype=dtype_of(z)))
    return answer, real(multiply(t, direction))


complex_absolute: General = General(
    "complex_absolute",
    kernel=np.absolute,
    abstract=lambda z: ShapedArray(z.shape, np.empty(0, z.dtype).real.dtype),
    rule=_complex_absolute_rule,
    batch=lambda size, xs, batched: complex_absolute(xs[0]),
)


class _Select(Elementwise):
    """``np.where``: the condition is boolean and is not promoted with the others."""

    __slots__ = ()

    def align(self, operands: tuple) -> tuple:
        condition, x, y = operands
        shape = np.broadcast_shapes(shape_of(condition), shape_of(x), shape_of(y))
        dtype = np.result_type(*[_promoted(v) for v in (x, y)])
        if isinstance(condition, Tracer):
            condition = fit(condition, shape, np.dtype(bool))
        x, y = (fit(v, shape, dtype) if isinstance(v, Tracer) else v for v in (x, y))
        return condition, x, y

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        length = len(trace.tape)
        made = super().record(trace, primals, slots, params)
        if len(trace.tape) > length:
            trace.tape[-1] = Choice(trace.tape[-1])
        return made


def _select_abstract(condition: ShapedArray, x: ShapedArray, y: ShapedArray) -> ShapedArray:
    shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    return ShapedArray(shape, np.result_type(x.dtype, y.dtype))


select = _Select(
    "select",
    np.where,
    (
        None,
        lambda t, ans, c, x, y: select(c, t, 0),
        lambda t, ans, c, x, y: select(c, 0, t),
    ),
    linear=(1, 2),
    jointly=True,
    abstract=_select_abstract,
)

# --- constant almost everywhere, and functions without a derivative ----------------------------


def _flat(name: str, ufunc: Any, arity: int) -> Elementwise:
    return elementwise(name, ufunc, None, arity=arity)


sign = _flat("sign", np.sign, 1)
floor = _flat("floor", np.floor, 1)
ceil = _flat("ceil", np.ceil, 1)
trunc = _flat("trunc", np.trunc, 1)
rint = _flat("rint", np.rint, 1)
floor_divide = _flat("floor_divide", np.floor_divide, 2)
spacing = _flat("spacing", np.spacing, 1)

equal = _flat("equal", np.equal, 2)
not_equal = _flat("not_equal", np.not_equal, 2)
less = _flat("less", np.less, 2)
less_equal = _flat("less_equal", np.less_equal, 2)
greater = _flat("greater", np.greater, 2)
greater_equal = _flat("greater_equal", np.greater_equal, 2)
isnan = _flat("isnan", np.isnan, 1)
isinf = _flat("isinf", np.isinf, 1)
isfinite = _flat("isfinite", np.isfinite, 1)
signbit = _flat("signbit", np.signbit, 1)
logical_and = _flat("logical_and", np.logical_and, 2)
logical_or = _flat("logical_or", np.logical_or, 2)
logical_xor = _flat("logical_xor", np.logical_xor, 2)
logical_not = _flat("logical_not", np.logical_not, 1)
bitwise_and = _flat("bitwise_and", np.bitwise_and, 2)
bitwise_or = _flat("bitwise_or", np.bitwise_or, 2)
bitwise_xor = _flat("bitwise_xor", np.bitwise_xor, 2)
bitwise_not = _flat("bitwise_not", np.bitwise_not, 1)
left_shift = _flat("left_shift", np.left_shift, 2)
right_shift = _flat("right_shift", np.right_shift, 2)
gcd = _flat("gcd", np.gcd, 2)
lcm = _flat("lcm", np.lcm, 2)

__all__ = [
    name for name, value in list(globals().items()) if isinstance(value, (Elementwise, General))
]
