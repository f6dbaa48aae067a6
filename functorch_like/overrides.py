"""Ready overrides: other derivatives for a function, and derivatives for black boxes.

Each is a ``custom_jvp`` or ``custom_vjp`` and so works in every mode, batched and staged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import as_array
from .custom_rules import custom_jvp, custom_vjp
from .errors import name_of
from .forward import jvp as jvp_transform
from .primitives.core import Nondifferentiable, ShapedArray, Tracer, shape_of
from .primitives.structural import slice_at

__all__ = ["finite_difference", "straight_through", "surrogate", "wrap"]


def straight_through(f: Callable) -> Callable:
    """``f`` with the derivative of the identity.

    Parameters
    ----------
    f
        Function of one array that returns one of the same shape: a rounding, a sign, a
        quantiser.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> ft.grad(lambda x: ft.straight_through(np.round)(x) ** 2)(1.7)
    np.float64(4.0)
    """

    def checked(x: Any) -> Any:
        out = f(x)
        if shape_of(as_array(out)) != shape_of(as_array(x)):
            raise TypeError(
                f"straight_through({name_of(f)}): expected a result of the argument's shape "
                f"{shape_of(as_array(x))}; got {shape_of(as_array(out))}; use surrogate."
            )
        return out

    functools.update_wrapper(checked, f, updated=())
    rule = custom_jvp(checked)
    # The value through the rule again, so that derivatives of every order go straight through.
    rule.defjvp(lambda primals, tangents: (rule(*primals), tangents[0]))
    return rule


def surrogate(f: Callable, gradient_of: Callable) -> Callable:
    """``f`` with the derivative of another function.

    Parameters
    ----------
    f
        The function whose values are used.
    gradient_of
        A differentiable function of the same arguments and result shape whose derivatives are
        used, to every order.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> step = ft.surrogate(lambda x: np.heaviside(x, 0.5), gradient_of=np.tanh)
    >>> ft.grad(step)(0.0)
    np.float64(1.0)
    """
    rule = custom_jvp(f)

    def jvp_rule(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        _, tangent = jvp_transform(gradient_of, primals, tangents)
        return rule(*primals), tangent

    rule.defjvp(jvp_rule)
    return rule


# A black box runs outside all traces, on plain arrays; batches go through it one by one.


def _run_black_box(*operands: Any, f: Callable, result: Any) -> tuple:
    return tuple(f(*operands))


def _batch_black_box(
    size: int, operands: Sequence, batched: Sequence[bool], f: Callable, result: Any
) -> tuple:
    rows = []
    for i in range(size):
        row = [slice_at(x, index=(i,)) if b else x for x, b in zip(operands, batched, strict=True)]
        rows.append(black_box(*row, f=f, result=result))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _abstract_black_box(*avals: ShapedArray, f: Callable, result: Any) -> tuple:
    if result is None:
        raise TypeError(
            f"{name_of(f)}: a wrapped function whose result shape is not known cannot be staged or "
            "batched over nothing; pass result=ShapedArray(shape, dtype) to wrap."
        )
    return tuple(result)


black_box = Nondifferentiable(
    "black_box",
    kernel=_run_black_box,
    abstract=_abstract_black_box,
    batch=_batch_black_box,
    multiple_results=True,
)


class _Opaque(Nondifferentiable):
    """A black box without a rule: its derivative is unknown, not zero."""

    __slots__ = ()

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> Any:
        raise TypeError(
            f"wrap({name_of(params['f'])}): a derivative was asked for and no rule was given; pass "
            "vjp= or jvp=, or use finite_difference(f)."
        )

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        return self.jvp(primals, slots, params)


opaque_black_box = _Opaque(
    "opaque_black_box",
    kernel=_run_black_box,
    abstract=_abstract_black_box,
    batch=_batch_black_box,
    multiple_results=True,
)


def _call_black_box(f: Callable, args: tuple, result: Any, primitive: Any = black_box) -> Any:
    leaves, in_tree = tree.flatten(args)
    trees: list[Any] = []

    def flat(*values: Any) -> list:
        outs, out_tree = tree.flatten(f(*tree.unflatten(in_tree, values)))
        trees.append(out_tree)
        return [as_array(x) for x in outs]

    functools.update_wrapper(flat, f, updated=())
    shapes = None if result is None else tree.leaves(result)
    outs = primitive(*[as_array(x) for x in leaves], f=flat, result=shapes)
    return tree.unflatten(trees[0] if trees else tree.structure(result), outs)


def wrap(
    f: Callable,
    vjp: Callable | None = None,
    jvp: Callable | None = None,
    result: Any = None,
) -> Callable:
    """Make any function (SciPy's, C's, a compiled one) differentiable by giving it a rule.

    Parameters
    ----------
    f
        Called with plain arrays only, never traced; under ``vmap`` once an element.
    vjp
        ``vjp(cotangent, output, *args)`` returns the cotangent of the argument, or a tuple
        where there are several, in NumPy operations, so that it can be differentiated again.
    jvp
        Instead: ``jvp(tangents, output, *args)`` returns the output's tangent; ``tangents`` is
        a tuple.
    result
        ``ShapedArray`` (or a pytree of them) of what ``f`` returns; needed only to stage it.

    Returns
    -------
    Callable
        Usable under every transform; without a rule, differentiating it raises.

    Examples
    --------
    >>> import numpy as np, scipy.special
    >>> import functorch_like as ft
    >>> def bessel(x):                     # a function that only takes plain arrays
    ...     return scipy.special.jv(0, np.asarray(x))
    >>> j0 = ft.wrap(bessel, vjp=lambda ct, out, x: -ct * scipy.special.j1(x))
    >>> round(float(ft.grad(j0)(1.0)), 6)
    -0.440051
    """
    if vjp is not None and jvp is not None:
        raise TypeError(f"wrap({name_of(f)}): pass vjp or jvp; either gives every mode.")

    box = opaque_black_box if vjp is None and jvp is None else black_box

    def value(*args: Any) -> Any:
        return _call_black_box(f, args, result, box)

    functools.update_wrapper(value, f, updated=())
    if vjp is None and jvp is None:
        return value
    if jvp is not None:
        forward_rule = custom_jvp(value)

        def jvp_rule(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
            # Through the rule again, so that the output has derivatives of its own.
            out = forward_rule(*primals)
            return out, jvp(tangents, out, *primals)

        forward_rule.defjvp(jvp_rule)
        return forward_rule
    rule = custom_vjp(value)

    def forward(*args: Any) -> tuple[Any, Any]:
        out = rule(*args)
        return out, (args, out)

    def backward(residuals: Any, ct: Any) -> Any:
        args, out = residuals
        assert vjp is not None
        made = vjp(ct, out, *args)
        return made if len(args) != 1 or isinstance(made, tuple) else (made,)

    rule.defvjp(forward, backward)
    return rule


def finite_difference(f: Callable, step: float | None = None, result: Any = None) -> Callable:
    """A black box with derivatives by central differences.

    Parameters
    ----------
    f
        Function of floating-point arrays that returns one floating-point array. Called with
        plain arrays only, 2 n times for a derivative in n numbers.
    step
        Relative step; by default the cube root of the precision, for which the error of a
        derivative is about its two thirds power (1e-10 relative in float64). Derivatives of
        higher order are differences of differences, each coarser than the one before.
    result
        As for ``wrap``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> round(float(ft.grad(ft.finite_difference(lambda x: x**3))(2.0)), 6)
    12.0
    """

    def differences(*args: Any) -> Any:
        """Jacobian in each argument, of shape output.shape + argument.shape."""
        jacobians = []
        for k, x in enumerate(args):
            x = np.asarray(x)
            h = (np.finfo(x.dtype).eps ** (1 / 3) if step is None else step) * np.maximum(
                np.abs(x), 1
            )
            columns = []
            for i in np.ndindex(x.shape):
                up, down = x.copy(), x.copy()
                up[i] += np.asarray(h)[i]
                down[i] -= np.asarray(h)[i]
                width = up[i] - down[i]
                above, below = (
                    np.asarray(f(*args[:k], moved[()], *args[k + 1 :])) for moved in (up, down)
                )
                columns.append((above - below) / width)
            out = np.asarray(f(*args)) if not columns else columns[0]
            stacked = np.stack(columns, -1) if columns else np.zeros((*out.shape, 0))
            jacobians.append(stacked.reshape(out.shape + x.shape))
        return jacobians[0] if len(args) == 1 else tuple(jacobians)

    functools.update_wrapper(differences, f, updated=())

    def vjp_rule(ct: Any, out: Any, *args: Any) -> Any:
        made = finite_difference_of_jacobian(*args)
        made = (made,) if len(args) == 1 else made
        ndim = len(shape_of(out))
        return tuple(np.tensordot(ct, j, axes=ndim) for j in made)

    def finite_difference_of_jacobian(*args: Any) -> Any:
        if not any(isinstance(a, Tracer) for a in args):
            return differences(*args)
        parts = [
            finite_difference(
                lambda *xs, k=k: (differences(*xs),)[0] if len(xs) == 1 else differences(*xs)[k],
                50 * (step or float(np.finfo(float).eps) ** (1 / 3)),
            )(*args)
            for k in range(len(args))
        ]
        return parts[0] if len(args) == 1 else tuple(parts)

    return wrap(f, vjp=vjp_rule, result=result)
