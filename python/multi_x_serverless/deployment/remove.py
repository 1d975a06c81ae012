"""`remove`: delete everything that was made for a workflow, and say what could not be."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name, workflow_table
from multi_x_serverless.deployment.actions import plan_deletions
from multi_x_serverless.deployment.executor import Executor
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.names import workflow_prefix
from multi_x_serverless.deployment.places import homes_of, places_of
from multi_x_serverless.deployment.progress import SILENT, Progress
from multi_x_serverless.deployment.replicas import delete_replica
from multi_x_serverless.deployment.state import (
    has_system_tables,
    known_resources,
    read_state,
    unknown_workflow,
    write_record,
)
from multi_x_serverless.errors import CloudError, MultiXServerlessError
from multi_x_serverless.sdk.objects import workflow_object_prefix
from multi_x_serverless.sdk.tables import PAYLOAD_OBJECT_PREFIX, PLAN_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from multi_x_serverless.cloud.locks import Lease
    from multi_x_serverless.model.workflow import Resource


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class RemoveResult:
    """What a removal did.

    Attributes:
        deleted: Each resource that was deleted, in words.
        left: Each thing that could not be deleted, in words, with the reason.
        objects_deleted: The workflow's own objects that were deleted with it.
        objects_left: Those that stay, because nobody asked for their deletion or because it failed.
        object_regions: Where these are: at home, and where home was before.
    """

    workflow_id: str
    deleted: tuple[str, ...]
    left: tuple[str, ...]
    objects_deleted: int = 0
    objects_left: int = 0
    object_regions: tuple[str, ...] = ()


def require_known(cloud: Cloud, workflow_id: str) -> None:
    """Check that there is something to remove, before anybody is asked whether to.

    Raises:
        UnknownWorkflowError: Nothing of that id is recorded.
    """
    if not has_system_tables(cloud):
        raise unknown_workflow(cloud, workflow_id)
    state = read_state(cloud, workflow_id)
    if state.record is None and not known_resources(state):
        raise unknown_workflow(cloud, workflow_id)


def remove(
    cloud: Cloud,
    workflow_id: str,
    *,
    keep_logs: bool = False,
    delete_objects: bool = False,
    forget: Callable[[], None] = _nothing,
    progress: Progress = SILENT,
    sleep: Callable[[float], None] = time.sleep,
) -> RemoveResult:
    """Delete a workflow's resources, plans and record, and its objects if that is asked for.

    What cannot be deleted stays recorded, so that the same command tries again. The workflow takes no more runs from
    the moment on at which the removal begins.

    Args:
        forget: Forgets what others keep of the workflow. Called when every resource is gone and while the record is
            still there, so that what it leaves is left to the same command.

    Raises:
        UnknownWorkflowError: Nothing of that id is recorded.
        ConflictError: Another command works on the workflow; nothing was changed.
    """
    if not has_system_tables(cloud):
        raise unknown_workflow(cloud, workflow_id)
    with lock(cloud, workflow_id) as lease:
        state = read_state(cloud, workflow_id)
        resources = tuple(known_resources(state).values())
        record = state.record
        if record is None and not resources:
            raise unknown_workflow(cloud, workflow_id)
        if record is not None and state.stored is not None and record.status != "removing":
            record = replace(record, status="removing", updated_at=cloud.now())
            write_record(cloud, record, state.stored)
        home = "" if record is None else record.home_region
        executor = Executor(cloud, home, progress, lease=lease, sleep=sleep)
        progress.start(f"removing {workflow_id}", len(resources))
        failed = executor.delete(plan_deletions(resources))
        progress.finish()
        failed_keys = {(action.kind, action.region or "", action.name) for action, _ in failed}
        gone = tuple(resource for resource in resources if resource.key not in failed_keys)
        deleted = [f"{item.kind} {item.function or item.name}{_where(item.region)}" for item in gone]
        left = [
            f"{action.kind} {action.function or action.name}{_where(action.region)}: {error}"
            for action, error in failed
        ]
        regions = {item.region for item in resources if item.region is not None}
        regions |= set() if record is None else set(places_of(cloud, record))
        steps = [
            partial(_delete_traces, cloud, workflow_id, region, lease, keep_logs=keep_logs)
            for region in sorted(regions)
        ]
        for traces, problem in run_all(steps):
            deleted += traces
            left += [] if problem is None else [problem]
        # A workflow that was never deployed to its end has none.
        homes = () if record is None else tuple(region for region in homes_of(record) if region in regions)
        objects = [_delete_objects(cloud, workflow_id, region, lease, is_asked=delete_objects) for region in homes]
        left += [found.problem for found in objects if found.problem is not None]
        remaining = tuple(resource for resource in resources if resource.key in failed_keys)
        lease.keep()  # what follows would erase a deployment that another command has made since it was lost
        left += _forget(cloud, workflow_id, remaining, forget if not left else None)
    return RemoveResult(
        workflow_id,
        tuple(deleted),
        tuple(left),
        objects_deleted=sum(found.deleted for found in objects),
        objects_left=sum(found.left for found in objects),
        object_regions=tuple(region for region, found in zip(homes, objects, strict=True) if found.left),
    )


def _delete_traces(
    cloud: Cloud, workflow_id: str, region: str, lease: Lease, *, keep_logs: bool
) -> tuple[list[str], str | None]:
    """Delete logs, dead letters, large payloads and the plan's replica in one region, as far as possible.

    The functions are gone by then: a letter that stayed would be put back into the next workflow of that id.
    """
    deleted: list[str] = []
    try:
        if physical_name(PLAN_REPLICAS) not in cloud.key_value.list_tables(region):
            # Tables come before functions: without them nothing of the workflow was ever here.
            return deleted, None
        if not keep_logs:
            for function in cloud.logs.list_logs(region, workflow_prefix(workflow_id)):
                lease.keep()
                cloud.logs.delete_logs(region, function)
                deleted.append(f"log {function} in {region}")
        letters = [letter.id for letter in cloud.messages.dead_letters(region, workflow_prefix(workflow_id))]
        if letters:
            lease.keep()
            cloud.messages.discard(region, *letters)
            deleted += [f"dead letter {letter_id} in {region}" for letter_id in letters]
        for key in cloud.objects.list_objects(region, f"{PAYLOAD_OBJECT_PREFIX}{workflow_id}/"):
            lease.keep()
            cloud.objects.delete_object(region, key)
        delete_replica(cloud, workflow_id, region)
    except CloudError as error:
        return deleted, f"logs, dead letters, payloads and plan in {region}: {error}"
    return deleted, None


@dataclass(frozen=True)
class _Objects:
    """What became of the workflow's own objects in a region; `problem` says why some could not be deleted or found."""

    deleted: int
    left: int
    problem: str | None = None


