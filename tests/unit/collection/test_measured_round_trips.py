from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless import data
from multi_x_serverless.collection.measured_round_trips import MeasuredRoundTrips, measure_round_trips
from multi_x_serverless.collection.medians import median_of, pool
from multi_x_serverless.collection.possible_round_trips import least_seconds
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.estimate import Z_95, Estimate
from multi_x_serverless.model.performance_signal import RoundTrip
from multi_x_serverless.model.shared_constants import (
    BANDWIDTH_BYTES_PER_S,
    INLINE_PAYLOAD_LIMIT_BYTES,
    MESSAGE_ENVELOPE_BYTES,
)
from tests.unit.collection.synthetic import (
    CANADA,
    EAST,
    IRELAND,
    NOW,
    WEST,
    Runs,
    World,
    cold,
    with_nodes,
    with_publishes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WORLD = World({(EAST, WEST): 0.080, (WEST, EAST): 0.070, (EAST, CANADA): 0.030}, noise=0.1)
HOME = WORLD.runs((EAST,) * 4, 40)
TO_WEST = WORLD.runs((EAST, WEST, WEST, WEST), 40)
WITHIN_S = data.round_trip_seconds(EAST, EAST).value


def known(measured: MeasuredRoundTrips, region: str, to_region: str) -> RoundTrip:
    trip = measured.round_trip(region, to_region)
    assert trip is not None
    return trip


def truth(added_s: float) -> float:
    return WITHIN_S + added_s


def test_a_round_trip_has_its_samples_interval_and_day() -> None:
    trip = known(measure_round_trips([WORLD.workflow(HOME, TO_WEST)], NOW), EAST, WEST)
    assert trip.seconds == pytest.approx(truth(0.080), abs=0.004)
    assert (trip.samples, trip.is_measured, trip.source, trip.vintage) == (40, True, "own runs", "2023-11-14")
    assert trip.interval is not None
    assert trip.interval.low < trip.seconds < trip.interval.high
    assert trip.interval.high - trip.interval.low < 0.01


@given(
    added_s=st.floats(0.05, 1.5),
    count=st.integers(20, 60),
    noise=st.floats(0.0, 0.3),
    payload_bytes=st.floats(0.0, INLINE_PAYLOAD_LIMIT_BYTES),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_what_is_true_is_recovered(added_s: float, count: int, noise: float, payload_bytes: float, seed: int) -> None:
    world = World({(EAST, WEST): added_s}, noise=noise, payload_bytes=payload_bytes)
    runs = world.workflow(world.runs((EAST,) * 4, count, seed), world.runs((EAST, WEST, WEST, WEST), count, seed))
    trip = known(measure_round_trips([runs], NOW), EAST, WEST)
    # Two medians of at least 20, each with an error of 1.25 sigma / sqrt(n); five of them.
    assert trip.seconds == pytest.approx(truth(added_s), abs=5 * 1.6 * noise * 0.06 / count**0.5 + 2e-4)
    assert trip.interval is not None
    assert trip.interval.contains(trip.seconds)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    world = World({(EAST, WEST): 0.080}, noise=0.2)
    hits = 0
    for seed in range(200):
        runs = world.workflow(world.runs((EAST,) * 4, 30, seed), world.runs((EAST, WEST, WEST, WEST), 30, seed))
        interval = known(measure_round_trips([runs], NOW), EAST, WEST).interval
        assert interval is not None
        hits += interval.contains(truth(0.080))
    assert 184 <= hits <= 200, "of 200, 190 are expected"


def test_cold_starts_change_nothing() -> None:
    without = measure_round_trips([WORLD.workflow(HOME, TO_WEST)], NOW)
    frozen = (cold(WORLD.runs((EAST,) * 4, 40, 1)), cold(WORLD.runs((EAST, WEST, WEST, WEST), 40, 2)))
    assert measure_round_trips([WORLD.workflow(HOME, TO_WEST, *frozen)], NOW) == without
    assert measure_round_trips([WORLD.workflow(*frozen)], NOW) == MeasuredRoundTrips()


def test_only_the_caller_has_to_be_warm() -> None:
    def with_cold(runs: Runs, node: int) -> Runs:
        return tuple(replace(run, nodes={**run.nodes, node: replace(run.nodes[node], cold=True)}) for run in runs)

    warm = measure_round_trips([WORLD.workflow(HOME, TO_WEST)], NOW)
    called = measure_round_trips([WORLD.workflow(HOME, with_cold(TO_WEST, 1))], NOW)
    assert called.trips[EAST, WEST] == warm.trips[EAST, WEST], (
        "whether the called node starts cold is no part of the way"
    )
    assert measure_round_trips([WORLD.workflow(HOME, with_cold(TO_WEST, 0))], NOW).round_trip(EAST, WEST) is None


def test_calls_whose_time_was_not_recorded_do_not_count() -> None:
    silent = tuple(
        replace(run, edges={index: replace(edge, publish_s=None) for index, edge in run.edges.items()})
        for run in TO_WEST
    )
    assert measure_round_trips([WORLD.workflow(HOME, silent)], NOW).round_trip(EAST, WEST) is None


def test_a_tenth_of_outliers_hardly_matters() -> None:
    before = known(measure_round_trips([WORLD.workflow(HOME, TO_WEST)], NOW), EAST, WEST)
    wild = with_publishes(TO_WEST[:4], lambda seconds: 30 * seconds)
    after = known(measure_round_trips([WORLD.workflow(HOME, wild, TO_WEST[4:])], NOW), EAST, WEST)
    assert after.seconds == pytest.approx(before.seconds, abs=0.003)


def test_with_fewer_than_twenty_samples_nothing_is_said() -> None:
    assert measure_round_trips([WORLD.workflow(HOME[:20], TO_WEST[:20])], NOW).trips
    few = measure_round_trips([WORLD.workflow(HOME, TO_WEST[:19])], NOW)
    assert few.round_trip(EAST, WEST) is None
    assert few == MeasuredRoundTrips()
    # The second edge has a baseline of its own within the west, the first one has none.
    no_baseline = measure_round_trips([WORLD.workflow(HOME[:19], TO_WEST)], NOW)
    assert no_baseline.round_trip(EAST, WEST) is None


def test_the_baseline_may_come_from_any_region() -> None:
    west = WORLD.runs((WEST,) * 4, 30)
    trip = known(measure_round_trips([WORLD.workflow(west, TO_WEST)], NOW), EAST, WEST)
    assert trip.seconds == pytest.approx(truth(0.080), abs=0.004)


def test_each_direction_is_measured_and_stands_in_for_the_other() -> None:
    back = WORLD.runs((WEST, EAST, EAST, EAST), 40)
    both = measure_round_trips([WORLD.workflow(HOME, TO_WEST, back)], NOW)
    assert known(both, EAST, WEST).seconds == pytest.approx(truth(0.080), abs=0.004)
    assert known(both, WEST, EAST).seconds == pytest.approx(truth(0.070), abs=0.004)
    one = measure_round_trips([WORLD.workflow(HOME, TO_WEST)], NOW)
    other_way = known(one, WEST, EAST)
    assert (other_way.to_region, other_way.source) == (EAST, "own runs, the other way")
    assert other_way.seconds == known(one, EAST, WEST).seconds


def test_edges_and_workflows_are_pooled() -> None:
    # Node 1 in the west, node 2 in the east again: one edge there, another one back.
    there_and_back = WORLD.runs((EAST, WEST, EAST, EAST), 40)
    measured = measure_round_trips(
        [
            WORLD.workflow(HOME, TO_WEST),
            WORLD.workflow(HOME, there_and_back, workflow_id="b-1"),
            WORLD.workflow(HOME, WORLD.runs((EAST, EAST, WEST, WEST), 40, 5), workflow_id="c-1"),
        ],
        NOW,
    )
    assert measured.trips[EAST, WEST].edges == 3
    assert measured.trips[EAST, WEST].estimate.samples == 120
    assert measured.trips[EAST, WEST].estimate.value == pytest.approx(truth(0.080), abs=0.004)
    assert measured.trips[WEST, EAST].edges == 1


def test_one_edge_that_is_wrong_is_outvoted_and_widens_the_interval() -> None:
    agreeing = [WORLD.workflow(HOME, TO_WEST, workflow_id=f"w-{number}") for number in range(4)]
    wrong = WORLD.workflow(HOME, with_publishes(TO_WEST, lambda seconds: seconds + 0.8), workflow_id="wrong-1")
    alone = known(measure_round_trips(agreeing, NOW), EAST, WEST)
    trip = known(measure_round_trips([*agreeing, wrong], NOW), EAST, WEST)
    assert trip.seconds == pytest.approx(alone.seconds, abs=0.01)
    assert alone.interval is not None
    assert trip.interval is not None
    assert trip.interval.high > alone.interval.high + 0.05


@pytest.mark.parametrize(
    ("change", "complaint"),
    [(lambda seconds: seconds / 20, "light"), (lambda seconds: seconds + 3.0, "more than 2000 ms")],
    ids=["faster than light", "too slow"],
)
def test_what_cannot_be_is_refused_and_loses_no_other_pair(change: Callable[[float], float], complaint: str) -> None:
    to_canada = WORLD.runs((EAST, CANADA, CANADA, CANADA), 40)
    poisoned = measure_round_trips([WORLD.workflow(HOME, to_canada, with_publishes(TO_WEST, change))], NOW)
    assert known(poisoned, EAST, CANADA).seconds == pytest.approx(truth(0.030), abs=0.01)
    with pytest.raises(SignalSourceError, match=complaint) as caught:
        poisoned.round_trip(EAST, WEST)
    assert caught.value.reason == "absurd"
    assert "us-west-2" in str(caught.value)
    assert poisoned.round_trip(WEST, EAST) is None, "the other way is not taken for one that is refused"


def test_the_bound_is_the_way_of_light() -> None:
    light_s = least_seconds(EAST, IRELAND)
    assert 0.05 < light_s < 0.06, "5,500 km and back"
    for factor, is_possible in ((0.98, False), (1.02, True)):
        world = World({(EAST, IRELAND): factor * light_s}, noise=0.0)
        runs = world.workflow(world.runs((EAST,) * 4, 20), world.runs((EAST, IRELAND, IRELAND, IRELAND), 20))
        measured = measure_round_trips([runs], NOW)
        assert ((EAST, IRELAND) in measured.trips) == is_possible
        assert ((EAST, IRELAND) in measured.refused) != is_possible


@pytest.mark.parametrize("region", [EAST, "eu-west-2", "ap-northeast-1", "sa-east-1"])
def test_nothing_that_was_really_measured_is_refused(region: str) -> None:
    """Whatever the embedded measurements say between two regions, runs may say, too."""
    for other in data.regions():
        embedded = data.round_trip_seconds(region, other)
        if other != region and embedded.is_measured:
            world = World({(region, other): embedded.value}, noise=0.0)
            runs = world.workflow(world.runs((region,) * 4, 20), world.runs((region, other, other, other), 20))
            assert set(measure_round_trips([runs], NOW).trips) == {(region, other)}


def test_a_region_that_nobody_knows_is_refused_alone() -> None:
    lost = with_nodes(TO_WEST, lambda node: replace(node, region="atlantis-1") if node.region == WEST else node)
    measured = measure_round_trips([WORLD.workflow(HOME, TO_WEST, lost)], NOW)
    assert set(measured.trips) == {(EAST, WEST)}
    assert "atlantis-1" in measured.refused[EAST, "atlantis-1"]


def test_old_failed_and_large_ones_do_not_count() -> None:
    old = tuple(replace(run, started_at=NOW - 31 * 86_400.0) for run in TO_WEST)
    failed = tuple(replace(run, status="failed") for run in TO_WEST)
    large = World({(EAST, WEST): 0.080}, payload_bytes=INLINE_PAYLOAD_LIMIT_BYTES + 1)
    for runs in (old, failed, large.runs((EAST, WEST, WEST, WEST), 40)):
        assert measure_round_trips([WORLD.workflow(HOME, runs)], NOW).round_trip(EAST, WEST) is None


def test_the_time_of_the_payload_is_taken_off_between_regions_only() -> None:
    world = World({(EAST, WEST): 0.080}, noise=0.0, payload_bytes=200_000.0)
    apart = world.runs((EAST, WEST, WEST, WEST), 20)
    trip = known(measure_round_trips([world.workflow(world.runs((EAST,) * 4, 20), apart)], NOW), EAST, WEST)
    transfer_s = (200_000.0 + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S
    assert transfer_s == pytest.approx(0.002, rel=0.01)
    observed = apart[-1].edges[0].publish_s
    assert observed == pytest.approx(0.030 + (trip.seconds - WITHIN_S) + transfer_s)


@given(samples=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_a_median_is_between_the_ends_of_its_interval(samples: list[float]) -> None:
    estimate = median_of(samples, 1e-6)
    assert min(samples) <= estimate.value <= max(samples)
    assert estimate.low < estimate.high
    assert estimate.samples == len(samples)
    assert median_of(samples[::-1], 1e-6) == estimate


@given(samples=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), weight=st.floats(1e-3, 1e3))
def test_equal_weights_are_none(samples: list[float], weight: float) -> None:
    assert median_of(samples, 1e-6, [weight] * len(samples)) == median_of(samples, 1e-6)
    ordered = sorted(samples)
    count = len(ordered)
    reach = Z_95 * math.sqrt(count) / 2.0
    upper = ordered[min(count, round(1.0 + count / 2.0 + reach)) - 1]
    lower = ordered[max(1, round(count / 2.0 - reach)) - 1]
    expected = Estimate(statistics.median(samples), max(1e-6, (upper - lower) / (2.0 * Z_95)), count)
    assert median_of(samples, 1e-6) == expected


@given(
    counted=st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 9)), min_size=1, max_size=40),
    unit=st.floats(0.1, 10.0),
)
def test_a_weight_is_a_number_of_samples_for_the_value_but_not_for_how_sure_it_is(
    counted: list[tuple[float, int]], unit: float
) -> None:
    repeated = median_of([value for value, count in counted for _ in range(count)], 1e-6)
    weighted = median_of([value for value, _ in counted], 1e-6, [unit * count for _, count in counted])
    assert weighted.value == repeated.value
    assert weighted.samples == len(counted)
    assert median_of([value for value, _ in counted[::-1]], 1e-6, [unit * n for _, n in counted[::-1]]) == weighted


