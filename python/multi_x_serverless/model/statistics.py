"""Statistics of a workflow: the readable summary of its observed runs, and what collectors learn from them.

The solver does not read this document. It reads the runs themselves (`solving.problem`), because what happened together
in a run has to stay together: a long text takes long in every node. These statistics are of the same runs, for people,
and for the performance collector, which compares regions over all workflows (`collection.measured_round_trips`,
`collection.relative_speed`) and would otherwise read the history of each.

Where the history is a sample of the runs (`observation.reservoir`), counts of samples say what the figures rest on;
means, percentiles, medians and shares weigh each run by how many it stands for. Percentiles are those of the engine:
the first of the sorted samples up to which there is more than q of the weight, which is element floor(q * n) of n that
weigh the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from multi_x_serverless.model import documents
from multi_x_serverless.model.config_types import read_choice
from multi_x_serverless.model.estimate import Estimate

if TYPE_CHECKING:
    from multi_x_serverless.model.documents import Fields

STATISTICS_SCHEMA = "multi-x-serverless/workflow-statistics"
STATISTICS_VERSION = 1

DataBasis: TypeAlias = Literal["measured", "declared"]
DATA_BASES: tuple[DataBasis, ...] = get_args(DataBasis)

GapKind: TypeAlias = Literal["no_runs", "edge_never_called", "node_never_ran", "region_never_seen", "few_samples"]
GAP_KINDS: tuple[GapKind, ...] = get_args(GapKind)


@dataclass(frozen=True)
class Spread:
    """Some samples of a quantity, in its unit."""

    count: int
    mean: float
    p50: float
    p95: float

    def to_members(self) -> dict[str, float | int]:
        """The samples as part of a document."""
        return {"count": self.count, "mean": self.mean, "p50": self.p50, "p95": self.p95}

    @classmethod
    def from_fields(cls, fields: Fields) -> Spread:
        """Read what `to_members` wrote."""
        return cls(fields.integer("count"), fields.number("mean"), fields.number("p50"), fields.number("p95"))


@dataclass(frozen=True)
class DataMoved:
    """Mean bytes per execution that a node's own code moved to and from services in a region."""

    region: str
    sent_bytes: float
    received_bytes: float

    def to_members(self) -> dict[str, Any]:
        """The bytes as part of a document."""
        return {"region": self.region, "sent_bytes": self.sent_bytes, "received_bytes": self.received_bytes}

    @classmethod
    def from_fields(cls, fields: Fields) -> DataMoved:
        """Read what `to_members` wrote."""
        return cls(fields.text("region"), fields.number("sent_bytes"), fields.number("received_bytes"))


