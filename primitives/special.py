"""Special functions: the ufuncs of scipy.special, with derivatives of every order.

Formulas are those of the Digital Library of Mathematical Functions (DLMF), cited by section.
Where the textbook formula cancels (large arguments, the removable singularities at 0) another
form is used there. Importing this module imports scipy.special, which takes longer than all
the rest of the package, so nothing imports it before it is needed.

At the ends of domains derivatives are the IEEE limits: ``entr`` has slope +inf at 0, ``xlogy``
has slope ``log(y)`` in ``x`` at ``x = 0``. An operand whose derivative nobody can compute
accurately (the order of a Bessel function, the shape of ``gammainc``) is refused where it is
differentiated, never taken to be constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.special as scipy_special

from .core import Elementwise, ShapedArray, dtype_of, ufunc_abstract
from .elementwise import (
    absolute,
    add,
    cos,
    divide,
    equal,
    exp,
    greater,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    maximum,
    multiply,
    negative,
    power,
    reciprocal,
    select,
    sign,
    sin,
    square,
    subtract,
)
from .structural import zeros_like

TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
SERIES_FROM = 25.0  # beyond it the asymptotic series below are exact to rounding

Rule = Callable[..., Any]


def _floating(*dtypes: Any) -> np.dtype:
    """The dtype functions of real operands compute in."""
    dtype = np.result_type(*dtypes)
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def _weakly_typed(ufunc: Any) -> Callable:
    """A ufunc in which Python numbers do not promote float32.

    Some of SciPy's answer in float64 when an order is a Python number, some do not.
    """

    def kernel(*operands: Any) -> Any:
        result = ufunc(*operands)
        dtype = _floating(
            *[x if type(x) in (int, float, complex) else dtype_of(x) for x in operands]
        )
        return result if result.dtype == dtype else result.astype(dtype)

    return kernel


def _plus(n: Any, k: int) -> Any:
    """``n + k``, a Python number where ``n`` is one."""
    return n + k if type(n) in (int, float) else add(n, k)


def _ratio(a: Any, b: Any) -> Any:
    """``a / b``, a Python number where both are."""
    return a / b if type(a) in (int, float) and type(b) in (int, float) else divide(a, b)


def _not_negative(n: Any) -> Any:
    return max(n, 0) if type(n) in (int, float) else maximum(n, 0)


class Special(Elementwise):
    """An elementwise function some of whose operands cannot be differentiated.

    ``refused`` maps the position of such an operand to what it is called in the error.
    """

    __slots__ = ("refused",)

    def __init__(
        self,
        name: str,
        kernel: Callable,
        rules: Sequence[Rule | None],
        refused: Mapping[int, str] | None = None,
        abstract: Callable | None = None,
    ) -> None:
        several = isinstance(kernel, np.ufunc) and kernel.nin > 1
        super().__init__(
            name,
            _weakly_typed(kernel) if several else kernel,
            rules,
            abstract=abstract or (ufunc_abstract(kernel) if several else None),
        )
        self.refused = dict(refused or {})

    def _check(self, flags: Sequence[Any]) -> None:
        for i, what in self.refused.items():
            if flags[i] is not None:
                raise TypeError(
                    f"{self.name}: no derivative is known with respect to {what} (operand {i}); "
                    "pass a value that is not differentiated, or give the function a rule with "
                    "functorch_like.wrap(f, vjp=...)."
                )

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        self._check(tangents)
        return super().jvp(primals, tangents, params)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        self._check(slots)
        return super().record(trace, primals, slots, params)


def _unary(name: str, derivative: Callable[[Any, Any], Any], kernel: Any = None) -> Special:
    """A function of one operand from its derivative ``(answer, x) -> slope``."""
    ufunc = getattr(scipy_special, name) if kernel is None else kernel
    return Special(name, ufunc, (lambda t, ans, x: multiply(t, derivative(ans, x)),))


def _constant_first(
    name: str,
    derivative: Callable[[Any, Any, Any], Any],
    what: str,
    kernel: Any = None,
    **more: Any,
) -> Special:
    """A function of a constant (an order, a degree) and the operand that is differentiated."""
    return Special(
        name,
        getattr(scipy_special, name) if kernel is None else kernel,
        (None, lambda t, ans, n, x: multiply(t, derivative(ans, n, x))),
        refused={0: what},
        **more,
    )


def _abstract_of_last(*avals: ShapedArray) -> ShapedArray:
    shape = np.broadcast_shapes(*[a.shape for a in avals])
    return ShapedArray(shape, _floating(avals[-1].dtype))


def _keeping_dtype(function: Callable) -> Callable:
    """A scipy function ``(n, x)`` that would compute in float64, brought back to x's dtype."""

    def kernel(n: Any, x: Any) -> Any:
        result = function(n, x)
        return result.astype(_floating(dtype_of(x)), copy=False)

    return kernel