def test_few_heavy_samples_among_many_light_ones_make_a_median_unsure() -> None:
    """40 samples of which four have nine tenths of the weight are worth about five."""
    samples = [float(number) for number in range(40)]
    heavy = [81.0 if number % 10 == 5 else 1.0 for number in range(40)]
    weighted, plain = median_of(samples, 1e-6, heavy), median_of(samples, 1e-6)
    assert weighted.standard_error > 2 * plain.standard_error
    assert weighted.samples == plain.samples == 40


@given(
    values=st.lists(st.floats(-10, 10), min_size=1, max_size=12),
    errors=st.lists(st.floats(1e-4, 1.0), min_size=12, max_size=12),
    shift=st.floats(-5, 5),
)
def test_pooling_keeps_within_its_estimates_and_follows_a_shift(
    values: list[float], errors: list[float], shift: float
) -> None:
    estimates = [Estimate(value, error, 20) for value, error in zip(values, errors, strict=False)]
    pooled = pool(estimates)
    assert min(values) - 1e-9 <= pooled.value <= max(values) + 1e-9
    assert pooled.samples == 20 * len(values)
    moved = pool([Estimate(entry.value + shift, entry.standard_error, 20) for entry in estimates])
    assert moved.value == pytest.approx(pooled.value + shift, abs=1e-6)


def test_pooling_agreeing_estimates_narrows_and_disagreeing_ones_widen() -> None:
    agreeing = pool([Estimate(1.0, 0.1, 20)] * 9)
    assert agreeing.value == 1.0
    assert agreeing.standard_error == pytest.approx(0.1 / 3 * (math.pi / 2) ** 0.5), "a third, times that of a median"
    disagreeing = pool([Estimate(0.0, 0.1, 20), Estimate(2.0, 0.1, 20)])
    assert disagreeing.value == pytest.approx(1.0)
    assert disagreeing.standard_error > 0.5
