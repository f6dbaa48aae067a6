"""einops on traced arrays; importing this module teaches einops their types.

einops chooses its implementation by the type of its first argument, from a list. After

    from functorch_like.einops import einsum, rearrange, reduce, repeat

(or ``import functorch_like.einops`` beside ``import einops``) its functions take traced arrays.
Without this module the functions of ``einops.array_api``, which has no einsum, do so too.

>>> import numpy as np
>>> import functorch_like as ft
>>> from functorch_like.einops import einsum, reduce
>>> def f(x):
...     pooled = reduce(x, "(rows two) columns -> rows columns", "max", two=2)
...     return einsum(pooled, x[:2], "i j, i j ->")
>>> ft.grad(f)(np.array([[1.0, 2.0], [4.0, 3.0], [5.0, 6.0], [8.0, 7.0]]))
array([[4., 3.],
       [9., 9.],
       [0., 0.],
       [4., 3.]])
"""

from __future__ import annotations

from typing import Any

from einops import *  # noqa: F403
from einops import __all__ as __all__
from einops._backends import NumpyBackend

from .primitives.core import Tracer


class TracedBackend(NumpyBackend):
    """NumPy's functions, which take traced arrays; einops finds its backends by their class."""

    framework_name = "functorch_like"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Whether this is the implementation for ``tensor``."""
        return isinstance(tensor, Tracer)