# --- the error function and the normal distribution (DLMF 7) ---------------------------------

erf: Special = _unary("erf", lambda ans, x: multiply(TWO_OVER_ROOT_PI, exp(negative(square(x)))))
erfc: Special = _unary("erfc", lambda ans, x: multiply(-TWO_OVER_ROOT_PI, exp(negative(square(x)))))
erfinv: Special = _unary("erfinv", lambda ans, x: multiply(1 / TWO_OVER_ROOT_PI, exp(square(ans))))
erfcinv: Special = _unary(
    "erfcinv", lambda ans, x: multiply(-1 / TWO_OVER_ROOT_PI, exp(square(ans)))
)


def _asymptotic(x: Any, alternate: bool) -> Any:
    """Sum of ``(2k - 1)!! u**k`` over k = 1 ... 8 with ``u = 1 / (2 x**2)``, signs +-+- or all +.

    It is what ``1 - sqrt(pi) x erfcx(x)`` and ``2 x dawsn(x) - 1`` tend to (DLMF 7.12).
    """
    u = divide(0.5, square(x))
    total: Any = 2027025.0 * (-1 if alternate else 1)
    for coefficient, even in (
        (135135.0, 0),
        (10395.0, 1),
        (945.0, 0),
        (105.0, 1),
        (15.0, 0),
        (3.0, 1),
        (1.0, 0),
    ):
        total = add(multiply(total, u), -coefficient if alternate and even else coefficient)
    return multiply(total, u)


def _pieces(
    far: Any, x: Any, inside: float, outside: float, near_form: Rule, far_form: Rule
) -> Any:
    """``far_form`` where ``far``, else ``near_form``; each sees harmless arguments elsewhere.

    An unused branch is still differentiated, and 0 * inf there would be NaN.
    """
    like = zeros_like(x)
    near_x = select(far, add(like, inside), x)
    far_x = select(far, x, add(like, outside))
    return select(far, far_form(far_x), near_form(near_x))


def _erfcx_slope(ans: Any, x: Any) -> Any:
    # 2 x erfcx(x) - 2 / sqrt(pi) cancels at large x.
    return _pieces(
        greater(x, SERIES_FROM),
        x,
        0.0,
        SERIES_FROM,
        lambda x: subtract(multiply(multiply(2.0, x), erfcx(x)), TWO_OVER_ROOT_PI),
        lambda x: multiply(-TWO_OVER_ROOT_PI, _asymptotic(x, alternate=True)),
    )


def _dawson_slope(ans: Any, x: Any) -> Any:
    return _pieces(
        greater(absolute(x), SERIES_FROM),
        x,
        0.0,
        SERIES_FROM,
        lambda x: subtract(1.0, multiply(multiply(2.0, x), dawsn(x))),
        lambda x: negative(_asymptotic(x, alternate=False)),
    )


