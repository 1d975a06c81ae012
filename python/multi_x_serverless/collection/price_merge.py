"""New prices of a region out of three: what the provider's list says now, what it said last, and the embedded data.

    for each price:  the list's, if it can be had and is believable
                     else what the list said last
                     else the embedded one

Each price keeps source and vintage of where it comes from, and when the list was last asked for it with success. The
price of data that leaves for other regions is one price here, with its exceptions: the commonest of all pairs, and the
pairs that differ. A pair that the list does not mention is such a pair too, with the price that is known of it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from multi_x_serverless import data
from multi_x_serverless.collection.collector import Made
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.prices import PRICE_NAMES, ComputeTier, EgressPrice, PriceOrigin, RegionPrices

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import ListPrice, Product, RegionQuotes

LISTED = "AWS Price List"
"""Source of prices that the list was asked for."""

LARGEST_CHANGE = 20.0
"""A price so many times the known one, or the known one so many times it, is taken for an error: the dearest region
costs eight times as much as the cheapest, and a wrong unit is off by 1,000 or more."""

EGRESS = "egress_to_other_region_usd_per_gb"

TARGETS_NAMED = 4
"""So many regions at the same price are named in a warning; of more, how many they are."""


@dataclass(frozen=True)
class PricedField:
    """Which field of `RegionPrices` a product is, and for how many of the list's units its price is."""

    name: str
    units: int = 1
    tiers: str | None = None


MILLION = 1_000_000

FIELDS: Mapping[Product, PricedField] = {
    "lambda_compute_x86_64": PricedField("lambda_x86_64_usd_per_gb_second", tiers="lambda_x86_64_tiers"),
    "lambda_compute_arm64": PricedField("lambda_arm64_usd_per_gb_second", tiers="lambda_arm64_tiers"),
    "lambda_requests": PricedField("lambda_usd_per_million_requests", MILLION),
    "transfer_to_regions": PricedField(EGRESS),
    "transfer_to_internet": PricedField("egress_to_internet_usd_per_gb"),
    "sns_publishes": PricedField("sns_usd_per_million_publishes", MILLION),
    "dynamodb_writes": PricedField("dynamodb_usd_per_million_write_units", MILLION),
    "dynamodb_reads": PricedField("dynamodb_usd_per_million_read_units", MILLION),
    "s3_storage": PricedField("s3_usd_per_gb_month"),
    "s3_puts": PricedField("s3_usd_per_million_put_requests", MILLION),
    "s3_gets": PricedField("s3_usd_per_million_get_requests", MILLION),
    "ecr_storage": PricedField("ecr_usd_per_gb_month"),
    "logs_ingested": PricedField("cloudwatch_logs_usd_per_gb_ingested"),
}


def embedded_prices(region: str, now: float) -> PriceSignal:
    """The embedded prices as a signal.

    Raises:
        UnknownRegionError: The embedded data does not know the region.
    """
    table = data.source_of("prices_by_region.csv")
    source = f"embedded ({table.source})"
    return PriceSignal(region, data.prices(region), source, table.vintage, now, data.price_origins(region))


