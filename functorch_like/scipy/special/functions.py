"""Functions of scipy.special that are written in Python and do not ask their arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...errors import user_line
from ...numpy.elementwise import as_operand
from ...primitives import elementwise as e
from ...primitives import special as p
from ...primitives.core import Tracer
from .connect import as_complex, floating, ours


def _whole(name: str, what: str, n: Any, least: int | None = 0) -> int:
    """A number that must be an integer known now."""
    if isinstance(n, Tracer) or np.ndim(n) != 0 or n != int(n) or (least is not None and n < least):
        shown = "a traced array" if isinstance(n, Tracer) else repr(n)
        raise TypeError(
            f"{name}: expected an integer {what}{'' if least is None else f' >= {least}'}; got "
            f"{shown}, at {user_line()}; call it once for each {what} and join the results."
        )
    return int(n)


@ours(scipy_special.softplus)
def softplus(x: Any, **kwargs: Any) -> Any:
    """``log(1 + exp(x))``, without overflow.

    Parameters
    ----------
    x
        Operand.
    **kwargs
        As of a ufunc; none is supported on traced arrays.

    Returns
    -------
    array of the shape of ``x``
    """
    return np.logaddexp(0.0, floating(x), **kwargs)


@ours(scipy_special.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Hurwitz zeta function, or Riemann's where ``q`` is not given; differentiable in both.

    Derivatives by ``x`` come from the Euler-Maclaurin formula (DLMF 25.11.5) and, for Riemann's at
    negative ``x``, reflection (25.4.1).

    Parameters
    ----------
    x
        Exponent.
    q
        Shift, 1 by default.
    out
        Not supported on traced arrays.

    Returns
    -------
    array

    Examples
    --------
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.special import zeta
    >>> print(round(float(ft.grad(zeta)(2.0)), 6))
    -0.937548
    """
    if out is not None:
        raise TypeError(f"zeta: out= cannot be written by a traced operation, at {user_line()}.")
    return p.riemann_zeta(floating(x)) if q is None else p.zeta(as_operand(x), floating(q))


def polygamma(n: Any, x: Any) -> Any:
    """The ``n``-th derivative of the digamma function.

    Parameters
    ----------
    n
        Order, a nonnegative integer.
    x
        Argument.

    Returns
    -------
    array
    """
    return p.polygamma(as_operand(n), floating(x))


@ours(scipy_special.multigammaln)
def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function (DLMF 35.3.4).

    Parameters
    ----------
    a
        Argument, greater than ``(d - 1) / 2``.
    d
        Dimension.

    Returns
    -------
    array of the shape of ``a``
    """
    d = _whole("multigammaln", "dimension", d, 1)
    a = floating(a)
    total = p.gammaln(a)
    for j in range(1, d):
        total = e.add(total, p.gammaln(e.subtract(a, 0.5 * j)))
    return e.add(total, d * (d - 1) * 0.25 * math.log(math.pi))


def _counted(value: Any, n: Any, k: Any) -> Any:
    """0 where there is nothing to count."""
    possible = e.logical_and(
        e.logical_and(e.less_equal(k, n), e.greater_equal(n, 0)), e.greater_equal(k, 0)
    )
    return e.select(possible, value, 0.0)


def _inexact(name: str, exact: bool) -> None:
    if exact:
        raise TypeError(
            f"{name}: exact integers carry no derivative, at {user_line()}; do {name}(..., "
            "exact=False)."
        )


@ours(scipy_special.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Number of combinations of ``N`` things taken ``k`` at a time, between integers too.

    Parameters
    ----------
    N, k
        Numbers of things, of elements taken.
    exact
        Not supported on traced arrays.
    repetition
        Whether things may be taken again.

    Returns
    -------
    array
    """
    _inexact("comb", exact)
    n, k = floating(N), floating(k)
    if repetition:
        return comb(e.subtract(e.add(n, k), 1.0), k)
    return _counted(p.binom(n, k), n, k)


