"""Forecasts of carbon intensity from its recent past, and how wrong they turned out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from multi_x_serverless.errors import NotEnoughDataError

HOURS_IN_DAY = 24
SECONDS_PER_HOUR = 3600
HISTORY_HOURS = 7 * HOURS_IN_DAY
"""What a forecast is made from: a week, so that working days and the weekend are both in it."""


@dataclass(frozen=True)
class CarbonHistory:
    """Hourly carbon intensity of a region over a stretch of time.

    Attributes:
        region: Code of the region.
        grid_zone: Zone of the power grid.
        start: Start of the first hour, seconds since the epoch, on the hour.
        intensity_gco2eq_per_kwh: One value per hour.
        is_estimated: The values are not hourly measurements of that zone, but for single gaps.
        source: Where they come from.
        vintage: The time they describe.
    """

    region: str
    grid_zone: str
    start: float
    intensity_gco2eq_per_kwh: tuple[float, ...]
    is_estimated: bool
    source: str
    vintage: str


class CarbonForecaster(Protocol):
    """Predicts the 24 hours that follow a history."""

    @property
    def method(self) -> str:
        """How it does so, for people."""

    def forecast(self, history: CarbonHistory) -> tuple[float, ...]:
        """Return 24 intensities in gCO2eq/kWh, the first for the hour in which the history ends.

        Raises:
            NotEnoughDataError: The history is too short.
        """


@dataclass(frozen=True)
class HourOfDayMean:
    """Seasonal mean: each hour is the mean of the same hour of the days in the history."""

    method: str = "mean of the same hour over the 7 days before"

    def forecast(self, history: CarbonHistory) -> tuple[float, ...]:
        """Return 24 intensities; see `CarbonForecaster.forecast`."""
        hours = len(history.intensity_gco2eq_per_kwh)
        if hours != HISTORY_HOURS:
            raise NotEnoughDataError(
                f"the forecast for '{history.region}' needs {HISTORY_HOURS} hours of history, not {hours}."
            )
        days = hours // HOURS_IN_DAY
        return tuple(
            sum(history.intensity_gco2eq_per_kwh[offset::HOURS_IN_DAY]) / days for offset in range(HOURS_IN_DAY)
        )


def start_of_hour(moment: float) -> float:
    """Return the start of the hour that `moment` lies in; both in seconds since the epoch."""
    return float(moment // SECONDS_PER_HOUR * SECONDS_PER_HOUR)


def hour_of_day(moment: float) -> int:
    """Return the UTC hour of the day, 0-23, of a moment in seconds since the epoch."""
    return int(moment // SECONDS_PER_HOUR) % HOURS_IN_DAY


def relative_error(predicted: tuple[float, ...], actual: tuple[float, ...]) -> float | None:
    """Return the mean absolute error of predictions as a fraction of the mean of what came true.

    None if nothing has come true yet, or nothing but zeros. Of unequal lengths the common start counts.
    """
    pairs = list(zip(predicted, actual, strict=False))
    total = sum(came_true for _, came_true in pairs)
    if total <= 0:
        return None
    return sum(abs(expected - came_true) for expected, came_true in pairs) / total
