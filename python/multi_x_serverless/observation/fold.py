"""Folding log records into observed runs.

Records of one run come from several functions and regions, in any order, repeated by re-delivery or by reading a
stretch of log twice. Folding is therefore a function of the *set* of a run's records: the first record (by time) of
each kind, node and edge counts, and repeats change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import EdgeObservation, FailedAttempt, NodeObservation, ObservedRun, RunStatus

MAXIMUM_ATTEMPTS = 3
"""An asynchronous invocation is tried once and retried twice (AWS Lambda's default), then dead-lettered."""


@dataclass(frozen=True)
class RunState:
    """What the records of one run say so far.

    Attributes:
        finished: Nodes that ran to their end.
        awaited: Nodes that were called and have not finished.
        failed: Awaited nodes that failed as often as they are tried.
        unknown_edges: Edges of finished nodes that are neither called nor declined yet (their lines are missing).
    """

    finished: frozenset[int]
    awaited: frozenset[int]
    failed: frozenset[int]
    unknown_edges: frozenset[int]

    @property
    def is_complete(self) -> bool:
        """Whether everything that was called has finished and nothing is missing."""
        return bool(self.finished) and not self.awaited and not self.unknown_edges

    @property
    def is_given_up(self) -> bool:
        """Whether nothing is left that could still happen by itself, but not all finished."""
        return bool(self.failed) and self.awaited == self.failed


def examine(records: Iterable[Mapping[str, Any]], graph: Graph) -> RunState:
    """What happened to each node of a run, by its records so far."""
    finished: set[int] = set()
    failures: dict[int, set[str]] = {}
    called: set[int] = set()
    declined: set[int] = set()
    for record in records:
        match record["t"]:
            case "node_finished":
                finished.add(int(record["node"]))
            case "node_failed":
                failures.setdefault(int(record["node"]), set()).add(_attempt(record))
            case "edge_called":
                called.add(int(record["edge"]))
            case "edge_declined":
                declined.add(int(record["edge"]))
            case _:
                pass
    awaited: set[int] = set()
    unknown: set[int] = set()
    for index in range(len(graph.nodes)):
        if index != 0 and not any(edge in called for edge in graph.incoming[index]):
            continue
        if index not in finished:
            awaited.add(index)
            continue
        unknown |= {edge for edge in graph.outgoing[index] if edge not in called and edge not in declined}
    failed = {index for index in awaited if len(failures.get(index, ())) >= MAXIMUM_ATTEMPTS}
    return RunState(frozenset(finished), frozenset(awaited), frozenset(failed), frozenset(unknown))


def fold(run_id: str, records: Iterable[Mapping[str, Any]], graph: Graph, status: RunStatus) -> ObservedRun | None:
    """The run that a set of records describes; `None` when its start was not logged."""
    ordered = sorted(records, key=lambda record: (float(record["ts"]), str(record["t"])))
    start = next((record for record in ordered if record["t"] == "run_started"), None)
    if start is None:
        return None
    started = _first_by(ordered, "node_started", "node")
    finished = _first_by(ordered, "node_finished", "node")
    calls = _first_by(ordered, "edge_called", "edge")
    declines = _first_by(ordered, "edge_declined", "edge")
    nodes = {index: _node(record) for index, record in sorted(finished.items()) if index < len(graph.nodes)}
    edges = {
        index: _edge(index, calls.get(index), declines.get(index), started, graph)
        for index in range(len(graph.edges))
        if graph.edges[index].source in nodes and (index in calls or index in declines)
    }
    return ObservedRun(
        run_id=run_id,
        manifest_id=str(start["manifest"]),
        status=status,
        started_at=float(start["ts"]),
        finished_at=max((float(record["ts"]) for record in finished.values()), default=float(start["ts"])),
        plan_version=int(start["plan"]),
        placement_key=str(start["key"]),
        reason=str(start["reason"]),
        trigger_bytes=float(start["bytes"]),
        nodes=nodes,
        edges=edges,
        failed_attempts=_failed_attempts(ordered, graph),
    )


def _attempt(record: Mapping[str, Any]) -> str:
    """What tells attempts apart: each has a time of its own; the same line read twice has the same."""
    return f"{record.get('req')}@{record['ts']}"


def _failed_attempts(ordered: Iterable[Mapping[str, Any]], graph: Graph) -> tuple[FailedAttempt, ...]:
    attempts = {
        (int(record["node"]), _attempt(record)): FailedAttempt(
            int(record["node"]), str(record["region"]), float(record["wall"])
        )
        for record in ordered
        if record["t"] == "node_failed" and int(record["node"]) < len(graph.nodes)
    }
    return tuple(attempts.values())


def _first_by(records: Iterable[Mapping[str, Any]], record_type: str, member: str) -> dict[int, Mapping[str, Any]]:
    first: dict[int, Mapping[str, Any]] = {}
    for record in records:
        if record["t"] == record_type:
            first.setdefault(int(record[member]), record)
    return first


def _node(record: Mapping[str, Any]) -> NodeObservation:
    network: Mapping[str, Any] = record.get("network") or {}
    return NodeObservation(
        region=str(record["region"]),
        duration_s=float(record["wall"]),
        cpu_s=float(record["cpu"]),
        cold=bool(record["cold"]),
        attributed_bytes={str(region): float(sum(both)) for region, both in sorted(network.items())},
        other_bytes=float(record.get("other_in", 0)) + float(record.get("other_out", 0)),
    )


def _edge(
    index: int,
    call: Mapping[str, Any] | None,
    decline: Mapping[str, Any] | None,
    started: Mapping[int, Mapping[str, Any]],
    graph: Graph,
) -> EdgeObservation:
    if call is None:
        offset = None if decline is None else decline.get("offset")
        return EdgeObservation(
            called=False,
            payload_bytes=0.0,
            offset_s=None if offset is None else float(offset),
            latency_s=None,
        )
    edge = graph.edges[index]
    latency: float | None = None
    source, target = started.get(edge.source), started.get(edge.target)
    if source is not None and target is not None and not graph.nodes[edge.target].sync:
        # Clocks of two regions differ by milliseconds; a latency below zero is that difference, not a fact.
        latency = max(0.0, float(target["ts"]) - (float(source["ts"]) + float(call["offset"])))
    return EdgeObservation(
        called=True, payload_bytes=float(call["bytes"]), offset_s=float(call["offset"]), latency_s=latency
    )
