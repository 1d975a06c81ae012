"""Solving one deployed workflow from its history and the signals, and staging the plan."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial

from multi_x_serverless.adaptation.interruption import telling_what_is_left
from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.adaptation.overhead import solve_spending
from multi_x_serverless.adaptation.picking import pick_point
from multi_x_serverless.adaptation.relearning import learnable_runs
from multi_x_serverless.adaptation.robustness import (
    placements_without_intervals,
    plan_without_robustness,
    with_configured_robustness,
)
from multi_x_serverless.adaptation.signals import check_ages, read_signals
from multi_x_serverless.adaptation.staging import StagedPlan, stage_plan
from multi_x_serverless.adaptation.workflows import deployed_workflow, model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore, Waiting
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.frontier import HourFrontier
from multi_x_serverless.solving.problem import SolveSettings, build_problem, regions_of
from multi_x_serverless.solving.robust import RobustSettings
from multi_x_serverless.solving.solution import Solution, plan_from_solution

PLAN_LIFETIME_S = 7 * DAY_S
ALL_STAY_HOME = (
    "home_share is 1: every run stays home, so no run will follow this plan. A smaller share, 0.1 for example, and a "
    "'deploy' let runs follow it."
)
"""A plan rests on the intensities of a day like those of the week before; after a week it is out of date."""


@dataclass(frozen=True)
class SolveOutcome:
    """A solved workflow.

    Attributes:
        problem: The problem document that was solved.
        frontier: Of the hour for which trade-offs were asked.
        plan: The plan, of the solution or of the point that was picked; numbered if it was staged. Its metrics are what
            is expected, also where those of the solution are of the case least favourable to moving.
        plain: What a robust plan would be without its intervals, for comparison; `None` if the plan is not robust.
        is_staged: Whether it waits for `update_check_deployment`.
        in_force: The plan that runs follow away from home now; `None` if they stay there.
        warnings: What has to be said of the data that it rests on, besides the solution's own.
    """

    record: WorkflowRecord
    problem: bytes
    solution: Solution
    frontier: HourFrontier | None
    plan: Plan
    plain: Plan | None
    is_staged: bool
    in_force: Plan | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class WorkflowProblem:
    """The problem document of a deployed workflow.

    Attributes:
        warnings: What has to be said of the data in it.
        runs: Complete ones that it was made of.
    """

    document: bytes
    warnings: tuple[str, ...]
    runs: tuple[ObservedRun, ...]


def build_workflow_problem(
    cloud: Cloud, record: WorkflowRecord, settings: SolveSettings, *, runs: tuple[ObservedRun, ...] | None = None
) -> WorkflowProblem:
    """The problem document of a deployed workflow.

    Args:
        runs: Its runs of the last 30 days, if they were read already; see `relearning` for which of them are used.

    Raises:
        NotEnoughDataError: There is no run or no signal yet, or a signal is too old.
        UsageError: An interval does not hold what is expected.
    """
    if runs is None:
        runs = History(cloud).runs(record.workflow_id, since=cloud.now() - KEEP_DAYS * DAY_S)
    signals = read_signals(cloud)
    model = model_of(record)
    warnings = check_ages(signals, regions_of(model), cloud.now())
    if record.configuration.home_share >= 1.0:
        warnings = (*warnings, ALL_STAY_HOME)
    learned = learnable_runs(record, runs)
    document = build_problem(model, learned.runs, signals, settings, remark_on_runs=learned.remark)
    return WorkflowProblem(document, warnings, learned.runs)


@dataclass(frozen=True)
class TradeOffs:
    """What is wanted of the Pareto frontier of an hour.

    Attributes:
        hour: UTC hour; the first planned one if `None`.
        tolerance: Fraction by which a placement that is left out may be better in a metric.
        pick: Number, from 1, of the point to stage at all hours instead of the plan; `None` for none.
    """

    hour: int | None = None
    tolerance: float = 0.01
    pick: int | None = None


def solve_workflow(
    cloud: Cloud,
    workflow_id: str,
    *,
    solver: str | None = None,
    settings: SolveSettings,
    is_robust: bool | None = None,
    stage: bool = True,
    threads: int | None = None,
    frontier: float | None = None,
    trade_offs: TradeOffs | None = None,
) -> SolveOutcome:
    """Find the best plan and stage it.

    Nothing is staged when at no hour any placement meets the hard limits: the workflow stays where it is.

    Args:
        solver: ``fine-grained``, ``coarse-grained`` or ``heuristic``; the configuration's if `None`.
        settings: How to solve; with intervals, `is_robust` does not matter.
        is_robust: Whether to plan for the case least favourable to moving; as the configuration says if `None`.
        stage: Whether to stage the plan.
        frontier: Adds to each hour of the solution its Pareto frontier within this fraction.
        trade_offs: Adds the Pareto frontier of one hour, and stages a point of it if one is picked.

    Raises:
        UnknownWorkflowError: There is no such workflow, or it was removed meanwhile.
        ConflictError: Another command works on the workflow, or it was deployed anew meanwhile: nothing was staged.
        NotEnoughDataError: There is no run or no signal yet, or a signal is too old.
        UsageError: There is no such hour or point, or an interval does not hold what is expected.
        LimitsNotMetError: The point that was picked breaks a hard limit at some hour.
        WorkInterruptedError: Ctrl-C; the error says whether a plan is staged.
    """
    record = deployed_workflow(cloud, workflow_id)
    waiting = PlanStore(cloud).waiting(workflow_id)
    if is_robust is None:
        settings = with_configured_robustness(settings, record.configuration)
    elif is_robust and settings.robust is None:
        settings = replace(settings, robust=RobustSettings())
    solver = solver or record.configuration.solver
    with telling_what_is_left(partial(_left_of_solve, cloud, workflow_id, waiting)):
        problem = build_workflow_problem(cloud, record, settings)
        cpu_before = time.process_time()
        loaded = LoadedProblem(problem.document)
        solution = loaded.solve(solver, threads=threads, frontier=frontier)
        of_hour = (
            None
            if trade_offs is None
            else loaded.frontier_beside(solution, trade_offs.hour, tolerance=trade_offs.tolerance)
        )
        without_intervals = (
            None
            if settings.robust is None
            else placements_without_intervals(
                problem.document,
                solver,
                deadline_s=settings.deadline_s,
                taken_s=solution.elapsed_s,
                threads=threads,
            )
        )
        cpu_s = time.process_time() - cpu_before
        now = cloud.now()
        # Before the plan is staged: also what comes to no plan took it.
        unnoted = note(cloud, "the solve", lambda signals: solve_spending(record, cpu_s, signals, at=now))
        plan = plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S)
        picked = None
        if of_hour is not None and trade_offs is not None and trade_offs.pick is not None:
            picked = pick_point(problem.document, plan, of_hour, trade_offs.pick)
            plan = picked.plan
        plan = with_expectations(plan, problem.document)
        plain = (
            None if without_intervals is None else plan_without_robustness(plan, without_intervals, problem.document)
        )
        is_staged = stage and not solution.is_infeasible_at_all_hours
        staged = stage_plan(cloud, record, plan, problem.document) if is_staged else StagedPlan(plan, ())
        return SolveOutcome(
            record=record,
            problem=problem.document,
            solution=solution,
            frontier=of_hour,
            plan=staged.plan,
            plain=plain,
            is_staged=is_staged,
            in_force=_in_force_away(cloud, record),
            warnings=(
                *problem.warnings,
                *(() if picked is None else picked.warnings),
                *staged.warnings,
                *((unnoted,) if unnoted else ()),
            ),
        )


def _left_of_solve(cloud: Cloud, workflow_id: str, before: Waiting | None) -> str:
    """What a solve that was interrupted has left.

    Args:
        before: The plan that waited when it began.

    Raises:
        MultiXServerlessError: The cloud cannot be read.
    """
    waiting = PlanStore(cloud).waiting(workflow_id)
    if waiting is None:
        return "no plan was staged."
    if before is not None and waiting.version == before.version:
        return f"no plan was staged; plan {waiting.version} of before still waits for 'update_check_deployment'."
    return (
        f"plan {waiting.version} of {workflow_id} is staged: 'multi_x_serverless explain {workflow_id}' says why it is "
        "so, 'multi_x_serverless update_check_deployment' puts it in force."
    )


def _in_force_away(cloud: Cloud, record: WorkflowRecord) -> Plan | None:
    """The plan in force, if it has anything away from home."""
    plan = PlanStore(cloud).active(record.workflow_id)
    is_away = plan is not None and cloud.now() < plan.expires_at and plan.regions != {record.home_region}
    return plan if is_away else None
