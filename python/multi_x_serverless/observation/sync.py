"""Reading function logs into the history, a stretch at a time.

Every sync reads from a little before where the last one ended (lines may arrive late) to now, and saves its progress
after every stretch. Records of runs that have not ended are carried over, one item per run. A run is counted once,
however often its lines are read and wherever a sync dies: per stretch, first its ended runs go into the history, which
takes no run twice, then they are noted as counted, then the open runs are written, and the cursor moves last.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from typing import Any

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key, LogEvent
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import ConflictError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import ObservedRun, RunStatus
from multi_x_serverless.model.sync_state import CountedRuns, OpenRun, SyncCursor
from multi_x_serverless.observation.fold import examine, fold
from multi_x_serverless.observation.history import History
from multi_x_serverless.sdk.records import MARKER, MalformedRecordError, parse_line

OVERLAP_S = 120.0
"""How far back a sync reads again: CloudWatch shows lines within seconds, clocks differ by less."""

GIVE_UP_AFTER_S = 3_600.0
"""A run without a new line for this long is counted as failed: an invocation lasts 900 s at most, with 2 retries."""

REMEMBER_S = 10 * OVERLAP_S
"""How long counted runs are remembered; their lines may be read again for the overlap only."""

STRETCH_LINES = 20_000
"""Lines after which progress is saved: bounds memory and what a sync that dies has to repeat."""

RUN_RECORDS = 10_000
"""Records kept of one open run, far above what 1,000 nodes write; more are a forgery and count as malformed."""

COUNTED_IN_ITEM = 4_000
"""Run ids in one item of counted runs: about 150 KB."""

_CURSOR = "sync"
_OPEN = "open#"
_COUNTED = "counted#"


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


def sync_logs(cloud: Cloud, workflow_id: str, graph: Graph, sources: tuple[LogSource, ...]) -> SyncReport:
    """Read what is new in the logs of a workflow and add the runs that ended to its history.

    Raises:
        ConflictError: Another sync of the workflow is under way.
    """
    with lock(cloud, f"{workflow_id} (data_sync)"):
        return _Sync(cloud, workflow_id, graph).read(sources, cloud.now())


def forget_sync(cloud: Cloud, workflow_id: str) -> None:
    """Forget how far the logs of a workflow were read."""
    table = physical_name("statistics")
    for item in list(cloud.key_value.query(cloud.system_region, table, workflow_id)):
        cloud.key_value.delete(cloud.system_region, table, item.key)


@dataclass
class _Open:
    """Records of a run that has not ended, by the text of their lines: a line read twice is one.

    Attributes:
        newest: Time of the newest record.
        is_stored: Whether there is an item of it.
        is_changed: Whether the item is not what this is.
        is_touched: Whether this sync has read a line of it.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest: float = 0.0
    is_stored: bool = False
    is_changed: bool = False
    is_touched: bool = False

    def add(self, text: str, record: dict[str, Any]) -> None:
        self.records[text] = record
        self.newest = max(self.newest, float(record["ts"]))
        self.is_changed = self.is_touched = True


