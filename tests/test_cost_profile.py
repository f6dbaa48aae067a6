"""Costs in closed form; profiles that name parts and lines; pictures with loops in colours."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import pytest

import functorch_like as ft
from functorch_like import graph

X = np.linspace(0.1, 1.0, 1000)


def cost(f, *args):
    return ft.jit(f).lower(*args).cost()


def counted(f, *args):
    found = cost(f, *args)
    return found.flops, found.transcendentals, found.bytes_read, found.bytes_written


def test_elementwise() -> None:
    assert counted(lambda x: x * x + 1, X) == (2000, 0, 8000, 8000)
    assert counted(lambda x, y: np.exp(np.sin(x)) * y, X, X) == (1000, 2000, 16000, 8000)
    # What is read twice is read once; comparisons and choices are no operations.
    assert counted(lambda x: np.where(x > 0, x, -x), X) == (0, 0, 8000, 8000)
    assert counted(lambda x: x[1:] - x[:-1], X) == (999, 0, 7992, 7992)


def test_integers_have_no_flops() -> None:
    assert counted(lambda n: n * n + n, np.arange(100)) == (0, 0, 800, 800)


def test_reductions() -> None:
    assert counted(np.sum, X) == (1000, 0, 8000, 8)
    assert counted(lambda x: np.sum(np.exp(x) * x), X) == (2000, 1000, 8000, 8)
    assert counted(lambda m: np.max(m, axis=1), np.ones((50, 40))) == (2000, 0, 16000, 400)


def test_products() -> None:
    a, b = np.ones((30, 40)), np.ones((40, 50))
    assert counted(np.matmul, a, b) == (2 * 30 * 40 * 50, 0, 8 * (1200 + 2000), 8 * 1500)
    assert counted(np.matmul, a, np.ones(40)) == (2 * 30 * 40, 0, 8 * 1240, 8 * 30)
    assert counted(np.matmul, np.ones((3, 3)), np.ones((3, 3)))[0] == 2 * 27
    batch = cost(np.matmul, np.ones((7, 20, 30)), np.ones((7, 30, 20)))
    assert batch.flops == 2 * 7 * 20 * 30 * 20
    assert [e.kind for e in batch.entries] == ["gemm"]


def test_small_arrays_written_out() -> None:
    assert counted(lambda x: x * x + 1, np.ones(4))[0] == 8
    assert counted(lambda x: np.exp(x).sum(), np.ones(4))[:2] == (4, 4)


def test_gather_reads_what_it_takes() -> None:
    found = counted(lambda x, i: x[i], X, np.arange(20))
    assert found == (0, 0, 160 + 160, 160)


def test_loops_and_branches() -> None:
    def f(s, xs):
        return ft.scan(lambda s, x: (s * 0.9 + x, s), s, xs)

    found = cost(f, 0.0, X)
    assert found.flops == 2000
    (scan,) = (e for e in found.entries if e.kind == "scan")
    assert scan.bytes_read == 8000 and scan.bytes_written >= 8000
    assert {"scan", "multiply", "add"} <= set(scan.primitives)
    # A branch costs as much as its longest side, a while loop as much as a step.
    either = cost(lambda k, x: ft.switch(k, [lambda x: x, np.exp], x), np.int64(0), X)
    assert either.transcendentals == 1000
    loop = cost(lambda x: ft.while_loop(lambda x: x[0] < 1, lambda x: x * 2.0, x), X)
    assert loop.flops == 1000


def test_library_calls() -> None:
    a = np.eye(60) * 3
    assert cost(np.linalg.cholesky, a).flops == 60**3 // 3
    assert cost(np.linalg.solve, a, np.ones(60)).flops == 2 * 60**3 // 3 + 2 * 60**2


def test_memory() -> None:
    assert cost(lambda x: np.sin(x) + 1, X).memory == 0
    assert cost(lambda a: np.sin(a @ a) @ a, np.ones((40, 40))).memory >= 8 * 1600


def test_totals_are_sums() -> None:
    found = cost(ft.grad(lambda a: np.sum(np.tanh(a @ a) @ a)), np.ones((40, 40)))
    for field in ("flops", "transcendentals", "bytes_read", "bytes_written"):
        assert getattr(found, field) == sum(getattr(e, field) for e in found.entries)


# --- profiles


def model(w, x):
    h = np.tanh(x @ w)
    return np.sum(h**2)


W, V = np.ones((60, 50)) / 60, np.ones((70, 60))


def test_profile() -> None:
    found = ft.jit(ft.value_and_grad(model)).profile(W, V, repeat=3)
    assert found.runs == 3
    kinds = [e.cost.kind for e in found.entries]
    assert kinds.count("gemm") == 2 and "loop" in kinds
    assert all(e.seconds >= 0 for e in found.entries) and found.seconds > 0
    first = found.entries[0]
    assert first.cost.flops == 2 * 60 * 50 * 70
    assert re.search(r"test_cost_profile\.py:\d+: h = np\.tanh\(x @ w\)", first.lines[0])
    assert found.entries[-1].lines == ("(derivative)",)
    text = repr(found)
    assert "model: " in text and "GFLOP/s" in text and "h = np.tanh(x @ w)" in text
    assert len(text.split("\n")) == 2 + len(found.entries)


def test_profile_runs_as_often_as_there_is_time_for() -> None:
    assert 3 <= ft.jit(np.sin).profile(X).runs <= 1000


def test_profile_of_loops_and_host_steps() -> None:
    def f(s, a):
        s, _ = ft.scan(lambda s, _: (s * 0.5 + 1, None), s, None, length=20)
        return s + np.linalg.slogdet(a)[1]

    found = ft.jit(f).profile(1.0, W.T @ W + np.eye(50), repeat=2)
    kinds = [e.cost.kind for e in found.entries]
    assert "scan" in kinds and "host" in kinds
    (scan,) = (e for e in found.entries if e.cost.kind == "scan")
    assert any("ft.scan" in line for line in scan.lines)


def test_profile_of_an_error() -> None:
    f = ft.jit(lambda x, i: x[i])
    with pytest.raises(IndexError):
        f.profile(X, np.array([5000]))
    assert not graph.keep_lines


def test_lines_are_kept_only_for_profiles() -> None:
    assert all(e.line is None for e in ft.make_graph(model)(W, V).equations)


def test_profile_of_static_arguments() -> None:
    f = ft.jit(lambda x, n: x * n, static_argnums=1)
    assert f.profile(X, 3, repeat=1).runs == 1


# --- pictures


def test_picture_of_loops(tmp_path: pathlib.Path) -> None:
    lowered = ft.jit(ft.value_and_grad(model)).lower(W, V)
    groups = lowered._executable.groups()
    names = [e.primitive.name for e in lowered.graph.equations]
    by_name = {names[place]: group for place, group in groups.items()}
    assert by_name["tanh"] == by_name["reduce_sum"]
    assert by_name["contract"] != by_name["tanh"]
    file = tmp_path / "picture.svg"
    assert lowered.show(file) == str(file)
    assert file.read_text() == lowered._repr_svg_() != lowered.graph._repr_svg_()
    assert lowered._repr_svg_() in lowered._repr_html_()
