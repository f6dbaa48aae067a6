"""What somebody would try next: objects, containers, exits from with and try, built-in functions.

Found by going through the language as its user; most of it was wrong or refused before.
"""

# ruff: noqa: B007, B905, E741, RUF015, RUF021, UP031, UP032
from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import operator
from typing import NamedTuple

import numpy as np

from functorch_like import tree

from .case import X, case

M = np.arange(12.0).reshape(3, 4) / 5.1 - 1


@dataclasses.dataclass
class State:
    pos: float
    vel: float
    n: int = 0


tree.register_dataclass(State)


@case(0.5)
def dataclass_carried(a):
    s = State(a, 1.0)
    while s.pos < 10:
        s = State(s.pos + s.vel, s.vel * 1.1, s.n + 1)
    return s.pos, s.vel, s.n


@case(0.5)
def dataclass_replace(a):
    s = State(a, 1.0)
    while s.pos < 10:
        s = dataclasses.replace(s, pos=s.pos + s.vel, n=s.n + 1)
    return s.pos, s.n


class NT(NamedTuple):
    x: float
    y: float


@case(0.5)
def namedtuple_carried(a):
    s = NT(a, 1.0)
    for i in range(10):
        s = s._replace(x=s.x * 0.9 + s.y) if s.x < 3 else NT(s.y, s.x)
    return s.x, s.y


@case(0.5)
def dict_update_loop(a):
    d = {"x": a, "y": a * 2}
    for i in range(20):
        d["x"] = d["x"] + d["y"] * 0.1
        d["y"] *= 0.9
    return d


@case(0.5)
def dict_in_while(a):
    d = {"x": a, "n": 0}
    while d["x"] < 10:
        d["x"] = d["x"] * 1.5
        d["n"] += 1
    return d


@case(0.5)
def list_in_while(a):
    d = [a, 0]
    while d[0] < 10:
        d[0] = d[0] * 1.5
        d[1] += 1
    return d


class Box:
    def __init__(self, a):
        self.a = a
        self.n = 0

    def step(self):
        self.a = self.a * 1.5
        self.n += 1

    def big(self):
        return self.a > 10


@case(0.5)
def method_in_while(a):
    b = Box(a)
    while not b.big():
        b.step()
    return b.a, b.n


@case(0.5)
def method_in_for(a):
    b = Box(a)
    for i in range(10):
        b.step()
        if b.big():
            break
    return b.a, b.n


@case(X, 0.5)
def nonlocal_counter(x, a):
    n = 0
    s = 0.0

    def add(v):
        nonlocal n, s
        n += 1
        s = s + v

    for v in x:
        add(v * a)
    return n, s


@case(X, 0.5)
def nonlocal_in_branch(x, a):
    s = 0.0

    def add(v):
        nonlocal s
        s = s + v

    for v in x:
        if v > a:
            add(v)
    return s


@case(X, 0.5)
def gen_function(x, a):
    def pairs():
        for i in range(len(x) - 1):
            yield x[i], x[i + 1]

    s = 0.0
    for p, q in pairs():
        if p < q:
            s += p * q * a
    return s


@case(X, 0.5)
def comps(x, a):
    d = {k: v * a for k, v in zip("abc", x)}
    s = {1, 2, 3}
    l = [[x[i] * x[j] for j in range(2)] for i in range(2)]
    m = [v if v > a else a for v in x]
    return d, l, m, len(s)


@case(X, 0.5)
def star(x, a):
    first, *rest = x
    p, q, *_ = [a, a * 2, 3.0]

    def f(*args, **kw):
        return args[0] * kw["k"] + sum(args[1:])

    t = f(*rest, k=first)
    return t, p, q, [*rest, first], {**{"u": a}, "v": q}


@case(X, 0.5)
def defaults(x, a):
    def f(v, w=a, *, z=2.0):
        if v > w:
            return v * z
        return w

    return f(x[0]), f(x[3], z=a), f(v=x[1], w=0.1)


def deco(f):
    @functools.wraps(f)
    def g(*a):
        return f(*a) * 2

    return g


@deco
def decorated(v):
    if v > 0:
        return v
    return -v * 3


@functools.lru_cache
def cached(n):
    return n * 2


@case(X, 0.5)
def uses_decorated(x, a):
    return decorated(x[1]) * cached(3), functools.reduce(
        lambda p, q: p * q if q > 0 else p, list(x)
    )


