"""What plans by a forecast emit, and what those emit that know the day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.reproduction.applications import WORKLOADS
from benchmarks.reproduction.beyond import REGION_SETS, YEAR, Case, of_days, year_of
from benchmarks.reproduction.compare import PRESETS, geometric_mean, window
from benchmarks.reproduction.document import HOURS_IN_DAY, Setting
from benchmarks.reproduction.problems import CALIBRATION_DAYS, Series, build_study, carbon_of, solve_hours, trace_of
from benchmarks.reproduction.tables import Table, table
from multi_x_serverless.collection.forecast import Seasonal
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS

HISTORY_DAYS = 7
"""That a forecast sees, as published."""


@dataclass(frozen=True)
class ForecastRegret:
    """A case planned by what was expected, in gCO2eq per run summed over the hours.

    Attributes:
        by_mean: Planned by the mean of the seven days before: no hours.
    """

    case: Case
    home: float
    by_forecast: float
    by_mean: float
    best: float


def predicted(intensities: Series, days: Sequence[int]) -> Series:
    """What is expected of whole days, made at their start from the seven days before."""
    found = []
    for day in days:
        hour = day * HOURS_IN_DAY
        history = intensities[:, hour - HISTORY_DAYS * HOURS_IN_DAY : hour]
        # 1 January 2023 was a Sunday, as was 4 January 1970.
        first_hour = (day + 3) * HOURS_IN_DAY * 3600.0
        found.append(Seasonal().forecast(history, first_hour, HOURS_IN_DAY))
    return np.concatenate(found, axis=1)


def last_weeks_mean(intensities: Series, days: Sequence[int]) -> Series:
    """The mean of the seven days before, for every hour."""
    means = [
        intensities[:, (day - HISTORY_DAYS) * HOURS_IN_DAY : day * HOURS_IN_DAY].mean(axis=1, keepdims=True)
        for day in days
    ]
    return np.repeat(np.concatenate(means, axis=1), HOURS_IN_DAY, axis=1)


def forecast_regret(case: Case, days: Sequence[int]) -> ForecastRegret:
    """Plan days by what was known before them."""
    study = build_study(case.workload, case.setting)
    intensities = year_of(case.regions)
    actual = of_days(intensities, days)
    known = solve_hours(study, actual)

    def planned_by(expected: Callable[[Series, Sequence[int]], Series]) -> float:
        placements = solve_hours(study, expected(intensities, days)).placements
        return float(carbon_of(study, placements, actual).sum())

    return ForecastRegret(
        case=case,
        home=float(known.home.sum()),
        by_forecast=planned_by(predicted),
        by_mean=planned_by(last_weeks_mean),
        best=float(known.best.sum()),
    )


def regret_table(found: Sequence[ForecastRegret], days: int) -> Table:
    """Reductions by forecast, by the last week's mean and with the future known."""
    rows = []
    for regions, preset in product(REGION_SETS, PRESETS):
        group = [one for one in found if (one.case.regions, one.case.preset) == (regions, preset)]
        by_forecast, by_mean, best = (
            100.0 * (1.0 - geometric_mean([read(one) / one.home for one in group]))
            for read in (_by_forecast, _by_mean, _best)
        )
        regret = 100.0 * (geometric_mean([one.by_forecast / one.best for one in group]) - 1.0)
        rows.append([f"{regions}, {preset}", *(f"{one:.2f}" for one in (by_mean, by_forecast, best, regret))])
    return table(
        f"Plans by function for {days} days, each made at midnight UTC from the seven days before: reduction in % of "
        "home when planned by the week's mean, by the forecast of 24 hours, and with the day known; and what the "
        "forecast emits more than possible, in %.",
        ["regions, preset", "last week's mean", "forecast", "known", "regret of the forecast"],
        rows,
    )


US_SUBSETS = (("us-east-1", "us-west-1"), ("us-east-1", "us-west-2"), ("us-east-1", "us-west-1", "us-west-2"))


def us_table() -> Table:
    """The published window within the US, where which regions and what was known matter."""
    rows = []
    for regions, preset in product(US_SUBSETS, PRESETS):
        setting = Setting(regions=regions, transmission=TRANSMISSION_PRESETS[preset])
        expected = predicted(trace_of(regions, YEAR), CALIBRATION_DAYS)
        over_home: list[tuple[float, float, float]] = []
        for one in WORKLOADS:
            study = build_study(one, setting)
            known = solve_hours(study, window(regions))
            planned = carbon_of(study, solve_hours(study, expected).placements, window(regions))
            over_home.append((known.static_over_home, float(planned.sum() / known.home.sum()), known.best_over_home))
        cells = [100.0 * (1.0 - geometric_mean(column)) for column in zip(*over_home, strict=True)]
        rows.append([f"{', '.join(regions)}; {preset}", *(f"{cell:.2f}" for cell in cells)])
    return table(
        "The published window within the US, reduction of the geometric mean in % of home: best static single region, "
        "functions placed by the forecast of 24 hours, and with the hours known.",
        ["regions; preset", "static single", "forecast", "known"],
        rows,
    )


def _by_forecast(one: ForecastRegret) -> float:
    return one.by_forecast


def _by_mean(one: ForecastRegret) -> float:
    return one.by_mean


def _best(one: ForecastRegret) -> float:
    return one.best
