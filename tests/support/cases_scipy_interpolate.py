"""Calls of scipy.interpolate: classes are made from the data and evaluated at points."""

from __future__ import annotations

import numpy as np
import scipy.interpolate
from scipy.sparse.linalg import spsolve

from support.cases import Cases

rng = np.random.default_rng(0)
X = np.array([0.0, 0.7, 1.1, 2.0, 2.9, 3.3, 4.1, 5.0])
Y, ROWS = rng.normal(size=8), rng.normal(size=(8, 2))
INSIDE, OUTSIDE = rng.uniform(0.1, 4.9, 5), rng.uniform(-1, 6, 5)
LOW, HIGH = np.array(0.35), np.array(7.4)
KNOTS = np.array([0.0, 0.1, 0.2, 0.3, 1.0, 2.0, 3.0, 5.0, 5.1, 5.2, 5.3])
C = rng.normal(size=(7, 2))
PIECES = rng.normal(size=(3, 7, 2))

cases = Cases(
    scipy.interpolate, "functorch_like.scipy.interpolate",
    exclude=("fitpack", "fitpack2", "interpnd", "interpolate", "ndgriddata", "polyint", "rbf"),
)  # fmt: skip


def both(name, *arrays, call, knots=(0,), branching=False, free=False, **options):
    """Everything traced; and, with vmap and staging, everything but the knots.

    Where knots are, and whether they ascend, must be known. So must the data that ``branching``
    functions choose formulas by.
    """
    if free:
        cases(name, *arrays, call=call, **options)
        return
    cases(name, *arrays, call=call, without=("vmap", "stage"), **options)
    fixed = {i: arrays[i] for i in knots}

    def with_knots(f, *others):
        rest = iter(others)
        return call(f, *[fixed[i] if i in fixed else next(rest) for i in range(len(arrays))])

    moving = [x for i, x in enumerate(arrays) if i not in fixed]
    without = ("vmap", "stage") if branching else ()
    cases(name, *moving, call=with_knots, without=without, **options)


# --- cubic -------------------------------------------------------------------------------------

for conditions in ("not-a-knot", "clamped", "natural", ((1, 0.5), (2, 0.3))):
    both("CubicSpline", X, Y, OUTSIDE, call=lambda f, x, y, q, c=conditions: f(x, y, bc_type=c)(q))
both("CubicSpline", X, Y[:-1], OUTSIDE,
      call=lambda f, x, y, q: f(x, np.concatenate([y, y[:1]]), bc_type="periodic")(q))  # fmt: skip
for n in (2, 3):
    both("CubicSpline", X[:n], Y[:n], INSIDE, call=lambda f, x, y, q: f(x, y)(q))
both("CubicSpline", X, ROWS, OUTSIDE, call=lambda f, x, y, q: f(x, y.T, axis=1)(q, 1))
both("CubicSpline", X, Y, LOW, HIGH, call=lambda f, x, y, a, b: f(x, y).integrate(a, b))
both("CubicSpline", X, Y, LOW, HIGH, call=lambda f, x, y, a, b: f(x, y).integrate(b, a))
both("CubicSpline", X, Y, OUTSIDE, call=lambda f, x, y, q: f(x, y).antiderivative(2)(q))
both("CubicSpline", X, Y, OUTSIDE, call=lambda f, x, y, q: f(x, y).derivative(2)(q))
cases("CubicSpline", INSIDE, call=lambda f, q: f(X, Y, extrapolate=False)(q))
both("CubicHermiteSpline", X, Y, Y[::-1], OUTSIDE, call=lambda f, x, y, d, q: f(x, y, d)(q))
for name in ("PchipInterpolator", "Akima1DInterpolator"):
    branching = name[0] == "A"  # Akima's formula is chosen by the data
    both(name, X, Y, INSIDE, call=lambda f, x, y, q: f(x, y)(q), branching=branching)
    both(name, X, ROWS, INSIDE, call=lambda f, x, y, q: f(x, y, axis=0)(q, 1), branching=branching)
both(
    "Akima1DInterpolator",
    X,
    Y,
    INSIDE,
    branching=True,
    call=lambda f, x, y, q: f(x, y, method="makima")(q),
)
both("pchip_interpolate", X, Y, INSIDE, call=lambda f, *xs: f(*xs))

# --- polynomials -------------------------------------------------------------------------------

for name in ("BarycentricInterpolator", "KroghInterpolator"):
    free = name[0] == "B"
    both(name, X[:6], Y[:6], INSIDE, call=lambda f, x, y, q: f(x, y)(q), free=free)
    both(name, X[:6], ROWS[:6], INSIDE, call=lambda f, x, y, q: f(x, y)(q), free=free)
