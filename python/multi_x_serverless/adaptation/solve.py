"""Solving one deployed workflow from its history and the signals, and staging the plan."""

from __future__ import annotations

import time
from dataclasses import dataclass

from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.overhead import solve_spending
from multi_x_serverless.adaptation.signals import check_ages, read_signals
from multi_x_serverless.adaptation.staging import StagedPlan, stage_plan
from multi_x_serverless.adaptation.workflows import deployed_workflow, model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.engine import solve_problem
from multi_x_serverless.solving.problem import SolveSettings, build_problem, regions_of
from multi_x_serverless.solving.solution import Solution, plan_from_solution

PLAN_LIFETIME_S = 7 * 86_400.0
"""A plan rests on the intensities of a day like those of the week before; after a week it is out of date."""


@dataclass(frozen=True)
class SolveOutcome:
    """A solved workflow.

    Attributes:
        problem: The problem document that was solved.
        plan: The plan; numbered if it was staged.
        is_staged: Whether it waits for `update_check_deployment`.
        warnings: What has to be said of the data that it rests on, besides the solution's own.
    """

    record: WorkflowRecord
    problem: bytes
    solution: Solution
    plan: Plan
    is_staged: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class WorkflowProblem:
    """The problem document of a deployed workflow, and what has to be said of the data in it."""

    document: bytes
    warnings: tuple[str, ...]


def build_workflow_problem(cloud: Cloud, record: WorkflowRecord, settings: SolveSettings) -> WorkflowProblem:
    """The problem document of a deployed workflow.

    Raises:
        NotEnoughDataError: There is no run or no signal yet, or a signal is too old.
    """
    since = cloud.now() - KEEP_DAYS * 86_400.0
    runs = History(cloud).runs(record.workflow_id, since=since)
    signals = read_signals(cloud)
    model = model_of(record)
    warnings = check_ages(signals, regions_of(model), cloud.now())
    return WorkflowProblem(build_problem(model, runs, signals, settings), warnings)


def solve_workflow(
    cloud: Cloud,
    workflow_id: str,
    *,
    solver: str | None = None,
    settings: SolveSettings,
    stage: bool = True,
    threads: int | None = None,
    frontier: float | None = None,
) -> SolveOutcome:
    """Find the best plan and stage it.

    Nothing is staged when at no hour any placement meets the hard limits: the workflow stays where it is.

    Args:
        solver: ``fine-grained``, ``coarse-grained`` or ``heuristic``; the configuration's if `None`.
        stage: Whether to stage the plan.
        frontier: Adds to each hour of the solution its Pareto frontier within this fraction.
    """
    record = deployed_workflow(cloud, workflow_id)
    problem = build_workflow_problem(cloud, record, settings)
    cpu_before = time.process_time()
    solution = solve_problem(
        problem.document, solver or record.configuration.solver, threads=threads, frontier=frontier
    )
    cpu_s = time.process_time() - cpu_before
    now = cloud.now()
    Ledger(cloud).add(solve_spending(record, cpu_s, read_signals(cloud), at=now))
    plan = plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S)
    is_staged = stage and not solution.is_infeasible_at_all_hours
    staged = stage_plan(cloud, plan, problem.document) if is_staged else StagedPlan(plan, ())
    return SolveOutcome(
        record=record,
        problem=problem.document,
        solution=solution,
        plan=staged.plan,
        is_staged=is_staged,
        warnings=(*problem.warnings, *staged.warnings),
    )
