"""What a run that really happened emitted and cost, by the same model that plans (DESIGN "Model").

Durations, bytes, regions and failed attempts are the observed ones. Energy is computed from them, because nobody can
read a meter in a shared processor, and turned into carbon by the intensity of the hour in which the run started: so
footprints are *modelled from observed runs*, and whoever prints them says so (`Accounting.provenance`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multi_x_serverless.model import shared_constants
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.prices import RegionPrices
from multi_x_serverless.model.run import NodeObservation, ObservedRun
from multi_x_serverless.model.units import BYTES_PER_GB, MB_PER_GB, SECONDS_PER_HOUR
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.intensity import IntensityHistory
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.observations import exchanged_data
from multi_x_serverless.solving.problem import MEGA, WorkflowModel, regions_of

ENERGY_METHOD = "modelled from observed durations, memory, CPU time and bytes; no meter was read"

BYTES_PER_MESSAGE_UNIT = 64 * 1024
BYTES_PER_WRITE_UNIT = 1024
BYTES_PER_READ_UNIT = 4096

BILLING_SLACK_MS = 1e-6
"""By so much a duration may exceed a full millisecond before the next is billed: the rounding of a product."""


@dataclass(frozen=True)
class RunFootprint:
    """Carbon in gCO2eq, split by cause, and cost in USD of one run, failed attempts included; run time in seconds."""

    execution_gco2eq: float
    transmission_gco2eq: float
    cost_usd: float
    runtime_s: float

    @property
    def carbon_gco2eq(self) -> float:
        """Execution and transmission together."""
        return self.execution_gco2eq + self.transmission_gco2eq


def execution_kwh(duration_s: float, memory_mb: int, cpu_s: float) -> float:
    """Energy of one invocation in kWh, without the overhead of the data centre."""
    vcpus = memory_mb / shared_constants.MEMORY_MB_PER_VCPU
    utilization = min(1.0, cpu_s / (duration_s * vcpus)) if duration_s > 0 else 0.0
    vcpu_kw = constants.VCPU_MINIMUM_KW + utilization * (constants.VCPU_MAXIMUM_KW - constants.VCPU_MINIMUM_KW)
    return duration_s / SECONDS_PER_HOUR * (vcpus * vcpu_kw + memory_mb / MB_PER_GB * constants.MEMORY_KW_PER_GB)


class Accounting:
    """Accounts observed runs of one workflow.

    What failed attempts moved is not logged and left out; their time is billed and draws power like any other. Left
    out, too, are reports to a join that stayed dead: where it would have run is not logged.

    Args:
        workflow: The workflow whose graph the runs refer to.
        prices: Region -> its prices, for every region in which a node ran, and home.
        intensities: Of the hours of the runs, for the same regions and all that the workflow may use.
        preset: Energy per byte moved.
    """

    def __init__(
        self,
        workflow: WorkflowModel,
        prices: Mapping[str, PriceSignal],
        intensities: IntensityHistory,
        preset: TransmissionPreset,
    ) -> None:
        self._workflow = workflow
        self._prices = prices
        self._intensities = intensities
        self._preset = preset
        self._regions = frozenset(regions_of(workflow))

    def footprint(self, run: ObservedRun) -> RunFootprint:
        """Carbon and cost of a run, by the intensities of the hour in which it started."""
        return self._account(run, self._intensities.at(run.started_at))

    def footprints_as_if_at(
        self, runs: Iterable[ObservedRun], weighted: Iterable[tuple[float, float]]
    ) -> list[RunFootprint]:
        """The same of each run with the mean of the intensities at other moments: carbon is linear in them.

        Args:
            runs: Runs of whatever time.
            weighted: Moments, in seconds since the epoch, each with what it counts for.

        Raises:
            NotEnoughDataError: There is no moment that counts, or one lies outside what is known.
        """
        intensity = self._intensities.mean_at(weighted)
        return [self._account(run, intensity) for run in runs]

    @property
    def provenance(self) -> dict[str, str]:
        """What the figures rest on, for people."""
        prices = sorted({f"{signal.source}, {signal.vintage}" for signal in self._prices.values()})
        return {
            "energy": ENERGY_METHOD,
            "carbon": f"{self._intensities.origin}; of the hour in which each run started",
            "prices": "; ".join(prices),
            "transmission": f"preset '{self._preset}'",
        }

    def _account(self, run: ObservedRun, intensity: Mapping[str, float]) -> RunFootprint:
        return _RunAccounting(run, self._workflow, self._regions, self._prices, intensity, self._preset).total()


@dataclass(frozen=True)
class _Share:
    """A part of a run's footprint: gCO2eq by cause, and USD."""

    execution: float = 0.0
    transmission: float = 0.0
    cost: float = 0.0

    def __add__(self, other: _Share) -> _Share:
        return _Share(self.execution + other.execution, self.transmission + other.transmission, self.cost + other.cost)


