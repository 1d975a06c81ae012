"""How often a live source of carbon intensities is asked: at each command, once an hour by what runs every hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.signals import collect_signals, read_signals
from multi_x_serverless.model.framework import FrameworkEvent
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.http_server import HttpServer
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.collection.test_electricity_maps import FORECAST, PAST_RANGE, REFUSED, play_past_range

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0,), scenarios=100, validation_scenarios=100))


def collect(cloud: FakeCloud) -> None:
    collect_signals(cloud, ("carbon",), cloud.regions)


def run_collecting_job(cloud: FakeCloud) -> None:
    context = JobContext("request", lambda: 900.0, lambda _event: None, lambda _line: None)
    run_job(cloud, FrameworkEvent("data_collect"), context)


def run_check(cloud: FakeCloud) -> None:
    check_solver(cloud, SETTINGS, dry_run=True)


@pytest.mark.parametrize(("do", "asks_each_time"), [(collect, True), (run_collecting_job, False), (run_check, False)])
def test_who_may_collect_for_many_workflows_asks_once_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: Callable[[FakeCloud], None], asks_each_time: bool
) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    cloud.time = cloud.time // 3_600.0 * 3_600.0 + 60.0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ELECTRICITY_MAPS_AUTH_TOKEN", "token-of-a-user")
    with HttpServer() as server:
        monkeypatch.setenv("ELECTRICITY_MAPS_BASE_URL", f"{server.url}/v4")
        server.script(PAST_RANGE, play_past_range)
        server.play(FORECAST, REFUSED)

        do(cloud)
        once = len(server.requests)
        assert once > 0
        assert any(signal.source == "Electricity Maps" for signal in read_signals(cloud).carbon.values())
        cloud.time += 600.0
        do(cloud)
        assert len(server.requests) == (2 * once if asks_each_time else once)
        cloud.time += 3_600.0
        do(cloud)
        assert len(server.requests) == (3 * once if asks_each_time else 2 * once)
