"""One region's carbon signal, made of what sources gave for it and of the embedded trace."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.collection.carbon_origins import are_mostly_estimated, sources_of, vintages_of
from multi_x_serverless.collection.carbon_past import RecentHistory, as_intensity, in_words, recent_history
from multi_x_serverless.collection.collector import Made
from multi_x_serverless.collection.forecast import HISTORY_DAYS, CarbonForecaster
from multi_x_serverless.collection.forecast_error import error_of_forecasts, error_on_trace
from multi_x_serverless.collection.hours import hour_of_day, same_moment, start_of_hour
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.carbon_signal import CarbonSignal, HourOrigin
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multi_x_serverless.collection.carbon_source import HourlyIntensity, StandInSource
    from multi_x_serverless.model.carbon_past import MadeForecast, PastHour
    from multi_x_serverless.model.regions import Region

WARN_AFTER_S = 2 * DAY_S
"""If the newest hour known is older, whoever reads the report is told."""


@dataclass(frozen=True)
class Given:
    """What sources gave for a region, now and in earlier collections.

    Attributes:
        past: Start of an hour (seconds since the epoch) -> what was given for it.
        expected: Coming hours as a source expects them.
        forecasts: Those of earlier signals that were kept to be judged by what came true.
    """

    past: Mapping[float, PastHour]
    expected: Mapping[float, HourlyIntensity]
    forecasts: tuple[MadeForecast, ...] = ()


def make_carbon_signal(
    region: Region,
    given: Given,
    embedded: StandInSource,
    forecaster: CarbonForecaster,
    now: float,
) -> Made[CarbonSignal]:
    """Return the signal of a region for the 24 hours from the current one on.

    Args:
        region: Which region.
        given: What sources gave.
        embedded: Serves where that is too little.
        forecaster: Continues the past where no source expects anything.
        now: Seconds since the epoch.

    Raises:
        MultiXServerlessError: The embedded data does not know the region.
    """
    current_hour = start_of_hour(now)
    warnings: tuple[str, ...] = ()
    measured_until: float | None = None
    own_moment: Callable[[float], float] = same_moment
    past = {start: as_intensity(hour) for start, hour in given.past.items()}
    try:
        history = recent_history(past, current_hour, HISTORY_DAYS)
        measured_until = history.end
        if current_hour - history.end > WARN_AFTER_S:
            days = (current_hour - history.end) / DAY_S
            warnings = (f"the newest hour known, until {in_words(history.end)}, is {days:.1f} days old",)
    except NotEnoughDataError as error:
        if given.past:
            warnings = (f"the embedded data serves: {error}",)
        hours = HISTORY_DAYS * HOURS_PER_DAY
        trace = embedded.past(region, current_hour - hours * SECONDS_PER_HOUR, hours)
        history = recent_history(trace, current_hour, HISTORY_DAYS)
        # Weekends are where they were in the trace's year, whatever weekdays this year has.
        own_moment = embedded.own_moment
    if measured_until is None and len(given.expected) < HOURS_PER_DAY:
        forecast_error = error_on_trace(region, embedded, forecaster, current_hour)
    else:
        forecast_error = error_of_forecasts(given.forecasts, past, current_hour)
    by_hour, origins = _expected(history, own_moment, given, forecaster, current_hour)
    signal = CarbonSignal(
        region=region.code,
        grid_zone=region.grid_zone,
        intensity_gco2eq_per_kwh=by_hour,
        valid_from=current_hour,
        method=_method(origins),
        is_estimated=are_mostly_estimated(origins),
        source=sources_of(origins),
        vintage=vintages_of(origins),
        collected_at=now,
        forecast_error=forecast_error,
        origins=origins,
        measured_until=measured_until,
    )
    return Made(signal, warnings)


def _expected(
    history: RecentHistory,
    own_moment: Callable[[float], float],
    given: Given,
    forecaster: CarbonForecaster,
    current_hour: float,
) -> tuple[tuple[float, ...], tuple[HourOrigin, ...]]:
    """Intensities and origins by hour of the day."""
    hours_since = round((current_hour - history.end) / SECONDS_PER_HOUR)
    values = np.array(history.intensity_gco2eq_per_kwh)
    continued = forecaster.forecast(values, history.end, hours_since + HOURS_PER_DAY, own_moment)[hours_since:]
    own = HourOrigin(
        source=sources_of(history.given),
        vintage=vintages_of(history.given),
        is_estimated=are_mostly_estimated(history.given),
        forecast_by=_own_method(history, forecaster),
    )
    by_hour = [0.0] * HOURS_PER_DAY
    origins = [own] * HOURS_PER_DAY
    for offset in range(HOURS_PER_DAY):
        start = current_hour + offset * SECONDS_PER_HOUR
        expected = given.expected.get(start)
        place = hour_of_day(start)
        if expected is None:
            by_hour[place] = float(continued[offset])
        else:
            by_hour[place] = expected.gco2eq_per_kwh
            origins[place] = HourOrigin(expected.source, expected.vintage, expected.is_estimated, expected.source)
    return tuple(by_hour), tuple(origins)


def _own_method(history: RecentHistory, forecaster: CarbonForecaster) -> str:
    values = history.intensity_gco2eq_per_kwh
    if min(values) == max(values):
        return "flat mean"
    if len(history.given) == len(values) == HISTORY_DAYS * HOURS_PER_DAY:
        return forecaster.method
    return f"{forecaster.method} ({len(history.given)} of the last {len(values)} hours known)"


def _method(origins: tuple[HourOrigin, ...]) -> str:
    """How hours were made; where in several ways, with the number of hours of each, that of most first."""
    ways = Counter(origin.forecast_by for origin in origins)
    if len(ways) == 1:
        return next(iter(ways))
    ordered = sorted(ways.items(), key=lambda way: (-way[1], way[0]))
    return "; ".join(f"{way}: {count} h" for way, count in ordered)
