"""What getting to a new plan costs: solving it, copying packages, probing the new functions.

Before it happens it is estimated from the package's size and from what a probe usually takes; afterwards it is priced
from the bytes that moved and the time that the probes took (`deployment.effort`), by the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless import data
from multi_x_serverless.adaptation.workplace import workplace
from multi_x_serverless.deployment.effort import Copy, EffortLog, Probe
from multi_x_serverless.model.config_types import Architecture
from multi_x_serverless.model.ledger import Assumed, LedgerEntry, SpendingKind
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.prices import RegionPrices
from multi_x_serverless.model.units import BYTES_PER_GB, MB_PER_GB, SECONDS_PER_HOUR
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.accounting import billed_s, execution_kwh
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.problem import MEGA, Signals

PROBE_DURATION_S = constants.COLD_START_S
"""What a probe of a new function takes: it answers at once, so one cold start, billed."""


@dataclass(frozen=True)
class Overhead:
    """Modelled one-time overhead of a plan."""

    carbon_gco2eq: float
    cost_usd: float


class Rates:
    """Intensities and prices of a moment; what nobody collected is assumed, and said (`assumed`).

    Args:
        signals: What was collected.
        at: The moment, seconds since the epoch.
    """

    def __init__(self, signals: Signals, at: float) -> None:
        self._signals = signals
        self._hour = datetime.fromtimestamp(at, tz=timezone.utc).hour
        self._assumed: set[Assumed] = set()

    @property
    def assumed(self) -> tuple[Assumed, ...]:
        """What had to be assumed so far, in alphabetical order."""
        return tuple(sorted(self._assumed))

    def intensity(self, region: str) -> float:
        """In gCO2eq/kWh; the world's mean where none was collected."""
        signal = self._signals.carbon.get(region)
        if signal is None:
            self._assumed.add("intensity")
            return constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH
        return signal.intensity_gco2eq_per_kwh[self._hour]

    def prices(self, region: str) -> RegionPrices:
        """Of a region; the embedded ones where none were collected.

        Raises:
            UnknownRegionError: The embedded data has none either.
        """
        signal = self._signals.prices.get(region)
        if signal is None:
            self._assumed.add("prices")
            return data.prices(region)
        return signal.prices


def estimate_overhead(
    record: WorkflowRecord, plan: Plan, solve_cpu_s: float, signals: Signals, preset: TransmissionPreset
) -> Overhead:
    """Overhead of solving a plan and of creating its functions in regions where they are not yet.

    Args:
        solve_cpu_s: Processor time that the solver took on all its threads, in seconds; it ran where this program does.
    """
    solved = solve_spending(record, solve_cpu_s, signals, at=plan.created_at)
    moved = effort_spending(record, "migration", expected_effort(record, plan), signals, at=plan.created_at)
    return Overhead(
        solved.carbon_gco2eq + moved.carbon_gco2eq + copied_gco2eq(moved, preset), solved.cost_usd + moved.cost_usd
    )


def expected_effort(record: WorkflowRecord, plan: Plan) -> EffortLog:
    """What a migration to a plan is expected to copy and to probe.

    A copy of the package per region that has it not yet, and a cold probe per new function: those that are there answer
    theirs from a warm container, in milliseconds.
    """
    present = {(resource.function, resource.region) for resource in record.resources if resource.kind == "function"}
    places = {
        (function, region)
        for function, regions in plan.regions_of_functions(record.graph).items()
        for region in regions
    }
    with_package = {
        resource.region
        for resource in record.resources
        if resource.kind in ("package", "image") and resource.name == record.package.key
    }
    regions = sorted({region for _, region in places} - {record.home_region} - with_package)
    expected = EffortLog([Copy(region, record.package.size_bytes) for region in regions])
    for function, region in sorted(places - present):
        provider = record.functions[function].provider
        expected.probed(Probe(function, region, 0.0, PROBE_DURATION_S, provider.memory_mb, provider.architecture))
    return expected


def copied_gco2eq(entry: LedgerEntry, preset: TransmissionPreset) -> float:
    """What the copies of an entry emitted, in gCO2eq, by the energy per byte that a preset says."""
    return entry.copied_worst_gco2eq if preset == "worst" else entry.copied_best_gco2eq


def solve_spending(record: WorkflowRecord, cpu_s: float, signals: Signals, *, at: float) -> LedgerEntry:
    """What a solve took that ran where this program does (see `cpu_spending`); the developer's machine is not billed.

    Args:
        cpu_s: Processor time on all threads, in seconds.
        at: When it ended, seconds since the epoch.
    """
    return cpu_spending(record, "solve", cpu_s, signals, at=at)


