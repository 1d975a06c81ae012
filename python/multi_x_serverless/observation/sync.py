"""Reading function logs into the history, a stretch at a time.

Every sync reads from a little before where the last one ended (lines may arrive late) to now, and saves its progress
after every stretch. Records of runs that have not ended are carried over, one item per run. A run is counted once,
however often its lines are read and wherever a sync dies: per stretch, first its ended runs go into the history, which
takes no run twice, then they are noted as counted, then the open runs are written, and the cursor moves last.

A log that cannot be read holds up no other: the cursor notes how far it was read, the next sync goes on from there,
and until then no run is given up for want of a line that may stand in it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import orjson

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.locks import lock, sync_lock
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key, LogEvent
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import CloudError, ConflictError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import ObservedRun, RunStatus
from multi_x_serverless.model.sync_state import CountedRuns, OpenRun, SyncCursor
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.observation.fold import examine, fold, manifest_of_run
from multi_x_serverless.observation.history import HistoryWriter, day_of
from multi_x_serverless.sdk.records import MARKER, MalformedRecordError, NewerRecordError, parse_line

OVERLAP_S = 120.0
"""How far back a sync reads again: CloudWatch shows lines within seconds, clocks differ by less."""

GIVE_UP_AFTER_S = 3_600.0
"""A run without a new line for this long is counted as failed: an invocation lasts 900 s at most, with 2 retries."""

REMEMBER_S = 10 * OVERLAP_S
"""How long counted runs are remembered, in time of the logs; their lines may be read again for the overlap only."""

WAIT_FOR_LOG_S = DAY_S
"""For so long runs are not given up because a log cannot be read."""

LONGEST_BEHIND_S = WAIT_FOR_LOG_S + 2 * GIVE_UP_AFTER_S
"""A log that could not be read for longer is taken up from here on: the runs before it were given up."""

OPEN_RUNS = 20_000
"""Runs that are carried over; beyond it those that have been silent longest are given up: bounds memory."""

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

    @property
    def key(self) -> str:
        """Its name in the cursor."""
        return f"{self.region}/{self.function}"


@dataclass(frozen=True)
class UnreadLog:
    """A log that could not be read to its end.

    Attributes:
        read_until: It is read up to here, seconds since the epoch.
        error: Why not further.
    """

    region: str
    function: str
    read_until: float
    error: str


@dataclass(frozen=True)
class SyncReport:
    """What one sync of one workflow did.

    Attributes:
        lines: New records read.
        completed: Runs added as complete.
        failed: Runs added as failed.
        open: Runs that are not finished yet.
        malformed: Damaged records met.
        newer: Records met that only a newer version of the program can read.
        rejected: Messages that functions refused.
        late: Records of runs that were counted before and are too late to change them.
        lost: Runs that were given up and of which nobody logged the start; they are in no history.
        read_until: Logs are read up to here, but for those that are behind, seconds since the epoch.
        logs: How many logs there are.
        unread: Those that could not be read to their ends; the next sync goes on with them.
        is_cut_short: Whether it was stopped; the next sync goes on from `read_until`.
    """

    workflow_id: str
    lines: int
    completed: int
    failed: int
    open: int
    malformed: int
    newer: int
    rejected: int
    late: int
    lost: int
    read_until: float
    logs: int
    unread: tuple[UnreadLog, ...] = ()
    is_cut_short: bool = False


def unread_log_warning(log: UnreadLog) -> str:
    """A sentence about a log that could not be read to its end."""
    since = f" after {datetime.fromtimestamp(log.read_until, timezone.utc):%Y-%m-%dT%H:%MZ}" if log.read_until else ""
    return (
        f"the log of {log.function} in {log.region} could not be read{since} ({log.error.rstrip('.')}); the next "
        "'multi_x_serverless data_sync' goes on there."
    )


def _never() -> bool:
    return False


def _nothing() -> None:
    pass


def sync_logs(
    cloud: Cloud,
    workflow_id: str,
    graph: Graph,
    sources: tuple[LogSource, ...],
    *,
    earlier: Mapping[str, Graph] | None = None,
    begun_at: float = 0.0,
    should_stop: Callable[[], bool] = _never,
    confirm: Callable[[], object] = _nothing,
) -> SyncReport:
    """Read what is new in the logs of a workflow and add the runs that ended to its history.

    Args:
        cloud: Where.
        workflow_id: The workflow.
        graph: Its graph.
        sources: Its logs.
        earlier: Manifest id -> graph, of earlier deployments; runs of manifests that are not among them are `graph`'s.
        begun_at: When the workflow was first deployed, seconds since the epoch; 0 if that is not known. The first sync
            reads from there on (less the overlap): logs may have been kept of a workflow of this id that was removed.
        should_stop: Asked between lines; when it says so, what was read is saved and the rest left to the next sync.
        confirm: Called when no removal can be under way any more, before anything is written; raises if the workflow
            is gone by then.

    Raises:
        ConflictError: Another sync of the workflow is under way.
    """
    with lock(cloud, sync_lock(workflow_id)):
        confirm()
        return _Sync(cloud, workflow_id, graph, earlier or {}, begun_at).read(sources, cloud.now(), should_stop)


def forget_sync(cloud: Cloud, workflow_id: str) -> None:
    """Forget how far the logs of a workflow were read."""
    table = physical_name("statistics")
    for item in list(cloud.key_value.query(cloud.system_region, table, workflow_id)):
        cloud.key_value.delete(cloud.system_region, table, item.key)


def decode_json(text: str) -> Any:
    """What `json.loads` gives, three times as fast where there is nothing odd."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # It also refuses lone surrogates, which messages of exceptions may hold, and the words NaN and Infinity.
        return json.loads(text)


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


