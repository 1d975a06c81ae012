"""Past hours: put together, stored, read back, and made a history of."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.carbon_past import KEEP_DAYS, KnownPast, kept, merged, recent_history
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.store import CARBON_PAST, SignalStore
from multi_x_serverless.errors import CloudError, InvalidDocumentError, NewerSchemaError, NotEnoughDataError
from multi_x_serverless.model.carbon_past import CarbonPast, MadeForecast, PastHour
from tests.fakes import FakeKeyValueStore
from tests.unit.collection.carbon_fakes import CURRENT, DAY, HOUR, NOW, REGION, hours_before, intensity, past_hour

SYSTEM_REGION = "us-west-2"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (past_hour(1.0), past_hour(2.0, is_estimated=True)),
        (past_hour(1.0), past_hour(2.0, is_estimated=True, at=NOW + 60, is_of_file=True)),
        (past_hour(1.0, at=NOW + 60), past_hour(2.0, is_of_file=True)),
        (past_hour(1.0, is_of_file=True), past_hour(2.0)),
    ],
)
def test_of_an_hour_that_was_given_twice_the_better_one_stays(better: PastHour, worse: PastHour) -> None:
    assert merged({HOUR: better}, {HOUR: worse}) == merged({HOUR: worse}, {HOUR: better}) == {HOUR: better}


def test_only_the_last_days_are_kept_and_nothing_of_the_future() -> None:
    oldest = CURRENT - KEEP_DAYS * DAY
    hours = {start: past_hour(1.0) for start in (oldest, oldest + HOUR, CURRENT - HOUR, CURRENT + HOUR)}
    assert list(kept(hours, NOW)) == [oldest + HOUR, CURRENT - HOUR]


def many_hours() -> CarbonPast:
    hours = {
        start: PastHour(
            gco2eq_per_kwh=123.456 + place / 7,
            is_estimated=place % 3 == 0,
            source=("Electricity Maps", "file carbon.csv")[place % 2],
            vintage=f"2026-10-{place // 24 % 28 + 1:02}",
            is_of_file=place % 2 == 1,
            collected_at=NOW + place * 0.25,
        )
        for place, start in enumerate(CURRENT - (KEEP_DAYS * 24 - place) * HOUR for place in range(KEEP_DAYS * 24))
    }
    forecasts = tuple(
        MadeForecast(CURRENT - day * DAY, tuple(900.0 + hour + day / 100 for hour in range(24)))
        for day in range(7, -1, -1)
    )
    return CarbonPast("us-east-1", hours, forecasts)


@pytest.mark.parametrize("past", [many_hours(), CarbonPast("us-east-1", {})], ids=["many", "none"])
def test_a_past_survives_being_written_and_read(past: CarbonPast) -> None:
    document = past.to_document()
    assert CarbonPast.from_document(document) == past
    assert CarbonPast.from_document(document).to_document() == document


def test_the_longest_past_is_far_below_the_limit_of_an_item() -> None:
    assert len(many_hours().to_document()) < 100_000


def test_forecasts_take_little_room() -> None:
    past = many_hours()
    assert len(past.to_document()) - len(replace(past, forecasts=()).to_document()) < 2_500


def test_a_past_of_the_first_version_is_still_read_and_knows_no_forecasts() -> None:
    document = json.loads(many_hours().to_document())
    del document["forecasts"]
    past = CarbonPast.from_document(json.dumps({**document, "version": 1}))
    assert past == replace(many_hours(), forecasts=())
    assert json.loads(past.to_document())["version"] == 2


def changed(**members: object) -> str:
    document = json.loads(CarbonPast("r", {HOUR: past_hour(5.0), 3 * HOUR: past_hour(6.0)}).to_document())
    return json.dumps({**document, **members})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(giver=[0, 1]), "giver.*names entry 1 of 1"),
        (changed(giver=[0, -1]), "giver.*names entry -1"),
        (changed(collection=[0, 0.5]), "collection.*names entry 0.5"),
        (changed(is_estimated=[0]), "is_estimated.*another number of hours"),
        (changed(gco2eq_per_kwh=[5.0, 0.0]), "expected more than 0"),
        (changed(gco2eq_per_kwh=[5.0, 1500.5]), "at most 1500"),
        (changed(gco2eq_per_kwh=[5.0, "6"]), r"gco2eq_per_kwh\[1\]"),
        (changed(forecasts=[{"first_hour": 0.0, "gco2eq_per_kwh": [1.0] * 23}]), "has 23 hours"),
        (changed(forecasts=[{"first_hour": 0.0, "gco2eq_per_kwh": ["1"] * 24}]), r"forecasts\[0\].gco2eq_per_kwh\[0\]"),
        (changed(schema="multi-x-serverless/carbon-signal"), "schema"),
        ("[]", "not a JSON object"),
    ],
)
def test_a_past_that_is_none_is_refused(document: str, message: str) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        CarbonPast.from_document(document)


def test_a_past_of_a_newer_program_is_refused() -> None:
    with pytest.raises(NewerSchemaError):
        CarbonPast.from_document(changed(version=3))


def test_every_member_is_needed() -> None:
    document = json.loads(many_hours().to_document())
    for name in document:
        with pytest.raises(InvalidDocumentError, match=name):
            CarbonPast.from_document(json.dumps({key: value for key, value in document.items() if key != name}))


def test_a_history_is_whole_days_up_to_the_newest_hour() -> None:
    history = recent_history(hours_before(CURRENT, 60), CURRENT, days=28)
    assert history.end == CURRENT
    assert len(history.intensity_gco2eq_per_kwh) == 72
    assert len(history.given) == 60
    starts = [CURRENT - (72 - place) * HOUR for place in range(72)]
    # Days that are alike are filled with what they all are.
    assert list(history.intensity_gco2eq_per_kwh) == [100.0 + start // HOUR % 24 for start in starts]


def test_a_history_goes_back_no_further_than_asked() -> None:
    assert len(recent_history(hours_before(CURRENT, 24 * 30), CURRENT, days=28).intensity_gco2eq_per_kwh) == 28 * 24
    assert len(recent_history(hours_before(CURRENT, 24 * 30), CURRENT, days=2).given) == 48


def test_a_history_of_an_hour_that_is_not_over_is_none() -> None:
    hours = {**hours_before(CURRENT, 24), CURRENT: intensity(9.0), CURRENT + HOUR: intensity(9.0)}
    history = recent_history(hours, CURRENT, days=28)
    assert history.end == CURRENT
    assert 9.0 not in history.intensity_gco2eq_per_kwh


def test_gaps_are_filled_with_the_same_hour_of_the_nearest_days() -> None:
    hours = hours_before(CURRENT, 96, lambda start: 10.0 + (CURRENT - start) // DAY)
    for place in (30, 54):  # Of four days the same hour of the second and third; 30 is in the second, 54 the third.
        del hours[CURRENT - (96 - place) * HOUR]
    history = recent_history(hours, CURRENT, days=28)
    # Four days ago is 13, yesterday 10: their mean for both of the days between them.
    assert history.intensity_gco2eq_per_kwh[30] == history.intensity_gco2eq_per_kwh[54] == pytest.approx(11.5)
    assert len(history.given) == 94


def test_an_hour_of_the_day_that_no_day_has_is_the_mean_of_its_neighbours() -> None:
    hours = hours_before(CURRENT, 48)
    for place in (10, 34):
        del hours[CURRENT - (48 - place) * HOUR]
    history = recent_history(hours, CURRENT, days=28)
    values = history.intensity_gco2eq_per_kwh
    assert values[10] == values[34] == pytest.approx((values[9] + values[11]) / 2)


def test_a_history_ends_at_a_long_gap() -> None:
    recent, old = hours_before(CURRENT, 30), hours_before(CURRENT - 78 * HOUR, 100)
    assert len(recent_history({**old, **recent}, CURRENT, days=28).given) == 130
    longer = hours_before(CURRENT - 79 * HOUR, 100)
    history = recent_history({**longer, **recent}, CURRENT, days=28)
    assert len(history.given) == 30
    assert len(history.intensity_gco2eq_per_kwh) == 48


def test_too_few_or_too_old_hours_are_no_history() -> None:
    with pytest.raises(NotEnoughDataError, match="no hour"):
        recent_history({CURRENT: intensity(5.0)}, CURRENT, days=28)
    with pytest.raises(NotEnoughDataError, match="only 19 of the 48 hours up to 2026-10-15 13:00 UTC"):
        recent_history(hours_before(CURRENT, 19), CURRENT, days=28)
    every_other = {start: hour for start, hour in hours_before(CURRENT, 48).items() if start // HOUR % 2}
    assert len(recent_history(every_other, CURRENT, days=28).given) == 24
    # Hours before the last two days do not make up for missing ones in them.
    sparse = {start: hour for start, hour in hours_before(CURRENT, 240).items() if start // HOUR % 3 == 0}
    with pytest.raises(NotEnoughDataError, match="only 16 of the 48"):
        recent_history(sparse, CURRENT, days=28)
    assert recent_history(hours_before(CURRENT - 14 * DAY, 48), CURRENT, days=28).end == CURRENT - 14 * DAY
    with pytest.raises(NotEnoughDataError, match="is 14 days old; 14 days at most"):
        recent_history(hours_before(CURRENT - 14 * DAY - HOUR, 48), CURRENT, days=28)


@pytest.fixture
def store() -> SignalStore:
    return SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)


def test_the_known_past_has_stored_hours_first_and_the_trace_for_the_rest(store: SignalStore) -> None:
    given = {CURRENT - 2 * HOUR: past_hour(5.0), CURRENT - 90 * HOUR: past_hour(6.0, is_estimated=True)}
    store.put(CARBON_PAST, CarbonPast(REGION.code, given))
    known = KnownPast(store)
    trace = EmbeddedCarbonSource().past(REGION, CURRENT - 3 * HOUR, 3)

    past = known.past(REGION, CURRENT - 3 * HOUR, 3)

    assert list(past) == list(trace)
    assert past[CURRENT - 2 * HOUR] == intensity(5.0)
    assert past[CURRENT - HOUR] == trace[CURRENT - HOUR]
    assert known.past(REGION, CURRENT - 90 * HOUR, 1)[CURRENT - 90 * HOUR] == intensity(6.0, is_estimated=True)
    assert known.notes == EmbeddedCarbonSource().notes
    assert known.forecast(REGION, CURRENT, 24) == {}


def test_the_known_past_without_stored_hours_is_the_trace(store: SignalStore) -> None:
    assert KnownPast(store).past(REGION, CURRENT, 5) == EmbeddedCarbonSource().past(REGION, CURRENT, 5)


NEWER = '{"schema": "multi-x-serverless/carbon-past", "version": 99}'


@pytest.mark.parametrize(
    ("attributes", "why"),
    [({"document": "not json"}, "is not JSON"), ({"document": NEWER}, "install a newer one"), ({}, ""), (None, "slow")],
    ids=["no JSON", "newer", "no document", "throttled"],
)
def test_a_stored_past_that_cannot_be_read_is_replaced_by_the_trace_and_that_is_said(
    attributes: dict[str, str] | None, why: str
) -> None:
    key_value = FakeKeyValueStore.of(SYSTEM_REGION, "signals")
    if attributes is None:
        slow = CloudError("the table is slow.", operation="get_item", retryable=True)
        key_value.faults.before = lambda call: slow if call.operation == "get" else None
    else:
        key_value.put(SYSTEM_REGION, physical_name("signals"), Key(CARBON_PAST.name, REGION.code), attributes)

    past = KnownPast(SignalStore(key_value, SYSTEM_REGION)).past(REGION, CURRENT, 5)

    trace = EmbeddedCarbonSource().past(REGION, CURRENT, 5)
    assert {start: replace(hour, source="") for start, hour in past.items()} == {
        start: replace(hour, source="") for start, hour in trace.items()
    }
    for start, hour in past.items():
        assert hour.source.startswith(f"{trace[start].source} (as the stored hours cannot be read: ")
        assert why in hour.source


def test_hours_of_a_region_that_the_trace_does_not_know_are_those_stored(store: SignalStore) -> None:
    region = replace(REGION, grid_zone="ATLANTIS")
    store.put(CARBON_PAST, CarbonPast(region.code, {CURRENT: past_hour(5.0)}))
    assert KnownPast(store).past(region, CURRENT, 1) == {CURRENT: intensity(5.0)}
