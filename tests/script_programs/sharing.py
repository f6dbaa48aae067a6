"""Names that share an array, a list or a variable, written in branches and loops."""

# ruff: noqa: B007, B905, E741, E742, SIM113

from __future__ import annotations

import numpy as np

from .case import X, case


@case(X, 0.5)
def eye_written(x, a):
    q = np.eye(3)
    for i in range(20):
        q[i % 3] += a * x[i % 7]
    return q


@case(X, 0.5)
def arange_perm(x, a):
    p = np.arange(7)
    x = x.copy()
    for i in range(6):
        j = i + int(np.argmax(np.abs(x[i:]))) if False else i
        for k in range(i + 1, 7):
            if abs(x[k]) > abs(x[j]):
                j = k
        t = x[i]
        x[i] = x[j]
        x[j] = t
        t = p[i]
        p[i] = p[j]
        p[j] = t
    return x, p


@case(X, 0.5)
def stale_view(x, a):
    x = x.copy()
    v = x[2:5]
    s = 0.0
    for i in range(20):
        x[i % 7] += a
        s += v[0] * i
    return s


@case(X, 0.5)
def stale_alias(x, a):
    x = x.copy()
    v = x
    s = 0.0
    for i in range(20):
        x[i % 7] += a
        s += v[2] * i
    return s


@case(X, 0.5)
def stale_alias_if(x, a):
    x = x.copy()
    v = x
    s = 0.0
    if a > 0:
        x[2] += a
        s += v[2]
    return s


@case(X, 0.5)
def closure_written(x, a):
    x = x.copy()

    def bump(i):
        x[i] += a

    for i in range(20):
        bump(i % 7)
    return x


@case(X, 0.5)
def closure_written_if(x, a):
    x = x.copy()

    def bump(i):
        x[i] += a

    if a > 0:
        bump(2)
    return x


def bump_arg(x, i, a):
    x[i] += a


@case(X, 0.5)
def arg_written(x, a):
    x = x.copy()
    for i in range(20):
        bump_arg(x, i % 7, a)
    return x


@case(X, 0.5)
def arg_written_value(x, a):
    x = x.copy()

    def bump(x, i):
        x[i] += a
        return x[i]

    s = 0.0
    for i in range(20):
        s += bump(x, i % 7)
    return x, s


@case(X, 0.5)
def list_of_arrays(x, a):
    l = [x.copy(), x.copy()]
    for i in range(20):
        l[1][i % 7] += a * l[0][i % 7]
        l[0][0] += 1
    return l


@case(X, 0.5)
def list_elem(x, a):
    l = [a, a * 2]
    for i in range(20):
        l[0] = l[0] + l[1] * 0.1
    return l


@case(X, 0.5)
def list_elem_if(x, a):
    l = [a, a * 2]
    m = l
    if a > 0:
        l[0] = l[1] * 3
    return l, m


@case(X, 0.5)
def dict_elem_if(x, a):
    d = {"u": a}
    e = d
    if a > 0:
        d["u"] = a * 2
    return d, e


@case(X, 0.5)
def dict_elem_loop(x, a):
    d = {"u": a, "n": 0}
    e = d
    for i in range(20):
        d["u"] = d["u"] * 0.9 + x[i % 7]
        d["n"] += 1
    return d, e


@case(X, 0.5)
def attr_loop(x, a):
    class O:
        pass

    o = O()
    o.v = a
    for i in range(20):
        o.v = o.v * 0.9 + x[i % 7]
    return o.v


@case(X, 0.5)
def attr_if(x, a):
    class O:
        pass

    o = O()
    o.v = a
    if a > 0:
        o.v = a * 3
    return o.v


@case(X, 0.5)
def nonlocal_(x, a):
    n = 0.0

    def add(v):
        nonlocal n
        n += v

    for i in range(20):
        add(x[i % 7])
    return n


@case(X, 0.5)
def append_loop(x, a):
    l = []
    for i in range(20):
        if x[i % 7] > 0:
            t = a * i
        else:
            t = a
        l.append(t)
    return l


@case(X, 0.5)
def func_default_loop(x, a):
    fs = []
    for i in range(3):

        def g(t, k=i):
            return t * k + a

        fs.append(g)
    s = 0.0
    for f in fs:
        s += f(a)
    return s


@case(X, 0.5)
def late_binding(x, a):
    k = a

    def g():
        return k * 2

    if a > 0:
        k = a * 3
    return g()


@case(X, 0.5)
def late_binding_loop(x, a):
    k = a

    def g():
        return k * 2

    s = 0.0
    for i in range(20):
        k = k * 0.9
        s += g()
    return s


@case(X, 0.5)
def del_(x, a):
    k = a
    if a > 0:
        k = a * 2
    b = k
    del k
    return b


@case(X, 0.5)
def aug_alias_if(x, a):
    x = x.copy()
    y = x
    if a > 0:
        x += a
    return x, y


@case(X, 0.5)
def rebind_if(x, a):
    x = x.copy()
    y = x
    if a > 0:
        x = x + a
    return x, y


@case(X, 0.5)
def rebind_loop(x, a):
    x = x.copy()
    y = x
    for i in range(20):
        x = x * 0.9 + a
        x[0] = 1.0
    return x, y


@case(X, 0.5)
def write_then_rebind_if(x, a):
    x = x.copy()
    y = x
    if a > 0:
        x[0] = 9 * a
        x = x * 0.9 + a
        x[1] = 7
    return x, y


@case(X, 0.5)
def alias_in_loop(x, a):
    x = x.copy()
    y = x.copy()
    for i in range(20):
        y = x
        x[i % 7] += a
    return x, y


@case(X, 0.5)
def alias_in_loop2(x, a):
    x = x.copy()
    y = x.copy()
    for i in range(20):
        y[i % 7] += x[(i + 1) % 7] * a
        y = x
    y[0] = 100.0
    return x, y


@case(X, 0.5)
def row_views(x, a):
    m = np.outer(x, x)
    for r in m:
        r[0] = a
    return m


@case(X, 0.5)
def row_views_aug(x, a):
    m = np.outer(x, x)
    for r in m:
        r *= a
    return m


@case(X, 0.5)
def row_views_zip(x, a):
    m = np.outer(x, x)
    for r, v in zip(m, x):
        r += v
    for i, r in enumerate(m):
        r[i] = a
    return m


@case(X, 0.5)
def iter_modified(x, a):
    x = x.copy()
    s = 0.0
    i = 0
    for v in x:
        s += v * (i + 1)
        if i < 6:
            x[i + 1] += v * a
        i += 1
    return x, s


def _itself(z):
    return z


@case(X, 0.5)
def plain_array_returned_by_a_function(x, a):
    z = np.arange(5.0) * 1.0
    w = _itself(z)
    w[0] = 7.0
    return z * a, w * a


@case(X, 0.5)
def plain_array_in_a_list(x, a):
    z = [np.cos(np.arange(5.0))]
    w = _itself(z[0])
    w[0] = 7.0
    return z[0] * a, w * a