class _Sync:
    """One sync of one workflow."""

    def __init__(self, cloud: Cloud, workflow_id: str, graph: Graph) -> None:
        self._cloud = cloud
        self._workflow_id = workflow_id
        self._graph = graph
        self._history = History(cloud)
        store, region, table = cloud.key_value, cloud.system_region, physical_name("statistics")
        self._cursors = DocumentTable(store, region, table, SyncCursor.to_document, SyncCursor.from_document)
        self._open_runs = DocumentTable(store, region, table, OpenRun.to_document, OpenRun.from_document)
        self._counted_runs = DocumentTable(store, region, table, CountedRuns.to_document, CountedRuns.from_document)
        stored = self._cursors.get(Key(workflow_id, _CURSOR))
        self._before = SyncCursor() if stored is None else stored.value
        self._condition = ABSENT if stored is None else Condition(stored.version)
        self._cursor = self._before
        self._counted = self._load_counted()
        self._open = self._load_open()
        self._completed = self._failed = 0

    def read(self, sources: tuple[LogSource, ...], now: float) -> SyncReport:
        """Read everything up to `now`."""
        start = max(0.0, self._before.read_until - OVERLAP_S)
        logs = self._cloud.logs
        streams = [logs.read_logs(source.region, source.function, start, now) for source in sources]
        lines, last = 0, start
        for event in heapq.merge(*streams, key=_moment):
            # Between two moments and not within one, so that the cursor says exactly what was read.
            if lines >= STRETCH_LINES and event.timestamp > last:
                self._save(event.timestamp, now)
                lines = 0
            self._take(event)
            lines, last = lines + 1, event.timestamp
        self._save(now, now, is_last=True)
        self._forget_counted(now)
        self._history.prune(self._workflow_id, now)
        return SyncReport(
            workflow_id=self._workflow_id,
            lines=self._cursor.lines - self._before.lines,
            completed=self._completed,
            failed=self._failed,
            open=len(self._open),
            malformed=self._cursor.malformed - self._before.malformed,
            rejected=self._cursor.rejected - self._before.rejected,
            late=self._cursor.late - self._before.late,
            read_until=self._cursor.read_until,
        )

    def _load_counted(self) -> dict[str, float]:
        """Counted run -> time up to which its lines were read by then."""
        stored = self._counted_runs.query(self._workflow_id, prefix=_COUNTED)
        return {run: entry.value.read_until for entry in stored for run in entry.value.run_ids}

    def _load_open(self) -> dict[str, _Open]:
        runs: dict[str, _Open] = {}
        for stored in list(self._open_runs.query(self._workflow_id, prefix=_OPEN)):
            if stored.value.run_id in self._counted:
                # The sync that counted it died before it could delete this.
                self._open_runs.delete(stored.key)
                continue
            run = _Open(is_stored=True)
            for line in stored.value.lines:
                record = parse_line(line)
                if record is not None:
                    run.add(line, record)
            run.is_changed = run.is_touched = False
            runs[stored.value.run_id] = run
        return runs

    def _take(self, event: LogEvent) -> None:
        """Take in one line of a log. Lines of the overlap were counted by the sync before."""
        cursor = self._cursor
        is_new = event.timestamp >= self._before.read_until
        try:
            record = parse_line(event.message)
        except MalformedRecordError:
            self._cursor = replace(cursor, malformed=cursor.malformed + is_new)
            return
        if record is None or record.get("wf") != self._workflow_id:
            return
        if record["t"] == "rejected":
            self._cursor = replace(cursor, rejected=cursor.rejected + is_new)
            return
        run_id = str(record.get("run", ""))
        counted_until = self._counted.get(run_id)
        if counted_until is not None:
            if is_new and event.timestamp >= counted_until:
                self._cursor = replace(cursor, late=cursor.late + 1)
            elif is_new:
                # It was read when its run was counted, by a sync that died before it moved the cursor.
                self._cursor = replace(cursor, lines=cursor.lines + 1)
            return
        run = self._open.setdefault(run_id, _Open()) if run_id else None
        if run is None or len(run.records) >= RUN_RECORDS:
            self._cursor = replace(cursor, malformed=cursor.malformed + is_new)
            return
        text = event.message[event.message.index(MARKER) :]
        is_known = text in run.records
        if not is_known:
            run.add(text, record)
        if is_new or not is_known:
            self._cursor = replace(cursor, lines=cursor.lines + 1)

    def _save(self, read_until: float, now: float, *, is_last: bool = False) -> None:
        """Count the runs that ended and note how far the logs are read."""
        read_until = max(read_until, self._cursor.read_until)
        ended: list[str] = []
        observed: list[ObservedRun] = []
        for run_id, run in self._open.items():
            status = self._status(run, read_until, is_last=is_last)
            if status is not None:
                ended.append(run_id)
                folded = fold(run_id, run.records.values(), self._graph, status)
                observed += [] if folded is None else [folded]
        added = self._history.add(self._workflow_id, observed)
        self._completed += sum(run.status == "complete" for run in added)
        self._failed += sum(run.status == "failed" for run in added)
        self._note_counted(ended, read_until, now)
        for run_id in ended:
            if self._open.pop(run_id).is_stored:
                self._open_runs.delete(self._open_key(run_id))
        for run_id, run in self._open.items():
            if run.is_changed:
                self._open_runs.put(self._open_key(run_id), OpenRun(run_id, tuple(run.records)))
                run.is_stored, run.is_changed = True, False
        self._move_cursor(read_until)

    def _status(self, run: _Open, read_until: float, *, is_last: bool) -> RunStatus | None:
        is_silent = read_until - run.newest > GIVE_UP_AFTER_S
        # Within a sync the rest of the stretch may hold what is missing; only at its end is what is missing missing.
        if not (run.is_changed or is_silent or (is_last and run.is_touched)):
            return None
        state = examine(run.records.values(), self._graph)
        if state.is_complete:
            return "complete"
        return "failed" if is_silent or (is_last and state.is_given_up) else None

    def _note_counted(self, run_ids: list[str], read_until: float, now: float) -> None:
        for first in range(0, len(run_ids), COUNTED_IN_ITEM):
            entry = CountedRuns(now, read_until, tuple(run_ids[first : first + COUNTED_IN_ITEM]))
            # Named by its contents: a repeated stretch writes the same item again.
            key = Key(self._workflow_id, f"{_COUNTED}{now:017.6f}#{entry.run_ids[0]}")
            self._counted_runs.put(key, entry)
        self._counted |= dict.fromkeys(run_ids, read_until)

    def _forget_counted(self, now: float) -> None:
        for stored in list(self._counted_runs.query(self._workflow_id, prefix=_COUNTED)):
            if stored.value.counted_at < now - REMEMBER_S:
                self._counted_runs.delete(stored.key)

    def _move_cursor(self, read_until: float) -> None:
        self._cursor = replace(self._cursor, read_until=read_until)
        version = self._cursors.put(Key(self._workflow_id, _CURSOR), self._cursor, condition=self._condition)
        if version is None:
            # Our lock must have ended before we did. Nothing is lost or counted twice: whoever took over reads on.
            raise ConflictError(f"another data_sync of '{self._workflow_id}' has taken over.")
        self._condition = Condition(version)

    def _open_key(self, run_id: str) -> Key:
        return Key(self._workflow_id, _OPEN + run_id)


def _moment(event: LogEvent) -> float:
    return event.timestamp
