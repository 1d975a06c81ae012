"""`migrate`: bring a workflow to its staged plan, and `sweep` what no live plan uses.

Make before break: every function that the plan needs exists and has answered a probe before the first run can follow
it; what it no longer needs stays until runs under way have ended.

::

    staged plan -> tables -> journal -> copy packages, create functions and topics -> probe all
                -> record -> replicas (home last) -> active pointer (the commit) -> unstage
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.actions import plan_changes
from multi_x_serverless.deployment.clearing import remove_resources
from multi_x_serverless.deployment.desired import (
    DesiredFunction,
    desired_resources,
    function_places,
    key_of,
    resource_of,
)
from multi_x_serverless.deployment.effort import UNNOTED, Effort
from multi_x_serverless.deployment.executor import Executor
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.progress import SILENT, Progress
from multi_x_serverless.deployment.replicas import write_replicas
from multi_x_serverless.deployment.restore import undo
from multi_x_serverless.deployment.state import (
    ensure_tables,
    image_digests,
    known_resources,
    lease_s,
    plan_fits,
    read_state,
    regions_of,
    require_record,
    trusted_resources,
    unknown_workflow,
    write_record,
)
from multi_x_serverless.errors import DeploymentError, MultiXServerlessError, NothingToDoError, OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.deployment.state import WorkflowState
    from multi_x_serverless.model.workflow import Resource


@dataclass(frozen=True)
class MigrateResult:
    """What a migration did.

    Attributes:
        plan_version: The plan in force now.
        created: Functions that were created, as ``function in region``.
    """

    workflow_id: str
    plan_version: int
    created: tuple[str, ...]


def migrate(
    cloud: Cloud,
    workflow_id: str,
    *,
    progress: Progress = SILENT,
    effort: Effort = UNNOTED,
    sleep: Callable[[float], None] = time.sleep,
) -> MigrateResult:
    """Put the staged plan of a workflow in force.

    Args:
        cloud: Where.
        workflow_id: The workflow.
        progress: Told of every step.
        effort: Told what is copied and probed, also by a migration that fails.
        sleep: Waits between attempts.

    Raises:
        UnknownWorkflowError: No workflow of that id is deployed.
        NothingToDoError: No plan is staged.
        ConflictError: Another command works on the workflow; nothing was changed.
        OutOfTimeError: `progress` raised it; what was made stays, the old plan stays in force.
        DeploymentError: It failed; the message says in which state things are.
    """
    stored = require_record(cloud, workflow_id)
    with lock(cloud, workflow_id, lease_s=lease_s(stored.value.package_format)) as lease:
        state = read_state(cloud, workflow_id)
        record, staged = state.record, state.staged
        if record is None or record.status != "deployed":
            raise unknown_workflow(cloud, workflow_id)
        if staged is None:
            raise NothingToDoError(
                f"no plan is staged for '{workflow_id}': 'multi_x_serverless solve {workflow_id}' stages one."
            )
        if not plan_fits(staged, record):
            PlanStore(cloud).unstage(workflow_id, staged.version)
            raise DeploymentError(
                f"the staged plan {staged.version} is for other nodes or regions than '{workflow_id}' has now, and "
                f"was dropped; run 'multi_x_serverless solve {workflow_id}' again. Nothing else was changed."
            )
        if staged.expires_at <= cloud.now():
            PlanStore(cloud).unstage(workflow_id, staged.version)
            raise DeploymentError(
                f"the staged plan {staged.version} of '{workflow_id}' has expired and was dropped; run "
                f"'multi_x_serverless solve {workflow_id}' again. Nothing else was changed."
            )
        ensure_tables(cloud, staged.regions)
        desired = desired_resources(cloud, record, function_places(record.graph, record.home_region, staged))
        trusted = trusted_resources(cloud, state)
        changes = plan_changes(desired, trusted)
        role = next((resource.id for resource in trusted if resource.kind == "role"), None)
        executor = Executor(
            cloud,
            record.home_region,
            progress,
            role_id=role,
            image_digests=image_digests(state),
            lease=lease,
            effort=effort,
            sleep=sleep,
        )
        journal = Journal(cloud, workflow_id)
        progress.start(f"migrating {workflow_id} to plan {staged.version}", len(changes))
        try:
            journal.add([resource_of(action.desired, "") for action in changes if action.desired is not None])
            made = executor.apply(changes)
            executor.probe([item for item in desired if isinstance(item, DesiredFunction)], record.manifest_id)
            resources = {resource.key: resource for resource in (*known_resources(state).values(), *made)}
            now = cloud.now()
            record = replace(
                record,
                resources=tuple(resources[key] for key in sorted(resources)),
                plan_activated_at=now,
                updated_at=now,
            )
            lease.keep()
            write_record(cloud, record, state.stored)
            write_replicas(cloud, record, staged, regions_of(record.resources))
            PlanStore(cloud).activate(
                workflow_id, staged.version, replaces=None if state.plan is None else state.plan.version
            )
        except OutOfTimeError:
            # What is made is in the journal: the next migration finds it there, where undoing would begin anew.
            raise
        except Exception as error:  # also a defect must leave nothing half made
            raise undo(cloud, workflow_id, state, executor, lease, error) from error
        finally:
            progress.finish()
        try:
            # As long as the plan is staged, the next command finishes what is left to do here.
            journal.clear()
            PlanStore(cloud).unstage(workflow_id, staged.version)
        except MultiXServerlessError as error:
            raise DeploymentError(
                f"plan {staged.version} of '{workflow_id}' is in force, but the migration could not be closed "
                f"({error}); run the command again."
            ) from error
    created = tuple(
        f"{action.function} in {action.region}"
        for action in changes
        if action.kind == "function" and action.verb == "create"
    )
    return MigrateResult(workflow_id, staged.version, created)


def sweep(
    cloud: Cloud,
    workflow_id: str,
    *,
    now: float,
    grace_s: float,
    progress: Progress = SILENT,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Delete what neither the plan in force nor the staged one uses; never anything at home.

    Args:
        cloud: Where.
        workflow_id: The workflow.
        now: The time, seconds since the epoch.
        grace_s: How long after a plan became active the functions of its predecessor stay, in seconds.
        progress: Told of every step.
        sleep: Waits between attempts.

    Returns:
        Functions that were deleted, as ``function in region``.

    Raises:
        UnknownWorkflowError: No workflow of that id is deployed.
        ConflictError: Another command works on the workflow; nothing was changed.
        DeploymentError: Something could not be deleted; the record keeps it and the next sweep tries again.
    """
    require_record(cloud, workflow_id)
    with lock(cloud, workflow_id) as lease:
        state = read_state(cloud, workflow_id)
        record = state.record
        unwanted = _unwanted(cloud, state, now=now, grace_s=grace_s)
        if record is None or not unwanted:
            return ()
        executor = Executor(cloud, record.home_region, progress, lease=lease, sleep=sleep)
        progress.start(f"sweeping {workflow_id}", len(unwanted))
        try:
            deleted, problems = remove_resources(cloud, record, unwanted, executor)
        finally:
            progress.finish()
    if problems:
        raise DeploymentError(
            f"not everything that no plan of '{workflow_id}' uses could be deleted ({'; '.join(problems)}); the next "
            "sweep tries again."
        )
    return tuple(f"{resource.function} in {resource.region}" for resource in deleted if resource.kind == "function")


def sweepable(cloud: Cloud, workflow_id: str, *, now: float, grace_s: float) -> tuple[str, ...]:
    """Functions that `sweep` would delete, as ``function in region``; changes nothing."""
    unwanted = _unwanted(cloud, read_state(cloud, workflow_id), now=now, grace_s=grace_s)
    return tuple(f"{resource.function} in {resource.region}" for resource in unwanted if resource.kind == "function")


def _unwanted(cloud: Cloud, state: WorkflowState, *, now: float, grace_s: float) -> tuple[Resource, ...]:
    """Recorded resources that neither the plan in force nor the staged one uses, once the grace is over."""
    record = state.record
    if record is None or now - record.plan_activated_at < grace_s:
        return ()
    wanted = {
        key_of(item)
        for plan in (state.plan, state.staged)
        if plan is None or plan_fits(plan, record)
        for item in desired_resources(cloud, record, function_places(record.graph, record.home_region, plan))
    }
    return tuple(resource for resource in record.resources if resource.key not in wanted)
