"""Algorithms and classes as people write them."""

# ruff: noqa: B007

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from .case import X, case


@case(X, 0.5)
def chained(x, a):
    m = np.zeros((7, 7))
    for i in range(7):
        for j in range(7):
            m[i][j] = x[i] * x[j] + a
    row = m[3]
    row[0] = 100 * a
    return m


@case(X, 0.5)
def chained_aug(x, a):
    m = np.zeros((7, 7))
    for i in range(7):
        for j in range(i):
            m[i][j] += x[i]
            m[i] *= 1.01
    return m


@case(X, 0.5)
def prev_next(x, a):
    prev = x
    cur = x
    for i in range(10):
        prev = cur
        cur = np.sin(cur) + a
    return prev, cur


@case(X, 0.5)
def prev_scalar(x, a):
    old = a
    n = 0
    while True:
        new = old * 0.5
        n += 1
        if abs(new - old) < 1e-3:
            break
        old = new
    return old, new, n


@case(X, 0.5)
def while_true_return(x, a):
    n = 0
    while True:
        a = a * 0.9
        n += 1
        if a < 0.1:
            return a, n


@case(X, 0.5)
def nested_break(x, a):
    c = 0
    for i in range(7):
        for j in range(7):
            if x[j] > x[i]:
                c += 1
                break
        else:
            c += 100
            continue
        if c > 300:
            break
        c += 10
    return c


@case(X, 0.5)
def lu_pivot(x, a):
    A = np.outer(x[:4], x[:4]) + np.diag(x[:4] + 3) * a + np.arange(16).reshape(4, 4) * 0.1
    n = 4
    p = np.arange(n)
    for k in range(n):
        m = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[m, k]):
                m = i
        if m != k:
            for j in range(n):
                t = A[k, j]
                A[k, j] = A[m, j]
                A[m, j] = t
            t = p[k]
            p[k] = p[m]
            p[m] = t
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    return A, p


@case(X, 0.5)
def lu_swap_rows(x, a):
    A = np.outer(x[:4], x[:4]) + np.diag(x[:4] + 3) * a
    for k in range(4):
        m = k + np.argmax(np.abs(A[k:, k]))
        A[[k, m]] = A[[m, k]]
        for i in range(k + 1, 4):
            A[i, k:] -= A[i, k] / A[k, k] * A[k, k:]
    return A


@case(X, 0.5)
def qr(x, a):
    A = np.outer(x[:4], np.cos(x[:4])) + np.diag(x[:4] + 3) * a
    n = 4
    Q = np.zeros((n, n))
    R = np.zeros((n, n))
    for j in range(n):
        v = A[:, j].copy()
        for i in range(j):
            R[i, j] = Q[:, i] @ A[:, j]
            v = v - R[i, j] * Q[:, i]
        R[j, j] = np.linalg.norm(v)
        Q[:, j] = v / R[j, j]
    return Q, R


@case(X, 0.5)
def view_v_inplace(x, a):
    A = np.outer(x, x)
    for j in range(7):
        v = A[:, j]
        v -= a
        v /= 2.0 + np.sum(v * v)
    return A


@case(X, 0.5)
def knapsack(x, a):
    w = [1, 3, 4, 2]
    vals = [x[0], x[2], x[3], a]
    best = np.zeros(11)
    for k in range(4):
        for c in range(10, w[k] - 1, -1):
            best[c] = max(best[c], best[c - w[k]] + vals[k])
    return best


@case(X, 0.5)
def viterbi(x, a):
    n = 3
    trans = np.outer(x[:n], x[:n])
    score = x[:n].copy()
    back = np.zeros((7, n), dtype=int)
    for t in range(7):
        new = np.zeros(n)
        for s in range(n):
            b = -np.inf
            arg = 0
            for r in range(n):
                v = score[r] + trans[r, s]
                if v > b:
                    b = v
                    arg = r
            new[s] = b + x[t] * s
            back[t, s] = arg
        score = new
    path = np.zeros(7, dtype=int)
    path[6] = np.argmax(score)
    for t in range(6, 0, -1):
        path[t - 1] = back[t, path[t]]
    return score, path


@case(X, 0.5)
def stack_machine(x, a):
    stack = np.zeros(10)
    sp = 0
    for i in range(7):
        if x[i] > 0:
            stack[sp] = x[i]
            sp += 1
        elif sp > 0:
            sp -= 1
            stack[sp] = stack[sp] * a
    return stack, sp


@case(X, 0.5)
def secant(x, a):
    def f(t):
        return t**3 - a - 1

    x0, x1 = 1.0, 2.0
    for _ in range(50):
        f0, f1 = f(x0), f(x1)
        if abs(f1 - f0) < 1e-14:
            break
        x0, x1 = x1, x1 - f1 * (x1 - x0) / (f1 - f0)
    return x1


@case(X, 0.5)
def newton_try(x, a):
    v = a
    for k in range(20):
        try:
            d = v * v - 2
            v = v - d / (2 * v)
        except ZeroDivisionError:
            v = 1.0
    return v


@case(X, 0.5)
def dictstate(x, a):
    st = {"x": a, "v": 0.0}

    def stepf(st, dt):
        f = -st["x"]
        return {"x": st["x"] + dt * st["v"], "v": st["v"] + dt * f}

    t = 0.0
    while t < 1.0:
        st = stepf(st, 0.1)
        t += 0.1
    return st


class Model:
    def __init__(self, w):
        self.w = w
        self.__k = 2.0

    def __call__(self, x):
        return self.act(self.w * x) * self.__k

    def act(self, x):
        if x > 0:
            return x
        return 0.1 * x

    def run(self, xs):
        s = 0.0
        for x in xs:
            s += self(x) if x > -1 else self.act(x)
        return s


