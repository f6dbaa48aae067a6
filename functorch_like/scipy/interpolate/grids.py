"""The loops of interpolation on regular grids, and the backend of radial basis functions."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ...numpy.elementwise import as_operand
from ...numpy.manipulation import astype
from ...primitives.core import shape_of
from ..source import replaces, take, translate
from .bsplines import tensor_spline
from .piecewise import interval_of

__all__ = ["find_indices"]


@replaces("scipy.interpolate._rgi_cython")
@replaces("scipy.interpolate._rgi", "find_indices")
def find_indices(grid: Any, xi: Any) -> tuple[Any, Any]:
    """For each axis the interval of each point, and the position in it from 0 to 1."""
    indices, distances = [], []
    for nodes, x in zip(grid, xi, strict=True):
        index = interval_of(nodes, x)
        if shape_of(nodes)[0] == 1:
            indices.append(np.zeros(shape_of(x), np.int64))
            distances.append(0.0 * x)
            continue
        indices.append(index)
        low, high = take(nodes, index), take(nodes, index + 1)
        distances.append((x - low) / (high - low))
    return np.stack(indices), np.stack(distances)


@replaces("scipy.interpolate._interpnd")
@replaces("scipy.interpolate._rgi", "_ndim_coords_from_arrays")
@replaces("scipy.interpolate._interpolate", "_ndim_coords_from_arrays")
@replaces("scipy.interpolate._ndgriddata", "_ndim_coords_from_arrays")
def _ndim_coords_from_arrays(points: Any, ndim: Any = None) -> Any:
    """Points (..., dimensions) from a tuple of coordinate arrays, or as they are."""
    if isinstance(points, tuple) and len(points) == 1:
        points = points[0]
    if isinstance(points, tuple):
        return np.stack(np.broadcast_arrays(*map(as_operand, points)), -1)
    points = as_operand(points)
    if len(shape_of(points)) == 1:
        points = np.reshape(points, (-1, 1) if ndim is None else (-1, ndim))
    return points


@replaces("scipy.interpolate._rgi", "evaluate_linear_2d")
def _evaluate_linear_2d(values: Any, indices: Any, distances: Any, grid: Any, out: Any) -> Any:
    i, j = indices[0], indices[1]
    u, v = distances[0], distances[1]
    i1 = np.minimum(i + 1, shape_of(values)[0] - 1)
    j1 = np.minimum(j + 1, shape_of(values)[1] - 1)
    made = (1 - u) * (1 - v) * take(values, (i, j)) + (1 - u) * v * take(values, (i, j1))
    made = made + u * (1 - v) * take(values, (i1, j)) + u * v * take(values, (i1, j1))
    out[...] = astype(made, out.dtype)
    return out


@replaces("scipy.interpolate._rbfinterp")
def _get_backend(xp: Any) -> Any:
    """The backend written in Python."""
    return translate(importlib.import_module("scipy.interpolate._rbfinterp_xp"))


class _Tensor:
    """A spline through values on a grid: one interpolation along each axis."""

    def __init__(self, knots: list, c: Any, degrees: list) -> None:
        self.knots, self.c, self.degrees = knots, c, degrees

    def __call__(self, xi: Any, nu: Any = None) -> Any:
        shape = shape_of(xi)
        points = np.reshape(xi, (-1, shape[-1]))
        values = tensor_spline(self.knots, self.c, self.degrees, points, nu)
        return np.reshape(values, shape[:-1] + shape_of(values)[1:])


@replaces("scipy.interpolate._rgi.RegularGridInterpolator", "_construct_spline")
def _construct_spline(self: Any, method: str, solver: Any = None, **unused: Any) -> _Tensor:
    # SciPy solves one sparse system iteratively; axis after axis it is banded, and exact.
    make = translate(importlib.import_module("scipy.interpolate")).make_interp_spline
    degree = self._SPLINE_DEGREE_MAP[method]
    c, knots = self.values, []
    for axis, nodes in enumerate(self.grid):
        spline = make(nodes, c, k=degree, axis=axis)
        knots.append(spline.t)
        c = np.moveaxis(spline.c, 0, axis)
    return _Tensor(knots, c, [degree] * len(knots))
