"""What the framework in the cloud costs in a month, from the embedded prices and what an invocation is assumed to take.

Free tiers are not deducted. Most invocations find nothing to do. What a workflow's own runs cost is not in it, nor is
what a migration copies (the ledger has that). Replays count one workflow's jobs by it (`adaptation.replay.framework`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.deployment.framework import INTERVALS_MINUTES, MEMORY_MB, SOLVER_MEMORY_MB
from multi_x_serverless.model.framework import JOBS, Job
from multi_x_serverless.model.units import BYTES_PER_GB, MB_PER_GB

if TYPE_CHECKING:
    from multi_x_serverless.model.config_types import Architecture

MINUTES_PER_MONTH = 30 * 24 * 60
MILLION = 1e6

SCHEDULER_USD_PER_MILLION_INVOCATIONS = 1.00
"""AWS list price of EventBridge Scheduler beyond the 14 million a month that are free of charge (as of 2025-07)."""

START_S = 2.0
"""Assumed duration of an invocation that starts the others: a cold start, a listing of ids, a request per workflow."""

HANDLING_S: Mapping[Job, float] = {
    "data_sync": 4.0,
    "data_collect": 1.0,
    "update_check_solver": 10.0,
    "update_check_deployment": 2.0,
}
"""Assumed duration of an invocation for one workflow, in seconds: waits for logs in other regions, or a solve."""

READ_UNITS = 40
WRITE_UNITS = 10
LOG_BYTES = 1_000
"""Assumed of any invocation: units of 4 KB and of 1 KB in the tables, and its line of JSON with Lambda's own three."""


@dataclass(frozen=True)
class MonthlyCost:
    """A month of 30 days; money in USD."""

    schedule_invocations: float
    invocations: float
    gb_seconds: float
    functions_usd: float
    tables_usd: float
    logs_usd: float
    schedules_usd: float

    @property
    def total_usd(self) -> float:
        """All of it."""
        return self.functions_usd + self.tables_usd + self.logs_usd + self.schedules_usd


def monthly_cost(
    workflows: int,
    region: str,
    architecture: Architecture,
    intervals_minutes: Mapping[Job, int] = INTERVALS_MINUTES,
    jobs: Sequence[Job] = JOBS,
) -> MonthlyCost:
    """The cost of all or some jobs for so many workflows, with the framework in a region.

    Raises:
        UnknownRegionError: The embedded data does not know the region.
    """
    prices = data.prices(region)
    starts = {job: MINUTES_PER_MONTH / intervals_minutes[job] for job in jobs}
    scheduled = sum(starts.values())
    invocations = scheduled * (1 + workflows)
    gb_seconds = sum(
        starts[job] * (START_S + workflows * HANDLING_S[job]) * _memory_mb(job) / MB_PER_GB for job in jobs
    )
    tables_usd_per_million = (
        READ_UNITS * prices.dynamodb_usd_per_million_read_units
        + WRITE_UNITS * prices.dynamodb_usd_per_million_write_units
    )
    return MonthlyCost(
        schedule_invocations=scheduled,
        invocations=invocations,
        gb_seconds=gb_seconds,
        functions_usd=gb_seconds * prices.lambda_usd_per_gb_second(architecture)
        + invocations / MILLION * prices.lambda_usd_per_million_requests,
        tables_usd=invocations / MILLION * tables_usd_per_million,
        logs_usd=invocations * LOG_BYTES / BYTES_PER_GB * prices.cloudwatch_logs_usd_per_gb_ingested,
        schedules_usd=scheduled / MILLION * SCHEDULER_USD_PER_MILLION_INVOCATIONS,
    )


def _memory_mb(job: Job) -> int:
    return SOLVER_MEMORY_MB if job == "update_check_solver" else MEMORY_MB
