"""CloudPing: one question for all pairs, and what of the answer is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.cloudping import (
    CloudPingSource,
    cloudping_source,
    fetch_round_trips,
)
from multi_x_serverless.collection.http import HttpClient
from multi_x_serverless.collection.possible_round_trips import LONGEST_ROUND_TRIP_S
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.performance_signal import RoundTrip
from tests.http_server import RECORDED, HttpServer, Reply
from tests.unit.collection.http_clients import IMPATIENCE, client_for_tests

STOCKHOLM, FRANKFURT, VIRGINIA, SYDNEY = "eu-north-1", "eu-central-1", "us-east-1", "ap-southeast-2"
PATH = "/api/latencies"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.play(PATH, Reply.recorded("cloudping_latencies.json"))
        yield running


def source_at(server: HttpServer, client: HttpClient | None = None) -> CloudPingSource:
    source = cloudping_source({"CLOUDPING_BASE_URL": f" {server.url}/api/ "}, lambda: client or client_for_tests())
    assert source is not None
    return source


def changed(*path: str, to: Any) -> Reply:
    """The recorded answer with something else in one place."""
    answer: dict[str, Any] = json.loads((RECORDED / "cloudping_latencies.json").read_text())
    place = answer
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return Reply.json(answer)


def test_nobody_is_asked_unless_the_environment_names_somebody() -> None:
    def never() -> HttpClient:
        raise AssertionError

    assert cloudping_source({}, never) is None
    assert cloudping_source({"CLOUDPING_BASE_URL": " "}, never) is None


def test_all_pairs_are_one_question_and_seconds(server: HttpServer) -> None:
    source = source_at(server)
    assert server.requests == []

    assert source.round_trip(STOCKHOLM, SYDNEY) == RoundTrip(SYDNEY, 286.1 * 1e-3, is_measured=True)
    assert source.round_trip(SYDNEY, STOCKHOLM) == RoundTrip(STOCKHOLM, 285.7 * 1e-3, is_measured=True)
    assert source.round_trip(VIRGINIA, VIRGINIA) == RoundTrip(VIRGINIA, 6.14 * 1e-3, is_measured=True)
    assert source.round_trip(STOCKHOLM, "eu-west-1") is None
    assert source.round_trip("eu-west-1", STOCKHOLM) is None

    (request,) = server.requests
    assert request.path == PATH
    assert request.parameters == {"percentile": "p_50", "timeframe": "1W"}
    assert (source.name, source.vintage) == ("CloudPing", "median of the last week")


def test_only_regions_asked_for_are_taken(server: HttpServer) -> None:
    table = fetch_round_trips(client_for_tests(), f"{server.url}/api", [FRANKFURT, STOCKHOLM, FRANKFURT])
    assert set(table.seconds) == {(a, b) for a in (FRANKFURT, STOCKHOLM) for b in (FRANKFURT, STOCKHOLM)}
    assert (table.name, table.vintage) == ("CloudPing", "median of the last week")


def test_regions_that_nobody_knows_are_not_looked_at(server: HttpServer) -> None:
    server.play(PATH, changed("data", "mars-1", to={"eu-north-1": "far"}))
    assert source_at(server).round_trip(STOCKHOLM, VIRGINIA) is not None


@pytest.mark.parametrize("value", [0, -1, 2000.001, 1e300])
def test_an_absurd_value_is_refused_for_its_pair_only(server: HttpServer, value: float) -> None:
    server.play(PATH, changed("data", STOCKHOLM, VIRGINIA, to=value))
    source = source_at(server)

    with pytest.raises(SignalSourceError, match=re.escape(f"{value:g} ms from eu-north-1 to us-east-1")) as caught:
        source.round_trip(STOCKHOLM, VIRGINIA)

    assert caught.value.reason == "absurd"
    assert source.round_trip(VIRGINIA, STOCKHOLM) is not None
    assert source.round_trip(STOCKHOLM, SYDNEY) is not None
    assert list(source.table().refused) == [(STOCKHOLM, VIRGINIA)]


def test_nothing_is_faster_than_light_in_fibre(server: HttpServer) -> None:
    # 15,600 km there and back take 152 ms; in vacuum it would be 104 ms.
    server.play(PATH, changed("data", STOCKHOLM, SYDNEY, to=120))
    with pytest.raises(
        SignalSourceError, match="from eu-north-1 to ap-southeast-2 is not possible: light in fibre needs 15"
    ) as caught:
        source_at(server).round_trip(STOCKHOLM, SYDNEY)
    assert caught.value.reason == "absurd"


def test_what_was_really_measured_is_believed(server: HttpServer) -> None:
    """Every measurement in the embedded data passes, so the bound is not too tight."""
    pairs = {(a, b): data.round_trip_seconds(a, b) for a in data.regions() for b in data.regions()}
    measured = {pair: estimate.value for pair, estimate in pairs.items() if estimate.is_measured}
    rows: dict[str, dict[str, float]] = {}
    for (region, to_region), seconds in measured.items():
        rows.setdefault(region, {})[to_region] = seconds * 1e3
    server.play(PATH, Reply.json({"metadata": {"unit": "ms"}, "data": rows}))

    table = source_at(server).table()

    assert table.refused == {}
    assert table.seconds == pytest.approx(measured)
    assert max(measured.values()) < LONGEST_ROUND_TRIP_S


@pytest.mark.parametrize(
    ("metadata", "factor"),
    [(None, 1e-3), ({}, 1e-3), ({"unit": "MS"}, 1e-3), ({"unit": "seconds"}, 1.0)],
)
def test_the_unit_is_the_one_that_is_named(server: HttpServer, metadata: dict[str, str] | None, factor: float) -> None:
    value = 0.115 / factor
    server.play(PATH, Reply.json({"metadata": metadata, "data": {STOCKHOLM: {VIRGINIA: value}}}))
    trip = source_at(server).round_trip(STOCKHOLM, VIRGINIA)
    assert trip is not None
    assert trip.seconds == pytest.approx(0.115)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (changed("metadata", "unit", to="microseconds"), "unreadable"),
        (changed("metadata", "unit", to=3), "unreadable"),
        (changed("metadata", "percentile", to="p_99"), "unreadable"),
        (changed("metadata", "timeframe", to="1Y"), "unreadable"),
        (changed("metadata", to=[]), "unreadable"),
        (changed("data", to=[]), "unreadable"),
        (changed("data", STOCKHOLM, to=[1]), "unreadable"),
        (changed("data", STOCKHOLM, VIRGINIA, to="113.94"), "unreadable"),
        (changed("data", to={"mars-1": {"mars-1": 1}}), "unknown"),
        (changed("data", to={}), "unknown"),
        (changed("data", to={STOCKHOLM: {VIRGINIA: 113_940}}), "absurd"),
        (Reply.json([]), "unreadable"),
        (Reply.json({"error": "Invalid percentile"}), "unreadable"),
        (Reply(body=b"<html>"), "unreadable"),
        (Reply.json({}, status=403), "unauthorized"),
        (Reply.json({}, status=404), "unknown"),
        (Reply.json({}, status=429, Retry_After="600"), "quota"),
        (Reply(503), "unavailable"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_failure_that_stays(server: HttpServer, reply: Reply, reason: str) -> None:
    server.play(PATH, reply, Reply.recorded("cloudping_latencies.json"))
    source = source_at(server, client_for_tests(patience=IMPATIENCE))
    for _ in range(2):
        with pytest.raises(SignalSourceError) as caught:
            source.round_trip(STOCKHOLM, VIRGINIA)
        assert caught.value.reason == reason
    assert len(server.requests) == 1
