"""Whether a workflow is planned robustly, and what planning so gives up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.model.config_types import WorkflowConfiguration
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.robust import RobustSettings
from multi_x_serverless.solving.robust_problem import without_intervals
from multi_x_serverless.solving.solution import PlacedHour


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


LEAST_OF_DEADLINE = 0.1
"""Part of the deadline that the solve for comparison has, however long the solve of the plan took."""


def placements_without_intervals(
    problem: bytes, solver: str, *, deadline_s: float, taken_s: float, threads: int | None = None
) -> tuple[PlacedHour, ...]:
    """Where nodes would be if a problem had no intervals, found in what is left of the deadline.

    Args:
        problem: The document with intervals.
        solver: By which it was solved.
        deadline_s: Seconds of solving at most, for both solves together but for `LEAST_OF_DEADLINE`.
        taken_s: Seconds that the solve with intervals took.
        threads: Threads to use; all processors if `None`.
    """
    left_s = max(deadline_s - taken_s, LEAST_OF_DEADLINE * deadline_s)
    return LoadedProblem(without_intervals(problem)).place(solver, threads=threads, deadline_s=left_s)


def plan_without_robustness(plan: Plan, placed: Sequence[PlacedHour], problem: bytes) -> Plan:
    """What a robust plan would be without its intervals, held against the same two cases.

    Of its certificates the status is its own. All else in them is of the robust plan and says nothing of it.

    Args:
        plan: The robust plan.
        placed: See `placements_without_intervals`.
        problem: The document that the plan was made of.
    """
    found = {entry.hour: entry for entry in placed}
    hours = tuple(
        replace(
            entry,
            placement=found[entry.hour].placement,
            certificate=replace(entry.certificate, status=found[entry.hour].status),
        )
        for entry in plan.hours
    )
    return with_expectations(replace(plan, hours=hours), problem)
