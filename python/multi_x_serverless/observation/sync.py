"""Reading function logs into the history, a stretch at a time.

Every sync reads from a little before where the last one ended (lines may arrive late) to now. Records of runs that
have not finished are carried over; a run is counted once, however often its lines are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import ObservedRun, RunStatus, SyncState
from multi_x_serverless.observation.fold import examine, fold
from multi_x_serverless.observation.history import History
from multi_x_serverless.sdk.records import MalformedRecordError, parse_line

OVERLAP_S = 120.0
"""How far back a sync reads again: CloudWatch shows lines within seconds, clocks differ by less."""

GIVE_UP_AFTER_S = 3_600.0
"""A run without a new line for this long is counted as failed: an invocation lasts 900 s at most, with 2 retries."""


@dataclass(frozen=True)
class LogSource:
    """A function's log in a region."""

    region: str
    function: str


@dataclass(frozen=True)
class SyncReport:
    """What one sync of one workflow did.

    Attributes:
        lines: New records read.
        completed: Runs added as complete.
        failed: Runs added as failed.
        open: Runs that are not finished yet.
        malformed: Damaged records met.
        rejected: Messages that functions refused.
        late: Records of runs that were counted before and are too late to change them.
        read_until: Logs are read up to here, seconds since the epoch.
    """

    workflow_id: str
    lines: int
    completed: int
    failed: int
    open: int
    malformed: int
    rejected: int
    late: int
    read_until: float


def sync_state_table(cloud: Cloud) -> DocumentTable[SyncState]:
    """Where the progress of each workflow's sync is kept."""
    return DocumentTable(
        cloud.key_value,
        cloud.system_region,
        physical_name("statistics"),
        SyncState.to_document,
        SyncState.from_document,
    )


def sync_logs(cloud: Cloud, workflow_id: str, graph: Graph, sources: tuple[LogSource, ...]) -> SyncReport:
    """Read what is new in the logs of a workflow and add the runs that ended to its history."""
    table = sync_state_table(cloud)
    key = Key(workflow_id, "sync")
    stored = table.get(key)
    before = SyncState() if stored is None else stored.value
    now = cloud.now()
    state, ended = _read(cloud, before, workflow_id, graph, sources, now)
    history = History(cloud)
    # The runs go in before the progress is noted: dying between the two repeats the stretch, and the history
    # does not take a run twice.
    history.add(workflow_id, ended)
    history.prune(workflow_id, now)
    table.put(key, state)
    return SyncReport(
        workflow_id=workflow_id,
        lines=state.lines - before.lines,
        completed=sum(run.status == "complete" for run in ended),
        failed=sum(run.status == "failed" for run in ended),
        open=len(state.open_records),
        malformed=state.malformed - before.malformed,
        rejected=state.rejected - before.rejected,
        late=state.late - before.late,
        read_until=state.read_until,
    )


class _Reader:
    """Records of a stretch of log, by run, without those that were read before."""

    def __init__(self, before: SyncState) -> None:
        self.before = before
        self.records: dict[str, dict[str, None]] = {
            run: dict.fromkeys(records) for run, records in before.open_records.items()
        }
        self.lines = before.lines
        self.malformed = before.malformed
        self.rejected = before.rejected
        self.late = before.late

    def take(self, line: str, workflow_id: str, *, is_overlap: bool) -> None:
        """Take in one line of a log."""
        try:
            record = parse_line(line)
        except MalformedRecordError:
            # Lines of the overlap were counted by the sync before.
            self.malformed += not is_overlap
            return
        if record is None or record.get("wf") != workflow_id:
            return
        if record["t"] == "rejected":
            self.rejected += not is_overlap
            return
        run = str(record.get("run", ""))
        if not run:
            self.malformed += not is_overlap
            return
        if run in self.before.recent_runs:
            self.late += not is_overlap
            return
        text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
        known = self.records.setdefault(run, {})
        if text not in known:
            known[text] = None
            self.lines += 1


def _read(
    cloud: Cloud,
    before: SyncState,
    workflow_id: str,
    graph: Graph,
    sources: tuple[LogSource, ...],
    now: float,
) -> tuple[SyncState, list[ObservedRun]]:
    reader = _Reader(before)
    start = max(0.0, before.read_until - OVERLAP_S)
    for source in sources:
        for event in cloud.logs.read_logs(source.region, source.function, start, now):
            reader.take(event.message, workflow_id, is_overlap=event.timestamp < before.read_until)
    recent = {run: counted for run, counted in before.recent_runs.items() if counted >= now - 10 * OVERLAP_S}
    still_open: dict[str, tuple[str, ...]] = {}
    ended: list[ObservedRun] = []
    for run, texts in reader.records.items():
        records: list[Mapping[str, Any]] = [orjson.loads(text) for text in texts]
        status = _status(records, graph, now)
        if status is None:
            still_open[run] = tuple(texts)
            continue
        observed = fold(run, records, graph, status)
        recent[run] = now
        if observed is not None:
            ended.append(observed)
    return (
        replace(
            before,
            read_until=now,
            open_records=still_open,
            recent_runs=recent,
            lines=reader.lines,
            malformed=reader.malformed,
            rejected=reader.rejected,
            late=reader.late,
        ),
        ended,
    )


def _status(records: list[Mapping[str, Any]], graph: Graph, now: float) -> RunStatus | None:
    state = examine(records, graph)
    if state.is_complete:
        return "complete"
    newest = max(float(record["ts"]) for record in records)
    if state.is_given_up or now - newest > GIVE_UP_AFTER_S:
        return "failed"
    return None
