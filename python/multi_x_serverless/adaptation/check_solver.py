"""`update_check_solver`: for which workflows a new plan pays, and staging it.

Every workflow is handled on its own: what goes wrong with one is in its decision.

1. Read its new logs. Fewer than `minimum_runs` complete runs in the last 30 days, or none for as long as a plan lives:
   wait for more.
2. Refresh the signals of its regions and solve.
3. Choose how many placements a day the new plan has, and which, switches included (`adaptation.day_schedule`).
4. Hold the new plan and the plan in force against today's limits, over the same scenarios. A plan that breaks fewer
   hard limits, or as many and fewer soft ones, is staged at once: limits are not weighed against gains. On the last day
   of the plan in force, home, where runs will go, is held against them and weighed as well: it is enough to break fewer
   than home.
5. Otherwise stage the new plan if the first objective (in order of priority) in which the two differ by more than
   `hysteresis` falls, and if the gain over the plan's life exceeds the overhead of getting there.

A check that keeps what is in force withdraws the plan that an earlier check staged, if it still waits; one that would
stage what waits already leaves that (`adaptation.staging`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from multi_x_serverless.adaptation.check_closing import CheckClosing, SeenRuns
from multi_x_serverless.adaptation.check_work import CheckWork
from multi_x_serverless.adaptation.collection_warnings import warning_lines
from multi_x_serverless.adaptation.day_schedule import (
    SOME_RUNS,
    Day,
    DaySchedule,
    SignalPrices,
    SwitchingPrices,
    choose_day_schedule,
    node_loads,
    runs_by_hour,
    scheduled_plan,
)
from multi_x_serverless.adaptation.decision import Decision, Outcome
from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.adaptation.overhead import Overhead, estimate_overhead, solve_spending
from multi_x_serverless.adaptation.renewal import renewal_at
from multi_x_serverless.adaptation.robustness import robustness_lost, with_configured_robustness
from multi_x_serverless.adaptation.signals import COLLECTORS, KEEP_LEARNED_S, KEEP_PRICES_S, read_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, build_workflow_problem
from multi_x_serverless.adaptation.staging import equal_waiting, overruled, stage_plan, withdraw
from multi_x_serverless.adaptation.statistics import store_statistics
from multi_x_serverless.adaptation.upkeep import collect_for_workflows, sync_workflow
from multi_x_serverless.adaptation.weighing import (
    Gain,
    Terms,
    Verdict,
    home_without_choice,
    standing,
    weigh_limits,
    weigh_objectives,
)
from multi_x_serverless.adaptation.workflows import (
    UnreadableWorkflow,
    deployed_workflow,
    each_deployed_workflow,
    model_of,
    runs_of_graph,
)
from multi_x_serverless.cloud.locks import Lease, check_lock, lock
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import OutOfTimeError
from multi_x_serverless.model.plan import Placement, Plan
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.observation.sync import unread_log_warning
from multi_x_serverless.solving.problem import Signals, SolveSettings
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import plan_from_solution

SHORTEST_RATE_S = DAY_S
"""A rate is read from a day of history at least: a burst of tests in an hour is not the rate of a week."""

TIME_TO_CLOSE_S = 60.0
"""What is left of a caller's time is kept for what follows a solve: two plans compared over 24 hours, some writes."""


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
    return tuple(
        Decision(found.workflow_id, "failed", found.why, runs=0)
        if isinstance(found, UnreadableWorkflow)
        else _decide_safely(cloud, found, settings, dry_run, time_left_s)
        for found in each_deployed_workflow(cloud)
    )


