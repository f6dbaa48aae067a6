"""What makes a tracer look like an ndarray: operators, methods, attributes, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import ConcreteValueError, MutationError, user_line
from ..primitives import elementwise as e
from ..primitives.core import Elementwise, Tracer, state
from ..primitives.structural import copy as copy_primitive
from ..primitives.structural import reshape as reshape_primitive
from . import elementwise, indexing, manipulation, products, reductions, sorting
from .elementwise import as_operand
from .namespace import array_namespace
from .refusals import assigns, conversion_message
from .sparse_operands import SparseOperandError, asked_by_sparse, with_sparse
from .views import assign, view_of

__all__: list[str] = []

_NUMBERS = frozenset({int, float, complex, bool})


def _operand(x: Any) -> Any:
    """The other operand of an operator, or NotImplemented where it should have its say."""
    if type(x) in _NUMBERS or isinstance(x, (Tracer, np.ndarray, np.generic)):
        return x
    if getattr(x, "__array_ufunc__", True) is None:
        return NotImplemented
    if hasattr(x, "tocsr"):
        raise SparseOperandError
    if isinstance(x, (list, tuple)) or hasattr(x, "__array__") or hasattr(x, "dtype"):
        return as_operand(x)
    return NotImplemented


def _binary(primitive: Elementwise, name: str) -> tuple[Callable, Callable]:
    # Straight to the trace: these two are on the path of every eager operation.
    def forward(self: Tracer, other: Any) -> Any:
        if not isinstance(other, Tracer) and type(other) not in _NUMBERS:
            try:
                other = _operand(other)
            except SparseOperandError:
                return with_sparse(f"__r{name}__", self, other)
            if other is NotImplemented:
                return NotImplemented
        return state.trace.binary(primitive, self, other)

    def reflected(self: Tracer, other: Any) -> Any:
        if type(other) not in _NUMBERS:
            try:
                other = _operand(other)
            except SparseOperandError:
                return with_sparse(f"__{name}__", self, other)
            if other is NotImplemented:
                return NotImplemented
        return state.trace.binary(primitive, other, self)

    return forward, reflected


def _in_place(name: str, forward: Callable) -> Callable:
    """``x += y``: arrays change and stay the same object, scalars are rebound, as in NumPy."""

    def update(self: Any, other: Any) -> Any:
        if not self.shape:
            return forward(self, other)
        result = forward(self, other)
        if result is NotImplemented:
            return result
        if result.shape != self.shape:
            raise ValueError(
                f"non-broadcastable output operand with shape {self.shape} doesn't match the "
                f"broadcast shape {result.shape}"
            )
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"{name}: cannot cast the result from {result.dtype} to {self.dtype}, at "
                f"{user_line()}; write the operation out, x = x + y, or make x of {result.dtype}."
            )
        assign(self, manipulation.astype(result, self.dtype))
        return self

    return update


for _name, _primitive in {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.divide,
    "floordiv": e.floor_divide,
    "mod": e.remainder,
    "and": e.bitwise_and,
    "or": e.bitwise_or,
    "xor": e.bitwise_xor,
    "lshift": e.left_shift,
    "rshift": e.right_shift,
}.items():
    _forward, _reflected = _binary(_primitive, _name)
    setattr(Tracer, f"__{_name}__", _forward)
    setattr(Tracer, f"__r{_name}__", _reflected)
    setattr(Tracer, f"__i{_name}__", _in_place(f"__i{_name}__", _forward))

for _name, _primitive in {
    "eq": e.equal,
    "ne": e.not_equal,
    "lt": e.less,
    "le": e.less_equal,
    "gt": e.greater,
    "ge": e.greater_equal,
}.items():
    setattr(Tracer, f"__{_name}__", _binary(_primitive, _name)[0])


def _power(self: Tracer, other: Any, modulo: Any = None) -> Any:
    # ndarray's ** takes the same short cuts, so values agree to the last bit.
    if type(other) in (int, float) and self.dtype.kind in "fc":
        if other == 2:
            return e.square(self)
        if other == 0.5:
            return e.sqrt(self)
        if other == 1:
            return e.positive(self)
        if other == -1:
            return e.reciprocal(self)
        return e.power(self, other)
    other = _operand(other)
    return other if other is NotImplemented else e.power(self, other)


def _matmul(self: Tracer, other: Any) -> Any:
    try:
        other = _operand(other)
    except SparseOperandError:
        return with_sparse("__rmatmul__", self, other)
    return other if other is NotImplemented else products.matmul(self, other)


def _rmatmul(self: Tracer, other: Any) -> Any:
    try:
        other = _operand(other)
    except SparseOperandError:
        return with_sparse("__matmul__", self, other)
    return other if other is NotImplemented else products.matmul(other, self)


def _length(self: Tracer) -> int:
    if not self.shape:
        raise TypeError("len() of unsized object")
    return self.shape[0]


def _iterate(self: Tracer) -> Iterator:
    if not self.shape:
        raise TypeError("iteration over a 0-d array")
    return (indexing.getitem(self, i) for i in range(self.shape[0]))


def _refuse_number(kind: str, instead: str, name: str) -> Callable:
    """A conversion to a plain number, for constants; for others, the reason it is refused."""

    def convert(self: Tracer, *args: Any) -> Any:
        if self.constant():
            return getattr(np.asarray(self.concrete()), name)(*args)
        if assigns():
            raise ConcreteValueError(conversion_message(self))
        lost = "its derivative would be lost" if self.dtype.kind in "fc" else "it is not known yet"
        raise ConcreteValueError(
            f"{self._trace.name}: {kind} was asked of a traced value of shape {self.shape} and "
            f"dtype {self.dtype}, at {user_line()}; {lost}. {instead}"
        )

    return convert


def _truth(self: Tracer) -> bool:
    value = self.concrete()
    if value is not None:
        return bool(value)
    raise ConcreteValueError(
        f"{self._trace.name}: the truth of a traced value of shape {self.shape} was asked for, at "
        f"{user_line()}; it differs from element to element of the batch or is not known yet. "
        "Write np.where(condition, a, b), or functorch_like's cond; or let script rewrite the "
        "function that this line is in."
    )


def _index(self: Tracer) -> int:
    value = self.concrete()
    if value is not None and self.dtype.kind in "iub":
        return value.__index__()
    return _refuse_number("an integer index", _KNOWN, "__index__")(self)


_KNOWN = (
    "An array takes it as an index, so make one of a list: np.array(items)[i]; shapes and the "
    "bounds of slices must be known: see jit's static_argnums."
)


def _array(self: Tracer, dtype: Any = None, copy: Any = None) -> Any:
    asked = asked_by_sparse(self)
    if asked is not None:
        return asked
    if self.constant():
        return np.array(self.concrete(), dtype)
    raise ConcreteValueError(conversion_message(self))


def _device(self: Tracer) -> Any:
    """Where the values are, or will be: NumPy's "cpu" where that is not known yet."""
    return getattr(self.concrete(), "device", "cpu")


