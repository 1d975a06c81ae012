"""One region's signal out of what was given and the embedded trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_signal import Given, make_carbon_signal
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import CarbonForecaster, HourOfDayMean, Persistence, Seasonal, Series
from multi_x_serverless.collection.hours import hour_of_day, same_moment, weekday
from multi_x_serverless.model.carbon_past import MadeForecast, PastHour
from multi_x_serverless.model.carbon_signal import CarbonSignal, ForecastError, HourOrigin
from multi_x_serverless.model.regions import Region
from tests.unit.collection.carbon_fakes import CURRENT, DAY, HOUR, NOW, REGION, hours_before, intensity

NOTHING = Given({}, {})
EMBEDDED = EmbeddedCarbonSource()


@dataclass(frozen=True)
class CountingSource:
    """The intensity of an hour is the number of hours since the start of 2026: shows any shift of an hour."""

    name: str = "counting"
    notes: tuple[str, ...] = ()

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        assert first_hour % HOUR == 0
        starts = [first_hour + offset * HOUR for offset in range(hours)]
        return {start: intensity(count(start), source="counting", vintage="always") for start in starts}

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        return {}

    def own_moment(self, moment: float) -> float:
        return moment


def count(start: float) -> float:
    return (start - datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()) / HOUR


def given_of(hours: Mapping[float, HourlyIntensity], expected: Mapping[float, HourlyIntensity] | None = None) -> Given:
    past = {
        start: PastHour(hour.gco2eq_per_kwh, hour.is_estimated, hour.source, hour.vintage, False, NOW)
        for start, hour in hours.items()
    }
    return Given(past, expected or {})


def signal_of(
    given: Given = NOTHING,
    region: Region = REGION,
    now: float = NOW,
    forecaster: CarbonForecaster | None = None,
) -> CarbonSignal:
    return make_carbon_signal(region, given, EMBEDDED, forecaster or HourOfDayMean(), now).signal


def test_each_hour_is_forecast_for_the_hour_of_the_day_that_it_is() -> None:
    signal = make_carbon_signal(REGION, NOTHING, CountingSource(), HourOfDayMean(), NOW).signal

    assert signal.valid_from == CURRENT
    for offset in range(24):
        start = CURRENT + offset * HOUR
        # Of one to seven days before, the mean is four days before.
        assert signal.intensity_gco2eq_per_kwh[hour_of_day(start)] == pytest.approx(count(start) - 4 * 24)
    assert hour_of_day(signal.valid_from) == 13


def test_without_anything_given_the_same_days_of_the_trace_are_continued() -> None:
    made = make_carbon_signal(REGION, NOTHING, EMBEDDED, HourOfDayMean(), NOW)

    trace = data.hourly_trace("US-MIDA-PJM").intensity_gco2eq_per_kwh
    at_13 = data.hour_of_trace(datetime(2023, 10, 15, 13, tzinfo=timezone.utc))
    for offset, hour in [(0, 13), (10, 23), (11, 0), (23, 12)]:
        expected = sum(float(trace[at_13 + offset - 24 * day]) for day in range(1, 8)) / 7
        assert made.signal.intensity_gco2eq_per_kwh[hour] == pytest.approx(expected)
    assert made.warnings == ()
    assert not made.signal.is_estimated
    assert made.signal.vintage == "2023"
    assert "hourly trace" in made.signal.source
    assert made.signal.collected_at == NOW
    assert made.signal.measured_until is None
    own = HourOrigin(made.signal.source, "2023", is_estimated=False, forecast_by=HourOfDayMean().method)
    assert made.signal.origins == (own,) * 24


@dataclass(frozen=True)
class WeekendsOfTheTrace(EmbeddedCarbonSource):
    """100 on the working days of the trace's year, 50 on its weekends."""

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        starts = [first_hour + offset * HOUR for offset in range(hours)]
        return {start: intensity(by_weekday(self.own_moment(start)), vintage="2023") for start in starts}


def by_weekday(moment: float) -> float:
    return 50.0 if weekday(moment) >= 5 else 100.0


