"""Calls of numpy: interpolation, windows, polynomials, functions of functions."""

from __future__ import annotations

import numpy as np

from support.cases_numpy import EAGER, ZV, P, S, T, V, W, X, Y, Z, cases

KNOTS, HEIGHTS = np.array([-1.0, 0.1, 0.5, 2.0]), np.array([1.0, 0.3, -1.0, 0.7])
cases("interp", X, KNOTS, HEIGHTS)
cases("interp", X, HEIGHTS, call=lambda f, x, h: f(x, KNOTS, h, left=-3.0, right=5.0))
cases("interp", X, HEIGHTS, S, call=lambda f, x, h, s: f(x, KNOTS, h, left=s, right=s * s))
cases("interp", 5 * X, KNOTS, HEIGHTS, period=2.7)
cases("interp", X, ZV, call=lambda f, x, h: f(x, KNOTS, h))
cases("interp", S, KNOTS, HEIGHTS)
cases("interp", X, call=lambda f, x: f(x, [0.0], [2.0], left=1.0))
cases("interp", 5 * X, HEIGHTS, call=lambda f, x, h: f(x, KNOTS, h, period=-3.3))

for name in ("bartlett", "blackman", "hamming", "hanning"):
    cases(name, V, call=lambda f, v: v * f(4) + f(1) + f(0).sum())
cases("kaiser", S, call=lambda f, b: f(7, b))
cases("kaiser", S, call=lambda f, b: f(1, b) + b)
cases("kaiser", P[0, 0], call=lambda f, b: f(4, 2 * b))

# --- polynomials ---------------------------------------------------------------------------------

cases("polyval", V, X)
cases("polyval", V, S)
cases("polyval", ZV, X)
cases("polyval", V, Z)
cases("polyval", V, call=lambda f, v: f(v, [1.0, 2.0]))
cases("polyval", V, call=lambda f, v: f(np.poly1d([1.0, 2.0, 3.0]), v))
for name in ("polyadd", "polysub", "polymul"):
    cases(name, V, W)
    cases(name, W, V)
    cases(name, V, call=lambda f, v: f([1.0, 2.0], v))
    cases(name, ZV, W)
cases("polydiv", V, W)
cases("polydiv", V, call=lambda f, v: f(v, [2.0]))
cases("polydiv", W, V)
cases("polyder", V)
cases("polyder", V, m=2)
cases("polyder", V, m=0)
cases("polyint", V)
cases("polyint", V, m=2, k=[1.0, 2.0])
cases("polyint", V, S, call=lambda f, v, s: f(v, k=s))
cases("poly", V)
cases("poly", X[:, :3] + X[:, :3].T)
cases("poly", X[:, :3], tolerance=1e-4)
cases("poly", ZV)
cases("roots", np.array([1.0, -6.0, 11.0, -6.1]))
cases("roots", np.array([1.0, 0.3, 2.0, 4.0]))
cases("roots", ZV)
cases(
    "roots",
    np.array([1.0, 0.3, 2.0]),
    call=lambda f, c: np.sort(np.abs(f(np.concatenate([c, [0.0]])))),
)
GRID = np.linspace(-1.0, 1.0, 6)
DATA = np.random.default_rng(3).normal(size=6)
cases("polyfit", GRID, DATA, deg=2)
cases("polyfit", DATA, call=lambda f, y: f(GRID, np.stack([y, y * y], 1), 2))
cases("polyfit", GRID, DATA, P.ravel()[:6], call=lambda f, x, y, w: f(x, y, 3, w=w))
cases("polyfit", GRID, DATA, call=lambda f, x, y: f(x, y, 2, full=True, rcond=1e-9)[:2])
cases("polyfit", GRID, DATA, deg=2, cov=True)
cases("polyfit", GRID, DATA, deg=1, cov="unscaled")
cases("poly1d", V, S, call=lambda f, c, x: f(c)(x), without=EAGER)
cases("poly1d", V, W, call=lambda f, c, d: (f(c) * f(d) + 2 * f(d)).coeffs, without=EAGER)
cases("poly1d", V, call=lambda f, c: (f(c).deriv().c, f(c).integ().c, f(c).c), without=EAGER)

# --- functions of functions ----------------------------------------------------------------------

cases("apply_along_axis", T, call=lambda f, x: f(np.sum, 1, x))
cases(
    "apply_along_axis",
    T,
    call=lambda f, x: f(lambda v, a, b=1: np.outer(v, v) * a + b, -1, x, 2.0, b=3),
)
cases("apply_along_axis", V, call=lambda f, x: f(np.sort, 0, x))
cases("apply_over_axes", T, call=lambda f, x: f(np.sum, x, (0, -1)))
cases("apply_over_axes", T, call=lambda f, x: f(np.max, x, 1))
cases("vectorize", X, call=lambda f, x: f(lambda v: v * v + 1)(x))
cases("vectorize", X, V, call=lambda f, x, v: f(lambda a, b, c=1.0: (a * b, a + c))(x, v, c=2.0))
cases("vectorize", X, Y, call=lambda f, x, y: f(np.dot, signature="(n),(n)->()")(x, y))
cases("vectorize", T, V, call=lambda f, x, v: f(np.matmul, signature="(m,n),(n)->(m)")(x, v))
cases("vectorize", V, W, call=lambda f, p, x: f(np.polyval, excluded=[0])(p, x))
cases("vectorize", X, call=lambda f, x: f(np.sin, otypes=[complex])(x))
