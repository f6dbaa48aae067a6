"""Random numbers as functions of keys.

A generator with a state cannot be transformed: a gradient that evaluates a function twice would
see two functions, a batch would depend on the order of its lanes, and compiled code would draw
once and for all. So there is no global state here, and no generator. Every function is a pure
function of a *key*, and gives the same numbers for the same key, always: eager or compiled,
alone or in a batch, on every machine.

A key is an array of two uint32 words, and nothing else: it can be stacked, passed through
``vmap``, ``jit``, ``scan`` and pytrees, and saved. ``key(seed)`` makes the first one;
``split(key, n)`` and ``fold_in(key, i)`` make further ones. Use each key once:

>>> import numpy as np, functorch_like as ft
>>> key = ft.random.key(0)
>>> key, noise_key, start_key = ft.random.split(key, 3)
>>> noise = ft.random.normal(noise_key, (1000,))
>>> rows = ft.vmap(lambda key: ft.random.normal(key, (3,)))(ft.random.split(start_key, 5))
>>> rows.shape
(5, 3)

Underneath is threefry-2x32 (J. Salmon et al., SC 2011), a function of key and position with no
further state. Names, signatures and numbers are those of ``jax.random`` (0.10, 64-bit mode, its
default generator), for the same seed, shape and dtype:

* bit for bit: ``key``, ``split``, ``fold_in``, ``bits``, ``uniform``, ``randint``, ``bernoulli``,
  ``rademacher``, ``permutation``, ``choice``, ``categorical``, ``geometric``;
* to the rounding of elementary functions: every other real distribution, and ``uniform`` between
  bounds other than 0 and 1, where XLA rounds once what NumPy rounds twice. In single precision
  JAX sets what is below 1e-38 to 0;
* single ``poisson``, ``binomial`` and ``multinomial`` counts (also under ``vmap`` over keys), up
  to JAX's single precision in Poisson rates beyond 10^4. In an array of counts that need
  rejection, JAX goes on drawing for all until the last is accepted; here each keeps what it
  accepted first, and equals JAX's only in distribution;
* ``von_mises``, ``negative_binomial`` and ``hypergeometric`` are not in JAX.

The default dtype is float64 (int64, uint64), and ``shape=None`` means the shape of the parameters
everywhere. Bits, uniform numbers and samplers that reject are the same eager, compiled and in a
batch, bit for bit; a normal number is compiled to within 2 units in the last place, as every
elementary function is.

Parameters broadcast, may be traced, and are differentiated where samples are real: by the formula
of the sample where that is smooth, and along constant probability for gamma, von Mises and Wald
variates (implicit reparameterisation), and all that is made of them. Integers and truth values
carry no derivative: their parameters are constants. A parameter out of its domain gives NaN, or
-1 as an integer, as it would in the middle of an optimisation; shapes that do not fit and wrong
keys are errors. A negative scale mirrors, as arithmetic has it.
"""

from .continuous import (
    cauchy,
    double_sided_maxwell,
    exponential,
    gumbel,
    laplace,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    rayleigh,
    triangular,
    truncated_normal,
    uniform,
    wald,
    weibull_min,
)
from .discrete import (
    bernoulli,
    binomial,
    geometric,
    hypergeometric,
    negative_binomial,
    poisson,
    rademacher,
    randint,
)
from .implicit import (
    beta,
    chisquare,
    f,
    gamma,
    generalized_normal,
    loggamma,
    t,
    von_mises,
)
from .keys import PRNGKey, bits, fold_in, key, key_data, split, wrap_key_data
from .multivariate import (
    ball,
    categorical,
    choice,
    dirichlet,
    multinomial,
    multivariate_normal,
    orthogonal,
    permutation,
)

__all__ = [
    "PRNGKey",
    "ball",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "dirichlet",
    "double_sided_maxwell",
    "exponential",
    "f",
    "fold_in",
    "gamma",
    "generalized_normal",
    "geometric",
    "gumbel",
    "hypergeometric",
    "key",
    "key_data",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "maxwell",
    "multinomial",
    "multivariate_normal",
    "negative_binomial",
    "normal",
    "orthogonal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "split",
    "t",
    "triangular",
    "truncated_normal",
    "uniform",
    "von_mises",
    "wald",
    "weibull_min",
    "wrap_key_data",
]
