"""Observed runs: what the logs say about one execution of a workflow, and the history that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_number, as_text

HISTORY_SCHEMA = "multi-x-serverless/history"
HISTORY_VERSION = 1

SYNC_STATE_SCHEMA = "multi-x-serverless/sync-state"
SYNC_STATE_VERSION = 1

RunStatus: TypeAlias = Literal["complete", "failed"]


@dataclass(frozen=True)
class NodeObservation:
    """One node of one run.

    Attributes:
        region: Where it ran.
        duration_s: Wall time of the invocation without initialisation, in seconds.
        cpu_s: CPU time used, in seconds.
        cold: Whether the invocation started a new container.
        attributed_bytes: Region -> bytes that the developer's code exchanged with services there.
        other_bytes: Bytes on the wire of no known region, both directions.
    """

    region: str
    duration_s: float
    cpu_s: float
    cold: bool
    attributed_bytes: Mapping[str, float]
    other_bytes: float

    def to_members(self) -> dict[str, Any]:
        """The observation as part of a document."""
        return {
            "region": self.region,
            "duration_s": self.duration_s,
            "cpu_s": self.cpu_s,
            "cold": self.cold,
            "attributed_bytes": dict(self.attributed_bytes),
            "other_bytes": self.other_bytes,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> NodeObservation:
        """Read what `to_members` wrote."""
        return cls(
            region=fields.text("region"),
            duration_s=fields.number("duration_s"),
            cpu_s=fields.number("cpu_s"),
            cold=fields.truth("cold"),
            attributed_bytes=fields.mapping("attributed_bytes", as_number),
            other_bytes=fields.number("other_bytes"),
        )


@dataclass(frozen=True)
class EdgeObservation:
    """One edge of one run whose calling node ran.

    Attributes:
        called: Whether the call was made; otherwise it was declined.
        payload_bytes: Size of the payload; 0 when declined.
        offset_s: When the call left, in seconds from the start of its node; `None` when not logged.
        latency_s: From then to the start of the called node, in seconds; `None` when declined, unknown, or when
            the called node also waited for others.
    """

    called: bool
    payload_bytes: float
    offset_s: float | None
    latency_s: float | None

    def to_members(self) -> dict[str, Any]:
        """The observation as part of a document."""
        return {
            "called": self.called,
            "payload_bytes": self.payload_bytes,
            "offset_s": self.offset_s,
            "latency_s": self.latency_s,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> EdgeObservation:
        """Read what `to_members` wrote."""
        return cls(
            called=fields.truth("called"),
            payload_bytes=fields.number("payload_bytes"),
            offset_s=fields.optional_number("offset_s"),
            latency_s=fields.optional_number("latency_s"),
        )


@dataclass(frozen=True)
class FailedAttempt:
    """One invocation that raised, whether or not a retry made it good; it took time and energy and was billed.

    Attributes:
        node: Index of the node.
        region: Where it ran.
        duration_s: Wall time of the invocation without initialisation, in seconds.
    """

    node: int
    region: str
    duration_s: float

    def to_members(self) -> dict[str, Any]:
        """The attempt as part of a document."""
        return {"node": self.node, "region": self.region, "duration_s": self.duration_s}

    @classmethod
    def from_fields(cls, fields: Fields) -> FailedAttempt:
        """Read what `to_members` wrote."""
        return cls(fields.integer("node"), fields.text("region"), fields.number("duration_s"))


@dataclass(frozen=True)
class ObservedRun:
    """One run of a workflow.

    Attributes:
        run_id: Unique.
        manifest_id: Fingerprint of the graph that the node and edge indices refer to.
        status: ``complete`` when every node that was called finished, ``failed`` when one was given up.
        started_at: Start of the entry node, seconds since the epoch, UTC.
        finished_at: End of the node that ended last.
        plan_version: Plan that routed it; 0 when there was none.
        placement_key: Planned hour whose placement it used, or ``home``.
        reason: Why that placement, as `sdk.records` lists.
        trigger_bytes: Size of the trigger's payload.
        nodes: Node index -> observation, for the nodes that ran.
        edges: Edge index -> observation, for the edges of nodes that ran.
        failed_attempts: Invocations that raised, by time. Those that were killed (time limit, memory) log nothing.
    """

    run_id: str
    manifest_id: str
    status: RunStatus
    started_at: float
    finished_at: float
    plan_version: int
    placement_key: str
    reason: str
    trigger_bytes: float
    nodes: Mapping[int, NodeObservation]
    edges: Mapping[int, EdgeObservation]
    failed_attempts: tuple[FailedAttempt, ...] = ()

    @property
    def duration_s(self) -> float:
        """From the start of the entry node to the end of the last node, in seconds."""
        return self.finished_at - self.started_at

    def to_members(self) -> dict[str, Any]:
        """The run as part of a document."""
        return {
            "run_id": self.run_id,
            "manifest_id": self.manifest_id,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "plan_version": self.plan_version,
            "placement_key": self.placement_key,
            "reason": self.reason,
            "trigger_bytes": self.trigger_bytes,
            "nodes": {str(index): node.to_members() for index, node in self.nodes.items()},
            "edges": {str(index): edge.to_members() for index, edge in self.edges.items()},
            "failed_attempts": [attempt.to_members() for attempt in self.failed_attempts],
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> ObservedRun:
        """Read what `to_members` wrote."""
        status = fields.text("status")
        if status not in ("complete", "failed"):
            raise InvalidDocumentError(fields.document, f"{fields.path}.status", f"is '{status}'")
        nodes, edges = fields.section("nodes"), fields.section("edges")
        return cls(
            run_id=fields.text("run_id"),
            manifest_id=fields.text("manifest_id"),
            status=status,  # type: ignore[arg-type]  # checked above
            started_at=fields.number("started_at"),
            finished_at=fields.number("finished_at"),
            plan_version=fields.integer("plan_version"),
            placement_key=fields.text("placement_key"),
            reason=fields.text("reason"),
            trigger_bytes=fields.number("trigger_bytes"),
            nodes={int(key): NodeObservation.from_fields(nodes.section(key)) for key in nodes.values},
            edges={int(key): EdgeObservation.from_fields(edges.section(key)) for key in edges.values},
            # Runs recorded before attempts were kept have none.
            failed_attempts=tuple(map(FailedAttempt.from_fields, fields.sections("failed_attempts")))
            if "failed_attempts" in fields.values
            else (),
        )


@dataclass(frozen=True)
class HistoryChunk:
    """Some of the runs of one workflow that started on one UTC day."""

    runs: tuple[ObservedRun, ...]

    def to_document(self) -> bytes:
        """The chunk as a JSON document."""
        return documents.write(HISTORY_SCHEMA, HISTORY_VERSION, {"runs": [run.to_members() for run in self.runs]})

    @classmethod
    def from_document(cls, text: bytes | str) -> HistoryChunk:
        """Read a chunk."""
        fields = documents.read(text, HISTORY_SCHEMA, HISTORY_VERSION)
        return cls(tuple(ObservedRun.from_fields(entry) for entry in fields.sections("runs")))


@dataclass(frozen=True)
class SyncState:
    """How far the logs of a workflow were read.

    Attributes:
        read_until: Lines before this time were read; the next sync reads from a little earlier.
        open_records: Run id -> records (JSON) of runs that are not finished yet.
        recent_runs: Run id -> time it was counted, for runs whose lines may be read again by the overlap.
        lines: Records read in all.
        malformed: Lines that carried the marker of a record but were none, in all.
        rejected: Messages that functions refused, in all.
        late: Records of runs that were counted or given up before, in all.
    """

    read_until: float = 0.0
    open_records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recent_runs: Mapping[str, float] = field(default_factory=dict)
    lines: int = 0
    malformed: int = 0
    rejected: int = 0
    late: int = 0

    def to_document(self) -> bytes:
        """The state as a JSON document."""
        return documents.write(
            SYNC_STATE_SCHEMA,
            SYNC_STATE_VERSION,
            {
                "read_until": self.read_until,
                "open_records": {run: list(records) for run, records in self.open_records.items()},
                "recent_runs": dict(self.recent_runs),
                "lines": self.lines,
                "malformed": self.malformed,
                "rejected": self.rejected,
                "late": self.late,
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> SyncState:
        """Read a state."""
        fields = documents.read(text, SYNC_STATE_SCHEMA, SYNC_STATE_VERSION)
        runs = fields.section("open_records")
        return cls(
            read_until=fields.number("read_until"),
            open_records={run: runs.sequence(run, as_text) for run in runs.values},
            recent_runs=fields.mapping("recent_runs", as_number),
            lines=fields.integer("lines"),
            malformed=fields.integer("malformed"),
            rejected=fields.integer("rejected"),
            late=fields.integer("late"),
        )
