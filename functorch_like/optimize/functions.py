"""The user's function as SciPy wants it: of a vector, with compiled derivatives and a memo.

``Scalar`` and ``Vector`` hold the compiled derivatives of an objective and of residuals or
constraints, and choose between dense matrices, sparse ones and products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from .. import tree
from ..debug import debug_nans
from ..errors import name_of
from ..forward import jvp
from ..jacobians import hessian, hvp, jacobian
from ..primitives.core import dtype_of
from ..reverse import grad, value_and_grad, vjp
from .staged import Staged, with_numbers
from .unknowns import Unknowns, as_vector

__all__ = ["FORMS", "Scalar", "Vector"]

FORMS = ("auto", "dense", "sparse", "products")
# Below this many unknowns a dense matrix costs less than finding and colouring a pattern.
SMALL = 64
# A dense matrix of more numbers than this (512 MiB) is not made unasked.
LARGE = 2**26
ADVICE = "use method='BFGS' or 'L-BFGS-B', which need the gradient only."


class Derivatives:
    """What ``Scalar`` and ``Vector`` share: the flat function, its numbers and its choices."""

    def __init__(
        self,
        caller: str,
        fun: Callable,
        unknowns: Unknowns,
        args: tuple = (),
        kwargs: dict | None = None,
        *,
        form: str = "auto",
        jit: bool = True,
        script: bool = False,
        notes: list[str] | None = None,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"{caller}: expected a function; got {type(fun).__name__}.")
        if form not in FORMS:
            raise ValueError(f"{caller}: expected derivatives in {FORMS}; got {form!r}.")
        self.caller = f"{caller}({name_of(fun)})"
        self.unknowns = unknowns
        self.form = form
        self.jit = jit
        self.notes: list[str] = [] if notes is None else notes
        if script:
            from ..scripting import script as rewritten

            fun = rewritten(fun)
        self.user, self.numbers = with_numbers(fun, args, kwargs or {})

    def named(self, function: Callable) -> Callable:
        """A flat function under the user's name, which errors then say."""

        def call(*args: Any) -> Any:
            return function(*args)

        call.__name__ = self.caller.rpartition("(")[2].removesuffix(")")
        return call

    def staged(self, what: str, function: Callable) -> Staged:
        """A derivative as it is called."""
        return Staged(what, function, self.jit, self.notes)

    def line_of_bad_value(self, function: Callable, x: np.ndarray) -> str:
        """Where the first NaN or infinity is made when ``function`` runs at ``x``."""
        try:
            with debug_nans(infs=True):
                function(x, *self.numbers)
        except FloatingPointError as error:
            return str(error).removeprefix("debug_nans: ").splitlines()[0]
        except Exception:
            return ""
        return ""

    def plan(self, maker: str, function: Callable, *args: Any) -> Any:
        """A plan for a sparse derivative, or None with a note."""
        from .. import sparsity

        try:
            return getattr(sparsity, maker)(function, *args)
        except Exception as error:
            if self.form == "sparse":
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.notes.append(f"no sparse derivative: {reason}")
            return None

    def worthwhile(self, plan: Any) -> bool:
        """Whether a sparse matrix is less work than a dense one."""
        if self.form == "sparse":
            return True
        rows, columns = plan.pattern.shape
        return plan.pattern.nnz < 0.25 * rows * columns


