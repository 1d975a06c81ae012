"""How far the logs of a workflow were read, in items that stay small however many runs are open or were counted."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.model import documents

CURSOR_SCHEMA = "multi-x-serverless/sync-cursor"
OPEN_RUN_SCHEMA = "multi-x-serverless/open-run"
COUNTED_RUNS_SCHEMA = "multi-x-serverless/counted-runs"
SYNC_VERSION = 1


@dataclass(frozen=True)
class SyncCursor:
    """Progress and counters of all syncs of a workflow.

    Attributes:
        read_until: Lines before this time were read; the next sync reads from a little earlier.
        lines: Records read in all.
        malformed: Lines that carried the marker of a record but were none, in all.
        rejected: Messages that functions refused, in all.
        late: Records of runs that were counted or given up before, in all.
    """

    read_until: float = 0.0
    lines: int = 0
    malformed: int = 0
    rejected: int = 0
    late: int = 0

    def to_document(self) -> bytes:
        """The cursor as a JSON document."""
        return documents.write(CURSOR_SCHEMA, SYNC_VERSION, vars(self))

    @classmethod
    def from_document(cls, text: bytes | str) -> SyncCursor:
        """Read a cursor."""
        fields = documents.read(text, CURSOR_SCHEMA, SYNC_VERSION)
        return cls(
            read_until=fields.number("read_until"),
            lines=fields.integer("lines"),
            malformed=fields.integer("malformed"),
            rejected=fields.integer("rejected"),
            late=fields.integer("late"),
        )


@dataclass(frozen=True)
class OpenRun:
    """A run that has not ended yet.

    Attributes:
        lines: Its records, as they stand in the logs, in the order in which they were read.
    """

    run_id: str
    lines: tuple[str, ...]

    def to_document(self) -> bytes:
        """The run as a JSON document."""
        return documents.write(OPEN_RUN_SCHEMA, SYNC_VERSION, {"run_id": self.run_id, "lines": list(self.lines)})

    @classmethod
    def from_document(cls, text: bytes | str) -> OpenRun:
        """Read an open run."""
        fields = documents.read(text, OPEN_RUN_SCHEMA, SYNC_VERSION)
        return cls(fields.text("run_id"), fields.texts("lines"))


@dataclass(frozen=True)
class CountedRuns:
    """Runs that were counted together, and whose lines may be read again.

    Attributes:
        counted_at: When, seconds since the epoch.
        read_until: Lines from this time on were not read when they were counted.
    """

    counted_at: float
    read_until: float
    run_ids: tuple[str, ...]

    def to_document(self) -> bytes:
        """The runs as a JSON document."""
        return documents.write(
            COUNTED_RUNS_SCHEMA,
            SYNC_VERSION,
            {"counted_at": self.counted_at, "read_until": self.read_until, "run_ids": list(self.run_ids)},
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> CountedRuns:
        """Read counted runs."""
        fields = documents.read(text, COUNTED_RUNS_SCHEMA, SYNC_VERSION)
        return cls(fields.number("counted_at"), fields.number("read_until"), fields.texts("run_ids"))
