"""Which sources a collection asks, by the environment; all that speak HTTP share one client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pytest

from multi_x_serverless.adaptation.signals import collect_signals, forget_carbon_past, read_signals
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.collection import http
from multi_x_serverless.collection.http_transport import Patience
from multi_x_serverless.collection.performance import ONE_MACHINE_NOTE
from tests.fakes import FakeCloud
from tests.http_server import HttpServer, Reply
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.collection.synthetic import WEST
from tests.unit.collection.test_performance import RUNS

LATENCIES = Path(__file__).parents[2] / "data" / "http" / "cloudping_latencies.json"
PLACE = Path(__file__).parents[2] / "data" / "http" / "google_geocode_ok.json"
VARIABLES = ("ELECTRICITY_MAPS_AUTH_TOKEN", "CLOUDPING_BASE_URL", "GOOGLE_API_KEY", "MULTI_X_SERVERLESS_CARBON_FILE")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    return cloud


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def test_without_keys_nobody_is_asked(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr(http, "default_client", refuse)
    reports = collect_signals(cloud, ("carbon", "provider", "performance"), cloud.regions)
    assert [report.failures for report in reports] == [(), (), ()]
    assert all(outcome.source.startswith("embedded") for report in reports for outcome in report.outcomes)


def test_a_service_for_round_trips_is_asked_before_the_embedded_ones(
    cloud: FakeCloud, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.loads(LATENCIES.read_text(encoding="utf-8"))
    answer["data"] = {start: dict.fromkeys(cloud.regions, 123.5) for start in cloud.regions}
    server.play("/api/latencies", Reply.json(answer))
    monkeypatch.setenv("CLOUDPING_BASE_URL", f"{server.url}/api")
    (report,) = collect_signals(cloud, ("performance",), cloud.regions)
    assert report.failures == ()
    home, *others = cloud.regions
    signal = read_signals(cloud).performance[home]
    for other in others:
        trip = signal.round_trip_to(other)
        assert trip is not None
        assert trip.seconds == pytest.approx(0.1235)
        assert "CloudPing" in signal.origin_of(trip)[0]
    assert len(server.requests) == 1


def test_a_service_that_fails_leaves_the_embedded_round_trips_and_is_said(
    cloud: FakeCloud, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.play("/api/latencies", Reply(404))
    monkeypatch.setenv("CLOUDPING_BASE_URL", f"{server.url}/api")
    (report,) = collect_signals(cloud, ("performance",), cloud.regions)
    assert report.failures == ()
    assert all("404" in warning for outcome in report.outcomes for warning in outcome.warnings)
    assert all(outcome.warnings for outcome in report.outcomes)
    assert len(server.requests) == 1


def test_one_client_serves_all_sources_and_is_closed(
    cloud: FakeCloud, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[http.HttpClient] = []
    closed: list[http.HttpClient] = []

    def make(_: object) -> http.HttpClient:
        made.append(http.HttpClient(patience=Patience(attempts=1, deadline_s=1.0)))
        return made[-1]

    monkeypatch.setattr(http, "default_client", make)
    monkeypatch.setattr(http.HttpClient, "close", lambda self: closed.append(self))  # noqa: PLW0108  # a method
    monkeypatch.setenv("CLOUDPING_BASE_URL", f"{server.url}/api")
    monkeypatch.setenv("ELECTRICITY_MAPS_AUTH_TOKEN", "token-of-a-user")
    monkeypatch.setenv("ELECTRICITY_MAPS_BASE_URL", f"{server.url}/v4")
    reports = collect_signals(cloud, ("carbon", "performance"), cloud.regions)
    assert [report.failures for report in reports] == [(), ()]
    assert closed == made
    assert len(made) == 1


def test_hours_of_a_file_that_was_wrong_can_be_forgotten(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, *others = cloud.regions
    now = datetime.fromtimestamp(cloud.now(), timezone.utc).replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=offset) for offset in range(1, 200)]
    lines = [f"{region},{hour:%Y-%m-%dT%H:%MZ},999" for region in (home, others[0]) for hour in hours]
    file = tmp_path / "wrong.csv"
    file.write_text("\n".join(["zone_or_region,datetime_utc,gco2eq_per_kwh", *lines]) + "\n", encoding="utf-8")
    monkeypatch.setenv("MULTI_X_SERVERLESS_CARBON_FILE", str(file))
    collect_signals(cloud, ("carbon",), cloud.regions)
    monkeypatch.delenv("MULTI_X_SERVERLESS_CARBON_FILE")
    collect_signals(cloud, ("carbon",), cloud.regions)
    assert set(read_signals(cloud).carbon[home].intensity_gco2eq_per_kwh) == {999.0}, "stored hours go on serving"
    forget_carbon_past(cloud, (home,))
    collect_signals(cloud, ("carbon",), cloud.regions)
    carbon = read_signals(cloud).carbon
    assert 999.0 not in carbon[home].intensity_gco2eq_per_kwh
    assert set(carbon[others[0]].intensity_gco2eq_per_kwh) == {999.0}, "others keep theirs"
    forget_carbon_past(cloud, cloud.regions)


@pytest.mark.parametrize(("name", "speed"), [("local", 1.0), ("aws", 1.25)])
def test_speeds_are_learned_where_regions_are_machines_of_their_own(
    name: Literal["local", "aws"], speed: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path)
    monkeypatch.setattr("multi_x_serverless.adaptation.signals.read_statistics", lambda *_: RUNS)
    cloud.name = name
    (report,) = collect_signals(cloud, ("performance",), cloud.regions)
    assert read_signals(cloud).performance[WEST].relative_speed == pytest.approx(speed, rel=0.03)
    assert (ONE_MACHINE_NOTE in report.notes) == (name == "local")
