"""Undo of an operation that failed: back to what the record says, or to nothing if there is no record."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import PlanStore, workflow_table
from multi_x_serverless.deployment.actions import Action, plan_changes, plan_deletions, without_fingerprint
from multi_x_serverless.deployment.desired import desired_resources
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.replicas import delete_replica, write_replicas
from multi_x_serverless.deployment.state import WorkflowState, regions_of
from multi_x_serverless.errors import CloudError, DeploymentError, MultiXServerlessError

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.cloud.locks import Lease
    from multi_x_serverless.deployment.executor import Executor
    from multi_x_serverless.model.workflow import Resource, WorkflowRecord


def undo(
    cloud: Cloud,
    workflow_id: str,
    before: WorkflowState,
    executor: Executor,
    lease: Lease,
    error: Exception,
) -> DeploymentError:
    """Bring back the state before an operation that failed.

    What cannot be brought back stays in the journal, so that the next command makes good for it.

    Args:
        cloud: Where.
        workflow_id: The workflow.
        before: What was known when the operation began.
        executor: Applies what is to be done.
        lease: The lock under which the operation worked. Without it nothing is brought back, for what is there now is
            another command's work; what this one made is noted in the journal for the next command to look after.
        error: Why it failed; also a defect must leave nothing half made.

    Returns:
        The error to raise: why it failed, and in which state things are now.
    """
    is_known = isinstance(error, MultiXServerlessError)
    reason = str(error) if is_known else f"a defect of the program met it: {type(error).__name__}: {error}"
    reason = reason.rstrip()
    reason += "" if reason.endswith((".", "!", "?")) else "."
    journal = Journal(cloud, workflow_id)
    try:
        lease.keep()
    except MultiXServerlessError as lost:
        with suppress(MultiXServerlessError):
            journal.add(executor.touched)
        return DeploymentError(f"{reason} Nothing was undone: {lost} Run the command again.")
    try:
        touched = journal.read()
        if before.record is None:
            problems = _remove_everything(cloud, workflow_id, before, touched, executor)
        else:
            problems = _bring_back(cloud, before.record, before, touched, executor)
        if not problems:
            journal.clear()
    except MultiXServerlessError as problem:
        problems = (str(problem),)
    if problems:
        return DeploymentError(
            f"{reason} Undoing it did not succeed either ({'; '.join(problems)}): run the command again to repair "
            "what is left."
        )
    state = "Nothing was left behind." if before.record is None else "Everything is as it was before."
    return DeploymentError(f"{reason} {state}")


def _remove_everything(
    cloud: Cloud, workflow_id: str, before: WorkflowState, touched: tuple[Resource, ...], executor: Executor
) -> tuple[str, ...]:
    left = executor.delete(plan_deletions(touched))
    _delete_new_logs(cloud, touched, before.read_at)
    for region in sorted({resource.region for resource in touched if resource.region is not None}):
        delete_replica(cloud, workflow_id, region)
    PlanStore(cloud).remove(workflow_id)
    # The last write may have reached the table although its answer was lost.
    workflow_table(cloud).delete(Key(workflow_id))
    return _described(left)


def _bring_back(
    cloud: Cloud,
    record: WorkflowRecord,
    before: WorkflowState,
    touched: tuple[Resource, ...],
    executor: Executor,
) -> tuple[str, ...]:
    places: dict[str, set[str]] = {}
    for resource in record.resources:
        if resource.kind != "function" or resource.function is None or resource.region is None:
            continue
        if resource.function in record.functions:
            places.setdefault(resource.function, set()).add(resource.region)
    changed = without_fingerprint(record.resources, touched)
    executor.apply(plan_changes(desired_resources(cloud, record, places), changed))
    recorded = {resource.key for resource in record.resources}
    unrecorded = [resource for resource in touched if resource.key not in recorded]
    left = executor.delete(plan_deletions(unrecorded))
    _delete_new_logs(cloud, unrecorded, before.read_at)
    _bring_plans_back(cloud, record, before)
    table = workflow_table(cloud)
    stored = table.get(Key(record.workflow_id))
    if stored is None or stored.value != record:
        table.put(Key(record.workflow_id), record)
    return _described(left)


def _delete_new_logs(cloud: Cloud, touched: Collection[Resource], since: float) -> None:
    """Delete the logs of functions that are gone again; one with older lines tells of runs, and stays."""
    for resource in touched:
        if resource.kind != "function" or resource.region is None:
            continue
        if next(iter(cloud.logs.read_logs(resource.region, resource.name, 0.0, since)), None) is None:
            cloud.logs.delete_logs(resource.region, resource.name)


def _bring_plans_back(cloud: Cloud, record: WorkflowRecord, before: WorkflowState) -> None:
    plans = PlanStore(cloud)
    if before.staged is not None:
        plans.stage_again(record.workflow_id, before.staged.version)
    if before.plan is None:
        return
    active = plans.active(record.workflow_id)
    if active is None or active.version != before.plan.version:
        replaces = None if active is None else active.version
        plans.activate(record.workflow_id, before.plan.version, replaces=replaces)
    write_replicas(cloud, record, before.plan, regions_of(record.resources))


def _described(left: tuple[tuple[Action, CloudError], ...]) -> tuple[str, ...]:
    return tuple(f"{action}: {error}" for action, error in left)
