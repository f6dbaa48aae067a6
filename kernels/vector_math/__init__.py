"""Mathematical functions in the scalar IR, without branches, for LLVM's loop vectoriser.

NumPy's and SciPy's names, float64 and float32. ``sin``, ``cos`` and ``tan`` take any angle;
``sin_small`` and so on are faster and right for ``|x| <= SMALL_ANGLE[dtype]``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..llvm_printer import calls_of, function_text, tables_of
from ..scalar import Function, Value, trace_function
from . import exponential, powers, special, trigonometric
from .trigonometric import SMALL_ANGLE

__all__ = ["FUNCTIONS", "SMALL_ANGLE", "function", "functions_text"]


def _by_float64(name: str, function: Callable[..., Value]) -> Callable[..., Value]:
    """A function whose float32 version computes in float64."""

    def either(*arguments: Value) -> Value:
        if arguments[0].dtype == "f64":
            return function(*arguments)
        wide = (x.convert("f64") for x in arguments)
        return arguments[0].body.call(f"{name}.f64", "f64", *wide).convert("f32")

    return either


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(exponential, name)
        for name in (
            "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sinh", "cosh", "tanh",
            "arcsinh", "arccosh", "arctanh", "expit", "softplus", "logaddexp", "logaddexp2",
        )
    },
    **{
        name: getattr(trigonometric, name)
        for name in (
            "sin", "cos", "tan", "sin_small", "cos_small", "tan_small",
            "arcsin", "arccos", "arctan", "arctan2",
        )
    },
    **{name: getattr(powers, name) for name in ("power", "cbrt", "hypot")},
    **{name: getattr(special, name) for name in ("erf", "erfc")},
    **{
        name: _by_float64(name, getattr(special, name)) for name in ("erfinv", "gammaln", "psi")
    },
}  # fmt: skip

_OF_TWO = frozenset({"arctan2", "power", "hypot", "logaddexp", "logaddexp2"})


@functools.cache
def function(name: str, dtype: str) -> Function:
    """The function of this name for ``f64`` or ``f32``."""
    count = 2 if name in _OF_TWO else 1
    return trace_function(f"{name}.{dtype}", FUNCTIONS[name], [dtype] * count)


def functions_text(names: Iterable[str]) -> str:
    """LLVM text of functions like ``exp.f64``, of all that they call and of their tables."""
    left = list(names)
    seen: dict[str, None] = {}
    texts: dict[str, None] = {}
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen[name] = None
        found = function(*name.rsplit(".", 1))
        texts.update(dict.fromkeys(tables_of(found.body)))
        texts[function_text(found)] = None
        left += calls_of(found.body)
    return "\n".join(texts)
