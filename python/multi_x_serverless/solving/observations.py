"""Observed runs as columns of the problem document, one entry per run: what happened together stays together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model import shared_constants
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.run import NodeObservation, ObservedRun
from multi_x_serverless.solving.waiting import Waits, waits_of

OUTSIDE = "outside"
"""Name of everything that is not one of the problem's regions."""


def observations(
    graph: Graph,
    memory_mb: Mapping[str, int],
    data_regions: Mapping[str, str],
    regions: Sequence[str],
    performance: Mapping[str, PerformanceSignal],
    runs: Sequence[ObservedRun],
) -> dict[str, Any]:
    """The observed runs of a problem document.

    Args:
        graph: Nodes and edges that the runs speak of.
        memory_mb: By function.
        data_regions: By function, where it declares to keep its data.
        regions: Codes of the problem's regions.
        performance: Round trips from each region.
        runs: Finished runs of this graph.
    """
    trips = (performance[source].round_trip_to(target) for source in regions for target in regions)
    farthest_s = max((trip.seconds for trip in trips if trip is not None), default=0.0)
    waits = [waits_of(graph, performance, farthest_s, run) for run in runs]
    return {
        "runs": len(runs),
        # Left out where there is nothing to say, as documents did before runs could stand for several.
        **({"weights": [run.weight for run in runs]} if any(run.weight != 1.0 for run in runs) else {}),
        "trigger_bytes": [run.trigger_bytes for run in runs],
        "nodes": {
            node.name: _node_columns(
                index, regions, memory_mb[node.function], data_regions.get(node.function), runs, waits
            )
            for index, node in enumerate(graph.nodes)
        },
        "edges": [_edge_columns(index, edge.source, runs, waits) for index, edge in enumerate(graph.edges)],
    }


def _node_columns(
    node: int,
    regions: Sequence[str],
    memory_mb: int,
    data_region: str | None,
    runs: Sequence[ObservedRun],
    waits: Sequence[Waits],
) -> dict[str, Any]:
    position = {region: index for index, region in enumerate(regions)}
    vcpus = memory_mb / shared_constants.MEMORY_MB_PER_VCPU
    ran: list[int] = []
    region: list[int] = []
    duration: list[float | None] = []
    utilization: list[float | None] = []
    data: list[float | None] = []
    sent: dict[str, list[float]] = {}
    received: dict[str, list[float]] = {}
    for run_index, (run, waited) in enumerate(zip(runs, waits, strict=True)):
        observed = run.nodes.get(node)
        # A region that is no longer allowed has no index; its duration would be taken for another region's.
        usable = observed is not None and observed.region in position
        ran.append(int(observed is not None))
        region.append(position[observed.region] if observed is not None and usable else -1)
        if observed is None:
            for column in (duration, utilization, data):
                column.append(None)
            continue
        own_s = waited.own_duration_s[node]
        duration.append(own_s)
        utilization.append(min(1.0, observed.cpu_s / (own_s * vcpus)) if own_s > 0 else None)
        exchanged = exchanged_data(observed, data_region)
        data.append(exchanged.other)
        for columns, sizes in ((sent, exchanged.sent), (received, exchanged.received)):
            for place, size in sizes.items():
                # Data may lie where the workflow may not run; the engine prices such a place as outside.
                end = place if place in position else OUTSIDE
                columns.setdefault(end, [0.0] * len(runs))[run_index] += size
    return {
        "ran": ran,
        "region": region,
        "duration_s": duration,
        "cpu_utilization": utilization,
        "data_bytes": data,
        "sent_bytes": dict(sorted(sent.items())),
        "received_bytes": dict(sorted(received.items())),
    }


@dataclass(frozen=True)
class ExchangedData:
    """Bytes that a node's own code moved.

    Attributes:
        sent: Region -> bytes sent there.
        received: Region -> bytes received from there.
        other: Bytes to or from nobody knows where.
    """

    sent: Mapping[str, float]
    received: Mapping[str, float]
    other: float


def exchanged_data(observed: NodeObservation, data_region: str | None) -> ExchangedData:
    """What a node moved; bytes of unknown places belong to the region that its function declares for data, if any."""
    if data_region is None:
        return ExchangedData(
            observed.sent_bytes, observed.received_bytes, observed.other_sent_bytes + observed.other_received_bytes
        )
    return ExchangedData(
        _plus(observed.sent_bytes, data_region, observed.other_sent_bytes),
        _plus(observed.received_bytes, data_region, observed.other_received_bytes),
        0.0,
    )


def _plus(sizes: Mapping[str, float], region: str, more: float) -> dict[str, float]:
    return {**sizes, region: sizes.get(region, 0.0) + more}


def _edge_columns(edge: int, source: int, runs: Sequence[ObservedRun], waits: Sequence[Waits]) -> dict[str, Any]:
    called: list[int | None] = []
    payload: list[float | None] = []
    offset: list[float | None] = []
    latency: list[float | None] = []
    round_trips: list[float] = []
    slack: list[float] = []
    for run, waited in zip(runs, waits, strict=True):
        # Of a dead node's declines some are reported all the same.
        awaited = waited.awaited.get(edge)
        round_trips.append(0.0 if awaited is None else awaited.round_trips)
        slack.append(0.0 if awaited is None else round(awaited.slack_s, 6))
        node = run.nodes.get(source)
        observed = run.edges.get(edge)
        if node is None or observed is None:
            for column in (called, payload, offset, latency):
                column.append(None)
            continue
        called.append(int(observed.called))
        payload.append(observed.payload_bytes if observed.called else None)
        own_s = waited.own_duration_s[source]
        fraction = 1.0 if observed.offset_s is None or own_s <= 0 else min(1.0, max(0.0, observed.offset_s / own_s))
        offset.append(fraction)
        latency.append(observed.latency_s)
    return {
        "called": called,
        "payload_bytes": payload,
        "offset_fraction": offset,
        "latency_s": latency,
        # Left out where nobody waits, as documents did that knew of no waiting.
        **({"awaited_round_trips": round_trips, "slack_s": slack} if any(round_trips) else {}),
    }
