"""What became of particular runs, straight from the logs: for `run --wait` and `status`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.observation.fold import examine, finished_attempts, fold, manifest_of_run
from multi_x_serverless.observation.sync import LogSource
from multi_x_serverless.sdk.records import MalformedRecordError, parse_line

TraceStatus: TypeAlias = Literal["complete", "failed", "running", "not started"]


@dataclass(frozen=True)
class NodeTrace:
    """The attempt that finished a node: start relative to the run's start and duration, in seconds."""

    node: str
    region: str
    start_s: float
    duration_s: float
    is_cold: bool


@dataclass(frozen=True)
class NodeFailure:
    """A node that raised."""

    node: str
    region: str
    error: str
    message: str
    traceback: tuple[str, ...]


@dataclass(frozen=True)
class RunTrace:
    """A run as its logs show it.

    Attributes:
        nodes: Those that finished, in the order of the graph.
        duration_s: From the start to the end of the last node that finished; of a run that failed, to its last record.
        result: What the nodes without successors returned: the value itself if there is one such node that ran,
            otherwise node name -> value. `None` when results are not logged.
        failures: Attempts that raised, also those that a retry made good.
    """

    run_id: str
    status: TraceStatus
    reason: str
    placement_key: str
    duration_s: float
    nodes: tuple[NodeTrace, ...]
    failures: tuple[NodeFailure, ...]
    result: Any


def trace_runs(
    cloud: Cloud,
    workflow_id: str,
    graph: Graph,
    sources: Sequence[LogSource],
    run_ids: Sequence[str],
    since: float,
    *,
    earlier: Mapping[str, Graph] | None = None,
) -> tuple[RunTrace, ...]:
    """Read what the logs say since a time about some runs, in the order asked for.

    Args:
        earlier: Manifest id -> graph, of earlier deployments; runs of other manifests are `graph`'s.
    """
    found = read_runs(cloud, workflow_id, sources, run_ids, since)
    graphs = earlier or {}
    return tuple(
        trace_of(run_id, logged.records, graphs.get(manifest_of_run(logged.records) or "", graph))
        for run_id, logged in found.items()
    )


@dataclass
class LoggedRun:
    """All that the logs hold of one run.

    Attributes:
        records: Its records, unordered.
        kills: (request id, text) of the platform's lines about invocations of it that did not end by themselves:
            out of time, out of memory, exited.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    kills: list[tuple[str, str]] = field(default_factory=list)


def read_runs(
    cloud: Cloud, workflow_id: str, sources: Sequence[LogSource], run_ids: Sequence[str], since: float
) -> dict[str, LoggedRun]:
    """Read the records of some runs since a time, in the order of `run_ids`."""
    found = {run_id: LoggedRun() for run_id in run_ids}
    # A function's clock may be a little behind ours, and the last lines are from right now.
    start, end = since - 1.0, cloud.now() + 1.0
    for source in sources:
        run_of_request: dict[str, str] = {}
        for event in cloud.logs.read_logs(source.region, source.function, start, end):
            try:
                record = parse_line(event.message)
            except MalformedRecordError:
                continue
            if record is None:
                request = killed_request(event.message)
                if request in run_of_request:
                    found[run_of_request[request]].kills.append((request, event.message.strip()))
            elif record.get("wf") == workflow_id and record.get("run") in found:
                run_of_request[record["req"]] = record["run"]
                found[record["run"]].records.append(record)
    return found


def run_ids_that_begin(
    cloud: Cloud, workflow_id: str, sources: Sequence[LogSource], beginning: str, since: float
) -> set[str]:
    """Ids of the runs that have records since a time and whose id begins so."""
    found: set[str] = set()
    for source in sources:
        for event in cloud.logs.read_logs(source.region, source.function, since - 1.0, cloud.now() + 1.0):
            try:
                record = parse_line(event.message)
            except MalformedRecordError:
                continue
            if record is not None and record.get("wf") == workflow_id:
                found.add(str(record.get("run", "")))
    return {run_id for run_id in found if run_id.startswith(beginning)}


# Lambda's words, then those that only the embedded cloud has (`cloud.local.worker`).
_KILLED = re.compile(
    r"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?: Error:)? "
    r"(?:Task timed out|Runtime exited|Memory \d+ MB used|killed by the fault plan|the host was closed)",
    re.ASCII,
)


def killed_request(line: str) -> str:
    """Request id in a line by which the platform says that an invocation was ended; empty for any other line."""
    match = _KILLED.search(line)
    return "" if match is None else match.group(1)


def trace_of(run_id: str, records: list[dict[str, Any]], graph: Graph) -> RunTrace:
    """A run as its records show it."""
    state = examine(records, graph)
    status: TraceStatus = "running"
    if state.is_complete:
        status = "complete"
    elif state.is_given_up:
        status = "failed"
    run = fold(run_id, records, graph, "complete" if status == "complete" else "failed")
    if run is None:
        return RunTrace(run_id, "not started", "", "", 0.0, (), _failures(records, graph), None)
    starts = finished_attempts(records, graph)
    duration_s = run.duration_s
    if status == "failed":
        duration_s = max(duration_s, time_to_last_record(records, run.started_at))
    nodes = tuple(
        NodeTrace(
            node=graph.nodes[index].name,
            region=observed.region,
            start_s=max(0.0, starts[index] - run.started_at),
            duration_s=observed.duration_s,
            is_cold=observed.cold,
        )
        for index, observed in sorted(run.nodes.items())
    )
    return RunTrace(
        run_id=run_id,
        status=status,
        reason=run.reason,
        placement_key=run.placement_key,
        duration_s=duration_s,
        nodes=nodes,
        failures=_failures(records, graph),
        result=_result(records, graph),
    )


def time_to_last_record(records: Sequence[Mapping[str, Any]], started_at: float) -> float:
    """Seconds from a run's start until anything was last heard of it."""
    return max(0.0, max((float(record["ts"]) for record in records), default=started_at) - started_at)


def _failures(records: Sequence[Mapping[str, Any]], graph: Graph) -> tuple[NodeFailure, ...]:
    return tuple(
        NodeFailure(
            node=graph.nodes[int(record["node"])].name,
            region=str(record["region"]),
            error=str(record["error"]),
            message=str(record["message"]),
            traceback=tuple(str(line) for line in record.get("traceback", ())),
        )
        for record in sorted(records, key=lambda entry: float(entry["ts"]))
        if record["t"] == "node_failed" and int(record["node"]) < len(graph.nodes)
    )


def _result(records: Sequence[Mapping[str, Any]], graph: Graph) -> Any:
    results: dict[str, Any] = {}
    for record in records:
        if record["t"] == "node_finished" and "result" in record and int(record["node"]) < len(graph.nodes):
            results.setdefault(graph.nodes[int(record["node"])].name, record["result"])
    if len(results) == 1:
        return next(iter(results.values()))
    return results or None
