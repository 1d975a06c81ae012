"""What a plan saves: expected by the model, and measured on the runs that happened.

Expected figures compare the plan with home and with the best single region over the hours of the day, as the engine
computed them. Measured figures compare runs routed by the plan with runs that went home (the home share and those
before), each accounted with what it really did; nobody ran in the best single region, so against it there is only an
expectation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow, model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.plan import Metrics, Plan
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.accounting import RunFootprint, footprint
from multi_x_serverless.solving.model_constants import TransmissionPreset

NORMAL_QUANTILE_95 = 1.959964
"""97.5 % quantile of the normal distribution: half width of a two-sided 95 % interval in standard errors."""


@dataclass(frozen=True)
class Average:
    """Means per run over the planned hours: gCO2eq, USD, seconds."""

    carbon_gco2eq: float
    cost_usd: float
    runtime_s: float


@dataclass(frozen=True)
class Expected:
    """Means per run over the day by the model. `best_single` is the best single region of each hour."""

    home: Average
    best_single: Average
    plan: Average


@dataclass(frozen=True)
class Sample:
    """Observed runs of one kind: how many, mean and standard error of the mean of each quantity."""

    runs: int
    mean: Average
    standard_error: Average


@dataclass(frozen=True)
class Saving:
    """``1 - plan / home`` of a measured quantity with its 95 % confidence interval (delta method)."""

    fraction: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """Runs that went home against runs the plan routed; `None` where there are fewer than two of a kind."""

    home: Sample | None
    plan: Sample | None
    carbon: Saving | None
    cost: Saving | None
    runtime: Saving | None


@dataclass(frozen=True)
class SavingsReport:
    """Savings of a workflow's active plan."""

    workflow_id: str
    plan: Plan
    expected: Expected | None
    measured: Measured


def savings_report(cloud: Cloud, workflow_id: str, preset: TransmissionPreset) -> SavingsReport:
    """Compare the active plan with home and with the best single region.

    Raises:
        NotEnoughDataError: There is no active plan or no signal.
    """
    record = deployed_workflow(cloud, workflow_id)
    plan = PlanStore(cloud).active(workflow_id)
    if plan is None:
        raise NotEnoughDataError(f"'{workflow_id}' has no active plan: deploy it first.")
    signals = read_signals(cloud)
    missing = [region for region in record.regions if region not in signals.carbon or region not in signals.prices]
    if missing:
        raise NotEnoughDataError(f"there is no data of {', '.join(missing)} yet: run 'data_collect all' first.")
    model = model_of(record)
    at_home: list[RunFootprint] = []
    by_plan: list[RunFootprint] = []
    for run in History(cloud).runs(workflow_id, since=cloud.now() - KEEP_DAYS * 86_400.0):
        if run.status != "complete" or run.manifest_id != record.manifest_id:
            continue
        regions = {node.region for node in run.nodes.values()}
        if run.plan_version == plan.version and run.reason == "plan":
            by_plan.append(footprint(run, model, signals, preset))
        elif regions == {record.configuration.home_region}:
            at_home.append(footprint(run, model, signals, preset))
    home, routed = _sample(at_home), _sample(by_plan)
    return SavingsReport(
        workflow_id=workflow_id,
        plan=plan,
        expected=_expected(plan),
        measured=Measured(
            home=home,
            plan=routed,
            carbon=_saving(home, routed, lambda average: average.carbon_gco2eq),
            cost=_saving(home, routed, lambda average: average.cost_usd),
            runtime=_saving(home, routed, lambda average: average.runtime_s),
        ),
    )


def _expected(plan: Plan) -> Expected | None:
    home, single, planned = [], [], []
    for hour in range(24):
        entry = plan.at(hour)
        if entry.metrics is None or entry.home_metrics is None:
            return None
        home.append(_average(entry.home_metrics))
        single.append(_average(entry.best_single_metrics or entry.home_metrics))
        planned.append(_average(entry.metrics))
    return Expected(_mean(home), _mean(single), _mean(planned))


def _average(metrics: Metrics) -> Average:
    return Average(metrics.carbon.mean, metrics.cost.mean, metrics.runtime.mean)


def _mean(values: Sequence[Average]) -> Average:
    count = len(values)
    return Average(
        sum(value.carbon_gco2eq for value in values) / count,
        sum(value.cost_usd for value in values) / count,
        sum(value.runtime_s for value in values) / count,
    )


def _sample(footprints: Sequence[RunFootprint]) -> Sample | None:
    if len(footprints) < 2:
        return None
    values = [Average(entry.carbon_gco2eq, entry.cost_usd, entry.runtime_s) for entry in footprints]
    mean = _mean(values)
    return Sample(
        runs=len(values),
        mean=mean,
        standard_error=Average(
            _standard_error([value.carbon_gco2eq for value in values]),
            _standard_error([value.cost_usd for value in values]),
            _standard_error([value.runtime_s for value in values]),
        ),
    )


def _standard_error(values: Sequence[float]) -> float:
    count = len(values)
    mean = sum(values) / count
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1) / count)


def _saving(home: Sample | None, plan: Sample | None, quantity: Callable[[Average], float]) -> Saving | None:
    if home is None or plan is None or quantity(home.mean) <= 0 or quantity(plan.mean) <= 0:
        return None
    ratio = quantity(plan.mean) / quantity(home.mean)
    relative_error = math.hypot(
        quantity(plan.standard_error) / quantity(plan.mean),
        quantity(home.standard_error) / quantity(home.mean),
    )
    half_width = NORMAL_QUANTILE_95 * ratio * relative_error
    return Saving(1.0 - ratio, 1.0 - ratio - half_width, 1.0 - ratio + half_width)