erfcx: Special = _unary("erfcx", _erfcx_slope)
dawsn: Special = _unary("dawsn", _dawson_slope)
ndtr: Special = _unary(
    "ndtr", lambda ans, x: multiply(1 / ROOT_TWO_PI, exp(multiply(-0.5, square(x))))
)
ndtri: Special = _unary(
    "ndtri", lambda ans, x: multiply(ROOT_TWO_PI, exp(multiply(0.5, square(ans))))
)
log_ndtr: Special = _unary(
    "log_ndtr",
    # The ratio of density and distribution; erfcx keeps it accurate far out on the left.
    lambda ans, x: _pieces(
        less(x, 0.0),
        x,
        0.0,
        0.0,
        lambda x: divide(multiply(1 / ROOT_TWO_PI, exp(multiply(-0.5, square(x)))), ndtr(x)),
        lambda x: divide(math.sqrt(2 / math.pi), erfcx(multiply(-math.sqrt(0.5), x))),
    ),
)

# --- gamma, beta, zeta (DLMF 5, 8, 25) ----------------------------------------------------------

gamma: Special = _unary("gamma", lambda ans, x: multiply(ans, psi(x)))
gammaln: Special = _unary("gammaln", lambda ans, x: psi(x))
loggamma: Special = _unary("loggamma", lambda ans, x: psi(x))


def _reciprocal_gamma_slope(ans: Any, x: Any) -> Any:
    # At the zeros 0, -1, -2, ... psi is infinite; the reflection 5.5.3 is regular there.
    def left(x: Any) -> Any:
        y, angle = subtract(1.0, x), multiply(math.pi, x)
        ratio = multiply(sin(angle), multiply(1 / math.pi, psi(y)))
        return multiply(gamma(y), subtract(cos(angle), ratio))

    return _pieces(less(x, 0.5), x, 1.0, 0.0, lambda x: negative(multiply(psi(x), rgamma(x))), left)


rgamma: Special = _unary("rgamma", _reciprocal_gamma_slope)
psi: Special = _unary("psi", lambda ans, x: polygamma(1, x))
digamma: Special = psi
polygamma: Special = _constant_first(
    "polygamma",
    lambda ans, n, x: polygamma(_plus(n, 1), x),
    "the order n",
    kernel=_keeping_dtype(scipy_special.polygamma),
    abstract=_abstract_of_last,
)
zeta: Special = _constant_first(
    "zeta",
    lambda ans, s, q: negative(multiply(s, zeta(_plus(s, 1), q))),
    "the exponent x (only q is differentiated)",
    kernel=_keeping_dtype(scipy_special.zeta),
    abstract=_abstract_of_last,
)
beta: Special = Special(
    "beta",
    scipy_special.beta,
    (
        lambda t, ans, a, b: multiply(t, multiply(ans, subtract(psi(a), psi(add(a, b))))),
        lambda t, ans, a, b: multiply(t, multiply(ans, subtract(psi(b), psi(add(a, b))))),
    ),
)
betaln: Special = Special(
    "betaln",
    scipy_special.betaln,
    (
        lambda t, ans, a, b: multiply(t, subtract(psi(a), psi(add(a, b)))),
        lambda t, ans, a, b: multiply(t, subtract(psi(b), psi(add(a, b)))),
    ),
)


def _weak(value: Any, *sources: Any) -> Any:
    """A constant computed from Python numbers as a Python number again."""
    return float(value) if all(type(v) in (int, float) for v in sources) else value


def _gamma_density(a: Any, x: Any) -> Any:
    return exp(subtract(subtract(xlogy(_plus(a, -1), x), x), _weak(gammaln(a), a)))


gammainc: Special = _constant_first(
    "gammainc", lambda ans, a, x: _gamma_density(a, x), "the shape a (only x is differentiated)"
)
gammaincc: Special = _constant_first(
    "gammaincc",
    lambda ans, a, x: negative(_gamma_density(a, x)),
    "the shape a (only x is differentiated)",
)


