"""Carbon intensity per region for the next 24 hours, from the embedded data.

The collector takes the last 7 days from a `CarbonSource` and lets a `CarbonForecaster` continue them. A live
source (Electricity Maps, WattTime) is one more implementation of `CarbonSource`; none is shipped yet, so the
embedded one serves in every case, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from multi_x_serverless import data
from multi_x_serverless.collection.collector import CollectorReport, refresh
from multi_x_serverless.collection.forecast import (
    HISTORY_HOURS,
    HOURS_IN_DAY,
    SECONDS_PER_HOUR,
    CarbonForecaster,
    CarbonHistory,
    HourOfDayMean,
    hour_of_day,
    relative_error,
    start_of_hour,
)
from multi_x_serverless.collection.store import CARBON, SignalStore
from multi_x_serverless.model.signals import CarbonSignal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOKEN_VARIABLE = "ELECTRICITY_MAPS_AUTH_TOKEN"  # noqa: S105 - the name of a variable, not a token

EMBEDDED_NOTE = (
    f"Carbon intensities are those of the same calendar hours of {data.TRACE_YEAR}, or that year's mean "
    "where no hourly trace is known, and not those of today's grid."
)
UNUSED_TOKEN_NOTE = f"{TOKEN_VARIABLE} is set, but this version does not ask Electricity Maps for live intensities."


class CarbonSource(Protocol):
    """Knows the carbon intensity of past hours."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these intensities has to be told."""

    def history(self, region: str, start: float, hours: int) -> CarbonHistory:
        """Return the intensities of the `hours` hours from `start` (seconds since the epoch, on the hour).

        Raises:
            MultiXServerlessError: They are not known or cannot be fetched.
        """


@dataclass(frozen=True)
class EmbeddedCarbonSource:
    """The embedded trace: each hour has the intensity of the same calendar hour of the trace's year.

    A region whose grid zone has no trace has its zone's mean of that year at every hour.
    """

    notes: tuple[str, ...] = field(default_factory=lambda: (EMBEDDED_NOTE, data.attribution()))

    def history(self, region: str, start: float, hours: int) -> CarbonHistory:
        """Return intensities; see `CarbonSource.history`.

        Raises:
            UnknownRegionError: The embedded data does not know the region.
        """
        known = data.find_region(region)
        if not known.has_hourly_trace:
            yearly = data.source_of("carbon_intensity_yearly.csv")
            intensity: tuple[float, ...] = (data.yearly_mean(known.grid_zone),) * hours
            return CarbonHistory(
                region=region,
                grid_zone=known.grid_zone,
                start=start,
                intensity_gco2eq_per_kwh=intensity,
                is_estimated=True,
                source=f"embedded yearly mean ({yearly.source})",
                vintage=str(data.TRACE_YEAR),
            )
        trace = data.hourly_trace(known.grid_zone)
        hourly = data.source_of("carbon_intensity_hourly_2023.npy")
        return CarbonHistory(
            region=region,
            grid_zone=known.grid_zone,
            start=start,
            intensity_gco2eq_per_kwh=tuple(trace.intensity_gco2eq_per_kwh[_hours_of_trace(start, hours)].tolist()),
            is_estimated=False,
            source=f"embedded hourly trace ({hourly.source})",
            vintage=hourly.vintage,
        )


@lru_cache(maxsize=8)  # All regions of a collection ask for the same stretch.
def _hours_of_trace(start: float, hours: int) -> list[int]:
    first_hour = datetime.fromtimestamp(start, timezone.utc)
    return [data.hour_of_trace(first_hour + timedelta(hours=offset)) for offset in range(hours)]


@dataclass(frozen=True)
class CarbonCollector:
    """Refreshes the carbon signals."""

    source: CarbonSource = field(default_factory=EmbeddedCarbonSource)
    forecaster: CarbonForecaster = field(default_factory=HourOfDayMean)
    name: str = "carbon"

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the carbon signals of `regions`; see `Collector.collect`."""

        def make(region: str, previous: CarbonSignal | None) -> CarbonSignal:
            return make_carbon_signal(self.source, self.forecaster, region, now, previous)

        outcomes = refresh(CARBON, regions, now, store, make)
        return CollectorReport(self.name, now, outcomes, self.source.notes)


def carbon_collector(environment: Mapping[str, str]) -> CarbonCollector:
    """Return the collector for the keys in `environment`; its reports note a key that is not used."""
    if not environment.get(TOKEN_VARIABLE):
        return CarbonCollector()
    embedded = EmbeddedCarbonSource()
    return CarbonCollector(EmbeddedCarbonSource(notes=(UNUSED_TOKEN_NOTE, *embedded.notes)))


def make_carbon_signal(
    source: CarbonSource,
    forecaster: CarbonForecaster,
    region: str,
    now: float,
    previous: CarbonSignal | None = None,
) -> CarbonSignal:
    """Return the signal of a region for the 24 hours from the current one on.

    Args:
        source: Knows the past.
        forecaster: Continues it.
        region: Code of the region.
        now: Seconds since the epoch.
        previous: The signal this one replaces; its forecast is compared with what came true.

    Raises:
        MultiXServerlessError: The source or the forecaster failed.
    """
    current_hour = start_of_hour(now)
    history = source.history(region, current_hour - HISTORY_HOURS * SECONDS_PER_HOUR, HISTORY_HOURS)
    by_hour = [0.0] * HOURS_IN_DAY
    for offset, intensity in enumerate(forecaster.forecast(history)):
        by_hour[hour_of_day(current_hour + offset * SECONDS_PER_HOUR)] = intensity
    return CarbonSignal(
        region=region,
        grid_zone=history.grid_zone,
        intensity_gco2eq_per_kwh=tuple(by_hour),
        valid_from=current_hour,
        method="flat mean" if history.is_estimated else forecaster.method,
        is_estimated=history.is_estimated,
        source=history.source,
        vintage=history.vintage,
        collected_at=now,
        forecast_error=_forecast_error(source, previous, current_hour, history.source),
    )


def _forecast_error(
    source: CarbonSource, previous: CarbonSignal | None, current_hour: float, source_name: str
) -> float | None:
    if previous is None or previous.source != source_name:
        return None  # Another source's forecast is not judged by this one's past.
    hours_passed = min(HOURS_IN_DAY, int((current_hour - previous.valid_from) // SECONDS_PER_HOUR))
    if hours_passed <= 0:
        return previous.forecast_error
    actual = source.history(previous.region, previous.valid_from, hours_passed).intensity_gco2eq_per_kwh
    predicted = tuple(
        previous.intensity_gco2eq_per_kwh[hour_of_day(previous.valid_from + offset * SECONDS_PER_HOUR)]
        for offset in range(hours_passed)
    )
    return relative_error(predicted, actual)
