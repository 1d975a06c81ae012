"""Prices per region: what is known of the region, else the price of us-east-1, marked as assumed."""

from __future__ import annotations

from functools import cache

from multi_x_serverless.data._regions import find_region, regions
from multi_x_serverless.data._tables import read_rows
from multi_x_serverless.model.signals import EgressPrice, RegionPrices

PRICE_LIST_REGION = "us-east-1"
"""Where the prices that are taken to be the same everywhere were read."""


def prices(region: str) -> RegionPrices:
    """Return the prices that hold in a region.

    Raises:
        UnknownRegionError: the region is not known.
    """
    return _prices_by_region()[find_region(region).code]


@cache
def _prices_by_region() -> dict[str, RegionPrices]:
    everywhere = {row["field"]: float(row["usd"]) for row in read_rows("prices_everywhere.csv")}
    pairs = [
        (row["from_region"], EgressPrice(row["to_region"], float(row["usd_per_gb"])))
        for row in read_rows("egress_pairs.csv")
    ]
    rows = {row["region"]: row for row in read_rows("prices_by_region.csv")}
    return {region: _region_prices(region, rows[region], everywhere, pairs) for region in regions()}


def _region_prices(
    region: str, row: dict[str, str], everywhere: dict[str, float], pairs: list[tuple[str, EgressPrice]]
) -> RegionPrices:
    own = {field: float(usd) for field, usd in row.items() if field not in {"region", "assumed"}}
    assumed = set(row["assumed"].split())
    if region != PRICE_LIST_REGION:
        assumed |= everywhere.keys()
    return RegionPrices(
        **own,
        **everywhere,
        egress_exceptions=tuple(price for from_region, price in pairs if from_region == region),
        assumed=frozenset(assumed),
    )
