"""What callers wait for in observed runs, and that the solver counts it where a call goes elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import (
    BANDWIDTH_BYTES_PER_S,
    INLINE_PAYLOAD_LIMIT_BYTES,
    MESSAGE_ENVELOPE_BYTES,
)
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.waiting import Awaited, Waits, waits_of
from tests.unit.solving.workflows import HOME, embedded_signals, observed_runs, workflow

NEAR, FAR = HOME, "us-west-1"
SIGNALS = embedded_signals()
GRAPH = Graph(
    (Node("a", "a", False), Node("b", "b", False), Node("c", "c", False), Node("join", "join", True)),
    (Edge(0, 1, (), False), Edge(0, 2, (), True), Edge(1, 3, (), False), Edge(2, 3, (), False)),
)


def added_s() -> float:
    there, here = (SIGNALS.performance[NEAR].round_trip_to(region) for region in (FAR, NEAR))
    assert there is not None
    assert here is not None
    return there.seconds - here.seconds


ADDED_S = added_s()
MESSAGE_S = MESSAGE_ENVELOPE_BYTES / BANDWIDTH_BYTES_PER_S


def node(returned_s: float | None, duration_s: float, region: str = NEAR) -> NodeObservation:
    return NodeObservation(region, duration_s, 0.01, False, {}, {}, 0.0, 0.0, returned_s=returned_s)


def call(offset_s: float | None, publish_s: float | None, size: float = 0.0, closes: bool = False) -> EdgeObservation:
    return EdgeObservation(True, size, offset_s, None, publish_s, closes)


DECLINED = EdgeObservation(False, 0.0, 0.4, None)


def waits(
    nodes: dict[int, NodeObservation],
    edges: dict[int, EdgeObservation],
    *,
    performance: dict[str, PerformanceSignal] | None = None,
) -> Waits:
    run = replace(observed_runs(1)[0], nodes=nodes, edges=edges)
    return waits_of(GRAPH, SIGNALS.performance if performance is None else performance, 0.3, run)


LEAF = node(0.1, 0.1)
FAR_LEAF = node(0.1, 0.1, FAR)


def test_a_call_that_the_function_ends_with_is_waited_for() -> None:
    found = waits({0: node(0.4, 0.41), 1: LEAF}, {0: call(0.4, 0.01)})
    assert found.awaited[0] == Awaited(1.0, 0.0)
    assert found.own_duration_s[0] == pytest.approx(0.41)


def test_work_that_goes_on_after_a_call_is_slack() -> None:
    found = waits({0: node(0.5, 0.5), 1: LEAF}, {0: call(0.3, 0.05)})
    assert found.awaited[0].round_trips == 1.0
    assert found.awaited[0].slack_s == pytest.approx(0.15)


def test_a_call_early_in_long_work_delays_nobody() -> None:
    assert waits({0: node(5.0, 5.0), 1: LEAF}, {0: call(0.1, 0.01)}).awaited == {}


def test_waiting_for_another_region_is_no_part_of_a_node() -> None:
    """The call is accepted when the answer is back; beside its caller it would have been after 10 ms."""
    size = 200_000.0
    publish_s = 0.01 + ADDED_S + MESSAGE_S + size / BANDWIDTH_BYTES_PER_S
    found = waits({0: node(0.4, 0.4 + publish_s), 1: FAR_LEAF}, {0: call(0.4, publish_s, size)})
    assert found.own_duration_s[0] == pytest.approx(0.41)
    assert found.awaited[0].slack_s == pytest.approx(0.0)


def test_only_what_work_did_not_hide_is_taken_away() -> None:
    """It worked on for half of the round trip."""
    publish_s = 0.01 + ADDED_S + MESSAGE_S
    returned_s = 0.1 + publish_s / 2
    found = waits({0: node(returned_s, 0.1 + publish_s), 1: FAR_LEAF}, {0: call(0.1, publish_s)})
    assert found.own_duration_s[0] == pytest.approx(returned_s)
    assert found.awaited[0].slack_s == pytest.approx(returned_s - 0.11)


def test_a_call_nearby_is_not_less_waited_for_because_another_one_goes_far() -> None:
    publish_s = 0.01 + ADDED_S + MESSAGE_S
    edges = {0: call(0.4, 0.01), 1: call(0.4, publish_s)}
    found = waits({0: node(0.4, 0.4 + publish_s), 1: LEAF, 2: FAR_LEAF}, edges)
    assert [round(found.awaited[edge].slack_s, 9) for edge in (0, 1)] == [0.0, 0.0]
    assert found.own_duration_s[0] == pytest.approx(0.41)


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        ({0: node(None, 0.5), 1: FAR_LEAF}, {0: call(0.4, 0.1)}),
        ({0: node(0.4, 0.5), 1: FAR_LEAF}, {0: call(None, 0.1)}),
        ({0: node(0.4, 0.5), 1: FAR_LEAF}, {0: call(0.4, None)}),
    ],
    ids=["return", "offset", "acceptance"],
)
def test_what_was_not_logged_is_not_waited_for(
    nodes: dict[int, NodeObservation], edges: dict[int, EdgeObservation]
) -> None:
    found = waits(nodes, edges)
    assert found.awaited == {}
    assert found.own_duration_s[0] == 0.5


def test_reports_to_a_join_take_more_round_trips() -> None:
    """Payload and report; whoever closes the join publishes its message and marks it."""
    nodes = {1: node(0.1, 0.2), 2: node(0.1, 0.2), 3: LEAF}
    found = waits(nodes, {2: call(0.1, 0.1), 3: call(0.1, 0.1, closes=True)})
    assert (found.awaited[2].round_trips, found.awaited[3].round_trips) == (2.0, 4.0)


def test_a_large_payload_goes_to_the_object_store_first() -> None:
    large = call(0.4, 0.1, size=INLINE_PAYLOAD_LIMIT_BYTES + 1)
    assert waits({0: node(0.4, 0.5), 1: LEAF}, {0: large}).awaited[0].round_trips == 2.0


def test_declining_a_plain_node_needs_nobody() -> None:
    assert waits({0: node(0.4, 0.5)}, {1: DECLINED}).awaited == {}


def test_a_branch_that_died_is_reported_by_the_node_at_which_it_died() -> None:
    """In the run a calls b and declines c; for c it reports to the join, which is far away."""
    nodes = {0: node(0.4, 0.42 + ADDED_S), 1: node(0.1, 0.1), 3: FAR_LEAF}
    found = waits(nodes, {0: call(0.1, 0.1), 1: DECLINED, 2: call(0.05, 0.05)})
    assert found.awaited[3] == Awaited(1.0, 0.0)
    assert found.own_duration_s[0] == pytest.approx(0.42)


def test_a_join_that_did_not_run_is_nowhere() -> None:
    found = waits({0: node(0.4, 0.5), 1: node(0.1, 0.2)}, {0: call(0.1, 0.1), 1: DECLINED, 2: DECLINED})
    assert found.awaited.keys() == {0}
    assert found.own_duration_s == {0: 0.5, 1: 0.2}


def test_nothing_ends_before_its_last_call_left() -> None:
    quick = waits({0: node(0.4, 0.41), 1: FAR_LEAF}, {0: call(0.4, 0.01)})
    assert quick.own_duration_s[0] == pytest.approx(0.4)


def test_regions_of_which_no_distance_is_known_take_nothing_away() -> None:
    found = waits({0: node(0.4, 0.5), 1: FAR_LEAF}, {0: call(0.4, 0.1)}, performance={})
    assert found.own_duration_s[0] == 0.5


def test_a_region_that_may_no_longer_be_used_is_as_far_as_it_was() -> None:
    """Distances are asked of what was collected, not of the regions of the problem."""
    one = replace(
        observed_runs(1)[0],
        nodes={0: node(0.4, 0.41 + ADDED_S, NEAR), 1: FAR_LEAF, 2: LEAF},
        edges={0: call(0.4, 0.01 + ADDED_S), 1: call(0.1, 0.01)},
    )
    home_only = workflow(pinned=("receive", "count", "join"))
    members = orjson.loads(build_problem(home_only, (one,), SIGNALS, SolveSettings(hours=(12,), scenarios=20)))
    assert members["regions"] == [HOME]
    assert members["observations"]["nodes"]["receive:entry_point:0"]["duration_s"] == [pytest.approx(0.41, abs=1e-3)]


def waiting_runs() -> tuple[ObservedRun, ...]:
    """Runs at home in which every call is the last that its function does."""
    return tuple(
        replace(
            one,
            nodes={index: replace(node, returned_s=0.8 * node.duration_s) for index, node in one.nodes.items()},
            edges={
                index: replace(edge, offset_s=0.8 * caller_s, publish_s=0.2 * caller_s) if edge.called else edge
                for index, edge in one.edges.items()
                for caller_s in [one.nodes[workflow().graph.edges[index].source].duration_s]
            },
        )
        for one in observed_runs()
    )


def document(runs: tuple[ObservedRun, ...]) -> bytes:
    return build_problem(workflow(), runs, SIGNALS, SolveSettings(hours=(12,), scenarios=200))


def without_waiting(problem: bytes) -> bytes:
    members: dict[str, Any] = orjson.loads(problem)
    for edge in members["observations"]["edges"]:
        del edge["awaited_round_trips"]
    return orjson.dumps(members)


def test_the_document_says_what_was_waited_for() -> None:
    edges = orjson.loads(document(waiting_runs()))["observations"]["edges"]
    assert set(edges[0]["awaited_round_trips"]) == {0.0, 1.0}  # called, and declined to a plain node
    assert set(edges[0]["slack_s"]) == {0.0}
    # Payload and report; where the branch died, the report without a payload.
    assert set(edges[2]["awaited_round_trips"]) == {2.0, 1.0}
    silent = orjson.loads(document(observed_runs()))["observations"]["edges"][0]
    assert silent.keys() == {"called", "payload_bytes", "offset_fraction", "latency_s"}


def test_calls_to_another_region_cost_their_caller_time_and_energy() -> None:
    said = document(waiting_runs())
    apart = {"receive:entry_point:0": HOME, "count:receive_0_0:1": FAR, "join:sync:2": HOME}
    together = (dict.fromkeys(apart, HOME), dict.fromkeys(apart, FAR))
    for placement, differs in ((apart, True), *((placement, False) for placement in together)):
        counted = LoadedProblem(said).evaluate(placement, 12)
        left_out = LoadedProblem(without_waiting(said)).evaluate(placement, 12)
        assert (counted.carbon.mean > left_out.carbon.mean) == differs
        assert (counted.cost.mean > left_out.cost.mean) == differs
        assert counted.runtime.mean == left_out.runtime.mean


def test_slack_hides_what_it_can() -> None:
    """Half a round trip of slack leaves half of it to be waited for; more slack than it takes leaves nothing."""
    apart = {"receive:entry_point:0": HOME, "count:receive_0_0:1": FAR, "join:sync:2": FAR}

    def added_cost(slack_s: float) -> float:
        members: dict[str, Any] = orjson.loads(document(waiting_runs()))
        columns = members["observations"]["edges"]
        # The call to `count` alone.
        for edge in columns[1:]:
            del edge["awaited_round_trips"]
        columns[0]["slack_s"] = [slack_s] * members["observations"]["runs"]
        said = orjson.dumps(members)
        del columns[0]["awaited_round_trips"]
        costs = [LoadedProblem(one).evaluate(apart, 12).cost.mean for one in (said, orjson.dumps(members))]
        return costs[0] - costs[1]

    payload_s = added_cost(ADDED_S) / (added_cost(0.0) - added_cost(ADDED_S)) * ADDED_S
    assert added_cost(ADDED_S / 2) == pytest.approx(added_cost(0.0) * (ADDED_S / 2 + payload_s) / (ADDED_S + payload_s))
    assert added_cost(1.0) == pytest.approx(0.0, abs=1e-18)
