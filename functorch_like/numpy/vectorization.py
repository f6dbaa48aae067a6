"""``np.vectorize`` of functions whose arguments, or closures, are traced."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..primitives.core import EVAL, Tracer, shape_of, state
from . import creation
from .manipulation import astype, broadcast_to, reshape

__all__ = ["vectorize"]


class vectorize(np.vectorize):  # noqa: N801  (NumPy's name)
    """``np.vectorize``, whose function may be given traced elements and return them.

    The function is called once for each element, in a Python loop, so that under ``jit`` every
    call is compiled; a function of whole arrays, or ``functorch_like.vmap``, is faster.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> import functorch_like.numpy as fnp
    >>> saturate = fnp.vectorize(lambda v: v if v < 1 else 1 + np.log(v))
    >>> ft.grad(lambda x: np.sum(saturate(x)))(np.array([0.5, 2.0, 4.0]))
    array([1.  , 0.5 , 0.25])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102  (NumPy's)
        function = getattr(self, "pyfunc", None)
        if state.trace is EVAL or not callable(function):
            return super().__call__(*args, **kwargs)
        excluded = getattr(self, "excluded", None) or set()
        positions = [i for i in range(len(args)) if i not in excluded]
        keywords = [name for name in kwargs if name not in excluded]
        given = [args[i] for i in positions] + [kwargs[name] for name in keywords]
        if not given:
            return function(*args, **kwargs)
        operands = [x if isinstance(x, Tracer) else creation.asarray(x) for x in given]
        own_axes = _core_axes(self.signature, len(operands))
        shapes = [x.shape[: x.ndim - n] for x, n in zip(operands, own_axes, strict=True)]
        loop = np.broadcast_shapes(*shapes)
        operands = [
            broadcast_to(x, loop + x.shape[x.ndim - n :])
            for x, n in zip(operands, own_axes, strict=True)
        ]
        positional, named = list(args), dict(kwargs)
        results = []
        for at in np.ndindex(*loop):
            elements = [x[at] for x in operands]
            for i, x in zip(positions, elements, strict=False):
                positional[i] = x
            named.update(zip(keywords, elements[len(positions) :], strict=True))
            results.append(function(*positional, **named))
        return self._assembled(results, loop)

    def _assembled(self, results: list, loop: tuple[int, ...]) -> Any:
        """The function's results as arrays: one, or a tuple of them."""
        types = self.otypes
        if not results:
            if types is None or self.signature is not None:
                raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
            empty = tuple(np.empty(loop, t) for t in types)
            return empty if len(empty) > 1 else empty[0]
        several = isinstance(results[0], tuple)
        columns = list(zip(*results, strict=True)) if several else [results]
        made = []
        for k, column in enumerate(columns):
            # The type of a result is that of the first, as in NumPy.
            dtype = creation.asarray(column[0]).dtype if types is None else np.dtype(types[k])
            stacked = creation.asarray(list(column))
            stacked = reshape(stacked, loop + shape_of(stacked)[1:])
            made.append(astype(stacked, dtype))
        return tuple(made) if several else made[0]


def _core_axes(signature: str | None, count: int) -> list[int]:
    """How many axes of each argument the function itself takes."""
    if signature is None:
        return [0] * count
    groups = re.findall(r"\(([^)]*)\)", signature.partition("->")[0])
    if len(groups) != count:
        raise TypeError(
            f"wrong number of positional arguments: expected {len(groups)}, got {count}"
        )
    return [len([n for n in group.split(",") if n.strip()]) for group in groups]
