"""Speed of regions and round trips between them.

for each pair of regions:   own runs -> further sources (an HTTP one) -> embedded measurements -> distance
                            the first that knows the pair; what failed before it is a warning
for each region:            its speed from own runs, else assumed to be the common one; where all regions run on one
                            machine (the embedded cloud) there is one speed, and whatever runs differ by is noise
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from multi_x_serverless import data
from multi_x_serverless.collection.collector import CollectorReport, Made, refresh
from multi_x_serverless.collection.measured_round_trips import MeasuredRoundTrips, measure_round_trips
from multi_x_serverless.collection.relative_speed import FASTEST, SLOWEST, MeasuredSpeeds, measure_speeds
from multi_x_serverless.collection.store import PERFORMANCE, SignalStore
from multi_x_serverless.errors import MultiXServerlessError, SignalSourceError
from multi_x_serverless.model.performance_signal import PerformanceSignal, RoundTrip
from multi_x_serverless.model.signal_parts import SOURCE_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from multi_x_serverless.model.statistics import WorkflowStatistics

EMBEDDED_NOTE = "Embedded round trips are those of 2020."
DISTANCE_NOTE = "Round trips that nobody measured are estimated from the distance, by 0.03 s on average wrong."
ASSUMED_SPEED_NOTE = (
    "Processors are assumed to be equally fast everywhere: no node that computes has run often enough in several "
    "regions."
)


ONE_MACHINE_NOTE = (
    "All regions run on this machine, so their processors are equally fast: nothing is learned of speeds from runs of "
    "the embedded cloud."
)


class RoundTripSource(Protocol):
    """Knows how far regions are apart."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    @property
    def vintage(self) -> str:
        """The time its figures describe."""

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return the mean network round trip between two regions; None if it does not know.

        Raises:
            MultiXServerlessError: It cannot be asked, its answer cannot be, or there is no such region.
        """


@dataclass(frozen=True)
class EmbeddedRoundTrips:
    """The embedded measurements."""

    name: str = field(default_factory=lambda: f"embedded ({data.source_of('round_trips.csv').source})")
    vintage: str = field(default_factory=lambda: data.source_of("round_trips.csv").vintage)

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return a measured round trip; see `RoundTripSource.round_trip`."""
        estimate = data.round_trip_seconds(region, to_region)
        return RoundTrip(to_region, estimate.value, is_measured=True) if estimate.is_measured else None


