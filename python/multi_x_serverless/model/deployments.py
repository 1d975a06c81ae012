"""Past deployments of a workflow: which runs are runs of the graph that is deployed now.

A run names the manifest of the package that it ran on, and the id of a manifest changes with every line that moves.
What a run's node and edge indices mean depends on less: on the nodes and on the calls between them (`Graph.id`). So
a workflow's record keeps which graph each manifest was of; what ran on another package of the same graph, with the
same home, goes on counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.units import DAY_S

if TYPE_CHECKING:
    from multi_x_serverless.model.documents import Fields

KEEP_DEPLOYMENTS_S = 31 * DAY_S
"""A day longer than runs are kept: one that was started before its code was replaced ends within hours."""

MAXIMUM_DEPLOYMENTS = 300
"""Newest ones that are kept, ten a day as long as runs are kept. Of large graphs fewer may fit into the record of a
workflow: whoever writes it drops the oldest (`Deployments.without_oldest`)."""


@dataclass(frozen=True)
class Deployment:
    """A deployment that reached its end.

    Attributes:
        at: When it did, seconds since the epoch, UTC; of one that an older program made, when its record was written.
        manifest_id: Id of the manifest in the package.
        graph_id: `Graph.id` of the graph.
        home_region: Where home was.
        home_share: Probability with which runs were sent home for comparison.
        functions: Functions whose code or settings it changed at home: their containers were replaced, and each new
            one answered a probe. Unknown, and so none, of what an older program deployed.
        changed: Functions that run differently since: their code, requirements or files were changed, or their memory,
            processor or environment. Earlier runs tell little of them. Unknown, and so none, as above.
    """

    at: float
    manifest_id: str
    graph_id: str
    home_region: str
    home_share: float
    functions: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def to_members(self) -> dict[str, Any]:
        """The deployment as part of a document."""
        return {
            "at": self.at,
            "manifest_id": self.manifest_id,
            "graph_id": self.graph_id,
            "home_region": self.home_region,
            "home_share": self.home_share,
            "functions": list(self.functions),
            **({"changed": list(self.changed)} if self.changed else {}),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Deployment:
        """Read what `to_members` wrote."""
        return cls(
            at=fields.number("at"),
            manifest_id=fields.text("manifest_id"),
            graph_id=fields.text("graph_id"),
            home_region=fields.text("home_region"),
            home_share=fields.number("home_share"),
            functions=fields.texts("functions"),
            changed=fields.texts("changed") if "changed" in fields.values else (),
        )


@dataclass(frozen=True)
class Origin:
    """What the runs of a manifest refer to: the graph of their indices, where home was, and its share of the runs."""

    graph: Graph
    home_region: str
    home_share: float


@dataclass(frozen=True)
class Deployments:
    """The deployments of a workflow whose runs may still be in its history.

    Attributes:
        entries: Oldest first; the last one is in force.
        graphs: Id -> graph, of all entries, without lines of source.
        begun_at: When the first of all was made, seconds since the epoch, however many were dropped since; 0 if that is
            not known.
    """

    entries: tuple[Deployment, ...] = ()
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    begun_at: float = 0.0

    def followed_by(self, entry: Deployment, graph: Graph) -> Deployments:
        """These and a newer one; what has been replaced for longer than runs are kept is dropped."""
        entries = (*self.entries, entry)
        # What was in force at that moment was replaced later.
        oldest_at = entry.at - KEEP_DEPLOYMENTS_S
        first = max((index for index, kept in enumerate(entries) if kept.at <= oldest_at), default=0)
        entries = entries[first:][-MAXIMUM_DEPLOYMENTS:]
        graphs = {**self.graphs, entry.graph_id: graph.without_lines()}
        # Of one that an older program made nothing but the time of its record is known, which may be later.
        is_first = not self.entries and bool(entry.functions)
        begun_at = entry.at if is_first else self.begun_at
        return Deployments(entries, {kept.graph_id: graphs[kept.graph_id] for kept in entries}, begun_at)

    def without_oldest(self, count: int) -> Deployments:
        """These without the oldest ones, and without graphs that only those had; the one in force always stays."""
        entries = self.entries[min(count, len(self.entries) - 1) :] if self.entries else ()
        return replace(self, entries=entries, graphs={kept.graph_id: self.graphs[kept.graph_id] for kept in entries})

    @property
    def origins(self) -> dict[str, Origin]:
        """Manifest id -> what its runs refer to."""
        return {
            entry.manifest_id: Origin(self.graphs[entry.graph_id], entry.home_region, entry.home_share)
            for entry in self.entries
        }

    def manifest_ids(self, graph_id: str, home_region: str) -> frozenset[str]:
        """Manifests of a graph with a home: home is what plans are compared with, so it is no detail."""
        return frozenset(
            entry.manifest_id
            for entry in self.entries
            if entry.graph_id == graph_id and entry.home_region == home_region
        )

    def replaced_at(self, function: str) -> tuple[float, ...]:
        """When the containers of a function at home were replaced, seconds since the epoch, in order."""
        return tuple(sorted(entry.at for entry in self.entries if function in entry.functions))

    def to_members(self) -> dict[str, Any]:
        """The deployments as part of a document."""
        return {
            "entries": [entry.to_members() for entry in self.entries],
            "graphs": {graph_id: graph.to_members() for graph_id, graph in self.graphs.items()},
            **({"begun_at": self.begun_at} if self.begun_at else {}),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Deployments:
        """Read what `to_members` wrote."""
        graphs = fields.section("graphs")
        found = cls(
            tuple(Deployment.from_fields(entry) for entry in fields.sections("entries")),
            {graph_id: Graph.from_fields(graphs.section(graph_id)) for graph_id in graphs.values},
            fields.optional_number("begun_at") or 0.0,
        )
        for index, entry in enumerate(found.entries):
            if entry.graph_id not in found.graphs:
                path = f"{fields.path}.entries[{index}].graph_id"
                raise InvalidDocumentError(
                    fields.document, path, f"is '{entry.graph_id}', which is not among the graphs"
                )
        return found
