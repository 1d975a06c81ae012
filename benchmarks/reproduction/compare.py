"""Ours beside the published figures, with the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import Literal

import numpy as np

from benchmarks.reproduction import targets
from benchmarks.reproduction.applications import WORKLOADS, Application, Size, Workload
from benchmarks.reproduction.document import FOUR_REGIONS, HOME, OutsideRule, Setting
from benchmarks.reproduction.problems import CALIBRATION_DAYS, Outcome, Series, build_study, solve_hours, trace_of
from benchmarks.reproduction.tables import Table, against, table
from benchmarks.reproduction.targets import Preset
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, Transmission

CANADA = "ca-central-1"
PRESETS: tuple[Preset, ...] = ("best", "worst")
HOME_SHARE = 0.1
"""Fraction of runs that stay home in operation, to keep measuring there."""

RULES: tuple[OutsideRule, ...] = ("published", "product")
HOME_SHARES_OF_BYTES = (0.0, 0.25, 0.5, 0.75, 1.0)
SPEEDS = (1.0, 1.1, 1.25, 1.5)
MESSAGE_SHARES = (0.25, 0.5)


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers."""
    return float(np.exp(np.mean(np.log(values))))


@cache
def window(regions: tuple[str, ...] = FOUR_REGIONS) -> Series:
    """Intensities of the published window, shape (regions, 144)."""
    return trace_of(regions, CALIBRATION_DAYS)


@cache
def outcome(one: Workload, setting: Setting) -> Outcome:
    """The window of a workload under a setting, solved."""
    return solve_hours(build_study(one, setting), window(setting.regions))


def setting_of(preset: Preset, rule: OutsideRule = "published") -> Setting:
    """The published one, four regions."""
    return Setting(transmission=TRANSMISSION_PRESETS[preset], rule=rule)


def means_table() -> Table:
    """Target 1."""
    means = dict(zip(FOUR_REGIONS, window().mean(axis=1).tolist(), strict=True))
    below = 100.0 * (1.0 - means[CANADA] / means[HOME])
    return table(
        "Mean carbon intensity from 15 to 20 October 2023, gCO2eq/kWh.",
        ["region", "ours", "published", "difference"],
        [
            *([region, *against(means[region], published, 1)] for region, published in targets.WINDOW_MEANS.items()),
            [f"{CANADA} below {HOME}, %", *against(below, targets.CANADA_BELOW_HOME_PERCENT, 1)],
        ],
    )


def in_canada(one: Workload, setting: Setting) -> float:
    """Carbon with every node in ca-central-1 as a fraction of home's."""
    found = outcome(one, setting)
    return float(found.single[setting.regions.index(CANADA)].sum() / found.home.sum())


def canada_table() -> Table:
    """Target 2; the last two columns are by the product's rule of what leaves the cloud."""
    rows = []
    for one in WORKLOADS:
        published = targets.WHOLE_IN_CANADA[one.name]
        rows.append(
            [
                one.name,
                *(
                    cell
                    for preset in PRESETS
                    for cell in against(in_canada(one, setting_of(preset)), published[preset])
                ),
                *(f"{in_canada(one, setting_of(preset, 'product')):.3f}" for preset in PRESETS),
            ]
        )
    means = {
        (preset, rule): geometric_mean([in_canada(one, setting_of(preset, rule)) for one in WORKLOADS])
        for preset in PRESETS
        for rule in RULES
    }
    rows.append(
        [
            "geometric mean",
            *(
                cell
                for preset in PRESETS
                for cell in against(means[preset, "published"], targets.WHOLE_IN_CANADA_MEAN[preset])
            ),
            *(f"{means[preset, 'product']:.3f}" for preset in PRESETS),
        ]
    )
    return table(
        "Every node in ca-central-1, carbon relative to home, presets best and worst: ours, published, difference; and "
        "ours by the product's rule for what leaves the cloud.",
        [
            "workload",
            *(cell for preset in PRESETS for cell in (f"{preset}, ours", "published", "difference")),
            *(f"{preset}, product's rule" for preset in PRESETS),
        ],
        rows,
    )


@dataclass(frozen=True)
class Reduction:
    """Reduction of the geometric mean over the workloads, in per cent of home."""

    function_level: float
    hourly_single: float
    static_single: float
    with_home_share: float


def reduction(setting: Setting, workloads: Sequence[Workload] = WORKLOADS) -> Reduction:
    """Of the window under a setting."""
    found = [outcome(one, setting) for one in workloads]

    def percent(values: Sequence[float]) -> float:
        return 100.0 * (1.0 - geometric_mean(values))

    return Reduction(
        function_level=percent([one.best_over_home for one in found]),
        hourly_single=percent([one.hourly_single_over_home for one in found]),
        static_single=percent([one.static_over_home for one in found]),
        with_home_share=percent([HOME_SHARE + (1.0 - HOME_SHARE) * one.best_over_home for one in found]),
    )


def headline_table() -> Table:
    """Targets 3 and 6."""
    rows = []
    for one in targets.HEADLINES:
        found = reduction(replace(setting_of(one.preset), regions=FOUR_REGIONS[: one.regions]))
        rows.append(
            [
                f"{one.preset}, {one.regions} regions",
                *against(found.function_level, one.reduction_percent, 1),
                f"{found.with_home_share:.1f}",
                f"{found.hourly_single:.1f}",
                f"{found.static_single:.1f}",
            ]
        )
    return table(
        "Reduction of the geometric mean over the ten workloads, % of home: function-level placement in each hour "
        "(proven optimal) beside the published figure; then with a tenth of the runs kept at home; then the best "
        "single region of each hour, and of the whole window.",
        ["preset, regions", "ours", "published", "difference", "a tenth at home", "hourly single", "static single"],
        rows,
    )


