"""What getting to a new plan costs: solving it, copying packages, probing the new functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.ledger import LedgerEntry, SpendingKind
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.accounting import BYTES_PER_GB, execution_kwh
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.problem import MEGA, Signals

PROBE_DURATION_S = 0.5
"""One cold start with an import of the developer's code, billed; measured cold starts are 0.1-0.5 s."""


@dataclass(frozen=True)
class Overhead:
    """Modelled one-time overhead of a plan."""

    carbon_gco2eq: float
    cost_usd: float


def estimate_overhead(
    record: WorkflowRecord, plan: Plan, solve_cpu_s: float, signals: Signals, preset: TransmissionPreset
) -> Overhead:
    """Overhead of solving a plan and of creating its functions in regions where they are not yet.

    Args:
        solve_cpu_s: Processor time that the solver took on all its threads, in seconds; it ran in the home region.
    """
    present = {(resource.function, resource.region) for resource in record.resources if resource.kind == "function"}
    places = {
        (function, region)
        for function, regions in plan.regions_of_functions(record.graph).items()
        for region in regions
    }
    solved = solve_spending(record, solve_cpu_s, signals, at=plan.created_at)
    migrated = migration_spending(record, places - present, signals, preset, at=plan.created_at)
    return Overhead(solved.carbon_gco2eq + migrated.carbon_gco2eq, solved.cost_usd + migrated.cost_usd)


def solve_spending(record: WorkflowRecord, cpu_s: float, signals: Signals, *, at: float) -> LedgerEntry:
    """What a solve took that ran in the home region; the developer's machine is not billed.

    Args:
        cpu_s: Processor time on all threads, in seconds.
        at: When it ended, seconds since the epoch.
    """
    return cpu_spending(record, "solve", cpu_s, signals, at=at)


def cpu_spending(
    record: WorkflowRecord, kind: SpendingKind, cpu_s: float, signals: Signals, *, at: float
) -> LedgerEntry:
    """What work on a processor took, at full load, with the home region's grid, or with the world's mean if unknown.

    Args:
        kind: Of the work.
        cpu_s: Processor time on all threads, in seconds.
        at: When it ended, seconds since the epoch.
    """
    intensity = _intensities(signals, at).get(
        record.configuration.home_region, constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH
    )
    carbon = cpu_s / 3600.0 * constants.VCPU_MAXIMUM_KW * constants.PUE_DEFAULT * intensity
    return LedgerEntry(record.workflow_id, kind, at, cpu_s, 0.0, 0, carbon, 0.0)


def migration_spending(
    record: WorkflowRecord,
    places: Collection[tuple[str, str]],
    signals: Signals,
    preset: TransmissionPreset,
    *,
    at: float,
) -> LedgerEntry:
    """What creating functions takes: a copy of the package per new region, and a probe per function.

    Args:
        places: Function and region of each that is created.
        at: When, seconds since the epoch.

    Raises:
        NotEnoughDataError: Intensity or prices of one of the regions are not known.
    """
    home = record.configuration.home_region
    intensity = _intensities(signals, at)
    unknown = sorted(({home} | {region for _, region in places}) - (set(intensity) & set(signals.prices)))
    if unknown:
        raise NotEnoughDataError(f"carbon intensity or prices of {', '.join(unknown)} are not known: run data_collect.")
    carbon = cost = 0.0
    for function, region in sorted(places):
        provider = record.functions[function].provider
        kwh = execution_kwh(PROBE_DURATION_S, provider.memory_mb, PROBE_DURATION_S)
        carbon += kwh * constants.PUE_DEFAULT * intensity[region]
        prices = signals.prices[region].prices
        cost += (
            prices.lambda_usd_per_gb_second(provider.architecture) * PROBE_DURATION_S * provider.memory_mb / 1024.0
            + prices.lambda_usd_per_million_requests / MEGA
        )
    gigabytes = record.package.size_bytes / BYTES_PER_GB
    factor = TRANSMISSION_PRESETS[preset].inter_region_kwh_per_gb
    copied_to = sorted({region for _, region in places} - {home})
    for region in copied_to:
        carbon += gigabytes * factor * (intensity[home] + intensity[region]) / 2.0
        cost += gigabytes * signals.prices[home].prices.egress_usd_per_gb_to(region)
    copied_bytes = float(record.package.size_bytes * len(copied_to))
    return LedgerEntry(record.workflow_id, "migration", at, 0.0, copied_bytes, len(places), carbon, cost)


def _intensities(signals: Signals, at: float) -> dict[str, float]:
    """Of every region in the hour of a moment, in gCO2eq/kWh."""
    hour = datetime.fromtimestamp(at, tz=timezone.utc).hour
    return {region: signal.intensity_gco2eq_per_kwh[hour] for region, signal in signals.carbon.items()}
