"""Calls of numpy: functions of each element alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.cases_numpy import EAGER, EMPTY, HOLES, MASK, P, S, T, U, V, W, X, Y, Z, cases

# name: operand, and whether NumPy takes complex ones
UNARY: dict[str, tuple[Any, bool]] = {
    **dict.fromkeys(["abs", "absolute", "negative", "positive", "square", "sign"], (X, True)),
    **dict.fromkeys(
        ["sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "exp2", "expm1"], (X, True)
    ),
    **dict.fromkeys(["arcsin", "arccos", "arctanh", "asin", "acos", "atanh"], (U, True)),
    **dict.fromkeys(["arctan", "arcsinh", "atan", "asinh"], (X, True)),
    **dict.fromkeys(["arccosh", "acosh"], (P + 1.0, True)),
    **dict.fromkeys(["log", "log2", "log10", "log1p", "sqrt", "reciprocal"], (P, True)),
    **dict.fromkeys(["cbrt"], (P, False)),
    **dict.fromkeys(["fabs", "deg2rad", "rad2deg", "degrees", "radians"], (X, False)),
    **dict.fromkeys(["floor", "ceil", "trunc"], (X * 3, False)),
    **dict.fromkeys(
        ["rint", "conj", "conjugate", "isnan", "isinf", "isfinite", "logical_not"], (X * 3, True)
    ),
    **dict.fromkeys(["signbit", "spacing"], (X, False)),
}
for name, (x, complex_too) in UNARY.items():
    cases(name, x)
    cases(name, np.array(x[0, 0]))
    cases(name, EMPTY)
    if complex_too:
        cases(name, Z)

    def written(f: Any, x: Any, like: Any) -> Any:
        y = like.copy()
        f(x, out=y, where=MASK)
        return y

    if name in ("isnan", "isinf", "isfinite", "logical_not", "signbit"):
        cases(name, x, casting="safe")
    else:
        cases(name, x, Y, call=written)
        cases(name, x, dtype=np.float64, casting="same_kind", order="C")

BINARY: dict[str, tuple[Any, Any, bool]] = {
    **dict.fromkeys(["add", "subtract", "multiply", "divide", "true_divide"], (X, P, True)),
    **dict.fromkeys(["power", "pow", "float_power"], (P, X, True)),
    **dict.fromkeys(["maximum", "minimum", "fmax", "fmin"], (X, Y, False)),
    **dict.fromkeys(["arctan2", "atan2", "hypot", "copysign", "nextafter"], (X, Y, False)),
    **dict.fromkeys(["logaddexp", "logaddexp2", "heaviside"], (X, Y, False)),
    **dict.fromkeys(["remainder", "mod", "fmod", "floor_divide"], (3 * X, P, False)),
    **dict.fromkeys(
        ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"], (X, Y, True)
    ),
    **dict.fromkeys(["logical_and", "logical_or", "logical_xor"], (X, Y, True)),
}
for name, (x, y, complex_too) in BINARY.items():
    cases(name, x, y)
    cases(name, x, V if name not in ("power", "pow", "float_power") else P[0])
    cases(name, S, y)
    cases(name, x[:, :, None], np.abs(T[0, 0]) + 0.3)
    cases(name, EMPTY, np.abs(W) + 0.3)
    cases(name, np.array(0.6), np.array(0.9))
    if complex_too:
        cases(name, Z, y)
        cases(name, Z, Z[::-1].copy())

    def written_two(f: Any, x: Any, y: Any, like: Any) -> Any:
        z = like.copy()
        f(x, y, out=(z,), where=MASK)
        return z

    if np.asarray(getattr(np, name)(x, y)).dtype.kind == "f":
        cases(name, x, y, Y, call=written_two)
        cases(name, x, y, dtype=float, casting="same_kind")
    cases(name, y, call=lambda f, y: f(2, y))
    cases(name, y, call=lambda f, y: f(y, 3.0))
    cases(name, V, call=lambda f, v: f([[1.0], [2.0]], v * v))
cases("fmax", np.array([np.nan, 1.0]), np.array([1.0, 2.0]))
cases("fmin", np.array([np.nan, 1.0]), np.array([1.0, 2.0]))
cases("logaddexp", np.array([-np.inf, 1.0]), np.array([1.0, 2.0]))

cases("ldexp", X, call=lambda f, x: f(x, 3))
cases("ldexp", X, call=lambda f, x: f(x, np.array([1, -2, 0, 5])))
cases("frexp", X * 5)
cases("frexp", np.array(0.3))
cases("modf", X * 5)
cases("divmod", X * 3, P)
cases("divmod", X * 3, call=lambda f, x: f(x, 0.7))
cases("divmod", P, call=lambda f, x: f(7, x))


def whole(x: Any, k: int = 5) -> Any:
    """Integers that are traced where ``x`` is."""
    return np.abs(x * k).astype(int)


for name in ("gcd", "lcm", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift"):
    cases(name, X, Y, call=lambda f, x, y: f(whole(x), whole(y)))
    cases(name, X, call=lambda f, x: f(whole(x), 3))
for name in ("right_shift", "bitwise_left_shift", "bitwise_right_shift"):
    cases(name, X, Y, call=lambda f, x, y: f(whole(x), whole(y)))
for name in ("bitwise_not", "invert", "bitwise_invert", "bitwise_count"):
    cases(name, X, call=lambda f, x: f(whole(x)))

# --- not ufuncs ------------------------------------------------------------------------------

for name in ("real", "imag"):
    cases(name, Z)
    cases(name, X)
    cases(name, S)
    cases(name, np.array(1 + 2j))
cases("angle", Z)
cases("angle", Z, deg=True)
cases("angle", X)
cases("angle", X, deg=True)
cases("nan_to_num", X)
cases("nan_to_num", HOLES)
cases("nan_to_num", HOLES, nan=2.0, posinf=1.0, neginf=-1.0)
cases("nan_to_num", np.array([np.inf, -np.inf, 1.0]))
cases("nan_to_num", Z)
cases("nan_to_num", np.array([1j * np.nan, 1 + 1j * np.inf, np.nan + 2j]), nan=0.5)
cases("nan_to_num", HOLES, V, call=lambda f, x, v: f(x, nan=v))
cases("nan_to_num", S)
cases("real_if_close", X)
cases("real_if_close", Z, without=EAGER)
cases("real_if_close", X, call=lambda f, x: f(x + 0j), without=EAGER)
cases("real_if_close", X, call=lambda f, x: f(x + 1e-9j, tol=1e9), without=EAGER)
for name in ("round", "around"):
    cases(name, X * 10)
    cases(name, X, decimals=1)
    cases(name, X * 1000, decimals=-2)
    cases(name, Z, decimals=1)
    cases(name, S)
cases("fix", X * 3)
cases("fix", S)
cases("isclose", X, Y)
cases("isclose", HOLES, HOLES, equal_nan=True)
cases("isclose", Z, Z + 1e-9, rtol=1e-3, atol=0.1)
for name in ("isposinf", "isneginf"):
    cases(name, np.array([np.inf, -np.inf, 1.0, np.nan]))
for name in ("isreal", "iscomplex"):
    cases(name, X)
    cases(name, np.array([1.0 + 0j, 1j, 2.0]))
cases("iscomplexobj", Z)
cases("isrealobj", X)
for name in ("sinc", "i0"):
    cases(name, X)
    cases(name, np.array([0.0, 1.0, -2.5]))
    cases(name, S)
cases("sinc", Z)
cases("clip", X, call=lambda f, x: f(x, -0.5, 0.5))
cases("clip", X, call=lambda f, x: f(x, None, 0.5))
cases("clip", X, call=lambda f, x: f(x, min=-0.5))
cases("clip", X, V, call=lambda f, x, v: f(x, v, v + 1))
cases("clip", X, call=lambda f, x: f(x, -0.5, 0.5, dtype=np.float64, casting="same_kind"))
cases("clip", S, call=lambda f, x: f(x, 0.0, [0.1, 0.2, 0.9]))
cases("clip", X, call=lambda f, x: f(x))
cases("where", X, Y, call=lambda f, x, y: f(MASK, x, y))
cases("where", X, S, call=lambda f, x, s: f(x > 0, x, s))
cases("where", X, call=lambda f, x: f(x, x, 0))
cases("where", X, call=lambda f, x: f(MASK, x, 1j))
cases("where", X, call=lambda f, x: f(x > 0), without=EAGER)
cases("where", S, call=lambda f, s: f([True, False], s, [1.0, 2.0]))
cases("select", X, Y, call=lambda f, x, y: f([x > 0.5, x < 0], [x, y], 7.0))
cases("select", X, V, call=lambda f, x, v: f([MASK, ~MASK], [x, v * v]))
cases("select", X, S, call=lambda f, x, s: f([x > 0.5], [x], s))
cases("piecewise", X, call=lambda f, x: f(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * v]))
cases("piecewise", X, call=lambda f, x: f(x, [x < 0.3], [np.sin, 2.0]))
cases("piecewise", V, call=lambda f, v: f(v, v < 0.3, [np.sin]))
cases("piecewise", V, call=lambda f, v: f(v, [True, False, True, False], [np.sin, -3.0]))
cases("piecewise", S, call=lambda f, x: f(x, x > 0, [lambda v: v**3]))
cases("piecewise", X, call=lambda f, x: f(x, [x < 0], [lambda v, a, b=1: a * v + b, 0], 3.0, b=2))
cases("unwrap", np.cumsum(X * 4))
cases("unwrap", X * 6, axis=0)
cases("unwrap", X * 6, discont=4.0, period=5.0)

# --- about types and shapes --------------------------------------------------------------------

cases("shape", X)
cases("ndim", X)
cases("size", X)
cases("size", X, axis=1)
cases("size", T, axis=(0, -1))
cases("isscalar", X)
cases("iterable", X)
cases("result_type", X, call=lambda f, x: f(x, np.float32, 1))
cases("common_type", X, Z)
cases("min_scalar_type", X)
cases("can_cast", X, call=lambda f, x: f(x.dtype, np.float32, casting="same_kind"))
cases("array2string", X)
cases("array_repr", X)
cases("array_str", X, precision=3)
cases("astype", X, call=lambda f, x: f(x, complex))
cases("astype", X, call=lambda f, x: f(x * 3, int))
cases("astype", X, call=lambda f, x: f(x, float, copy=False))
