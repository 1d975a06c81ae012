"""Hours as moments: seconds since the epoch, UTC."""

from __future__ import annotations

HOURS_IN_DAY = 24
DAYS_IN_WEEK = 7
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = HOURS_IN_DAY * SECONDS_PER_HOUR

_WEEKDAY_OF_THE_EPOCH = 3
"""1 January 1970 was a Thursday; Monday is 0."""


def start_of_hour(moment: float) -> float:
    """Return the start of the hour that `moment` lies in; both in seconds since the epoch."""
    return float(moment // SECONDS_PER_HOUR * SECONDS_PER_HOUR)


def hour_of_day(moment: float) -> int:
    """Return the UTC hour of the day, 0-23, of a moment in seconds since the epoch."""
    return int(moment // SECONDS_PER_HOUR) % HOURS_IN_DAY


def weekday(moment: float) -> int:
    """Return the day of the week in UTC, 0 for Monday to 6 for Sunday, of a moment in seconds since the epoch."""
    return (int(moment // SECONDS_PER_DAY) + _WEEKDAY_OF_THE_EPOCH) % DAYS_IN_WEEK
