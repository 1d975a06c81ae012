"""The workflow graph: nodes, edges and where in the source each edge is called.

`deployment.analysis` makes it from source; it is stored with the workflow, turned into the manifest of the package,
and into the graph of the problem document. Node and edge indices are positions in the tuples here and the same
everywhere. Nodes are in topological order, the entry first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import orjson

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.documents import Fields


@dataclass(frozen=True)
class CallStep:
    """One call on the way from a function's body to `invoke_serverless_function`.

    Attributes:
        file: Path relative to the project, `/` as separator.
        line: First line of the call, from 1.
        end_line: Last line of the call.
    """

    file: str
    line: int
    end_line: int


@dataclass(frozen=True)
class Node:
    """A place of a function in the workflow. `sync` nodes join several edges."""

    name: str
    function: str
    sync: bool


@dataclass(frozen=True)
class Edge:
    """One call site: node index `source` calls node index `target`.

    Attributes:
        site: Chain of calls, outermost first.
        conditional: Whether the call has a `conditional` argument or stands under a condition, so that it may be
            declined.
    """

    source: int
    target: int
    site: tuple[CallStep, ...]
    conditional: bool


@dataclass(frozen=True)
class Graph:
    """A validated workflow graph.

    Raises:
        InvalidDocumentError: Indices out of range, not in topological order, a plain node with other than one
            incoming edge, a second entry.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise InvalidDocumentError("graph", "nodes", "is empty")
        if len({node.name for node in self.nodes}) != len(self.nodes):
            raise InvalidDocumentError("graph", "nodes", "two nodes have the same name")
        for index, edge in enumerate(self.edges):
            if not 0 <= edge.source < edge.target < len(self.nodes):
                raise InvalidDocumentError(
                    "graph", f"edges[{index}]", f"{edge.source} -> {edge.target} is not in topological order"
                )
        for index, node in enumerate(self.nodes):
            edges = len(self.incoming[index])
            if (index == 0) != (edges == 0):
                raise InvalidDocumentError("graph", f"nodes[{index}]", "only the first node is the entry")
            if edges > 1 and not node.sync:
                raise InvalidDocumentError("graph", f"nodes[{index}]", "joins several edges but is no sync node")

    @cached_property
    def id(self) -> str:
        """Fingerprint of what node and edge indices mean: nodes, and the calls between them in their order.

        Neither the lines at which calls stand nor whether they may be declined are in it.
        """
        nodes = [[node.name, node.function, node.sync] for node in self.nodes]
        edges = [[edge.source, edge.target] for edge in self.edges]
        return sha256(orjson.dumps([nodes, edges])).hexdigest()[:12]

    def without_lines(self) -> Graph:
        """The same graph without where its calls stand in the source."""
        return replace(self, edges=tuple(replace(edge, site=()) for edge in self.edges))

    @cached_property
    def incoming(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of the edges into it."""
        return tuple(
            tuple(i for i, edge in enumerate(self.edges) if edge.target == node) for node in range(len(self.nodes))
        )

    @cached_property
    def outgoing(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of its edges, in the order of its calls."""
        return tuple(
            tuple(i for i, edge in enumerate(self.edges) if edge.source == node) for node in range(len(self.nodes))
        )

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Node name -> index."""
        return {node.name: index for index, node in enumerate(self.nodes)}

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of the functions, in the order of their first node."""
        return tuple(dict.fromkeys(node.function for node in self.nodes))

    def to_members(self) -> dict[str, Any]:
        """The graph as part of a document."""
        return {
            "nodes": [{"name": node.name, "function": node.function, "sync": node.sync} for node in self.nodes],
            "edges": [
                {
                    "source": edge.source,
                    "target": edge.target,
                    "conditional": edge.conditional,
                    "site": [{"file": step.file, "line": step.line, "end_line": step.end_line} for step in edge.site],
                }
                for edge in self.edges
            ],
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Graph:
        """Read what `to_members` wrote."""
        return cls(
            nodes=tuple(
                Node(entry.text("name"), entry.text("function"), entry.truth("sync"))
                for entry in fields.sections("nodes")
            ),
            edges=tuple(
                Edge(
                    source=entry.integer("source"),
                    target=entry.integer("target"),
                    site=tuple(
                        CallStep(step.text("file"), step.integer("line"), step.integer("end_line"))
                        for step in entry.sections("site")
                    ),
                    conditional=entry.truth("conditional"),
                )
                for entry in fields.sections("edges")
            ),
        )
