"""What plans earned and what planning spent, and from that when the next check is worth its cost.

Both sides are sums over the last 30 days of what is written down: each run that a plan routed earned the difference
that its plan expects between home and the planned placement in the hour of the run; the ledger has what was spent, and
the history the cold starts that plans caused (`adaptation.spent`, which `status` and `report` show too). So nothing is
rounded and carried on, and nothing is lost when a check declines or dies: the next one sums up again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.homes import Homes
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.errors import CorruptedStateError, InvalidDocumentError, NewerSchemaError
from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.check_state import CheckState
from multi_x_serverless.model.plan import Metrics, Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.units import DAY_S, SECONDS_PER_HOUR
from multi_x_serverless.observation.history import KEEP_DAYS

CHECK_SHARE = 0.01
"""Checks may spend this part of what plans earn."""

SHORTEST_S, LONGEST_S = float(SECONDS_PER_HOUR), DAY_S
"""Forecasts change by the hour, and are worth little after a day."""

_STATE = "check"
"""Sort key of the state of checks in the table of statistics."""


@dataclass(frozen=True)
class Balance:
    """Of one workflow over the last 30 days.

    Attributes:
        earned_carbon_gco2eq: What the runs that plans routed saved against home, as their plans expect.
        earned_cost_usd: The same in money; negative where plans cost more than home.
        spent_carbon_gco2eq: What planning took: the ledger, and the cold starts that plans caused.
        spent_cost_usd: The same in money.
        routed_runs: Runs that earned it.
    """

    earned_carbon_gco2eq: float
    earned_cost_usd: float
    spent_carbon_gco2eq: float
    spent_cost_usd: float
    routed_runs: int

    @property
    def net_carbon_gco2eq(self) -> float:
        """Earned less spent."""
        return self.earned_carbon_gco2eq - self.spent_carbon_gco2eq

    def with_spent(self, spent: Overhead) -> Balance:
        """The same runs against another sum that was spent."""
        return replace(self, spent_carbon_gco2eq=spent.carbon_gco2eq, spent_cost_usd=spent.cost_usd)


def balance(runs: Sequence[ObservedRun], plans: Sequence[Plan], homes: Homes, spent: Overhead) -> Balance:
    """Sum up.

    Args:
        runs: Of the last 30 days, of whatever graph and home: what earlier ones spent is in the ledger as well.
        plans: Those that may have routed them; runs of others earn nothing.
        homes: Of the workflow.
        spent: In the same time (`adaptation.spent`).
    """
    by_version = {plan.version: plan for plan in plans}
    carbon, cost, routed = [], [], []
    for run in runs:
        plan = by_version.get(run.plan_version)
        if plan is None or not is_routed_away(run, plan, homes):
            continue
        entry = plan.at(hour_of_day(run.started_at))
        if entry.metrics is None or entry.home_metrics is None:
            continue
        home, planned = entry.home_metrics, entry.metrics
        carbon.append(run.weight * _saved(home, planned, "carbon"))
        cost.append(run.weight * _saved(home, planned, "cost"))
        routed.append(run.weight)
    return Balance(
        earned_carbon_gco2eq=math.fsum(carbon),
        earned_cost_usd=math.fsum(cost),
        spent_carbon_gco2eq=spent.carbon_gco2eq,
        spent_cost_usd=spent.cost_usd,
        routed_runs=round(math.fsum(routed)),
    )


def is_routed_away(run: ObservedRun, plan: Plan, homes: Homes) -> bool:
    """Whether a plan that expects something and leaves the run's home routed a run that reached its end."""
    return (
        run.plan_version == plan.version
        and run.status == "complete"
        and run.placement_key != "home"
        and homes.are_left_by(plan, run)
        and plan.at(hour_of_day(run.started_at)).metrics is not None
    )


def _saved(home: Metrics, planned: Metrics, quantity: str) -> float:
    if quantity == "carbon":
        return home.carbon.mean - planned.carbon.mean
    return home.cost.mean - planned.cost.mean


