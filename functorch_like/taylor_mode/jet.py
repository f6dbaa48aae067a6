"""``jet`` and ``taylor``: derivatives of any order along a curve or in one variable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arguments import as_array, differentiable
from ..errors import boundary, name_of
from ..primitives.core import beside, shape_of, state, under
from ..primitives.structural import convert
from ..reverse import finish
from . import control, implicit  # noqa: F401  (they fill the tables of rules)
from .series import scaled
from .trace import TaylorTrace

__all__ = ["expand", "jet", "taylor"]


def expand(
    transform: str, f: Callable, args: tuple, coefficients: Sequence[Sequence[Any]]
) -> tuple[list[Any], list[list[Any]], Any]:
    """Run ``f`` on series.

    ``coefficients[k - 1]`` has the normalised coefficients of order k of the leaves of ``args``,
    None for zero. Returns the flat values, of each its coefficients, and the structure.
    """
    leaves, in_tree = tree.flatten(args)
    trace = TaylorTrace(state.trace, (transform, f))
    traced = [
        trace.make(differentiable(transform, f, leaf), terms)
        for leaf, *terms in zip(leaves, *coefficients, strict=True)
    ]
    with under(trace):
        out = f(*tree.unflatten(in_tree, traced))
    out_leaves, out_tree = tree.flatten(out)
    order = len(coefficients)
    values = [x.primal if trace.owns(x) else as_array(x) for x in out_leaves]
    series = [list(trace.series(x, order)[1:]) for x in out_leaves]
    return values, series, out_tree


def _term(transform: str, f: Callable, i: int, k: int, t: Any, x: Any) -> Any:
    """A coefficient, checked against the value it belongs to."""
    t, x = as_array(t), as_array(x)
    if shape_of(t) != shape_of(x):
        raise ValueError(
            f"{transform}({name_of(f)}): expected term {k} of series {i} of shape {shape_of(x)}, "
            f"that of its primal; got {shape_of(t)}."
        )
    if t.dtype == x.dtype:
        return t
    if t.dtype.kind not in "fiub" + "c" * (x.dtype.kind == "c"):
        raise TypeError(
            f"{transform}({name_of(f)}): expected term {k} of series {i} of dtype {x.dtype}, that "
            f"of its primal; got {t.dtype}."
        )
    return convert(t, dtype=x.dtype)


@boundary
def jet(
    f: Callable,
    primals: Sequence,
    series: Sequence[Sequence],
    factorial_scaled: bool = True,
) -> tuple[Any, Any]:
    """Propagate a truncated power series: the derivatives of ``f`` along a curve.

    For a curve x(s) with x(0) = ``primals`` and derivatives x'(0), x''(0), ... = ``series``, the
    derivatives of f(x(s)) at s = 0. The signature and conventions are those of
    ``jax.experimental.jet``. The cost is quadratic in the order for arithmetic, elementary
    functions, products and solutions of linear systems, against the exponential cost of nested
    ``jvp``; the method is Griewank and Walther, "Evaluating Derivatives" (2008), chapter 13.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays).
    primals
        Tuple or list of the arguments.
    series
        For each argument a list of K terms, each structured and shaped like the argument.
    factorial_scaled
        Terms are derivatives (the default); if False they are the coefficients of the series,
        the derivatives divided by k!.

    Returns
    -------
    primals_out
        ``f(*primals)``.
    series_out
        In the place of each array of the result the list of its K terms.

    Raises
    ------
    TypeError
        ``primals`` or ``series`` that are no sequences, integer primals, terms of another
        structure or kind of dtype.
    ValueError
        Series of different lengths, or terms of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.jet(np.exp, (0.0,), ([1.0, 0.0, 0.0],))  # along x(s) = s
    (np.float64(1.0), [np.float64(1.0), np.float64(1.0), np.float64(1.0)])
    """
    for name, given in (("primals", primals), ("series", series)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"jet({name_of(f)}): expected {name} as a tuple or list, one entry an argument; "
                f"got {type(given).__name__}; write ({name},)."
            )
    if len(primals) != len(series):
        raise ValueError(
            f"jet({name_of(f)}): expected a series for each of the {len(primals)} primals; got "
            f"{len(series)}."
        )
    for i, terms in enumerate(series):
        if not isinstance(terms, (tuple, list)):
            raise TypeError(
                f"jet({name_of(f)}): expected series {i} as a list of terms, one an order; got "
                f"{type(terms).__name__}; write [v] for the first order alone."
            )
    orders = {len(terms) for terms in series}
    if len(orders) > 1:
        got = ", ".join(str(len(terms)) for terms in series)
        raise ValueError(
            f"jet({name_of(f)}): expected as many terms for each argument; got {got}; fill the "
            "shorter ones with zeros."
        )
    order = orders.pop() if orders else 0
    rows: list[list[Any]] = [[] for _ in range(order)]
    for i, (x, terms) in enumerate(zip(primals, series, strict=True)):
        leaves, structure = tree.flatten(x)
        for k, term in enumerate(terms, 1):
            given, got_structure = tree.flatten(term)
            if got_structure != structure:
                raise TypeError(
                    f"jet({name_of(f)}): expected term {k} of series {i} structured like its "
                    f"primal, {tree.describe(structure)}; got {tree.describe(got_structure)}."
                )
            scale = 1 / math.factorial(k) if factorial_scaled else 1
            for t, leaf in zip(given, leaves, strict=True):
                t = _term("jet", f, i, k, t, differentiable("jet", f, leaf))
                rows[k - 1].append(scaled(t, scale))
    values, made, out_tree = expand("jet", f, tuple(primals), rows)
    out = []
    for x, terms in zip(values, made, strict=True):
        factors = [math.factorial(k) if factorial_scaled else 1 for k in range(1, order + 1)]
        raised = [scaled(t, c) for t, c in zip(terms, factors, strict=True)]
        out.append(finish(raised, [x] * order))
    return tree.unflatten(out_tree, values), tree.unflatten(out_tree, out)


@boundary
def taylor(f: Callable, x: Any, order: int, direction: Any = None) -> Any:
    """Taylor coefficients of ``f`` at ``x``: f(x + s v) = sum_k c_k s^k.

    Parameters
    ----------
    f
        Function of one argument: an array, or a pytree of arrays.
    x
        Where to expand.
    order
        The highest order.
    direction
        The direction v, structured like ``x``; ones by default, so that for a function of one
        variable, applied to each element, c_k = f^(k)(x) / k!.

    Returns
    -------
    list
        ``order + 1`` results like ``f(x)``: the coefficients c_0 .. c_order, ascending, as in
        ``mpmath.taylor``. The k-th derivative along v is ``c[k] * math.factorial(k)``.

    Raises
    ------
    ValueError
        A negative order.
    TypeError
        An integer ``x``, or a direction of another structure.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> [float(c) for c in ft.taylor(lambda x: 1 / (1 - x), 0.0, 4)]
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if isinstance(order, bool) or not hasattr(order, "__index__"):
        raise TypeError(
            f"taylor({name_of(f)}): expected order to be an integer; got {type(order).__name__}."
        )
    order = order.__index__()
    if order < 0:
        raise ValueError(f"taylor({name_of(f)}): expected an order of at least 0; got {order}.")
    leaves, structure = tree.flatten(x)
    leaves = [differentiable("taylor", f, leaf) for leaf in leaves]
    if direction is None:
        first = [ones(leaf) for leaf in leaves]
    else:
        given, got_structure = tree.flatten(direction)
        if got_structure != structure:
            raise TypeError(
                f"taylor({name_of(f)}): expected a direction structured like x, "
                f"{tree.describe(structure)}; got {tree.describe(got_structure)}."
            )
        first = [_term("taylor", f, 0, 1, t, leaf) for t, leaf in zip(given, leaves, strict=True)]
    rows = [first, *[[None] * len(leaves)] * (order - 1)] if order else []
    values, made, out_tree = expand("taylor", f, (x,), rows)
    columns = [
        [value, *finish(list(terms), [value] * order)]
        for value, terms in zip(values, made, strict=True)
    ]
    return [tree.unflatten(out_tree, [c[k] for c in columns]) for k in range(order + 1)]


def ones(x: Any) -> Any:
    """Ones like an array, taking no memory of their own."""
    return np.broadcast_to(beside(x, np.ones((), x.dtype)), shape_of(x))
