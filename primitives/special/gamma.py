"""Gamma, beta and zeta functions and the incomplete ones (DLMF 5, 8, 25), in every argument.

At the ends of their intervals the incomplete functions have the slopes of their limits; ``betainc``
differentiated twice in ``x`` is 0 / 0, NaN, exactly at 0 and 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...kernels.special.incomplete import (
    beta_density_derivative,
    betainc_derivative,
    gamma_density_derivative,
    gammainc_derivative,
)
from ...kernels.special.zeta import complex_polygamma, zeta_derivative
from ..core import dtype_of
from ..elementwise import (
    add,
    cos,
    divide,
    equal,
    less,
    multiply,
    negative,
    select,
    sin,
    subtract,
)
from .base import Special, inverse, pieces, plus, real_only, special, unary

gamma: Special = unary("gamma", lambda ans, x: multiply(ans, psi(x)))
gammaln: Special = unary("gammaln", lambda ans, x: psi(x))
loggamma: Special = unary("loggamma", lambda ans, x: psi(x))
gammasgn: Special = Special("gammasgn", scipy_special.gammasgn, None, arity=1)


def _reciprocal_gamma_slope(ans: Any, x: Any) -> Any:
    # At the zeros 0, -1, -2, ... psi is infinite; the reflection 5.5.3 is regular there.
    def left(x: Any) -> Any:
        y, angle = subtract(1.0, x), multiply(math.pi, x)
        share = multiply(sin(angle), multiply(1 / math.pi, psi(y)))
        return multiply(gamma(y), subtract(cos(angle), share))

    return pieces(less(x, 0.5), x, 1.0, 0.0, lambda x: negative(multiply(psi(x), rgamma(x))), left)


rgamma: Special = unary("rgamma", _reciprocal_gamma_slope)


def _polygamma(n: Any, x: Any) -> Any:
    if dtype_of(x).kind != "c":
        return scipy_special.polygamma(n, x)
    orders = sorted(set(np.atleast_1d(n).real.astype(int).ravel().tolist()))
    made: Any = 0.0
    for k in orders:
        value = scipy_special.psi(x) if k == 0 else complex_polygamma(k, x)
        made = made + np.where(np.equal(n, k), value, 0.0)
    return made


psi: Special = unary("psi", lambda ans, x: polygamma(1, x))
digamma: Special = psi
polygamma: Special = special(
    "polygamma",
    "the order n",
    lambda ans, n, x: polygamma(plus(n, 1), x),
    kernel=lambda n, x: _polygamma(n, x),
    orders=1,
)
poch: Special = special(
    "poch",
    lambda ans, z, m: multiply(ans, subtract(psi(add(z, m)), psi(z))),
    lambda ans, z, m: multiply(ans, psi(add(z, m))),
)
beta: Special = special(
    "beta",
    lambda ans, a, b: multiply(ans, subtract(psi(a), psi(add(a, b)))),
    lambda ans, a, b: multiply(ans, subtract(psi(b), psi(add(a, b)))),
)
betaln: Special = special(
    "betaln",
    lambda ans, a, b: subtract(psi(a), psi(add(a, b))),
    lambda ans, a, b: subtract(psi(b), psi(add(a, b))),
)


def _left_out(n: Any, k: Any) -> Any:
    return add(subtract(n, k), 1.0)


binom: Special = special(
    "binom",
    lambda ans, n, k: multiply(ans, subtract(psi(add(n, 1.0)), psi(_left_out(n, k)))),
    lambda ans, n, k: multiply(ans, subtract(psi(_left_out(n, k)), psi(add(k, 1.0)))),
)

# --- zeta ------------------------------------------------------------------------------------

# Hurwitz's zeta by its exponent: (n, s, q) -> the n-th derivative by s.
zeta_by_exponent: Special = special(
    "zeta_by_exponent",
    "the order n",
    lambda ans, n, s, q: zeta_by_exponent(plus(n, 1), s, q),
    lambda ans, n, s, q: _zeta_by_shift(n, s, q),
    kernel=zeta_derivative,
    orders=1,
)


def _zeta_by_shift(n: Any, s: Any, q: Any) -> Any:
    # d/dq zeta(s, q) = -s zeta(s + 1, q), differentiated n times by s
    lower = select(equal(n, 0), 0, plus(n, -1))
    after = plus(s, 1)
    return negative(
        add(
            multiply(s, zeta_by_exponent(n, after, q)),
            multiply(n, zeta_by_exponent(lower, after, q)),
        )
    )


zeta: Special = special(
    "zeta",
    lambda ans, s, q: zeta_by_exponent(1, s, q),
    lambda ans, s, q: negative(multiply(s, zeta(plus(s, 1), q))),
)
# Riemann's, which SciPy knows for all s.
riemann_zeta: Special = unary(
    "riemann_zeta",
    lambda ans, s: zeta_by_exponent(1, real_only("zeta", s), 1.0),
    kernel=lambda s: scipy_special.zeta(s),
)
zetac: Special = unary("zetac", lambda ans, s: zeta_by_exponent(1, s, 1.0))

# --- the incomplete gamma function -----------------------------------------------------------
# (n, a, x) -> the n-th derivative by a of P(a, x), and of its density.

gammainc_by_shape: Special = special(
    "gammainc_by_shape",
    "the order n",
    lambda ans, n, a, x: gammainc_by_shape(plus(n, 1), a, x),
    lambda ans, n, a, x: gamma_density(n, a, x),
    kernel=gammainc_derivative,
    orders=1,
)
gamma_density: Special = special(
    "gamma_density",
    "the order n",
    lambda ans, n, a, x: gamma_density(plus(n, 1), a, x),
    lambda ans, n, a, x: subtract(gamma_density(n, plus(a, -1), x), ans),
    kernel=gamma_density_derivative,
    orders=1,
)
_GAMMA_SLOPES = (
    lambda a, x: gammainc_by_shape(1, a, x),
    lambda a, x: gamma_density(0, a, x),
)
_UPPER_GAMMA_SLOPES = (
    lambda a, x: negative(gammainc_by_shape(1, a, x)),
    lambda a, x: negative(gamma_density(0, a, x)),
)
gammainc: Special = special(
    "gammainc",
    lambda ans, a, x: gammainc_by_shape(1, a, x),
    lambda ans, a, x: gamma_density(0, a, x),
)
gammaincc: Special = special(
    "gammaincc",
    lambda ans, a, x: negative(gammainc_by_shape(1, a, x)),
    lambda ans, a, x: negative(gamma_density(0, a, x)),
)
gammaincinv: Special = inverse("gammaincinv", _GAMMA_SLOPES, 1)
gammainccinv: Special = inverse("gammainccinv", _UPPER_GAMMA_SLOPES, 1)

# --- the incomplete beta function ------------------------------------------------------------
# (m, n, a, b, x) -> derivatives of I_x(a, b), m times by a and n times by b, and of its density.

betainc_by_shapes: Special = special(
    "betainc_by_shapes",
    "the order m",
    "the order n",
    lambda ans, m, n, a, b, x: betainc_by_shapes(plus(m, 1), n, a, b, x),
    lambda ans, m, n, a, b, x: betainc_by_shapes(m, plus(n, 1), a, b, x),
    lambda ans, m, n, a, b, x: beta_density(m, n, a, b, x),
    kernel=betainc_derivative,
    orders=2,
)


def _beta_density_slope(ans: Any, m: Any, n: Any, a: Any, b: Any, x: Any) -> Any:
    # x d/dx log = (a - 1) - (b - 1) x / (1 - x), of which a and b are differentiated m and n times
    y = subtract(1.0, x)
    less_m, less_n = (select(equal(k, 0), 0, plus(k, -1)) for k in (m, n))
    at_x = add(multiply(subtract(a, 1.0), ans), multiply(m, beta_density(less_m, n, a, b, x)))
    at_y = add(multiply(subtract(b, 1.0), ans), multiply(n, beta_density(m, less_n, a, b, x)))
    return subtract(divide(at_x, x), divide(at_y, y))


beta_density: Special = special(
    "beta_density",
    "the order m",
    "the order n",
    lambda ans, m, n, a, b, x: beta_density(plus(m, 1), n, a, b, x),
    lambda ans, m, n, a, b, x: beta_density(m, plus(n, 1), a, b, x),
    _beta_density_slope,
    kernel=beta_density_derivative,
    orders=2,
)


def _beta_slopes(sign: float) -> tuple:
    return (
        lambda a, b, x: multiply(sign, betainc_by_shapes(1, 0, a, b, x)),
        lambda a, b, x: multiply(sign, betainc_by_shapes(0, 1, a, b, x)),
        lambda a, b, x: multiply(sign, beta_density(0, 0, a, b, x)),
    )


def _with_answer(slopes: tuple) -> list:
    return [lambda ans, *operands, f=f: f(*operands) for f in slopes]


LOWER_BETA, UPPER_BETA = _beta_slopes(1.0), _beta_slopes(-1.0)
betainc: Special = special("betainc", *_with_answer(LOWER_BETA))
betaincc: Special = special("betaincc", *_with_answer(UPPER_BETA))
betaincinv: Special = inverse("betaincinv", LOWER_BETA, 2)
betainccinv: Special = inverse("betainccinv", UPPER_BETA, 2)
btdtria: Special = inverse("btdtria", LOWER_BETA, 0)
btdtrib: Special = inverse("btdtrib", LOWER_BETA, 1)
