"""What of scipy.interpolate takes no traced arrays, and why."""

from __future__ import annotations

from ..source import Refusals

__all__ = ["REFUSALS"]

REFUSALS = Refusals()
REFUSALS.add(
    "its knots are chosen by a compiled search that depends on the data; choose the knots and use "
    "make_interp_spline or make_lsq_spline.",
    "UnivariateSpline", "LSQUnivariateSpline", "InterpolatedUnivariateSpline", "BivariateSpline",
    "SmoothBivariateSpline", "LSQBivariateSpline", "RectBivariateSpline",
    "SmoothSphereBivariateSpline",
    "LSQSphereBivariateSpline", "RectSphereBivariateSpline", "splrep", "splprep", "bisplrep",
    "make_splrep", "make_splprep", "make_smoothing_spline", "generate_knots",
)  # fmt: skip
REFUSALS.add(
    "its rows are reduced by a compiled loop; solve the least squares of a BSpline's design.",
    "make_lsq_spline",
)
REFUSALS.add(
    "its points are triangulated, or searched in a tree; use RBFInterpolator.",
    "griddata", "LinearNDInterpolator", "CloughTocher2DInterpolator", "NearestNDInterpolator",
    "Rbf",
)  # fmt: skip
REFUSALS.add(
    "it returns np.poly1d, which cannot hold traced values; use BarycentricInterpolator, or "
    "np.linalg.solve.",
    "lagrange", "pade", "approximate_taylor_polynomial",
)  # fmt: skip
REFUSALS.add(
    "the loop is compiled; use NdBSpline, RegularGridInterpolator or BSpline.",
    "NdPPoly", "bisplev", "insert", "sproot",
)  # fmt: skip
REFUSALS.add("its support points are chosen one by one; use FloaterHormannInterpolator.", "AAA")
REFUSALS.add("SciPy has removed it; use RegularGridInterpolator.", "interp2d")
