"""Regions and their prices, from the embedded data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from multi_x_serverless import data
from multi_x_serverless.collection.collector import CollectorReport, refresh
from multi_x_serverless.collection.store import PRICE, REGION, SignalStore
from multi_x_serverless.model.signals import PriceSignal, RegionSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDED_NOTE = (
    "Prices are list prices as shipped with the program, some of them assumed from another region; "
    "none was asked of the provider."
)


class ProviderSource(Protocol):
    """Knows a provider's regions and prices."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these prices has to be told."""

    def region(self, code: str, now: float) -> RegionSignal:
        """Return what is known of a region.

        Raises:
            MultiXServerlessError: It is not known or cannot be fetched.
        """

    def prices(self, code: str, now: float) -> PriceSignal:
        """Return the prices in a region.

        Raises:
            MultiXServerlessError: They are not known or cannot be fetched.
        """


@dataclass(frozen=True)
class EmbeddedProviderSource:
    """The embedded list of regions and prices."""

    notes: tuple[str, ...] = (EMBEDDED_NOTE,)

    def region(self, code: str, now: float) -> RegionSignal:
        """Return what is known of a region; see `ProviderSource.region`."""
        origin = data.source_of("regions.csv")
        return RegionSignal(data.find_region(code), f"embedded ({origin.source})", origin.vintage, now)

    def prices(self, code: str, now: float) -> PriceSignal:
        """Return the prices in a region; see `ProviderSource.prices`."""
        origin = data.source_of("prices_by_region.csv")
        return PriceSignal(code, data.prices(code), f"embedded ({origin.source})", origin.vintage, now)


@dataclass(frozen=True)
class ProviderCollector:
    """Refreshes what is known of regions, and their prices."""

    source: ProviderSource = field(default_factory=EmbeddedProviderSource)
    name: str = "provider"

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the region and price signals of `regions`; see `Collector.collect`."""
        outcomes = (
            *refresh(REGION, regions, now, store, lambda region, _: self.source.region(region, now)),
            *refresh(PRICE, regions, now, store, lambda region, _: self.source.prices(region, now)),
        )
        return CollectorReport(self.name, now, outcomes, self.source.notes)
