"""Carbon intensity of grid zones: the hourly trace of 2023 and the yearly means."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING

import orjson

from multi_x_serverless.data._tables import read_rows, read_table
from multi_x_serverless.errors import UnknownRegionError
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRACE_YEAR = 2023
HOURS_IN_TRACE = 8760


@dataclass(frozen=True, eq=False)
class HourlyTrace:
    """One year of hourly carbon intensity of a grid zone. Both arrays are read-only and of shape (8760,).

    Attributes:
        zone: Grid zone as Electricity Maps names it.
        intensity_gco2eq_per_kwh: float32; element `h` is the mean of the hour that starts `h` hours after
            2023-01-01T00:00Z (life-cycle, consumption-based). Gaps are filled, see `hourly_trace`.
        was_filled: bool; which hours the source lacked.
    """

    zone: str
    intensity_gco2eq_per_kwh: NDArray[np.float32]
    was_filled: NDArray[np.bool_]


def hour_of_trace(moment: datetime) -> int:
    """Return the index in the trace of the hour with the same month, day and hour in UTC as `moment`.

    29 February, which 2023 lacks, becomes the 28th.

    Raises:
        ValueError: `moment` does not say its time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone; pass an aware datetime")
    moment = moment.astimezone(timezone.utc)
    day = 28 if (moment.month, moment.day) == (2, 29) else moment.day
    day_of_year = datetime(TRACE_YEAR, moment.month, day, tzinfo=timezone.utc).timetuple().tm_yday - 1
    return day_of_year * HOURS_PER_DAY + moment.hour


@cache
def zones_with_hourly_trace() -> frozenset[str]:
    """Return the grid zones of which the hourly trace of 2023 is known."""
    return frozenset(_trace_layout().zones)


@cache
def hourly_trace(zone: str) -> HourlyTrace:
    """Return the hourly trace of a grid zone.

    A missing hour becomes the mean of the same hour on the nearest day before and the nearest day after that
    have it; the year is taken as a circle.

    Raises:
        UnknownRegionError: there is no hourly trace of that zone.
    """
    import numpy as np  # noqa: PLC0415 - half of a command's start-up time, and few commands come here

    layout = _trace_layout()
    if zone not in layout.zones:
        raise UnknownRegionError(
            f"there is no hourly trace for grid zone '{zone}'; there is one for {', '.join(layout.zones)}."
        )
    packed = _packed_traces()[layout.zones.index(zone)]
    intensity = packed.astype(np.float32) / np.float32(layout.steps_per_gco2eq_per_kwh)
    was_filled = packed == layout.missing
    for hour in np.flatnonzero(was_filled):
        intensity[hour] = _mean_of_neighbouring_days(intensity, was_filled, int(hour))
    intensity.flags.writeable = False
    was_filled.flags.writeable = False
    return HourlyTrace(zone, intensity, was_filled)


def yearly_mean(zone: str, year: int = TRACE_YEAR) -> float:
    """Return the mean carbon intensity of a grid zone over a year, in gCO2eq/kWh (life-cycle).

    The default is the year of the hourly trace and not the latest one, so that zones with and without a trace
    compare in the same year.

    Raises:
        UnknownRegionError: the mean of that zone and year is not known.
    """
    try:
        return _yearly_means()[zone, year]
    except KeyError:
        zones = sorted({known_zone for known_zone, _ in _yearly_means()})
        years = sorted({known_year for _, known_year in _yearly_means()})
        raise UnknownRegionError(
            f"there is no mean intensity of grid zone '{zone}' for {year}; "
            f"known are the years {years[0]}-{years[-1]} of {', '.join(zones)}."
        ) from None


@dataclass(frozen=True)
class _TraceLayout:
    zones: tuple[str, ...]
    steps_per_gco2eq_per_kwh: int
    missing: int


@cache
def _trace_layout() -> _TraceLayout:
    layout = orjson.loads(read_table("carbon_intensity_hourly_2023.json"))
    return _TraceLayout(tuple(layout["zones"]), layout["steps_per_gco2eq_per_kwh"], layout["missing"])


@cache
def _packed_traces() -> NDArray[np.uint16]:
    import numpy as np  # noqa: PLC0415 - see hourly_trace

    packed: NDArray[np.uint16] = np.load(io.BytesIO(read_table("carbon_intensity_hourly_2023.npy")), allow_pickle=False)
    return packed


@cache
def _yearly_means() -> dict[tuple[str, int], float]:
    return {
        (row["grid_zone"], int(year)): float(mean)
        for row in read_rows("carbon_intensity_yearly.csv")
        for year, mean in row.items()
        if year != "grid_zone"
    }


def _mean_of_neighbouring_days(intensity: NDArray[np.float32], is_missing: NDArray[np.bool_], hour: int) -> float:
    neighbours = []
    for direction in (-HOURS_PER_DAY, HOURS_PER_DAY):
        candidate = (hour + direction) % HOURS_IN_TRACE
        while is_missing[candidate]:
            candidate = (candidate + direction) % HOURS_IN_TRACE
        neighbours.append(float(intensity[candidate]))
    return sum(neighbours) / len(neighbours)
