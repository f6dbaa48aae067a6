"""Calls of numpy: sums, extremes, order statistics, running forms, statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.cases_numpy import EAGER, EMPTY, HOLES, MASK, P, S, T, V, W, X, Y, Z, cases

AXES: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 1},
    {"axis": (0, -1)},
    {"axis": (2, 0), "keepdims": True},
    {"keepdims": True},
    {"axis": ()},
)
for name in ("sum", "prod", "mean", "std", "var", "max", "min", "amax", "amin", "any", "all"):
    for options in AXES:
        cases(name, T, **options)
    cases(name, S)
for name in ("ptp", "count_nonzero"):
    for options in AXES[:5]:
        cases(name, T, **options)
for name in ("nansum", "nanprod", "nanmean", "nanstd", "nanvar", "nanmax", "nanmin"):
    cases(name, HOLES)
    cases(name, HOLES, axis=1)
    cases(name, HOLES, axis=(0, -1), keepdims=True)
    cases(name, X, axis=0)
    cases(name, S)
    more = {"initial": -3.0} if "m" in name and name[-1] in "xn" and "mean" not in name else {}
    cases(name, HOLES, axis=-1, where=MASK, **more)
for name in ("nansum", "nanprod", "nanmean"):
    cases(name, Z + np.where(MASK, 0, np.nan), axis=0)
cases("nansum", HOLES, initial=2.0)
cases("nanprod", HOLES, initial=2.0)
cases("nansum", HOLES, dtype=complex, axis=0)
cases("nanstd", HOLES, ddof=1, axis=1)
cases("nanvar", HOLES, ddof=1, axis=0, keepdims=True)
cases("nanvar", HOLES, correction=1, axis=0)
cases("nanvar", HOLES, call=lambda f, x: f(x, axis=1, mean=np.nanmean(x, 1, keepdims=True)))
cases("nanstd", HOLES, call=lambda f, x: f(x, axis=1, mean=np.nanmean(x, 1, keepdims=True)))
cases("nanvar", Z + np.where(MASK, 0, np.nan), axis=0)
for name in ("sum", "prod", "mean"):
    cases(name, Z, axis=0)
    cases(name, X, axis=0, dtype=complex)
    cases(name, X, axis=1, where=MASK, keepdims=True)
    cases(name, X, V, call=lambda f, x, v: f(x, where=v > 0))
for name in ("sum", "prod"):
    cases(name, X, S, call=lambda f, x, s: f(x, axis=0, initial=s))
    cases(name, EMPTY, axis=0)
    cases(name, X, axis=1, where=MASK, initial=2.0)
for name in ("max", "min", "amax", "amin"):
    cases(name, X, axis=1, initial=0.1)
    cases(name, X, axis=1, where=MASK, initial=-0.1)
    cases(name, X, S, call=lambda f, x, s: f(x, axis=0, initial=s, keepdims=True))
    cases(name, EMPTY, axis=1)
    cases(name, EMPTY, axis=0, initial=1.0)
    cases(name, Z, axis=1)
for name in ("var", "std"):
    cases(name, X, axis=1, ddof=1)
    cases(name, X, axis=0, correction=1.5, keepdims=True)
    cases(name, X, axis=0, where=MASK)
    cases(name, X, axis=0, call=lambda f, x: f(x, 0, mean=np.mean(x, 0, keepdims=True)))
    cases(name, Z, axis=1)
    cases(name, X, dtype=np.float64)
for name in ("any", "all"):
    cases(name, X > 0, axis=1)
    cases(name, X, call=lambda f, x: f(x > 0, axis=1, where=MASK, keepdims=True))
for name in ("argmax", "argmin"):
    cases(name, T)
    cases(name, T, axis=1)
    cases(name, T, axis=-1, keepdims=True)
    cases(name, T, keepdims=True)
    cases(name, S)
for name in ("nanargmax", "nanargmin"):
    cases(name, HOLES)
    cases(name, HOLES, axis=1)
    cases(name, HOLES, axis=0, keepdims=True)
cases("count_nonzero", X > 0, axis=0)
cases("count_nonzero", X, call=lambda f, x: f(np.maximum(x, 0), axis=1, keepdims=True))

for name in ("cumsum", "cumprod", "nancumsum", "nancumprod"):
    cases(name, T)
    cases(name, T, axis=1)
    cases(name, X, axis=-1, dtype=complex)
    cases(name, Z, axis=0)
    cases(name, S)
    cases(name, EMPTY, axis=0)
for name in ("nancumsum", "nancumprod"):
    cases(name, HOLES, axis=1)
    cases(name, HOLES)
for name in ("cumulative_sum", "cumulative_prod"):
    cases(name, V)
    cases(name, X, axis=1)
    cases(name, X, axis=-2, include_initial=True)
    cases(name, X, axis=1, dtype=complex)
cases("diff", X)
cases("diff", X, n=2, axis=0)
cases("diff", X, n=0)
cases("diff", X, W, call=lambda f, x, w: f(x, axis=1, prepend=0.0, append=w[:, None]))
cases("diff", X, call=lambda f, x: f(x > 0))
cases("diff", Z, n=3)
cases("ediff1d", X)
cases("ediff1d", X, W, call=lambda f, x, w: f(x, to_end=w, to_begin=[1.0, 2.0]))
cases("ediff1d", S)
cases("trapezoid", X)
cases("trapezoid", X, dx=0.3, axis=0)
cases("trapezoid", X, V, call=lambda f, y, x: f(y, x))
cases("trapezoid", T, X, call=lambda f, y, x: f(y, x, axis=-2))
cases("trapezoid", Z)
cases("gradient", X)
cases("gradient", X, axis=1)
cases("gradient", T, axis=(0, -1))
cases("gradient", X, S, call=lambda f, x, s: f(x, s, edge_order=2, axis=1))
cases("gradient", X, call=lambda f, x: f(x, 0.5, 2.0))
cases("gradient", X, call=lambda f, x: f(x, [0.0, 1.0, 3.0], [0.0, 0.5, 2.0, 2.3], edge_order=2))
cases("gradient", X, V, call=lambda f, x, v: f(x, np.cumsum(v * v + 1), axis=1))
cases("gradient", X, V, call=lambda f, x, v: f(x, 0.5, np.cumsum(v * v + 1), edge_order=2))
cases("gradient", Z, axis=0)
cases("gradient", V)

# --- order statistics --------------------------------------------------------------------------

for name in ("median", "nanmedian"):
    for options in AXES[:5]:
        cases(name, T, **options)
    cases(name, T[:, :2])
    cases(name, X, overwrite_input=True)
    cases(name, S)
METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]
for name in ("quantile", "percentile", "nanquantile", "nanpercentile"):
    scale = 100 if "percentile" in name else 1
    skips = name.startswith("nan")
    # NumPy's own nanquantile puts the axes of two-dimensional q in the wrong places.
    several = [0.1, 0.6, 1.0] if skips else [[0.1, 0.6], [1.0, 0.0]]

    def at(q: Any, /, scale: int = scale, **options: Any) -> Any:
        return lambda f, x: f(x, np.multiply(q, scale), **options)

    for method in METHODS:
        cases(name, T, call=at(0.3, method=method))
        cases(name, HOLES if skips else X, call=at([0.2, 0.55], axis=1, method=method))
        cases(name, T, call=at(several, axis=(0, 2), keepdims=True, method=method))
    cases(name, X, np.array([0.31, 0.77]), call=lambda f, x, q, s=scale: f(x, s * q, axis=0))
    cases(name, X, np.array(0.31), call=lambda f, x, q, s=scale: f(x, s * q, method="weibull"))
    cases(name, S, call=at(0.3))
    for weights in (P,) if skips else (P, P[0]):
        cases(
            name,
            X,
            call=lambda f, x, s=scale, w=weights: f(
                x, 0.41 * s, axis=1 if w.ndim == 1 else None, weights=w, method="inverted_cdf"
            ),
        )

# --- statistics ----------------------------------------------------------------------------------

cases("average", T)
cases("average", T, axis=(0, 1), keepdims=True)
cases("average", X, P, call=lambda f, x, w: f(x, weights=w))
cases("average", X, P[0], call=lambda f, x, w: f(x, axis=-1, weights=w, returned=True))
cases("average", T, P, call=lambda f, x, w: f(x, axis=(1, 2), weights=w, returned=True))
cases("average", T, P, call=lambda f, x, w: f(x, axis=(2, 1), weights=w.T, keepdims=True))
cases("nanmedian", HOLES)
cases("nanmedian", HOLES, axis=1)
cases("average", Z, axis=1, returned=True)
cases("average", S)
cases("cov", X)
cases("cov", V)
cases("cov", Z)
cases("cov", X, Y, rowvar=False)
cases("cov", V, X, call=lambda f, v, x: f(v, x[0], bias=True))
cases("cov", X, ddof=0)
cases("cov", X, P[0], call=lambda f, x, w: f(x, aweights=w))
cases("cov", X, P[0], call=lambda f, x, w: f(x, fweights=[1, 2, 1, 3], aweights=w, ddof=2))
cases("cov", X, fweights=[1, 2, 1, 3])
cases("cov", X, dtype=complex)
cases("cov", Z, Z[:1] * X[:1])
cases("corrcoef", X)
cases("corrcoef", V)
cases("corrcoef", Z)
cases("corrcoef", X, Y, rowvar=False)
cases("corrcoef", V, X, call=lambda f, v, x: f(v, x[0]))
cases("corrcoef", X, dtype=complex)

# --- counting ------------------------------------------------------------------------------------

PLACES = np.array([0, 3, 1, 1])
cases("bincount", V, call=lambda f, w: f(PLACES, w))
cases("bincount", V, call=lambda f, w: f(PLACES, weights=w, minlength=7))
cases("bincount", P[0], call=lambda f, x: f((x * 2).astype(int)), without=EAGER)
for name in ("histogram", "histogram_bin_edges"):
    weighted = name == "histogram"
    cases(name, X)
    cases(name, X, bins=5, range=(-1.0, 1.5))
    cases(name, X, bins=[-1.0, 0.0, 0.4, 2.0])
    cases(name, X, bins=np.array([-1.0, 0.0, 0.4, 2.0]))
    for rule in ["auto", "fd", "doane", "scott", "stone", "rice", "sturges", "sqrt"]:
        cases(name, X, bins=rule, without=EAGER)
cases("histogram", X, bins=4, range=(-3.0, 3.0), density=True)
cases("histogram", X, bins=4, density=True)
cases("histogram", X, P, call=lambda f, x, w: f(x, 4, weights=w))
cases("histogram", X, P, call=lambda f, x, w: f(x, [-2.0, 0.0, 0.5, 3.0], weights=w, density=True))
cases("histogram", X, P, call=lambda f, x, w: f(x, 4, (-1.0, 1.0), weights=w, density=True))
cases("histogram", V, call=lambda f, v: f([0.3, 0.2, 0.9], np.cumsum(v * v), density=True))
cases("histogram", X, Z, call=lambda f, x, z: f(x, 3, weights=z))
cases("histogram2d", V, W, call=lambda f, v, w: f(v[:3], w, 3))
cases("histogram2d", V, V + 1, call=lambda f, v, w: f(v, w, [2, 3], [[-2, 2], [-2, 3]]))
cases("histogram2d", V, P[0], call=lambda f, v, w: f(v, v**2, 2, weights=w, density=True))
cases("histogram2d", V, V + 1, call=lambda f, v, w: f(v, w, [[-2.0, 0, 2], [-2.0, 1, 3.0]]))
cases("histogramdd", T.reshape(-1, 2), call=lambda f, x: f(x, bins=2))
cases("histogramdd", T.reshape(-1, 3), call=lambda f, x: f(x, (2, 1, 3), [(-2, 2)] * 3))
cases(
    "histogramdd",
    T.reshape(-1, 2),
    P.ravel(),
    call=lambda f, x, w: f(x, [[-2.0, 0.0, 2.0]] * 2, weights=w, density=True),
)
cases("histogramdd", T.reshape(-1, 2), P.ravel(), call=lambda f, x, w: f(x, 2, weights=w))
cases("histogramdd", V, V * 2, call=lambda f, x, y: f([x, y], 2))
cases("digitize", X, bins=[-1.0, 0.0, 0.4, 2.0])
cases("digitize", X, bins=[2.0, 0.4, -1.0], right=True)
cases("digitize", X, P[0], call=lambda f, x, b: f(x, np.cumsum(b)))