class Scalar(Derivatives):
    """A scalar objective: value, gradient, Hessian and its products, of a vector.

    Value and gradient are one compiled call; the last point is remembered.
    """

    def __init__(self, *args: Any, jac: Any = None, hess: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at: np.ndarray | None = None
        self.known: tuple[float, np.ndarray] | None = None
        self.value_at: tuple[np.ndarray, float] | None = None
        self.on_value: Callable[[np.ndarray, float], None] | None = None
        self._value = self.staged("function", self.named(self.function))
        self._both = self.staged("gradient", value_and_grad(self.named(self.function)))
        self._hessian: Callable | None = None
        self._product = self.staged("Hessian's product", self._pushed)
        self._dense = self.staged("Hessian", hessian(self.named(self.function)))
        self.given_jac, self.given_hess = jac, hess

    def function(self, vector: Any, *numbers: Any) -> Any:
        """The user's function of the vector, checked to be scalar."""
        made = self.user(self.unknowns.unflatten(vector), *numbers)
        if made is None:
            raise TypeError(
                f"{self.caller}: expected a number; got None; does the function end in return?"
            )
        if self.given_jac is True:
            made = self._pair(made)[0]
        if isinstance(made, (tuple, list, dict)):
            remedy = (
                "say jac=True if that is (value, gradient), or return the value alone, whose "
                "gradient is exact."
                if len(made) == 2 and isinstance(made, tuple)
                else "return a sum, or use least_squares for residuals and root for equations."
            )
            raise TypeError(
                f"{self.caller}: expected a number; got a {type(made).__name__} of {len(made)}; "
                + remedy
            )
        if dtype_of(np.asarray(made) if np.isscalar(made) else made).kind == "c":
            raise TypeError(
                f"{self.caller}: expected a real number; got one of {dtype_of(made)}; return its "
                "real part or its modulus, np.abs(z)."
            )
        if np.shape(made) == ():
            return made
        if np.size(made) == 1:
            return np.reshape(made, ())
        raise ValueError(
            f"{self.caller}: expected a scalar; got an array of shape {np.shape(made)}; return a "
            "sum, or use least_squares for residuals and root for equations."
        )

    def _pushed(self, vector: Any, direction: Any, *numbers: Any) -> Any:
        return hvp(lambda v: self.function(v, *numbers), (vector,), (direction,))

    def value(self, x: np.ndarray) -> float:
        """The value alone, for methods that use no derivative."""
        if self.value_at is not None and np.array_equal(self.value_at[0], x):
            return self.value_at[1]
        if self.known is not None and self.at is not None and np.array_equal(self.at, x):
            return self.known[0]
        value = float(self._value(x, *self.numbers))
        self.value_at = x.copy(), value
        self._seen(x, value)
        return value

    def both(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient."""
        if self.known is not None and self.at is not None and np.array_equal(self.at, x):
            return self.known
        if callable(self.given_jac) or self.given_jac is True:
            value, gradient = self._by_hand(x)
        else:
            value, gradient = self._both(x, *self.numbers)
        self.at = x.copy()
        self.known = float(value), np.array(gradient, float)
        self._seen(x, self.known[0])
        return self.known

    def _pair(self, made: Any) -> Any:
        """(value, gradient) of a function given with jac=True."""
        if not (isinstance(made, (tuple, list)) and len(made) == 2):
            raise TypeError(
                f"{self.caller}: expected (value, gradient), as jac=True says; got "
                f"{type(made).__name__}; leave jac out, and the gradient is exact."
            )
        return made

    def _by_hand(self, x: np.ndarray) -> tuple[Any, np.ndarray]:
        unknowns = self.unknowns
        at = unknowns.unflatten(x)
        if self.given_jac is True:
            value, gradient = self._pair(self.user(at, *self.numbers))
        else:
            gradient = self.given_jac(at)
            value = self._value(x, *self.numbers)
        return value, unknowns.flatten(gradient, "the gradient from jac", whole=True)

    def _seen(self, x: np.ndarray, value: float) -> None:
        if self.on_value is not None:
            self.on_value(x, value)

    def first(self, x: np.ndarray) -> float:
        """The value that goes to SciPy's ``fun``."""
        return self.both(x)[0]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient."""
        return self.both(x)[1].copy()

    def product(self, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Hessian times a vector."""
        direction = np.ascontiguousarray(direction, float).reshape(-1)
        return np.asarray(self._product(np.asarray(x, float), direction, *self.numbers))

    def dense(self, x: np.ndarray) -> np.ndarray:
        """The Hessian as a dense matrix."""
        return np.asarray(self._dense(x, *self.numbers))

    def operator(self, x: np.ndarray) -> Any:
        """The Hessian as a linear operator."""
        at = x.copy()

        def matvec(v: np.ndarray) -> np.ndarray:
            return self.product(at, v)

        n = self.unknowns.n
        return scipy.sparse.linalg.LinearOperator(
            (n, n), matvec=matvec, rmatvec=matvec, dtype=float
        )

    def sparse_plan(self, x: np.ndarray) -> Any:
        """A plan for the sparse Hessian, if one is wanted and worthwhile, or None."""
        if self.form in ("dense", "products") or (self.form == "auto" and x.size < SMALL):
            return None
        plan = self.plan("plan_hessian", self.function, x, *self.numbers)
        return plan if plan is not None and self.worthwhile(plan) else None

    def matrix(self, x: np.ndarray) -> Any:
        """The Hessian in the form that suits it: an array, a sparse array or an operator."""
        if self._hessian is None:
            plan = self.sparse_plan(x)
            if plan is not None:
                self._hessian = lambda x: plan(x, *self.numbers)
            elif self.form == "products" or (self.form == "auto" and x.size**2 > LARGE // 16):
                self._hessian = self.operator
            else:
                self._hessian = self.dense
        return self._hessian(x)

    def check_start(self, x: np.ndarray, gradient: bool = True) -> float:
        """The value at the start; raises where it or the gradient is not finite there."""
        value = self.both(x)[0] if gradient else self.value(x)
        if not np.isfinite(value):
            line = self.line_of_bad_value(grad(self.function) if gradient else self.function, x)
            raise ValueError(
                f"{self.caller}: expected a finite value at x0; got {value}"
                + (f"; {line}" if line else "")
                + "; start from a point where the function is defined, or give bounds."
            )
        if not gradient:
            return value
        slope = self.both(x)[1]
        bad = np.flatnonzero(~np.isfinite(slope))
        if bad.size:
            line = self.line_of_bad_value(grad(self.function), x)
            raise ValueError(
                f"{self.caller}: expected a finite gradient at x0; got {slope[bad[0]]} for "
                f"{self.unknowns.name(int(bad[0]))}"
                + (f" and {bad.size - 1} more" if bad.size > 1 else "")
                + (f"; {line}" if line else "")
                + "; start elsewhere, or make the function smooth there."
            )
        return value

    def flat(self, start: np.ndarray) -> bool:
        """Whether a solve that ended at its start did so because nothing depends on ``x``."""
        if self.at is None or not np.array_equal(self.at, start) or np.any(self.both(start)[1]):
            return False
        if callable(self.given_jac) or self.given_jac is not None:
            return False
        away = 0.1 * (1 + np.abs(start)) * np.random.default_rng(0).normal(size=start.size)
        return not np.any(self.both(start + away)[1])

    def check_curvature_exists(self, x: np.ndarray, method: str) -> np.ndarray:
        """A product with the Hessian; raises where there are no second derivatives."""
        direction = np.random.default_rng(0).normal(size=x.size)
        try:
            return self.product(x, direction)
        except Exception as error:
            raise type(error)(
                f"{self.caller}: method {method!r} needs second derivatives, which cannot be had: "
                f"{error}\n{ADVICE}"
            ) from error

    def check_curvature(self, x: np.ndarray, method: str) -> None:
        """Raise where a method of second order gets no Hessian, or one that is always zero."""
        product = self.check_curvature_exists(x, method)
        rng = np.random.default_rng(0)
        direction = rng.normal(size=x.size)
        if not np.isfinite(product).all():
            i = int(np.flatnonzero(~np.isfinite(product))[0])
            line = self.line_of_bad_value(
                lambda v, *numbers: self._pushed(v, direction, *numbers), x
            )
            raise ValueError(
                f"{self.caller}: expected finite second derivatives at x0 for method {method!r}; "
                f"got {product[i]} in the row of {self.unknowns.name(i)}"
                + (f"; {line}" if line else "")
                + f"; start elsewhere, or {ADVICE}"
            )
        if np.any(product) or not np.any(self.both(x)[1]):
            return
        elsewhere = x + 0.1 * (1 + np.abs(x)) * rng.normal(size=x.size)
        if not np.any(self.product(elsewhere, direction)):
            raise ValueError(
                f"{self.caller}: method {method!r} needs curvature; got a Hessian that is zero at "
                "x0 and beside it, though the gradient is not: the function is linear piece by "
                f"piece (abs, max, rounding ...); {ADVICE}"
            )


class Vector(Derivatives):
    """Residuals, equations or constraints: values, Jacobian and the Hessian of ``v @ f``."""

    def __init__(self, *args: Any, jac: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given_jac = jac
        self.at: np.ndarray | None = None
        self.known: np.ndarray | None = None
        self.jacobian_at: tuple[np.ndarray, Any] | None = None
        self.on_value: Callable[[np.ndarray, np.ndarray], None] | None = None
        self._value = self.staged("function", self.named(self.function))
        self._dense = self.staged("Jacobian", jacobian(self.named(self.function)))
        self._forward = self.staged("Jacobian's product", self._pushed)
        self._backward = self.staged("Jacobian's transposed product", self._pulled)
        self._curvature = self.staged("constraint's Hessian", hessian(self.named(self.weighted)))
        self._jacobian: Callable | None = None
        self._weighted_hessian: Callable | None = None
        self.shapes: Any = None

    def function(self, vector: Any, *numbers: Any) -> Any:
        """The user's function of the vector, its results as one vector."""
        made = self.user(self.unknowns.unflatten(vector), *numbers)
        if made is None:
            raise TypeError(
                f"{self.caller}: expected an array; got None; does the function end in return?"
            )
        vector_made = as_vector(made)
        if dtype_of(vector_made).kind == "c":
            raise TypeError(
                f"{self.caller}: expected real values; got an array of {dtype_of(vector_made)}; "
                "return its real and imaginary parts, np.concatenate([r.real, r.imag])."
            )
        return vector_made

    def outputs(self, x: np.ndarray) -> Unknowns:
        """Structure and names of what the function returns."""
        from ..graph import eval_shape

        shape = eval_shape(lambda v: self.user(self.unknowns.unflatten(v), *self.numbers), x)
        zeros = tree.map(lambda s: np.zeros(s.shape), shape)
        return Unknowns(self.caller, zeros, "the result")

    def _pushed(self, vector: Any, direction: Any, *numbers: Any) -> Any:
        return jvp(lambda v: self.function(v, *numbers), (vector,), (direction,))[1]

    def _pulled(self, vector: Any, weights: Any, *numbers: Any) -> Any:
        (pulled,) = vjp(lambda v: self.function(v, *numbers), vector)[1](weights)
        return pulled

    def weighted(self, vector: Any, weights: Any, *numbers: Any) -> Any:
        """``weights @ f``, whose Hessian is the curvature of the constraints."""
        return np.sum(weights * self.function(vector, *numbers))

    def value(self, x: np.ndarray) -> np.ndarray:
        """The results at a point."""
        if self.known is None or self.at is None or not np.array_equal(self.at, x):
            made = np.array(self._value(x, *self.numbers), float)
            self.at, self.known = x.copy(), made
            if self.on_value is not None:
                self.on_value(x, made)
        assert self.known is not None
        return self.known.copy()

    def dense(self, x: np.ndarray) -> np.ndarray:
        """The Jacobian as a dense matrix."""
        return np.asarray(self._dense(x, *self.numbers), float)

    def operator(self, x: np.ndarray) -> Any:
        """The Jacobian as a linear operator."""
        at = x.copy()

        def matvec(v: np.ndarray) -> np.ndarray:
            return np.asarray(self._forward(at, np.ravel(v).astype(float), *self.numbers))

        def rmatvec(v: np.ndarray) -> np.ndarray:
            return np.asarray(self._backward(at, np.ravel(v).astype(float), *self.numbers))

        shape = (self.value(x).size, self.unknowns.n)
        return scipy.sparse.linalg.LinearOperator(
            shape, matvec=matvec, rmatvec=rmatvec, dtype=float
        )

    def sparse_plan(self, x: np.ndarray) -> Any:
        """A plan for the sparse Jacobian, if one is wanted and worthwhile, or None."""
        if self.form in ("dense", "products"):
            return None
        if self.form == "auto" and (x.size < SMALL or self.value(x).size * x.size < 16 * SMALL):
            return None
        plan = self.plan("plan_jacobian", self.function, x, *self.numbers)
        return plan if plan is not None and self.worthwhile(plan) else None

    def settle(self, x: np.ndarray) -> str:
        """Choose the form of the Jacobian: 'dense', 'sparse' or 'products'."""
        if callable(self.given_jac):
            self._jacobian = self._by_hand
            return "given"
        plan = self.sparse_plan(x)
        if plan is not None:
            self._jacobian = lambda x: scipy.sparse.csr_array(plan(x, *self.numbers))
            return "sparse"
        if self.form == "products" or (self.form == "auto" and self.value(x).size * x.size > LARGE):
            self._jacobian = self.operator
            return "products"
        self._jacobian = self.dense
        return "dense"

    def _by_hand(self, x: np.ndarray) -> Any:
        made = self.given_jac(self.unknowns.unflatten(x))
        if scipy.sparse.issparse(made) or not isinstance(made, (list, tuple, dict)):
            return made
        return np.asarray(made, float)

    def jacobian(self, x: np.ndarray) -> Any:
        """The Jacobian in the form chosen, the last one remembered."""
        if self._jacobian is None:
            self.settle(x)
        assert self._jacobian is not None
        if self.jacobian_at is None or not np.array_equal(self.jacobian_at[0], x):
            self.jacobian_at = x.copy(), self._jacobian(x)
        return self.jacobian_at[1]

    def curvature(self, x: np.ndarray, weights: np.ndarray) -> Any:
        """The Hessian of ``weights @ f``: a sparse array where that is worthwhile, or dense."""
        weights = np.asarray(weights, float).reshape(-1)
        if self._weighted_hessian is None:
            plan = None
            if self.form in ("auto", "sparse") and (x.size >= SMALL or self.form == "sparse"):
                plan = self.plan("plan_hessian", self.weighted, x, weights, *self.numbers)
                plan = plan if plan is not None and self.worthwhile(plan) else None
            if plan is not None:
                self._weighted_hessian = lambda x, v: plan(x, v, *self.numbers)
            else:
                self._weighted_hessian = lambda x, v: np.asarray(
                    self._curvature(x, v, *self.numbers)
                )
        return self._weighted_hessian(x, weights)

    def check_start(self, x: np.ndarray, what: str = "values") -> None:
        """Raise where a result or its Jacobian is not finite at the start."""
        made = self.value(x)
        bad = np.flatnonzero(~np.isfinite(made))
        if bad.size:
            line = self.line_of_bad_value(lambda v, *numbers: jacobian(self.function)(v), x)
            i = int(bad[0])
            raise ValueError(
                f"{self.caller}: expected finite {what} at x0; got {made[i]} in element {i} of "
                f"{made.size}"
                + (f" and {bad.size - 1} more" if bad.size > 1 else "")
                + (f"; {line}" if line else "")
                + "; start from a point where the function is defined, or give bounds."
            )

    def check_jacobian(self, x: np.ndarray, matrix: Any) -> None:
        """Raise where the Jacobian is not finite at the start or of another shape."""
        shape = (self.value(x).size, self.unknowns.n)
        if tuple(matrix.shape) != shape:
            raise ValueError(
                f"{self.caller}: expected jac to return a matrix of shape {shape}; got "
                f"{tuple(matrix.shape)}."
            )
        if scipy.sparse.issparse(matrix):
            coo = scipy.sparse.coo_array(matrix)
            bad: Any = np.flatnonzero(~np.isfinite(coo.data))
            place = [(int(coo.row[i]), int(coo.col[i])) for i in bad[:1]]
        elif isinstance(matrix, np.ndarray):
            found = np.argwhere(~np.isfinite(matrix))
            bad, place = found, [(int(i), int(j)) for i, j in found[:1]]
        else:
            return
        if place:
            (row, column) = place[0]
            line = self.line_of_bad_value(jacobian(self.function), x)
            raise ValueError(
                f"{self.caller}: expected a finite Jacobian at x0; got a derivative that is not "
                f"finite, of result {row} with respect to {self.unknowns.name(column)}"
                + (f", and {len(bad) - 1} more" if len(bad) > 1 else "")
                + (f"; {line}" if line else "")
                + "; start elsewhere, or make the function smooth there."
            )
