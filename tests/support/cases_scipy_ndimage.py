"""Calls of scipy.ndimage."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from support.cases import Cases

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 6))
LINE = rng.normal(size=7)
CUBE = rng.normal(size=(3, 3, 3))
Z = X + 1j * rng.normal(size=X.shape)
W1, W2 = rng.normal(size=3), rng.normal(size=(2, 3))
POINTS = rng.uniform(0.1, 3.9, (2, 7))
FAR = rng.uniform(-7, 12, (2, 7))
LABELS = np.array([[0, 1, 1, 2, 2, 0]] * 4 + [[3, 3, 0, 2, 2, 0]])
INDEX = np.array([1, 2, 3])
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
MODES = ("reflect", "constant", "nearest", "mirror", "wrap")
GRID_MODES = (*MODES, "grid-mirror", "grid-constant", "grid-wrap")

cases = Cases(
    scipy.ndimage, "functorch_like.scipy.ndimage",
    exclude=("filters", "fourier", "interpolation", "measurements", "morphology"),
)  # fmt: skip

# --- linear filters ----------------------------------------------------------------------------

for name in ("correlate1d", "convolve1d"):
    for mode in MODES:
        cases(name, X, W1, mode=mode, cval=0.3, axis=0)
    cases(name, X, rng.normal(size=4), origin=-1)
    cases(name, Z, W1)
    cases(name, LINE, rng.normal(size=9), mode="wrap")
for name in ("correlate", "convolve"):
    for mode in MODES:
        cases(name, X, W2, mode=mode, cval=0.3)
    cases(name, X, W2, origin=(0, 1))
    cases(name, Z, W2)
    cases(name, X, W1, axes=(1,))
for name in ("gaussian_filter", "gaussian_gradient_magnitude", "gaussian_laplace"):
    cases(name, X, sigma=0.8)
    cases(name, X, sigma=(0.8, 1.2), mode=("wrap", "nearest"))
cases("gaussian_filter", X, sigma=1.0, order=(0, 1), truncate=2.0)
cases(
    "gaussian_filter",
    X,
    np.array(0.8),
    without=("vmap", "stage"),
    call=lambda f, x, s: f(x, s, radius=2),
)
cases("gaussian_filter1d", X, sigma=0.8, axis=0, order=2)
cases(
    "gaussian_filter1d",
    LINE,
    np.array(1.1),
    without=("vmap", "stage"),
    call=lambda f, x, s: f(x, s, radius=3),
)
cases("uniform_filter", X, size=3)
cases("uniform_filter", Z, size=(2, 3), mode="constant", cval=0.5)
cases("uniform_filter1d", X, size=3, origin=1)
cases("uniform_filter1d", Z, size=3)
for name in ("sobel", "prewitt"):
    cases(name, X)
    cases(name, X, axis=0, mode="constant", cval=0.4)
cases("laplace", X)
cases("laplace", X, mode="wrap")
cases("generic_laplace", X, call=lambda f, x: f(x, lambda v, axis, output, mode, cval: 2.0 * v * v))
cases(
    "generic_gradient_magnitude",
    X,
    call=lambda f, x: f(x, lambda v, axis, output, mode, cval: (axis + 1.0) * v),
)

# --- other filters -----------------------------------------------------------------------------

for name in ("maximum_filter", "minimum_filter", "median_filter"):
    cases(name, X, size=3)
    cases(name, X, size=(2, 3), mode="constant", cval=0.1)
    cases(name, X, footprint=CROSS, mode="nearest")
    cases(name, LINE, size=3)
for name in ("maximum_filter1d", "minimum_filter1d"):
    cases(name, X, size=3)
    cases(name, X, size=4, axis=0, mode="wrap", origin=1)
cases("rank_filter", X, rank=2, size=3)
cases("rank_filter", X, rank=-2, footprint=CROSS)
cases("rank_filter", LINE, rank=1, size=3)
cases("percentile_filter", X, percentile=30, size=3)
for name in ("grey_dilation", "grey_erosion", "grey_closing", "grey_opening",
             "morphological_gradient", "morphological_laplace", "white_tophat",
             "black_tophat"):  # fmt: skip
    cases(name, X, size=3)
    cases(name, X, footprint=CROSS, mode="constant")
    cases(name, X, rng.normal(size=(3, 3)) / 5, call=lambda f, x, s: f(x, structure=s))
cases.refuse("it calls a function on plain buffers; write it with shifted copies of the image",
             "generic_filter", "generic_filter1d", "vectorized_filter")  # fmt: skip

# --- interpolation -----------------------------------------------------------------------------

for order in range(6):
    cases("map_coordinates", X, POINTS, order=order)
for mode in GRID_MODES:
    cases("map_coordinates", X, FAR, order=3, mode=mode, cval=0.3)
    cases("map_coordinates", X, FAR, order=1, mode=mode, cval=0.3)
cases("map_coordinates", X, FAR, order=2, mode="nearest", prefilter=False)
cases("map_coordinates", Z, POINTS)
cases("map_coordinates", CUBE, rng.uniform(0, 2, (3, 2, 2)), order=2, mode="wrap")
for name in ("spline_filter", "spline_filter1d"):
    for mode in ("mirror", "reflect", "grid-wrap"):
        cases(name, X, mode=mode)
    cases(name, Z, order=4)
cases("spline_filter1d", X, order=1)
for mode in GRID_MODES:
    cases("shift", X, np.array([1.3, -0.6]), mode=mode, cval=0.2)
cases("shift", Z, np.array(0.4), order=1)
cases("zoom", X, zoom=(1.5, 2.3))
cases("zoom", X, zoom=0.6, order=1, mode="grid-constant", grid_mode=True)
cases("zoom", Z, zoom=2, mode="nearest")
cases("affine_transform", X, np.array([[1.1, 0.2], [-0.1, 0.9]]), np.array([0.31, 0.23]))
cases("affine_transform", X, np.array([1.1, 0.9]), np.array([0.31, 0.23]), order=1, mode="mirror")
cases("affine_transform", Z, np.array([[1.1, 0.2, 0.31], [-0.1, 0.9, 0.13]]), mode="wrap")
cases("rotate", X, angle=30.0, reshape=False)
cases("rotate", X, np.array(25.0), call=lambda f, x, a: f(x, a, reshape=False, mode="nearest"))
cases("rotate", CUBE, angle=20.0, axes=(0, 2), order=1)
cases(
    "geometric_transform",
    X,
    np.array(0.3),
    call=lambda f, x, s: f(x, lambda at: (at[0] * 0.8 + s, at[1] - 0.1), mode="nearest"),
)

# --- Fourier -----------------------------------------------------------------------------------

S = np.array([0.7, 1.3])
for name in ("fourier_gaussian", "fourier_uniform", "fourier_shift"):
    cases(name, Z, S)
    cases(name, Z, S, n=9)
    cases(name, Z, S, n=10, axis=0)
cases.refuse("its gain is compiled; multiply by fourier_ellipsoid of an array of ones",
             "fourier_ellipsoid")  # fmt: skip

# --- measurements ------------------------------------------------------------------------------

for name in ("sum", "sum_labels", "mean", "variance", "standard_deviation", "maximum", "minimum",
             "median", "extrema", "center_of_mass"):  # fmt: skip
    x = np.abs(X) if name == "center_of_mass" else X
    cases(name, x)
    if name != "center_of_mass":
        cases(name, x, labels=LABELS, index=INDEX)
        cases(name, x, labels=LABELS, index=2)
    else:
        cases(name, x, call=lambda f, x: f(x, LABELS, INDEX))
        cases(name, x, call=lambda f, x: f(x, LABELS, 2))
cases("maximum_position", X)
cases("maximum_position", X, labels=LABELS, index=INDEX)
cases("minimum_position", X)
cases("minimum_position", X, labels=LABELS, index=INDEX)
cases.refuse("its function runs on plain arrays; write it with masks, np.where(labels == k, x, 0)",
             "labeled_comprehension")  # fmt: skip
cases.refuse("a count, or a map of integers; pass functorch_like.stop_gradient's plain values",
             "histogram", "label", "find_objects", "value_indices", "watershed_ift",
             "binary_closing", "binary_dilation", "binary_erosion", "binary_fill_holes",
             "binary_hit_or_miss", "binary_opening", "binary_propagation",
             "distance_transform_bf", "distance_transform_cdt")  # fmt: skip
cases("distance_transform_edt", X, without=("vmap", "stage"))
cases.other("a maker of constants", "generate_binary_structure", "iterate_structure")
