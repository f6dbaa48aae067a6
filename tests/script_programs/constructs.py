"""Each construct of the language, on values that are traced."""

# ruff: noqa: B007, B023, B905, RUF021

from __future__ import annotations

import math

import numpy as np

from .case import X, case


@case(0.5)
@case(-0.5)
def if_else(a):
    if a > 0:
        b = a * 2
    else:
        b = -a
    return b


@case(0.5)
@case(-0.5)
def if_only(a):
    b = a
    if a > 0:
        b = a * 3
    return b


@case(0.5)
@case(2.5)
@case(-2.5)
def if_elif(a):
    if a > 2:
        b = a * a
    elif a > 0:
        b = a + 1
    elif a > -1:
        b = a - 1
    else:
        b = np.sin(a)
    return b


@case(0.5)
@case(-0.5)
def early(a):
    if a > 0:
        return a * 2
    c = a * a
    return c


@case(0.5, 0.1)
@case(-0.5, 0.1)
@case(0.5, -0.1)
def early_nested(a, b):
    if a > 0:
        if b > 0:
            return a * b
        c = 2.0
    else:
        c = 3.0
    return c * a * b


@case(X, 0.5)
@case(X, 5.0)
def return_in_loop(x, a):
    for v in x:
        if v > a:
            return v * 2
    return -a


@case(X, 1.0)
@case(X, 100.0)
def return_in_loops(x, a):
    for i in range(7):
        for j in range(7):
            if x[i] * x[j] + x[i] > a:
                return x[i] - x[j], i, j
    return a, -1, -1


@case(X, 1.0)
def brk(x, a):
    s = 0.0
    for v in x:
        if v > a:
            break
        s += v
    return s


@case(X, 0.0)
def cont(x, a):
    s = 0.0
    for v in x:
        if v < a:
            continue
        s += v * v
    return s


@case(X, 1.0)
@case(X, 10.0)
def for_else(x, a):
    s = 0.0
    for v in x:
        if v > a:
            break
        s += v
    else:
        s = 100.0 * a
    return s


@case(1.0, 0.5)
@case(1.0, 10.5)
def while_else(x, a):
    n = 0
    while x < 10:
        x = x * 1.5
        n += 1
        if x > a * 10:
            break
    else:
        return x * 2, n
    return x, n


@case(0.5)
def tuples(a):
    x, (y, *z) = a, (a * 2, a * 3, a * 4)
    i = 0
    while x < 10:
        x, y = y, x + y
        i += 1
    return x, y, z, i


@case(X)
def aug(x):
    x = x.copy()
    x += 1
    x[1:3] *= 2
    x[0] -= 3
    for i in range(7):
        x[i] += x[i - 1] * 0.1
    return x


class Obj:
    pass


@case(X, 0.3)
def attr(x, a):
    o = Obj()
    o.t = a
    o.t += 1
    if a > 0:
        b = o.t * 2
    else:
        b = o.t
    return b


@case(X)
def zips(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x[1:], x[:-1])):
        s += i * a * b
    for a in reversed(x):
        s = s * 0.5 + a
    for i in range(6, -1, -2):
        s += x[i] * i
    for i in range(1, 7, 3):
        s = s * x[i]
    return s


@case(X, 5)
@case(X, 0)
def traced_range(x, n):
    s = 0.0
    for i in range(n):
        s += x[i] * i
    for i in range(1, n):
        s += x[i]
    for i in range(n, 0, -2):
        s -= x[i] * i * 0.3
    return s


@case(X)
def rows(x):
    m = np.outer(x, x)
    s = np.zeros(7)
    for r in m:
        s = np.sin(s + r)
    return s


@case(0.3)
def lists(a):
    out = []
    for k in [1, 2, 3]:
        out.append(a * k)
    d = {"p": a, "q": a * 2}
    s = 0.0
    for k, v in d.items():
        if v > 0.5:
            s += v
        out.append(v)
    return s, out


@case(X)
def comp(x):
    y = [v * v if v > 0 else -v for v in x]
    return np.sum(np.array(y)), sum(v for v in x if True)


@case(X, 0.2)
def closures(x, a):
    def g(v):
        if v > a:
            return v
        return a * v

    s = 0.0
    for i in range(7):
        h = lambda t: t * i + a
        s += h(g(x[i]))
    return s


@case(0.7)
def recursion(a):
    def power(x, n):
        if n == 0:
            return 1.0
        return x * power(x, n - 1)

    return power(a, 5)


def helper(a, *rest, k=2, **kw):
    if a > 0:
        r = a * k
    else:
        r = -a
    for q in rest:
        r = r + q
    return r + kw.get("z", 0)


