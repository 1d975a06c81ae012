"""Beyond the published week: the whole year over three sets of regions, and what hours and functions are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from benchmarks.reproduction.applications import WORKLOADS, Workload
from benchmarks.reproduction.compare import PRESETS, geometric_mean
from benchmarks.reproduction.document import FOUR_REGIONS, HOURS_IN_DAY, Setting
from benchmarks.reproduction.problems import Outcome, Series, build_study, carbon_of, solve_hours, trace_of
from benchmarks.reproduction.tables import Table, table
from benchmarks.reproduction.targets import Preset
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS

REGION_SETS: Mapping[str, tuple[str, ...]] = {
    "North America": FOUR_REGIONS,
    "US only": ("us-east-1", "us-west-1", "us-west-2"),
    "Europe": ("eu-central-1", "eu-west-3", "eu-west-2", "eu-south-2"),
}
"""Home first: there the data lies."""

YEAR = range(365)
DAYS_IN_WEEK = 7
WEEKS = 52
FIRST_DAY_OF_JULY = 181


@dataclass(frozen=True)
class Case:
    """A workload in a set of regions under a preset."""

    regions: str
    preset: Preset
    workload: Workload

    @property
    def setting(self) -> Setting:
        """What it is planned under."""
        return Setting(regions=REGION_SETS[self.regions], transmission=TRANSMISSION_PRESETS[self.preset])


@cache
def year_of(regions: str) -> Series:
    """Intensities of the year, shape (regions, 8760)."""
    return trace_of(REGION_SETS[regions], YEAR)


@dataclass(frozen=True)
class Year:
    """A case over some days.

    Attributes:
        days: Which.
        static_functions: Carbon of the best placement by function that never changes, per hour: that of the mean.
    """

    case: Case
    days: tuple[int, ...]
    outcome: Outcome
    static_functions: Series

    def over_home(self, hours: slice = slice(None)) -> tuple[float, float, float, float]:
        """Carbon relative to home: static single, hourly single, static functions, hourly functions.

        Static ones are the best for the whole year, whatever the hours that are asked for.
        """
        found = self.outcome
        home = found.home[hours].sum()
        best_region = int(found.single.sum(axis=1).argmin())
        return (
            float(found.single[best_region, hours].sum() / home),
            float(found.single.min(axis=0)[hours].sum() / home),
            float(self.static_functions[hours].sum() / home),
            float(found.best[hours].sum() / home),
        )


def cases() -> list[Case]:
    """All of them."""
    return [Case(*parts) for parts in product(REGION_SETS, PRESETS, WORKLOADS)]


def of_days(intensities: Series, days: Sequence[int]) -> Series:
    """Some days of a year, one after the other."""
    return np.concatenate([intensities[:, day * HOURS_IN_DAY : (day + 1) * HOURS_IN_DAY] for day in days], axis=1)


def solve_year(case: Case, days: Sequence[int] = YEAR) -> Year:
    """Solve every hour of some days of the year."""
    study = build_study(case.workload, case.setting)
    intensities = of_days(year_of(case.regions), days)
    mean = np.repeat(intensities.mean(axis=1, keepdims=True), HOURS_IN_DAY, axis=1)
    fixed = solve_hours(study, mean).placements[0]
    return Year(
        case=case,
        days=tuple(days),
        outcome=solve_hours(study, intensities),
        static_functions=carbon_of(study, [fixed] * intensities.shape[1], intensities),
    )


LEVELS = ("static single", "hourly single", "static functions", "hourly functions")


def reductions(years: Sequence[Year], hours: slice = slice(None)) -> tuple[float, ...]:
    """Reductions of the geometric mean over workloads in % of home, in the order of `LEVELS`."""
    over_home = [one.over_home(hours) for one in years]
    return tuple(100.0 * (1.0 - geometric_mean(column)) for column in zip(*over_home, strict=True))


def grouped(years: Sequence[Year]) -> dict[tuple[str, Preset], list[Year]]:
    """By set of regions and preset."""
    found: dict[tuple[str, Preset], list[Year]] = {}
    for one in years:
        found.setdefault((one.case.regions, one.case.preset), []).append(one)
    return found


def level_table(years: Sequence[Year]) -> Table:
    """What hours and functions add to one region."""
    rows = []
    for (regions, preset), group in grouped(years).items():
        found = reductions(group)
        rows.append(
            [f"{regions}, {preset}", *(f"{one:.1f}" for one in found), f"{found[3] - found[0]:.1f}"],
        )
    return table(
        "Reduction of the geometric mean over the ten workloads in 2023, % of home. Static: the best for the year as a "
        "whole, known afterwards; single: all nodes in one region; functions: each node where it is best.",
        ["regions, preset", *LEVELS, "hourly functions over static single"],
        rows,
    )


def workload_table(years: Sequence[Year]) -> Table:
    """The same by workload, in the worst preset: where the gain is small."""
    rows = []
    by_name: dict[str, list[Year]] = {}
    for one in years:
        if one.case.preset == "worst":
            by_name.setdefault(one.case.workload.name, []).append(one)
    for name, group in by_name.items():
        cells = []
        for one in group:
            static, _, _, functions = one.over_home()
            cells += [f"{100 * (1 - static):.1f}", f"{100 * (1 - functions):.1f}"]
        rows.append([name, *cells])
    return table(
        "The same by workload in the worst preset: best static single region / hourly functions.",
        [
            "workload",
            *(f"{name}, {level}" for name in REGION_SETS for level in ("static single", "hourly functions")),
        ],
        rows,
    )


def weekly_reductions(years: Sequence[Year]) -> list[tuple[float, ...]]:
    """`reductions` of each week of a whole year."""
    length = DAYS_IN_WEEK * HOURS_IN_DAY
    return [reductions(years, slice(week * length, (week + 1) * length)) for week in range(WEEKS)]


def season_table(years: Sequence[Year]) -> Table:
    """How much a single week says: hourly functions over the weeks, and by half of the year."""
    rows = []
    july = FIRST_DAY_OF_JULY * HOURS_IN_DAY
    window = slice(287 * HOURS_IN_DAY, 293 * HOURS_IN_DAY)
    for (regions, preset), group in grouped(years).items():
        weekly = np.array([found[3] for found in weekly_reductions(group)])
        rows.append(
            [
                f"{regions}, {preset}",
                f"{reductions(group, window)[3]:.1f}",
                f"{weekly.min():.1f} / {np.median(weekly):.1f} / {weekly.max():.1f}",
                f"{reductions(group, slice(0, july))[3]:.1f}",
                f"{reductions(group, slice(july, None))[3]:.1f}",
            ]
        )
    return table(
        "The same, hourly functions: in the published window, over the 52 weeks (least / median / greatest), and by "
        "half of the year.",
        ["regions, preset", "15-20 October", "weeks", "January to June", "July to December"],
        rows,
    )
