"""Carbon intensity of hours that have passed, region by region, with where the values come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.units import SECONDS_PER_HOUR


@dataclass(frozen=True)
class RegionIntensity:
    """Carbon intensity of a region over a stretch of hours.

    Attributes:
        start: Start of the first hour, seconds since the epoch, on the hour.
        hourly_gco2eq_per_kwh: One value per hour.
        origin: Source and vintage of the values, for people.
        stand_ins: Which hours, counted from 0, have the value of the same hour of another day, as nobody knows theirs.
    """

    start: float
    hourly_gco2eq_per_kwh: tuple[float, ...]
    origin: str
    stand_ins: frozenset[int] = frozenset()

    def hour_of(self, moment: float) -> int:
        """Which hour a moment lies in, counted from 0; it need not be one of those that are known."""
        return int((moment - self.start) // SECONDS_PER_HOUR)


@dataclass(frozen=True)
class IntensityHistory:
    """Carbon intensity of several regions, each hour by hour.

    Attributes:
        regions: Region code -> what is known of it.
    """

    regions: Mapping[str, RegionIntensity]

    def at(self, moment: float) -> dict[str, float]:
        """Region -> gCO2eq per kWh in the hour of `moment` (seconds since the epoch).

        Raises:
            NotEnoughDataError: The hour lies outside what is known of some region.
        """
        found = {}
        for region, known in self.regions.items():
            hour = known.hour_of(moment)
            if not 0 <= hour < len(known.hourly_gco2eq_per_kwh):
                raise NotEnoughDataError(f"the carbon intensity of {region} is not known at {moment:.0f} s.")
            found[region] = known.hourly_gco2eq_per_kwh[hour]
        return found

    def mean_at(self, weighted: Iterable[tuple[float, float]]) -> dict[str, float]:
        """Region -> mean gCO2eq per kWh over the hours of some moments.

        Args:
            weighted: Moments, in seconds since the epoch, each with what it counts for.

        Raises:
            NotEnoughDataError: There is no moment that counts, or one lies outside what is known.
        """
        moments = list(weighted)
        total = math.fsum(weight for _, weight in moments)
        if total <= 0.0:
            raise NotEnoughDataError("there is no hour to take carbon intensities of.")
        hours = [(self.at(moment), weight) for moment, weight in moments]
        return {region: math.fsum(hour[region] * weight for hour, weight in hours) / total for region in self.regions}

    @property
    def origin(self) -> str:
        """Sources and vintages, each with its regions where there is more than one."""
        by_origin: dict[str, list[str]] = {}
        for region, known in sorted(self.regions.items()):
            by_origin.setdefault(known.origin, []).append(region)
        if len(by_origin) == 1:
            return next(iter(by_origin))
        return "; ".join(f"{origin}: {', '.join(regions)}" for origin, regions in by_origin.items())
