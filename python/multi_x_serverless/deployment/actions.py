"""The difference between what is desired and what is recorded, as a list of typed actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.deployment.desired import Desired, key_of
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


def existing_resources(cloud: Cloud, recorded: Collection[Resource]) -> tuple[Resource, ...]:
    """The recorded resources that are still there, each looked up by its exact name."""
    resources = tuple(recorded)
    are_there = run_all([partial(_is_there, cloud, resource) for resource in resources])
    return tuple(resource for resource, is_there in zip(resources, are_there, strict=True) if is_there)


def _is_there(cloud: Cloud, resource: Resource) -> bool:
    region, name = resource.region, resource.name
    if region is None:
        return cloud.identity.has_role(name)
    if resource.kind == "function":
        return cloud.functions.get_function(region, name) is not None
    if resource.kind == "topic":
        return cloud.messages.has_topic(region, name)
    return cloud.objects.has_object(region, name)


def without_fingerprint(resources: Collection[Resource], touched: Collection[Resource]) -> tuple[Resource, ...]:
    """The resources; those that an unfinished operation touched have no fingerprint, so that they are made anew."""
    keys = {resource.key for resource in touched}
    return tuple(replace(resource, fingerprint="") if resource.key in keys else resource for resource in resources)
