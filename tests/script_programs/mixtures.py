"""Mixtures of branches, loops, arrays and containers."""

# ruff: noqa: B007, B905, E741

from __future__ import annotations

import numpy as np

from .case import X, case


@case(X, 0.5)
def partitioned(x, a):
    # branch in loop with both arrays written and scalars
    y = np.zeros(7)
    lo = 0
    hi = 6
    for v in x:
        if v > a:
            y[hi] = v
            hi -= 1
        else:
            y[lo] = v
            lo += 1
    return y, lo, hi


@case(X, 0.5)
def best_copy(x, a):
    y = x.copy()
    best = y.copy()
    score = np.sum(y)
    for i in range(10):
        y[i % 7] = np.sin(y[i % 7] + a * i)
        if np.sum(y) > score:
            score = np.sum(y)
            best = y.copy()
    return best, score


@case(X, 0.5)
def best_alias(x, a):
    y = x.copy()
    best = y
    score = np.sum(y)
    for i in range(10):
        y[i % 7] = np.sin(y[i % 7] + a * i)
        if np.sum(y) > score:
            score = np.sum(y)
            best = y
    return best, score


@case(X, 0.5)
def history_in_list(x, a):
    h = [x.copy()]
    for i in range(3):
        h.append(np.sin(h[-1]) * a)
        if h[-1][0] > 0.1:
            h[-1][0] = 0.0
    return h


@case(X, 0.5)
def function_that_writes(x, a):
    y = x.copy()

    def f(z):
        z[0] = a
        return z

    if a > 0:
        z = f(y)
    else:
        z = y
    return y, z


@case(X, 0.5)
def transposed_view(x, a):
    m = np.zeros((3, 3))
    d = m.T
    for i in range(3):
        for j in range(3):
            if x[i] > x[j]:
                m[i, j] = x[i] * a
            else:
                d[i, j] = x[j]
    return m, d


@case(X, 0.5)
def reshaped_view(x, a):
    m = np.zeros((3, 3))
    d = m.reshape(9)
    for i in range(9):
        d[i] = a * i
        m[0, 0] += 1
    return m, d


@case(X, 0.5)
def array_augmented_in_while(x, a):
    y = x.copy()
    n = 0
    while y[0] < 5:
        y += a
        n += 1
        if n > 100:
            break
    return y, n


@case(X, 0.5)
def augmented_alias(x, a):
    total = np.zeros(7)
    total2 = total
    for i in range(20):
        total += x * i
    return total, total2


@case(X, 0.5)
def dict_filled_in_branches(x, a):
    out = {}
    for k, name in enumerate(["p", "q", "r"]):
        if x[k] > 0:
            out[name] = x[k]
        else:
            out[name] = a
    return out


@case(X, 0.5)
def histogram(x, a):
    c = np.zeros(3, dtype=int)
    for v in x:
        k = 0
        if v > 0:
            k = 1
        if v > 1:
            k = 2
        c[k] += 1
    return c


@case(X, 0.5)
def two_pointers(x, a):
    i = 0
    s = 0.0
    while i < 7:
        j = i
        while j < 7 and x[j] > 0:
            s += x[j]
            j += 1
        i = j + 1
        s *= a
    return s, i


@case(X, 0.5)
def parameter_rebound(x, a):
    for k in range(10):
        x = x * 0.9
        if x[3] < a:
            return x
    return -x


@case(X, 0.5)
def known_continue(x, a):
    a0 = a
    for k in range(10):
        if k == 5:
            continue
        a = a * 0.9 if a > 0.3 else a * 1.5
    return a, a0


@case(X, 0.5)
def mirrored_swap(x, a):
    y = x.copy()
    for i in range(7):
        y[i], y[6 - i] = y[6 - i], y[i] + a
    return y


