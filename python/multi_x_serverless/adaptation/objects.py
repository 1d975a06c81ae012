"""The objects of workflows from outside of their runs: stored, read, listed and deleted at home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import workflow_table
from multi_x_serverless.cloud.usable import require_usable
from multi_x_serverless.deployment.state import has_system_tables, unknown_workflow
from multi_x_serverless.errors import CloudError, ObjectNotFoundError, ResourceNotFoundError, UsageError
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.sdk.errors import InvalidObjectKeyError
from multi_x_serverless.sdk.objects import OBJECT_PREFIX, workflow_object_key, workflow_object_prefix


@dataclass(frozen=True)
class WorkflowObject:
    """An object as its workflow knows it; `stored_at` in seconds since the epoch."""

    key: str
    size_bytes: int
    stored_at: float


def region_of_objects(cloud: Cloud, workflow_id: str, region: str | None = None) -> str:
    """Where a workflow's objects lie.

    Args:
        cloud: Where it is deployed, or was.
        workflow_id: The workflow.
        region: What the caller says; by default its home region, or where a removed workflow has left objects.

    Raises:
        UsageError: The region cannot be used, or a removed workflow has left objects in several.
        UnknownWorkflowError: There is no such workflow, and it has left no objects.
    """
    if region is not None:
        return require_usable(cloud, (region,))[0]
    stored = workflow_table(cloud).get(Key(workflow_id)) if has_system_tables(cloud) else None
    if stored is not None:
        return stored.value.home_region
    prefix, regions = workflow_object_prefix(workflow_id), cloud.usable_regions()
    found = run_all([partial(cloud.objects.list_objects, code, prefix) for code in regions])
    places = [code for code, keys in zip(regions, found, strict=True) if keys]
    if not places:
        raise unknown_workflow(cloud, workflow_id)
    if len(places) > 1:
        raise UsageError(
            f"'{workflow_id}' is deployed no longer and has left objects in {', '.join(places)}: name one of these "
            "with --region."
        )
    return places[0]


def put_object(cloud: Cloud, workflow_id: str, key: str, body: bytes) -> str:
    """Store an object of a deployed workflow, replacing any of the same key; returns its region.

    Raises:
        UsageError: The key cannot be used.
        UnknownWorkflowError: There is no such workflow.
    """
    stored_key = _stored_key(workflow_id, key)
    home = deployed_workflow(cloud, workflow_id).home_region
    cloud.objects.put_object(home, stored_key, body)
    return home


def get_object(cloud: Cloud, workflow_id: str, key: str, *, region: str) -> bytes:
    """Read an object.

    Raises:
        UsageError: The key cannot be used.
        ObjectNotFoundError: There is none of that key.
    """
    try:
        return cloud.objects.get_object(region, _stored_key(workflow_id, key))
    except ResourceNotFoundError as error:
        raise ObjectNotFoundError(workflow_id, (key,), region=region) from error


def list_objects(cloud: Cloud, workflow_id: str, *, region: str, prefix: str = "") -> tuple[WorkflowObject, ...]:
    """A workflow's objects whose keys start with `prefix`, by key."""
    own = workflow_object_prefix(workflow_id)
    return tuple(
        WorkflowObject(found.key.removeprefix(own), found.size_bytes, found.stored_at)
        for found in cloud.objects.describe_objects(region, own + prefix)
    )


def require_objects(cloud: Cloud, workflow_id: str, keys: Sequence[str], *, region: str) -> tuple[str, ...]:
    """The keys, each once, if there is an object of each.

    Raises:
        UsageError: A key cannot be used.
        ObjectNotFoundError: There is none of some key.
    """
    once = tuple(dict.fromkeys(keys))
    there = run_all([partial(cloud.objects.has_object, region, _stored_key(workflow_id, key)) for key in once])
    missing = tuple(key for key, is_there in zip(once, there, strict=True) if not is_there)
    if missing:
        raise ObjectNotFoundError(workflow_id, missing, region=region)
    return once


def delete_objects(cloud: Cloud, workflow_id: str, keys: Sequence[str], *, region: str) -> None:
    """Delete objects that were found; one that is not there any more is no failure.

    Whatever their keys are: the workflow's own code may have written some with boto3, which knows no rule of the SDK's.
    """
    own = workflow_object_prefix(workflow_id)
    run_all([partial(cloud.objects.delete_object, region, own + key) for key in keys])


@dataclass(frozen=True)
class StayingObjects:
    """A workflow's objects in a region that is to be its home no longer.

    Attributes:
        count: How many; `None` if the region cannot be asked.
    """

    region: str
    count: int | None


def objects_that_stay(cloud: Cloud, record: WorkflowRecord, home_region: str) -> StayingObjects | None:
    """What a deployment with another home leaves where home is now; `None` if nothing, or if home stays."""
    if record.home_region == home_region:
        return None
    try:
        keys = cloud.objects.list_objects(record.home_region, workflow_object_prefix(record.workflow_id))
    except CloudError:
        return StayingObjects(record.home_region, None)
    return StayingObjects(record.home_region, len(keys)) if keys else None


def count_all_objects(cloud: Cloud) -> int:
    """How many objects all workflows have, deployed ones and removed ones, in all regions that can be used."""
    return sum(len(keys) for keys in run_all([partial(_keys_in, cloud, region) for region in cloud.usable_regions()]))


def _keys_in(cloud: Cloud, region: str) -> tuple[str, ...]:
    return cloud.objects.list_objects(region, OBJECT_PREFIX)


def _stored_key(workflow_id: str, key: str) -> str:
    try:
        return workflow_object_key(workflow_id, key)
    except InvalidObjectKeyError as error:
        raise UsageError(f"{error}.") from error
