"""However collections are split, the error of forecasts is that of the first one of each of the last 7 days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.collection.carbon import LIVE_HOURS, CarbonCollector
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.forecast import Persistence
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.collection.store import CARBON, SignalStore
from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.regions import Region
from tests.fakes import FakeKeyValueStore

HOUR, DAY = 3600.0, 86_400.0
CODE = "us-east-1"
START = 20_000 * DAY
SYSTEM_REGION = "us-west-2"


def true_value(start: float) -> float:
    return 200.0 + (start // HOUR * 37) % 101


@dataclass(frozen=True)
class LateSource:
    """Estimates an hour until it is measured, some hours after it ended."""

    now: float
    delays: tuple[int, ...]
    name: str = "late"
    notes: tuple[str, ...] = ()

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        found = {}
        for start in (first_hour + offset * HOUR for offset in range(hours)):
            known = is_measured(start, self.now, self.delays)
            found[start] = HourlyIntensity(true_value(start) + (0 if known else 77.0), not known, self.name, "now")
        return found

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        return {}


def is_measured(start: float, now: float, delays: tuple[int, ...]) -> bool:
    return now >= start + HOUR * (1 + delays[int(start // HOUR) % len(delays)])


def collect(at: list[int], delays: tuple[int, ...]) -> list[CarbonSignal]:
    """The signals of collections some hours after the start, in order."""
    store = SignalStore(FakeKeyValueStore.of(SYSTEM_REGION, "signals"), SYSTEM_REGION)
    made = []
    for hour in at:
        now = START + hour * HOUR
        CarbonCollector(live=LateSource(now, delays), forecaster=Persistence()).collect([CODE], now + 60, store)
        signal = store.get(CARBON, CODE)
        assert signal is not None
        made.append(signal)
    return made


@settings(max_examples=30, deadline=None)
@given(
    at=st.lists(st.integers(0, 12 * 24), min_size=1, max_size=14).map(sorted),
    delays=st.lists(st.integers(0, 60), min_size=1, max_size=5).map(tuple),
)
def test_the_error_is_that_of_the_first_forecasts_of_the_days_over_what_was_measured(
    at: list[int], delays: tuple[int, ...]
) -> None:
    made = collect(at, delays)
    current = made[-1].valid_from
    first_of_day: dict[float, CarbonSignal] = {}
    for signal in made[:-1]:
        first_of_day.setdefault(signal.valid_from // DAY, signal)
    pairs = []
    for signal in first_of_day.values():
        if signal.valid_from < current - 7 * DAY:
            continue
        for start in (signal.valid_from + offset * HOUR for offset in range(24)):
            asked = [START + hour * HOUR for hour in at if start < START + hour * HOUR <= start + LIVE_HOURS * HOUR]
            if any(is_measured(start, moment, delays) for moment in asked):
                pairs.append((round(signal.intensity_gco2eq_per_kwh[hour_of_day(start)], 2), true_value(start)))
    found = made[-1].forecast_error
    if not pairs:
        assert found is None
    else:
        assert found is not None
        assert found.hours == len(pairs)
        expected = sum(abs(one - other) for one, other in pairs) / sum(other for _, other in pairs)
        assert found.relative == pytest.approx(expected)


@settings(max_examples=15, deadline=None)
@given(more=st.sets(st.integers(0, 8 * 24), max_size=12), delays=st.lists(st.integers(0, 60), min_size=1).map(tuple))
def test_more_collections_on_the_same_days_change_nothing(more: set[int], delays: tuple[int, ...]) -> None:
    daily = [day * 24 for day in range(9)]
    error = collect(daily, delays)[-1].forecast_error
    assert collect(sorted({*daily, *more}), delays)[-1].forecast_error == error