ONLY_WEEKENDS = Seasonal(day_kind_share=1.0, persistence=0.0)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 26, 9, 30, tzinfo=timezone.utc),  # A Thursday; that of 2023 was a Sunday.
        datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc),  # A Saturday; that of 2023 was a Tuesday.
        datetime(2026, 12, 31, 18, tzinfo=timezone.utc),  # From one Sunday to another: 31 December and 1 January 2023.
        datetime(2027, 1, 13, 9, 30, tzinfo=timezone.utc),  # A part of the history is of December, a part of January.
        datetime(2028, 2, 29, 9, 30, tzinfo=timezone.utc),  # 28 February again.
        datetime(2028, 3, 10, 9, 30, tzinfo=timezone.utc),  # It is twice in the history.
        datetime(2023, 6, 2, 9, 30, tzinfo=timezone.utc),
    ],
    ids=lambda now: f"{now:%Y-%m-%d}",
)
def test_weekends_of_the_trace_are_those_of_its_year(now: datetime) -> None:
    trace = WeekendsOfTheTrace()
    signal = make_carbon_signal(REGION, NOTHING, trace, ONLY_WEEKENDS, now.timestamp()).signal

    assert signal.valid_from == now.replace(minute=0).timestamp()
    for offset in range(24):
        start = signal.valid_from + offset * HOUR
        expected = by_weekday(trace.own_moment(start))
        assert signal.intensity_gco2eq_per_kwh[hour_of_day(start)] == pytest.approx(expected)
    assert signal.forecast_error is not None
    assert signal.forecast_error.relative == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_the_trace_is_continued_alike_in_years_of_other_weekdays(region: str) -> None:
    def of_year(year: int) -> tuple[tuple[float, ...], ForecastError | None]:
        now = datetime(year, 11, 26, 13, 45, tzinfo=timezone.utc).timestamp()
        signal = signal_of(region=data.find_region(region), now=now, forecaster=Seasonal())
        return signal.intensity_gco2eq_per_kwh, signal.forecast_error

    assert of_year(2023) == of_year(2026) == of_year(2027)


