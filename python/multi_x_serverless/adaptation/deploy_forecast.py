"""What a deployment is expected to change of a workflow's monthly carbon and cost, before it is done.

The runs that happened are evaluated twice by today's signals: as the workflow is deployed now, and as it would be. So
more memory, another architecture, or a plan that no longer fits and sends everything home show. What the change does to
durations is not known before it has run: times stay as they were observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.day_schedule import runs_by_hour
from multi_x_serverless.adaptation.relearning import learnable_runs
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.workflows import model_of, runs_of_graph
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.deploy import DeployPreview
from multi_x_serverless.deployment.state import plan_fits
from multi_x_serverless.errors import InvalidProblemError, NotEnoughDataError
from multi_x_serverless.model.plan import Objective, Placement, Plan
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.problem import Signals, SolveSettings, build_problem
from multi_x_serverless.solving.simulation import Simulator

DAYS_PER_MONTH = 30.0


@dataclass(frozen=True)
class MonthlyAmounts:
    """What a month of runs takes: gCO2eq and USD."""

    carbon_gco2eq: float
    cost_usd: float


@dataclass(frozen=True)
class MonthlyChange:
    """What a month of runs takes now, and would take.

    Attributes:
        runs: Runs a month.
        is_observed: Whether that is the rate of the history; else the configuration's estimate.
        observed_runs: Runs that the figures rest on.
        hours_over_hard_limits: At how many hours of the day the plan that stays in force would break a hard limit.
    """

    runs: float
    is_observed: bool
    observed_runs: int
    before: MonthlyAmounts
    after: MonthlyAmounts
    hours_over_hard_limits: int


@dataclass(frozen=True)
class UnknownChange:
    """Nothing can be said, and why, in a sentence."""

    reason: str


def forecast_deployment(cloud: Cloud, preview: DeployPreview) -> MonthlyChange | UnknownChange:
    """What a deployment is expected to change a month; packages and the deployment itself are not counted."""
    before, after = preview.before, preview.after
    if before is None:
        return UnknownChange("nothing of it has run yet.")
    if before.graph.id != after.graph.id:
        return UnknownChange("its nodes or calls change, and nothing of the new ones has run yet.")
    history = History(cloud).runs(before.workflow_id, since=cloud.now() - KEEP_DAYS * DAY_S)
    runs = [run for run in runs_of_graph(before, history) if run.status == "complete"]
    learned = learnable_runs(before, history)
    if not runs:
        return UnknownChange(
            "there is no finished run of what is deployed: run it, then 'multi_x_serverless data_sync'."
        )
    monthly, is_observed = _monthly_runs(runs, after, cloud.now())
    by_hour = runs_by_hour(runs, monthly)
    signals = read_signals(cloud)
    try:
        (amounts_before, _), (amounts_after, over) = [
            _amounts(record, plan, before.manifest_ids, learned.runs, signals, by_hour, cloud.now())
            for record, plan in ((before, preview.plan_before), (after, preview.plan_after))
        ]
    except (NotEnoughDataError, InvalidProblemError) as error:
        return UnknownChange(str(error))
    return MonthlyChange(monthly, is_observed, number_of_runs(learned.runs), amounts_before, amounts_after, over)


def _monthly_runs(runs: Sequence[ObservedRun], record: WorkflowRecord, now: float) -> tuple[float, bool]:
    """Runs a month: at the rate of the history, or as the developer estimates while that is shorter than a day."""
    observed_s = now - runs[0].started_at
    if observed_s < DAY_S:
        return float(record.configuration.estimated_invocations_per_month), False
    return number_of_runs(runs) / observed_s * DAYS_PER_MONTH * DAY_S, True


def _amounts(
    record: WorkflowRecord,
    plan: Plan | None,
    manifest_ids: frozenset[str],
    runs: Sequence[ObservedRun],
    signals: Signals,
    by_hour: Sequence[float],
    now: float,
) -> tuple[MonthlyAmounts, int]:
    """What a month of runs takes: the home share at home, the others as the plan says while it is in force.

    Also at how many hours the plan breaks a hard limit.
    """
    model = replace(model_of(record), earlier_manifest_ids=manifest_ids)
    simulator = Simulator(build_problem(model, tuple(runs), signals, SolveSettings()))
    is_followed = plan is not None and plan.expires_at > now and plan_fits(plan, record)
    share = record.configuration.home_share

    def placement(hour: int) -> Placement:
        return plan.at(hour).placement if plan is not None and is_followed else simulator.home

    def total(objective: Objective) -> float:
        mean = {
            hour: [
                simulator.problem.evaluate(where, hour).of(objective).mean
                for where in (simulator.home, placement(hour))
            ]
            for hour in range(HOURS_PER_DAY)
        }
        return sum(
            count * (share * mean[hour][0] + (1.0 - share) * mean[hour][1]) for hour, count in enumerate(by_hour)
        )

    over = sum(
        any(check.kind == "hard" and check.is_violated for check in simulator.at(placement(hour), hour).limits)
        for hour in (range(HOURS_PER_DAY) if is_followed else ())
    )
    return MonthlyAmounts(total("carbon"), total("cost")), over
