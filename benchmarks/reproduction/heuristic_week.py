"""The published heuristic on the published workloads: is it what keeps the four regions below the two?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.reproduction.applications import WORKLOADS, Workload
from benchmarks.reproduction.compare import PRESETS, geometric_mean, outcome, setting_of, window
from benchmarks.reproduction.heuristic_study import space_of, variant_name
from benchmarks.reproduction.problems import HOURS_IN_DAY, build_study, on_day
from benchmarks.reproduction.published_heuristic import PUBLISHED, Parameters, exact_judge, search
from benchmarks.reproduction.tables import Table, table
from benchmarks.reproduction.targets import Preset

READINGS: tuple[Parameters, ...] = (
    PUBLISHED,
    Parameters(moved_nodes="one", difference="per cent of home"),
)


@dataclass(frozen=True)
class HeuristicWeek:
    """The window planned by the heuristic, one search an hour.

    Attributes:
        over_home: Carbon relative to home, per workload.
        optimum_over_home: The same of the proven optimum.
        missed_hours: Fraction of hours whose optimum was not found.
    """

    preset: Preset
    parameters: Parameters
    over_home: list[float]
    optimum_over_home: list[float]
    missed_hours: float


def heuristic_week(preset: Preset, parameters: Parameters, workloads: Sequence[Workload] = WORKLOADS) -> HeuristicWeek:
    """Plan every hour of the window by the heuristic, judged by exact means."""
    over_home, optimum, missed = [], [], []
    for one in workloads:
        study = build_study(one, setting_of(preset))
        space = space_of(study.document)
        found: list[float] = []
        for day, intensities in enumerate(np.split(window(), window().shape[1] // HOURS_IN_DAY, axis=1)):
            problem = on_day(study, intensities)
            for hour in range(HOURS_IN_DAY):
                chosen = search(space, exact_judge(problem, hour), day * HOURS_IN_DAY + hour, parameters)
                found.append(float(chosen.best_so_far[-1]))
        carbon = np.array(found) + study.constant_gco2eq
        known = outcome(one, setting_of(preset))
        over_home.append(float(carbon.sum() / known.home.sum()))
        optimum.append(known.best_over_home)
        missed.append(float((carbon > known.best * (1.0 + 1e-6)).mean()))
    return HeuristicWeek(preset, parameters, over_home, optimum, float(np.mean(missed)))


def heuristic_weeks() -> list[HeuristicWeek]:
    """Both presets, two readings."""
    return [heuristic_week(preset, parameters) for preset in PRESETS for parameters in READINGS]


def heuristic_week_table(found: Sequence[HeuristicWeek]) -> Table:
    """One row per preset and reading."""
    return table(
        "The published heuristic on the published workloads, four regions, judged by exact means: reduction of the "
        "geometric mean in %, that of the proven optimum, and hours whose optimum it misses.",
        ["preset, reading", "heuristic", "optimum", "hours missed"],
        [
            [
                f"{one.preset}, {variant_name(one.parameters)}",
                f"{100 * (1 - geometric_mean(one.over_home)):.1f}",
                f"{100 * (1 - geometric_mean(one.optimum_over_home)):.1f}",
                f"{100 * one.missed_hours:.0f} %",
            ]
            for one in found
        ],
    )
