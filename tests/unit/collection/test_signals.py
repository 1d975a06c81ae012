from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless import data
from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError
from multi_x_serverless.model.carbon_signal import CarbonSignal, ForecastError, HourOrigin
from multi_x_serverless.model.performance_signal import Interval, PerformanceSignal, RoundTrip
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.prices import PRICE_NAMES, TIER_NAMES, ComputeTier, PriceOrigin
from multi_x_serverless.model.regions import RegionSignal
from multi_x_serverless.model.signals import known_at

DOCUMENTS = Path(__file__).parents[2] / "data" / "documents"

ORIGIN: dict[str, Any] = {"source": "somewhere", "vintage": "2023", "collected_at": 1_700_000_000.5}
CARBON = CarbonSignal(
    region="ca-central-1",
    grid_zone="CA-QC",
    intensity_gco2eq_per_kwh=tuple(float(hour) for hour in range(24)),
    valid_from=1_700_000_000.0,
    method="a mean",
    is_estimated=False,
    forecast_error=ForecastError(0.125, 120),
    **ORIGIN,
)
MEASURED = HourOrigin("live", "2026-11-19 to 2026-11-26", is_estimated=False, forecast_by="a mean")
EXPECTED = HourOrigin("file a.csv", "2026-11-27", is_estimated=True, forecast_by="file a.csv")
MIXED = replace(CARBON, origins=(MEASURED, EXPECTED) * 12, measured_until=1_699_999_200.0)
SIGNALS: list[RegionSignal | CarbonSignal | PriceSignal | PerformanceSignal] = [
    RegionSignal(details=data.find_region("ca-central-1"), **ORIGIN),
    CARBON,
    replace(CARBON, forecast_error=None, is_estimated=True),
    MIXED,
    PriceSignal(region="us-east-2", prices=data.prices("us-east-2"), origins=data.price_origins("us-east-2"), **ORIGIN),
    PerformanceSignal(
        region="us-east-2",
        relative_speed=1.25,
        relative_speed_is_assumed=False,
        round_trips=(
            RoundTrip("us-east-1", 0.011, True, "own runs", "2026-11-26", 40, Interval(0.01, 0.012)),
            RoundTrip("us-east-2", 0.0, False),
        ),
        relative_speed_samples=120,
        relative_speed_interval=Interval(1.2, 1.3),
        **ORIGIN,
    ),
]
Document = dict[str, Any]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_a_signal_survives_being_written_and_read(signal: Any) -> None:
    document = signal.to_document()

    assert type(signal).from_document(document) == signal
    assert type(signal).from_document(document).to_document() == document


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_a_signal_of_a_newer_program_is_refused(signal: Any) -> None:
    document = json.loads(signal.to_document())
    document["version"] += 1

    with pytest.raises(NewerSchemaError):
        type(signal).from_document(json.dumps(document))


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_every_member_is_needed_or_has_null_as_its_default(signal: Any) -> None:
    for name in json.loads(signal.to_document()):
        document = json.loads(signal.to_document())
        del document[name]
        if name in {"forecast_error", "measured_until", "relative_speed_samples", "relative_speed_interval"}:
            assert getattr(type(signal).from_document(json.dumps(document)), name) is None
        else:
            with pytest.raises(InvalidDocumentError, match=name):
                type(signal).from_document(json.dumps(document))


def test_a_signal_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="schema"):
        CarbonSignal.from_document(SIGNALS[0].to_document())


VERSION_1 = """{"collected_at":1700000000.5,"forecast_error":0.125,"grid_zone":"CA-QC","intensity_gco2eq_per_kwh":
[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0,23.0],
"is_estimated":false,"method":"a mean","region":"ca-central-1","schema":"multi-x-serverless/carbon-signal",
"source":"somewhere","valid_from":1700000000.0,"version":1,"vintage":"2023"}"""


def test_a_carbon_signal_of_the_first_version_is_still_read() -> None:
    signal = CarbonSignal.from_document(VERSION_1)
    # Its error was that of another horizon.
    assert signal == replace(CARBON, forecast_error=None)
    assert signal.origin_at(5) == HourOrigin("somewhere", "2023", is_estimated=False, forecast_by="a mean")
    assert signal.measured_until is None
    assert json.loads(signal.to_document())["version"] == 3
    assert CarbonSignal.from_document(signal.to_document()) == signal


