"""The prices in a region, and of each one where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.prices import PRICE_NAMES, PriceOrigin, RegionPrices
from multi_x_serverless.model.signal_parts import origin_members

PRICE_SCHEMA = "multi-x-serverless/price-signal"
PRICE_VERSION = 2
"""Version 2 knows tiers, and source and vintage of each price."""


@dataclass(frozen=True)
class PriceSignal:
    """The prices in a region and where they come from.

    Attributes:
        source: Where they come from on the whole, for people.
        vintage: The times that they describe on the whole.
        collected_at: When some of them were last asked for with success, or read from the embedded data.
        origins: Source, vintage and age of each price by its name; empty in a signal of version 1, which did not tell.
    """

    region: str
    prices: RegionPrices
    source: str
    vintage: str
    collected_at: float
    origins: Mapping[str, PriceOrigin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in sorted(self.origins.keys() ^ set(PRICE_NAMES) if self.origins else ()):
            raise InvalidDocumentError("price-signal", f"origins.{name}", "is missing, or of no price")

    def origin_of(self, name: str) -> PriceOrigin:
        """Source and vintage of a price; those of all of them where they are not known one by one."""
        return self.origins.get(name, PriceOrigin(self.source, self.vintage))

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        return documents.write(
            PRICE_SCHEMA,
            PRICE_VERSION,
            {
                "region": self.region,
                "prices": self.prices.to_members(),
                "origins": {name: origin.to_members() for name, origin in self.origins.items()},
                **origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> PriceSignal:
        """Read a signal of version 1 or 2.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, PRICE_SCHEMA, PRICE_VERSION)
        is_first_version = members.integer("version") == 1
        origins = None if is_first_version else members.section("origins")
        return cls(
            region=members.text("region"),
            prices=RegionPrices.from_fields(members.section("prices"), has_tiers=not is_first_version),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
            origins={}
            if origins is None
            else {name: PriceOrigin.from_fields(origins, name) for name in origins.values},
        )
