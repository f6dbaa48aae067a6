"""One row or more for every primitive: what to call it with in the sweeps of test_rules.py.

``make(rng, dtype)`` returns the operands. ``check`` names the operands whose derivative is
checked (floating ones by default); ``tolerance`` is for derivatives against differences.
"""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

F8, F4, C16, I8, B1 = (np.dtype(t) for t in ("f8", "f4", "c16", "i8", "?"))


@dataclass(frozen=True)
class Row:
    """How to call one primitive."""

    primitive: str
    make: Callable[[np.random.Generator, np.dtype], tuple]
    params: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[np.dtype, ...] = (F8, F4)
    check: tuple[int, ...] | None = None
    tolerance: float = 1e-6
    label: str = ""

    def __str__(self) -> str:
        return f"{self.primitive}{'-' if self.label else ''}{self.label}"


def normal(*shape: int) -> Callable:
    """Standard normal numbers; complex ones for complex dtypes, small ones for integers."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        if dtype.kind == "b":
            return rng.random(shape) < 0.5
        if dtype.kind in "iu":
            return rng.integers(1, 9, shape).astype(dtype)
        x = rng.normal(size=shape)
        if dtype.kind == "c":
            x = x + 1j * rng.normal(size=shape)
        return np.asarray(x).astype(dtype)

    return make


def uniform(low: float, high: float, *shape: int) -> Callable:
    """Uniform numbers in an interval (a square of the complex plane for complex dtypes)."""

    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = rng.uniform(low, high, shape)
        if dtype.kind == "c":
            x = x + 1j * rng.uniform(low, high, shape)
        return np.asarray(x).astype(dtype)

    return make


def constant(value: Any) -> Callable:
    """The same operand every time, whatever the dtype (indices, conditions)."""
    return lambda rng, dtype: value


def operands(*makers: Callable) -> Callable:
    """Operands made one by one."""
    return lambda rng, dtype: tuple(make(rng, dtype) for make in makers)


TABLE: list[Row] = []


def row(primitive: str, *makers: Callable, **options: Any) -> None:
    """Add a row."""
    TABLE.append(Row(primitive, operands(*makers), **options))


# --- structural --------------------------------------------------------------------------------

REAL_AND_COMPLEX = (F8, F4, C16)
row("reshape", normal(2, 3), params={"shape": (3, 2)}, dtypes=REAL_AND_COMPLEX)
row("transpose", normal(2, 3, 4), params={"axes": (2, 0, 1)}, dtypes=REAL_AND_COMPLEX)
row("broadcast_to", normal(3, 1), params={"shape": (2, 3, 4)}, dtypes=REAL_AND_COMPLEX)
row("broadcast_to", normal(), params={"shape": (2,)}, label="scalar")
row("convert", normal(3), params={"dtype": np.dtype("c16")}, label="to-complex")
row(
    "convert", normal(3), params={"dtype": F8}, dtypes=(F4, C16), label="to-float64", tolerance=1e-2
)
row("copy", normal(2, 2), dtypes=REAL_AND_COMPLEX)
row("real", normal(3), dtypes=(C16,))
row("imag", normal(3), dtypes=(C16,))
row("conjugate", normal(3), dtypes=(C16,))
INDEX = (slice(None, None, -1), None, 1)
row("slice_at", normal(4, 3), params={"index": INDEX}, dtypes=REAL_AND_COMPLEX)
row("slice_at", normal(5), params={"index": (slice(3, 1),)}, label="empty")
row("unslice", normal(2), params={"shape": (4, 3), "index": (slice(0, 4, 2), 1)})
row("update_slice", normal(4, 3), normal(4), params={"index": (slice(None), 1)})
row("concatenate", normal(2, 3), normal(2, 1), params={"axis": 1}, dtypes=REAL_AND_COMPLEX)

# --- elementwise -------------------------------------------------------------------------------

for name in ("add", "subtract", "multiply", "divide"):
    row(name, normal(2, 3), normal(2, 3), dtypes=REAL_AND_COMPLEX)
    row(name, normal(), normal(), label="scalars")
for name in ("negative", "positive", "square", "reciprocal", "exp", "exp2", "expm1", "sin", "cos",
             "tan", "sinh", "cosh", "tanh", "arctan", "arcsinh"):  # fmt: skip
    row(name, uniform(0.2, 0.8, 3), dtypes=REAL_AND_COMPLEX)
for name in ("sqrt", "log", "log2", "log10", "log1p", "arcsin", "arccos", "arctanh"):
    row(name, uniform(0.2, 0.8, 3), dtypes=REAL_AND_COMPLEX)
row("arccosh", uniform(1.2, 3, 3))
for name in ("cbrt", "deg2rad", "rad2deg", "root_of_square_sum", "absolute"):
    row(name, uniform(0.5, 2, 3))
row("power", uniform(0.5, 2, 3), normal(3), dtypes=REAL_AND_COMPLEX)
for name in ("arctan2", "hypot", "logaddexp", "logaddexp2", "maximum", "minimum", "fmax", "fmin"):
    row(name, normal(4), normal(4))
for name in ("remainder", "fmod"):
    row(name, uniform(5.2, 5.8, 3), uniform(1.1, 1.3, 3))
row("copysign", normal(4), normal(4), check=(0,))
row("nextafter", normal(2, 3), normal(2, 3))
row("ldexp", normal(3), constant(np.array([1, -2, 3])))
row("heaviside", normal(3), normal(3))
row("complex_absolute", normal(3), dtypes=(C16,))
row("select", constant(np.array([True, False, True])), normal(3), normal(3))
for name in ("sign", "floor", "ceil", "trunc", "rint", "spacing"):
    row(name, uniform(0.2, 0.8, 3))
for name in ("floor_divide",):
    row(name, uniform(5.2, 5.8, 3), uniform(1.1, 1.3, 3))
for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
             "logical_and", "logical_or", "logical_xor"):  # fmt: skip
    row(name, normal(3), normal(3), dtypes=(F8, I8))
for name in ("isnan", "isinf", "isfinite", "signbit", "logical_not"):
    row(name, normal(3))
for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm"):
    row(name, normal(3), normal(3), dtypes=(I8,))
row("bitwise_not", normal(3), dtypes=(I8, B1))

# --- reductions --------------------------------------------------------------------------------

for axes in ((0,), (0, 2), (0, 1, 2), ()):
    row(
        "reduce_sum",
        normal(2, 3, 2),
        params={"axes": axes},
        dtypes=REAL_AND_COMPLEX,
        label=str(axes),
    )
    row("reduce_product", normal(2, 3, 2), params={"axes": axes}, label=str(axes))
    row("reduce_max", normal(2, 3, 2), params={"axes": axes}, label=str(axes))
    row("reduce_min", normal(2, 3, 2), params={"axes": axes}, label=str(axes))
row(
    "reduce_product",
    constant(np.array([1.5, 0.0, 2.0])),
    params={"axes": (0,)},
    dtypes=(F8,),
    label="zero",
)
row(
    "reduce_product",
    constant(np.array([0.0, 0.0, 2.0])),
    params={"axes": (0,)},
    dtypes=(F8,),
    label="zeros",
)
row("reduce_any", normal(2, 3), params={"axes": (1,)}, dtypes=(B1,))
row("reduce_all", normal(2, 3), params={"axes": (0,)}, dtypes=(B1,))
row("argmax", normal(2, 3), params={"axis": 1})
row("argmin", normal(2, 3), params={"axis": 0})
for reverse in (False, True):
    options = {"axis": 1, "reverse": reverse}
    row("cumulative_sum", normal(2, 4), params=options, dtypes=REAL_AND_COMPLEX, label=str(reverse))
    row(
        "cumulative_product",
        normal(2, 4),
        params=options,
        dtypes=REAL_AND_COMPLEX,
        label=str(reverse),
    )
    row(
        "recurrence",
        normal(2, 4),
        normal(2, 4),
        params=options,
        dtypes=REAL_AND_COMPLEX,
        label=str(reverse),
    )
row("cumulative_product", constant(np.array([[1.5, 0.0, 2.0, 0.0, 1.0]])), dtypes=(F8,),
    params={"axis": 1, "reverse": False}, label="zeros")  # fmt: skip
row("running_argmax", normal(2, 4), params={"axis": 1})
row("running_argmin", normal(2, 4), params={"axis": 0})

# --- indexing, sorting, products ---------------------------------------------------------------

ROWS, COLUMNS = np.array([[0, 2], [2, -1]]), np.array([[1, 0], [0, 0]])
row("gather", normal(3, 2, 2), constant(ROWS), constant(COLUMNS), dtypes=REAL_AND_COMPLEX)
row("gather", normal(3, 2), constant(ROWS), label="rows")
row("scatter_add", normal(2, 2, 2), constant(ROWS), constant(COLUMNS), params={"shape": (3, 2, 2)})
row("scatter_add", normal(2, 2, 2), constant(ROWS), params={"shape": (3, 2)}, label="rows")
row("scatter_set", normal(3, 2), normal(2, 2), constant(ROWS), constant(COLUMNS), dtypes=(I8,))
row("update_at", normal(3, 2, 2), normal(2), constant(np.array(-1)), constant(np.array(0)),
    dtypes=REAL_AND_COMPLEX)  # fmt: skip
row("update_at", normal(4, 2), normal(3, 2), constant(np.array([2, 0, -1])), label="rows")
row("argsort", normal(2, 5), params={"axis": 1, "kind": "stable"})
row("argpartition", normal(2, 5), params={"axis": 1, "kth": (2,)})
row("lexsort", normal(5), normal(5), params={"axis": 0})
row("searchsorted", constant(np.array([0.0, 0.3, 1.0])), normal(4), params={"side": "left"})
for subscripts, x, y in [
    (("i", "i", ""), (3,), (3,)),
    (("ij", "j", "i"), (2, 3), (3,)),
    (("j", "jk", "k"), (3,), (3, 2)),
    (("ij", "jk", "ik"), (2, 3), (3, 2)),
    (("ij", "jk", "ki"), (2, 3), (3, 2)),
    (("bij", "bjk", "bik"), (2, 2, 3), (2, 3, 2)),
    (("bij", "bj", "bi"), (2, 2, 3), (2, 3)),
    (("i", "j", "ij"), (2,), (3,)),
    (("iab", "bja", "ij"), (2, 3, 2), (2, 3, 3)),
    (("bi", "bi", "bi"), (2, 3), (2, 3)),
]:
    row("contract", normal(*x), normal(*y), params={"subscripts": subscripts},
        dtypes=REAL_AND_COMPLEX, label="-".join(subscripts))  # fmt: skip

# --- where derivatives end ---------------------------------------------------------------------

row("discretize", normal(3), params={"dtype": I8})
row("stop_gradient", normal(3), dtypes=REAL_AND_COMPLEX)


# --- the tables of single modules --------------------------------------------------------------

for found in sorted(pathlib.Path(__file__).parent.glob("op_rows_*.py")):
    importlib.import_module(found.stem).add_rows(row, normal, uniform, constant, F8, F4, C16)
