"""Mathematical functions in the scalar IR, without branches, for LLVM's loop vectoriser.

NumPy's and SciPy's names and special values, float64 and float32. ``sin``, ``cos`` and ``tan`` take
any angle; ``sin_small``, ``cos_small`` and ``tan_small`` take a third of the time and are right for
``|x| <= SMALL_ANGLE[dtype]``.

Each function reduces its argument, evaluates a minimax polynomial whose coefficients
``tools/minimax.py`` makes from the definition, and mends what rounding took where that shows.
float32 is computed in float32, but for ``power``, ``hypot``, ``erfc``, ``erfinv``, ``gammaln``,
``psi`` and the full-range trigonometric functions, which are simpler and more exact in float64.
Chains of dependent steps bound the speed: loops gain 10 to 30 % by interleaving two vectors
(``llvm.loop.interleave.count``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..scalar import Function, Value, trace_function
from . import exponential, powers, special, trigonometric
from .trigonometric import SMALL_ANGLE

__all__ = ["FUNCTIONS", "SMALL_ANGLE", "ULPS", "function", "functions_text"]


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
    **{name: getattr(special, name) for name in ("erf", "erfc", "erfinv")},
    **{
        name: _by_float64(name, getattr(special, name)) for name in ("gammaln", "psi")
    },
}  # fmt: skip

_OF_TWO = frozenset({"arctan2", "power", "hypot", "logaddexp", "logaddexp2"})

# Bounds of the error in units in the last place, float64 and float32, as tests/test_vector_math.py
# checks them. Where terms cancel, in logaddexp and logaddexp2 and in gammaln and psi of negative
# numbers, the error counts against the largest of them.
ULPS: dict[str, tuple[float, float]] = {
    "exp": (1.1, 1.1), "exp2": (1.2, 1.2), "expm1": (1.2, 1.2),
    "log": (0.9, 1.0), "log1p": (1.2, 1.5), "log2": (1.1, 1.2), "log10": (1.1, 1.1),
    "sinh": (1.2, 1.1), "cosh": (1.1, 1.8), "tanh": (1.1, 1.4),
    "arcsinh": (1.1, 1.3), "arccosh": (1.5, 1.7), "arctanh": (1.1, 1.2),
    "expit": (2.0, 2.4), "softplus": (1.9, 2.0), "logaddexp": (1.3, 1.8), "logaddexp2": (1.5, 2.0),
    "sin": (1.0, 0.6), "cos": (1.0, 0.6), "tan": (2.2, 0.6),
    "sin_small": (1.0, 1.5), "cos_small": (1.0, 1.6), "tan_small": (2.2, 3.1),
    "arcsin": (1.3, 1.2), "arccos": (1.2, 1.2), "arctan": (1.4, 1.4), "arctan2": (1.7, 1.8),
    "power": (1.4, 0.6), "cbrt": (0.6, 0.6), "hypot": (1.1, 0.6),
    "erf": (1.9, 1.2), "erfc": (1.6, 0.6), "erfinv": (2.8, 0.7),
    "gammaln": (3.0, 0.6), "psi": (3.2, 0.6),
}  # fmt: skip


@functools.cache
def function(name: str, dtype: str) -> Function:
    """The function of this name for ``f64`` or ``f32``."""
    count = 2 if name in _OF_TWO else 1
    return trace_function(f"{name}.{dtype}", FUNCTIONS[name], [dtype] * count)


def functions_text(names: Iterable[str]) -> str:
    """LLVM text of functions like ``exp.f64``, of all that they call and of their tables."""
    from ..llvm_printer import calls_of, function_text, tables_of  # which needs SMALL_ANGLE

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
