"""How scipy.special's own functions reach our primitives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...numpy.dispatch import UFUNCS
from ...numpy.elementwise import as_operand
from ...primitives import elementwise as e
from ...primitives import special as p
from ...primitives.core import Tracer, dtype_of, registry
from ...primitives.special import bessel, waves
from ...primitives.structural import convert

__all__ = ["as_complex", "connect_ufuncs", "floating", "ours", "traced"]


def traced(x: Any) -> bool:
    """Whether an argument is, or holds, a traced array."""
    return isinstance(x, Tracer) or (isinstance(x, (list, tuple)) and any(map(traced, x)))


def ours(scipy_function: Callable) -> Callable[[Callable], Callable]:
    """Decorate our version of a function that does not ask its arguments.

    It runs where an argument is traced; plain arrays go to SciPy's, whose signature it keeps.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            if any(map(traced, args)) or any(map(traced, keywords.values())):
                return function(*args, **keywords)
            return scipy_function(*args, **keywords)

        return call

    return decorate


def floating(x: Any) -> Any:
    """An operand as a floating array or tracer."""
    x = as_operand(x)
    if dtype_of(x).kind in "fc":
        return x if hasattr(x, "dtype") else np.asarray(x)
    return e.multiply(1.0, x)


def as_complex(x: Any) -> Any:
    """An operand as a complex array or tracer: the function is complex even where it is not."""
    x = floating(x)
    wide = np.result_type(dtype_of(x), np.complex64)
    return x if dtype_of(x) == wide else convert(x, dtype=wide)


def _of_complex(primitive: Callable) -> Callable:
    """The last operand made complex; SciPy's ufunc answers in complex numbers for real ones."""

    def function(*operands: Any) -> Any:
        return primitive(*map(as_operand, operands[:-1]), as_complex(operands[-1]))

    return function


def _together(*primitives: Callable) -> Callable:
    """Several results, a primitive each."""

    def function(*operands: Any) -> tuple[Any, ...]:
        return tuple(primitive(*map(as_operand, operands)) for primitive in primitives)

    return function


def _kelvin(x: Any) -> tuple[Any, ...]:
    value = e.add(as_complex(p.ber(x)), e.multiply(1j, p.bei(x)))
    second = e.add(as_complex(p.ker(x)), e.multiply(1j, p.kei(x)))
    value_slope = e.add(as_complex(p.berp(x)), e.multiply(1j, p.beip(x)))
    second_slope = e.add(as_complex(p.kerp(x)), e.multiply(1j, p.keip(x)))
    return value, second, value_slope, second_slope


def _voigt_profile(x: Any, sigma: Any, gamma: Any) -> Any:
    # Re w((x + i gamma) / (sigma sqrt 2)) / (sigma sqrt(2 pi)), DLMF 7.19.1
    from ...primitives.structural import real

    width = e.multiply(np.sqrt(2.0), floating(sigma))
    z = e.add(
        as_complex(e.divide(floating(x), width)), e.multiply(1j, e.divide(floating(gamma), width))
    )
    return e.divide(real(p.wofz(z)), e.multiply(np.sqrt(np.pi), width))


def connect_ufuncs() -> None:
    """Fill the table of ufuncs."""
    for primitive in registry.values():
        if isinstance(primitive, p.Special):
            ufunc = getattr(scipy_special, primitive.name, None)
            if isinstance(ufunc, np.ufunc):
                UFUNCS[ufunc] = primitive
    # scipy.special has its own loops for these; the values agree to rounding.
    for name in ("cbrt", "exp2", "expm1", "log1p"):
        UFUNCS[getattr(scipy_special, name)] = getattr(e, name)
    UFUNCS[scipy_special.round] = e.rint
    UFUNCS[scipy_special.jn] = p.jv
    for name in ("hankel1", "hankel2", "hankel1e", "hankel2e", "wofz"):
        UFUNCS[getattr(scipy_special, name)] = _of_complex(getattr(p, name))
    UFUNCS[scipy_special.kelvin] = _kelvin
    UFUNCS[scipy_special.voigt_profile] = _voigt_profile
    for name, pair in waves.PAIRS.items():
        UFUNCS[getattr(scipy_special, name)] = _together(*pair)
    for name in ("itj0y0", "iti0k0", "it2j0y0", "it2i0k0"):
        both = [v for k, v in bessel.INTEGRALS.items() if k.startswith(name + "_")]
        UFUNCS[getattr(scipy_special, name)] = _together(*both)
    several: tuple[tuple[str, tuple], ...] = (
        ("sici", (p.sici_si, p.sici_ci)),
        ("shichi", (p.shichi_shi, p.shichi_chi)),
        ("fresnel", (p.fresnel_s, p.fresnel_c)),
        ("airy", (p.airy_ai, p.airy_aip, p.airy_bi, p.airy_bip)),
        ("airye", (p.airye_ai, p.airye_aip, p.airye_bi, p.airye_bip)),
        ("itairy", bessel.ITAIRY),
        ("ellipj", (p.ellipj_sn, p.ellipj_cn, p.ellipj_dn, p.ellipj_ph)),
    )
    for name, parts in several:
        UFUNCS[getattr(scipy_special, name)] = _together(*parts)
