"""Google's Geocoding API: what is asked, what is made of each status, and that the key is never seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.geocoding import BASE_URL, Geocoder, Place, address_of, geocoder
from multi_x_serverless.collection.http import HttpClient
from multi_x_serverless.errors import SignalSourceError
from tests.http_server import HttpServer, Reply
from tests.unit.collection.http_clients import client_for_tests

KEY = "AIza/the+key"
PATH = "/maps/api/geocode/json"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def geocoder_at(server: HttpServer) -> Geocoder:
    environment = {"GOOGLE_API_KEY": f"{KEY}\n", "GOOGLE_MAPS_BASE_URL": f"{server.url}/maps/api/"}
    made = geocoder(environment, client_for_tests)
    assert made is not None
    return made


def located(latitude: Any, longitude: Any) -> Reply:
    location = {"lat": latitude, "lng": longitude}
    return Reply.json({"status": "OK", "results": [{"geometry": {"location": location}}]})


def test_without_a_key_there_is_no_geocoder() -> None:
    def never() -> HttpClient:
        raise AssertionError

    assert geocoder({}, never) is None
    assert geocoder({"GOOGLE_API_KEY": ""}, never) is None


def test_the_official_service_is_asked_unless_the_environment_says_otherwise() -> None:
    made = geocoder({"GOOGLE_API_KEY": KEY}, client_for_tests)
    assert made is not None
    assert made.base_url == BASE_URL == "https://maps.googleapis.com/maps/api"
    assert KEY not in repr(made)


def test_a_region_is_placed_where_its_city_is(server: HttpServer) -> None:
    server.play(PATH, Reply.recorded("google_geocode_ok.json"))

    place = geocoder_at(server).geocode("Europe (Stockholm)")

    assert place == Place(59.3293, 18.0686, "Stockholm, Sweden")
    (request,) = server.requests
    assert request.parameters == {"address": "Stockholm, Europe", "key": KEY}
    known = data.find_region("eu-north-1")
    assert data.great_circle_km(place.latitude, place.longitude, known.latitude, known.longitude) < 10


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Europe (Stockholm)", "Stockholm, Europe"),
        (" US East (N. Virginia) ", "N. Virginia, US East"),
        ("Canada West(Calgary)", "Calgary, Canada West"),
        ("Stockholm", "Stockholm"),
        ("(Stockholm)", "(Stockholm)"),
        ("Odd (one) (two)", "Odd (one) (two)"),
    ],
)
def test_the_place_comes_first(name: str, address: str) -> None:
    assert address_of(name) == address


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply.recorded("google_geocode_none.json"), "unknown"),
        (Reply.json({"status": "OK", "results": []}), "unknown"),
        (Reply.recorded("google_geocode_denied.json"), "unauthorized"),
        (Reply.json({"status": "OVER_DAILY_LIMIT", "results": []}), "unauthorized"),
        (Reply.json({"status": "OVER_QUERY_LIMIT", "error_message": f"Too much for {KEY}."}), "quota"),
        (Reply.json({"status": "UNKNOWN_ERROR"}), "unavailable"),
        (Reply.json({"status": "INVALID_REQUEST"}), "unreadable"),
        (Reply.json({"status": "SOMETHING_NEW"}), "unreadable"),
        (Reply.json({"status": 200}), "unreadable"),
        (Reply.json({"results": []}), "unreadable"),
        (Reply.json([]), "unreadable"),
        (Reply.json({"status": "OK", "results": [{}]}), "unreadable"),
        (located("59.3", 18), "unreadable"),
        (located(None, 18), "unreadable"),
        (located(91, 18), "absurd"),
        (located(-91, 18), "absurd"),
        (located(59, 181), "absurd"),
        (located(59, -181), "absurd"),
        (located(0, 0), "absurd"),
        (Reply(403), "unauthorized"),
        (Reply(500), "unavailable"),
        (Reply(body=b"<html>"), "unreadable"),
        (Reply(status=0), "unavailable"),
    ],
)
def test_what_is_no_place_has_a_reason_and_shows_no_key(server: HttpServer, reply: Reply, reason: str) -> None:
    server.play(PATH, reply)
    with pytest.raises(SignalSourceError) as caught:
        geocoder_at(server).geocode("Europe (Stockholm)")
    assert caught.value.reason == reason
    assert KEY not in str(caught.value)
    assert "AIza" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
