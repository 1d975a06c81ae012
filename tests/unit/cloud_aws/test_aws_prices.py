"""AWS's price list: what is asked, what is accepted, and what fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.price_products import EVERYWHERE, ProductQuery, transfers_from
from multi_x_serverless.cloud.ports import ListPrice, PriceTier, RegionQuotes
from multi_x_serverless.errors import SignalSourceError, UnknownRegionError
from tests.aws.account import aws_in_memory
from tests.aws.calls import ApiCalls
from tests.aws.price_list import Entry, PriceListStub, Refusal, denied

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "af-south-1")
QUERIES: list[ProductQuery] = [*EVERYWHERE, transfers_from("us-east-1")]
PRODUCTS = [query.product for query in QUERIES]


@pytest.fixture(scope="module")
def price_list() -> Iterator[PriceListStub]:
    with aws_in_memory() as stub:
        yield stub


@pytest.fixture
def stub(price_list: PriceListStub) -> PriceListStub:
    """The list as it is when nobody spoils it."""
    unspoilt = PriceListStub()
    for name in ("spoil", "refuse", "page_size", "requests"):
        setattr(price_list, name, getattr(unspoilt, name))
    return price_list


@pytest.fixture(scope="module")
def one_cloud(price_list: PriceListStub) -> Iterator[AwsCloud]:
    with AwsCloud(regions=REGIONS, system_region="us-east-1", pause=lambda _seconds: None) as aws:
        yield aws


@pytest.fixture
def cloud(one_cloud: AwsCloud, stub: PriceListStub) -> AwsCloud:
    return one_cloud


@pytest.fixture
def impatient_cloud(stub: PriceListStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsCloud]:
    """One that sends each request once, waits for nobody after it was throttled, and has no clients yet."""
    monkeypatch.setattr("multi_x_serverless.cloud.aws.session.LIST_ATTEMPTS", 1)
    monkeypatch.setattr("botocore.retries.adaptive.ClientRateLimiter.on_sending_request", lambda *_, **__: None)
    with AwsCloud(regions=REGIONS, system_region="us-east-1", pause=lambda _seconds: None) as aws:
        yield aws


def is_of(entry: Entry, query: ProductQuery, region: str) -> bool:
    """Whether an entry is a product in a region, by what AWS is asked for and its usage type."""
    attributes = entry["product"]["attributes"]
    named = {**attributes, "productFamily": entry["product"].get("productFamily")}
    return (
        attributes["servicecode"] == query.service
        and all(named.get(name) == value for name, value in query.filters.items())
        and attributes.get(query.region_attribute) == region
        and attributes["usagetype"].endswith(query.usage.removeprefix("[A-Z0-9]+"))
    )


def spoilt(query: ProductQuery, region: str, spoil: Callable[[Entry], Entry | str | None]) -> Any:
    """What spoils one product of one region and leaves the others."""
    return lambda entry: spoil(entry) if is_of(entry, query, region) else entry


def dimensions(entry: Entry) -> list[Any]:
    (term,) = entry["terms"]["OnDemand"].values()
    return list(term["priceDimensions"].values())


def without(quotes: RegionQuotes, product: str) -> RegionQuotes:
    transfers = {} if product == "transfer_to_regions" else quotes.transfers
    return RegionQuotes({key: price for key, price in quotes.prices.items() if key != product}, transfers, ())


def test_every_product_of_every_region_has_its_price(cloud: AwsCloud) -> None:
    with ApiCalls().recording():  # which checks requests against the service's model
        quotes = cloud.price_list.quote(REGIONS)

    assert list(quotes) == list(REGIONS)
    for region in REGIONS:
        assert quotes[region].failures == ()
        assert [*quotes[region].prices, "transfer_to_regions"] == PRODUCTS
        assert quotes[region].transfers.keys() >= set(REGIONS) - {region}
    virginia, cape_town = quotes["us-east-1"], quotes["af-south-1"]
    assert virginia.prices["lambda_compute_arm64"] == ListPrice(
        unit="Lambda-GB-Second",
        tiers=(
            PriceTier(Decimal(0), Decimal("0.0000133334")),
            PriceTier(Decimal(7_500_000_000), Decimal("0.0000120001")),
            PriceTier(Decimal(18_750_000_000), Decimal("0.0000106667")),
        ),
        published_on="2026-11-20",
        effective_from="2026-11-01",
    )
    assert virginia.prices["lambda_compute_x86_64"].tiers[0].usd == Decimal("0.0000166667")
    assert cape_town.prices["lambda_compute_x86_64"].tiers[0].usd == Decimal("0.0000221")
    assert cape_town.prices["s3_storage"].tiers[0].usd == Decimal("0.0274")
    assert virginia.transfers["us-east-2"].tiers[0].usd == Decimal("0.01")
    assert cape_town.transfers["us-east-1"].tiers[0].usd == Decimal("0.147")


def test_an_allowance_is_no_price(cloud: AwsCloud) -> None:
    quotes = cloud.price_list.quote(["us-east-1"])["us-east-1"]
    assert quotes.prices["sns_publishes"].tiers == (PriceTier(Decimal(0), Decimal("0.0000005")),)
    assert quotes.prices["logs_ingested"].tiers == (PriceTier(Decimal(0), Decimal("0.5")),), "two names of one product"


def test_data_to_local_zones_and_within_a_region_is_left_out(cloud: AwsCloud) -> None:
    targets = cloud.price_list.quote(["us-east-1"])["us-east-1"].transfers
    assert set(targets) == {"af-south-1", "ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-2", "us-west-2"}


@pytest.mark.parametrize("regions", [REGIONS[:1], REGIONS])
def test_one_request_a_product_and_one_a_region(cloud: AwsCloud, stub: PriceListStub, regions: tuple[str, ...]) -> None:
    cloud.price_list.quote((*regions, regions[0]))
    assert len(stub.requests) == len(EVERYWHERE) + len(regions)
    assert len({str(request) for request in stub.requests}) == len(stub.requests)


@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_all_pages_are_read(cloud: AwsCloud, stub: PriceListStub, page_size: int) -> None:
    whole = cloud.price_list.quote(REGIONS)
    requests = len(stub.requests)
    stub.page_size = page_size
    assert cloud.price_list.quote(REGIONS) == whole
    assert len(stub.requests) > 2 * requests


def test_nothing_is_asked_for_no_regions(cloud: AwsCloud, stub: PriceListStub) -> None:
    assert cloud.price_list.quote([]) == {}
    with pytest.raises(UnknownRegionError, match="nowhere-1"):
        cloud.price_list.quote(["us-east-1", "nowhere-1"])
    assert stub.requests == []


@pytest.mark.parametrize("system_region", ["us-west-2", "eu-west-1"])
def test_the_list_is_asked_where_it_has_an_endpoint(stub: PriceListStub, system_region: str) -> None:
    with (
        AwsCloud(regions=("us-west-2", "eu-west-1"), system_region=system_region) as cloud,
        ApiCalls().recording() as calls,
    ):
        assert not cloud.price_list.quote(["us-west-2"])["us-west-2"].failures
    assert {call.region for call in calls.calls} == {"us-east-1"}


# --- what is not as it should be ------------------------------------------------------------------------------


def truncated(entry: Entry) -> str:
    return str(entry)[:200]


def of_another_currency(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["pricePerUnit"] = {"CNY": "0.1"}
    return entry


def of_another_unit(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["unit"] = "Fortnights"
    return entry


def of_two_units(entry: Entry) -> Entry:
    for number, dimension in enumerate(dimensions(entry)):
        dimension["unit"] = f"Unit{number}"
    return entry


def without_terms(entry: Entry) -> Entry:
    entry["terms"] = {"Reserved": entry["terms"]["OnDemand"]}
    return entry


def without_terms_at_all(entry: Entry) -> Entry:
    del entry["terms"]
    return entry


def without_dimensions(entry: Entry) -> Entry:
    for term in entry["terms"]["OnDemand"].values():
        term["priceDimensions"] = {}
    return entry


def free_of_charge(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["pricePerUnit"] = {"USD": "0.0000000000"}
    return entry


def below_zero(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["pricePerUnit"] = {"USD": "-0.02"}
    return entry


def not_a_number(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["pricePerUnit"] = {"USD": "NaN"}
    return entry


def of_another_type(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        dimension["pricePerUnit"] = {"USD": 0.02}
    return entry


def beginning_later(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        if dimension["beginRange"] == "0":
            dimension["beginRange"] = "3"
    return entry


def ending(entry: Entry) -> Entry:
    for dimension in dimensions(entry):
        if dimension["endRange"] == "Inf":
            dimension["endRange"] = "99999999999999"
    return entry


def of_two_terms(entry: Entry) -> Entry:
    (term,) = entry["terms"]["OnDemand"].values()
    entry["terms"]["OnDemand"]["another"] = term
    return entry


def undated(entry: Entry) -> Entry:
    entry["publicationDate"] = "recently"
    return entry


def of_nobody(entry: Entry) -> None:
    return None


POISONS = [
    truncated,
    of_another_currency,
    of_another_unit,
    without_terms,
    without_terms_at_all,
    without_dimensions,
    free_of_charge,
    below_zero,
    not_a_number,
    of_another_type,
    beginning_later,
    ending,
    of_two_terms,
    undated,
    of_nobody,
]


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.product)
def test_a_poisoned_product_of_a_region_fails_alone(
    cloud: AwsCloud, stub: PriceListStub, query: ProductQuery, poison: Callable[[Entry], Entry | str | None]
) -> None:
    whole = cloud.price_list.quote(("us-east-1", "eu-west-1"))
    stub.spoil = spoilt(query, "us-east-1", poison)

    quotes = cloud.price_list.quote(("us-east-1", "eu-west-1"))

    elsewhere, found = quotes["eu-west-1"], quotes["us-east-1"]
    assert (elsewhere.prices, elsewhere.transfers) == (whole["eu-west-1"].prices, whole["eu-west-1"].transfers)
    # Nobody knows which region an entry is of that cannot be read.
    is_everywhere = query in EVERYWHERE and poison in (truncated, undated)
    assert [failure.product for failure in elsewhere.failures] == [query.product] * is_everywhere
    assert all("of the answer" in str(failure.error) for failure in elsewhere.failures)
    assert {failure.product for failure in found.failures} == {query.product}
    for failure in found.failures:
        assert failure.error.reason in ("unreadable", "absurd", "unknown")
    assert RegionQuotes(found.prices, found.transfers, ()) == without(whole["us-east-1"], query.product)


def test_tiers_of_different_units_are_refused(cloud: AwsCloud, stub: PriceListStub) -> None:
    stub.spoil = spoilt(QUERIES[0], "us-east-1", of_two_units)
    (failure,) = cloud.price_list.quote(["us-east-1"])["us-east-1"].failures
    assert "priced per Unit0, Unit1, Unit2" in str(failure.error)


@pytest.mark.parametrize("query", EVERYWHERE, ids=lambda query: query.product)
@pytest.mark.parametrize("is_dearer", [False, True])
def test_entries_that_contradict_each_other_are_refused_and_equal_ones_are_not(
    cloud: AwsCloud, stub: PriceListStub, query: ProductQuery, is_dearer: bool
) -> None:
    def spoil(entry: Entry) -> Entry:
        """The entry of a region that nobody asks for becomes a second one; these two cost the same everywhere."""
        if is_of(entry, query, "us-west-2"):
            entry["product"]["attributes"][query.region_attribute] = "us-east-1"
            for dimension in dimensions(entry) if is_dearer else ():
                dimension["pricePerUnit"]["USD"] = f"1{dimension['pricePerUnit']['USD']}"
        return entry

    stub.spoil = spoil
    failures = cloud.price_list.quote(["us-east-1"])["us-east-1"].failures
    assert [failure.product for failure in failures] == [query.product] * is_dearer
    for failure in failures:
        assert "contradicts itself" in str(failure.error)
        assert failure.error.reason == "unreadable"


def test_two_prices_of_one_transfer_contradict_each_other(cloud: AwsCloud, stub: PriceListStub) -> None:
    def spoil(entry: Entry) -> Entry:
        if entry["product"]["attributes"].get("toRegionCode") == "us-east-2":  # 0.01, and 0.02 to the others
            entry["product"]["attributes"]["toRegionCode"] = "eu-west-1"
        return entry

    stub.spoil = spoil
    (failure,) = cloud.price_list.quote(["us-east-1"])["us-east-1"].failures
    assert failure.to_region == "eu-west-1"
    assert "contradicts itself" in str(failure.error)


def test_one_transfer_fails_alone(cloud: AwsCloud, stub: PriceListStub) -> None:
    whole = cloud.price_list.quote(["us-east-1"])["us-east-1"]

    def spoil(entry: Entry) -> Entry:
        return free_of_charge(entry) if entry["product"]["attributes"].get("toRegionCode") == "eu-west-1" else entry

    stub.spoil = spoil
    found = cloud.price_list.quote(["us-east-1"])["us-east-1"]

    assert [(failure.product, failure.to_region) for failure in found.failures] == [
        ("transfer_to_regions", "eu-west-1")
    ]
    assert found.failures[0].error.reason == "absurd"
    assert found.transfers == {to: price for to, price in whole.transfers.items() if to != "eu-west-1"}


def test_one_transfer_that_cannot_be_read_is_told_and_takes_no_other(cloud: AwsCloud, stub: PriceListStub) -> None:
    whole = cloud.price_list.quote(["eu-west-1"])["eu-west-1"]
    stub.spoil = lambda entry: (
        "{" if is_of(entry, transfers_from("eu-west-1"), "eu-west-1") and _goes_to(entry, "us-east-1") else entry
    )

    found = cloud.price_list.quote(["eu-west-1"])["eu-west-1"]

    assert found.transfers == {to: price for to, price in whole.transfers.items() if to != "us-east-1"}
    (failure,) = found.failures
    assert (failure.product, failure.to_region, failure.error.reason) == ("transfer_to_regions", None, "unreadable")
    assert "1 entry of the answer" in str(failure.error)


def test_transfers_to_nowhere_are_no_transfers(cloud: AwsCloud, stub: PriceListStub) -> None:
    def spoil(entry: Entry) -> Entry:
        entry["product"]["attributes"].pop("toRegionCode", None)
        return entry

    stub.spoil = spoil
    found = cloud.price_list.quote(["us-east-1"])["us-east-1"]
    assert found.transfers == {}
    assert [(failure.product, failure.error.reason) for failure in found.failures] == [
        ("transfer_to_regions", "unknown")
    ]


def _goes_to(entry: Entry, region: str) -> bool:
    return bool(entry["product"]["attributes"].get("toRegionCode") == region)


def test_nonsense_that_nobody_asked_for_changes_no_price_and_is_told(cloud: AwsCloud, stub: PriceListStub) -> None:
    whole = cloud.price_list.quote(["us-east-1"])["us-east-1"]
    stub.spoil = lambda entry: entry if "us-east-1" in str(entry) else "{"
    found = cloud.price_list.quote(["us-east-1"])["us-east-1"]
    assert (found.prices, found.transfers) == (whole.prices, whole.transfers)
    assert {failure.product for failure in found.failures} == {query.product for query in EVERYWHERE}


# --- requests that are refused --------------------------------------------------------------------------------


def for_product(query: ProductQuery, refusal: Refusal) -> Callable[[int, Entry], Refusal | None]:
    """Refuse the requests for one product."""
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in query.filters.items()]

    def refuse(_number: int, request: Entry) -> Refusal | None:
        is_it = request["ServiceCode"] == query.service and request["Filters"] == filters
        return refusal if is_it else None

    return refuse


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal("ThrottlingException"), "quota"),
        (Refusal("InternalErrorException", 500), "unavailable"),
        (Refusal("InvalidParameterException"), "unavailable"),
    ],
    ids=["throttled", "broken", "refused"],
)
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.product)
def test_a_product_whose_request_fails_is_missing_alone(
    impatient_cloud: AwsCloud, stub: PriceListStub, query: ProductQuery, refusal: Refusal, reason: str
) -> None:
    cloud = impatient_cloud
    whole = cloud.price_list.quote(("us-east-1", "eu-west-1"))
    stub.refuse = for_product(query, refusal)

    quotes = cloud.price_list.quote(("us-east-1", "eu-west-1"))

    affected = ("us-east-1", "eu-west-1") if query in EVERYWHERE else ("us-east-1",)
    for region, found in quotes.items():
        missing = {query.product} if region in affected else set()
        assert {failure.product for failure in found.failures} == missing
        assert {failure.error.reason for failure in found.failures} <= {reason}
        expected = without(whole[region], query.product) if missing else whole[region]
        assert RegionQuotes(found.prices, found.transfers, ()) == expected


def test_a_page_that_fails_takes_the_whole_product(impatient_cloud: AwsCloud, stub: PriceListStub) -> None:
    stub.page_size = 2
    stub.refuse = lambda _number, request: (
        Refusal("ExpiredNextTokenException")
        if request["ServiceCode"] == "AmazonECR" and "NextToken" in request
        else None
    )
    for found in impatient_cloud.price_list.quote(REGIONS).values():
        assert [failure.product for failure in found.failures] == ["ecr_storage"]


def test_who_may_not_ask_asks_once(cloud: AwsCloud, stub: PriceListStub) -> None:
    stub.refuse = lambda _number, _request: denied()
    with pytest.raises(SignalSourceError, match="without the permission pricing:GetProducts") as caught:
        cloud.price_list.quote(REGIONS)
    assert caught.value.reason == "unauthorized"
    assert len(stub.requests) == 1


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_credentials_that_are_not_taken_are_tried_once(cloud: AwsCloud, stub: PriceListStub, code: str) -> None:
    stub.refuse = lambda _number, _request: Refusal(code)
    with pytest.raises(SignalSourceError) as caught:
        cloud.price_list.quote(REGIONS)
    assert caught.value.reason == "unauthorized"
    assert "enable-region" not in str(caught.value)
    assert len(stub.requests) == 1


def test_a_list_that_cannot_be_reached_is_given_up_soon(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def paginate(**arguments: Any) -> Iterator[Any]:
        asked.append(arguments["ServiceCode"])
        raise EndpointConnectionError(endpoint_url="https://api.pricing.us-east-1.amazonaws.com")

    client = cloud._session.price_list()
    paginator = client.get_paginator("get_products")
    monkeypatch.setattr(paginator, "paginate", paginate)
    monkeypatch.setattr(client, "get_paginator", lambda _operation: paginator)
    with pytest.raises(SignalSourceError, match=r"api\.pricing") as caught:
        cloud.price_list.quote(REGIONS)
    assert caught.value.reason == "unavailable"
    assert len(asked) == 2


def test_without_credentials_nothing_is_asked(
    impatient_cloud: AwsCloud, stub: PriceListStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(SignalSourceError, match="AWS was not asked") as caught:
        impatient_cloud.price_list.quote(REGIONS)
    assert caught.value.reason == "unauthorized"
    assert stub.requests == []
