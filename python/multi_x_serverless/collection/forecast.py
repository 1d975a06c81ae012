"""Forecasts of carbon intensity from its recent past, and how wrong they turned out.

A forecaster takes any number of series at once (the last axis is time) and treats each in the same way, with the same
parameters: what is applied to one region is applied to all, so that a forecast orders regions by what was seen of
them and by nothing else. `docs/forecast.md` compares them.

    history of whole days  ->  forecaster  ->  the hours from `first_hour` on, kept within what the history saw
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from multi_x_serverless.collection.hours import DAYS_IN_WEEK, same_moment, weekday
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Series: TypeAlias = "NDArray[np.float64]"
"""Intensities in gCO2eq/kWh; the last axis is time, hour by hour."""

HISTORY_DAYS = 28
"""Days that a forecaster is given where so many are known: four weekends."""

SATURDAY = 5


class CarbonForecaster(Protocol):
    """Continues the past of one or more regions."""

    @property
    def name(self) -> str:
        """Short, for tables."""

    @property
    def method(self) -> str:
        """How it does so, for people."""

    def forecast(
        self, history: Series, first_hour: float, hours: int, own_moment: Callable[[float], float] = same_moment
    ) -> Series:
        """Return the intensities of `hours` hours.

        Args:
            history: At least one day and only whole days, shape (..., 24 * days); it ends where `first_hour` begins.
            first_hour: Start of the first hour to predict, seconds since the epoch, on the hour.
            hours: How many to predict.
            own_moment: Of which moment the intensities of a moment are, in the history and after it, both in seconds
                since the epoch: another one where another year's stand in. The weekday of an hour is that of its own.

        Returns:
            Shape (..., hours).

        Raises:
            NotEnoughDataError: The history has no whole day, or ends within one.
        """


@dataclass(frozen=True)
class Persistence:
    """Each hour is as the same hour of the last day."""

    name: str = "persistence"
    method: str = "as the same hour of the day before"

    def forecast(
        self,
        history: Series,
        first_hour: float,  # noqa: ARG002 - every day is alike
        hours: int,
        own_moment: Callable[[float], float] = same_moment,  # noqa: ARG002
    ) -> Series:
        """Return intensities; see `CarbonForecaster.forecast`."""
        return _repeated(_by_day(history)[..., -1, :], hours)


@dataclass(frozen=True)
class HourOfDayMean:
    """Each hour is the mean of the same hour of the last 7 days."""

    name: str = "hour-of-day mean"
    method: str = "mean of the same hour over the 7 days before"

    def forecast(
        self,
        history: Series,
        first_hour: float,  # noqa: ARG002 - every day is alike
        hours: int,
        own_moment: Callable[[float], float] = same_moment,  # noqa: ARG002
    ) -> Series:
        """Return intensities; see `CarbonForecaster.forecast`."""
        return _repeated(_by_day(history)[..., -DAYS_IN_WEEK:, :].mean(axis=-2), hours)


@dataclass(frozen=True)
class HoltWinters:
    """Additive Holt-Winters smoothing with a season of 24 hours and without trend.

    Per series it takes the parameters with the least squared error of predictions one day ahead, which is what they
    are for. A trend is left out: continued over days it leaves the range of what a grid does.

    Source: Winters, "Forecasting Sales by Exponentially Weighted Moving Averages", Management Science 6 (1960).

    Attributes:
        level_shares: What a new hour counts for in the level, to choose from.
        season_shares: What it counts for in its hour of the day, to choose from.
    """

    name: str = "Holt-Winters"
    method: str = "Holt-Winters smoothing with a season of 24 hours"
    level_shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.3, 0.6)
    season_shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)

    def forecast(
        self,
        history: Series,
        first_hour: float,  # noqa: ARG002 - every day is alike
        hours: int,
        own_moment: Callable[[float], float] = same_moment,  # noqa: ARG002
    ) -> Series:
        """Return intensities; see `CarbonForecaster.forecast`."""
        first_day = _by_day(history)[..., 0, :]
        pairs = np.array([(level, season) for level in self.level_shares for season in self.season_shares])
        # One more axis in front: all pairs of parameters are followed at once.
        level_share, season_share = pairs.T.reshape(2, -1, *(1,) * (history.ndim - 1))
        level = np.repeat(first_day.mean(axis=-1)[None], len(pairs), axis=0)
        season = np.repeat((first_day - first_day.mean(axis=-1, keepdims=True))[None], len(pairs), axis=0)
        levels = [level] * HOURS_PER_DAY
        error = np.zeros_like(level)
        for hour in range(HOURS_PER_DAY, history.shape[-1]):
            place = hour % HOURS_PER_DAY
            seen = history[..., hour]
            error += (seen - levels[place] - season[..., place]) ** 2
            level = level_share * (seen - season[..., place]) + (1.0 - level_share) * level
            season[..., place] = season_share * (seen - level) + (1.0 - season_share) * season[..., place]
            levels[place] = level
        continued = level[..., None] + _repeated(season, hours)
        best = error.argmin(axis=0)[None, ..., None]
        return _within_the_seen(np.take_along_axis(continued, best, axis=0)[0], history)


@dataclass(frozen=True)
class Seasonal:
    """A profile of the day from the last four weeks, and what is left of the last hour's deviation from it.

    The profile is a mean of the same hour whose weights fall by `decay` a day. Working days and weekends (in UTC) have
    profiles of their own where at least two weeks are known; `day_kind_share` is how far these go from the common
    profile to their own mean, since eight weekend days know less than all 28. The deviation of the last hour from the
    profile fades by `persistence` an hour: an autoregressive process of first order, AR(1), around the profile.

    The parameters are those of the least regret from January to June 2023 (`benchmarks.forecast.parameters`).

    Attributes:
        decay: Weight of a day relative to the day after it.
        day_kind_share: 0 knows no weekends, 1 knows them only from weekends.
        persistence: What is left of a deviation after an hour. `None` fits it to each series by least squares; else
            all regions have the same.
    """

    name: str = "seasonal"
    method: str = "profile of the last weeks' days with the last hour's deviation fading"
    decay: float = 0.9
    day_kind_share: float = 0.25
    persistence: float | None = 0.93

    def forecast(
        self, history: Series, first_hour: float, hours: int, own_moment: Callable[[float], float] = same_moment
    ) -> Series:
        """Return intensities; see `CarbonForecaster.forecast`."""
        days = _by_day(history)
        count = days.shape[-2]
        first_known = first_hour - count * HOURS_PER_DAY * SECONDS_PER_HOUR
        weights = self.decay ** np.arange(count - 1, -1, -1.0)[:, None] * np.ones(HOURS_PER_DAY)
        common = _weighted_mean(days, weights)
        was_weekend = _are_weekend(first_known, count * HOURS_PER_DAY, own_moment).reshape(count, HOURS_PER_DAY)
        share = self.day_kind_share if count >= 2 * DAYS_IN_WEEK else 0.0
        working, weekend = (
            common + share * (_weighted_mean(days, weights * mask) - common) if share else common
            for mask in (~was_weekend, was_weekend)
        )
        fitted = np.where(was_weekend, weekend[..., None, :], working[..., None, :]).reshape(history.shape)
        is_weekend = _are_weekend(first_hour, hours, own_moment)
        expected = np.where(is_weekend, _repeated(weekend, hours), _repeated(working, hours))
        deviation = history - fitted
        fading = self._persistence(deviation)[..., None] ** np.arange(1, hours + 1)
        return _within_the_seen(expected + deviation[..., -1:] * fading, history)

    def _persistence(self, deviation: Series) -> Series:
        if self.persistence is not None:
            return np.full(deviation.shape[:-1], self.persistence)
        centred = deviation - deviation.mean(axis=-1, keepdims=True)
        variance = (centred[..., :-1] ** 2).sum(axis=-1)
        fitted = (centred[..., 1:] * centred[..., :-1]).sum(axis=-1) / np.where(variance > 0, variance, 1.0)
        # At 1 a deviation would never fade: no horizon would be long enough for the profile.
        return np.asarray(np.clip(fitted, 0.0, 0.99), dtype=np.float64)


FORECASTERS: tuple[CarbonForecaster, ...] = (Persistence(), HourOfDayMean(), HoltWinters(), Seasonal())
"""Those that `docs/forecast.md` compares."""

DEFAULT_FORECASTER: CarbonForecaster = Seasonal()
"""The one whose placements have the least regret; see `docs/forecast.md`."""


def relative_error(predicted: Sequence[float], actual: Sequence[float]) -> float | None:
    """Return the mean absolute error of predictions as a fraction of the mean of what came true.

    None if nothing has come true yet, or nothing but zeros. Of unequal lengths the common start counts.
    """
    pairs = list(zip(predicted, actual, strict=False))
    total = sum(came_true for _, came_true in pairs)
    if total <= 0:
        return None
    return sum(abs(expected - came_true) for expected, came_true in pairs) / total


def _by_day(history: Series) -> Series:
    """Shape (..., days, 24)."""
    hours = history.shape[-1]
    if hours < HOURS_PER_DAY or hours % HOURS_PER_DAY:
        raise NotEnoughDataError(f"a forecast needs whole days of history, at least one, not {hours} hours.")
    return history.reshape(*history.shape[:-1], hours // HOURS_PER_DAY, HOURS_PER_DAY)


def _repeated(day: Series, hours: int) -> Series:
    return day[..., np.arange(hours) % HOURS_PER_DAY]


def _weighted_mean(days: Series, weights: Series) -> Series:
    """Mean over the days, per hour of the day. In two weeks every hour has days of both kinds."""
    return np.asarray((days * weights).sum(axis=-2) / weights.sum(axis=-2), dtype=np.float64)


def _are_weekend(first_hour: float, hours: int, own_moment: Callable[[float], float]) -> NDArray[np.bool_]:
    moments = (first_hour + offset * SECONDS_PER_HOUR for offset in range(hours))
    return np.array([weekday(own_moment(moment)) >= SATURDAY for moment in moments])


def _within_the_seen(forecast: Series, history: Series) -> Series:
    """What no hour of the history reached is not predicted: a sum of terms may else be negative or absurd."""
    return np.clip(forecast, history.min(axis=-1, keepdims=True), history.max(axis=-1, keepdims=True))
