"""History -> statistics of a workflow, which `data_collect` and checks store (`adaptation.statistics_work`).

    history of a workflow  ->  `summarise`  ->  `model.statistics.WorkflowStatistics`  ->  the table of statistics

The solver reads the runs themselves, as joint samples; the statistics are the readable summary of the same runs (same
graph, complete, the last 30 days), and what the performance collector compares regions by.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from multi_x_serverless.adaptation.workflows import model_of
from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.measured_round_trips import CLOCK_ERROR_S, time_to_accept
from multi_x_serverless.collection.medians import median_of
from multi_x_serverless.collection.relative_speed import SMALLEST_ERROR, busy_share
from multi_x_serverless.model.estimate import Estimate
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import NodeObservation, ObservedRun, number_of_runs
from multi_x_serverless.model.shared_constants import MEMORY_MB_PER_VCPU, SAMPLES_THAT_COUNT_FULLY
from multi_x_serverless.model.statistics import (
    DataMoved,
    DataPlace,
    EdgeStatistics,
    Gap,
    NodeRegion,
    NodeStatistics,
    PairLatency,
    Spread,
    WorkflowStatistics,
)
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.problem import WorkflowModel

_SUMMARY = "summary"
"""Sort key of a workflow's statistics in the table; the others there are of `data_sync`."""


def store_statistics(cloud: Cloud, record: WorkflowRecord, history: Sequence[ObservedRun]) -> WorkflowStatistics:
    """Compute the statistics of one workflow from its runs of the last 30 days, oldest first, and store them.

    Raises:
        CloudError: The table cannot be written.
    """
    statistics = summarise(model_of(record), history, cloud.now())
    _table(cloud).put(Key(record.workflow_id, _SUMMARY), statistics)
    return statistics


def read_statistics(cloud: Cloud, workflow_id: str) -> WorkflowStatistics | None:
    """The statistics of a workflow as they were stored last; None if they never were.

    Raises:
        InvalidDocumentError: What is stored is no such document.
        CloudError: The table cannot be read.
    """
    stored = _table(cloud).get(Key(workflow_id, _SUMMARY))
    return None if stored is None else stored.value


def _table(cloud: Cloud) -> DocumentTable[WorkflowStatistics]:
    return DocumentTable[WorkflowStatistics](
        cloud.key_value,
        cloud.system_region,
        physical_name("statistics"),
        WorkflowStatistics.to_document,
        WorkflowStatistics.from_document,
    )


def summarise(workflow: WorkflowModel, history: Sequence[ObservedRun], now: float) -> WorkflowStatistics:
    """Statistics of a workflow.

    Args:
        workflow: As it is deployed.
        history: Its runs of the last 30 days, oldest first, of earlier graphs, too.
        now: Seconds since the epoch.
    """
    ours = [run for run in history if workflow.is_of_graph(run)]
    runs = [run for run in ours if run.status == "complete"]
    nodes = tuple(_node(workflow, index, ours, runs) for index in range(len(workflow.graph.nodes)))
    executions = [(float(node.cold), run.weight) for run in runs for node in run.nodes.values()]
    first, last = (ours[0].started_at, ours[-1].started_at) if ours else (None, None)
    observed_s = 0.0 if first is None else now - first
    edges = tuple(_edge(workflow.graph, index, runs) for index in range(len(workflow.graph.edges)))
    return WorkflowStatistics(
        workflow_id=workflow.configuration.workflow_id,
        manifest_id=workflow.manifest_id,
        collected_at=now,
        runs=number_of_runs(runs),
        sampled_runs=len(runs),
        failed=number_of_runs(run for run in ours if run.status == "failed"),
        other_runs=number_of_runs(run for run in history if not workflow.is_of_graph(run)),
        first_run_at=first,
        last_run_at=last,
        runs_per_day=number_of_runs(ours) * DAY_S / observed_s if observed_s >= DAY_S else None,
        cold_share=_mean(executions) if executions else None,
        runtime=_spread([(run.duration_s, run.weight) for run in runs]),
        nodes=nodes,
        edges=edges,
        gaps=_gaps(workflow, nodes, edges) if runs else (Gap("no_runs"),),
    )