def _decide_safely(
    cloud: Cloud, record: WorkflowRecord, settings: CheckSettings, dry_run: bool, time_left_s: Callable[[], float]
) -> Decision:
    check = _Check(cloud, record, settings, time_left_s, is_dry_run=dry_run)
    try:
        # Two at once, of whatever caller, would both solve, and stage the same plan twice. A dry run stages nothing.
        with nullcontext() if dry_run else lock(cloud, check_lock(record.workflow_id)) as lease:
            # It may have been removed or deployed anew since it was read; while the lock is held it is not removed.
            current = deployed_workflow(cloud, record.workflow_id)
            check = _Check(cloud, current, settings, time_left_s, is_dry_run=dry_run)
            return check.close(check.decide(lease))
    except Exception as error:  # noqa: BLE001  # also a defect that the data of one workflow meets stops no other
        return check.failed(error)


@dataclass(frozen=True)
class _Candidate:
    """A new plan, and what it is weighed by.

    Attributes:
        is_infeasible: Whether there is at no hour a placement that meets the hard limits, from the solver or in force.
        is_proven_infeasible: Whether there is none in truth.
        simulator: Of the problem that it was made of.
        day: How runs are spread over the hours, and what switches cost.
        solve_cpu_s: Processor seconds that finding it took.
        expected_runs: Over its life.
    """

    plan: Plan
    is_infeasible: bool
    is_proven_infeasible: bool
    simulator: Simulator
    day: Day
    signals: Signals
    solve_cpu_s: float
    expected_runs: float


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
        self._lease: Lease | None = None
        self._warnings: tuple[str, ...] = ()
        self._schedule: DaySchedule | None = None
        self._problem = b""
        self._in_force: Plan | None = None
        self._seen = SeenRuns()
        self._work = CheckWork(cloud, record)
        self._closing = CheckClosing(cloud, record, self._work, settings.solve.transmission, is_dry_run=is_dry_run)

    def close(self, decision: Decision) -> Decision:
        """See `CheckClosing.decided`."""
        return self._closing.decided(decision, self._seen)

    def failed(self, error: Exception) -> Decision:
        """See `CheckClosing.failed`."""
        return self._closing.failed(error, self._runs, self._warnings)

    def decide(self, lease: Lease | None) -> Decision:
        """Decide, under the lock of checks unless nothing is to change."""
        self._lease = lease
        cloud, record, workflow_id = self._cloud, self._record, self._record.workflow_id
        self._sync()
        since = cloud.now() - KEEP_DAYS * DAY_S
        recent = History(cloud).runs(workflow_id, since=since)
        # The collectors learn from them, and whoever looks at the workflow sees what the decision rests on.
        store_statistics(cloud, record, recent)
        history = runs_of_graph(record, recent)
        self._runs = number_of_runs(run for run in history if run.status == "complete")
        self._seen = SeenRuns(recent, history, self._settings.minimum_runs - self._runs)
        if self._runs < self._settings.minimum_runs:
            return self._decision(
                "wait",
                f"{self._runs} complete runs in the last {KEEP_DAYS} days, {self._settings.minimum_runs} are needed to "
                "learn from.",
            )
        if history[-1].started_at < cloud.now() - PLAN_LIFETIME_S:
            days = PLAN_LIFETIME_S / DAY_S
            return self._decision("wait", f"no run in the last {days:.0f} days: nothing would follow a new plan.")
        with self._work.noted_elsewhere():
            collected = collect_for_workflows(
                cloud, COLLECTORS, record.regions, (record,), kept_s=KEEP_PRICES_S, learned_kept_s=KEEP_LEARNED_S
            )
        problem = build_workflow_problem(cloud, record, self._solve_settings(), runs=recent)
        self._problem = problem.document
        stale = [
            f"the {report.collector} data of {outcome.region} could not be refreshed ({outcome.error})."
            for report in collected.reports
            for outcome in report.failures
        ]
        self._warn(*collected.warnings, *stale, *warning_lines(collected.reports), *problem.warnings)
        simulator = Simulator(problem.document)
        with self._work.noted_elsewhere():
            cpu_before = time.process_time()
            solution = simulator.problem.solve(record.configuration.solver)
            solve_cpu_s = time.process_time() - cpu_before
        now = cloud.now()
        signals = read_signals(cloud)
        self._warn(note(cloud, "the solve", lambda priced: solve_spending(record, solve_cpu_s, priced, at=now)))
        plan = plan_from_solution(solution, workflow_id, created_at=now, expires_at=now + PLAN_LIFETIME_S)
        expected_runs = self._expected_runs(history, now)
        in_force = PlanStore(cloud).active(workflow_id)
        if in_force is not None and now >= in_force.expires_at:
            in_force = None
        self._in_force = in_force
        placements = self._placements_in_force(simulator, in_force, plan)
        day = self._day(history, problem.runs, signals, expected_runs)
        if len(plan.hours) == HOURS_PER_DAY:
            # Also where the solver has found nothing: what is in force may keep the limits.
            self._schedule = choose_day_schedule(
                simulator,
                {entry.hour: entry.placement for entry in plan.hours},
                placements,
                day.runs_by_hour,
                day.switching,
                record.configuration.constraints.priority_order,
                hysteresis=self._settings.hysteresis,
                priority_tolerance=record.configuration.priority_tolerance,
                bounds={entry.hour: entry.bounds for entry in solution.hours if entry.status != "infeasible"},
            )
            plan = scheduled_plan(plan, self._schedule, problem.document)
        plan = with_expectations(plan, problem.document)
        is_infeasible = solution.is_infeasible_at_all_hours and plan.is_all_in(record.home_region)
        if is_infeasible:
            self._schedule = None
        candidate = _Candidate(
            plan=plan,
            is_infeasible=is_infeasible,
            is_proven_infeasible=all(entry.is_proven_infeasible for entry in solution.hours),
            simulator=simulator,
            day=day,
            signals=signals,
            solve_cpu_s=solve_cpu_s,
            expected_runs=expected_runs,
        )
        return self._weigh(candidate, in_force, placements)

    def _weigh(self, new: _Candidate, in_force: Plan | None, placements: Mapping[int, Placement]) -> Decision:
        """Whether a new plan is staged.

        Args:
            in_force: `None` if none is, or if it has expired.
            placements: UTC hour -> where runs go without the new plan, for the planned hours.
        """
        simulator, day, configuration = new.simulator, new.day, self._record.configuration
        if new.is_infeasible:
            is_home = all(placement == simulator.home for placement in placements.values())
            verdict = home_without_choice(new.plan.solver, is_home=is_home, is_proven=new.is_proven_infeasible)
            return self._follow(new.plan, verdict)
        before = standing(simulator, placements, day)
        after = standing(simulator, {entry.hour: entry.placement for entry in new.plan.hours}, day)
        # A plan that is about to end counts as none besides: runs will go home, and it is renewed while that pays.
        home = None
        if in_force is not None and self._cloud.now() >= renewal_at(in_force):
            home = standing(simulator, dict.fromkeys(placements, simulator.home), day)
        by_limits = weigh_limits(before, after, home)
        if by_limits is not None:
            return self._follow(new.plan, by_limits)
        preset = self._settings.solve.transmission
        overhead = estimate_overhead(self._record, new.plan, new.solve_cpu_s, new.signals, preset)
        terms = Terms(
            order=configuration.constraints.priority_order,
            hysteresis=self._settings.hysteresis,
            tolerance=configuration.priority_tolerance,
            expected_runs=new.expected_runs,
            routed_share=1.0 - configuration.home_share,
        )
        verdict = weigh_objectives(before if home is None else home, after, terms, overhead)
        if in_force is not None and home is not None:
            against = f"against home, where runs go when plan {in_force.version} ends: "
            verdict = replace(verdict, reason=f"{against}{verdict.reason}")
        if new.plan.robust is not None and verdict.gain is not None and verdict.gain.objective == "carbon":
            verdict = replace(verdict, reason=f"{LEAST_FAVOURABLE}: {verdict.reason}")
        return self._follow(new.plan, verdict, overhead)

    def _warn(self, *sentences: str) -> None:
        """Say something of the data or the account with the decision; an empty sentence says nothing."""
        self._warnings += tuple(sentence for sentence in sentences if sentence)

    def _sync(self) -> None:
        record = self._record
        with self._work.noted_elsewhere():
            synced = sync_workflow(self._cloud, record, should_stop=lambda: self._time_left_s() <= TIME_TO_CLOSE_S)
        self._warn(synced.warning, *(unread_log_warning(log) for log in synced.report.unread))
        if synced.report.is_cut_short:
            raise OutOfTimeError("there was no time to read all new logs; the next check reads on and decides.")

    def _solve_settings(self) -> SolveSettings:
        """The settings with what is left of the caller's time as the deadline, if that is sooner."""
        settings = with_configured_robustness(self._settings.solve, self._record.configuration)
        left_s = self._time_left_s() - TIME_TO_CLOSE_S
        if left_s <= 0:
            raise OutOfTimeError("there was no time left to solve; the next check does.")
        return settings if left_s >= settings.deadline_s else replace(settings, deadline_s=left_s)

    def _day(
        self, history: Sequence[ObservedRun], learned: Sequence[ObservedRun], signals: Signals, expected_runs: float
    ) -> Day:
        """How runs and switches of placements are spread over a day."""
        record = self._record
        routed = expected_runs * DAY_S / PLAN_LIFETIME_S * (1.0 - record.configuration.home_share)
        return Day(
            runs_by_hour(history, max(routed, SOME_RUNS)),
            SwitchingPrices(node_loads(model_of(record), learned), SignalPrices(signals)),
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

    def _expected_runs(self, history: Sequence[ObservedRun], now: float) -> float:
        """Runs over a plan's life: as many as in a stretch as long before it, which load of weeks ago does not distort.

        While the history is shorter, at its rate; while it is shorter than a day, as the developer estimates.
        """
        observed_s = min(PLAN_LIFETIME_S, now - history[0].started_at)
        if observed_s < SHORTEST_RATE_S:
            return self._record.configuration.estimated_invocations_per_month * PLAN_LIFETIME_S / (30.0 * DAY_S)
        lately = number_of_runs(run for run in history if run.started_at >= now - observed_s)
        return lately / observed_s * PLAN_LIFETIME_S

    def _follow(self, plan: Plan, verdict: Verdict, overhead: Overhead | None = None) -> Decision:
        if verdict.changes:
            return self._stage(plan, verdict.reason, verdict.gain, overhead)
        return self._keep(verdict.reason, verdict.gain, overhead)

    def _keep(self, reason: str, gain: Gain | None = None, overhead: Overhead | None = None) -> Decision:
        """Leave in force what is, and nothing waiting that an earlier check wanted instead."""
        self._keep_lock()
        withdrawn = withdraw(self._cloud, self._record.workflow_id, is_dry_run=self._is_dry_run)
        return self._decision("keep", f"{reason} {withdrawn}" if withdrawn else reason, gain, overhead)

    def _stage(self, plan: Plan, reason: str, gain: Gain | None = None, overhead: Overhead | None = None) -> Decision:
        waiting = equal_waiting(self._cloud, plan)
        if waiting is not None:
            waits = (
                f"Plan {waiting.version}, which places all alike, is staged and waits for 'update_check_deployment'."
            )
            return self._decision("keep", f"{reason} {waits}", gain, overhead)
        self._warn(robustness_lost(self._in_force, plan))
        if self._is_dry_run:
            return self._decision("would stage", reason, gain, overhead)
        self._keep_lock()
        self._warn(overruled(self._cloud, plan.workflow_id))
        staged = stage_plan(self._cloud, self._record, plan, self._problem, by_check=True)
        self._warn(*staged.warnings)
        return self._decision("staged", reason, gain, overhead, staged.plan.version)

    def _keep_lock(self) -> None:
        """Make sure that no other check is at work before what waits is changed."""
        if self._lease is not None:
            self._lease.keep()

    def _decision(
        self,
        verdict: Outcome,
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
