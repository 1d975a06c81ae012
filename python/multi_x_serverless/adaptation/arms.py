"""The two arms of the experiment that the home share makes of every plan, with what their runs emitted and cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from multi_x_serverless.adaptation.comparison import HourlyValue, strata
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.solving.accounting import Accounting, RunFootprint

PLAN_REASONS = frozenset({"plan", "region_unavailable"})
"""Reasons of runs that the plan routed; those that a region refused count with it: the plan sent them there."""

CONTROL_REASON = "home_share"

QUANTITIES: Mapping[str, Callable[[RunFootprint], float]] = {
    "carbon_gco2eq": lambda footprint: footprint.carbon_gco2eq,
    "cost_usd": lambda footprint: footprint.cost_usd,
    "runtime_s": lambda footprint: footprint.runtime_s,
}
"""Name of a quantity -> its value for one run."""


@dataclass(frozen=True)
class AccountedRun:
    """A run's hour of the day, its footprint, and how many runs it stands for.

    Attributes:
        cold_share: Share of its executions that were the first ones of new containers.
    """

    hour: int
    footprint: RunFootprint
    weight: float
    cold_share: float = 0.0


@dataclass(frozen=True)
class Arms:
    """Runs under one version of a plan.

    Attributes:
        routed: Runs that the plan routed, failed ones as well.
        controls: Runs that the home share sent home, failed ones as well.
        planned: Complete ones of `routed`, accounted.
        control: Complete ones of `controls`, accounted.
        groups: Groups of hours within which they can be compared; none if there are too few runs.
    """

    routed: tuple[ObservedRun, ...]
    controls: tuple[ObservedRun, ...]
    planned: tuple[AccountedRun, ...]
    control: tuple[AccountedRun, ...]
    groups: tuple[frozenset[int], ...]

    @property
    def planned_runs(self) -> float:
        """How many runs the planned ones stand for."""
        return sum(run.weight for run in self.planned)


def arms_of(runs: Sequence[ObservedRun], plan_version: int, accounting: Accounting) -> Arms:
    """The arms of a version of a plan among runs of one graph."""
    under_plan = [run for run in runs if run.plan_version == plan_version]
    routed = tuple(run for run in under_plan if run.reason in PLAN_REASONS)
    controls = tuple(run for run in under_plan if run.reason == CONTROL_REASON)

    def accounted(some: Sequence[ObservedRun]) -> tuple[AccountedRun, ...]:
        return tuple(
            AccountedRun(hour_of_day(run.started_at), accounting.footprint(run), run.weight, cold_share(run))
            for run in some
            if run.status == "complete"
        )

    planned, control = accounted(routed), accounted(controls)
    groups = strata((entry.hour for entry in control), (entry.hour for entry in planned))
    return Arms(routed, controls, planned, control, groups)


def cold_share(run: ObservedRun) -> float:
    """Share of a run's executions that were the first ones of new containers."""
    return sum(node.cold for node in run.nodes.values()) / len(run.nodes) if run.nodes else 0.0


def hourly_values(runs: Sequence[AccountedRun], quantity: str) -> list[HourlyValue]:
    """One quantity of some runs."""
    return [HourlyValue(run.hour, QUANTITIES[quantity](run.footprint), run.weight) for run in runs]
