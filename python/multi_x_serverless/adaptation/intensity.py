"""Carbon intensities of the hours in which runs happened, from a source's past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_origins import origin_of
from multi_x_serverless.collection.carbon_source import CarbonSource, HourlyIntensity
from multi_x_serverless.collection.hours import hour_of_day, start_of_hour
from multi_x_serverless.errors import MultiXServerlessError, NotEnoughDataError
from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.units import SECONDS_PER_HOUR
from multi_x_serverless.solving.intensity import IntensityHistory, RegionIntensity
from multi_x_serverless.solving.problem import Signals


def intensity_history(
    source: CarbonSource, signals: Signals, regions: Iterable[str], first: float, last: float
) -> IntensityHistory:
    """Intensities of some regions in every hour from that of `first` to that of `last` (seconds since the epoch).

    An hour of which the source knows nothing has the collected forecast's value of the same hour of the day instead
    (`RegionIntensity.stand_ins`), and the region's origin says so, and why if the source failed.

    Raises:
        NotEnoughDataError: Of some region there is neither a past nor a collected forecast.
    """
    start = start_of_hour(first)
    hours = int((start_of_hour(last) - start) // SECONDS_PER_HOUR) + 1
    return IntensityHistory({region: _of_region(source, signals, region, start, hours) for region in regions})


def _of_region(source: CarbonSource, signals: Signals, region: str, start: float, hours: int) -> RegionIntensity:
    why = ""
    try:
        past: Mapping[float, HourlyIntensity] = source.past(data.find_region(region), start, hours)
    except MultiXServerlessError as error:
        # Not silent: the origin says that these are no values of the runs' own hours, and why.
        past, why = {}, f", as {str(error).rstrip('.')}"
    starts = [start + offset * SECONDS_PER_HOUR for offset in range(hours)]
    signal = signals.carbon.get(region)
    if signal is None and any(moment not in past for moment in starts):
        raise NotEnoughDataError(
            f"there is no carbon data of {region} yet: run 'multi_x_serverless data_collect carbon' first."
        )
    known = [
        past[moment] if signal is None or moment in past else _of_forecast(signal, moment, why) for moment in starts
    ]
    return RegionIntensity(
        start,
        tuple(hour.gco2eq_per_kwh for hour in known),
        origin_of(known),
        frozenset(number for number, moment in enumerate(starts) if moment not in past),
    )


def _of_forecast(signal: CarbonSignal, moment: float, why: str) -> HourlyIntensity:
    hour = hour_of_day(moment)
    origin = signal.origin_at(hour)
    collected = datetime.fromtimestamp(signal.collected_at, tz=timezone.utc)
    return HourlyIntensity(
        gco2eq_per_kwh=signal.intensity_gco2eq_per_kwh[hour],
        is_estimated=True,
        source=f"forecast of {collected:%Y-%m-%d} from {origin.source}, taken for the same hour of the day{why}",
        vintage=origin.vintage,
    )
