"""How wrong forecasts of carbon intensity were, over the first 24 hours of those of the last 7 days.

    a signal that is replaced  ->  kept, if it is the first of its UTC day and of the grid's own time
    kept forecasts + hours measured since  ->  the error

One forecast a day is judged, however often is collected, and each of its hours once it was measured, however late: the
error is that of the horizon for which plans are made, and the same whichever collections got the measured values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.collection.forecast import HISTORY_DAYS, CarbonForecaster, relative_error
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.model.carbon_past import MadeForecast
from multi_x_serverless.model.carbon_signal import ForecastError
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from multi_x_serverless.collection.carbon_source import HourlyIntensity, StandInSource
    from multi_x_serverless.model.carbon_signal import CarbonSignal
    from multi_x_serverless.model.regions import Region

JUDGED_DAYS = 7
"""Forecasts older than so many days are forgotten: the season has changed since."""

KEPT_DIGITS = 2
"""After the point, in gCO2eq/kWh: far below any error, and a third of the room."""


def remembered(
    forecasts: Sequence[MadeForecast], replaced: CarbonSignal | None, current_hour: float
) -> tuple[MadeForecast, ...]:
    """The kept forecasts of the last 7 days, with that of a signal if it is the first of its UTC day; oldest first.

    One that rests on another year's hours is not kept: hours of this year say nothing of it.

    Args:
        forecasts: Those kept until now.
        replaced: The signal that a new one takes the place of.
        current_hour: Its start, seconds since the epoch.
    """
    known = list(forecasts)
    if replaced is not None and replaced.is_of_its_own_time:
        day = replaced.valid_from // DAY_S
        if all(forecast.first_hour // DAY_S != day for forecast in known):
            known.append(_made(replaced))
    return tuple(sorted(_judged(known, current_hour), key=lambda forecast: forecast.first_hour))


def error_of_forecasts(
    forecasts: Iterable[MadeForecast], came_true: Mapping[float, HourlyIntensity], current_hour: float
) -> ForecastError | None:
    """The error of forecasts of the last 7 days, over those of their hours that have passed and were measured.

    Args:
        forecasts: One a day at most.
        came_true: Start of an hour -> its intensity; estimates do not count.
        current_hour: Its start, seconds since the epoch.
    """
    pairs = [
        (expected, came_true[start].gco2eq_per_kwh)
        for forecast in _judged(forecasts, current_hour)
        for start, expected in forecast.hours()
        if start < current_hour and start in came_true and not came_true[start].is_estimated
    ]
    relative = relative_error([expected for expected, _ in pairs], [measured for _, measured in pairs])
    return None if relative is None else ForecastError(relative, len(pairs))


def error_on_trace(
    region: Region, trace: StandInSource, forecaster: CarbonForecaster, current_hour: float
) -> ForecastError | None:
    """The error of forecasts of the trace's own hours, as made at the start of each of the last UTC days.

    They need not be kept: made anew, they are the same.
    """
    first_day = math.ceil(current_hour / DAY_S) - JUDGED_DAYS
    days = [day * DAY_S for day in range(first_day, int(current_hour // DAY_S) + 1)]
    first = days[0] - HISTORY_DAYS * DAY_S
    hours = trace.past(region, first, int((current_hour - first) // SECONDS_PER_HOUR))
    values = np.array([hour.gco2eq_per_kwh for hour in hours.values()])
    forecasts = []
    for place, start in enumerate(days):
        history = values[place * HOURS_PER_DAY : (place + HISTORY_DAYS) * HOURS_PER_DAY]
        predicted = forecaster.forecast(history, float(start), HOURS_PER_DAY, trace.own_moment)
        forecasts.append(MadeForecast(float(start), tuple(predicted.tolist())))
    return error_of_forecasts(forecasts, hours, current_hour)


def _judged(forecasts: Iterable[MadeForecast], current_hour: float) -> list[MadeForecast]:
    """Those of the last 7 days, and none of a clock that was ahead."""
    first = current_hour - JUDGED_DAYS * DAY_S
    return [forecast for forecast in forecasts if first <= forecast.first_hour <= current_hour]


def _made(signal: CarbonSignal) -> MadeForecast:
    starts = (signal.valid_from + offset * SECONDS_PER_HOUR for offset in range(HOURS_PER_DAY))
    values = (signal.intensity_gco2eq_per_kwh[hour_of_day(start)] for start in starts)
    return MadeForecast(signal.valid_from, tuple(round(value, KEPT_DIGITS) for value in values))
