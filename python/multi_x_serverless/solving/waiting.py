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
from multi_x_serverless.model.run import EdgeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import BANDWIDTH_BYTES_PER_S, MESSAGE_ENVELOPE_BYTES
from multi_x_serverless.solving import model_constants as constants

AT_THE_END_S = 0.005
"""A call that is accepted so shortly before its node ends was waited for: what follows is the writing of a log line."""


class Waiting:
    """What callers waited for in observed runs of a graph.

    Args:
        graph: Nodes and edges.
        regions: Codes of the regions whose distances are known.
        round_trip_s: Seconds by index of a region and of another.
    """

    def __init__(self, graph: Graph, regions: Sequence[str], round_trip_s: Sequence[Sequence[float]]) -> None:
        self._graph = graph
        self._position = {region: index for index, region in enumerate(regions)}
        self._round_trip_s = round_trip_s

    def round_trips(self, edge: int, run: ObservedRun) -> float:
        """Round trips to the called node's region that the caller had nothing to do but wait for.

        Zero if it worked on for longer, or if it was not logged when the call was accepted.
        """
        ends, observed = self._graph.edges[edge], run.edges.get(edge)
        caller = run.nodes.get(ends.source)
        if observed is None or caller is None:
            return 0.0
        is_report = self._graph.nodes[ends.target].sync
        closing = constants.ROUND_TRIPS_CLOSING_JOIN / len(self._graph.incoming[ends.target]) if is_report else 0.0
        if not observed.called:
            # Declines are reported when the function has returned, so nothing hides the way.
            return constants.ROUND_TRIPS_REPORT + closing if is_report else 0.0
        if observed.publish_s is None or observed.offset_s is None:
            return 0.0
        if observed.offset_s + observed.publish_s < caller.duration_s - AT_THE_END_S:
            return 0.0
        if is_report:
            return constants.ROUND_TRIPS_PAYLOAD + constants.ROUND_TRIPS_REPORT + closing
        return constants.ROUND_TRIPS_PLAIN_EDGE

    def own_duration_s(self, node: int, run: ObservedRun) -> float:
        """Seconds that a node which ran would have taken with all that it called in its own region.

        Calls are waited for together. As in the engine each counts an equal part, which is exact if all go equally far;
        so what is taken away for the regions of the run is what the engine adds for them. Never less than until the
        last call left.
        """
        observed = run.nodes[node]
        longer_s, awaited, worked_s = 0.0, 0, 0.0
        for edge in self._graph.outgoing[node]:
            call = run.edges.get(edge)
            if call is None:
                continue
            if call.called and call.offset_s is not None:
                worked_s = max(worked_s, call.offset_s)
            trips = self.round_trips(edge, run)
            if trips:
                awaited += 1
                longer_s += self._longer_s(edge, run, trips, call)
        if not longer_s:
            return observed.duration_s
        return max(min(worked_s, observed.duration_s), observed.duration_s - longer_s / awaited)

    def _longer_s(self, edge: int, run: ObservedRun, trips: float, call: EdgeObservation) -> float:
        """Seconds that a call was accepted later, in another region, than it would have been in the caller's."""
        ends = self._graph.edges[edge]
        source, target = run.nodes[ends.source].region, run.nodes.get(ends.target)
        if target is None or target.region == source or not {source, target.region} <= self._position.keys():
            return 0.0
        here, there = self._position[source], self._position[target.region]
        round_trip_s = max(0.0, self._round_trip_s[here][there] - self._round_trip_s[here][here])
        envelope = 0.0 if self._graph.nodes[ends.target].sync else MESSAGE_ENVELOPE_BYTES
        size = call.payload_bytes + envelope if call.called else 0.0
        return trips * round_trip_s + size / BANDWIDTH_BYTES_PER_S
