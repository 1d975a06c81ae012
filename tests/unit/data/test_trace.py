from __future__ import annotations

from datetime import datetime, timedelta, timezone
from statistics import median

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.data import _trace
from multi_x_serverless.errors import UnknownRegionError

WINDOW_START = datetime(2023, 10, 15, tzinfo=timezone.utc)
WINDOW_HOURS = 144


@pytest.mark.parametrize(
    ("zone", "mean_gco2eq_per_kwh"),
    [("US-MIDA-PJM", 356), ("US-CAL-CISO", 337), ("US-NW-PACW", 357), ("CA-QC", 30)],
)
def test_means_of_the_published_window(zone: str, mean_gco2eq_per_kwh: float) -> None:
    start = data.hour_of_trace(WINDOW_START)

    window = data.hourly_trace(zone).intensity_gco2eq_per_kwh[start : start + WINDOW_HOURS]

    assert window.size == WINDOW_HOURS
    assert round(float(window.mean())) == mean_gco2eq_per_kwh


def test_values_are_those_of_the_source_to_the_decimal() -> None:
    # First and last hours of the source file, and one in the middle of another column.
    assert data.hourly_trace("AU-NSW").intensity_gco2eq_per_kwh[0] == np.float32(345.1)
    assert data.hourly_trace("ZA").intensity_gco2eq_per_kwh[:2].tolist() == [
        np.float32(707.4),
        np.float32(711.2),
    ]
    assert data.hourly_trace("US-TEX-ERCO").intensity_gco2eq_per_kwh[1] == np.float32(266.4)


@pytest.mark.parametrize("zone", sorted(data.zones_with_hourly_trace()))
def test_every_trace_is_a_complete_year_of_plausible_values(zone: str) -> None:
    trace = data.hourly_trace(zone)

    assert trace.zone == zone
    assert trace.intensity_gco2eq_per_kwh.shape == trace.was_filled.shape == (data.HOURS_IN_TRACE,)
    assert trace.intensity_gco2eq_per_kwh.dtype == np.float32
    assert np.isfinite(trace.intensity_gco2eq_per_kwh).all()
    assert 1 < trace.intensity_gco2eq_per_kwh.min() < trace.intensity_gco2eq_per_kwh.max() < 1200


def test_the_hours_the_source_lacks_are_flagged_and_lie_between_their_neighbours() -> None:
    filled = {zone: data.hourly_trace(zone).was_filled.sum() for zone in data.zones_with_hourly_trace()}
    assert {zone: count for zone, count in filled.items() if count} == {"US-NW-PACW": 24}

    trace = data.hourly_trace("US-NW-PACW")
    first = data.hour_of_trace(datetime(2023, 9, 6, 7, tzinfo=timezone.utc))
    assert np.flatnonzero(trace.was_filled).tolist() == list(range(first, first + 24))
    intensity = trace.intensity_gco2eq_per_kwh
    for hour in range(first, first + 24):
        assert intensity[hour] == np.float32((float(intensity[hour - 24]) + float(intensity[hour + 24])) / 2)


def test_a_gap_longer_than_a_day_and_at_the_end_of_the_year_takes_the_nearest_days_that_have_the_hour() -> None:
    last = data.HOURS_IN_TRACE - 1
    intensity = np.zeros(data.HOURS_IN_TRACE, dtype=np.float32)
    is_missing = np.zeros(data.HOURS_IN_TRACE, dtype=bool)
    is_missing[[last, last - 24, 23]] = True
    intensity[last - 48] = 100.0
    intensity[23 + 24] = 300.0

    assert _trace._mean_of_neighbouring_days(intensity, is_missing, last) == 200.0


def test_arrays_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        data.hourly_trace("FR").intensity_gco2eq_per_kwh[0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        data.hourly_trace("FR").was_filled[0] = True


def test_a_zone_without_trace_is_refused() -> None:
    with pytest.raises(UnknownRegionError, match="no hourly trace for grid zone 'IE'"):
        data.hourly_trace("IE")


@pytest.mark.parametrize(
    ("moment", "hour"),
    [
        (datetime(2023, 1, 1, 0, 59, tzinfo=timezone.utc), 0),
        (datetime(2026, 12, 31, 23, tzinfo=timezone.utc), 8759),
        (datetime(2024, 2, 28, 5, tzinfo=timezone.utc), 58 * 24 + 5),
        (datetime(2024, 2, 29, 5, tzinfo=timezone.utc), 58 * 24 + 5),
        (datetime(2024, 3, 1, 5, tzinfo=timezone.utc), 59 * 24 + 5),
        # 23:30 on New Year's Eve in New York is the next year in UTC.
        (datetime(2025, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5))), 4),
    ],
)
def test_hour_of_trace(moment: datetime, hour: int) -> None:
    assert data.hour_of_trace(moment) == hour


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        data.hour_of_trace(datetime(2023, 1, 1))  # noqa: DTZ001 - the point of the test


def test_every_region_has_a_trace_or_a_mean() -> None:
    for region in data.regions().values():
        if region.has_hourly_trace:
            assert data.hourly_trace(region.grid_zone).intensity_gco2eq_per_kwh.mean() > 0
        assert data.yearly_mean(region.grid_zone) > 0


def test_yearly_means_are_of_the_year_of_the_trace_unless_asked_otherwise() -> None:
    assert data.yearly_mean("IE") == data.yearly_mean("IE", 2023) == 403
    assert data.yearly_mean("IE", 2025) == 301


def test_an_unknown_zone_or_year_of_a_mean_is_refused() -> None:
    with pytest.raises(UnknownRegionError, match="'ATLANTIS' for 2023"):
        data.yearly_mean("ATLANTIS")
    with pytest.raises(UnknownRegionError, match=r"'IE' for 1999.*2021-2025"):
        data.yearly_mean("IE", 1999)


def test_trace_and_yearly_mean_agree_as_far_as_the_documentation_says() -> None:
    differences = {
        zone: abs(data.yearly_mean(zone) / float(data.hourly_trace(zone).intensity_gco2eq_per_kwh.mean()) - 1)
        for zone in data.zones_with_hourly_trace()
    }

    assert median(differences.values()) < 0.016
    assert {zone for zone, difference in differences.items() if difference > 0.045} == {"GB", "IN-WE"}
