from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless import data
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.carbon import CarbonCollector
from multi_x_serverless.collection.collector import Made, refresh
from multi_x_serverless.collection.performance import PerformanceCollector
from multi_x_serverless.collection.provider import ProviderCollector
from multi_x_serverless.collection.store import CARBON, PRICE, REGION, SignalStore
from multi_x_serverless.errors import CloudError
from tests.fakes import FakeKeyValueStore

if TYPE_CHECKING:
    from multi_x_serverless.collection.collector import Collector

SYSTEM_REGION = "us-west-2"
NOW = datetime(2026, 10, 15, 13, 45, tzinfo=timezone.utc).timestamp()
ALL_REGIONS = tuple(data.regions())
COLLECTORS: list[Collector] = [CarbonCollector(), ProviderCollector(), PerformanceCollector()]


@pytest.fixture
def key_value() -> FakeKeyValueStore:
    return FakeKeyValueStore.of(SYSTEM_REGION, "signals")


@pytest.fixture
def store(key_value: FakeKeyValueStore) -> SignalStore:
    return SignalStore(key_value, SYSTEM_REGION)


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: str(collector.name))
def test_every_region_is_refreshed_with_source_vintage_and_age(collector: Collector, store: SignalStore) -> None:
    report = collector.collect(ALL_REGIONS, NOW, store)

    assert report.collector == collector.name
    assert report.collected_at == NOW
    assert report.failures == ()
    assert {outcome.region for outcome in report.refreshed} == set(ALL_REGIONS)
    assert report.notes
    for outcome in report.outcomes:
        assert outcome.source.startswith("embedded")
        assert outcome.vintage
        assert outcome.age_s == 0


def test_signals_are_kept_by_kind_and_region_in_the_system_region(
    key_value: FakeKeyValueStore, store: SignalStore
) -> None:
    for collector in COLLECTORS:
        collector.collect(["us-east-1", "eu-west-1"], NOW, store)

    table = physical_name("signals")
    assert set(key_value.items) == {
        (SYSTEM_REGION, table, Key(kind, region))
        for kind in ("carbon", "region", "price", "performance")
        for region in ("us-east-1", "eu-west-1")
    }
    assert list(store.all(PRICE)) == ["eu-west-1", "us-east-1"]
    price = store.get(PRICE, "eu-west-1")
    assert price is not None
    assert price.prices == data.prices("eu-west-1")
    region = store.get(REGION, "eu-west-1")
    assert region is not None
    assert region.details == data.find_region("eu-west-1")
    assert store.get(CARBON, "us-west-1") is None


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: str(collector.name))
def test_a_region_missing_from_a_feed_loses_none_of_the_others(collector: Collector, store: SignalStore) -> None:
    report = collector.collect(["us-east-1", "atlantis-1", "us-west-2"], NOW, store)

    assert {outcome.region for outcome in report.refreshed} == {"us-east-1", "us-west-2"}
    for failure in report.failures:
        assert failure.region == "atlantis-1"
        assert failure.error_code == "unknown-region"
        assert failure.error is not None
        assert "atlantis-1" in failure.error
        assert failure.age_s is None
        assert failure.source == failure.vintage == ""
    assert report.failures


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: str(collector.name))
def test_a_region_that_cannot_be_written_keeps_its_last_good_value_and_says_its_age(
    collector: Collector, key_value: FakeKeyValueStore, store: SignalStore
) -> None:
    collector.collect(["us-east-1", "us-west-2"], NOW, store)
    before = dict(key_value.items)
    throttled = CloudError("the write was throttled.", operation="put_item", retryable=True)
    unwritable = "us-east-1"
    key_value.faults.before = lambda call: (
        throttled
        if call.operation == "put" and isinstance(call.arguments[2], Key) and call.arguments[2].sort == unwritable
        else None
    )

    report = collector.collect(["us-east-1", "us-west-2"], NOW + 7200, store)

    assert {outcome.region for outcome in report.refreshed} == {"us-west-2"}
    for failure in report.failures:
        assert failure.region == "us-east-1"
        assert failure.error_code == "cloud"
        assert failure.age_s == 7200
        assert failure.source.startswith("embedded")
    for place, item in before.items():
        assert (key_value.items[place] == item) == (place[2].sort == "us-east-1")


def test_an_unreadable_signal_is_replaced_and_one_of_a_newer_program_is_not(
    key_value: FakeKeyValueStore, store: SignalStore
) -> None:
    table = physical_name("signals")
    newer = '{"schema": "multi-x-serverless/carbon-signal", "version": 99}'
    for region, attributes in {
        "us-east-1": {"document": "not json"},
        "us-east-2": {"something": "else"},
        "us-west-2": {"document": newer},
    }.items():
        key_value.put(SYSTEM_REGION, table, Key("carbon", region), attributes)

    report = CarbonCollector().collect(["us-east-1", "us-east-2", "us-west-2"], NOW, store)

    assert [outcome.error_code for outcome in report.outcomes] == [None, None, "newer-schema"]
    kept = key_value.get(SYSTEM_REGION, table, Key("carbon", "us-west-2"))
    assert kept is not None
    assert kept.attributes == {"document": newer}


def test_a_region_named_twice_is_collected_once(store: SignalStore) -> None:
    report = CarbonCollector().collect(["us-east-1", "us-east-1"], NOW, store)
    assert [outcome.region for outcome in report.outcomes] == ["us-east-1"]


def test_what_failed_on_the_way_to_a_signal_is_in_its_outcome(store: SignalStore) -> None:
    CarbonCollector().collect(["us-east-1", "us-west-2"], NOW, store)
    signals = store.all(CARBON)

    outcomes = refresh(
        CARBON,
        ["us-east-1", "us-west-2"],
        NOW,
        store,
        lambda region, _: Made(signals[region], ("the feed was down",)) if region == "us-east-1" else signals[region],
    )

    assert [outcome.warnings for outcome in outcomes] == [("the feed was down",), ()]
    assert all(outcome.is_refreshed for outcome in outcomes)