@dataclass(frozen=True)
class DistanceEstimates:
    """Round trips as a function of the great-circle distance, fitted to the embedded measurements."""

    name: str = "embedded (estimated from the distance)"
    vintage: str = field(default_factory=lambda: data.source_of("round_trips.csv").vintage)

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return an estimate; see `RoundTripSource.round_trip`."""
        estimate = data.round_trip_seconds(region, to_region)
        return None if estimate.is_measured else RoundTrip(to_region, estimate.value, is_measured=False)


@dataclass(frozen=True)
class PerformanceCollector:
    """Refreshes the performance signals.

    Attributes:
        sources: Of round trips, the best first.
        speeds: What runs tell of the speed of regions.
        notes: What else whoever reads the figures has to be told.
        is_one_machine: Whether all regions run on one machine, so that runs tell nothing of their speeds.
    """

    sources: tuple[RoundTripSource, ...] = field(default_factory=lambda: (EmbeddedRoundTrips(), DistanceEstimates()))
    speeds: MeasuredSpeeds = field(default_factory=MeasuredSpeeds)
    notes: tuple[str, ...] = ()
    name: str = "performance"
    is_one_machine: bool = False

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the performance signals of `regions`, with the round trips among them.

        A round trip that no source has keeps its last good value, or is left out if there was none; the regions at
        both its ends are refreshed all the same, with a warning.
        """
        used: Counter[str] = Counter()

        def make(region: str, previous: PerformanceSignal | None) -> Made[PerformanceSignal]:
            data.find_region(region)
            known = () if previous is None else (trip.to_region for trip in previous.round_trips)
            # Regions that only an earlier call named are refreshed as well: other workflows live there.
            others = tuple(dict.fromkeys((*regions, *known)))
            trips, failures = self._round_trips(region, others, previous)
            used.update(self._source_of(trip) for trip in trips)
            source, vintage = self._origin(trips)
            speed = self.speeds.speeds.get(region)
            signal = PerformanceSignal(
                region=region,
                relative_speed=1.0 if speed is None else speed.value,
                relative_speed_is_assumed=speed is None,
                round_trips=trips,
                source=source,
                vintage=vintage,
                collected_at=now,
                relative_speed_samples=None if speed is None else speed.samples,
                relative_speed_interval=None if speed is None else speed.interval,
            )
            return Made(signal, (*failures, *self._bounded(region)))

        outcomes = refresh(PERFORMANCE, regions, now, store, make)
        return CollectorReport(self.name, now, outcomes, (*self.notes, *self._notes(used)))

    def _round_trips(
        self, region: str, others: Sequence[str], previous: PerformanceSignal | None
    ) -> tuple[tuple[RoundTrip, ...], tuple[str, ...]]:
        """Round trips to other regions, and what failed on the way to them."""
        trips: list[RoundTrip] = []
        failures: dict[str, list[str]] = {}
        for other in others:
            trip = self._first(region, other, failures)
            if trip is None:
                trip = _last_good(other, previous)
                what = "no source knows the round trip" + (", the last value stays" if trip is not None else "")
                failures.setdefault(what, []).append(other)
            trips += [] if trip is None else [trip]
        if not trips:
            message = f"no source knows a round trip of {region}; {'; '.join(failures)}."
            raise SignalSourceError(message, reason="unknown")
        warnings = (
            text if len(failed) == len(others) else f"{text} (to {', '.join(failed)})"
            for text, failed in failures.items()
        )
        return tuple(trips), tuple(warnings)

    def _first(self, region: str, other: str, failures: dict[str, list[str]]) -> RoundTrip | None:
        """What the first source says that knows a pair; the failures of those before it are added."""
        for source in self.sources:
            try:
                trip = source.round_trip(region, other)
            except MultiXServerlessError as error:
                failures.setdefault(f"{source.name}: {str(error).rstrip('.')}", []).append(other)
                continue
            if trip is not None:
                return replace(trip, source=trip.source or source.name, vintage=trip.vintage or source.vintage)
        return None

    def _origin(self, trips: Sequence[RoundTrip]) -> tuple[str, str]:
        """All sources of some round trips, the best first, and the newest vintage of each in the same order.

        One vintage where all have the same.
        """
        vintages: dict[str, str] = {}
        for trip in trips:
            name = self._source_of(trip)
            vintages[name] = max(trip.vintage, vintages.get(name, ""))
        ranks = {source.name: rank for rank, source in enumerate(self.sources)}
        # One that is no source any more (a last good value) comes last.
        ordered = sorted(vintages, key=lambda name: (ranks.get(name, len(ranks)), name))
        found = [vintages[name] for name in ordered]
        return SOURCE_SEPARATOR.join(ordered), found[0] if len(set(found)) == 1 else SOURCE_SEPARATOR.join(found)

    def _source_of(self, trip: RoundTrip) -> str:
        """Name of the source of a round trip, without what it says of that pair in particular."""
        return next((source.name for source in self.sources if trip.source.startswith(source.name)), trip.source)

    def _bounded(self, region: str) -> tuple[str, ...]:
        speed = self.speeds.speeds.get(region)
        if speed is None or not speed.is_bounded:
            return ()
        measured = f"{speed.interval.low:.2g} to {speed.interval.high:.2g}"
        text = (
            f"own runs: a relative speed of {measured} is no processor's and was bounded to {SLOWEST:g} to "
            f"{FASTEST:g}: do nodes wait there for something far away?"
        )
        return (text,)

    def _notes(self, used: Mapping[str, int]) -> tuple[str, ...]:
        pairs = ", ".join(f"{count} from {name}" for name, count in sorted(used.items(), key=lambda item: -item[1]))
        notes = [f"Round trips, each direction counted: {pairs}."] if len(used) > 1 else []
        for source in self.sources:
            if source.name in used and isinstance(source, EmbeddedRoundTrips):
                notes.append(EMBEDDED_NOTE)
            elif source.name in used and isinstance(source, DistanceEstimates):
                notes.append(DISTANCE_NOTE)
        return (*notes, *((ONE_MACHINE_NOTE,) if self.is_one_machine else _speed_notes(self.speeds)))


def performance_collector(
    workflows: Sequence[WorkflowStatistics],
    now: float,
    *,
    further: Sequence[RoundTripSource] = (),
    notes: tuple[str, ...] = (),
    is_one_machine: bool = False,
) -> PerformanceCollector:
    """Return the collector that learns from runs first.

    Args:
        workflows: What the runs of every workflow of this installation say.
        now: Seconds since the epoch.
        further: Sources that are asked after the runs and before the embedded data, the best first.
        notes: What whoever reads the figures has to be told of these.
        is_one_machine: Whether all regions run on one machine.
    """
    own: MeasuredRoundTrips = measure_round_trips(workflows, now)
    return PerformanceCollector(
        (own, *further, EmbeddedRoundTrips(), DistanceEstimates()),
        MeasuredSpeeds() if is_one_machine else measure_speeds(workflows, now),
        notes,
        is_one_machine=is_one_machine,
    )


def _last_good(other: str, previous: PerformanceSignal | None) -> RoundTrip | None:
    trip = None if previous is None else previous.round_trip_to(other)
    if trip is None or previous is None:
        return None
    source, vintage = previous.origin_of(trip)
    return replace(trip, source=source, vintage=vintage)


def _speed_notes(speeds: MeasuredSpeeds) -> tuple[str, ...]:
    if speeds.reference is None:
        notes = [ASSUMED_SPEED_NOTE]
    else:
        measured = ", ".join(
            f"{region} {speed.value:.2f} ({speed.interval.low:.2f} to {speed.interval.high:.2f}"
            f"{', perhaps the same' if speed.may_be_common else ''})"
            for region, speed in speeds.speeds.items()
            if region != speeds.reference
        )
        notes = [f"Speed relative to {speeds.reference}, by own runs: {measured}. Assumed to be the same elsewhere."]
    if speeds.apart:
        notes.append(
            f"No node ran in {', '.join(speeds.apart)} and in a region to compare with: their speed is assumed."
        )
    if speeds.waiting_nodes:
        notes.append(
            f"{len(speeds.waiting_nodes)} nodes ran in several regions, but mostly wait and tell nothing of processors."
        )
    return tuple(notes)
