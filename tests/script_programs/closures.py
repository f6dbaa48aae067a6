"""Closures, views and results that leave loops early."""

# ruff: noqa: B007, B023, E741, SIM222
from __future__ import annotations

import numpy as np

from .case import X, case


@case(X, 0.5)
def cell_in_loop_after(x, a):
    fs = []
    k = a
    for i in range(3):
        k = k * 2
        fs.append(lambda: k * i)
    return [f() for f in fs]


@case(X, 0.5)
def parting_closure(x, a):
    k = a

    def g():
        return k

    if a > 0.7:
        return g()
    k = a * 5
    for i in range(8):
        k = k + g() * 0.1
        if k > 3:
            return g()
    return g() + k


@case(X, 0.5)
def inner_function_in_branch(x, a):
    if a > 0:

        def g(t):
            return t * 2

        r = g(a)
    else:
        r = a
    return r


@case(X, 0.5)
def hidden_two_levels(x, a):
    x = x.copy()

    def setit(i, v):
        x[i] = v

    for i in range(7):
        for j in range(7):
            if x[j] < x[i]:
                setit(j, x[j] + a * 0.1)
    return x


@case(X, 0.5)
def hidden_in_while(x, a):
    x = x.copy()
    v = x[1:]

    def bump():
        x[3] += a

    n = 0
    while x[3] < 5:
        bump()
        n += 1
    return x, v, n


@case(X, 0.5)
def view_param(x, a):
    def fill(row, v):
        for i in range(len(row)):
            row[i] = v * i

    m = np.zeros((3, 7))
    for k in range(3):
        fill(m[k], x[k] * a)
    return m


@case(X, 0.5)
def view_param_traced(x, a):
    def fill(row, v):
        if v > 0:
            for i in range(len(row)):
                row[i] += v * i
        row *= 2

    m = np.zeros((9, 7))
    for k in range(9):
        fill(m[k], x[k % 7] * a)
    return m


@case(X, 0.5)
def column_views(x, a):
    m = np.outer(x, x)
    cols = [m[:, j] for j in range(7)]
    for i in range(10):
        cols[2][i % 7] += a
        m[0] *= 1.1
    return m, cols[2], cols[0]


@case(X, 0.5)
def dead_view_between(x, a):
    x = x.copy()
    s = 0.0
    for i in range(12):
        v = x[2:5]
        v[0] += a
        w = v[1:]
        w[0] = v[0] * 0.5
        s += x[2] + x[3]
    return x, s


@case(X, 0.5)
def ravel_write(x, a):
    m = np.zeros((3, 3))
    f = m.ravel()
    if a > 0:
        f[4] = a
        m[0, 0] = f[4] * 2
    return m, f


@case(X, 0.5)
def copy_semantics(x, a):
    x = x.copy()
    y = x[::2].copy()
    for i in range(10):
        x[i % 7] = y[i % 4] + a
        y = x[::2].copy()
    return x, y


@case(X, 0.5)
def assign_row_alias(x, a):
    m = np.zeros((4, 7))
    cur = x.copy()
    for i in range(4):
        m[i] = cur
        cur[0] = cur[0] * 2 + a
        cur = cur
    return m, cur


@case(X, 0.5)
def assign_row_alias_long(x, a):
    m = np.zeros((14, 7))
    cur = x.copy()
    for i in range(14):
        m[i] = cur
        cur[i % 7] = cur[0] * 0.5 + a
    return m, cur


@case(X, 0.5)
def stack_list_long(x, a):
    out = []
    cur = x.copy()
    for i in range(14):
        out.append(cur)
        cur = cur.copy()
        cur[i % 7] = cur[0] * 0.5 + a
    return np.stack(out)


@case(X, 0.5)
def stack_list_alias(x, a):
    out = []
    cur = x.copy()
    for i in range(14):
        out.append(cur)
        cur[i % 7] = cur[0] * 0.5 + a
    return np.stack(out)


@case(X, 0.5)
def break_with_written(x, a):
    y = np.zeros(7)
    for i in range(7):
        y[i] = x[i] + a
        if y[i] > 2:
            break
        y[i] *= 2
    return y, i


