"""An array of SciPy's kind whose elements are traced."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ... import tree
from ...errors import ConcreteValueError, user_line
from ...numpy.refusals import calling_function
from ...primitives.core import Tracer
from ...primitives.indexing import scatter_add
from .pattern import Form, Pattern, canonical

__all__ = ["SparseArray", "as_sparse", "connect", "issparse", "made_of", "pattern_of"]

# Functions of one array that are 0 at 0: SciPy's methods of these names.
ZERO_KEEPING = (
    *("arcsin", "arcsinh", "arctan", "arctanh", "ceil", "deg2rad", "expm1", "floor", "log1p"),
    *("rad2deg", "rint", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"),
)


# Functions of SciPy's that ask what an operand is, and hand over to it if it is nothing they know.
ASKING = ("_matmul_dispatch", "_multiply_2d_with_broadcasting", "_divide", "multiply")


class SparseArray:
    """A sparse array with traced elements: SciPy's interface, its pattern fixed.

    Parameters
    ----------
    data
        The elements, in the order of the pattern.
    form
        Pattern, orientation and class.

    Notes
    -----
    ``@ * + - / ** abs``, ``.T``, ``.dot``, ``.multiply``, ``.power``, ``.sum``,
    ``.mean``, ``.diagonal``, ``.trace``, ``.toarray``, conversions of format, indexing, and the
    functions of each element that keep zeros are SciPy's. Stored zeros stay stored.
    """

    __slots__ = ("data", "form")

    def __init__(self, data: Any, form: Form) -> None:
        self.data = data
        self.form = form

    # --- what it is ----------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.form.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self.data.dtype

    @property
    def nnz(self) -> int:
        """Number of stored elements."""
        return self.form.pattern.nnz

    size = nnz

    @property
    def format(self) -> str:
        """SciPy's name of the format."""
        return self.form.kind.__name__.split("_")[0]

    @property
    def indices(self) -> np.ndarray:
        """Column (in compressed columns: row) of each element."""
        return self.form.pattern.indices

    @property
    def indptr(self) -> np.ndarray:
        """Where each row (in compressed columns: column) begins."""
        return self.form.pattern.indptr

    @property
    def coords(self) -> tuple[np.ndarray, ...]:
        """Coordinates of each element."""
        pattern = self.form.pattern
        if self.form.flat:
            return (pattern.columns,)
        rows, columns = pattern.rows, pattern.columns
        return (columns, rows) if self.form.across else (rows, columns)

    @property
    def row(self) -> np.ndarray:
        """Row of each element."""
        return self.coords[0]

    @property
    def col(self) -> np.ndarray:
        """Column of each element."""
        return self.coords[-1]

    def nonzero(self) -> tuple[np.ndarray, ...]:
        """Coordinates of the stored elements."""
        return self.coords

    def getnnz(self, axis: int | None = None) -> Any:
        """Number of stored elements, of all or along an axis."""
        if axis is None:
            return self.nnz
        kept = self.coords[1 - axis % 2]
        return np.bincount(kept, minlength=self.shape[1 - axis % 2])

    def __repr__(self) -> str:
        return (
            f"<{self.form.kind.__name__} of shape {self.shape} with {self.nnz} traced elements of "
            f"dtype {self.dtype}>"
        )

    # --- other forms of it -----------------------------------------------------------------

    def with_data(self, data: Any) -> Any:
        """The same pattern with other elements."""
        return made_of(data, self.form)

    def rowwise(self) -> SparseArray:
        """The same array stored in compressed rows."""
        if not self.form.across:
            return self
        pattern, places = self.form.pattern.flipped
        return SparseArray(self.data[places], Form(pattern, self.form.kind))

    @property
    def T(self) -> Any:  # noqa: N802  (SciPy's name)
        """The transposed array."""
        return self.transpose()

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        """The transposed array."""
        form = self.form
        if form.flat:
            return self
        return SparseArray(self.data, Form(form.pattern, form.kind, not form.across))

    def asformat(self, format: str | None, copy: bool = False) -> Any:
        """The array in another format of SciPy's."""
        if format is None or format == self.format:
            return self
        suffix = "matrix" if self.form.matrix else "array"
        kind = getattr(sp, f"{format}_{suffix}")
        form = self.form
        made = self
        if format in ("csr", "csc") and not form.flat:
            made = self.rowwise() if format == "csr" else self._columnwise()
        form = made.form
        return SparseArray(made.data, Form(form.pattern, kind, form.across, form.flat))

    def _columnwise(self) -> SparseArray:
        if self.form.across:
            return self
        pattern, places = self.form.pattern.flipped
        return SparseArray(self.data[places], Form(pattern, self.form.kind, across=True))

    def toarray(self, order: Any = None, out: Any = None) -> Any:
        """The dense array."""
        return scatter_add(self.data, *self.coords, shape=self.shape)

    def todense(self, order: Any = None, out: Any = None) -> Any:
        """The dense array."""
        return self.toarray()

    def copy(self) -> Any:
        """A copy."""
        return self.with_data(self.data.copy())

    def astype(self, dtype: Any, casting: str = "unsafe", copy: bool = True) -> Any:
        """The array with elements of another dtype."""
        return self.with_data(self.data.astype(dtype))

    def conj(self, copy: bool = True) -> Any:
        """The complex conjugate."""
        return self.with_data(np.conj(self.data))

    conjugate = conj

    @property
    def H(self) -> Any:  # noqa: N802  (SciPy's name)
        """The conjugate transpose."""
        return self.conj().T

    def getH(self) -> Any:  # noqa: N802
        """The conjugate transpose."""
        return self.H

    @property
    def real(self) -> Any:
        """The real part."""
        return self.with_data(np.real(self.data))

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self.with_data(np.imag(self.data))

    # --- functions of each element -----------------------------------------------------------

    def __neg__(self) -> Any:
        return self.with_data(-self.data)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.with_data(np.abs(self.data))

    def power(self, n: Any, dtype: Any = None) -> Any:
        """Each element to a power."""
        if not isinstance(n, (int, float, np.number)):
            raise NotImplementedError("power: expected a number as the exponent")
        if n <= 0:
            raise ValueError(
                f"power: expected a positive exponent, which keeps zeros; got {n}; write "
                "A.toarray() ** n."
            )
        made = self if dtype is None else self.astype(dtype)
        return made.with_data(made.data**n)

    def __pow__(self, n: Any) -> Any:
        if not self.form.matrix:
            return self.power(n)
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"power of a matrix: expected a nonnegative integer; got {n}.")
        made = as_sparse(sp.eye_array(self.shape[0], dtype=self.dtype).tocsr())
        for _ in range(n):
            made = made @ self
        return made

    # --- arithmetic: see products.py and elementwise.py ----------------------------------------

    def _operations(self) -> Any:
        from . import elementwise

        return elementwise

    def _products(self) -> Any:
        from . import products

        return products

    def __matmul__(self, other: Any) -> Any:
        return self._products().matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._products().matmul_reflected(self, other)

    def dot(self, other: Any) -> Any:
        """The product of matrices, or with a number."""
        return self.multiply(other) if np.ndim(other) == 0 and not issparse(other) else self @ other

    def multiply(self, other: Any) -> Any:
        """The product element by element; it has this array's pattern, or less."""
        return self._operations().multiply(self, other)

    def divide(self, other: Any) -> Any:
        """The quotient element by element, of the stored elements."""
        return self._operations().divide(self, other)

    def __mul__(self, other: Any) -> Any:
        if self.form.matrix and _extent(other):
            return self @ other
        return self.multiply(other)

    def __rmul__(self, other: Any) -> Any:
        if self.form.matrix and _extent(other):
            return self.__rmatmul__(other)
        # a constant matrix of SciPy's to the left says what * means
        if issparse(other) and as_sparse(other).form.matrix:
            return as_sparse(other) @ self
        return self.multiply(other)

    def __truediv__(self, other: Any) -> Any:
        return self.divide(other)

    def __rtruediv__(self, other: Any) -> Any:
        return NotImplemented

    def __add__(self, other: Any) -> Any:
        return self._operations().add(self, other, 1)

    def __radd__(self, other: Any) -> Any:
        return self._operations().add(self, other, 1)

    def __sub__(self, other: Any) -> Any:
        return self._operations().add(self, other, -1)

    def __rsub__(self, other: Any) -> Any:
        return self._operations().add(-self, other, 1)

    # --- sums and parts ------------------------------------------------------------------------

    def sum(self, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        """Sum of all elements, or along an axis."""
        return self._operations().total(self, axis, dtype)

    def mean(self, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
        """Mean of all elements, or along an axis."""
        count = np.prod(self.shape) if axis is None else self.shape[axis]
        return self.sum(axis, dtype) / float(count)

    def diagonal(self, k: int = 0) -> Any:
        """The ``k``-th diagonal, as a dense array."""
        return self._operations().diagonal(self, k)

    def trace(self, offset: int = 0) -> Any:
        """Sum of a diagonal."""
        return np.sum(self.diagonal(offset))

    def __getitem__(self, index: Any) -> Any:
        return self._operations().getitem(self, index)

    # --- what NumPy and SciPy ask of it ---------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        frame = sys._getframe(1)
        if frame.f_code.co_name in ASKING and frame.f_globals.get("__name__", "").startswith(
            "scipy.sparse."
        ):
            made = np.empty((), object)  # SciPy then asks for our side of the operation
            made[()] = self
            return made
        function = calling_function()
        what = f"a sparse array of shape {self.shape} with traced elements"
        if function is None:
            said = f"{what} was converted to a plain NumPy array, at {user_line()}"
        else:
            said = f"{function} was given {what}, at {user_line()}, and asks for plain ones"
        raise ConcreteValueError(
            f"{said}; its derivative would be lost. Write A.toarray() for a dense traced array, or "
            "the operation with the methods of A; functorch_like.scipy.sparse.linalg has solvers."
        )

    def matvec(self, x: Any) -> Any:
        """The product with a vector, as SciPy's linear operators call it."""
        return self @ x

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        if len(inputs) == 1:
            name = ufunc.__name__
            if name in ZERO_KEEPING:
                return self.with_data(ufunc(self.data))
            found = {"negative": "__neg__", "absolute": "__abs__", "conjugate": "conj"}.get(name)
            return NotImplemented if found is None else getattr(self, found)()
        x, y = inputs
        names = _BINARY.get(ufunc)
        if names is None:
            return NotImplemented
        return getattr(x, names[0])(y) if x is self else getattr(y, names[1])(x)

    def __iter__(self) -> Any:
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array with more than one element is ambiguous.")


_BINARY = {
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.divide: ("__truediv__", "__rtruediv__"),
    np.matmul: ("__matmul__", "__rmatmul__"),
}


def _elementwise(name: str) -> Callable:
    def method(self: SparseArray) -> Any:
        return self.with_data(getattr(np, name)(self.data))

    method.__name__ = name
    method.__doc__ = f"``np.{name}`` of each element."
    return method


for _name in ZERO_KEEPING:
    setattr(SparseArray, _name, _elementwise(_name))
for _name in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
    setattr(
        SparseArray,
        f"to{_name}",
        functools.partialmethod(SparseArray.asformat, _name),
    )


def _extent(x: Any) -> bool:
    """Whether an operand of ``*`` has axes."""
    return issparse(x) or len(np.shape(x) if not isinstance(x, Tracer) else x.shape) > 0


def issparse(x: Any) -> bool:
    """Whether ``x`` is a sparse array, SciPy's or one with traced elements."""
    return isinstance(x, SparseArray) or sp.issparse(x)


def as_sparse(x: Any) -> SparseArray:
    """SciPy's array as one of ours; its elements are not copied where they are in order."""
    if isinstance(x, SparseArray):
        return x
    if x.ndim > 2:
        raise TypeError(
            f"sparse array: expected at most two axes; got shape {x.shape}; reshape it, or use "
            "dense arrays."
        )
    kind = type(x)
    if x.ndim == 1:
        made = canonical(sp.coo_array(x).reshape((1, x.shape[0])))
        return SparseArray(made.data, Form(pattern_of(made), kind, flat=True))
    across = x.format == "csc"
    made = canonical(x.T if across else x)
    return SparseArray(made.data, Form(pattern_of(made), kind, across))


def pattern_of(matrix: Any) -> Pattern:
    """The pattern of a matrix of SciPy's in canonical compressed rows."""
    rows, columns = matrix.shape
    return Pattern(matrix.indices, matrix.indptr, (int(rows), int(columns)))


def made_of(data: Any, form: Form) -> Any:
    """The sparse array of some elements: SciPy's where they are plain."""
    if type(data) is np.ndarray and data.shape == (form.pattern.nnz,) and data.dtype != object:
        return form.plain(data)
    return SparseArray(data, form)


# --- pytrees: one leaf, the elements ------------------------------------------------------------


def _flatten(x: Any) -> tuple[tuple[Any, ...], Form]:
    made = as_sparse(x)
    return (made.data,), made.form


def _unflatten(form: Form, children: Any) -> Any:
    (data,) = children
    return made_of(data, form)


def connect() -> None:
    """Make SciPy's sparse arrays pytrees."""
    tree.register_node(SparseArray, _flatten, _unflatten)
    for name in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for suffix in ("array", "matrix"):
            tree.register_node(getattr(sp, f"{name}_{suffix}"), _flatten, _unflatten)


connect()
