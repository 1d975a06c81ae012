"""The embedded trace as a source of carbon intensities: always there, of another year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.model.units import DAY_S, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.model.regions import Region

EMBEDDED_NOTE = (
    f"Carbon intensities are those of the same calendar hours of {data.TRACE_YEAR}, or that year's mean "
    "where no hourly trace is known, and not those of today's grid."
)

_START_OF_TRACE = datetime(data.TRACE_YEAR, 1, 1, tzinfo=timezone.utc).timestamp()


@dataclass(frozen=True)
class EmbeddedCarbonSource:
    """The embedded trace: each hour has the intensity of the same calendar hour of the trace's year.

    A region whose grid zone has no trace has its zone's mean of that year at every hour.
    """

    name: str = "embedded data"

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these intensities has to be told."""
        return (EMBEDDED_NOTE, data.attribution())

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return all of the hours; see `CarbonSource.past`.

        Raises:
            UnknownRegionError: The embedded data does not know the grid zone.
        """
        starts = [first_hour + offset * SECONDS_PER_HOUR for offset in range(hours)]
        if not region.has_hourly_trace:
            yearly = data.source_of("carbon_intensity_yearly.csv")
            flat = HourlyIntensity(
                gco2eq_per_kwh=data.yearly_mean(region.grid_zone),
                is_estimated=True,
                source=f"embedded yearly mean ({yearly.source})",
                vintage=str(data.TRACE_YEAR),
            )
            return dict.fromkeys(starts, flat)
        trace = data.hourly_trace(region.grid_zone)
        hourly = data.source_of("carbon_intensity_hourly_2023.npy")
        source = f"embedded hourly trace ({hourly.source})"
        places = _places_in_trace(first_hour, hours)
        values = trace.intensity_gco2eq_per_kwh[places].tolist()
        gaps = trace.was_filled[places].tolist()
        return {
            start: HourlyIntensity(value, is_estimated, source, hourly.vintage)
            for start, value, is_estimated in zip(starts, values, gaps, strict=True)
        }

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:  # noqa: ARG002
        """Return nothing: what came after in another year is no forecast; see `CarbonSource.forecast`."""
        return {}

    def own_moment(self, moment: float) -> float:
        """Return the same calendar moment of the trace's year; see `StandInSource.own_moment`.

        After 31 December comes 1 January of the same year, and 28 February comes twice in a leap year.
        """
        return _day_of_trace(int(moment // DAY_S)) + moment % DAY_S


@lru_cache(maxsize=512)  # A forecast asks of each hour of its weeks, and all regions ask for the same ones.
def _day_of_trace(day: int) -> float:
    """Start of the day of the trace for a day since the epoch."""
    start = datetime.fromtimestamp(day * DAY_S, timezone.utc)
    return _START_OF_TRACE + data.hour_of_trace(start) * SECONDS_PER_HOUR


@lru_cache(maxsize=8)  # All regions of a collection ask for the same stretch.
def _places_in_trace(first_hour: float, hours: int) -> list[int]:
    first = datetime.fromtimestamp(first_hour, timezone.utc)
    return [data.hour_of_trace(first + timedelta(hours=offset)) for offset in range(hours)]
