"""The published heuristic on the published workloads: is it what keeps the four regions below the two?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.reproduction.applications import WORKLOADS, Workload
from benchmarks.reproduction.compare import geometric_mean, outcome, setting_of, window
from benchmarks.reproduction.document import FOUR_REGIONS, HOURS_IN_DAY
from benchmarks.reproduction.heuristic_study import space_of, variant_name
from benchmarks.reproduction.problems import CALIBRATION_DAYS, build_study, on_day
from benchmarks.reproduction.published_heuristic import PUBLISHED, Parameters, exact_judge, search
from benchmarks.reproduction.tables import Table, table
from benchmarks.reproduction.targets import HEADLINES, Preset

READINGS: tuple[Parameters, ...] = (
    PUBLISHED,
    Parameters(moved_nodes="one", difference="per cent of home"),
)


@dataclass(frozen=True)
class HeuristicWeek:
    """The window planned by the heuristic, one search an hour.

    Attributes:
        regions: How many of `FOUR_REGIONS` may be used.
        over_home: Carbon relative to home, per workload.
        optimum_over_home: The same of the proven optimum.
        missed_hours: Fraction of hours whose optimum was not found.
    """

    preset: Preset
    regions: int
    parameters: Parameters
    over_home: list[float]
    optimum_over_home: list[float]
    missed_hours: float


def heuristic_week(
    preset: Preset, regions: int, parameters: Parameters, workloads: Sequence[Workload] = WORKLOADS
) -> HeuristicWeek:
    """Plan every hour of the window by the heuristic, judged by exact means."""
    over_home, optimum, missed = [], [], []
    setting = replace(setting_of(preset), regions=FOUR_REGIONS[:regions])
    days = np.split(window(setting.regions), len(CALIBRATION_DAYS), axis=1)
    for one in workloads:
        study = build_study(one, setting)
        space = space_of(study.document)
        found: list[float] = []
        for day, intensities in enumerate(days):
            problem = on_day(study, intensities)
            for hour in range(HOURS_IN_DAY):
                chosen = search(space, exact_judge(problem, hour), day * HOURS_IN_DAY + hour, parameters)
                found.append(float(chosen.best_so_far[-1]))
        carbon = np.array(found) + study.constant_gco2eq
        known = outcome(one, setting)
        over_home.append(float(carbon.sum() / known.home.sum()))
        optimum.append(known.best_over_home)
        missed.append(float((carbon > known.best * (1.0 + 1e-6)).mean()))
    return HeuristicWeek(preset, regions, parameters, over_home, optimum, float(np.mean(missed)))


def heuristic_weeks() -> list[HeuristicWeek]:
    """The published bars, two readings."""
    return [heuristic_week(one.preset, one.regions, parameters) for parameters in READINGS for one in HEADLINES]


def heuristic_week_table(found: Sequence[HeuristicWeek]) -> Table:
    """One row per preset and reading."""
    return table(
        "The published heuristic on the published workloads, judged by exact means: reduction of the "
        "geometric mean in %, that of the proven optimum, and hours whose optimum it misses.",
        ["preset, regions, reading", "heuristic", "optimum", "hours missed"],
        [
            [
                f"{one.preset}, {one.regions} regions, {variant_name(one.parameters)}",
                f"{100 * (1 - geometric_mean(one.over_home)):.1f}",
                f"{100 * (1 - geometric_mean(one.optimum_over_home)):.1f}",
                f"{100 * one.missed_hours:.0f} %",
            ]
            for one in found
        ],
    )
