"""The problem document: history and signals of one workflow, as the engine reads them.

`docs/problem-document.md` explains every field. Observed runs are written in columns, one entry per run, so that what
happened together stays together. The document is the seam, the bug report and the benchmark fixture alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model import shared_constants
from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.config import FunctionConfiguration, Limits, WorkflowConfiguration
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.observations import observations
from multi_x_serverless.solving.provenance import provenance
from multi_x_serverless.solving.robust import RobustSettings, interval_members, robust_case

PROBLEM_SCHEMA = "multi-x-serverless/problem"
PROBLEM_VERSION = 1

MEGA = 1_000_000.0


@dataclass(frozen=True)
class Signals:
    """What the outside world is like, by region code."""

    carbon: Mapping[str, CarbonSignal]
    prices: Mapping[str, PriceSignal]
    performance: Mapping[str, PerformanceSignal]


@dataclass(frozen=True)
class SolveSettings:
    """How to solve.

    Attributes:
        hours: UTC hours to plan.
        scenarios: Scenarios to plan with; see DESIGN "Scenarios".
        validation_scenarios: Fresh scenarios to check the chosen plan with.
        deadline_s: After this the solver returns its best plan with the gap that is left, in seconds.
        transmission: Energy per byte, ``best`` or ``worst`` of what is published.
        robust: Plan for the case least favourable to moving within these intervals; `None`: for what is expected.
    """

    hours: tuple[int, ...] = field(default_factory=lambda: tuple(range(24)))
    seed: int = 0
    scenarios: int = 1000
    validation_scenarios: int = 4000
    deadline_s: float = 60.0
    transmission: TransmissionPreset = "best"
    robust: RobustSettings | None = None


@dataclass(frozen=True)
class WorkflowModel:
    """What is known of a workflow itself.

    Attributes:
        manifest_id: Of the deployed package.
        earlier_manifest_ids: Of earlier packages with the same graph and home: their runs are this workflow's as well.
    """

    configuration: WorkflowConfiguration
    functions: Mapping[str, FunctionConfiguration]
    graph: Graph
    manifest_id: str
    earlier_manifest_ids: frozenset[str] = frozenset()

    def is_of_graph(self, run: ObservedRun) -> bool:
        """Whether the nodes and edges of a run are those of this workflow."""
        return run.manifest_id == self.manifest_id or run.manifest_id in self.earlier_manifest_ids


def build_problem(
    workflow: WorkflowModel,
    runs: tuple[ObservedRun, ...],
    signals: Signals,
    settings: SolveSettings,
    *,
    remark_on_runs: str = "",
) -> bytes:
    """Write the problem document.

    Runs of another graph and runs that failed are left out: the nodes and edges of these are others, or not all.

    Args:
        remark_on_runs: What the document says of which runs these are, as the rest of a sentence.

    Raises:
        NotEnoughDataError: No usable run, or a region without a signal.
        UsageError: The interval of the energy of moved bytes does not hold what is expected of it.
    """
    usable = tuple(run for run in runs if run.status == "complete" and workflow.is_of_graph(run))
    if not usable:
        raise NotEnoughDataError(
            f"there is no finished run of '{workflow.configuration.workflow_id}' to learn from: run it, then "
            "'multi_x_serverless data_sync' and 'multi_x_serverless data_collect all', then solve."
        )
    home = workflow.configuration.home_region
    regions = regions_of(workflow)
    _require_signals(regions, signals)
    carbon = [signals.carbon[region] for region in regions]
    case = (
        None if settings.robust is None else robust_case(settings.robust, carbon[0], carbon[1:], settings.transmission)
    )
    intensity_interval, transmission = interval_members(case, settings.transmission)
    document: dict[str, Any] = {
        "schema": PROBLEM_SCHEMA,
        "version": PROBLEM_VERSION,
        "workflow": workflow.configuration.workflow_id,
        "provenance": provenance(
            carbon,
            [signals.prices[region] for region in regions],
            [signals.performance[region] for region in regions],
            usable,
            settings.transmission,
            case,
            remark_on_runs,
        ),
        "regions": list(regions),
        "home": home,
        "hours": list(settings.hours),
        "nodes": [
            _node(node.name, node.function, node.sync, workflow.functions[node.function])
            for node in workflow.graph.nodes
        ],
        "edges": _edges(workflow.graph),
        "trigger": {"region": home, "forward_duration_s": constants.FORWARD_DURATION_S},
        "intensity_gco2e_per_kwh": {
            region: list(signals.carbon[region].intensity_gco2eq_per_kwh) for region in regions
        },
        "intensity_interval": intensity_interval,
        "outside_intensity_gco2e_per_kwh": constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH,
        "power": {
            "vcpu_min_kw": constants.VCPU_MINIMUM_KW,
            "vcpu_max_kw": constants.VCPU_MAXIMUM_KW,
            "memory_kw_per_gb": constants.MEMORY_KW_PER_GB,
            "memory_mb_per_vcpu": shared_constants.MEMORY_MB_PER_VCPU,
            "pue_default": constants.PUE_DEFAULT,
            "pue": {},
            "cpu_utilization_default": constants.CPU_UTILIZATION_DEFAULT,
        },
        "transmission": transmission,
        "prices": {region: _prices(region, regions, signals.prices[region]) for region in regions},
        "latency": {
            "round_trip_s": _round_trips(regions, signals),
            "bandwidth_bytes_per_s": shared_constants.BANDWIDTH_BYTES_PER_S,
        },
        "protocol": {
            "message_envelope_bytes": shared_constants.MESSAGE_ENVELOPE_BYTES,
            "inline_payload_limit_bytes": shared_constants.INLINE_PAYLOAD_LIMIT_BYTES,
            "sync_report_write_units": constants.SYNC_REPORT_WRITE_UNITS,
            "sync_closing_write_units": constants.SYNC_CLOSING_WRITE_UNITS,
            "sync_closing_read_units": constants.SYNC_CLOSING_READ_UNITS,
            "log_bytes_per_node": constants.LOG_BYTES_PER_NODE,
        },
        "relative_speed": {
            region: signals.performance[home].relative_speed / signals.performance[region].relative_speed
            for region in regions
        },
        "observations": observations(
            workflow.graph,
            {name: function.provider.memory_mb for name, function in workflow.functions.items()},
            workflow.configuration.data_regions,
            regions,
            signals.performance,
            usable,
        ),
        "priors": None,
        "constraints": {
            "hard": _limits(workflow.configuration.constraints.hard),
            "soft": _limits(workflow.configuration.constraints.soft),
            "priority_order": list(workflow.configuration.constraints.priority_order),
            "priority_tolerance": workflow.configuration.priority_tolerance,
        },
        "settings": {
            "seed": settings.seed,
            "scenarios": settings.scenarios,
            "validation_scenarios": settings.validation_scenarios,
            "min_samples": shared_constants.SAMPLES_THAT_COUNT_FULLY,
            "tail": 0.95,
            "confidence": 0.95,
            "deadline_s": settings.deadline_s,
        },
    }
    return orjson.dumps(document)


def regions_of(workflow: WorkflowModel) -> tuple[str, ...]:
    """Regions of a workflow's problem: home first, then every region that some function may use, sorted."""
    allowed = {region for function in workflow.functions.values() for region in function.allowed_regions}
    home = workflow.configuration.home_region
    return (home, *sorted(allowed - {home}))


