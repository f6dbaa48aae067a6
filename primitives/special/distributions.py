"""Distribution functions of scipy.special and their inverses.

Nearly all are incomplete gamma or beta functions of transformed arguments. Each is given by its
slopes; an inverse follows from those of the function it inverts, by the implicit function theorem.
Counts that SciPy rounds down are constants.
"""

from __future__ import annotations

import math
from typing import Any

from ...kernels.special.kolmogorov import kolmogorov_derivative
from ..elementwise import (
    absolute,
    add,
    divide,
    equal,
    exp,
    floor,
    greater,
    less,
    multiply,
    negative,
    power,
    select,
    sqrt,
    square,
    subtract,
)
from .base import (
    ROOT_TWO_PI,
    Special,
    integers,
    inverse,
    pieces,
    plus,
    special,
    ufunc_named,
    unary,
)
from .bessel import ive
from .error import normal_density
from .gamma import beta_density, betainc_by_shapes, gamma_density, gammainc_by_shape, gammaln
from .hypergeometric import hyp0f1, hyp1f1

Slopes = tuple[Any, ...]  # (*operands) -> derivative, one an operand; None for a count


def _declare(name: str, slopes: Slopes, kernel: Any = None) -> Special:
    def with_answer(f: Any) -> Any:
        return (lambda ans, *operands: f(*operands)) if callable(f) else f

    return special(name, *map(with_answer, slopes), kernel=kernel)


def _minus(slopes: Slopes) -> Slopes:
    """The slopes of 1 - F."""

    def minus(f: Any) -> Any:
        return None if f is None else (lambda *operands: negative(f(*operands)))

    return tuple(map(minus, slopes))


def _by_a(a: Any, b: Any, x: Any) -> Any:
    return betainc_by_shapes(1, 0, a, b, x)


def _by_b(a: Any, b: Any, x: Any) -> Any:
    return betainc_by_shapes(0, 1, a, b, x)


def _by_x(a: Any, b: Any, x: Any) -> Any:
    return beta_density(0, 0, a, b, x)


# --- gamma, chi-squared, Poisson -------------------------------------------------------------

GAMMA: Slopes = (  # gdtr(a, b, x) = P(b, a x)
    lambda a, b, x: multiply(x, gamma_density(0, b, multiply(a, x))),
    lambda a, b, x: gammainc_by_shape(1, b, multiply(a, x)),
    lambda a, b, x: multiply(a, gamma_density(0, b, multiply(a, x))),
)
gdtr: Special = _declare("gdtr", GAMMA)
gdtrc: Special = _declare("gdtrc", _minus(GAMMA))
gdtria: Special = inverse("gdtria", GAMMA, 0)
gdtrib: Special = inverse("gdtrib", GAMMA, 1)
gdtrix: Special = inverse("gdtrix", GAMMA, 2)

CHI_SQUARED: Slopes = (  # chdtr(v, x) = P(v / 2, x / 2)
    lambda v, x: multiply(0.5, gammainc_by_shape(1, multiply(0.5, v), multiply(0.5, x))),
    lambda v, x: multiply(0.5, gamma_density(0, multiply(0.5, v), multiply(0.5, x))),
)
chdtr: Special = _declare("chdtr", CHI_SQUARED)
chdtrc: Special = _declare("chdtrc", _minus(CHI_SQUARED))
chdtri: Special = inverse("chdtri", _minus(CHI_SQUARED), 1)
# chdtriv(p, x) puts p where v stands
chdtriv: Special = inverse("chdtriv", CHI_SQUARED, 0)


def _poisson_mass(k: Any, m: Any) -> Any:
    return gamma_density(0, add(floor(k), 1.0), m)


POISSON: Slopes = (None, lambda k, m: negative(_poisson_mass(k, m)))  # Q(floor(k) + 1, m)
pdtr: Special = _declare("pdtr", POISSON)
pdtrc: Special = _declare("pdtrc", _minus(POISSON))
pdtri: Special = inverse("pdtri", POISSON, 1)
CONTINUOUS_POISSON: Slopes = (  # without the floor
    lambda k, m: negative(gammainc_by_shape(1, add(k, 1.0), m)),
    lambda k, m: negative(gamma_density(0, add(k, 1.0), m)),
)
pdtrik: Special = inverse("pdtrik", CONTINUOUS_POISSON, 0)