def next_check(found: Balance, check_carbon_gco2eq: float, now: float, plan_ends_at: float | None) -> tuple[float, str]:
    """When to check again, and why then.

    While planning has taken more than plans saved, a check comes once a day at most, but for a renewal: it has first to
    pay for that.

    Args:
        found: What was earned and spent lately.
        check_carbon_gco2eq: What this check took, in gCO2eq.
        now: Seconds since the epoch.
        plan_ends_at: When the plan that runs follow is due to be renewed, seconds since the epoch; `None` without one.
    """
    earned_per_s = found.earned_carbon_gco2eq / (KEEP_DAYS * DAY_S)
    if earned_per_s <= 0.0:
        wait_s, why = LONGEST_S, "no plan has saved carbon in the last 30 days: once a day is enough."
    elif found.net_carbon_gco2eq < 0.0:
        wait_s = LONGEST_S
        why = (
            f"in the last 30 days planning took more ({grams(found.spent_carbon_gco2eq)} of CO2eq) than plans saved "
            f"({grams(found.earned_carbon_gco2eq)}): once a day is enough."
        )
    else:
        wait_s = check_carbon_gco2eq / (CHECK_SHARE * earned_per_s)
        why = _why_this_wait(wait_s, check_carbon_gco2eq)
    then = now + min(LONGEST_S, max(SHORTEST_S, wait_s))
    # A check after that moment has weighed the renewal already; whether it declined or not, it is not due every hour.
    if plan_ends_at is not None and now < plan_ends_at < then:
        return max(now + SHORTEST_S, plan_ends_at), "the plan in force is to be renewed by then."
    return then, why


def _why_this_wait(wait_s: float, check_carbon_gco2eq: float) -> str:
    """Why the next check comes when it does, given the time in which plans save a check's multiple."""
    took = f"this check took {grams(check_carbon_gco2eq)} of CO2eq"
    times = f"{1.0 / CHECK_SHARE:.0f} times that"
    if wait_s <= SHORTEST_S:
        return f"{took}, and plans save more than {times} in an hour."
    if wait_s >= LONGEST_S:
        return f"{took}, and plans save less than {times} in a day; it is not put off longer."
    return f"{took}, and until then plans save about {times}."


def next_count(missing_runs: int, runs_of_last_day: int, now: float, deployment_seen_at: float) -> tuple[float, str]:
    """When to look again at a workflow that has too few runs to learn from, and why then.

    Args:
        missing_runs: How many it lacks.
        runs_of_last_day: How many it had in the last 24 hours.
        now: Seconds since the epoch.
        deployment_seen_at: When it was first looked at as it is deployed now, seconds since the epoch.
    """
    if now - deployment_seen_at < DAY_S:
        return now + SHORTEST_S, "on the day after a deployment its runs are counted every hour."
    if runs_of_last_day <= 0:
        return now + LONGEST_S, "it had no run in the last day: once a day is enough."
    wait_s = min(LONGEST_S, max(SHORTEST_S, missing_runs / runs_of_last_day * DAY_S))
    return now + wait_s, "then there may be runs enough, if they go on as in the last day."


def next_try(failures: int, now: float) -> tuple[float, str]:
    """When to check again after checks that went wrong, and why then.

    Args:
        failures: How many did in a row, at least 1.
        now: Seconds since the epoch.
    """
    # Five doublings of an hour are more than a day.
    wait_s = min(LONGEST_S, SHORTEST_S * 2.0 ** min(failures - 1, 5))
    what = "a check that went wrong" if failures == 1 else f"{failures} checks in a row that went wrong"
    return now + wait_s, f"after {what} the next comes {wait_s / 3_600.0:.0f} h later."


def read_check_state(cloud: Cloud, workflow_id: str) -> CheckState | None:
    """The state of a workflow's checks; `None` if it never was checked.

    Raises:
        InvalidDocumentError: What is stored is no such document.
        CorruptedStateError: What is stored is no document.
        CloudError: The table cannot be read.
    """
    stored = _table(cloud).get(Key(workflow_id, _STATE))
    return None if stored is None else stored.value


def readable_check_state(cloud: Cloud, workflow_id: str) -> CheckState | None:
    """The state of a workflow's checks; `None` also if it is damaged for good: the next check writes it anew.

    Raises:
        NewerSchemaError: A newer program wrote it; it is not overwritten with an older one's.
        CloudError: The table cannot be read.
    """
    try:
        return read_check_state(cloud, workflow_id)
    except NewerSchemaError:
        raise
    except (InvalidDocumentError, CorruptedStateError):
        return None


def write_check_state(cloud: Cloud, workflow_id: str, state: CheckState) -> None:
    """Note a check.

    Raises:
        CloudError: The table cannot be written.
    """
    _table(cloud).put(Key(workflow_id, _STATE), state)


def _table(cloud: Cloud) -> DocumentTable[CheckState]:
    return DocumentTable[CheckState](
        cloud.key_value,
        cloud.system_region,
        physical_name("statistics"),
        CheckState.to_document,
        CheckState.from_document,
    )