@case(X, 0.5)
def formats(x, a):
    name = "n%d" % 3
    s = f"{name!r:>5}" + "{}".format(2) + str(len(x))
    d = {s: a}
    return d[s]


@case(M, 0.5, 1)
@case(M, 0.5, -1)
def traced_pos_mixed(m, a, i):
    m = m.copy()
    m[i, 1:] = a
    m[1:, i] += 2 * a
    m[:, i] *= 3.0
    m[i] -= a
    m[i, i] = 7 * a
    return m, m[:, i], m[i, ::-1], m[i : i + 1] if False else 0.0


@case(M, 0.5)
def rows_cols_loop(m, a):
    m = m.copy()
    for j in range(4):
        s = 0.0
        for i in range(3):
            s += m[i, j] ** 2
        m[:, j] = m[:, j] / np.sqrt(s + a)
        for k in range(j + 1, 4):
            m[:, k] -= (m[:, j] @ m[:, k]) * m[:, j]
    return m


@case(M, 0.5)
def gauss(m, a):
    A = m[:, :3].copy() + 3 * np.eye(3)
    b = m[:, 3].copy() * a
    n = 3
    for k in range(n):
        p = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[p, k]):
                p = i
        if p != k:
            A[[k, p]] = A[[p, k]]
            b[k], b[p] = b[p], b[k]
        for i in range(k + 1, n):
            f = A[i, k] / A[k, k]
            A[i, k:] -= f * A[k, k:]
            b[i] -= f * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x


@case(X, 0.5)
def neg_step(x, a):
    y = x[::-1].copy()
    y[::-2] = a
    s = 0.0
    for v in x[::-1]:
        s = s * a + v
    for i in range(len(x) - 1, 0, -2):
        if y[i] > x[i]:
            s += i
    return y, s


@case(X, 0.5)
def zips2(x, a):
    s = 0.0
    for i, (u, v) in enumerate(zip(x, reversed(x)), 1):
        s += i * u * v
    for k, v in sorted({"b": a, "a": 2 * a}.items()):
        s *= v
    for v in map(lambda t: t * a, x):
        s += v
    for v in filter(lambda t: True, list(x)):
        s += v
    return s


@case(X, 0.5)
def sorted_traced(x, a):
    y = sorted(x)
    z = sorted(list(x), key=lambda v: -v)
    return y[0], z[0], sorted(x, reverse=True)[1]


@case(X, 0.5)
def builtins2(x, a):
    return (
        min(x),
        max(x[1], a),
        min(x, key=lambda v: abs(v)),
        max(x, default=0.0),
        sum(x, 10.0),
        abs(x[1]),
        pow(a, 3),
        pow(a, 2),
        divmod(x[3], a),
        round(x[3], 1),
        round(x[3]),
        int(x[3]),
        float(a),
        complex(a, 1.0).real,
        bool(a),
        len(x),
        list(x)[0],
        tuple(x)[1],
        any(x > 2),
        all(x > -3),
    )


@case(X, 0.5)
def npfuncs(x, a):
    y = np.empty_like(x)
    y[:] = x * a
    z = np.zeros((2, len(x)))
    z[0] = x
    z[1, 2:] = a
    w = np.array([[a, 1.0], [x[0], x[1]]])
    e = np.eye(2) * a
    f = np.full(3, a)
    g = np.arange(4) * a
    h = np.linspace(0, a, 4)
    k = np.append(x, a)
    c = np.concatenate(([a], x, [1.0]))
    d = np.asarray([a, a])
    return (
        y,
        z,
        w,
        e,
        f,
        g,
        h,
        k,
        c,
        d,
        np.where(x > a, x, 0.0),
        np.dot(x, x),
        np.interp(a, [0.0, 1.0], [2.0, 4.0]),
    )


@case(0.5)
def inf_loop(a):
    n = 0
    while True:
        a = a * 1.3
        n += 1
        if a > 20:
            break
        if n > 50:
            return -1.0, n
    return a, n


@case(X, 0.5)
def nested_return(x, a):
    for i in range(7):
        for j in range(7):
            for k in range(3):
                if x[i] + x[j] * k > 3.5:
                    return i, j, k, a * x[i]
    else:
        a = a * 2
    return -1, -1, -1, a


@case(X, 0.5)
@case(X, 5.0)
def loop_else_nested(x, a):
    s = 0.0
    for i in range(7):
        for j in range(i, 7):
            if x[i] * x[j] > a:
                s += x[j]
                break
        else:
            s -= 1
            continue
        if s > 4:
            break
    else:
        s = s * 10
    return s