# --- binomial and negative binomial ----------------------------------------------------------
# bdtr(k, n, p) = I_{1-p}(n - k, k + 1); nbdtr(k, n, p) = I_p(n, k + 1)


def _one_less(p: Any) -> Any:
    return subtract(1.0, p)


def _binomial(whole: Any) -> Slopes:
    def operands(k: Any, n: Any, p: Any) -> tuple:
        k = whole(k)
        return subtract(n, k), add(k, 1.0), _one_less(p)

    return (
        lambda k, n, p: subtract(_by_b(*operands(k, n, p)), _by_a(*operands(k, n, p))),
        lambda k, n, p: _by_a(*operands(k, n, p)),
        lambda k, n, p: negative(_by_x(*operands(k, n, p))),
    )


BINOMIAL: Slopes = (None, None, _binomial(floor)[2])
CONTINUOUS_BINOMIAL = _binomial(lambda k: k)


def _of_trials(name: str) -> Any:
    """SciPy takes integers only for the number of trials."""
    ufunc = ufunc_named(name)
    return lambda k, n, p: ufunc(k, integers(n), p)


bdtr: Special = _declare("bdtr", BINOMIAL, _of_trials("bdtr"))
bdtrc: Special = _declare("bdtrc", _minus(BINOMIAL), _of_trials("bdtrc"))
bdtri: Special = inverse("bdtri", BINOMIAL, 2, _of_trials("bdtri"))
bdtrik: Special = inverse("bdtrik", CONTINUOUS_BINOMIAL, 0)
bdtrin: Special = inverse("bdtrin", CONTINUOUS_BINOMIAL, 1)

CONTINUOUS_NEGATIVE_BINOMIAL: Slopes = (
    lambda k, n, p: _by_b(n, add(k, 1.0), p),
    lambda k, n, p: _by_a(n, add(k, 1.0), p),
    lambda k, n, p: _by_x(n, add(k, 1.0), p),
)
NEGATIVE_BINOMIAL: Slopes = (None, None, CONTINUOUS_NEGATIVE_BINOMIAL[2])
nbdtr: Special = _declare("nbdtr", NEGATIVE_BINOMIAL)
nbdtrc: Special = _declare("nbdtrc", _minus(NEGATIVE_BINOMIAL))
nbdtri: Special = inverse("nbdtri", NEGATIVE_BINOMIAL, 2)
nbdtrik: Special = inverse("nbdtrik", CONTINUOUS_NEGATIVE_BINOMIAL, 0)
nbdtrin: Special = inverse("nbdtrin", CONTINUOUS_NEGATIVE_BINOMIAL, 1)

# --- Fisher's F ------------------------------------------------------------------------------


def _fisher(d1: Any, d2: Any, x: Any) -> tuple[Any, Any, Any]:
    """``fdtr`` is the incomplete beta function of these."""
    scaled = multiply(d1, x)
    return multiply(0.5, d1), multiply(0.5, d2), divide(scaled, add(d2, scaled))


def _fisher_weight(d1: Any, d2: Any, x: Any) -> Any:
    """Density times (1 - y)^2 / d2; the argument's slopes are this times d1, x and -d1 x / d2."""
    a, b, y = _fisher(d1, d2, x)
    return multiply(_by_x(a, b, y), divide(square(_one_less(y)), d2))


FISHER: Slopes = (
    lambda d1, d2, x: add(
        multiply(0.5, _by_a(*_fisher(d1, d2, x))), multiply(x, _fisher_weight(d1, d2, x))
    ),
    lambda d1, d2, x: subtract(
        multiply(0.5, _by_b(*_fisher(d1, d2, x))),
        multiply(divide(multiply(d1, x), d2), _fisher_weight(d1, d2, x)),
    ),
    lambda d1, d2, x: multiply(d1, _fisher_weight(d1, d2, x)),
)
fdtr: Special = _declare("fdtr", FISHER)
fdtrc: Special = _declare("fdtrc", _minus(FISHER))
fdtri: Special = inverse("fdtri", FISHER, 2)
fdtridfd: Special = inverse("fdtridfd", FISHER, 1)