def merge_prices(
    quotes: RegionQuotes | None, previous: PriceSignal | None, embedded: PriceSignal, now: float
) -> Made[PriceSignal]:
    """The new signal of a region, and a warning for each price of the list that could not be used.

    Args:
        quotes: What the list says now; `None` if it was not asked.
        previous: The last good signal.
        embedded: The embedded prices.
        now: Seconds since the epoch.
    """
    known = _last_known(previous, embedded)
    if quotes is None:
        return Made(known, ())
    prices, origins = known.prices, dict(known.origins)
    problems = [(failure.product, str(failure.error)) for failure in quotes.failures if failure.to_region is None]
    told = {*quotes.prices, *(product for product, _ in problems), "transfer_to_regions"}
    problems += [(product, "the list does not mention it.") for product in FIELDS if product not in told]
    for product, listed in quotes.prices.items():
        field = FIELDS[product]
        try:
            changes = _changes(field, listed, getattr(prices, field.name))
        except SignalSourceError as error:
            problems.append((product, str(error)))
            continue
        prices = replace(prices, **changes, assumed=prices.assumed - {field.name})
        origins[field.name] = PriceOrigin(LISTED, listed.published_on, now)
    egress = _merge_egress(quotes, embedded.region, prices, embedded.prices)
    if egress.published_on is not None:
        prices = replace(
            prices,
            egress_to_other_region_usd_per_gb=egress.common_usd,
            egress_exceptions=egress.exceptions,
            assumed=prices.assumed - {EGRESS},
        )
        asked_at = known.origin_of(EGRESS).collected_at if egress.has_old_prices else now
        origins[EGRESS] = PriceOrigin(LISTED, egress.published_on, asked_at)
    is_refreshed = origins != known.origins
    source, vintage = _on_the_whole(origins, embedded)
    signal = PriceSignal(
        region=embedded.region,
        prices=prices,
        source=source,
        vintage=vintage,
        collected_at=now if is_refreshed else known.collected_at,
        origins=origins,
    )
    warnings = (_warning(product, problem, origins) for product, problem in problems)
    return Made(signal, (*warnings, *egress.warnings))


def _last_known(previous: PriceSignal | None, embedded: PriceSignal) -> PriceSignal:
    """The embedded prices, and over them those that the list gave last.

    What a signal has from the embedded data is not kept: a newer version of the program may know better.
    """
    if previous is None:
        return embedded
    kept = [
        name
        for name in PRICE_NAMES
        if previous.origin_of(name).source == LISTED and not _is_overtaken(name, previous, embedded)
    ]
    if not kept:
        return embedded
    values: dict[str, Any] = {name: getattr(previous.prices, name) for name in kept}
    for field in FIELDS.values():
        if field.tiers is not None and field.name in kept:
            values[field.tiers] = getattr(previous.prices, field.tiers)
    if EGRESS in kept:
        values["egress_exceptions"] = previous.prices.egress_exceptions
    origins = {**embedded.origins, **{name: previous.origin_of(name) for name in kept}}
    source, vintage = _on_the_whole(origins, embedded)
    return PriceSignal(
        region=embedded.region,
        prices=replace(embedded.prices, **values, assumed=embedded.prices.assumed - set(kept)),
        source=source,
        vintage=vintage,
        collected_at=previous.collected_at,
        origins=origins,
    )


def _is_overtaken(name: str, previous: PriceSignal, embedded: PriceSignal) -> bool:
    """Whether a newer version of the program knows a price of a day after the list was last asked for it."""
    asked_at = previous.origin_of(name).collected_at
    if asked_at is None or name in embedded.prices.assumed:
        return False
    return embedded.origin_of(name).vintage > datetime.fromtimestamp(asked_at, timezone.utc).date().isoformat()


def _changes(field: PricedField, listed: ListPrice, known_usd: float) -> dict[str, Any]:
    """The field's new value, and its tiers if it has any.

    Raises:
        SignalSourceError: ``absurd``.
    """
    first = _believable(float(listed.tiers[0].usd * field.units), known_usd, field.name)
    if field.tiers is None:
        return {field.name: first}
    tiers = tuple(
        ComputeTier(float(tier.from_units), _believable(float(tier.usd * field.units), first, field.tiers))
        for tier in listed.tiers
    )
    return {field.name: first, field.tiers: tiers}


def _believable(usd: float, known_usd: float, what: str) -> float:
    if not (math.isfinite(usd) and usd > 0):
        raise SignalSourceError(f"the list says {usd:g} USD for {what}, which is no price.", reason="absurd")
    if known_usd > 0 and not 1 / LARGEST_CHANGE <= usd / known_usd <= LARGEST_CHANGE:
        raise SignalSourceError(
            f"the list says {usd:g} USD for {what} where {known_usd:g} is known, over {LARGEST_CHANGE:g} times off.",
            reason="absurd",
        )
    return usd


@dataclass(frozen=True)
class _Egress:
    """Prices of data that leaves for other regions.

    Attributes:
        published_on: When the list was that gave some of them; `None` if it gave none.
        has_old_prices: Whether one of them is neither one that the list gives now nor an embedded one.
    """

    common_usd: float
    exceptions: tuple[EgressPrice, ...]
    published_on: str | None
    has_old_prices: bool
    warnings: tuple[str, ...]


