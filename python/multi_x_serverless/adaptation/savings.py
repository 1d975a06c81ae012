"""What a plan saves: expected by the model, and modelled from the runs that happened.

Expected figures compare the plan with home, with the best region that all runs of the day could stay in and with the
best single region of each hour, as the engine computed them over scenarios that none of them was chosen by.

Observed figures compare runs that the plan routed with its controls, the home share under the same plan version (see
`comparison`); each is accounted with what it really did and the intensities of its own hour. Other runs at home, of
other plans and other days, are no controls: they are shown beside, as if they had run in the hours of the plan's runs.
Nobody ran in a single other region, so against those there is only an expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from multi_x_serverless.adaptation.comparison import (
    MINIMUM_CONTROLS,
    Estimate,
    HourlyValue,
    Saving,
    plan_weights,
    saving,
    strata,
    stratified,
)
from multi_x_serverless.adaptation.intensity import intensity_history
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.signals import carbon_source, read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow, model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.plan import Metrics, Plan
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.accounting import Accounting, RunFootprint
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import regions_of
from multi_x_serverless.solving.solution import few_runs_warning

PLAN_REASONS = frozenset({"plan", "region_unavailable"})
"""Reasons of runs that the plan routed; those that a region refused count with it: the plan sent them there."""

CONTROL_REASON = "home_share"


@dataclass(frozen=True)
class Average:
    """Means per run: gCO2eq, USD, seconds."""

    carbon_gco2eq: float
    cost_usd: float
    runtime_s: float


@dataclass(frozen=True)
class Expected:
    """Means per run over the 24 hours by the model.

    Attributes:
        best_static: In the best single region for the whole day; `None` if none keeps the hard limits all day.
        best_static_region: Which region that is.
        best_single: In the best single region of each hour.
    """

    home: Average
    best_static: Average | None
    best_static_region: str | None
    best_single: Average
    plan: Average


@dataclass(frozen=True)
class Sample:
    """Observed runs of one kind: how many, mean and standard error of the mean of each quantity."""

    runs: int
    mean: Average
    standard_error: Average


@dataclass(frozen=True)
class Observed:
    """What is modelled from the runs that happened under the plan.

    Attributes:
        plan: Runs that the plan routed.
        control: Home share under the same plan version, weighted by the hours of the plan's runs.
        other_home: Other runs at home, as if they had run in the hours of the plan's runs. Not a control.
        plan_runs: How many runs the plan routed, with those too few for a comparison.
        control_runs: The same of the controls.
        failed_plan_runs: Runs that the plan routed and that failed; they are left out.
        failed_control_runs: The same of the controls.
        strata: Groups of hours within which runs were compared.
        obstacle: Why there is no comparison; empty if there is one. `plan`, `control` and the savings are then `None`.
        provenance: What the figures rest on.
    """

    plan: Sample | None
    control: Sample | None
    other_home: Sample | None
    plan_runs: int
    control_runs: int
    failed_plan_runs: int
    failed_control_runs: int
    strata: int
    carbon: Saving | None
    cost: Saving | None
    runtime: Saving | None
    obstacle: str
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class SavingsReport:
    """Savings of a workflow's active plan, and what planning spent; `warnings` belong with the figures."""

    workflow_id: str
    plan: Plan
    expected: Expected | None
    observed: Observed
    spending: Spending
    warnings: tuple[str, ...]


QUANTITIES: Mapping[str, Callable[[RunFootprint], float]] = {
    "carbon_gco2eq": lambda footprint: footprint.carbon_gco2eq,
    "cost_usd": lambda footprint: footprint.cost_usd,
    "runtime_s": lambda footprint: footprint.runtime_s,
}
"""Field of `Average` -> its value for one run."""


def savings_report(cloud: Cloud, workflow_id: str, preset: TransmissionPreset) -> SavingsReport:
    """Compare the active plan with home and with single regions.

    Raises:
        NotEnoughDataError: There is no active plan or no signal.
    """
    record = deployed_workflow(cloud, workflow_id)
    plan = PlanStore(cloud).active(workflow_id)
    if plan is None:
        raise NotEnoughDataError(f"'{workflow_id}' has no active plan: deploy it first.")
    runs = [
        run
        for run in History(cloud).runs(workflow_id, since=cloud.now() - KEEP_DAYS * 86_400.0)
        if run.manifest_id == record.manifest_id
    ]
    model = model_of(record)
    signals = read_signals(cloud)
    used = {node.region for run in runs for node in run.nodes.values()}
    tried = {attempt.region for run in runs for attempt in run.failed_attempts}
    regions = sorted({*regions_of(model), *used, *tried})
    missing = [region for region in regions if region not in signals.prices]
    if missing:
        options = " ".join(f"--region {region}" for region in missing)
        raise NotEnoughDataError(
            f"there are no prices of {', '.join(missing)} yet: run 'data_collect provider {options}' first."
        )
    times = [run.started_at for run in runs] or [cloud.now()]
    intensities = intensity_history(carbon_source(cloud), signals, regions, min(times), max(times))
    prices = {region: signals.prices[region] for region in regions}
    warning = None if plan.observed_runs is None else few_runs_warning(plan.observed_runs)
    return SavingsReport(
        workflow_id=workflow_id,
        plan=plan,
        expected=_expected(plan),
        observed=observed_savings(
            runs, plan.version, record.configuration.home_region, Accounting(model, prices, intensities, preset)
        ),
        spending=Ledger(cloud).spending(workflow_id),
        warnings=() if warning is None else (warning,),
    )


