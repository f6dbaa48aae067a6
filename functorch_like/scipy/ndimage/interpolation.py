"""The loops of scipy.ndimage's interpolation, on traced arrays: images, coordinates and matrices.

A spline of order n is, in each axis, a sum over n + 1 neighbouring coefficients with weights that
are piecewise polynomials of the position between them: the weights carry the derivative in the
coordinates, the look-up that in the image. Coordinates are brought into the image by a piecewise
linear map, whose pieces are constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...numpy.elementwise import as_operand
from ...numpy.manipulation import astype
from ...primitives import filtering as p
from ...primitives.core import dtype_of, shape_of
from ...primitives.stopping import stop_gradient
from ..source import recompiled, replaces, take
from .filters import _store

__all__ = ["inside", "neighbours", "spline_weights"]

NEAREST, WRAP, REFLECT, MIRROR, CONSTANT, GRID_WRAP, GRID_CONSTANT = range(7)
_MODES = {REFLECT: "reflect", GRID_WRAP: "grid-wrap"}


@replaces("scipy.ndimage._nd_image")
def spline_filter1d(x: Any, order: int, axis: int, output: Any, mode: int) -> None:
    # As in SciPy: nearest is filtered as reflect, what has no analytical boundary as mirror.
    kind = _MODES.get(REFLECT if mode == NEAREST else mode, "mirror")
    x = astype(x, np.float64)
    _store(output, p.spline_filter(x, order=int(order), axis=axis, mode=kind) if order > 1 else x)


# --- the spline ----------------------------------------------------------------------------------


def spline_weights(t: Any, order: int) -> list[Any]:
    """Values at ``t`` in [0, 1) of the B-splines of an order that are nonzero there.

    By the recursion of de Boor on uniform knots: B_{j,k} = ((t + k - j) B_{j-1,k-1} +
    (j + 1 - t) B_{j,k-1}) / k.
    """
    weights: list[Any] = [np.ones_like(t)]
    for k in range(1, order + 1):
        longer = []
        for j in range(k + 1):
            parts = []
            if j > 0:
                parts.append((t + (k - j)) * weights[j - 1])
            if j < k:
                parts.append((j + 1 - t) * weights[j])
            longer.append(sum(parts[1:], parts[0]) / k)
        weights = longer
    return weights


def inside(x: Any, n: int, mode: int) -> Any:
    """A coordinate brought into [0, n - 1] by a boundary mode; constant gives -1 outside."""
    fixed = stop_gradient(x)
    out = (fixed < 0) | (fixed > n - 1)
    if mode in (GRID_CONSTANT, NEAREST):
        return x  # the neighbours are looked up one by one
    if mode == CONSTANT:
        return np.where(out, -1.0, x)
    if n <= 1:
        return np.where(out, 0.0, x)
    if mode == MIRROR:
        period = 2 * n - 2
        moved = x - period * np.floor(fixed / period)
        return np.where(stop_gradient(moved) > n - 1, period - moved, moved)
    if mode == REFLECT:
        period = 2 * n
        moved = x - period * np.floor(fixed / period)
        folded = np.where(stop_gradient(moved) > n - 0.5, period - 1 - moved, moved)
        low = stop_gradient(moved) > period - 0.5
        return np.where(out, np.where(low, moved - period, folded), x)
    period = n - 1 if mode == WRAP else n
    if mode == GRID_WRAP:
        return np.where(out, x - period * np.floor(fixed / period), x)
    # From below SciPy's wrap never lands on 0, from above never on the last.
    below = x + period * (np.floor(-fixed / period) + 1)
    above = x - period * np.floor(fixed / period)
    return np.where(fixed < 0, below, np.where(fixed > n - 1, above, x))


def neighbours(x: Any, order: int) -> tuple[Any, list[Any]]:
    """Indices (order + 1, ...) of the uniform B-splines that are nonzero at ``x``; their values."""
    fixed = stop_gradient(x)
    start = np.floor(fixed) if order % 2 else np.floor(fixed + 0.5)
    # The knots of even orders lie halfway between the points.
    t = x - start if order % 2 else x - start + 0.5
    first = astype(start, np.int64) - order // 2
    index = first + np.arange(order + 1).reshape((-1,) + (1,) * len(shape_of(x)))
    return index, spline_weights(t, order)


def _neighbours(x: Any, n: int, order: int, mode: int) -> tuple[Any, list[Any], Any]:
    """Along one axis: indices (order + 1, ...), weights, and where the point or an index is out."""
    x = inside(x, n, mode)
    outside = stop_gradient(x) < -0.5 if mode == CONSTANT else None
    index, weights = neighbours(x, order)
    if mode == GRID_CONSTANT:
        beyond = (index < 0) | (index > n - 1)
        return np.clip(index, 0, n - 1), weights, beyond
    spline_mode = MIRROR if mode in (CONSTANT, WRAP) else mode
    return _index_inside(index, n, spline_mode), weights, outside


def _index_inside(index: Any, n: int, mode: int) -> Any:
    if n == 1:
        return index * 0
    if mode == NEAREST:
        return np.clip(index, 0, n - 1)
    if mode == GRID_WRAP:
        return index % n
    if mode == MIRROR:
        moved = index % (2 * n - 2)
        return np.where(moved > n - 1, 2 * n - 2 - moved, moved)
    moved = index % (2 * n)
    return np.where(moved > n - 1, 2 * n - 1 - moved, moved)


def _sample(c: Any, coordinates: list[Any], order: int, mode: int, cval: Any, shift: float) -> Any:
    """The spline with coefficients ``c`` at points (one array of coordinates an axis)."""
    ndim = len(coordinates)
    made = [
        _neighbours(x + shift if shift else x, n, order, mode)
        for x, n in zip(coordinates, shape_of(c), strict=True)
    ]
    points = shape_of(coordinates[0])
    indices: list[Any] = []
    beyond: Any = None
    for axis, (index, _, out) in enumerate(made):
        at = (1,) * axis + (order + 1,) + (1,) * (ndim - axis - 1)
        indices.append(np.reshape(index, at + points))
        if mode == GRID_CONSTANT:
            out = np.reshape(out, at + points)
        if out is not None:
            beyond = out if beyond is None else beyond | out
    values = take(c, tuple(indices))
    if mode == GRID_CONSTANT:
        values = np.where(beyond, cval, values)
    for _, weights, _ in made:
        # Axis after axis, the first of those that are left.
        parts = [w * values[j] for j, w in enumerate(weights)]
        values = sum(parts[1:], parts[0])
    if mode == CONSTANT and beyond is not None:
        values = np.where(beyond, cval, values)
    return values


def _separable(
    c: Any, coordinates: list[Any], order: int, mode: int, cval: Any, shift: float
) -> Any:
    """The spline on the grid of ``coordinates`` (a vector an axis), one axis at a time."""
    ndim = len(coordinates)
    outside = None
    if mode == GRID_CONSTANT:
        c = c - cval  # weights sum to one
    for axis, x in enumerate(coordinates):
        index, weights, out = _neighbours(x + shift if shift else x, shape_of(c)[axis], order, mode)
        at = (-1,) + (1,) * (ndim - axis - 1)
        parts = []
        for j, w in enumerate(weights):
            if mode == GRID_CONSTANT:
                w = np.where(out[j], 0.0, w)
            picked = take(c, (slice(None),) * axis + (index[j],))
            parts.append(picked * np.reshape(w, at))
        c = sum(parts[1:], parts[0])
        if mode == CONSTANT:
            out = np.reshape(out, at)
            outside = out if outside is None else outside | out
    if mode == GRID_CONSTANT:
        c = c + cval
    return c if outside is None else np.where(outside, cval, c)


# --- what SciPy calls ----------------------------------------------------------------------------


@replaces("scipy.ndimage._nd_image")
def geometric_transform(
    c: Any,
    mapping: Any,
    coordinates: Any,
    matrix: Any,
    offset: Any,
    output: Any,
    order: int,
    mode: int,
    cval: Any,
    npad: int,
    extra_arguments: Any,
    extra_keywords: Any,
) -> None:
    c = astype(c, np.float64)
    if mapping is not None:
        found = [
            mapping(at, *(extra_arguments or ()), **(extra_keywords or {}))
            for at in np.ndindex(*shape_of(output))
        ]
        columns = [np.stack([as_operand(v) for v in axis]) for axis in zip(*found, strict=True)]
        points = [np.reshape(v, shape_of(output)) for v in columns]
    elif coordinates is not None:
        coordinates = astype(as_operand(coordinates), np.float64)
        points = [coordinates[k] for k in range(shape_of(coordinates)[0])]
    else:
        grid = np.indices(shape_of(output)).astype(np.float64)
        points = [
            sum((matrix[k, m] * grid[m] for m in range(1, len(grid))), matrix[k, 0] * grid[0])
            + offset[k]
            for k in range(shape_of(matrix)[0])
        ]
    _store(output, _sample(c, points, int(order), mode, cval, float(npad)))


@replaces("scipy.ndimage._nd_image")
def zoom_shift(
    c: Any,
    zoom: Any,
    shift: Any,
    output: Any,
    order: int,
    mode: int,
    cval: Any,
    npad: int,
    grid_mode: bool,
) -> None:
    c = astype(c, np.float64)
    coordinates = []
    for k, n in enumerate(shape_of(output)):
        x: Any = np.arange(n, dtype=np.float64)
        # As SciPy: shift, then zoom, about the centres of the pixels in grid mode.
        if shift is not None:
            x = x + shift[k]
        if grid_mode:
            x = x + 0.5
        if zoom is not None:
            x = x * zoom[k]
        if grid_mode:
            x = x - 0.5
        coordinates.append(x)
    _store(output, _separable(c, coordinates, int(order), mode, cval, float(npad)))


# --- complex images: part by part ----------------------------------------------------------------


def _by_parts(name: str, module: str) -> Callable:
    """SciPy's function, for a complex image once on each part."""
    made: list[Callable] = []

    def real(*args: Any, **kwargs: Any) -> Any:
        import importlib

        if not made:
            public = getattr(importlib.import_module(module), name)
            made.append(recompiled(inspect.unwrap(public)))
        return made[0](*args, **kwargs)

    def function(*args: Any, **kwargs: Any) -> Any:
        import importlib

        public = inspect.unwrap(getattr(importlib.import_module(module), name))
        bound = inspect.signature(public).bind(*args, **kwargs)
        x = as_operand(bound.arguments.pop("input"))
        if dtype_of(x).kind != "c":
            return real(x, **bound.arguments)
        cval, output = bound.arguments.pop("cval", 0.0), bound.arguments.pop("output", None)
        parts = []
        for part in (np.real, np.imag):
            edge = {"cval": part(cval)} if np.any(cval) else {}
            parts.append(real(part(x), **bound.arguments, **edge))
        made = parts[0] + 1j * parts[1]
        if not hasattr(output, "shape"):
            return made
        _store(output, made)
        return output

    function.__name__ = name
    return replaces(module, name)(function)


for _name in ("geometric_transform", "map_coordinates", "affine_transform", "shift", "zoom",
              "rotate", "spline_filter1d", "spline_filter"):  # fmt: skip
    _by_parts(_name, "scipy.ndimage._interpolation")
_by_parts("uniform_filter1d", "scipy.ndimage._filters")
