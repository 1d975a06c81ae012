"""Which forecasts are kept to be judged, and by what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from multi_x_serverless.collection.carbon import CarbonCollector
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HourOfDayMean
from multi_x_serverless.collection.forecast_error import JUDGED_DAYS, error_on_trace, remembered
from multi_x_serverless.collection.store import CARBON, CARBON_PAST, SignalStore
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.carbon_signal import CarbonSignal, HourOrigin
from tests.fakes import FakeKeyValueStore
from tests.unit.collection.carbon_fakes import CURRENT, DAY, HOUR, REGION, FakeSource, intensity

SYSTEM_REGION = "us-west-2"
CODE = REGION.code


def signal(first: float, value: float = 100.0, **more: object) -> CarbonSignal:
    plain = CarbonSignal(
        region=CODE,
        grid_zone=REGION.grid_zone,
        intensity_gco2eq_per_kwh=tuple(value + hour for hour in range(24)),
        valid_from=first,
        method="",
        is_estimated=False,
        source="live",
        vintage="2026",
        collected_at=first,
        measured_until=first,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_the_first_forecast_of_a_day_is_kept_in_the_order_of_its_hours() -> None:
    (kept,) = remembered((), signal(CURRENT), CURRENT + HOUR)
    assert kept.first_hour == CURRENT
    # The current hour is that from 13 to 14.
    assert kept.gco2eq_per_kwh == tuple(100.0 + (13 + offset) % 24 for offset in range(24))
    assert remembered((kept,), signal(CURRENT + HOUR, 5.0), CURRENT + 2 * HOUR) == (kept,)
    both = remembered((kept,), signal(CURRENT + 11 * HOUR, 5.0), CURRENT + 12 * HOUR)
    assert [forecast.first_hour for forecast in both] == [CURRENT, CURRENT + 11 * HOUR]
    assert remembered((kept,), None, CURRENT + JUDGED_DAYS * DAY) == (kept,)
    assert remembered((kept,), None, CURRENT + JUDGED_DAYS * DAY + HOUR) == ()
    assert remembered((kept,), None, CURRENT - HOUR) == ()


def test_a_forecast_of_another_years_hours_is_not_kept() -> None:
    assert remembered((), signal(CURRENT, measured_until=None), CURRENT) == ()
    oracle = (HourOrigin("oracle", "2026", is_estimated=True, forecast_by="oracle"),) * 24
    assert len(remembered((), signal(CURRENT, measured_until=None, origins=oracle), CURRENT)) == 1


def test_the_error_on_the_trace_is_small_and_the_same_whenever_it_is_asked_for() -> None:
    found = error_on_trace(REGION, EmbeddedCarbonSource(), HourOfDayMean(), CURRENT)
    assert found is not None
    assert 0 < found.relative < 0.5
    assert found == error_on_trace(REGION, EmbeddedCarbonSource(), HourOfDayMean(), CURRENT)


@pytest.mark.parametrize("year", [2024, 2026, 2027])
def test_the_error_on_the_trace_is_the_same_in_every_year(year: int) -> None:
    """Hours of the trace keep the weekdays of its year, whatever those of this year are."""
    first, second = (
        error_on_trace(
            REGION,
            EmbeddedCarbonSource(),
            DEFAULT_FORECASTER,
            datetime(of_year, 11, 26, 13, tzinfo=timezone.utc).timestamp(),
        )
        for of_year in (2023, year)
    )
    assert first == second


def day_of(end: float, late_hours: int) -> dict[float, HourlyIntensity]:
    """The last day as a free plan tells it: the newest hours are estimated, and by 50 too high."""
    starts = [end - (24 - place) * HOUR for place in range(24)]
    return {
        start: intensity(150.0 if start >= end - late_hours * HOUR else 100.0 + start // DAY % 2, is_estimated=late)
        for start in starts
        for late in (start >= end - late_hours * HOUR,)
    }


@pytest.mark.parametrize(("every_hours", "judged"), [(1, 93), (3, 93), (24, 84)])
def test_the_error_is_known_however_often_is_collected_and_however_late_hours_are_measured(
    every_hours: int, judged: int
) -> None:
    """Collected every hour from a source whose newest hours are estimates, it once never was."""
    store = SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)
    start = CURRENT // DAY * DAY
    for hour in range(0, 4 * 24 + 1, every_hours):
        now = start + hour * HOUR
        CarbonCollector(live=FakeSource({CODE: day_of(now, late_hours=3)})).collect([CODE], now, store)
    found = store.get(CARBON, CODE)
    assert found is not None
    assert found.forecast_error is not None
    # Of the forecasts at the start of four days the hours until three hours ago are judged; whoever collects once a day
    # is told of the last three hours of none of the days, since the source does not tell of them again.
    assert found.forecast_error.hours == judged
    past = store.get(CARBON_PAST, CODE)
    assert past is not None
    assert [forecast.first_hour for forecast in past.forecasts] == [start + day * DAY for day in range(4)]


def test_a_forecast_of_stored_hours_is_kept_though_no_source_gave_anything() -> None:
    store = SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)
    down = FakeSource({CODE: SignalSourceError("down.", reason="unavailable")})
    CarbonCollector(live=FakeSource({CODE: day_of(CURRENT, 0)})).collect([CODE], CURRENT, store)
    for day in (1, 2, 3):
        CarbonCollector(live=down).collect([CODE], CURRENT + day * DAY, store)
    past = store.get(CARBON_PAST, CODE)
    assert past is not None
    assert [forecast.first_hour for forecast in past.forecasts] == [CURRENT + day * DAY for day in range(3)]
