"""What is assumed is said, with the regions it is assumed of."""

from __future__ import annotations

from dataclasses import replace

import orjson

from multi_x_serverless.collection.forecast_error import JUDGED_DAYS
from multi_x_serverless.model.carbon_signal import ForecastError
from multi_x_serverless.model.performance_signal import Interval, PerformanceSignal, RoundTrip
from multi_x_serverless.model.prices import PRICE_NAMES, PriceOrigin
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.problem import Signals, SolveSettings, build_problem
from multi_x_serverless.solving.provenance import provenance
from tests.unit.solving.workflows import HOME, REGIONS, embedded_signals, observed_runs, workflow

AWAY = "ca-central-1"


def described(signals: Signals, regions: tuple[str, ...] = REGIONS) -> dict[str, str]:
    return provenance(
        [signals.carbon[region] for region in regions],
        [signals.prices[region] for region in regions],
        [signals.performance[region] for region in regions],
        observed_runs(),
        "best",
    )


def with_trips(signal: PerformanceSignal, unmeasured: set[str]) -> PerformanceSignal:
    trips = tuple(RoundTrip(region, 0.05, is_measured=region not in unmeasured) for region in REGIONS)
    return replace(signal, round_trips=trips)


def test_the_problem_document_carries_it() -> None:
    signals = embedded_signals()
    document = orjson.loads(build_problem(workflow(), observed_runs(), signals, SolveSettings()))
    assert document["provenance"] == described(signals, tuple(document["regions"]))
    assert "2023" in document["provenance"]["carbon"]
    assert "collected 2023-11-15 12:00 UTC" in document["provenance"]["carbon"]
    assert "40 observed runs" in document["provenance"]["runs"]


def test_prices_are_as_old_as_the_one_that_was_asked_for_longest_ago() -> None:
    signals = embedded_signals()
    home = signals.prices[HOME]
    assert described(signals)["prices"].endswith("collected 2023-11-15 12:00 UTC")
    old = PriceOrigin("AWS Price List", "2023-09-01", home.collected_at - 60 * 86_400.0)
    origins = {name: home.origin_of(name) for name in PRICE_NAMES} | {PRICE_NAMES[-1]: old}
    aged = {**signals.prices, HOME: replace(home, origins=origins)}
    assert described(replace(signals, prices=aged))["prices"].endswith("collected 2023-09-16 12:00 UTC")


def test_forecast_errors_are_named_by_region_once_known() -> None:
    signals = embedded_signals()
    unknown = {region: replace(signal, forecast_error=None) for region, signal in signals.carbon.items()}
    assert described(replace(signals, carbon=unknown))["carbon_forecast_error"].startswith("not known yet")
    own = replace(signals.carbon[HOME], forecast_error=ForecastError(0.094, 120), measured_until=1.7e9)
    text = described(replace(signals, carbon={**unknown, HOME: own}))["carbon_forecast_error"]
    horizon = "mean absolute error of the first 24 hours of the forecasts of the last 7 days"
    assert text == f"{horizon}: us-east-1 9.4 % (120 h); not known yet: us-west-1, us-west-2, ca-central-1"
    trace = replace(signals.carbon[AWAY], forecast_error=ForecastError(0.0211, 156), measured_until=None)
    text = described(replace(signals, carbon={**unknown, HOME: own, AWAY: trace}))["carbon_forecast_error"]
    assert f"; {horizon}, on the hours of the embedded trace's year: ca-central-1 2.1 % (156 h); not known" in text


def test_the_horizon_named_is_the_one_that_is_judged() -> None:
    text = described(embedded_signals())["carbon_forecast_error"]
    assert f"first {HOURS_PER_DAY} hours of the forecasts of the last {JUDGED_DAYS} days, on the hours" in text


def test_speed_that_nobody_measured_is_called_assumed() -> None:
    signals = embedded_signals()
    assert described(signals)["relative_speed"] == "assumed to be the same in all regions: nobody measured it"
    measured = {
        region: replace(signal, relative_speed_is_assumed=region == AWAY)
        for region, signal in signals.performance.items()
    }
    assert described(replace(signals, performance=measured))["relative_speed"].startswith("assumed in ca-central-1")
    measured[AWAY] = replace(measured[AWAY], relative_speed_is_assumed=False)
    assert described(replace(signals, performance=measured))["relative_speed"] == "measured in all regions"


