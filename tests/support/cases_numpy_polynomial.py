"""Calls of numpy.polynomial: the six bases alike, and their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from support.cases import Cases

rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape)


C, D, Z = normal(5), normal(3), normal(4) + 1j * normal(4)
X, Y, W = normal(4), normal(4), normal(4)
GRID = np.linspace(-0.9, 0.8, 7)

BASES = {
    "polynomial": ("poly", "Polynomial"),
    "chebyshev": ("cheb", "Chebyshev"),
    "legendre": ("leg", "Legendre"),
    "hermite": ("herm", "Hermite"),
    "hermite_e": ("herme", "HermiteE"),
    "laguerre": ("lag", "Laguerre"),
}


def class_cases(cases: Cases, name: str) -> None:
    """What instances of a class do."""
    uses: list[Callable] = [
        lambda P, c, d: (P(c) + P(d), P(c) - d, P(c) * P(d), 2.0 * P(c), P(d) ** 2, -P(c)),
        lambda P, c, d: (divmod(P(c), P(d)), P(c) // d, P(c) % P(d), P(c) / 2.0),
        lambda P, c, d: (
            P(c).deriv(),
            P(c).integ(2, [1.0, 2.0]),
            P(c).integ(lbnd=0.5),
            P(c).copy(),
        ),
        lambda P, c, d: (P(c, [-1, 2]).truncate(3), P(c).cutdeg(2), P(c).mapparms()),
        lambda P, c, d: P(c, domain=[-1, 2])(d),
        lambda P, c, d: P(d).linspace(4),
        lambda P, c, d: P.fit(np.linspace(0, 1, 5), c, 2),
        lambda P, c, d: P.fromroots(d, domain=[-2, 2]),
    ]
    for use in uses:
        cases(name, C, D, call=lambda P, c, d, use=use: coefficients(use(P, c, d)))
    cases(name, D, call=lambda P, c: P(c).roots())
    cases(name, D, call=lambda P, c: P(c).trim().coef, without=("vmap", "stage"))


def coefficients(out: Any) -> Any:
    """Polynomials as their coefficients and domains."""
    if isinstance(out, tuple):
        return tuple(map(coefficients, out))
    return (out.coef, out.domain) if hasattr(out, "coef") else out


def basis_cases(module: str, p: str, cls: str) -> Cases:
    """The calls of one basis."""
    cases = Cases(getattr(np.polynomial, module), f"functorch_like.numpy.polynomial.{module}")
    val = p + "val"
    cases(val, X, C)
    cases(val, np.float64(0.3), Z)
    cases(val, X, normal(4, 2))
    cases(val, X, normal(3, 4), tensor=False)
    cases(val, normal(2, 3), normal(1))
    cases(p + "val2d", X, Y, normal(3, 2))
    cases(p + "grid2d", X, Y[:3], normal(3, 2))
    cases(p + "val3d", X, Y, W, normal(3, 2, 2))
    cases(p + "grid3d", X[:2], Y[:3], W, normal(3, 2, 2))
    for name in ("add", "sub", "mul"):
        cases(p + name, C, D)
        cases(p + name, D, Z)
        cases(p + name, D, D[:1])
        cases(p + name, D, call=lambda f, d: (f(d, C), f(C, d), f(d[0], C)))
    cases(p + "div", C, D)
    cases(p + "div", D, C)
    cases(p + "div", C, D[:1])
    cases(p + "div", D, call=lambda f, d: (f(d, C), f(C, d)))
    cases(p + "mulx", C)
    cases(p + "mulx", Z)
    for power in (0, 1, 2, 3):
        cases(p + "pow", D, pow=power)
    cases(p + "der", C)
    cases(p + "der", normal(4, 3), m=2, scl=1.5, axis=1)
    cases(p + "der", D, m=3)
    cases(p + "der", D, m=0)
    cases(p + "int", C)
    cases(p + "int", normal(4, 3), m=2, k=[1.0, 2.0], lbnd=0.5, scl=1.5, axis=1)
    cases(p + "int", D, np.float64(0.3), call=lambda f, c, k: f(c, 1, k, lbnd=k))
    cases(p + "vander", X, deg=3)
    cases(p + "vander", normal(2, 3), deg=0)
    cases(p + "vander2d", X, Y, deg=[1, 2])
    cases(p + "vander3d", X, Y, W, deg=[1, 2, 1])
    cases(p + "fit", GRID, normal(7), deg=2)
    cases(p + "fit", GRID, normal(7, 2), deg=[0, 2, 3])
    cases(
        p + "fit", GRID, normal(7), np.abs(normal(7)) + 0.5, call=lambda f, x, y, w: f(x, y, 3, w=w)
    )
    cases(p + "fit", GRID, normal(7), deg=2, full=True, rcond=1e-9)
    cases(p + "fromroots", D)
    cases(p + "fromroots", np.array([0.3 + 0.1j, 1.0, -0.4j]))
    cases(p + "line", np.float64(0.5), np.float64(2.0))
    cases(p + "companion", C)
    cases(p + "companion", D[:2])
    cases(p + "roots", C)
    cases(p + "roots", np.array([-0.3, -1.0, 1.0]))
    cases(p + "roots", D[:2])
    cases(p + "roots", D[:1])
    cases(p + "trim", C, without=("vmap", "stage"))
    cases(p + "trim", C, tol=10.0, without=("vmap", "stage"))
    if module == "polynomial":
        cases("polyvalfromroots", X, C)
        cases("polyvalfromroots", X, normal(3, 4), tensor=False)
    else:
        cases("poly2" + p, C)
        cases(p + "2poly", C)
        cases(p + "weight", X / 3)
        cases.other("nodes and weights; takes no arrays", p + "gauss")
    if module == "chebyshev":
        cases(
            "chebinterpolate", D, call=lambda f, d: f(lambda x, d: np.exp(x * d[0]) * d[1], 4, (d,))
        )
        cases.other("points; takes no arrays", "chebpts1", "chebpts2")
    cases.other("a constant", *(p + name for name in ("domain", "zero", "one", "x")))
    class_cases(cases, cls)
    return cases


for _module, (_prefix, _cls) in BASES.items():
    basis_cases(_module, _prefix, _cls)

cases = Cases(np.polynomial, "functorch_like.numpy.polynomial")
for _module, (_, _cls) in BASES.items():
    class_cases(cases, _cls)
cases.other("a module", *BASES)
cases.other("a setting", "set_default_printstyle")
