"""The workflow's graph as a picture, each node in the colour and with the letter of its region."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.report.page.graph_layout import NODE_HEIGHT, NODE_WIDTH, Point, lay_out
from multi_x_serverless.report.page.markup import Markup, element, number
from multi_x_serverless.report.page.region_keys import RegionKey
from multi_x_serverless.report.wording import counted, printable

_CHIP = 34.0  # width of the area with the region's letter
_NAME_CELLS = 15
"""Characters of a name for which there is room; wide ones count twice. Where letters are wider than most, the rest is
cut off, and the name is whole in the tooltip and in the table."""


def draw_graph(graph: Graph, placement: Sequence[str], keys: Mapping[str, RegionKey]) -> Markup:
    """The graph with the regions of one hour.

    Args:
        placement: Region of each node, in the order of the graph.
        keys: Region -> what stands for it.
    """
    layout = lay_out(graph)
    joins = sum(node.sync for node in graph.nodes)
    edges = [
        element(
            "path",
            d=_curve(path),
            class_="call conditional" if edge.conditional else "call",
            marker_end="url(#arrow)",
        )
        for edge, path in zip(graph.edges, layout.edges, strict=True)
    ]
    nodes = [
        _node(graph, index, corner, keys[region])
        for index, (corner, region) in enumerate(zip(layout.nodes, placement, strict=True))
    ]
    return element(
        "svg",
        element("title", "Graph of the workflow", id="graph-title"),
        element(
            "desc",
            f"{counted(len(graph.nodes), 'node')} in layers from the entry at the top, "
            f"{counted(len(graph.edges), 'call')} between them, {counted(joins, 'join')}. "
            "The table of placements says the same in words.",
            id="graph-description",
        ),
        _arrow(),
        *edges,
        *nodes,
        class_="graph",
        role="img",
        aria_labelledby="graph-title graph-description",
        viewBox=f"0 0 {number(layout.width)} {number(layout.height)}",
        width=layout.width,
        height=layout.height,
    )


def _arrow() -> Markup:
    tip = element("path", d="M0 0L8 4L0 8z", class_="tip")
    return element(
        "defs",
        element(
            "marker", tip, id="arrow", viewBox="0 0 8 8", refX=8, refY=4, markerWidth=8, markerHeight=8, orient="auto"
        ),
    )


def _node(graph: Graph, index: int, corner: Point, key: RegionKey) -> Markup:
    node = graph.nodes[index]
    kind = "entry" if index == 0 else "join" if node.sync else ""
    x, y = corner
    inner = (
        element("rect", x=x + 3, y=y + 3, width=NODE_WIDTH - 6, height=NODE_HEIGHT - 6, rx=4, class_="inner")
        if node.sync
        else None
    )
    return element(
        "g",
        element("title", f"{node.name}{f', {kind}' if kind else ''}"),
        element("rect", x=x, y=y, width=NODE_WIDTH, height=NODE_HEIGHT, rx=6, class_="box"),
        element("path", d=_chip(x, y), class_="chip"),
        inner,
        element("text", key.letter, x=x + _CHIP / 2, y=y + NODE_HEIGHT / 2 + 5, class_="letter"),
        # A picture within the picture cuts off what does not fit.
        element(
            "svg",
            element("text", fit(node.function, _NAME_CELLS), x=0, y=20, class_="name"),
            element("text", key.region, x=0, y=37, class_="place"),
            x=x + _CHIP + 8,
            y=y,
            width=NODE_WIDTH - _CHIP - 12,
            height=NODE_HEIGHT,
        ),
        class_=f"node {key.style_class}",
        data_node=index,
    )


def _chip(x: float, y: float) -> str:
    """The left part of a node's box, round at its left corners."""
    bottom, right = y + NODE_HEIGHT, x + _CHIP
    return (
        f"M{number(x + 6)} {number(y)}H{number(right)}V{number(bottom)}H{number(x + 6)}"
        f"a6 6 0 0 1-6-6V{number(y + 6)}a6 6 0 0 1 6-6z"
    )


def _curve(path: Sequence[Point]) -> str:
    """Through the points, leaving and reaching each vertically."""
    x, y = path[0]
    parts = [f"M{number(x)} {number(y)}"]
    for next_x, next_y in path[1:]:
        if next_x == x:
            parts.append(f"V{number(next_y)}")
        else:
            middle = number((y + next_y) / 2)
            parts.append(f"C{number(x)} {middle} {number(next_x)} {middle} {number(next_x)} {number(next_y)}")
        x, y = next_x, next_y
    return "".join(parts)


def fit(name: str, cells: int) -> str:
    """A name cut in its middle to so many cells of the width of a Latin letter: names often begin alike."""
    shown = printable(name)
    if sum(map(_cells, shown)) <= cells:
        return shown
    tail = (cells - 1) // 2
    return f"{_start(shown, cells - 1 - tail)}…{_start(shown[::-1], tail)[::-1]}"


def _start(name: str, cells: int) -> str:
    """As many of the first characters as there is room for."""
    kept = ""
    for character in name:
        cells -= _cells(character)
        if cells < 0:
            break
        kept += character
    return kept


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
