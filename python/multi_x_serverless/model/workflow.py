"""What is deployed: one record per workflow, written when a deployment has reached its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from multi_x_serverless.model import documents
from multi_x_serverless.model.config_types import FunctionConfiguration, WorkflowConfiguration, read_choice
from multi_x_serverless.model.deployments import Deployments, Origin
from multi_x_serverless.model.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from multi_x_serverless.model.documents import Fields

WORKFLOW_SCHEMA = "multi-x-serverless/workflow"
WORKFLOW_VERSION = 2
"""Newest version that is read. Version 2 knows images; what has none is written as version 1, as it always was."""

ResourceKind: TypeAlias = Literal["role", "repository", "package", "image", "function", "topic"]
WorkflowStatus: TypeAlias = Literal["deployed", "removing"]
PackageFormat: TypeAlias = Literal["zip", "image"]

WORKFLOW_STATUSES: tuple[WorkflowStatus, ...] = get_args(WorkflowStatus)
PACKAGE_FORMATS: tuple[PackageFormat, ...] = get_args(PackageFormat)
RESOURCE_KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)
"""In the order in which they are created: each needs only kinds before it. A topic includes its subscription."""

IMAGE_KINDS: frozenset[ResourceKind] = frozenset({"repository", "image"})
"""Kinds that version 1 of stored documents does not know."""


@dataclass(frozen=True)
class PackageReference:
    """A deployment package, under the same key in every region that has it.

    Attributes:
        key: Of a zip: its key in the object store. Of an image: ``repository:tag`` in the registry.
        sha256: Hex digest of the zip, or of what an image is built from (its tag).
        size_bytes: Size of the zip, or of the image's layers and configuration.
        own_sha256: Hex digest of what the developer put into it: all but the manifest and the SDK; empty where an older
            program wrote the record.
    """

    key: str
    sha256: str
    size_bytes: int
    own_sha256: str = ""

    def to_members(self) -> dict[str, Any]:
        """The reference as part of a document."""
        own = {"own_sha256": self.own_sha256} if self.own_sha256 else {}
        return {"key": self.key, "sha256": self.sha256, "size_bytes": self.size_bytes, **own}

    @classmethod
    def from_fields(cls, fields: Fields) -> PackageReference:
        """Read what `to_members` wrote."""
        own = fields.optional_text("own_sha256") or ""
        return cls(fields.text("key"), fields.text("sha256"), fields.integer("size_bytes"), own)


@dataclass(frozen=True)
class Resource:
    """Something that was made in the cloud for a workflow.

    Attributes:
        region: `None` for a resource without region (a role).
        name: The name it was made and is looked up by.
        id: What the cloud calls it.
        function: The workflow's function it serves, `None` if it serves all.
        fingerprint: Digest of the properties it was made with; equal digests need no update.
    """

    kind: ResourceKind
    region: str | None
    name: str
    id: str
    function: str | None
    fingerprint: str

    @property
    def key(self) -> tuple[ResourceKind, str, str]:
        """What tells resources apart: kind, region (empty for none) and name."""
        return (self.kind, self.region or "", self.name)

    def to_members(self) -> dict[str, Any]:
        """The resource as part of a document."""
        return {
            "kind": self.kind,
            "region": self.region,
            "name": self.name,
            "id": self.id,
            "function": self.function,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Resource:
        """Read what `to_members` wrote."""
        return cls(
            kind=read_choice(fields, "kind", RESOURCE_KINDS),
            region=fields.optional_text("region"),
            name=fields.text("name"),
            id=fields.text("id"),
            function=fields.optional_text("function"),
            fingerprint=fields.text("fingerprint"),
        )


def version_for(resources: Collection[Resource]) -> int:
    """Version of a document that lists resources: the oldest that knows all their kinds."""
    return 2 if any(resource.kind in IMAGE_KINDS for resource in resources) else 1


@dataclass(frozen=True)
class WorkflowRecord:
    """A deployed workflow.

    Attributes:
        functions: Function -> what holds for it; in the order of the graph's functions.
        manifest_id: Id of the manifest in the package.
        manifest: The manifest's text as it is in the package.
        regions: The manifest's regions: home first, then all others that some function may run in, sorted.
        policy: The role's policy (JSON).
        runtime: What the functions run on, for example ``python3.12``.
        resources: Everything that was made for the workflow and not deleted since.
        status: ``deployed``, or ``removing`` while (or after) a removal did not reach its end.
        plan_activated_at: When the active plan became active, seconds since the epoch, UTC.
        updated_at: When the record was last written, seconds since the epoch, UTC.
        deployments: Those whose runs may be in the history, this one the last; none where an older program deployed.
    """

    workflow_id: str
    configuration: WorkflowConfiguration
    functions: Mapping[str, FunctionConfiguration]
    graph: Graph
    manifest_id: str
    manifest: str
    regions: tuple[str, ...]
    package: PackageReference
    policy: str
    runtime: str
    resources: tuple[Resource, ...]
    status: WorkflowStatus
    plan_activated_at: float
    updated_at: float
    package_format: PackageFormat = "zip"
    deployments: Deployments = field(default_factory=Deployments)

    @property
    def home_region(self) -> str:
        """Where every function stays deployed."""
        return self.configuration.home_region

    @cached_property
    def manifest_ids(self) -> frozenset[str]:
        """Manifests whose runs are runs of the deployed graph: its own, and those that differ in lines or settings."""
        return self.deployments.manifest_ids(self.graph.id, self.home_region) | {self.manifest_id}

    @cached_property
    def origins(self) -> dict[str, Origin]:
        """Manifest id -> what its runs refer to, of all manifests of which that is known."""
        own = Origin(self.graph, self.home_region, self.configuration.home_share)
        return {**self.deployments.origins, self.manifest_id: own}

    @cached_property
    def graphs(self) -> dict[str, Graph]:
        """Manifest id -> what node and edge indices mean in its runs, of all manifests of which that is known."""
        return {manifest_id: origin.graph for manifest_id, origin in self.origins.items()}

    @property
    def deployment(self) -> str:
        """Digest of what the developer deployed; migrations and sweeps leave it as it is."""
        deployed = replace(self, resources=(), plan_activated_at=0.0, updated_at=0.0, deployments=Deployments())
        return sha256(deployed.to_document()).hexdigest()

    def to_document(self) -> bytes:
        """The record as a JSON document."""
        return documents.write(
            WORKFLOW_SCHEMA,
            WORKFLOW_VERSION if self.package_format == "image" else version_for(self.resources),
            {
                "workflow_id": self.workflow_id,
                "configuration": self.configuration.to_members(),
                "functions": [function.to_members() for function in self.functions.values()],
                "graph": self.graph.to_members(),
                "manifest_id": self.manifest_id,
                "manifest": self.manifest,
                "regions": list(self.regions),
                "package": self.package.to_members(),
                "package_format": self.package_format,
                "policy": self.policy,
                "runtime": self.runtime,
                "resources": [resource.to_members() for resource in self.resources],
                "status": self.status,
                "plan_activated_at": self.plan_activated_at,
                "updated_at": self.updated_at,
                # Left out where there are none; a program that does not know them takes the record without.
                **({"deployments": self.deployments.to_members()} if self.deployments.entries else {}),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> WorkflowRecord:
        """Read a record.

        Raises:
            InvalidDocumentError: The text is no workflow record; the message names the field.
            NewerSchemaError: A newer version of the product wrote it.
        """
        fields = documents.read(text, WORKFLOW_SCHEMA, WORKFLOW_VERSION)
        deployments = fields.optional_section("deployments")
        functions = [FunctionConfiguration.from_fields(entry) for entry in fields.sections("functions")]
        return cls(
            workflow_id=fields.text("workflow_id"),
            configuration=WorkflowConfiguration.from_fields(fields.section("configuration")),
            functions={function.name: function for function in functions},
            graph=Graph.from_fields(fields.section("graph")),
            manifest_id=fields.text("manifest_id"),
            manifest=fields.text("manifest"),
            regions=fields.texts("regions"),
            package=PackageReference.from_fields(fields.section("package")),
            package_format=read_choice(fields, "package_format", PACKAGE_FORMATS),
            policy=fields.text("policy"),
            runtime=fields.text("runtime"),
            resources=tuple(Resource.from_fields(entry) for entry in fields.sections("resources")),
            status=read_choice(fields, "status", WORKFLOW_STATUSES),
            plan_activated_at=fields.number("plan_activated_at"),
            updated_at=fields.number("updated_at"),
            # Records written before they were kept have none.
            deployments=Deployments() if deployments is None else Deployments.from_fields(deployments),
        )
