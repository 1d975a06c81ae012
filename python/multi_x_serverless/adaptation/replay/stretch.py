"""The hours that are replayed: whole days in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR


@dataclass(frozen=True)
class Stretch:
    """Consecutive whole days; hours are counted from 0 at its start, which is midnight, so `hour % 24` is of the day.

    Attributes:
        start: Of the first hour, seconds since the epoch.
        hours: How many.
    """

    start: float
    hours: int

    def moment(self, hour: int) -> float:
        """Start of an hour, seconds since the epoch."""
        return self.start + hour * SECONDS_PER_HOUR

    def in_words(self, hour: int) -> str:
        """Start of an hour as ``2023-01-31T15:00Z``."""
        return datetime.fromtimestamp(self.moment(hour), timezone.utc).strftime("%Y-%m-%dT%H:%MZ")

    @property
    def days(self) -> int:
        """How many days."""
        return self.hours // HOURS_PER_DAY

    @property
    def first_day(self) -> str:
        """As ``2023-01-31``."""
        return self.in_words(0)[:10]

    @property
    def last_day(self) -> str:
        """The last day of it."""
        return self.in_words(self.hours - 1)[:10]


def stretch_of(first: date, last: date) -> Stretch:
    """The days from `first` to `last`, both included.

    Raises:
        UsageError: The last day is before the first one.
    """
    if last < first:
        raise UsageError(f"the stretch ends on {last}, before it begins on {first}.")
    start = datetime.combine(first, time(), tzinfo=timezone.utc)
    days = (last - first + timedelta(days=1)).days
    return Stretch(start.timestamp(), days * HOURS_PER_DAY)