both("KroghInterpolator", X[:5], Y[:5], INSIDE, call=lambda f, x, y, q: f(x, y).derivative(q))
cases("barycentric_interpolate", X[:6], Y[:6], INSIDE)
both("krogh_interpolate", X[:6], Y[:6], INSIDE, call=lambda f, *xs: f(*xs))
both("FloaterHormannInterpolator", X, Y, INSIDE, branching=True, call=lambda f, x, y, q: f(x, y)(q))
both("PPoly", PIECES, X, OUTSIDE, knots=(1,), call=lambda f, c, x, q: f(c, x)(q))
both(
    "PPoly",
    PIECES,
    X,
    OUTSIDE,
    knots=(1,),
    call=lambda f, c, x, q: f(c, x, extrapolate="periodic")(q),
)
both("PPoly", PIECES, X[::-1], INSIDE, knots=(1,),
      call=lambda f, c, x, q: f(c, x)(q))  # fmt: skip
both("PPoly", PIECES, X, LOW, HIGH, knots=(1,),
      call=lambda f, c, x, a, b: f(c, x).integrate(a, b, extrapolate="periodic"))  # fmt: skip
both("BPoly", PIECES, X, OUTSIDE, knots=(1,), call=lambda f, c, x, q: f(c, x)(q, 1))
both("BPoly", PIECES, X, OUTSIDE, knots=(1,), call=lambda f, c, x, q: f(c, x).derivative()(q))
both("BPoly", PIECES, X, OUTSIDE, knots=(1,), call=lambda f, c, x, q: f(c, x).antiderivative()(q))

# --- B-splines ---------------------------------------------------------------------------------

both("BSpline", KNOTS, C, OUTSIDE, call=lambda f, t, c, q: f(t, c, 3)(q))
both("BSpline", KNOTS, C + 1j * C[::-1], OUTSIDE, call=lambda f, t, c, q: f(t, c, 3)(q, 1))
both("BSpline", KNOTS, C.T, OUTSIDE[:4],
      call=lambda f, t, c, q: f(t, c, 3, axis=1)(q.reshape(2, 2)))  # fmt: skip
both("BSpline", KNOTS, C, INSIDE, call=lambda f, t, c, q: f(t, c, 3).derivative()(q))
both("BSpline", KNOTS, C, INSIDE, call=lambda f, t, c, q: f(t, c, 3).antiderivative()(q))
both("BSpline", KNOTS, C, LOW, HIGH, call=lambda f, t, c, a, b: f(t, c, 3).integrate(a, b))
both("BSpline", KNOTS, C, LOW, HIGH,
      call=lambda f, t, c, a, b: f(t, c, 3).integrate(a, b, extrapolate="periodic"))  # fmt: skip
for k in (1, 2, 3, 5):
    both("make_interp_spline", X, Y, INSIDE, call=lambda f, x, y, q, k=k: f(x, y, k=k)(q),
         free=True)  # fmt: skip
for conditions in ("natural", "clamped", ([(1, 0.5)], [(2, 0.3)])):
    y = ROWS if isinstance(conditions, str) else Y
    both("make_interp_spline", X, y, INSIDE, free=True,
          call=lambda f, x, y, q, c=conditions: f(x, y, bc_type=c)(q, 1))  # fmt: skip
both("make_interp_spline", X, Y[:-1], INSIDE, free=True,
      call=lambda f, x, y, q: f(x, np.concatenate([y, y[:1]]), bc_type="periodic")(q))  # fmt: skip
PADDED = np.concatenate([C[:, 0], np.zeros(4)])
cases("splev", INSIDE, KNOTS, PADDED, call=lambda f, q, t, c: f(q, (t, c, 3), der=1))
cases("splev", OUTSIDE, KNOTS, PADDED, call=lambda f, q, t, c: f(q, (t, c, 3), ext=3))
cases("splint", LOW, np.array(2.3), KNOTS, PADDED, call=lambda f, a, b, t, c: f(a, b, (t, c, 3)))
cases("spalde", np.array(1.4), KNOTS, PADDED, call=lambda f, x, t, c: f(x, (t, c, 3)))
for name in ("splder", "splantider"):
    cases(name, KNOTS, PADDED, call=lambda f, t, c: f((t, c, 3))[:2])
both("NdBSpline", KNOTS, rng.normal(size=(7, 7)), rng.uniform(0.5, 2.9, (4, 2)),
      call=lambda f, t, c, q: f((t, t), c, 3)(q))  # fmt: skip

# --- grids and scattered points ----------------------------------------------------------------

