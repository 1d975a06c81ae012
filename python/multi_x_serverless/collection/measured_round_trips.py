"""Round trips between regions, from the messages that this installation's own runs sent between them.

    latency of an edge less the time of its payload        `time_of_way`: warm starts of plain edges
      -> median within one region (the edge's baseline)    from 20 samples on   } kept in the statistics
      -> median between two regions less the baseline      from 20 samples on   } of each workflow
      -> pooled over the edges of all workflows            weighted median, with a 95 % interval
      -> plus the round trip within the region             as the model counts: docs/problem-document.md, "Time"

What is estimated is what the model multiplies: the time that distance adds to a plain call, per round trip that the
model says such a call makes (`ROUND_TRIPS_PLAIN_EDGE`). It is no ping: over a connection that is kept open the called
node starts after half a round trip, over a new one after two or three. An edge into a join waits for others and tells
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.medians import pool
from multi_x_serverless.errors import SignalSourceError, UnknownRegionError
from multi_x_serverless.model.estimate import Estimate
from multi_x_serverless.model.shared_constants import (
    BANDWIDTH_BYTES_PER_S,
    INLINE_PAYLOAD_LIMIT_BYTES,
    MESSAGE_ENVELOPE_BYTES,
    ROUND_TRIPS_PLAIN_EDGE,
    SAMPLES_THAT_COUNT_FULLY,
)
from multi_x_serverless.model.signals import Interval, RoundTrip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from multi_x_serverless.model.run import EdgeObservation, NodeObservation
    from multi_x_serverless.model.statistics import EdgeStatistics, WorkflowStatistics

LIGHT_IN_FIBRE_KM_PER_S = 299_792.458 / 1.468
"""Speed of light over the group index of single-mode fibre at 1,550 nm (ITU-T G.652 fibres: 1.467 to 1.469)."""

LONGEST_ROUND_TRIP_S = 2.0
"""Half around the world and back takes light in fibre 0.2 s, real routes 0.4 s: more than this is no network's."""

CLOCK_ERROR_S = 0.0001
"""Standard error of a median of latencies is at least this: what clocks that are set by the network are worth."""

OLDEST_RUN_S = 30 * 86_400.0
"""Runs from so long ago count, in seconds, as they do for the solver."""

Pair = tuple[str, str]
"""From a region to a region."""

OWN_RUNS = "own runs"


@dataclass(frozen=True)
class MeasuredRoundTrip:
    """The round trip of a pair of regions as runs show it, in seconds.

    Attributes:
        estimate: Seconds, and latencies between the two regions that they rest on.
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
                clocks that disagree make one direction shorter and the other one longer.
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


def time_of_way(call: EdgeObservation, caller: NodeObservation, called: NodeObservation) -> float | None:
    """The latency of a call in seconds less what is no part of the way; None if it does not tell.

    A cold start is no part of it, and a large payload goes by the object store, with requests of its own. The model
    adds the time of a payload between regions only, so this is where it is taken off.
    """
    if call.latency_s is None or called.cold or call.payload_bytes > INLINE_PAYLOAD_LIMIT_BYTES:
        return None
    if caller.region == called.region:
        return call.latency_s
    return call.latency_s - (call.payload_bytes + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S


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
    within = edge.within
    if within is None or within.samples < SAMPLES_THAT_COUNT_FULLY:
        return
    for latency in edge.latencies:
        pair, way = (latency.from_region, latency.to_region), latency.way
        if pair[0] == pair[1] or way is None or way.samples < SAMPLES_THAT_COUNT_FULLY or latency.newest_run_at < since:
            continue
        error = (way.standard_error**2 + within.standard_error**2) ** 0.5
        added = Estimate(way.value - within.value, error, way.samples)
        yield pair, MeasuredRoundTrip(added, 1, latency.newest_run_at)


def _round_trip(pair: Pair, added: Estimate) -> Estimate:
    """The round trip whose multiple the model adds to an edge.

    Raises:
        UnknownRegionError: Nobody knows where one of the regions is.
        SignalSourceError: No message can have gone that fast, or no network is that slow.
    """
    here, there = (data.find_region(region) for region in pair)
    distance_km = data.great_circle_km(here.latitude, here.longitude, there.latitude, there.longitude)
    # A called node can start when the message has gone one way, so one way is what light must have had time for.
    least_s = distance_km / LIGHT_IN_FIBRE_KM_PER_S
    described = f"{added.samples} runs put {there.code} {added.value * 1e3:.1f} ms from {here.code}"
    if added.value < least_s:
        message = f"{described}, less than the {least_s * 1e3:.1f} ms that light needs: are clocks wrong?"
        raise SignalSourceError(message, reason="absurd")
    within_s = data.round_trip_seconds(here.code, here.code).value
    trip = Estimate(
        within_s + added.value / ROUND_TRIPS_PLAIN_EDGE, added.standard_error / ROUND_TRIPS_PLAIN_EDGE, added.samples
    )
    if trip.value > LONGEST_ROUND_TRIP_S:
        message = f"{described}, more than {LONGEST_ROUND_TRIP_S:g} s: that is waiting and not the way."
        raise SignalSourceError(message, reason="absurd")
    return trip


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d")