@pytest.mark.parametrize("age", [0.0, 30 * HOUR])
def test_hours_that_were_given_have_the_weekdays_of_this_year(age: float) -> None:
    """Saturday 28 November 2026, a Tuesday in the trace; an hour that a source expects stays as it is."""
    now = datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc).timestamp()
    hours = hours_before(now // HOUR * HOUR - age, 28 * 24, by_weekday)
    expected = {now // HOUR * HOUR + 3 * HOUR: intensity(7.0)}
    signal = make_carbon_signal(REGION, given_of(hours, expected), WeekendsOfTheTrace(), ONLY_WEEKENDS, now).signal
    assert sorted(signal.intensity_gco2eq_per_kwh) == pytest.approx([7.0] + [50.0] * 23)
    assert signal.forecast_error is None


def test_the_trace_keeps_its_weekdays_beside_hours_that_a_source_expects() -> None:
    """Too little of the past was given: the trace is continued, and its hours stand beside what is expected."""
    now = datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc).timestamp()
    first = now // HOUR * HOUR
    few = hours_before(first, 5, lambda _: 900.0)
    expected = {first + offset * HOUR: intensity(7.0) for offset in range(12)}
    signal = make_carbon_signal(REGION, given_of(few, expected), WeekendsOfTheTrace(), ONLY_WEEKENDS, now).signal
    found = [signal.intensity_gco2eq_per_kwh[hour_of_day(first + offset * HOUR)] for offset in range(24)]
    assert found == pytest.approx([7.0] * 12 + [100.0] * 12)


def test_a_region_without_trace_is_flat_at_the_mean_of_the_traces_year_and_marked() -> None:
    signal = signal_of(region=data.find_region("eu-west-1"), forecaster=Seasonal())

    assert signal.intensity_gco2eq_per_kwh == pytest.approx([403.0] * 24)
    assert signal.is_estimated
    assert signal.method == "flat mean"
    assert "yearly mean" in signal.source


@pytest.mark.parametrize("region", sorted(data.regions()))
def test_every_region_has_a_forecast_near_its_yearly_mean(region: str) -> None:
    mean = data.yearly_mean(data.find_region(region).grid_zone)
    for value in signal_of(region=data.find_region(region), forecaster=Seasonal()).intensity_gco2eq_per_kwh:
        assert 0.2 * mean < value < 2.5 * mean


def test_hours_that_were_given_go_before_the_trace() -> None:
    signal = signal_of(given_of(hours_before(CURRENT, 28 * 24, lambda start: 5.0 + start // HOUR % 24)))

    assert signal.intensity_gco2eq_per_kwh == pytest.approx([5.0 + hour for hour in range(24)])
    assert (signal.source, signal.vintage) == ("live", "2026-10-15")
    assert signal.measured_until == CURRENT
    assert signal.method == HourOfDayMean().method
    assert not signal.is_estimated


def test_a_day_is_enough_and_how_much_is_known_is_said() -> None:
    signal = signal_of(given_of(hours_before(CURRENT, 24)))
    assert signal.source == "live"
    assert signal.method == f"{HourOfDayMean().method} (24 of the last 24 hours known)"
    gappy = hours_before(CURRENT, 60)
    del gappy[CURRENT - 3 * HOUR]
    assert signal_of(given_of(gappy)).method.endswith("(59 of the last 72 hours known)")


def test_less_than_a_day_leaves_the_trace_and_says_why() -> None:
    made = make_carbon_signal(REGION, given_of(hours_before(CURRENT, 19)), EMBEDDED, HourOfDayMean(), NOW)
    assert made.signal == signal_of()
    (warning,) = made.warnings
    assert "the embedded data serves: only 19 of the 48 hours up to 2026-10-15 13:00 UTC are known" in warning


def test_hours_that_end_a_while_ago_are_continued_over_the_gap() -> None:
    """The newest hour is three days and five hours old: the forecast begins there and is read from now on."""
    end = CURRENT - 3 * DAY - 5 * HOUR
    made = make_carbon_signal(REGION, given_of(hours_before(end, 48)), EMBEDDED, RampAfterTheLast(), NOW)
    ahead = [hour_of_day(CURRENT + offset * HOUR) for offset in range(24)]
    ramp = [made.signal.intensity_gco2eq_per_kwh[hour] for hour in ahead]
    assert ramp == [3 * 24 + 5 + offset + 1.0 for offset in range(24)]
    assert made.signal.measured_until == end
    (warning,) = made.warnings
    assert warning == "the newest hour known, until 2026-10-12 08:00 UTC, is 3.2 days old"


@dataclass(frozen=True)
class RampAfterTheLast:
    """The first hour is 1, the next 2, and so on; the history has to end where it begins."""

    name: str = "ramp"
    method: str = "ramp"

    def forecast(
        self, history: Series, first_hour: float, hours: int, own_moment: Callable[[float], float] = same_moment
    ) -> Series:
        assert history[-1] == 100.0 + (first_hour - HOUR) // HOUR % 24
        return np.arange(1.0, hours + 1)


def test_hours_two_days_old_are_not_warned_of_and_two_weeks_old_not_used() -> None:
    def warnings_for(age: float) -> tuple[str, ...]:
        given = given_of(hours_before(CURRENT - age, 48))
        return make_carbon_signal(REGION, given, EMBEDDED, HourOfDayMean(), NOW).warnings

    assert warnings_for(2 * DAY) == ()
    assert len(warnings_for(2 * DAY + HOUR)) == 1
    assert "embedded" not in warnings_for(14 * DAY)[0]
    assert "the embedded data serves: the newest hour known" in warnings_for(14 * DAY + HOUR)[0]


def test_what_a_source_expects_goes_before_the_forecast_hour_by_hour() -> None:
    expected = {CURRENT + 3 * HOUR: intensity(7.0, is_estimated=True, source="file a.csv", vintage="2026-10-16")}
    signal = signal_of(given_of(hours_before(CURRENT, 48), expected))
    plain = signal_of(given_of(hours_before(CURRENT, 48)))

    assert signal.intensity_gco2eq_per_kwh[16] == 7.0
    assert signal.origin_at(16) == HourOrigin("file a.csv", "2026-10-16", True, "file a.csv")
    for hour in set(range(24)) - {16}:
        assert signal.intensity_gco2eq_per_kwh[hour] == plain.intensity_gco2eq_per_kwh[hour]
        assert signal.origin_at(hour) == plain.origin_at(hour)
    assert signal.source == "live and file a.csv"
    assert signal.vintage == "2026-10-15 to 2026-10-16"
    assert signal.method == f"{plain.method}: 23 h; file a.csv: 1 h"
    assert not signal.is_estimated


def test_the_vintages_of_past_and_coming_hours_are_one_stretch() -> None:
    hours = hours_before(CURRENT, 48)
    hours[CURRENT - 48 * HOUR] = intensity(110.0, vintage="2026-10-13")
    expected = {CURRENT: intensity(7.0, vintage="2026-10-16")}
    signal = signal_of(given_of(hours, expected))
    assert signal.origin_at(14).vintage == "2026-10-13 to 2026-10-15"
    assert signal.vintage == "2026-10-13 to 2026-10-16"


def test_hours_mostly_estimated_make_an_estimate() -> None:
    hours = hours_before(CURRENT, 48)
    for start in list(hours)[:25]:
        hours[start] = replace(hours[start], is_estimated=True)
    assert signal_of(given_of(hours)).is_estimated
    hours[next(iter(hours))] = replace(hours[next(iter(hours))], is_estimated=False)
    assert not signal_of(given_of(hours)).is_estimated


def test_forecasts_of_the_trace_are_judged_by_the_trace_from_the_start_of_each_day_on() -> None:
    signal = make_carbon_signal(REGION, NOTHING, CountingSource(), HourOfDayMean(), NOW).signal
    midnight = CURRENT // DAY * DAY
    # Of 13 hours of today and of all 24 of the six days before: always four days behind.
    actual = [count(midnight - 6 * DAY + offset * HOUR) for offset in range(6 * 24 + 13)]
    assert signal.forecast_error is not None
    assert signal.forecast_error.hours == len(actual)
    assert signal.forecast_error.relative == pytest.approx(4 * 24 * len(actual) / sum(actual))


def test_at_midnight_seven_whole_days_are_judged() -> None:
    midnight = CURRENT // DAY * DAY
    for moment, hours in ((midnight, 168), (midnight + HOUR, 145), (midnight - HOUR, 167)):
        error = make_carbon_signal(REGION, NOTHING, CountingSource(), HourOfDayMean(), moment).signal.forecast_error
        assert error is not None
        assert error.hours == hours


def test_a_flat_mean_is_not_judged_by_itself() -> None:
    assert signal_of(region=data.find_region("eu-west-1")).forecast_error is None


def test_kept_forecasts_are_judged_by_the_measured_hours_that_were_given() -> None:
    hours = hours_before(CURRENT, 48, lambda start: 100.0)
    hours[CURRENT - HOUR] = intensity(200.0)
    hours[CURRENT - 2 * HOUR] = intensity(900.0, is_estimated=True)
    hours[CURRENT - 3 * HOUR] = intensity(50.0)
    hours[CURRENT] = intensity(5.0)  # It is not over yet.
    made = MadeForecast(CURRENT - 3 * HOUR, (110.0,) * 24)
    judged = signal_of(replace(given_of(hours), forecasts=(made,)))
    assert judged.forecast_error == ForecastError((90.0 + 60.0) / 250.0, 2)
    assert signal_of(given_of(hours)).forecast_error is None
    # One of more than 7 days ago does not count, nor does one of a clock that was ahead.
    for start in (CURRENT - 7 * DAY - HOUR, CURRENT + HOUR):
        assert signal_of(replace(given_of(hours), forecasts=(MadeForecast(start, (1.0,) * 24),))).forecast_error is None


def test_hours_that_a_source_expected_are_not_judged_by_the_trace() -> None:
    expected = {CURRENT + offset * HOUR: intensity(9999.0) for offset in range(24)}
    assert signal_of(Given({}, expected)).forecast_error is None
    del expected[CURRENT]
    assert signal_of(Given({}, expected)).forecast_error == signal_of().forecast_error is not None


def test_a_forecast_is_as_the_forecaster_makes_it() -> None:
    hours = hours_before(CURRENT, 48, lambda start: 1.0 + start // HOUR % 48)
    signal = signal_of(given_of(hours), forecaster=Persistence())
    for offset in range(24):
        start = CURRENT + offset * HOUR
        assert signal.intensity_gco2eq_per_kwh[hour_of_day(start)] == 1.0 + (start - DAY) // HOUR % 48
