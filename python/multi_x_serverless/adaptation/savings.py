"""What a plan saves: expected by the model, and modelled from the runs that happened.

Expected figures compare the plan with home, with the best region that all runs of the day could stay in and with the
best single region of each hour, as the engine computed them over scenarios that none of them was chosen by.

Observed figures compare runs that the plan routed with its controls, the home share under the same plan version (see
`comparison`); each is accounted with what it really did and the intensities of its own hour. Other runs at home, of
other plans and other days, are no controls: they are shown beside, as if they had run in the hours of the plan's runs.
No run is sent to a single other region for comparison, so against those there is only an expectation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.accounts import accounting_of
from multi_x_serverless.adaptation.arms import QUANTITIES, AccountedRun, arms_of, cold_share, hourly_values
from multi_x_serverless.adaptation.comparison import (
    MINIMUM_CONTROLS,
    Estimate,
    Interval,
    Saving,
    plan_weights,
    saving,
    stratified,
)
from multi_x_serverless.adaptation.experiment import experiment_of
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.net_report import net_report
from multi_x_serverless.adaptation.net_savings import NetSaving
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.timing import Like, of_like, timed_arms
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.plan import Metrics, Plan
from multi_x_serverless.model.robust import CarbonBesideHome
from multi_x_serverless.model.run import ObservedRun, RunStatus, number_of_runs
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.accounting import Accounting
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.solution import few_runs_warning


@dataclass(frozen=True)
class Average:
    """Means per run: gCO2eq, USD, seconds."""

    carbon_gco2eq: float
    cost_usd: float
    runtime_s: float


@dataclass(frozen=True)
class Expected:
    """Means per run over the 24 hours by the model; of a robust plan what is expected, too.

    Attributes:
        best_static: In the best single region for the whole day; `None` if none keeps the hard limits all day.
        best_static_region: Which region that is.
        best_single: In the best single region of each hour.
        least_favourable: Carbon in the case that a robust plan is made for; `None` of another.
    """

    home: Average
    best_static: Average | None
    best_static_region: str | None
    best_single: Average
    plan: Average
    least_favourable: CarbonBesideHome | None = None


@dataclass(frozen=True)
class Intervals:
    """95 % confidence intervals of the means per run: gCO2eq, USD, seconds."""

    carbon_gco2eq: Interval
    cost_usd: Interval
    runtime_s: Interval


@dataclass(frozen=True)
class Sample:
    """Observed runs of one kind: how many, mean of each quantity, and standard error and interval of the mean."""

    runs: int
    mean: Average
    standard_error: Average
    intervals: Intervals


@dataclass(frozen=True)
class Times:
    """Which runs times are of, and how many.

    Attributes:
        like: ``warm``: no execution was the first one of a new container; ``cold``: all were. `None`: of neither are
            there enough, so that times are means of all runs and are not compared.
        plan: How many of the plan's runs.
        control: The same of the controls.
        other_home: The same of other runs at home; 0 where there are none of them, or none alike.
    """

    like: Like | None
    plan: int
    control: int
    other_home: int


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
        runtime: Of runs that are alike in their containers (see `timing`), as are the times of the samples.
        obstacle: Why there is no comparison; empty if there is one. `plan`, `control` and the savings are then `None`.
        provenance: What the figures rest on.
        everything_home: Whether the plan has everything at home at every hour, so that its runs and the home share's
            differ in nothing: whatever a comparison would find is chance.
        times: Which runs times are of; `None` where there is no comparison.
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
    everything_home: bool = False
    times: Times | None = None


@dataclass(frozen=True)
class SavingsReport:
    """Savings of a workflow's active plan, and what planning spent; `warnings` belong with the figures.

    Attributes:
        net: Of all plans of the last 30 days, in all; the other figures are of the active plan, per run.
        entry_is_away: Whether the plan has the entry node away from home at some hour: expected times then contain
            handing the trigger on, and measured ones, which begin when the entry starts, do not.
    """

    workflow_id: str
    plan: Plan
    expected: Expected | None
    observed: Observed
    spending: Spending
    net: NetSaving
    warnings: tuple[str, ...]
    entry_is_away: bool = False

    @property
    def expected_change(self) -> Expected | None:
        """What is expected where the plan changes something; `None` where it has everything at home."""
        return None if self.observed.everything_home else self.expected


def savings_report(cloud: Cloud, workflow_id: str, preset: TransmissionPreset) -> SavingsReport:
    """Compare the active plan with home and with single regions.

    Raises:
        NotEnoughDataError: There is no active plan or no signal.
    """
    record = deployed_workflow(cloud, workflow_id)
    plan = PlanStore(cloud).active(workflow_id)
    if plan is None:
        raise NotEnoughDataError(f"'{workflow_id}' has no active plan: deploy it first.")
    recent = History(cloud).runs(workflow_id, since=cloud.now() - KEEP_DAYS * DAY_S)
    experiment = experiment_of(record, recent)
    accounting = accounting_of(cloud, record, experiment.runs, read_signals(cloud), preset)
    if plan.is_all_in(record.home_region):
        observed = _observed_at_home(experiment.runs, plan.version, accounting)
    else:
        observed = observed_savings(experiment.runs, plan.version, record.home_region, accounting)
    if observed.obstacle and not observed.everything_home:
        observed = replace(
            observed, obstacle=observed.obstacle + experiment.left_out(lambda run: run.plan_version == plan.version)
        )
    warning = None if plan.observed_runs is None else few_runs_warning(plan.observed_runs)
    return SavingsReport(
        workflow_id=workflow_id,
        plan=plan,
        expected=expected_of(plan),
        observed=observed,
        spending=Ledger(cloud).spending(workflow_id, preset),
        net=net_report(cloud, record, recent, preset),
        warnings=() if warning is None else (warning,),
        entry_is_away=any(
            entry.placement.get(record.graph.nodes[0].name, record.home_region) != record.home_region
            for entry in plan.hours
        ),
    )


def observed_savings(runs: Sequence[ObservedRun], plan_version: int, home: str, accounting: Accounting) -> Observed:
    """Compare the runs that a plan routed with its controls.

    Args:
        runs: Runs of one graph, of any plan.
        plan_version: Version of the plan.
        home: The home region.
        accounting: Accounts the runs.
    """
    arms = arms_of(runs, plan_version, accounting)
    routed, controls, planned, control, groups = arms.routed, arms.controls, arms.planned, arms.control, arms.groups
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
    other: list[AccountedRun] = []
    if plan_runs:
        footprints = accounting.footprints_as_if_at(other_home, [(run.started_at, run.weight) for run in plan_runs])
        other = [
            AccountedRun(0, footprint, run.weight, cold_share(run))
            for run, footprint in zip(other_home, footprints, strict=True)
        ]

    timed = timed_arms(arms)
    alike = of_like(other, timed.like)
    if len(alike) < 2:
        alike = ()

    def saved(quantity: str) -> Saving | None:
        return saving(hourly_values(control, quantity), hourly_values(planned, quantity), groups)

    return Observed(
        plan=_sample(_Values(planned, planned, groups), _Values(timed.planned, timed.planned, timed.groups)),
        control=_sample(_Values(control, planned, groups), _Values(timed.control, timed.planned, timed.groups)),
        other_home=_sample(_Values(other, other, _ANY_HOUR), _Values(alike or other, alike or other, _ANY_HOUR))
        if len(other) > 1
        else None,
        plan_runs=number_of_runs(plan_runs),
        control_runs=number_of_runs(control_runs),
        failed_plan_runs=number_of_runs(run for run in routed if run.status == "failed"),
        failed_control_runs=number_of_runs(run for run in controls if run.status == "failed"),
        strata=len(groups),
        carbon=saved("carbon_gco2eq"),
        cost=saved("cost_usd"),
        runtime=None
        if timed.like is None
        else saving(hourly_values(timed.control, "runtime_s"), hourly_values(timed.planned, "runtime_s"), timed.groups),
        obstacle="" if groups else _obstacle(plan_version, len(plan_runs), len(control_runs)),
        provenance=accounting.provenance,
        times=Times(timed.like, _count(timed.planned), _count(timed.control), _count(alike)) if groups else None,
    )


def _observed_at_home(runs: Sequence[ObservedRun], plan_version: int, accounting: Accounting) -> Observed:
    """Of a plan that has everything at home at every hour: its runs are counted, and there is nothing to compare."""
    arms = arms_of(runs, plan_version, accounting)

    def count(some: Sequence[ObservedRun], status: RunStatus) -> int:
        return number_of_runs(run for run in some if run.status == status)

    return Observed(
        plan=None,
        control=None,
        other_home=None,
        plan_runs=count(arms.routed, "complete"),
        control_runs=count(arms.controls, "complete"),
        failed_plan_runs=count(arms.routed, "failed"),
        failed_control_runs=count(arms.controls, "failed"),
        strata=0,
        carbon=None,
        cost=None,
        runtime=None,
        obstacle=f"plan {plan_version} has everything at home at every hour, so its runs ran as those of the home "
        "share did: there is nothing to compare.",
        provenance=accounting.provenance,
        everything_home=True,
    )


def _obstacle(plan_version: int, plan_runs: int, control_runs: int) -> str:
    runs = "1 run" if plan_runs == 1 else f"{plan_runs} runs"
    return (
        f"{runs} that plan {plan_version} routed and {control_runs} that the home share sent home under it "
        f"are in the history; {MINIMUM_CONTROLS} of each are needed to compare them."
    )


_ANY_HOUR = (frozenset({0}),)
"""The one group of runs that are accounted as if they had run in the hours of others."""


@dataclass(frozen=True)
class _Values:
    """Runs to take means of, over groups of hours that weigh as planned runs are spread over them."""

    runs: Sequence[AccountedRun]
    planned: Sequence[AccountedRun]
    groups: Sequence[frozenset[int]]

    def estimate(self, quantity: str) -> Estimate:
        weights = plan_weights(hourly_values(self.planned, quantity), self.groups)
        return stratified(hourly_values(self.runs, quantity), self.groups, weights)


def _count(runs: Sequence[AccountedRun]) -> int:
    return round(sum(run.weight for run in runs))


def _sample(whole: _Values, timed: _Values) -> Sample | None:
    """Means over the strata, of times over those of the runs that are alike."""
    if not whole.groups:
        return None
    estimates = {quantity: (timed if quantity == "runtime_s" else whole).estimate(quantity) for quantity in QUANTITIES}
    return Sample(
        runs=_count(whole.runs),
        mean=Average(**{quantity: found.mean for quantity, found in estimates.items()}),
        standard_error=Average(**{quantity: found.standard_error for quantity, found in estimates.items()}),
        intervals=Intervals(**{quantity: found.interval for quantity, found in estimates.items()}),
    )


def expected_of(plan: Plan) -> Expected | None:
    """What a plan is expected to do over the 24 hours; `None` of one that no solver was asked for."""
    home, static, single, planned, cautious = [], [], [], [], []
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
        if entry.least_favourable is not None:
            cautious.append(entry.least_favourable)
    return Expected(
        home=_mean(home),
        best_static=_mean(static) if len(static) == len(home) else None,
        best_static_region=plan.best_static_region,
        best_single=_mean(single),
        plan=_mean(planned),
        least_favourable=_mean_of_cases(cautious) if len(cautious) == len(home) else None,
    )


def _mean_of_cases(hours: Sequence[CarbonBesideHome]) -> CarbonBesideHome:
    return CarbonBesideHome(
        sum(entry.carbon_gco2eq for entry in hours) / len(hours),
        sum(entry.home_carbon_gco2eq for entry in hours) / len(hours),
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
