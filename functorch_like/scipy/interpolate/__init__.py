"""Interpolation of plain and traced data, under scipy.interpolate's names.

The classes (``CubicSpline``, ``BSpline``, ``RegularGridInterpolator`` ...) are SciPy's own, from
its source run on traced arrays (``functorch_like/scipy/source``);
``piecewise.py`` and ``bsplines.py`` stand for the compiled loops beneath. Results are
differentiable in the data values, in the knots or nodes, and in the points of evaluation, also
where the data are plain and only the points are traced.

Classes here are not those of scipy.interpolate, so ``isinstance`` with those is false.
"""

from __future__ import annotations

from ..source import attributes
from . import bsplines, grids, piecewise
from .refusals import REFUSALS

__all__: list[str] = []

_loops = (bsplines, grids, piecewise)
__getattr__, __dir__ = attributes("scipy.interpolate", REFUSALS, globals())
