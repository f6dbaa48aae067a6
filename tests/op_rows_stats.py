"""Rows of the table for distribution functions and quantiles without a closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import functorch_like.scipy.stats  # noqa: F401  (declare the primitives)


def add_rows(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    constant: Callable,
    F8: Any,
    F4: Any,
    C16: Any,
) -> None:
    """Add a row or more for each primitive."""
    for name, distribution, method, operands in (
        ("distribution_function", "gennorm", "cdf", (normal(3), uniform(1, 3, 3))),
        ("distribution_function", "gennorm", "sf", (normal(3), uniform(1, 3, 3))),
        ("quantile_function", "t", "ppf", (uniform(0.1, 0.9, 3), uniform(2, 4, 3))),
        ("quantile_function", "t", "isf", (uniform(0.1, 0.9, 3), uniform(2, 4, 3))),
        ("discrete_quantile", "poisson", "ppf", (uniform(0.1, 0.9, 3), uniform(2, 4, 3))),
    ):
        params = {"distribution": distribution, "method": method}
        row(name, *operands, params=params, dtypes=(F8,), label=method)
