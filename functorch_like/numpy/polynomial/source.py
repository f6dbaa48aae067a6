"""NumPy's own source of ``numpy.polynomial``, rebound so that it takes traced arrays.

The modules there ask no argument whether it is an array of somebody else's, so nothing reaches
the dispatch of ``functorch_like.numpy``. Their functions and classes are therefore taken as they
are, with other names around them: NumPy's functions as ``fallback`` shows them, each other, and
the few helpers below in place of those that look at values.
"""

from __future__ import annotations

import functools
import importlib
import types
import warnings
from typing import Any

import numpy as np

from ...primitives.core import Tracer
from ..creation import array, contains_tracer, traced
from ..fallback import _NumpyProxy, _proxy, _rebind
from ..linalg import lstsq

__all__ = ["namespace", "public"]

PACKAGE = __name__.rpartition(".")[0]


class _IsArray(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, (np.ndarray, Tracer))


class _ArrayOrTracer(metaclass=_IsArray):
    """What ``isinstance(x, np.ndarray)`` asks for."""


class _Module(types.ModuleType):
    """A rebound module, as the others see it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{PACKAGE}.{name}")

    def __getattr__(self, name: str) -> Any:
        try:
            return namespace(self.__name__.rpartition(".")[2])[name]
        except KeyError:
            raise AttributeError(name) from None


# --- what is not NumPy's -----------------------------------------------------------------------


def _is_traced(x: Any) -> bool:
    return isinstance(x, Tracer) and not x.constant()


def _trimseq(seq: Any) -> Any:
    """``seq`` without its trailing zeros; a traced one keeps them.

    A coefficient that happens to be zero has a derivative all the same, and how many there are
    must not depend on values.
    """
    if _is_traced(seq):
        return seq
    from numpy.polynomial import polyutils

    return polyutils.trimseq(seq)


def _as_series(alist: Any, trim: bool = True) -> list[Any]:
    """One-dimensional arrays of one dtype, all of which can be assigned traced values."""
    from numpy.polynomial import polyutils

    if not any(map(contains_tracer, alist)):
        return polyutils.as_series(alist, trim)
    arrays = [np.atleast_1d(array(a)) for a in alist]
    for a in arrays:
        if a.size == 0 or a.ndim != 1:
            raise ValueError(f"expected a non-empty vector of coefficients; got shape {a.shape}")
    if trim:
        arrays = [_trimseq(a) for a in arrays]
    dtype = np.common_type(*arrays)
    fresh = [a.astype(dtype) for a in arrays]
    return [a if isinstance(a, Tracer) else traced(a) for a in fresh]


def _fit(
    vander_f: Any, x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None
) -> Any:
    """Least squares in the basis ``vander_f``, its columns scaled to length one."""
    x, y, deg = array(x) + 0.0, array(y) + 0.0, np.asarray(deg)
    if deg.ndim > 1 or deg.dtype.kind not in "iu" or deg.size == 0:
        raise TypeError("deg must be an int or non-empty 1-D array of int")
    if deg.min() < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1 or x.size == 0:
        raise TypeError(f"expected a non-empty vector for x; got shape {x.shape}")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise TypeError(f"expected {len(x)} rows in y, of one or two axes; got shape {y.shape}")
    degrees = np.arange(deg + 1) if deg.ndim == 0 else np.sort(deg)
    columns, right = vander_f(x, int(degrees[-1]))[:, degrees], y
    if w is not None:
        w = array(w) + 0.0
        if w.shape != x.shape:
            raise TypeError(f"expected weights of shape {x.shape}; got {w.shape}")
        columns = columns * w[:, None]
        right = right * (w if y.ndim == 1 else w[:, None])
    if rcond is None:
        rcond = len(x) * np.finfo(x.dtype).eps
    size = np.sqrt(np.sum(np.square(np.abs(columns)), 0))
    size = np.where(size == 0, 1, size)
    c, residuals, rank, s = lstsq(columns / size, right, rcond)
    c = c / (size if y.ndim == 1 else size[:, None])
    if deg.ndim:
        rows = {int(d): c[i] for i, d in enumerate(degrees)}
        zero = np.zeros(c.shape[1:], c.dtype)
        c = array([rows.get(k, zero) for k in range(int(degrees[-1]) + 1)])
    if full:
        return c, [residuals, rank, s, rcond]
    if not _is_traced(rank) and rank != len(degrees):  # a batch has one rank a lane: no warning
        message = "The fit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=2)
    return c


def _div(mul_f: Any, c1: Any, c2: Any) -> Any:
    """Quotient and remainder by long division, one degree after the other."""
    c1, c2 = _as_series([c1, c2])
    leading = c2[-1].concrete() if _is_traced(c2) else c2[-1]
    if leading is not None and leading == 0:
        raise ZeroDivisionError("division by a polynomial whose leading coefficient is zero")
    if len(c1) < len(c2):
        return c1[:1] * 0, c1
    if len(c2) == 1:
        return c1 / c2[-1], c1[:1] * 0
    quotient: list[Any] = []
    remainder = c1
    for i in range(len(c1) - len(c2), -1, -1):
        product = mul_f([0] * i + [1], c2)
        q = remainder[-1] / product[-1]
        remainder = remainder[:-1] - q * product[:-1]
        quotient.insert(0, q)
    # The dtypes are NumPy's: the products of single precision may be double.
    return array(quotient).astype(c1.dtype), _trimseq(remainder)


def _without_tests(names: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Versions of a basis' functions that do not ask whether a traced coefficient is zero."""
    line, mulx, integral = (names[prefix + name] for name in ("line", "mulx", "int"))
    mul = names[prefix + "mul"]

    @functools.wraps(line)
    def traced_line(off: Any, scl: Any) -> Any:
        if not (_is_traced(off) or _is_traced(scl)):
            return line(off, scl)
        unit = line(0, 1).tolist()  # Python numbers leave float32 as it is
        return array([off + scl * unit[0], scl * unit[1]])

    @functools.wraps(mulx)
    def traced_mulx(c: Any) -> Any:
        c = np.atleast_1d(array(c))
        return mulx(_longer(c, 0))[:2] if _is_traced(c) and c.shape == (1,) else mulx(c)

    @functools.wraps(integral)
    def traced_int(
        c: Any, m: Any = 1, k: Any = (), lbnd: Any = 0, scl: Any = 1, axis: int = 0
    ) -> Any:
        c = np.atleast_1d(array(c))
        k = k if np.iterable(k) else [k]
        if not (_is_traced(c) and c.ndim and c.shape[axis] == 1):
            return integral(c, m, k, lbnd, scl, axis)
        found = integral(_longer(c, axis), m, k, lbnd, scl, axis)
        return np.moveaxis(np.moveaxis(found, axis, 0)[: 1 + m], 0, axis)

    @functools.wraps(names[prefix + "div"])
    def traced_div(c1: Any, c2: Any) -> Any:
        quotient, remainder = _div(mul, c1, c2)
        if prefix in ("poly", "cheb"):  # these two divide by an algorithm of their own in NumPy
            remainder = remainder.astype(quotient.dtype)
        return quotient, remainder

    made = {"line": traced_line, "mulx": traced_mulx, "int": traced_int, "div": traced_div}
    return {prefix + name: f for name, f in made.items()}