Weighted: TypeAlias = tuple[float, float]
"""A value, and how many runs the one stands for in which it was seen."""


def _spread(samples: Sequence[Weighted]) -> Spread | None:
    if not samples:
        return None
    return Spread(len(samples), _mean(samples), _quantile(samples, 0.5), _quantile(samples, 0.95))


def _quantile(samples: Sequence[Weighted], position: float) -> float:
    """The engine's step quantile: every sample, the last included, counts by its weight."""
    ordered = sorted(samples)
    passed = list(accumulate(weight for _, weight in ordered))
    return ordered[min(len(ordered) - 1, bisect_right(passed, position * passed[-1]))][0]


def _mean(samples: Sequence[Weighted]) -> float:
    return math.fsum(value * weight for value, weight in samples) / math.fsum(weight for _, weight in samples)


def _median(samples: Sequence[Weighted], smallest_error: float) -> Estimate | None:
    """What regions are compared by; None without samples."""
    if not samples:
        return None
    return median_of([value for value, _ in samples], smallest_error, [weight for _, weight in samples])


# --- nodes ---------------------------------------------------------------------------------------------------


_Execution: TypeAlias = tuple[NodeObservation, float]
"""An execution, and the weight of its run."""


@dataclass
class _Executions:
    """Executions of a node in one region, each with its run's weight, and the starts of their runs."""

    observed: list[_Execution] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)


def _node(
    workflow: WorkflowModel, index: int, ours: Sequence[ObservedRun], runs: Sequence[ObservedRun]
) -> NodeStatistics:
    node = workflow.graph.nodes[index]
    memory_mb = workflow.functions[node.function].provider.memory_mb
    by_region: dict[str, _Executions] = defaultdict(_Executions)
    for run in runs:
        observed = run.nodes.get(index)
        if observed is not None:
            by_region[observed.region].observed.append((observed, run.weight))
            by_region[observed.region].started_at.append(run.started_at)
    everywhere = [observed for executions in by_region.values() for observed in executions.observed]
    places, unknown_bytes = _data_places(everywhere, workflow.configuration.data_regions.get(node.function))
    return NodeStatistics(
        name=node.name,
        function=node.function,
        failed_attempts=round(
            math.fsum(run.weight for run in ours for attempt in run.failed_attempts if attempt.node == index)
        ),
        regions=tuple(_node_region(region, executions, memory_mb) for region, executions in sorted(by_region.items())),
        data_places=places,
        unknown_bytes=unknown_bytes,
    )


def _node_region(region: str, executions: _Executions, memory_mb: int) -> NodeRegion:
    observed = executions.observed
    timed = [(node, weight) for node, weight in observed if node.duration_s > 0.0]
    warm = [(node, weight) for node, weight in timed if not node.cold]
    vcpus = memory_mb / MEMORY_MB_PER_VCPU
    remote = sorted({place for node, _ in observed for place in (*node.sent_bytes, *node.received_bytes)})
    return NodeRegion(
        region=region,
        warm=_spread([(node.duration_s, weight) for node, weight in observed if not node.cold]),
        cold=_spread([(node.duration_s, weight) for node, weight in observed if node.cold]),
        cpu_utilization=_mean([(min(1.0, node.cpu_s / (node.duration_s * vcpus)), weight) for node, weight in timed])
        if timed
        else None,
        busy_share=_quantile([(busy_share(node, memory_mb), weight) for node, weight in warm], 0.5) if warm else None,
        # What a function waits after it has returned tells nothing of processors.
        log_duration=_median([(math.log(node.worked_s), weight) for node, weight in warm], SMALLEST_ERROR),
        data=tuple(
            DataMoved(
                place,
                _mean([(node.sent_bytes.get(place, 0.0), weight) for node, weight in observed]),
                _mean([(node.received_bytes.get(place, 0.0), weight) for node, weight in observed]),
            )
            for place in remote
        ),
        other_sent_bytes=_mean([(node.other_sent_bytes, weight) for node, weight in observed]),
        other_received_bytes=_mean([(node.other_received_bytes, weight) for node, weight in observed]),
        newest_run_at=max(executions.started_at),
    )


