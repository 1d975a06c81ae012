"""Beyond the published week: the whole year, three sets of regions, frontiers, forecasts, and when it pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np

from benchmarks.reproduction import targets
from benchmarks.reproduction.applications import WORKLOADS, Workload, workload
from benchmarks.reproduction.compare import PRESETS, geometric_mean, solver_power_kw, window
from benchmarks.reproduction.problems import (
    CALIBRATION_DAYS,
    FOUR_REGIONS,
    GB,
    HOURS_IN_DAY,
    Outcome,
    Series,
    Setting,
    build_study,
    carbon_of,
    solve_hours,
    trace_of,
)
from benchmarks.reproduction.tables import Table, table
from benchmarks.reproduction.targets import Preset
from multi_x_serverless.collection.forecast import Seasonal
from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.frontier import Frontier
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

HISTORY_DAYS = 7
"""That a forecast sees, as published."""

FRONTIER_DAY, FRONTIER_HOUR = range(289, 290), 12
"""17 October, noon UTC: the middle of the published window."""

FRONTIER_PACES = 30
FRONTIERS = (
    ("North America", "Image small"),
    ("North America", "Text2Speech small"),
    ("North America", "Video large"),
    ("Europe", "Image small"),
    ("Europe", "Text2Speech small"),
)

SOLVES_A_MONTH = 30
SECONDS_PER_DAILY_SOLVE = 1.0
"""Assumed for the overhead: some thirty times what 24 solves were measured to take."""

SHOWN_RUNS = 1_000_000
"""Above these a count says no more than that it never pays."""

PACKAGE_BYTES = 10e6
"""Of a function, copied once a month to every other region of the set; assumed."""


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


def _of_days(intensities: Series, days: Sequence[int]) -> Series:
    return np.concatenate([intensities[:, day * HOURS_IN_DAY : (day + 1) * HOURS_IN_DAY] for day in days], axis=1)


def solve_year(case: Case, days: Sequence[int] = YEAR) -> Year:
    """Solve every hour of some days of the year."""
    study = build_study(case.workload, case.setting)
    intensities = _of_days(year_of(case.regions), days)
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
    actual = _of_days(intensities, days)
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


@dataclass(frozen=True)
class BreakEven:
    """Runs a month from which on a case saves more than it takes to run the system.

    Attributes:
        over_home: Against everything at home; None if nothing is saved.
        over_static: Against the best static single region; None if that is as good.
        with_published_solver: As `over_home`, with the published solver's carbon.
    """

    case: Case
    overhead_gco2eq: float
    over_home: float | None
    over_static: float | None
    with_published_solver: float | None


def break_even(year: Year) -> BreakEven:
    """From savings of the year and a month's overhead."""
    found = year.outcome
    means = year_of(year.case.regions).mean(axis=1)
    copies = sum(float(means[0] + mean) / 2 for mean in means[1:]) * len(year.case.workload.application.steps)
    factor = year.case.setting.transmission.inter_region_kwh_per_gb
    copying = copies * PACKAGE_BYTES / GB * factor
    solving = SOLVES_A_MONTH * SECONDS_PER_DAILY_SOLVE / 3600 * solver_power_kw() * float(means[0])
    static = found.single.mean(axis=1).min()
    saved = float((found.home - found.best).mean())
    return BreakEven(
        case=year.case,
        overhead_gco2eq=copying + solving,
        over_home=_runs(copying + solving, saved, float(found.home.mean())),
        over_static=_runs(copying + solving, float(static - found.best.mean()), float(found.home.mean())),
        with_published_solver=_runs(
            copying + SOLVES_A_MONTH * targets.SOLVER_CARBON_GCO2EQ, saved, float(found.home.mean())
        ),
    )


def _runs(overhead: float, saved: float, home: float) -> float | None:
    """Runs that pay an overhead; a saving within rounding is none."""
    return overhead / saved if saved > 1e-6 * home else None


def break_even_table(found: Sequence[BreakEven]) -> Table:
    """Per workload in North America and the US, both presets."""
    shown = ("North America", "US only")
    columns = list(product(shown, PRESETS))
    by_case = {(one.case.regions, one.case.preset, one.case.workload.name): one for one in found}
    rows = []
    for one in WORKLOADS:
        cells = [by_case[regions, preset, one.name] for regions, preset in columns]
        rows.append(
            [
                one.name,
                *(f"{_count(cell.over_home)} / {_count(cell.over_static)}" for cell in cells),
                _count(by_case["North America", "worst", one.name].with_published_solver),
            ]
        )
    return table(
        f"Runs a month to pay for {SOLVES_A_MONTH} daily solves of {SECONDS_PER_DAILY_SOLVE:g} s and a copy of every "
        f"function ({PACKAGE_BYTES / 1e6:.0f} MB) to every region: against home / against the best static single "
        "region (never: that is as good). Last: against home with the published solver's carbon.",
        [
            "workload",
            *(f"{regions}, {preset}" for regions, preset in columns),
            "North America, worst, published solver",
        ],
        rows,
    )


def _count(runs: float | None) -> str:
    if runs is None:
        return "never"
    return f"{np.ceil(runs):,.0f}" if runs <= SHOWN_RUNS else f"> {SHOWN_RUNS:,}"


@dataclass(frozen=True)
class TradeOffs:
    """The frontier of a case at one hour."""

    case: Case
    home: Metrics
    frontier: Frontier


def trade_offs(regions: str, name: str, preset: Preset) -> TradeOffs:
    """All of them, of one workload."""
    case = Case(regions, preset, workload(name))
    setting = replace(case.setting, paces=FRONTIER_PACES, order=("carbon", "cost", "runtime"), rule="product")
    study = build_study(case.workload, setting)
    intensities = dict(zip(setting.regions, trace_of(setting.regions, FRONTIER_DAY).tolist(), strict=True))
    problem = LoadedProblem(study.document).with_intensity(intensities)
    home = problem.evaluate(dict.fromkeys(problem.nodes, setting.home), FRONTIER_HOUR)
    return TradeOffs(case, home, problem.pareto(FRONTIER_HOUR, deadline_s=20.0))


def relative(metrics: Metrics, home: Metrics) -> tuple[float, float, float]:
    """Mean carbon, mean cost and tail of run time, in % over home."""
    return (
        100.0 * (metrics.carbon.mean / home.carbon.mean - 1.0),
        100.0 * (metrics.cost.mean / home.cost.mean - 1.0),
        100.0 * (metrics.runtime.tail / home.runtime.tail - 1.0),
    )


BUDGETS_PERCENT = (1.0, 5.0)


def frontier_table(found: Sequence[TradeOffs]) -> Table:
    """The corner of least carbon, and the least carbon within small budgets of cost and time."""
    rows = []
    for one in found:
        points = [relative(point.metrics, one.home) for point in one.frontier.points]
        least = min(points)
        within = [
            min(carbon for carbon, cost, runtime in points if max(cost, runtime) <= budget)
            for budget in BUDGETS_PERCENT
        ]
        rows.append(
            [
                f"{one.case.regions}, {one.case.workload.name}, {one.case.preset}",
                str(len(points)),
                " / ".join(f"{value:+.1f}" for value in least),
                *(f"{value:+.1f}" for value in within),
            ]
        )
    return table(
        "Carbon, cost and the 95th percentile of run time on 17 October at noon UTC, % over home, by the product's "
        "rule for what leaves the cloud; all points of the frontier.",
        [
            "regions, workload, preset",
            "points",
            "least carbon: carbon / cost / run time",
            *(f"carbon, cost and run time at most {budget:g} % more" for budget in BUDGETS_PERCENT),
        ],
        rows,
    )
