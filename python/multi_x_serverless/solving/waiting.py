"""How long callers wait for other regions to accept their calls.

A function returns when its calls are accepted, and then reports the branches that died at it. ::

    node   |------ work ------|~~ waits for calls ~~|~~ reports ~~|
    call         ^ offset                    ^ accepted: offset + publish

Within a region that takes milliseconds, and is part of the node's duration wherever it runs. From another region the
answer comes some round trips later, and the caller is billed for them. So the engine is told of a run what would have
been with all that is called beside its caller: the node's duration; and for each call how many round trips it takes,
and its slack: for how long after it was accepted the caller would have worked, or waited for others, anyway. Where a
call goes is what is being planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import (
    BANDWIDTH_BYTES_PER_S,
    INLINE_PAYLOAD_LIMIT_BYTES,
    MESSAGE_ENVELOPE_BYTES,
)
from multi_x_serverless.solving import model_constants as constants


@dataclass(frozen=True)
class Awaited:
    """What is waited for over an edge.

    Attributes:
        round_trips: To the called node's region.
        slack_s: For how long the caller would not have ended anyway, in seconds.
    """

    round_trips: float
    slack_s: float


@dataclass(frozen=True)
class Waits:
    """What was waited for in a run.

    Attributes:
        own_duration_s: Node that ran -> its duration with all that it calls in its own region, in seconds.
        awaited: Edge -> what is waited for; an edge that is not in it delays nobody.
    """

    own_duration_s: Mapping[int, float]
    awaited: Mapping[int, Awaited]


def waits_of(graph: Graph, performance: Mapping[str, PerformanceSignal], farthest_s: float, run: ObservedRun) -> Waits:
    """What the nodes of a run waited for.

    Args:
        graph: Nodes and edges that the run speaks of.
        performance: Round trips from each region; where one is not known, nothing was waited for.
        farthest_s: The longest round trip between regions that may be planned with: what has more slack than its round
            trips can take delays nobody.
        run: A finished run.
    """
    durations: dict[int, float] = {}
    awaited: dict[int, Awaited] = {}
    for index, node in run.nodes.items():
        durations[index] = node.duration_s
        # Runs recorded before it was logged when functions return say nothing of what was waited for.
        if node.returned_s is not None and graph.outgoing[index]:
            durations[index] = _waits_of_node(graph, performance, farthest_s, run, index, node.returned_s, awaited)
    return Waits(durations, awaited)


def _waits_of_node(
    graph: Graph,
    performance: Mapping[str, PerformanceSignal],
    farthest_s: float,
    run: ObservedRun,
    index: int,
    returned_s: float,
    awaited: dict[int, Awaited],
) -> float:
    """Note what a node waited for; returns its own duration."""
    node = run.nodes[index]
    settled_s = near_s = returned_s
    calls: list[tuple[int, float, float]] = []
    for edge in graph.outgoing[index]:
        call = run.edges.get(edge)
        if call is None or not call.called or call.publish_s is None or call.offset_s is None:
            continue
        ended_s = call.offset_s + call.publish_s
        trips = _call_round_trips(graph, edge, call)
        # No earlier than it left: what distances add is known for connections as they are on the whole.
        accepted = max(call.offset_s, ended_s - _added_s(graph, performance, node, run, edge, trips))
        calls.append((edge, accepted, trips))
        settled_s, near_s = max(settled_s, ended_s), max(near_s, accepted)
    for edge, accepted, trips in calls:
        if near_s - accepted < trips * farthest_s:
            awaited[edge] = Awaited(trips, near_s - accepted)
    reports = [edge for edge in _declines(graph, run, index) if _is_reported(graph, run, edge)]
    for edge in reports:
        # Declines are reported when all calls are accepted, so nothing hides the way.
        awaited[edge] = Awaited(_report_round_trips(run.edges.get(edge)), 0.0)
    reported_s = max(
        (_added_s(graph, performance, node, run, edge, awaited[edge].round_trips) for edge in reports), default=0.0
    )
    after_s = max(0.0, node.duration_s - settled_s - reported_s)
    return near_s + after_s


def _call_round_trips(graph: Graph, edge: int, call: EdgeObservation) -> float:
    """Round trips from a call until the caller has nothing more to do about it."""
    large = constants.ROUND_TRIPS_LARGE_PAYLOAD if call.payload_bytes > INLINE_PAYLOAD_LIMIT_BYTES else 0.0
    target = graph.edges[edge].target
    if not graph.nodes[target].sync:
        return large + constants.ROUND_TRIPS_PLAIN_EDGE
    return large + constants.ROUND_TRIPS_PAYLOAD + _report_round_trips(call)


def _report_round_trips(edge: EdgeObservation | None) -> float:
    closes = edge is not None and edge.closed_join
    return constants.ROUND_TRIPS_REPORT + (constants.ROUND_TRIPS_CLOSING_JOIN if closes else 0.0)


def _declines(graph: Graph, run: ObservedRun, node: int) -> list[int]:
    """Edges that are declined at a node which ran: its own, and those of branches that died there."""
    declined: list[int] = []
    waiting = [edge for edge in graph.outgoing[node] if edge in run.edges and not run.edges[edge].called]
    while waiting:
        edge = waiting.pop()
        declined.append(edge)
        target = graph.edges[edge].target
        # Who reports for a join that is dead itself is not known: whoever was the last.
        if target not in run.nodes and not graph.nodes[target].sync:
            waiting += graph.outgoing[target]
    return declined


def _is_reported(graph: Graph, run: ObservedRun, edge: int) -> bool:
    """Whether a decline goes to a join that ran: where another one would have been is not known."""
    target = graph.edges[edge].target
    return graph.nodes[target].sync and target in run.nodes


def _added_s(
    graph: Graph,
    performance: Mapping[str, PerformanceSignal],
    node: NodeObservation,
    run: ObservedRun,
    edge: int,
    round_trips: float,
) -> float:
    """Seconds that a node had to wait longer for the region of an edge's target than for its own."""
    index = graph.edges[edge].target
    target = run.nodes.get(index)
    if target is None or target.region == node.region or node.region not in performance:
        return 0.0
    there = performance[node.region].round_trip_to(target.region)
    here = performance[node.region].round_trip_to(node.region)
    if there is None or here is None:
        return 0.0
    call, size_bytes = run.edges.get(edge), 0.0
    if call is not None and call.called:
        # The payload goes to a join as it is, to a plain node in its message.
        size_bytes = call.payload_bytes + (0.0 if graph.nodes[index].sync else MESSAGE_ENVELOPE_BYTES)
    return round_trips * max(0.0, there.seconds - here.seconds) + size_bytes / BANDWIDTH_BYTES_PER_S
