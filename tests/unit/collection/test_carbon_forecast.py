from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.carbon import EmbeddedCarbonSource, make_carbon_signal
from multi_x_serverless.collection.forecast import (
    CarbonHistory,
    HourOfDayMean,
    hour_of_day,
    relative_error,
    start_of_hour,
)
from multi_x_serverless.errors import NotEnoughDataError, UnknownRegionError

if TYPE_CHECKING:
    from multi_x_serverless.model.signals import CarbonSignal

HOUR = 3600.0
NOW = datetime(2026, 10, 15, 13, 45, 12, tzinfo=timezone.utc)


def embedded_signal(region: str, now: datetime, previous: CarbonSignal | None = None) -> CarbonSignal:
    return make_carbon_signal(EmbeddedCarbonSource(), HourOfDayMean(), region, now.timestamp(), previous)


@dataclass(frozen=True)
class HourCountingSource:
    """The intensity of an hour is the number of hours since the epoch: shows any shift of an hour."""

    notes: tuple[str, ...] = ()

    def history(self, region: str, start: float, hours: int) -> CarbonHistory:
        first = start / HOUR
        assert first == int(first)
        return CarbonHistory(
            region=region,
            grid_zone="TEST",
            start=start,
            intensity_gco2eq_per_kwh=tuple(first + offset for offset in range(hours)),
            is_estimated=False,
            source="counting",
            vintage="always",
        )


def test_each_hour_is_the_mean_of_that_hour_over_the_seven_days_before() -> None:
    signal = make_carbon_signal(HourCountingSource(), HourOfDayMean(), "r", NOW.timestamp())

    assert signal.valid_from == NOW.timestamp() // HOUR * HOUR
    for offset in range(24):
        start = signal.valid_from + offset * HOUR
        # Of one to seven days before, the mean is four days before.
        assert signal.intensity_gco2eq_per_kwh[hour_of_day(start)] == start / HOUR - 4 * 24
    assert hour_of_day(signal.valid_from) == 13


def test_the_embedded_forecast_continues_the_same_days_of_the_trace() -> None:
    signal = embedded_signal("us-east-1", NOW)

    trace = data.hourly_trace("US-MIDA-PJM").intensity_gco2eq_per_kwh
    at_13 = data.hour_of_trace(datetime(2023, 10, 15, 13, tzinfo=timezone.utc))
    for offset, hour in [(0, 13), (10, 23), (11, 0), (23, 12)]:
        expected = sum(float(trace[at_13 + offset - 24 * day]) for day in range(1, 8)) / 7
        assert signal.intensity_gco2eq_per_kwh[hour] == pytest.approx(expected)
    assert not signal.is_estimated
    assert signal.vintage == "2023"
    assert "hourly trace" in signal.source
    assert signal.collected_at == NOW.timestamp()
    assert signal.forecast_error is None


def test_a_region_without_trace_is_flat_at_the_mean_of_the_traces_year_and_marked() -> None:
    signal = embedded_signal("eu-west-1", NOW)

    assert signal.intensity_gco2eq_per_kwh == pytest.approx([403.0] * 24)
    assert signal.is_estimated
    assert signal.method == "flat mean"
    assert "yearly mean" in signal.source


@pytest.mark.parametrize("region", sorted(data.regions()))
def test_every_region_has_a_forecast_near_its_yearly_mean(region: str) -> None:
    mean = data.yearly_mean(data.find_region(region).grid_zone)
    for intensity in embedded_signal(region, NOW).intensity_gco2eq_per_kwh:
        assert 0.2 * mean < intensity < 2.5 * mean


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # Over New Year the trace continues with its own beginning.
        (datetime(2025, 12, 31, 22, tzinfo=timezone.utc), [8758, 8759, 0, 1]),
        # 29 February is the 28th again, whatever hour the stretch begins at.
        (datetime(2024, 2, 28, 22, tzinfo=timezone.utc), [1414, 1415, 1392, 1393]),
        (datetime(2024, 2, 29, 22, tzinfo=timezone.utc), [1414, 1415, 1416, 1417]),
        (datetime(2025, 2, 28, 22, tzinfo=timezone.utc), [1414, 1415, 1416, 1417]),
    ],
)
def test_calendar_hours_of_other_years(start: datetime, expected: list[int]) -> None:
    history = EmbeddedCarbonSource().history("eu-central-1", start.timestamp(), 4)

    trace = data.hourly_trace("DE").intensity_gco2eq_per_kwh
    assert list(history.intensity_gco2eq_per_kwh) == trace[expected].tolist()
    assert history.start == start.timestamp()


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(UnknownRegionError, match="atlantis-1"):
        EmbeddedCarbonSource().history("atlantis-1", 0.0, 24)


def test_too_short_a_history_is_refused() -> None:
    history = EmbeddedCarbonSource().history("us-east-1", 0.0, 167)
    with pytest.raises(NotEnoughDataError, match="168 hours of history, not 167"):
        HourOfDayMean().forecast(history)


def test_the_error_of_a_forecast_is_measured_once_its_hours_have_passed() -> None:
    source, forecaster = HourCountingSource(), HourOfDayMean()
    first = make_carbon_signal(source, forecaster, "r", NOW.timestamp())

    same_hour = make_carbon_signal(source, forecaster, "r", NOW.timestamp() + 60, previous=first)
    assert same_hour.forecast_error is None

    later = make_carbon_signal(source, forecaster, "r", NOW.timestamp() + 3 * HOUR, previous=first)
    actual = [first.valid_from / HOUR + offset for offset in range(3)]
    assert later.forecast_error == pytest.approx(4 * 24 * 3 / sum(actual))

    again = make_carbon_signal(source, forecaster, "r", NOW.timestamp() + 3 * HOUR + 60, previous=later)
    assert again.forecast_error == later.forecast_error

    much_later = make_carbon_signal(source, forecaster, "r", NOW.timestamp() + 1000 * HOUR, previous=first)
    actual = [first.valid_from / HOUR + offset for offset in range(24)]
    assert much_later.forecast_error == pytest.approx(4 * 24 * 24 / sum(actual))


def test_a_forecast_of_another_source_is_not_judged() -> None:
    first = embedded_signal("us-east-1", NOW)
    tomorrow = NOW + timedelta(days=1)

    judged = embedded_signal("us-east-1", tomorrow, previous=first)
    assert judged.forecast_error is not None
    assert 0 < judged.forecast_error < 0.5
    elsewhere = replace(first, source="somewhere else")
    assert embedded_signal("us-east-1", tomorrow, previous=elsewhere).forecast_error is None


def test_a_clock_that_went_back_keeps_the_error_known() -> None:
    first = replace(embedded_signal("us-east-1", NOW), forecast_error=0.25)
    assert embedded_signal("us-east-1", NOW - timedelta(hours=5), previous=first).forecast_error == 0.25


def test_hours_of_moments() -> None:
    assert start_of_hour(7199.9) == 3600.0
    assert hour_of_day(0.0) == 0
    assert hour_of_day(24 * HOUR - 0.1) == 23
    assert hour_of_day(24 * HOUR) == 0
    assert {type(hour_of_day(moment)) for moment in (0.0, 3600.0)} == {int}


def test_relative_error_of_nothing_is_none() -> None:
    assert relative_error((1.0, 2.0), ()) is None
    assert relative_error((1.0,), (0.0,)) is None
    assert relative_error((3.0, 1.0), (2.0, 2.0)) == 0.5
