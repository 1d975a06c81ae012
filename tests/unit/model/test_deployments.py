"""Which runs are runs of the deployed graph, and which deployments are kept for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multi_x_serverless.model.deployments import (
    KEEP_DEPLOYMENTS_S,
    MAXIMUM_DEPLOYMENTS,
    Deployment,
    Deployments,
    Origin,
)
from multi_x_serverless.model.graph import CallStep, Edge, Graph, Node

HOME = "us-east-1"
DAY_S = 86_400.0
NODES = (Node("a:entry_point:0", "a", sync=False), Node("b:sync:1", "b", sync=True))
GRAPH = Graph(NODES, (Edge(0, 1, (CallStep("app.py", 3, 4),), conditional=False),))


def node(index: int, **changes: str | bool) -> tuple[Node, ...]:
    changed = {"name": NODES[index].name, "function": NODES[index].function, "sync": NODES[index].sync} | changes
    other = Node(str(changed["name"]), str(changed["function"]), sync=bool(changed["sync"]))
    return tuple(other if place == index else kept for place, kept in enumerate(NODES))


def deployment(at: float, manifest_id: str, graph: Graph = GRAPH, home: str = HOME, *functions: str) -> Deployment:
    return Deployment(at, manifest_id, graph.id, home, 0.1, functions)


def test_lines_and_conditions_make_no_other_graph() -> None:
    moved = Graph(NODES, (Edge(0, 1, (CallStep("app.py", 4, 5), CallStep("lib.py", 1, 1)), conditional=True),))
    assert moved.id == GRAPH.id == GRAPH.without_lines().id
    assert len(GRAPH.id) == 12


@pytest.mark.parametrize(
    "other",
    [
        Graph(node(1, name="b:sync:2"), GRAPH.edges),
        Graph(node(1, function="c"), GRAPH.edges),
        Graph(node(1, sync=False), GRAPH.edges),
        Graph(NODES, (*GRAPH.edges, *GRAPH.edges)),
    ],
    ids=["name", "function", "sync", "a second call"],
)
def test_whatever_indices_mean_makes_another_graph(other: Graph) -> None:
    assert other.id != GRAPH.id


def test_calls_in_another_order_make_another_graph() -> None:
    nodes = (*NODES[:1], Node("c:a_0_0:1", "c", sync=False), Node("b:sync:2", "b", sync=True))
    calls = [Edge(source, target, (), conditional=False) for source, target in ((0, 1), (0, 2), (1, 2))]
    assert Graph(nodes, tuple(calls)).id != Graph(nodes, (calls[1], calls[0], calls[2])).id


def test_runs_of_a_graph_are_those_of_all_its_packages_with_the_same_home() -> None:
    other = Graph(node(1, function="c"), GRAPH.edges)
    past = Deployments()
    for at, (manifest_id, graph, home) in enumerate(
        [("m1", GRAPH, HOME), ("m2", other, HOME), ("m3", GRAPH, "us-west-2"), ("m4", GRAPH, HOME)]
    ):
        past = past.followed_by(deployment(at, manifest_id, graph, home), graph)
    assert past.manifest_ids(GRAPH.id, HOME) == {"m1", "m4"}
    assert past.manifest_ids(other.id, HOME) == {"m2"}
    assert past.origins["m2"] == Origin(other.without_lines(), HOME, 0.1)
    assert past.origins["m3"] == Origin(GRAPH.without_lines(), "us-west-2", 0.1)


def test_what_was_replaced_longer_ago_than_runs_are_kept_is_dropped() -> None:
    other = Graph(node(1, function="c"), GRAPH.edges)
    past = Deployments()
    for at, manifest_id, graph in ((0.0, "m0", other), (10 * DAY_S, "m1", GRAPH), (20 * DAY_S, "m2", GRAPH)):
        past = past.followed_by(deployment(at, manifest_id, graph), graph)
    kept = past.followed_by(deployment(10 * DAY_S + KEEP_DEPLOYMENTS_S - 1.0, "m3"), GRAPH)
    assert [entry.manifest_id for entry in kept.entries] == ["m0", "m1", "m2", "m3"], "m0 ran until day 10"
    kept = past.followed_by(deployment(10 * DAY_S + KEEP_DEPLOYMENTS_S, "m3"), GRAPH)
    assert [entry.manifest_id for entry in kept.entries] == ["m1", "m2", "m3"]
    assert set(kept.graphs) == {GRAPH.id}, "a graph that no entry names is dropped, too"


def test_no_more_than_so_many_are_kept() -> None:
    past = Deployments()
    for number in range(MAXIMUM_DEPLOYMENTS + 5):
        past = past.followed_by(deployment(float(number), f"m{number}"), GRAPH)
    assert [entry.manifest_id for entry in past.entries][:: MAXIMUM_DEPLOYMENTS - 1] == [
        "m5",
        f"m{MAXIMUM_DEPLOYMENTS + 4}",
    ]


def test_when_containers_were_replaced() -> None:
    past = Deployments((deployment(1.0, "m1", GRAPH, HOME, "a", "b"), deployment(2.0, "m1", GRAPH, HOME, "b")))
    assert past.replaced_at("a") == (1.0,)
    assert past.replaced_at("b") == (1.0, 2.0)
    assert past.replaced_at("c") == ()
    assert replace(past, entries=()).replaced_at("a") == ()


def test_when_the_first_was_made_is_known_after_it_was_dropped() -> None:
    first = Deployments().followed_by(deployment(1_000.0, "a", GRAPH, HOME, "one"), GRAPH)
    assert first.begun_at == 1_000.0
    later = first.followed_by(deployment(1_000.0 + 2 * KEEP_DEPLOYMENTS_S, "b", GRAPH, HOME, "one"), GRAPH)
    last = later.followed_by(deployment(1_000.0 + 4 * KEEP_DEPLOYMENTS_S, "c", GRAPH, HOME, "one"), GRAPH)
    assert "a" not in last.origins
    assert last.begun_at == last.without_oldest(1).begun_at == 1_000.0


def test_of_a_first_deployment_by_an_older_program_the_time_is_not_known() -> None:
    of_the_record = Deployments().followed_by(deployment(1_000.0, "a"), GRAPH)
    assert of_the_record.begun_at == 0.0
    assert of_the_record.followed_by(deployment(2_000.0, "b", GRAPH, HOME, "one"), GRAPH).begun_at == 0.0
