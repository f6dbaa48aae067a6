"""Random bits, uniform numbers and samplers, each a function of a key.

A key is an array of uint32 with a last axis of 2; leading axes are a batch. Bits and counts are
without derivative. A gamma or von Mises variate moves with its parameter along constant
probability (implicit reparameterisation: M. Figurnov, S. Mohamed, A. Mnih, NeurIPS 2018):
dx/dp = -(dF/dp) / (dF/dx) = H_1. With F the distribution function, f its density in x and
H_n = -(d^n F / dp^n) / f, the quotient rule closes the H_n among themselves:

    dH_n/dx = -B_n - H_n (log f)_x,    dH_n/dp = H_(n+1) - H_n (log f)_p,

where f B_n = d^n f / dp^n; so every order of derivative follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.cpu import implicit, samplers, threefry
from ..kernels.device import by_device, cpu_only
from ..kernels.gpu import samplers as gpu_samplers
from ..kernels.gpu import threefry as gpu
from .core import General, Nondifferentiable, ShapedArray
from .elementwise import (
    add,
    cos,
    divide,
    equal,
    exp,
    log,
    multiply,
    negative,
    reciprocal,
    select,
    sin,
    sqrt,
    square,
    subtract,
)
from .special import erfcx, polygamma, psi
from .structural import full_batch

__all__ = [
    "gamma_slope",
    "random_binomial",
    "random_bits",
    "random_fold",
    "random_gamma",
    "random_hypergeometric",
    "random_poisson",
    "random_split",
    "random_uniform",
    "random_von_mises",
    "von_mises_mean",
    "von_mises_slope",
    "wald_root",
]


def _all_batched(primitive: Callable[[], Any]) -> Callable:
    """A batching rule for what works along leading axes: every operand gets one."""

    def batch(size: int, xs: Sequence, batched: Sequence[bool], **params: Any) -> Any:
        full = [full_batch(size, x, b) for x, b in zip(xs, batched, strict=True)]
        return primitive()(*full, **params)

    return batch


# --- bits ----------------------------------------------------------------------------------------

random_bits: Nondifferentiable = Nondifferentiable(
    "random_bits",
    kernel=by_device(threefry.random_bits, gpu.random_bits),
    abstract=lambda key, shape, width: ShapedArray((*key.shape[:-1], *shape), f"u{width // 8}"),
    batch=lambda size, xs, batched, **params: random_bits(xs[0], **params),
)

# Multiples of 2^-m in [0, 1), m the bits of the dtype's mantissa.
random_uniform: Nondifferentiable = Nondifferentiable(
    "random_uniform",
    kernel=by_device(threefry.random_uniform, gpu.random_uniform),
    abstract=lambda key, shape, dtype: ShapedArray((*key.shape[:-1], *shape), dtype),
    batch=lambda size, xs, batched, **params: random_uniform(xs[0], **params),
)

random_split: Nondifferentiable = Nondifferentiable(
    "random_split",
    kernel=by_device(threefry.split, gpu.split),
    abstract=lambda key, shape: ShapedArray((*key.shape[:-1], *shape, 2), np.uint32),
    batch=lambda size, xs, batched, **params: random_split(xs[0], **params),
)

# The key of a key and the two words of a number.
random_fold: Nondifferentiable = Nondifferentiable(
    "random_fold",
    kernel=by_device(threefry.fold, gpu.fold),
    abstract=lambda key, words: ShapedArray(key.shape, np.uint32),
    batch=_all_batched(lambda: random_fold),
)

# --- counts --------------------------------------------------------------------------------------

# The key's leading axes are leading axes of the parameters.
random_poisson: Nondifferentiable = Nondifferentiable(
    "random_poisson",
    kernel=by_device(samplers.poisson, gpu_samplers.poisson),
    abstract=lambda key, rate, dtype: ShapedArray(rate.shape, dtype),
    batch=_all_batched(lambda: random_poisson),
)

random_binomial: Nondifferentiable = Nondifferentiable(
    "random_binomial",
    kernel=by_device(samplers.binomial, gpu_samplers.binomial),
    abstract=lambda key, count, chance, dtype: ShapedArray(count.shape, dtype),
    batch=_all_batched(lambda: random_binomial),
)

random_hypergeometric: Nondifferentiable = Nondifferentiable(
    "random_hypergeometric",
    kernel=by_device(samplers.hypergeometric, gpu_samplers.hypergeometric),
    abstract=lambda key, good, bad, drawn, dtype: ShapedArray(good.shape, dtype),
    batch=_all_batched(lambda: random_hypergeometric),
)

# --- implicit reparameterisation ---------------------------------------------------------------


def _total(parts: Sequence[Any]) -> Any:
    """The sum of what is not None, or None."""
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else add(total, part)
    return total


def _bell(arguments: Sequence[Any]) -> Any:
    """Complete Bell polynomial B_n(c_1, ..., c_n) of arrays."""
    values: list[Any] = [None]  # None stands for B_0 = 1
    for n in range(1, len(arguments) + 1):
        parts = []
        for k in range(n):
            previous, c = values[n - 1 - k], arguments[k]
            part = c if previous is None else multiply(previous, c)
            weight = math.comb(n - 1, k)
            parts.append(part if weight == 1 else multiply(float(weight), part))
        values.append(_total(parts))
    return values[-1]


def _slope_rule(
    primitive: Callable[[], General],
    log_derivatives: Callable[[Any, Any, int], list],
    log_slope: Callable[[Any, Any], Any],
) -> Callable:
    """The rule of H_n(p, x) from the derivatives of log f in p, and the one in x."""

    def rule(primals: Sequence, tangents: Sequence, order: int) -> tuple[Any, Any]:
        p, x = primals
        answer = primitive()(p, x, order=order)
        parts: list[Any] = []
        if tangents[0] is not None:
            following = primitive()(p, x, order=order + 1)
            slope = subtract(following, multiply(answer, log_derivatives(p, x, 1)[0]))
            parts.append(multiply(tangents[0], slope))
        if tangents[1] is not None:
            b = _bell(log_derivatives(p, x, order))
            slope = negative(add(b, multiply(answer, log_slope(p, x))))
            parts.append(multiply(tangents[1], slope))
        return answer, _total(parts)

    return rule


def _gamma_log_derivatives(a: Any, y: Any, order: int) -> list:
    # log q = a y - e^y - log Gamma(a)
    first = subtract(y, psi(a))
    return [first, *(negative(polygamma(n, a)) for n in range(1, order))]


def _slope_abstract(p: ShapedArray, x: ShapedArray, order: int) -> ShapedArray:
    return ShapedArray(p.shape, np.result_type(p.dtype, x.dtype))


# H_n of y = log x with respect to a, for x of Gamma(a, 1). Both operands have one shape.
gamma_slope: General = General(
    "gamma_slope",
    kernel=cpu_only("gamma_slope", implicit.gamma_slope),
    abstract=_slope_abstract,
    rule=_slope_rule(lambda: gamma_slope, _gamma_log_derivatives, lambda a, y: subtract(a, exp(y))),
    batch=_all_batched(lambda: gamma_slope),
)


def _gamma_rule(primals: Sequence, tangents: Sequence, log: bool) -> tuple[Any, Any]:
    key, a = primals
    answer = random_gamma(key, a, log=log)
    if tangents[1] is None:
        return answer, None
    if log:
        return answer, multiply(tangents[1], gamma_slope(a, answer, order=1))
    return answer, multiply(tangents[1], _gamma_tangent(a, answer))


def _gamma_tangent(a: Any, x: Any) -> Any:
    """dx/da = x H_1(a, log x), and 0 where x has underflowed to 0."""
    zero = equal(x, 0)
    safe = select(zero, 1.0, x)
    slope = multiply(safe, gamma_slope(a, log(safe), order=1))
    return select(zero, 0.0, slope)


# A variate of Gamma(a, 1) a key (a.shape + (2,)), or its logarithm.
random_gamma: General = General(
    "random_gamma",
    kernel=by_device(samplers.gamma, gpu.gamma),
    abstract=lambda key, a, log: ShapedArray(a.shape, a.dtype),
    rule=_gamma_rule,
    batch=_all_batched(lambda: random_gamma),
)


def _mean_rule(primals: Sequence, tangents: Sequence, order: int) -> tuple[Any, Any]:
    answer = von_mises_mean(*primals, order=order)
    if tangents[0] is None:
        return answer, None
    return answer, multiply(tangents[0], von_mises_mean(*primals, order=order + 1))


# Derivatives of I_1 / I_0.
von_mises_mean: General = General(
    "von_mises_mean",
    kernel=cpu_only("von_mises_mean", implicit.von_mises_mean),
    abstract=lambda kappa, order: ShapedArray(kappa.shape, kappa.dtype),
    rule=_mean_rule,
    batch=_all_batched(lambda: von_mises_mean),
)


def _von_mises_log_derivatives(kappa: Any, x: Any, order: int) -> list:
    # log f = kappa cos x - log(2 pi I_0(kappa))
    first = subtract(cos(x), von_mises_mean(kappa, order=0))
    return [first, *(negative(von_mises_mean(kappa, order=n)) for n in range(1, order))]


# H_n of an angle x with respect to kappa. Both operands have one shape.
von_mises_slope: General = General(
    "von_mises_slope",
    kernel=cpu_only("von_mises_slope", implicit.von_mises_slope),
    abstract=_slope_abstract,
    rule=_slope_rule(
        lambda: von_mises_slope,
        _von_mises_log_derivatives,
        lambda kappa, x: negative(multiply(kappa, sin(x))),
    ),
    batch=_all_batched(lambda: von_mises_slope),
)


def _von_mises_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    key, kappa = primals
    answer = random_von_mises(key, kappa)
    if tangents[1] is None:
        return answer, None
    return answer, multiply(tangents[1], von_mises_slope(kappa, answer, order=1))


# An angle in [-pi, pi] a key (kappa.shape + (2,)), about 0.
random_von_mises: General = General(
    "random_von_mises",
    kernel=by_device(samplers.von_mises, gpu_samplers.von_mises),
    abstract=lambda key, kappa: ShapedArray(kappa.shape, kappa.dtype),
    rule=_von_mises_rule,
    batch=_all_batched(lambda: random_von_mises),
)


def _wald_rule(primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    # F = Phi(sqrt(x)/m - 1/sqrt(x)) + e^(2/m) Phi(-s), s = sqrt(x)/m + 1/sqrt(x), so that
    # dx/dm = 2 x^(3/2) Phi(-s) / (m^2 phi(s)).
    mean = primals[2]
    x = wald_root(*primals)
    if tangents[2] is None:
        return x, None
    root = sqrt(x)
    s = add(divide(root, mean), reciprocal(root))
    mills = multiply(math.sqrt(math.pi / 2), erfcx(multiply(s, math.sqrt(0.5))))
    slope = divide(multiply(multiply(2.0, multiply(x, root)), mills), square(mean))
    return x, multiply(tangents[2], slope)


# An inverse Gaussian variate of scale 1 from a chi-square y of one degree and a uniform z. All
# have one shape; y and z are random numbers, which no derivative reaches.
wald_root: General = General(
    "wald_root",
    kernel=samplers.wald_root,
    abstract=lambda y, z, mean: ShapedArray(mean.shape, mean.dtype),
    rule=_wald_rule,
    batch=_all_batched(lambda: wald_root),
)
