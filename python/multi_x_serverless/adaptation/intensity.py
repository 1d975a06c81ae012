"""Carbon intensities of the hours in which runs happened, from the carbon source's past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from multi_x_serverless.collection.carbon import CarbonSource
from multi_x_serverless.collection.forecast import HOURS_IN_DAY, SECONDS_PER_HOUR, hour_of_day, start_of_hour
from multi_x_serverless.errors import MultiXServerlessError, NotEnoughDataError
from multi_x_serverless.model.signals import CarbonSignal
from multi_x_serverless.solving.intensity import IntensityHistory, RegionIntensity
from multi_x_serverless.solving.problem import Signals


def intensity_history(
    source: CarbonSource, signals: Signals, regions: Iterable[str], first: float, last: float
) -> IntensityHistory:
    """Intensities of some regions in every hour from that of `first` to that of `last` (seconds since the epoch).

    A region of which the source knows no past has the collected forecast's value of the same hour of the day instead,
    and its origin says so.

    Raises:
        NotEnoughDataError: Of some region there is neither a past nor a collected forecast.
    """
    start = start_of_hour(first)
    hours = int((start_of_hour(last) - start) // SECONDS_PER_HOUR) + 1
    return IntensityHistory({region: _of_region(source, signals, region, start, hours) for region in regions})


def _of_region(source: CarbonSource, signals: Signals, region: str, start: float, hours: int) -> RegionIntensity:
    try:
        past = source.history(region, start, hours)
    except MultiXServerlessError:
        # Not silent: the origin says that these are no values of the runs' own hours.
        signal = signals.carbon.get(region)
        if signal is None:
            raise NotEnoughDataError(
                f"there is no carbon data of {region} yet: run 'data_collect carbon' first."
            ) from None
        return _of_forecast(signal, start, hours)
    return RegionIntensity(start, past.intensity_gco2eq_per_kwh, f"{past.source}, {past.vintage}")


def _of_forecast(signal: CarbonSignal, start: float, hours: int) -> RegionIntensity:
    by_day = [
        signal.intensity_gco2eq_per_kwh[hour_of_day(start + offset * SECONDS_PER_HOUR)]
        for offset in range(min(hours, HOURS_IN_DAY))
    ]
    collected = datetime.fromtimestamp(signal.collected_at, tz=timezone.utc)
    return RegionIntensity(
        start,
        tuple(by_day[offset % HOURS_IN_DAY] for offset in range(hours)),
        f"{signal.source}, {signal.vintage}, forecast of {collected:%Y-%m-%d} taken for the same hour of the day",
    )
