"""The collector with Electricity Maps behind it, on a server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.carbon import carbon_collector
from multi_x_serverless.collection.collector import CollectorReport
from multi_x_serverless.collection.electricity_maps import ATTRIBUTION, ElectricityMapsSource
from multi_x_serverless.collection.embedded_carbon import EMBEDDED_NOTE
from multi_x_serverless.collection.store import CARBON, CARBON_PAST, SignalStore
from tests.fakes import FakeKeyValueStore
from tests.http_server import HttpServer, ReceivedRequest, Reply
from tests.unit.collection.http_clients import client_for_tests
from tests.unit.collection.test_electricity_maps import (
    CURRENT_HOUR,
    FORECAST,
    HISTORY,
    HOUR,
    LATEST,
    PAST_RANGE,
    REFUSED,
    TOKEN,
    intensity_at,
    play_forecast,
    play_history,
    play_past_range,
    row,
    rows,
)

SYSTEM_REGION = "us-west-2"
NOW = CURRENT_HOUR + 20 * 60
REGIONS = ("eu-central-1", "eu-west-3")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """A free plan for Germany alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with HttpServer() as running:
        running.play(PAST_RANGE, REFUSED)
        running.script(HISTORY, lambda request: play_history(request) if is_german(request) else REFUSED)
        running.script(LATEST, lambda request: Reply.json(row("DE", CURRENT_HOUR)) if is_german(request) else REFUSED)
        running.play(FORECAST, REFUSED)
        yield running


def is_german(request: ReceivedRequest) -> bool:
    return request.parameters["zone"] == "DE"


@pytest.fixture
def store() -> SignalStore:
    return SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)


def collect(server: HttpServer, store: SignalStore, now: float = NOW) -> CollectorReport:
    environment = {"ELECTRICITY_MAPS_AUTH_TOKEN": TOKEN, "ELECTRICITY_MAPS_BASE_URL": f"{server.url}/v4"}
    collector = carbon_collector(environment, client_for_tests)
    report = collector.collect(REGIONS, now, store)
    assert TOKEN not in repr(report)
    assert isinstance(collector.live, ElectricityMapsSource)
    return report


def test_a_free_plan_serves_its_zone_and_the_trace_the_other(server: HttpServer, store: SignalStore) -> None:
    report = collect(server, store)

    assert report.failures == ()
    german, french = report.outcomes
    assert (german.source, german.vintage) == ("Electricity Maps", "2026-11-25 to 2026-11-26")
    assert german.age_s == NOW - CURRENT_HOUR
    assert german.warnings == ()
    assert (french.vintage, french.age_s) == ("2023", 0.0)
    (warning,) = french.warnings
    assert warning.count("Electricity Maps") == 1
    assert report.notes[:2] == ("Electricity Maps serves eu-central-1.", ATTRIBUTION)
    assert report.notes[-3:] == ("The embedded data serves eu-west-3.", EMBEDDED_NOTE, data.attribution())
    past = store.get(CARBON_PAST, "eu-central-1")
    assert past is not None
    assert {start: hour.gco2eq_per_kwh for start, hour in past.hours.items()} == {
        CURRENT_HOUR - offset * HOUR: intensity_at(CURRENT_HOUR - offset * HOUR) for offset in range(1, 25)
    }
    assert store.get(CARBON_PAST, "eu-west-3") is None


def test_two_days_of_a_free_plan_make_two_days_of_history(server: HttpServer, store: SignalStore) -> None:
    collect(server, store)
    tomorrow = CURRENT_HOUR + 24 * HOUR
    server.play(HISTORY, Reply.json({"zone": "DE", "data": rows("DE", CURRENT_HOUR, tomorrow)}))
    collect(server, store, NOW + 24 * HOUR)
    past = store.get(CARBON_PAST, "eu-central-1")
    assert past is not None
    assert len(past.hours) == 48
    signal = store.get(CARBON, "eu-central-1")
    assert signal is not None
    assert signal.method.endswith("(48 of the last 48 hours known)")
    assert signal.forecast_error is not None


def test_a_full_plan_gives_a_week_and_its_own_forecast(server: HttpServer, store: SignalStore) -> None:
    server.script(PAST_RANGE, play_past_range)
    server.script(FORECAST, play_forecast)
    report = collect(server, store)
    assert report.notes[0] == "Electricity Maps serves all regions."
    for region in REGIONS:
        signal = store.get(CARBON, region)
        assert signal is not None
        assert signal.method == "Electricity Maps forecast"
        assert signal.measured_until == CURRENT_HOUR
        past = store.get(CARBON_PAST, region)
        assert past is not None
        assert len(past.hours) == 168


def test_a_token_that_is_not_known_leaves_everything_to_the_trace(server: HttpServer, store: SignalStore) -> None:
    for path in (PAST_RANGE, HISTORY, LATEST, FORECAST):
        server.play(path, Reply.recorded("electricity_maps_unknown_token.json", 401))
    report = collect(server, store)
    assert report.failures == ()
    for outcome in report.outcomes:
        assert outcome.vintage == "2023"
        assert outcome.warnings == ("Electricity Maps does not know the token in ELECTRICITY_MAPS_AUTH_TOKEN.",)
    assert report.notes[0] == "Electricity Maps serves none of the regions."
    assert len(server.requests) == 1


def test_the_last_day_of_a_free_plan_that_ends_with_the_hour_under_way_is_enough(
    server: HttpServer, store: SignalStore
) -> None:
    """Of its 24 values one is of an hour that is not over."""
    server.play(HISTORY, Reply.json({"zone": "DE", "data": rows("DE", CURRENT_HOUR - 23 * HOUR, CURRENT_HOUR + HOUR)}))
    report = collect(server, store)
    german, _ = report.outcomes
    assert german.source == "Electricity Maps"
    assert german.warnings == ()


def test_nobody_is_credited_who_gave_nothing(server: HttpServer, store: SignalStore) -> None:
    for path in (HISTORY, LATEST):
        server.play(path, REFUSED)
    report = collect(server, store)
    assert ATTRIBUTION not in report.notes
    assert {outcome.vintage for outcome in report.outcomes} == {"2023"}