@case(0.4)
@case(-0.4)
def kwargs(a):
    return helper(a, a * 2, 1.0, k=3, z=a * a)


@case(0.4)
def walrus(a):
    if (b := a * 2) > 0.5:
        return b
    return b * a


@case(0.4)
def fstr(a):
    n = 3
    s = f"{n} items"
    assert len(s) == 7, "bad"
    with np.errstate(all="ignore"):
        b = np.log(a)
    try:
        c = b * 2
    except ValueError:
        c = 0.0
    return c


@case(X, 0.5)
def maths(x, a):
    return (
        math.sin(a)
        + math.log(a, 2)
        + math.hypot(a, 2.0)
        + math.pi * math.exp(a)
        + math.atan2(a, 1.0)
        + math.floor(a)
        + math.sqrt(a)
    )


@case(X, 0.5, 3)
def builtins_(x, a, n):
    s = (
        min(a, 1.0, x[0])
        + max(x[1], x[2])
        + float(n)
        + round(a)
        + abs(x[1])
        + sum([a, a * 2])
        + len(x)
    )
    s = s + int(a * 10) * a
    t = bool(a)
    if any([a > 0, x[0] > 0]) and all([x[1] < 0, a > 0]):
        s += 1
    return s, t, max(x), min(x), sum(x)


@case(0.5)
def int_to_float(a):
    s = 0
    i = 0
    while i < 10:
        s += a
        i += 1
    return s, i


@case(0.5)
@case(-0.5)
def static_none(a):
    prev = None
    s = a
    for k in range(3):
        if prev is not None:
            s += prev
        prev = s * 0.5
    return s


@case(X, 0.5)
def strings(x, a):
    mode = "up"
    s = 0.0
    for k in range(7):
        if mode == "up":
            s += x[k]
        else:
            s -= x[k]
        if k == 3:
            mode = "down"
    return s


@case(X, 0.5)
def alias(x, a):
    x = x.copy()
    y = x
    if a > 0:
        y[0] = a * 3
    return x, y


@case(X, 0.5)
def view_out(x, a):
    x = x.copy()
    v = x[2:5]
    if a > 0:
        v[0] = 9 * a
    return x


@case(X, 0.5)
def view_loop(x, a):
    x = x.copy()
    v = x[2:5]
    for i in range(3):
        v[i] = v[i] * 2 + a
    return x, v


@case(X, 0.5)
def view_loop_both(x, a):
    x = x.copy()
    v = x[2:5]
    for i in range(10):
        v[i % 3] = v[i % 3] * 2 + a
        x[0] += v[1]
    return x, v


@case(X, 0.5)
def swap(x, a):
    x = x.copy()
    y = np.zeros(7)
    for i in range(6):
        y[1:-1] = 0.5 * (x[2:] + x[:-2]) + a
        x, y = y, x
    return x, y


@case(0.5)
def containers(a):
    st = {"a": a, "b": (a * 2, 1)}
    for i in range(8):
        st = {"a": st["a"] * 0.9, "b": (st["b"][0] + st["a"], st["b"][1] + 1)}
    return st


@case(X, 0.5)
def mixed_cond(x, a):
    s = 0.0
    for i in range(7):
        s += x[i] if x[i] > a else (a if not x[i] > 0 else 0.1 * a)
        if 0 < x[i] < 1 or x[i] < -1 and a > 0:
            s *= 1.1
    return s


@case(X)
def first_positive(x):
    i = 0
    while i < len(x) and x[i] <= 1.0:
        i += 1
    return i, x[i]


@case(X)
def argmax(x):
    best = -np.inf
    where = -1
    for i in range(len(x)):
        if x[i] > best:
            best = x[i]
            where = i
    return best, where


@case(X)
def insertion_sort(x):
    x = x.copy()
    for i in range(1, len(x)):
        v = x[i]
        j = i - 1
        while j >= 0 and x[j] > v:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = v
    return x


@case(X)
def bubble(x):
    x = x.copy()
    n = len(x)
    swapped = True
    while swapped:
        swapped = False
        for i in range(n - 1):
            if x[i] > x[i + 1]:
                x[i], x[i + 1] = x[i + 1], x[i]
                swapped = True
    return x


@case(27)
def collatz(n):
    k = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        k += 1
    return k


@case(48, 18)
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


@case(0.3, 0.5)
def mandel(x, y):
    z = 0j
    c = x + 1j * y
    n = 0
    while abs(z) < 2 and n < 50:
        z = z * z + c
        n += 1
    return n, abs(z)
