from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.performance import (
    ASSUMED_SPEED_NOTE,
    DISTANCE_NOTE,
    EMBEDDED_NOTE,
    ONE_MACHINE_NOTE,
    DistanceEstimates,
    EmbeddedRoundTrips,
    PerformanceCollector,
    RoundTripSource,
    performance_collector,
)
from multi_x_serverless.collection.store import PERFORMANCE, SignalStore
from multi_x_serverless.errors import CloudError, SignalSourceError
from multi_x_serverless.model.performance_signal import Interval, PerformanceSignal, RoundTrip
from tests.fakes import FakeKeyValueStore
from tests.unit.collection.synthetic import CANADA, EAST, IRELAND, NOW, WEST, World, with_publishes

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_REGIONS = tuple(data.regions())
WORLD = World({(EAST, WEST): 0.080}, speeds={WEST: 1.25})
RUNS = WORLD.workflow(
    WORLD.runs((EAST,) * 4, 60), WORLD.runs((EAST, WEST, WEST, WEST), 40), WORLD.runs((WEST,) * 4, 30)
)


@pytest.fixture
def store() -> SignalStore:
    return SignalStore(FakeKeyValueStore.of(EAST, "signals"), EAST)


@dataclass(frozen=True)
class FakeCloudPing:
    """Knows some pairs, and fails for others."""

    seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], str] = field(default_factory=dict)
    name: str = "CloudPing"
    vintage: str = "2023-11-13"

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        if (region, to_region) in self.errors:
            raise SignalSourceError(self.errors[region, to_region], reason="unavailable")
        seconds = self.seconds.get((region, to_region))
        return None if seconds is None else RoundTrip(to_region, seconds, is_measured=True)


def signal_of(store: SignalStore, region: str) -> PerformanceSignal:
    signal = store.get(PERFORMANCE, region)
    assert signal is not None
    return signal


def trip_of(store: SignalStore, region: str, to_region: str) -> RoundTrip:
    trip = signal_of(store, region).round_trip_to(to_region)
    assert trip is not None
    return trip


def test_without_runs_it_holds_all_round_trips_and_says_that_the_speed_is_assumed(store: SignalStore) -> None:
    report = PerformanceCollector().collect(ALL_REGIONS, NOW, store)

    signals = store.all(PERFORMANCE)
    assert set(signals) == set(ALL_REGIONS)
    for region, signal in signals.items():
        assert (signal.relative_speed, signal.relative_speed_is_assumed) == (1.0, True)
        assert (signal.relative_speed_samples, signal.relative_speed_interval) == (None, None)
        assert [trip.to_region for trip in signal.round_trips] == list(ALL_REGIONS)
        for trip in signal.round_trips:
            assert trip.source == (EmbeddedRoundTrips() if trip.is_measured else DistanceEstimates()).name
            assert trip.vintage == EmbeddedRoundTrips().vintage
            back = signals[trip.to_region].round_trip_to(region)
            assert back is not None
            assert (back.seconds, back.is_measured) == (trip.seconds, trip.is_measured)
    assert report.notes[1:] == (EMBEDDED_NOTE, DISTANCE_NOTE, ASSUMED_SPEED_NOTE)
    assert report.notes[0].startswith("Round trips, each direction counted: ")


def test_each_pair_comes_from_the_first_source_that_knows_it(store: SignalStore) -> None:
    ping = FakeCloudPing({(EAST, WEST): 0.055, (EAST, IRELAND): 0.066, (EAST, EAST): 0.001})
    # The embedded data has measured no round trip to Jakarta.
    regions = (EAST, WEST, IRELAND, CANADA, "ap-southeast-3")

    performance_collector([RUNS], NOW, further=[ping]).collect(regions, NOW, store)

    found = {trip.to_region: (trip.source, trip.vintage) for trip in signal_of(store, EAST).round_trips}
    assert found == {
        EAST: ("CloudPing", "2023-11-13"),
        WEST: ("own runs", "2023-11-14"),
        IRELAND: ("CloudPing", "2023-11-13"),
        CANADA: (EmbeddedRoundTrips().name, EmbeddedRoundTrips().vintage),
        "ap-southeast-3": (DistanceEstimates().name, EmbeddedRoundTrips().vintage),
    }
    assert trip_of(store, EAST, WEST).samples == 40
    assert isinstance(trip_of(store, EAST, WEST).interval, Interval)
    assert trip_of(store, EAST, IRELAND).samples is None
    assert trip_of(store, WEST, EAST).source == "own runs, the other way"
    signal = signal_of(store, EAST)
    assert signal.source == f"own runs; CloudPing; {EmbeddedRoundTrips().name}; {DistanceEstimates().name}"
    assert signal_of(store, WEST).source == f"own runs; {EmbeddedRoundTrips().name}; {DistanceEstimates().name}"
    embedded = EmbeddedRoundTrips().vintage
    assert signal.vintage == f"2023-11-14; 2023-11-13; {embedded}; {DistanceEstimates().vintage}", "one for each source"


