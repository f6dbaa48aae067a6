"""Pictures of graphs: equations as boxes in layers, drawn as SVG.

An equation stands one layer below the last of its operands. Within the layers boxes are ordered
by the means of their neighbours' places (Sugiyama, Tagawa and Toda, 1981) and set as near to
them as they can be without overlapping, which is an isotonic regression. Edges over a few
layers have a place of their own in each; longer ones run faintly behind the boxes, which name
their operands.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["show", "to_html", "to_svg"]

LINE, CHARACTER, PADDING = 16, 7.3, 9  # of the text in a box, in pixels
GAP, LAYER_GAP, MARGIN = 18, 34, 24  # between boxes, between layers, around the picture
LONGEST_TEXT = 46
LONG = 5  # edges over more layers than this are faint
SWEEPS = 6

FILLS = {"input": "#e8f1fb", "constant": "#f1f1f1", "equation": "#ffffff", "return": "#eaf6ea"}
GROUPS = (
    "#f6c667", "#8fc1e3", "#a5d6a0", "#f2a0a1", "#c3a6d8",
    "#f5b48a", "#8fd3cb", "#e3d17a", "#e8a9cf", "#b5c3cf",
)  # fmt: skip


class _Node:
    """A box, or (without text) a place that an edge passes through."""

    __slots__ = ("above", "below", "center", "group", "kind", "layer", "lines", "tip", "top")

    def __init__(self, kind: str, lines: Sequence[str], tip: str = "") -> None:
        self.kind = kind
        self.lines = [t if len(t) <= LONGEST_TEXT else t[: LONGEST_TEXT - 1] + "…" for t in lines]
        self.tip = tip
        self.above: list[_Node] = []
        self.below: list[_Node] = []
        self.group: Hashable = None
        self.layer = 0
        self.center = 0.0
        self.top = 0.0

    @property
    def width(self) -> float:
        if not self.lines:
            return 0.0
        return max(map(len, self.lines)) * CHARACTER + 2 * PADDING

    @property
    def height(self) -> float:
        return len(self.lines) * LINE + 2 * PADDING - 4 if self.lines else 0.0


def to_svg(graph: Any, groups: Mapping[int, Hashable] | None = None) -> str:
    """Draw a graph.

    Parameters
    ----------
    graph
        The ``Graph``.
    groups
        A group for the positions of some equations; each group has a colour, and the edges
        inside it are drawn broad.

    Returns
    -------
    str
        An SVG document.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> to_svg(ft.make_graph(np.sin)(np.zeros(3)))[:40]
    '<svg xmlns="http://www.w3.org/2000/svg" '
    """
    nodes, edges = _nodes(graph, groups or {})
    _assign_layers(nodes)
    layers = _with_places(nodes, edges)
    _order(layers)
    _place(layers)
    return _drawn(nodes, edges)


def to_html(graph: Any, groups: Mapping[int, Hashable] | None = None) -> str:
    """The picture on a page of its own, above the program as text."""
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"/><title>graph</title></head><body>\n'
        f"{to_svg(graph, groups)}\n<pre>{escape(repr(graph))}</pre>\n</body></html>\n"
    )


def show(graph: Any, path: Any = None, groups: Mapping[int, Hashable] | None = None) -> str:
    """Write the picture to a file, or to a temporary one that the browser opens."""
    import os
    import pathlib
    import tempfile
    import webbrowser

    temporary = path is None
    if temporary:
        handle, path = tempfile.mkstemp(prefix="graph-", suffix=".html")
        os.close(handle)
    file = pathlib.Path(path)
    draw = to_svg if file.suffix == ".svg" else to_html
    file.write_text(draw(graph, groups), encoding="utf-8")
    if temporary:
        webbrowser.open(file.absolute().as_uri())
    return str(file)


class _Edge:
    """From one box to another, through places in the layers between."""

    __slots__ = ("places", "source", "target")

    def __init__(self, source: _Node, target: _Node) -> None:
        self.source = source
        self.target = target
        self.places: list[_Node] = []


def _nodes(graph: Any, groups: Mapping[int, Hashable]) -> tuple[list[_Node], list[_Edge]]:
    names = graph.names()
    nodes: list[_Node] = []
    edges: list[_Edge] = []
    makers: dict[Any, _Node] = {}

    def typed(var: Any) -> str:
        return f"{names[var]}: {var.aval}"

    def shown(x: Any) -> str:
        return names[x] if x in names else _number(x.value)

    def add(node: _Node, operands: Sequence[Any]) -> _Node:
        nodes.append(node)
        sources = {makers[x]: None for x in operands if x in makers}  # once, in order
        for source in sources:
            edges.append(_Edge(source, node))
            source.below.append(node)
            node.above.append(source)
        return node

    for kind, variables in (("input", graph.inputs), ("constant", graph.constants)):
        for var in variables:
            makers[var] = add(_Node(kind, [typed(var)], kind), ())
    for i, equation in enumerate(graph.equations):
        inputs = " ".join(map(shown, equation.inputs))
        params = ", ".join(f"{k}={_short(v)}" for k, v in equation.params.items())
        lines = [f"{equation.primitive.name} {inputs}", ", ".join(map(typed, equation.outputs))]
        if params:
            lines.insert(1, params)
        node = add(_Node("equation", lines, f"{i}: {' | '.join(lines)}"), equation.inputs)
        node.group = groups.get(i)
        makers.update(dict.fromkeys(equation.outputs, node))
    add(_Node("return", ["return " + ", ".join(map(shown, graph.outputs))]), graph.outputs)
    return nodes, edges


def _number(value: Any) -> str:
    return str(value.item() if hasattr(value, "item") else value)


def _short(value: Any) -> str:
    equations = getattr(value, "equations", None)
    if equations is not None:
        return f"graph of {len(equations)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))}{',' * (len(value) == 1)})"
    if isinstance(value, slice):
        parts = [value.start, value.stop, *([] if value.step is None else [value.step])]
        return ":".join("" if p is None else str(p) for p in parts)
    return getattr(value, "__name__", None) or str(value)


def _assign_layers(nodes: Sequence[_Node]) -> None:
    for node in nodes:  # in an order in which operands come first
        node.layer = 1 + max((above.layer for above in node.above), default=-1)
    for node in reversed(nodes):  # what needs nothing stands next to its first reader
        if not node.above and node.below:
            node.layer = min(below.layer for below in node.below) - 1
    nodes[-1].layer = max(node.layer for node in nodes[:-1]) + 1 if len(nodes) > 1 else 0


def _with_places(nodes: Sequence[_Node], edges: Sequence[_Edge]) -> list[list[_Node]]:
    """Boxes and places by layer; boxes know the neighbours in the layers next to theirs."""
    layers: list[list[_Node]] = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
        node.above, node.below = [], []
    for edge in edges:
        span = edge.target.layer - edge.source.layer
        if span > LONG:
            continue
        last = edge.source
        for layer in range(edge.source.layer + 1, edge.target.layer):
            place = _Node("place", [])
            place.layer = layer
            layers[layer].append(place)
            edge.places.append(place)
            last.below.append(place)
            place.above.append(last)
            last = place
        last.below.append(edge.target)
        edge.target.above.append(last)
    return layers


def _order(layers: list[list[_Node]]) -> None:
    """Sort each layer by the mean place of the neighbours above, then below, by turns."""
    at = {node: float(i) for layer in layers for i, node in enumerate(layer)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            for node in layer:
                near = node.above if down else node.below
                if near:
                    at[node] = sum(at[x] for x in near) / len(near)
            layer.sort(key=at.__getitem__)
            at.update((node, float(i)) for i, node in enumerate(layer))


def _place(layers: Sequence[Sequence[_Node]]) -> None:
    for layer in layers:
        _settle(layer, [0.0] * len(layer))
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = []
            for node in layer:
                near = node.above + node.below
                mean = sum(x.center for x in near) / len(near) if near else node.center
                wanted.append(mean)
            _settle(layer, wanted)
    top = 0.0
    for layer in layers:
        height = max(node.height for node in layer)
        for node in layer:
            node.top = top + (height - node.height) / 2
        top += height + LAYER_GAP
    left = min(node.center - node.width / 2 for layer in layers for node in layer)
    for layer in layers:
        for node in layer:
            node.center += MARGIN - left
            node.top += MARGIN


def _settle(layer: Sequence[_Node], wanted: Sequence[float]) -> None:
    """Centers nearest to the wanted ones (least squares) for boxes that keep order and gaps."""
    offsets = [0.0]
    for left, right in itertools.pairwise(layer):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    # Without the offsets centers may not decrease: pool neighbours that would, and average.
    pools: list[list[float]] = []  # [mean, size]
    for center, offset in zip(wanted, offsets, strict=True):
        pools.append([center - offset, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, size = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + mean * size) / (before[1] + size)
            before[1] += size
    settled = [mean for mean, size in pools for _ in range(int(size))]
    for node, mean, offset in zip(layer, settled, offsets, strict=True):
        node.center = mean + offset


# --------------------------------------------------------------------------------------
# Drawing


def _drawn(nodes: Sequence[_Node], edges: Sequence[_Edge]) -> str:
    width = max(node.center + node.width / 2 for node in nodes) + MARGIN
    width = max(width, *(p.center + MARGIN for e in edges for p in e.places), 0.0)
    height = max(node.top + node.height for node in nodes) + MARGIN
    known = dict.fromkeys(node.group for node in nodes if node.group is not None)
    colours = {group: GROUPS[i % len(GROUPS)] for i, group in enumerate(known)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    for edge in edges:
        group = edge.source.group
        if group is not None and group == edge.target.group:
            parts.append(_path(edge, f'stroke="{colours[group]}" stroke-width="16"'))
    for node in nodes:
        if node.group is not None:
            parts.append(_rectangle(node, 7, f'fill="{colours[node.group]}"'))
    for edge in edges:
        faint = edge.target.layer - edge.source.layer > LONG
        parts.append(_path(edge, f'stroke="{"#d8d8d8" if faint else "#7a7a7a"}"'))
    labelled: set[Hashable] = set()
    for node in nodes:
        parts.append(_box(node))
        if node.group is not None and node.group not in labelled:
            labelled.add(node.group)
            parts.append(
                f'<text x="{node.center - node.width / 2:.1f}" y="{node.top - 9:.1f}" '
                f'fill="#555" font-size="10">group {escape(str(node.group))}</text>'
            )
    return "\n".join([*parts, "</svg>"])


def _path(edge: _Edge, style: str) -> str:
    """A smooth line, vertical at every box and place."""
    source, target = edge.source, edge.target
    points = [(source.center, source.top + source.height)]
    points += [(place.center, place.top) for place in edge.places]
    points.append((target.center, target.top))
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (y0 + y1) / 2
        text += f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path class="edge" d="{text}" fill="none" {style}/>'


def _rectangle(node: _Node, margin: float, style: str) -> str:
    return (
        f'<rect x="{node.center - node.width / 2 - margin:.1f}" y="{node.top - margin:.1f}" '
        f'width="{node.width + 2 * margin:.1f}" height="{node.height + 2 * margin:.1f}" '
        f'rx="{4 + margin}" {style}/>'
    )


def _box(node: _Node) -> str:
    style = f'fill="{FILLS[node.kind]}" stroke="#555"'
    lines = [f"<g><title>{escape(node.tip)}</title>", _rectangle(node, 0, style)]
    left = node.center - node.width / 2 + PADDING
    for i, line in enumerate(node.lines):
        bold = ' font-weight="bold"' if i == 0 and node.kind == "equation" else ""
        grey = ' fill="#777"' if i == 1 and len(node.lines) == 3 else ""
        y = node.top + PADDING + LINE * i + 10
        lines.append(f'<text x="{left:.1f}" y="{y:.1f}"{bold}{grey}>{escape(line)}</text>')
    return "".join([*lines, "</g>"])
