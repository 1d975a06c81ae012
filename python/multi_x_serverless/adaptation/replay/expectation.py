"""What a collector would have expected of the next 24 hours: the product's own rules over what was known then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.collection.carbon_past import recent_history
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HISTORY_DAYS
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.intensities import Past
    from multi_x_serverless.collection.forecast import CarbonForecaster, Series

FULL_HOURS = HISTORY_DAYS * HOURS_PER_DAY


def expected_day(past: Past, forecaster: CarbonForecaster = DEFAULT_FORECASTER) -> dict[str, list[float]]:
    """The 24 hours from the moment on: region -> gCO2eq/kWh by UTC hour of the day.

    Raises:
        NotEnoughDataError: Of some region too little is known, or only what is too old (see `recent_history`).
    """
    late = round((past.now - past.start) / SECONDS_PER_HOUR) - past.seen.shape[1]
    recent = past.seen[:, -FULL_HOURS:]
    is_full = np.isfinite(recent).all(axis=1) & (recent.shape[1] == FULL_HOURS)
    expected = np.empty((len(past.regions), HOURS_PER_DAY))
    if is_full.any():
        # All full histories at once: a forecaster treats them alike.
        end = past.now - late * SECONDS_PER_HOUR
        expected[is_full] = forecaster.forecast(recent[is_full], end, late + HOURS_PER_DAY)[:, late:]
    for row in np.flatnonzero(~is_full):
        expected[row] = _of_region(past, int(row), forecaster)
    by_hour = np.roll(expected, hour_of_day(past.now), axis=1)
    return dict(zip(past.regions, by_hour.tolist(), strict=True))


def _of_region(past: Past, row: int, forecaster: CarbonForecaster) -> Series:
    hours = {
        past.start + int(place) * SECONDS_PER_HOUR: HourlyIntensity(float(past.seen[row, place]), False, "", "")
        for place in np.flatnonzero(np.isfinite(past.seen[row]))
    }
    try:
        history = recent_history(hours, past.now, HISTORY_DAYS)
    except NotEnoughDataError as error:
        raise NotEnoughDataError(f"no forecast for {past.regions[row]}: {error}") from error
    since = round((past.now - history.end) / SECONDS_PER_HOUR)
    values = np.array(history.intensity_gco2eq_per_kwh)
    return forecaster.forecast(values, history.end, since + HOURS_PER_DAY)[since:]
