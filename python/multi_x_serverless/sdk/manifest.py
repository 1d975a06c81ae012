"""The manifest: what a deployed function knows about its workflow without asking anybody.

It is written into the deployment package as ``multi_x_serverless_manifest.json`` at deployment and read once per
container. Node and edge indices of messages, plans and logs are positions in its lists. Format, version 1::

    {"version": 1, "id": "<12 hex digits of the SHA-256 of the content without sites>",
     "workflow": "<name>-<version>", "module": "app", "variable": "workflow",
     "home": "us-east-1", "regions": ["us-east-1", ...], "home_share": 0.1,
     "functions": [{"name": "f", "attribute": "f", "delivery": "at_least_once", "topic": "<topic name>"}, ...],
     "nodes": [{"name": "f:entry_point:0", "function": "f", "sync": false}, ...],
     "edges": [{"from": 0, "to": 1, "site": [["app.py", 12, 14], ...]}, ...]}

``nodes`` are in topological order, the entry first. An edge's ``site`` is the chain of calls that leads to its
``invoke_serverless_function``, outermost first: for each step the file relative to the package root and the first
and last line of the call. No two sites of one node are equal, so the lines on the stack identify the edge.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from multi_x_serverless.sdk.errors import WorkflowError

MANIFEST_FILE = "multi_x_serverless_manifest.json"
MANIFEST_VERSION = 1

Delivery = Literal["at_least_once", "exactly_once"]


class ManifestError(WorkflowError, ValueError):
    """The manifest in the package cannot be used."""

    code = "invalid-manifest"
    remedy = (
        "Deploy the workflow again, with a version of this package that is not older than the one that deployed it."
    )


@dataclass(frozen=True)
class ManifestFunction:
    """A deployed function: `attribute` is its name in the module, `topic` the name of its topic in every region."""

    name: str
    attribute: str
    topic: str
    delivery: Delivery = "at_least_once"


@dataclass(frozen=True)
class ManifestNode:
    """A place of a function in the graph."""

    name: str
    function: str
    sync: bool


@dataclass(frozen=True)
class CallStep:
    """One call on the way to an edge's call site: file relative to the package root, first and last line."""

    file: str
    line: int
    end_line: int


@dataclass(frozen=True)
class ManifestEdge:
    """One call site: `source` and `target` are node indices."""

    source: int
    target: int
    site: tuple[CallStep, ...]


@dataclass(frozen=True)
class Manifest:
    """See the module's text for the fields."""

    workflow_id: str
    module: str
    variable: str
    home: str
    regions: tuple[str, ...]
    home_share: float
    functions: tuple[ManifestFunction, ...]
    nodes: tuple[ManifestNode, ...]
    edges: tuple[ManifestEdge, ...]

    @cached_property
    def id(self) -> str:
        """Fingerprint of the content without sites: two packages with equal ids agree on every index.

        Each package finds its calls by its own sites, so that messages, plans and runs survive a deployment that moves
        lines: a run that failed goes on with the code that was mended.
        """
        content = self._content()
        content["edges"] = [[edge.source, edge.target] for edge in self.edges]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @cached_property
    def outgoing(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of its edges, in edge order."""
        return tuple(
            tuple(index for index, edge in enumerate(self.edges) if edge.source == node)
            for node in range(len(self.nodes))
        )

    @cached_property
    def incoming(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of the edges into it, in edge order."""
        return tuple(
            tuple(index for index, edge in enumerate(self.edges) if edge.target == node)
            for node in range(len(self.nodes))
        )

    @cached_property
    def function_by_name(self) -> dict[str, ManifestFunction]:
        """Functions by name."""
        return {function.name: function for function in self.functions}

    def function_of(self, node: int) -> ManifestFunction:
        """The function that runs a node."""
        return self.function_by_name[self.nodes[node].function]

    def _content(self) -> dict[str, Any]:
        return {
            "version": MANIFEST_VERSION,
            "workflow": self.workflow_id,
            "module": self.module,
            "variable": self.variable,
            "home": self.home,
            "regions": list(self.regions),
            "home_share": self.home_share,
            "functions": [
                {
                    "name": function.name,
                    "attribute": function.attribute,
                    "topic": function.topic,
                    "delivery": function.delivery,
                }
                for function in self.functions
            ],
            "nodes": [{"name": node.name, "function": node.function, "sync": node.sync} for node in self.nodes],
            "edges": [
                {
                    "from": edge.source,
                    "to": edge.target,
                    "site": [[step.file, step.line, step.end_line] for step in edge.site],
                }
                for edge in self.edges
            ],
        }

    def to_json(self) -> str:
        """The manifest as it is written into the package; equal manifests give equal text."""
        return json.dumps({"id": self.id, **self._content()}, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest.

        Raises:
            ManifestError: The text is no manifest of this version.
        """
        try:
            document = json.loads(text)
            if document["version"] != MANIFEST_VERSION:
                raise ManifestError(
                    f"the manifest has version {document['version']}, this SDK reads {MANIFEST_VERSION}; deploy again"
                )
            return cls(
                workflow_id=document["workflow"],
                module=document["module"],
                variable=document["variable"],
                home=document["home"],
                regions=tuple(document["regions"]),
                home_share=float(document["home_share"]),
                functions=tuple(
                    ManifestFunction(entry["name"], entry["attribute"], entry["topic"], entry["delivery"])
                    for entry in document["functions"]
                ),
                nodes=tuple(
                    ManifestNode(entry["name"], entry["function"], entry["sync"]) for entry in document["nodes"]
                ),
                edges=tuple(
                    ManifestEdge(
                        entry["from"],
                        entry["to"],
                        tuple(CallStep(file, line, end_line) for file, line, end_line in entry["site"]),
                    )
                    for entry in document["edges"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ManifestError):
                raise
            raise ManifestError(f"the manifest is damaged ({error!r}); deploy again") from error
