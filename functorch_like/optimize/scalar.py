"""Functions of one variable: ``minimize_scalar`` and ``root_scalar``, compiled, with slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

from ..errors import boundary, name_of
from ..reverse import grad
from .progress import History
from .result import OptimizeResult
from .rewriting import rewriting
from .staged import Staged, with_numbers
from .traced import differentiable

__all__ = ["minimize_scalar", "root_scalar"]

WITH_SLOPE = ("newton", "halley")


class _Function:
    """A function of a number, compiled, with first and second derivatives."""

    def __init__(self, caller: str, fun: Callable, args: tuple, jit: bool, script: bool) -> None:
        if not callable(fun):
            raise TypeError(f"{caller}: expected a function; got {type(fun).__name__}.")
        self.caller = f"{caller}({name_of(fun)})"
        if script:
            from ..scripting import script as rewritten

            fun = rewritten(fun)
        self.user, self.numbers = with_numbers(fun, args, {})
        self.notes: list[str] = []
        self.history = History()
        slope = grad(self.checked)
        self._value = Staged("function", self.checked, jit, self.notes)
        self._slope = Staged("derivative", slope, jit, self.notes)
        self._bend = Staged("second derivative", grad(slope), jit, self.notes)

    def checked(self, x: Any, *numbers: Any) -> Any:
        """The user's function, which must return one number."""
        made = self.user(x, *numbers)
        if made is None or np.size(made) != 1:
            got = "None" if made is None else f"an array of shape {np.shape(made)}"
            raise ValueError(f"{self.caller}: expected a number; got {got}.")
        return made if np.shape(made) == () else np.reshape(made, ())

    def value(self, x: Any) -> float:
        """f(x)."""
        x = float(np.reshape(x, ()))
        made = float(self._value(np.float64(x), *self.numbers))
        if np.isnan(made):
            raise ValueError(
                f"{self.caller}: got NaN at x = {x:.17g}; give a bracket or bounds inside the "
                "domain of the function."
            )
        self.history.append(made, np.nan, 0.0, np.nan, len(self.history) + 1)
        return made

    def slope(self, x: Any) -> float:
        """f'(x)."""
        return float(self._slope(np.float64(x), *self.numbers))

    def bend(self, x: Any) -> float:
        """f''(x)."""
        return float(self._bend(np.float64(x), *self.numbers))


@boundary
@rewriting
@differentiable
def minimize_scalar(
    fun: Callable,
    bracket: Any = None,
    bounds: Any = None,
    args: tuple = (),
    method: str | None = None,
    tol: float | None = None,
    options: dict | None = None,
    *,
    jit: bool = True,
    script: bool = False,
) -> OptimizeResult:
    """Minimise a function of one number by SciPy's Brent, bounded or golden methods, compiled.

    Parameters and result are those of ``scipy.optimize.minimize_scalar``; ``jit`` and ``script`` as
    in ``minimize``. None of the methods uses derivatives.

    Raises
    ------
    ValueError
        The function is NaN somewhere on the way, with the place.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> result = ft.optimize.minimize_scalar(lambda x: x * np.log(x), bounds=(0.1, 2.0))
    >>> round(float(result.x), 5)  # 1/e
    0.36788
    """
    function = _Function(
        "minimize_scalar", fun, args if isinstance(args, tuple) else (args,), jit, script
    )
    found = scipy.optimize.minimize_scalar(
        function.value, bracket, bounds, method=method, tol=tol, options=options
    )
    result = OptimizeResult(found)
    result["x"] = float(found.x)
    result["fun"] = float(found.fun)
    result["history"] = function.history
    if function.notes:
        result["notes"] = function.notes
    return result


@boundary
@rewriting
@differentiable
def root_scalar(
    f: Callable,
    args: tuple = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: float | None = None,
    x1: float | None = None,
    xtol: float | None = None,
    rtol: float | None = None,
    maxiter: int | None = None,
    options: dict | None = None,
    *,
    jit: bool = True,
    script: bool = False,
) -> scipy.optimize.RootResults:
    """Solve f(x) = 0 for one number; Newton's and Halley's methods get exact derivatives.

    Parameters and result are those of ``scipy.optimize.root_scalar``; ``jit`` and ``script`` as in
    ``minimize``. With ``x0`` alone the method is Newton's.

    Raises
    ------
    ValueError
        The function is NaN somewhere on the way; a bracket does not change sign.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> result = ft.optimize.root_scalar(lambda x: np.cos(x) - x, x0=1.0, method="halley")
    >>> float(round(result.root, 9))
    0.739085133
    """
    function = _Function(
        "root_scalar", f, args if isinstance(args, tuple) else (args,), jit, script
    )
    name = None if method is None else method.lower()
    if name is None and bracket is None and x0 is not None and x1 is None:
        name = "newton" if fprime2 is None else "halley"
    if bracket is not None and len(bracket) == 2:
        ends = [function.value(side) for side in bracket]
        if ends[0] * ends[1] > 0:
            raise ValueError(
                f"{function.caller}: expected a bracket at whose ends f differs in sign; got "
                f"f({bracket[0]:g}) = {ends[0]:g} and f({bracket[1]:g}) = {ends[1]:g}; widen it, "
                "or give x0."
            )
    keywords: dict[str, Any] = {}
    if name in WITH_SLOPE:
        if fprime is True:
            raise ValueError(
                f"{function.caller}: expected fprime as a function or not at all; got True; return "
                "f alone, its derivative is exact."
            )
        keywords["fprime"] = fprime if callable(fprime) else function.slope
        if name == "halley":
            keywords["fprime2"] = fprime2 if callable(fprime2) else function.bend
    found = scipy.optimize.root_scalar(
        function.value,
        method=name,
        bracket=bracket,
        x0=x0,
        x1=x1,
        xtol=xtol,
        rtol=rtol,
        maxiter=maxiter,
        options=options,
        **keywords,
    )
    return found
