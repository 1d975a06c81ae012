"""What callers wait for in observed runs, and that the solver counts it where a call goes elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import BANDWIDTH_BYTES_PER_S, MESSAGE_ENVELOPE_BYTES
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.waiting import AT_THE_END_S, Distances, Waiting
from tests.unit.solving.workflows import HOME, embedded_signals, observed_runs, workflow

NEAR, FAR = "here", "there"
ROUND_TRIP_S = ((0.001, 0.081), (0.081, 0.002))
GRAPH = Graph(
    (Node("a", "a", False), Node("b", "b", False), Node("c", "c", False), Node("join", "join", True)),
    (Edge(0, 1, (), False), Edge(0, 2, (), True), Edge(1, 3, (), False), Edge(2, 3, (), False)),
)
DISTANCES = Distances((NEAR, FAR), ROUND_TRIP_S)


def node(duration_s: float, region: str = NEAR) -> NodeObservation:
    return NodeObservation(region, duration_s, 0.01, False, {}, {}, 0.0, 0.0)


def call(offset_s: float | None, publish_s: float | None, payload_bytes: float = 0.0) -> EdgeObservation:
    return EdgeObservation(True, payload_bytes, offset_s, None, publish_s)


DECLINED = EdgeObservation(False, 0.0, None, None)


def waiting(nodes: dict[int, NodeObservation], edges: dict[int, EdgeObservation]) -> Waiting:
    """Of a run in which it was logged when calls are accepted: a call from b is there to say so."""
    logged = {2: call(0.0, 0.0)}
    return Waiting(GRAPH, DISTANCES, replace(observed_runs(1)[0], nodes=nodes, edges={**logged, **edges}))


def test_a_call_that_is_accepted_when_its_node_ends_is_waited_for() -> None:
    ends = waiting({0: node(0.5), 1: node(0.1)}, {0: call(0.4, 0.1 - AT_THE_END_S / 2)})
    assert ends.round_trips(0) == 1.0


def test_a_call_under_work_that_goes_on_is_not_waited_for() -> None:
    works_on = waiting({0: node(0.5), 1: node(0.1, FAR)}, {0: call(0.1, 0.1)})
    assert works_on.round_trips(0) == 0.0
    assert works_on.own_duration_s(0) == 0.5


@pytest.mark.parametrize("edge", [call(None, 0.1), call(0.4, None)], ids=["no offset", "no acceptance"])
def test_what_was_not_logged_is_not_waited_for(edge: EdgeObservation) -> None:
    silent = waiting({0: node(0.5), 1: node(0.1, FAR)}, {0: edge})
    assert silent.round_trips(0) == 0.0
    assert silent.own_duration_s(0) == 0.5


def test_reports_to_a_join_take_more_round_trips() -> None:
    """Payload and report; to close the join takes two more, which fall to one of its two edges."""
    reports = waiting({1: node(0.2), 2: node(0.2), 3: node(0.1)}, {2: call(0.1, 0.1), 3: DECLINED})
    assert reports.round_trips(2) == 1.0 + 1.0 + 2.0 / 2
    assert reports.round_trips(3) == 1.0 + 2.0 / 2


def test_declining_a_plain_node_needs_nobody() -> None:
    assert waiting({0: node(0.5)}, {1: DECLINED}).round_trips(1) == 0.0


def test_a_branch_that_died_is_reported_by_the_node_at_which_it_died() -> None:
    """In the run a calls b and declines c; b and, for c, a report to the join, which is far away."""
    dead = waiting(
        {0: node(0.5), 1: node(0.1), 3: node(0.1, FAR)}, {0: call(0.1, 0.1), 1: DECLINED, 2: call(0.05, 0.05)}
    )
    assert dead.round_trips(1) == 0.0
    assert dead.round_trips(3) == 1.0 + 2.0 / 2
    assert dead.own_duration_s(0) == pytest.approx(0.5 - 2 * 0.080)


def test_calls_are_over_when_declines_begin() -> None:
    nodes = {0: node(0.5), 1: node(0.1), 3: node(0.1, FAR)}
    calls = {0: call(0.1, 0.299)}
    logged = EdgeObservation(False, 0.0, 0.4, None)
    assert waiting(nodes, {**calls, 1: logged}).round_trips(0) == 1.0
    assert waiting(nodes, {**calls, 1: DECLINED}).round_trips(0) == 0.0


def test_runs_that_do_not_say_when_calls_were_accepted_say_nothing_of_waiting() -> None:
    silent = waiting({0: node(0.5), 1: node(0.1), 3: node(0.1)}, {0: call(0.5, None), 1: DECLINED, 2: call(0.1, None)})
    assert [silent.round_trips(edge) for edge in range(4)] == [0.0] * 4


def test_waiting_for_another_region_is_no_part_of_a_node() -> None:
    away = waiting({0: node(0.5), 1: node(0.1, FAR)}, {0: call(0.4, 0.1, payload_bytes=1e6)})
    transfer_s = (1e6 + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S
    assert away.own_duration_s(0) == pytest.approx(max(0.4, 0.5 - 0.080 - transfer_s))
    beside = waiting({0: node(0.5), 1: node(0.1)}, {0: call(0.4, 0.1, payload_bytes=1e6)})
    assert beside.own_duration_s(0) == 0.5


def test_calls_are_waited_for_together() -> None:
    both = waiting({0: node(0.5), 1: node(0.1, FAR), 2: node(0.1)}, {0: call(0.3, 0.2), 1: call(0.3, 0.2)})
    half_s = (0.080 + MESSAGE_ENVELOPE_BYTES / BANDWIDTH_BYTES_PER_S) / 2
    assert both.own_duration_s(0) == pytest.approx(0.5 - half_s)


def test_a_node_is_never_shorter_than_until_its_last_call() -> None:
    quick = waiting({0: node(0.45), 1: node(0.1, FAR)}, {0: call(0.4, 0.05)})
    assert quick.own_duration_s(0) == 0.4


def test_regions_without_distances_take_nothing_away() -> None:
    unknown = waiting({0: node(0.5, "elsewhere"), 1: node(0.1, FAR)}, {0: call(0.4, 0.1)})
    assert unknown.own_duration_s(0) == 0.5


def waiting_runs() -> tuple[ObservedRun, ...]:
    """Runs at home in which every call is waited for to the end of its node."""
    return tuple(
        replace(
            one,
            edges={
                index: replace(edge, offset_s=0.8 * caller_s, publish_s=0.2 * caller_s) if edge.called else edge
                for index, edge in one.edges.items()
                for caller_s in [one.nodes[workflow().graph.edges[index].source].duration_s]
            },
        )
        for one in observed_runs()
    )


def document(runs: tuple[ObservedRun, ...]) -> bytes:
    return build_problem(workflow(), runs, embedded_signals(), SolveSettings(hours=(12,), scenarios=200))


def without_waiting(problem: bytes) -> bytes:
    members: dict[str, Any] = orjson.loads(problem)
    for edge in members["observations"]["edges"]:
        del edge["awaited_round_trips"]
    return orjson.dumps(members)


def test_the_document_says_what_was_waited_for() -> None:
    edges = orjson.loads(document(waiting_runs()))["observations"]["edges"]
    assert set(edges[0]["awaited_round_trips"]) == {0.0, 1.0}  # called, and declined to a plain node
    # Payload, report, and half of what closes the join; where the branch died, the report without a payload.
    assert set(edges[2]["awaited_round_trips"]) == {3.0, 2.0}
    assert "awaited_round_trips" not in orjson.loads(document(observed_runs()))["observations"]["edges"][0]


def test_calls_to_another_region_cost_their_caller_time_and_energy() -> None:
    waits = document(waiting_runs())
    apart = {"receive:entry_point:0": HOME, "count:receive_0_0:1": "us-west-1", "join:sync:2": HOME}
    for placement, differs in (
        (apart, True),
        (dict.fromkeys(apart, HOME), False),
        (dict.fromkeys(apart, "us-west-1"), False),
    ):
        counted = LoadedProblem(waits).evaluate(placement, 12)
        left_out = LoadedProblem(without_waiting(waits)).evaluate(placement, 12)
        assert (counted.carbon.mean > left_out.carbon.mean) == differs
        assert (counted.cost.mean > left_out.cost.mean) == differs
        assert counted.runtime.mean == left_out.runtime.mean


def test_runs_elsewhere_teach_the_same_as_runs_at_home() -> None:
    """What a caller waited for another region is taken out of its duration, so that it is not counted twice."""
    signals = embedded_signals()
    trip = signals.performance[HOME].round_trip_to("us-west-1")
    within = signals.performance[HOME].round_trip_to(HOME)
    assert trip is not None
    assert within is not None
    at_home = waiting_runs()
    away = []
    for one in at_home:
        caller = one.nodes[0]
        longer_s = 0.0
        if one.edges[0].called:
            transfer_s = (one.edges[0].payload_bytes + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S
            # The report to the join, which is at home, is waited for at the same time.
            longer_s = (trip.seconds - within.seconds + transfer_s) / 2
        nodes = {**one.nodes, 0: replace(caller, duration_s=caller.duration_s + longer_s)}
        if 1 in nodes:
            nodes[1] = replace(nodes[1], region="us-west-1")
        edges = {
            index: replace(edge, publish_s=edge.publish_s + longer_s) if index < 2 and edge.publish_s else edge
            for index, edge in one.edges.items()
        }
        away.append(replace(one, nodes=nodes, edges=edges))
    learned = [orjson.loads(document(runs))["observations"] for runs in (at_home, tuple(away))]
    entry = [columns["nodes"]["receive:entry_point:0"]["duration_s"] for columns in learned]
    assert entry[1] == pytest.approx(entry[0])
    assert [edge["awaited_round_trips"] for edge in learned[1]["edges"][:2]] == [
        edge["awaited_round_trips"] for edge in learned[0]["edges"][:2]
    ]
