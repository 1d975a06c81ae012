"""What a run that really happened emitted and cost, by the same model that plans (DESIGN "Model").

Durations, bytes and regions are the observed ones; energy is computed from them (nobody can read a meter in a
shared processor), so "measured" savings are measured behaviour times modelled power and the signals' intensities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.model.run import NodeObservation, ObservedRun
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.problem import MEGA, Signals, WorkflowModel, regions_of

BYTES_PER_GB = float(2**30)
MB_PER_GB = 1024.0
BYTES_PER_MESSAGE_UNIT = 64 * 1024
BYTES_PER_WRITE_UNIT = 1024
BYTES_PER_READ_UNIT = 4096


@dataclass(frozen=True)
class RunFootprint:
    """Carbon in gCO2eq, split by cause, and cost in USD of one run; run time in seconds."""

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
    vcpus = memory_mb / constants.MEMORY_MB_PER_VCPU
    utilization = min(1.0, cpu_s / (duration_s * vcpus)) if duration_s > 0 else 0.0
    vcpu_kw = constants.VCPU_MINIMUM_KW + utilization * (constants.VCPU_MAXIMUM_KW - constants.VCPU_MINIMUM_KW)
    return duration_s / 3600.0 * (vcpus * vcpu_kw + memory_mb / MB_PER_GB * constants.MEMORY_KW_PER_GB)


def footprint(run: ObservedRun, workflow: WorkflowModel, signals: Signals, preset: TransmissionPreset) -> RunFootprint:
    """Carbon and cost of an observed run."""
    return _Accounting(run, workflow, signals, preset).total()


class _Accounting:
    def __init__(self, run: ObservedRun, workflow: WorkflowModel, signals: Signals, preset: TransmissionPreset) -> None:
        self._run = run
        self._workflow = workflow
        self._signals = signals
        self._transmission = TRANSMISSION_PRESETS[preset]
        self._hour = datetime.fromtimestamp(run.started_at, tz=timezone.utc).hour
        self._home = workflow.configuration.home_region
        self._regions = frozenset(regions_of(workflow))

    def total(self) -> RunFootprint:
        execution = transmission = cost = 0.0
        for index, node in self._run.nodes.items():
            name = self._workflow.graph.nodes[index].function
            provider = self._workflow.functions[name].provider
            prices = self._signals.prices[node.region].prices
            execution += (
                execution_kwh(node.duration_s, provider.memory_mb, node.cpu_s)
                * constants.PUE_DEFAULT
                * self._intensity(node.region)
            )
            gb_seconds = _billed_s(node.duration_s) * provider.memory_mb / MB_PER_GB
            cost += (
                prices.lambda_usd_per_gb_second(provider.architecture) * gb_seconds
                + prices.lambda_usd_per_million_requests / MEGA
                + prices.cloudwatch_logs_usd_per_gb_ingested * constants.LOG_BYTES_PER_NODE / BYTES_PER_GB
            )
            for carbon, usd in (self._data(name, node), self._received(index, node)):
                transmission += carbon
                cost += usd
        return RunFootprint(execution, transmission, cost, self._run.duration_s)

    def _intensity(self, region: str) -> float:
        return self._signals.carbon[region].intensity_gco2eq_per_kwh[self._hour]

    def _moved(self, size: float, source: str, target: str) -> float:
        """GCO2eq of bytes that go from one region to another or stay in one."""
        factor = (
            self._transmission.intra_region_kwh_per_gb
            if source == target
            else self._transmission.inter_region_kwh_per_gb
        )
        return size / BYTES_PER_GB * factor * (self._intensity(source) + self._intensity(target)) / 2.0

    def _egress(self, size: float, source: str, target: str) -> float:
        if source == target:
            return 0.0
        return self._signals.prices[source].prices.egress_usd_per_gb_to(target) * size / BYTES_PER_GB

    def _data(self, function: str, node: NodeObservation) -> tuple[float, float]:
        """Carbon and cost of what the developer's own code moved, by where it went."""
        attributed = dict(node.attributed_bytes)
        other = node.other_bytes
        declared = self._workflow.configuration.data_regions.get(function)
        if declared is not None:
            attributed[declared] = attributed.get(declared, 0.0) + other
            other = 0.0
        carbon = self._moved(other / 2.0, node.region, self._home) + self._moved_outside(other / 2.0, node.region)
        cost = 0.0
        for region, size in attributed.items():
            if region in self._regions:
                carbon += self._moved(size, node.region, region)
                cost += self._egress(size, node.region, region)
            else:
                prices = self._signals.prices[node.region].prices
                carbon += self._moved_outside(size, node.region)
                cost += prices.egress_to_internet_usd_per_gb * size / BYTES_PER_GB
        return carbon, cost

    def _moved_outside(self, size: float, source: str) -> float:
        """GCO2eq of bytes that go between a region and a place that the workflow may not use."""
        factor = self._transmission.inter_region_kwh_per_gb
        mean = (self._intensity(source) + constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH) / 2.0
        return size / BYTES_PER_GB * factor * mean

    def _received(self, index: int, node: NodeObservation) -> tuple[float, float]:
        """Carbon (gCO2eq) and cost (USD) of what reached a node: its message, or a join's reports and payloads."""
        if index == 0:
            return self._trigger(node)
        graph = self._workflow.graph
        calls = [
            (self._run.nodes[graph.edges[edge].source].region, self._run.edges[edge].payload_bytes)
            for edge in graph.incoming[index]
            if edge in self._run.edges and self._run.edges[edge].called
        ]
        # One message starts a join however many call it; each of them is attributed an equal part.
        envelope = constants.MESSAGE_ENVELOPE_BYTES / len(calls) if calls else 0.0
        carbon = sum(self._moved(payload + envelope, source, node.region) for source, payload in calls)
        cost = sum(self._egress(payload + envelope, source, node.region) for source, payload in calls)
        if not graph.nodes[index].sync:
            return carbon, cost + sum(self._message_cost(node.region, payload) for _, payload in calls)
        return carbon, cost + self._join_cost(len(graph.incoming[index]), node.region, [size for _, size in calls])

    def _join_cost(self, edges: int, region: str, payloads: list[float]) -> float:
        prices = self._signals.prices[region].prices
        writes = constants.SYNC_REPORT_WRITE_UNITS * edges + constants.SYNC_CLOSING_WRITE_UNITS
        reads = constants.SYNC_CLOSING_READ_UNITS
        objects = 0
        for payload in payloads:
            if payload > constants.INLINE_PAYLOAD_LIMIT_BYTES:
                objects += 1
            else:
                writes += math.ceil(payload / BYTES_PER_WRITE_UNIT)
                reads += math.ceil(payload / BYTES_PER_READ_UNIT)
        return (
            writes * prices.dynamodb_usd_per_million_write_units
            + reads * prices.dynamodb_usd_per_million_read_units
            + objects * (prices.s3_usd_per_million_put_requests + prices.s3_usd_per_million_get_requests)
            + _message_units(constants.MESSAGE_ENVELOPE_BYTES) * prices.sns_usd_per_million_publishes
        ) / MEGA

    def _message_cost(self, region: str, payload: float) -> float:
        prices = self._signals.prices[region].prices
        if payload <= constants.INLINE_PAYLOAD_LIMIT_BYTES:
            units = _message_units(payload + constants.MESSAGE_ENVELOPE_BYTES)
            return units * prices.sns_usd_per_million_publishes / MEGA
        return (
            _message_units(constants.MESSAGE_ENVELOPE_BYTES) * prices.sns_usd_per_million_publishes
            + prices.s3_usd_per_million_put_requests
            + prices.s3_usd_per_million_get_requests
        ) / MEGA

    def _trigger(self, entry: NodeObservation) -> tuple[float, float]:
        """The message that starts the run at home, and handing it on if the entry runs elsewhere."""
        payload = self._run.trigger_bytes
        size = payload + constants.MESSAGE_ENVELOPE_BYTES
        carbon = 0.0
        cost = self._message_cost(self._home, payload)
        if entry.region == self._home:
            return self._moved(size, self._home, self._home), cost
        provider = self._workflow.functions[self._workflow.graph.nodes[0].function].provider
        prices = self._signals.prices[self._home].prices
        forwarding_s = constants.FORWARD_DURATION_S
        utilization = constants.CPU_UTILIZATION_DEFAULT * provider.memory_mb / constants.MEMORY_MB_PER_VCPU
        carbon += (
            execution_kwh(forwarding_s, provider.memory_mb, forwarding_s * utilization)
            * constants.PUE_DEFAULT
            * self._intensity(self._home)
        )
        carbon += self._moved(size, self._home, entry.region)
        cost += (
            self._message_cost(entry.region, payload)
            + prices.lambda_usd_per_million_requests / MEGA
            + prices.lambda_usd_per_gb_second(provider.architecture)
            * _billed_s(forwarding_s)
            * provider.memory_mb
            / MB_PER_GB
            + self._egress(size, self._home, entry.region)
        )
        return carbon, cost


def _message_units(size: float) -> int:
    return math.ceil(size / BYTES_PER_MESSAGE_UNIT)


def _billed_s(duration_s: float) -> float:
    return math.ceil(duration_s * 1000.0) / 1000.0
