"""``data_collect provider`` on AWS: what is said of prices that can be had, and of permissions that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from multi_x_serverless.cli.main import run
from tests.aws.account import aws_in_memory
from tests.aws.calls import ApiCall, ApiCalls, FaultKind
from tests.aws.price_list import PriceListStub, denied

OPTIONS = ["--cloud", "aws", "--yes"]
REGIONS = ["--region", "us-east-1", "--region", "eu-west-1"]


@pytest.fixture
def stub() -> Iterator[PriceListStub]:
    with aws_in_memory() as price_list:
        assert run([*OPTIONS, "--quiet", "setup_tables", "--region", "us-east-1"]) == 0
        yield price_list


def collect(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], str]:
    """Outcomes of prices and what was said beside them."""
    capsys.readouterr()
    assert run([*OPTIONS, "--output", "json", "data_collect", "provider", *REGIONS]) == 0
    out, _err = capsys.readouterr()
    assert run([*OPTIONS, "data_collect", "provider", *REGIONS]) == 0
    _out, err = capsys.readouterr()
    (report,) = json.loads(out)["collectors"]
    return [outcome for outcome in report["outcomes"] if outcome["kind"] == "price"], err


def test_prices_are_the_lists(stub: PriceListStub, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes, err = collect(capsys)
    assert [outcome["region"] for outcome in outcomes] == ["us-east-1", "eu-west-1"]
    for outcome in outcomes:
        assert outcome["source"] == "AWS Price List"
        (warning,) = outcome["warnings"]  # the stub's list has few regions
        assert warning.startswith(
            "transfer_to_regions: the list does not mention all regions. In use, as known: 0.02 USD"
        )
        assert outcome["vintage"] == "2026-08-27 to 2026-11-20"
    assert "Prices are AWS's list prices" in err
    assert "ap-southeast-6 (Asia Pacific (New Zealand))" in err
    assert "error" not in err


def test_without_the_permission_the_embedded_prices_serve(
    stub: PriceListStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.refuse = lambda _number, _request: denied()
    outcomes, err = collect(capsys)
    assert len(stub.requests) == 2, "one for each of the two commands"
    for outcome in outcomes:
        assert outcome["source"].startswith("embedded")
        (warning,) = outcome["warnings"]
        assert "pricing:GetProducts" in warning
    assert err.count("pricing:GetProducts") == 1
    assert "warning: price of eu-west-1, us-east-1: " in err


def test_without_the_permission_for_names_the_embedded_ones_serve(
    stub: PriceListStub, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(_index: int, call: ApiCall) -> FaultKind | None:
        return "refused" if call.service == "ssm" else None

    with ApiCalls(fault=fault).recording() as calls:
        outcomes, err = collect(capsys)
    assert sum(call.service == "ssm" for call in calls.calls) == 2, "one for each of the two commands"
    assert {outcome["source"] for outcome in outcomes} == {"AWS Price List"}
    assert err.count("AWS's description of us-east-1") == 1
