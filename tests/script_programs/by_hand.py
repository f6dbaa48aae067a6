"""Algorithms as scientists write them out by hand, and Python's state that steps by itself.

The second half was wrong in silence before: random numbers, iterators and containers of the
standard library change when they are called, which the body of a compiled loop does once.
"""

# ruff: noqa: E741
from __future__ import annotations

import collections
import heapq
import itertools
import random

import numpy as np

from .case import X, case

S = np.array([[4.0, 1.0, 0.3], [1.0, 3.0, -0.5], [0.3, -0.5, 5.0]])
U = np.random.default_rng(3).uniform(size=(2, 5, 6))


# --- numerical recipes ----------------------------------------------------------------------------


@case(X, np.array(0.7))
def adaptive_simpson(x, a):
    f = lambda t: np.exp(-a * t * t) * np.cos(3 * t)
    low, high = np.zeros(32), np.zeros(32)
    top = 1
    high[0] = 2.0
    total = 0.0
    while top > 0:
        top -= 1
        l, h = low[top], high[top]
        m = 0.5 * (l + h)
        whole = (h - l) / 6 * (f(l) + 4 * f(m) + f(h))
        left = (m - l) / 6 * (f(l) + 4 * f((l + m) / 2) + f(m))
        right = (h - m) / 6 * (f(m) + 4 * f((m + h) / 2) + f(h))
        if abs(left + right - whole) < 1e-5 * (h - l):
            total += left + right + (left + right - whole) / 15
        else:
            low[top], high[top] = l, m
            low[top + 1], high[top + 1] = m, h
            top += 2
    return total


@case(np.abs(S), 0.5)
def sinkhorn(cost, a):
    n = cost.shape[0]
    kernel = np.exp(-cost / a)
    u, v = np.ones(n) / n, np.ones(n) / n
    count = 0
    while True:
        before = u
        u = (1 / n) / (kernel @ v)
        v = (1 / n) / (kernel.T @ u)
        count += 1
        if np.max(np.abs(u - before)) < 1e-10 or count >= 200:
            break
    return np.sum(u[:, None] * kernel * v * cost), count


