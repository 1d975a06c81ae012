"""Folding log records into observed runs.

Records of one run come from several functions and regions, in any order, repeated by re-delivery or by reading a
stretch of log twice. Folding is therefore a function of the *set* of a run's records. A node's first attempt that
finished counts, with what that attempt logged: attempts are never mixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import EdgeObservation, FailedAttempt, NodeObservation, ObservedRun, RunStatus

MAXIMUM_ATTEMPTS = 3
"""An asynchronous invocation is tried once and retried twice (AWS Lambda's default), then dead-lettered."""

CLOCK_SLACK_S = 0.001
"""By so much a time derived from a duration may come before what followed it: rounding, and clocks that are set."""


@dataclass(frozen=True)
class RunState:
    """What the records of one run say so far.

    Attributes:
        finished: Nodes that ran to their end.
        called: Edges that were called.
        declined: Edges that were declined.
        awaited: Nodes that were called and have not finished.
        failed: Awaited nodes that failed as often as they are tried.
        stuck: Nodes that failed so, and those that only they could still call or complete.
        unknown_edges: Edges of finished nodes that are neither called nor declined yet (their lines are missing).
    """

    finished: frozenset[int]
    called: frozenset[int]
    declined: frozenset[int]
    awaited: frozenset[int]
    failed: frozenset[int]
    stuck: frozenset[int]
    unknown_edges: frozenset[int]

    @property
    def is_complete(self) -> bool:
        """Whether everything that was called has finished and nothing is missing."""
        return bool(self.finished) and not self.awaited and not self.unknown_edges

    @property
    def is_given_up(self) -> bool:
        """Whether nothing is left that could still happen by itself, but not all finished."""
        return bool(self.failed) and self.awaited <= self.stuck and not self.unknown_edges


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
    decided = called | declined
    return RunState(
        frozenset(finished),
        frozenset(called),
        frozenset(declined),
        frozenset(awaited),
        frozenset(failed),
        frozenset(_stuck(graph, failed, finished, decided)),
        frozenset(unknown),
    )


def _stuck(graph: Graph, failed: set[int], finished: set[int], decided: set[int]) -> set[int]:
    """Failed nodes, and those that wait for them: a join for a report, any other node for its call."""
    stuck = set(failed)
    is_growing = bool(stuck)
    while is_growing:
        waiting = {
            index
            for index in range(len(graph.nodes))
            if index not in finished
            and any(edge not in decided and graph.edges[edge].source in stuck for edge in graph.incoming[index])
        }
        is_growing = not waiting <= stuck
        stuck |= waiting
    return stuck


def fold(run_id: str, records: Iterable[Mapping[str, Any]], graph: Graph, status: RunStatus) -> ObservedRun | None:
    """The run that a set of records describes; `None` when its start was not logged."""
    ordered = _in_order(records)
    start = _start(ordered)
    if start is None:
        return None
    attempts = _Attempts(ordered, graph)
    edges = {
        index: edge
        for index in range(len(graph.edges))
        if graph.edges[index].source in attempts.finished and (edge := attempts.edge(index)) is not None
    }
    return ObservedRun(
        run_id=run_id,
        manifest_id=str(start["manifest"]),
        status=status,
        started_at=float(start["ts"]),
        finished_at=max((float(record["ts"]) for record in attempts.finished.values()), default=float(start["ts"])),
        plan_version=int(start["plan"]),
        placement_key=str(start["key"]),
        reason=str(start["reason"]),
        trigger_bytes=float(start["bytes"]),
        nodes={index: _node(record) for index, record in sorted(attempts.finished.items())},
        edges=edges,
        failed_attempts=_failed_attempts(ordered, graph),
    )


def manifest_of_run(records: Iterable[Mapping[str, Any]]) -> str | None:
    """The manifest that a run started under; `None` when its start was not logged."""
    start = _start(_in_order(record for record in records if record["t"] == "run_started"))
    return None if start is None else str(start["manifest"])


def _start(ordered: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((record for record in ordered if record["t"] == "run_started"), None)


def finished_attempts(records: Iterable[Mapping[str, Any]], graph: Graph) -> dict[int, float]:
    """When the attempt began that finished each node, seconds since the epoch."""
    attempts = _Attempts(_in_order(records), graph)
    return {node: attempts.start_of(node) for node in attempts.finished}


def _in_order(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(records, key=lambda record: (float(record["ts"]), str(record["t"])))


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


class _Attempts:
    """Records of a run by the attempts that wrote them.

    A retry has the request id of the attempt before, another delivery of the message one of its own. What an attempt
    logged lies between its start and its end, which are the end's time less its duration: one clock for both. (One that
    sent what an earlier attempt had called, `restored`, has that one's duration in its own; what it logged still lies
    between.)
    """

    def __init__(self, ordered: list[Mapping[str, Any]], graph: Graph) -> None:
        self._graph = graph
        self.finished: dict[int, Mapping[str, Any]] = {}
        self._started: dict[int, list[Mapping[str, Any]]] = {}
        self._calls: dict[int, list[Mapping[str, Any]]] = {}
        self._declines: dict[int, list[Mapping[str, Any]]] = {}
        self._reports: dict[int, list[Mapping[str, Any]]] = {}
        for record in ordered:
            match record["t"]:
                case "node_finished" if record["node"] < len(graph.nodes):
                    self.finished.setdefault(int(record["node"]), record)
                case "node_started":
                    self._started.setdefault(int(record["node"]), []).append(record)
                case "edge_called":
                    self._calls.setdefault(int(record["edge"]), []).append(record)
                case "edge_declined":
                    self._declines.setdefault(int(record["edge"]), []).append(record)
                case "sync_reported":
                    self._reports.setdefault(int(record["edge"]), []).append(record)
                case _:
                    pass

    def start_of(self, node: int) -> float:
        """When the attempt began that finished a node, seconds since the epoch."""
        record = self.finished[node]
        return float(record["ts"]) - float(record["wall"])

    def edge(self, index: int) -> EdgeObservation | None:
        """What became of an edge; `None` if nothing was logged."""
        calls, declines = self._calls.get(index, []), self._declines.get(index, [])
        if calls:
            call = self._of_finished_attempt(index, calls)
            # Where home took what the planned region refused, most of the time is that of the refusal.
            is_accepted = call is not None and not call.get("fallback")
            return EdgeObservation(
                called=True,
                payload_bytes=float((call or calls[0])["bytes"]),
                offset_s=self._offset(index, calls),
                latency_s=self._latency(index, calls),
                publish_s=float(call["publish"]) if call is not None and is_accepted else None,
                closed_join=self._closed_join(index),
            )
        if declines:
            return EdgeObservation(
                called=False,
                payload_bytes=0.0,
                offset_s=self._offset(index, declines),
                latency_s=None,
                closed_join=self._closed_join(index),
            )
        return None

    def _of_finished_attempt(self, edge: int, records: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The record that the attempt wrote that finished the edge's node."""
        source = self._graph.edges[edge].source
        end = self.finished[source]
        start = self.start_of(source) - CLOCK_SLACK_S
        mine = (
            record
            for record in records
            if record.get("node") == source and record["req"] == end["req"] and start <= record["ts"] <= end["ts"]
        )
        return next(mine, None)

    def _closed_join(self, edge: int) -> bool | None:
        report = self._of_finished_attempt(edge, self._reports.get(edge, []))
        return None if report is None else bool(report.get("fired"))

    def _offset(self, edge: int, records: list[Mapping[str, Any]]) -> float | None:
        record = self._of_finished_attempt(edge, records)
        offset = None if record is None else record.get("offset")
        return None if offset is None else float(offset)

    def _latency(self, edge: int, calls: list[Mapping[str, Any]]) -> float | None:
        """From the call to the first start of the delivery that the called node finished in the end."""
        target = self._graph.edges[edge].target
        end = self.finished.get(target)
        if end is None or self._graph.nodes[target].sync:
            return None
        arrivals = [record for record in self._started.get(target, ()) if record["req"] == end["req"]]
        if not arrivals:
            return None
        arrival = arrivals[0]
        # The message says when it was written, so of several calls the one that it came from is known.
        sent = float(arrival.get("sent", arrival["ts"]))
        call = min(calls, key=lambda record: abs(float(record["ts"]) - float(record["publish"]) - sent))
        source = self._graph.edges[edge].source
        starts = [
            float(record["ts"])
            for record in self._started.get(source, ())
            if record["req"] == call["req"] and record["ts"] <= call["ts"]
        ]
        if not starts:
            return None
        # Clocks of two regions differ by milliseconds; a latency below zero is that difference, not a fact.
        return max(0.0, float(arrival["ts"]) - (starts[-1] + float(call["offset"])))


def _node(record: Mapping[str, Any]) -> NodeObservation:
    network: Mapping[str, Any] = record.get("network") or {}
    return NodeObservation(
        region=str(record["region"]),
        duration_s=float(record["wall"]),
        cpu_s=float(record["cpu"]),
        cold=bool(record["cold"]),
        sent_bytes={str(region): float(both[1]) for region, both in sorted(network.items())},
        received_bytes={str(region): float(both[0]) for region, both in sorted(network.items())},
        other_sent_bytes=float(record.get("other_out", 0)),
        other_received_bytes=float(record.get("other_in", 0)),
        init_s=_init_s(record),
        returned_s=_seconds(record.get("returned")),
    )


def _init_s(record: Mapping[str, Any]) -> float | None:
    """How long the container of a cold execution took to start, in seconds, if the record says so."""
    return _seconds(record.get("init")) if record["cold"] else None


def _seconds(value: object) -> float | None:
    """A duration that a record may lack: whoever reads the line has checked only what must be there."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