GRID = (np.array([0.0, 0.3, 0.5, 0.8, 0.9, 1.0]), np.array([0.0, 0.2, 0.3, 0.5, 0.9, 1.1, 1.2]))
VALUES, AT = rng.normal(size=(6, 7)), rng.uniform(0.05, 0.95, (4, 2))


def on_grid(method, **options):
    def call(f, x, y, values, at):
        return f((x, y), values, method=method, **options)(at)

    return call


for method in ("linear", "nearest", "pchip"):
    both("RegularGridInterpolator", *GRID, VALUES, AT, knots=(0, 1), call=on_grid(method))
    both("interpn", *GRID, VALUES, AT, knots=(0, 1),
          call=lambda f, x, y, v, q, m=method: f((x, y), v, q, method=m))  # fmt: skip
for method in ("slinear", "cubic", "quintic"):
    both(
        "RegularGridInterpolator",
        *GRID,
        VALUES,
        AT,
        knots=(0, 1),
        call=on_grid(method, solver=spsolve),
    )
both("RegularGridInterpolator", *GRID, VALUES, AT * 2 - 0.4, knots=(0, 1),
      call=on_grid("linear", bounds_error=False, fill_value=None))  # fmt: skip
both("RegularGridInterpolator", *GRID, VALUES, AT * 2 - 0.4, knots=(0, 1),
      call=on_grid("linear", bounds_error=False, fill_value=0.3))  # fmt: skip
cases("RegularGridInterpolator", rng.normal(size=(6, 7, 2)), rng.uniform(0.05, 0.95, (4, 3)),
      call=lambda f, v, q: f((*GRID, [0.0, 1.0]), v)(q))  # fmt: skip
for kind in ("linear", "nearest", "zero", "slinear", "previous", "next"):
    cases("interp1d", X, Y, INSIDE, call=lambda f, x, y, q, k=kind: f(x, y, kind=k)(q))
for kind in ("quadratic", "cubic"):  # whether the data have a NaN is asked
    both("interp1d", X, Y, INSIDE, branching=True,
         call=lambda f, x, y, q, k=kind: f(x, y, kind=k)(q))  # fmt: skip
cases("interp1d", X, ROWS, INSIDE, call=lambda f, x, y, q: f(x, y, axis=0)(q))
cases("interp1d", X, Y, OUTSIDE, call=lambda f, x, y, q: f(x, y, fill_value="extrapolate")(q))
POINTS, DATA, TO = rng.uniform(size=(7, 2)), rng.normal(size=7), rng.uniform(size=(3, 2))
for kernel in ("thin_plate_spline", "linear", "cubic", "quintic", "gaussian", "multiquadric",
               "inverse_quadratic", "inverse_multiquadric"):  # fmt: skip
    cases("RBFInterpolator", POINTS, DATA, TO, tolerance=1e-4,
          call=lambda f, p, d, q, k=kernel: f(p, d, kernel=k, epsilon=1.5)(q))  # fmt: skip
cases("RBFInterpolator", POINTS, ROWS[:7], TO,
      call=lambda f, p, d, q: f(p, d, smoothing=0.1, degree=1)(q))  # fmt: skip

# --- refused -----------------------------------------------------------------------------------

cases.refuse(
    "its knots are chosen by a search that depends on the data; choose them and use "
    "make_interp_spline",
    "UnivariateSpline", "LSQUnivariateSpline", "InterpolatedUnivariateSpline", "BivariateSpline",
    "SmoothBivariateSpline", "LSQBivariateSpline", "RectBivariateSpline",
    "SmoothSphereBivariateSpline", "LSQSphereBivariateSpline", "RectSphereBivariateSpline",
    "splrep", "splprep", "bisplrep", "make_splrep", "make_splprep", "make_smoothing_spline",
    "generate_knots", "make_lsq_spline",
)  # fmt: skip
cases.refuse("its points are triangulated, or searched in a tree; use RBFInterpolator",
             "griddata", "LinearNDInterpolator", "CloughTocher2DInterpolator",
             "NearestNDInterpolator", "Rbf")  # fmt: skip
cases.refuse("it returns np.poly1d, which cannot hold traced values; use BarycentricInterpolator",
             "lagrange", "pade", "approximate_taylor_polynomial")  # fmt: skip
cases.refuse("the loop is compiled; use NdBSpline, RegularGridInterpolator or BSpline",
             "NdPPoly", "bisplev", "insert", "sproot")  # fmt: skip
cases.refuse("its support points are chosen one by one; use FloaterHormannInterpolator", "AAA")
cases.refuse("SciPy has removed it", "interp2d")
