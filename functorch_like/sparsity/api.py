"""Making plans, and functions that make and keep them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..arguments import as_array
from ..errors import DeviceError, boundary, name_of
from ..kernels.device import is_gpu
from ..primitives.core import shape_of
from .coloring import as_pattern, color, estimates
from .pattern import Found
from .plan import Plan
from .task import Task, positional

__all__ = ["plan_hessian", "plan_jacobian", "sparse_hessian", "sparse_jacobian"]

MODES = ("auto", "column", "row", "bidirectional")
SYMMETRIC = ("star", "acyclic")
FORMATS = ("csr", "csc", "coo")


def _check_options(name: str, second: bool, mode: str, format: str, chunk_size: Any) -> None:
    modes, what = (SYMMETRIC, "coloring") if second else (MODES, "mode")
    if mode not in modes:
        raise ValueError(f"{name}: expected {what} to be one of {', '.join(modes)}; got {mode!r}.")
    if format not in FORMATS:
        raise ValueError(
            f"{name}: expected format to be one of {', '.join(FORMATS)}; got {format!r}."
        )
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"{name}: expected chunk_size to be at least 1; got {chunk_size}.")


def _planned(
    name: str,
    second: bool,
    f: Callable,
    args: tuple,
    *,
    argnums: Any,
    mode: str,
    order: Any,
    pattern: Any,
    holomorphic: bool,
    jit: bool,
    format: str,
    chunk_size: int | None,
    seed: int,
) -> Plan:
    _check_options(name, second, mode, format, chunk_size)
    task = Task(name, f, args, argnums, second, holomorphic)
    label = f"{name}({name_of(f)})"
    if mode == "acyclic" and task.on_gpu:
        raise DeviceError(
            f"{label}: substitution runs on the CPU, and the arguments are CuPy's; plan with "
            "coloring='star'."
        )
    found = task.find()
    if pattern is not None:
        given = as_pattern(pattern)
        if given.shape != found.pattern.shape:
            raise ValueError(
                f"{label}: expected a pattern of shape {found.pattern.shape}; got {given.shape}."
            )
        found.pattern, found.constants = given, []
    complex_results = not holomorphic and any(a.dtype.kind == "c" for a in found.outputs)
    if mode == "auto":
        mode = "column" if complex_results else _cheapest(found)
    if complex_results and mode != "column":
        raise TypeError(
            f"{label}: expected a real result, which reverse mode needs; got a complex one; use "
            f"mode='column' in place of {mode!r}, or say holomorphic=True if f is "
            "complex-differentiable and takes complex input."
        )
    coloring = color(found.pattern, mode, order, seed)
    return Plan(task, found, coloring, jit, format, chunk_size)


def _cheapest(found: Found) -> str:
    """Columns or rows, whichever promises fewer colours; both if that more than halves them."""
    least = estimates(found.pattern)
    one = "column" if least["column"] <= least["row"] else "row"
    return "bidirectional" if 2 * least["bidirectional"] < least[one] else one


@boundary
def plan_jacobian(
    f: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    mode: str = "auto",
    order: str | Sequence[str] = "natural",
    pattern: Any = None,
    holomorphic: bool = False,
    jit: bool = True,
    format: str = "csr",
    chunk_size: int | None = None,
    seed: int = 0,
) -> Plan:
    """Find the pattern of a Jacobian, colour it, and prepare its evaluation.

    The pattern is read from the staged program of ``f``, not from samples of values: it holds
    every entry that can differ from zero at any argument of these shapes. It is exact for
    elementwise operations, slices, reductions, gathers and scatters at constant positions and
    products with constant matrices, a superset elsewhere. ``f`` is evaluated with products of one
    seed vector a colour, all in one batch (A. R. Curtis, M. J. D. Powell, J. K. Reid, "On the
    estimation of sparse Jacobian matrices", J. Inst. Maths Applics 13 (1974)).

    Parameters
    ----------
    f
        Function of arrays (or pytrees) that returns an array (or a pytree); m numbers in all.
    *args
        Its arguments, by position, for their structures, shapes and dtypes. Those not in
        ``argnums`` (data, parameters) may be other ones in each call.
    argnums
        Position, or positions, of the arguments to differentiate; n numbers in all.
    mode
        ``column``: forward mode. ``row``: reverse mode. ``bidirectional``: both, for matrices
        with some dense rows and columns. ``auto``: what promises the fewest products.
    order
        In which columns and rows are coloured: see ``color``.
    pattern
        A pattern to use in place of what is found, (m, n). An entry outside of it that is not
        zero is lost, and may be added to others of its row or column.
    holomorphic
        ``f`` is complex-differentiable and takes complex input.
    jit
        Compile the evaluation. Without, it runs as plain NumPy.
    format
        ``csr``, ``csc`` or ``coo``.
    chunk_size
        Products computed at a time, to bound memory; all of them by default.
    seed
        Of the random order.

    Returns
    -------
    Plan
        ``plan(*args)`` is the Jacobian, (m, n): rows are the elements of the result, columns
        those of the differentiated arguments, both raveled in C order and concatenated leaf by
        leaf.

    Raises
    ------
    TypeError
        An integer argument, or one that is no array.
    ConcreteValueError
        ``f`` branches on values of its arguments.
    ValueError
        Unknown options, or a derivative too dense for a pattern.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> plan = ft.sparsity.plan_jacobian(lambda x: x[1:] * x[:-1], np.ones(4))
    >>> plan.colors
    array([0, 1, 0, 1], dtype=int32)
    >>> plan(np.array([1.0, 2.0, 3.0, 4.0])).toarray()
    array([[2., 1., 0., 0.],
           [0., 3., 2., 0.],
           [0., 0., 4., 3.]])
    """
    options: dict[str, Any] = dict(
        mode=mode, order=order, pattern=pattern, format=format, seed=seed
    )
    options |= dict(argnums=argnums, holomorphic=holomorphic, jit=jit, chunk_size=chunk_size)
    return _planned("plan_jacobian", False, f, args, **options)


@boundary
def plan_hessian(
    f: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    coloring: str = "star",
    order: str | Sequence[str] = "natural",
    pattern: Any = None,
    holomorphic: bool = False,
    jit: bool = True,
    format: str = "csr",
    chunk_size: int | None = None,
    seed: int = 0,
) -> Plan:
    """Find the pattern of a Hessian, colour it, and prepare its evaluation.

    The pattern is that of the gradient's Jacobian, read from the program of the gradient: linear
    parts of ``f`` leave nothing in it. What is not symmetric in it is zero and left out. Custom
    rules that make the derivative of the gradient asymmetric are not for this function: plan the
    Jacobian of ``ft.grad(f)``.

    Parameters
    ----------
    f
        Function of arrays (or pytrees) that returns a scalar. For the Hessian of a Lagrangian
        pass the multipliers as further arguments: ``f(x, multipliers)``.
    *args
        Its arguments, for their structures, shapes and dtypes. Those not in ``argnums`` may be
        other ones in each call.
    argnums
        Position, or positions, of the arguments to differentiate; n numbers in all.
    coloring
        ``star``: every entry is read from the products. ``acyclic``: fewer products, from which
        entries follow one after the other.
    order
        In which vertices are coloured: see ``color``.
    pattern, holomorphic, jit, format, chunk_size, seed
        As for ``plan_jacobian``; a pattern must be symmetric.

    Returns
    -------
    Plan
        ``plan(*args)`` is the Hessian, (n, n), both triangles, exactly symmetric; rows and columns
        are the elements of the differentiated arguments, raveled in C order and concatenated leaf
        by leaf.

    Raises
    ------
    TypeError
        A result that is not a scalar, an integer argument, or one that is no array.
    ConcreteValueError
        ``f`` branches on values of its arguments.
    ValueError
        Unknown options, or a derivative too dense for a pattern.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def lagrangian(x, multipliers):
    ...     return np.sum(x**4) + multipliers @ (x[1:] * x[:-1])
    >>> plan = ft.sparsity.plan_hessian(lagrangian, np.ones(4), np.ones(3))
    >>> plan.n_colors
    3
    >>> plan(np.ones(4), np.array([1.0, 2.0, 3.0])).toarray()
    array([[12.,  1.,  0.,  0.],
           [ 1., 12.,  2.,  0.],
           [ 0.,  2., 12.,  3.],
           [ 0.,  0.,  3., 12.]])
    >>> print(plan.text())  # every entry with the colour of the product that gives it
    01··
    111·
    ·102
    ··22
    """
    options: dict[str, Any] = dict(
        mode=coloring, order=order, pattern=pattern, format=format, seed=seed
    )
    options |= dict(argnums=argnums, holomorphic=holomorphic, jit=jit, chunk_size=chunk_size)
    return _planned("plan_hessian", True, f, args, **options)


class Sparse:
    """What ``sparse_jacobian`` and ``sparse_hessian`` return; it keeps a plan for each shape."""

    def __init__(self, name: str, second: bool, f: Callable, options: dict[str, Any]) -> None:
        if not callable(f):
            raise TypeError(f"{name}: expected a function; got {type(f).__name__}.")
        kept = (options[key] for key in ("mode", "format", "chunk_size"))
        _check_options(name, second, *kept)
        functools.update_wrapper(self, f, updated=())
        self._label = f"{name}({name_of(f)})"
        self._make = functools.partial(_planned, name, second, f)
        self._options = options
        self._plans: dict[Any, Plan] = {}

    @boundary
    def plan(self, *args: Any) -> Plan:
        """The plan for arguments of these structures, shapes and dtypes."""
        leaves, in_tree = tree.flatten(args)
        arrays = map(as_array, leaves)
        key = (in_tree, *[(shape_of(x), getattr(x, "dtype", None), is_gpu(x)) for x in arrays])
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make(args, **self._options)
        return plan

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The sparse matrix at the arguments."""
        positional(self._label, kwargs)
        plan = self.plan(*args)
        if plan.stale():
            self._plans.clear()
            plan = self.plan(*args)
        return plan(*args)


def sparse_jacobian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    mode: str = "auto",
    order: str | Sequence[str] = "natural",
    pattern: Any = None,
    holomorphic: bool = False,
    jit: bool = True,
    format: str = "csr",
    chunk_size: int | None = None,
    seed: int = 0,
) -> Callable:
    """Jacobian as a sparse matrix, by products with few vectors.

    The first call with arguments of new shapes finds the pattern from the program, colours it and
    compiles the evaluation; later ones reuse that: see ``sparsity.plan_jacobian``, whose
    parameters and errors these are.

    Returns
    -------
    Callable
        Takes the arguments of ``f`` and returns a ``scipy.sparse.csr_array``, (m, n).
        ``.plan(*args)`` is the ``Plan``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> jacobian = ft.sparse_jacobian(lambda x: np.diff(x) ** 2)
    >>> jacobian(np.array([1.0, 2.0, 4.0])).toarray()
    array([[-2.,  2.,  0.],
           [ 0., -4.,  4.]])
    """
    options: dict[str, Any] = dict(
        argnums=argnums, mode=mode, order=order, pattern=pattern, seed=seed
    )
    options |= dict(holomorphic=holomorphic, jit=jit, format=format, chunk_size=chunk_size)
    return Sparse("sparse_jacobian", False, f, options)


