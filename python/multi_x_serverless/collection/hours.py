"""Hours as moments: seconds since the epoch, UTC."""

from __future__ import annotations

from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY, SECONDS_PER_HOUR

DAYS_IN_WEEK = 7

_WEEKDAY_OF_THE_EPOCH = 3
"""1 January 1970 was a Thursday; Monday is 0."""


def start_of_hour(moment: float) -> float:
    """Return the start of the hour that `moment` lies in; both in seconds since the epoch."""
    return float(moment // SECONDS_PER_HOUR * SECONDS_PER_HOUR)


def hour_of_day(moment: float) -> int:
    """Return the UTC hour of the day, 0-23, of a moment in seconds since the epoch."""
    return int(moment // SECONDS_PER_HOUR) % HOURS_PER_DAY


def same_moment(moment: float) -> float:
    """Return the moment itself: the own time of hours that nothing stands in for."""
    return moment


def weekday(moment: float) -> int:
    """Return the day of the week in UTC, 0 for Monday to 6 for Sunday, of a moment in seconds since the epoch."""
    return (int(moment // DAY_S) + _WEEKDAY_OF_THE_EPOCH) % DAYS_IN_WEEK
