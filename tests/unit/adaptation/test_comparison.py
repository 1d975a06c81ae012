"""Comparing two arms: what is promised by an interval must come true as often as it says."""

from __future__ import annotations

import math
import random

import pytest

from multi_x_serverless.adaptation.comparison import (
    MINIMUM_CONTROLS,
    MINIMUM_IN_STRATUM,
    Difference,
    ErrorTerm,
    HourlyValue,
    Interval,
    difference,
    plan_weights,
    saving,
    strata,
    stratified,
    student_quantile,
    summed,
)

HOURLY = tuple(300.0 + 250.0 * (hour % 12) / 12.0 for hour in range(24))
"""A grid whose intensity nearly doubles over half a day."""


def draw(
    generator: random.Random, runs: int, *, true_ratio: float = 1.0, home_share: float = 0.1
) -> list[list[HourlyValue]]:
    """Controls and planned runs as a router with a home share makes them, busier in some hours than in others."""
    arms: list[list[HourlyValue]] = [[], []]
    for _ in range(runs):
        (hour,) = generator.choices(range(24), weights=[1 + hour % 6 for hour in range(24)])
        is_planned = generator.random() >= home_share
        value = HOURLY[hour] * generator.lognormvariate(0.0, 0.4) * (true_ratio if is_planned else 1.0)
        arms[is_planned].append(HourlyValue(hour, value))
    return arms


@pytest.mark.parametrize(("runs", "true_ratio"), [(300, 1.0), (800, 1.0), (500, 0.6)])
def test_interval_covers_the_truth_as_often_as_it_says(runs: int, true_ratio: float) -> None:
    """A plan that changes nothing saves 0, and an interval of 95 % says so in 95 % of all histories."""
    repeats, covered, measured = 400, 0, 0
    for seed in range(repeats):
        controls, planned = draw(random.Random(seed), runs, true_ratio=true_ratio)
        groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
        found = saving(controls, planned, groups)
        if found is not None:
            measured += 1
            covered += found.low <= 1.0 - true_ratio <= found.high
    assert measured == repeats
    # Four standard deviations of a binomial about the nominal level, and two points for the approximation.
    slack = 4.0 * math.sqrt(0.95 * 0.05 / measured) + 0.02
    assert 0.95 - slack <= covered / measured <= 0.95 + slack


def test_interval_holds_when_runs_stand_for_several() -> None:
    """Slow runs are kept always, others one time in five with five times the weight: as a full history does."""
    repeats, covered = 300, 0
    for seed in range(repeats):
        generator = random.Random(seed)
        arms = draw(generator, 2_500, true_ratio=0.7)
        controls, planned = (
            [
                HourlyValue(entry.hour, entry.value, 1.0 if is_slow else 5.0)
                for entry in arm
                if (is_slow := entry.value > 1.6 * HOURLY[entry.hour]) or generator.random() < 0.2
            ]
            for arm in arms
        )
        groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
        found = saving(controls, planned, groups)
        assert found is not None
        covered += found.low <= 0.3 <= found.high
    slack = 4.0 * math.sqrt(0.95 * 0.05 / repeats) + 0.02
    assert 0.95 - slack <= covered / repeats <= 0.95 + slack


def test_weights_are_numbers_of_runs() -> None:
    heavy = [HourlyValue(1, 2.0, 3.0), HourlyValue(1, 6.0, 1.0), HourlyValue(20, 5.0, 4.0), HourlyValue(20, 5.0, 4.0)]
    repeated = [HourlyValue(entry.hour, entry.value) for entry in heavy for _ in range(int(entry.weight))]
    groups = (frozenset(range(12)), frozenset(range(12, 24)))
    assert plan_weights(heavy, groups) == plan_weights(repeated, groups) == (4 / 12, 8 / 12)
    weights = plan_weights(heavy, groups)
    assert stratified(heavy, groups, weights).mean == pytest.approx(stratified(repeated, groups, weights).mean)


def test_controls_of_other_hours_do_not_make_a_saving() -> None:
    """Controls by chance of dirty hours and planned runs of clean ones: the plain ratio of the means is far off."""
    controls = [HourlyValue(hour, HOURLY[hour]) for hour in (0, 11) for _ in range(5 if hour == 0 else 45)]
    planned = [HourlyValue(hour, HOURLY[hour]) for hour in (0, 11) for _ in range(400 if hour == 0 else 50)]
    groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
    found = saving(controls, planned, groups)
    assert found is not None
    assert found.fraction == pytest.approx(0.0, abs=1e-12)
    plain = sum(entry.value for entry in planned) / len(planned) / (sum(e.value for e in controls) / len(controls))
    assert 1.0 - plain > 0.3


