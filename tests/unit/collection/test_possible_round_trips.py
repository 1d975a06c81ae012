"""One bound for round trips of all sources: the way of light in fibre, and how long no network takes."""

from __future__ import annotations

import math
import re

import pytest

from multi_x_serverless import data
from multi_x_serverless.collection.possible_round_trips import LONGEST_ROUND_TRIP_S, least_seconds, why_impossible
from multi_x_serverless.errors import UnknownRegionError

EAST, IRELAND = "us-east-1", "eu-west-1"


def test_light_needs_its_time_less_what_places_are_uncertain_by() -> None:
    assert 0.05 < least_seconds(EAST, IRELAND) < 0.055, "5,500 km and back"
    assert least_seconds(EAST, IRELAND) == pytest.approx(least_seconds(IRELAND, EAST))
    assert least_seconds(EAST, EAST) == 0.0


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (-0.1, r"light in fibre needs 5\d\.\d ms"),
        (math.nan, "no way takes no time"),
        (0.049, r"light in fibre needs 5\d\.\d ms"),
        (LONGEST_ROUND_TRIP_S * 1.001, "more than 2000 ms"),
        (math.inf, "more than 2000 ms"),
    ],
)
def test_what_cannot_be_is_said(seconds: float, why: str) -> None:
    complaint = why_impossible(EAST, IRELAND, seconds)
    assert complaint is not None
    assert re.match(why, complaint)


@pytest.mark.parametrize("seconds", [0.0, -0.1])
def test_within_a_region_there_is_a_way_too(seconds: float) -> None:
    assert why_impossible(EAST, EAST, seconds) == "no way takes no time."


@pytest.mark.parametrize("factor", [1.001, 2.0])
def test_what_can_be_passes(factor: float) -> None:
    assert why_impossible(EAST, IRELAND, factor * least_seconds(EAST, IRELAND)) is None
    assert why_impossible(EAST, IRELAND, LONGEST_ROUND_TRIP_S) is None
    assert why_impossible(EAST, EAST, 1e-6) is None


def test_every_embedded_measurement_is_possible() -> None:
    for region in data.regions():
        for other in data.regions():
            trip = data.round_trip_seconds(region, other)
            if trip.is_measured:
                assert why_impossible(region, other, trip.value) is None, (region, other)


def test_nobody_knows_where_an_unknown_region_is() -> None:
    with pytest.raises(UnknownRegionError, match="nowhere-1"):
        why_impossible(EAST, "nowhere-1", 0.1)
