"""Distribution functions and quantiles that have no closed form.

Their values are SciPy's. Derivatives follow from the density f, which has a closed form: with F
the distribution function and x = Q(p, s) the quantile for shape parameters s,

* ``dF = f dx + (integral of df/ds up to x) ds``,
* ``dQ = (dp - dF/ds ds) / f(x)``, from F(Q(p, s), s) = p.

The integral is a double exponential quadrature (Takahasi and Mori, 1974) towards the nearer end of
the support, with a relative error of about 1e-10 for densities that are smooth inside it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...forward import jvp
from ...kernels.device import is_gpu
from ...primitives.core import General, Nondifferentiable, ShapedArray, Tracer, shape_of
from .arguments import constant

__all__ = ["discrete_quantile", "distribution_function", "quantile_function"]

STEP = 0.06  # of the quadrature: halving it changes nothing above 1e-13
DISTRIBUTIONS: dict[str, Any] = {}  # ours, by name


def _method(distribution: str, name: str) -> Callable:
    return getattr(getattr(importlib.import_module("scipy.stats"), distribution), name)


def _abstract(*avals: ShapedArray, **params: Any) -> ShapedArray:
    return ShapedArray(np.broadcast_shapes(*[a.shape for a in avals]), np.float64)


def _batch(primitive: Callable) -> Callable:
    def batch(size: int, operands: Sequence, batched: Sequence[bool], **params: Any) -> Any:
        shape = next(shape_of(x) for x, b in zip(operands, batched, strict=True) if b)
        full = [
            x if b else np.broadcast_to(x, shape) for x, b in zip(operands, batched, strict=True)
        ]
        return primitive()(*full, **params)

    return batch


def _along_shapes(f: Callable, shapes: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Derivative of ``f(*shapes)`` along the tangents that are given; None if there are none."""
    moving = [i for i, t in enumerate(tangents) if t is not None]
    if not moving:
        return None

    def of_moving(*values: Any) -> Any:
        given = dict(zip(moving, values, strict=True))
        return f(*[given.get(i, s) for i, s in enumerate(shapes)])

    # Differentiating a composed function needs a transform, which stands above this layer.
    return jvp(of_moving, [shapes[i] for i in moving], [tangents[i] for i in moving])[1]


def _total(parts: Sequence[Any]) -> Any:
    left = [part for part in parts if part is not None]
    return functools.reduce(np.add, left) if left else None


# --------------------------------------------------------------------------------------
# Quadrature


@functools.cache
def _nodes(infinite: bool) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, inf) or on (0, 1)."""
    s = np.arange(-3.6, 3.6001, STEP)
    if infinite:
        t = np.exp(np.pi / 2 * np.sinh(s))
        w = STEP * np.pi / 2 * np.cosh(s) * t
    else:
        u = np.pi * np.sinh(s)
        t = 1 / (1 + np.exp(-u))
        w = STEP * np.pi * np.cosh(s) * t / (1 + np.exp(u))
    return t, w


def _integral(f: Callable, alive: Callable, x: Any, end: Any, infinite: bool) -> Any:
    """Integral of ``f`` from ``x`` to ``end``, or to infinity in the direction ``end``.

    ``f`` is 0 where not ``alive``.
    """
    x = np.expand_dims(x, -1)
    if infinite:
        t, w = _nodes(True)
        u = x + np.expand_dims(end, -1) * t
        weights: Any = w
    else:
        t, w = _nodes(False)
        length = np.expand_dims(end, -1) - x if shape_of(end) else end - x
        u = x + length * t
        weights = np.absolute(length) * w
    living = alive(u)
    return np.sum(f(np.where(living, u, x)) * np.where(living, weights, 0.0), axis=-1)


def _shape_slope(ours: Any, x: Any, shapes: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Derivative of the distribution function along the shapes, by quadrature."""
    if all(t is None for t in tangents):
        return None

    def density_slope(u: Any) -> Any:
        # A shape stands for all the nodes of its element.
        wide = [np.broadcast_to(np.expand_dims(s, -1), shape_of(u)) for s in shapes]
        along = [
            None if t is None else np.broadcast_to(np.expand_dims(t, -1), shape_of(u))
            for t in tangents
        ]
        return _along_shapes(lambda *s: ours.masked_density(u, s), wide, along)

    if "ppf" in ours.closed:  # F(Q(p, s), s) = p
        p = distribution_function(x, *shapes, distribution=ours.name, method="cdf")
        moved = _along_shapes(lambda *s: ours.raw("ppf", p, s), shapes, tangents)
        return -ours.masked_density(x, shapes) * moved

    def alive(u: Any) -> Any:
        wide = [np.broadcast_to(np.expand_dims(s, -1), shape_of(u)) for s in shapes]
        return ours.masked_density(u, wide) > 0.0

    low, high = ours.period or ours.ends(shapes)
    low, high = (np.broadcast_to(end, shape_of(x)) for end in (low, high))
    left = _kernel(x, *shapes, distribution=ours.name, method="cdf") < 0.5
    sign = np.where(left, -1.0, 1.0)
    end = np.where(left, low, high)
    infinite = np.isinf(constant(end))
    # Both forms where the support has one infinite end or ends that are not known.
    forms = _forms(infinite)
    total: Any = 0.0
    if True in forms:
        total = _integral(density_slope, alive, x, sign, True)
    if False in forms:
        finite = _integral(density_slope, alive, x, np.where(infinite, x + sign, end), False)
        total = np.where(infinite, total, finite) if True in forms else finite
    return -sign * total


