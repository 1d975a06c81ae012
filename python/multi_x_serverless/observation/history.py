"""The history of a workflow's runs: chunks per UTC day, 30 days, at most 5,000 runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model.run import HistoryChunk, ObservedRun

CHUNK_RUNS = 250
"""Runs in a full chunk: about 100 KB compressed at a dozen nodes, far below the limit of an item."""

KEEP_DAYS = 30
KEEP_RUNS = 5_000


class History:
    """Runs of all workflows of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._table = DocumentTable[HistoryChunk](
            cloud.key_value,
            cloud.system_region,
            physical_name("history"),
            HistoryChunk.to_document,
            HistoryChunk.from_document,
        )

    def runs(self, workflow_id: str, *, since: float = 0.0) -> tuple[ObservedRun, ...]:
        """Runs that started at or after `since`, oldest first."""
        first_day = _day(since)
        found = [
            run
            for stored in self._table.query(workflow_id)
            if stored.key.sort >= first_day
            for run in stored.value.runs
            if run.started_at >= since
        ]
        return tuple(sorted(found, key=lambda run: (run.started_at, run.run_id)))

    def add(self, workflow_id: str, runs: Iterable[ObservedRun]) -> int:
        """Add runs that the history does not hold yet; returns how many.

        Adding the same runs again changes nothing, so a sync that died before it noted its progress may be repeated.
        """
        by_day: dict[str, list[ObservedRun]] = {}
        for run in runs:
            by_day.setdefault(_day(run.started_at), []).append(run)
        return sum(self._add_to_day(workflow_id, day, entries) for day, entries in sorted(by_day.items()))

    def prune(self, workflow_id: str, now: float) -> int:
        """Drop chunks older than 30 days, then the oldest ones beyond 5,000 runs; returns the runs dropped."""
        oldest_day = _day(now - KEEP_DAYS * 86_400.0)
        kept = dropped = 0
        for stored in reversed(list(self._table.query(workflow_id))):
            runs = len(stored.value.runs)
            if stored.key.sort < oldest_day or kept >= KEEP_RUNS:
                self._table.delete(stored.key)
                dropped += runs
            else:
                kept += runs
        return dropped

    def remove(self, workflow_id: str) -> None:
        """Forget all runs of a workflow."""
        for stored in list(self._table.query(workflow_id)):
            self._table.delete(stored.key)

    def _add_to_day(self, workflow_id: str, day: str, runs: list[ObservedRun]) -> int:
        chunks = list(self._table.query(workflow_id, prefix=day))
        known = {run.run_id for stored in chunks for run in stored.value.runs}
        fresh = sorted(
            {run.run_id: run for run in runs if run.run_id not in known}.values(),
            key=lambda run: (run.started_at, run.run_id),
        )
        remaining = list(fresh)
        number = len(chunks)
        if chunks and len(chunks[-1].value.runs) < CHUNK_RUNS:
            number -= 1
            remaining = [*chunks[-1].value.runs, *remaining]
        for start in range(0, len(remaining), CHUNK_RUNS):
            chunk = HistoryChunk(tuple(remaining[start : start + CHUNK_RUNS]))
            self._table.put(Key(workflow_id, f"{day}#{number:05d}"), chunk)
            number += 1
        return len(fresh)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d")