def _where_traced(ours: Any, plain: Any) -> Any:
    """NumPy's own function of plain arguments; ours otherwise."""

    @functools.wraps(plain)
    def function(*args: Any, **kwargs: Any) -> Any:
        traced = contains_tracer(args) or any(map(contains_tracer, kwargs.values()))
        return (ours if traced else plain)(*args, **kwargs)

    return function


def _longer(c: Any, axis: int) -> Any:
    """``c`` with a zero behind it, which changes the length of a result and nothing else."""
    return np.concatenate([c, c * 0], axis)


def _representing(plain: Any) -> Any:
    """``__repr__`` of a class, which cuts NumPy's words off those of its arrays."""

    def represent(self: Any) -> str:
        fields = (self.coef, self.domain, self.window)
        if not any(map(_is_traced, fields)):
            return plain(self)
        coef, domain, window = map(repr, fields)
        return f"{type(self).__name__}({coef}, domain={domain}, window={window})"

    return represent


_OURS = {"polyutils": {"as_series": _as_series, "trimseq": _trimseq, "_fit": _fit, "_div": _div}}
PREFIXES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}

# --- rebinding -----------------------------------------------------------------------------------


@functools.cache
def _numpy() -> _NumpyProxy:
    proxy = _NumpyProxy(np)
    proxy.__dict__["ndarray"] = _ArrayOrTracer
    return proxy


