"""Calls of scipy.integrate."""

from __future__ import annotations

import numpy as np
import scipy.integrate

from support.cases import Cases

rng = np.random.default_rng(0)
Y = rng.normal(size=(3, 5))
X = np.array([0.0, 0.7, 1.1, 2.0, 2.4])
K = np.array(1.3)
ADAPTIVE = ("vmap", "stage")

cases = Cases(
    scipy.integrate, "functorch_like.scipy.integrate",
    exclude=("dop", "lsoda", "odepack", "quadpack", "vode"),  # old modules, empty
)  # fmt: skip
for name in ("trapezoid", "cumulative_trapezoid", "simpson", "cumulative_simpson"):
    cases(name, Y)
    cases(name, Y, dx=0.5, axis=0)
    cases(name, Y, X, call=lambda f, y, x: f(y, x=x))
    cases(name, Y + 1j * Y[::-1]) if name != "cumulative_simpson" else None
cases("simpson", Y[:, :4], X[:4], call=lambda f, y, x: f(y, x=x))
cases("cumulative_trapezoid", Y, initial=0)
cases("cumulative_simpson", Y, initial=0.0)
cases("romb", Y, dx=0.3)
cases("romb", Y.T, axis=0)

cases("fixed_quad", K, call=lambda f, k: f(lambda x: np.exp(-k * x), 0.2, 1.5 * k, n=6)[0])
cases(
    "fixed_quad",
    Y[:, :1],
    call=lambda f, k: f(lambda x, c: np.cos(c * x), 0.0, 1.0, args=(k,))[0],
)


cases("quad", K,
      call=lambda f, k: f(lambda x: np.exp(-k * x) * np.cos(3 * x), 0, 2)[0])  # fmt: skip
cases("quad", K, call=lambda f, k: f(lambda x: np.exp(-x * x), -k, k * k)[0])
cases("quad", K,
      call=lambda f, k: f(lambda x: np.exp(-k * x * x), -np.inf, np.inf)[0])  # fmt: skip
cases("quad", K, call=lambda f, k: f(lambda x: np.exp(-k * x), k, np.inf)[0])
cases("quad", K, call=lambda f, k: f(lambda x: np.exp(k * x), -np.inf, k)[0])
cases("quad", K, call=lambda f, k: f(lambda x: np.cos(k * x) / np.sqrt(x), 0, 1,
                                     epsabs=1e-12, epsrel=1e-12, limit=100)[0])  # fmt: skip
cases("quad", K,
      call=lambda f, k: f(lambda x, c: np.sin(c * x), 2, 0.5, args=(k,))[0])  # fmt: skip
cases("quad", K, without=ADAPTIVE,
      call=lambda f, k: f(lambda x: abs(x - 0.3) * x**k, 0, 1, points=[0.3])[0])  # fmt: skip
cases(
    "dblquad",
    K,
    without=ADAPTIVE,
    call=lambda f, k: f(lambda y, x: x * y * np.exp(-k * y), 0, k, lambda x: x, 2.0)[0],
)
cases(
    "tplquad",
    K,
    without=ADAPTIVE,
    call=lambda f, k: f(lambda z, y, x: k * y + z, 0, k, 0, 1, 0, 1)[0],
)
cases(
    "nquad",
    K,
    without=ADAPTIVE,
    call=lambda f, k: f(lambda x, y: np.exp(-k * x * y), [[0, 1], [0, k]])[0],
)
cases("quad_vec", Y[0, :3], call=lambda f, k: f(lambda x: np.exp(-k * k * x), 0.0, k[0])[0])
cases.refuse("its points are chosen while it runs; use quad, nquad or fixed_quad",
             "cubature", "tanhsinh", "qmc_quad", "nsum")  # fmt: skip
T = np.linspace(0.0, 1.0, 4)
for method in ("RK23", "RK45", "DOP853", "Radau"):
    cases("solve_ivp", K, Y[0, :2], call=lambda f, k, y, m=method: f(
        lambda t, y: -k * t * y, (0.0, 1.0), y, m, T, rtol=1e-8, atol=1e-10).y)  # fmt: skip
cases("solve_ivp", K, without=ADAPTIVE, call=lambda f, k: f(
    lambda t, y, k: [y[1], -k * y[0]], (0.0, k), [1.0, 0.5], args=(k,), rtol=1e-11,
    atol=1e-11).y[:, -1])  # fmt: skip
cases(
    "odeint",
    K,
    Y[0, :2],
    call=lambda f, k, y: f(lambda y, t, k: -k * y, y, T, (k,), rtol=1e-12, atol=1e-12),
)
cases.refuse("its steps are chosen while it runs; use solve_ivp", "ode", "complex_ode")
cases.refuse("its mesh is chosen while it runs; solve the collocation equations with "
             "functorch_like.custom_root", "solve_bvp")  # fmt: skip
cases.other("a class of solvers, or their results", "BDF", "DOP853", "DenseOutput", "LSODA",
            "OdeSolution", "OdeSolver", "RK23", "RK45", "Radau")  # fmt: skip
cases.other("a warning", "IntegrationWarning", "ODEintWarning")
cases.other("weights; takes no arrays", "lebedev_rule", "newton_cotes")
