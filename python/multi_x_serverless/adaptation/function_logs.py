"""What the functions of a workflow, or of one of its runs, have logged; once, or as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from multi_x_serverless.adaptation.run_status import begins_run_id, earliest_record, is_run_id, whole_run_id
from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.deployment.places import places_of
from multi_x_serverless.errors import CloudError, UnknownRunError, UsageError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.function_logs import LATE_S, LoggedText, LogReader, ReadTexts, Wanted
from multi_x_serverless.observation.sync import UnreadLog

LOCAL_PAUSE_S, PAUSE_S = 0.3, 3.0
"""Between two looks at logs that are followed, in seconds: CloudWatch Logs answers few requests per second."""

_CLOCK_SLACK_S = 1.0  # a function's clock may be a little ahead of ours


@dataclass(frozen=True)
class LogQuery:
    """What to look for.

    Attributes:
        identifier: Id of a workflow or of a run, or 8 characters or more that a run's id begins with.
        workflow_id: The workflow that the run is of; looked for among all if missing.
        node: Name of a node, or of a function: all its nodes.
        since: Nothing from before, seconds since the epoch; `None`: the last hour, or the whole run.
        with_records: Also the SDK's records and the platform's routine lines.
        limit: The newest so many texts.
    """

    identifier: str
    workflow_id: str | None
    node: str | None
    since: float | None
    with_records: bool
    limit: int


@dataclass(frozen=True)
class FunctionLogs:
    """What was found.

    Attributes:
        record: The workflow.
        run_id: The run that was asked for, whole; `None` for all runs.
        since: From here on, seconds since the epoch.
        until: Until here.
        texts: By time.
        left_out: Older texts beyond the limit.
        unread: Logs that could not be read to their end.
    """

    record: WorkflowRecord
    run_id: str | None
    since: float
    until: float
    texts: tuple[LoggedText, ...]
    left_out: int
    unread: tuple[UnreadLog, ...]

    def node_of(self, text: LoggedText) -> str | None:
        """Name of the node that wrote a text, if it is known."""
        return None if text.node is None else self.record.graph.nodes[text.node].name

    def function_of(self, text: LoggedText) -> str:
        """Name of the function that wrote a text, as the developer gave it."""
        known = [name for graph in self.record.graphs.values() for name in graph.functions]
        names = {function_name(self.record.workflow_id, name): name for name in known}
        return names.get(text.source.function, text.source.function)


DEFAULT_SPAN_S = 3_600.0
"""How far back the logs of a workflow are shown, in seconds."""


def function_logs(cloud: Cloud, query: LogQuery) -> FunctionLogs:
    """Look once.

    Raises:
        UnknownWorkflowError: There is no workflow of that id.
        UnknownRunError: No log knows the run.
        CloudError: No log that could be read does.
        UsageError: There is no such node, or the ids of several runs begin so.
    """
    found, _ = _look(cloud, query)
    return found


def follow_function_logs(
    cloud: Cloud, query: LogQuery, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[FunctionLogs]:
    """Look again and again, for ever; each text is told once. See `function_logs`."""
    found, reader = _look(cloud, query)
    yield found
    pause_s = LOCAL_PAUSE_S if cloud.name == "local" else PAUSE_S
    until = found.until
    places = places_of(cloud, found.record)
    while True:
        sleep(pause_s)
        # Anew each time: a migration makes logs in other regions.
        start, end = until - LATE_S - _CLOCK_SLACK_S, _now(cloud)
        read = reader.read(log_sources(cloud, found.record, places), start, end, shown_from=found.since)
        until = end
        yield _found(found.record, found.run_id, found.since, end, read)


def _look(cloud: Cloud, query: LogQuery) -> tuple[FunctionLogs, LogReader]:
    is_run = query.workflow_id is not None or is_run_id(query.identifier) or begins_run_id(query.identifier)
    if not is_run:
        record = deployed_workflow(cloud, query.identifier)
        since = cloud.now() - DEFAULT_SPAN_S if query.since is None else query.since
        # An invocation may have begun before, and only its beginning says whose lines these are.
        longest_s = max(function.provider.timeout_s for function in record.functions.values())
        found, reader, _ = _look_at(cloud, record, query, None, since - longest_s, since)
        return found, reader
    records = deployed_workflows(cloud) if query.workflow_id is None else (deployed_workflow(cloud, query.workflow_id),)
    run_id = query.identifier
    if begins_run_id(run_id):
        run_id = whole_run_id(cloud, records, run_id)
    begun = earliest_record(run_id, cloud.now())
    since = begun if query.since is None else max(begun, query.since)
    unread: list[UnreadLog] = []
    for record in records:
        found, reader, has_run = _look_at(cloud, record, query, run_id, begun, since)
        if has_run:
            return found, reader
        unread += found.unread
    if unread:
        # It may stand in one of these.
        raise CloudError(
            f"the log of {unread[0].function} in {unread[0].region} could not be read, and no other knows run "
            f"'{run_id}': {unread[0].error}",
            operation="read_logs",
            region=unread[0].region,
        )
    raise UnknownRunError(run_id, tuple(record.workflow_id for record in records))


def _look_at(
    cloud: Cloud, record: WorkflowRecord, query: LogQuery, run_id: str | None, start: float, since: float
) -> tuple[FunctionLogs, LogReader, bool]:
    wanted = Wanted(
        run_id=run_id,
        nodes=None if query.node is None else _nodes_named(record.graph, query.node),
        with_records=query.with_records,
        limit=query.limit,
    )
    functions = [function_name(record.workflow_id, node.function) for node in record.graph.nodes]
    reader = LogReader(cloud, record.workflow_id, functions, wanted)
    until = _now(cloud)
    read = reader.read(log_sources(cloud, record), start, until, shown_from=since)
    return _found(record, run_id, since, until, read), reader, read.has_run


def _found(record: WorkflowRecord, run_id: str | None, since: float, until: float, read: ReadTexts) -> FunctionLogs:
    return FunctionLogs(record, run_id, since, until, read.texts, read.left_out, read.unread)


def _now(cloud: Cloud) -> float:
    return cloud.now() + _CLOCK_SLACK_S


def _nodes_named(graph: Graph, name: str) -> frozenset[int]:
    found = {index for index, node in enumerate(graph.nodes) if name in (node.name, node.function)}
    if not found:
        raise UsageError(
            f"there is no node or function '{name}'; there are {', '.join(node.name for node in graph.nodes)}."
        )
    return frozenset(found)