def _betainc_rule(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
    powers = add(xlogy(_plus(a, -1), x), xlog1py(_plus(b, -1), negative(x)))
    return multiply(t, exp(subtract(powers, _weak(betaln(a, b), a, b))))


betainc: Special = Special(
    "betainc",
    scipy_special.betainc,
    (None, None, _betainc_rule),
    refused={
        0: "the shape a (only x is differentiated)",
        1: "the shape b (only x is differentiated)",
    },
)

# --- logistic, entropy, Box-Cox -----------------------------------------------------------------

expit: Special = _unary("expit", lambda ans, x: multiply(ans, expit(negative(x))))
log_expit: Special = _unary("log_expit", lambda ans, x: expit(negative(x)))
logit: Special = _unary("logit", lambda ans, x: reciprocal(multiply(x, subtract(1.0, x))))


def _quotient(x: Any, y: Any) -> Any:
    """``x / y`` with 0 / 0 = 0, and slope 1 / y in x where only x is 0."""
    both = logical_and(equal(x, 0.0), equal(y, 0.0))
    return divide(x, select(both, add(zeros_like(y), 1.0), y))


xlogy: Special = Special(
    "xlogy",
    scipy_special.xlogy,
    (
        lambda t, ans, x, y: multiply(t, log(y)),
        lambda t, ans, x, y: multiply(t, _quotient(x, y)),
    ),
)
xlog1py: Special = Special(
    "xlog1py",
    scipy_special.xlog1py,
    (
        lambda t, ans, x, y: multiply(t, log1p(y)),
        lambda t, ans, x, y: multiply(t, _quotient(x, add(1.0, y))),
    ),
)
entr: Special = _unary("entr", lambda ans, x: subtract(-1.0, log(x)))
rel_entr: Special = Special(
    "rel_entr",
    scipy_special.rel_entr,
    (
        lambda t, ans, x, y: multiply(t, add(1.0, log(divide(x, y)))),
        lambda t, ans, x, y: negative(multiply(t, _quotient(x, y))),
    ),
)
kl_div: Special = Special(
    "kl_div",
    scipy_special.kl_div,
    (
        lambda t, ans, x, y: multiply(t, log(divide(x, y))),
        lambda t, ans, x, y: multiply(t, subtract(1.0, _quotient(x, y))),
    ),
)
# exprel(x) is the integral of exp(x s) over s in [0, 1], that is M(1, 2, x); so are its
# derivatives, M(n + 1, n + 2, x) / (n + 1), regular at 0 (DLMF 13.3.15).
exprel: Special = _unary("exprel", lambda ans, x: multiply(0.5, hyp1f1(2.0, 3.0, x)))
cosm1: Special = _unary("cosm1", lambda ans, x: negative(sin(x)))
exp10: Special = _unary("exp10", lambda ans, x: multiply(math.log(10.0), ans))


def _hypergeometric(name: str, slope: Rule, count: int) -> Special:
    def rule(t: Any, ans: Any, *operands: Any) -> Any:
        return multiply(t, slope(*operands))

    return Special(
        name,
        getattr(scipy_special, name),
        (None,) * count + (rule,),
        refused={i: f"the parameter {'abc'[i]}" for i in range(count)},
    )


hyp1f1: Special = _hypergeometric(
    "hyp1f1",
    lambda a, b, x: multiply(_ratio(a, b), hyp1f1(_plus(a, 1), _plus(b, 1), x)),
    2,
)
hyp2f1: Special = _hypergeometric(
    "hyp2f1",
    lambda a, b, c, x: multiply(
        _ratio(a, _ratio(c, b)), hyp2f1(_plus(a, 1), _plus(b, 1), _plus(c, 1), x)
    ),
    3,
)


def _boxcox_exponent_slope(logarithm: Any, exponent: Any) -> Any:
    # boxcox = L exprel(lam L) with L = log x.
    return multiply(
        square(logarithm), multiply(0.5, hyp1f1(2.0, 3.0, multiply(exponent, logarithm)))
    )


def _inverse_boxcox_exponent_slope(power_: Any, y: Any, exponent: Any) -> Any:
    # inv_boxcox = exp(y h(lam y)) with h(w) = log1p(w) / w = F(1, 1; 2; -w).
    w = multiply(exponent, y)
    return multiply(multiply(power_, square(y)), multiply(-0.5, hyp2f1(2.0, 2.0, 3.0, negative(w))))


boxcox: Special = Special(
    "boxcox",
    scipy_special.boxcox,
    (
        lambda t, ans, x, lam: multiply(t, power(x, subtract(lam, 1.0))),
        lambda t, ans, x, lam: multiply(t, _boxcox_exponent_slope(log(x), lam)),
    ),
)
boxcox1p: Special = Special(
    "boxcox1p",
    scipy_special.boxcox1p,
    (
        lambda t, ans, x, lam: multiply(t, exp(multiply(subtract(lam, 1.0), log1p(x)))),
        lambda t, ans, x, lam: multiply(t, _boxcox_exponent_slope(log1p(x), lam)),
    ),
)
inv_boxcox: Special = Special(
    "inv_boxcox",
    scipy_special.inv_boxcox,
    (
        lambda t, ans, y, lam: multiply(t, power(ans, subtract(1.0, lam))),
        lambda t, ans, y, lam: multiply(t, _inverse_boxcox_exponent_slope(ans, y, lam)),
    ),
)
inv_boxcox1p: Special = Special(
    "inv_boxcox1p",
    scipy_special.inv_boxcox1p,
    (
        lambda t, ans, y, lam: multiply(t, power(add(1.0, ans), subtract(1.0, lam))),
        lambda t, ans, y, lam: multiply(t, _inverse_boxcox_exponent_slope(add(1.0, ans), y, lam)),
    ),
)

# --- Bessel functions (DLMF 10.6, 10.29, 10.51) ---------------------------------------------------


def _mean_of_neighbours(function: Callable, v: Any, x: Any, signs: str) -> Any:
    combine = add if signs == "++" else subtract
    return multiply(0.5, combine(function(_plus(v, -1), x), function(_plus(v, 1), x)))


def _sign_of_real(name: str, x: Any) -> Any:
    if dtype_of(x).kind == "c":
        raise TypeError(
            f"{name}: scaled by exp(-|Re x|) it has no complex derivative; scale iv(v, x) yourself."
        )
    return sign(x)


jv: Special = _constant_first(
    "jv", lambda ans, v, x: _mean_of_neighbours(jv, v, x, "+-"), "the order v"
)
yv: Special = _constant_first(
    "yv", lambda ans, v, x: _mean_of_neighbours(yv, v, x, "+-"), "the order v"
)
iv: Special = _constant_first(
    "iv", lambda ans, v, x: _mean_of_neighbours(iv, v, x, "++"), "the order v"
)
kv: Special = _constant_first(
    "kv", lambda ans, v, x: negative(_mean_of_neighbours(kv, v, x, "++")), "the order v"
)
ive: Special = _constant_first(
    "ive",
    lambda ans, v, x: subtract(
        _mean_of_neighbours(ive, v, x, "++"), multiply(_sign_of_real("ive", x), ans)
    ),
    "the order v",
)
kve: Special = _constant_first(
    "kve",
    lambda ans, v, x: subtract(ans, _mean_of_neighbours(kve, v, x, "++")),
    "the order v",
)
j0: Special = _unary("j0", lambda ans, x: negative(j1(x)))
j1: Special = _unary("j1", lambda ans, x: multiply(0.5, subtract(j0(x), jv(2, x))))
y0: Special = _unary("y0", lambda ans, x: negative(y1(x)))
y1: Special = _unary("y1", lambda ans, x: multiply(0.5, subtract(y0(x), yv(2, x))))
i0: Special = _unary("i0", lambda ans, x: i1(x))
i1: Special = _unary("i1", lambda ans, x: multiply(0.5, add(i0(x), iv(2, x))))
k0: Special = _unary("k0", lambda ans, x: negative(k1(x)))
k1: Special = _unary("k1", lambda ans, x: multiply(-0.5, add(k0(x), kv(2, x))))
# The scaled ones lose a factor of 2 |x| in relative accuracy: their slope is that much smaller
# than the terms of which it is the difference.
i0e: Special = _unary("i0e", lambda ans, x: subtract(i1e(x), multiply(sign(x), ans)))
i1e: Special = _unary(
    "i1e",
    lambda ans, x: subtract(multiply(0.5, add(i0e(x), ive(2, x))), multiply(sign(x), ans)),
)
k0e: Special = _unary("k0e", lambda ans, x: subtract(ans, k1e(x)))
k1e: Special = _unary("k1e", lambda ans, x: subtract(ans, multiply(0.5, add(k0e(x), kve(2, x)))))


def _spherical_slope(ans: Any, n: Any, x: Any) -> Any:
    # j_n' = (n j_{n-1} - (n+1) j_{n+1}) / (2n+1): no division by x, so right at 0.
    lower = spherical_jn(_not_negative(_plus(n, -1)), x)
    upper = spherical_jn(_plus(n, 1), x)
    whole = 2 * n + 1 if type(n) is int else add(multiply(2, n), 1)
    return subtract(multiply(_ratio(n, whole), lower), multiply(_ratio(_plus(n, 1), whole), upper))


spherical_jn: Special = _constant_first(
    "spherical_jn",
    _spherical_slope,
    "the order n",
    kernel=_keeping_dtype(lambda n, x: np.asarray(scipy_special.spherical_jn(n, x))[()]),
    abstract=_abstract_of_last,
)
# np.sinc(x) is j_0(pi x).
sinc: Special = Special(
    "sinc",
    np.sinc,
    (lambda t, ans, x: multiply(t, multiply(-math.pi, spherical_jn(1, multiply(math.pi, x)))),),
    abstract=_abstract_of_last,
)
numpy_i0: Special = Special(
    "numpy_i0",
    np.i0,
    (lambda t, ans, x: multiply(t, i1(x)),),
    abstract=_abstract_of_last,
)

# --- exponential and elliptic integrals (DLMF 6, 8.19, 19) ---------------------------------------

exp1: Special = _unary("exp1", lambda ans, x: negative(divide(exp(negative(x)), x)))
expi: Special = _unary("expi", lambda ans, x: divide(exp(x), x))


def _expn_slope(ans: Any, n: Any, x: Any) -> Any:
    # E_0(x) = exp(-x) / x; scipy has no E_{-1}.
    first = multiply(divide(exp(negative(x)), x), add(1.0, reciprocal(x)))
    return negative(select(equal(n, 0), first, expn(_not_negative(_plus(n, -1)), x)))


expn: Special = _constant_first("expn", _expn_slope, "the order n")


def _near_zero(m: Any, series: Rule, closed: Rule) -> Any:
    """The closed forms divide by m: near 0 the hypergeometric series takes over."""
    return _pieces(less_equal(absolute(m), 0.5), m, 0.75, 0.0, closed, series)


def _first_kind_slope(p: Any) -> Any:
    """dK/dm as a function of ``p = 1 - m``, accurate for p near 0 too (DLMF 19.4.1)."""
    m = subtract(1.0, p)
    difference = subtract(ellipe(m), multiply(p, ellipkm1(p)))
    return divide(difference, multiply(multiply(2.0, m), p))


def _first_kind_series(m: Any) -> Any:
    return multiply(math.pi / 8, hyp2f1(1.5, 1.5, 2.0, m))


ellipkm1: Special = _unary(
    "ellipkm1",
    lambda ans, p: negative(
        _pieces(
            less_equal(absolute(subtract(p, 1.0)), 0.5),
            p,
            0.25,
            1.0,
            _first_kind_slope,
            lambda p: _first_kind_series(subtract(1.0, p)),
        )
    ),
)
ellipk: Special = _unary(
    "ellipk",
    lambda ans, m: _near_zero(m, _first_kind_series, lambda m: _first_kind_slope(subtract(1.0, m))),
)
ellipe: Special = _unary(
    "ellipe",
    lambda ans, m: _near_zero(
        m,
        lambda m: multiply(-math.pi / 8, hyp2f1(0.5, 1.5, 2.0, m)),
        lambda m: divide(subtract(ellipe(m), ellipk(m)), multiply(2.0, m)),
    ),
)

__all__ = [name for name, value in list(globals().items()) if type(value) is Special]
