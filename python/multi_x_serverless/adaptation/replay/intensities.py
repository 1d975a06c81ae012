"""Carbon intensities of the hours that are replayed and of the weeks before, and who may know which of them when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless import data
from multi_x_serverless.adaptation.replay.stretch import Stretch
from multi_x_serverless.collection.carbon_origins import origin_of
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import HISTORY_DAYS
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from multi_x_serverless.collection.carbon_source import CarbonSource, HourlyIntensity
    from multi_x_serverless.collection.forecast import Series
    from multi_x_serverless.model.regions import Region

LEAD_HOURS = HISTORY_DAYS * HOURS_PER_DAY
"""Hours before the first one replayed that a forecast may be made of."""


@dataclass(frozen=True, eq=False)
class Past:
    """What is known at a moment: nothing in here is of a later hour.

    Attributes:
        regions: In the order of the rows.
        start: Of the first column, seconds since the epoch.
        seen: gCO2eq/kWh, shape (regions, hours), NaN where nobody gave it. It ends where the feed's newest hour does.
        now: The moment, seconds since the epoch.
    """

    regions: tuple[str, ...]
    start: float
    seen: Series
    now: float


@dataclass(frozen=True, eq=False)
class Intensities:
    """Of every region in every hour.

    Attributes:
        stretch: The hours that are replayed; the columns begin `LEAD_HOURS` earlier.
        values: gCO2eq/kWh, shape (regions, LEAD_HOURS + hours); NaN only before the stretch, where nobody knows it.
        given: Of the same shape: which of them a collector would have got at the time. The others were filled in
            afterwards, and a forecast must not know them.
        origins: Region -> source and vintage, for people.
        notes: What whoever reads figures made of these has to be told.
    """

    stretch: Stretch
    regions: tuple[str, ...]
    values: Series
    given: NDArray[np.bool_]
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def replayed(self) -> Series:
        """Those of the hours replayed, shape (regions, hours)."""
        return self.values[:, LEAD_HOURS:]

    def day(self, hour: int) -> dict[str, list[float]]:
        """What came true on the day of an hour: region -> 24 values by UTC hour."""
        first = LEAD_HOURS + hour - hour % HOURS_PER_DAY
        block = self.values[:, first : first + HOURS_PER_DAY].tolist()
        return dict(zip(self.regions, block, strict=True))

    def known_at(self, hour: int, delay_hours: int = 0) -> Past:
        """What is known at the start of an hour, from a feed that is some hours late."""
        end = max(0, LEAD_HOURS + hour - delay_hours)
        # A copy: what is handed out holds no way to later columns.
        seen = np.where(self.given[:, :end], self.values[:, :end], np.nan)
        return Past(self.regions, self.stretch.moment(-LEAD_HOURS), seen, self.stretch.moment(hour))


def gather_intensities(regions: Iterable[str], stretch: Stretch, file: CarbonSource | None = None) -> Intensities:
    """Intensities of regions: the user's file first, then the embedded trace, for hours of its own year only.

    Args:
        regions: Codes.
        stretch: What is replayed.
        file: The user's own past; `None` if there is none.

    Raises:
        UnknownRegionError: The embedded data does not know a region or its grid.
        NotEnoughDataError: Some hour of the stretch is not known.
        SignalSourceError: The file cannot be read.
    """
    codes = tuple(regions)
    rows = [_of_region(data.find_region(code), stretch, file) for code in codes]
    flat = [code for code, row in zip(codes, rows, strict=True) if row.is_flat]
    notes = [] if file is None else list(file.notes)
    if flat:
        notes.append(
            f"No hourly trace is known of {', '.join(flat)}: the mean of {data.TRACE_YEAR} stands for every "
            "hour there, so nothing can be gained by the hour."
        )
    if any(row.is_embedded for row in rows):
        notes.append(data.attribution())
    return Intensities(
        stretch=stretch,
        regions=codes,
        values=np.array([row.values for row in rows]),
        given=np.array([row.given for row in rows]),
        origins={code: row.origin for code, row in zip(codes, rows, strict=True)},
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Row:
    values: list[float]
    given: list[bool]
    origin: str
    is_flat: bool
    is_embedded: bool


def _of_region(region: Region, stretch: Stretch, file: CarbonSource | None) -> _Row:
    first, count = stretch.moment(-LEAD_HOURS), LEAD_HOURS + stretch.hours
    own = {} if file is None else file.past(region, first, count)
    embedded = _embedded_of_its_year(region, first, count)
    hours: list[HourlyIntensity | None] = []
    given: list[bool] = []
    for place in range(count):
        start = first + place * SECONDS_PER_HOUR
        mine, trace = own.get(start), embedded.get(start)
        hours.append(mine or trace)
        # Where the file knows other hours, the trace only fills gaps of it. Gaps of the trace itself were filled from
        # the days around, the later one included; a yearly mean is no gap.
        was_filled = trace is not None and trace.is_estimated and region.has_hourly_trace
        given.append(mine is not None or (not own and trace is not None and not was_filled))
    unknown = [place for place in range(stretch.hours) if hours[LEAD_HOURS + place] is None]
    if unknown:
        raise NotEnoughDataError(
            f"the carbon intensity of {region.code} is not known in {len(unknown)} of {stretch.hours} hours, first at "
            f"{stretch.in_words(unknown[0])}. The embedded trace is of {data.TRACE_YEAR}; for other hours name a file "
            "in MULTI_X_SERVERLESS_CARBON_FILE."
        )
    replayed = [hour for hour in hours[LEAD_HOURS:] if hour is not None]
    return _Row(
        values=[float("nan") if hour is None else hour.gco2eq_per_kwh for hour in hours],
        given=given,
        origin=origin_of(replayed),
        is_flat=not own and not region.has_hourly_trace,
        is_embedded=len(own) < len(replayed),
    )


def _embedded_of_its_year(region: Region, first: float, count: int) -> Mapping[float, HourlyIntensity]:
    """What the embedded trace knows of its own year; other years it fills with it, partly with later hours."""
    known = EmbeddedCarbonSource().past(region, first, count)
    begins, ends = (datetime(year, 1, 1, tzinfo=timezone.utc).timestamp() for year in YEARS)
    return {start: hour for start, hour in known.items() if begins <= start < ends}


YEARS = (data.TRACE_YEAR, data.TRACE_YEAR + 1)