def _forms(infinite: Any) -> set[bool]:
    """Which values a condition has, as far as that is known."""
    known = infinite.concrete() if isinstance(infinite, Tracer) else infinite
    return {True, False} if known is None else {bool(v) for v in np.ravel(known)}


# --------------------------------------------------------------------------------------
# Primitives


def _run(*operands: Any, distribution: str, method: str) -> Any:
    if any(map(is_gpu, operands)):
        raise TypeError(f"CuPy has no kernel for scipy.stats.{distribution}.{method}")
    return np.asarray(_method(distribution, method)(*operands), np.float64)[()]


def _distribution_rule(
    primals: Sequence, tangents: Sequence, distribution: str, method: str
) -> tuple[Any, Any]:
    (x, *shapes), (t, *along) = primals, tangents
    ours = DISTRIBUTIONS[distribution]
    answer = distribution_function(*primals, distribution=distribution, method=method)
    parts = [_shape_slope(ours, x, shapes, along)]
    if t is not None:
        parts.append(t * ours.masked_density(x, shapes))
    tangent = _total(parts)
    return answer, np.negative(tangent) if tangent is not None and method == "sf" else tangent


def _quantile_rule(
    primals: Sequence, tangents: Sequence, distribution: str, method: str
) -> tuple[Any, Any]:
    (_, *shapes), (t, *along) = primals, tangents
    ours = DISTRIBUTIONS[distribution]
    x = quantile_function(*primals, distribution=distribution, method=method)
    upper = method == "isf"
    moved = _along_shapes(lambda *s: ours.raw("sf" if upper else "cdf", x, s), shapes, along)
    tangent = _total([t, None if moved is None else np.negative(moved)])
    if tangent is not None:
        density = ours.raw("pdf", x, shapes)
        tangent = tangent / (np.negative(density) if upper else density)
    return x, tangent


distribution_function: General = General(
    "distribution_function",
    kernel=_run,
    abstract=_abstract,
    rule=_distribution_rule,
    batch=_batch(lambda: distribution_function),
)
quantile_function: General = General(
    "quantile_function",
    kernel=_run,
    abstract=_abstract,
    rule=_quantile_rule,
    batch=_batch(lambda: quantile_function),
)
# The same values as a constant: quantiles of discrete distributions, and what is chosen by value.
discrete_quantile: Nondifferentiable = Nondifferentiable(
    "discrete_quantile",
    kernel=_run,
    abstract=_abstract,
    batch=_batch(lambda: discrete_quantile),
)


def _kernel(*operands: Any, **params: Any) -> Any:
    if any(isinstance(x, Tracer) for x in operands):
        return discrete_quantile(*operands, **params)
    return _run(*operands, **params)
