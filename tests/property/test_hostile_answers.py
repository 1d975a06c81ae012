"""Whatever JSON a service answers with, reading it gives sound values or the one error of sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless import data
from multi_x_serverless.collection.cloudping import fetch_round_trips
from multi_x_serverless.collection.electricity_maps_answer import read_hours
from multi_x_serverless.collection.geocoding import Geocoder
from multi_x_serverless.collection.http import HttpClient, Json
from multi_x_serverless.collection.possible_round_trips import LONGEST_ROUND_TRIP_S
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.carbon_past import MAXIMUM_GCO2EQ_PER_KWH

Taken = TypeVar("Taken")

REGIONS = ("eu-north-1", "us-east-1", "ap-southeast-2")
TIMES = ("2026-11-26T03:00:00Z", "2026-11-26T04:00:00.000Z", "2026-11-26T04:30:00Z", "0001-01-01T00:00:00+23:00", "")

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def nearly(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these members; now and then one of them is missing or something else."""
    names = st.sampled_from(sorted(members))
    replaced = st.one_of(*[st.just({})] * 7, st.dictionaries(names, ANYTHING, max_size=1))
    missing = st.one_of(*[st.just(frozenset())] * 7, st.frozensets(names, max_size=1))
    return st.builds(
        lambda whole, other, without: {
            name: value for name, value in {**whole, **other}.items() if name not in without
        },
        st.fixed_dictionaries(members),
        replaced,
        missing,
    )


HOUR = nearly(
    zone=st.just("DE"),
    datetime=st.sampled_from(TIMES),
    carbonIntensity=st.floats(-10, 3000) | st.floats(1, 1000) | st.none(),
    isEstimated=st.booleans(),
    emissionFactorType=st.just("lifecycle"),
    unit=st.just("gCO2eq/kWh"),
)
HOURS = nearly(zone=st.just("DE"), history=st.lists(HOUR, max_size=4))
LATENCIES = nearly(
    metadata=nearly(unit=st.sampled_from(("milliseconds", "s")), percentile=st.just("p_50")),
    data=nearly(**{region: nearly(**dict.fromkeys(REGIONS, st.floats(-10, 3000))) for region in REGIONS}),
)
PLACES = nearly(
    status=st.sampled_from(("OK", "ZERO_RESULTS")),
    results=st.lists(
        nearly(
            geometry=nearly(location=nearly(lat=st.floats(-100, 100), lng=st.floats(-200, 200))),
            formatted_address=st.text(),
        ),
        max_size=2,
    ),
)


class Answering(HttpClient):
    """A client to whom everything is answered in the same way."""

    def __init__(self, answer: Json) -> None:
        super().__init__()
        self._answer = answer

    def get_json(self, *_: Any, **__: Any) -> Json:
        return self._answer


def taken(read: Callable[[], Taken], *reasons: str) -> Taken | None:
    """What is read, or None if it is refused for one of these reasons."""
    try:
        return read()
    except SignalSourceError as error:
        if error.reason not in reasons:
            raise
        return None


@given(HOUR | HOURS | ANYTHING)
def test_hours_of_a_grid(answer: Json) -> None:
    found = taken(lambda: read_hours(answer, "DE", source="test", are_expected=False), "unreadable", "absurd")
    if found is None:
        return
    for start, hour in found.hours.items():
        assert start % 3600 == 0
        assert 0 < hour.gco2eq_per_kwh <= MAXIMUM_GCO2EQ_PER_KWH
    assert not set(found.hours) & set(found.left_out)


@given(LATENCIES | ANYTHING)
def test_round_trips(answer: Json) -> None:
    table = taken(
        lambda: fetch_round_trips(Answering(answer), "https://api.example", REGIONS), "unreadable", "absurd", "unknown"
    )
    if table is None:
        return
    assert table.seconds
    assert all(0 < seconds <= LONGEST_ROUND_TRIP_S for seconds in table.seconds.values())
    assert {region for pair in (*table.seconds, *table.refused) for region in pair} <= set(REGIONS)


@given(PLACES | ANYTHING)
def test_places(answer: Json) -> None:
    name = data.find_region("eu-north-1").name
    place = taken(lambda: Geocoder("key", Answering(answer)).geocode(name), "unreadable", "absurd", "unknown")
    if place is None:
        return
    assert -90 <= place.latitude <= 90
    assert -180 <= place.longitude <= 180
    assert "\n" not in place.address
