"""Round-trip times between regions: measured where they were, else estimated from the distance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from multi_x_serverless.data._geography import great_circle_km
from multi_x_serverless.data._regions import find_region
from multi_x_serverless.data._tables import read_rows

DISTANCE_FIT_SECONDS = 0.01576
DISTANCE_FIT_SECONDS_PER_KM = 1.642e-5
"""Least squares over the 171 measured pairs of different regions; mean absolute error 0.032 s: coarse."""

SAME_REGION_SECONDS = 0.00013
"""Mean round trip between two machines of one region, over the 19 regions measured."""

EstimateSource: TypeAlias = Literal["measured 2020", "distance estimate"]


@dataclass(frozen=True)
class Estimate:
    """A round-trip time in seconds and what it rests on."""

    value: float
    source: EstimateSource

    @property
    def is_measured(self) -> bool:
        """Whether somebody measured it, as opposed to a formula."""
        return self.source == "measured 2020"


@cache
def round_trip_seconds(region: str, other_region: str) -> Estimate:
    """Return the mean network round trip between two regions, the same in both directions.

    Where it was not measured it is a linear function of the great-circle distance, and within one region the
    mean of the measured ones.

    Raises:
        UnknownRegionError: one of the regions is not known.
    """
    here, there = find_region(region), find_region(other_region)
    measured = _measured_round_trips().get(frozenset((region, other_region)))
    if measured is not None:
        return Estimate(measured, "measured 2020")
    if region == other_region:
        return Estimate(SAME_REGION_SECONDS, "distance estimate")
    distance_km = great_circle_km(here.latitude, here.longitude, there.latitude, there.longitude)
    return Estimate(DISTANCE_FIT_SECONDS + DISTANCE_FIT_SECONDS_PER_KM * distance_km, "distance estimate")


@cache
def _measured_round_trips() -> dict[frozenset[str], float]:
    return {
        frozenset((row["region"], row["other_region"])): float(row["mean_seconds"])
        for row in read_rows("round_trips.csv")
    }
