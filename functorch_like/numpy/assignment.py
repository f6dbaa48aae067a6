"""Functions that assign: they change a traced array as they do NumPy's, and no plain one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.core import Tracer, dtype_of
from .dispatch import implements, refuse_out
from .elementwise import as_operand
from .indexing import setitem
from .manipulation import ravel
from .operands import as_array, known_value

__all__: list[str] = []


def _target(name: str, x: Any) -> Any:
    """The array to be assigned to, which must be traced."""
    refuse_out(name, None if isinstance(x, Tracer) else x)
    return x


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    dst, src = _target("np.copyto", dst), as_operand(src)
    weak = type(src) in (bool, int, float)  # NumPy lets Python numbers in
    if not weak and not np.can_cast(dtype_of(src), dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {dtype_of(src)} to {dst.dtype} according to the rule "
            f"'{casting}'"
        )
    setitem(dst, Ellipsis, src if where is True else np.where(where, src, dst))


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    a = _target("np.putmask", a)
    setitem(a, Ellipsis, np.where(mask, np.resize(as_array(values), a.shape), a))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    arr = _target("np.place", arr)
    where = np.nonzero(known_value("np.place", mask, "the mask depends on values not known"))
    setitem(arr, where, np.resize(as_array(vals), where[0].shape))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    a = _target("np.put", a)
    flat = np.ravel(ind) if not isinstance(ind, Tracer) else ravel(ind)
    if mode == "wrap":
        flat = np.remainder(flat, a.size)
    elif mode == "clip":
        flat = np.clip(flat, 0, a.size - 1)
    elif not isinstance(flat, Tracer):
        flat = np.arange(a.size)[flat]  # raises where it is out of bounds
    setitem(a, np.unravel_index(flat, a.shape), np.resize(as_array(v), flat.shape))


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    a = _target("np.fill_diagonal", a)
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    marked = np.zeros(a.shape, bool)
    np.fill_diagonal(marked, True, wrap)
    where: Sequence = np.nonzero(marked)
    setitem(a, tuple(where), np.resize(as_array(val), where[0].shape))
