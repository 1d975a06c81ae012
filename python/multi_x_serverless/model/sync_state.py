"""How far the logs of a workflow were read, in items that stay small however many runs are open or were counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from multi_x_serverless.model import documents

CURSOR_SCHEMA = "multi-x-serverless/sync-cursor"
OPEN_RUN_SCHEMA = "multi-x-serverless/open-run"
COUNTED_RUNS_SCHEMA = "multi-x-serverless/counted-runs"
THRESHOLDS_SCHEMA = "multi-x-serverless/history-thresholds"
SYNC_VERSION = 1
CURSOR_VERSION = 2


@dataclass(frozen=True)
class SyncCursor:
    """Progress and counters of all syncs of a workflow.

    Attributes:
        read_until: Lines before this time were read; the next sync reads from a little earlier.
        behind: Log -> time up to which it was read, for logs that could not be read further.
        lines: Records read in all.
        malformed: Lines that carried the marker of a record but were none, in all.
        newer: Records that only a newer version of the program can read, in all.
        rejected: Messages that functions refused, in all.
        late: Records of runs that were counted or given up before, in all.
    """

    read_until: float = 0.0
    behind: Mapping[str, float] = field(default_factory=dict)
    lines: int = 0
    malformed: int = 0
    newer: int = 0
    rejected: int = 0
    late: int = 0

    def to_document(self) -> bytes:
        """The cursor as a JSON document."""
        # Version 2 says which logs are behind: a program that does not know would skip what it has not read of them.
        return documents.write(CURSOR_SCHEMA, 2 if self.behind else 1, {**vars(self), "behind": dict(self.behind)})

    @classmethod
    def from_document(cls, text: bytes | str) -> SyncCursor:
        """Read a cursor."""
        fields = documents.read(text, CURSOR_SCHEMA, CURSOR_VERSION)
        return cls(
            read_until=fields.number("read_until"),
            behind=fields.mapping("behind", documents.as_number) if "behind" in fields.values else {},
            lines=fields.integer("lines"),
            malformed=fields.integer("malformed"),
            newer=fields.integer("newer") if "newer" in fields.values else 0,
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


@dataclass(frozen=True)
class Thresholds:
    """Which runs a full history takes: those whose priority is below the highest threshold that holds for them.

    All are between 0 and 1; `observation.reservoir` explains them.

    Attributes:
        overall: For every run.
        by_feature: Feature of a run -> threshold for runs that have it; 1 for a feature that is not listed.
    """

    overall: float = 1.0
    by_feature: Mapping[str, float] = field(default_factory=dict)

    @property
    def take_all(self) -> bool:
        """Whether there is room for every run."""
        return self.overall >= 1.0

    def to_document(self) -> bytes:
        """The thresholds as a JSON document."""
        members = {"overall": self.overall, "by_feature": dict(self.by_feature)}
        return documents.write(THRESHOLDS_SCHEMA, SYNC_VERSION, members)

    @classmethod
    def from_document(cls, text: bytes | str) -> Thresholds:
        """Read thresholds."""
        fields = documents.read(text, THRESHOLDS_SCHEMA, SYNC_VERSION)
        return cls(fields.number("overall"), fields.mapping("by_feature", documents.as_number))
