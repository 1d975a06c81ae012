"""Prices and regions on every cloud: a provider's, or none, and never something made up."""

from __future__ import annotations

import pytest

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import SignalSourceError, UnsupportedError


def test_prices_are_a_lists_or_there_is_none(cloud: Cloud, region: str) -> None:
    if cloud.name == "local":
        with pytest.raises(UnsupportedError, match="embedded data"):
            cloud.price_list.quote([region])
        return
    quotes = cloud.price_list.quote([region, region])
    assert list(quotes) == [region]
    for price in (*quotes[region].prices.values(), *quotes[region].transfers.values()):
        begins = [tier.from_units for tier in price.tiers]
        assert begins[0] == 0
        assert begins == sorted(set(begins))
        assert all(tier.usd > 0 for tier in price.tiers)
        assert price.effective_from <= price.published_on
    assert region not in quotes[region].transfers


def test_regions_are_a_providers_or_there_are_none(cloud: Cloud, other_region: str) -> None:
    directory = cloud.region_directory
    if cloud.name == "local":
        for ask in (directory.codes, lambda: directory.describe(other_region)):
            with pytest.raises(UnsupportedError, match="embedded data"):
                ask()
        return
    assert other_region in directory.codes()
    assert directory.describe(other_region).code == other_region
    with pytest.raises(SignalSourceError):
        directory.describe("nowhere-1")