@dataclass
class _Stream:
    """A log as this sync reads it.

    Attributes:
        known_until: Up to here an earlier sync has read it.
        position: Up to here it is read.
        error: Why it cannot be read further.
    """

    source: LogSource
    known_until: float
    position: float
    error: str | None = None


@dataclass
class _Counters:
    """What a sync met; the cursor adds them up over all syncs."""

    lines: int = 0
    malformed: int = 0
    newer: int = 0
    rejected: int = 0
    late: int = 0
    lost: int = 0
    completed: int = 0
    failed: int = 0


class _Sync:
    """One sync of one workflow."""

    def __init__(
        self, cloud: Cloud, workflow_id: str, graph: Graph, earlier: Mapping[str, Graph], begun_at: float
    ) -> None:
        self._cloud = cloud
        self._workflow_id = workflow_id
        self._graph = graph
        self._others = {manifest_id: other for manifest_id, other in earlier.items() if other.id != graph.id}
        self._history = HistoryWriter(cloud, workflow_id)
        store, region, table = cloud.key_value, cloud.system_region, physical_name("statistics")
        self._cursors = DocumentTable(store, region, table, SyncCursor.to_document, SyncCursor.from_document)
        self._open_runs = DocumentTable(store, region, table, OpenRun.to_document, OpenRun.from_document)
        self._counted_runs = DocumentTable(store, region, table, CountedRuns.to_document, CountedRuns.from_document)
        stored = self._cursors.get(Key(workflow_id, _CURSOR))
        self._before = SyncCursor() if stored is None else stored.value
        self._condition = ABSENT if stored is None else Condition(stored.version)
        self._read_until = begun_at if stored is None else self._before.read_until
        self._streams: tuple[_Stream, ...] = ()
        self._silent_regions: dict[str, str] = {}
        self._met = _Counters()
        self._counted = self._load_counted()
        self._open = self._load_open()

    def read(self, sources: tuple[LogSource, ...], now: float, should_stop: Callable[[], bool]) -> SyncReport:
        """Read everything up to `now`, or less if it is to stop."""
        if self._read_until > now + OVERLAP_S:
            # The clock was ahead when the logs were read last. Where they were read to by the right one is not known:
            # as much is read again as a log may be behind, and no run counts twice.
            self._read_until = now - LONGEST_BEHIND_S
        # What is older was given up meanwhile: its lines would only make halves of runs.
        oldest, behind = self._read_until - LONGEST_BEHIND_S, self._before.behind
        known = [max(oldest, min(behind.get(source.key, self._read_until), self._read_until)) for source in sources]
        self._streams = tuple(_Stream(source, until, until) for source, until in zip(sources, known, strict=True))
        lines, last, take = 0, 0.0, self._take
        # Tuples begin with the time and the number of the log, which no two of them share: events are not compared.
        for timestamp, number, event in heapq.merge(*(self._events(at, now) for at in range(len(self._streams)))):
            # Between two moments and not within one, so that the cursor says exactly what was read.
            if timestamp > last:
                if should_stop():
                    self._save(timestamp)
                    self._forget_counted()
                    return self._report(is_cut_short=True)
                if lines >= STRETCH_LINES:
                    self._save(timestamp)
                    lines = 0
            take(event, timestamp >= self._streams[number].known_until)
            lines, last = lines + 1, timestamp
        self._save(now, is_last=True)
        self._forget_counted()
        if day_of(now) != day_of(self._before.read_until):
            self._history.expire(now)
        return self._report(is_cut_short=False)

    def _events(self, number: int, now: float) -> Iterator[tuple[float, int, LogEvent]]:
        """Lines of a log in order of time; an error ends them and is noted."""
        stream = self._streams[number]
        source, start = stream.source, max(0.0, stream.known_until - OVERLAP_S)
        # A region that does not answer is not waited for once per function.
        stream.error = self._silent_regions.get(source.region)
        if stream.error is not None:
            return
        try:
            for event in self._cloud.logs.read_logs(source.region, source.function, start, now):
                yield event.timestamp, number, event
                stream.position = max(stream.position, event.timestamp)
        except CloudError as error:
            stream.error = str(error)
            if error.retryable:
                self._silent_regions[source.region] = stream.error

    def _report(self, *, is_cut_short: bool) -> SyncReport:
        met = self._met
        return SyncReport(
            workflow_id=self._workflow_id,
            lines=met.lines,
            completed=met.completed,
            failed=met.failed,
            open=len(self._open),
            malformed=met.malformed,
            newer=met.newer,
            rejected=met.rejected,
            late=met.late,
            lost=met.lost,
            read_until=self._read_until,
            logs=len(self._streams),
            unread=tuple(
                UnreadLog(stream.source.region, stream.source.function, stream.position, stream.error)
                for stream in self._streams
                if stream.error is not None
            ),
            is_cut_short=is_cut_short,
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
                record = parse_line(line, decode_json)
                if record is not None:
                    run.add(line, record)
            run.is_changed = run.is_touched = False
            runs[stored.value.run_id] = run
        return runs

    def _take(self, event: LogEvent, is_new: bool) -> None:
        """Take in one line of a log. Lines of the overlap, which are not new, were counted by the sync before."""
        met, message = self._met, event.message
        try:
            record = parse_line(message, decode_json)
        except NewerRecordError:
            met.newer += is_new
            return
        except MalformedRecordError:
            met.malformed += is_new
            return
        if record is None or record["wf"] != self._workflow_id:
            return
        if record["t"] == "rejected":
            met.rejected += is_new
            return
        run_id = record["run"]
        counted_until = self._counted.get(run_id)
        if counted_until is not None:
            if is_new and event.timestamp >= counted_until:
                met.late += 1
            elif is_new:
                # It was read when its run was counted, by a sync that died before it moved the cursor.
                met.lines += 1
            return
        run = self._open.get(run_id)
        if run is None and run_id:
            run = self._open[run_id] = _Open()
        if run is None or len(run.records) >= RUN_RECORDS:
            met.malformed += is_new
            return
        text = message if message.startswith(MARKER) else message[message.index(MARKER) :]
        is_known = text in run.records
        if not is_known:
            run.add(text, record)
        met.lines += is_new or not is_known

    def _save(self, moment: float, *, is_last: bool = False) -> None:
        """Count the runs that ended and note how far the logs are read: up to a moment, but for those that failed."""
        for stream in self._streams:
            if stream.error is None:
                stream.position = max(stream.position, moment)
        read_until = max(moment, self._read_until)
        slowest = min((stream.position for stream in self._streams), default=read_until)
        patience = max(slowest, read_until - WAIT_FOR_LOG_S)
        too_many = self._oldest_beyond_limit()
        ended: list[str] = []
        observed: list[ObservedRun] = []
        for run_id, run in self._open.items():
            is_silent = patience - run.newest > GIVE_UP_AFTER_S or run_id in too_many
            # Within a sync the rest of the stretch may hold what is missing; only at its end is it missing.
            status = self._status(run, is_silent=is_silent, has_all=is_last and slowest >= read_until)
            if status is not None:
                ended.append(run_id)
                folded = fold(run_id, run.records.values(), self._graph_of(run), status)
                observed += [] if folded is None else [folded]
                self._met.lost += folded is None
        if observed:
            added = self._history.add(observed)
            self._met.completed += sum(run.status == "complete" for run in added)
            self._met.failed += sum(run.status == "failed" for run in added)
        self._note_counted(ended, slowest)
        for run_id in ended:
            if self._open.pop(run_id).is_stored:
                self._open_runs.delete(self._open_key(run_id))
        for run_id, run in self._open.items():
            if run.is_changed:
                self._open_runs.put(self._open_key(run_id), OpenRun(run_id, tuple(run.records)))
                run.is_stored, run.is_changed = True, False
        self._move_cursor(read_until)

    def _status(self, run: _Open, *, is_silent: bool, has_all: bool) -> RunStatus | None:
        # One that waited for a log that was behind has to be looked at when that has caught up, with or without a line.
        may_have_ended = run.is_changed or is_silent or (has_all and (run.is_touched or bool(self._before.behind)))
        if not may_have_ended:
            return None
        state = examine(run.records.values(), self._graph_of(run))
        if state.is_complete:
            return "complete"
        return "failed" if is_silent or (has_all and state.is_given_up) else None

    def _graph_of(self, run: _Open) -> Graph:
        """What the indices in a run's records mean; of unknown manifests, and while its start is not read, a guess."""
        if not self._others:
            return self._graph
        manifest_id = manifest_of_run(run.records.values())
        return self._graph if manifest_id is None else self._others.get(manifest_id, self._graph)

    def _oldest_beyond_limit(self) -> frozenset[str]:
        """Runs that have waited longest, where more are open than are carried over."""
        if len(self._open) <= OPEN_RUNS:
            return frozenset()
        by_age = sorted(self._open, key=lambda run_id: self._open[run_id].newest)
        return frozenset(by_age[: len(by_age) - OPEN_RUNS])

    def _note_counted(self, run_ids: list[str], read_until: float) -> None:
        now = self._cloud.now()
        for first in range(0, len(run_ids), COUNTED_IN_ITEM):
            entry = CountedRuns(now, read_until, tuple(run_ids[first : first + COUNTED_IN_ITEM]))
            # Named by its contents: a repeated stretch writes the same item again.
            key = Key(self._workflow_id, f"{_COUNTED}{read_until:017.6f}#{entry.run_ids[0]}")
            self._counted_runs.put(key, entry)
        oldest = self._oldest_remembered()
        self._counted = {run_id: until for run_id, until in self._counted.items() if until >= oldest}
        self._counted |= dict.fromkeys(run_ids, read_until)

    def _forget_counted(self) -> None:
        for stored in list(self._counted_runs.query(self._workflow_id, prefix=_COUNTED)):
            if stored.value.read_until < self._oldest_remembered():
                self._counted_runs.delete(stored.key)

    def _oldest_remembered(self) -> float:
        """Counted runs are remembered while a line of theirs may still be read."""
        return min((stream.position for stream in self._streams), default=self._read_until) - REMEMBER_S

    def _move_cursor(self, read_until: float) -> None:
        before, met = self._before, self._met
        # A log that is not asked for now (its function is gone) is not forgotten at once: it may be asked for again.
        asked = {stream.source.key for stream in self._streams}
        oldest = read_until - LONGEST_BEHIND_S
        behind = {key: until for key, until in before.behind.items() if key not in asked and until >= oldest}
        behind |= {stream.source.key: stream.position for stream in self._streams if stream.position < read_until}
        cursor = SyncCursor(
            read_until=read_until,
            behind=dict(sorted(behind.items())),
            lines=before.lines + met.lines,
            malformed=before.malformed + met.malformed,
            newer=before.newer + met.newer,
            rejected=before.rejected + met.rejected,
            late=before.late + met.late,
        )
        version = self._cursors.put(Key(self._workflow_id, _CURSOR), cursor, condition=self._condition)
        if version is None:
            # Our lock must have ended before we did. Nothing is lost or counted twice: whoever took over reads on.
            raise ConflictError(f"another data_sync of '{self._workflow_id}' has taken over.")
        self._condition = Condition(version)
        self._read_until = read_until

    def _open_key(self, run_id: str) -> Key:
        return Key(self._workflow_id, _OPEN + run_id)
