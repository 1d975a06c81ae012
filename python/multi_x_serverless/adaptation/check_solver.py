"""`update_check_solver`: for which workflows a new plan pays, and staging it.

Every workflow is handled on its own: what goes wrong with one is in its decision.

1. Read its new logs. Fewer than `minimum_runs` complete runs in the last 30 days: wait for more.
2. Refresh the signals of its regions and solve.
3. Choose how many placements a day the new plan has, and which, switches included (`adaptation.day_schedule`).
4. Hold the new plan and the plan in force against today's limits, over the same scenarios. A plan that breaks fewer
   hard limits, or as many and fewer soft ones, is staged at once: limits are not weighed against gains.
5. Otherwise stage the new plan if the first objective (in order of priority) in which the two differ by more than
   `hysteresis` falls, and if the gain over the plan's life exceeds the overhead of getting there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.collection_warnings import warning_lines
from multi_x_serverless.adaptation.day_schedule import (
    DaySchedule,
    SwitchingPrices,
    choose_day_schedule,
    node_loads,
    runs_by_hour,
    scheduled_plan,
)
from multi_x_serverless.adaptation.ledger import DAY_S, Ledger
from multi_x_serverless.adaptation.overhead import Overhead, estimate_overhead, solve_spending
from multi_x_serverless.adaptation.signals import COLLECTORS, KEEP_PRICES_S, collect_signals, read_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, build_workflow_problem
from multi_x_serverless.adaptation.statistics import store_statistics
from multi_x_serverless.adaptation.workflows import deployed_workflow, find_workflows, log_sources, model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import MultiXServerlessError, OutOfTimeError
from multi_x_serverless.model.plan import Objective, Placement, Plan
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.observation.sync import sync_logs, unread_log_warning
from multi_x_serverless.solving.problem import Signals, SolveSettings
from multi_x_serverless.solving.schedule import HOURS_PER_DAY
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import plan_from_solution

RENEW_BEFORE_S = 86_400.0
"""A plan that expires within a day counts as none: it is compared with going home, and so renewed while it pays."""

SHORTEST_RATE_S = 86_400.0
"""A rate is read from a day of history at least: a burst of tests in an hour is not the rate of a week."""

TIME_TO_CLOSE_S = 60.0
"""What is left of a caller's time is kept for what follows a solve: two plans compared over 24 hours, some writes."""

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
    """What a change of plans gains in the objective that decides.

    Attributes:
        in_force: Mean of the objective per run, over the runs of the planned hours, under the plan in force, with the
            cold starts of its switches.
        planned: The same under the new plan.
        expected_runs: Runs over the new plan's life.
        routed_share: Part of them that follow the plan; the others are kept home as controls.
    """

    objective: Objective
    in_force: float
    planned: float
    expected_runs: float
    routed_share: float

    @property
    def fraction(self) -> float:
        """Relative gain; 0 when nothing can be gained."""
        return 0.0 if self.in_force <= 0 else 1.0 - self.planned / self.in_force

    @property
    def total(self) -> float:
        """Gain over the plan's life in the objective's unit."""
        return (self.in_force - self.planned) * self.expected_runs * self.routed_share


@dataclass(frozen=True)
class Decision:
    """What was decided for one workflow, and why, in a sentence.

    Attributes:
        runs: Complete runs of its graph in the last 30 days.
        warnings: What has to be said of the data that the decision rests on.
        error_code: Of the error that `reason` is about, if it failed.
        granularity: Placements a day of the new plan, if one was made.
        switches: How often in a day its placement changes.
    """

    workflow_id: str
    verdict: Verdict
    reason: str
    runs: int
    gain: Gain | None = None
    overhead: Overhead | None = None
    plan_version: int | None = None
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    granularity: int | None = None
    switches: int | None = None


def _unlimited() -> float:
    return math.inf