def test_speed_that_runs_showed_is_given_with_its_interval() -> None:
    signals = embedded_signals()
    measured = replace(
        signals.performance[AWAY],
        relative_speed=1.1,
        relative_speed_is_assumed=False,
        relative_speed_interval=Interval(1.05, 1.16),
    )
    text = described(replace(signals, performance={**signals.performance, AWAY: measured}))["relative_speed"]
    assert text.startswith("assumed in us-east-1, us-west-1, us-west-2: nobody measured it there")
    assert text.endswith("ca-central-1 1.10 (1.05 to 1.16)")


def test_round_trips_are_counted_by_source() -> None:
    signals = embedded_signals()
    (embedded,) = {trip.source for signal in signals.performance.values() for trip in signal.round_trips}
    vintage = signals.performance[HOME].vintage
    assert described(signals)["latency"] == f"{embedded}, {vintage}; collected 2023-11-15 12:00 UTC"
    own = {AWAY: "2023-11-10", "us-west-1": "2023-11-14"}
    trips = tuple(
        replace(trip, source="own runs", vintage=own[trip.to_region]) if trip.to_region in own else trip
        for trip in signals.performance[HOME].round_trips
    )
    # A region that the problem does not have is not counted.
    trips = (*trips, replace(trips[0], to_region="eu-west-1", source="elsewhere"))
    mixed = {**signals.performance, HOME: replace(signals.performance[HOME], round_trips=trips)}
    assert described(replace(signals, performance=mixed))["latency"] == (
        f"{embedded}, {vintage} (14 round trips); own runs, 2023-11-10 to 2023-11-14 (2 round trips); "
        "collected 2023-11-15 12:00 UTC"
    )
    one = replace(signals.performance[HOME].round_trips[0], to_region=AWAY, source="own runs")
    others = (trip for trip in signals.performance[HOME].round_trips if trip.to_region != AWAY)
    mixed[HOME] = replace(signals.performance[HOME], round_trips=(one, *others))
    assert f"own runs, {vintage} (1 round trip)" in described(replace(signals, performance=mixed))["latency"]


def test_round_trips_that_nobody_measured_are_named() -> None:
    signals = embedded_signals()
    subject = "latency_estimated_from_distance"
    performance = {region: with_trips(signal, set()) for region, signal in signals.performance.items()}
    assert subject not in described(replace(signals, performance=performance))
    performance[HOME] = with_trips(performance[HOME], {AWAY, HOME})
    assert described(replace(signals, performance=performance))[subject] == "ca-central-1 to us-east-1"
    performance[AWAY] = with_trips(performance[AWAY], set(REGIONS))
    assert described(replace(signals, performance=performance))[subject] == "all of ca-central-1"


def test_prices_and_intensities_that_are_not_the_regions_own_are_named() -> None:
    signals = embedded_signals()
    own = {
        region: replace(signal, prices=replace(signal.prices, assumed=frozenset()))
        for region, signal in signals.prices.items()
    }
    assert "prices_of_another_region" not in described(replace(signals, prices=own))
    assumed = replace(own[AWAY].prices, assumed=frozenset({"sns_usd_per_million_publishes"}))
    borrowed = {**own, AWAY: replace(own[AWAY], prices=assumed)}
    text = described(replace(signals, prices=borrowed))["prices_of_another_region"]
    assert text == "ca-central-1 (sns_usd_per_million_publishes)"
    assert "carbon_without_hourly_data" not in described(signals)
    forecast = {**signals.carbon, AWAY: replace(signals.carbon[AWAY], is_estimated=True)}
    assert "carbon_without_hourly_data" not in described(replace(signals, carbon=forecast)), "it has hours"
    mean = replace(signals.carbon[AWAY], is_estimated=True, intensity_gco2eq_per_kwh=(30.0,) * 24)
    flat = {**signals.carbon, AWAY: mean}
    assert described(replace(signals, carbon=flat))["carbon_without_hourly_data"] == AWAY


def test_regions_that_rest_on_different_sources_are_named_with_theirs() -> None:
    signals = embedded_signals()
    same = described(signals)["carbon"]
    assert AWAY not in same
    live = replace(signals.carbon[AWAY], source="Electricity Maps", vintage="2026-11-26", method="its forecast")
    mixed = described(replace(signals, carbon={**signals.carbon, AWAY: live}))
    assert f"{AWAY}: Electricity Maps, 2026-11-26" in mixed["carbon"]
    assert f"{AWAY}: its forecast" in mixed["carbon_method"]
    assert "us-east-1" in mixed["carbon"]
