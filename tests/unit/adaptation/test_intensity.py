"""Intensities of the hours in which runs happened, each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.intensity import intensity_history
from multi_x_serverless.adaptation.signals import carbon_source, check_ages
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import create_tables, physical_name
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.store import CARBON_PAST, SignalStore
from multi_x_serverless.errors import CloudError, NotEnoughDataError
from multi_x_serverless.model.carbon_past import CarbonPast, PastHour
from multi_x_serverless.model.carbon_signal import HourOrigin
from multi_x_serverless.model.regions import Region
from tests.fakes import FakeCloud
from tests.unit.solving.workflows import HOME, NOON, REGIONS, embedded_signals

HOUR = 3600.0
DAY = 24 * HOUR


class NoPast(EmbeddedCarbonSource):
    """A source that is not to be had."""

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        raise CloudError("the table gave no answer.", retryable=True)


class OneHourMissing(EmbeddedCarbonSource):
    """Knows all hours but one."""

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        return {start: hour for start, hour in super().past(region, first_hour, hours).items() if start != NOON - DAY}


def test_intensities_are_those_of_the_runs_own_hours() -> None:
    signals = embedded_signals()
    source = EmbeddedCarbonSource()
    history = intensity_history(source, signals, REGIONS, NOON - 3 * DAY + 100.0, NOON + 100.0)
    for moment in (NOON - 3 * DAY, NOON - DAY - HOUR, NOON + 3599.0):
        start = moment // HOUR * HOUR
        assert history.at(moment)[HOME] == source.past(data.find_region(HOME), start, 1)[start].gco2eq_per_kwh
    assert history.at(NOON)[HOME] != signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    assert "2023" in history.origin
    assert "forecast" not in history.origin


def test_a_source_without_a_past_is_replaced_by_the_forecast_and_says_so() -> None:
    signals = embedded_signals()
    history = intensity_history(NoPast(), signals, REGIONS, NOON - 2 * DAY, NOON)
    values = signals.carbon[HOME].intensity_gco2eq_per_kwh
    assert [history.at(NOON - offset * HOUR)[HOME] for offset in (0, 1, 24, 48)] == [
        values[12],
        values[11],
        values[12],
        values[12],
    ]
    assert "forecast of 2023-11-15" in history.origin
    with pytest.raises(NotEnoughDataError, match="eu-west-1"):
        intensity_history(NoPast(), signals, ("eu-west-1",), NOON, NOON)


def test_a_forecast_that_stands_in_names_the_source_of_its_hour() -> None:
    signals = embedded_signals()
    noon = HourOrigin("oracle", "2023-11-16", is_estimated=False, forecast_by="oracle")
    origins = tuple(replace(noon, source="other") if hour != 12 else noon for hour in range(24))
    mixed = replace(signals, carbon={HOME: replace(signals.carbon[HOME], origins=origins)})
    history = intensity_history(NoPast(), mixed, (HOME,), NOON, NOON)
    assert history.origin == (
        "forecast of 2023-11-15 from oracle, taken for the same hour of the day, "
        "as the table gave no answer, 2023-11-16"
    )


def test_a_single_missing_hour_is_filled_and_counted() -> None:
    signals = embedded_signals()
    history = intensity_history(OneHourMissing(), signals, (HOME,), NOON - 2 * DAY, NOON)
    assert history.at(NOON - DAY)[HOME] == signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    assert "2023 (48 h) and forecast of 2023-11-15" in history.origin
    assert history.origin.endswith("2023 (1 h)")
    with pytest.raises(NotEnoughDataError, match="us-east-1"):
        intensity_history(OneHourMissing(), replace(signals, carbon={}), (HOME,), NOON - 2 * DAY, NOON)


def test_hours_that_were_collected_go_before_the_trace_and_both_are_counted() -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    store = SignalStore(cloud.key_value, cloud.system_region)
    given = {
        NOON - offset * HOUR: PastHour(9.0 + offset, False, "live", f"2023-11-{15 - offset // 13}", False, NOON)
        for offset in range(20)
    }
    store.put(CARBON_PAST, CarbonPast(HOME, given))
    history = intensity_history(carbon_source(cloud), embedded_signals(), (HOME,), NOON - 47 * HOUR, NOON)
    assert [history.at(NOON - offset * HOUR)[HOME] for offset in (0, 19)] == [9.0, 28.0]
    assert history.at(NOON - 20 * HOUR)[HOME] > 100.0
    assert history.origin.startswith("embedded hourly trace")
    assert history.origin.endswith("2023 (28 h) and live, 2023-11-14 to 2023-11-15 (20 h)")


def test_hours_that_cannot_be_read_are_those_of_the_trace_and_the_origin_says_why() -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    table, key = physical_name("signals"), Key(CARBON_PAST.name, HOME)
    cloud.key_value.put(cloud.system_region, table, key, {"document": "not json"})
    history = intensity_history(carbon_source(cloud), embedded_signals(), (HOME,), NOON - 47 * HOUR, NOON)
    trace = intensity_history(EmbeddedCarbonSource(), embedded_signals(), (HOME,), NOON - 47 * HOUR, NOON)
    assert history.regions[HOME].hourly_gco2eq_per_kwh == trace.regions[HOME].hourly_gco2eq_per_kwh
    assert history.origin.startswith("embedded hourly trace")
    assert "as the stored hours cannot be read" in history.origin
    assert "is not JSON" in history.origin


def test_a_signal_made_anew_of_old_hours_is_warned_of_and_refused_by_their_age() -> None:
    signals = embedded_signals()

    def with_hours_until(moment: float) -> tuple[str, ...]:
        old = {HOME: replace(signals.carbon[HOME], measured_until=moment)}
        return check_ages(replace(signals, carbon=old), (HOME,), NOON)

    assert with_hours_until(NOON - DAY) == ()
    (warning,) = with_hours_until(NOON - 5 * DAY)
    assert "the carbon data of us-east-1 is 5 days old" in warning
    with pytest.raises(NotEnoughDataError, match="too old to plan with"):
        with_hours_until(NOON - 14 * DAY)
