"""How long callers wait for other regions to accept their calls.

A function returns when its calls are accepted. ::

    node   |------ work ------|~~~~ waits ~~~~|
    call            ^ offset                  ^ accepted: offset + publish

Within a region that takes milliseconds, and is part of the node's duration wherever it runs. From another region the
answer comes some round trips later, and the caller is billed for them. So the engine is told two things of a run: the
duration that the node would have had with all it calls beside it, and how many round trips it waits for when a call
goes elsewhere; where the call goes is what is being planned.
"""

from __future__ import annotations

from collections.abc import Sequence

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.shared_constants import BANDWIDTH_BYTES_PER_S, MESSAGE_ENVELOPE_BYTES
from multi_x_serverless.solving import model_constants as constants

AT_THE_END_S = 0.005
"""A call that is accepted so shortly before its node ends was waited for: what follows is the writing of a log line."""


class Distances:
    """How much longer it takes until another region has answered than until the own one has.

    Args:
        regions: Codes of the regions whose distances are known.
        round_trip_s: Seconds by index of a region and of another.
    """

    def __init__(self, regions: Sequence[str], round_trip_s: Sequence[Sequence[float]]) -> None:
        self._position = {region: index for index, region in enumerate(regions)}
        self._round_trip_s = round_trip_s

    def longer_s(self, source: str, target: str, round_trips: float, size_bytes: float) -> float:
        """Seconds that some round trips and bytes add between two regions; 0 if their distance is not known."""
        if source == target or not {source, target} <= self._position.keys():
            return 0.0
        here, there = self._position[source], self._position[target]
        added_s = max(0.0, self._round_trip_s[here][there] - self._round_trip_s[here][here])
        return round_trips * added_s + size_bytes / BANDWIDTH_BYTES_PER_S


class Waiting:
    """What the nodes of one run waited for."""

    def __init__(self, graph: Graph, distances: Distances, run: ObservedRun) -> None:
        self._graph = graph
        self._distances = distances
        self._run = run
        # Runs recorded before it was logged when calls are accepted say nothing of what was waited for.
        self._is_known = any(edge.publish_s is not None for edge in run.edges.values())

    def round_trips(self, edge: int) -> float:
        """Round trips to the called node's region that somebody had nothing to do but wait for.

        That is the caller, or for the decline of a node that is dead the one at which its branch died. Zero if the
        caller worked on for longer, or if it was not logged when the call was accepted.
        """
        if not self._is_known:
            return 0.0
        ends, observed = self._graph.edges[edge], self._run.edges.get(edge)
        is_report = self._graph.nodes[ends.target].sync
        closing = constants.ROUND_TRIPS_CLOSING_JOIN / len(self._graph.incoming[ends.target]) if is_report else 0.0
        if ends.source not in self._run.nodes or (observed is not None and not observed.called):
            # Declines are reported when the function has returned, so nothing hides the way.
            return constants.ROUND_TRIPS_REPORT + closing if is_report else 0.0
        if observed is None or observed.publish_s is None or observed.offset_s is None:
            return 0.0
        if observed.offset_s + observed.publish_s < self._settled_s(ends.source) - AT_THE_END_S:
            return 0.0
        if is_report:
            return constants.ROUND_TRIPS_PAYLOAD + constants.ROUND_TRIPS_REPORT + closing
        return constants.ROUND_TRIPS_PLAIN_EDGE

    def own_duration_s(self, node: int) -> float:
        """Seconds that a node which ran would have taken with all that it called in its own region.

        Calls are waited for together, and then what is reported of branches that died. As in the engine each counts an
        equal part of its kind, which is exact if all go equally far; so what is taken away for the regions of the run
        is what the engine adds for them. Never less than until the last call left.
        """
        duration_s, edges = self._run.nodes[node].duration_s, self._run.edges
        calls = [edge for edge in self._graph.outgoing[node] if edge in edges and edges[edge].called]
        waited_s = self._longer_s(node, calls) + self._longer_s(node, self._declines(node))
        if not waited_s:
            return duration_s
        worked_s = max((edges[edge].offset_s or 0.0 for edge in calls), default=0.0)
        return max(min(worked_s, duration_s), duration_s - waited_s)

    def _declines(self, node: int) -> list[int]:
        """Edges that are declined at a node which ran: its own, and those of branches that died there."""
        declined: list[int] = []
        edges = self._run.edges
        waiting = [edge for edge in self._graph.outgoing[node] if edge in edges and not edges[edge].called]
        while waiting:
            edge = waiting.pop()
            declined.append(edge)
            target = self._graph.edges[edge].target
            # Who reports for a join that is dead itself is not known: whoever was the last.
            if target not in self._run.nodes and not self._graph.nodes[target].sync:
                waiting += self._graph.outgoing[target]
        return declined

    def _settled_s(self, node: int) -> float:
        """When all calls of a node had been accepted, in seconds from its start: declines are logged right after."""
        outgoing = (self._run.edges.get(edge) for edge in self._graph.outgoing[node])
        declines = (edge.offset_s for edge in outgoing if edge is not None and not edge.called)
        ends = (offset_s for offset_s in declines if offset_s is not None)
        return min(ends, default=self._run.nodes[node].duration_s)

    def _longer_s(self, node: int, edges: Sequence[int]) -> float:
        """Seconds that a node waited for these edges beyond what it had waited with all that it called beside it."""
        trips = {edge: count for edge in edges if (count := self.round_trips(edge))}
        return sum(self._added_s(node, edge, count) for edge, count in trips.items()) / max(1, len(trips))

    def _added_s(self, node: int, edge: int, trips: float) -> float:
        target = self._graph.edges[edge].target
        if target not in self._run.nodes:
            return 0.0
        call, size_bytes = self._run.edges.get(edge), 0.0
        if call is not None and call.called:
            # The payload goes to a join as it is, to a plain node in its message.
            envelope = 0.0 if self._graph.nodes[target].sync else MESSAGE_ENVELOPE_BYTES
            size_bytes = call.payload_bytes + envelope
        regions = self._run.nodes[node].region, self._run.nodes[target].region
        return self._distances.longer_s(*regions, trips, size_bytes)
