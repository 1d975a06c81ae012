"""Refreshing the embedded prices from AWS's list, with the list that the tests play, and reading what was written."""

from __future__ import annotations

import csv
import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from multi_x_serverless import data
from multi_x_serverless.data import _prices, _sources, _tables
from multi_x_serverless.model.prices import PRICE_NAMES, ComputeTier, EgressPrice, PriceOrigin
from tests.aws.account import aws_in_memory
from tests.aws.price_list import Entry, PriceListStub

TOOLS = Path(__file__).resolve().parents[3] / "tools"
LISTED = ("us-east-1", "us-west-2", "eu-west-1", "af-south-1")
"""Regions that the played list has."""


@pytest.fixture
def stub() -> Iterator[PriceListStub]:
    with aws_in_memory() as price_list:
        yield price_list


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("build_embedded_data")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the shipped tables."""
    return Path(shutil.copytree(_tables._TABLES, tmp_path / "tables"))


@pytest.fixture
def reading(tables: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Reads the embedded data from the copy, anew each time it is called."""
    caches: tuple[Any, ...] = (_prices._known_prices, _sources.sources)

    def read_again() -> None:
        monkeypatch.setattr(_tables, "_TABLES", tables)
        for cached in caches:
            cached.cache_clear()

    yield read_again
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_prices_of_the_list_are_written_with_their_dates_and_read_back(
    tool: ModuleType, stub: PriceListStub, tables: Path, reading: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {region: data.prices(region) for region in data.regions()}
    arguments = ["--prices-from-aws", "--output", str(tables)]

    assert tool.main(arguments) == 1, "the played list has four regions only"

    told = capsys.readouterr().err
    assert "ap-south-1: sns_publishes: AWS's price list has no sns_publishes of ap-south-1" in told
    of_listed = [line for line in told.splitlines() if line.startswith(LISTED)]
    assert len(of_listed) == len(LISTED)
    assert all("transfer_to_regions: the list does not mention all regions" in line for line in of_listed)
    rows = rows_of(tables / "prices_from_aws.csv")
    assert {(row["region"], row["field"]) for row in rows} == {
        (region, name) for region in LISTED for name in PRICE_NAMES
    }
    reading()
    dublin, cape_town, mumbai = (data.prices(region) for region in ("eu-west-1", "af-south-1", "ap-south-1"))
    assert dublin.assumed == cape_town.assumed == frozenset()
    assert dublin.dynamodb_usd_per_million_write_units == 0.705
    assert dublin.cloudwatch_logs_usd_per_gb_ingested == 0.57
    assert cape_town.lambda_x86_64_tiers == (
        ComputeTier(0.0, 0.0000221),
        ComputeTier(6e9, 0.00001989),
        ComputeTier(15e9, 0.00001768),
    )
    assert cape_town.egress_to_other_region_usd_per_gb == 0.147
    assert data.prices("us-east-1").egress_exceptions == (EgressPrice("us-east-2", 0.01),)
    assert data.price_origins("eu-west-1")["ecr_usd_per_gb_month"] == PriceOrigin("embedded", "2026-08-27")
    assert data.price_origins("eu-west-1")["lambda_usd_per_million_requests"] == PriceOrigin("embedded", "2026-11-20")
    assert mumbai == before["ap-south-1"], "what is assumed of us-east-1 costs there what it did"
    assert data.price_origins("ap-south-1")["ecr_usd_per_gb_month"] == PriceOrigin("embedded", "2026-08-27")
    assert data.prices("us-east-2") == before["us-east-2"]

    capsys.readouterr()
    written = {path.name: path.read_bytes() for path in tables.iterdir()}
    assert tool.main([*arguments, "--check"]) == 1, "what could not be had is a problem, nothing differs"
    assert "differs" not in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in tables.iterdir()} == written


def test_what_was_written_has_its_provenance(
    tool: ModuleType, stub: PriceListStub, tables: Path, reading: Callable[[], None]
) -> None:
    shipped = {source.file: source for source in data.sources()}
    tool.main(["--prices-from-aws", "--output", str(tables)])
    reading()
    found = {source.file: source for source in data.sources()}
    assert set(found) == {path.name for path in tables.iterdir()} - {"sources.json"}
    assert all(value for source in found.values() for name, value in asdict(source).items() if name in _NEEDED)
    assert found["prices_from_aws.csv"].vintage == "2026-08-27 to 2026-11-20"
    assert "2026-10-30" in found["egress_pairs.csv"].vintage
    unchanged = set(shipped) - {"egress_pairs.csv"}
    assert {file: found[file] for file in unchanged} == {file: shipped[file] for file in unchanged}
    assert json.loads((tables / "sources.json").read_text())["attribution"] == data.attribution()


_NEEDED = ("content", "source", "licence", "vintage")


def test_a_price_that_fails_later_keeps_its_row(
    tool: ModuleType, stub: PriceListStub, tables: Path, reading: Callable[[], None]
) -> None:
    tool.main(["--prices-from-aws", "--output", str(tables)])
    before = (tables / "prices_from_aws.csv").read_bytes()
    pairs = (tables / "egress_pairs.csv").read_bytes()
    reading()

    def spoil(entry: Entry) -> Entry | None:
        is_of_dublin = "eu-west-1" in (
            entry["product"]["attributes"].get("regionCode"),
            entry["product"]["attributes"].get("fromRegionCode"),
        )
        return None if is_of_dublin else entry

    stub.spoil = spoil
    assert tool.main(["--prices-from-aws", "--output", str(tables)]) == 1
    assert (tables / "prices_from_aws.csv").read_bytes() == before
    assert (tables / "egress_pairs.csv").read_bytes() == pairs


@pytest.mark.parametrize("arguments", [[], ["somewhere", "--prices-from-aws"]])
def test_there_is_one_source_at_a_time(
    tool: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert "either a source directory or --prices-from-aws" in capsys.readouterr().err
