"""Where the nodes and edges of a workflow's graph are drawn: layers from top to bottom.

A node is one layer below the lowest of those that call it (longest paths); within layers, barycentres of neighbours
order them, so that few edges cross. An edge over several layers takes a narrow place in each, so that it passes between
nodes and not behind them. A layer that is too wide goes on in a further row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TypeAlias

from multi_x_serverless.model.graph import Graph

NODE_WIDTH, NODE_HEIGHT = 180.0, 48.0
_PASSAGE_WIDTH = 10.0  # of an edge that passes a layer
_GAP, _ROW_GAP = 16.0, 44.0
_WIDEST_ROW = 1200.0
_MARGIN = 8.0
_SWEEPS = 4

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class GraphLayout:
    """Pixels, from the top left corner.

    Attributes:
        nodes: Top left corner of each node, in the order of the graph.
        edges: Points of each edge, in the order of the graph: from below its source to above its target.
    """

    width: float
    height: float
    nodes: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class _Place:
    """A node (`node` of the graph), or an edge that passes a layer (`edge`)."""

    node: int | None
    edge: int | None
    layer: int

    @property
    def width(self) -> float:
        return _PASSAGE_WIDTH if self.node is None else NODE_WIDTH


def lay_out(graph: Graph) -> GraphLayout:
    """Lay a graph out; equal graphs give equal layouts."""
    layers_of_nodes = _layers(graph)
    chains = _chains(graph, layers_of_nodes)
    layers: list[list[_Place]] = [[] for _ in range(max(layers_of_nodes) + 1)]
    for place in dict.fromkeys(place for chain in chains for place in chain):
        layers[place.layer].append(place)
    for index, layer in enumerate(layers_of_nodes):
        lonely = _Place(index, None, layer)
        if lonely not in layers[layer]:
            layers[layer].append(lonely)
    ordered = _ordered(layers, chains)
    corners, width, height = _corners(ordered)
    nodes = tuple(corners[_Place(index, None, layer)] for index, layer in enumerate(layers_of_nodes))
    return GraphLayout(width, height, nodes, _paths(graph, chains, corners))


def _layers(graph: Graph) -> list[int]:
    """Layer of each node; nodes are in topological order."""
    layers = [0] * len(graph.nodes)
    for index in range(len(graph.nodes)):
        for edge in graph.incoming[index]:
            layers[index] = max(layers[index], layers[graph.edges[edge].source] + 1)
    return layers


def _chains(graph: Graph, layers: Sequence[int]) -> list[list[_Place]]:
    """For each edge its source, a place in each layer that it passes, and its target."""
    return [
        [
            _Place(edge.source, None, layers[edge.source]),
            *(_Place(None, index, layer) for layer in range(layers[edge.source] + 1, layers[edge.target])),
            _Place(edge.target, None, layers[edge.target]),
        ]
        for index, edge in enumerate(graph.edges)
    ]


def _ordered(layers: list[list[_Place]], chains: Sequence[Sequence[_Place]]) -> list[list[_Place]]:
    """Layers in which every place is near its neighbours: sweeps down and up, by barycentres."""
    above: dict[_Place, list[_Place]] = {}
    below: dict[_Place, list[_Place]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    ordered = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for layer in ordered if sweep % 2 == 0 else reversed(ordered):
            position = {place: (rank + 0.5) / len(other) for other in ordered for rank, place in enumerate(other)}
            layer.sort(key=lambda place: _barycentre(place, neighbours, position))
    return ordered


def _barycentre(
    place: _Place, neighbours: Mapping[_Place, Sequence[_Place]], position: Mapping[_Place, float]
) -> float:
    near = neighbours.get(place)
    return fmean(position[other] for other in near) if near else position[place]


def _corners(layers: Sequence[Sequence[_Place]]) -> tuple[dict[_Place, Point], float, float]:
    """Top left corner of every place, and width and height of all."""
    rows: list[list[_Place]] = []
    for layer in layers:
        row: list[_Place] = []
        for place in layer:
            if row and _row_width([*row, place]) > _WIDEST_ROW:
                rows.append(row)
                row = []
            row.append(place)
        rows.append(row)
    width = max(_row_width(row) for row in rows) + 2 * _MARGIN
    corners: dict[_Place, Point] = {}
    top = _MARGIN
    for row in rows:
        left = (width - _row_width(row)) / 2
        for place in row:
            corners[place] = (left, top)
            left += place.width + _GAP
        top += NODE_HEIGHT + _ROW_GAP
    return corners, width, top - _ROW_GAP + _MARGIN


def _row_width(row: Sequence[_Place]) -> float:
    return sum(place.width for place in row) + _GAP * (len(row) - 1)


def _paths(
    graph: Graph, chains: Sequence[Sequence[_Place]], corners: Mapping[_Place, Point]
) -> tuple[tuple[Point, ...], ...]:
    """Edges leave and reach nodes side by side, in the order of where they go and come from."""
    leaves, reaches = {}, {}
    for index in range(len(graph.nodes)):
        outgoing = sorted(graph.outgoing[index], key=lambda edge: (corners[chains[edge][1]][0], edge))
        incoming = sorted(graph.incoming[index], key=lambda edge: (corners[chains[edge][-2]][0], edge))
        leaves.update({edge: (rank + 1) / (len(outgoing) + 1) for rank, edge in enumerate(outgoing)})
        reaches.update({edge: (rank + 1) / (len(incoming) + 1) for rank, edge in enumerate(incoming)})
    paths = []
    for index, chain in enumerate(chains):
        (from_x, from_y), (to_x, to_y) = corners[chain[0]], corners[chain[-1]]
        path = [(from_x + NODE_WIDTH * leaves[index], from_y + NODE_HEIGHT)]
        for passed in chain[1:-1]:
            x, y = corners[passed]
            path += [(x + _PASSAGE_WIDTH / 2, y), (x + _PASSAGE_WIDTH / 2, y + NODE_HEIGHT)]
        path.append((to_x + NODE_WIDTH * reaches[index], to_y))
        paths.append(tuple(path))
    return tuple(paths)