def observed_savings(runs: Sequence[ObservedRun], plan_version: int, home: str, accounting: Accounting) -> Observed:
    """Compare the runs that a plan routed with its controls.

    Args:
        runs: Runs of one graph, of any plan.
        plan_version: Version of the plan.
        home: The home region.
        accounting: Accounts the runs.
    """
    under_plan = [run for run in runs if run.plan_version == plan_version]
    routed = [run for run in under_plan if run.reason in PLAN_REASONS]
    controls = [run for run in under_plan if run.reason == CONTROL_REASON]
    plan_runs = [run for run in routed if run.status == "complete"]
    control_runs = [run for run in controls if run.status == "complete"]
    compared = {run.run_id for run in (*routed, *controls)}
    other_home = [
        run
        for run in runs
        if run.status == "complete"
        and run.run_id not in compared
        and {node.region for node in run.nodes.values()} == {home}
    ]
    planned = [_Accounted(hour_of_day(run.started_at), accounting.footprint(run), run.weight) for run in plan_runs]
    control = [_Accounted(hour_of_day(run.started_at), accounting.footprint(run), run.weight) for run in control_runs]
    groups = strata((entry.hour for entry in control), (entry.hour for entry in planned))
    moments = [run.started_at for run in plan_runs]
    other = (
        [_Accounted(0, accounting.footprint_as_if_at(run, moments), run.weight) for run in other_home]
        if moments
        else []
    )

    def saved(quantity: str) -> Saving | None:
        return saving(_values(control, quantity), _values(planned, quantity), groups)

    return Observed(
        plan=_sample(planned, planned, groups),
        control=_sample(control, planned, groups),
        other_home=_sample(other, other, (frozenset({0}),)) if len(other) > 1 else None,
        plan_runs=number_of_runs(plan_runs),
        control_runs=number_of_runs(control_runs),
        failed_plan_runs=number_of_runs(run for run in routed if run.status == "failed"),
        failed_control_runs=number_of_runs(run for run in controls if run.status == "failed"),
        strata=len(groups),
        carbon=saved("carbon_gco2eq"),
        cost=saved("cost_usd"),
        runtime=saved("runtime_s"),
        obstacle="" if groups else _obstacle(plan_version, len(plan_runs), len(control_runs)),
        provenance=accounting.provenance,
    )


def _obstacle(plan_version: int, plan_runs: int, control_runs: int) -> str:
    return (
        f"{plan_runs} runs that plan {plan_version} routed and {control_runs} that the home share sent home under it "
        f"are in the history; {MINIMUM_CONTROLS} of each are needed to compare them."
    )


@dataclass(frozen=True)
class _Accounted:
    """A run's hour of the day, its footprint, and how many runs it stands for."""

    hour: int
    footprint: RunFootprint
    weight: float


def _values(runs: Sequence[_Accounted], quantity: str) -> list[HourlyValue]:
    return [HourlyValue(run.hour, QUANTITIES[quantity](run.footprint), run.weight) for run in runs]


def _sample(
    runs: Sequence[_Accounted],
    planned: Sequence[_Accounted],
    groups: Sequence[frozenset[int]],
) -> Sample | None:
    """Means over the strata, which weigh as the planned runs are spread."""
    if not groups:
        return None

    def estimate(quantity: str) -> Estimate:
        weights = plan_weights(_values(planned, quantity), groups)
        return stratified(_values(runs, quantity), groups, weights)

    estimates = {quantity: estimate(quantity) for quantity in QUANTITIES}
    return Sample(
        runs=round(sum(run.weight for run in runs)),
        mean=Average(**{quantity: found.mean for quantity, found in estimates.items()}),
        standard_error=Average(**{quantity: found.standard_error for quantity, found in estimates.items()}),
    )


def _expected(plan: Plan) -> Expected | None:
    home, static, single, planned = [], [], [], []
    for hour in range(24):
        entry = plan.at(hour)
        if entry.metrics is None or entry.home_metrics is None:
            return None
        home.append(_average(entry.home_metrics))
        # Where no single region keeps the hard limits, a workflow that is routed by the hour stays home.
        single.append(_average(entry.best_single_metrics or entry.home_metrics))
        planned.append(_average(entry.metrics))
        if entry.best_static_metrics is not None:
            static.append(_average(entry.best_static_metrics))
    return Expected(
        home=_mean(home),
        best_static=_mean(static) if len(static) == len(home) else None,
        best_static_region=plan.best_static_region,
        best_single=_mean(single),
        plan=_mean(planned),
    )


def _average(metrics: Metrics) -> Average:
    return Average(metrics.carbon.mean, metrics.cost.mean, metrics.runtime.mean)


def _mean(values: Sequence[Average]) -> Average:
    count = len(values)
    return Average(
        sum(value.carbon_gco2eq for value in values) / count,
        sum(value.cost_usd for value in values) / count,
        sum(value.runtime_s for value in values) / count,
    )
