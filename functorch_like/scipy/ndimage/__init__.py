"""Image processing on plain and traced arrays, under scipy.ndimage's names.

``filters.py`` and ``interpolation.py`` stand for the compiled loops of scipy.ndimage; the
functions around them run from SciPy's own source (``functorch_like/scipy/source.py``), with their
signatures, checks and options. Interpolation is differentiable in the image and in the coordinates.
"""

from __future__ import annotations

from ..source import attributes
from . import filters as _filters
from . import interpolation as _interpolation
from .measurements import (
    center_of_mass,
    extrema,
    maximum,
    maximum_position,
    mean,
    median,
    minimum,
    minimum_position,
    standard_deviation,
    sum,
    sum_labels,
    variance,
)
from .refusals import REFUSALS

__all__ = [
    "center_of_mass", "extrema", "maximum", "maximum_position", "mean", "median", "minimum",
    "minimum_position", "standard_deviation", "sum", "sum_labels", "variance",
]  # fmt: skip

_loops = (_filters, _interpolation)  # they register themselves
__getattr__, __dir__ = attributes("scipy.ndimage", REFUSALS, globals())
