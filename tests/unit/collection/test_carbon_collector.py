"""The carbon collector: who is asked, who serves, and one poisoned region at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless import data
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.carbon import (
    LIVE_HOURS,
    CarbonCollector,
    carbon_collector,
)
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE, CarbonFileSource
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.collector import CollectorReport
from multi_x_serverless.collection.embedded_carbon import EMBEDDED_NOTE
from multi_x_serverless.collection.store import CARBON, CARBON_PAST, SignalStore
from multi_x_serverless.errors import CloudError, MultiXServerlessError, SignalSourceError
from multi_x_serverless.model.carbon_signal import CarbonSignal
from tests.fakes import FakeKeyValueStore
from tests.unit.collection.carbon_fakes import CURRENT, DAY, HOUR, NOW, FakeSource, hours_before, intensity
from tests.unit.collection.http_clients import no_client

SYSTEM_REGION = "us-west-2"
REGIONS = ("eu-central-1", "eu-west-3", "us-east-1")
UNAUTHORIZED = SignalSourceError("the key is not known.", reason="unauthorized")


@pytest.fixture
def key_value() -> FakeKeyValueStore:
    return FakeKeyValueStore.of(SYSTEM_REGION, "signals")


@pytest.fixture
def store(key_value: FakeKeyValueStore) -> SignalStore:
    return SignalStore(key_value, SYSTEM_REGION)


def new_store() -> SignalStore:
    return SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)


def live(**known: dict[float, HourlyIntensity] | MultiXServerlessError) -> FakeSource:
    """Knows a week of each region, but for what is named otherwise (with `_` for `-`)."""
    week = {region: hours_before(CURRENT, 168) for region in REGIONS}
    return FakeSource({**week, **{region.replace("_", "-"): hours for region, hours in known.items()}})


def signals_of(store: SignalStore) -> dict[str, CarbonSignal]:
    return store.all(CARBON)


def warnings_of(report: CollectorReport, region: str) -> tuple[str, ...]:
    return next(outcome.warnings for outcome in report.outcomes if outcome.region == region)


def carbon_file(folder: Path, rows: list[tuple[str, float, object]]) -> CarbonFileSource:
    lines = ["zone_or_region,datetime_utc,gco2eq_per_kwh"]
    for zone, start, value in sorted(rows, key=lambda row: row[1]):
        lines.append(f"{zone},{datetime.fromtimestamp(start, tz=timezone.utc).isoformat()},{value}")
    path = folder / "carbon.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return CarbonFileSource(path)


def test_without_key_and_file_everything_works_and_says_on_what_data(store: SignalStore) -> None:
    report = carbon_collector({}, no_client).collect(tuple(data.regions()), NOW, store)

    assert report.failures == ()
    assert all(outcome.warnings == () and outcome.age_s == 0 for outcome in report.outcomes)
    assert report.notes == (EMBEDDED_NOTE, data.attribution())
    assert store.all(CARBON_PAST) == {}


def test_an_empty_key_or_file_is_none() -> None:
    assert carbon_collector({"ELECTRICITY_MAPS_AUTH_TOKEN": "", FILE_VARIABLE: ""}, no_client) == CarbonCollector()


def test_a_live_source_serves_and_what_it_gave_is_kept(store: SignalStore) -> None:
    source = live()
    report = CarbonCollector(live=source).collect(REGIONS, NOW, store)

    assert source.asked == [(region, CURRENT - LIVE_HOURS * HOUR, LIVE_HOURS) for region in REGIONS]
    assert report.notes == ("live serves all regions.", "a note of the source")
    for outcome in report.outcomes:
        assert (outcome.source, outcome.vintage, outcome.warnings) == ("live", "2026-10-15", ())
        assert outcome.age_s == NOW - CURRENT
    for past in store.all(CARBON_PAST).values():
        assert [hour.gco2eq_per_kwh for hour in past.hours.values()] == [
            hour.gco2eq_per_kwh for hour in hours_before(CURRENT, 168).values()
        ]
        assert {(hour.is_of_file, hour.collected_at) for hour in past.hours.values()} == {(False, NOW)}


def test_what_was_given_within_the_hour_is_asked_for_once_by_whoever_says_so(store: SignalStore) -> None:
    first, again, next_hour = live(us_east_1=UNAUTHORIZED), live(), live()
    CarbonCollector(live=first, kept_s=DAY).collect(REGIONS, NOW, store)
    before = signals_of(store)

    report = CarbonCollector(live=again, kept_s=DAY).collect(REGIONS, NOW + 600, store)

    # The region for which nothing was given is asked for again.
    assert [region for region, _, _ in again.asked] == ["us-east-1"]
    assert {region: signals_of(store)[region] for region in REGIONS[:2]} == {
        region: before[region] for region in REGIONS[:2]
    }
    assert signals_of(store)["us-east-1"].source == "live"
    assert [outcome.warnings for outcome in report.outcomes] == [(), (), ()]
    assert report.notes == (
        "live serves all regions.",
        "a note of the source",
        "live was asked for eu-central-1, eu-west-3 within this hour, and is not asked again.",
    )
    CarbonCollector(live=next_hour, kept_s=DAY).collect(REGIONS, CURRENT + HOUR, store)
    assert [region for region, _, _ in next_hour.asked] == list(REGIONS)


@pytest.mark.parametrize(
    ("kept_s", "passed", "is_kept"), [(0.0, 0.0, False), (300.0, 299.0, True), (300.0, 300.0, False)]
)
def test_within_the_hour_it_is_asked_again_after_the_time_that_is_said(
    store: SignalStore, kept_s: float, passed: float, is_kept: bool
) -> None:
    CarbonCollector(live=live()).collect(REGIONS, NOW, store)
    again = live()
    CarbonCollector(live=again, kept_s=kept_s).collect(REGIONS, NOW + passed, store)
    assert bool(again.asked) != is_kept


def test_a_file_is_read_each_time_where_no_live_source_was_asked(tmp_path: Path, store: SignalStore) -> None:
    for value in (77.0, 88.0):
        rows: list[tuple[str, float, object]] = [("DE", CURRENT + place * HOUR, value) for place in range(-168, 24)]
        file = carbon_file(tmp_path, rows)
        CarbonCollector(file=file, live=live(), kept_s=DAY).collect(["eu-central-1"], NOW, store)
        assert signals_of(store)["eu-central-1"].intensity_gco2eq_per_kwh == (value,) * 24


def test_a_day_at_a_time_grows_into_weeks(store: SignalStore) -> None:
    """A free plan tells of the last day only."""
    for day in range(1, 41):
        end = CURRENT + day * DAY
        source = FakeSource({"us-east-1": hours_before(end, 24)})
        CarbonCollector(live=source).collect(["us-east-1"], end + 60, store)
        past = store.get(CARBON_PAST, "us-east-1")
        assert past is not None
        # Of the oldest of 35 days the first minute has passed, and with it its first hour.
        assert len(past.hours) == min(day * 24, 35 * 24 - 1)
    assert signals_of(store)["us-east-1"].method.endswith("fading")


def test_a_source_that_fails_later_leaves_what_it_gave_before(store: SignalStore) -> None:
    CarbonCollector(live=live()).collect(REGIONS, NOW, store)
    down = live(**{region.replace("-", "_"): UNAUTHORIZED for region in REGIONS})
    report = CarbonCollector(live=down).collect(REGIONS, NOW + 3 * DAY, store)

    assert report.failures == ()
    assert report.notes == (
        "live serves none of the regions.",
        "a note of the source",
        "Hours stored by earlier collections serve all regions.",
    )
    for outcome in report.outcomes:
        assert outcome.source == "live"
        assert outcome.age_s == NOW + 3 * DAY - CURRENT
        assert outcome.warnings == (
            "live: the key is not known.",
            "the newest hour known, until 2026-10-15 13:00 UTC, is 3.0 days old",
        )
    # Two weeks later they are too old, and the trace serves.
    report = CarbonCollector(live=down).collect(REGIONS, NOW + 15 * DAY, store)
    assert {outcome.vintage for outcome in report.outcomes} == {"2023"}
    assert {outcome.age_s for outcome in report.outcomes} == {0.0}
    assert "is 15 days old; 14 days at most are used" in warnings_of(report, "us-east-1")[1]
    assert report.notes == (
        "live serves none of the regions.",
        "a note of the source",
        "The embedded data serves all regions.",
        EMBEDDED_NOTE,
        data.attribution(),
    )


POISON: dict[str, dict[float, HourlyIntensity] | MultiXServerlessError] = {
    "refused": UNAUTHORIZED,
    "down": CloudError("no answer.", retryable=True),
    "empty": {},
    "zero": {start: intensity(0.0) for start in hours_before(CURRENT, 168)},
    "negative": {start: intensity(-5.0) for start in hours_before(CURRENT, 168)},
    "nan": {start: intensity(float("nan")) for start in hours_before(CURRENT, 168)},
    "per MWh": {start: intensity(302_000.0) for start in hours_before(CURRENT, 168)},
    "half hours": {start + 1800: hour for start, hour in hours_before(CURRENT, 168).items()},
    "of another year": {start - 365 * DAY: hour for start, hour in hours_before(CURRENT, 168).items()},
    "of the future": {start + 365 * DAY: hour for start, hour in hours_before(CURRENT, 168).items()},
    "few": hours_before(CURRENT, 5),
}


@pytest.mark.parametrize("poisoned", REGIONS)
@pytest.mark.parametrize("poison", POISON)
def test_one_poisoned_region_loses_none_of_the_others(poisoned: str, poison: str) -> None:
    healthy, store = new_store(), new_store()
    CarbonCollector(live=live()).collect(REGIONS, NOW, healthy)
    source = live(**{poisoned.replace("-", "_"): POISON[poison]})

    report = CarbonCollector(live=source).collect(REGIONS, NOW, store)

    assert report.failures == ()
    expected = signals_of(healthy)
    found = signals_of(store)
    for region in set(REGIONS) - {poisoned}:
        assert found[region] == expected[region]
        assert warnings_of(report, region) == ()
    # The poisoned one has what it would have without the source.
    plain = new_store()
    CarbonCollector().collect([poisoned], NOW, plain)
    assert found[poisoned] == signals_of(plain)[poisoned]
    others = [region for region in REGIONS if region != poisoned]
    assert f"live serves {', '.join(others)}." in report.notes
    assert f"The embedded data serves {poisoned}." in report.notes
    is_silent = poison in ("empty", "half hours", "of another year", "of the future")
    assert bool(warnings_of(report, poisoned)) != is_silent


def test_single_absurd_hours_are_left_out_and_counted(store: SignalStore) -> None:
    hours = hours_before(CURRENT, 168)
    for start, value in zip(list(hours)[-3:], (0.0, 1500.1, 1500.0), strict=True):
        hours[start] = replace(hours[start], gco2eq_per_kwh=value)
    report = CarbonCollector(live=live(us_east_1=hours)).collect(["us-east-1"], NOW, store)
    past = store.get(CARBON_PAST, "us-east-1")
    assert past is not None
    assert len(past.hours) == 166
    assert past.hours[CURRENT - HOUR].gco2eq_per_kwh == 1500.0
    (warning,) = warnings_of(report, "us-east-1")
    assert warning.startswith("live: 2 of 168 hours are left out, not above 0 and at most 1500")


@settings(deadline=None)  # Traces are loaded when the first region needs one.
@given(
    poisoned=st.sets(st.sampled_from(REGIONS)),
    poison=st.sampled_from(sorted(POISON)),
    order=st.permutations(REGIONS),
)
def test_healthy_regions_do_not_depend_on_poisoned_ones_or_on_the_order(
    poisoned: set[str], poison: str, order: list[str]
) -> None:
    store, healthy = new_store(), new_store()
    CarbonCollector(live=live()).collect(REGIONS, NOW, healthy)
    source = live(**{region.replace("-", "_"): POISON[poison] for region in poisoned})
    report = CarbonCollector(live=source).collect(order, NOW, store)
    assert [outcome.region for outcome in report.outcomes] == order
    for region in set(REGIONS) - poisoned:
        assert signals_of(store)[region] == signals_of(healthy)[region]


def test_the_file_goes_before_the_live_source(tmp_path: Path, store: SignalStore) -> None:
    rows: list[tuple[str, float, object]] = [("DE", CURRENT - offset * HOUR, 77.0) for offset in range(-3, 49)]
    collector = CarbonCollector(file=carbon_file(tmp_path, rows), live=live())
    report = collector.collect(REGIONS, NOW, store)

    past = store.get(CARBON_PAST, "eu-central-1")
    assert past is not None
    assert {start for start, hour in past.hours.items() if hour.is_of_file} == {
        CURRENT - offset * HOUR for offset in range(1, 49)
    }
    assert len(past.hours) == 168
    signal = signals_of(store)["eu-central-1"]
    ahead = (13, 14, 15, 16)
    assert [signal.intensity_gco2eq_per_kwh[hour] for hour in ahead] == [77.0] * 4
    assert {signal.origin_at(hour).forecast_by for hour in ahead} == {"file carbon.csv"}
    assert signal.origin_at(17).source == "live and file carbon.csv"
    assert signals_of(store)["us-east-1"].source == "live"
    assert report.notes == (
        "file carbon.csv serves eu-central-1.",
        "live serves all regions.",
        "a note of the source",
    )


def test_a_live_source_is_not_asked_for_what_the_file_knows_completely(tmp_path: Path, store: SignalStore) -> None:
    rows: list[tuple[str, float, object]] = [("DE", CURRENT + offset * HOUR, 77.0) for offset in range(-168, 24)]
    source = live()
    CarbonCollector(file=carbon_file(tmp_path, rows), live=source).collect(REGIONS, NOW, store)
    assert [region for region, _, _ in source.asked] == ["eu-west-3", "us-east-1"]
    CarbonCollector(file=carbon_file(tmp_path, rows[1:]), live=source).collect(["eu-central-1"], NOW, store)
    assert source.asked[-1][0] == "eu-central-1"


def test_bad_lines_are_warnings_of_their_region_alone(tmp_path: Path, store: SignalStore) -> None:
    rows: list[tuple[str, float, object]] = [("DE", CURRENT - offset * HOUR, 77.0) for offset in range(1, 49)]
    report = CarbonCollector(file=carbon_file(tmp_path, [*rows, ("FR", CURRENT, "x")])).collect(REGIONS, NOW, store)
    assert warnings_of(report, "eu-central-1") == warnings_of(report, "us-east-1") == ()
    (warning,) = warnings_of(report, "eu-west-3")
    assert "carbon.csv:50: gco2eq_per_kwh is 'x', expected a number" in warning
    assert signals_of(store)["eu-central-1"].source == "file carbon.csv"
    assert report.notes[:2] == (
        "file carbon.csv serves eu-central-1.",
        "The embedded data serves eu-west-3, us-east-1.",
    )


def test_a_file_that_is_not_there_is_a_warning_of_every_region(tmp_path: Path, store: SignalStore) -> None:
    collector = carbon_collector({FILE_VARIABLE: str(tmp_path / "none.csv")}, no_client)
    report = collector.collect(REGIONS, NOW, store)
    assert report.failures == ()
    for outcome in report.outcomes:
        assert outcome.vintage == "2023"
        assert outcome.warnings == (f"file none.csv: there is no file {tmp_path / 'none.csv'}.",)
    assert report.notes[0] == "file none.csv serves none of the regions."


def test_a_file_of_last_year_is_no_file_of_today_and_that_is_said(tmp_path: Path, store: SignalStore) -> None:
    rows: list[tuple[str, float, object]] = [("DE", CURRENT - (365 * 24 + place) * HOUR, 77.0) for place in range(48)]
    report = CarbonCollector(file=carbon_file(tmp_path, rows)).collect(REGIONS, NOW, store)
    (warning,) = warnings_of(report, "eu-central-1")
    assert "knows nothing within 35 days" in warning
    assert warning.endswith("it ends at 2025-10-15 14:00 UTC")
    assert warnings_of(report, "us-east-1") == ()


def test_what_a_source_expects_is_kept_when_its_past_is_not_known(store: SignalStore) -> None:
    coming = {CURRENT + offset * HOUR: intensity(50.0, source="oracle") for offset in range(24)}
    source = FakeSource(coming={"us-east-1": coming, "eu-west-3": {**coming, CURRENT: intensity(0.0)}})
    report = CarbonCollector(live=source).collect(REGIONS, NOW, store)
    assert signals_of(store)["us-east-1"].intensity_gco2eq_per_kwh == (50.0,) * 24
    assert signals_of(store)["us-east-1"].method == "oracle"
    assert signals_of(store)["eu-west-3"].method.startswith("oracle: 23 h; ")
    assert report.notes[0] == "live serves eu-west-3, us-east-1."
    assert report.notes[2] == "The embedded data serves eu-central-1, eu-west-3."
    assert len(warnings_of(report, "eu-west-3")) == 1


def test_what_the_file_expects_goes_before_what_the_live_source_expects(tmp_path: Path, store: SignalStore) -> None:
    source = live()
    source.coming = {"eu-central-1": {CURRENT + offset * HOUR: intensity(50.0) for offset in range(24)}}
    file = carbon_file(tmp_path, [("DE", CURRENT + 2 * HOUR, 77.0)])
    CarbonCollector(file=file, live=source).collect(REGIONS, NOW, store)
    signal = signals_of(store)["eu-central-1"]
    assert [signal.intensity_gco2eq_per_kwh[hour] for hour in (14, 15, 16)] == [50.0, 77.0, 50.0]


def test_a_forecast_that_is_refused_loses_no_past(store: SignalStore) -> None:
    source = live()
    source.coming = {"us-east-1": UNAUTHORIZED}
    report = CarbonCollector(live=source).collect(REGIONS, NOW, store)
    assert signals_of(store)["us-east-1"].source == "live"
    assert warnings_of(report, "us-east-1") == ("live: the key is not known.",)


def test_an_unreadable_past_is_replaced_and_one_of_a_newer_program_is_not(
    key_value: FakeKeyValueStore, store: SignalStore
) -> None:
    table = physical_name("signals")
    newer = '{"schema": "multi-x-serverless/carbon-past", "version": 99}'
    for region, attributes in {
        "eu-central-1": {"document": "not json"},
        "eu-west-3": {"something": "else"},
        "us-east-1": {"document": newer},
    }.items():
        key_value.put(SYSTEM_REGION, table, Key("carbon-history", region), attributes)

    report = CarbonCollector(live=live()).collect(REGIONS, NOW, store)

    assert [outcome.error_code for outcome in report.outcomes] == [None, None, "newer-schema"]
    kept = key_value.get(SYSTEM_REGION, table, Key("carbon-history", "us-east-1"))
    assert kept is not None
    assert kept.attributes == {"document": newer}
    for region, why in {"eu-central-1": "is not JSON", "eu-west-3": ""}.items():
        (warning,) = warnings_of(report, region)
        assert warning.startswith("the hours stored by earlier collections are lost, as they cannot be read: ")
        assert why in warning
    past = store.get(CARBON_PAST, "eu-central-1")
    assert past is not None
    assert len(past.hours) == 168
    again = CarbonCollector(live=live()).collect(REGIONS[:2], NOW, store)
    assert [outcome.warnings for outcome in again.outcomes] == [(), ()]


def test_a_region_that_fails_keeps_its_signal_and_says_how_old_its_hours_are(
    key_value: FakeKeyValueStore, store: SignalStore
) -> None:
    CarbonCollector(live=live()).collect(REGIONS, NOW, store)
    before = signals_of(store)
    throttled = CloudError("the write was throttled.", operation="put_item", retryable=True)
    key_value.faults.before = lambda call: throttled if call.operation == "put" else None
    report = CarbonCollector(live=live()).collect(["us-east-1"], NOW + DAY, store)
    (failure,) = report.failures
    assert failure.age_s == NOW + DAY - CURRENT
    assert signals_of(store) == before
    assert report.notes == ("live serves none of the regions.", "a note of the source")
