"""The state of one run, straight from the logs: what each node did, what is waited for, what failed and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from multi_x_serverless.adaptation.dead_letters import LONGEST_RUN_S, GivenUpMessage, dead_letters
from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import UnknownRunError, UsageError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.fold import RunState, examine, manifest_of_run
from multi_x_serverless.observation.trace import (
    LoggedRun,
    RunTrace,
    read_runs,
    run_ids_that_begin,
    time_to_last_record,
    trace_of,
)

NodeState: TypeAlias = Literal[
    "finished", "failed", "running", "retrying", "called", "waiting", "declined", "not reached"
]

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_BEGINNING = re.compile(r"[0-9a-f]{8,31}")
_TIME_DIGITS = 12  # of a run id: milliseconds since the epoch
_CLOCK_SLACK_S = 60.0

TELLING_CHARACTERS = 16
"""So many of a run's id tell it from all others: the time in milliseconds and 16 random bits. Runs that were started
together share the first 8, which are taken as well."""

IDS_SHOWN = 3
"""So many of the runs that a beginning may mean are named."""


@dataclass(frozen=True)
class NodeStatus:
    """One node of a run.

    Attributes:
        state: finished; failed (given up); running; retrying (failed, to be
            tried again); called (no attempt has begun); waiting (a join with edges still open); dead (all calls to it
            were declined); not reached.
        region: Where its last attempt ran; empty if none began.
        attempts: How many began.
        duration_s: Wall time of the attempt that finished it, in seconds.
        waits_for: Names of the nodes whose calls a waiting join still waits for.
    """

    node: str
    state: NodeState
    region: str
    attempts: int
    duration_s: float | None
    is_cold: bool
    waits_for: tuple[str, ...]


@dataclass(frozen=True)
class RunStatus:
    """See the module's text.

    Attributes:
        trace: The run as `run` shows it, with the failures and their tracebacks.
        plan_version: Plan that placed it, 0 for none.
        is_all_home: Whether that plan has everything at home at all hours; `None` if there is none, or not any more.
        started_at: Start of the entry node, seconds since the epoch; `None` if it has not started.
        nodes: In the order of the graph.
        kills: What the platform said of invocations that it ended.
        duplicates: Deliveries that found their node started.
        fallbacks: Calls that home took because the planned region did not.
        letters: Its messages that were given up.
        is_deployment_unknown: Whether it started under a deployment that the record does not know (any more): then it
            is told by the graph and the home of today, which may not be its own.
    """

    workflow_id: str
    trace: RunTrace
    plan_version: int
    is_all_home: bool | None
    started_at: float | None
    nodes: tuple[NodeStatus, ...]
    kills: tuple[str, ...]
    duplicates: int
    fallbacks: int
    letters: tuple[GivenUpMessage, ...]
    is_deployment_unknown: bool = False


def is_run_id(text: str) -> bool:
    """Whether a text has the form of the run ids that are given out."""
    return _RUN_ID.fullmatch(text) is not None


def begins_run_id(text: str) -> bool:
    """Whether a text is the beginning of a run id, long enough to look for; no id of a workflow is."""
    return _BEGINNING.fullmatch(text) is not None


def run_status(cloud: Cloud, run_id: str, workflow_id: str | None = None) -> RunStatus:
    """Collect the state of a run.

    Args:
        run_id: Its id, or 8 characters or more that no other run's id begins with.
        workflow_id: Its workflow; looked for among all deployed ones if missing.

    Raises:
        UnknownWorkflowError: There is no workflow of that id.
        UnknownRunError: No log knows the run.
        UsageError: The ids of several runs begin so.
    """
    records = deployed_workflows(cloud) if workflow_id is None else (deployed_workflow(cloud, workflow_id),)
    if begins_run_id(run_id):
        run_id = whole_run_id(cloud, records, run_id)
    since = earliest_record(run_id, cloud.now())
    for record in records:
        logged = read_runs(cloud, record.workflow_id, log_sources(cloud, record), [run_id], since)[run_id]
        letters = tuple(message for message in dead_letters(cloud, record.workflow_id) if message.run_id == run_id)
        if logged.records or letters:
            return _status(cloud, run_id, record, logged, letters)
    raise UnknownRunError(run_id, tuple(record.workflow_id for record in records))


def whole_run_id(cloud: Cloud, records: Sequence[WorkflowRecord], beginning: str) -> str:
    """The id of the one run that begins so; the beginning itself if none does, or if that is an id, too."""
    since = earliest_record(beginning, cloud.now())
    found: set[str] = set()
    for record in records:
        found |= run_ids_that_begin(cloud, record.workflow_id, log_sources(cloud, record), beginning, since)
        found |= {message.run_id for message in dead_letters(cloud, record.workflow_id)}
    ids = sorted(run_id for run_id in found if run_id.startswith(beginning))
    if len(ids) > 1 and beginning not in ids:
        brief = [run_id[:TELLING_CHARACTERS] for run_id in ids]
        shown = ", ".join((brief if len(set(brief)) == len(ids) else ids)[:IDS_SHOWN])
        more = ", ..." if len(ids) > IDS_SHOWN else ""
        raise UsageError(f"the ids of {len(ids)} runs begin with '{beginning}': {shown}{more}; give more characters.")
    return beginning if beginning in ids or not ids else ids[0]


def earliest_record(run_id: str, now: float) -> float:
    """No record of the run is older: its id begins with the time it was made at, in milliseconds."""
    if is_run_id(run_id) or begins_run_id(run_id):
        made_at = int(run_id[:_TIME_DIGITS].ljust(_TIME_DIGITS, "0"), 16) / 1000.0
        if now - LONGEST_RUN_S < made_at < now + _CLOCK_SLACK_S:
            return made_at - _CLOCK_SLACK_S
    return now - LONGEST_RUN_S


def _status(
    cloud: Cloud, run_id: str, record: WorkflowRecord, logged: LoggedRun, letters: tuple[GivenUpMessage, ...]
) -> RunStatus:
    records = logged.records
    manifest_id = _manifest_of(records, letters)
    origin = None if manifest_id is None else record.origins.get(manifest_id)
    graph = record.graph if origin is None else origin.graph
    home = record.home_region if origin is None else origin.home_region
    trace = trace_of(run_id, records, graph)
    given_up = {message.node for message in letters}
    state = examine(records, graph)
    start = min((entry for entry in records if entry["t"] == "run_started"), key=_time, default=None)
    requests = [request for request, _ in logged.kills]
    nodes = tuple(_node_status(index, graph, records, state, given_up, requests) for index in range(len(graph.nodes)))
    if letters and trace.status in ("running", "not started"):
        duration_s = 0.0 if start is None else time_to_last_record(records, float(start["ts"]))
        trace = replace(trace, status="failed", duration_s=duration_s)
    elif trace.status == "failed" and not letters and any(node.state == "running" for node in nodes):
        trace = replace(trace, status="running")  # what had failed was put back
    plan_version = 0 if start is None else int(start["plan"])
    plan = PlanStore(cloud).find(record.workflow_id, plan_version) if plan_version else None
    return RunStatus(
        workflow_id=record.workflow_id,
        trace=trace,
        plan_version=plan_version,
        is_all_home=None if plan is None else plan.is_all_in(home),
        started_at=None if start is None else float(start["ts"]),
        nodes=nodes,
        kills=tuple(text for _, text in logged.kills),
        duplicates=sum(entry["t"] == "duplicate" for entry in records),
        fallbacks=sum(entry["t"] == "edge_called" and bool(entry.get("fallback")) for entry in records),
        letters=letters,
        is_deployment_unknown=manifest_id is not None and origin is None,
    )


def _manifest_of(records: Sequence[dict[str, Any]], letters: Sequence[GivenUpMessage]) -> str | None:
    """The manifest that a run started under, by its records or else by its messages; `None` if none of them says."""
    return manifest_of_run(records) or next((message.manifest_id for message in letters if message.manifest_id), None)


def _time(record: dict[str, Any]) -> float:
    return float(record["ts"])


def _node_status(
    index: int,
    graph: Graph,
    records: list[dict[str, Any]],
    state: RunState,
    given_up: set[str],
    kills: list[str],
) -> NodeStatus:
    name = graph.nodes[index].name
    starts = sorted((entry for entry in records if entry["t"] == "node_started" and entry["node"] == index), key=_time)
    requests = {entry["req"] for entry in starts}
    killed = sum(request in requests for request in kills)
    ends = Counter(entry["t"] for entry in records if entry.get("node") == index)
    finished = min(
        (entry for entry in records if entry["t"] == "node_finished" and entry["node"] == index),
        key=_time,
        default=None,
    )
    incoming = graph.incoming[index]
    open_edges = [edge for edge in incoming if edge not in state.called and edge not in state.declined]
    node_state: NodeState
    if finished is not None:
        node_state = "finished"
    elif name in given_up:
        node_state = "failed"
    elif len(starts) > ends["node_failed"] + killed:
        node_state = "running"
    elif index in state.failed:
        node_state = "failed"
    elif starts:
        node_state = "retrying"
    elif incoming and state.declined.issuperset(incoming):
        node_state = "declined"
    elif graph.nodes[index].sync and open_edges and len(open_edges) < len(incoming):
        node_state = "waiting"
    elif state.called.intersection(incoming) or (index == 0 and not incoming):
        node_state = "called"
    else:
        node_state = "not reached"
    waits_for = [graph.nodes[graph.edges[edge].source].name for edge in open_edges]
    return NodeStatus(
        node=name,
        state=node_state,
        region=str(starts[-1]["region"]) if starts else "",
        attempts=len(starts),
        duration_s=None if finished is None else float(finished["wall"]),
        is_cold=bool(finished is not None and finished["cold"]),
        waits_for=tuple(dict.fromkeys(waits_for)) if node_state == "waiting" else (),
    )
