"""Draws what `compare`, `heuristic_study` and `beyond` found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.reproduction import targets
from benchmarks.reproduction.applications import WORKLOADS
from benchmarks.reproduction.beyond import LEVELS, Year, grouped, reductions, weekly_reductions
from benchmarks.reproduction.compare import PRESETS, FactorPoint, in_canada, setting_of
from benchmarks.reproduction.frontiers import TradeOffs, relative
from benchmarks.reproduction.heuristic_study import Pinned

DPI = 110


def draw_canada(output: Path) -> None:
    """Every node in ca-central-1: ours beside the published figure."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(WORKLOADS))
    for plot, preset in zip(axes, PRESETS, strict=True):
        plot.bar(places - 0.2, [in_canada(one, setting_of(preset)) for one in WORKLOADS], 0.4, label="ours")
        plot.bar(places + 0.2, [targets.WHOLE_IN_CANADA[one.name][preset] for one in WORKLOADS], 0.4, label="published")
        plot.axhline(1.0, color="black", linewidth=0.8)
        plot.set_xticks(places, [one.name for one in WORKLOADS], rotation=45, ha="right")
        plot.set_title(f"preset {preset}", fontsize="medium")
        plot.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("carbon relative to home")
    axes[0].legend()
    figure.suptitle("Every node in ca-central-1, 15 to 20 October 2023", fontsize="medium")
    figure.savefig(output, dpi=DPI)


def draw_factors(points: Sequence[FactorPoint], output: Path) -> None:
    """The geometric mean over the transmission factor."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for plot, scenario in zip(axes, targets.BY_FACTOR, strict=True):
        for size, color in (("small", "tab:blue"), ("large", "tab:orange")):
            row = [one for one in points if (one.scenario, one.size) == (scenario, size)]
            factors = [one.factor_kwh_per_gb for one in row]
            plot.plot(factors, [one.ours for one in row], color=color, label=f"{size}, ours")
            plot.plot(
                factors, [one.published for one in row], "x", color=color, markersize=8, label=f"{size}, published"
            )
        plot.set_xscale("log")
        plot.set_ylim(0.0, 1.05)
        plot.set_xlabel("kWh/GB between regions")
        plot.set_title("equal within a region" if scenario == "equal" else "free within a region", fontsize="medium")
        plot.grid(alpha=0.3)
    axes[0].set_ylabel("geometric mean relative to home")
    axes[0].legend()
    figure.suptitle("Carbon of the optimal placement over the transmission factor", fontsize="medium")
    figure.savefig(output, dpi=DPI)


def draw_heuristic(found: Sequence[Pinned], output: Path) -> None:
    """Excess over the optimum: when the search ends, by graph, and on its way."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    ends, ways = figure.subplots(1, 2)
    ends.boxplot(
        [one.excess_percent for one in found],
        whis=(0.0, 100.0),
        tick_labels=[f"{one.nodes}" for one in found],
        medianprops={"linewidth": 2.5},
    )
    ends.set_xlabel("nodes (one box per graph)")
    ends.set_ylabel("excess over the proven optimum [%]")
    ends.set_title(f"{len(found[0].excess_percent)} seeds each; whiskers: least and greatest", fontsize="medium")
    by_size = {one.nodes: one for one in reversed(found)}
    for nodes in sorted(by_size):
        one = by_size[nodes]
        evaluations = np.arange(1, one.excess_by_evaluation.shape[1] + 1)
        middle = np.median(one.excess_by_evaluation, axis=0)
        (line,) = ways.plot(evaluations, middle, label=f"{nodes} nodes, graph {one.graph}")
        low, high = np.quantile(one.excess_by_evaluation, [0.1, 0.9], axis=0)
        ways.fill_between(evaluations, low, high, alpha=0.2, color=line.get_color())
        in_time = one.exact.seconds / one.exact.seconds_per_evaluation
        ways.plot(in_time, np.median(one.after(in_time)), "o", color=line.get_color())
    ways.set_xscale("log")
    ways.set_xlabel("evaluations (dot: as many as fit into the exact solver's time)")
    ways.set_title("median over seeds, and 10 to 90 %", fontsize="medium")
    ways.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    for plot in (ends, ways):
        plot.set_ylim(bottom=-1.0)
        plot.grid(alpha=0.3)
    figure.suptitle("The published heuristic where every third node is pinned home, 10 regions", fontsize="medium")
    figure.savefig(output, dpi=DPI)


