"""Distances on the globe."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth, IUGG 1980."""


def great_circle_km(from_latitude: float, from_longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the great-circle distance in km between two places in degrees, by the haversine formula."""
    from_angle, to_angle = radians(from_latitude), radians(to_latitude)
    half_chord_squared = (
        sin((to_angle - from_angle) / 2) ** 2
        + cos(from_angle) * cos(to_angle) * sin(radians(to_longitude - from_longitude) / 2) ** 2
    )
    # Rounding may carry antipodes a hair past 1, where asin is undefined.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half_chord_squared)))
