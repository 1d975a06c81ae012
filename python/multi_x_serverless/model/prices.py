"""What a workflow pays for in a region, and where each price comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents

if TYPE_CHECKING:
    from multi_x_serverless.model.documents import Fields


@dataclass(frozen=True)
class PriceOrigin:
    """Who says so, for people, and the time that it is said of, for example ``AWS Price List`` and ``2026-11-20``.

    Attributes:
        collected_at: When it was last asked for with success, seconds since the epoch; `None` of what nobody was asked
            for, which is as old as the signal that it is in.
    """

    source: str
    vintage: str
    collected_at: float | None = None

    def to_members(self) -> dict[str, Any]:
        """The origin as part of a document."""
        return {"source": self.source, "vintage": self.vintage, "collected_at": self.collected_at}

    @classmethod
    def from_fields(cls, members: Fields, name: str) -> PriceOrigin:
        """Read the origin of that name."""
        origin = members.section(name)
        return cls(origin.text("source"), origin.text("vintage"), origin.optional_number("collected_at"))


@dataclass(frozen=True)
class ComputeTier:
    """Price of compute for what is used beyond so many GB-s in a month."""

    from_gb_seconds: float
    usd_per_gb_second: float

    def to_members(self) -> dict[str, Any]:
        """The tier as part of a document."""
        return {"from_gb_seconds": self.from_gb_seconds, "usd_per_gb_second": self.usd_per_gb_second}

    @classmethod
    def from_fields(cls, members: Fields) -> ComputeTier:
        """Read a tier."""
        return cls(members.number("from_gb_seconds"), members.number("usd_per_gb_second"))


@dataclass(frozen=True)
class EgressPrice:
    """Price of data that leaves for one particular region, where it differs from the common price."""

    to_region: str
    usd_per_gb: float

    def __post_init__(self) -> None:
        _require_not_negative(self.usd_per_gb, "prices", f"egress to {self.to_region}")


@dataclass(frozen=True)
class RegionPrices:
    """List prices in a region, first tier, in USD.

    Attributes:
        lambda_x86_64_usd_per_gb_second: Compute on x86_64; billed per ms, rounded up.
        lambda_arm64_usd_per_gb_second: Compute on arm64.
        lambda_usd_per_million_requests: Invocations.
        egress_to_other_region_usd_per_gb: Data leaving for another region, but for `egress_exceptions`.
        egress_to_internet_usd_per_gb: Data leaving AWS.
        sns_usd_per_million_publishes: Publishes, each started 64 KiB of a message counting as one.
        dynamodb_usd_per_million_write_units: On-demand writes of 1 KB each.
        dynamodb_usd_per_million_read_units: On-demand strongly consistent reads of 4 KB each.
        s3_usd_per_gb_month: Storage of large payloads.
        s3_usd_per_million_put_requests: Writes and listings of objects.
        s3_usd_per_million_get_requests: Reads of objects.
        ecr_usd_per_gb_month: Storage of container images.
        cloudwatch_logs_usd_per_gb_ingested: Log lines taken in.
        egress_exceptions: Regions to which data leaves at a price of its own.
        assumed: Names of the fields above that are not known of this region, but taken from another.
        lambda_x86_64_tiers: Compute on x86_64 by the GB-s of a month, from 0 on; empty if only the first tier is known.
        lambda_arm64_tiers: The same on arm64.
    """

    lambda_x86_64_usd_per_gb_second: float
    lambda_arm64_usd_per_gb_second: float
    lambda_usd_per_million_requests: float
    egress_to_other_region_usd_per_gb: float
    egress_to_internet_usd_per_gb: float
    sns_usd_per_million_publishes: float
    dynamodb_usd_per_million_write_units: float
    dynamodb_usd_per_million_read_units: float
    s3_usd_per_gb_month: float
    s3_usd_per_million_put_requests: float
    s3_usd_per_million_get_requests: float
    ecr_usd_per_gb_month: float
    cloudwatch_logs_usd_per_gb_ingested: float
    egress_exceptions: tuple[EgressPrice, ...]
    assumed: frozenset[str]
    lambda_x86_64_tiers: tuple[ComputeTier, ...] = ()
    lambda_arm64_tiers: tuple[ComputeTier, ...] = ()

    def __post_init__(self) -> None:
        for name in PRICE_NAMES:
            _require_not_negative(getattr(self, name), "prices", name)
        for name in sorted(self.assumed - set(PRICE_NAMES)):
            raise InvalidDocumentError("prices", "assumed", f"names '{name}', which is no price")
        _check_tiers("lambda_x86_64_tiers", self.lambda_x86_64_tiers, self.lambda_x86_64_usd_per_gb_second)
        _check_tiers("lambda_arm64_tiers", self.lambda_arm64_tiers, self.lambda_arm64_usd_per_gb_second)

    def lambda_usd_per_gb_second(self, architecture: Literal["x86_64", "arm64"]) -> float:
        """Price of compute on an architecture."""
        if architecture == "arm64":
            return self.lambda_arm64_usd_per_gb_second
        return self.lambda_x86_64_usd_per_gb_second

    def egress_usd_per_gb_to(self, region: str) -> float:
        """Price of data leaving for another region."""
        for exception in self.egress_exceptions:
            if exception.to_region == region:
                return exception.usd_per_gb
        return self.egress_to_other_region_usd_per_gb

    def to_members(self) -> dict[str, Any]:
        """The prices as part of a document."""
        return {
            **{name: getattr(self, name) for name in PRICE_NAMES},
            "egress_exceptions": {price.to_region: price.usd_per_gb for price in self.egress_exceptions},
            "assumed": sorted(self.assumed),
            **{name: [tier.to_members() for tier in getattr(self, name)] for name in TIER_NAMES},
        }

    @classmethod
    def from_fields(cls, members: Fields, *, has_tiers: bool) -> RegionPrices:
        """Read prices; documents of version 1 have no tiers."""
        exceptions = members.mapping("egress_exceptions", documents.as_number)
        fields_read: dict[str, Any] = {name: members.number(name) for name in PRICE_NAMES}
        for name in TIER_NAMES if has_tiers else ():
            fields_read[name] = tuple(ComputeTier.from_fields(tier) for tier in members.sections(name))
        return cls(
            **fields_read,
            egress_exceptions=tuple(EgressPrice(region, usd) for region, usd in exceptions.items()),
            assumed=frozenset(members.texts("assumed")),
        )


TIER_NAMES = ("lambda_x86_64_tiers", "lambda_arm64_tiers")
"""Names of the fields of `RegionPrices` that are tiers."""

PRICE_NAMES: tuple[str, ...] = tuple(
    field.name for field in fields(RegionPrices) if field.name not in {"egress_exceptions", "assumed", *TIER_NAMES}
)
"""Names of the fields of `RegionPrices` that are prices."""


def _check_tiers(name: str, tiers: tuple[ComputeTier, ...], first_usd: float) -> None:
    if not tiers:
        return
    begins = [tier.from_gb_seconds for tier in tiers]
    for tier in tiers:
        _require_not_negative(tier.from_gb_seconds, "prices", name)
        _require_not_negative(tier.usd_per_gb_second, "prices", name)
    if begins[0] != 0 or sorted(set(begins)) != begins:
        raise InvalidDocumentError("prices", name, f"begins at {begins} GB-s, expected to ascend from 0")
    if tiers[0].usd_per_gb_second != first_usd:
        raise InvalidDocumentError(
            "prices", name, f"begins with {tiers[0].usd_per_gb_second} USD, expected {first_usd}"
        )


def _require_not_negative(value: float, document: str, path: str) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidDocumentError(document, path, f"is {value}, expected 0 or more")