@case(U[0], np.array(0.45))  # an array, to stay out of the batches, which take long to compile
def game_of_life(u, a):
    n, m = u.shape
    alive = (u > a).astype(int)
    for _ in range(2):
        new = np.zeros_like(alive)
        for i in range(n):
            for j in range(m):
                count = -alive[i, j]
                for k in range(9):
                    count += alive[(i + k // 3 - 1) % n, (j + k % 3 - 1) % m]
                if (alive[i, j] == 1 and count in (2, 3)) or count == 3:
                    new[i, j] = 1
        alive = new
    return alive, np.sum(alive * u)


@case(U, np.array(0.44))
def ising(u, a):
    steps, n, m = u.shape
    spins = np.ones((n, m))
    energy, accepted = 0.0, 0
    for t in range(steps):
        for i in range(n):
            for j in range(m):
                around = spins[(i + 1) % n, j] + spins[i - 1, j]
                around += spins[i, (j + 1) % m] + spins[i, j - 1]
                change = 2 * spins[i, j] * around
                if change <= 0 or u[t, i, j] < np.exp(-a * change):
                    spins[i, j] *= -1
                    accepted += 1
                    energy += change * a
    return energy, accepted, spins


@case(np.array([0, 1, 1, 0, 1, 0]), 0.7)
def viterbi(seen, a):
    step = np.log(np.array([[a, 1 - a], [0.4, 0.6]]))
    emit = np.log(np.array([[0.8, 0.2], [0.3, 0.7]]))
    length = len(seen)
    best = np.zeros((length, 2))
    back = np.zeros((length, 2), dtype=int)
    best[0] = np.log(0.5) + emit[:, seen[0]]
    for t in range(1, length):
        for j in range(2):
            top, where = -np.inf, 0
            for i in range(2):
                v = best[t - 1, i] + step[i, j]
                if v > top:
                    top, where = v, i
            best[t, j] = top + emit[j, seen[t]]
            back[t, j] = where
    path = np.zeros(length, dtype=int)
    path[-1] = np.argmax(best[-1])
    for t in range(length - 2, -1, -1):
        path[t] = back[t + 1, path[t + 1]]
    return np.max(best[-1]), path


@case(X, 0.5)
def fourier_in_place(x, a):
    y = np.append(x, a).astype(complex)
    n, j = len(y), 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j ^= bit
        if i < j:
            y[i], y[j] = y[j], y[i]
    length = 2
    while length <= n:
        w = np.exp(-2j * np.pi / length)
        for s in range(0, n, length):
            t = 1.0 + 0j
            for k in range(length // 2):
                p, q = y[s + k], y[s + k + length // 2] * t
                y[s + k], y[s + k + length // 2] = p + q, p - q
                t *= w
        length *= 2
    return np.abs(y)


@case(X, 0.4)
def romberg(x, a):
    f = lambda t: np.sin(a * t) * np.exp(-t * x[0])
    table = np.zeros((6, 6))
    h = 2.0
    table[0, 0] = h / 2 * (f(0.0) + f(2.0))
    for i in range(1, 6):
        h /= 2
        total = 0.0
        for k in range(1, 2**i, 2):
            total += f(k * h)
        table[i, 0] = table[i - 1, 0] / 2 + h * total
        for j in range(1, i + 1):
            table[i, j] = table[i, j - 1] + (table[i, j - 1] - table[i - 1, j - 1]) / (4**j - 1)
        if i > 2 and abs(table[i, i] - table[i - 1, i - 1]) < 1e-9:
            return table[i, i]
    return table[5, 5]


@case(X, 0.4)
def golden_section(x, a):
    ratio = (5**0.5 - 1) / 2
    f = lambda t: (t - a) ** 2 + 0.1 * np.cos(3 * t) * x[0]
    low, high = -1.0, 2.0
    c, d = high - ratio * (high - low), low + ratio * (high - low)
    fc, fd = f(c), f(d)
    while abs(high - low) > 1e-4:
        if fc < fd:
            high, d, fd = d, c, fc
            c = high - ratio * (high - low)
            fc = f(c)
        else:
            low, c, fc = c, d, fd
            d = low + ratio * (high - low)
            fd = f(d)
    return f((low + high) / 2)


@case(X, 0.4)
def moving_average(x, a):
    ring = np.zeros(3)
    head = count = 0
    total = 0.0
    out = []
    for v in x:
        if count == 3:
            total -= ring[head]
        else:
            count += 1
        ring[head] = v * a
        total += ring[head]
        head = (head + 1) % 3
        out.append(total / count)
    return np.array(out)


# --- Python's own state ---------------------------------------------------------------------------


@case(X, 0.4)
def drawn_numbers(x, a):
    rng, old, own = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
    s = 0.0
    for v in x:
        s += a * rng.normal() * v + old.rand() - own.random() * a
    return s


@case(X, 0.4)
def iterators(x, a):
    numbers, fixed = itertools.count(), iter([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0])

    def means():
        total, n = 0.0, 0
        while True:
            v = yield total / max(n, 1)
            total += v
            n += 1

    running = means()
    next(running)
    s = 0.0
    for v in x:
        s += a * next(numbers) * v + next(fixed) * v + running.send(v * a)
        s += next(w for w in (1.0, 2.0) if w > 1)
    return s


@case(X, 0.4)
def standard_containers(x, a):
    window = collections.deque(maxlen=3)
    heap, counts = [5], collections.Counter()
    ordered, turning = collections.OrderedDict(u=0.0), collections.deque([1.0, 2.0, 3.0])
    out = []
    for v in x:
        window.append(v * a)
        heapq.heappush(heap, len(heap))
        counts.update(["k"])
        ordered.update(u=ordered["u"] + v * a)
        turning.rotate(1)
        out.append(sum(window) / len(window) + len(heap) * counts["k"] * turning[0] * v)
    return np.array(out), ordered["u"]


@case(X, 0.4)
@case(X, 3.0)
def deque_in_while(x, a):
    last = collections.deque([a, a + 0.1], maxlen=2)
    n = 0
    while last[-1] < 10 and n < 30:
        last.append(last[0] + last[1])
        n += 1
    return last[-1], n


class Slotted:
    __slots__ = ("__hidden", "n", "v")

    def __init__(self, v):
        self.v, self.n, self.__hidden = v, 0, 1.0

    def grow(self):
        self.v = self.v * 1.5
        self.n += 1
        self.__hidden += self.v

    def all(self):
        return self.v, self.n, self.__hidden


@case(X, 0.4)
def slots(x, a):
    s = Slotted(a)
    while s.v < 10 and s.n < 30:
        s.grow()
    if x[0] > 0:
        s.grow()
    return s.all()


# --- match and in ---------------------------------------------------------------------------------


@case(X, 0.4, 0)
@case(X, 0.4, 2)
@case(X, 0.4, 7)
@case(X, 0.4, 4)
def match_a_number(x, a, k):
    match k:
        case 0:
            return a
        case 1 | 2 as which:
            b = a * which
        case n if n > 5:
            b = n * a
        case _:
            b = -a
    return b + x[0]


@case(X, 0.4)
def match_in_a_loop(x, a):
    s = 0.0
    for v in x:
        match int(np.sign(v - a)):
            case 0:
                continue
            case -1:
                s -= v
            case other:
                s += v * other
                if s > 3:
                    break
    return s


@case(X, 0.4)
def match_structures(x, a):
    out = []
    for op in [("add", 1.0), {"mul": 2.0}, None, "neg", [1, 2, 3], ("add", -1.0)]:
        match op:
            case ("add", c) if c > 0 and len(x):
                out.append(a + c if a > 0 else a)
            case {"mul": c}:
                out.append(a * c)
            case None:
                out.append(0.0)
            case "neg":
                out.append(-a)
            case [first, *rest]:
                out.append(len(rest) * a if first else a)
    return out


@case(X, 0.4, 3)
@case(X, 0.4, 1)
def membership(x, a, k):
    odd, n = range(1, 9, 2), 0
    for v in (x * 10).astype(int):
        n += v in (3, 7, -12)
        if v not in [21, k]:
            n += 10
    return (
        (k in odd) * a, k not in range(0), (k in {3: 1}) + n, "a" in "abc", 1.0 in [a, 1.0],
        None in [a, None], x[0] in x, k in range(9, 0, -3), 0 < k in odd,
    )  # fmt: skip


# --- tables ---------------------------------------------------------------------------------------

TABLE = np.arange(12.0).reshape(3, 4) / 7


@case(X, 0.4, 1)
@case(X, 0.4, -1)
def plain_tables_at_traced_positions(x, a, k):
    weights, names = [0.1, 0.2, 0.3], (1, 2, 3)
    s = 0.0
    while s < 5 * a:
        s = s + TABLE[k, 1] + weights[k] + np.sum(TABLE[:, k])
        k = (k + 1) % 3
    for i in range(20):
        s = s + TABLE[i % 3, k] * x[i % len(x)]
    return s, TABLE[k, 1:3] * a, TABLE[k], names[k], [a, 1.0, 2 * a][k]