def test_a_carbon_signal_of_the_second_version_is_read_but_for_its_error() -> None:
    second = {**json.loads(MIXED.to_document()), "version": 2, "forecast_error": 0.125}
    assert CarbonSignal.from_document(json.dumps(second)) == replace(MIXED, forecast_error=None)


def test_a_signal_of_sources_alone_or_of_measured_hours_is_of_its_own_time() -> None:
    assert not CARBON.is_of_its_own_time
    assert MIXED.is_of_its_own_time
    assert not replace(MIXED, measured_until=None).is_of_its_own_time
    assert replace(CARBON, origins=(EXPECTED,) * 24).is_of_its_own_time


def test_each_hour_knows_where_it_comes_from_and_each_origin_is_written_once() -> None:
    document = json.loads(MIXED.to_document())
    assert len(document["origins"]) == 2
    assert document["origin_of_hour"] == [0, 1] * 12
    signal = CarbonSignal.from_document(json.dumps(document))
    assert [signal.origin_at(hour) for hour in (0, 1, 23)] == [MEASURED, EXPECTED, EXPECTED]


@pytest.mark.parametrize(
    ("origin_of_hour", "message"),
    [
        ([0] * 23, "origins: has 23 hours"),
        ([0] * 23 + [2], r"origin_of_hour\[23\].*one of 2 origins"),
        ([True] * 24, r"origin_of_hour\[0\].*True"),
        ([-1] * 24, r"origin_of_hour\[0\].*-1"),
    ],
)
def test_impossible_origins_are_refused(origin_of_hour: list[int], message: str) -> None:
    document = {**json.loads(MIXED.to_document()), "origin_of_hour": origin_of_hour}
    with pytest.raises(InvalidDocumentError, match=message):
        CarbonSignal.from_document(json.dumps(document))


def test_a_signal_made_anew_of_old_hours_is_as_old_as_they_are() -> None:
    assert known_at(CARBON) == CARBON.collected_at
    assert known_at(MIXED) == 1_699_999_200.0
    assert known_at(SIGNALS[0]) == ORIGIN["collected_at"]
    # A clock that went back makes nothing younger than it is.
    assert known_at(replace(MIXED, measured_until=2e9)) == MIXED.collected_at


def test_hours_of_intensity_are_a_list_and_never_keyed_by_text() -> None:
    document = json.loads(CARBON.to_document())
    assert document["intensity_gco2eq_per_kwh"] == list(range(24))

    document["intensity_gco2eq_per_kwh"] = {str(hour): 1.0 for hour in range(24)}
    with pytest.raises(InvalidDocumentError, match="expected a list"):
        CarbonSignal.from_document(json.dumps(document))


@pytest.mark.parametrize(
    ("intensities", "message"),
    [
        ((1.0,) * 23, "has 23 hours"),
        ((1.0,) * 5 + (-1.0,) + (1.0,) * 18, r"\[5\].*-1"),
        ((float("nan"),) * 24, r"\[0\].*nan"),
    ],
)
def test_impossible_intensities_are_refused(intensities: tuple[float, ...], message: str) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        replace(CARBON, intensity_gco2eq_per_kwh=intensities)


def first_version(signal: RegionSignal | PriceSignal) -> Document:
    """A document as version 1 of the schema has it."""
    document: Document = json.loads(signal.to_document())
    document["version"] = 1
    if isinstance(signal, RegionSignal):
        del document["details"]["country"]
        return document
    del document["origins"]
    for name in TIER_NAMES:
        del document["prices"][name]
    return document


def test_prices_of_version_1_are_read_without_tiers_and_origins() -> None:
    signal = next(entry for entry in SIGNALS if isinstance(entry, PriceSignal))
    assert isinstance(signal, PriceSignal)
    read = PriceSignal.from_document(json.dumps(first_version(signal)))
    assert read == replace(signal, origins={})
    for name in PRICE_NAMES:
        assert read.origin_of(name) == PriceOrigin("somewhere", "2023")
    assert PriceSignal.from_document(read.to_document()) == read