def _to_device(self: Tracer, device: Any, /, *, stream: Any = None) -> Any:
    if device != _device(self):
        raise ValueError(
            f"{self._trace.name}: a traced array on the device {_device(self)} cannot be moved to "
            f"{device!r}, at {user_line()}; move the arguments before they are traced."
        )
    return self


def _refuse_dlpack(name: str) -> Callable:
    def refuse(self: Tracer, **keywords: Any) -> Any:
        if self.constant():
            return getattr(self.concrete(), name)(**keywords)
        raise ConcreteValueError(
            f"{self._trace.name}: the memory of a traced value of shape {self.shape} and dtype "
            f"{self.dtype} was asked for by DLPack, at {user_line()}; a traced array has none, and "
            "its derivative would be lost. Give the other library's function a rule with "
            "functorch_like.wrap(f, vjp=...)."
        )

    return refuse


def _represent(self: Tracer) -> str:
    value = self.concrete()
    shown = f"{self.dtype}{list(self.shape)}" if value is None else repr(value)
    return f"Traced({shown}, {self._trace.name})"


def _format(self: Tracer, spec: str) -> str:
    value = self.concrete()
    return repr(self) if value is None or not spec else format(value, spec)


class _At:
    """``x.at[i]``: functional updates with JAX's names."""

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any = None) -> None:
        self.array = array
        self.index = index

    def __getitem__(self, index: Any) -> _At:
        return _At(self.array, index)

    def _updated(self, change: Callable[[Any], Any]) -> Any:
        new = self.array.copy()
        indexing.setitem(new, self.index, change(indexing.getitem(self.array, self.index)))
        return new

    def get(self) -> Any:
        return indexing.getitem(self.array, self.index)

    def set(self, value: Any) -> Any:
        new = self.array.copy()
        indexing.setitem(new, self.index, value)
        return new

    def add(self, value: Any) -> Any:
        return indexing.add_at(self.array, self.index, value)

    def multiply(self, value: Any) -> Any:
        return self._updated(lambda old: old * value)

    def min(self, value: Any) -> Any:
        return self._updated(lambda old: np.minimum(old, value))

    def max(self, value: Any) -> Any:
        return self._updated(lambda old: np.maximum(old, value))


