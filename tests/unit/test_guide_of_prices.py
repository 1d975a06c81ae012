"""The guide to prices is true: its products, queries, counts and limits are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

from multi_x_serverless.adaptation.signals import KEEP_PRICES_S, OLDEST
from multi_x_serverless.cloud.aws.price_products import EVERYWHERE, ProductQuery, transfers_from
from multi_x_serverless.cloud.aws.prices import ENTRIES_PER_PAGE
from multi_x_serverless.cloud.aws.session import PRICE_LIST_REGIONS
from multi_x_serverless.cloud.ports import Product
from multi_x_serverless.collection.price_merge import LARGEST_CHANGE, LISTED
from multi_x_serverless.model.units import DAY_S

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
GUIDE = (GUIDES / "prices.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in GUIDE.splitlines() if line.startswith("| `")]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_all_products_are_in_the_table_with_what_they_are_in_the_list() -> None:
    queries: dict[str, ProductQuery] = {query.product: query for query in (*EVERYWHERE, transfers_from("us-east-1"))}
    assert queries.keys() == set(get_args(Product))
    shown = {product: (cells, number) for cells in ROWS for number, product in enumerate(words(cells[0]))}
    assert shown.keys() == queries.keys()
    for product, (cells, number) in shown.items():
        query = queries[product]
        assert cells[2].strip().startswith(query.service)
        named = words(cells[2])
        assert named[number] in {*query.filters.values(), query.usage}


def test_counts_and_limits_are_those_of_the_code() -> None:
    assert f"| {len(EVERYWHERE)} prices, each in all regions at once | {len(EVERYWHERE)}, and one more" in GUIDE
    assert f"for each further {ENTRIES_PER_PAGE} entries" in GUIDE
    assert f"more than {LARGEST_CHANGE:.0f}\ntimes" in GUIDE
    assert f"`{LISTED}, 20" in GUIDE
    assert f"within the last {KEEP_PRICES_S / 3600:.0f} hours" in GUIDE
    assert f"older than {OLDEST['provider'].warn_s / DAY_S:.0f} days" in GUIDE
    assert OLDEST["provider"].refuse_s == 365 * DAY_S


def test_the_permissions_are_in_the_operators_policy_and_its_page_names_them() -> None:
    policy = json.loads((GUIDES / "operator-policy.json").read_text(encoding="utf-8"))
    granted = {action for statement in policy["Statement"] for action in _listed(statement["Action"])}
    asked = set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", GUIDE))
    assert asked == {"pricing:GetProducts", "ec2:DescribeRegions", "ssm:GetParametersByPath"}
    assert asked <= granted
    page = (GUIDES / "aws.md").read_text(encoding="utf-8").replace("\n", " ")
    assert "`pricing:GetProducts`" in page
    assert f"endpoints in {', '.join(PRICE_LIST_REGIONS[:-1])} and {PRICE_LIST_REGIONS[-1]} only" in page


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions
