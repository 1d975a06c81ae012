"""The history of a workflow's runs: chunks per UTC day, 30 days, at most 5,000 runs.

    History          reads the runs of a workflow; forgets them
    HistoryWriter    adds runs: reads the chunks once, then writes only those that change

A writer takes no run twice. Once the history is full it takes a sample of the runs that follow and thins out those
that it has, see `observation.reservoir`. The thresholds of the sample are written before the chunks that they thinned
out: a writer that dies in between, and repeats its runs, refuses again what it refused before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from multi_x_serverless.cloud.documents import DocumentTable, is_small_enough
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import ConflictError, DocumentTooLargeError
from multi_x_serverless.model.run import HistoryChunk, ObservedRun
from multi_x_serverless.model.sync_state import Thresholds
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.observation.reservoir import Candidate, thresholds_for

CHUNK_RUNS = 250
"""Runs in a full chunk; fewer where they are so large that the item would be."""

KEEP_DAYS = 30

KEEP_RUNS = 5_000

THINNED_SHARE = 0.9
"""Part of `KEEP_RUNS` that is left when a full history is thinned out: each time all its chunks are written anew."""

TAKE_ALL_SHARE = 0.8
"""Below this part of `KEEP_RUNS`, because days went by, every run is taken again."""

_ATTEMPTS = 10
"""How often a write that somebody else came before is tried anew."""

_THRESHOLDS = "thresholds"


class History:
    """Runs of all workflows of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._chunks = _chunk_table(cloud)

    def runs(self, workflow_id: str, *, since: float = 0.0) -> tuple[ObservedRun, ...]:
        """Runs that started at or after `since`, oldest first."""
        first_day = day_of(since)
        found = [
            run
            for stored in self._chunks.query(workflow_id)
            if stored.key.sort >= first_day
            for run in stored.value.runs
            if run.started_at >= since
        ]
        # A writer that died may have left a run in two chunks.
        return tuple(sorted({run.run_id: run for run in found}.values(), key=_age))

    def add(self, workflow_id: str, runs: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
        """Add runs that the history does not hold yet; returns those, whether or not they are kept.

        Raises:
            ConflictError: Somebody else kept writing the same chunks.
        """
        return HistoryWriter(self._cloud, workflow_id).add(runs)

    def remove(self, workflow_id: str) -> None:
        """Forget all runs of a workflow."""
        for stored in list(self._chunks.query(workflow_id)):
            self._chunks.delete(stored.key)
        _threshold_table(self._cloud).delete(Key(workflow_id, _THRESHOLDS))


@dataclass
class _Chunk:
    """A chunk as it is stored and as it is to be.

    Attributes:
        version: Of the stored item; `None` if there is none yet.
        is_full: Whether a run more made it too large for an item.
    """

    key: Key
    version: int | None
    runs: list[Candidate]
    is_changed: bool = False
    is_full: bool = False

    @property
    def day(self) -> str:
        return self.key.sort.partition("#")[0]

    @property
    def number(self) -> int:
        return int(self.key.sort.rpartition("#")[2])


@dataclass
class _Held:
    """What the history of one workflow holds."""

    chunks: list[_Chunk] = field(default_factory=list)
    run_ids: set[str] = field(default_factory=set)
    thresholds: Thresholds = field(default_factory=Thresholds)
    thresholds_changed: bool = False

    def candidates(self) -> list[Candidate]:
        return [candidate for chunk in self.chunks for candidate in chunk.runs]


class HistoryWriter:
    """Adds runs to the history of one workflow.

    Args:
        cloud: Where.
        workflow_id: Whose history. A second writer of it is noticed, and its runs are kept, but `data_sync`'s lock
            should keep two apart.
    """

    def __init__(self, cloud: Cloud, workflow_id: str) -> None:
        self._chunks = _chunk_table(cloud)
        self._thresholds = _threshold_table(cloud)
        self._workflow_id = workflow_id
        self._held: _Held | None = None

    def add(self, runs: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
        """Add runs that the history does not hold yet; returns those, whether or not they are kept.

        Adding the same runs again changes nothing, so a sync that died before it noted its progress may be repeated.

        Raises:
            ConflictError: Somebody else kept writing the same chunks.
        """
        distinct = {run.run_id: run for run in runs}
        added: tuple[ObservedRun, ...] | None = None
        for _ in range(_ATTEMPTS):
            held = self._load()
            fresh = [run for run in distinct.values() if run.run_id not in held.run_ids]
            # A second attempt finds what the first one wrote; what was new was new at the first one.
            added = tuple(fresh) if added is None else added
            self._take(held, fresh)
            if self._write(held):
                return added
            self._held = None
        raise ConflictError(f"the history of '{self._workflow_id}' is being written by somebody else; try again.")

    def expire(self, now: float) -> int:
        """Drop the runs of days more than 30 days before `now`; returns how many.

        A chunk that somebody else has just written stays as it is until the next time.
        """
        held, oldest_day, dropped = self._load(), day_of(now - KEEP_DAYS * DAY_S), 0
        for chunk in [chunk for chunk in held.chunks if chunk.day < oldest_day]:
            if chunk.version is not None and self._chunks.delete(chunk.key, condition=Condition(chunk.version)):
                dropped += len(chunk.runs)
                held.run_ids -= {candidate.run.run_id for candidate in chunk.runs}
                held.chunks.remove(chunk)
        # Here and not whenever there are few: a writer that died may have left fewer than it will have written.
        if not held.thresholds.take_all and len(held.run_ids) < TAKE_ALL_SHARE * KEEP_RUNS:
            held.thresholds = Thresholds()
            self._thresholds.put(Key(self._workflow_id, _THRESHOLDS), held.thresholds)
        return dropped

    def _load(self) -> _Held:
        if self._held is None:
            seen: set[str] = set()
            chunks = [
                _Chunk(
                    stored.key,
                    stored.version,
                    [Candidate.of(run) for run in stored.value.runs if _is_first(run.run_id, seen)],
                    is_full=stored.value.is_full,
                )
                for stored in self._chunks.query(self._workflow_id)
            ]
            stored = self._thresholds.get(Key(self._workflow_id, _THRESHOLDS))
            thresholds = Thresholds() if stored is None else stored.value
            self._held = _Held(chunks, seen, thresholds)
            # Changes nothing but for the chunks that a writer who died had not thinned out yet.
            self._thin(self._held)
        return self._held

    def _take(self, held: _Held, runs: Sequence[ObservedRun]) -> None:
        """Take runs in, and thin out whenever there are too many.

        One by one in order of their ends, so that the same runs in other portions make the same history.
        """
        for run in sorted(runs, key=lambda run: (run.finished_at, run.run_id)):
            candidate = Candidate.of(run)
            if not candidate.stays(held.thresholds):
                continue
            self._append(held, candidate)
            if len(held.run_ids) > KEEP_RUNS:
                held.thresholds = thresholds_for(held.candidates(), int(THINNED_SHARE * KEEP_RUNS))
                held.thresholds_changed = True
                self._thin(held)

    @staticmethod
    def _thin(held: _Held) -> None:
        """Keep what the thresholds let stay."""
        if held.thresholds.take_all:
            return
        for chunk in held.chunks:
            before = [candidate.weight for candidate in chunk.runs]
            kept = [candidate for candidate in chunk.runs if candidate.stays(held.thresholds)]
            if [candidate.weight for candidate in kept] != before:
                chunk.runs, chunk.is_changed, chunk.is_full = kept, True, False
        held.run_ids = {candidate.run.run_id for candidate in held.candidates()}

    def _append(self, held: _Held, candidate: Candidate) -> None:
        held.run_ids.add(candidate.run.run_id)
        day = day_of(candidate.run.started_at)
        of_day = [chunk for chunk in held.chunks if chunk.day == day]
        for chunk in of_day:
            if len(chunk.runs) < CHUNK_RUNS and not chunk.is_full:
                chunk.runs.append(candidate)
                chunk.is_changed = True
                return
        self._begin(held, day, [candidate])

    def _begin(self, held: _Held, day: str, candidates: list[Candidate]) -> _Chunk:
        """Begin a chunk after the last one of a day."""
        # Not by how many there are: the first chunks of a day may be gone already.
        number = max((chunk.number + 1 for chunk in held.chunks if chunk.day == day), default=0)
        chunk = _Chunk(Key(self._workflow_id, f"{day}#{number:05d}"), None, candidates, is_changed=True)
        held.chunks.append(chunk)
        return chunk

    def _write(self, held: _Held) -> bool:
        """Write what changed; `False` if somebody else wrote meanwhile."""
        if held.thresholds_changed:
            self._thresholds.put(Key(self._workflow_id, _THRESHOLDS), held.thresholds)
            held.thresholds_changed = False
        for chunk in [chunk for chunk in held.chunks if chunk.is_changed]:
            condition = ABSENT if chunk.version is None else Condition(chunk.version)
            if chunk.runs:
                chunk.version = self._put(held, chunk, condition)
                if chunk.version is None:
                    return False
            elif chunk.version is not None and not self._chunks.delete(chunk.key, condition=condition):
                return False
            chunk.is_changed = False
        held.chunks = [chunk for chunk in held.chunks if chunk.runs]
        return True

    def _put(self, held: _Held, chunk: _Chunk, condition: Condition) -> int | None:
        """Write a chunk; runs that make it too large move into a chunk of their own, which is written first.

        Whoever dies in between leaves runs twice, which a reader counts once, and none unwritten.
        """
        try:
            return self._chunks.put(chunk.key, _packed(chunk.runs, chunk.is_full), condition=condition)
        except DocumentTooLargeError:
            fitting = _fitting(chunk.runs)
        rest, chunk.runs, chunk.is_full = chunk.runs[fitting:], chunk.runs[:fitting], True
        overflow = self._begin(held, chunk.day, rest)
        overflow.version = self._put(held, overflow, ABSENT)
        if overflow.version is None:
            return None
        overflow.is_changed = False
        return self._chunks.put(chunk.key, _packed(chunk.runs, chunk.is_full), condition=condition)


def _chunk_table(cloud: Cloud) -> DocumentTable[HistoryChunk]:
    return DocumentTable[HistoryChunk](
        cloud.key_value,
        cloud.system_region,
        physical_name("history"),
        HistoryChunk.to_document,
        HistoryChunk.from_document,
    )


def _threshold_table(cloud: Cloud) -> DocumentTable[Thresholds]:
    return DocumentTable[Thresholds](
        cloud.key_value,
        cloud.system_region,
        physical_name("statistics"),
        Thresholds.to_document,
        Thresholds.from_document,
    )


def _is_first(run_id: str, seen: set[str]) -> bool:
    """Whether a run was not seen before; it is from now on."""
    is_first = run_id not in seen
    seen.add(run_id)
    return is_first


def _packed(candidates: Sequence[Candidate], is_full: bool = True) -> HistoryChunk:
    return HistoryChunk(tuple(candidate.to_run() for candidate in candidates), is_full)


def _fitting(candidates: Sequence[Candidate]) -> int:
    """How many of the runs, which are too many, fit into a chunk from the first on; at least one."""

    def fits(count: int) -> bool:
        return is_small_enough(_packed(candidates[:count]).to_document())

    least, most = 1, len(candidates)
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least


def _age(run: ObservedRun) -> tuple[float, str]:
    return run.started_at, run.run_id


def day_of(moment: float) -> str:
    """UTC day of a moment in seconds since the epoch, as chunks are named after it."""
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d")