@dataclass(frozen=True)
class NodeRegion:
    """A node in one region.

    Attributes:
        warm: Durations in seconds of executions in a container that was there.
        cold: Durations in seconds of those that were the first of theirs, without its start.
        cpu_utilization: Mean share of the memory's vCPUs that was in use, 0 to 1; None if no time passed.
        busy_share: Median share of its time for which a warm execution kept busy the one processor it can have; None
            without warm ones.
        log_duration: Median of the natural logarithm of warm durations in seconds; None without any.
        data: By region of the services.
        other_sent_bytes: Mean bytes per execution sent to nobody knows where.
        other_received_bytes: Mean bytes per execution received from nobody knows where.
        newest_run_at: Start of the latest of these runs, seconds since the epoch.
    """

    region: str
    warm: Spread | None
    cold: Spread | None
    cpu_utilization: float | None
    busy_share: float | None
    log_duration: Estimate | None
    data: tuple[DataMoved, ...]
    other_sent_bytes: float
    other_received_bytes: float
    newest_run_at: float

    @property
    def count(self) -> int:
        """Executions there."""
        return sum(spread.count for spread in (self.warm, self.cold) if spread is not None)

    def to_members(self) -> dict[str, Any]:
        """The node's statistics as part of a document."""
        return {
            "region": self.region,
            "warm_duration_s": None if self.warm is None else self.warm.to_members(),
            "cold_duration_s": None if self.cold is None else self.cold.to_members(),
            "cpu_utilization": self.cpu_utilization,
            "busy_share": self.busy_share,
            "log_duration": None if self.log_duration is None else self.log_duration.to_members(),
            "data": [moved.to_members() for moved in self.data],
            "other_sent_bytes": self.other_sent_bytes,
            "other_received_bytes": self.other_received_bytes,
            "newest_run_at": self.newest_run_at,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> NodeRegion:
        """Read what `to_members` wrote."""
        return cls(
            region=fields.text("region"),
            warm=_optional_spread(fields, "warm_duration_s"),
            cold=_optional_spread(fields, "cold_duration_s"),
            cpu_utilization=fields.optional_number("cpu_utilization"),
            busy_share=fields.optional_number("busy_share"),
            log_duration=_optional_estimate(fields, "log_duration"),
            data=tuple(map(DataMoved.from_fields, fields.sections("data"))),
            other_sent_bytes=fields.number("other_sent_bytes"),
            other_received_bytes=fields.number("other_received_bytes"),
            newest_run_at=fields.number("newest_run_at"),
        )


@dataclass(frozen=True)
class DataPlace:
    """Where data lies that a node moves.

    Attributes:
        moved_bytes: Mean bytes per execution to and from there.
        share: Of all that it moves, 0 to 1.
        basis: ``measured`` by the SDK, or ``declared`` by `data_regions`, to which all bytes of unknown places are put.
    """

    region: str
    moved_bytes: float
    share: float
    basis: DataBasis

    def to_members(self) -> dict[str, Any]:
        """The place as part of a document."""
        return {
            "region": self.region,
            "moved_bytes": self.moved_bytes,
            "share": self.share,
            "basis": self.basis,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> DataPlace:
        """Read what `to_members` wrote."""
        return cls(
            fields.text("region"),
            fields.number("moved_bytes"),
            fields.number("share"),
            read_choice(fields, "basis", DATA_BASES),
        )


@dataclass(frozen=True)
class NodeStatistics:
    """A node, in all regions.

    Attributes:
        failed_attempts: Executions that raised.
        regions: By region, those in which it ran.
        data_places: The largest share first.
        unknown_bytes: Mean bytes per execution to and from nobody knows where, and not declared.
    """

    name: str
    function: str
    failed_attempts: int
    regions: tuple[NodeRegion, ...]
    data_places: tuple[DataPlace, ...]
    unknown_bytes: float

    @property
    def count(self) -> int:
        """Executions that reached their end."""
        return sum(region.count for region in self.regions)

    @property
    def cold_count(self) -> int:
        """Those of them that were the first of their container."""
        return sum(region.cold.count for region in self.regions if region.cold is not None)

    def to_members(self) -> dict[str, Any]:
        """The node's statistics as part of a document."""
        return {
            "name": self.name,
            "function": self.function,
            "failed_attempts": self.failed_attempts,
            "regions": [region.to_members() for region in self.regions],
            "data_places": [place.to_members() for place in self.data_places],
            "unknown_bytes": self.unknown_bytes,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> NodeStatistics:
        """Read what `to_members` wrote."""
        return cls(
            name=fields.text("name"),
            function=fields.text("function"),
            failed_attempts=fields.integer("failed_attempts"),
            regions=tuple(map(NodeRegion.from_fields, fields.sections("regions"))),
            data_places=tuple(map(DataPlace.from_fields, fields.sections("data_places"))),
            unknown_bytes=fields.number("unknown_bytes"),
        )


@dataclass(frozen=True)
class PairLatency:
    """How long calls of an edge take from one region to one region, in seconds.

    Attributes:
        count: Calls whose latency is known.
        cold_count: Those that started a new container.
        p50_s: Median of all of them.
        accepted: Median time until the call of a warm caller with a payload that went inline was accepted, less the
            time of the payload between regions; None without any.
        newest_run_at: Start of the latest of these runs, seconds since the epoch.
    """

    from_region: str
    to_region: str
    count: int
    cold_count: int
    p50_s: float
    accepted: Estimate | None
    newest_run_at: float

    def to_members(self) -> dict[str, Any]:
        """The latencies as part of a document."""
        return {
            "from_region": self.from_region,
            "to_region": self.to_region,
            "count": self.count,
            "cold_count": self.cold_count,
            "p50_s": self.p50_s,
            "accepted": None if self.accepted is None else self.accepted.to_members(),
            "newest_run_at": self.newest_run_at,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> PairLatency:
        """Read what `to_members` wrote."""
        return cls(
            from_region=fields.text("from_region"),
            to_region=fields.text("to_region"),
            count=fields.integer("count"),
            cold_count=fields.integer("cold_count"),
            p50_s=fields.number("p50_s"),
            accepted=_optional_estimate(fields, "accepted"),
            newest_run_at=fields.number("newest_run_at"),
        )


@dataclass(frozen=True)
class EdgeStatistics:
    """An edge.

    Attributes:
        source: Name of the calling node.
        target: Name of the called one.
        decided: Samples: runs in which the calling node decided on the call.
        called: Samples: those in which it made it.
        call_probability: Share of decisions that were calls; None without any.
        payload: Bytes of these calls; None without any.
        latencies: By pair of regions; none into a join, which waits for others.
        accepted_within: Median of `accepted` over all calls within a region, whichever; None without any.
    """

    source: str
    target: str
    decided: int
    called: int
    call_probability: float | None
    payload: Spread | None
    latencies: tuple[PairLatency, ...]
    accepted_within: Estimate | None

    def to_members(self) -> dict[str, Any]:
        """The edge's statistics as part of a document."""
        return {
            "source": self.source,
            "target": self.target,
            "decided": self.decided,
            "called": self.called,
            "call_probability": self.call_probability,
            "payload_bytes": None if self.payload is None else self.payload.to_members(),
            "latencies": [latency.to_members() for latency in self.latencies],
            "accepted_within": None if self.accepted_within is None else self.accepted_within.to_members(),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> EdgeStatistics:
        """Read what `to_members` wrote."""
        return cls(
            source=fields.text("source"),
            target=fields.text("target"),
            decided=fields.integer("decided"),
            called=fields.integer("called"),
            call_probability=fields.optional_number("call_probability"),
            payload=_optional_spread(fields, "payload_bytes"),
            latencies=tuple(map(PairLatency.from_fields, fields.sections("latencies"))),
            accepted_within=_optional_estimate(fields, "accepted_within"),
        )


@dataclass(frozen=True)
class Gap:
    """Something that the history does not tell.

    Attributes:
        kind: ``no_runs``; ``edge_never_called``; ``node_never_ran``; ``region_never_seen``: allowed, but the node
            never ran there; ``few_samples``: it did, but too few times for its own distribution to count in full.
        subject: Node, or edge as ``source -> target``; empty for the workflow.
        regions: Where.
    """

    kind: GapKind
    subject: str = ""
    regions: tuple[str, ...] = ()

    def to_members(self) -> dict[str, Any]:
        """The gap as part of a document."""
        return {"kind": self.kind, "subject": self.subject, "regions": list(self.regions)}

    @classmethod
    def from_fields(cls, fields: Fields) -> Gap:
        """Read what `to_members` wrote."""
        return cls(read_choice(fields, "kind", GAP_KINDS), fields.text("subject"), fields.texts("regions"))


@dataclass(frozen=True)
class WorkflowStatistics:
    """What the last 30 days of a workflow's runs say of the graph that is deployed.

    Attributes:
        collected_at: When this was computed, seconds since the epoch, UTC.
        runs: Complete runs.
        sampled_runs: Those of them that the figures rest on: fewer where the history is a sample.
        failed: Failed runs; they count here only, and by their failed attempts.
        other_runs: Runs of earlier graphs, which tell nothing of this one.
        first_run_at: Start of the oldest complete or failed run; None without any.
        last_run_at: Start of the newest one.
        runs_per_day: Complete and failed ones since the oldest; None while that is less than a day.
        cold_share: Share of executions that were the first of their container; None without any.
        runtime: From the start of the entry node to the end of the last one, in seconds; None without runs.
        gaps: What the history does not tell.
    """

    workflow_id: str
    manifest_id: str
    collected_at: float
    runs: int
    sampled_runs: int
    failed: int
    other_runs: int
    first_run_at: float | None
    last_run_at: float | None
    runs_per_day: float | None
    cold_share: float | None
    runtime: Spread | None
    nodes: tuple[NodeStatistics, ...]
    edges: tuple[EdgeStatistics, ...]
    gaps: tuple[Gap, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions in which some node ran."""
        return tuple(sorted({region.region for node in self.nodes for region in node.regions}))

    def to_members(self) -> dict[str, Any]:
        """The statistics as part of a document."""
        return {
            "workflow_id": self.workflow_id,
            "manifest_id": self.manifest_id,
            "collected_at": self.collected_at,
            "runs": self.runs,
            "sampled_runs": self.sampled_runs,
            "failed": self.failed,
            "other_runs": self.other_runs,
            "first_run_at": self.first_run_at,
            "last_run_at": self.last_run_at,
            "runs_per_day": self.runs_per_day,
            "cold_share": self.cold_share,
            "runtime_s": None if self.runtime is None else self.runtime.to_members(),
            "regions": list(self.regions),
            "nodes": [node.to_members() for node in self.nodes],
            "edges": [edge.to_members() for edge in self.edges],
            "gaps": [gap.to_members() for gap in self.gaps],
        }

    def to_document(self) -> bytes:
        """The statistics as a JSON document."""
        return documents.write(STATISTICS_SCHEMA, STATISTICS_VERSION, self.to_members())

    @classmethod
    def from_document(cls, text: bytes | str) -> WorkflowStatistics:
        """Read statistics.

        Raises:
            InvalidDocumentError: The text is no such document; the message names the field.
        """
        fields = documents.read(text, STATISTICS_SCHEMA, STATISTICS_VERSION)
        return cls(
            workflow_id=fields.text("workflow_id"),
            manifest_id=fields.text("manifest_id"),
            collected_at=fields.number("collected_at"),
            runs=fields.integer("runs"),
            sampled_runs=fields.integer("sampled_runs"),
            failed=fields.integer("failed"),
            other_runs=fields.integer("other_runs"),
            first_run_at=fields.optional_number("first_run_at"),
            last_run_at=fields.optional_number("last_run_at"),
            runs_per_day=fields.optional_number("runs_per_day"),
            cold_share=fields.optional_number("cold_share"),
            runtime=_optional_spread(fields, "runtime_s"),
            nodes=tuple(map(NodeStatistics.from_fields, fields.sections("nodes"))),
            edges=tuple(map(EdgeStatistics.from_fields, fields.sections("edges"))),
            gaps=tuple(map(Gap.from_fields, fields.sections("gaps"))),
        )


def _optional_spread(fields: Fields, name: str) -> Spread | None:
    section = fields.optional_section(name)
    return None if section is None else Spread.from_fields(section)


def _optional_estimate(fields: Fields, name: str) -> Estimate | None:
    section = fields.optional_section(name)
    return None if section is None else Estimate.from_fields(section)
