"""Forecasters over arrays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.collection.forecast import (
    FORECASTERS,
    CarbonForecaster,
    HoltWinters,
    HourOfDayMean,
    Persistence,
    Seasonal,
    Series,
    relative_error,
)
from multi_x_serverless.collection.hours import hour_of_day, start_of_hour, weekday
from multi_x_serverless.errors import NotEnoughDataError

MONDAY = datetime(2026, 11, 23, tzinfo=timezone.utc).timestamp()
DAY = 86_400.0
PROFILE = 100.0 + 50.0 * np.sin(np.arange(24) / 24 * 2 * np.pi)
ALL = pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda forecaster: str(forecaster.name))


def days_of(count: int, *, level: float = 1.0) -> Series:
    return np.tile(PROFILE * level, count)


@ALL
@pytest.mark.parametrize("days", [1, 2, 7, 28])
def test_days_that_are_all_alike_are_continued(forecaster: CarbonForecaster, days: int) -> None:
    for hours in (1, 24, 168):
        found = forecaster.forecast(days_of(days), MONDAY, hours)
        assert found == pytest.approx(np.tile(PROFILE, 7)[:hours])


@ALL
def test_series_do_not_depend_on_each_other_and_keep_their_shape(forecaster: CarbonForecaster) -> None:
    random = np.random.default_rng(7)
    history = random.uniform(50.0, 500.0, size=(2, 3, 28 * 24))
    found = forecaster.forecast(history, MONDAY, 30)
    assert found.shape == (2, 3, 30)
    for place in np.ndindex(2, 3):
        assert found[place] == pytest.approx(forecaster.forecast(history[place], MONDAY, 30))


@ALL
@given(seed=st.integers(0, 2**32 - 1), days=st.integers(1, 10))
def test_nothing_is_predicted_that_the_history_never_reached(
    forecaster: CarbonForecaster, seed: int, days: int
) -> None:
    history = np.random.default_rng(seed).lognormal(4.0, 2.0, size=days * 24)
    found = forecaster.forecast(history, MONDAY, 168)
    assert np.all(found >= history.min() * (1 - 1e-12))
    assert np.all(found <= history.max() * (1 + 1e-12))


@ALL
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1.0, 5.0), shift=st.floats(0.0, 100.0))
def test_a_region_that_was_always_dirtier_by_the_same_rule_stays_so(
    forecaster: CarbonForecaster, seed: int, factor: float, shift: float
) -> None:
    """Scaling and shifting a history scales and shifts its forecast: regions are ranked by what was seen of them."""
    clean = np.random.default_rng(seed).uniform(50.0, 500.0, size=14 * 24)
    found = forecaster.forecast(np.stack([clean, clean * factor + shift]), MONDAY, 48)
    assert found[1] == pytest.approx(found[0] * factor + shift)


@ALL
@pytest.mark.parametrize("hours", [0, 23, 25])
def test_days_have_to_be_whole(forecaster: CarbonForecaster, hours: int) -> None:
    with pytest.raises(NotEnoughDataError, match=f"not {hours} hours"):
        forecaster.forecast(np.ones(hours), MONDAY, 24)


def test_persistence_is_the_last_day_and_the_mean_that_of_seven() -> None:
    history = np.concatenate([days_of(1, level=factor) for factor in (9, 1, 2, 3, 4, 5, 6, 7)])
    assert Persistence().forecast(history, MONDAY, 48) == pytest.approx(np.tile(7 * PROFILE, 2))
    assert HourOfDayMean().forecast(history, MONDAY, 48) == pytest.approx(np.tile(4 * PROFILE, 2))


def test_holt_winters_follows_a_level_that_stepped_up() -> None:
    history = np.concatenate([days_of(4), days_of(10) + 100.0])
    found = HoltWinters().forecast(history, MONDAY, 24)
    assert found == pytest.approx(PROFILE + 100.0, rel=0.05)
    deaf = HoltWinters(level_shares=(0.0,), season_shares=(0.0,))
    assert deaf.forecast(history, MONDAY, 24) == pytest.approx(PROFILE)


def test_holt_winters_takes_the_better_parameters() -> None:
    random = np.random.default_rng(3)
    noisy = days_of(14) + random.normal(0.0, 20.0, size=14 * 24)
    slow = HoltWinters(level_shares=(0.02,), season_shares=(0.05,)).forecast(noisy, MONDAY, 24)
    fast = HoltWinters(level_shares=(0.9,), season_shares=(0.9,)).forecast(noisy, MONDAY, 24)
    chosen = HoltWinters(level_shares=(0.9, 0.02), season_shares=(0.9, 0.05)).forecast(noisy, MONDAY, 24)
    assert np.abs(slow - PROFILE).mean() < np.abs(fast - PROFILE).mean()
    assert chosen == pytest.approx(slow)


def test_weekends_have_a_profile_of_their_own_once_two_are_known() -> None:
    """The history ends on a Sunday evening: two working weeks at 1, their weekends at 0.5."""
    week = [days_of(1)] * 5 + [days_of(1, level=0.5)] * 2
    history = np.concatenate(week * 2)
    seasonal = Seasonal(day_kind_share=1.0, persistence=0.0)
    found = seasonal.forecast(history, MONDAY, 168).reshape(7, 24)
    for day in range(7):
        assert found[day] == pytest.approx(PROFILE * (0.5 if day >= 5 else 1.0))
    # A week that begins on another day has its weekend elsewhere.
    shifted = seasonal.forecast(np.roll(history, -24), MONDAY + DAY, 168).reshape(7, 24)
    assert shifted[4] == pytest.approx(0.5 * PROFILE)
    assert shifted[6] == pytest.approx(PROFILE)
    # Less than two weeks tell of no weekends: all days are one mean.
    short = seasonal.forecast(history[24:], MONDAY, 168).reshape(7, 24)
    assert short[5] == pytest.approx(short[1])


def test_weekdays_are_those_of_the_moments_that_intensities_are_of() -> None:
    """What stands in for a week that begins on a Monday begins on a Thursday, and skips a day after the first week."""
    levels = [1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0] + [1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0] * 2
    history = np.concatenate([days_of(1, level=level) for level in levels[:14]])
    thursday, first = MONDAY + 3 * DAY, MONDAY - 14 * DAY

    def own_moment(moment: float) -> float:
        return moment - first + thursday + (DAY if moment >= first + 7 * DAY else 0.0)

    seasonal = Seasonal(day_kind_share=1.0, persistence=0.0)
    found = seasonal.forecast(history, MONDAY, 168, own_moment).reshape(7, 24)
    for day in range(7):
        assert found[day] == pytest.approx(PROFILE * levels[14 + day])
    assert seasonal.forecast(history, MONDAY, 168) != pytest.approx(found.ravel())


def test_half_a_share_lies_half_way() -> None:
    history = np.concatenate(([days_of(1)] * 5 + [days_of(1, level=0.5)] * 2) * 2)
    none, half, full = (
        Seasonal(day_kind_share=share, persistence=0.0).forecast(history, MONDAY, 168) for share in (0.0, 0.5, 1.0)
    )
    assert half == pytest.approx((none + full) / 2)


def test_recent_days_weigh_more() -> None:
    history = np.concatenate([days_of(1), days_of(1, level=2.0)])
    found = Seasonal(decay=0.5, persistence=0.0).forecast(history, MONDAY, 24)
    assert found == pytest.approx(PROFILE * (1 * 0.5 + 2 * 1) / 1.5)


def test_a_deviation_of_the_last_hour_fades() -> None:
    history = np.stack([days_of(7), days_of(7)])
    history[:, :2] = 1.0, 500.0  # So that nothing below is outside of what was seen.
    history[1, -1] += 40.0
    seasonal = Seasonal(persistence=0.9)
    plain, lifted = seasonal.forecast(history, MONDAY, 48)
    last_profile = Seasonal(persistence=0.0).forecast(history, MONDAY, 24)[1, -1]
    deviation = history[1, -1] - last_profile
    assert 0 < deviation < 40.0
    expected = deviation * 0.9 ** np.arange(1, 24)
    assert (lifted - plain)[:23] == pytest.approx(expected)


def test_fitted_persistence_is_that_of_the_process() -> None:
    random = np.random.default_rng(11)
    noise = np.zeros(28 * 24)
    for hour in range(1, len(noise)):
        noise[hour] = 0.8 * noise[hour - 1] + random.normal(0.0, 5.0)
    noise[-1] = 30.0
    fitted, fixed = (
        Seasonal(persistence=persistence).forecast(days_of(28) + noise, MONDAY, 12) for persistence in (None, 0.8)
    )
    assert fitted == pytest.approx(fixed, abs=3.0)
    assert abs(fitted - Seasonal(persistence=0.0).forecast(days_of(28) + noise, MONDAY, 12)).max() > 10.0
    # What does not vary has nothing to fit, and nothing that could fade.
    flat = replace(Seasonal(), persistence=None).forecast(np.full(48, 7.0), MONDAY, 24)
    assert flat == pytest.approx(np.full(24, 7.0))


def test_hours_of_moments() -> None:
    assert start_of_hour(7199.9) == 3600.0
    assert hour_of_day(0.0) == 0
    assert hour_of_day(24 * 3600.0 - 0.1) == 23
    assert hour_of_day(24 * 3600.0) == 0
    assert {type(hour_of_day(moment)) for moment in (0.0, 3600.0)} == {int}


@given(moment=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc)))  # noqa: DTZ001
def test_weekdays_are_those_of_the_calendar(moment: datetime) -> None:
    assert weekday(moment.timestamp()) == moment.weekday()


def test_relative_error_of_nothing_is_none() -> None:
    assert relative_error((1.0, 2.0), ()) is None
    assert relative_error((1.0,), (0.0,)) is None
    assert relative_error((3.0, 1.0), (2.0, 2.0)) == 0.5