def _delete_objects(cloud: Cloud, workflow_id: str, region: str, lease: Lease, *, is_asked: bool) -> _Objects:
    """Delete the workflow's objects in a region, or count them only.

    The functions are gone by then, so none is written afterwards.
    """
    deleted, left = 0, 0
    try:
        keys = cloud.objects.list_objects(region, workflow_object_prefix(workflow_id))
        left = len(keys)
        for key in keys if is_asked else ():
            lease.keep()
            cloud.objects.delete_object(region, key)
            deleted, left = deleted + 1, left - 1
    except CloudError as error:
        return _Objects(deleted, left, f"objects in {region}: {error}")
    return _Objects(deleted, left)


def _forget(
    cloud: Cloud, workflow_id: str, remaining: tuple[Resource, ...], forget: Callable[[], None] | None
) -> list[str]:
    """Delete plans, what others keep and the record, or note in the record and the journal what is left."""
    try:
        journal = Journal(cloud, workflow_id)
        stored = read_state(cloud, workflow_id).stored
        if forget is not None:
            PlanStore(cloud).remove(workflow_id)
            forget()
            journal.clear()
            workflow_table(cloud).delete(Key(workflow_id))
        elif stored is not None:
            write_record(cloud, replace(stored.value, resources=remaining, updated_at=cloud.now()), stored)
            journal.clear()
    except MultiXServerlessError as error:
        return [f"record of {workflow_id}: {error}"]
    return []


def _where(region: str | None) -> str:
    return f" in {region}" if region else ""
