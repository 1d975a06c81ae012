"""Observed runs: what the logs say about one execution of a workflow, and the history that keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_number

HISTORY_SCHEMA = "multi-x-serverless/history"
HISTORY_VERSION = 2
"""2: runs may stand for several. Chunks in which none does are written as version 1, which older programs read."""

RunStatus: TypeAlias = Literal["complete", "failed"]


@dataclass(frozen=True)
class NodeObservation:
    """One node of one run.

    Attributes:
        region: Where it ran.
        duration_s: Wall time of the invocation without initialisation, in seconds.
        cpu_s: CPU time used, in seconds.
        cold: Whether the invocation started a new container.
        sent_bytes: Region -> bytes that the developer's code sent to services there.
        received_bytes: Region -> bytes that it received from services there.
        other_sent_bytes: Bytes sent to no known region.
        other_received_bytes: Bytes received from no known region.
        init_s: How long the container took to start, in seconds, when `cold`; `None` if that is not known.
        returned_s: When its function had returned, in seconds from its start: after that it waited until its calls were
            accepted, and reported branches that had died. `None` if it was recorded before that was logged.
    """

    region: str
    duration_s: float
    cpu_s: float
    cold: bool
    sent_bytes: Mapping[str, float]
    received_bytes: Mapping[str, float]
    other_sent_bytes: float
    other_received_bytes: float
    init_s: float | None = None
    returned_s: float | None = None

    @property
    def worked_s(self) -> float:
        """Seconds until its function had returned; all of its duration if that was not logged."""
        return self.returned_s or self.duration_s

    def to_members(self) -> dict[str, Any]:
        """The observation as part of a document."""
        return {
            "region": self.region,
            "duration_s": self.duration_s,
            "cpu_s": self.cpu_s,
            "cold": self.cold,
            "sent_bytes": dict(self.sent_bytes),
            "received_bytes": dict(self.received_bytes),
            "other_sent_bytes": self.other_sent_bytes,
            "other_received_bytes": self.other_received_bytes,
            **({} if self.init_s is None else {"init_s": self.init_s}),
            **({} if self.returned_s is None else {"returned_s": self.returned_s}),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> NodeObservation:
        """Read what `to_members` wrote."""
        return cls(
            region=fields.text("region"),
            duration_s=fields.number("duration_s"),
            cpu_s=fields.number("cpu_s"),
            cold=fields.truth("cold"),
            sent_bytes=fields.mapping("sent_bytes", as_number),
            received_bytes=fields.mapping("received_bytes", as_number),
            other_sent_bytes=fields.number("other_sent_bytes"),
            other_received_bytes=fields.number("other_received_bytes"),
            # Runs recorded before it was kept, and warm executions, do without.
            init_s=fields.optional_number("init_s"),
            returned_s=fields.optional_number("returned_s"),
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
        publish_s: How long the caller waited until the call was accepted, in seconds; `None` when declined, not
            known, or when the planned region refused it.
        closed_join: Whether the caller's report was the one after which the join was started; `None` of other edges,
            and if it was not logged.
    """

    called: bool
    payload_bytes: float
    offset_s: float | None
    latency_s: float | None
    publish_s: float | None = None
    closed_join: bool | None = None

    def to_members(self) -> dict[str, Any]:
        """The observation as part of a document."""
        return {
            "called": self.called,
            "payload_bytes": self.payload_bytes,
            "offset_s": self.offset_s,
            "latency_s": self.latency_s,
            "publish_s": self.publish_s,
            **({} if self.closed_join is None else {"closed_join": self.closed_join}),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> EdgeObservation:
        """Read what `to_members` wrote."""
        return cls(
            called=fields.truth("called"),
            payload_bytes=fields.number("payload_bytes"),
            offset_s=fields.optional_number("offset_s"),
            latency_s=fields.optional_number("latency_s"),
            # Runs recorded before it was kept do without.
            publish_s=fields.optional_number("publish_s"),
            closed_join=fields.optional_truth("closed_join"),
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
        manifest_id: Id of the manifest that it started under; which graph its node and edge indices refer to is in the
            workflow's record (`model.deployments`).
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
        weight: How many runs this one stands for, 1 or more: above 1 when others were left out to bound the history
            (`observation.reservoir`). Means over runs must be weighted by it.
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
    weight: float = 1.0

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
            **({} if self.weight == 1.0 else {"weight": self.weight}),
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
            nodes={_index(nodes, key): NodeObservation.from_fields(nodes.section(key)) for key in nodes.values},
            edges={_index(edges, key): EdgeObservation.from_fields(edges.section(key)) for key in edges.values},
            # Runs recorded before attempts were kept have none.
            failed_attempts=tuple(map(FailedAttempt.from_fields, fields.sections("failed_attempts")))
            if "failed_attempts" in fields.values
            else (),
            weight=_weight(fields) if "weight" in fields.values else 1.0,
        )


def _weight(fields: Fields) -> float:
    """A number of runs, 1 or more."""
    weight = fields.number("weight")
    if weight < 1.0:
        raise InvalidDocumentError(fields.document, f"{fields.path}.weight", f"is {weight}, expected 1 or more")
    return weight


def _index(fields: Fields, key: str) -> int:
    """A key that is the index of a node or an edge."""
    if not (key.isascii() and key.isdigit()):
        raise InvalidDocumentError(fields.document, f"{fields.path}.{key}", "is not an index")
    return int(key)


def number_of_runs(runs: Iterable[ObservedRun]) -> int:
    """How many runs some runs of the history stand for: an estimate once the history is full."""
    return round(sum(run.weight for run in runs))


@dataclass(frozen=True)
class HistoryChunk:
    """Some of the runs of one workflow that started on one UTC day.

    Attributes:
        is_full: Whether one run more made it too large for an item, few as they may be.
    """

    runs: tuple[ObservedRun, ...]
    is_full: bool = False

    def to_document(self) -> bytes:
        """The chunk as a JSON document."""
        version = HISTORY_VERSION if any(run.weight != 1.0 for run in self.runs) else 1
        members = {"runs": [run.to_members() for run in self.runs], **({"is_full": True} if self.is_full else {})}
        return documents.write(HISTORY_SCHEMA, version, members)

    @classmethod
    def from_document(cls, text: bytes | str) -> HistoryChunk:
        """Read a chunk."""
        fields = documents.read(text, HISTORY_SCHEMA, HISTORY_VERSION)
        return cls(
            runs=tuple(ObservedRun.from_fields(entry) for entry in fields.sections("runs")),
            is_full=fields.truth("is_full") if "is_full" in fields.values else False,
        )
