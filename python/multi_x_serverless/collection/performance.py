"""Speed of regions and round trips between them, from the embedded data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from multi_x_serverless import data
from multi_x_serverless.collection.collector import CollectorReport, refresh
from multi_x_serverless.collection.store import PERFORMANCE, SignalStore
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.signals import PerformanceSignal, RoundTrip

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDED_NOTE = (
    "Round trips are those of 2020, or estimated from the distance where none was measured; "
    "processors are assumed to be equally fast everywhere."
)


@dataclass(frozen=True)
class RelativeSpeed:
    """Speed of a region's processors as a multiple of the common one, and whether nobody measured it."""

    value: float
    is_assumed: bool


class PerformanceSource(Protocol):
    """Knows how fast regions are and how far apart."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    @property
    def vintage(self) -> str:
        """The time its figures describe."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these has to be told."""

    def relative_speed(self, region: str) -> RelativeSpeed:
        """Return the speed of a region's processors.

        Raises:
            MultiXServerlessError: The region is not known, or its speed cannot be fetched.
        """

    def round_trip(self, region: str, to_region: str) -> RoundTrip:
        """Return the mean network round trip between two regions.

        Raises:
            MultiXServerlessError: One of them is not known, or it cannot be fetched.
        """


@dataclass(frozen=True)
class EmbeddedPerformanceSource:
    """The embedded round trips; all processors count as equally fast."""

    name: str = field(default_factory=lambda: f"embedded ({data.source_of('round_trips.csv').source})")
    vintage: str = field(default_factory=lambda: data.source_of("round_trips.csv").vintage)
    notes: tuple[str, ...] = (EMBEDDED_NOTE,)

    def relative_speed(self, region: str) -> RelativeSpeed:
        """Return the speed of a region's processors; see `PerformanceSource.relative_speed`."""
        data.find_region(region)
        return RelativeSpeed(1.0, is_assumed=True)

    def round_trip(self, region: str, to_region: str) -> RoundTrip:
        """Return a round trip; see `PerformanceSource.round_trip`."""
        estimate = data.round_trip_seconds(region, to_region)
        return RoundTrip(to_region, estimate.value, estimate.is_measured)


@dataclass(frozen=True)
class PerformanceCollector:
    """Refreshes the performance signals."""

    source: PerformanceSource = field(default_factory=EmbeddedPerformanceSource)
    name: str = "performance"

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the performance signals of `regions`, with the round trips among them.

        A round trip that cannot be had keeps its last good value, or is left out if there was none; the
        regions at both its ends are refreshed all the same.
        """

        def make(region: str, previous: PerformanceSignal | None) -> PerformanceSignal:
            speed = self.source.relative_speed(region)
            known = () if previous is None else (trip.to_region for trip in previous.round_trips)
            # Regions that only an earlier call named are refreshed as well: other workflows live there.
            trips = [self._round_trip(region, other, previous) for other in dict.fromkeys((*regions, *known))]
            return PerformanceSignal(
                region=region,
                relative_speed=speed.value,
                relative_speed_is_assumed=speed.is_assumed,
                round_trips=tuple(trip for trip in trips if trip is not None),
                source=self.source.name,
                vintage=self.source.vintage,
                collected_at=now,
            )

        outcomes = refresh(PERFORMANCE, regions, now, store, make)
        return CollectorReport(self.name, now, outcomes, self.source.notes)

    def _round_trip(self, region: str, other: str, previous: PerformanceSignal | None) -> RoundTrip | None:
        try:
            return self.source.round_trip(region, other)
        except MultiXServerlessError:
            # Silent here, not lost: the unknown region fails on its own, with its own entry in the report.
            return None if previous is None else previous.round_trip_to(other)
