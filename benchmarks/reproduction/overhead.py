"""From how many runs a month on the system saves more than it takes to run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.reproduction import targets
from benchmarks.reproduction.applications import WORKLOADS
from benchmarks.reproduction.beyond import Case, Year, year_of
from benchmarks.reproduction.compare import PRESETS
from benchmarks.reproduction.document import GB
from benchmarks.reproduction.solver_effort import solver_power_kw
from benchmarks.reproduction.tables import Table, table

SOLVES_A_MONTH = 30
SECONDS_PER_DAILY_SOLVE = 1.0
"""Assumed for the overhead: some thirty times what 24 solves were measured to take."""

SHOWN_RUNS = 1_000_000
"""Above these a count says no more than that it never pays."""

PACKAGE_BYTES = 10e6
"""Of a function, copied once a month to every other region of the set; assumed."""


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
