"""Round trips between regions, from the calls that this installation's own runs made between them.

    time until a call is accepted, less its payload's time    `time_to_accept`: warm callers, plain edges
      -> median within one region (the edge's baseline)       from 20 samples on   } kept in the statistics
      -> median between two regions less the baseline         from 20 samples on   } of each workflow
      -> pooled over the edges of all workflows               weighted median, with a 95 % interval
      -> plus the round trip within the region                as the model counts: docs/problem-document.md, "Time"

A call is accepted when the answer of the called region is back, so this is a round trip, and one clock measures it.
The latency of an edge would be none: over a connection that is kept open the called node starts when the message has
gone one way, so that an edge into a join, which waits for two answers before its message goes, would come out too
short. What is estimated is no ping either: a connection that is opened anew takes two or three round trips more, and
if that is what calls meet, it is what the model has to count. A call into a join is answered by several services and
tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.medians import pool
from multi_x_serverless.collection.possible_round_trips import why_impossible
from multi_x_serverless.errors import SignalSourceError, UnknownRegionError
from multi_x_serverless.model.estimate import Estimate
from multi_x_serverless.model.performance_signal import Interval, RoundTrip
from multi_x_serverless.model.shared_constants import (
    BANDWIDTH_BYTES_PER_S,
    INLINE_PAYLOAD_LIMIT_BYTES,
    MESSAGE_ENVELOPE_BYTES,
    SAMPLES_THAT_COUNT_FULLY,
)
from multi_x_serverless.model.units import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from multi_x_serverless.model.run import EdgeObservation, NodeObservation
    from multi_x_serverless.model.statistics import EdgeStatistics, WorkflowStatistics

CLOCK_ERROR_S = 0.0001
"""Standard error of a median is at least this: what it takes a process to be woken is in every sample."""

OLDEST_RUN_S = 30 * DAY_S
"""Runs from so long ago count, in seconds, as they do for the solver."""

Pair = tuple[str, str]
"""From a region to a region."""

OWN_RUNS = "own runs"


@dataclass(frozen=True)
class MeasuredRoundTrip:
    """The round trip of a pair of regions as runs show it, in seconds.

    Attributes:
        estimate: Seconds, and calls between the two regions that they rest on.
        edges: Edges that it was measured on.
        newest_run_at: Start of the latest of these runs, seconds since the epoch.
    """

    estimate: Estimate
    edges: int
    newest_run_at: float


@dataclass(frozen=True)
class MeasuredRoundTrips:
    """What runs tell of the way between regions; a source of round trips like others.

    Attributes:
        trips: From a region to a region -> what was measured in that direction.
        refused: From a region to a region -> why what was measured cannot be.
    """

    trips: Mapping[Pair, MeasuredRoundTrip] = field(default_factory=dict)
    refused: Mapping[Pair, str] = field(default_factory=dict)
    name: str = OWN_RUNS

    @property
    def vintage(self) -> str:
        """Day of the newest run that counted, UTC; empty if none did."""
        return max((_date(trip.newest_run_at) for trip in self.trips.values()), default="")

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return what was measured in this direction, else in the other one; None if there are too few samples.

        Raises:
            SignalSourceError: What was measured in this direction cannot be. The other one is not taken for it then:
                what made the one wrong may have made the other one wrong by less.
        """
        if (region, to_region) in self.refused:
            raise SignalSourceError(self.refused[region, to_region], reason="absurd")
        trip, source = self.trips.get((region, to_region)), self.name
        if trip is None:
            trip, source = self.trips.get((to_region, region)), f"{self.name}, the other way"
        if trip is None:
            return None
        return RoundTrip(
            to_region,
            trip.estimate.value,
            is_measured=True,
            source=source,
            vintage=_date(trip.newest_run_at),
            samples=trip.estimate.samples,
            interval=Interval(max(0.0, trip.estimate.low), trip.estimate.high),
        )


def time_to_accept(call: EdgeObservation, caller: NodeObservation, called: NodeObservation) -> float | None:
    """How long the caller waited until a call was accepted, in seconds, less what is no part of the way.

    A cold caller opens its first connections, and a large payload goes by the object store, with requests of its own.
    The model adds the time of a payload between regions only, so this is where it is taken off.

    Returns:
        The time; None if it does not tell.
    """
    if call.publish_s is None or caller.cold or call.payload_bytes > INLINE_PAYLOAD_LIMIT_BYTES:
        return None
    if caller.region == called.region:
        return call.publish_s
    return call.publish_s - (call.payload_bytes + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S


def measure_round_trips(workflows: Sequence[WorkflowStatistics], now: float) -> MeasuredRoundTrips:
    """Estimate round trips from the runs of all workflows.

    Args:
        workflows: What their runs say; pairs that no run of the last 30 days crossed are left out.
        now: Seconds since the epoch.
    """
    differences: dict[Pair, list[MeasuredRoundTrip]] = {}
    for workflow in workflows:
        for edge in workflow.edges:
            for pair, difference in _differences(edge, now - OLDEST_RUN_S):
                differences.setdefault(pair, []).append(difference)
    trips: dict[Pair, MeasuredRoundTrip] = {}
    refused: dict[Pair, str] = {}
    for pair, found in sorted(differences.items()):
        added = pool([difference.estimate for difference in found])
        try:
            trip = _round_trip(pair, added)
        except (SignalSourceError, UnknownRegionError) as error:
            refused[pair] = str(error)
            continue
        trips[pair] = MeasuredRoundTrip(trip, len(found), max(entry.newest_run_at for entry in found))
    return MeasuredRoundTrips(trips, refused)


def _differences(edge: EdgeStatistics, since: float) -> Iterator[tuple[Pair, MeasuredRoundTrip]]:
    """What distance adds to one edge, for each pair of regions with samples enough."""
    within = edge.accepted_within
    if within is None or within.samples < SAMPLES_THAT_COUNT_FULLY:
        return
    for latency in edge.latencies:
        pair, between = (latency.from_region, latency.to_region), latency.accepted
        if pair[0] == pair[1] or between is None or latency.newest_run_at < since:
            continue
        if between.samples >= SAMPLES_THAT_COUNT_FULLY:
            error = (between.standard_error**2 + within.standard_error**2) ** 0.5
            added = Estimate(between.value - within.value, error, between.samples)
            yield pair, MeasuredRoundTrip(added, 1, latency.newest_run_at)


def _round_trip(pair: Pair, added: Estimate) -> Estimate:
    """The round trip of a pair of regions, of what their distance adds.

    Raises:
        UnknownRegionError: Nobody knows where one of the regions is.
        SignalSourceError: No message can have gone that fast, or no network is that slow.
    """
    region, to_region = pair
    within_s = data.round_trip_seconds(region, region).value
    trip = Estimate(added.value + within_s, added.standard_error, added.samples)
    why = why_impossible(region, to_region, trip.value)
    if why is not None:
        described = f"{added.samples} calls put {to_region} {trip.value * 1e3:.1f} ms from {region} and back"
        raise SignalSourceError(f"{described}, which is not possible: {why}", reason="absurd")
    return trip


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d")
