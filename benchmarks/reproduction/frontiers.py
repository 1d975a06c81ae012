"""Trade-offs between carbon, cost and run time at one hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.reproduction.applications import workload
from benchmarks.reproduction.beyond import Case
from benchmarks.reproduction.compare import PRESETS
from benchmarks.reproduction.problems import build_study, trace_of
from benchmarks.reproduction.tables import Table, table
from benchmarks.reproduction.targets import Preset
from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.frontier import Frontier

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


def all_trade_offs() -> list[TradeOffs]:
    """Every frontier that is shown."""
    return [trade_offs(regions, name, preset) for regions, name in FRONTIERS for preset in PRESETS]