def _merge_egress(quotes: RegionQuotes, region: str, known: RegionPrices, embedded: RegionPrices) -> _Egress:
    """The commonest price of all pairs, and the pairs that differ.

    A pair that the list does not mention, or not in a usable way, keeps its known price: that of most others would be
    wrong by half where neighbours cost less. The commonest price is that of pairs of which nothing at all is known.
    """
    problems = {failure.to_region: str(failure.error) for failure in quotes.failures if failure.to_region is not None}
    listed: dict[str, float] = {}
    for target, price in quotes.transfers.items():
        try:
            usd = float(price.tiers[0].usd)
            listed[target] = _believable(usd, known.egress_usd_per_gb_to(target), "a GB")
        except SignalSourceError as error:
            problems[target] = str(error)
    targets = {*data.regions(), *(exception.to_region for exception in known.egress_exceptions)} - {region}
    unmentioned = targets - listed.keys() - problems.keys()
    kept = {target: known.egress_usd_per_gb_to(target) for target in sorted({*unmentioned, *problems})}
    warnings = [
        f"transfer_to_regions, to {target}: {problem} In use: {kept[target]:g} USD, as known."
        for target, problem in sorted(problems.items())
    ]
    if unmentioned and not _has_failed(quotes):
        in_use = _by_price({target: kept[target] for target in unmentioned})
        warnings.append(f"transfer_to_regions: the list does not mention all regions. In use, as known: {in_use}.")
    if not listed:
        return _Egress(known.egress_to_other_region_usd_per_gb, known.egress_exceptions, None, False, tuple(warnings))
    pairs = {**listed, **kept}
    times = Counter(pairs.values())
    common_usd = max(times, key=lambda usd: (times[usd], usd))  # of two that are as common, the dearer one
    return _Egress(
        common_usd,
        tuple(EgressPrice(target, usd) for target, usd in sorted(pairs.items()) if usd != common_usd),
        max(price.published_on for target, price in quotes.transfers.items() if target in listed),
        any(usd != embedded.egress_usd_per_gb_to(target) for target, usd in kept.items()),
        tuple(warnings),
    )


def _has_failed(quotes: RegionQuotes) -> bool:
    """Whether no transfer at all could be had, which is told already."""
    return not quotes.transfers and any(
        failure.product == "transfer_to_regions" and failure.to_region is None for failure in quotes.failures
    )


def _by_price(usd_to: Mapping[str, float]) -> str:
    """Prices and the regions to which they hold, for people: short, as there are many regions."""
    targets: dict[float, list[str]] = defaultdict(list)
    for target, usd in sorted(usd_to.items()):
        targets[usd].append(target)
    return "; ".join(f"{usd:g} USD to {_named(targets[usd])}" for usd in sorted(targets))


def _named(regions: Collection[str]) -> str:
    return ", ".join(regions) if len(regions) <= TARGETS_NAMED else f"{len(regions)} regions"


def _on_the_whole(origins: Mapping[str, PriceOrigin], embedded: PriceSignal) -> tuple[str, str]:
    """Source and vintage of a signal with prices of these origins."""
    days = sorted({origin.vintage for origin in origins.values() if origin.source == LISTED})
    if not days:
        return embedded.source, embedded.vintage
    vintage = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    count = sum(origin.source == LISTED for origin in origins.values())
    if count == len(origins):
        return LISTED, vintage
    return f"{LISTED} ({count} of {len(origins)} prices), else {embedded.source}", f"{vintage}, else {embedded.vintage}"


def _warning(product: Product, problem: str, origins: Mapping[str, PriceOrigin]) -> str:
    origin = origins[FIELDS[product].name]
    return f"{product}: {problem} In use: {origin.source}, {origin.vintage}."


def is_listed(signal: PriceSignal) -> bool:
    """Whether every price of a signal is one of the list."""
    return all(signal.origin_of(name).source == LISTED for name in PRICE_NAMES)
