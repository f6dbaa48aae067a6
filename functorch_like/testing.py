"""Check derivatives of your own functions and rules against differences."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import differentiable
from .errors import boundary, name_of
from .forward import jvp
from .primitives.core import shape_of
from .reverse import vjp

__all__ = ["check_grads"]

# Fourth-order central differences: error about (eps / h) + h^4 at these offsets and weights.
_STENCIL = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))


def _random_like(rng: np.random.Generator, x: Any) -> Any:
    v = rng.normal(size=shape_of(x))
    if x.dtype.kind == "c":
        v = v + 1j * rng.normal(size=shape_of(x))
    return np.asarray(v).astype(x.dtype)[()]


def _difference(f: Callable, xs: list, vs: list, step: float) -> list:
    total: list[Any] | None = None
    for offset, weight in _STENCIL:
        ys = f(*[x + offset * step * v for x, v in zip(xs, vs, strict=True)])
        part = [weight / step * np.asarray(y) for y in ys]
        total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
    assert total is not None
    return total


def _inner(xs: Sequence[Any], ys: Sequence[Any]) -> float:
    return float(np.real(sum(np.sum(np.multiply(x, y)) for x, y in zip(xs, ys, strict=True))))


@boundary
def check_grads(
    f: Callable,
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> None:
    """Compare the derivatives of ``f`` with differences, in random directions.

    Forward mode is compared with fourth-order central differences; reverse mode with the
    identity <vjp(u), v> = <u, difference(v)>. Higher orders check the derivatives of those
    derivatives, in every sequence of the modes.

    Parameters
    ----------
    f
        Function of arrays (or pytrees of arrays) that returns a pytree of arrays.
    args
        Its arguments, floating-point.
    order
        Highest order of differentiation checked.
    modes
        ``"fwd"``, ``"rev"`` or both.
    rtol, atol
        Tolerances; by default 1e-6 for double precision and 1e-2 for single, tenfold coarser
        with each order.
    eps
        Step of the differences; by default 1e-3 (3e-2 in single precision).
    seed
        Seed of the directions.

    Raises
    ------
    AssertionError
        A derivative is wrong; the message names the mode and order.

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.testing import check_grads
    >>> check_grads(lambda x: np.sin(x) * x, (np.array([0.3, 0.7]),), order=3)
    """
    leaves, in_tree = tree.flatten(tuple(args))
    xs = [differentiable("check_grads", f, x) for x in leaves]
    coarse = any(x.dtype.itemsize <= (8 if x.dtype.kind == "c" else 4) for x in xs)
    step = eps or (3e-2 if coarse else 1e-3)
    rtol = rtol if rtol is not None else (1e-2 if coarse else 1e-6)
    atol = atol if atol is not None else rtol
    unknown = set(modes) - {"fwd", "rev"}
    if unknown:
        raise ValueError(f"check_grads: modes are 'fwd' and 'rev'; got {sorted(unknown)}.")

    def flat(*values: Any) -> list:
        outs = tree.leaves(f(*tree.unflatten(in_tree, values)))
        return [y for y in outs if np.result_type(y.dtype).kind in "fc"]

    _check(flat, xs, order, modes, rtol, atol, step, np.random.default_rng(seed), name_of(f))


def _check(
    f: Callable,
    xs: list,
    order: int,
    modes: Sequence[str],
    rtol: float,
    atol: float,
    step: float,
    rng: np.random.Generator,
    path: str,
) -> None:
    if order == 0:
        return
    vs = [_random_like(rng, x) for x in xs]
    want = _difference(f, xs, vs, step)
    deeper = functools.partial(
        _check,
        xs=xs,
        order=order - 1,
        modes=modes,
        rtol=10 * rtol,
        atol=10 * atol,
        step=step,
        rng=rng,
    )
    if "fwd" in modes:
        _, got = jvp(f, xs, vs)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(
                a, b, rtol=rtol, atol=atol, err_msg=f"check_grads: jvp of {path} is wrong"
            )
        deeper(lambda *ys: jvp(f, ys, vs)[1], path=f"jvp({path})")
    if "rev" in modes:
        outs, pullback = vjp(f, *xs)
        us = [_random_like(rng, y) for y in outs]
        np.testing.assert_allclose(
            _inner(pullback(us), vs),
            _inner(us, want),
            rtol=rtol,
            atol=atol,
            err_msg=f"check_grads: vjp of {path} is wrong",
        )
        deeper(lambda *ys: list(vjp(f, *ys)[1](us)), path=f"vjp({path})")
