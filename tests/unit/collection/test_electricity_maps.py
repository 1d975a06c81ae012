"""Electricity Maps: what is asked for which zone, what is taken from answers, and who suffers from a bad one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_source import CarbonSource, HourlyIntensity
from multi_x_serverless.collection.electricity_maps import (
    ATTRIBUTION,
    BASE_URL,
    ElectricityMapsSource,
    electricity_maps_source,
)
from multi_x_serverless.collection.http import HttpClient
from multi_x_serverless.collection.http_cache import HttpCache
from multi_x_serverless.collection.http_transport import Patience
from multi_x_serverless.errors import SignalSourceError
from tests.http_server import HttpServer, ReceivedRequest, Reply
from tests.unit.collection.http_clients import IMPATIENCE, TestTime, client_for_tests

HOUR = 3600.0
CURRENT_HOUR = datetime(2026, 11, 26, 3, tzinfo=timezone.utc).timestamp()
TOKEN = "em-token-4711"
STOCKHOLM, FRANKFURT, PARIS = (data.find_region(code) for code in ("eu-north-1", "eu-central-1", "eu-west-3"))
VIRGINIA, OHIO = data.find_region("us-east-1"), data.find_region("us-east-2")
PAST_RANGE, HISTORY, LATEST, FORECAST = (
    f"/v4/carbon-intensity/{endpoint}" for endpoint in ("past-range", "history", "latest", "forecast")
)
JSON = {"Content-Type": "application/json"}
REFUSED = Reply.recorded("electricity_maps_refused.json", 401)


def iso(start: float) -> str:
    return datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def intensity_at(start: float) -> float:
    """What the pretended grid has at an hour, the same in all zones."""
    return 100.0 + start / HOUR % 500


def row(zone: str, start: float, **more: Any) -> dict[str, Any]:
    return {
        "zone": zone,
        "carbonIntensity": intensity_at(start),
        "datetime": iso(start),
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        **more,
    }


def rows(zone: str, first: float, end: float) -> list[dict[str, Any]]:
    return [row(zone, first + offset * HOUR) for offset in range(int((end - first) / HOUR))]


def play_history(request: ReceivedRequest) -> Reply:
    zone = request.parameters["zone"]
    return Reply.json({"zone": zone, "data": rows(zone, CURRENT_HOUR - 24 * HOUR, CURRENT_HOUR)})


def play_past_range(request: ReceivedRequest) -> Reply:
    zone = request.parameters["zone"]
    first, end = (
        datetime.fromisoformat(request.parameters[name].replace("Z", "+00:00")).timestamp() for name in ("start", "end")
    )
    if end - first > 240 * HOUR:
        return Reply.json({"error": "The range is too long."}, status=400)
    return Reply.json({"zone": zone, "data": rows(zone, first, end)})


def play_forecast(request: ReceivedRequest) -> Reply:
    zone, horizon = request.parameters["zone"], int(request.parameters["horizonHours"])
    hours = [CURRENT_HOUR + offset * HOUR for offset in range(horizon + 1)]
    expected = [{"carbonIntensity": intensity_at(start), "datetime": iso(start)} for start in hours]
    return Reply.json({"zone": zone, "forecast": expected})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """The service as a free plan sees it: no ranges, no forecasts."""
    with HttpServer() as running:
        running.play(PAST_RANGE, REFUSED)
        running.script(HISTORY, play_history)
        running.script(LATEST, lambda request: Reply.json(row(request.parameters["zone"], CURRENT_HOUR)))
        running.play(FORECAST, REFUSED)
        yield running


def source_at(server: HttpServer, client: HttpClient | None = None) -> ElectricityMapsSource:
    source = electricity_maps_source(
        {"ELECTRICITY_MAPS_AUTH_TOKEN": f" {TOKEN}\n", "ELECTRICITY_MAPS_BASE_URL": f"{server.url}/v4/"},
        lambda: client or client_for_tests(),
    )
    assert source is not None
    return source


def measured(start: float) -> HourlyIntensity:
    day = datetime.fromtimestamp(start, timezone.utc).date().isoformat()
    return HourlyIntensity(intensity_at(start), is_estimated=False, source="Electricity Maps", vintage=day)


def day_before(source: CarbonSource, region: data.Region = STOCKHOLM) -> dict[float, HourlyIntensity]:
    return dict(source.past(region, CURRENT_HOUR - 24 * HOUR, 24))


def test_without_a_token_nobody_is_asked_and_no_client_made() -> None:
    def never() -> HttpClient:
        raise AssertionError

    assert electricity_maps_source({}, never) is None
    assert electricity_maps_source({"ELECTRICITY_MAPS_AUTH_TOKEN": " "}, never) is None


def test_the_official_service_is_asked_unless_the_environment_says_otherwise(server: HttpServer) -> None:
    asked = []

    class Client(HttpClient):
        def get_json(self, url: str, **_: Any) -> Any:
            asked.append(url)
            raise SignalSourceError("not today.", reason="unavailable")

    source = electricity_maps_source({"ELECTRICITY_MAPS_AUTH_TOKEN": TOKEN}, Client)
    assert source is not None
    with pytest.raises(SignalSourceError):
        day_before(source)
    assert asked == [f"{BASE_URL}/carbon-intensity/past-range"]
    assert BASE_URL.startswith("https://api.electricitymaps.com/")


def test_a_free_plan_gives_a_day_of_its_zone_and_no_forecast(server: HttpServer) -> None:
    source = source_at(server)

    past = source.past(STOCKHOLM, CURRENT_HOUR - 168 * HOUR, 168)
    again = source.past(STOCKHOLM, CURRENT_HOUR - 30 * HOUR, 30)

    day = [CURRENT_HOUR - offset * HOUR for offset in range(24, 0, -1)]
    assert past == {start: measured(start) for start in day}
    assert list(past) == day
    assert again == past
    assert source.forecast(STOCKHOLM, CURRENT_HOUR, 24) == {}
    assert [request.path for request in server.requests] == [PAST_RANGE, HISTORY, FORECAST]
    assert source.notes == (
        ATTRIBUTION,
        "The plan of the Electricity Maps token has no past-range for SE-SE3.",
        "The plan of the Electricity Maps token has no forecast for SE-SE3.",
    )
    for request in server.requests:
        assert request.headers["auth-token"] == TOKEN
        assert request.parameters["zone"] == "SE-SE3"
        assert request.parameters["emissionFactorType"] == "lifecycle"
        assert request.parameters["temporalGranularity"] == "hourly"
        assert request.parameters["disableCallerLookup"] == "true"


def test_the_newest_hour_comes_from_latest_if_history_does_not_have_it_yet(server: HttpServer) -> None:
    source = source_at(server)
    past = source.past(STOCKHOLM, CURRENT_HOUR - HOUR, 2)
    assert past == {start: measured(start) for start in (CURRENT_HOUR - HOUR, CURRENT_HOUR)}
    assert [request.path for request in server.requests] == [PAST_RANGE, HISTORY, LATEST]


def test_a_plan_with_ranges_gives_all_of_the_past_in_stretches_that_the_service_allows(server: HttpServer) -> None:
    server.script(PAST_RANGE, play_past_range)
    first = CURRENT_HOUR - 500 * HOUR

    past = source_at(server).past(STOCKHOLM, first, 500)

    assert past == {first + offset * HOUR: measured(first + offset * HOUR) for offset in range(500)}
    assert list(past) == sorted(past)
    assert [request.path for request in server.requests] == [PAST_RANGE] * 3
    assert server.requests[0].parameters["end"] == "2026-11-26T03:00:00Z"


def test_a_plan_with_forecasts_gives_them_as_estimates(server: HttpServer) -> None:
    server.script(FORECAST, play_forecast)
    source = source_at(server)

    expected = source.forecast(STOCKHOLM, CURRENT_HOUR, 24)

    assert list(expected) == [CURRENT_HOUR + offset * HOUR for offset in range(24)]
    assert expected[CURRENT_HOUR] == HourlyIntensity(
        intensity_at(CURRENT_HOUR), is_estimated=True, source="Electricity Maps forecast", vintage="2026-11-26"
    )
    assert len(source.forecast(STOCKHOLM, CURRENT_HOUR, 25)) == 25
    assert len(source.forecast(STOCKHOLM, CURRENT_HOUR, 100)) == 73
    assert [request.parameters["horizonHours"] for request in server.requests] == ["24", "48", "72"]


@pytest.mark.parametrize("name", ["electricity_maps_history.json", "electricity_maps_history_v3.json"])
def test_both_versions_of_the_api_are_understood(server: HttpServer, name: str) -> None:
    server.play(HISTORY, Reply.recorded(name))
    server.play(LATEST, Reply.recorded("electricity_maps_latest.json"))
    server.play(FORECAST, Reply.recorded("electricity_maps_forecast.json"))
    source = source_at(server)

    past = source.past(STOCKHOLM, CURRENT_HOUR - 24 * HOUR, 25)

    assert len(past) == 24
    assert past[CURRENT_HOUR - 23 * HOUR] == HourlyIntensity(
        33.0, is_estimated=False, source="Electricity Maps", vintage="2026-11-25"
    )
    assert [hour.is_estimated for hour in past.values()] == [False] * 20 + [True] * 4
    assert len(source.forecast(STOCKHOLM, CURRENT_HOUR, 24)) == 24


def test_regions_of_one_zone_are_one_question(server: HttpServer) -> None:
    source = source_at(server)
    assert VIRGINIA.grid_zone == OHIO.grid_zone
    assert day_before(source, VIRGINIA) == day_before(source, OHIO)
    assert len(server.requests) == 2


def test_what_failed_once_is_not_asked_again_by_another_region_of_the_zone(server: HttpServer) -> None:
    server.play(PAST_RANGE, Reply.json({}, status=429, Retry_After="3600"))
    source = source_at(server)
    for region in (VIRGINIA, OHIO):
        with pytest.raises(SignalSourceError, match="429") as caught:
            day_before(source, region)
        assert caught.value.reason == "quota"
    assert len(server.requests) == 1


def test_a_quota_that_is_used_up_ends_the_asking_after_the_second_refusal(server: HttpServer) -> None:
    server.script(PAST_RANGE, play_past_range)
    source = source_at(server)
    before = day_before(source, VIRGINIA)
    server.play(PAST_RANGE, Reply.json({}, status=429, Retry_After="3600"))

    found: list[str] = []
    for region in (STOCKHOLM, FRANKFURT, PARIS):
        with contextlib.suppress(SignalSourceError):
            source.forecast(region, CURRENT_HOUR, 24)
        with pytest.raises(SignalSourceError) as caught:
            day_before(source, region)
        assert caught.value.reason == "quota"
        found.append(str(caught.value))

    assert [request.path for request in server.requests] == [PAST_RANGE, *[FORECAST, PAST_RANGE] * 2]
    assert "is not asked any more" not in found[1]
    assert "is used up" in found[2]
    assert [note for note in source.notes if "is used up" in note] == [found[2]]
    # What was answered before is still known, to other regions of the zone, too.
    assert day_before(source, OHIO) == before


def test_a_quota_that_allows_it_soon_does_not_end_the_asking(server: HttpServer) -> None:
    answers = iter([Reply.json({}, status=429, Retry_After="1"), None] * 4)
    server.script(HISTORY, lambda request: next(answers) or play_history(request))
    source = source_at(server)
    for region in (STOCKHOLM, FRANKFURT, PARIS, VIRGINIA):
        assert len(day_before(source, region)) == 24
    assert not [note for note in source.notes if "quota" in note]


def test_a_collection_of_all_zones_over_quota_is_over_long_before_a_job_is_ended(server: HttpServer) -> None:
    """A framework job has 900 s; a quota that never allows anything may take a deadline for each refusal."""
    for path in (PAST_RANGE, HISTORY, LATEST, FORECAST):
        server.play(path, Reply.json({}, status=429, Retry_After="7"))
    time = TestTime()
    source = source_at(server, client_for_tests(time=time, patience=Patience()))
    for region in data.regions().values():
        with pytest.raises(SignalSourceError):
            source.past(region, CURRENT_HOUR - 168 * HOUR, 168)
        with pytest.raises(SignalSourceError):
            source.forecast(region, CURRENT_HOUR, 24)
    assert 0 < sum(time.pauses) <= 2 * Patience().deadline_s


def test_a_token_that_is_not_known_ends_the_asking(server: HttpServer) -> None:
    unknown = Reply.recorded("electricity_maps_unknown_token.json", 401)
    for path in (PAST_RANGE, HISTORY, LATEST, FORECAST):
        server.play(path, unknown)
    source = source_at(server)

    for region in (STOCKHOLM, FRANKFURT):
        with pytest.raises(SignalSourceError, match="ELECTRICITY_MAPS_AUTH_TOKEN") as caught:
            day_before(source, region)
        assert caught.value.reason == "unauthorized"
        assert TOKEN not in str(caught.value)
        with pytest.raises(SignalSourceError):
            source.forecast(region, CURRENT_HOUR, 24)
    assert len(server.requests) == 1


def poison_list(change: Callable[[list[dict[str, Any]]], object]) -> Reply:
    hours = rows("DE", CURRENT_HOUR - 24 * HOUR, CURRENT_HOUR)
    change(hours)
    return Reply.json({"zone": "DE", "data": hours})


def whole(**more: Any) -> Reply:
    hours = rows("DE", CURRENT_HOUR - 24 * HOUR, CURRENT_HOUR)
    return Reply.json({name: value for name, value in {"zone": "DE", "data": hours, **more}.items() if value != ""})


def in_row(**more: Any) -> Reply:
    return poison_list(lambda hours: hours[3].update(more))


POISONS = {
    "not covered": (Reply.recorded("electricity_maps_refused.json", 401), "unauthorized"),
    "forbidden": (Reply.json({"error": "no"}, status=403), "unauthorized"),
    "over quota": (Reply.json({}, status=429), "quota"),
    "over quota for long": (Reply.json({}, status=429, Retry_After="86400"), "quota"),
    "no data": (Reply.recorded("electricity_maps_no_data.json", 404), "unknown"),
    "broken": (Reply(500), "unavailable"),
    "silent": (Reply(wait_s=5), "unavailable"),
    "dripping": (Reply(drip_s=0.05), "unavailable"),
    "gone": (Reply(status=0), "unavailable"),
    "cut": (replace(whole(), sent_bytes=100), "unavailable"),
    "page": (Reply(body=b"<html>Sign in</html>"), "unreadable"),
    "half": (Reply(headers={"Content-Type": "application/json"}, body=b'{"zone": "DE", '), "unreadable"),
    "loop": (Reply(302, {"Location": f"{HISTORY}?zone=DE"}), "unreadable"),
    "list": (Reply.json([]), "unreadable"),
    "null": (Reply.json(None), "unreadable"),
    "empty": (Reply.json({}), "unreadable"),
    "error with 200": (Reply.json({"error": "No recent data"}), "unreadable"),
    "data is text": (whole(data="none"), "unreadable"),
    "data is numbers": (whole(data=[1, 2]), "unreadable"),
    "other zone": (whole(zone="DK-DK1"), "unreadable"),
    "no zone": (whole(zone=""), "unreadable"),
    "zone is a number": (whole(zone=7), "unreadable"),
    "hour of other zone": (in_row(zone="DK-DK1"), "unreadable"),
    "kg": (whole(unit="kgCO2eq/kWh"), "unreadable"),
    "MWh": (whole(unit="gCO2eq/MWh"), "unreadable"),
    "no unit": (whole(unit=None), "unreadable"),
    "hour in kg": (in_row(unit="kgCO2eq/kWh"), "unreadable"),
    "direct": (whole(emissionFactorType="direct"), "unreadable"),
    "hour direct": (in_row(emissionFactorType="direct"), "unreadable"),
    "5 minutes": (whole(temporalGranularity="5_minutes"), "unreadable"),
    "half hour": (in_row(datetime="2026-11-25T12:30:00.000Z"), "unreadable"),
    "no time zone": (in_row(datetime="2026-11-25T12:00:00"), "unreadable"),
    "no time": (in_row(datetime="yesterday"), "unreadable"),
    "far time": (in_row(datetime="9999-12-31T23:00:00-23:00"), "unreadable"),
    "time is a number": (in_row(datetime=1764154800), "unreadable"),
    "text": (in_row(carbonIntensity="31"), "unreadable"),
    "truth": (in_row(carbonIntensity=True), "unreadable"),
    "nested": (in_row(carbonIntensity={"value": 31}), "unreadable"),
    "estimated how": (in_row(isEstimated="yes"), "unreadable"),
    "contradiction": (in_row(datetime=iso(CURRENT_HOUR - 24 * HOUR)), "unreadable"),
    "all in tonnes": (poison_list(lambda hours: [hour.update(carbonIntensity=1e9) for hour in hours]), "absurd"),
    "all in kilograms": (
        poison_list(lambda hours: [hour.update(carbonIntensity=hour["carbonIntensity"] / 1000) for hour in hours]),
        "unreadable",
    ),
    "all zero": (poison_list(lambda hours: [hour.update(carbonIntensity=0) for hour in hours]), "absurd"),
    "all negative": (poison_list(lambda hours: [hour.update(carbonIntensity=-1) for hour in hours]), "absurd"),
}


@pytest.mark.parametrize("case", POISONS)
def test_one_poisoned_zone_takes_no_other_with_it(server: HttpServer, case: str) -> None:
    poison, reason = POISONS[case]
    server.script(HISTORY, lambda request: poison if request.parameters["zone"] == "DE" else play_history(request))
    is_slow = case in {"silent", "dripping"}
    slow, source = source_at(server, client_for_tests(patience=IMPATIENCE)), source_at(server)

    before = day_before(source, STOCKHOLM)
    with pytest.raises(SignalSourceError) as caught:
        day_before(slow if is_slow else source, FRANKFURT)
    after = day_before(source, PARIS)

    assert caught.value.reason == reason
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value)) < 700
    for past in (before, after):
        assert past == {start: measured(start) for start in past}
        assert len(past) == 24


@pytest.mark.parametrize("value", [0, -3, 1500.5, 1e300])
def test_a_single_absurd_hour_is_left_out_and_told(server: HttpServer, value: float) -> None:
    server.play(HISTORY, in_row(carbonIntensity=value))
    source = source_at(server)

    past = day_before(source, FRANKFURT)

    assert len(past) == 23
    assert CURRENT_HOUR - 21 * HOUR not in past
    (note,) = [note for note in source.notes if "absurd" in note]
    assert f"1 absurd value(s) for DE, which were left out, for example {value:g} gCO2eq/kWh" in note


def test_an_absurd_hour_of_a_range_is_taken_from_history_and_no_other(server: HttpServer) -> None:
    def higher(hours: list[dict[str, Any]]) -> None:
        for hour in hours:
            hour["carbonIntensity"] += 1

    server.script(PAST_RANGE, lambda _: in_row(carbonIntensity=99_999))
    server.play(HISTORY, poison_list(higher))

    past = day_before(source_at(server), FRANKFURT)

    differences = [hour.gco2eq_per_kwh - intensity_at(start) for start, hour in past.items()]
    assert differences == [0] * 3 + [1] + [0] * 20


def test_an_hour_without_a_value_is_not_known_and_one_that_does_not_say_is_estimated(server: HttpServer) -> None:
    def change(hours: list[dict[str, Any]]) -> None:
        hours[0]["carbonIntensity"] = None
        del hours[1]["isEstimated"]
        hours[2]["datetime"] = "2026-11-25T06:00:00+01:00"
        hours.append(dict(hours[4]))  # said twice, but the same

    server.play(HISTORY, poison_list(change))
    past = day_before(source_at(server), FRANKFURT)

    assert len(past) == 23
    first = CURRENT_HOUR - 24 * HOUR
    assert first not in past
    assert past[first + HOUR].is_estimated
    assert past[first + 2 * HOUR].gco2eq_per_kwh == intensity_at(first + 2 * HOUR)


def test_what_was_given_before_a_failure_is_kept_and_the_failure_told(server: HttpServer) -> None:
    def newest_only(request: ReceivedRequest) -> Reply:
        is_newest = request.parameters["end"] == "2026-11-26T03:00:00Z"
        return play_past_range(request) if is_newest else Reply.json({}, status=429, Retry_After="9999")

    server.script(PAST_RANGE, newest_only)
    source = source_at(server)

    past = source.past(STOCKHOLM, CURRENT_HOUR - 480 * HOUR, 480)

    assert len(past) == 240
    assert min(past) == CURRENT_HOUR - 240 * HOUR
    assert any(note.startswith("SE-SE3: ") and "429" in note for note in source.notes)


def test_a_stretch_of_which_nothing_is_known_is_skipped(server: HttpServer) -> None:
    def not_the_newest(request: ReceivedRequest) -> Reply:
        is_newest = request.parameters["end"] == "2026-11-26T03:00:00Z"
        return Reply.recorded("electricity_maps_no_data.json", 404) if is_newest else play_past_range(request)

    server.script(PAST_RANGE, not_the_newest)
    past = source_at(server).past(STOCKHOLM, CURRENT_HOUR - 480 * HOUR, 480)
    assert len(past) == 240 + 24


def test_a_forecast_that_fails_is_a_failure_and_not_an_absence(server: HttpServer) -> None:
    server.play(FORECAST, Reply(500))
    with pytest.raises(SignalSourceError) as caught:
        source_at(server).forecast(STOCKHOLM, CURRENT_HOUR, 24)
    assert caught.value.reason == "unavailable"


def test_a_disclaimer_is_passed_on_once(server: HttpServer) -> None:
    server.script(HISTORY, lambda request: whole(_disclaimer="Sandbox data,\nnot for use.", zone="DE"))
    source = source_at(server)
    day_before(source, FRANKFURT)
    assert [note for note in source.notes if "andbox" in note] == ["Electricity Maps says: Sandbox data, not for use."]


def test_answers_are_kept_between_collections_as_the_service_allows(server: HttpServer, tmp_path: Path) -> None:
    server.script(
        HISTORY, lambda request: replace(play_history(request), headers={**JSON, "Cache-Control": "max-age=300"})
    )
    for _ in range(2):
        assert len(day_before(source_at(server, client_for_tests(HttpCache(tmp_path / "cache"))))) == 24
    assert len(server.asked(HISTORY)) == 1


def test_a_cache_that_fails_is_told(server: HttpServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server.script(
        HISTORY, lambda request: replace(play_history(request), headers={**JSON, "Cache-Control": "max-age=300"})
    )
    source = source_at(server, client_for_tests(HttpCache(tmp_path / "file" / "cache")))
    assert len(day_before(source)) == 24
    assert "cannot be kept" in source.notes[-1]
