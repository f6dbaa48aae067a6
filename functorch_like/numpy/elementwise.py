"""NumPy's ufuncs and the functions made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConcreteValueError, user_line
from ..primitives import elementwise as p
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.structural import conjugate as conjugate_primitive
from ..primitives.structural import convert, make_complex
from ..primitives.structural import imag as imag_primitive
from ..primitives.structural import real as real_primitive
from .dispatch import FUNCTIONS, UFUNCS, implements, refuse_out
from .views import assign, view_of

__all__: list[str] = []

# A ufunc whose name is that of a primitive is that primitive.
for _primitive in vars(p).values():
    _ufunc = getattr(_primitive, "kernel", None)
    if isinstance(_primitive, p.Elementwise) and isinstance(_ufunc, np.ufunc):
        _named_after = _primitive.name == _ufunc.__name__  # root_of_square_sum runs sqrt, too
        if _named_after or _ufunc not in UFUNCS:
            UFUNCS[_ufunc] = _primitive

UFUNCS[np.degrees], UFUNCS[np.radians] = p.rad2deg, p.deg2rad  # second names of these


def as_operand(x: Any) -> Any:
    """An operand of an operation as an array, a tracer or a Python number."""
    if isinstance(x, (Tracer, np.ndarray, np.generic)) or type(x) in (int, float, complex, bool):
        return x
    if isinstance(x, (list, tuple)):
        from .creation import array

        return array(x)
    return x if hasattr(x, "dtype") and hasattr(x, "shape") else np.asarray(x)


@implements(np.absolute)
def absolute(x: Any) -> Any:
    return p.complex_absolute(x) if dtype_of(x).kind == "c" else p.absolute(x)


FUNCTIONS[np.abs] = absolute


@implements(np.fabs)
def fabs(x: Any) -> Any:
    return p.absolute(x)


@implements(np.sign)
def sign(x: Any) -> Any:
    if dtype_of(x).kind != "c":
        return p.sign(x)
    size = p.complex_absolute(x)
    zero = p.equal(size, 0)
    return p.select(zero, 0.0, p.divide(x, p.select(zero, p.ones_like(size), size)))


@implements(np.conjugate)
def conjugate(x: Any) -> Any:
    return conjugate_primitive(x) if dtype_of(x).kind == "c" else p.positive(x)


@implements(np.real)
def real(val: Any) -> Any:
    if dtype_of(val).kind != "c":
        return val
    parts = (real_primitive, lambda base, value: make_complex(value, imag_primitive(base)))
    return view_of(val, real_primitive(val), "function", parts)


@implements(np.imag)
def imag(val: Any) -> Any:
    if dtype_of(val).kind == "c":
        parts = (imag_primitive, lambda base, value: make_complex(real_primitive(base), value))
        return view_of(val, imag_primitive(val), "function", parts)
    return np.broadcast_to(np.zeros((), dtype_of(val)), shape_of(val))  # read-only, as NumPy's


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    if dtype_of(z).kind == "c":
        a = p.arctan2(imag_primitive(z), real_primitive(z))
    else:
        a = p.arctan2(0.0, z)
    return p.multiply(a, 180 / math.pi) if deg else a


@implements(np.float_power)
def float_power(x: Any, y: Any) -> Any:
    complex_ = "c" in (dtype_of(x).kind, dtype_of(y).kind)
    dtype = np.dtype(np.complex128 if complex_ else np.float64)
    x, y = (v if type(v) in (int, float) else convert(v, dtype=dtype) for v in (x, y))
    return p.power(x, y)


@implements(np.divmod)
def divmod_(x: Any, y: Any) -> tuple[Any, Any]:
    return p.floor_divide(x, y), p.remainder(x, y)


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    whole = p.trunc(x)
    return p.copysign(p.subtract(x, whole), x), whole


@implements(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    magnitude = p.absolute(x)
    zero = p.equal(magnitude, 0)
    exponent = p.add(p.floor(p.log2(p.select(zero, p.ones_like(magnitude), magnitude))), 1)
    exponent = p.select(zero, 0, exponent)
    power = discretize(exponent, np.dtype(np.int32))
    return p.ldexp(x, p.negative(power)), power


def discretize(x: Any, dtype: np.dtype) -> Any:
    """Convert to an integer or boolean dtype, where derivatives end."""
    from ..primitives.stopping import discretize as primitive

    return primitive(x, dtype=dtype)


@implements(np.where)
def where(condition: Any, *choices: Any) -> Any:
    if not choices:
        from .indexing import nonzero

        return nonzero(condition)
    if len(choices) != 2:
        raise ValueError("np.where: expected either both or neither of x and y.")
    condition = as_operand(condition)
    if dtype_of(condition).kind != "b":
        condition = p.not_equal(condition, 0)
    return p.select(condition, *map(as_operand, choices))


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    dtype: Any = None,
    where: Any = True,
    **unused: Any,
) -> Any:
    # Slope 1 on the bounds themselves: an optimiser that sits on one can leave it.
    refuse_out("np.clip", out)
    if where is not True:
        raise TypeError(
            f"np.clip: where= leaves elements undefined, at {user_line()}; write np.where(mask, "
            "np.clip(...), other)."
        )
    low = a_min if a_min is not None else min
    high = a_max if a_max is not None else max
    a = as_operand(a)
    if low is not None:
        low = as_operand(low)
        a = p.select(_beyond(p.less(a, low), low), low, a)
    if high is not None:
        high = as_operand(high)
        a = p.select(_beyond(p.greater(a, high), high), high, a)
    if dtype is not None:
        from .manipulation import astype

        return astype(a, dtype)
    return p.positive(a) if low is None and high is None else a


def _beyond(hit: Any, bound: Any) -> Any:
    """Where a bound replaces the element; one that is NaN always does."""
    if type(bound) in (int, float) or dtype_of(bound).kind != "f":
        return hit
    return p.logical_or(hit, p.isnan(bound))


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    if not copy and isinstance(x, Tracer):
        assign(x, nan_to_num(x, True, nan, posinf, neginf))
        return x
    if dtype_of(x).kind == "c":
        parts = (nan_to_num(f(x), copy, nan, posinf, neginf) for f in (real, imag))
        from ..primitives.structural import make_complex

        return make_complex(*parts)
    if dtype_of(x).kind != "f":
        return p.positive(x)
    dtype = dtype_of(x)
    limits = np.finfo(dtype)
    posinf = float(limits.max) if posinf is None else posinf
    neginf = float(limits.min) if neginf is None else neginf
    for found, value in (
        (p.isnan(x), nan),
        (p.equal(x, math.inf), posinf),
        (p.equal(x, -math.inf), neginf),
    ):
        value = as_operand(value)
        if type(value) not in (int, float) and dtype_of(value) != dtype:
            value = convert(value, dtype=dtype)
        x = p.select(found, value, x)
    return x


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    refuse_out("np.round", out)
    dtype = dtype_of(a)
    if dtype.kind in "iu":
        if decimals >= 0:
            return p.positive(a)
        power = 10.0**-decimals
        return discretize(p.multiply(p.rint(p.divide(a, power)), power), dtype)
    if decimals == 0:
        return p.rint(a)
    scale = 10.0**decimals
    return p.divide(p.rint(p.multiply(a, scale)), scale)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    refuse_out("np.fix", out)
    return p.trunc(x)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    a, b = as_operand(a), as_operand(b)
    near = p.less_equal(absolute(p.subtract(a, b)), p.add(atol, p.multiply(rtol, absolute(b))))
    close = p.logical_or(p.logical_and(near, p.isfinite(b)), p.equal(a, b))
    if equal_nan:
        close = p.logical_or(close, p.logical_and(p.isnan(a), p.isnan(b)))
    return close


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    refuse_out("np.isposinf", out)
    return p.equal(x, math.inf)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    refuse_out("np.isneginf", out)
    return p.equal(x, -math.inf)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    return p.equal(imag(x), 0)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    return p.not_equal(imag(x), 0)


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return dtype_of(x).kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return dtype_of(x).kind != "c"


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    if dtype_of(a).kind != "c":
        return a
    value = a.concrete() if isinstance(a, Tracer) else a
    if value is None:
        raise ConcreteValueError(
            f"np.real_if_close: whether the result is real depends on values not known, at "
            f"{user_line()}; write x.real, or keep the complex array."
        )
    return real(a) if np.isrealobj(np.real_if_close(value, tol)) else a


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    result = as_operand(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    return result


@implements(np.result_type)
def result_type(*operands: Any) -> np.dtype:
    return np.result_type(*[x.dtype if isinstance(x, Tracer) else x for x in operands])


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(from_.dtype if isinstance(from_, Tracer) else from_, to, casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    return np.common_type(*[np.empty(0, dtype_of(a)) for a in arrays])


@implements(np.min_scalar_type)
def min_scalar_type(a: Any) -> np.dtype:
    return dtype_of(a)


@implements(np.array2string)
def array2string(a: Any, *args: Any, **kwargs: Any) -> str:
    return _printed(np.array2string, a, *args, **kwargs)


@implements(np.array_repr)
def array_repr(arr: Any, *args: Any, **kwargs: Any) -> str:
    return _printed(np.array_repr, arr, *args, **kwargs)


@implements(np.array_str)
def array_str(a: Any, *args: Any, **kwargs: Any) -> str:
    return _printed(np.array_str, a, *args, **kwargs)


def _printed(function: Any, x: Any, *args: Any, **kwargs: Any) -> str:
    """The value in NumPy's words; the tracer's own where no value is known."""
    value = x.concrete() if isinstance(x, Tracer) else x
    return repr(x) if value is None else function(value, *args, **kwargs)


@implements(np.may_share_memory, np.shares_memory)
def shares_memory(*args: Any, **kwargs: Any) -> bool:
    raise TypeError(
        f"np.shares_memory: a traced array has no memory of its own, at {user_line()}; assignments "
        "to it and to its views act as NumPy's do."
    )


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return shape_of(as_operand(a))


@implements(np.ndim)
def ndim(a: Any) -> int:
    return len(shape(a))


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    dims = shape(a)
    axes = range(len(dims)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return math.prod(dims[i] for i in axes)
