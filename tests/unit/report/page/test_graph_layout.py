"""Where nodes and edges are drawn: for any graph nothing overlaps, and all calls go down."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.report.page.graph_drawing import fit
from multi_x_serverless.report.page.graph_layout import NODE_HEIGHT, NODE_WIDTH, lay_out
from tests.unit.report.page.reports import GRAPH, graph_of, large_report


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph of up to 15 nodes; each but the first is called by one or several before it, by some twice."""
    count = draw(st.integers(1, 15))
    edges = []
    for node in range(1, count):
        callers = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3))
        edges += [(caller, node) for caller in callers]
    return graph_of([f"node{number}" for number in range(count)], edges)


@given(graphs())
def test_nodes_do_not_overlap_and_calls_go_down(graph: Graph) -> None:
    layout = lay_out(graph)
    for (x, y), (other_x, other_y) in combinations(layout.nodes, 2):
        assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT
    for x, y in layout.nodes:
        assert 0 <= x <= layout.width - NODE_WIDTH
        assert 0 <= y <= layout.height - NODE_HEIGHT
    for edge, path in zip(graph.edges, layout.edges, strict=True):
        (from_x, from_y), (to_x, to_y) = layout.nodes[edge.source], layout.nodes[edge.target]
        assert from_x < path[0][0] < from_x + NODE_WIDTH
        assert path[0][1] == from_y + NODE_HEIGHT
        assert to_x < path[-1][0] < to_x + NODE_WIDTH
        assert path[-1][1] == to_y
        assert all(before[1] < after[1] for before, after in pairwise(path))


@given(graphs())
def test_no_two_calls_lie_on_each_other(graph: Graph) -> None:
    assert len(set(lay_out(graph).edges)) == len(graph.edges)


def test_a_call_over_several_layers_passes_beside_the_nodes_between() -> None:
    layout = lay_out(GRAPH)
    path = layout.edges[7]  # from the entry to the join, three layers below
    for x, y in path[1:-1]:
        assert not any(left <= x <= left + NODE_WIDTH and top <= y <= top + NODE_HEIGHT for left, top in layout.nodes)


def test_crossings_that_need_not_be_are_undone() -> None:
    graph = graph_of(("a", "b", "c", "d", "e"), ((0, 1), (0, 2), (2, 3), (1, 4)))
    nodes = lay_out(graph).nodes
    assert (nodes[1][0] < nodes[2][0]) == (nodes[4][0] < nodes[3][0])


def test_a_wide_layer_goes_on_in_another_row() -> None:
    layout = lay_out(large_report().graph)
    assert layout.width <= 1300.0


def test_names_are_cut_in_the_middle() -> None:
    assert fit("short", 9) == "short"
    assert fit("function_12", 9) == "func…n_12"
    assert fit("\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57", 9) == "\u6f22\u5b57…\u6f22\u5b57"
    assert fit("a\x00b", 9) == "a\\x00b"
