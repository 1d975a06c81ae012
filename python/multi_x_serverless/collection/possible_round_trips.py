"""Which round trips between two regions cannot be true, whoever measured them."""

from __future__ import annotations

from multi_x_serverless import data

LIGHT_IN_FIBRE_KM_PER_S = 299_792.458 / 1.468
"""Speed of light over the group index of single-mode fibre at 1,550 nm (ITU-T G.652 fibres: 1.467 to 1.469)."""

PLACE_TOLERANCE_KM = 100.0
"""Regions are placed at their metropolitan area and may lie so much nearer to each other."""

LONGEST_ROUND_TRIP_S = 2.0
"""Half around the world and back takes light in fibre 0.2 s, real routes 0.4 s: more than this is no network's."""


def least_seconds(region: str, to_region: str) -> float:
    """Seconds that light in fibre needs from one region to another and back, at the least.

    Raises:
        UnknownRegionError: Nobody knows where one of them is.
    """
    here, there = data.find_region(region), data.find_region(to_region)
    distance_km = data.great_circle_km(here.latitude, here.longitude, there.latitude, there.longitude)
    return 2.0 * max(0.0, distance_km - PLACE_TOLERANCE_KM) / LIGHT_IN_FIBRE_KM_PER_S


def why_impossible(region: str, to_region: str, seconds: float) -> str | None:
    """Why a round trip cannot be true, for the end of a sentence; None if it can.

    Raises:
        UnknownRegionError: Nobody knows where one of the regions is.
    """
    least_s = least_seconds(region, to_region)
    if seconds < least_s and least_s > 0.0:
        return f"light in fibre needs {least_s * 1e3:.1f} ms."
    if not seconds > 0.0:  # so that NaN is refused
        return "no way takes no time."
    if seconds > LONGEST_ROUND_TRIP_S:
        return f"more than {LONGEST_ROUND_TRIP_S * 1e3:g} ms is waiting and not the way."
    return None