def test_each_pair_says_when_its_own_newest_run_was(store: SignalStore) -> None:
    world = World({(EAST, WEST): 0.080, (EAST, CANADA): 0.030})
    earlier = world.runs((EAST, CANADA, CANADA, CANADA), 40, started_at=NOW - 5 * 86_400.0)
    workflow = world.workflow(world.runs((EAST,) * 4, 40), world.runs((EAST, WEST, WEST, WEST), 40), earlier)

    performance_collector([workflow], NOW).collect((EAST, WEST, CANADA), NOW, store)

    assert trip_of(store, EAST, WEST).vintage == "2023-11-14"
    assert trip_of(store, EAST, CANADA).vintage == "2023-11-09"
    assert signal_of(store, EAST).vintage.startswith("2023-11-14; ")
    assert signal_of(store, CANADA).vintage.startswith("2023-11-09; ")


def test_speeds_of_own_runs_are_kept_with_samples_and_interval(store: SignalStore) -> None:
    report = performance_collector([RUNS], NOW).collect((EAST, WEST, CANADA), NOW, store)

    west, canada = signal_of(store, WEST), signal_of(store, CANADA)
    assert west.relative_speed == pytest.approx(1.25, rel=0.04)
    assert not west.relative_speed_is_assumed
    # 40 runs with the last three of the nodes there, 30 with all four.
    assert west.relative_speed_samples == 3 * 40 + 4 * 30
    assert west.relative_speed_interval is not None
    assert west.relative_speed_interval.contains(west.relative_speed)
    assert signal_of(store, EAST).relative_speed == 1.0
    assert not signal_of(store, EAST).relative_speed_is_assumed
    assert (canada.relative_speed, canada.relative_speed_is_assumed) == (1.0, True)
    (said,) = (note for note in report.notes if note.startswith("Speed relative to us-east-1"))
    assert "us-west-2 1.2" in said
    assert "Assumed to be the same elsewhere" in said


def test_too_few_runs_fall_through_to_the_next_source(store: SignalStore) -> None:
    few = WORLD.workflow(WORLD.runs((EAST,) * 4, 60), WORLD.runs((EAST, WEST, WEST, WEST), 19))

    report = performance_collector([few], NOW).collect((EAST, WEST), NOW, store)

    assert trip_of(store, EAST, WEST).source == EmbeddedRoundTrips().name
    assert signal_of(store, WEST).relative_speed_is_assumed
    assert [outcome.warnings for outcome in report.outcomes] == [(), ()]


def test_a_source_that_fails_is_a_warning_and_the_next_one_is_asked(store: SignalStore) -> None:
    ping = FakeCloudPing(
        {(EAST, WEST): 0.055},
        errors={(EAST, CANADA): "timed out.", (EAST, IRELAND): "timed out.", (EAST, EAST): "gone"},
    )
    collector = PerformanceCollector((ping, EmbeddedRoundTrips(), DistanceEstimates()))

    report = collector.collect((EAST, WEST, CANADA, IRELAND), NOW, store)

    assert report.failures == ()
    warnings = {outcome.region: outcome.warnings for outcome in report.outcomes}
    assert warnings == {
        EAST: ("CloudPing: gone (to us-east-1)", "CloudPing: timed out (to ca-central-1, eu-west-1)"),
        WEST: (),
        CANADA: (),
        IRELAND: (),
    }
    assert trip_of(store, EAST, CANADA).source == EmbeddedRoundTrips().name
    assert trip_of(store, EAST, WEST).source == "CloudPing"


def test_a_source_that_is_down_is_one_warning_a_region_that_names_no_pairs(store: SignalStore) -> None:
    regions = (EAST, WEST, CANADA)
    down = FakeCloudPing(errors={(one, other): "timed out" for one in regions for other in regions})

    report = PerformanceCollector((down, EmbeddedRoundTrips())).collect(regions, NOW, store)

    assert {outcome.warnings for outcome in report.outcomes} == {("CloudPing: timed out",)}


