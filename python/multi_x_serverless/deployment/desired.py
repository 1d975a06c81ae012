"""Which resources a workflow needs, given where its functions are to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from multi_x_serverless.cloud.ports import Architecture, Cloud, FunctionSpecification
from multi_x_serverless.cloud.tables import TABLE_PREFIX
from multi_x_serverless.deployment.names import bucket_prefix, function_name, role_name, topic_name
from multi_x_serverless.model.workflow import PackageReference, Resource, ResourceKind, WorkflowRecord
from multi_x_serverless.sdk import environment

if TYPE_CHECKING:
    from multi_x_serverless.model.graph import Graph
    from multi_x_serverless.model.plan import Plan

HANDLER = "multi_x_serverless.sdk.lambda_handler.handler"

FunctionPlaces: TypeAlias = Mapping[str, Set[str]]
"""Function -> regions in which it is to be deployed."""


@dataclass(frozen=True)
class DesiredRole:
    """The role that all functions of the workflow run under."""

    name: str
    policy: str
    kind: Literal["role"] = "role"
    region: None = None
    function: None = None

    @property
    def fingerprint(self) -> str:
        """Digest of its properties."""
        return _digest(self.policy)


@dataclass(frozen=True)
class DesiredPackage:
    """The deployment package in one region's object store."""

    name: str
    region: str
    sha256: str
    kind: Literal["package"] = "package"
    function: None = None

    @property
    def fingerprint(self) -> str:
        """Digest of its properties."""
        return self.sha256


@dataclass(frozen=True)
class DesiredRepository:
    """The repository of a workflow's images in one region."""

    name: str
    region: str
    kind: Literal["repository"] = "repository"
    function: None = None

    @property
    def fingerprint(self) -> str:
        """Digest of its properties, of which it has none of its own."""
        return _digest(self.name)


@dataclass(frozen=True)
class DesiredImage:
    """The image in one region's registry. Its digest is known when it has been pushed at home."""

    repository: str
    tag: str
    region: str
    architecture: Architecture
    kind: Literal["image"] = "image"
    function: None = None

    @property
    def name(self) -> str:
        """Its name in the cloud."""
        return f"{self.repository}:{self.tag}"

    @property
    def fingerprint(self) -> str:
        """Digest of its properties."""
        return self.tag


@dataclass(frozen=True)
class DesiredFunction:
    """A function in one region; its role, and the digest of its image, are filled in when they are known."""

    region: str
    function: str
    specification: FunctionSpecification
    kind: Literal["function"] = "function"

    @property
    def name(self) -> str:
        """Its name in the cloud."""
        return self.specification.name

    @property
    def fingerprint(self) -> str:
        """Digest of its properties."""
        properties = asdict(self.specification)
        if self.specification.package_format == "zip":
            del properties["package_format"]  # recorded fingerprints are older than this property
        return _digest(json.dumps(properties, sort_keys=True))


@dataclass(frozen=True)
class DesiredTopic:
    """The topic in front of a function, subscribed by it."""

    name: str
    region: str
    function: str
    subscriber: str
    kind: Literal["topic"] = "topic"

    @property
    def fingerprint(self) -> str:
        """Digest of its properties."""
        return _digest(self.subscriber)


Desired: TypeAlias = DesiredRole | DesiredPackage | DesiredRepository | DesiredImage | DesiredFunction | DesiredTopic


def key_of(desired: Desired) -> tuple[ResourceKind, str, str]:
    """What tells resources apart, as `Resource.key`."""
    return (desired.kind, desired.region or "", desired.name)


def resource_of(desired: Desired, resource_id: str) -> Resource:
    """The record of a resource once it has been made."""
    return Resource(desired.kind, desired.region, desired.name, resource_id, desired.function, desired.fingerprint)


def function_places(graph: Graph, home: str, plan: Plan | None) -> dict[str, frozenset[str]]:
    """Where each function is needed: at home always, elsewhere as the plan says."""
    elsewhere = {} if plan is None else plan.regions_of_functions(graph)
    return {function: elsewhere.get(function, frozenset()) | {home} for function in graph.functions}


def desired_resources(cloud: Cloud, record: WorkflowRecord, places: FunctionPlaces) -> tuple[Desired, ...]:
    """Everything that a workflow needs to run in some places, in the order of making.

    Args:
        cloud: Where it is deployed.
        record: What is deployed; its list of resources is not looked at.
        places: Where each function is to be.
    """
    workflow_id = record.workflow_id
    elsewhere = {region for function in places.values() for region in function} - {record.home_region}
    regions = (record.home_region, *sorted(elsewhere))
    variables = _product_variables(cloud)
    pairs = [(region, function) for region in regions for function in places if region in places[function]]
    return (
        DesiredRole(role_name(workflow_id), record.policy),
        *_packages(record, regions),
        *(DesiredFunction(region, function, _specification(record, function, variables)) for region, function in pairs),
        *(
            DesiredTopic(topic_name(workflow_id, function), region, function, function_name(workflow_id, function))
            for region, function in pairs
        ),
    )


def _packages(
    record: WorkflowRecord, regions: Sequence[str]
) -> tuple[DesiredPackage | DesiredRepository | DesiredImage, ...]:
    package = record.package
    if record.package_format == "zip":
        return tuple(DesiredPackage(package.key, region, package.sha256) for region in regions)
    repository, _, tag = package.key.rpartition(":")
    architecture = next(iter(record.functions.values())).provider.architecture
    return (
        *(DesiredRepository(repository, region) for region in regions),
        *(DesiredImage(repository, tag, region, architecture) for region in regions),
    )


def _specification(record: WorkflowRecord, function: str, variables: Mapping[str, str]) -> FunctionSpecification:
    settings = record.functions[function]
    package: PackageReference = record.package
    return FunctionSpecification(
        name=function_name(record.workflow_id, function),
        handler=HANDLER,
        runtime=record.runtime,
        architecture=settings.provider.architecture,
        memory_mb=settings.provider.memory_mb,
        timeout_s=settings.provider.timeout_s,
        code_key=package.key,
        code_sha256=package.sha256,
        role="",
        environment={**settings.environment_variables, **variables, environment.FUNCTION: function},
        package_format=record.package_format,
    )


def _product_variables(cloud: Cloud) -> dict[str, str]:
    variables = {environment.TABLE_PREFIX: TABLE_PREFIX}
    if cloud.name == "local":
        # Nobody else reads this log; on AWS results may be nobody's business but the developer's.
        variables[environment.LOG_RESULTS] = "1"
    if cloud.name == "aws":
        account = cloud.identity.account_id()
        variables[environment.ACCOUNT] = account
        variables[environment.BUCKET_PREFIX] = bucket_prefix(account)
    return variables


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
