"""How good forecasts are: their error, whether they order rightly, and what a placement by them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.traces import RegionSet
from multi_x_serverless.collection.forecast import Series
from multi_x_serverless.model.units import HOURS_PER_DAY

RESAMPLES = 2000

Rows: TypeAlias = "NDArray[np.intp] | slice"
"""Which origins."""


def absolute_percentage_error(forecast: Series, came_true: Series) -> Series:
    """Per cent, of the same shape."""
    return np.asarray(100.0 * np.abs(forecast - came_true) / came_true, dtype=np.float64)


def kendall_tau_b(first: Series, second: Series) -> Series:
    """Kendall's tau-b along the first axis; NaN where one of both is constant.

    Source: Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945).
    """
    left, right = np.triu_indices(len(first), k=1)
    signs_of_first = np.sign(first[left] - first[right])
    signs_of_second = np.sign(second[left] - second[right])
    concordance = (signs_of_first * signs_of_second).sum(axis=0)
    untied = np.sqrt(np.abs(signs_of_first).sum(axis=0) * np.abs(signs_of_second).sum(axis=0))
    return np.asarray(np.where(untied > 0, concordance / np.where(untied > 0, untied, 1.0), np.nan), dtype=np.float64)


@dataclass(frozen=True)
class Regret:
    """What a choice by a forecast met, summed over region sets. All of shape (origins, hours), in gCO2eq/kWh.

    Attributes:
        met: Intensity of the grid that was chosen.
        best: Least intensity of all.
        home: Intensity of the home grid.
    """

    met: Series
    best: Series
    home: Series

    def percent_of_best(self, rows: Rows = slice(None), hours: slice = slice(None)) -> float:
        """Excess over the best possible as per cent of it, over some origins and hours."""
        excess = self.met[rows, hours] - self.best[rows, hours]
        return float(100.0 * excess.sum() / self.best[rows, hours].sum())

    def percent_of_home(self, hours: slice = slice(None)) -> float:
        """Excess over the best possible as per cent of what home emits."""
        return float(100.0 * (self.met[:, hours] - self.best[:, hours]).sum() / self.home[:, hours].sum())


def regret(forecast: Series, came_true: Series, sets: Sequence[RegionSet]) -> Regret:
    """Choose in every hour the grid with the least forecast.

    Args:
        forecast: Shape (zones, origins, hours).
        came_true: The same.
        sets: Choices, whose intensities are added up.
    """
    met, best, home = (np.zeros(came_true.shape[1:]) for _ in range(3))
    for one in sets:
        actual = came_true[one.places]
        chosen = forecast[one.places].argmin(axis=0)
        met += np.take_along_axis(actual, chosen[None], axis=0)[0]
        best += actual.min(axis=0)
        home += actual[0]
    return Regret(met, best, home)


def held(forecast: Series) -> Series:
    """What a plan of the first 24 hours takes the same hours of all days to be."""
    return np.asarray(np.tile(forecast[..., :HOURS_PER_DAY], forecast.shape[-1] // HOURS_PER_DAY), dtype=np.float64)


def held_mean(forecast: Series) -> Series:
    """What a plan made for all days takes an hour to be: the mean of that hour over the days."""
    days = forecast.reshape(*forecast.shape[:-1], -1, HOURS_PER_DAY)
    return np.asarray(np.tile(days.mean(axis=-2), days.shape[-2]), dtype=np.float64)


@dataclass(frozen=True)
class Interval:
    """A difference and the 95 % interval that it lies in."""

    value: float
    low: float
    high: float


def difference(one: Regret, other: Regret, weeks: Sequence[int], hours: slice, seed: int = 0) -> Interval:
    """How much more regret `one` has than `other` over some hours, in per cent of the best.

    The interval is that of a paired bootstrap over weeks: whole weeks are drawn with replacement, the same for both,
    since origins within a week see much the same weather and are no independent observations.
    """
    names, membership = np.unique(np.array(weeks), return_inverse=True)

    def by_week(values: Series) -> Series:
        sums = np.zeros(len(names))
        np.add.at(sums, membership, values[:, hours].sum(axis=1))
        return sums

    excess = by_week(one.met) - by_week(other.met)
    best = by_week(one.best)
    drawn = np.random.default_rng(seed).integers(len(names), size=(RESAMPLES, len(names)))
    resampled = 100.0 * excess[drawn].sum(axis=1) / best[drawn].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(float(100.0 * excess.sum() / best.sum()), float(low), float(high))
