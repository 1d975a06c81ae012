"""Outlines of land, for maps."""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import TypeAlias

import orjson

from multi_x_serverless.data._tables import read_table

Ring: TypeAlias = tuple[tuple[float, float], ...]
"""Longitudes and latitudes in degrees; the last point is joined with the first."""

_TENTHS = 10.0


@cache
def land_outlines() -> tuple[Ring, ...]:
    """Return the coasts of all continents but Antarctica, coarse enough for a map of a few hundred pixels.

    A ring that crosses 180 degrees goes on beyond, and is there a second time a whole turn away.
    """
    return tuple(_ring(steps) for steps in orjson.loads(read_table("land_outlines.json"))["rings"])


def _ring(steps: list[int]) -> Ring:
    longitudes, latitudes = accumulate(steps[0::2]), accumulate(steps[1::2])
    return tuple((x / _TENTHS, y / _TENTHS) for x, y in zip(longitudes, latitudes, strict=True))