@ours(scipy_special.perm)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Number of permutations of ``N`` things taken ``k`` at a time, between integers too.

    Parameters
    ----------
    N, k
        Numbers of things, of elements taken.
    exact
        Not supported on traced arrays.

    Returns
    -------
    array
    """
    _inexact("perm", exact)
    n, k = floating(N), floating(k)
    return _counted(p.poch(e.add(e.subtract(n, k), 1.0), k), n, k)


@ours(scipy_special.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """``gamma(n + 1)``.

    Parameters
    ----------
    n
        Argument, not necessarily an integer.
    exact
        Not supported on traced arrays.
    extend
        ``"zero"``: 0 for negative numbers; ``"complex"``: the gamma function there.

    Returns
    -------
    array of the shape of ``n``
    """
    _inexact("factorial", exact)
    n = floating(n)
    value = p.gamma(e.add(n, 1.0))
    return e.select(e.less(n, 0.0), 0.0, value) if extend == "zero" else value


@ours(scipy_special.diric)
def diric(x: Any, n: Any) -> Any:
    """Dirichlet's kernel ``sin(n x / 2) / (n sin(x / 2))``, as the mean of its ``n`` waves.

    Parameters
    ----------
    x
        Argument.
    n
        Number of waves, a positive integer.

    Returns
    -------
    array of the shape of ``x``
    """
    n = _whole("diric", "number of waves n", n, 1)
    x = floating(x)
    rates = [k - 0.5 * (n - 1) for k in range(n)]
    # Waves come in pairs of opposite rates.
    total: Any = 1.0 if n % 2 else 0.0
    for rate in rates:
        if rate > 0:
            total = e.add(e.multiply(2.0, e.cos(e.multiply(rate, x))), total)
    if n == 1:
        total = e.cos(e.multiply(0.0, x))
    return e.multiply(1.0 / n, total)


@ours(scipy_special.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Lambert's W: the solution ``w`` of ``w exp(w) = z``, complex (DLMF 4.13).

    Parameters
    ----------
    z
        Argument.
    k
        Branch.
    tol
        Ignored.

    Returns
    -------
    complex array
    """
    return p.lambertw(k, as_complex(z))


@ours(scipy_special.assoc_laguerre)
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """Generalised Laguerre polynomial of degree ``n``.

    Parameters
    ----------
    x
        Argument.
    n, k
        Degree and parameter.

    Returns
    -------
    array
    """
    return p.eval_genlaguerre(n, k, floating(x))


# --- derivatives of Bessel functions ---------------------------------------------------------


def _bessel_derivative(name: str, function: Callable, sign: int, complex_: bool = False) -> Any:
    """``2**-n`` times the sum of ``sign**k C(n, k) f_{v-n+2k}`` (DLMF 10.6.7, 10.29.5)."""
    scipy_function = getattr(scipy_special, name)
    outer = -1.0 if name == "kvp" else 1.0

    def derivative(v: Any, z: Any, n: int = 1) -> Any:
        n = _whole(name, "number of derivatives n", n)
        z = as_complex(z) if complex_ else floating(z)
        v = as_operand(v)
        total: Any = None
        for k in range(n + 1):
            order = v + (2 * k - n)
            part = e.multiply(float(sign**k * math.comb(n, k)), function(order, z))
            total = part if total is None else e.add(total, part)
        return e.multiply(outer**n * 0.5**n, total)

    derivative.__name__ = derivative.__qualname__ = name
    derivative.__doc__ = f"""``n``-th derivative of ``{name[:-1]}`` of order ``v`` by ``z``.

    Parameters
    ----------
    v
        Order.
    z
        Argument.
    n
        Number of derivatives, an integer.

    Returns
    -------
    array
    """
    return ours(scipy_function)(derivative)


jvp = _bessel_derivative("jvp", p.jv, -1)
yvp = _bessel_derivative("yvp", p.yv, -1)
ivp = _bessel_derivative("ivp", p.iv, 1)
kvp = _bessel_derivative("kvp", p.kv, 1)
h1vp = _bessel_derivative("h1vp", p.hankel1, -1, complex_=True)
h2vp = _bessel_derivative("h2vp", p.hankel2, -1, complex_=True)