# --- Student's t -----------------------------------------------------------------------------
# The upper tail at |t| is I_y(df / 2, 1 / 2) / 2 with y = df / (df + t^2).


def _student_density(df: Any, t: Any) -> Any:
    constant = subtract(gammaln(multiply(0.5, add(df, 1.0))), gammaln(multiply(0.5, df)))
    scale = divide(exp(constant), sqrt(multiply(math.pi, df)))
    base = add(1.0, divide(square(t), df))
    return multiply(scale, power(base, multiply(-0.5, add(df, 1.0))))


def _student_by_df(df: Any, t: Any) -> Any:
    # sign(t) times half of P(|T| < |t|) = I_w(1/2, df / 2) with w = t^2 / (df + t^2), or of its
    # complement, which does not cancel in the tails; then through w, which moves with df as a
    # shift of t by -t / (2 df) would.
    direction = select(less(t, 0.0), -1.0, 1.0)

    def near(t: Any) -> Any:
        # At 0 the slope of w is 0 and that of I_w infinite: their product is taken beside it.
        squared = square(add(t, select(equal(t, 0.0), 1e-150, 0.0)))
        return _by_b(0.5, multiply(0.5, df), divide(squared, add(df, squared)))

    def far(t: Any) -> Any:
        return negative(_by_a(multiply(0.5, df), 0.5, divide(df, add(df, square(t)))))

    inner = pieces(greater(absolute(t), 1.0), t, 0.5, 2.0, near, far)
    moved = multiply(divide(multiply(0.5, t), df), _student_density(df, t))
    return subtract(multiply(multiply(0.25, direction), inner), moved)


STUDENT: Slopes = (_student_by_df, _student_density)
stdtr: Special = _declare("stdtr", STUDENT)
stdtrit: Special = inverse("stdtrit", STUDENT, 1)
stdtridf: Special = inverse("stdtridf", STUDENT, 0)

# --- the normal distribution by its parameters -----------------------------------------------


def _standardized(mean: Any, std: Any, x: Any) -> Any:
    return divide(subtract(x, mean), std)


def _normal_in_x(mean: Any, std: Any, x: Any) -> Any:
    return divide(normal_density(_standardized(mean, std, x)), std)


NORMAL: Slopes = (
    lambda mean, std, x: negative(_normal_in_x(mean, std, x)),
    lambda mean, std, x: negative(
        multiply(_standardized(mean, std, x), _normal_in_x(mean, std, x))
    ),
    _normal_in_x,
)
nrdtrisd: Special = inverse("nrdtrisd", NORMAL, 1)
# nrdtrimn(p, std, x) finds the mean
nrdtrimn: Special = inverse("nrdtrimn", NORMAL, 0)

# --- noncentral chi-squared and F ------------------------------------------------------------


def _noncentral_density(x: Any, df: Any, nc: Any) -> Any:
    # exp(-(x + nc) / 2) (x / nc)^(df/4 - 1/2) I_{df/2-1}(sqrt(nc x)) / 2, and near nc = 0 the
    # central density times 0F1(; df/2; nc x / 4) exp(-nc / 2) / 2
    half = multiply(0.5, df)
    product = multiply(nc, x)

    def near(product: Any) -> Any:
        central = gamma_density(0, half, multiply(0.5, x))
        growth = multiply(exp(multiply(-0.5, nc)), hyp0f1(half, multiply(0.25, product)))
        return multiply(0.5, multiply(central, growth))

    def far(product: Any) -> Any:
        order, root = subtract(half, 1.0), sqrt(product)
        away = add(add(x, nc), multiply(-2.0, root))
        # x / nc to the power is x^order / (nc x)^(order / 2)
        scale = divide(power(x, order), power(root, order))
        return multiply(0.5, multiply(multiply(exp(multiply(-0.5, away)), scale), ive(order, root)))

    return pieces(greater(product, 1.0), product, 0.5, 2.0, near, far)


NONCENTRAL: Slopes = (
    _noncentral_density,
    "the degrees of freedom df",
    # dF/dnc = (F(x; df + 2) - F(x; df)) / 2 = -density(x; df + 2)
    lambda x, df, nc: negative(_noncentral_density(x, add(df, 2.0), nc)),
)
chndtr: Special = _declare("chndtr", NONCENTRAL)
chndtrix: Special = inverse("chndtrix", NONCENTRAL, 0)
chndtrinc: Special = inverse("chndtrinc", NONCENTRAL, 2)


