"""Prices per region: what is known of the region, else the price of us-east-1, marked as assumed.

prices_from_aws.csv    what AWS's price list said, if it was asked (tools/build_embedded_data.py); goes before
prices_by_region.csv   what was compiled of Lambda and data transfer; goes before
prices_everywhere.csv  the rest, as it is in us-east-1
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from multi_x_serverless.data._regions import find_region, regions
from multi_x_serverless.data._sources import source_of
from multi_x_serverless.data._tables import has_table, read_rows
from multi_x_serverless.model.prices import PRICE_NAMES, ComputeTier, EgressPrice, PriceOrigin, RegionPrices

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICE_LIST_REGION = "us-east-1"
"""Where the prices that are taken to be the same everywhere were read."""

FROM_AWS = "prices_from_aws.csv"
EMBEDDED = "embedded"


def prices(region: str) -> RegionPrices:
    """Return the prices that hold in a region.

    Raises:
        UnknownRegionError: the region is not known.
    """
    return _known_prices()[find_region(region).code][0]


def price_origins(region: str) -> Mapping[str, PriceOrigin]:
    """Return source and vintage of each price that holds in a region, by its name; read-only.

    Raises:
        UnknownRegionError: the region is not known.
    """
    return _known_prices()[find_region(region).code][1]


@cache
def _known_prices() -> dict[str, tuple[RegionPrices, Mapping[str, PriceOrigin]]]:
    by_region = {row["region"]: row for row in read_rows("prices_by_region.csv")}
    listed: dict[str, dict[str, dict[str, str]]] = {region: {} for region in by_region}
    for row in read_rows(FROM_AWS) if has_table(FROM_AWS) else ():
        listed.setdefault(row["region"], {})[row["field"]] = row
    everywhere = {row["field"]: row for row in read_rows("prices_everywhere.csv")}
    # What AWS's list says of us-east-1 is newer than what was written down by hand.
    everywhere |= {name: row for name, row in listed.get(PRICE_LIST_REGION, {}).items() if name in everywhere}
    pairs = [
        (row["from_region"], EgressPrice(row["to_region"], float(row["usd_per_gb"])))
        for row in read_rows("egress_pairs.csv")
    ]
    compiled = source_of("prices_by_region.csv").vintage
    known: dict[str, tuple[RegionPrices, Mapping[str, PriceOrigin]]] = {}
    for region in regions():
        own, from_aws = by_region[region], listed.get(region, {})
        rows = {
            name: from_aws.get(name) or everywhere.get(name) or {"usd": own[name], "as_of": compiled}
            for name in PRICE_NAMES
        }
        assumed = set(own["assumed"].split()) | (set() if region == PRICE_LIST_REGION else everywhere.keys())
        known[region] = (
            RegionPrices(
                **{name: float(row["usd"]) for name, row in rows.items()},
                egress_exceptions=tuple(price for from_region, price in pairs if from_region == region),
                assumed=frozenset(assumed - from_aws.keys()),
                lambda_x86_64_tiers=_tiers(rows["lambda_x86_64_usd_per_gb_second"]),
                lambda_arm64_tiers=_tiers(rows["lambda_arm64_usd_per_gb_second"]),
            ),
            MappingProxyType({name: PriceOrigin(EMBEDDED, row["as_of"]) for name, row in rows.items()}),
        )
    return known


def _tiers(row: Mapping[str, str]) -> tuple[ComputeTier, ...]:
    """Tiers of a row, if more than the first is known: ``<GB-s of a month>:<USD>`` and a space between them."""
    further = [entry.split(":") for entry in row.get("further_tiers", "").split()]
    if not further:
        return ()
    return tuple(ComputeTier(float(begin), float(usd)) for begin, usd in (("0", row["usd"]), *further))