def _require_signals(regions: tuple[str, ...], signals: Signals) -> None:
    for kind, known in (
        ("carbon", signals.carbon),
        ("provider", signals.prices),
        ("performance", signals.performance),
    ):
        missing = [region for region in regions if region not in known]
        if missing:
            raise NotEnoughDataError(
                f"there is no {kind} data of {', '.join(missing)} yet: run 'multi_x_serverless data_collect "
                f"{kind}', then solve."
            )


def _node(name: str, function: str, sync: bool, configuration: FunctionConfiguration) -> dict[str, Any]:
    return {
        "name": name,
        "function": function,
        "memory_mb": configuration.provider.memory_mb,
        "architecture": configuration.provider.architecture,
        "sync": sync,
        "allowed": list(configuration.allowed_regions),
    }


def _edges(graph: Graph) -> list[dict[str, Any]]:
    return [
        {
            "from": graph.nodes[edge.source].name,
            "to": graph.nodes[edge.target].name,
            "round_trips": constants.ROUND_TRIPS_SYNC_EDGE
            if graph.nodes[edge.target].sync
            else constants.ROUND_TRIPS_PLAIN_EDGE,
        }
        for edge in graph.edges
    ]


def _prices(region: str, regions: tuple[str, ...], signal: PriceSignal) -> dict[str, Any]:
    prices = signal.prices
    return {
        "lambda_usd_per_gb_s": {
            "x86_64": prices.lambda_x86_64_usd_per_gb_second,
            "arm64": prices.lambda_arm64_usd_per_gb_second,
        },
        "lambda_usd_per_request": prices.lambda_usd_per_million_requests / MEGA,
        "message_usd_per_64kib": prices.sns_usd_per_million_publishes / MEGA,
        "kv_usd_per_write_unit": prices.dynamodb_usd_per_million_write_units / MEGA,
        "kv_usd_per_read_unit": prices.dynamodb_usd_per_million_read_units / MEGA,
        "object_usd_per_put": prices.s3_usd_per_million_put_requests / MEGA,
        "object_usd_per_get": prices.s3_usd_per_million_get_requests / MEGA,
        "log_usd_per_gb": prices.cloudwatch_logs_usd_per_gb_ingested,
        "egress_usd_per_gb": {other: prices.egress_usd_per_gb_to(other) for other in regions if other != region},
        "egress_internet_usd_per_gb": prices.egress_to_internet_usd_per_gb,
    }


def _round_trips(regions: tuple[str, ...], signals: Signals) -> list[list[float]]:
    matrix = []
    for source in regions:
        row = []
        for target in regions:
            trip = signals.performance[source].round_trip_to(target)
            if trip is None:
                raise NotEnoughDataError(
                    f"there is no round trip from {source} to {target} yet: run 'multi_x_serverless data_collect "
                    "performance', then solve."
                )
            row.append(trip.seconds)
        matrix.append(row)
    return matrix


def _limits(limits: Limits) -> dict[str, Any]:
    named = {"cost": limits.cost, "runtime": limits.runtime, "carbon": limits.carbon}
    return {name: {"type": limit.type, "value": limit.value} for name, limit in named.items() if limit is not None}
