"""What a source of carbon intensities is: it knows some hours of some regions, and says of each what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.model.regions import Region


@dataclass(frozen=True)
class HourlyIntensity:
    """Carbon intensity of a grid over one hour.

    Attributes:
        gco2eq_per_kwh: Average, life-cycle.
        is_estimated: Not a measurement of that zone and hour.
        source: Who says so, for people, for example ``Electricity Maps``.
        vintage: The time that the value describes, for example ``2026-11-26`` or ``2023``.
    """

    gco2eq_per_kwh: float
    is_estimated: bool
    source: str
    vintage: str


class CarbonSource(Protocol):
    """Knows the carbon intensity of past hours, and perhaps what is expected of coming ones."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these intensities has to be told."""

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what it knows of the `hours` hours from `first_hour` on; hours that it does not know are left out.

        Args:
            region: Whose grid.
            first_hour: Start of the first hour, seconds since the epoch, on the hour.
            hours: How many.

        Returns:
            Start of an hour (seconds since the epoch) -> its intensity.

        Raises:
            SignalSourceError: It cannot be asked, or its answer cannot be used.
        """

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what it expects of the `hours` hours from `first_hour` on; empty if it makes no forecasts.

        Raises:
            SignalSourceError: It makes forecasts, but cannot be asked, or its answer cannot be used.
        """


class StandInSource(CarbonSource, Protocol):
    """Knows all hours, by those of another time that stand in for them."""

    def own_moment(self, moment: float) -> float:
        """Return the moment that what it gives for `moment` is of; both in seconds since the epoch.

        Days stay whole, but those that follow each other here need not do so there.
        """