def test_strata_partition_the_day_and_have_enough_of_both_kinds() -> None:
    controls, planned = draw(random.Random(1), 600)
    groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
    assert sorted(hour for group in groups for hour in group) == list(range(24))
    assert len(groups) > 3
    for group in groups:
        for arm in (controls, planned):
            assert sum(entry.hour in group for entry in arm) >= MINIMUM_IN_STRATUM
    assert sum(plan_weights(planned, groups)) == pytest.approx(1.0)


def test_too_few_runs_of_either_kind_give_no_strata_and_no_number() -> None:
    many = [HourlyValue(3, 1.0)] * 100
    few = [HourlyValue(3, 1.0)] * (MINIMUM_CONTROLS - 1)
    for controls, planned in ((few, many), (many, few)):
        groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
        assert groups == ()
        assert saving(controls, planned, groups) is None


def test_weighted_mean_and_standard_error_by_hand() -> None:
    groups = (frozenset({0}), frozenset({1}))
    values = [HourlyValue(0, 1.0), HourlyValue(0, 3.0), HourlyValue(1, 10.0), HourlyValue(1, 14.0)]
    found = stratified(values, groups, (0.75, 0.25))
    assert found.mean == pytest.approx(0.75 * 2.0 + 0.25 * 12.0)
    # Variances 2 and 8 of two values each: squared errors 1 and 4.
    terms = (0.75**2 * 1.0, 0.25**2 * 4.0)
    assert found.standard_error == pytest.approx(math.sqrt(sum(terms)))
    # Each variance has one degree of freedom.
    spread = student_quantile(sum(terms) ** 2 / sum(term**2 for term in terms)) * found.standard_error
    assert found.interval.value == found.mean
    assert [found.interval.low, found.interval.high] == pytest.approx([found.mean - spread, found.mean + spread])


@pytest.mark.parametrize(("degrees", "quantile"), [(4, 2.7764), (5, 2.5706), (10, 2.2281), (30, 2.0423), (1e9, 1.96)])
def test_student_quantile_is_that_of_the_tables(degrees: float, quantile: float) -> None:
    assert student_quantile(degrees) == pytest.approx(quantile, rel=1e-3)


def test_a_difference_by_hand() -> None:
    day = (frozenset(range(24)),)
    controls = [HourlyValue(1, 10.0), HourlyValue(2, 14.0)]
    planned = [HourlyValue(1, 4.0), HourlyValue(2, 6.0), HourlyValue(3, 8.0)]
    found = difference(controls, planned, day)
    assert found is not None
    # Variances of the means: 8 / 2 and 4 / 3.
    assert found.value == 6.0
    assert [term.variance for term in found.terms] == pytest.approx([4.0, 4.0 / 3.0])
    assert [term.freedom for term in found.terms] == [1, 2]
    freedom = (16.0 / 3.0) ** 2 / (16.0 / 1.0 + (16.0 / 9.0) / 2.0)
    spread = student_quantile(freedom) * math.sqrt(16.0 / 3.0)
    interval = found.interval()
    assert (interval.value, interval.low, interval.high) == pytest.approx((6.0, 6.0 - spread, 6.0 + spread))
    # Ten such runs save ten times as much, and that is ten times as uncertain.
    ten = found.times(10.0).interval()
    assert (ten.value, ten.low, ten.high) == pytest.approx((60.0, 60.0 - 10 * spread, 60.0 + 10 * spread))
    less = ten.less(15.0)
    assert (less.value, less.low, less.high) == pytest.approx((45.0, 45.0 - 10 * spread, 45.0 + 10 * spread))
    assert difference(controls, planned, ()) is None


def test_independent_differences_add_up_with_their_variances() -> None:
    both = summed([Difference(3.0, (ErrorTerm(4.0, 10),)), Difference(-1.0, (ErrorTerm(12.0, 30),))])
    interval = both.interval()
    freedom = 16.0**2 / (16.0 / 10 + 144.0 / 30)
    assert interval.value == 2.0
    assert interval.high - interval.value == pytest.approx(4.0 * student_quantile(freedom))
    assert summed([Difference(3.0, ()), Difference(1.0, ())]).interval() == Interval(4.0, 4.0, 4.0)


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says() -> None:
    repeats, covered = 400, 0
    # Runs of the plan have 0.6 of what home has: so much less, weighted as `draw` spreads runs over the day.
    weights = [1 + hour % 6 for hour in range(24)]
    mean = sum(w * v for w, v in zip(weights, HOURLY, strict=True)) / sum(weights) * math.exp(0.4**2 / 2)
    for seed in range(repeats):
        controls, planned = draw(random.Random(seed), 500, true_ratio=0.6)
        groups = strata((entry.hour for entry in controls), (entry.hour for entry in planned))
        found = difference(controls, planned, groups)
        assert found is not None
        interval = found.interval()
        covered += interval.low <= 0.4 * mean <= interval.high
    slack = 4.0 * math.sqrt(0.95 * 0.05 / repeats) + 0.02
    assert 0.95 - slack <= covered / repeats <= 0.95 + slack