@case(X, 0.5)
@case(X, -0.5)
def with_branch_return(x, a):
    with np.errstate(all="ignore"):
        if a > 0:
            return a * 2
        b = np.sum(x)
    return b


@case(X, 0.5)
@case(X, -0.5)
def with_loop_break(x, a):
    s = 0.0
    for v in x:
        with np.errstate(all="ignore"):
            if v > a + 0.3:
                break
            s += v
    return s


@case(X, 0.5)
def try_continue(x, a):
    s = 0.0
    for v in x:
        try:
            if v < a:
                continue
            s += v
        finally:
            s += 0.1
    return s


@case(X, 0.5)
@case(X, 1.5)
def try_return(x, a):
    try:
        for v in x:
            if v > a:
                return v
    except ValueError:
        return 0.0
    return a


@case(0.5)
@case(-0.5)
@case(1.5)
def match_stmt(a):
    kind = "big"
    match kind:
        case "big":
            if a > 1:
                b = a
            else:
                b = a * 2
        case _:
            b = 0.0
    return b


@case(0.5)
@case(-0.5)
def walrus_and(a):
    if a > 0 and (b := a * 2) > 0.5:
        return b
    return a


@case(X, 0.5)
def chained(x, a):
    return (
        sum([1 if 0 < v < 1 <= 3 else 0 for v in x]),
        (a < x[3] > x[0]),
        not (a > 1 or x[0] > 0 and a < 3),
    )


@case(X, 0.5)
def ternary_nested(x, a):
    return [v if v > a else -v if v < -a else 0.0 for v in x]


@case(X, 0.5)
def in_op(x, a):
    k = 0
    if 3 in [1, 2, 3]:
        k = 1
    if "a" not in {"b": 1}:
        k += 2
    return k * a


@case(X, 0.5)
def is_op(x, a):
    y = None
    for i in range(3):
        if y is None or y is not x:
            y = x * a
    return y


@case(X, 0.5)
def global_fn(x, a):
    return helper2(x, a) + (lambda t: t if t > 0 else -t)(x[1])


def helper2(x, a):
    for v in x:
        if v > a:
            return helper3(v)
    return 0.0


def helper3(v):
    while v < 5:
        v = v * v + 0.5
    return v


@case(7, 0.5)
def fib(n, a):
    def f(k):
        if k < 2:
            return a
        return f(k - 1) + f(k - 2)

    return f(7)


@case(X, 0.5)
def aug_ops(x, a):
    y = x.copy()
    y **= 2
    y //= 0.3
    y %= 0.7
    y -= a
    y /= 2
    n = 5
    n <<= 1
    n |= 1
    n ^= 3
    n &= 7
    n >>= 1
    m = x > 0
    m &= x < 1
    m |= x > 2
    return y, n, m


@case(X, 0.5)
def tuple_swap(x, a):
    p, q = a, x[0]
    for i in range(10):
        p, q = q, p * 0.9 + q * 0.1
        if p > q:
            p, q = q, p
    return p, q


@case(X, 0.5)
def del_stmt(x, a):
    t = a * 2
    y = t + 1
    del t
    return y


@case(X, 0.5)
def assert_msg(x, a):
    assert len(x) == 7, f"{len(x)}"
    assert a > -10
    return a * 2


@case(X, 3)
def traced_int_index(x, i):
    y = np.zeros(8)
    y[i] = 1.0
    y[i + 1] += x[i]
    y[i : i + 2] if False else None
    k = int(i) * 2 % 7
    return y, x[k], x[i - 1], x[-i]


@case(X, 0.5)
def float_loop_cond(x, a):
    t = 0.0
    out = 0.0
    dt = 0.1
    while t < 1.0 - 1e-12:
        out += a * dt
        t += dt
    return out


@case(X, 0.5)
def newton(x, a):
    def g(v):
        return v**3 - a

    z = 1.0
    for _ in range(50):
        d = g(z) / (3 * z * z)
        z -= d
        if abs(d) < 1e-12:
            break
    return z


@case(X, 0.5)
def while_and(x, a):
    i = 0
    while i < len(x) and not x[i] > 1 and a > 0:
        i += 1
    return i


