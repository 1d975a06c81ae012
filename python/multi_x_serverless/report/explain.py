"""Explaining the plan of a deployed workflow: which plan, and over which problem document."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.adaptation.robustness import with_configured_robustness
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, build_workflow_problem
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.state import plan_fits
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.report.explanation import Explanation, NoSolverAsked, PlanRole
from multi_x_serverless.report.placements import explain_placements
from multi_x_serverless.report.relaxations import SOLVER
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.robust import as_settings, preset_within
from multi_x_serverless.solving.solution import plan_from_solution


def explain_workflow(
    cloud: Cloud,
    workflow_id: str,
    *,
    which: Literal["staged", "active"] | None = None,
    hour: int | None = None,
    node: str | None = None,
) -> Explanation | NoSolverAsked:
    """Explain a stored plan, over the problem document that it was made of if that was kept.

    Args:
        which: Which plan; the staged one if there is one, else the one in force if `None`.
        hour: Only the placement that is in force at this UTC hour.
        node: Only this node.

    Raises:
        UnknownWorkflowError: There is no such workflow.
        NotEnoughDataError: There is no such plan, or nothing to explain it by.
        UsageError: The plan has no such node.
    """
    record = deployed_workflow(cloud, workflow_id)
    role, plan = _find(cloud, workflow_id, which)
    if plan.solver == "none":
        return NoSolverAsked(workflow_id, record.configuration.home_region, role, plan.version)
    kept = ProblemStore(cloud).get(workflow_id, plan.problem_hash)
    if kept is not None:
        return explain_placements(kept, plan, role=role, origin="kept", hour=hour, node=node)
    if not plan_fits(plan, record):
        raise NotEnoughDataError(
            f"what plan {plan.version} of '{workflow_id}' was made of was not kept, and the plan does not fit the "
            f"workflow as it is deployed now: 'multi_x_serverless explain {workflow_id} --fresh' explains what a plan "
            "of today would be."
        )
    settings = SolveSettings(hours=tuple(entry.hour for entry in plan.hours))
    if plan.robust is not None:
        settings = replace(settings, robust=as_settings(plan.robust), transmission=preset_within(plan.robust))
    problem = build_workflow_problem(cloud, record, settings)
    return explain_placements(
        problem.document, plan, role=role, origin="rebuilt", hour=hour, node=node, warnings=problem.warnings
    )


def explain_anew(cloud: Cloud, workflow_id: str, *, hour: int | None = None, node: str | None = None) -> Explanation:
    """Solve a workflow by today's history and signals and explain what comes out; nothing is staged or noted.

    Raises:
        UnknownWorkflowError: There is no such workflow.
        NotEnoughDataError: There is no run or no signal yet, or a signal is too old.
        UsageError: The workflow has no such node.
    """
    record: WorkflowRecord = deployed_workflow(cloud, workflow_id)
    settings = with_configured_robustness(SolveSettings(), record.configuration)
    problem = build_workflow_problem(cloud, record, settings)
    solution = LoadedProblem(problem.document).solve(record.configuration.solver)
    now = cloud.now()
    plan = with_expectations(
        plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S),
        problem.document,
    )
    return explain_placements(
        problem.document, plan, role="anew", origin="anew", hour=hour, node=node, warnings=problem.warnings
    )


def explain_problem(problem: bytes, *, hour: int | None = None, node: str | None = None) -> Explanation:
    """Solve a problem document and explain what comes out; no cloud.

    Raises:
        InvalidProblemError: The document is refused; the error names the field.
        UsageError: The document has no such node.
    """
    loaded = LoadedProblem(problem)
    plan = plan_from_solution(loaded.solve(SOLVER), loaded.workflow, created_at=0.0, expires_at=0.0)
    return explain_placements(problem, plan, role="anew", origin="file", hour=hour, node=node)


def _find(cloud: Cloud, workflow_id: str, which: Literal["staged", "active"] | None) -> tuple[PlanRole, Plan]:
    plans = PlanStore(cloud)
    staged = None if which == "active" else plans.staged(workflow_id)
    if staged is not None:
        return "staged", staged
    if which == "staged":
        raise NotEnoughDataError(
            f"no plan of '{workflow_id}' is staged: 'multi_x_serverless solve {workflow_id}' stages one."
        )
    active = plans.active(workflow_id)
    if active is None:
        raise NotEnoughDataError(
            f"no plan of '{workflow_id}' is in force: 'multi_x_serverless deploy' puts the first one in force."
        )
    return "active", active
