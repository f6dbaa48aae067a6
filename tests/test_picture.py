"""Pictures of graphs: well-formed, complete, without overlaps, quick."""

from __future__ import annotations

import itertools
import pathlib
import time
import webbrowser
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from test_random_programs import programs, run

import functorch_like as ft
from functorch_like.compilation.simplify import simplify
from functorch_like.graph import Graph
from functorch_like.graph_picture import to_svg

SVG = "{http://www.w3.org/2000/svg}"
M = np.arange(12.0).reshape(3, 4) / 7


def boxes(root: ElementTree.Element) -> list[tuple[tuple[float, ...], list[str]]]:
    """Left, top, right and bottom of each box, and its lines."""
    found = []
    for g in root.iter(f"{SVG}g"):
        (rect,) = g.findall(f"{SVG}rect")
        x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        found.append(((x, y, x + w, y + h), [t.text or "" for t in g.findall(f"{SVG}text")]))
    return found


def check(graph: Graph, groups: dict | None = None) -> ElementTree.Element:
    root = ElementTree.fromstring(to_svg(graph, groups))
    drawn = boxes(root)
    names = graph.names()
    assert len(drawn) == len(graph.inputs) + len(graph.constants) + len(graph.equations) + 1
    text = "\n".join(line for _, lines in drawn for line in lines)
    for var, name in names.items():
        assert f"{name}: {var.aval}" in text or "…" in text
    for (a, _), (b, _) in itertools.combinations(drawn, 2):
        apart = a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
        assert apart, (a, b)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for (left, top, right, bottom), _ in drawn:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
    return root


def example() -> Graph:
    def loss(w, x):
        return np.mean((np.tanh(x @ w + M[0, :2]) - 1) ** 2)

    return ft.make_graph(ft.grad(loss))(np.ones((4, 2)), M)


def test_boxes_and_edges() -> None:
    graph = example()
    root = check(graph)
    edges = [p for p in root.iter(f"{SVG}path") if p.attrib["class"] == "edge"]
    makers = {v: k for k, e in enumerate(graph.equations) for v in e.outputs}
    makers.update((v, v) for v in (*graph.inputs, *graph.constants))
    pairs = {(makers[x], k) for k, e in enumerate(graph.equations) for x in e.inputs if x in makers}
    assert len(edges) == len(pairs) + len(set(graph.outputs))
    lines = [lines for _, lines in boxes(root)]
    names = graph.names()
    assert ["tanh " + names[graph.equations[2].inputs[0]]] == [
        line[0] for line in lines if line[0].startswith("tanh")
    ]
    assert any(line[0].startswith("subtract 1.0") for line in lines)
    assert lines[-1] == [f"return {names[graph.outputs[0]]}"]


def test_operands_stand_above() -> None:
    graph = ft.make_graph(lambda x: np.sin(np.cos(x)) + x)(M)
    tops = {lines[0].split()[0]: box[1] for box, lines in boxes(check(graph))}
    assert tops["a:"] < tops["cos"] < tops["sin"] < tops["add"] < tops["return"]


def test_groups_are_coloured() -> None:
    graph = example()
    root = check(graph, {0: "first", 1: "first", 2: "first", 5: 7})
    fills = [r.attrib["fill"] for r in root.iter(f"{SVG}rect")]
    assert fills.count("#f6c667") == 3 and fills.count("#8fc1e3") == 1
    labels = [t.text for t in root.iter(f"{SVG}text") if (t.text or "").startswith("group ")]
    assert sorted(labels) == ["group 7", "group first"]


def test_text_is_escaped_and_cut() -> None:
    def strange(x):
        return x

    strange.__name__ = "a<b & c>d" * 9
    box = ft.wrap(strange, result=ft.ShapedArray((3, 4), float))
    root = check(ft.make_graph(lambda x: box(x) < 1)(M))
    assert any("…" in line and "a<b & c" in line for _, lines in boxes(root) for line in lines)


def test_small_graphs() -> None:
    for f in (lambda x: x, lambda x: (), lambda x: 1.0, lambda x: (x, x)):
        check(ft.make_graph(f)(M))
    check(ft.make_graph(lambda: np.float64(1.0))())


@given(program=programs())
@settings(max_examples=30)
def test_random_programs(program: list[tuple]) -> None:
    gradient = ft.grad(lambda x: np.sum(run(program, x, x.T)))
    graph = ft.make_graph(gradient)(M[:, :3])
    check(graph, {i: i // 4 for i in range(len(graph.equations))})
    check(simplify(graph))


def test_five_hundred_equations_in_a_second() -> None:
    def f(x):
        y = x
        for _ in range(40):
            y = np.sin(y * x) + x[::-1] * 0.5
        return np.sum(y)

    graph = ft.make_graph(ft.grad(f))(M[0])
    assert len(graph.equations) >= 500
    start = time.perf_counter()
    to_svg(graph)
    assert time.perf_counter() - start < 1.0


def test_show(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    graph = example()
    assert graph.show(tmp_path / "graph.svg") == str(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == to_svg(graph)
    groups = {0: 0}
    graph.show(str(tmp_path / "graph.html"), groups=groups)
    page = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert to_svg(graph, groups) in page and "contract[" in page and not opened
    path = pathlib.Path(graph.show())
    assert opened == [path.as_uri()] and "<svg" in path.read_text(encoding="utf-8")
    path.unlink()


def test_notebooks_show_the_picture_of_all_but_large_graphs() -> None:
    graph = example()
    assert graph._repr_svg_() == to_svg(graph)

    def long(x):
        for _ in range(201):
            x = np.sin(x)
        return x

    assert ft.make_graph(long)(M)._repr_svg_() is None