@case(X, 0.5)
def multi_assign(x, a):
    p = q = a
    p += 1
    (r, s), t = (p, q), x
    u: float = r * s
    return p, q, u, t[0]


@case(X, 0.5)
def stack_list(x, a):
    out = []
    for v in x:
        if v > a:
            out.append(v)
        else:
            out.append(a * v)
    return np.array(out), np.stack(out), len(out)


@case(X, 0.5)
def queue(x, a):
    st = [a]
    while st:
        v = st.pop()
        if len(st) < 3 and False:
            st.append(v)
    return v


@case(X, 0.5)
def lambda_list(x, a):
    fs = [lambda t, k=k: t * k for k in range(3)]
    return sum(f(a) for f in fs)


@case(X, 0.5)
def partials(x, a):
    f = functools.partial(helper2, a=a)
    return f(x), operator.mul(a, 2.0)


@case(X, 0.5)
def complex_nums(x, a):
    z = complex(a, 2 * a)
    for i in range(6):
        z = z * z * 0.5 + 0.1j
        if abs(z) > 1:
            z = z / abs(z)
    return z.real, z.imag, abs(z)


@case(X, 0.5)
def global_read(x, a):
    return SCALE * a if a > 0 else a


SCALE = 3.0


@case(X, 0.5)
def enumerate_break(x, a):
    for i, v in enumerate(x):
        if v > 1:
            break
    return i, v


@case(X, 0.5)
def loop_var_after(x, a):
    for i in range(7):
        a = a + x[i]
    return i, a


@case(X, 0.5)
def bool_index_sum(x, a):
    n = 0
    for v in x:
        n += (v > a) + (v < 0) * 2
    return n


@case(X, 0.5)
def string_branch(x, a):
    mode = "fast"
    if mode == "fast" and a > 0:
        return a
    elif mode in ("slow",):
        return -a
    return 0.0


@case(M, 0.5)
def matrix_iter(m, a):
    s = 0.0
    for row in m:
        for v in row:
            if v > a:
                s += v
    for i, j in np.ndindex(*m.shape):
        s += m[i, j] * 0.1
    for (i, j), v in np.ndenumerate(m):
        s += v * i
    return s


@case(M, 0.5)
def product_iter(m, a):
    s = 0.0
    for i, j in itertools.product(range(3), range(4)):
        if m[i, j] > a:
            s += m[i, j]
    for u, v in itertools.combinations(range(3), 2):
        s += m[u, v]
    for k in itertools.count():
        if k > 3:
            break
        s *= a
    return s


@case(X, 0.51)
def mask_augmented(x, a):
    y = x.copy()
    y[y < 0.1] *= a
    big = y > 0.8
    y[big] += 1.0
    y[~big & (y > -a)] -= a
    return y


@case(X, 0.51)
def mathematics(x, a):
    return (
        math.isclose(a, 0.51), math.fsum(x), math.prod(x), math.dist([a, 1.0], [2.0, a]),
        math.gamma(a), math.erf(a), math.lgamma(a), math.trunc(x[3]), math.isnan(a), math.cbrt(a),
        math.exp2(a), math.comb(5, 2), math.ceil(a), math.floor(x[1]),
    )  # fmt: skip


@case(X, 0.51)
@case(X, -3.0)
def finally_and_else(x, a):
    n = 0
    for v in x:
        try:
            if v < a:
                continue
            if v > 4 * a:
                return v, n
        except ValueError:
            return a, -1
        else:
            n += 1
        finally:
            n += 10
    return x[0], n


@case(M, 0.51, np.array([0, 2, 0]))
@case(M, 0.51, np.array([-1, 1, 2]))
def positions_beside_slices(m, a, rows):
    m = m.copy()
    m[rows, 1:3] = a * np.arange(6.0).reshape(3, 2)
    m[1:, rows] += a
    m[::-1, rows[1]] *= 2.0
    np.add.at(m, (slice(None), rows), a)
    m[rows[0], ::2] -= m[rows[1], 1::2]
    t = np.zeros((2, 3, 4))
    t[1, rows, 1:] = m[:, 1:]
    t[:, :, rows[2]] = a
    return m, t


@case(X, 0.51)
def filtered(x, a):
    return (
        sum(v * a for v in x if v > 0),
        sum((v for v in x if v < 0 if v > -1), 10.0),
        any(v > 2 for v in x if v > a),
        all(v < a for v in x if v < 0),
        max(v * a for v in x if v < 1),
        min(v for v in x if v > a),
    )
