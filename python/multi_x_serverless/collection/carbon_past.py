"""The past that sources gave: put together, read back, and what of it a forecast can be made of.

stored hours + hours given now  ->  merged  ->  at most 35 days  ->  stored
                                                                 ->  recent history without gaps  ->  forecast
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from statistics import fmean
from typing import TYPE_CHECKING

from multi_x_serverless.collection.carbon_source import CarbonSource, HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.hours import DAYS_IN_WEEK
from multi_x_serverless.collection.store import CARBON_PAST, SignalStore
from multi_x_serverless.errors import CloudError, CorruptedStateError, InvalidDocumentError, NotEnoughDataError
from multi_x_serverless.model.carbon_past import PastHour
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.model.regions import Region

KEEP_DAYS = 35
"""Longer than the 30 days for which runs are kept, whose footprints are computed with these hours."""

OLDEST_DAYS = 2 * DAYS_IN_WEEK
"""If the newest hour known is older, the past is no basis of a forecast: the weather has changed since."""

NEEDED_HOURS = 20
NEEDED_AMONG_HOURS = 2 * HOURS_PER_DAY
"""A forecast needs so many of the newest hours: with fewer, most of a day's profile would be made up. The last day of a
service that lacks the hour under way and a few others is enough. With them it has less regret than one of the embedded
trace (`docs/forecast.md`), which is why a week is not waited for."""

LONGEST_GAP_HOURS = 2 * HOURS_PER_DAY
"""A history goes back to the last gap that is longer: filled, such a gap would outweigh what is known."""


def merged(first: Mapping[float, PastHour], second: Mapping[float, PastHour]) -> dict[float, PastHour]:
    """Both in order of time; of an hour that both know the better one.

    Measured is better than estimated, then what was given later, then what the user's file says. Whatever the order in
    which hours are merged, and however often, the result is the same.
    """
    hours = dict(first)
    for start, hour in second.items():
        known = hours.get(start)
        hours[start] = hour if known is None else max(known, hour, key=_worth)
    return {start: hours[start] for start in sorted(hours)}


def _worth(hour: PastHour) -> tuple[bool, float, bool, str, str, float]:
    return (
        not hour.is_estimated,
        hour.collected_at,
        hour.is_of_file,
        # Only so that the choice does not depend on the order:
        hour.source,
        hour.vintage,
        hour.gco2eq_per_kwh,
    )


def kept(hours: Mapping[float, PastHour], now: float) -> dict[float, PastHour]:
    """Those of the last `KEEP_DAYS` days before `now` (seconds since the epoch)."""
    return {start: hour for start, hour in hours.items() if now - KEEP_DAYS * DAY_S <= start < now}


@dataclass(frozen=True)
class RecentHistory:
    """Whole days of hours without gaps, up to the newest hour that was given.

    Attributes:
        end: Where the newest hour ends, seconds since the epoch.
        intensity_gco2eq_per_kwh: One value per hour, oldest first.
        given: The hours that somebody gave; the others are filled.
    """

    end: float
    intensity_gco2eq_per_kwh: tuple[float, ...]
    given: tuple[HourlyIntensity, ...]


def recent_history(hours: Mapping[float, HourlyIntensity], current_hour: float, days: int) -> RecentHistory:
    """The newest hours before `current_hour`, as far back as they are known without a long gap, at most some days.

    A missing hour becomes the mean of the same hour on the nearest day before and the nearest day after that have it,
    or the value of the one of both that has it; an hour of the day that no day has, the mean of its neighbours.

    Raises:
        NotEnoughDataError: Too few hours are known, or only old ones.
    """
    past = sorted(start for start in hours if start < current_hour)
    if not past:
        raise NotEnoughDataError("no hour of its past is known.")
    end = past[-1] + SECONDS_PER_HOUR
    age_s = current_hour - end
    if age_s > OLDEST_DAYS * DAY_S:
        raise NotEnoughDataError(
            f"the newest hour known, until {in_words(end)}, is {age_s / DAY_S:.0f} days old; "
            f"{OLDEST_DAYS} days at most are used."
        )
    newest = sum(start >= end - NEEDED_AMONG_HOURS * SECONDS_PER_HOUR for start in past)
    if newest < NEEDED_HOURS:
        raise NotEnoughDataError(
            f"only {newest} of the {NEEDED_AMONG_HOURS} hours up to {in_words(end)} are known; "
            f"{NEEDED_HOURS} are needed."
        )
    first = past[-1]
    for start in reversed(past):
        too_early = start < end - days * DAY_S
        if too_early or first - start > (LONGEST_GAP_HOURS + 1) * SECONDS_PER_HOUR:
            break
        first = start
    count = -int((first - end) // DAY_S) * HOURS_PER_DAY
    starts = [end + (place - count) * SECONDS_PER_HOUR for place in range(count)]
    known = [hours.get(start) for start in starts]
    values = _without_gaps([None if hour is None else hour.gco2eq_per_kwh for hour in known])
    return RecentHistory(end, tuple(values), tuple(hour for hour in known if hour is not None))


def _without_gaps(values: list[float | None]) -> list[float]:
    filled = [value if value is not None else _of_nearest_days(values, place) for place, value in enumerate(values)]
    return [value if value is not None else _of_neighbours(filled, place) for place, value in enumerate(filled)]


def _of_nearest_days(values: list[float | None], place: int) -> float | None:
    before = next((value for value in values[place::-HOURS_PER_DAY] if value is not None), None)
    after = next((value for value in values[place::HOURS_PER_DAY] if value is not None), None)
    near = [value for value in (before, after) if value is not None]
    return fmean(near) if near else None


def _of_neighbours(values: list[float | None], place: int) -> float:
    before = next((value for value in reversed(values[:place]) if value is not None), None)
    after = next((value for value in values[place + 1 :] if value is not None), None)
    return fmean(value for value in (before, after) if value is not None)


@dataclass(frozen=True)
class KnownPast:
    """The past as it is known without asking anybody: what sources gave, and for all other hours the embedded trace.

    Attributes:
        store: Where collections keep what sources gave.
        rest: Knows the other hours.
    """

    store: SignalStore
    rest: CarbonSource = field(default_factory=EmbeddedCarbonSource)
    name: str = "stored past"

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these intensities has to be told."""
        return self.rest.notes

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return the hours, each with its own source; see `CarbonSource.past`.

        Where what is stored cannot be read, the other source knows all hours, and each says so in its own source.

        Raises:
            UnknownRegionError: The other source does not know the region.
        """
        starts = [first_hour + offset * SECONDS_PER_HOUR for offset in range(hours)]
        try:
            stored = self.store.get(CARBON_PAST, region.code)
        except (InvalidDocumentError, CorruptedStateError, CloudError) as error:
            why = f"as the stored hours cannot be read: {str(error).rstrip('.')}"
            unstored = self.rest.past(region, first_hour, hours)
            return {start: replace(hour, source=f"{hour.source} ({why})") for start, hour in unstored.items()}
        given = {} if stored is None else stored.hours
        known = {start: as_intensity(given[start]) for start in starts if start in given}
        if len(known) == hours:
            return known
        rest = self.rest.past(region, first_hour, hours)
        return {
            start: known[start] if start in known else rest[start]
            for start in starts
            if start in known or start in rest
        }

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:  # noqa: ARG002
        """Return nothing: it is the past; see `CarbonSource.forecast`."""
        return {}


def as_intensity(hour: PastHour) -> HourlyIntensity:
    """A stored hour as a source gives it."""
    return HourlyIntensity(hour.gco2eq_per_kwh, hour.is_estimated, hour.source, hour.vintage)


def in_words(moment: float) -> str:
    """A moment (seconds since the epoch) for people."""
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