def check_solver(
    cloud: Cloud,
    settings: CheckSettings,
    *,
    workflow_ids: Sequence[str] = (),
    dry_run: bool = False,
    time_left_s: Callable[[], float] = _unlimited,
) -> tuple[Decision, ...]:
    """Decide for some or all deployed workflows.

    Args:
        workflow_ids: Only these; all deployed ones if empty.
        dry_run: Stage nothing.
        time_left_s: Seconds until the caller is ended: reading logs stops before that, and so does the solver, with
            the best plan that it has then.

    Raises:
        UnknownWorkflowError: A named workflow is not deployed.
    """
    if workflow_ids:
        records = tuple(deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids)
        return tuple(_decide_safely(cloud, record, settings, dry_run, time_left_s) for record in records)
    found = find_workflows(cloud)
    unreadable = [Decision(key, "failed", why, runs=0) for key, why in found.unreadable.items()]
    deployed = [record for record in found.readable if record.status == "deployed"]
    return (*unreadable, *(_decide_safely(cloud, record, settings, dry_run, time_left_s) for record in deployed))


def _decide_safely(
    cloud: Cloud, record: WorkflowRecord, settings: CheckSettings, dry_run: bool, time_left_s: Callable[[], float]
) -> Decision:
    try:
        return _Check(cloud, record, settings, time_left_s, is_dry_run=dry_run).decide()
    except MultiXServerlessError as error:
        return Decision(record.workflow_id, "failed", str(error), runs=0, error_code=error.code)


@dataclass(frozen=True)
class _Standing:
    """A plan over the problem's scenarios.

    Attributes:
        hard: Hard limits broken, summed over the hours.
        soft: Soft limits broken, summed over the hours.
        means: Of each objective per run, over the runs of the planned hours, cold starts of switches included.
    """

    hard: int
    soft: int
    means: Mapping[Objective, float]


@dataclass(frozen=True)
class _Day:
    """How a day goes.

    Attributes:
        runs_by_hour: Runs that follow a plan, by the UTC hour in which they start.
        switching: What a change of placements costs.
    """

    runs_by_hour: tuple[float, ...]
    switching: SwitchingPrices