@case(X, 0.5)
def model(x, a):
    return Model(a).run(x)


@case(X, 0.5)
def model2(x, a):
    m = Model(a)
    if a > 0.2:
        m.w = m.w * 2
    for i in range(10):
        m.w = m.w * 0.9
    return m.run(x)


@dataclass
class Particle:
    pos: float
    vel: float


@case(X, 0.5)
def particles(x, a):
    ps = [Particle(x[i], x[i + 1]) for i in range(3)]
    for t in range(5):
        for p in ps:
            p.pos += 0.1 * p.vel
            if p.pos > a:
                p.vel = -p.vel
    return [p.pos for p in ps]


@case(X, 0.5)
def early_in_with(x, a):
    with np.errstate(divide="ignore"):
        if a > 0:
            b = np.log(a)
        else:
            b = 0.0
        for i in range(7):
            b += x[i]
    return b


@case(X, 0.5)
def sumgen(x, a):
    return sum(v * v for v in x if True) + max(v for v in x) + min([x[0], a, 3.0]) + max(x)


@case(X, 0.5)
def anyall(x, a):
    if any(v > 2 for v in x):
        a = a * 2
    if all(v > 2 for v in x):
        a = a * 3
    if not any([x[0] > 5, a > 5]):
        a = a + 1
    return a


@case(X, 0.5)
def ternaries(x, a):
    s = 0.0
    for i in range(7):
        s += (1 if x[i] > 0 else -1) * a if i % 2 else x[i]
    return s


@case(X, 0.5)
def bool_state_(x, a):
    up = True
    n = 0
    pos = a
    for i in range(20):
        if up:
            pos += 0.3
        else:
            pos -= 0.2
        if pos > 2:
            up = False
        elif pos < 0:
            up = True
        n += up
    return pos, n


@case(X, 0.5)
def in_ops(x, a):
    k = 3
    if k in (1, 2, 3) and k is not None and "a" not in "bcd":
        a *= 2
    return a


@case(X, 0.5)
def lam_default(x, a):
    f = lambda t, s=2.0: t * s if t > 0 else -t
    return f(a) + f(-a) + sum(map(f, [a, 2 * a]))


@case(X, 0.5)
def compose(x, a):
    fs = [np.sin, math.cos, lambda t: t * t]
    for f in fs:
        a = f(a)
    return a


@case(X, 0.5)
def part(x, a):
    def g(k, t):
        if t > 0:
            return k * t
        return t

    h = functools.partial(g, 3)
    return h(a) + h(-a)


@case(X, 0.5)
def reduce_(x, a):
    return functools.reduce(lambda p, q: p + q if q > 0 else p, list(x), 0.0)


@case(X, 0.5)
def power_iter(x, a):
    A = np.outer(x, x) + np.eye(7) * a
    v = np.ones(7)
    lam = 0.0
    for it in range(1000):
        w = A @ v
        new = np.linalg.norm(w)
        w /= new
        if abs(new - lam) < 1e-12:
            break
        lam = new
        v = w
    return lam


@case(X, 0.5)
def cumsum_inplace(x, a):
    x = x.copy()
    for i in range(1, len(x)):
        x[i] += x[i - 1]
    x[::2] *= a
    x[x > 1] = 1.0
    return x


@case(X, 0.5)
def jacobi(x, a):
    u = np.zeros((6, 6))
    u[0, :] = a
    u[:, 0] = x[:6]
    for it in range(30):
        new = u.copy()
        for i in range(1, 5):
            for j in range(1, 5):
                new[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
        err = np.max(np.abs(new - u))
        u = new
        if err < 1e-3:
            break
    return u


@case(X, 0.5)
def heap(x, a):
    x = x.copy()
    n = len(x)
    for s in range(n // 2 - 1, -1, -1):
        i = s
        while 2 * i + 1 < n:
            c = 2 * i + 1
            if c + 1 < n and x[c + 1] > x[c]:
                c += 1
            if x[i] >= x[c]:
                break
            x[i], x[c] = x[c], x[i]
            i = c
    return x


@case(X, 0.5)
def binary_search(x, a):
    x = np.sort(x)
    lo, hi = 0, len(x)
    while lo < hi:
        mid = (lo + hi) // 2
        if x[mid] < a:
            lo = mid + 1
        else:
            hi = mid
    return lo


@case(X, 0.5)
def quantity(x, a):
    total, count = 0, 0
    for v in x:
        if v > 0:
            total += v
            count += 1
    return total / count if count else 0.0


@case(X, 0.5)
def star_args(x, a):
    def f(*vs, scale=1.0):
        best = vs[0]
        for v in vs[1:]:
            if v > best:
                best = v
        return best * scale

    return f(*x, scale=a)


@case(X, 0.5)
def match_(x, a):
    mode = "b"
    match mode:
        case "a":
            r = a
        case "b":
            r = a * 2
        case _:
            r = 0.0
    return r


@case(X, 0.5)
def none_default(x, a, k=None):
    if k is None:
        k = a * 2
    return k + a


@case(X, 0.5)
def unused_branch_var(x, a):
    if a > 0:
        tmp = a * 2
        r = tmp
    else:
        r = 1.0
    return r


@case(X, 0.5)
def loop_var_after(x, a):
    for i in range(7):
        v = x[i]
        if v > a:
            break
    return i, v


@case(X, 0.5)
def loop_target_array(x, a):
    m = np.outer(x, x)
    s = 0.0
    for i, row in enumerate(m):
        for j, v in enumerate(row):
            if i < j:
                s += v * a
    return s


@case(X, 0.5, 3)
def traced_slices(x, a, n):
    s = 0.0
    for i in range(1, 7):
        s += np.sum(x[:i]) * a
    return s
