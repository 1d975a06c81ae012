"""Gross, overhead and net of a workflow, from its history, its plans and its ledger (see `adaptation.net_savings`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multi_x_serverless.adaptation.accounts import accounting_of
from multi_x_serverless.adaptation.arms import Arms, arms_of
from multi_x_serverless.adaptation.balance import balance, is_routed, plans_that_leave_home
from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.adaptation.experiment import experiment_of
from multi_x_serverless.adaptation.net_savings import Amount, ComparedPlan, NetSaving, Predicted, net_saving
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.spent import spent_on
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.model_constants import TransmissionPreset

_NOTHING_SPENT = Overhead(0.0, 0.0)


def net_report(
    cloud: Cloud, record: WorkflowRecord, runs: Sequence[ObservedRun], preset: TransmissionPreset
) -> NetSaving:
    """Say what the plans of a workflow saved and took in the last 30 days.

    Where prices or intensities are missing, or controls, there is no observed saving, and `obstacle` says why. Plans
    that have everything at home at every hour route nothing away, so their runs are not among those that plans routed.

    Args:
        runs: Of the last 30 days, of all graphs.
        preset: Energy per byte.
    """
    plans = plans_that_leave_home(PlanStore(cloud).versions(record.workflow_id), record.home_region)
    signals = read_signals(cloud)
    experiment = experiment_of(record, runs)
    compared: list[ComparedPlan] = []
    obstacle = ""
    try:
        accounting = accounting_of(cloud, record, experiment.runs, signals, preset)
    except NotEnoughDataError as error:
        obstacle = str(error)
    else:
        arms = {
            plan.version: arms_of(experiment.runs, plan.version, accounting)
            for plan in plans
            if any(is_routed(run, plan) for run in experiment.runs)
        }
        compared = [_compared(plan, arms[plan.version]) for plan in plans if _can_be_compared(plan, arms)]
        obstacle = "" if compared else _obstacle(arms) + experiment.left_out
    return net_saving(_predicted(runs, plans), compared, spent_on(cloud, record, runs, signals, preset), obstacle)


def _can_be_compared(plan: Plan, arms: Mapping[int, Arms]) -> bool:
    return plan.version in arms and bool(arms[plan.version].groups)


def _compared(plan: Plan, arms: Arms) -> ComparedPlan:
    """With all runs of the arm: of those that a region refused, which ran at home, the plan expected nothing."""
    return ComparedPlan(plan.version, arms, Predicted(round(arms.planned_runs), _predicted(arms.routed, [plan]).gross))


def _predicted(runs: Sequence[ObservedRun], plans: Sequence[Plan]) -> Predicted:
    found = balance(runs, plans, _NOTHING_SPENT)
    return Predicted(found.routed_runs, Amount(found.earned_carbon_gco2eq, found.earned_cost_usd))


def _obstacle(arms: Mapping[int, Arms]) -> str:
    if not arms:
        return (
            "no run in the history was routed by a plan that leaves home; 'multi_x_serverless data_sync' reads "
            "runs into it."
        )
    most = max(arms, key=lambda version: (min(len(arms[version].planned), len(arms[version].control)), version))
    planned, control = len(arms[most].planned), len(arms[most].control)
    runs = "1 complete run" if planned == 1 else f"{planned} complete runs"
    return (
        f"{MINIMUM_CONTROLS} complete runs that a plan routed and as many that the home share sent home under it are "
        f"needed to compare them; plan {most}, which comes closest, has {runs} and {control} of the home share."
    )
