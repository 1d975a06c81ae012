"""The embedded trace as a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.errors import UnknownRegionError
from tests.unit.collection.carbon_fakes import CURRENT, HOUR


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
    past = EmbeddedCarbonSource().past(data.find_region("eu-central-1"), start.timestamp(), 4)

    trace = data.hourly_trace("DE").intensity_gco2eq_per_kwh
    assert list(past) == [start.timestamp() + offset * HOUR for offset in range(4)]
    assert [hour.gco2eq_per_kwh for hour in past.values()] == trace[expected].tolist()
    assert {(hour.is_estimated, hour.vintage) for hour in past.values()} == {(False, "2023")}


@pytest.mark.parametrize(
    ("moment", "own"),
    [
        # A Thursday, and the Sunday whose hours serve.
        (datetime(2026, 11, 26, 13, 45, tzinfo=timezone.utc), datetime(2023, 11, 26, 13, 45, tzinfo=timezone.utc)),
        (datetime(2026, 12, 31, 23, tzinfo=timezone.utc), datetime(2023, 12, 31, 23, tzinfo=timezone.utc)),
        (datetime(2027, 1, 1, tzinfo=timezone.utc), datetime(2023, 1, 1, tzinfo=timezone.utc)),
        (datetime(2028, 2, 29, 5, tzinfo=timezone.utc), datetime(2023, 2, 28, 5, tzinfo=timezone.utc)),
        (datetime(2028, 3, 1, tzinfo=timezone.utc), datetime(2023, 3, 1, tzinfo=timezone.utc)),
        (datetime(2023, 7, 1, 6, tzinfo=timezone.utc), datetime(2023, 7, 1, 6, tzinfo=timezone.utc)),
    ],
)
def test_the_own_moment_of_an_hour_is_that_of_the_trace(moment: datetime, own: datetime) -> None:
    assert EmbeddedCarbonSource().own_moment(moment.timestamp()) == own.timestamp()


@pytest.mark.parametrize("year", [2023, 2027, 2028])
def test_an_hour_is_what_the_trace_has_at_its_own_moment(year: int) -> None:
    start_of_trace = datetime(data.TRACE_YEAR, 1, 1, tzinfo=timezone.utc).timestamp()
    first = datetime(year, 1, 1, tzinfo=timezone.utc)
    for hour in range(0, 366 * 24, 5):
        moment = first + timedelta(hours=hour)
        own = EmbeddedCarbonSource().own_moment(moment.timestamp())
        assert own == start_of_trace + data.hour_of_trace(moment) * HOUR


def test_hours_that_the_trace_lacked_are_estimated() -> None:
    gap = datetime(2026, 9, 6, 6, tzinfo=timezone.utc).timestamp()
    past = EmbeddedCarbonSource().past(data.find_region("us-west-2"), gap, 2)
    assert [hour.is_estimated for hour in past.values()] == [False, True]


def test_a_region_without_trace_is_flat_at_the_mean_of_the_traces_year_and_marked() -> None:
    past = EmbeddedCarbonSource().past(data.find_region("eu-west-1"), CURRENT, 48)
    assert [hour.gco2eq_per_kwh for hour in past.values()] == pytest.approx([403.0] * 48)
    for hour in past.values():
        assert hour.is_estimated
        assert "yearly mean" in hour.source


def test_another_year_is_no_forecast() -> None:
    assert EmbeddedCarbonSource().forecast(data.find_region("eu-west-1"), CURRENT, 24) == {}


def test_an_unknown_grid_zone_is_refused() -> None:
    region = replace(data.find_region("eu-central-1"), grid_zone="ATLANTIS")
    with pytest.raises(UnknownRegionError, match="ATLANTIS"):
        EmbeddedCarbonSource().past(region, CURRENT, 24)