def _spherical(name: str, function: Any, below: float, above: float) -> Any:
    def spherical(n: Any, z: Any, derivative: bool = False) -> Any:
        n, z = as_operand(n), floating(z)
        if not derivative:
            return function(n, z)
        lower = e.multiply(below * n, function(np.maximum(n - 1, 0), z))
        upper = e.multiply(above * (n + 1), function(n + 1, z))
        return e.divide(e.add(lower, upper), 2 * n + 1)

    spherical.__name__ = spherical.__qualname__ = name
    spherical.__doc__ = f"""Spherical Bessel function ``{name}`` (DLMF 10.47), or its derivative.

    Parameters
    ----------
    n
        Order, a nonnegative integer (or an array of them).
    z
        Argument.
    derivative
        Whether to return the derivative by ``z``.

    Returns
    -------
    array
    """
    return ours(getattr(scipy_special, name))(spherical)


spherical_jn = _spherical("spherical_jn", p.spherical_jn, 1.0, -1.0)
spherical_yn = _spherical("spherical_yn", p.spherical_yn, 1.0, -1.0)
spherical_in = _spherical("spherical_in", p.spherical_in, 1.0, 1.0)
spherical_kn = _spherical("spherical_kn", p.spherical_kn, -1.0, -1.0)


def _riccati(name: str, function: Any) -> Any:
    def riccati(n: int, x: Any) -> tuple[Any, Any]:
        n = _whole(name, "number of orders n", n)
        x = floating(x)
        values, slopes = [], []
        for k in range(n + 1):
            f = function(k, x)
            values.append(e.multiply(x, f))
            slopes.append(e.add(f, e.multiply(x, _spherical_slope(function, k, x))))
        return np.stack(values), np.stack(slopes)

    riccati.__name__ = riccati.__qualname__ = name
    riccati.__doc__ = f"""Riccati-Bessel functions ``{name}`` of orders up to ``n``, and slopes.

    Parameters
    ----------
    n
        Largest order, an integer.
    x
        Argument, a number.

    Returns
    -------
    pair of arrays of length ``n + 1``
    """
    return ours(getattr(scipy_special, name))(riccati)


def _spherical_slope(function: Any, k: int, x: Any) -> Any:
    lower = e.multiply(float(k), function(max(k - 1, 0), x))
    upper = e.multiply(float(k + 1), function(k + 1, x))
    return e.multiply(1 / (2 * k + 1), e.subtract(lower, upper))


riccati_jn = _riccati("riccati_jn", p.spherical_jn)
riccati_yn = _riccati("riccati_yn", p.spherical_yn)

# --- Legendre functions and spherical harmonics ----------------------------------------------


@ours(scipy_special.legendre_p)
def legendre_p(n: Any, z: Any, *, diff_n: int = 0) -> Any:
    """Legendre polynomial and its derivatives.

    Parameters
    ----------
    n
        Degree, an integer or an array of them.
    z
        Argument.
    diff_n
        Number of derivatives.

    Returns
    -------
    array with a leading axis of length ``diff_n + 1``
    """
    diff_n = _whole("legendre_p", "number of derivatives diff_n", diff_n)
    z = floating(z)
    made = [p.eval_legendre(n, z)]
    for k in range(1, diff_n + 1):
        made.append(_legendre_derivative(k, n, z))
    return np.stack(made)


def _legendre_derivative(k: int, n: Any, z: Any) -> Any:
    """``(2k - 1)!! C_{n-k}`` of parameter ``k + 1/2`` (DLMF 18.9.19)."""
    double_factorial = float(math.prod(range(1, 2 * k, 2)))
    if np.ndim(n) == 0:
        if n < k:
            return e.multiply(0.0, z)
        return e.multiply(double_factorial, p.eval_gegenbauer(int(n) - k, k + 0.5, z))
    degree = np.maximum(np.asarray(n) - k, 0)
    value = e.multiply(double_factorial, p.eval_gegenbauer(degree, k + 0.5, z))
    return e.select(np.asarray(n) < k, 0.0, value)