def draw_weeks(years: Sequence[Year], output: Path) -> None:
    """Reductions week by week, by set of regions, both presets."""
    groups = grouped(years)
    names = list(dict.fromkeys(regions for regions, _ in groups))
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(len(PRESETS), len(names), sharex=True, sharey="row", squeeze=False)
    for (regions, preset), group in groups.items():
        plot = grid[PRESETS.index(preset)][names.index(regions)]
        weekly = np.array(weekly_reductions(group))
        for level, style in ((0, "--"), (1, ":"), (2, "-."), (3, "-")):
            plot.plot(np.arange(1, len(weekly) + 1), weekly[:, level], style, label=LEVELS[level])
        plot.axvspan(41.5, 42.5, color="black", alpha=0.12)
        plot.set_title(f"{regions}, preset {preset}", fontsize="medium")
        plot.grid(alpha=0.3)
    for row in grid:
        row[0].set_ylabel("reduction [% of home]")
    for plot in grid[-1]:
        plot.set_xlabel("week of 2023")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(LEVELS), fontsize="small")
    figure.suptitle("Geometric mean over ten workloads by week; shaded: the published window", fontsize="medium")
    figure.savefig(output, dpi=DPI)


def draw_levels(years: Sequence[Year], output: Path) -> None:
    """What hours and functions add to one static region."""
    groups = grouped(years)
    figure = Figure(figsize=(9, 4), layout="constrained")
    plot = figure.subplots()
    width = 0.8 / len(LEVELS)
    for level, name in enumerate(LEVELS):
        values = [reductions(group)[level] for group in groups.values()]
        places = np.arange(len(groups)) + (level - 1.5) * width
        bars = plot.bar(places, values, width, label=name)
        plot.bar_label(bars, fmt="%.0f", fontsize="x-small")
    plot.set_xticks(np.arange(len(groups)), [f"{regions}\n{preset}" for regions, preset in groups])
    plot.set_ylabel("reduction [% of home]")
    plot.set_title("2023, geometric mean over ten workloads", fontsize="medium")
    plot.legend()
    figure.savefig(output, dpi=DPI)


def draw_frontiers(found: Sequence[TradeOffs], output: Path) -> None:
    """Carbon over run time; the colour is cost."""
    names = list(dict.fromkeys((one.case.regions, one.case.workload.name) for one in found))
    figure = Figure(figsize=(14, 6), layout="constrained")
    grid = figure.subplots(len(PRESETS), len(names), squeeze=False)
    for one in found:
        points = np.array([relative(point.metrics, one.home) for point in one.frontier.points])
        plot = grid[PRESETS.index(one.case.preset)][names.index((one.case.regions, one.case.workload.name))]
        drawn = plot.scatter(points[:, 2], points[:, 0], c=points[:, 1], cmap="viridis")
        figure.colorbar(drawn, ax=plot, label="cost [% over home]")
        plot.plot(0.0, 0.0, "x", color="black")
        plot.set_title(f"{one.case.workload.name}, {one.case.preset}\n{one.case.regions}", fontsize="small")
        plot.grid(alpha=0.3)
    for row in grid:
        row[0].set_ylabel("carbon [% over home]")
    for plot in grid[-1]:
        plot.set_xlabel("p95 of run time [% over home]")
    figure.suptitle("Every trade-off at one hour (17 October, noon UTC); the cross is home", fontsize="medium")
    figure.savefig(output, dpi=DPI)
