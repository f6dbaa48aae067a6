"""Rows of op_table.py for the primitives of primitives/marking.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_rows(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    constant: Callable,
    F8: Any,
    F4: Any,
    C16: Any,
) -> None:
    """Add a row for each primitive."""
    row("checkpoint_name", normal(2, 3), params={"name": "hidden"}, dtypes=(F8, F4, C16))
    row("recompute", normal(2, 3), dtypes=(F8, F4, C16))
