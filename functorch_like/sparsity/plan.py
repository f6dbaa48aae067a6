"""A plan: a pattern, a colouring and a compiled program that evaluates the sparse matrix."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import scipy.sparse

from .. import tree
from ..arguments import as_array, differentiable
from ..errors import boundary, name_of
from ..jit import jit as compile_function
from ..kernels.device import is_gpu
from ..primitives.core import Tracer, beside, shape_of
from .coloring import Coloring
from .pattern import Found
from .products import compressed
from .recovery import Substitution, places
from .task import Task, positional

__all__ = ["Plan"]


class Plan:
    """How to evaluate a sparse Jacobian or Hessian for arguments of given shapes.

    Made by ``plan_jacobian`` and ``plan_hessian``. ``plan(*args)`` gives the matrix at other
    values of the same shapes, ``plan.values(*args)`` its entries alone. Arrays that the function
    closes over are constants of the plan: pass what changes as an argument.

    Attributes
    ----------
    kind
        The colouring: ``column``, ``row``, ``bidirectional``, ``star`` or ``acyclic``.
    shape
        Rows and columns of the matrix.
    coloring
        The ``Coloring``.
    """

    def __init__(
        self, task: Task, found: Found, coloring: Coloring, jit: bool, format: str, chunk: Any
    ) -> None:
        self.coloring = coloring
        self.kind = coloring.kind
        self.shape: tuple[int, int] = found.pattern.shape
        self.format = format
        self._task = task
        self._found = found
        self._chunk = chunk
        self._pattern = pattern = found.pattern
        self._substitution: Substitution | None = None
        self._places = np.zeros(0, np.int32)
        if pattern.nnz and self.kind == "acyclic":
            self._substitution = Substitution(pattern, coloring)
        elif pattern.nnz:
            self._places = places(pattern, coloring)
        self._arrange(format)
        self._types = [(a.shape, a.dtype) for a in task.avals]
        self._compiled = jit and not task.on_gpu
        if self._compiled:  # compiled code need not ask whether unsigned places are negative
            self._places = self._places.astype(f"u{self._places.itemsize}")
        self._evaluate = compile_function(self._entries) if self._compiled else self._entries
        floats = [a.dtype for a in found.outputs if a.dtype.kind in "fc"]
        self._dtype = np.result_type(*(floats or [task.avals[i].dtype for i in task.places]))

    def _arrange(self, format: str) -> None:
        """Put the entries into the order of the format and keep its index arrays."""
        self._order = slice(None)
        matrix = self._pattern
        self._indices, self._indptr = matrix.indices, matrix.indptr
        if format == "csc":
            number = scipy.sparse.csr_array(
                (np.arange(matrix.nnz, dtype=np.int64), matrix.indices, matrix.indptr), matrix.shape
            ).tocsc()
            self._order = number.data
            self._indices, self._indptr = number.indices, number.indptr
        elif format == "coo":
            self._indptr = np.repeat(
                np.arange(self.shape[0], dtype=np.int32), np.diff(matrix.indptr)
            )
        if self._substitution is None and self._places.size:
            self._places = self._places[self._order]
        self._blank: Any = None
        if format != "coo":
            make = getattr(scipy.sparse, f"{format}_array")
            self._blank = make((np.zeros(0), np.zeros(0, np.int32), self._indptr * 0), self.shape)
            self._blank.has_canonical_format = True

    # --- what it consists of

    @property
    def pattern(self) -> scipy.sparse.csr_array:
        """Where the matrix may differ from zero: truth values, (m, n)."""
        return self._pattern.copy()

    @property
    def nnz(self) -> int:
        """Number of entries of the pattern."""
        return int(self._pattern.nnz)

    @property
    def colors(self) -> Any:
        """The colour of each column (of each row in row mode; -1: none is needed), int32.

        For ``bidirectional`` a pair: colours of the rows, and of the columns.
        """
        c = self.coloring
        if c.kind == "bidirectional":
            return c.rows, c.columns
        return c.rows if c.columns is None else c.columns

    @property
    def n_colors(self) -> int:
        """Number of colours: of products with the Jacobian or Hessian an evaluation takes."""
        return self.coloring.n_colors

    # --- evaluation

    def _entries(self, *args: Any) -> Any:
        """The entries, as a function that can be traced; the products if those are solved for."""
        leaves = [as_array(x) for x in tree.leaves(args)]
        task = self._task
        chosen = [leaves[i] for i in task.places]
        call = task.call(leaves, args)
        outputs, coloring = self._found.outputs, self.coloring
        made = compressed(task.name, call, chosen, outputs, coloring, self._chunk)
        m, n = self.shape
        (size,) = shape_of(made)
        if size != coloring.n_columns * m + coloring.n_rows * n:
            raise TypeError(
                f"{self._label}: expected {m} results in all, as planned; got products of "
                f"{size} elements; f must return arrays of the same shapes in every call."
            )
        return made if self._substitution is not None else made[beside(made, self._places)]

    @boundary
    def values(self, *args: Any) -> Any:
        """The entries of the matrix in the order of the pattern's.

        Parameters
        ----------
        *args
            Arguments of the function, of the shapes of the plan. They may be traced: unless the
            colouring is acyclic, this is a function like others to ``jit``, ``grad`` and ``vmap``.

        Returns
        -------
        array
            Shape (nnz,), row by row (column by column for ``format="csc"``).
        """
        self._check(args)
        if not self.nnz:
            return np.zeros(0, self._dtype)
        made = self._evaluate(*args)
        if self._substitution is None:
            return made
        if isinstance(made, Tracer):
            raise TypeError(
                f"{self._label}: expected plain arrays, because substitution goes from entry to "
                "entry; got traced ones; plan with coloring='star'."
            )
        return self._substitution(made)[self._order]

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The sparse matrix.

        Parameters
        ----------
        *args
            Arguments of the function, of the structures and shapes of the plan, and of its dtype
            where they are differentiated.

        Returns
        -------
        scipy.sparse array, (m, n)
            A ``csr_array`` (or what ``format`` says) with all entries of the pattern, those that
            happen to be zero included; for CuPy arrays one of ``cupyx.scipy.sparse``. Its arrays
            belong to the caller. Half precision is widened to single, SciPy's least.

        Raises
        ------
        TypeError
            Arguments of other structures, shapes or dtypes, or traced ones.
        ValueError
            An array that the function closes over has changed so that the pattern grew.
        """
        positional(self._label, kwargs)
        data = self.values(*args)
        if isinstance(data, Tracer):
            raise TypeError(
                f"{self._label}: expected plain arrays; got traced ones: a matrix of scipy.sparse "
                "cannot pass through jit, grad or vmap; use plan.values(x), which gives the "
                "entries as an array."
            )
        return self._matrix(data)

    def _matrix(self, data: Any) -> Any:
        sparse: Any = scipy.sparse
        indices, indptr = self._indices, self._indptr
        suffix = "array"
        if data.dtype == np.float16:  # which the matrices of SciPy and CuPy do not know
            data = data.astype(np.float32)
        if is_gpu(data):
            from ..kernels.gpu import launch

            sparse, suffix = launch.cupyx("scipy.sparse"), "matrix"
            indices, indptr = beside(data, indices), beside(data, indptr)
        # Copies: methods like eliminate_zeros write into a matrix's index arrays.
        if self._blank is not None and suffix == "array":
            made = copy.copy(self._blank)  # SciPy's constructors look at every index again
            made.data, made.indices, made.indptr = data, indices.copy(), indptr.copy()
            return made
        make = getattr(sparse, f"{self.format}_{suffix}")
        if self.format == "coo":
            made = make((data, (indptr.copy(), indices.copy())), shape=self.shape)
            made.has_canonical_format = True
            return made
        return make((data, indices.copy(), indptr.copy()), shape=self.shape)

    @property
    def _label(self) -> str:
        return f"{self._task.name}({name_of(self._task.f)})"

    def _check(self, args: tuple) -> None:
        """Raise unless the arguments are those the plan was made for."""
        leaves, in_tree = tree.flatten(args)
        if in_tree != self._task.in_tree:
            raise TypeError(
                f"{self._label}: expected arguments structured as planned, "
                f"{tree.describe(self._task.in_tree)}; got {tree.describe(in_tree)}."
            )
        for i, (x, (shape, dtype)) in enumerate(zip(leaves, self._types, strict=True)):
            if type(x) is not np.ndarray:
                x = as_array(x)
            if x.shape != shape:
                raise TypeError(
                    f"{self._label}: expected an array of shape {shape} for leaf {i} of the "
                    f"arguments, as planned; got {x.shape}; make a plan for this shape, or call "
                    f"{self._task.name.replace('plan_', 'sparse_')}(f), which keeps one for each."
                )
            if x.dtype != dtype and i in self._task.places:
                differentiable(self._task.name, self._task.f, x, self._task.holomorphic)
                raise TypeError(
                    f"{self._label}: expected {dtype} for leaf {i} of the arguments, as planned; "
                    f"got {x.dtype}; write x.astype(np.{dtype})."
                )
        if self.stale():
            self._renew()

    def stale(self) -> bool:
        """Whether an array that the function closes over, and that shaped the pattern, changed.

        Small arrays are seen as they were when a gradient was staged, and never are stale.
        """
        return bool(self._found.constants) and self._found.stale()

    def _renew(self) -> None:
        """Look again at a function whose captured arrays have changed."""
        found = self._task.find()
        grown = found.pattern.astype(np.int8) - found.pattern.multiply(self._pattern)
        grown.eliminate_zeros()
        if grown.nnz:
            raise ValueError(
                f"{self._label}: an array that the function closes over (a matrix with zeros, "
                f"positions, a mask) has changed since the plan was made, and {grown.nnz:,} "
                "entries are new in the pattern; make a new plan, or pass that array as an "
                "argument."
            )
        self._found.constants = found.constants

    # --- pictures

    def __repr__(self) -> str:
        from .picture import summary

        return summary(self)

    def text(self) -> str:
        """The pattern in characters, each entry with the colour that recovers it."""
        from .picture import text

        return text(self)

    def show(self, path: Any = None) -> Any:
        """Draw the pattern, its entries in the colours of the products that give them.

        Parameters
        ----------
        path
            File to write (``.png``, ``.svg``, ``.pdf``); nothing is written if not given.

        Returns
        -------
        matplotlib.figure.Figure
            Needs matplotlib.
        """
        from .picture import draw

        return draw(self, path)
