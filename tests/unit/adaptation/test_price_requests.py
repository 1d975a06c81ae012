"""How often the provider is asked for prices: at each command, once a day by what runs every hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.signals import KEEP_PRICES_S, collect_signals, read_signals
from multi_x_serverless.collection.price_merge import LISTED
from multi_x_serverless.model.framework import FrameworkEvent
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.price_fakes import FakeDirectory, FakePriceList
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
