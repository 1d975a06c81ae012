from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from multi_x_serverless import data
from multi_x_serverless.errors import UnknownRegionError
from multi_x_serverless.model.prices import PRICE_NAMES


@pytest.mark.parametrize("region", sorted(data.regions()))
def test_every_price_of_every_region_is_positive_and_near_the_common_one(region: str) -> None:
    common = data.prices("us-east-1")
    for name in PRICE_NAMES:
        # Ten-fold differences between regions do not exist: a wrong unit or a shifted column would show here.
        assert 0.1 < getattr(data.prices(region), name) / getattr(common, name) < 10


def test_prices_of_the_first_region_are_all_known() -> None:
    prices = data.prices("us-east-1")

    assert prices.assumed == frozenset()
    assert prices.lambda_usd_per_gb_second("x86_64") == 0.0000166667
    assert prices.lambda_usd_per_gb_second("arm64") == 0.0000133334
    assert prices.lambda_usd_per_million_requests == 0.20
    assert prices.sns_usd_per_million_publishes == 0.50
    assert prices.dynamodb_usd_per_million_write_units == 0.625
    assert prices.dynamodb_usd_per_million_read_units == 0.125


def test_what_is_taken_from_elsewhere_is_named() -> None:
    zurich = data.prices("eu-central-2")
    assert zurich.lambda_arm64_usd_per_gb_second == pytest.approx(0.8 * 0.0000183334, rel=1e-5)
    assert "lambda_arm64_usd_per_gb_second" in zurich.assumed
    assert "lambda_x86_64_usd_per_gb_second" not in zurich.assumed
    assert "egress_to_internet_usd_per_gb" not in zurich.assumed

    calgary = data.prices("ca-west-1")
    assert calgary.egress_to_other_region_usd_per_gb == 0.02
    assert {"egress_to_other_region_usd_per_gb", "egress_to_internet_usd_per_gb"} <= calgary.assumed
    assert "lambda_arm64_usd_per_gb_second" not in calgary.assumed

    for region in set(data.regions()) - {"us-east-1"}:
        assert "sns_usd_per_million_publishes" in data.prices(region).assumed


def test_the_two_regions_of_the_us_east_coast_exchange_data_at_their_own_price() -> None:
    assert data.prices("us-east-1").egress_usd_per_gb_to("us-east-2") == 0.01
    assert data.prices("us-east-2").egress_usd_per_gb_to("us-east-1") == 0.01
    assert data.prices("us-east-1").egress_usd_per_gb_to("us-west-2") == 0.02
    assert data.prices("sa-east-1").egress_usd_per_gb_to("us-east-1") == 0.138


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(UnknownRegionError, match="moon-1"):
        data.prices("moon-1")


@pytest.mark.parametrize("table", ["prices_everywhere.csv", "egress_pairs.csv"])
def test_every_price_kept_by_hand_has_a_date_and_a_source(table: str) -> None:
    text = (files("multi_x_serverless.data") / "tables" / table).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    for row in rows:
        year, month = row["as_of"].split("-")[:2]  # a day where AWS's list was asked
        assert 2024 <= int(year) <= 2100
        assert 1 <= int(month) <= 12
        assert row["source"]
