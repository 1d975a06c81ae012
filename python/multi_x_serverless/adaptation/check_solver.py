"""`update_check_solver`: for which workflows a new plan pays, and staging it.

Every workflow is handled on its own: what goes wrong with one is in its decision.

1. Read its new logs. Fewer than `minimum_runs` runs in the last 30 days: wait for more.
2. Refresh the signals of its regions and solve.
3. Stage the plan if the first objective's mean falls by more than `hysteresis` against what the plan in force would
   give under the same scenarios, and if the gain over the plan's life exceeds the overhead of getting there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.overhead import Overhead, estimate_overhead
from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals, read_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, build_workflow_problem
from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.plan import Objective, Plan
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.observation.sync import sync_logs
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.solution import plan_from_solution

RENEW_BEFORE_S = 86_400.0
"""A plan that expires within a day counts as none: it is compared with going home, and so renewed while it pays."""

SHORTEST_RATE_S = 86_400.0
"""A rate is read from a day of history at least: a burst of tests in an hour is not the rate of a week."""

Verdict: TypeAlias = Literal["staged", "would stage", "keep", "wait", "failed"]


@dataclass(frozen=True)
class CheckSettings:
    """When a new plan pays.

    Attributes:
        minimum_runs: Runs in the last 30 days below which nothing is solved.
        hysteresis: Relative gain of the first objective below which the plan in force stays.
    """

    minimum_runs: int = 100
    hysteresis: float = 0.01
    solve: SolveSettings = field(default_factory=SolveSettings)


@dataclass(frozen=True)
class Gain:
    """Mean of the first objective per run, over the 24 hours: plan in force and new plan, and runs expected."""

    objective: Objective
    in_force: float
    planned: float
    expected_runs: float

    @property
    def fraction(self) -> float:
        """Relative gain; 0 when nothing can be gained."""
        return 0.0 if self.in_force <= 0 else 1.0 - self.planned / self.in_force

    @property
    def total(self) -> float:
        """Gain over the plan's life in the objective's unit."""
        return (self.in_force - self.planned) * self.expected_runs


@dataclass(frozen=True)
class Decision:
    """What was decided for one workflow, and why, in a sentence."""

    workflow_id: str
    verdict: Verdict
    reason: str
    runs: int
    gain: Gain | None = None
    overhead: Overhead | None = None
    plan_version: int | None = None


def check_solver(
    cloud: Cloud, settings: CheckSettings, *, workflow_ids: Sequence[str] = (), dry_run: bool = False
) -> tuple[Decision, ...]:
    """Decide for some or all deployed workflows.

    Args:
        workflow_ids: Only these; all deployed ones if empty.
        dry_run: Stage nothing.

    Raises:
        UnknownWorkflowError: A named workflow is not deployed.
    """
    records = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids] or deployed_workflows(cloud)
    return tuple(_decide_safely(cloud, record, settings, dry_run=dry_run) for record in records)


def _decide_safely(cloud: Cloud, record: WorkflowRecord, settings: CheckSettings, *, dry_run: bool) -> Decision:
    try:
        return _decide(cloud, record, settings, dry_run=dry_run)
    except MultiXServerlessError as error:
        return Decision(record.workflow_id, "failed", str(error), runs=0)


def _decide(cloud: Cloud, record: WorkflowRecord, settings: CheckSettings, *, dry_run: bool) -> Decision:
    workflow_id = record.workflow_id
    sync_logs(cloud, workflow_id, record.graph, log_sources(cloud, record))
    since = cloud.now() - KEEP_DAYS * 86_400.0
    history = [run for run in History(cloud).runs(workflow_id, since=since) if run.manifest_id == record.manifest_id]
    runs = len(history)
    if runs < settings.minimum_runs:
        reason = f"{runs} runs in the last {KEEP_DAYS} days, {settings.minimum_runs} are needed to learn from."
        return Decision(workflow_id, "wait", reason, runs)
    collect_signals(cloud, COLLECTORS, record.regions)
    problem = LoadedProblem(build_workflow_problem(cloud, record, settings.solve))
    solution = problem.solve(record.configuration.solver)
    if solution.is_infeasible_at_all_hours:
        return Decision(workflow_id, "keep", "no placement meets the hard limits at any hour.", runs)
    now = cloud.now()
    plan = plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S)
    plans = PlanStore(cloud)
    in_force = plans.active(workflow_id)
    if in_force is not None and in_force.expires_at < now + RENEW_BEFORE_S:
        in_force = None
    expected_runs = _runs_expected(record, history[0].started_at, runs, now)
    gain = _gain(problem, record.configuration.home_region, in_force, plan, expected_runs)
    overhead = estimate_overhead(record, plan, solution.elapsed_s, read_signals(cloud), settings.solve.transmission)
    unit = {"carbon": "gCO2eq", "cost": "USD", "runtime": "s"}[gain.objective]
    described = f"{gain.objective} falls by {gain.fraction * 100:.1f} % a run"
    if gain.fraction <= settings.hysteresis:
        reason = f"{described}, less than the threshold of {settings.hysteresis * 100:.1f} %."
        return Decision(workflow_id, "keep", reason, runs, gain, overhead)
    cost_of_change = {"carbon": overhead.carbon_gco2eq, "cost": overhead.cost_usd, "runtime": 0.0}[gain.objective]
    balance = (
        f"{gain.total:.3g} {unit} over {gain.expected_runs:.0f} expected runs against {cost_of_change:.3g} {unit} "
        "of overhead"
    )
    if gain.total <= cost_of_change:
        return Decision(workflow_id, "keep", f"{described}, but {balance} does not pay.", runs, gain, overhead)
    if dry_run:
        return Decision(workflow_id, "would stage", f"{described}: {balance}.", runs, gain, overhead)
    staged = plans.stage(plan)
    return Decision(
        workflow_id, "staged", f"{described}: {balance}.", runs, gain, overhead, plan_version=staged.version
    )


def _runs_expected(record: WorkflowRecord, first_at: float, runs: int, now: float) -> float:
    """Runs over a plan's life: at the rate of the history, or what the developer estimates while that is too short."""
    observed_s = now - first_at
    if observed_s < SHORTEST_RATE_S:
        return record.configuration.estimated_invocations_per_month * PLAN_LIFETIME_S / (30.0 * 86_400.0)
    return runs / observed_s * PLAN_LIFETIME_S


def _gain(problem: LoadedProblem, home_region: str, in_force: Plan | None, plan: Plan, expected_runs: float) -> Gain:
    """Both plans over the same scenarios, so that chance does not speak for either."""
    objective = plan.hours[0].certificate.objective
    home = dict.fromkeys(problem.nodes, home_region)
    planned = now_in_force = 0.0
    for entry in plan.hours:
        placement = home if in_force is None else in_force.at(entry.hour).placement
        planned += problem.evaluate(entry.placement, entry.hour).of(objective).mean / len(plan.hours)
        now_in_force += problem.evaluate(placement, entry.hour).of(objective).mean / len(plan.hours)
    return Gain(objective, now_in_force, planned, expected_runs)
