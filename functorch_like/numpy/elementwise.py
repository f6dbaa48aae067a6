"""NumPy's ufuncs and the functions made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives import elementwise as p
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.structural import conjugate as conjugate_primitive
from ..primitives.structural import convert
from ..primitives.structural import imag as imag_primitive
from ..primitives.structural import real as real_primitive
from .dispatch import FUNCTIONS, UFUNCS, implements, refuse_out
from .views import assign

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
    return p.divide(x, p.select(p.equal(size, 0), p.ones_like(size), size))


@implements(np.conjugate)
def conjugate(x: Any) -> Any:
    return conjugate_primitive(x) if dtype_of(x).kind == "c" else p.positive(x)


@implements(np.real)
def real(val: Any) -> Any:
    return real_primitive(val) if dtype_of(val).kind == "c" else val


@implements(np.imag)
def imag(val: Any) -> Any:
    if dtype_of(val).kind == "c":
        return imag_primitive(val)
    return np.zeros(shape_of(val), dtype_of(val))


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
    **unused: Any,
) -> Any:
    # Slope 1 on the bounds themselves: an optimiser that sits on one can leave it.
    refuse_out("np.clip", out)
    low = as_operand(a_min if a_min is not None else min)
    high = as_operand(a_max if a_max is not None else max)
    a = as_operand(a)
    if _given(low):
        a = p.select(p.less(a, low), low, a)
    if _given(high):
        a = p.select(p.greater(a, high), high, a)
    return a


def _given(x: Any) -> bool:
    return not (isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 0)


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
    limits = np.finfo(dtype_of(x))
    x = p.select(p.isnan(x), nan, x)
    x = p.select(p.equal(x, math.inf), float(limits.max) if posinf is None else posinf, x)
    return p.select(p.equal(x, -math.inf), float(limits.min) if neginf is None else neginf, x)


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    refuse_out("np.round", out)
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
    return p.equal(x, math.inf)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
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
    return a  # whether the imaginary part vanishes depends on values; keep the type


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
