"""A price list and a directory of regions for tests: they say the same of every region but what is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from multi_x_serverless import data
from multi_x_serverless.cloud.ports import ListPrice, PriceTier, Product, RegionDescription, RegionQuotes
from multi_x_serverless.errors import SignalSourceError

PUBLISHED = "2026-11-20"

USD: Mapping[Product, str] = {
    "lambda_compute_x86_64": "0.0000150000",
    "lambda_compute_arm64": "0.0000120000",
    "lambda_requests": "0.0000002100",
    "transfer_to_internet": "0.0900000000",
    "sns_publishes": "0.0000005500",
    "dynamodb_writes": "0.0000007000",
    "dynamodb_reads": "0.0000001400",
    "s3_storage": "0.0240000000",
    "s3_puts": "0.0000053000",
    "s3_gets": "0.0000004200",
    "ecr_storage": "0.1100000000",
    "logs_ingested": "0.5700000000",
}
"""List prices per unit, none of them the embedded one but data to the internet."""


def listed(usd: str, *further: tuple[int, str], published_on: str = PUBLISHED) -> ListPrice:
    tiers = ((0, usd), *further)
    return ListPrice(
        "a unit", tuple(PriceTier(Decimal(begin), Decimal(price)) for begin, price in tiers), published_on, "2026-11-01"
    )


def quotes_of(**transfers: str) -> RegionQuotes:
    """Everything, transfers to all regions: 0.03 USD but to some; other ones where they are named."""
    differing = {"us_east_2": "0.01", "sa_east_1": "0.16", **transfers}
    return quotes_with_transfers(
        {**dict.fromkeys(data.regions(), "0.03"), **{to.replace("_", "-"): usd for to, usd in differing.items()}}
    )


def quotes_with_transfers(usd_to: Mapping[str, str]) -> RegionQuotes:
    """Everything, but transfers to some regions only."""
    return RegionQuotes(
        {product: listed(usd) for product, usd in USD.items()},
        {target: listed(usd) for target, usd in usd_to.items()},
        (),
    )


@dataclass
class FakePriceList:
    """Says the same of every region, but what `changed` says; `error` is raised instead."""

    changed: dict[str, RegionQuotes] = field(default_factory=dict)
    error: SignalSourceError | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def quote(self, regions: Sequence[str]) -> Mapping[str, RegionQuotes]:
        self.asked.append(tuple(regions))
        if self.error is not None:
            raise self.error
        return {region: self.changed.get(region, quotes_of()) for region in regions}


@dataclass
class FakeDirectory:
    """Knows the embedded regions and one more, and calls some differently."""

    names: dict[str, str] = field(default_factory=dict)
    errors: dict[str, SignalSourceError] = field(default_factory=dict)
    codes_error: SignalSourceError | None = None
    asked: list[str] = field(default_factory=list)

    def codes(self) -> tuple[str, ...]:
        if self.codes_error is not None:
            raise self.codes_error
        return (*data.regions(), "ap-southeast-6")

    def describe(self, region: str) -> RegionDescription:
        self.asked.append(region)
        if region in self.errors:
            raise self.errors[region]
        name = "Asia Pacific (New Zealand)" if region == "ap-southeast-6" else data.find_region(region).name
        return RegionDescription(region, self.names.get(region, name), "NZ" if region == "ap-southeast-6" else "XX")
