"""The classics as a user of structured control flow rewrites them by hand.

Each maker takes the module of the loops (``jax.lax``, or this package), its arrays' namespace and a
function that sets an element, and returns the function. So the same text measures what scripting
costs against tracing, and what JAX makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["REWRITTEN"]


def _dormand_prince(lax: Any, np: Any, put: Callable) -> Callable:
    def f(y, t, t_end, tolerance, theta):
        def rhs(y):
            return np.stack(
                [theta[0] * y[0] - theta[1] * y[0] * y[1], theta[3] * y[0] * y[1] - theta[2] * y[1]]
            )

        def step(state):
            y, t, h, steps = state
            h = np.where(t + h > t_end, t_end - t, h)
            k1 = rhs(y)
            k2 = rhs(y + h * (k1 / 5))
            k3 = rhs(y + h * (3 * k1 / 40 + 9 * k2 / 40))
            k4 = rhs(y + h * (44 * k1 / 45 - 56 * k2 / 15 + 32 * k3 / 9))
            k5 = rhs(
                y + h * (19372 * k1 / 6561 - 25360 * k2 / 2187 + 64448 * k3 / 6561 - 212 * k4 / 729)
            )
            k6 = rhs(
                y
                + h
                * (
                    9017 * k1 / 3168
                    - 355 * k2 / 33
                    + 46732 * k3 / 5247
                    + 49 * k4 / 176
                    - 5103 * k5 / 18656
                )
            )
            new = y + h * (
                35 * k1 / 384 + 500 * k3 / 1113 + 125 * k4 / 192 - 2187 * k5 / 6784 + 11 * k6 / 84
            )
            k7 = rhs(new)
            error = h * (
                71 * k1 / 57600
                - 71 * k3 / 16695
                + 71 * k4 / 1920
                - 17253 * k5 / 339200
                + 22 * k6 / 525
                - k7 / 40
            )
            ratio = np.sqrt(
                np.mean((error / (tolerance * (1 + np.maximum(np.abs(y), np.abs(new))))) ** 2)
            )
            taken = ratio <= 1
            t = np.where(taken, t + h, t)
            y = np.where(taken, new, y)
            h = h * np.minimum(5.0, np.maximum(0.2, 0.9 * (ratio + 1e-16) ** -0.2))
            return y, t, h, steps + 1

        more = lambda state: (state[1] < t_end) & (state[3] <= 10000)
        return lax.while_loop(more, step, (y, t, 0.01, 0))[0]

    return f


def _kalman(lax: Any, np: Any, put: Callable) -> Callable:
    def f(observations, transition, noise, observe, spread):
        n = transition.shape[0]

        def step(state, y):
            mean, cov, total = state
            mean = transition @ mean
            cov = transition @ cov @ transition.T + noise
            residual = y - observe @ mean
            s = observe @ cov @ observe.T + spread
            gain = np.linalg.solve(s, observe @ cov).T
            scaled = np.linalg.solve(s, residual[:, None])[:, 0]
            total = total - 0.5 * (residual @ scaled + np.linalg.slogdet(2 * np.pi * s)[1])
            return (mean + gain @ residual, cov - gain @ s @ gain.T, total), None

        return lax.scan(step, (np.zeros(n), np.eye(n), 0.0), observations)[0][2]

    return f


def _metropolis(lax: Any, np: Any, put: Callable) -> Callable:
    def f(log_density_scale, start, proposals, uniforms):
        log_density = lambda x: -0.5 * np.sum(x * x) * log_density_scale

        def step(state, drawn):
            x, current, accepted, total = state
            proposal, uniform = drawn
            candidate = x + proposal
            new = log_density(candidate)
            better = np.log(uniform) < new - current
            x = np.where(better, candidate, x)
            current = np.where(better, new, current)
            return (x, current, accepted + better, total + x), None

        start_state = (start, log_density(start), 0, np.zeros_like(start))
        state = lax.scan(step, start_state, (proposals, uniforms))[0]
        return state[3] / len(uniforms), state[2]

    return f


def _bisection(lax: Any, np: Any, put: Callable) -> Callable:
    def f(a):
        g = lambda x: x**3 - a

        def step(bounds):
            low, high = bounds
            middle = (low + high) / 2
            left = g(low) * g(middle) <= 0
            return np.where(left, low, middle), np.where(left, middle, high)

        low, high = lax.while_loop(lambda b: b[1] - b[0] > 1e-13, step, (0.0, 10.0))
        x = (low + high) / 2
        return x - g(x) / (3 * x * x)

    return f


def _time_warping(lax: Any, np: Any, put: Callable) -> Callable:
    def f(x, y):
        n, m = len(x), len(y)
        d = put(np.full((n + 1, m + 1), np.inf), (0, 0), 0.0)

        def row(i, d):
            def cell(j, d):
                cost = np.abs(x[i - 1] - y[j - 1])
                least = np.minimum(np.minimum(d[i - 1, j], d[i, j - 1]), d[i - 1, j - 1])
                return put(d, (i, j), cost + least)

            return lax.fori_loop(1, m + 1, cell, d)

        return lax.fori_loop(1, n + 1, row, d)[n, m]

    return f


def _thomas(lax: Any, np: Any, put: Callable) -> Callable:
    def f(a, b, c, d):
        def down(state, rows):
            b, d = state
            a_i, b_i, c_before, d_i = rows
            w = a_i / b
            b, d = b_i - w * c_before, d_i - w * d
            return (b, d), (b, d)

        _, (bs, ds) = lax.scan(down, (b[0], d[0]), (a[1:], b[1:], c[:-1], d[1:]))
        b, d = np.concatenate([b[:1], bs]), np.concatenate([d[:1], ds])

        def up(after, rows):
            b_i, c_i, d_i = rows
            x = (d_i - c_i * after) / b_i
            return x, x

        last = d[-1] / b[-1]
        _, xs = lax.scan(up, last, (b[:-1], c[:-1], d[:-1]), reverse=True)
        return np.concatenate([xs, last[None]])

    return f


def _cholesky(lax: Any, np: Any, put: Callable) -> Callable:
    def f(a):
        n = a.shape[0]

        def row(i, low):
            def element(j, low):
                inner = lambda k, s: s - low[i, k] * low[j, k]
                s = lax.fori_loop(0, j, inner, a[i, j])
                made = lax.cond(i == j, lambda: np.sqrt(s), lambda: s / low[j, j])
                return put(low, (i, j), made)

            return lax.fori_loop(0, i + 1, element, low)

        return lax.fori_loop(0, n, row, np.zeros((n, n)))

    return f


def _march(lax: Any, np: Any, put: Callable) -> Callable:
    def f(origin, direction, centres, radii):
        def step(state):
            t, _, count = state
            p = origin + t * direction
            distance = np.min(np.sqrt(np.sum((centres - p) ** 2, axis=1)) - radii)
            hit, missed = distance < 1e-9, t > 100.0
            found = np.where(hit, 1, np.where(missed, 2, 0))
            return np.where(hit | missed, t, t + distance), found, count + 1

        more = lambda state: (state[1] == 0) & (state[2] < 128)
        t, found, _ = lax.while_loop(more, step, (0.0, 0, 0))
        return np.where(found == 1, t, -1.0)

    return f


def _levenberg_marquardt(lax: Any, np: Any, put: Callable) -> Callable:
    def f(p, x, y):
        residuals = lambda p: p[0] * np.exp(-p[1] * x) + p[2] - y

        def jacobian(p):
            e = np.exp(-p[1] * x)
            return np.stack([e, -p[0] * x * e, np.ones_like(x)], axis=1)

        def step(state):
            p, r, cost, damping, count, _ = state
            j = jacobian(p)
            g = j.T @ r
            done = np.max(np.abs(g)) < 1e-10
            h = j.T @ j
            move = np.linalg.solve(h + damping * np.diag(np.diag(h)), -g[:, None])[:, 0]
            new = residuals(p + move)
            better = new @ new < cost
            damping = np.where(better, damping / 10, damping * 10)
            kept = (np.where(better & ~done, u, v) for u, v in ((p + move, p), (new, r)))
            p, r = kept
            return p, r, r @ r, damping, count + 1, done

        r = residuals(p)
        start = (p, r, r @ r, 1e-3, 0, False)
        return lax.while_loop(lambda s: ~s[5] & (s[4] < 100), step, start)[0]

    return f


REWRITTEN = {
    "dormand_prince": _dormand_prince,
    "kalman": _kalman,
    "metropolis": _metropolis,
    "bisection": _bisection,
    "time_warping": _time_warping,
    "thomas": _thomas,
    "cholesky": _cholesky,
    "march": _march,
    "levenberg_marquardt": _levenberg_marquardt,
}
