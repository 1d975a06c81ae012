"""What an evaluation finds."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.forecast.scores import Interval
from multi_x_serverless.collection.hours import DAYS_IN_WEEK

DAYS = range(1, DAYS_IN_WEEK + 1)
ANY_TWO = "any two grids"
"""Name of the sum over all pairs of grids."""


@dataclass(frozen=True)
class Scores:
    """How one forecaster did, by day ahead or by days that a plan is held; the first entry is of one day.

    Attributes:
        error_percent: Mean absolute percentage error.
        tau_hours: Kendall's tau-b of the 24 hours of a day within a grid, mean over grids and origins; None if it is
            not defined, since all hours are predicted to be alike.
        tau_regions: Set -> the same of its grids within an hour.
        regret_of_best: Set -> regret of the hours of that day, per cent of the best possible.
        regret_of_home: The same as per cent of home's emission; not for pairs, which have no home.
        held_of_best: Set -> regret of a plan of the first 24 hours over so many days, per cent of the best possible.
        held_of_home: The same as per cent of home's emission.
        held_mean_of_best: As `held_of_best`, of a plan made of the mean of the hours of all 7 days.
        held_of_best_from_july: `held_of_best` of origins from July on.
    """

    error_percent: list[float]
    tau_hours: list[float | None]
    tau_regions: dict[str, list[float | None]]
    regret_of_best: dict[str, list[float]]
    regret_of_home: dict[str, list[float]]
    held_of_best: dict[str, list[float]]
    held_of_home: dict[str, list[float]]
    held_mean_of_best: dict[str, list[float]]
    held_of_best_from_july: dict[str, list[float]]


@dataclass(frozen=True)
class Comparison:
    """How much more regret another forecaster has than the default, per cent of the best, with its 95 % interval."""

    day_1: dict[str, Interval]
    held_7_days: dict[str, Interval]


@dataclass(frozen=True)
class WithLess:
    """How the default does with less than it would like to have.

    Attributes:
        history_days: Days of history.
        hours_late: How old the newest hour is.
        error_percent: Mean absolute percentage error of the first day.
        day_1: Set -> regret of the first day, per cent of the best possible.
        held_7_days: Set -> regret of a plan of the first day held for 7 days.
    """

    history_days: int
    hours_late: int
    error_percent: float
    day_1: dict[str, float]
    held_7_days: dict[str, float]


@dataclass(frozen=True)
class Results:
    """What was found; `default` is the name of the forecaster in use."""

    origins: int
    zones: tuple[str, ...]
    default: str
    scores: dict[str, Scores]
    others: dict[str, Comparison]
    with_less: list[WithLess]
