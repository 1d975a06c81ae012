"""The provider collector: the price list over the last good prices over the embedded ones, price by price."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from multi_x_serverless import data
from multi_x_serverless.cloud.local.prices import LocalPriceList, LocalRegionDirectory
from multi_x_serverless.cloud.ports import ListPrice, Product, QuoteFailure, RegionQuotes
from multi_x_serverless.collection.collector import CollectorReport
from multi_x_serverless.collection.geocoding import Geocoder
from multi_x_serverless.collection.http import HttpClient
from multi_x_serverless.collection.price_merge import EGRESS, FIELDS, LISTED
from multi_x_serverless.collection.provider import (
    EMBEDDED_NOTE,
    INSTEAD,
    LISTED_NOTE,
    ProviderCollector,
    provider_collector,
)
from multi_x_serverless.collection.store import PRICE, REGION, SignalStore
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.prices import PRICE_NAMES, ComputeTier, EgressPrice, PriceOrigin
from multi_x_serverless.model.regions import RegionSignal
from multi_x_serverless.model.signals import known_at
from tests.fakes import FakeCloud, FakeKeyValueStore
from tests.http_server import HttpServer, Reply
from tests.price_fakes import (
    PUBLISHED,
    USD,
    FakeDirectory,
    FakePriceList,
    listed,
    quotes_of,
    quotes_with_transfers,
)

SYSTEM_REGION = "us-west-2"
NOW = datetime(2026, 11, 26, 13, 45, tzinfo=timezone.utc).timestamp()
DAY_S = 86_400.0
VIRGINIA, DUBLIN, CAPE_TOWN = REGIONS = ("us-east-1", "eu-west-1", "af-south-1")
PRODUCTS: list[Product] = list(USD)


@pytest.fixture
def store() -> SignalStore:
    return SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)


def collect(
    store: SignalStore,
    prices: FakePriceList,
    *,
    now: float = NOW,
    kept_s: float = 0.0,
    regions: Sequence[str] = REGIONS,
) -> CollectorReport:
    return ProviderCollector(prices, FakeDirectory(), kept_s).collect(regions, now, store)


def price_of(store: SignalStore, region: str) -> PriceSignal:
    signal = store.get(PRICE, region)
    assert signal is not None
    return signal


def warnings_of(report: CollectorReport, kind: str = "price") -> dict[str, tuple[str, ...]]:
    return {outcome.region: outcome.warnings for outcome in report.outcomes if outcome.kind == kind}


def failing(product: Product, reason: str = "unreadable") -> RegionQuotes:
    whole = quotes_of()
    failure = QuoteFailure(product, SignalSourceError("AWS's price list is odd.", reason=reason))
    return RegionQuotes(
        {key: price for key, price in whole.prices.items() if key != product}, whole.transfers, (failure,)
    )


def test_every_price_is_the_lists_with_its_date(store: SignalStore) -> None:
    report = collect(store, FakePriceList())

    assert report.failures == ()
    assert set(warnings_of(report).values()) == {()}
    for outcome in report.outcomes:
        if outcome.kind == "price":
            assert (outcome.source, outcome.vintage, outcome.age_s) == (LISTED, PUBLISHED, 0.0)
    signal = price_of(store, DUBLIN)
    assert set(signal.origins.values()) == {PriceOrigin(LISTED, PUBLISHED, NOW)}
    assert signal.prices.assumed == frozenset()
    assert signal.prices.lambda_x86_64_usd_per_gb_second == 0.000015
    assert signal.prices.lambda_usd_per_million_requests == 0.21
    assert signal.prices.sns_usd_per_million_publishes == 0.55
    assert signal.prices.dynamodb_usd_per_million_write_units == 0.7
    assert signal.prices.dynamodb_usd_per_million_read_units == 0.14
    assert signal.prices.s3_usd_per_gb_month == 0.024
    assert signal.prices.s3_usd_per_million_put_requests == 5.3
    assert signal.prices.s3_usd_per_million_get_requests == 0.42
    assert signal.prices.ecr_usd_per_gb_month == 0.11
    assert signal.prices.cloudwatch_logs_usd_per_gb_ingested == 0.57
    assert signal.prices.egress_to_internet_usd_per_gb == 0.09
    assert report.notes[0] == LISTED_NOTE
    assert EMBEDDED_NOTE not in report.notes


def test_every_price_of_the_model_is_asked_for() -> None:
    assert {asked.name for asked in FIELDS.values()} == set(PRICE_NAMES)


def test_compute_has_its_tiers(store: SignalStore) -> None:
    quotes = quotes_of()
    tiers = listed("0.0000150000", (6_000_000_000, "0.0000140000"))
    prices = FakePriceList({VIRGINIA: replace(quotes, prices={**quotes.prices, "lambda_compute_x86_64": tiers})})
    collect(store, prices)
    found = price_of(store, VIRGINIA).prices
    assert found.lambda_x86_64_tiers == (ComputeTier(0.0, 0.000015), ComputeTier(6e9, 0.000014))
    assert found.lambda_usd_per_gb_second("x86_64") == 0.000015
    assert found.lambda_arm64_tiers == (ComputeTier(0.0, 0.000012),)


def test_the_commonest_transfer_is_the_price_and_the_others_are_exceptions(store: SignalStore) -> None:
    collect(store, FakePriceList())
    found = price_of(store, VIRGINIA).prices
    assert found.egress_to_other_region_usd_per_gb == 0.03
    assert found.egress_exceptions == (EgressPrice("sa-east-1", 0.16), EgressPrice("us-east-2", 0.01))


def test_of_two_transfers_that_are_as_common_the_dearer_is_the_price(store: SignalStore) -> None:
    others = sorted(data.regions().keys() - {VIRGINIA})
    half = len(others) // 2
    assert len(others) == 2 * half
    cheap = dict.fromkeys(others[:half], "0.02")
    collect(store, FakePriceList({VIRGINIA: quotes_with_transfers({**dict.fromkeys(others, "0.03"), **cheap})}))
    found = price_of(store, VIRGINIA).prices
    assert found.egress_to_other_region_usd_per_gb == 0.03
    assert {price.to_region for price in found.egress_exceptions} == cheap.keys()


@pytest.mark.parametrize(
    "usd_to",
    [{"eu-west-1": "0.02", "us-west-2": "0.02"}, {"us-east-2": "0.01"}, {"us-west-2": "0.05"}, {"xx-new-1": "0.05"}],
)
def test_a_transfer_that_the_list_does_not_mention_keeps_its_price(store: SignalStore, usd_to: dict[str, str]) -> None:
    assert data.prices(VIRGINIA).egress_usd_per_gb_to("us-east-2") == 0.01
    report = collect(store, FakePriceList({VIRGINIA: quotes_with_transfers(usd_to)}))

    found = price_of(store, VIRGINIA).prices
    others = data.regions().keys() - {VIRGINIA}
    for target in others | usd_to.keys():
        known = data.prices(VIRGINIA).egress_usd_per_gb_to(target)
        assert found.egress_usd_per_gb_to(target) == float(usd_to.get(target, known)), target
    assert found.egress_to_other_region_usd_per_gb == 0.02, "the commonest of all pairs, whoever says so"
    (warning,) = warnings_of(report)[VIRGINIA]
    assert warning.startswith("transfer_to_regions: the list does not mention all regions. In use, as known: ")
    assert (" 0.01 USD to us-east-2" in warning) == ("us-east-2" not in usd_to)
    cheap_or_listed = usd_to.keys() | {"us-east-2"}
    assert f"0.02 USD to {len(others - cheap_or_listed)} regions." in warning


def test_an_exception_of_before_survives_a_list_without_it_and_ages(store: SignalStore) -> None:
    collect(store, FakePriceList())
    partial = quotes_with_transfers({"us-east-2": "0.01"})
    collect(store, FakePriceList({VIRGINIA: partial}), now=NOW + DAY_S)
    signal = price_of(store, VIRGINIA)
    assert signal.prices.egress_usd_per_gb_to("sa-east-1") == 0.16
    assert signal.prices.egress_to_other_region_usd_per_gb == 0.03
    assert known_at(signal) == NOW, "0.16 and 0.03 USD are of that time"
    collect(store, FakePriceList(), now=NOW + 2 * DAY_S)
    assert known_at(price_of(store, VIRGINIA)) == NOW + 2 * DAY_S


def test_embedded_transfers_beside_those_of_the_list_do_not_age(store: SignalStore) -> None:
    partial = FakePriceList({VIRGINIA: quotes_with_transfers({"us-east-2": "0.011"})})
    collect(store, partial)
    collect(store, partial, now=NOW + DAY_S)
    assert known_at(price_of(store, VIRGINIA)) == NOW + DAY_S


def test_a_list_without_transfers_and_without_a_word_of_them_is_a_warning(store: SignalStore) -> None:
    report = collect(store, FakePriceList({VIRGINIA: quotes_with_transfers({})}))
    (warning,) = warnings_of(report)[VIRGINIA]
    assert "does not mention all regions" in warning
    assert price_of(store, VIRGINIA).prices.egress_exceptions == data.prices(VIRGINIA).egress_exceptions
    assert price_of(store, VIRGINIA).origins[EGRESS].source == "embedded"


def test_a_product_that_the_list_does_not_mention_is_a_warning(store: SignalStore) -> None:
    quotes = quotes_of()
    prices: dict[Product, ListPrice] = dict(quotes.prices)
    del prices["s3_puts"]
    report = collect(store, FakePriceList({DUBLIN: replace(quotes, prices=prices)}))
    (warning,) = warnings_of(report)[DUBLIN]
    assert warning.startswith("s3_puts: the list does not mention it. In use: embedded")


def test_an_answer_that_is_incomplete_is_told_and_used(store: SignalStore) -> None:
    failure = QuoteFailure("sns_publishes", SignalSourceError("1 entry cannot be read.", reason="unreadable"))
    report = collect(store, FakePriceList({DUBLIN: replace(quotes_of(), failures=(failure,))}))
    assert warnings_of(report)[DUBLIN] == (f"sns_publishes: 1 entry cannot be read. In use: {LISTED}, {PUBLISHED}.",)
    assert price_of(store, DUBLIN).prices.sns_usd_per_million_publishes == 0.55


def test_a_price_that_is_asked_for_in_vain_ages_whatever_else_is_refreshed(store: SignalStore) -> None:
    collect(store, FakePriceList())
    later = NOW + 100 * DAY_S
    only: dict[Product, ListPrice] = {"lambda_requests": listed("0.0000002200")}
    failures = tuple(
        QuoteFailure(product, SignalSourceError("no.", reason="unknown")) for product in FIELDS if product not in only
    )
    report = collect(store, FakePriceList({DUBLIN: RegionQuotes(only, {}, failures)}), now=later)

    signal = price_of(store, DUBLIN)
    assert signal.prices.lambda_usd_per_million_requests == 0.22
    assert signal.origin_of("lambda_usd_per_million_requests").collected_at == later
    assert signal.origin_of("sns_usd_per_million_publishes").collected_at == NOW
    assert (signal.collected_at, known_at(signal)) == (later, NOW)
    ages = {outcome.region: outcome.age_s for outcome in report.outcomes if outcome.kind == "price"}
    assert ages == {VIRGINIA: 0.0, DUBLIN: 100 * DAY_S, CAPE_TOWN: 0.0}


def test_an_embedded_price_is_as_old_as_its_collection(store: SignalStore) -> None:
    for now in (NOW, NOW + 100 * DAY_S):
        collect(store, FakePriceList({DUBLIN: failing("sns_publishes")}), now=now)
        signal = price_of(store, DUBLIN)
        assert signal.origin_of("sns_usd_per_million_publishes").collected_at is None
        assert known_at(signal) == now


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("product", [*PRODUCTS, "transfer_to_regions"])
def test_a_product_that_fails_keeps_its_last_price_with_its_date(
    store: SignalStore, product: Product, region: str
) -> None:
    earlier = RegionQuotes(
        {key: replace(price, published_on="2026-10-02") for key, price in quotes_of().prices.items()},
        {key: replace(price, published_on="2026-10-02") for key, price in quotes_of().transfers.items()},
        (),
    )
    collect(store, FakePriceList(dict.fromkeys(REGIONS, earlier)))
    before = price_of(store, region).prices
    now = failing(product)
    if product == "transfer_to_regions":
        now = replace(now, transfers={})
    dearer = {key: listed(f"{2 * price.tiers[0].usd}") for key, price in now.prices.items()}
    prices = FakePriceList({region: replace(now, prices=dearer)})

    report = collect(store, prices, now=NOW + 60)

    assert report.failures == ()
    kept = FIELDS[product].name
    signal = price_of(store, region)
    assert getattr(signal.prices, kept) == getattr(before, kept)
    assert signal.origins[kept] == PriceOrigin(LISTED, "2026-10-02", NOW)
    assert signal.collected_at == NOW + 60
    assert (signal.source, signal.vintage) == (LISTED, f"2026-10-02 to {PUBLISHED}")
    for key in dearer:
        name = FIELDS[key].name
        assert getattr(signal.prices, name) == pytest.approx(2 * getattr(before, name))
        assert signal.origins[name] == PriceOrigin(LISTED, PUBLISHED, NOW + 60)
    warnings = warnings_of(report)
    (warning,) = warnings.pop(region)
    assert warning.startswith(f"{product}: AWS's price list is odd. In use: {LISTED}, 2026-10-02")
    assert set(warnings.values()) == {()}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_that_never_was_listed_has_the_embedded_price(store: SignalStore, product: Product) -> None:
    report = collect(store, FakePriceList({CAPE_TOWN: failing(product)}))

    name = FIELDS[product].name
    signal = price_of(store, CAPE_TOWN)
    embedded = data.prices(CAPE_TOWN)
    assert getattr(signal.prices, name) == getattr(embedded, name)
    assert signal.prices.assumed == embedded.assumed & {name}
    assert signal.origins[name] == data.price_origins(CAPE_TOWN)[name]
    assert signal.origins[name].source == "embedded"
    assert signal.source.startswith(f"{LISTED} (12 of 13 prices), else embedded (")
    assert signal.vintage == f"{PUBLISHED}, else {data.source_of('prices_by_region.csv').vintage}"
    (warning,) = warnings_of(report)[CAPE_TOWN]
    assert f"In use: embedded, {signal.origins[name].vintage}." in warning


@pytest.mark.parametrize("usd", ["0", "-0.1", "Infinity", "NaN", "1e400", "1000000", "0.0000000001"])
@pytest.mark.parametrize("product", [*PRODUCTS, "transfer_to_regions"])
def test_a_price_that_cannot_be_is_refused(store: SignalStore, product: Product, usd: str) -> None:
    collect(store, FakePriceList())
    before = price_of(store, DUBLIN)
    quotes = quotes_of()
    if product == "transfer_to_regions":
        changed = replace(quotes, transfers={key: listed(usd) for key in quotes.transfers})
    else:
        changed = replace(quotes, prices={**quotes.prices, product: listed(usd)})

    report = collect(store, FakePriceList({DUBLIN: changed}), now=NOW + 60)

    assert price_of(store, DUBLIN).prices == before.prices
    warnings = warnings_of(report)
    assert len(warnings[DUBLIN]) == (len(quotes.transfers) if product == "transfer_to_regions" else 1)
    assert {text.partition(":")[0].partition(",")[0] for text in warnings[DUBLIN]} == {product}
    assert warnings[VIRGINIA] == ()


def test_a_tier_that_cannot_be_takes_the_product(store: SignalStore) -> None:
    quotes = quotes_of()
    tiers = listed("0.0000150000", (6_000_000_000, "140.0"))
    changed = replace(quotes, prices={**quotes.prices, "lambda_compute_arm64": tiers})
    report = collect(store, FakePriceList({DUBLIN: changed}))
    assert len(warnings_of(report)[DUBLIN]) == 1
    assert price_of(store, DUBLIN).prices.lambda_arm64_tiers == ()


def test_a_price_may_become_many_times_what_it_was(store: SignalStore) -> None:
    quotes = quotes_of()
    changed = replace(quotes, prices={**quotes.prices, "ecr_storage": listed("1.9")})
    report = collect(store, FakePriceList({DUBLIN: changed}))
    assert warnings_of(report)[DUBLIN] == ()
    assert price_of(store, DUBLIN).prices.ecr_usd_per_gb_month == 1.9


def test_one_pair_that_fails_keeps_its_price(store: SignalStore) -> None:
    collect(store, FakePriceList())
    odd = QuoteFailure("transfer_to_regions", SignalSourceError("odd.", reason="unreadable"), "sa-east-1")
    usd_to = {**dict.fromkeys(data.regions(), "0.04"), "eu-central-1": "99"}
    del usd_to["sa-east-1"]
    quotes = quotes_with_transfers(usd_to)
    report = collect(store, FakePriceList({VIRGINIA: replace(quotes, failures=(odd,))}), now=NOW + 60)

    found = price_of(store, VIRGINIA).prices
    assert found.egress_to_other_region_usd_per_gb == 0.04
    assert found.egress_exceptions == (EgressPrice("eu-central-1", 0.03), EgressPrice("sa-east-1", 0.16))
    dear, odd_one = warnings_of(report)[VIRGINIA]
    assert dear.startswith("transfer_to_regions, to eu-central-1: the list says 99 USD for a GB where 0.03 is known,")
    assert dear.endswith("In use: 0.03 USD, as known.")
    assert odd_one == "transfer_to_regions, to sa-east-1: odd. In use: 0.16 USD, as known."


def test_a_region_that_the_list_says_nothing_of_keeps_all(store: SignalStore) -> None:
    collect(store, FakePriceList())
    before = price_of(store, DUBLIN)
    error = SignalSourceError("no.", reason="unknown")
    nothing = RegionQuotes({}, {}, tuple(QuoteFailure(product, error) for product in FIELDS))

    report = collect(store, FakePriceList({DUBLIN: nothing}), now=NOW + DAY_S)

    assert price_of(store, DUBLIN) == before, "also when it was collected: nothing in it is newer"
    (outcome,) = [outcome for outcome in report.outcomes if (outcome.kind, outcome.region) == ("price", DUBLIN)]
    assert outcome.age_s == DAY_S
    assert len(outcome.warnings) == 13
    assert price_of(store, VIRGINIA).collected_at == NOW + DAY_S


@pytest.mark.parametrize("reason", ["unauthorized", "unavailable"])
@pytest.mark.parametrize("was_listed", [False, True])
def test_a_list_that_cannot_be_asked_is_the_same_warning_of_all_regions(
    store: SignalStore, reason: str, was_listed: bool
) -> None:
    if was_listed:
        collect(store, FakePriceList())
    denied = SignalSourceError("it cannot be read without the permission pricing:GetProducts.", reason=reason)
    prices = FakePriceList(error=denied)

    report = collect(store, prices, now=NOW + DAY_S)

    assert prices.asked == [REGIONS]
    assert report.failures == ()
    assert set(warnings_of(report).values()) == {(f"{denied} {INSTEAD}",)}
    assert not [note for note in report.notes if "pricing:GetProducts" in note]
    for region in REGIONS:
        signal = price_of(store, region)
        if was_listed:
            assert (signal.source, signal.collected_at) == (LISTED, NOW)
        else:
            assert signal.prices == data.prices(region)
            assert (signal.source.partition(" ")[0], signal.collected_at) == ("embedded", NOW + DAY_S)


def test_embedded_prices_are_not_kept_over_those_of_a_newer_program(
    store: SignalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(data.prices(DUBLIN), ecr_usd_per_gb_month=0.5)
    ProviderCollector().collect([DUBLIN], NOW, store)
    store.put(PRICE, replace(price_of(store, DUBLIN), prices=old))
    ProviderCollector().collect([DUBLIN], NOW + 60, store)
    assert price_of(store, DUBLIN).prices == data.prices(DUBLIN)


def test_a_newer_embedded_price_goes_before_what_the_list_said_earlier(store: SignalStore) -> None:
    name = "ecr_usd_per_gb_month"  # embedded as of a month, and assumed but in us-east-1
    of_day = datetime.fromisoformat(f"{data.price_origins(VIRGINIA)[name].vintage}-01T00:00:00+00:00").timestamp()
    for now, source in ((of_day - 1, "embedded"), (of_day, LISTED)):
        collect(store, FakePriceList(), now=now)
        collect(store, FakePriceList({region: failing("ecr_storage") for region in REGIONS}), now=NOW)
        assert price_of(store, VIRGINIA).origins[name].source == source
        assert price_of(store, DUBLIN).origins[name].source == LISTED, "a price of another region is no better"


def test_prices_of_a_signal_of_version_1_are_replaced(store: SignalStore) -> None:
    store.put(PRICE, PriceSignal(DUBLIN, data.prices(DUBLIN), "embedded (somewhere)", "2022", NOW))
    collect(store, FakePriceList())
    assert price_of(store, DUBLIN).source == LISTED


# --- not asked again ------------------------------------------------------------------------------------------


def test_what_was_asked_for_lately_is_not_asked_again(store: SignalStore) -> None:
    prices = FakePriceList({CAPE_TOWN: failing("s3_gets")})
    collect(store, prices)
    before = store.all(PRICE)

    report = collect(store, prices, now=NOW + DAY_S - 1, kept_s=DAY_S)

    assert prices.asked == [REGIONS, (CAPE_TOWN,)], "all of whose prices are not the list's"
    assert {region: signal for region, signal in store.all(PRICE).items() if region != CAPE_TOWN} == {
        region: signal for region, signal in before.items() if region != CAPE_TOWN
    }
    assert report.failures == ()
    assert report.notes[0] == LISTED_NOTE
    collect(store, prices, now=NOW + DAY_S, kept_s=DAY_S)
    assert prices.asked[-1] == REGIONS
    collect(store, prices, now=NOW + DAY_S + 1)
    assert prices.asked[-1] == REGIONS


def test_a_region_with_one_old_price_is_asked_again(store: SignalStore) -> None:
    collect(store, FakePriceList())
    prices = FakePriceList({DUBLIN: failing("s3_gets")})
    collect(store, prices, now=NOW + DAY_S)
    collect(store, prices, now=NOW + DAY_S + 60, kept_s=DAY_S)
    assert prices.asked == [REGIONS, (DUBLIN,)]


def test_nobody_is_asked_when_all_is_new(store: SignalStore) -> None:
    prices, directory = FakePriceList(), FakeDirectory()
    collector = ProviderCollector(prices, directory, DAY_S)
    collector.collect(REGIONS, NOW, store)
    directory.asked.clear()
    report = collector.collect(REGIONS, NOW + 60, store)
    assert prices.asked == [REGIONS]
    assert directory.asked == []
    assert {outcome.age_s for outcome in report.outcomes} == {60.0}


# --- clouds without a list ------------------------------------------------------------------------------------


def test_the_embedded_cloud_leaves_the_embedded_data_as_it_is(store: SignalStore) -> None:
    alone = ProviderCollector().collect(REGIONS, NOW, store)
    stored = store.all(PRICE), store.all(REGION)
    for collector in (
        ProviderCollector(LocalPriceList(), LocalRegionDirectory()),
        provider_collector(FakeCloud()),
    ):
        assert collector.collect(REGIONS, NOW, store) == alone
        assert (store.all(PRICE), store.all(REGION)) == stored
    assert alone.notes == (EMBEDDED_NOTE,)
    assert price_of(store, DUBLIN).origins == data.price_origins(DUBLIN)


# --- regions --------------------------------------------------------------------------------------------------


def region_of(store: SignalStore, region: str) -> RegionSignal:
    signal = store.get(REGION, region)
    assert signal is not None
    return signal


def collect_regions(store: SignalStore, directory: FakeDirectory, now: float = NOW) -> CollectorReport:
    return ProviderCollector(FakePriceList(), directory).collect(REGIONS, now, store)


def test_a_region_has_the_providers_name_and_country_and_the_embedded_place(store: SignalStore) -> None:
    report = collect_regions(store, FakeDirectory({DUBLIN: "Europe (Dublin)"}))

    signal = region_of(store, DUBLIN)
    assert signal.details == replace(data.find_region(DUBLIN), name="Europe (Dublin)", country="XX")
    assert (signal.vintage, signal.collected_at) == ("2026-11-26", NOW)
    assert "AWS calls eu-west-1 'Europe (Dublin)' now; it was 'Europe (Ireland)'." in report.notes

    again = collect_regions(store, FakeDirectory({DUBLIN: "Europe (Dublin)"}), NOW + 60)
    assert not [note for note in again.notes if "calls" in note], "it is said once"


def test_regions_that_are_not_embedded_are_named(store: SignalStore) -> None:
    report = collect_regions(store, FakeDirectory())
    (note,) = [note for note in report.notes if "does not know" in note]
    assert "ap-southeast-6 (Asia Pacific (New Zealand))" in note
    unnamed = FakeDirectory(errors={"ap-southeast-6": SignalSourceError("no.", reason="unknown")})
    (note,) = [note for note in collect_regions(store, unnamed).notes if "does not know" in note]
    assert "know: ap-southeast-6. No plan" in note


@pytest.mark.parametrize("failing_region", REGIONS)
def test_a_region_that_cannot_be_described_keeps_its_last_name(store: SignalStore, failing_region: str) -> None:
    collect_regions(store, FakeDirectory(dict.fromkeys(REGIONS, "Somewhere")))
    error = SignalSourceError("throttled.", reason="quota")

    report = collect_regions(store, FakeDirectory(errors={failing_region: error}), NOW + 60)

    assert report.failures == ()
    assert warnings_of(report, "region") == {
        region: ("throttled.",) if region == failing_region else () for region in REGIONS
    }
    for region in REGIONS:
        signal = region_of(store, region)
        expected = ("Somewhere", NOW) if region == failing_region else (data.find_region(region).name, NOW + 60)
        assert (signal.details.name, signal.collected_at) == expected


def test_a_directory_that_may_not_be_asked_is_asked_once_and_told_once(store: SignalStore) -> None:
    error = SignalSourceError("it needs the permission ssm:GetParametersByPath.", reason="unauthorized")
    directory = FakeDirectory(errors=dict.fromkeys((*REGIONS, "ap-southeast-6"), error))

    report = collect_regions(store, directory)

    assert directory.asked == [VIRGINIA]
    assert set(warnings_of(report, "region").values()) == {()}
    assert len([note for note in report.notes if "ssm:GetParametersByPath" in note]) == 1
    assert region_of(store, DUBLIN).details == data.find_region(DUBLIN)
    assert region_of(store, DUBLIN).source.startswith("embedded")


def test_a_list_of_regions_that_cannot_be_had_leaves_their_names(store: SignalStore) -> None:
    directory = FakeDirectory(codes_error=SignalSourceError("no ec2:DescribeRegions.", reason="unauthorized"))
    report = collect_regions(store, directory)
    assert directory.asked == list(REGIONS)
    assert [note for note in report.notes if "ec2:DescribeRegions" in note]
    assert region_of(store, DUBLIN).details.country == "XX"


def test_a_geocoder_places_regions_that_the_embedded_data_does_not_know(store: SignalStore) -> None:
    with HttpServer() as server, closing(HttpClient()) as client:
        found = Geocoder("key-of-a-user", client, server.url)
        located = {"geometry": {"location": {"lat": -36.85, "lng": 174.76}}, "formatted_address": "Auckland"}
        server.play("/geocode/json", Reply.json({"status": "OK", "results": [located]}))
        report = ProviderCollector(FakePriceList(), FakeDirectory(), geocoder=found).collect(REGIONS, NOW, store)
        (note,) = (note for note in report.notes if "ap-southeast-6" in note)
        assert "Asia Pacific (New Zealand); -36.9, 174.8 by Google, 2156 km from ap-southeast-2" in note
        server.play("/geocode/json", Reply.json({"status": "ZERO_RESULTS", "results": []}))
        report = ProviderCollector(FakePriceList(), FakeDirectory(), geocoder=found).collect(REGIONS, NOW, store)
        (note,) = (note for note in report.notes if "ap-southeast-6" in note)
        assert "its place was not found" in note
        assert "key-of-a-user" not in note