@case(X, 0.5)
def enumerate_from_one(x, a):
    r = np.zeros(7)
    for i, v in enumerate(x, start=1):
        r[i - 1] = v**i
    for i, (u, v) in enumerate(zip(x, r)):
        r[i] = u - v
    return r


@case(X, 0.5)
def selection_sort(x, a):
    x = x.copy()
    for i in range(len(x) - 1):
        for j in range(i + 1, len(x)):
            if x[j] < x[i]:
                x[[i, j]] = x[[j, i]]
    return x


@case(X, 0.5)
def assignments_of_many_kinds(x, a):
    x = x.copy()
    x[0] = a if x[1] < 0 else 0.0
    x[1:3] = np.where(x[1:3] > 0, x[1:3], 0)
    x[np.argmax(x)] = 0
    return x


@case(X, 0.5)
def shortest_paths(x, a):
    n = len(x)
    d = np.zeros(n)
    seen = np.zeros(n, dtype=bool)
    d[:] = np.inf
    d[0] = 0.0
    for _ in range(n):
        u = -1
        b = np.inf
        for i in range(n):
            if not seen[i] and d[i] < b:
                b = d[i]
                u = i
        if u == -1:
            break
        seen[u] = True
        for v in range(n):
            w = abs(x[u] - x[v]) + a
            if d[u] + w < d[v]:
                d[v] = d[u] + w
    return d


@case(X, 0.5)
def nested_containers_carried(x, a):
    acc = (a, [a, {"k": a}])
    for i in range(6):
        p, (q, d) = acc
        acc = (p + q, [q * 0.5, {"k": d["k"] + p}])
    return acc


@case(2, 0.5)
def traced_range_of_an_argument(n, a):
    r = 1
    for i in range(1, n + 1):
        r *= i * a
    return r


@case(X, 0.5)
def made_by_numpy(x, a):
    y = np.linspace(0, 1, 5)
    z = np.ones_like(y)
    for i in range(5):
        y[i] *= a
        z[i] -= y[i]
    return y, z


@case(X, 0.5)
def while_in_for_with_return(x, a):
    s = 0.0
    for i in range(3):
        t = x[i]
        while abs(t) > 0.1:
            t = t * a
            s += t
            if s > 3:
                return s, i
    return s, -1


@case(X, 0.5)
def swap_in_a_branch(x, a):
    x = x.copy()
    y = x.copy()
    c = 0
    for i in range(6):
        if x[i] > a:
            x, y = y, x
            c += 1
        x[i] = a * c
    return x, y, c


class Box:
    def __init__(s):
        s.items = [0.0, 0.0]
        s.n = 0

    def put(s, v):
        s.items[s.n % 2] = v
        s.n += 1


@case(X, 0.5)
def object_with_a_list(x, a):
    b = Box()
    for v in x:
        b.put(v * a)
    if b.items[0] > 0:
        b.put(a)
    return b.items


@case(X, 0.5)
def object_attribute_in_a_branch(x, a):
    b = Box()
    for v in x:
        b.put(v * a)
    if b.items[0] > 0:
        b.n = 7
    return b.items, b.n


@case(X, 0.5)
def object_made_in_a_loop(x, a):
    s = a
    for i in range(100):
        s = s + 1
        if s > 3:
            break
        b = Box()
        b.put(s)
        s = b.items[0] + b.n * 0.1
    return s


@case(X, 0.5)
def containers_made_in_a_loop(x, a):
    s = a
    while s < 30:
        l = []
        for v in (1, 2, 3):
            l.append(v * s)
        l[0] = l[1] + 1
        d = {}
        d["k"] = l[0]
        s = s + d["k"]
    return s


@case(X, 0.5)
def containers_made_in_a_branch(x, a):
    if a > 0:
        l = [a]
        l.append(2 * a)
        l[0] = 3.0
        d = dict(u=a)
        d["v"] = a
        o = Box()
        o.z = a
        r = sum(l) + d["v"] + o.z
    else:
        r = a
    return r