def _negative_order(n: int, m: int) -> float:
    """``P_n^{-m} / P_n^m`` (DLMF 14.9.3)."""
    return (-1.0) ** m * math.exp(math.lgamma(n - m + 1) - math.lgamma(n + m + 1))


def _associated(n: int, m: int, z: Any, root: Any) -> Any:
    """``P_n^m(z)`` for integers, ``root`` being the square root of 1 - z^2 (DLMF 14.7.10)."""
    size = abs(m)
    if size > n:
        return e.multiply(0.0, z)
    value = _legendre_derivative(size, n, z)
    if size:
        value = e.multiply((-1.0) ** size, e.multiply(e.power(root, size), value))
    return e.multiply(_negative_order(n, size), value) if m < 0 else value


def _no_slopes(name: str, diff_n: int) -> None:
    if diff_n:
        raise TypeError(
            f"{name}: diff_n is not supported on traced arrays, at {user_line()}; do "
            f"functorch_like.jvp or grad of {name}."
        )


def _normalization(n: int, m: int) -> float:
    if abs(m) > n:
        return 0.0
    ratio = math.exp(math.lgamma(n - m + 1) - math.lgamma(n + m + 1))
    return math.sqrt((2 * n + 1) / 2 * ratio)


@ours(scipy_special.assoc_legendre_p)
def assoc_legendre_p(
    n: Any, m: Any, z: Any, *, branch_cut: int = 2, norm: bool = False, diff_n: int = 0
) -> Any:
    """Associated Legendre function of integer degree and order, between -1 and 1.

    Parameters
    ----------
    n, m
        Degree and order, integers.
    z
        Argument.
    branch_cut
        2: the cuts are beyond -1 and 1.
    norm
        Whether to normalise to unit square integral.
    diff_n
        0 on traced arrays: differentiate the function.

    Returns
    -------
    array with a leading axis of length 1
    """
    _no_slopes("assoc_legendre_p", diff_n)
    if branch_cut != 2:
        raise TypeError(
            f"assoc_legendre_p: expected branch_cut=2; got {branch_cut}, at {user_line()}."
        )
    n = _whole("assoc_legendre_p", "degree n", n)
    m = _whole("assoc_legendre_p", "order m", m, None)
    z = floating(z)
    value = _associated(n, m, z, e.sqrt(e.subtract(1.0, e.square(z))) if m else None)
    if norm:
        value = e.multiply(_normalization(n, m), value)
    return np.stack([value])


def _on_sphere(n: Any, m: Any, theta: Any) -> Any:
    n = _whole("sph_harm_y", "degree n", n)
    m = _whole("sph_harm_y", "order m", m, None)
    value = _associated(n, m, e.cos(theta), e.sin(theta))
    return e.multiply(_normalization(n, m) / math.sqrt(2 * math.pi), value)


@ours(scipy_special.sph_legendre_p)
def sph_legendre_p(n: Any, m: Any, theta: Any, *, diff_n: int = 0) -> Any:
    """Spherical harmonic of integer degree and order on the meridian ``phi = 0``.

    Parameters
    ----------
    n, m
        Degree and order, integers.
    theta
        Polar angle, from 0 to pi.
    diff_n
        0 on traced arrays: differentiate the function.

    Returns
    -------
    array with a leading axis of length 1
    """
    _no_slopes("sph_legendre_p", diff_n)
    return np.stack([_on_sphere(n, m, floating(theta))])


