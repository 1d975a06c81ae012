"""What a plan would be worth to a benchmark in a set of regions: home, best single region and plan, all simulated.

The runs were observed in one home region. In a set with another home they are taken as if they had been observed there:
the embedded cloud's functions run on this machine whatever their region is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.reproduction.beyond import REGION_SETS
from multi_x_serverless.model.config_types import RegionSelection
from multi_x_serverless.model.plan import Metrics
from multi_x_serverless.model.run import NodeObservation, ObservedRun
from multi_x_serverless.solving.engine import solve_problem
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.problem import Signals, SolveSettings, WorkflowModel, build_problem
from multi_x_serverless.solving.solution import Solution

__all__ = ["REGION_SETS", "Expected", "Planned", "plan_over_regions", "regions_of_all_sets"]


@dataclass(frozen=True)
class Expected:
    """What a run is expected to need, the mean over the 24 hours of a day; simulated, not measured.

    Attributes:
        carbon_gco2eq: Mean over runs.
        cost_usd: Mean over runs.
        tail_s: 95th percentile of the run time, in seconds.
    """

    carbon_gco2eq: float
    cost_usd: float
    tail_s: float


@dataclass(frozen=True)
class Planned:
    """A benchmark planned over a set of regions.

    Attributes:
        transmission: Preset of the energy per byte.
        single_region: The best single region for all hours; `None` if none keeps the hard limits.
        plan_regions: Where some node runs at some hour.
        is_proven: Whether the plan is proven to be optimal at all hours.
        gap: The largest of an hour between the plan and the proven bound, as a fraction.
        infeasible_hours: UTC hours at which nothing keeps the hard limits, so that all stays home.
        provenance: Subject -> what the figures rest on.
        warnings: What belongs with every figure.
    """

    benchmark: str
    regions: str
    transmission: TransmissionPreset
    home_region: str
    home: Expected
    single_region: str | None
    single: Expected | None
    plan_regions: tuple[str, ...]
    plan: Expected
    is_proven: bool
    gap: float
    infeasible_hours: tuple[int, ...]
    runs: int
    provenance: Mapping[str, str]
    warnings: tuple[str, ...]


def regions_of_all_sets() -> tuple[str, ...]:
    """Every region of any set."""
    return tuple(sorted({region for regions in REGION_SETS.values() for region in regions}))


def plan_over_regions(
    benchmark: str, workflow: WorkflowModel, runs: Sequence[ObservedRun], signals: Signals
) -> list[Planned]:
    """Plan a benchmark over every set of regions with every preset.

    Raises:
        NotEnoughDataError: No run of it ended well, or a region has no signal.
    """
    found = []
    for name, regions in REGION_SETS.items():
        model = in_regions(workflow, regions)
        observed = tuple(seen_at(run, workflow.configuration.home_region, regions[0]) for run in runs)
        for preset in TRANSMISSION_PRESETS:
            problem = build_problem(model, observed, signals, SolveSettings(transmission=preset))
            solution = solve_problem(problem, workflow.configuration.solver)
            found.append(_planned(benchmark, name, preset, regions[0], solution))
    return found


def in_regions(workflow: WorkflowModel, regions: Sequence[str]) -> WorkflowModel:
    """The workflow with the first region as its home, free to use all; a function pinned to its home stays pinned."""
    configuration, home = workflow.configuration, regions[0]
    old_home = configuration.home_region
    return replace(
        workflow,
        configuration=replace(
            configuration,
            home_region=home,
            regions=RegionSelection(allowed=tuple(regions)),
            data_regions={
                function: home if region == old_home else region
                for function, region in configuration.data_regions.items()
            },
        ),
        functions={
            name: replace(
                function, allowed_regions=(home,) if function.allowed_regions == (old_home,) else tuple(regions)
            )
            for name, function in workflow.functions.items()
        },
    )


def seen_at(run: ObservedRun, old_home: str, home: str) -> ObservedRun:
    """The run as if what happened in the old home region had happened in the new one, failures and data included."""

    def seen(region: str) -> str:
        return home if region == old_home else region

    def moved(sizes: Mapping[str, float]) -> dict[str, float]:
        total: dict[str, float] = {}
        for region, size in sizes.items():
            # Bytes of both homes are bytes of the new one.
            total[seen(region)] = total.get(seen(region), 0.0) + size
        return total

    def at_home(node: NodeObservation) -> NodeObservation:
        return replace(
            node,
            region=seen(node.region),
            sent_bytes=moved(node.sent_bytes),
            received_bytes=moved(node.received_bytes),
        )

    return replace(
        run,
        nodes={index: at_home(node) for index, node in run.nodes.items()},
        failed_attempts=tuple(replace(attempt, region=seen(attempt.region)) for attempt in run.failed_attempts),
    )


def _planned(
    benchmark: str, regions: str, transmission: TransmissionPreset, home_region: str, solution: Solution
) -> Planned:
    hours = solution.hours
    validations = [hour.validation for hour in hours]
    singles = [entry.best_static_metrics for entry in validations if entry.best_static_metrics is not None]
    return Planned(
        benchmark=benchmark,
        regions=regions,
        transmission=transmission,
        home_region=home_region,
        home=_expected([entry.home_metrics for entry in validations]),
        single_region=solution.best_static_region,
        single=_expected(singles) if len(singles) == len(hours) else None,
        plan_regions=tuple(sorted({region for hour in hours for region in hour.placement.values()})),
        plan=_expected([entry.metrics for entry in validations]),
        is_proven=all(hour.status == "optimal" for hour in hours),
        gap=max(hour.gap for hour in hours),
        infeasible_hours=solution.infeasible_hours,
        runs=solution.runs,
        provenance=solution.provenance,
        warnings=solution.warnings,
    )


def _expected(hours: Sequence[Metrics]) -> Expected:
    count = len(hours)
    return Expected(
        carbon_gco2eq=sum(hour.carbon.mean for hour in hours) / count,
        cost_usd=sum(hour.cost.mean for hour in hours) / count,
        tail_s=sum(hour.runtime.tail for hour in hours) / count,
    )
