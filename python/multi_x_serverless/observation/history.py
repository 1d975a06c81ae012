"""The history of a workflow's runs: chunks per UTC day, 30 days, at most 5,000 runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from multi_x_serverless.cloud.documents import DocumentTable, Stored, is_small_enough
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import ConflictError
from multi_x_serverless.model.run import HistoryChunk, ObservedRun

CHUNK_RUNS = 250
"""Runs in a full chunk; fewer where they are so large that the item would be."""

KEEP_DAYS = 30
KEEP_RUNS = 5_000

_ATTEMPTS = 10
"""How often a write that somebody else came before is tried anew."""


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
        return tuple(sorted(found, key=_age))

    def add(self, workflow_id: str, runs: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
        """Add runs that the history does not hold yet; returns those.

        Adding the same runs again changes nothing, so a sync that died before it noted its progress may be repeated.

        Raises:
            ConflictError: Somebody else kept writing the same chunks.
        """
        by_day: dict[str, list[ObservedRun]] = {}
        for run in runs:
            by_day.setdefault(_day(run.started_at), []).append(run)
        added: list[ObservedRun] = []
        for day, entries in sorted(by_day.items()):
            added += self._add_to_day(workflow_id, day, entries)
        return tuple(added)

    def prune(self, workflow_id: str, now: float) -> int:
        """Drop runs of days more than 30 days ago, then the oldest ones beyond 5,000; returns how many.

        A chunk that somebody else has just written stays as it is until the next time.
        """
        oldest_day = _day(now - KEEP_DAYS * 86_400.0)
        chunks = list(self._table.query(workflow_id))
        recent = [run for stored in chunks if stored.key.sort >= oldest_day for run in stored.value.runs]
        kept = {run.run_id for run in sorted(recent, key=_age)[-KEEP_RUNS:]}
        dropped = 0
        for stored in chunks:
            runs = tuple(run for run in stored.value.runs if run.run_id in kept)
            if len(runs) < len(stored.value.runs) and self._replace(stored, runs):
                dropped += len(stored.value.runs) - len(runs)
        return dropped

    def remove(self, workflow_id: str) -> None:
        """Forget all runs of a workflow."""
        for stored in list(self._table.query(workflow_id)):
            self._table.delete(stored.key)

    def _replace(self, stored: Stored[HistoryChunk], runs: tuple[ObservedRun, ...]) -> bool:
        condition = Condition(stored.version)
        if not runs:
            return self._table.delete(stored.key, condition=condition)
        return self._table.put(stored.key, HistoryChunk(runs), condition=condition) is not None

    def _add_to_day(self, workflow_id: str, day: str, runs: Sequence[ObservedRun]) -> list[ObservedRun]:
        added: list[ObservedRun] = []
        for _ in range(_ATTEMPTS):
            chunks = list(self._table.query(workflow_id, prefix=day))
            known = {run.run_id for stored in chunks for run in stored.value.runs}
            fresh = sorted({run.run_id: run for run in runs if run.run_id not in known}.values(), key=_age)
            written = self._append(workflow_id, day, chunks[-1] if chunks else None, fresh)
            added += written
            if len(written) == len(fresh):
                return added
        raise ConflictError(f"the history of '{workflow_id}' is being written by somebody else; try again.")

    def _append(
        self, workflow_id: str, day: str, last: Stored[HistoryChunk] | None, runs: list[ObservedRun]
    ) -> list[ObservedRun]:
        """Fill the last chunk of a day and add further ones; returns what was written until somebody else wrote."""
        written = 0
        while written < len(runs):
            rest = runs[written:]
            before: tuple[ObservedRun, ...] = () if last is None else last.value.runs
            fitting = _fitting(before, rest)
            if last is not None and fitting > 0:
                key, condition = last.key, Condition(last.version)
            else:
                # After the last one and not by their number: the first chunks of a day may be gone already.
                number = 0 if last is None else int(last.key.sort.rpartition("#")[2]) + 1
                key, condition, before = Key(workflow_id, f"{day}#{number:05d}"), ABSENT, ()
                fitting = max(1, _fitting(before, rest))
            chunk = HistoryChunk((*before, *rest[:fitting]))
            version = self._table.put(key, chunk, condition=condition)
            if version is None:
                break
            last = Stored(key, chunk, version)
            written += fitting
        return runs[:written]


def _fitting(before: tuple[ObservedRun, ...], runs: Sequence[ObservedRun]) -> int:
    """How many of the runs, from the first on, fit into a chunk that holds some already."""

    def fits(count: int) -> bool:
        return is_small_enough(HistoryChunk((*before, *runs[:count])).to_document())

    least, most = 0, min(len(runs), CHUNK_RUNS - len(before))
    if most <= 0 or fits(most):
        return max(0, most)
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least


def _age(run: ObservedRun) -> tuple[float, str]:
    return run.started_at, run.run_id


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%d")