def _data_places(observed: Sequence[_Execution], declared: str | None) -> tuple[tuple[DataPlace, ...], float]:
    """Where the data lies that a node moves, and bytes per execution of which nobody knows; as the solver takes it."""
    if not observed:
        return (), 0.0
    measured: dict[str, float] = defaultdict(float)
    for node, weight in observed:
        for sizes in (node.sent_bytes, node.received_bytes):
            for region, size in sizes.items():
                measured[region] += weight * size
    other = math.fsum(weight * (node.other_sent_bytes + node.other_received_bytes) for node, weight in observed)
    total = math.fsum(measured.values()) + other
    if total <= 0.0:
        return (), 0.0
    count = math.fsum(weight for _, weight in observed)
    places = [DataPlace(region, size / count, size / total, "measured") for region, size in measured.items() if size]
    if declared is not None and other:
        places.append(DataPlace(declared, other / count, other / total, "declared"))
    ordered = sorted(places, key=lambda place: (-place.share, place.region, place.basis))
    return tuple(ordered), other / count if declared is None else 0.0


# --- edges ---------------------------------------------------------------------------------------------------


@dataclass
class _Calls:
    """Calls of an edge between two regions."""

    latencies: list[Weighted] = field(default_factory=list)
    accepted: list[Weighted] = field(default_factory=list)
    cold: int = 0
    newest_run_at: float = 0.0


def _edge(graph: Graph, index: int, runs: Sequence[ObservedRun]) -> EdgeStatistics:
    edge = graph.edges[index]
    observed = [(run.edges[index], run.weight) for run in runs if index in run.edges]
    calls: dict[tuple[str, str], _Calls] = defaultdict(_Calls)
    for run in runs:
        call, caller, called = run.edges.get(index), run.nodes.get(edge.source), run.nodes.get(edge.target)
        if call is None or caller is None or called is None or call.latency_s is None:
            continue
        pair = calls[caller.region, called.region]
        pair.latencies.append((call.latency_s, run.weight))
        pair.cold += called.cold
        pair.newest_run_at = max(pair.newest_run_at, run.started_at)
        accepted = time_to_accept(call, caller, called)
        pair.accepted += [] if accepted is None else [(accepted, run.weight)]
    within = [accepted for (start, end), pair in calls.items() if start == end for accepted in pair.accepted]
    return EdgeStatistics(
        source=graph.nodes[edge.source].name,
        target=graph.nodes[edge.target].name,
        decided=len(observed),
        called=sum(call.called for call, _ in observed),
        call_probability=_mean([(float(call.called), weight) for call, weight in observed]) if observed else None,
        payload=_spread([(call.payload_bytes, weight) for call, weight in observed if call.called]),
        latencies=tuple(
            PairLatency(
                from_region=start,
                to_region=end,
                count=len(pair.latencies),
                cold_count=pair.cold,
                p50_s=_quantile(pair.latencies, 0.5),
                accepted=_median(pair.accepted, CLOCK_ERROR_S),
                newest_run_at=pair.newest_run_at,
            )
            for (start, end), pair in sorted(calls.items())
        ),
        accepted_within=_median(within, CLOCK_ERROR_S),
    )


# --- what is not known ---------------------------------------------------------------------------------------


def _gaps(workflow: WorkflowModel, nodes: Sequence[NodeStatistics], edges: Sequence[EdgeStatistics]) -> tuple[Gap, ...]:
    """What the history does not tell, nodes first, in the order of the graph."""
    gaps: list[Gap] = []
    for node in nodes:
        if not node.regions:
            gaps.append(Gap("node_never_ran", node.name))
            continue
        counts = {region.region: region.count for region in node.regions}
        allowed = workflow.functions[node.function].allowed_regions
        unseen = tuple(region for region in allowed if region not in counts)
        few = tuple(region for region in allowed if 0 < counts.get(region, 0) < SAMPLES_THAT_COUNT_FULLY)
        gaps += [Gap("region_never_seen", node.name, unseen)] if unseen else []
        gaps += [Gap("few_samples", node.name, few)] if few else []
    gaps += [
        Gap("edge_never_called", f"{edge.source} -> {edge.target}")
        for edge in edges
        if edge.decided and not edge.called
    ]
    return tuple(gaps)
