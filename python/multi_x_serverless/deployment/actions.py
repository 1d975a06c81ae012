"""The difference between what is desired and what is recorded, as a list of typed actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from multi_x_serverless.deployment.desired import Desired, key_of
from multi_x_serverless.deployment.names import REPOSITORY_PREFIX
from multi_x_serverless.model.workflow import RESOURCE_KINDS, Resource, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.cloud.ports import Cloud

Verb: TypeAlias = Literal["create", "update", "delete"]
ActionKind: TypeAlias = ResourceKind | Literal["plan", "workflow"]


@dataclass(frozen=True)
class Action:
    """One thing to do.

    Attributes:
        verb: What is done.
        kind: To what: a resource of the cloud, the plan in force, or the record of the workflow.
        region: `None` for what has no region.
        name: Its name in the cloud.
        function: The workflow's function it serves, `None` if it serves all.
        desired: What is to be there afterwards; `None` for a deletion and for plan and workflow.
    """

    verb: Verb
    kind: ActionKind
    region: str | None
    name: str
    function: str | None = None
    desired: Desired | None = None

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        return f"{self.verb} {self.kind} {self.function or self.name}{where}"


def plan_changes(desired: Collection[Desired], recorded: Collection[Resource]) -> tuple[Action, ...]:
    """What to create and update so that everything desired is there; nothing is deleted."""
    known = {resource.key: resource for resource in recorded}
    actions: list[Action] = []
    for wanted in desired:
        existing = known.get(key_of(wanted))
        if existing is None or existing.fingerprint != wanted.fingerprint:
            verb: Verb = "create" if existing is None else "update"
            actions.append(Action(verb, wanted.kind, wanted.region, wanted.name, wanted.function, wanted))
    return tuple(actions)


def plan_deletions(resources: Collection[Resource]) -> tuple[Action, ...]:
    """How to delete resources: what others need goes last."""
    order = {kind: position for position, kind in enumerate(RESOURCE_KINDS)}
    return tuple(
        Action("delete", resource.kind, resource.region, resource.name, resource.function)
        for resource in sorted(resources, key=lambda resource: (-order[resource.kind], resource.key))
    )


def existing_resources(cloud: Cloud, prefix: str, recorded: Collection[Resource]) -> tuple[Resource, ...]:
    """The recorded resources that are still there.

    Args:
        cloud: Where to look.
        prefix: What the names of all resources of the workflow start with.
        recorded: What the record lists.
    """
    regions = sorted({resource.region for resource in recorded if resource.region is not None})
    roles = set(cloud.identity.list_roles(prefix))
    functions = {
        (region, description.specification.name)
        for region in regions
        for description in cloud.functions.list_functions(region, prefix)
    }
    topics = {(region, name) for region in regions for name in cloud.messages.list_topics(region, prefix)}
    packages = {
        (resource.region, resource.name)
        for resource in recorded
        if resource.kind == "package"
        and resource.region is not None
        and cloud.objects.list_objects(resource.region, resource.name)
    }
    repositories = {
        (region, name)
        for region in sorted({resource.region or "" for resource in recorded if resource.kind == "repository"})
        for name in cloud.images.list_repositories(region, REPOSITORY_PREFIX)
    }
    images = {
        (resource.region or "", resource.name)
        for resource in recorded
        if resource.kind == "image" and _has_image(cloud, resource)
    }
    existing: list[Resource] = []
    for resource in recorded:
        place = (resource.region or "", resource.name)
        if resource.kind == "role":
            is_there = resource.name in roles
        elif resource.kind == "function":
            is_there = place in functions
        elif resource.kind == "topic":
            is_there = place in topics
        elif resource.kind == "repository":
            is_there = place in repositories
        elif resource.kind == "image":
            is_there = place in images
        else:
            is_there = place in packages
        if is_there:
            existing.append(resource)
    gone = {resource.region for resource in recorded if resource.kind == "image"} - {region for region, _ in images}
    # An image that is built anew has another digest, which functions that have lost theirs must be told.
    return without_fingerprint(existing, [item for item in existing if item.kind == "function" and item.region in gone])


def _has_image(cloud: Cloud, resource: Resource) -> bool:
    """Whether an image is there under its tag, and still the one that was recorded."""
    repository, _, tag = resource.name.rpartition(":")
    found = cloud.images.find_image(resource.region or "", repository, tag)
    return found is not None and found.digest == resource.id


def without_fingerprint(resources: Collection[Resource], touched: Collection[Resource]) -> tuple[Resource, ...]:
    """The resources; those that an unfinished operation touched have no fingerprint, so that they are made anew."""
    keys = {resource.key for resource in touched}
    return tuple(replace(resource, fingerprint="") if resource.key in keys else resource for resource in resources)