class _RunAccounting:
    def __init__(
        self,
        run: ObservedRun,
        workflow: WorkflowModel,
        regions: frozenset[str],
        prices: Mapping[str, PriceSignal],
        intensity: Mapping[str, float],
        preset: TransmissionPreset,
    ) -> None:
        self._run = run
        self._workflow = workflow
        self._regions = regions
        self._signals = prices
        self._intensity = intensity
        self._transmission = TRANSMISSION_PRESETS[preset]
        self._home = workflow.configuration.home_region

    def total(self) -> RunFootprint:
        share = _Share()
        for index, node in self._run.nodes.items():
            share += self._invoked(index, node.region, node.duration_s, node.cpu_s)
            share += self._data(self._workflow.graph.nodes[index].function, node)
            share += self._received(index, node.region)
        for attempt in self._run.failed_attempts:
            # What a failed attempt used of its processors is not logged.
            share += self._invoked(attempt.node, attempt.region, attempt.duration_s, None)
        return RunFootprint(share.execution, share.transmission, share.cost, self._run.duration_s)

    def _prices(self, region: str) -> RegionPrices:
        return self._signals[region].prices

    def _invoked(self, index: int, region: str, duration_s: float, cpu_s: float | None) -> _Share:
        """One invocation with what it logs."""
        logs = self._prices(region).cloudwatch_logs_usd_per_gb_ingested * constants.LOG_BYTES_PER_NODE / BYTES_PER_GB
        return self._executed(index, region, duration_s, cpu_s) + _Share(cost=logs)

    def _executed(self, index: int, region: str, duration_s: float, cpu_s: float | None) -> _Share:
        """A request and so many seconds of a node's function; the usual utilisation where the CPU time is unknown."""
        provider = self._workflow.functions[self._workflow.graph.nodes[index].function].provider
        if cpu_s is None:
            vcpus = provider.memory_mb / shared_constants.MEMORY_MB_PER_VCPU
            cpu_s = constants.CPU_UTILIZATION_DEFAULT * duration_s * vcpus
        prices = self._prices(region)
        return _Share(
            execution=execution_kwh(duration_s, provider.memory_mb, cpu_s)
            * constants.PUE_DEFAULT
            * self._intensity[region],
            cost=prices.lambda_usd_per_gb_second(provider.architecture)
            * billed_s(duration_s)
            * provider.memory_mb
            / MB_PER_GB
            + prices.lambda_usd_per_million_requests / MEGA,
        )

    def _moved(self, size: float, source: str, target: str) -> _Share:
        """Bytes that go from one region to another or stay in one, without what leaving costs."""
        factor = (
            self._transmission.intra_region_kwh_per_gb
            if source == target
            else self._transmission.inter_region_kwh_per_gb
        )
        mean_intensity = (self._intensity[source] + self._intensity[target]) / 2.0
        return _Share(transmission=size / BYTES_PER_GB * factor * mean_intensity)

    def _moved_outside(self, size: float, source: str) -> _Share:
        """Bytes that go between a region and a place that the workflow may not use."""
        factor = self._transmission.inter_region_kwh_per_gb
        mean_intensity = (self._intensity[source] + constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH) / 2.0
        return _Share(transmission=size / BYTES_PER_GB * factor * mean_intensity)

    def _sent(self, size: float, source: str, target: str) -> _Share:
        """Bytes that are sent from one region to another or within one, with what leaving costs."""
        moved = self._moved(size, source, target)
        if source == target:
            return moved
        return moved + _Share(cost=self._prices(source).egress_usd_per_gb_to(target) * size / BYTES_PER_GB)

    def _data(self, function: str, node: NodeObservation) -> _Share:
        """What the developer's own code moved, by where it went and where it came from."""
        data = exchanged_data(node, self._workflow.configuration.data_regions.get(function))
        # Nobody knows where these went, so they pay nothing.
        share = self._moved(data.other / 2.0, node.region, self._home) + self._moved_outside(
            data.other / 2.0, node.region
        )
        for region, size in data.sent.items():
            if region in self._regions:
                share += self._sent(size, node.region, region)
            else:
                egress = self._prices(node.region).egress_to_internet_usd_per_gb * size / BYTES_PER_GB
                share += self._moved_outside(size, node.region) + _Share(cost=egress)
        for region, size in data.received.items():
            is_known = region in self._regions
            share += self._sent(size, region, node.region) if is_known else self._moved_outside(size, node.region)
        return share

    def _received(self, index: int, region: str) -> _Share:
        """What reached a node in a region: its message, or a join's reports and payloads."""
        if index == 0:
            return self._trigger(region)
        graph = self._workflow.graph
        calls = [
            (self._run.nodes[graph.edges[edge].source].region, self._run.edges[edge].payload_bytes)
            for edge in graph.incoming[index]
            if edge in self._run.edges and self._run.edges[edge].called
        ]
        # One message starts a join however many call it; each of them is attributed an equal part.
        envelope = shared_constants.MESSAGE_ENVELOPE_BYTES / len(calls) if calls else 0.0
        share = _Share()
        for source, payload in calls:
            share += self._sent(payload + envelope, source, region)
            if not graph.nodes[index].sync:
                share += _Share(cost=self._message_usd(region, payload))
        if graph.nodes[index].sync:
            share += _Share(cost=self._join_usd(len(graph.incoming[index]), region, [size for _, size in calls]))
        return share

    def _join_usd(self, edges: int, region: str, payloads: list[float]) -> float:
        prices = self._prices(region)
        writes = constants.SYNC_REPORT_WRITE_UNITS * edges + constants.SYNC_CLOSING_WRITE_UNITS
        reads = constants.SYNC_CLOSING_READ_UNITS
        objects = 0
        for payload in payloads:
            if payload > shared_constants.INLINE_PAYLOAD_LIMIT_BYTES:
                objects += 1
            else:
                writes += math.ceil(payload / BYTES_PER_WRITE_UNIT)
                reads += math.ceil(payload / BYTES_PER_READ_UNIT)
        return (
            writes * prices.dynamodb_usd_per_million_write_units
            + reads * prices.dynamodb_usd_per_million_read_units
            + objects * (prices.s3_usd_per_million_put_requests + prices.s3_usd_per_million_get_requests)
            + message_units(shared_constants.MESSAGE_ENVELOPE_BYTES) * prices.sns_usd_per_million_publishes
        ) / MEGA

    def _message_usd(self, region: str, payload: float) -> float:
        prices = self._prices(region)
        if payload <= shared_constants.INLINE_PAYLOAD_LIMIT_BYTES:
            units = message_units(payload + shared_constants.MESSAGE_ENVELOPE_BYTES)
            return units * prices.sns_usd_per_million_publishes / MEGA
        return (
            message_units(shared_constants.MESSAGE_ENVELOPE_BYTES) * prices.sns_usd_per_million_publishes
            + prices.s3_usd_per_million_put_requests
            + prices.s3_usd_per_million_get_requests
        ) / MEGA

    def _trigger(self, region: str) -> _Share:
        """The message that starts the run at home, and handing it on if the entry runs elsewhere."""
        payload = self._run.trigger_bytes
        message = _Share(cost=self._message_usd(self._home, payload))
        if region == self._home:
            return message
        forwarding = self._executed(0, self._home, constants.FORWARD_DURATION_S, None)
        forwarded = _Share(cost=self._message_usd(region, payload))
        sent = self._sent(payload + shared_constants.MESSAGE_ENVELOPE_BYTES, self._home, region)
        return message + forwarding + forwarded + sent


def message_units(size: float) -> int:
    """Units of 64 KiB in which a message of `size` bytes is billed; at least one."""
    return max(1, math.ceil(size / BYTES_PER_MESSAGE_UNIT))


def billed_s(duration_s: float) -> float:
    """Seconds as billed: full milliseconds, rounded up."""
    return max(0, math.ceil(duration_s * 1000.0 - BILLING_SLACK_MS)) / 1000.0
