"""Regions and their prices: the provider's directory and price list over the embedded data.

    directory (names, countries) --> provider_regions --+
                                                        +--> one region and one price signal per region
    price list (all regions at once) --> price_merge ---+

A cloud without them (the embedded one) leaves the embedded data as it is. A price or a region that fails keeps what it
had, with its own vintage, and is a warning of that region; so is, of all that were asked for, a list that cannot be
asked. Names are worth less: a directory that may not be asked is one note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.collector import CollectorReport, Made, refresh
from multi_x_serverless.collection.price_merge import embedded_prices, is_listed, merge_prices
from multi_x_serverless.collection.provider_regions import (
    DescribedRegions,
    ask_directory,
    is_described,
    make_region_signal,
    rename_note,
    unknown_note,
)
from multi_x_serverless.collection.store import PRICE, REGION, AnySignal, SignalKind, SignalStore
from multi_x_serverless.errors import MultiXServerlessError, SignalSourceError, UnsupportedError
from multi_x_serverless.model.signals import known_at

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import Cloud, PriceList, RegionDirectory, RegionQuotes
    from multi_x_serverless.collection.geocoding import Geocoder
    from multi_x_serverless.model.price_signal import PriceSignal
    from multi_x_serverless.model.regions import RegionSignal

EMBEDDED_NOTE = (
    "Prices are list prices as shipped with the program, some of them assumed from another region; "
    "none was asked of the provider."
)
LISTED_NOTE = (
    "Prices are AWS's list prices in the first tier, without allowances that are free of charge and without discounts."
)
INSTEAD = "The embedded prices serve, or what the list said last."


@dataclass(frozen=True)
class _Asked:
    """What the price list said, and what has to be told of it; `warnings` are those of each region asked for."""

    quotes: Mapping[str, RegionQuotes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProviderCollector:
    """Refreshes what is known of regions, and their prices.

    Attributes:
        price_list: The provider's; `None`: the embedded prices are all there is.
        directory: The provider's; `None`: the embedded regions are all there is.
        kept_s: What the provider said within so many seconds is not asked for again.
        geocoder: Finds places of regions that the embedded data does not know; `None`: nobody is asked.
    """

    price_list: PriceList | None = None
    directory: RegionDirectory | None = None
    kept_s: float = 0.0
    geocoder: Geocoder | None = None
    name: str = "provider"

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the region and price signals of `regions`; see `Collector.collect`."""
        wanted = [region for region in dict.fromkeys(regions) if region in data.regions()]
        fresh_regions = self._fresh(REGION, is_described, wanted, now, store)
        fresh_prices = self._fresh(PRICE, is_listed, wanted, now, store)
        said = self._ask_directory([region for region in wanted if region not in fresh_regions])
        asked = self._ask_prices([region for region in wanted if region not in fresh_prices])
        renamed: list[str] = []

        def make_region(region: str, previous: RegionSignal | None) -> Made[RegionSignal]:
            if region in fresh_regions and previous is not None:
                return Made(previous, ())
            made = make_region_signal(region, said, previous, now)
            note = rename_note(region, made.signal.details.name, previous)
            renamed.extend(() if note is None else (note,))
            return made

        def make_prices(region: str, previous: PriceSignal | None) -> Made[PriceSignal]:
            if region in fresh_prices and previous is not None:
                return Made(previous, ())
            made = merge_prices(asked.quotes.get(region), previous, embedded_prices(region, now), now)
            return Made(made.signal, (*asked.warnings, *made.warnings))

        outcomes = (
            *refresh(REGION, regions, now, store, make_region),
            *refresh(PRICE, regions, now, store, make_prices),
        )
        unknown = unknown_note(said)
        notes = (*asked.notes, *said.notes, *renamed, *(() if unknown is None else (unknown,)))
        return CollectorReport(self.name, now, outcomes, notes)

    def _ask_directory(self, regions: Sequence[str]) -> DescribedRegions:
        if self.directory is None or not regions:
            return DescribedRegions()
        return ask_directory(self.directory, regions, self.geocoder)

    def _ask_prices(self, regions: Sequence[str]) -> _Asked:
        if self.price_list is None:
            return _Asked(notes=(EMBEDDED_NOTE,))
        if not regions:
            return _Asked(notes=(LISTED_NOTE,))
        try:
            return _Asked(self.price_list.quote(regions), (LISTED_NOTE,))
        except UnsupportedError:
            return _Asked(notes=(EMBEDDED_NOTE,))
        except SignalSourceError as error:
            return _Asked(warnings=(f"{error} {INSTEAD}",))

    def _fresh(
        self,
        kind: SignalKind[AnySignal],
        is_of_provider: Callable[[AnySignal], bool],
        regions: Sequence[str],
        now: float,
        store: SignalStore,
    ) -> frozenset[str]:
        """Regions of which all that the provider knows was asked for lately."""
        if self.kept_s <= 0:
            return frozenset()
        fresh = set()
        for region in regions:
            try:
                signal = store.get(kind, region)
            except MultiXServerlessError:
                continue  # Whoever refreshes it meets the error again, and says so.
            if signal is not None and known_at(signal) > now - self.kept_s and is_of_provider(signal):
                fresh.add(region)
        return frozenset(fresh)


def provider_collector(cloud: Cloud, *, kept_s: float = 0.0, geocoder: Geocoder | None = None) -> ProviderCollector:
    """Return the collector that asks a cloud's price list and directory of regions; see `ProviderCollector`."""
    return ProviderCollector(cloud.price_list, cloud.region_directory, kept_s, geocoder)