def _varargs(function: Callable) -> Callable:
    """A method that takes a shape or axes as one tuple or as separate integers."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return function(self, **kwargs)
        alone = len(args) == 1 and not isinstance(args[0], (int, np.integer))
        return function(self, args[0] if alone else args, **kwargs)

    return method


def _unsupported(name: str, instead: str) -> Callable:
    def method(self: Tracer, *_: Any, **__: Any) -> Any:
        raise MutationError(
            f"{self._trace.name}: the method {name} changes a traced array in place, at "
            f"{user_line()}; write {instead}."
        )

    return method


_ATTRIBUTES: dict[str, Any] = {
    "__neg__": lambda self: e.negative(self),
    "__pos__": lambda self: e.positive(self),
    "__abs__": lambda self: elementwise.absolute(self),
    "__invert__": lambda self: e.bitwise_not(self),
    "__pow__": _power,
    "__rpow__": lambda self, other: e.power(_operand(other), self),
    "__ipow__": _in_place("__ipow__", _power),
    "__matmul__": _matmul,
    "__rmatmul__": _rmatmul,
    "__divmod__": lambda self, other: elementwise.divmod_(self, other),
    "__rdivmod__": lambda self, other: elementwise.divmod_(other, self),
    "__round__": lambda self, n=None: elementwise.round_(self, n or 0),
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
    "__len__": _length,
    "__iter__": _iterate,
    "__bool__": _truth,
    "__float__": _refuse_number(
        "a Python float",
        "Use NumPy's functions instead of math's, and no float(...). Where the value is assigned "
        "to an element of a plain array, make that array with np.zeros_like(x) of a traced x, or "
        "collect the values in a list and np.stack it.",
        "__float__",
    ),
    "__int__": _refuse_number(
        "a Python int", "Use np.floor or np.rint and keep the array.", "__int__"
    ),
    "__complex__": _refuse_number(
        "a Python complex", "Use NumPy's functions and no complex(...).", "__complex__"
    ),
    "__index__": _index,
    "__array__": _array,
    "__array_namespace__": array_namespace,
    "__dlpack__": _refuse_dlpack("__dlpack__"),
    "__dlpack_device__": _refuse_dlpack("__dlpack_device__"),
    "device": property(_device),
    "to_device": _to_device,
    "__repr__": _represent,
    "__str__": _represent,
    "__format__": _format,
    "__copy__": lambda self: copy_primitive(self),
    "__deepcopy__": lambda self, memo: copy_primitive(self),
    "ndim": property(lambda self: len(self.shape)),
    "size": property(lambda self: elementwise.size(self)),
    "itemsize": property(lambda self: self.dtype.itemsize),
    "nbytes": property(lambda self: self.size * self.dtype.itemsize),
    "T": property(lambda self: manipulation.transpose(self)),
    "mT": property(lambda self: manipulation.matrix_transpose(self)),
    "real": property(lambda self: elementwise.real(self), lambda self, v: _set(self.real, v)),
    "imag": property(lambda self: elementwise.imag(self), lambda self, v: _set(self.imag, v)),
    "at": property(lambda self: _At(self)),
    "flat": property(lambda self: _flat(self), lambda self, v: _set_flat(self, v)),
    "reshape": _varargs(manipulation.reshape),
    "transpose": _varargs(manipulation.transpose),
    "astype": manipulation.astype,
    "copy": lambda self, order="C": copy_primitive(self),
    "flatten": lambda self, order="C": copy_primitive(manipulation.ravel(self, order)),
    "ravel": manipulation.ravel,
    "squeeze": manipulation.squeeze,
    "swapaxes": manipulation.swapaxes,
    "repeat": manipulation.repeat,
    "take": indexing.take,
    "compress": lambda self, condition, axis=None: indexing.compress(condition, self, axis),
    "choose": indexing.choose,
    "diagonal": indexing.diagonal,
    "trace": indexing.trace,
    "nonzero": indexing.nonzero,
    "dot": products.dot,
    "conj": lambda self: self if self.dtype.kind != "c" else elementwise.conjugate(self),
    "conjugate": lambda self: self if self.dtype.kind != "c" else elementwise.conjugate(self),
    "clip": lambda self, min=None, max=None, out=None: elementwise.clip(self, min, max, out),
    "round": elementwise.round_,
    "sum": reductions.sum_,
    "prod": reductions.prod,
    "mean": reductions.mean,
    "var": reductions.var,
    "std": reductions.std,
    "max": reductions.max_,
    "min": reductions.min_,
    "ptp": reductions.ptp,
    "any": reductions.any_,
    "all": reductions.all_,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "cumsum": reductions.cumsum,
    "cumprod": reductions.cumprod,
    "argsort": sorting.argsort,
    "argpartition": sorting.argpartition,
    "searchsorted": sorting.searchsorted,
    "item": _refuse_number("item()", "Index with x[()] or x[i] and keep the array.", "item"),
    "tolist": _refuse_number("tolist()", "Iterate over the array instead.", "tolist"),
    "sort": lambda self, axis=-1, **kw: _sort_in_place(self, axis),
    "fill": lambda self, value: indexing.setitem(self, Ellipsis, value),
    "put": lambda self, indices, values, mode="raise": np.put(self, indices, values, mode),
    "resize": _unsupported("resize", "np.resize(x, shape)"),
    "partition": lambda self, kth, axis=-1, **kw: assign(self, np.partition(self, kth, axis)),
    "tobytes": _refuse_number("tobytes()", "Keep the array.", "tobytes"),
}


def _set(view: Any, value: Any) -> None:
    indexing.setitem(view, Ellipsis, value)


def _flat(self: Any) -> Any:
    """All elements in order: always the array's own memory, whatever its layout."""
    return view_of(self, reshape_primitive(self, shape=(self.size,)), "axes", (self.size,))


def _set_flat(self: Any, value: Any) -> None:
    """``x.flat = v``: the values in order, over and over."""
    value = as_operand(value)
    value = value if isinstance(value, Tracer) else np.asarray(value)
    indexing.setitem(self, Ellipsis, np.resize(value, self.shape))


def _sort_in_place(self: Any, axis: int) -> None:
    assign(self, sorting.sort(self, axis))


for _name, _value in _ATTRIBUTES.items():
    setattr(Tracer, _name, _value)
