"""Gross, overhead and net of a workflow, from its history, its plans and its ledger (see `adaptation.net_savings`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multi_x_serverless.adaptation.accounts import accounting_of
from multi_x_serverless.adaptation.arms import Arms, arms_of
from multi_x_serverless.adaptation.balance import balance, is_routed_away
from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.adaptation.experiment import experiment_of
from multi_x_serverless.adaptation.homes import Homes, homes_of
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

_NOTHING_ALIKE = "there are no runs yet that plans routed and that can be compared."
"""Said with the reason why those in the history cannot be."""


def net_report(
    cloud: Cloud, record: WorkflowRecord, runs: Sequence[ObservedRun], preset: TransmissionPreset
) -> NetSaving:
    """Say what the plans of a workflow saved and took in the last 30 days.

    Where prices or intensities are missing, or controls, there is no observed saving, and `obstacle` says why. Plans
    that have everything at home at every hour route nothing away, so their runs are not among those that plans routed.
    Home is where it was when a run was routed; what was expected of runs counts whatever is deployed since.

    Args:
        runs: Of the last 30 days, of all graphs.
        preset: Energy per byte.
    """
    plans, homes = PlanStore(cloud).versions(record.workflow_id), homes_of(record)
    by_version = {plan.version: plan for plan in plans}

    def is_routed(run: ObservedRun) -> bool:
        plan = by_version.get(run.plan_version)
        return plan is not None and is_routed_away(run, plan, homes)

    signals = read_signals(cloud)
    experiment = experiment_of(record, runs)
    compared: list[ComparedPlan] = []
    obstacle = ""
    try:
        accounting = accounting_of(cloud, record, experiment.runs, signals, preset)
    except NotEnoughDataError as error:
        obstacle = str(error)
    else:
        versions = sorted({run.plan_version for run in experiment.runs if is_routed(run)})
        arms = {version: arms_of(experiment.runs, version, accounting) for version in versions}
        compared = [
            _compared(by_version[version], arms[version], homes) for version in versions if arms[version].groups
        ]
        if not compared:
            left_out = experiment.left_out(is_routed)
            obstacle = (_obstacle(arms) if arms or not left_out else _NOTHING_ALIKE) + left_out
    return net_saving(
        _predicted(runs, plans, homes), compared, spent_on(cloud, record, runs, signals, preset), obstacle
    )


def _compared(plan: Plan, arms: Arms, homes: Homes) -> ComparedPlan:
    """With all runs of the arm: of those that a region refused, which ran at home, the plan expected nothing."""
    expected = _predicted(arms.routed, [plan], homes)
    return ComparedPlan(plan.version, arms, Predicted(round(arms.planned_runs), expected.gross))


def _predicted(runs: Sequence[ObservedRun], plans: Sequence[Plan], homes: Homes) -> Predicted:
    found = balance(runs, plans, homes, _NOTHING_SPENT)
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
