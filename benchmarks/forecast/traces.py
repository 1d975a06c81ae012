"""The traces of 2023, cut into what a forecaster sees and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import combinations

import numpy as np

from multi_x_serverless import data
from multi_x_serverless.collection.forecast import HISTORY_DAYS, CarbonForecaster, Series
from multi_x_serverless.collection.hours import DAYS_IN_WEEK
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

ZONES: tuple[str, ...] = tuple(sorted(data.zones_with_hourly_trace()))
HORIZON_HOURS = DAYS_IN_WEEK * HOURS_PER_DAY
HOURS_BETWEEN_ORIGINS = 29
"""No multiple of 24, and prime to it: every hour of the day occurs as often as any other."""

START_OF_TRACE = datetime(data.TRACE_YEAR, 1, 1, tzinfo=timezone.utc).timestamp()


@dataclass(frozen=True)
class RegionSet:
    """Grids to choose among.

    Attributes:
        name: What they are called in tables.
        zones: The grids; the first one is home.
    """

    name: str
    zones: tuple[str, ...]

    @property
    def places(self) -> list[int]:
        """Where the grids are in `ZONES`."""
        return [ZONES.index(zone) for zone in self.zones]


def _grids_of_regions() -> tuple[str, ...]:
    """One entry per grid of an AWS region whose trace is known: two regions of one grid are no choice."""
    grids = dict.fromkeys(region.grid_zone for region in data.regions().values() if region.has_hourly_trace)
    return ("US-MIDA-PJM", *sorted(set(grids) - {"US-MIDA-PJM"}))


US = RegionSet("US", ("US-MIDA-PJM", "US-CAL-CISO", "US-NW-PACW"))
REGION_SETS: tuple[RegionSet, ...] = (
    US,
    RegionSet("North America", (*US.zones, "CA-QC")),
    RegionSet("five US grids", (*US.zones, "US-NY-NYIS", "US-TEX-ERCO")),
    RegionSet("Europe", ("DE", "ES", "FR", "GB")),
    RegionSet("all regions", _grids_of_regions()),
)
"""`five US grids` has two without an AWS region: so many grids that are alike make choosing hard."""

PAIRS: tuple[RegionSet, ...] = tuple(
    RegionSet(f"{home} or {other}", (home, other)) for home, other in combinations(ZONES, 2)
)
"""Every choice between two grids; the order, which is that of the alphabet, says nothing about home."""


@dataclass(frozen=True)
class Origins:
    """Moments at which a forecast is made.

    Attributes:
        hours: Hours after the start of the trace.
    """

    hours: tuple[int, ...]

    @classmethod
    def of_the_year(cls, first_day: int = HISTORY_DAYS + 1, last_day: int = 365 - DAYS_IN_WEEK) -> Origins:
        """Every 29 hours, between days of the year that have enough before and after them, a day late too."""
        return cls(tuple(range(first_day * HOURS_PER_DAY, last_day * HOURS_PER_DAY + 1, HOURS_BETWEEN_ORIGINS)))

    @property
    def weeks(self) -> list[int]:
        """The week of the year of each origin; neighbouring origins see much the same weather."""
        return [hour // HORIZON_HOURS for hour in self.hours]


def trace() -> Series:
    """Intensities of all grids, shape (zones, 8760)."""
    return np.array([data.hourly_trace(zone).intensity_gco2eq_per_kwh for zone in ZONES], dtype=np.float64)


def what_came_true(intensities: Series, origins: Origins) -> Series:
    """The week after each origin, shape (zones, origins, 168)."""
    return np.stack([intensities[:, hour : hour + HORIZON_HOURS] for hour in origins.hours], axis=1)


def forecasts(
    forecaster: CarbonForecaster,
    intensities: Series,
    origins: Origins,
    history_days: int = HISTORY_DAYS,
    hours_late: int = 0,
) -> Series:
    """What was predicted for the week after each origin, shape (zones, origins, 168).

    Args:
        forecaster: Who predicts.
        intensities: See `trace`.
        origins: When.
        history_days: How many days it is given.
        hours_late: How many hours before the origin these end.
    """
    found = []
    for hour in origins.hours:
        end = hour - hours_late
        history = intensities[:, end - history_days * HOURS_PER_DAY : end]
        predicted = forecaster.forecast(history, START_OF_TRACE + end * SECONDS_PER_HOUR, hours_late + HORIZON_HOURS)
        found.append(predicted[:, hours_late:])
    return np.stack(found, axis=1)
