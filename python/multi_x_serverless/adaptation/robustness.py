"""Whether a workflow is planned robustly, and what planning so gives up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.model.config_types import WorkflowConfiguration
from multi_x_serverless.model.plan import Placement, Plan
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.robust import RobustSettings
from multi_x_serverless.solving.robust_problem import without_intervals


def with_configured_robustness(settings: SolveSettings, configuration: WorkflowConfiguration) -> SolveSettings:
    """The settings, robust if the configuration wants that and they do not say how already."""
    if settings.robust is not None or not configuration.robust:
        return settings
    return replace(settings, robust=RobustSettings())


def robustness_lost(in_force: Plan | None, plan: Plan) -> str:
    """A sentence for whoever puts a plan that is not robust in the place of one that is; else empty."""
    if in_force is None or in_force.robust is None or plan.robust is not None:
        return ""
    return (
        f"plan {in_force.version} in force was planned robustly, and this one is not: 'robust: true' in the "
        "configuration lets checks plan so."
    )


def placements_without_intervals(problem: bytes, solver: str, *, threads: int | None = None) -> dict[int, Placement]:
    """UTC hour -> where nodes would be if a problem had no intervals.

    Args:
        problem: The document with intervals.
        solver: By which it was solved.
        threads: Threads to use; all processors if `None`.
    """
    placed = LoadedProblem(without_intervals(problem)).place(solver, threads=threads)
    return {entry.hour: entry.placement for entry in placed}


def plan_without_robustness(plan: Plan, placements: Mapping[int, Placement], problem: bytes) -> Plan:
    """What a robust plan would be without its intervals, held against the same two cases.

    Its certificates are those of the robust plan and say nothing of it.

    Args:
        plan: The robust plan.
        placements: See `placements_without_intervals`.
        problem: The document that the plan was made of.
    """
    hours = tuple(replace(entry, placement=placements[entry.hour]) for entry in plan.hours)
    return with_expectations(replace(plan, hours=hours), problem)
