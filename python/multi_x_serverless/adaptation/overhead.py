"""What getting to a new plan costs: solving it, copying packages, probing the new functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

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
    """Estimated one-time overhead of a plan."""

    carbon_gco2eq: float
    cost_usd: float


def estimate_overhead(
    record: WorkflowRecord, plan: Plan, solve_cpu_s: float, signals: Signals, preset: TransmissionPreset
) -> Overhead:
    """Overhead of solving a plan and of creating its functions in regions where they are not yet.

    Args:
        solve_cpu_s: Processor time that the solver took on all its threads, in seconds; it ran in the home region.
    """
    home = record.configuration.home_region
    hour = datetime.fromtimestamp(plan.created_at, tz=timezone.utc).hour
    present = {(resource.function, resource.region) for resource in record.resources if resource.kind == "function"}
    intensity = {region: signal.intensity_gco2eq_per_kwh[hour] for region, signal in signals.carbon.items()}
    solve_kwh = solve_cpu_s / 3600.0 * constants.VCPU_MAXIMUM_KW
    carbon = solve_kwh * constants.PUE_DEFAULT * intensity[home]
    cost = 0.0
    copied_to: set[str] = set()
    for function, regions in plan.regions_of_functions(record.graph).items():
        provider = record.functions[function].provider
        for region in sorted(regions):
            if (function, region) in present:
                continue
            copied_to.add(region)
            kwh = execution_kwh(PROBE_DURATION_S, provider.memory_mb, PROBE_DURATION_S)
            carbon += kwh * constants.PUE_DEFAULT * intensity[region]
            prices = signals.prices[region].prices
            cost += (
                prices.lambda_usd_per_gb_second(provider.architecture) * PROBE_DURATION_S * provider.memory_mb / 1024.0
                + prices.lambda_usd_per_million_requests / MEGA
            )
    gigabytes = record.package.size_bytes / BYTES_PER_GB
    factor = TRANSMISSION_PRESETS[preset].inter_region_kwh_per_gb
    for region in sorted(copied_to - {home}):
        carbon += gigabytes * factor * (intensity[home] + intensity[region]) / 2.0
        cost += gigabytes * signals.prices[home].prices.egress_usd_per_gb_to(region)
    return Overhead(carbon, cost)