def cpu_spending(
    record: WorkflowRecord, kind: SpendingKind, cpu_s: float, signals: Signals, *, at: float
) -> LedgerEntry:
    """What work on a processor took, at full load, with the grid of where this program works.

    On a developer's machine that of the home region; in a job of the framework that of its region, and only what the
    processor draws beyond an idle one (`adaptation.workplace`). The world's mean if the grid is not known.

    Args:
        kind: Of the work.
        cpu_s: Processor time on all threads, in seconds.
        at: When it ended, seconds since the epoch.
    """
    rates = Rates(signals, at)
    carbon = _cpu_gco2eq(cpu_s, record, rates)
    return LedgerEntry(record.workflow_id, kind, at, cpu_s, 0.0, 0, carbon, 0.0, assumed=rates.assumed)


def _cpu_gco2eq(cpu_s: float, record: WorkflowRecord, rates: Rates) -> float:
    """Of processor time at full load, in gCO2eq; a command that needs none asks for no intensity."""
    if cpu_s == 0.0:
        return 0.0
    place = workplace()
    idle_kw = constants.VCPU_MINIMUM_KW if place.is_idle_power_noted else 0.0
    intensity = rates.intensity(record.home_region if place.region is None else place.region)
    return cpu_s / SECONDS_PER_HOUR * (constants.VCPU_MAXIMUM_KW - idle_kw) * constants.PUE_DEFAULT * intensity


def effort_spending(
    record: WorkflowRecord,
    kind: SpendingKind,
    effort: EffortLog,
    signals: Signals,
    *,
    at: float,
    cpu_s: float = 0.0,
    failed: bool = False,
) -> LedgerEntry:
    """What copies from home and probes took, and the command that made them.

    Args:
        kind: Of the operation.
        effort: What was copied and probed.
        at: When, seconds since the epoch.
        cpu_s: Processor time of the command, in seconds.
        failed: Whether the operation did not reach its end.

    Raises:
        UnknownRegionError: Nobody knows the prices of one of the regions.
    """
    home, rates = record.home_region, Rates(signals, at)
    carbon, cost = _cpu_gco2eq(cpu_s, record, rates), 0.0
    for probe in effort.probes:
        price = invocation(probe.billed_s, probe.billed_s, probe.memory_mb, probe.architecture, probe.region, rates)
        carbon += price.carbon_gco2eq
        cost += price.cost_usd
    gigabyte_intensity = 0.0
    for copy in effort.copies:
        gigabytes = copy.size_bytes / BYTES_PER_GB
        gigabyte_intensity += gigabytes * (rates.intensity(home) + rates.intensity(copy.region)) / 2.0
        cost += gigabytes * rates.prices(home).egress_usd_per_gb_to(copy.region)
    return LedgerEntry(
        record.workflow_id,
        kind,
        at,
        cpu_s=cpu_s,
        copied_bytes=float(sum(copy.size_bytes for copy in effort.copies)),
        probes=len(effort.probes),
        carbon_gco2eq=carbon,
        cost_usd=cost,
        failed=1 if failed else 0,
        billed_s=sum(probe.billed_s for probe in effort.probes),
        cold_probes=sum(1 for probe in effort.probes if probe.init_s),
        copied_best_gco2eq=gigabyte_intensity * TRANSMISSION_PRESETS["best"].inter_region_kwh_per_gb,
        copied_worst_gco2eq=gigabyte_intensity * TRANSMISSION_PRESETS["worst"].inter_region_kwh_per_gb,
        assumed=rates.assumed,
    )


def invocation(
    duration_s: float, cpu_s: float, memory_mb: int, architecture: Architecture, region: str, rates: Rates
) -> Overhead:
    """What an invocation emits and costs, the request included.

    Args:
        duration_s: As billed, in seconds.
        cpu_s: Processor time in it, in seconds.
        rates: Of its moment.

    Raises:
        UnknownRegionError: Nobody knows the prices of the region.
    """
    prices = rates.prices(region)
    return Overhead(
        execution_kwh(duration_s, memory_mb, cpu_s) * constants.PUE_DEFAULT * rates.intensity(region),
        prices.lambda_usd_per_gb_second(architecture) * billed_s(duration_s) * memory_mb / MB_PER_GB
        + prices.lambda_usd_per_million_requests / MEGA,
    )