def test_a_region_of_version_1_is_read_without_country() -> None:
    signal = SIGNALS[0]
    assert isinstance(signal, RegionSignal)
    read = RegionSignal.from_document(json.dumps(first_version(signal)))
    assert read == replace(signal, details=replace(signal.details, country=""))


TIERS = (ComputeTier(0.0, 0.0000166667), ComputeTier(6e9, 0.000015))


def test_tiers_and_origins_survive_being_written_and_read() -> None:
    prices = replace(data.prices("us-east-1"), lambda_x86_64_tiers=TIERS)
    origins = {name: PriceOrigin(f"who says {name}", "2026-11-20") for name in PRICE_NAMES}
    origins["s3_usd_per_gb_month"] = PriceOrigin("a list", "2026-11-20", 1_650_000_000.5)
    signal = PriceSignal(region="us-east-1", prices=prices, origins=origins, **ORIGIN)
    assert known_at(signal) == 1_650_000_000.5
    assert PriceSignal.from_document(signal.to_document()) == signal
    assert signal.origin_of("ecr_usd_per_gb_month") == PriceOrigin("who says ecr_usd_per_gb_month", "2026-11-20")


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        (TIERS[1:], "ascend from 0"),
        ((TIERS[0], TIERS[1], TIERS[1]), "ascend from 0"),
        ((TIERS[0], ComputeTier(-1.0, 0.1)), "0 or more"),
        ((ComputeTier(0.0, 0.5),), "begins with 0.5 USD"),
        ((TIERS[0], ComputeTier(6e9, float("nan"))), "nan"),
    ],
)
def test_impossible_tiers_are_refused(tiers: tuple[ComputeTier, ...], message: str) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        replace(data.prices("us-east-1"), lambda_x86_64_tiers=tiers)


@pytest.mark.parametrize("name", ["ecr_usd_per_gb_month", "bananas"])
def test_origins_are_of_all_prices_and_of_nothing_else(name: str) -> None:
    origins = dict(data.price_origins("us-east-1"))
    origins.pop(name, None) or origins.update({name: PriceOrigin("", "")})
    with pytest.raises(InvalidDocumentError, match=name):
        PriceSignal(region="us-east-1", prices=data.prices("us-east-1"), origins=origins, **ORIGIN)


def test_impossible_prices_are_refused() -> None:
    prices = data.prices("us-east-1")
    with pytest.raises(InvalidDocumentError, match="ecr_usd_per_gb_month"):
        replace(prices, ecr_usd_per_gb_month=-0.1)
    with pytest.raises(InvalidDocumentError, match="'bananas'"):
        replace(prices, assumed=frozenset({"bananas"}))


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(InvalidDocumentError, match="relative_speed"):
        PerformanceSignal("us-east-1", speed, False, (), **ORIGIN)


def test_a_round_trip_is_found_by_region() -> None:
    signal = SIGNALS[5]
    assert isinstance(signal, PerformanceSignal)
    trip = signal.round_trip_to("us-east-1")
    assert trip == signal.round_trips[0]
    assert signal.origin_of(signal.round_trips[0]) == ("own runs", "2026-11-26")
    assert signal.origin_of(signal.round_trips[1]) == ("somewhere", "2023")
    assert signal.round_trip_to("us-west-1") is None


def test_a_performance_signal_of_version_1_is_read() -> None:
    old = json.loads((DOCUMENTS / "performance_signal_1.json").read_text(encoding="utf-8"))
    assert old["version"] == 1

    signal = PerformanceSignal.from_document(json.dumps(old))

    assert signal.round_trips == (
        RoundTrip("us-east-1", 0.0709, is_measured=True),
        RoundTrip("us-west-2", 0.00013, is_measured=False),
    )
    assert signal.origin_of(signal.round_trips[0]) == ("embedded (somebody)", "2020")
    assert (signal.relative_speed_samples, signal.relative_speed_interval) == (None, None)
    assert json.loads(signal.to_document())["version"] == 2


def test_an_interval_is_in_order() -> None:
    assert Interval(1.0, 1.0).contains(1.0)
    assert not Interval(1.0, 2.0).contains(2.1)
    for low, high in ((2.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(InvalidDocumentError, match="in order"):
            Interval(low, high)


def test_a_place_off_the_globe_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="latitude"):
        replace(data.find_region("us-east-1"), latitude=91.0)