@case(X, 0.5)
def return_with_written(x, a):
    y = np.zeros(7)
    for i in range(7):
        y[i] = x[i] + a
        if y[i] > 2:
            return y, i
        y[i] *= 2
    y[:] = 0
    return y, -1


@case(X, 0.5)
def return_array_in_loop(x, a):
    y = x.copy()
    for i in range(20):
        y[i % 7] += a
        if y[0] > 1.2:
            return y
    return x


@case(X, 0.5)
def return_then_write(x, a):
    def f(y):
        for i in range(20):
            y[i % 7] += a
            if y[0] > 1.2:
                return y
        return y

    y = x.copy()
    z = f(y)
    return y, z


@case(X, 0.5)
def comparison_chain_walrus(x, a):
    n = 0
    while (v := x[n]) < 1.0:
        n += 1
    return n, v


@case(X, 0.5)
def while_list_index(x, a):
    st = [a, 0.0]
    n = 0
    while n < 9:
        st = [st[1] + a, st[0] * 0.5]
        n += 1
    return st


@case(X, 0.5)
def augmented_tuple(x, a):
    t = (a,)
    for i in range(3):
        t += (a * i,)
    return t


@case(X, 0.5)
def int_division(x, a):
    n = 0
    c = 0
    while a > 0.01:
        a *= 0.5
        n += 1
        if n % 3 == 0:
            c += n // 3
    return n, c


@case(X, 0.5)
def bool_arith(x, a):
    c = 0
    f = False
    for v in x:
        f = f or v > 1
        c += not f
        c += v > 0 and v < 1
    return c, f


@case(X, 0.5)
def or_values(x, a):
    y = None
    z = y or a
    w = [] or [a]
    return z, w, a if a else 0.0


@case(X, 0.5)
def negative_step(x, a):
    s = 0.0
    for i in range(len(x) - 1, -1, -1):
        s = s * a + x[i]
    return s


@case(X, 0.5, 6, 1)
def traced_bounds(x, a, n, m):
    s = 0.0
    for i in range(m, n):
        for j in range(i, n):
            s += x[i] * x[j] * a
    for i in reversed(range(m, n)):
        s = s * 0.9 + x[i] if False else s
    return s


@case(X, 0.5)
def complex_state(x, a):
    z = 0.0
    for i in range(9):
        z = z + 1j * a * x[i % 7]
    return abs(z)


@case(X, 0.5)
def two_names_one_start(x, a):
    lo = hi = x.copy()
    for i in range(9):
        lo = np.minimum(lo, x * i)
        hi = np.maximum(hi, x * i)
    return lo, hi


@case(X, 0.5)
def two_scalars_one_start(x, a):
    lo = hi = x[0]
    for v in x:
        if v < lo:
            lo = v
        if v > hi:
            hi = v
    return lo, hi


@case(X, 0.5)
def cond_mutation_of_list_elem(x, a):
    l = [0.0] * 3
    m = [l, l]
    for i in range(3):
        if x[i] > 0:
            m[0][i] = x[i]
    return l


@case(X, 0.5)
def counter_dict(x, a):
    c = {"pos": 0, "neg": 0}
    for v in x:
        c["pos" if True else "neg"] += 1
        if v < 0:
            c["neg"] += 1
    return c


@case(X, 0.5)
def deep_attr(x, a):
    class N:
        pass

    n = N()
    n.child = N()
    n.child.v = a
    n.arr = np.zeros(3)
    for i in range(9):
        n.arr[i % 3] += n.child.v * x[i % 7]
    if a > 0:
        n.child.v *= 3
        n.arr[0] = 7
    return n.child.v, n.arr


@case(X, 0.5)
def sorted_copy(x, a):
    y = np.sort(x)
    y[0] = a
    z = np.arange(5.0)
    z[1] = a
    w = np.array([1.0, 2, 3])
    w[2] = a
    if a > 0:
        w[0] = a * 2
        z[0] = 1
    return y, z, w


@case(X, 0.5)
def property_and_dunder(x, a):
    class V:
        def __init__(s, v):
            s.v = v

        def __add__(s, o):
            return V(s.v + o.v)

        @property
        def n(s):
            return s.v * 2

    t = V(a) + V(a * 2)
    return t.n