@ours(scipy_special.sph_harm_y)
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """Spherical harmonic (DLMF 14.30.1), smooth at the poles.

    Parameters
    ----------
    n, m
        Degree and order, integers.
    theta
        Polar angle, from 0 to pi.
    phi
        Azimuth.
    diff_n
        0 on traced arrays: differentiate the function.

    Returns
    -------
    complex array

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.special import sph_harm_y
    >>> slope = ft.grad(lambda t: np.real(sph_harm_y(1, 0, t, 0.3)))(0.5)
    >>> bool(np.isclose(slope, -np.sqrt(3 / (4 * np.pi)) * np.sin(0.5)))
    True
    """
    _no_slopes("sph_harm_y", diff_n)
    wave = e.exp(e.multiply(1j * int(m), as_complex(phi)))
    return e.multiply(as_complex(_on_sphere(n, m, floating(theta))), wave)


@ours(scipy_special.legendre_p_all)
def legendre_p_all(n: int, z: Any, *, diff_n: int = 0) -> Any:
    """Legendre polynomials of all degrees up to ``n``, and their derivatives.

    Parameters
    ----------
    n
        Largest degree, an integer.
    z
        Argument.
    diff_n
        Number of derivatives.

    Returns
    -------
    array of shape ``(diff_n + 1, n + 1, *z.shape)``
    """
    n = _whole("legendre_p_all", "degree n", n)
    return np.stack([legendre_p(k, z, diff_n=diff_n) for k in range(n + 1)], axis=1)


def _orders(m: int) -> list[int]:
    """0, 1, ..., m, -m, ..., -1: negative orders stand at the end, as negative indices do."""
    return [*range(m + 1), *range(-m, 0)]


@ours(scipy_special.assoc_legendre_p_all)
def assoc_legendre_p_all(
    n: int, m: int, z: Any, *, branch_cut: int = 2, norm: bool = False, diff_n: int = 0
) -> Any:
    """Associated Legendre functions of degrees up to ``n`` and orders up to ``m``.

    Parameters
    ----------
    n, m
        Largest degree and order, integers.
    z
        Argument, between -1 and 1.
    branch_cut, norm, diff_n
        As in ``assoc_legendre_p``.

    Returns
    -------
    array of shape ``(1, n + 1, 2 m + 1, *z.shape)``
    """
    n = _whole("assoc_legendre_p_all", "degree n", n)
    m = _whole("assoc_legendre_p_all", "order m", m)
    options: dict[str, Any] = {"branch_cut": branch_cut, "norm": norm, "diff_n": diff_n}
    rows = [
        np.stack([assoc_legendre_p(k, j, z, **options) for j in _orders(m)], axis=1)
        for k in range(n + 1)
    ]
    return np.stack(rows, axis=1)


@ours(scipy_special.sph_legendre_p_all)
def sph_legendre_p_all(n: int, m: int, theta: Any, *, diff_n: int = 0) -> Any:
    """``sph_legendre_p`` of degrees up to ``n`` and orders up to ``m``.

    Parameters
    ----------
    n, m
        Largest degree and order, integers.
    theta
        Polar angle.
    diff_n
        0 on traced arrays.

    Returns
    -------
    array of shape ``(1, n + 1, 2 m + 1, *theta.shape)``
    """
    n = _whole("sph_legendre_p_all", "degree n", n)
    m = _whole("sph_legendre_p_all", "order m", m)
    rows = [
        np.stack([sph_legendre_p(k, j, theta, diff_n=diff_n) for j in _orders(m)], axis=1)
        for k in range(n + 1)
    ]
    return np.stack(rows, axis=1)


@ours(scipy_special.sph_harm_y_all)
def sph_harm_y_all(n: int, m: int, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """Spherical harmonics of degrees up to ``n`` and orders up to ``m``.

    Parameters
    ----------
    n, m
        Largest degree and order, integers.
    theta, phi
        Polar angle and azimuth.
    diff_n
        0 on traced arrays.

    Returns
    -------
    complex array of shape ``(n + 1, 2 m + 1, ...)``
    """
    n = _whole("sph_harm_y_all", "degree n", n)
    m = _whole("sph_harm_y_all", "order m", m)
    rows = [
        np.stack([sph_harm_y(k, j, theta, phi, diff_n=diff_n) for j in _orders(m)])
        for k in range(n + 1)
    ]
    return np.stack(rows)
