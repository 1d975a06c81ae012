from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.data import _round_trips
from multi_x_serverless.errors import UnknownRegionError

ALL_PAIRS = list(combinations_with_replacement(data.regions(), 2))


def test_every_pair_has_a_positive_round_trip_the_same_in_both_directions() -> None:
    assert len(ALL_PAIRS) == 33 * 34 // 2
    for region, other_region in ALL_PAIRS:
        estimate = data.round_trip_seconds(region, other_region)
        assert 0 < estimate.value < 0.5
        assert estimate == data.round_trip_seconds(other_region, region)


def test_no_other_region_is_as_near_as_a_region_is_to_itself() -> None:
    for region, other_region in ALL_PAIRS:
        here = data.round_trip_seconds(region, region).value
        if region == other_region:
            assert here < 0.001
        else:
            assert data.round_trip_seconds(region, other_region).value > here


def test_what_was_measured_and_what_is_estimated_is_told_apart() -> None:
    measured = data.round_trip_seconds("us-east-1", "eu-west-1")
    assert measured.is_measured
    assert measured.source == "measured 2020"
    assert measured.value == pytest.approx(0.0705, abs=0.0005)

    estimated = data.round_trip_seconds("us-east-1", "eu-south-2")
    assert not estimated.is_measured
    assert estimated.source == "distance estimate"

    within = data.round_trip_seconds("eu-south-2", "eu-south-2")
    assert (within.value, within.source) == (0.00013, "distance estimate")

    assert sum(data.round_trip_seconds(*pair).is_measured for pair in ALL_PAIRS) == 190


def test_the_constants_of_the_estimate_are_the_least_squares_fit_of_the_measurements() -> None:
    kilometres, seconds, within = [], [], []
    for region, other_region in ALL_PAIRS:
        estimate = data.round_trip_seconds(region, other_region)
        here, there = data.find_region(region), data.find_region(other_region)
        if estimate.is_measured and here != there:
            kilometres.append(data.great_circle_km(here.latitude, here.longitude, there.latitude, there.longitude))
            seconds.append(estimate.value)
        elif estimate.is_measured:
            within.append(estimate.value)

    slope, intercept = np.polyfit(kilometres, seconds, 1)

    assert len(seconds) == 171
    assert slope == pytest.approx(_round_trips.DISTANCE_FIT_SECONDS_PER_KM, rel=1e-3)
    assert intercept == pytest.approx(_round_trips.DISTANCE_FIT_SECONDS, rel=1e-3)
    assert np.abs(np.asarray(seconds) - intercept - slope * np.asarray(kilometres)).mean() == pytest.approx(
        0.0325, abs=0.0005
    )
    assert np.mean(within) == pytest.approx(_round_trips.SAME_REGION_SECONDS, rel=1e-2)


@pytest.mark.parametrize("pair", [("us-east-1", "mars-1"), ("mars-1", "us-east-1"), ("mars-1", "mars-1")])
def test_an_unknown_region_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UnknownRegionError, match="mars-1"):
        data.round_trip_seconds(*pair)
