"""The list of programs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["PROGRAMS", "X", "case"]

PROGRAMS: list[tuple[Callable, tuple]] = []  # functions, each with arguments

X = np.array([0.3, -1.2, 0.7, 2.1, -0.4, 0.9, 1.1])


def case(*arguments: object) -> Callable:
    """Note a program with arguments."""

    def note(function: Callable) -> Callable:
        PROGRAMS.append((function, arguments))
        return function

    return note