def _seen(value: Any) -> Any:
    """A value of a module's namespace as the rebound functions see it."""
    if isinstance(value, types.ModuleType):
        package, _, name = value.__name__.rpartition(".")
        if value is np:
            return _numpy()
        if package == "numpy.polynomial":
            return _Module(name)
        if value.__name__.partition(".")[0] == "numpy":
            return _proxy(value)
    return value


def _rebound_class(cls: type, names: dict[str, Any]) -> type:
    """A class whose methods see ``names``, and whose functions are the rebound ones."""

    def method(value: Any) -> Any:
        if isinstance(value, types.FunctionType):
            known = names.get(value.__name__)
            inside = value.__module__ == cls.__module__ and value.__name__ == value.__qualname__
            return known if inside and known is not None else _rebind(value, names)
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(method(value.__func__))
        if isinstance(value, property):
            return property(value.fget and method(value.fget))
        return value

    bases = tuple(namespace("_polybase").get(b.__name__, b) for b in cls.__bases__)
    skipped = ("__dict__", "__weakref__", "_abc_impl", "__abstractmethods__")
    body = {k: method(v) for k, v in vars(cls).items() if k not in skipped}
    body["__module__"] = f"{PACKAGE}.{cls.__module__.rpartition('.')[2]}"
    if "__repr__" in body:
        body["__repr__"] = _representing(body["__repr__"])
    return type(cls)(cls.__name__, bases, body)


_made: dict[str, dict[str, Any]] = {}


def namespace(name: str) -> dict[str, Any]:
    """Everything in ``numpy.polynomial.<name>``, rebound."""
    names = _made.get(name)
    if names is not None:
        return names
    module = importlib.import_module(f"numpy.polynomial.{name}")
    names = _made[name] = {}
    ours = _OURS.get(name, {})
    classes = {}
    for key, value in vars(module).items():
        if key in ours:
            value = ours[key]
        elif isinstance(value, type) and value.__module__.startswith("numpy.polynomial."):
            classes[key] = value
        elif hasattr(value, "_implementation"):  # asks its arguments, to no avail
            value = _rebind(value._implementation, names)
        elif isinstance(value, types.FunctionType):
            package, _, home = value.__module__.rpartition(".")
            if package == "numpy.polynomial":
                other = None if home == name else namespace(home)[value.__name__]
                value = other or _rebind(value, names)
        else:
            value = _seen(value)
        names[key] = value
    # ``from .polynomial import polyadd`` within a function finds the rebound one.
    names.update(__package__=PACKAGE, __name__=f"{PACKAGE}.{name}", __spec__=None)
    if name in PREFIXES:
        names.update(_without_tests(names, PREFIXES[name]))
        for key in module.__all__:
            if isinstance(names[key], types.FunctionType):
                names[key] = _where_traced(names[key], getattr(module, key))
    for key, cls in classes.items():
        home = cls.__module__.rpartition(".")[2]
        names[key] = _rebound_class(cls, names) if home == name else namespace(home)[key]
    return names


def public(name: str) -> dict[str, Any]:
    """The public names of ``numpy.polynomial.<name>``, rebound."""
    names = namespace(name)
    return {key: names[key] for key in names["__all__"]}