def _kummer(b: Any, a: Any, nc: Any, y: Any) -> Any:
    """Poisson weights times the growth of beta densities along the sum, by DLMF 13.2.39."""
    decay = exp(multiply(multiply(-0.5, nc), _one_less(y)))
    return multiply(decay, hyp1f1(b, a, multiply(multiply(-0.5, nc), y)))


def _noncentral_fisher_by_f(d1: Any, d2: Any, nc: Any, f: Any) -> Any:
    a, b, y = _fisher(d1, d2, f)
    weight = multiply(d1, _fisher_weight(d1, d2, f))
    return multiply(weight, _kummer(negative(b), a, nc, y))


def _noncentral_fisher_by_nc(d1: Any, d2: Any, nc: Any, f: Any) -> Any:
    # Half the difference between shapes a + 1 and a, which is y (1 - y) density / a.
    a, b, y = _fisher(d1, d2, f)
    step = multiply(beta_density(0, 0, a, b, y), multiply(y, _one_less(y)))
    growth = _kummer(_one_less(b), add(a, 1.0), nc, y)
    return multiply(-0.5, multiply(divide(step, a), growth))


DEGREES = "the degrees of freedom "
NONCENTRAL_FISHER: Slopes = (
    DEGREES + "dfn",
    DEGREES + "dfd",
    _noncentral_fisher_by_nc,
    _noncentral_fisher_by_f,
)
ncfdtr: Special = _declare("ncfdtr", NONCENTRAL_FISHER)
ncfdtri: Special = inverse("ncfdtri", NONCENTRAL_FISHER, 3)
ncfdtrinc: Special = inverse("ncfdtrinc", NONCENTRAL_FISHER, 2)

# --- noncentral t ----------------------------------------------------------------------------
# T = (Z + nc) / S: the slopes are means of S^k phi(t S - nc), which are Hermite functions.


def _noncentral_student_mean(power_of_s: int, df: Any, nc: Any, t: Any) -> Any:
    whole = add(df, square(t))
    w = multiply(multiply(0.5, square(nc)), divide(square(t), whole))
    a = multiply(0.5, add(df, float(power_of_s)))
    after = add(a, 0.5)
    rise = exp(subtract(gammaln(after), gammaln(a)))
    tilt = multiply(multiply(math.sqrt(2.0), multiply(nc, rise)), divide(t, sqrt(whole)))
    # M(a, 1/2, w) = exp(w) M(1/2 - a, 1/2, -w)
    total = add(
        hyp1f1(subtract(0.5, a), 0.5, negative(w)),
        multiply(tilt, hyp1f1(subtract(1.5, after), 1.5, negative(w))),
    )
    decay = exp(subtract(w, multiply(0.5, square(nc))))
    start = exp(subtract(gammaln(a), gammaln(multiply(0.5, df))))
    size = multiply(power(multiply(0.5, df), -0.5 * power_of_s), power(divide(df, whole), a))
    return multiply(1 / ROOT_TWO_PI, multiply(multiply(start, size), multiply(decay, total)))


NONCENTRAL_STUDENT: Slopes = (
    DEGREES + "df",
    lambda df, nc, t: negative(_noncentral_student_mean(0, df, nc, t)),
    lambda df, nc, t: _noncentral_student_mean(1, df, nc, t),
)
nctdtr: Special = _declare("nctdtr", NONCENTRAL_STUDENT)
nctdtrit: Special = inverse("nctdtrit", NONCENTRAL_STUDENT, 2)
nctdtrinc: Special = inverse("nctdtrinc", NONCENTRAL_STUDENT, 1)

# --- Kolmogorov ------------------------------------------------------------------------------

kolmogorov_by_order: Special = special(
    "kolmogorov_by_order",
    "the number of derivatives n",
    lambda ans, n, x: kolmogorov_by_order(plus(n, 1), x),
    kernel=kolmogorov_derivative,
    orders=1,
)
kolmogorov: Special = unary("kolmogorov", lambda ans, x: kolmogorov_by_order(1, x))
kolmogi: Special = inverse("kolmogi", (lambda x: kolmogorov_by_order(1, x),), 0)