def sparse_hessian(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    coloring: str = "star",
    order: str | Sequence[str] = "natural",
    pattern: Any = None,
    holomorphic: bool = False,
    jit: bool = True,
    format: str = "csr",
    chunk_size: int | None = None,
    seed: int = 0,
) -> Callable:
    """Hessian of a scalar function as a sparse matrix, by products with few vectors.

    The first call with arguments of new shapes finds the pattern from the program, colours it and
    compiles the evaluation; later ones reuse that: see ``sparsity.plan_hessian``, whose parameters
    and errors these are.

    Returns
    -------
    Callable
        Takes the arguments of ``f`` and returns a ``scipy.sparse.csr_array``, (n, n).
        ``.plan(*args)`` is the ``Plan``.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def rosenbrock(x):
    ...     return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> ft.sparse_hessian(rosenbrock)(np.ones(4)).toarray()
    array([[ 802., -400.,    0.,    0.],
           [-400., 1002., -400.,    0.],
           [   0., -400., 1002., -400.],
           [   0.,    0., -400.,  200.]])
    """
    options: dict[str, Any] = dict(
        argnums=argnums, mode=coloring, order=order, pattern=pattern, seed=seed
    )
    options |= dict(holomorphic=holomorphic, jit=jit, format=format, chunk_size=chunk_size)
    return Sparse("sparse_hessian", True, f, options)