class _Check:
    def __init__(
        self,
        cloud: Cloud,
        record: WorkflowRecord,
        settings: CheckSettings,
        time_left_s: Callable[[], float],
        *,
        is_dry_run: bool,
    ) -> None:
        self._cloud = cloud
        self._record = record
        self._settings = settings
        self._time_left_s = time_left_s
        self._is_dry_run = is_dry_run
        self._runs = 0
        self._warnings: tuple[str, ...] = ()
        self._schedule: DaySchedule | None = None

    def decide(self) -> Decision:
        cloud, record, workflow_id = self._cloud, self._record, self._record.workflow_id
        self._sync()
        since = cloud.now() - KEEP_DAYS * 86_400.0
        recent = History(cloud).runs(workflow_id, since=since)
        # The collectors learn from them, and whoever looks at the workflow sees what the decision rests on.
        store_statistics(cloud, record, recent)
        history = [run for run in recent if run.manifest_id == record.manifest_id]
        self._runs = number_of_runs(run for run in history if run.status == "complete")
        if self._runs < self._settings.minimum_runs:
            return self._decision(
                "wait",
                f"{self._runs} complete runs in the last {KEEP_DAYS} days, {self._settings.minimum_runs} are needed to "
                "learn from.",
            )
        reports = collect_signals(cloud, COLLECTORS, record.regions, kept_s=KEEP_PRICES_S)
        problem = build_workflow_problem(cloud, record, self._solve_settings())
        stale = [
            f"the {report.collector} data of {outcome.region} could not be refreshed ({outcome.error})."
            for report in reports
            for outcome in report.failures
        ]
        self._warnings = (*self._warnings, *stale, *warning_lines(reports), *problem.warnings)
        simulator = Simulator(problem.document)
        cpu_before = time.process_time()
        solution = simulator.problem.solve(record.configuration.solver)
        solve_cpu_s = time.process_time() - cpu_before
        now = cloud.now()
        signals = read_signals(cloud)
        Ledger(cloud).add(solve_spending(record, solve_cpu_s, signals, at=now))
        plan = plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S)
        expected_runs = self._expected_runs(history[0].started_at, number_of_runs(history), now)
        in_force = PlanStore(cloud).active(workflow_id)
        # One that is about to end counts as none: it is compared with going home, and so renewed while it pays.
        if in_force is not None and in_force.expires_at < now + RENEW_BEFORE_S:
            in_force = None
        placements = self._placements_in_force(simulator, in_force, plan)
        day = self._day(history, signals, expected_runs)
        if len(plan.hours) == HOURS_PER_DAY and not solution.is_infeasible_at_all_hours:
            self._schedule = choose_day_schedule(
                simulator,
                {entry.hour: entry.placement for entry in plan.hours},
                placements,
                day.runs_by_hour,
                day.switching,
                record.configuration.constraints.priority_order,
                hysteresis=self._settings.hysteresis,
                priority_tolerance=record.configuration.priority_tolerance,
            )
            plan = scheduled_plan(plan, self._schedule, problem.document)
        before = _standing(simulator, placements, day)
        after = _standing(simulator, {entry.hour: entry.placement for entry in plan.hours}, day)
        if solution.is_infeasible_at_all_hours:
            if all(placement == simulator.home for placement in placements.values()):
                return self._decision("keep", "no placement meets the hard limits at any hour; everything is home.")
            return self._stage(plan, "no placement meets the hard limits at any hour: everything goes home.")
        for kind, broken_now, broken_then in (("hard", before.hard, after.hard), ("soft", before.soft, after.soft)):
            counts = f"the plan in force breaks {broken_now} {kind} limits over the hours, the new one {broken_then}"
            if broken_then < broken_now:
                return self._stage(plan, f"{counts}.")
            if broken_then > broken_now:
                return self._decision("keep", f"{counts}.")
        overhead = estimate_overhead(record, plan, solve_cpu_s, signals, self._settings.solve.transmission)
        return self._weigh(plan, before, after, overhead, expected_runs)

    def _sync(self) -> None:
        record = self._record
        report = sync_logs(
            self._cloud,
            record.workflow_id,
            record.graph,
            log_sources(self._cloud, record),
            should_stop=lambda: self._time_left_s() <= TIME_TO_CLOSE_S,
        )
        if report.is_cut_short:
            raise OutOfTimeError("there was no time to read all new logs; the next check reads on and decides.")
        self._warnings = tuple(unread_log_warning(log) for log in report.unread)

    def _solve_settings(self) -> SolveSettings:
        """The settings with what is left of the caller's time as the deadline, if that is sooner."""
        settings, left_s = self._settings.solve, self._time_left_s() - TIME_TO_CLOSE_S
        if left_s <= 0:
            raise OutOfTimeError("there was no time left to solve; the next check does.")
        return settings if left_s >= settings.deadline_s else replace(settings, deadline_s=left_s)

    def _day(self, history: Sequence[ObservedRun], signals: Signals, expected_runs: float) -> _Day:
        """How runs and switches of placements are spread over a day."""
        record = self._record
        complete = [run for run in history if run.status == "complete"]
        routed = expected_runs * DAY_S / PLAN_LIFETIME_S * (1.0 - record.configuration.home_share)
        return _Day(
            runs_by_hour(history, routed),
            SwitchingPrices(node_loads(model_of(record), complete), signals),
        )

    def _placements_in_force(self, simulator: Simulator, in_force: Plan | None, plan: Plan) -> dict[int, Placement]:
        """What runs would follow without the new plan: at home where a plan does not fit the workflow any more."""
        placements: dict[int, Placement] = {}
        for entry in plan.hours:
            placement = simulator.home if in_force is None else in_force.at(entry.hour).placement
            is_allowed = placement.keys() == simulator.frame.allowed.keys() and all(
                region in simulator.frame.allowed[node] for node, region in placement.items()
            )
            placements[entry.hour] = placement if is_allowed else simulator.home
        return placements

    def _weigh(
        self, plan: Plan, before: _Standing, after: _Standing, overhead: Overhead, expected_runs: float
    ) -> Decision:
        configuration = self._record.configuration
        threshold = self._settings.hysteresis
        gains = [
            Gain(
                objective,
                before.means[objective],
                after.means[objective],
                expected_runs,
                1.0 - configuration.home_share,
            )
            for objective in configuration.constraints.priority_order
        ]
        # What the new plan gives up of an objective within its tolerance it may, for the next one.
        allowed = max(threshold, configuration.priority_tolerance)
        gain = next((gain for gain in gains if gain.fraction > threshold or gain.fraction < -allowed), None)
        if gain is None:
            return self._decision(
                "keep",
                f"in no objective is the new plan better than the one in force by more than the threshold of "
                f"{threshold * 100:.1f} %.",
                gains[0],
                overhead,
            )
        unit = {"carbon": "gCO2eq", "cost": "USD", "runtime": "s"}[gain.objective]
        verb = "falls" if gain.fraction >= 0 else "rises"
        described = f"{gain.objective} {verb} by {abs(gain.fraction) * 100:.1f} % a run"
        if gain.fraction <= threshold:
            return self._decision("keep", f"{described} under the new plan.", gain, overhead)
        if gain.objective == "runtime":
            return self._stage(plan, f"{described}; time is not weighed against overhead.", gain, overhead)
        cost_of_change = overhead.carbon_gco2eq if gain.objective == "carbon" else overhead.cost_usd
        balance = (
            f"{gain.total:.3g} {unit} over {gain.expected_runs:.0f} expected runs, of which "
            f"{gain.routed_share * 100:.0f} % follow the plan, against {cost_of_change:.3g} {unit} of overhead"
        )
        if gain.total <= cost_of_change:
            return self._decision("keep", f"{described}, but {balance} does not pay.", gain, overhead)
        return self._stage(plan, f"{described}: {balance}.", gain, overhead)

    def _expected_runs(self, first_at: float, runs: int, now: float) -> float:
        """Runs over a plan's life: at the rate of the history, or as the developer estimates while that is short."""
        observed_s = now - first_at
        if observed_s < SHORTEST_RATE_S:
            return self._record.configuration.estimated_invocations_per_month * PLAN_LIFETIME_S / (30.0 * 86_400.0)
        return runs / observed_s * PLAN_LIFETIME_S

    def _stage(self, plan: Plan, reason: str, gain: Gain | None = None, overhead: Overhead | None = None) -> Decision:
        if self._is_dry_run:
            return self._decision("would stage", reason, gain, overhead)
        staged = PlanStore(self._cloud).stage(plan)
        return self._decision("staged", reason, gain, overhead, staged.version)

    def _decision(
        self,
        verdict: Verdict,
        reason: str,
        gain: Gain | None = None,
        overhead: Overhead | None = None,
        plan_version: int | None = None,
    ) -> Decision:
        schedule = self._schedule
        return Decision(
            self._record.workflow_id,
            verdict,
            reason,
            self._runs,
            gain,
            overhead,
            plan_version,
            self._warnings,
            granularity=None if schedule is None else schedule.granularity,
            switches=None if schedule is None else schedule.switches,
        )


def _standing(simulator: Simulator, placements: Mapping[int, Placement], day: _Day) -> _Standing:
    hours = [simulator.at(placement, hour) for hour, placement in placements.items()]
    runs = [day.runs_by_hour[hour] for hour in placements]
    is_whole_day = len(hours) == HOURS_PER_DAY
    broken = [check.kind for entry in hours for check in entry.limits if check.is_violated]
    objectives: tuple[Objective, ...] = ("carbon", "cost", "runtime")
    return _Standing(
        broken.count("hard"),
        broken.count("soft"),
        {
            objective: (
                sum(count * entry.metrics.of(objective).mean for count, entry in zip(runs, hours, strict=True))
                + (day.switching.of_day(placements, objective, day.runs_by_hour) if is_whole_day else 0.0)
            )
            / sum(runs)
            for objective in objectives
        },
    )