def with_shares(reshape: Mapping[str, Application]) -> list[Workload]:
    """The workloads with other applications of the same names."""
    return [replace(one, application=reshape[one.application.name]) for one in WORKLOADS]


def drawn_reductions(preset: Preset, draws: int) -> list[float]:
    """Function-level reduction with shares drawn at random, in ascending order."""
    found = []
    applications = {one.application.name: one.application for one in WORKLOADS}
    for seed in range(draws):
        random = np.random.default_rng(seed)
        reshaped = {name: shape.with_random_shares(random) for name, shape in applications.items()}
        found.append(reduction(setting_of(preset), with_shares(reshaped)).function_level)
    return sorted(found)


def shares_table(draws: int) -> Table:
    """How much the assumed shares of time and data matter."""
    applications = {one.application.name: one.application for one in WORKLOADS}
    cases: list[tuple[str, list[Workload], float]] = [
        ("as assumed", list(WORKLOADS), 0.0),
        (
            "data in proportion to energy",
            with_shares({name: one.with_data_like_energy() for name, one in applications.items()}),
            0.0,
        ),
        (
            "all data at the first node",
            with_shares({name: one.with_data_at_the_entry() for name, one in applications.items()}),
            0.0,
        ),
        *((f"as assumed, {share:.0%} of the bytes in messages", list(WORKLOADS), share) for share in MESSAGE_SHARES),
    ]
    rows = [
        [
            name,
            *(
                f"{reduction(replace(setting_of(preset), message_share=share), workloads).function_level:.1f}"
                for preset in PRESETS
            ),
        ]
        for name, workloads, share in cases
    ]
    drawn = {preset: drawn_reductions(preset, draws) for preset in PRESETS}
    rows.append(
        [
            f"shares drawn at random, {draws} times",
            *(f"{found[0]:.1f} / {median(found):.1f} / {found[-1]:.1f}" for found in drawn.values()),
        ]
    )
    return table(
        "What the assumed shares change: function-level reduction, % of home, four regions (of the draws the least / "
        "median / greatest).",
        ["shares", *PRESETS],
        rows,
    )


def untracked_table() -> Table:
    """How much the rule for untracked bytes matters."""
    rows = []
    for share in HOME_SHARES_OF_BYTES:
        cells = [
            reduction(replace(setting_of(preset, rule), untracked_home_share=share)).function_level
            for rule in RULES
            for preset in PRESETS
        ]
        rows.append([f"{share:.0%}", *(f"{cell:.1f}" for cell in cells)])
    return table(
        "The rule for untracked bytes: fraction of them that goes home (the rest leaves the cloud), and function-level "
        "reduction in %, four regions. A byte that leaves the cloud has the outside's intensity (published) or the "
        "mean of both ends (product).",
        ["home share of untracked bytes", *(f"{rule}, {preset}" for rule in RULES for preset in PRESETS)],
        rows,
    )


def speed_table() -> Table:
    """How much run times away from home matter."""
    rows = []
    for speed in SPEEDS:
        cells = []
        for preset in PRESETS:
            setting = replace(setting_of(preset), speed_away=speed)
            whole = geometric_mean([in_canada(one, setting) for one in WORKLOADS])
            cells += [f"{whole:.3f}", f"{reduction(setting).function_level:.1f}"]
        rows.append([f"{speed:g}", *cells])
    return table(
        "Run time away from home over that at home: geometric mean of all in ca-central-1, and function-level "
        "reduction in %, four regions.",
        [
            "ratio of run times",
            *(cell for preset in PRESETS for cell in (f"{preset}, all in Canada", f"{preset}, reduction")),
        ],
        rows,
    )


@dataclass(frozen=True)
class FactorPoint:
    """The geometric mean over the workloads of a size at one transmission factor, relative to home.

    Attributes:
        whole: Ours with data in proportion to energy.
    """

    scenario: Literal["equal", "free inside"]
    size: Size
    factor_kwh_per_gb: float
    ours: float
    whole: float
    published: float


def factor_points() -> list[FactorPoint]:
    """Target 4; beside ours, with data in proportion to energy, where nothing is gained by moving some functions."""
    alike = with_shares({one.application.name: one.application.with_data_like_energy() for one in WORKLOADS})
    found = []
    for scenario, by_size in targets.BY_FACTOR.items():
        for size, published in by_size.items():
            for factor, figure in zip(targets.FACTORS_KWH_PER_GB, published, strict=True):
                inside = factor if scenario == "equal" else 0.0
                setting = Setting(transmission=Transmission(factor, inside))
                ours, whole = (
                    geometric_mean([outcome(one, setting).best_over_home for one in workloads if one.size == size])
                    for workloads in (WORKLOADS, alike)
                )
                found.append(FactorPoint(scenario, size, factor, ours, whole, figure))
    return found


def factor_table(points: Sequence[FactorPoint]) -> Table:
    """Four lines per scenario and size."""
    rows = []
    for scenario in targets.BY_FACTOR:
        for size in ("small", "large"):
            of_row = [one for one in points if (one.scenario, one.size) == (scenario, size)]
            rows += [
                [f"{scenario}, {size}: ours", *(f"{one.ours:.3f}" for one in of_row)],
                ["published", *(f"{one.published:.3f}" for one in of_row)],
                ["difference", *(f"{one.ours - one.published:+.3f}" for one in of_row)],
                ["ours, data in proportion to energy", *(f"{one.whole:.3f}" for one in of_row)],
            ]
    return table(
        "Geometric mean of carbon relative to home over the transmission factor between regions, kWh/GB; within a "
        "region equal, or free.",
        ["factor within a region, inputs", *(f"{factor:g}" for factor in targets.FACTORS_KWH_PER_GB)],
        rows,
    )
