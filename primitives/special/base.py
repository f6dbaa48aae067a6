"""What the special functions share: the family ``Special`` and small helpers for rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.special as scipy_special

from ...kernels.device import is_gpu
from ...kernels.gpu.special import device_kernel
from ..core import Elementwise, ShapedArray, dtype_of, ufunc_abstract
from ..elementwise import (
    add,
    divide,
    equal,
    logical_and,
    maximum,
    multiply,
    negative,
    select,
)
from ..structural import zeros_like

TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
ROOT_PI = math.sqrt(math.pi)

Rule = Callable[..., Any]
Slope = Callable[..., Any]  # (answer, *operands) -> derivative by one operand


def floating(*dtypes: Any) -> np.dtype:
    """The dtype functions of real operands compute in."""
    dtype = np.result_type(*dtypes)
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def _number(x: Any) -> bool:
    return type(x) in (int, float, complex)


def _operand_dtype(operands: Sequence, ignored: int = 0) -> np.dtype:
    return floating(*[x if _number(x) else dtype_of(x) for x in operands[ignored:]])


class Special(Elementwise):
    """An elementwise function some of whose operands cannot be differentiated.

    ``refused`` maps the position of such an operand to what it is called in the error. The first
    ``orders`` operands are integers, whose dtype does not count; ``output`` maps the dtype that
    the others promote to to that of the result.
    """

    __slots__ = ("own_kernel", "refused")

    def __init__(
        self,
        name: str,
        kernel: Callable,
        rules: Sequence[Rule | None] | None,
        refused: Mapping[int, str] | None = None,
        orders: int = 0,
        arity: int | None = None,
    ) -> None:
        count = arity if arity is not None else len(rules or ())

        def abstract(*avals: ShapedArray) -> ShapedArray:
            shape = np.broadcast_shapes(*[a.shape for a in avals])
            return ShapedArray(shape, floating(*[a.dtype for a in avals[orders:]]))

        super().__init__(
            name,
            _in_dtype(name, kernel, orders),
            rules,
            abstract=ufunc_abstract(kernel) if _is_unary_ufunc(kernel) else abstract,
            arity=count,
        )
        self.refused = dict(refused or {})
        # Whether the kernel is another than SciPy's function of that name.
        plain = getattr(scipy_special, name, None) is kernel
        self.own_kernel = not plain or orders > 0

    def _check(self, flags: Sequence[Any]) -> None:
        for i, what in self.refused.items():
            if flags[i] is not None:
                raise TypeError(
                    f"{self.name}: no derivative is known with respect to {what} (operand {i}); "
                    "pass a value that is not differentiated, or give the function a rule with "
                    "functorch_like.wrap(f, vjp=...)."
                )

    def jvp(self, primals: Sequence, tangents: Sequence, params: dict) -> tuple[Any, Any]:
        self._check(tangents)
        return super().jvp(primals, tangents, params)

    def record(self, trace: Any, primals: Sequence, slots: Sequence, params: dict) -> Any:
        self._check(slots)
        return super().record(trace, primals, slots, params)


def _is_unary_ufunc(f: Any) -> bool:
    return isinstance(f, np.ufunc) and f.nin == 1


def _in_dtype(name: str, function: Callable, orders: int) -> Callable:
    """A kernel in which Python numbers and orders do not promote float32.

    Some of SciPy's functions answer in float64 when an order is a Python number, some do not;
    some have loops of integer orders only.
    """
    if _is_unary_ufunc(function):
        return function
    strict = isinstance(function, np.ufunc) and all(t[0] in "ilp" for t in function.types)
    real_ones = _always_real(function)
    on_gpu = device_kernel(name, function)

    def kernel(*operands: Any) -> Any:
        wanted = _operand_dtype(operands, orders)
        if any(map(is_gpu, operands)):
            return on_gpu(*operands).astype(wanted, copy=False)
        if real_ones and wanted.kind == "c":
            operands = tuple(_real_part(x) if i in real_ones else x for i, x in enumerate(operands))
        if orders:
            whole = (integers(x, strict) for x in operands[:orders])
            operands = (*whole, *operands[orders:])
        result = function(*operands)
        dtype = getattr(result, "dtype", None)
        if dtype is None:
            return np.asarray(result, wanted)[()]
        return result if dtype == wanted else result.astype(wanted)

    return kernel


def _always_real(function: Any) -> frozenset[int]:
    """Operands of a ufunc that are real where others are complex: orders and parameters."""
    if not isinstance(function, np.ufunc):
        return frozenset()
    loops = [t.partition("->")[0] for t in function.types]
    return frozenset(i for i in range(function.nin) if not any(loop[i] in "FDG" for loop in loops))


def _real_part(x: Any) -> Any:
    """Promotion with a complex argument made a real parameter complex."""
    return x.real if type(x) is complex or (not _number(x) and dtype_of(x).kind == "c") else x


def integers(n: Any, strict: bool = True) -> Any:
    """Integral numbers as integers: promotion with other operands made floats of them.

    Others are an error where SciPy has loops of integers only (``strict``).
    """
    if type(n) is int or dtype_of(n).kind in "iu":
        return n
    n = _real_part(n)
    whole = np.asarray(n).astype(np.int64)
    if np.all(whole == n):
        return whole[()]
    if strict:
        raise TypeError(f"expected a degree or order of integers; got {n!r}.")
    return n


def ufunc_named(name: str) -> Any:
    """The function of scipy.special of that name."""
    return getattr(scipy_special, name)


def _rule(slope: Slope) -> Rule:
    return lambda t, ans, *operands: multiply(t, slope(ans, *operands))


def special(
    name: str,
    *slopes: Slope | str | None,
    kernel: Any = None,
    orders: int = 0,
) -> Special:
    """A function from its slopes, one an operand: ``(answer, *operands) -> derivative``.

    None says that the derivative is zero wherever it exists, a string that it is not known, by what
    the operand is called.
    """
    return Special(
        name,
        ufunc_named(name) if kernel is None else kernel,
        [_rule(s) if callable(s) else None for s in slopes],
        refused={i: s for i, s in enumerate(slopes) if isinstance(s, str)},
        orders=orders,
    )


def unary(name: str, slope: Slope, kernel: Any = None) -> Special:
    """A function of one operand from its derivative ``(answer, x) -> slope``."""
    return Special(
        name,
        ufunc_named(name) if kernel is None else kernel,
        (lambda t, ans, x: multiply(t, slope(ans, x)),),
    )


def component(name: str, k: int) -> Callable:
    """The ``k``-th result of a ufunc that has several."""
    ufunc = ufunc_named(name)
    return lambda *operands: ufunc(*operands)[k]


def inverse(
    name: str, slopes: Sequence[Slope | str | None], solved: int, kernel: Any = None
) -> Special:
    """The solution ``x`` of ``F(..., x, ...) = p``, from the slopes of F ``(*operands)``.

    ``p`` stands where ``x`` stands in F, as in all of SciPy's inverses. By the implicit function
    theorem ``dx/dp = 1 / F_x`` and ``dx/dq = -F_q / F_x``.
    """
    of_solved: Any = slopes[solved]

    def rule_of(i: int) -> Rule | None:
        of_other = slopes[i]
        if not callable(of_other):
            return None

        def rule(t: Any, ans: Any, *operands: Any) -> Any:
            full = (*operands[:solved], ans, *operands[solved + 1 :])
            if i == solved:
                return divide(t, of_solved(*full))
            return negative(multiply(t, divide(of_other(*full), of_solved(*full))))

        return rule

    return Special(
        name,
        ufunc_named(name) if kernel is None else kernel,
        [rule_of(i) for i in range(len(slopes))],
        refused={i: s for i, s in enumerate(slopes) if isinstance(s, str)},
    )


# --- helpers for rules -----------------------------------------------------------------------


def plus(n: Any, k: float) -> Any:
    """``n + k``, a Python number where ``n`` is one."""
    return n + k if type(n) in (int, float) else add(n, k)


def ratio(a: Any, b: Any) -> Any:
    """``a / b``, a Python number where both are."""
    return a / b if type(a) in (int, float) and type(b) in (int, float) else divide(a, b)


def times(k: float, n: Any) -> Any:
    """``k n``, a Python number where ``n`` is one."""
    return k * n if type(n) in (int, float) else multiply(k, n)


def not_negative(n: Any) -> Any:
    """``max(n, 0)``, a Python number where ``n`` is one."""
    return max(n, 0) if type(n) in (int, float) else maximum(n, 0)


def real_only(name: str, x: Any) -> Any:
    """The operand, refused if it is complex."""
    if dtype_of(x).kind == "c":
        raise TypeError(
            f"{name}: the derivative is known for real operands only; got {dtype_of(x)}; do write "
            "the complex function in others, or give it a rule by functorch_like.wrap(f, vjp=...)."
        )
    return x


def pieces(far: Any, x: Any, inside: float, outside: float, near_form: Rule, far_form: Rule) -> Any:
    """``far_form`` where ``far``, else ``near_form``; each sees harmless arguments elsewhere.

    An unused branch is still differentiated, and 0 * inf there would be NaN.
    """
    like = zeros_like(x)
    near_x = select(far, add(like, inside), x)
    far_x = select(far, x, add(like, outside))
    return select(far, far_form(far_x), near_form(near_x))


def mean_of_neighbours(function: Callable, v: Any, x: Any, signs: str) -> Any:
    """``(f_{v-1} +- f_{v+1}) / 2``."""
    if signs == "++":
        return multiply(0.5, add(function(plus(v, -1), x), function(plus(v, 1), x)))
    return multiply(0.5, add(function(plus(v, -1), x), negative(function(plus(v, 1), x))))


def quotient(x: Any, y: Any) -> Any:
    """``x / y`` with 0 / 0 = 0, and slope 1 / y in x where only x is 0."""
    both = logical_and(equal(x, 0.0), equal(y, 0.0))
    return divide(x, select(both, add(zeros_like(y), 1.0), y))