def test_a_measurement_that_cannot_be_is_a_warning_and_the_next_source_is_asked(store: SignalStore) -> None:
    impossible = with_publishes(WORLD.runs((EAST, WEST, WEST, WEST), 40), lambda seconds: seconds / 100)
    workflow = WORLD.workflow(WORLD.runs((EAST,) * 4, 60), impossible)

    report = performance_collector([workflow], NOW).collect((EAST, WEST), NOW, store)

    (warning,) = report.outcomes[0].warnings
    assert "light" in warning
    assert trip_of(store, EAST, WEST).source == EmbeddedRoundTrips().name


@dataclass(frozen=True)
class LossySource:
    """Knows nothing of the way between two regions."""

    name: str = "lossy"
    vintage: str = "now"

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        if {region, to_region} == {EAST, CANADA}:
            raise CloudError("no route.")
        return RoundTrip(to_region, 0.5, is_measured=True)


def test_a_round_trip_that_cannot_be_had_keeps_its_last_good_value_and_warns(store: SignalStore) -> None:
    regions = [EAST, CANADA, WEST]
    lossy = PerformanceCollector((LossySource(),))

    report = lossy.collect(regions, NOW, store)
    assert signal_of(store, EAST).round_trip_to(CANADA) is None
    assert trip_of(store, EAST, WEST) == RoundTrip(WEST, 0.5, True, "lossy", "now")
    assert report.outcomes[0].warnings == (
        "lossy: no route (to ca-central-1)",
        "no source knows the round trip (to ca-central-1)",
    )

    PerformanceCollector().collect(regions, NOW, store)
    before = trip_of(store, EAST, CANADA)
    report = lossy.collect(regions, NOW + 60, store)
    assert report.failures == ()
    assert trip_of(store, EAST, CANADA) == before
    assert "no source knows the round trip, the last value stays (to ca-central-1)" in report.outcomes[0].warnings
    assert signal_of(store, EAST).source == f"lossy; {EmbeddedRoundTrips().name}"


def test_a_value_of_a_version_1_signal_keeps_the_source_of_its_signal(store: SignalStore) -> None:
    old = PerformanceSignal(EAST, 1.0, True, (RoundTrip(CANADA, 0.02, True),), "old", "2019", NOW)
    store.put(PERFORMANCE, old)

    PerformanceCollector((LossySource(),)).collect([EAST, WEST], NOW, store)

    assert trip_of(store, EAST, CANADA) == RoundTrip(CANADA, 0.02, True, "old", "2019")


def test_a_region_of_which_nothing_is_known_fails_and_keeps_its_signal(store: SignalStore) -> None:
    report = PerformanceCollector((FakeCloudPing(),)).collect([EAST], NOW, store)
    (failure,) = report.failures
    assert failure.error_code == "signal-source"
    assert failure.error is not None
    assert "no source knows" in failure.error


def test_round_trips_to_regions_of_earlier_calls_stay(store: SignalStore) -> None:
    collector = PerformanceCollector()
    collector.collect([EAST, WEST], NOW, store)
    collector.collect([EAST, IRELAND], NOW + 60, store)
    assert {trip.to_region for trip in signal_of(store, EAST).round_trips} == {EAST, WEST, IRELAND}


def test_an_impossible_speed_is_a_warning_of_its_region(store: SignalStore) -> None:
    world = World(speeds={WEST: 9.0})
    workflow = world.workflow(world.runs((EAST,) * 4, 60), world.runs((WEST,) * 4, 40))

    report = performance_collector([workflow], NOW).collect((EAST, WEST), NOW, store)

    assert report.outcomes[0].warnings == ()
    (warning,) = report.outcomes[1].warnings
    assert "bounded to 0.25 to 4" in warning
    assert signal_of(store, WEST).relative_speed == 4.0


def test_embedded_sources_share_the_pairs_between_them() -> None:
    sources: tuple[RoundTripSource, ...] = (EmbeddedRoundTrips(), DistanceEstimates())
    for region in ALL_REGIONS:
        for other in ALL_REGIONS:
            found = [source.round_trip(region, other) for source in sources]
            assert sum(trip is not None for trip in found) == 1


def test_regions_that_are_one_machine_have_one_speed_whatever_their_runs_took(store: SignalStore) -> None:
    """The embedded cloud runs all regions here: what runs differ by there is the load of this machine."""
    report = performance_collector([RUNS], NOW, is_one_machine=True).collect((EAST, WEST), NOW, store)
    signal = signal_of(store, WEST)
    assert (signal.relative_speed, signal.relative_speed_is_assumed) == (1.0, True)
    assert (signal.relative_speed_samples, signal.relative_speed_interval) == (None, None)
    assert report.notes[-1] == ONE_MACHINE_NOTE
    trip = signal.round_trip_to(EAST)
    assert trip is not None
    assert "own runs" in trip.source, "distances are waited for, so they are learned all the same"
