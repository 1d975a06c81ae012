"""How often the provider is asked for prices: at each command, once a day by what runs every hour; what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.signals import KEEP_PRICES_S, OLDEST, check_ages, collect_signals, read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import ListPrice, Product, QuoteFailure, RegionQuotes
from multi_x_serverless.collection.price_merge import LISTED
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.framework import FrameworkEvent
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.price_fakes import FakeDirectory, FakePriceList, quotes_of
from tests.unit.adaptation.deployed import deployed_example

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0,), scenarios=100, validation_scenarios=100))


def collect(cloud: FakeCloud) -> None:
    collect_signals(cloud, ("provider",), cloud.regions)


def run_collecting_job(cloud: FakeCloud) -> None:
    context = JobContext("request", lambda: 900.0, lambda _event: None, lambda _line: None)
    run_job(cloud, FrameworkEvent("data_collect"), context)


def run_check(cloud: FakeCloud) -> None:
    check_solver(cloud, SETTINGS, dry_run=True)


@pytest.mark.parametrize(("do", "asks_each_time"), [(collect, True), (run_collecting_job, False), (run_check, False)])
def test_who_runs_every_hour_asks_once_a_day(
    tmp_path: Path, do: Callable[[FakeCloud], None], asks_each_time: bool
) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    prices, directory = cloud.price_list, cloud.region_directory = FakePriceList(), FakeDirectory()

    do(cloud)
    assert len(prices.asked) == 1
    assert {signal.source for signal in read_signals(cloud).prices.values()} == {LISTED}
    described = len(directory.asked)
    cloud.time += 3_600.0
    do(cloud)
    assert len(prices.asked) == (2 if asks_each_time else 1)
    assert len(directory.asked) == described * (2 if asks_each_time else 1)
    cloud.time += KEEP_PRICES_S
    do(cloud)
    assert len(prices.asked) == (3 if asks_each_time else 2)


DENIED = SignalSourceError("prices need the permission pricing:GetProducts.", reason="unauthorized")


def test_a_check_warns_that_prices_may_not_be_asked_for(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    cloud.price_list = FakePriceList(error=DENIED)
    (decision,) = check_solver(cloud, SETTINGS, dry_run=True)
    (warning,) = [warning for warning in decision.warnings if "pricing:GetProducts" in warning]
    assert warning.startswith("price of ")
    assert warning.partition(":")[0].count(", ") == len(deployed_workflow(cloud, decision.workflow_id).regions) - 1


def test_the_framework_logs_that_prices_may_not_be_asked_for(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    cloud.price_list = FakePriceList(error=DENIED)
    lines: list[str] = []
    run_job(
        cloud, FrameworkEvent("data_collect"), JobContext("request", lambda: 900.0, lambda _event: None, lines.append)
    )
    (line,) = lines
    (warning,) = [text for text in json.loads(line)["details"]["warnings"] if "pricing:GetProducts" in text]
    assert warning.startswith("price of ")


def test_a_plan_is_warned_of_a_price_that_was_asked_for_in_vain_for_long(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    region = cloud.regions[1]  # the embedded price is newer than this cloud's time, but that of another region
    assert "sns_usd_per_million_publishes" in data.prices(region).assumed
    whole = quotes_of()
    cloud.price_list = FakePriceList()
    collect(cloud)
    failure = QuoteFailure("sns_publishes", SignalSourceError("no.", reason="unknown"))
    others: dict[Product, ListPrice] = dict(whole.prices)
    del others["sns_publishes"]
    partial = RegionQuotes(others, whole.transfers, (failure,))
    cloud.price_list = FakePriceList({region: partial})
    cloud.time += OLDEST["provider"].warn_s
    collect(cloud)

    signals = read_signals(cloud)
    (warning,) = check_ages(replace(signals, carbon={}, performance={}), cloud.regions, cloud.now())
    assert warning.startswith(f"the provider data of {region} is {OLDEST['provider'].warn_s / DAY_S:.0f} days")
