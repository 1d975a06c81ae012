"""The regions the embedded data knows."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from multi_x_serverless.data._tables import read_rows
from multi_x_serverless.data._trace import zones_with_hourly_trace
from multi_x_serverless.errors import UnknownRegionError
from multi_x_serverless.model.regions import Region

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def regions() -> Mapping[str, Region]:
    """Return all known regions by code, in alphabetical order. The mapping is read-only."""
    traced = zones_with_hourly_trace()
    return MappingProxyType(
        {
            row["region"]: Region(
                code=row["region"],
                name=row["name"],
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                grid_zone=row["grid_zone"],
                has_hourly_trace=row["grid_zone"] in traced,
                # Electricity Maps begins the names of zones with the code of the country.
                country=row["grid_zone"].partition("-")[0],
            )
            for row in read_rows("regions.csv")
        }
    )


def find_region(code: str) -> Region:
    """Return a region by its code.

    Raises:
        UnknownRegionError: there is no such region; the message names the closest ones.
    """
    known = regions()
    if code in known:
        return known[code]
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake pays for its import

    close = get_close_matches(code, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are: {', '.join(known)}."
    raise UnknownRegionError(f"there is no region '{code}' in the embedded data; {hint}")
